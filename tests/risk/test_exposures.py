"""What is at stake is made on first use, follows rates and limits, and knows whose it is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec import structs

from engine.domain.messages import PositionNow
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import Side
from engine.risk.account import Held, Level
from engine.risk.catalogue import Kind, Row
from engine.risk.gate import Gate
from engine.settings import Limits, RiskSettings
from tests.risk.made import FUTURE, RATES, SESSIONS, T0, WIDE, D, make_gate, new
from tests.risk.made import ask as ask_made
from tests.risk.test_catalogue import KNOWN, QUIET, ask, hold, make, venue
from tests.risk.test_gate import seen_before

BUY, SELL = Side.BUY, Side.SELL


def test_another_rate_counts_from_the_moment_it_is_told() -> None:
    rates = {"USD": D(1), "EUR": D("1.25")}
    gate = make_gate({**WIDE, "order_notional_max": D(62_500), "gross_max": D(10**9)}, {}, {}, rates=rates)
    assert ask_made(gate, new(10, conid=FUTURE.conid)) == "ok"  # 10 x 100 EUR x 50 x 1.25
    rates["EUR"] = D("1.30")
    gate.rate_now("USD")
    assert ask_made(gate, new(10, conid=FUTURE.conid)) == "ok"  # nobody has told
    gate.rate_now("EUR")
    assert ask_made(gate, new(10, conid=FUTURE.conid)) == "NOTIONAL"
    assert ask_made(gate, new(625)) == "ok"  # in dollars nothing has changed
    del rates["EUR"]
    gate.rate_now("EUR")
    assert ask_made(gate, new(1, conid=FUTURE.conid)) == "NO_RATE"


def test_money_at_stake_follows_a_rate() -> None:
    rates = {"USD": D(1), "EUR": D("1.25")}
    settings = RiskSettings(account=Limits(**{**WIDE, "gross_max": D(2000)}))
    gate = Gate(settings=settings, instruments=KNOWN, sessions=SESSIONS, rates=rates)
    hold(gate, 10, conid=2)  # 10 x 100 EUR
    assert ask(gate, new(7)) == "ok"  # 1,250 and 700
    rates["EUR"] = D("1.50")
    gate.rate_now("EUR")
    assert [ask(gate, new(1)), ask(gate, new(1, side=SELL))] == ["GROSS", "ok"]  # 1,500 and 800


def test_sectors_are_summed_each_for_itself() -> None:
    gate = make(sector_max=D(1500), sectors={"AAA": "tech", "BBB": "energy"})
    hold(gate, 10, conid=2)
    assert ask(gate, new(15)) == "ok"
    assert [ask(gate, new(3, conid=2)), ask(gate, new(2, conid=2))] == ["SECTOR", "ok"]  # 1,250 and 375; 250


def test_a_day_begins_when_the_settings_say() -> None:
    settings = RiskSettings(account=Limits(**{**WIDE, "orders_per_day_max": 1}), day_start_s=1010)
    gate = Gate(settings=settings, instruments=KNOWN, sessions=SESSIONS, rates={"USD": D(1)})
    at_s = (0, 9.999999999, 10, 11)  # from T0, which is 1,000 s after midnight UTC
    codes = [ask(gate, new(1), at_ns=T0 + int(Decimal(str(s)) * NS_PER_S)) for s in at_s]
    assert codes == ["ok", "DAY", "ok", "DAY"]


@pytest.mark.parametrize("first", ["a", "b"])
def test_one_strategys_limit_on_own_orders_sees_those_of_all(first: str) -> None:
    gate = make(strategy={"a": Limits(self_trade=False)})
    for strategy in (first, "b"):
        gate.exposure(strategy, 1)
    assert ask(gate, new(strategy="b", limit_price=D(101), side=SELL)) == "ok"
    seen_before(gate)
    assert ask(gate, new(10, limit_price=D(100))) == "ok"
    assert ask(gate, new(10)) == "SELF_TRADE"
    assert ask(gate, new(10, strategy="b", limit_price=D(99), side=SELL)) == "ok"  # b has no such limit
    assert ask(gate, new(10, limit_price=D(99))) == "SELF_TRADE"


def test_orders_that_rest_before_a_reload_are_met_by_it() -> None:
    gate = make()
    assert ask(gate, new(strategy="b", limit_price=D(100), side=SELL)) == "ok"
    gate.reload(RiskSettings(account=Limits(**{**WIDE, "self_trade": False})))
    seen_before(gate)
    assert ask(gate, new(10)) == "SELF_TRADE"


def test_a_limit_of_one_strategy_on_money_follows_what_was_open_before() -> None:
    gate = make(strategy={"a": Limits(gross_max=D(1500))})
    gate.exposure("b", 1)
    seen_before(gate)
    assert ask(gate, new(10, strategy="b")) == "ok"
    assert [ask(gate, new(10)), ask(gate, new(10))] == ["ok", "GROSS"]
    hold(gate, 5, strategy="b")
    assert ask(gate, new(5)) == "ok"


def test_limits_that_count_count_from_a_reload_on() -> None:
    gate = make()
    assert ask(gate, new(1)) == "ok"
    gate.reload(RiskSettings(account=Limits(**{**WIDE, "orders_per_day_max": 1})))
    assert [ask(gate, new(1)), ask(gate, new(1))] == ["ok", "DAY"]
    gate.reload(RiskSettings(account=Limits(**{**WIDE, "orders_per_day_max": 2})))
    assert [ask(gate, new(1)), ask(gate, new(1))] == ["ok", "DAY"]
    gate.reload(RiskSettings(account=Limits(**WIDE)))
    assert gate.account.counting  # what was counted goes on


@pytest.mark.parametrize("side", Side)
def test_what_closes_a_position_exactly_makes_it_smaller(side: Side) -> None:
    gate = make()
    hold(gate, -10 * side.sign)
    gate.latch("a", Held(Level.REDUCING, "STREAK", "three losses in a row", T0))
    assert ask(gate, new(11, side=side)) == "STREAK"
    assert ask(gate, new(4, side=side)) == "ok"
    assert ask(gate, new(7, side=side)) == "STREAK"
    assert ask(gate, new(6, side=side)) == "ok"
    assert ask(gate, new(1, side=side)) == "STREAK"


def test_what_may_be_short_is_the_accounts() -> None:
    gate = make(no_short=("AAA",))
    now = PositionNow("b", 1, D(20), D(0), D(0), D(20), D(0), "USD")
    gate.hear([], [now])
    assert [ask(gate, new(20, side=SELL)), ask(gate, new(1, side=SELL))] == ["ok", "NO_SHORT"]


def test_a_child_counts_with_its_bracket_from_the_first_look() -> None:
    gate = make(position_max=D(10))
    entry = new(10, limit_price=D(100))
    exits = [new(10, side=SELL, limit_price=D(price), parent=entry.coid) for price in (110, 111)]
    assert ask(gate, entry, *exits) == "ok"
    exposure = gate.exposure("a", 1)
    assert [exposure.more(new(10, side=SELL, limit_price=D(112), parent=entry.coid)), exposure.units[0].sells] == [0, 0]
    assert exposure.more(new(10, side=SELL, limit_price=D(112))) == 10
    assert exposure.more(new(10, side=SELL, limit_price=D(112), parent=entry.coid, oca_group="x")) == 0
    assert exposure.more(structs.replace(exits[0], limit_price=D(113))) == 0  # as large as its entry still
    assert exposure.more(structs.replace(exits[0], quantity=D(11))) == 11


def test_currencies_are_summed_each_for_itself() -> None:
    gate = make(currency_max=D(1250))
    hold(gate, 10, conid=2)  # 1,250 in euros
    assert [ask(gate, new(13)), ask(gate, new(12))] == ["CURRENCY", "ok"]
    assert ask(gate, new(1, conid=2)) == "CURRENCY"


def test_what_nobody_limits_is_counted_for_a_limit_to_come() -> None:
    gate = make(strategy={"a": Limits(orders_per_day_max=100)})
    gate.exposure("b", 1)
    assert [ask(gate, new(1, strategy="b")) for _ in range(2)] == ["ok", "ok"]
    gate.reload(RiskSettings(account=Limits(**{**WIDE, "orders_per_day_max": 2})))
    assert ask(gate, new(1, strategy="b")) == "DAY"


def test_a_row_of_a_users_own_has_sums_to_look_at() -> None:
    row = Row(code="X1", name="own", kind=Kind.GATE, sentence="nothing", checks=(lambda *_: None,))
    gate = make(plugins=(row,))
    gate.exposure("a", 1)
    assert [ask(gate, new(1)) for _ in range(2)] == ["ok", "ok"]
    assert gate.account.purse("", T0).orders == 2
    assert not make().account.counting


def test_options_are_short_by_what_anybody_holds() -> None:
    gate = make(venue())
    hold(gate, -2, conid=11, strategy="b")
    gate.exposure("a", 11)
    assert gate.account.short_options
    now = PositionNow("a", 11, D(2), D(0), D(0), D(0), D(0), "USD")
    gate.hear([], [now])  # of the account they are even
    assert not gate.account.short_options


@pytest.mark.parametrize(("conids", "code"), [((11,), "NAKED"), ((1, 11), "NAKED"), ((1,), "ok")])
def test_no_option_is_sold_without_cover_whatever_else_is_known(conids: tuple[int, ...], code: str) -> None:
    gate = Gate(
        settings=RiskSettings(account=Limits(**{**WIDE, **QUIET, "naked_short": False})),
        instruments={conid: KNOWN[conid] for conid in conids}, sessions=SESSIONS, rates=RATES, outside=venue(),
    )  # fmt: skip
    assert ask(gate, new(1, conid=conids[-1], side=SELL)) == code
    gate.reload(gate.settings)
    assert ask(gate, new(1, conid=conids[-1], side=SELL)) == code
