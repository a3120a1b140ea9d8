"""`engine risk explain` shows every check with its figures, and what stands before all checks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.messages import Place, Refusal
from engine.domain.ticket import OrderType, Side
from engine.risk.account import Held, Level
from engine.risk.catalogue import TABLE
from engine.risk.checks import NEW_ORDER
from engine.risk.explaining import Finding, barred, explain, take
from engine.risk.figures import FIGURES
from engine.risk.market import market_now
from engine.risk.outside import Borrow, Contract, Outside
from engine.risk.plugins import as_row
from engine.risk.sums import worst_money
from engine.settings import Limits, RiskSettings
from tests.risk.made import T0, WIDE, D, new
from tests.risk.test_catalogue import LATE, QUIET, Market, ask, hold, make, venue

SELL = Side.SELL
EVERYTHING: dict[str, Any] = {
    **QUIET, "self_trade": False, "two_sided": True, "live_data": True, "short_availability": True,
    "buying_power": True, "in_doubt_max": 5, "price_drift_pct": D(50), "displayed_size_pct": D(10**6),
    "average_volume": D(1000), "average_volume_pct": D(50), "spread_max_pct": D(10), "range_factor": D(100),
    "messages_per_minute_max": 100, "orders_per_hour_max": 90, "orders_per_day_max": 80,
    "messages_per_day_max": 70, "notional_per_day_max": D(60_000), "gross_max": D(50_000), "net_max": D(40_000),
    "sector_max": D(45_000), "currency_max": D(46_000), "leverage_max": D(5), "allowed": ("AAA",),
    "no_short": ("AAA",), "blackouts": ("2001-01-01/2001-01-02",), "order_types": ("LMT",), "tifs": ("DAY",),
    "day_trades_max": 1, "settled_cash": True, "margin_cushion_pct": D(10),
}  # fmt: skip


def session(**facts: Any) -> Outside:
    found = venue(availability={1: "RpB", 11: "RpB"}, borrow={1: Borrow(D(500))}, **facts)
    assert found.summary is not None
    found.summary = replace(found.summary, day_trades_left=3)
    return found


def told(findings: list[Finding]) -> dict[str, tuple[str, str]]:
    return {one.check: (one.limit, one.value) for one in findings}


def test_every_check_has_its_figures() -> None:
    assert {check for row in TABLE for check in row.checks} | set(NEW_ORDER) == set(FIGURES)


def test_each_check_that_allows_shows_what_it_compared() -> None:
    gate = make(session(), equity=10_000.0, sectors={"AAA": "tech"}, **EVERYTHING)
    assert ask(gate, new(10, limit_price=D(100))) == "ok"
    findings = explain(gate, new(20, limit_price=D(100)), Market(), T0)
    assert [one.check for one in findings if not one.allows] == []
    empty = [one.check for one in findings if not (one.limit and one.value)]
    assert empty == []
    found = told(findings)
    assert found["average_volume"] == ("50 %", "2.00 %")
    assert found["message_rate"] == ("100/min", "2/min")
    assert found["throttle"] == ("90/h", "2/h")
    assert found["day_sums"] == ("60000", "3000")  # 1,000 sent, 2,000 by this one: the least room of three
    assert found["money_at_stake"] == (
        "gross 50000; net long 40000; net short 40000; sector 45000; currency 46000; leverage 5",
        "gross 3000.00; net long 3000.00; net short 0.00; sector 3000.00; currency 3000.00; leverage 0.30",
    )
    assert found["buying_power"][1] == "3000.00"
    assert found["margin"] == ("100000000000.00", "999999998500.00")  # half of 3,000
    assert found["day_trades"] == ("more than 1", "3")
    assert found["live_data"] == ("R", "RpB")
    assert found["account_guard"] == ("DU1", "DU1")


@pytest.mark.parametrize("outside", [True, False])
@pytest.mark.parametrize("side", [Side.BUY, SELL])
def test_an_order_that_all_allow_is_told_as_if_each_had_been_asked(
    monkeypatch: pytest.MonkeyPatch, outside: bool, side: Side
) -> None:
    limits = EVERYTHING | {"no_short": (), "order_types": ("LMT", "STP")}
    gate = make(session() if outside else None, equity=10_000.0, sectors={"AAA": "tech"}, **limits)
    hold(gate, 40)
    assert ask(gate, new(10, limit_price=D(100), side=side)) == "ok"
    cleared = []
    for quantity, level, kind in ((20, 100, "limit"), (7, 101, "limit"), (7, 99, "limit"), (7, 101, "stop")):
        terms: dict[str, Any] = {f"{kind}_price": D(level)} | ({"order_type": OrderType.STOP} if kind == "stop" else {})
        ticket = new(quantity, side=side, **terms)
        short = gate.clears(ticket, Market(), T0)
        brief = explain(gate, ticket, Market(), T0)
        with monkeypatch.context() as asked:
            asked.setattr(gate, "clears", lambda *_: False)
            assert explain(gate, ticket, Market(), T0) == brief
        cleared.append(short)
    assert any(cleared)
    assert cleared[-1]


# Limits whose figures are sums that can't be told once the order counts.
EARLY = {
    "price_drift_pct", "messages_per_minute_max", "orders_per_hour_max", "orders_per_day_max",
    "messages_per_day_max", "notional_per_day_max", "gross_max", "net_max", "sector_max", "currency_max",
    "leverage_max",
}  # fmt: skip
LATE_LIMITS = {name: value for name, value in EVERYTHING.items() if name not in EARLY}
LATE_LIMITS |= {"no_short": (), "order_types": ("LMT", "MKT", "STP")}
ORDERS = st.tuples(
    st.sampled_from([D(1), D("7"), D("20"), D("150")]),
    st.sampled_from([None, D("99.5"), D("100"), D("100.4")]),
    st.booleans(),  # the price is a stop's
    st.sampled_from([Side.BUY, SELL]),
    st.sampled_from(["a", "b"]),
)


@given(st.lists(ORDERS, min_size=1, max_size=8), st.integers(-300, 300), st.sampled_from([True, False, None]))
def test_what_is_taken_is_told_as_it_would_have_been_before_it_counted(
    orders: list[tuple[Decimal, Decimal | None, bool, Side, str]], held: int, outside: bool | None
) -> None:
    limits = QUIET | {"open_orders_max": 6} if outside is None else LATE_LIMITS  # None: no sum has a register
    one, other = (make(session() if outside else None, equity=10_000.0, **limits) for _ in range(2))
    for gate in (one, other):
        for strategy in ("a", "b"):
            hold(gate, held, strategy=strategy)
            explain(gate, new(1, strategy=strategy), Market(), T0)  # an outline is there
    for number, (quantity, price, waits, side, strategy) in enumerate(orders):
        kind = OrderType.MARKET if price is None else OrderType.STOP if waits else OrderType.LIMIT
        prices = {"stop_price" if waits else "limit_price": price}
        ticket = new(quantity, order_type=kind, side=side, strategy=strategy, **prices)
        market, now_ns = Market(at_ns=T0 + number), T0 + number
        before = explain(one, ticket, market, now_ns)
        clears = one.clears(ticket, market, now_ns)
        taken = take(other, Place((ticket,)), market, now_ns)
        found = None if taken is None else taken[1].tell()
        event(f"taken: {None if found is None else kind}")
        exposure = one.exposure(strategy, 1)
        now = market_now(exposure.instrument, market, now_ns)
        assert taken is None or taken[1].money == worst_money(ticket, exposure, now)
        assert found == (before if clears else None)
        verdict = ask(one, ticket, market=market, at_ns=now_ns)
        if found is None:
            assert ask(other, ticket, market=market, at_ns=now_ns) == verdict
        else:
            assert verdict == "ok"
        assert list(one.references) == list(other.references)
        for gate in (one, other):
            gate.account.settle()  # what a room has taken is in no sum until one is read
        sums = [(g.account.spent_in_all, g.tally.open, g.tally.sent_ns) for g in (one, other)]
        assert sums[0] == sums[1]


@pytest.mark.parametrize("limit", sorted(EARLY - {"messages_per_day_max", "orders_per_day_max"}))
def test_what_can_not_be_told_once_it_counts_is_not_taken(limit: str) -> None:
    gate = make(session(), equity=10_000.0, sectors={"AAA": "tech"}, **QUIET | {limit: EVERYTHING[limit]})
    explain(gate, new(1), Market(), T0)
    assert gate.clears(new(1), Market(), T0)
    assert take(gate, Place((new(1),)), Market(), T0) is None
    assert gate.tally.open == 0


def test_the_first_order_and_the_first_under_other_limits_are_explained_at_length() -> None:
    gate = make(**QUIET)
    assert take(gate, Place((new(1),)), Market(), T0) is None
    explain(gate, new(1), Market(), T0)
    assert take(gate, Place((new(1),)), Market(), T0) is not None
    gate.reload(RiskSettings(account=Limits(**{**WIDE, **QUIET, "order_quantity_max": D(30)})))
    assert take(gate, Place((new(1),)), Market(), T0) is None


def test_limits_that_are_reloaded_are_told_at_once() -> None:
    gate = make(duplicate_window_s=D(2))
    assert told(explain(gate, new(1), Market(), T0))["duplicate"][0] == "2 s"
    gate.reload(RiskSettings(account=Limits(**{**WIDE, "duplicate_window_s": D(3), "order_types": ("MKT",)})))
    found = told(explain(gate, new(1), Market(), T0))
    assert found["duplicate"][0] == "3 s"
    assert found["terms_allowed"] == ("MKT; none", "MKT; DAY")


def test_an_option_shows_its_figures_too() -> None:
    calls = {11: Contract(right="C", expires_ns=LATE, underlying=1, delta=D("0.5"), vega=D(2))}
    limits = {**QUIET, "naked_short": False, "option_delta_max": D(100), "option_vega_max": D(900)}
    gate = make(session(contracts=calls), expiry_days_min=2, **limits)
    hold(gate, 200)
    found = told(explain(gate, new(1, conid=11), Market(), T0))
    assert found["naked_short"] == ("covered", "0 short")
    assert found["option_risk"] == ("delta 100; vega 900", "50.0; 200")
    assert found["expiry"] == ("2 d", "40.00 d")
    assert told(explain(gate, new(1, conid=11, side=SELL), Market(), T0))["naked_short"] == ("covered", "1 short")


def test_a_modification_is_explained_as_the_ticket_it_becomes() -> None:
    gate = make(order_quantity_max=D(30), duplicate_window_s=D(2))
    findings = explain(gate, new(20, limit_price=D(100)), Market(), T0, changes=True)
    assert told(findings)["order_quantity"] == ("30", "20")
    assert "duplicate" not in told(findings)


@pytest.mark.parametrize(("code", "row"), [("TRADING", "R19"), ("HEALTH", "R41"), ("INSTRUMENT", "R40")])
def test_what_stands_before_all_checks_is_shown_as_its_row(code: str, row: str) -> None:
    found = barred(Refusal(code, "on", "halted", "a person has halted"))
    assert (found.code, found.allows, found.limit, found.value) == (row, False, "on", "halted")


def test_a_latch_is_told_first_and_a_check_that_refuses_with_its_own_figures() -> None:
    gate = make(order_quantity_max=D(5), orders_per_hour_max=9)
    gate.latch("b", Held(Level.HALTED, "LOSS", "too much is lost", T0))
    first, *others = explain(gate, new(10), Market(), T0)
    assert first == Finding("R19", "latched", True, "none", "none", "allows")
    refused = [one for one in others if not one.allows]
    assert [(one.code, one.check, one.limit, one.value) for one in refused] == [("R1", "order_quantity", "5", "10")]
    assert refused[0].sentence.startswith("QUANTITY: ")
    gate.latch("a", Held(Level.HALTED, "STREAK", "three losses in a row", T0))
    held = explain(gate, new(1), Market(), T0)[0]
    assert (held.code, held.check, held.allows, held.limit, held.value) == (
        "R19",
        "latched",
        False,
        "halted",
        "latched",
    )
    assert held.sentence == "STREAK: three losses in a row; nothing may be sent"


def odd(ticket: Any, exposure: Any, market: Any, bounds: Any) -> Refusal | None:
    """Odd quantities are unlucky."""
    return Refusal("ODD", "even", str(ticket.quantity), "the quantity is odd") if ticket.quantity % 2 else None


def test_a_plugin_s_check_is_told_under_its_own_code_with_no_figures_where_it_allows() -> None:
    gate = make(plugins=(as_row("ODD", odd, source="mine:odd"),), duplicate_window_s=D(2))
    allowed = Finding("ODD", "odd", True, "", "", "allows")
    assert explain(gate, new(2, limit_price=D(100)), Market(), T0)[-1] == allowed
    assert explain(gate, new(2, limit_price=D(100)), Market(), T0, changes=True)[-1] == allowed
    said = explain(gate, new(3), Market(), T0)[-1]
    assert said == Finding("ODD", "odd", False, "even", "3", "ODD: the quantity is odd")


def test_what_stands_before_all_checks_has_its_code_as_its_name() -> None:
    found = barred(Refusal("HEALTH", "on", "reducing", "the clock is off"))
    assert (found.check, found.sentence) == ("health", "HEALTH: the clock is off")
