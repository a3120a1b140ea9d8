"""Cases that faults put in by hand had shown nobody to look at: each expected figure is worked out beside it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.facts import Accepted, AnswerMissing, Cancelled, Filled, ModifyAsked
from engine.domain.messages import Update
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, Side
from engine.risk.gate import Gate
from engine.risk.outside import Summary
from engine.risk.resting import Resting
from engine.settings import Limits, RiskSettings
from tests.risk.made import RATES, SESSIONS, T0, WIDE, D, new
from tests.risk.test_account import entry
from tests.risk.test_catalogue import KNOWN, QUIET, Market, ask, change, hold, make, venue

BUY, SELL = Side.BUY, Side.SELL
A, OTHER, EURO = 1, 14, 2  # at 100; the last in euros at 1.25


def told(ticket: OrderTicket, state: State, event: Any = None, **more: Any) -> Update:
    return Update(Order(ticket=ticket, state=state, **more), event or Accepted(coid=ticket.coid, ts_ns=T0))


def pair(quantity: int, side: Side) -> list[OrderTicket]:
    return [new(quantity, conid=conid, side=side, oca_group="g") for conid in (A, OTHER)]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("most", "code"), [("2000", "ok"), ("1999.5", "NET")])
def test_one_of_a_group_over_two_instruments_counts_on_top_of_what_is_held(side: Side, most: str, code: str) -> None:
    """5 of each are held, and 10 more wanted of either: 1,500 of one and 500 of the other."""
    gate = make(net_max=D(most))
    for conid in (A, OTHER):
        hold(gate, 5 * side.sign, conid)
    assert ask(gate, *pair(10, side)) == code


@pytest.mark.parametrize(("most", "code"), [("2125", "ok"), ("2124.5", "NET")])
def test_an_instrument_beside_a_group_counts_in_full(most: str, code: str) -> None:
    """2,000 as above, and 125: one in euros is held as well."""
    gate = make(net_max=D(most))
    for conid, quantity in ((A, 5), (OTHER, 5), (EURO, 1)):
        hold(gate, quantity, conid)
    assert ask(gate, *pair(10, BUY)) == code


@pytest.mark.parametrize(("most", "code"), [(1500, "ok"), (1499, "GROSS")])
def test_a_group_that_turns_one_of_two_positions_counts_with_the_other(most: int, code: str) -> None:
    """5 of each are held: 15 sold of the one leave 10 short there and 5 long in the other, 12 of the other 7 and 5."""
    gate = make(gross_max=D(most))
    for conid in (A, OTHER):
        hold(gate, 5, conid)
    group = [new(quantity, conid=conid, side=SELL, oca_group="g") for conid, quantity in ((A, 12), (OTHER, 15))]
    assert ask(gate, *group) == code


def test_a_group_of_sales_takes_nothing_off_the_long_side() -> None:
    gate = make(net_max=D(1000))
    for conid in (A, OTHER):
        hold(gate, 5, conid)
    assert ask(gate, *pair(15, SELL)) == "ok"
    assert ask(gate, new(1)) == "NET"  # 600 and 500 long while none of the group fills


@pytest.mark.parametrize(("quantity", "code"), [(20, "ok"), (21, "VOLUME")])
def test_half_a_percent_of_a_days_volume(quantity: int, code: str) -> None:
    gate = make(average_volume=D(4000), average_volume_pct=D("0.5"))
    assert ask(gate, new(1)) == "ok"
    assert ask(gate, new(quantity)) == code


@pytest.mark.parametrize(("price", "code"), [("0.01", "ok"), ("0", "TICK")])
def test_a_stock_has_no_price_of_nothing(price: str, code: str) -> None:
    gate = make(tick_and_lot=True)
    assert ask(gate, new(1)) == "ok"
    assert ask(gate, new(1, limit_price=D(price))) == code


@pytest.mark.parametrize("price", [float("nan"), float("inf")])
def test_nothing_passes_while_what_is_held_has_no_price(price: float) -> None:
    gate, market = make(gross_max=D(10**6)), Market()
    hold(gate, 5, OTHER)
    assert ask(gate, new(1), market=market) == "ok"
    market.prices[OTHER] = price
    assert ask(gate, new(1), market=market) == "NO_PRICE"


def filled(gate: Gate, ticket: OrderTicket, quantity: int) -> None:
    fill = Filled(
        coid=ticket.coid, ts_ns=T0, exec_id=f"{ticket.coid}-{quantity}", conid=ticket.conid, side=ticket.side.value,
        quantity=D(quantity), price=D(100),
    )  # fmt: skip
    gate.hear([told(ticket, State.FILLED, fill, filled=D(quantity))], [])
    hold(gate, quantity, ticket.conid)


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize(("most", "code"), [(1650, "ok"), (1649, "GROSS")])
def test_a_childs_price_counts_once_its_entry_has_filled(changed: bool, most: int, code: str) -> None:
    """10 are held and to be sold at 150: with one more on the way all 11 count at that."""
    gate, first = make(gross_max=D(most)), new(10)
    exit_ = new(10, side=SELL, parent=first.coid, limit_price=D(120 if changed else 150))
    assert ask(gate, first, exit_) == "ok"
    if changed:
        assert change(gate, exit_.coid, limit_price=D(150)) == "ok"
    filled(gate, first, 10)
    assert ask(gate, new(1)) == code


@pytest.mark.parametrize(("most", "code"), [(1650, "ok"), (1649, "GROSS")])
def test_an_order_found_alive_counts_at_the_price_it_is_changed_to(most: int, code: str) -> None:
    gate, found = make(gross_max=D(most)), new(10, limit_price=D(100))
    wanted = new(10, coid=found.coid, tag=found.tag, limit_price=D(150))
    asked = ModifyAsked(coid=found.coid, ts_ns=T0)
    gate.hear([told(found, State.WORKING, asked, wanted=wanted)], [])
    assert ask(gate, new(1)) == code


def test_a_child_that_is_found_alive_shares_with_the_others_again() -> None:
    """10 are held, and two exits of 10 share them: no more than 10 may be short of anything else."""
    gate, first = make(position_max=D(10)), new(10)
    exits = [new(10, side=SELL, parent=first.coid, limit_price=D(price)) for price in (120, 130)]
    assert ask(gate, first, *exits) == "ok"
    filled(gate, first, 10)
    lost = AnswerMissing(coid=exits[0].coid, ts_ns=T0)
    gate.hear([told(exits[0], State.LOST, lost)], [])
    gate.hear([told(exits[0], State.WORKING)], [])
    assert ask(gate, new(11, side=SELL)) == "POSITION"
    assert ask(gate, new(10, side=SELL)) == "ok"


def over(ticket: OrderTicket) -> Update:
    return told(ticket, State.CANCELLED, Cancelled(coid=ticket.coid, ts_ns=T0, reason=""))


@pytest.mark.parametrize("way", ["of another session", "lost"])
def test_orders_of_a_group_that_was_over_are_a_group_again_when_they_are_found_alive(way: str) -> None:
    """All of the first group end; then both of its orders turn up, as do two of another: 1,000 may come of each."""
    gate = make(gross_max=D(2100))
    first, second, third, fourth = *pair(10, BUY), *(new(10, conid=conid, oca_group="h") for conid in (A, OTHER))
    if way == "lost":
        assert ask(gate, first, second) == "ok"
        assert ask(gate, third, fourth) == "ok"
        lost = [told(one, State.LOST, AnswerMissing(coid=one.coid, ts_ns=T0)) for one in (first, third)]
        gate.hear([*lost, over(second)], [])
    else:
        gate.hear([told(one, State.WORKING) for one in (first, third)], [])
        gate.hear([over(first)], [])
    gate.hear([told(one, State.WORKING) for one in (first, second, third, fourth)], [])
    assert [ask(gate, new(2)), ask(gate, new(1))] == ["GROSS", "ok"]
    gate.hear([over(one) for one in (first, second, third, fourth)], [])
    assert [ask(gate, new(21)), ask(gate, new(20))] == ["GROSS", "ok"]


def test_a_price_that_is_wanted_stays_in_the_way_where_many_rest() -> None:
    resting = Resting()
    changing = entry(limit_price=D(1), wanted="11")
    resting.add(changing)
    others = [entry(limit_price=D(2)) for _ in range(400)]
    for one in others:
        resting.add(one)
    assert resting.meets(BUY, 11.0)
    assert resting.meets(BUY, 11.0)
    assert not resting.meets(BUY, 12.0)


@pytest.mark.parametrize(("rate", "code"), [("1.25", "ok"), ("1.26", "NOTIONAL")])
def test_another_rate_counts_for_what_is_in_its_currency(rate: str, code: str) -> None:
    """8 at 100 euros come to 1,000 dollars."""
    rates = dict(RATES)
    settings = RiskSettings(account=Limits(**{**WIDE, "order_notional_max": D(1000)}))
    gate = Gate(settings=settings, instruments=KNOWN, sessions=SESSIONS, rates=rates)
    assert ask(gate, new(1, conid=EURO)) == "ok"
    rates["EUR"] = D(rate)
    gate.rate_now("EUR")
    assert ask(gate, new(8, conid=EURO)) == code


@pytest.mark.parametrize(("rate", "code"), [("1.25", "ok"), ("1.26", "GROSS")])
def test_another_rate_counts_for_what_is_held_in_its_currency(rate: str, code: str) -> None:
    """8 held at 100 euros come to 1,000 dollars, and one more at 100 dollars is wanted."""
    rates = dict(RATES)
    settings = RiskSettings(account=Limits(**{**WIDE, "gross_max": D(1100)}))
    gate = Gate(settings=settings, instruments=KNOWN, sessions=SESSIONS, rates=rates)
    hold(gate, 8, EURO)
    rates["EUR"] = D(rate)
    gate.rate_now("EUR")
    assert ask(gate, new(1)) == code


def test_an_order_that_a_change_made_is_not_sent_again_within_the_window() -> None:
    gate, first = make(duplicate_window_s=D(5)), new(1, limit_price=D(100))
    assert ask(gate, first) == "ok"
    assert change(gate, first.coid, limit_price=D(101)) == "ok"
    gate.hear([told(first, State.CANCELLED, Cancelled(coid=first.coid, ts_ns=T0, reason=""))], [])
    assert ask(gate, new(1, limit_price=D(101), tag=first.tag)) == "DUPLICATE"


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ({"settled_cash": True}, "SETTLED"),
        ({"buying_power": True}, "BUYING_POWER"),
        ({"margin_cushion_pct": D(5)}, "MARGIN"),
        ({"day_trades_max": 1}, "DAY_TRADES"),
    ],
)
def test_each_limit_on_what_the_venue_says_of_the_account_is_asked_by_itself(limit: dict[str, Any], code: str) -> None:
    """20 at 100 come to 2,000, and there is 1,000 of everything, and one day trade."""
    poor = Summary(
        ts_ns=T0, net_liquidation=D(1000), excess_liquidity=D(1000), buying_power=D(1000), settled_cash=D(1000),
        day_trades_left=1,
    )  # fmt: skip
    gate = make(venue(summary=poor), **{**QUIET, **limit})
    gate.exposure("a", A)
    assert ask(gate, new(20)) == code


PENNIES = Market(prices=dict.fromkeys(KNOWN, 0.5))


@pytest.mark.parametrize(
    ("limit", "facts", "code"),
    [
        ({"day_trades_max": 1}, {"day_trades_left": 1}, "DAY_TRADES"),
        ({"day_trades_max": 1}, {"day_trades_left": None}, "DAY_TRADES"),
        ({"buying_power": True}, {"buying_power": None}, "BUYING_POWER"),
        ({"buying_power": True}, {"cash_account": True}, "BUYING_POWER"),  # and no word of its cash
        ({"settled_cash": True}, {"settled_cash": None}, "SETTLED"),
        ({"margin_cushion_pct": D(5)}, {"excess_liquidity": None}, "MARGIN"),
        ({"margin_cushion_pct": D(5)}, {"net_liquidation": None}, "MARGIN"),
    ],
)
def test_not_even_half_a_unit_of_money_passes_where_the_venue_leaves_nothing_or_does_not_tell(
    limit: dict[str, Any], facts: dict[str, Any], code: str
) -> None:
    rich: dict[str, Any] = dict.fromkeys(
        ("net_liquidation", "excess_liquidity", "buying_power", "settled_cash"), D(10**6)
    )
    gate = make(venue(summary=Summary(**{"ts_ns": T0, "day_trades_left": 3, **rich, **facts})), **{**QUIET, **limit})
    gate.exposure("a", A)
    assert ask(gate, new(1), market=PENNIES) == code


@pytest.mark.parametrize("equity", [None, 0.0, -5.0])
def test_not_even_half_a_unit_of_money_is_held_on_a_worth_of_nothing(equity: float | None) -> None:
    gate = make(leverage_max=D(1), equity=equity)
    gate.exposure("a", A)
    assert ask(gate, new(1), market=PENNIES) == "LEVERAGE"


def test_a_room_ends_when_a_worth_that_was_small_is_not_known_any_more() -> None:
    gate, market = make(leverage_max=D(100), equity=1.0), Market(prices=dict.fromkeys(KNOWN, 0.25))
    gate.exposure("a", A)
    assert [ask(gate, new(1), market=market) for _ in range(8)] == ["ok"] * 8
    gate.account.equity = None
    assert ask(gate, new(1), market=market) == "LEVERAGE"


def test_a_size_like_one_of_late_is_usual_at_the_market_too() -> None:
    """Three is more than twice the last, and no more than twice the largest."""
    gate = make(range_factor=D(2))
    gate.exposure("a", A)
    assert [ask(gate, new(quantity, limit_price=D(100))) for quantity in (2, 2, 2, 2, 2, 1)] == ["ok"] * 6
    assert [ask(gate, new(quantity)) for quantity in (3, 9)] == ["ok", "RANGE"]
