"""Modifications at the edges: what the short way takes of them, what it leaves to the table, what it counts."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.facts import Filled
from engine.domain.messages import Modify
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk import changing
from engine.risk.exposure import Exposure
from engine.settings import Limits, RiskSettings
from tests.risk.made import D
from tests.risk.test_changing import BUY, FEW, SELL, WITH_STOPS, Pair, bracket, pair
from tests.risk.test_rooms import CALL, EURO, PRICES, STOCK, settings_of


def desk_of(*, measured: bool = True, **limits: Any) -> Pair:
    """Under all limits, none of them near but those named; `measured`: orders of strategy a may stay in rooms."""
    desk = pair(settings_of([{**WITH_STOPS, **limits}, {}, {}]))
    if not measured:
        for conid in PRICES:
            plan = desk.gates[0].exposure("a", conid).plan
            assert plan is not None
            plan.buys = plan.sells = None
    return desk


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of which orders a modification was left to the table by the first gate."""
    asked: list[str] = []
    look = changing.changes

    def changes(intent: Modify, *rest: Any) -> bool:
        taken = look(intent, *rest)
        if not taken and rest[0].exposure.plain:
            asked.append(intent.coid)
        return taken

    monkeypatch.setattr("engine.risk.gate.changes", changes)
    return asked


# Limits, what is to become of an order for 2 at the market's 100 (or 10, counted ten times), and how it is taken.
EDGES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"notional_per_day_max": D("300.01")}, {"quantity": D(3)}, True),  # only what it adds is sent
    ({"notional_per_day_max": D("299.99")}, {"quantity": D(3)}, False),
    ({"notional_per_day_max": D("200.01")}, {"quantity": D(1)}, True),  # and less adds nothing
    ({"notional_per_day_max": D("202.01")}, {"limit_price": 1.01}, True),
    ({"notional_per_day_max": D("201.99")}, {"limit_price": 1.01}, False),
    ({"gross_max": D("300.01")}, {"quantity": D(3)}, True),
    ({"gross_max": D("299.99")}, {"quantity": D(3)}, False),
    ({"gross_max": D("202.01")}, {"limit_price": 1.01}, True),
    ({"gross_max": D("201.99")}, {"limit_price": 1.01}, False),
    ({"gross_max": D("200.01")}, {"limit_price": 0.99}, True),
    ({"position_max": D(3)}, {"quantity": D(3)}, True),
    ({"position_max": D(2)}, {"quantity": D(3)}, False),
    ({"position_max": D(2)}, {"quantity": D(1)}, True),
    ({"messages_per_day_max": 2}, {"quantity": D(1)}, True),
    ({"messages_per_day_max": 1}, {"quantity": D(1)}, False),
]


@pytest.mark.parametrize("conid", [STOCK, CALL])
@pytest.mark.parametrize(("limits", "asked", "found"), EDGES)
def test_a_modification_is_taken_up_to_each_limit(
    table: list[str], conid: int, limits: dict[str, Any], asked: dict[str, Any], found: bool
) -> None:
    desk = desk_of(measured=False, **limits)
    order = desk.ticket(conid=conid)
    assert desk.place(order)
    changes = dict(asked)
    if "limit_price" in asked:
        changes["limit_price"] = D(str(round(PRICES[conid] * asked["limit_price"], 2)))
    assert desk.modify(order.coid, **changes) is found
    desk.same()
    assert (order.coid not in table) is found


@pytest.mark.parametrize("session", [True, False])
def test_where_nothing_is_summed_a_modification_is_taken_too(table: list[str], session: bool) -> None:
    """A position of 12 is allowed; 8 and one more unit are 9, whatever is counted already."""
    desk = pair(FEW, session=session)
    order = desk.ticket(quantity=8)
    assert desk.place(order)
    for quantity, found in ((9, True), (9, True), (12, True), (13, False)):
        table.clear()
        assert desk.modify(order.coid, quantity=D(quantity)) is found
        assert (not table) is found
        desk.same()


def test_no_modification_is_taken_from_the_first_moment_of_a_blackout_on(table: list[str]) -> None:
    """From 00:17:10 to 00:17:40; the gate's time begins at 00:16:40."""
    for measured in (True, False):
        desk = desk_of(measured=measured, blackouts=("1970-01-01T00:17:10/1970-01-01T00:17:40",))
        order = desk.ticket()
        assert desk.place(order)
        for number, (second, found) in enumerate(((1029, True), (1030, False), (1039, False), (1060, True))):
            table.clear()
            desk.now_ns = second * 10**9 - 10**7  # the desk goes on by 10 ms
            assert desk.modify(order.coid, quantity=D(3 + number)) is found
            assert (not table) is found
            desk.same()


@pytest.mark.parametrize("side", [BUY, SELL])
def test_in_a_room_a_modification_is_looked_at_no_longer(
    table: list[str], monkeypatch: pytest.MonkeyPatch, side: Side
) -> None:
    """Nor where it makes the order like another that is open: that is for new ones."""
    desk = desk_of(displayed_size_pct=D(1))
    desk.market.bid_size = desk.market.ask_size = 1e6
    setattr(desk.market, "ask_size" if side is BUY else "bid_size", 1e6)
    desk.hold(STOCK, 50)
    for at in range(3):
        assert desk.place(desk.ticket((-5 - at) * side.sign, side=side))
    setattr(desk.market, "bid_size" if side is BUY else "ask_size", 0.0)  # the other side shows nothing
    first, second, _ = desk.open

    def clear(_: OrderTicket, exposure: Exposure, *__: Any) -> float:
        assert not exposure.plain, "it was looked at for longer"
        return 0.0

    monkeypatch.setattr(changing, "clear", clear)
    assert desk.modify(first, quantity=D(3))
    assert desk.modify(first, quantity=D(2), limit_price=desk.open[second].ticket.limit_price)
    assert not table


@pytest.mark.parametrize("conid", [STOCK, CALL])
def test_a_modification_is_read_by_the_meter_as_a_message_and_what_it_adds(conid: int) -> None:
    """Units that it adds at the top of the span; at least the money that it adds to what was sent."""
    desk = desk_of()
    orders = [desk.ticket(-at, conid=conid) for at in range(3)]
    for order in orders:
        assert desk.place(order)
    exposure = desk.gates[0].exposure("a", conid)
    meter, plan = desk.gates[0].account.meter, exposure.plan
    assert plan is not None
    assert plan.buys is not None
    coid, value, price = orders[0].coid, {STOCK: 1, CALL: 10}[conid], D(str(PRICES[conid]))
    steps: list[tuple[dict[str, Any], float]] = [
        ({"quantity": D(5)}, 3 * plan.buys.ceiling),
        ({"limit_price": price + D("0.1")}, 5 * 0.1 * value),
        ({"limit_price": price - D("0.1")}, 0.0),
    ]
    for changes, adds in steps:
        messages, money, epoch = meter.messages, meter.money, meter.epoch
        assert desk.modify(coid, **changes)
        assert (meter.epoch, meter.messages) == (epoch, messages + 1)
        assert meter.money == pytest.approx(money + adds)


def test_what_has_traded_adds_nothing_again(table: list[str]) -> None:
    """Of 6 two have traded; 7 are one more, and a position of 7 is allowed."""
    desk = desk_of(position_max=D(7))
    order = desk.ticket(quantity=6)
    assert desk.place(order)
    desk.fill(order.coid)
    desk.fill(order.coid)
    desk.hold(STOCK, 2)
    assert desk.modify(order.coid, quantity=D(7))
    assert not table
    assert desk.gates[0].exposure("a", STOCK).units[0].buys == 5
    desk.same()
    assert not desk.modify(order.coid, quantity=D(8))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_nothing_meets_what_a_modification_may_make_of_an_order(side: Side) -> None:
    desk = desk_of()
    desk.hold(STOCK, 50)
    first = desk.ticket(-20 * side.sign, side=side)
    assert desk.place(first)
    assert desk.place(desk.ticket(20 * side.sign, side=side.opposite))
    assert desk.modify(first.coid, answered=None, limit_price=D(100) + D("0.1") * side.sign)
    assert desk.place(desk.ticket(11 * side.sign, side=side.opposite))
    assert not desk.place(desk.ticket(10 * side.sign, side=side.opposite))
    assert not desk.place(desk.ticket(9 * side.sign, side=side.opposite))


def test_units_of_a_modification_count_where_another_instrument_was_asked_about_since(table: list[str]) -> None:
    """Three of 2 at 100, one of 2 at 80 and one of 7; then one grows by 4: of 2,400 there is room for 8 more at 80."""
    for quantity, found in ((9, False), (8, True)):
        desk = desk_of(gross_max=D(2_400))
        first = desk.ticket()
        for order in (first, desk.ticket(-1, conid=EURO), desk.ticket(-1), desk.ticket(-2)):
            assert desk.place(order)
        assert desk.place(desk.ticket(-2, 7, conid=EURO))  # larger than any that a room holds: the sums are looked at
        assert desk.modify(first.coid, answered=None, quantity=D(6))  # not so here
        assert not table
        assert desk.place(desk.ticket(-3, quantity, conid=EURO)) is found
        desk.same()


def test_a_modification_counts_at_the_dearer_of_both_prices(table: list[str]) -> None:
    """Where the market has fallen since: 2 at 100 become 4 at 80, which may be 4 at 100 until it is confirmed."""
    for most, found in ((D("399.99"), False), (D("400.01"), True)):
        desk = desk_of(measured=False, gross_max=most)
        order = desk.ticket()
        assert desk.place(order)
        desk.market.prices = {**PRICES, STOCK: 80.0}
        assert desk.modify(order.coid, answered=None, quantity=D(4), limit_price=D(80)) is found
        desk.same()


def test_an_order_that_has_filled_and_is_not_said_to_be_over_may_grow_at_the_dearer_of_both_prices() -> None:
    """Nothing is open then but what it may get: 2 are held, 2 more are to come, and all count at 100, not at 80."""
    for most, found in ((D("399.99"), False), (D("400.01"), True)):
        desk = desk_of(measured=False, gross_max=most)
        order = desk.ticket()
        assert desk.place(order)
        desk.fill(order.coid)
        for gate in desk.gates:
            assert gate.exposure("a", STOCK).units[0].buys == 1
        full = Filled(
            coid=order.coid, ts_ns=desk.now_ns, exec_id="2", conid=STOCK, side=BUY, quantity=D(1), price=D(100)
        )
        desk.open[order.coid] = Order(ticket=order, state=State.WORKING, filled=D(2))
        desk.say(desk.open[order.coid], full)
        desk.hold(STOCK, 2)
        desk.market.prices = {**PRICES, STOCK: 80.0}
        assert desk.modify(order.coid, answered=None, quantity=D(4), limit_price=D(80)) is found
        desk.same()


def test_a_market_order_may_be_modified(table: list[str]) -> None:
    desk = desk_of()
    order = replace(desk.ticket(), order_type=OrderType.MARKET, limit_price=None)
    assert desk.place(order)
    assert desk.modify(order.coid, quantity=D(3))
    desk.same()
    assert not table
    desk.hold(STOCK, 50)
    assert not desk.place(desk.ticket(100, side=SELL))  # it would meet it
    desk.end(order.coid)
    assert desk.place(desk.ticket(100, side=SELL))


def test_an_order_that_shares_or_waits_or_is_to_be_cancelled_is_for_the_table(table: list[str]) -> None:
    desk = desk_of()
    desk.hold(STOCK, 50)
    group = bracket(desk, 0, 4)
    assert desk.place(*group)
    desk.fill(group[0].coid)
    for ticket in group:
        desk.modify(ticket.coid, quantity=D(3))
        assert table.pop() == ticket.coid
        desk.same()
    order = desk.ticket(-50)
    assert desk.place(order)
    assert desk.modify(order.coid, answered=None, quantity=D(3))
    assert not table
    desk.modify(order.coid, answered=None, quantity=D(4))
    assert table == [order.coid]


@pytest.mark.parametrize("measured", [True, False])
def test_where_only_another_strategy_has_a_sum_a_modification_is_taken_too(table: list[str], measured: bool) -> None:
    few = RiskSettings(account=FEW.account, strategy={"b": Limits(gross_max=D(10**6))})
    desk = pair(few, session=False)
    plan = desk.gates[0].exposure("a", STOCK).plan
    assert plan is not None
    assert not plan.asks
    if not measured:
        plan.buys = plan.sells = None
    order = desk.ticket()
    assert desk.place(order)
    assert desk.modify(order.coid, quantity=D(3))
    assert not table
    desk.same()
