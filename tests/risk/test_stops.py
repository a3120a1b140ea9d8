"""Stops alone on the short way: taken without the table, counted as it counts them, and rooms stand beside them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.messages import Place
from engine.domain.moments import NS_PER_MINUTE
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk.gate import Gate
from engine.risk.plan import Plan
from engine.risk.twins import Twins
from tests.risk.made import D
from tests.risk.test_changing import BUY, SELL, WITH_STOPS, Pair, pair
from tests.risk.test_rooms import CALL, EURO, PRICES, STOCK, settings_of

VALUE = {STOCK: 1, CALL: 10}


def desk_of(*, levels: list[dict[str, Any]] | None = None, **limits: Any) -> Pair:
    """Under all limits, none of them near but those named."""
    desk = pair(settings_of(levels or [{**WITH_STOPS, **limits}, {}, {}]))
    for conid in (STOCK, CALL):
        desk.hold(conid, 50)
    return desk


def stop(
    desk: Pair, price: float, quantity: int = 2, side: Side = SELL, conid: int = STOCK, **terms: Any
) -> OrderTicket:
    """One alone, nobody's twin; `price` is in 100ths of the market's."""
    at = D(str(round(PRICES[conid] * price / 100, 2)))
    plain = desk.ticket(0, quantity, side, conid)
    return replace(
        plain, **{"order_type": OrderType.STOP, "limit_price": None, "stop_price": at, "tag": plain.coid, **terms}
    )


def at_once(desk: Pair, ticket: OrderTicket) -> bool:
    """Whether the short way would take it."""
    return desk.gates[0].clears(ticket, desk.market, desk.now_ns)


def plan_of(gate: Gate, conid: int = STOCK) -> Plan:
    plan = gate.exposure("a", conid).plan
    assert plan is not None
    return plan


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The first gate may not ask the table."""
    desk = desk_of()

    def asked(*_: Any) -> None:
        raise AssertionError("the table was asked")

    for name in ("modify", "place"):
        monkeypatch.setattr(desk.gates[0]._long_way, name, asked)
    return desk


# --- taken and counted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("conid", [STOCK, CALL])
def test_stops_and_what_becomes_of_them_need_no_table(alone: Pair, conid: int, side: Side) -> None:
    desk, open_ = alone, []
    for turn in range(12):
        desk.now_ns += NS_PER_MINUTE * (turn % 5 == 4)  # past a minute nothing stands in a room any more
        assert desk.place(desk.ticket(-30 - turn, conid=conid))
        ticket = stop(desk, 100 + (1 + turn % 4) * side.sign, 1 + turn % 3, side, conid)
        open_.append(ticket.coid)
        assert desk.place(ticket)
        desk.same()
        for coid in open_[-2:]:
            price = desk.open[coid].ticket.stop_price
            assert price is not None
            assert desk.modify(coid, answered=turn % 4 != 1, stop_price=price + D("0.05"), quantity=D(1 + turn % 4))
            desk.same()
        if turn % 4 == 3:
            desk.end(open_.pop(0))
            desk.fill(open_.pop(0))
            desk.same()


# Limits, a stop for 2 (side, price in 100ths of the market's 100 or, counted ten times, 10), and whether it is taken.
EDGES: list[tuple[dict[str, Any], tuple[Side, float], bool]] = [
    # It counts at the dearer of its price and the market's.
    ({"notional_per_day_max": D("200.01")}, (SELL, 95), True),
    ({"notional_per_day_max": D("199.99")}, (SELL, 95), False),
    ({"notional_per_day_max": D("210.01")}, (BUY, 105), True),
    ({"notional_per_day_max": D("209.99")}, (BUY, 105), False),
    ({"order_notional_max": D("210.5")}, (BUY, 105), True),
    ({"order_notional_max": D("209.5")}, (BUY, 105), False),
    ({"what_if_above": D("210.01")}, (BUY, 105), True),
    ({"what_if_above": D("209.99")}, (BUY, 105), False),
    ({"gross_max": D("50_210.01")}, (SELL, 95), True),
    # Terms, numbers and units.
    ({"order_types": ("LMT", "MKT")}, (SELL, 95), False),
    ({"order_types": ("STP",)}, (SELL, 95), True),
    ({"order_types": ("LMT", "STP")}, (SELL, 95), True),
    ({"order_types": None}, (SELL, 95), True),
    ({"tifs": ("GTC",)}, (SELL, 95), False),
    ({"messages_per_day_max": 1}, (SELL, 95), True),
    ({"messages_per_day_max": 0}, (SELL, 95), False),
    ({"open_orders_max": 1}, (SELL, 95), True),
    ({"open_orders_max": 0}, (SELL, 95), False),
    ({"position_max": D(52)}, (BUY, 105), True),
    ({"position_max": D(51)}, (BUY, 105), False),
    ({"displayed_size_pct": D("0.7")}, (BUY, 105), True),  # 300 are offered
    ({"displayed_size_pct": D("0.6")}, (BUY, 105), False),
    # What only a limit price is held against.
    ({"price_collar_pct": D(1)}, (BUY, 130), True),
    ({"price_collar_pct": D(1)}, (SELL, 70), True),
    ({"price_drift_pct": D("0.001")}, (BUY, 130), True),
    ({"range_factor": D("1.01")}, (SELL, 10), True),
]  # fmt: skip


@pytest.mark.parametrize("conid", [STOCK, CALL])
@pytest.mark.parametrize(("limits", "asked", "found"), EDGES)
def test_a_stop_is_taken_up_to_each_limit(
    conid: int, limits: dict[str, Any], asked: tuple[Side, float], found: bool
) -> None:
    desk = desk_of(**limits)
    side, price = asked
    ticket = stop(desk, price, 2, side, conid)
    assert at_once(desk, ticket) is found
    assert desk.place(ticket) is found
    desk.same()


@pytest.mark.parametrize("conid", [STOCK, CALL])
@pytest.mark.parametrize(("side", "price"), [(SELL, 95), (SELL, 105), (BUY, 95), (BUY, 105)])
def test_what_is_at_stake_counts_at_a_stop_s_price_if_that_is_dearer(conid: int, side: Side, price: int) -> None:
    """50 are held of a stock at 100 and of an option at 10, worth 10 times that, and 2 more are wanted."""
    dear, units = max(price, 100), 50 + 2 * (side is BUY)
    for by, found in ((D("0.1"), True), (D("-0.1"), False)):
        desk = desk_of(gross_max=units * dear + 50 * 100 + by)
        ticket = stop(desk, price, 2, side, conid)
        assert at_once(desk, ticket) is found
        assert desk.place(ticket) is (found or (side, price) == (SELL, 95))  # which raises no sum
        desk.same()


@pytest.mark.parametrize(
    "terms", [{"outside_rth": True}, {"oca_group": "g"}, {"parent": "a-999999"}, {"stop_price": D("95.001")}]
)
def test_a_stop_of_other_terms_is_for_the_table(terms: dict[str, Any]) -> None:
    desk = desk_of()
    assert at_once(desk, stop(desk, 95))
    assert not at_once(desk, replace(stop(desk, 95), **terms))


def test_a_stop_limit_and_a_trailing_stop_are_for_the_table() -> None:
    desk = desk_of(order_types=None)
    assert at_once(desk, stop(desk, 95))
    assert not at_once(desk, replace(stop(desk, 95), order_type=OrderType.STOP_LIMIT, limit_price=D(95)))
    assert not at_once(desk, replace(stop(desk, 95), order_type=OrderType.TRAIL, trail=D(1)))


def test_a_bracket_whose_entry_is_a_stop_is_for_the_table() -> None:
    """Its money is 2 at its stop, 110, beside 2 at 108 and 2 at 100: 636, and 616 if it were the market's."""
    for most, found in ((D(640), True), (D(620), False)):
        desk = desk_of(notional_per_day_max=most, self_trade=True, range_factor=None)
        entry = stop(desk, 110, 2, BUY)
        gain = replace(desk.ticket(800, 2, SELL), parent=entry.coid)
        assert desk.place(entry, gain, replace(stop(desk, 95), parent=entry.coid)) is found
        desk.same()


# --- other orders of ours ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_a_stop_meets_no_order_that_rests_and_none_meets_it(alone: Pair, side: Side) -> None:
    desk, way = alone, side.sign
    assert desk.place(desk.ticket(20 * way, side=side.opposite))
    first = stop(desk, 100 + 3 * way, side=side)
    assert desk.place(first)  # through the one that rests
    assert desk.place(desk.ticket(10 * way, side=side.opposite))
    assert desk.modify(first.coid, stop_price=D(100 + 2 * way))
    assert desk.place(desk.ticket(5 * way, side=side.opposite))
    assert desk.place(desk.ticket(4 * way, side=side))


@pytest.mark.parametrize("others", [0, 3, 20])  # a few are looked through, many are counted
def test_of_two_stops_at_one_price_the_second_is_a_twin(others: int) -> None:
    desk = desk_of(duplicate_window_s=D(2))
    for at in range(others):
        assert desk.place(stop(desk, 80 + at / 10, tag=""))
    for side in Side:
        assert desk.place(stop(desk, 95, side=side, tag=""))
        assert not desk.place(stop(desk, 95, side=side, tag=""))
        assert desk.place(stop(desk, 96, side=side, tag=""))
        assert desk.place(stop(desk, 95, 3, side, tag=""))
    first = stop(desk, 90, tag="")
    assert desk.place(first)
    assert desk.modify(first.coid, answered=None, stop_price=D(91))
    for price in (90, 91):
        assert not desk.place(stop(desk, price, tag=""))
    assert desk.place(replace(stop(desk, 90, tag=""), order_type=OrderType.MARKET, stop_price=None))
    desk.end(first.coid)
    desk.now_ns += 3 * 10**9
    assert desk.place(stop(desk, 91, tag=""))
    desk.same()


def test_stops_at_many_prices_are_not_looked_through(alone: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = alone
    for at in range(20):
        assert desk.place(stop(desk, 80 + at / 10, tag=""))
    gate, ticket = desk.gates[0], stop(desk, 90, tag="")
    monkeypatch.setattr(Twins, "earlier", lambda *_: pytest.fail("all were looked through"))
    gate.judge(Place((ticket,)), lambda: desk.market, desk.now_ns)
    assert ticket.coid in gate.references


# --- rooms -----------------------------------------------------------------------------------------------------------


def rooms_stand(desk: Pair, *conids: int) -> list[int]:
    """How often rooms have been measured once each of these takes one more order."""
    for conid in conids:
        before, ticket = plan_of(desk.gates[0], conid).taken, desk.ticket(-5, conid=conid)
        assert desk.place(replace(ticket, tag=ticket.coid))
        assert plan_of(desk.gates[0], conid).taken == before + 1
    meter = desk.gates[0].account.meter
    return [meter.measured, meter.epoch]


def test_rooms_stand_beside_stops_and_their_modifications(alone: Pair) -> None:
    desk = alone
    for at in range(3):
        for conid in (STOCK, EURO, CALL):
            assert desk.place(desk.ticket(-at, conid=conid))
    before = rooms_stand(desk, STOCK, EURO, CALL)
    for turn in range(8):
        for conid in (STOCK, CALL):
            for side in Side:
                ticket = stop(desk, 100 + (1 + turn % 5) * side.sign, 1 + turn % 3, side, conid)
                assert desk.place(ticket)
                assert ticket.stop_price is not None
                assert desk.modify(ticket.coid, stop_price=ticket.stop_price - D("0.01") * side.sign, quantity=D(3))
        assert rooms_stand(desk, STOCK, EURO, CALL) == before
        desk.same()


def test_a_stop_is_read_by_the_meter_as_a_message_and_its_units_at_the_top_of_the_span(alone: Pair) -> None:
    desk = alone
    for at in range(3):
        assert desk.place(desk.ticket(-at))
    meter, room = desk.gates[0].account.meter, plan_of(desk.gates[0]).buys
    assert room is not None
    messages, money = meter.messages, meter.money
    assert desk.place(stop(desk, 104, 3, BUY))
    assert meter.messages == messages + 1
    assert meter.money == pytest.approx(money + 3 * room.ceiling)
    coid = next(reversed(desk.open))
    assert desk.modify(coid, stop_price=D(106))
    assert meter.messages == messages + 2
    assert meter.money == pytest.approx(money + 3 * room.ceiling + 6)
    assert desk.modify(coid, stop_price=D(103), quantity=D(4))
    assert meter.messages == messages + 3
    assert meter.money == pytest.approx(money + 4 * room.ceiling + 6)


def test_a_stop_beyond_all_prices_that_a_room_is_measured_for_has_it_measured_with_it(alone: Pair) -> None:
    desk = alone
    for at in range(3):
        assert desk.place(desk.ticket(-at))
    measured = desk.gates[0].account.meter.measured
    for price in (120, 121, 119):  # and then it is within
        assert desk.place(stop(desk, price, side=BUY))
    assert rooms_stand(desk, STOCK)[0] == measured + 1
    room = plan_of(desk.gates[0]).buys
    assert room is not None
    assert room.high == pytest.approx(120 * 17 / 16)


def test_stops_where_nothing_was_measured_leave_other_rooms_but_once(alone: Pair) -> None:
    desk = alone
    desk.hold(EURO, 50)
    for at in range(3):
        assert desk.place(desk.ticket(-at))
    for turn in range(3):
        for at in range(4):
            assert desk.place(stop(desk, 95 + at, conid=EURO))
        assert desk.place(desk.ticket(-10 - turn))
        desk.same()
        if not turn:
            before = rooms_stand(desk, STOCK)
    assert rooms_stand(desk, STOCK) == before


@pytest.mark.parametrize("modified", [False, True])
def test_a_room_does_not_outlast_stops_that_are_smaller_than_its_orders(modified: bool) -> None:
    """No order may be larger than three times the largest of the last twenty, here stops for 4: 12, and not 13."""
    for quantity in (12, 13):
        desk = desk_of(range_factor=D(3))
        desk.hold(STOCK, 100)
        for at in range(6):
            assert desk.place(desk.ticket(-at, 9))
        first = stop(desk, 90, 9)
        assert desk.place(first)
        for at in range(20):
            if modified:
                assert desk.modify(first.coid, stop_price=D(90 + at % 2), quantity=D(4))
            else:
                assert desk.place(stop(desk, 95 + at / 10, 4))
        assert desk.place(desk.ticket(-20, quantity)) is (quantity == 12)
        desk.same()


def test_of_orders_and_stops_together_no_more_is_taken_than_a_limit_allows() -> None:
    """Ten units to buy, each at 110 as long as a stop there is open, beside 50 held of either kind, which count too."""
    for limits, most in (
        ({"position_max": D(60)}, 10),
        ({"gross_max": D(61 * 110 + 5_000)}, 11),
        ({"net_max": D(61 * 110 + 5_000)}, 11),
        ({"sector_max": D(60 * 110)}, 10),
        ({"notional_per_day_max": D(1_050)}, 10),
        ({"orders_per_day_max": 10}, 10),
        ({"open_orders_max": 10}, 10),
        ({"orders_per_minute_max": 10}, 10),
        ({"messages_per_minute_max": 10}, 10),
    ):
        desk = desk_of(**limits)
        taken = 0
        for at in range(15):
            taken += desk.place(desk.ticket(-at, 1) if at % 2 else stop(desk, 110 - at % 4 * (at > 0), 1, BUY))
            desk.same()
        assert taken == most, limits


# --- modifications ---------------------------------------------------------------------------------------------------

# Limits, what a stop for 2 at 105 (of 100ths) is to become, and whether the short way takes it.
CHANGES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"notional_per_day_max": D("214.01")}, {"stop_price": 107}, True),  # what it is worth more is sent
    ({"notional_per_day_max": D("213.99")}, {"stop_price": 107}, False),
    ({"notional_per_day_max": D("210.01")}, {"stop_price": 90}, True),  # and less adds nothing
    ({"notional_per_day_max": D("300.01")}, {"stop_price": 90, "quantity": D(3)}, True),  # 300 are 90 more
    ({"notional_per_day_max": D("299.99")}, {"stop_price": 90, "quantity": D(3)}, False),
    ({"gross_max": D("10_564.1")}, {"stop_price": 107}, True),  # of 52, beside 5,000 of the other
    ({"gross_max": D("10_563.9")}, {"stop_price": 107}, False),
    ({"gross_max": D("10_565.1")}, {"stop_price": 90, "quantity": D(3)}, True),  # it may trade at 105 still
    ({"gross_max": D("10_564.9")}, {"stop_price": 90, "quantity": D(3)}, False),
    ({"position_max": D(53)}, {"quantity": D(3)}, True),
    ({"position_max": D(52)}, {"quantity": D(3)}, False),
    ({"messages_per_day_max": 2}, {"stop_price": 107}, True),
    ({"messages_per_day_max": 1}, {"stop_price": 107}, False),
    ({"price_drift_pct": D("0.001"), "price_collar_pct": D(1)}, {"stop_price": 140}, True),
]


@pytest.mark.parametrize("conid", [STOCK, CALL])
@pytest.mark.parametrize(("limits", "asked", "found"), CHANGES)
def test_a_stop_s_modification_is_taken_up_to_each_limit(
    monkeypatch: pytest.MonkeyPatch, conid: int, limits: dict[str, Any], asked: dict[str, Any], found: bool
) -> None:
    desk = desk_of(**limits)
    ticket = stop(desk, 105, 2, BUY, conid)
    assert desk.place(ticket)
    changes = dict(asked)
    if "stop_price" in asked:
        changes["stop_price"] = D(str(round(PRICES[conid] * asked["stop_price"] / 100, 2)))
    tables: list[str] = []
    modify = desk.gates[0]._long_way.modify

    def asked_of(*given: Any) -> Any:
        tables.append("asked")
        return modify(*given)

    monkeypatch.setattr(desk.gates[0]._long_way, "modify", asked_of)
    assert desk.modify(ticket.coid, answered=None, **changes) is found
    assert (not tables) is found
    desk.same()


def test_a_stop_without_limits_on_sums_is_taken_and_modified_too() -> None:
    """Under the limits that always hold, and a list of order types alone."""
    for types, found in ((None, True), (("LMT", "STP"), True), (("LMT", "MKT"), False)):
        desk = pair(settings_of([{"gross_max": None, "order_types": types}, {}, {}]), session=False)
        assert desk.gates[0].exposure("a", STOCK).register is None
        ticket = stop(desk, 105, 2, BUY)
        assert at_once(desk, ticket) is found
        assert desk.place(ticket) is found
        if found:
            assert desk.modify(ticket.coid, stop_price=D(106))
        desk.same()
