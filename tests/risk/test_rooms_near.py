"""Near one limit a room asks that one alone: up to the last unit, never beyond, and it counts what the table counts."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import Any

import pytest

from engine.domain.facts import Modified
from engine.domain.messages import Modify
from engine.domain.order import Order, State
from engine.domain.ticket import Side, amend
from engine.risk.lines import Lines
from tests.risk.made import D
from tests.risk.test_rooms import CALL, EURO, STOCK, Live, Rooms, summary
from tests.risk.test_rooms_end import begun, told

BUY, SELL = Side.BUY, Side.SELL
Case = tuple[dict[str, Any], int, Side]
YES, NEAR, NO = (True, False), (True, True), (False, False)  # approved; and by a room, as one that is near a limit

# Each lets 100 units pass at the market's price.
UNITS: list[Case] = [({"position_max": D(100)}, STOCK, BUY), ({"position_max": D(100)}, EURO, SELL)]
OF_A_SESSION: list[Case] = [
    ({"naked_short": False, "expiry_days_min": 1, "range_factor": D(10**6)}, CALL, SELL),  # 100 are held
    ({"short_availability": True, "range_factor": D(10**6)}, STOCK, SELL),  # 100 are lent
]
MONEY: list[Case] = [
    ({"gross_max": D(10_000)}, STOCK, BUY),
    ({"gross_max": D(10_000)}, STOCK, SELL),
    ({"net_max": D(10_000)}, STOCK, BUY),
    ({"net_max": D(10_000)}, STOCK, SELL),
    ({"sector_max": D(10_000)}, EURO, BUY),  # 80 at 1.25 each
    ({"currency_max": D(10_000)}, EURO, BUY),
    ({"leverage_max": D("0.1")}, STOCK, BUY),  # of 100,000
]


def ask(made: Rooms, quantity: int, conid: int = STOCK, side: Side = BUY, ticks: int = 0) -> tuple[bool, bool]:
    """Whether an order is approved, and whether by a room that is near a limit; both gates say and count the same."""
    approved, nearly = made.approved, made.near
    made.terms = "a", conid, side, quantity, ticks
    made.again(1, same=True)
    made.compare()
    return made.approved > approved, made.near > nearly


def over(made: Rooms) -> None:
    for live in list(made.open):
        made.over(live)


def used_up(limits: dict[str, Any], conid: int, side: Side, *, strategy: bool = False) -> Rooms:
    """A room is measured with nothing open, and then read as if 90 units were."""
    session = (limits, conid, side) in OF_A_SESSION
    made = begun(limits, strategy=strategy, session=session)
    if session:
        told(summary=summary(excess_liquidity=D(10**9), buying_power=D(10**9)))(made)
        if conid == CALL:
            made.a_position_is_another(strategy="a", conid=CALL, quantity=100)
        else:
            made.the_venue_lends(conid=STOCK, shares=100, fee=D(1))
    for quantity in (1, 90):
        assert ask(made, quantity, conid, side)[0]
        over(made)
    return made


@pytest.mark.parametrize("strategy", [False, True])
@pytest.mark.parametrize(("limits", "conid", "side"), UNITS + OF_A_SESSION)
def test_units_are_taken_up_to_the_last(limits: dict[str, Any], conid: int, side: Side, strategy: bool) -> None:
    for quantity, said in ((99, NEAR), (100, NEAR), (101, NO)):
        made = used_up(limits, conid, side, strategy=strategy)
        assert ask(made, quantity, conid, side) == said
    made = used_up(limits, conid, side, strategy=strategy)
    assert [ask(made, quantity, conid, side) for quantity in (60, 39, 1, 1)] == [NEAR, NEAR, NEAR, NO]


@pytest.mark.parametrize("strategy", [False, True])
@pytest.mark.parametrize(("limits", "conid", "side"), MONEY)
def test_money_is_taken_up_to_what_floats_can_tell(
    limits: dict[str, Any], conid: int, side: Side, strategy: bool
) -> None:
    """What comes to the limit itself is for the exact check."""
    for quantity, said in ((99, NEAR), (100, YES), (101, NO)):
        made = used_up(limits, conid, side, strategy=strategy)
        assert ask(made, quantity, conid, side) == said
    made = used_up(limits, conid, side, strategy=strategy)
    assert [ask(made, quantity, conid, side) for quantity in (60, 39, 1, 1)] == [NEAR, NEAR, YES, NO]


@pytest.mark.parametrize(("limits", "conid", "side"), UNITS + MONEY)
def test_a_room_is_measured_where_nothing_is_left(limits: dict[str, Any], conid: int, side: Side) -> None:
    made = begun(limits, session=False)
    assert ask(made, 99, conid, side) == YES
    over(made)
    assert ask(made, 99, conid, side) == NEAR
    assert ask(made, 2, conid, side) == NO


def test_where_both_are_near_both_are_asked() -> None:
    for limits in ({"position_max": D(95), "gross_max": D(10_000)}, {"position_max": D(100), "gross_max": D(9_550)}):
        made = used_up(limits, STOCK, BUY)
        assert [ask(made, 95), ask(made, 1)] == [NEAR, NO]


def test_any_other_limit_leaves_it_to_the_longer_look() -> None:
    made = begun({"position_max": D(10**6), "notional_per_day_max": D(10_000)}, session=False)
    assert [ask(made, quantity) for quantity in (1, 90, 9, 1)] == [YES, YES, YES, NO]


def test_the_days_money_is_not_passed_at_the_dearest_price_of_a_span() -> None:
    """A hundred at 106.25 are 10,625: five more than are left, which is a part in two thousand."""
    for left, said in ((10_620, NO), (10_625, YES), (10_640, YES)):
        made = begun({"notional_per_day_max": D(100 + left), "price_collar_pct": D(50)}, session=False)
        assert ask(made, 1) == YES
        assert ask(made, 100, ticks=625) == said


def test_what_the_account_holds_of_an_option_may_be_sold_not_what_one_strategy_holds() -> None:
    """One strategy holds 100, another is 40 short."""
    for quantity, said in ((60, NEAR), (61, NO)):
        made = used_up({"naked_short": False, "expiry_days_min": 1, "range_factor": D(10**6)}, CALL, SELL)
        made.a_position_is_another(strategy="b", conid=CALL, quantity=-40)
        for before in (1, 50):
            assert ask(made, before, CALL, SELL)[0]
            over(made)
        assert ask(made, quantity, CALL, SELL) == said


def test_an_order_near_a_limit_on_units_alone_is_known_to_the_sums_of_money() -> None:
    """With 5 open and the sums read, 90 more are 9,000: of 30,000 are 20,500 left, for 205 of the other instrument."""
    for quantity, said in ((204, True), (206, False)):
        made = used_up({"position_max": D(300), "gross_max": D(30_000)}, STOCK, BUY)
        assert ask(made, 5)[0]
        account, plan = made.gates[0].account, made.gates[0].exposure("a", STOCK).plan
        lines = account.lines[None]
        assert lines.leaves(made.market, EURO, 80.0, 80.0, 1.0, True)
        assert lines.hot == EURO
        assert plan is not None
        room = plan.buys
        assert room is not None
        room.reached = room.money = -inf  # as if that one were near
        room.staked = account.meter.money + 90 * room.ceiling  # and the other just not
        made.terms = "a", STOCK, BUY, 90, 0
        nearly = made.near
        made.again(1, same=True)
        assert made.near == nearly + 1
        account.settle()
        assert lines.leaves(made.market, EURO, 80.0, 80.0, float(quantity), True) is said


def test_what_is_bought_of_others_counts_near_a_limit() -> None:
    """50 of another instrument, by another strategy, were not there when the room was measured."""
    made = used_up({"gross_max": D(10_000)}, STOCK, BUY)
    made.terms = "b", EURO, BUY, 50, 0
    made.again(1, same=True)
    assert ask(made, 1) == YES  # prices are spanned anew
    assert [ask(made, 48), ask(made, 2)] == [NEAR, NO]
    made.market.prices[EURO] = 80.4  # 50 of them are 25 more
    assert ask(made, 1) == NO
    made.market.prices[EURO] = 80.0
    assert ask(made, 1) == YES


def test_after_a_row_of_orders_near_a_limit_a_room_is_measured_anew() -> None:
    """31, and twice as many and one where that was of no use; what was used up is then there again."""
    made = used_up({"position_max": D(100)}, STOCK, BUY)
    plan, meter = made.gates[0].exposure("a", STOCK).plan, made.gates[0].account.meter
    assert plan is not None
    measured = meter.measured

    def nearly(times: int) -> list[tuple[bool, bool]]:
        said = []
        for _ in range(times):
            said.append(ask(made, 100))
            over(made)
        return said

    plan.taken = 0  # so that it had been of no use before
    assert nearly(32 + 64) == [NEAR] * 31 + [YES] + [NEAR] * 63 + [YES]
    assert meter.measured == measured + 2
    assert ask(made, 100) == NEAR
    over(made)
    plan.near = plan.row
    assert [ask(made, 10), ask(made, 10)] == [YES, YES]  # the first has it measured, the second is far
    assert (plan.taken, plan.near) == (1, 0)
    over(made)
    assert nearly(1) == [NEAR]


def modified(made: Rooms, live: Live, **changes: Any) -> tuple[bool, bool]:
    """Likewise of a modification, which the venue agrees to."""
    ticket = live.ticket
    nearly = made.held_by_rooms("a", ticket.conid)[1]
    said = made.judge(Modify(ticket.coid, "a", changes))
    made.compare()
    if said:
        live.ticket = amend(ticket, changes)
        order = Order(ticket=live.ticket, state=State.WORKING)
        made.say(order, Modified(coid=ticket.coid, ts_ns=made.now_ns))
    return said, made.held_by_rooms("a", ticket.conid)[1] > nearly


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("limit", "last"), [({"position_max": D(100)}, 100), ({"gross_max": D(10_000)}, 99)])
def test_a_modification_near_a_limit_counts_what_it_adds(limit: dict[str, Any], last: int, side: Side) -> None:
    for quantity, said in ((last - 1, NEAR), (last, NEAR), (101, NO)):
        made = used_up(limit, STOCK, side)
        assert ask(made, 60, STOCK, side) == NEAR
        assert modified(made, made.open[-1], quantity=D(quantity)) == said
    made = used_up(limit, STOCK, side)
    assert ask(made, last, STOCK, side) == NEAR
    for price in ("99.5", "99.8", "100"):
        assert modified(made, made.open[-1], limit_price=D(price)) == NEAR
    assert modified(made, made.open[-1], quantity=D(last + 2)) == NO


def test_a_modification_counts_at_the_dearer_of_both_prices() -> None:
    """97 at 102 are 9,894 and 99 would be 10,098, whatever they are wanted at now; 98 are 9,996."""
    prices: tuple[tuple[int, str, tuple[bool, bool]], ...] = ((98, "99", NEAR), (99, "99", NO), (97, "103", NEAR))
    for quantity, price, said in prices:
        made = used_up({"gross_max": D(10_000)}, STOCK, BUY)
        assert ask(made, 97, ticks=200) == NEAR
        changes: dict[str, Decimal] = {"quantity": D(quantity), "limit_price": D(price)}
        assert modified(made, made.open[-1], **changes) == said
    made = used_up({"gross_max": D(10_000)}, STOCK, BUY)
    assert ask(made, 97, ticks=200) == NEAR
    assert modified(made, made.open[-1], limit_price=D("103.1")) == NO  # 10,000.70


def test_what_could_not_be_told_around_now_is_asked_as_it_is_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    made = used_up({"gross_max": D(10_000)}, STOCK, BUY)
    asked = []
    surely = Lines.surely

    def look(self: Lines, *given: Any) -> bool:
        asked.append(surely(self, *given))
        return asked[-1]

    made.terms = "b", EURO, BUY, 50, 0  # 50 units may get 1.6 % dearer: 80 more
    made.again(1, same=True)
    assert ask(made, 1) == YES
    monkeypatch.setattr(Lines, "surely", look)
    lines = made.gates[0].account.lines[None]
    for times in (16, 16, 1):
        asked.clear()
        assert all(lines.leaves(made.market, STOCK, 100.0, 100.0, 48.5, True) for _ in range(times))
        assert asked == [False]
