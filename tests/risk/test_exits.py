"""The exits of a bracket at the edges: what the short way takes of them and leaves to the table, what it counts."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.messages import PositionNow, Refusal
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk.exits import exits_of
from tests.risk.made import D
from tests.risk.test_changing import BUY, SELL, WITH_STOPS, Pair, pair
from tests.risk.test_rooms import CALL, EURO, PRICES, STOCK, settings_of

OPEN: dict[str, Any] = {**WITH_STOPS, "range_factor": D(10**6)}
MARKET, STOP = OrderType.MARKET, OrderType.STOP


def desk_of(**limits: Any) -> Pair:
    """Under all limits, none of them near but those named."""
    desk = pair(settings_of([{**OPEN, **limits}, {}, {}]))
    desk.gates[1].exposure("a", STOCK).plain = False
    desk.gates[1].exposure("a", CALL).plain = False
    return desk


def group(
    desk: Pair,
    side: Side = BUY,
    conid: int = STOCK,
    *,
    cents: int = 0,
    profit: float | None = None,
    stop: float | None = None,
    units: int = 2,
    own: int | None = None,
    market: bool = False,
) -> tuple[OrderTicket, ...]:
    """An entry near the market and its exits: of `own` units each, 2 % away from the market if not said otherwise."""
    price, own = PRICES[conid], units if own is None else own
    entry = desk.ticket(cents, units, side, conid)
    if market:
        entry = replace(entry, order_type=MARKET, limit_price=None)
    one, other = (replace(desk.ticket(0, own, side.opposite, conid), parent=entry.coid) for _ in range(2))
    gain = D(str(price)) * D("0.02") * side.sign
    high = D(str(price)) + gain if profit is None else D(str(profit))
    low = D(str(price)) - gain if stop is None else D(str(stop))
    return entry, replace(one, limit_price=high), replace(other, order_type=STOP, limit_price=None, stop_price=low)


def taken(desk: Pair, *tickets: OrderTicket) -> bool:
    """Whether the short way takes the exits, if it takes the entry."""
    gate = desk.gates[0]
    exposure = gate.exposure("a", tickets[0].conid)
    return exits_of(tickets, exposure, gate.references, desk.market, desk.now_ns) is not None


def same(desk: Pair, *tickets: OrderTicket) -> bool:
    """Whether the short way takes them; then the table allows them, and both count the same."""
    found = taken(desk, *tickets)
    assert desk.place(*tickets) or not found
    desk.same()
    return found


# Limits, the bracket, and whether the short way takes its exits. The entry is for 2 at 100, or at 10 for ten of each.
EDGES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, True),
    ({}, {"side": SELL}, True),
    ({}, {"conid": CALL}, True),
    ({}, {"market": True}, False),  # its exits may meet it
    ({"self_trade": True, "range_factor": None}, {"market": True}, True),
    # The kinds of orders that are allowed.
    ({"order_types": ("LMT", "STP")}, {}, True),
    ({"order_types": ("MKT", "STP"), "self_trade": True}, {"market": True}, False),
    ({"order_types": ("LMT", "MKT")}, {}, False),
    # Exits that trade at once are within the collar, in 100ths of the price; better ones always.
    ({"price_collar_pct": D(2), "self_trade": True}, {"profit": 97.99, "stop": 97}, False),
    ({"price_collar_pct": D(2), "self_trade": True}, {"profit": 98.01, "stop": 97}, True),
    ({"price_collar_pct": D(2), "self_trade": True}, {"side": SELL, "profit": 102.01, "stop": 103}, False),
    ({"price_collar_pct": D(2), "self_trade": True}, {"side": SELL, "profit": 101.99, "stop": 103}, True),
    ({"price_collar_pct": D(2)}, {"profit": 250}, True),
    ({"price_collar_pct": D(2)}, {"side": SELL, "profit": 40}, True),
    # An exit must not meet its entry.
    ({}, {"profit": 100.01}, True),
    ({}, {"profit": 100}, False),
    ({}, {"side": SELL, "profit": 99.99}, True),
    ({}, {"side": SELL, "profit": 100}, False),
    # A limit, but no stop, is within a factor of the entry's.
    ({"range_factor": D(2)}, {"profit": 199.99}, True),
    ({"range_factor": D(2)}, {"profit": 200.01}, False),
    ({"range_factor": D(2)}, {"side": SELL, "profit": 50.01}, True),
    ({"range_factor": D(2)}, {"side": SELL, "profit": 49.99}, False),
    ({"range_factor": D(2)}, {"stop": 40}, True),
    # Money of all three on the day, each at the dearer of its own price and the market's.
    ({"notional_per_day_max": D("604.01")}, {}, True),
    ({"notional_per_day_max": D("603.99")}, {}, False),
    ({"notional_per_day_max": D("605.01")}, {"cents": 50}, True),
    ({"notional_per_day_max": D("604.99")}, {"cents": 50}, False),
    ({"notional_per_day_max": D("604.01")}, {"conid": CALL}, True),
    ({"notional_per_day_max": D("603.99")}, {"conid": CALL}, False),
    ({"order_notional_max": D(250)}, {"profit": 124.8}, True),
    ({"order_notional_max": D(250)}, {"profit": 125.01}, False),
    ({"what_if_above": D(250)}, {"profit": 124.99}, True),
    ({"what_if_above": D(250)}, {"profit": 125.01}, False),
    # Orders and messages: there are three.
    ({"messages_per_day_max": 3}, {}, True),
    ({"messages_per_day_max": 2}, {}, False),
    ({"open_orders_max": 3}, {}, True),
    ({"open_orders_max": 2}, {}, False),
    ({"orders_per_minute_max": 3}, {}, True),
    ({"orders_per_minute_max": 2}, {}, False),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "asked", "found"), EDGES)
def test_exits_are_taken_up_to_each_limit(limits: dict[str, Any], asked: dict[str, Any], found: bool) -> None:
    desk = desk_of(**limits)
    desk.hold(asked.get("conid", STOCK), 50)
    assert same(desk, *group(desk, **asked)) is found


@pytest.mark.parametrize(("profit", "found"), [(199.89, True), (200.11, False)])
def test_the_exit_of_an_entry_at_the_market_is_compared_with_what_was_sent_lately(profit: float, found: bool) -> None:
    """That is 99.96 to 100."""
    desk = desk_of(self_trade=True, range_factor=D(2))
    desk.hold(STOCK, 50)
    for cents in range(5):  # as many as make a range
        assert desk.place(desk.ticket(-cents, 2, BUY, STOCK))
    assert same(desk, *group(desk, market=True, profit=profit)) is found


@pytest.mark.parametrize(
    "altered",
    [
        {"parent": "a-999999"}, {"side": BUY}, {"conid": EURO}, {"strategy": "b"}, {"account": "DU2"},
        {"oca_group": "x"}, {"outside_rth": True}, {"tif": Tif.OPG}, {"tif": Tif.GTC}, {"quantity": D(3)},
        {"order_type": MARKET, "limit_price": None}, {"limit_price": D("102.001")}, {"order_type": STOP},
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [1, 2])
def test_an_exit_that_is_no_plain_one_of_its_entry_is_for_the_table(altered: dict[str, Any], place: int) -> None:
    """Whichever of both it is."""
    desk = desk_of(tick_and_lot=True)
    desk.hold(STOCK, 50)
    entry, profit, stop = group(desk)
    assert taken(desk, entry, profit, stop)
    if altered == {"order_type": STOP}:
        altered = {"order_type": STOP, "limit_price": None, "stop_price": D("97.001")}
    odd = replace(profit, **altered)
    assert not taken(desk, *((entry, odd, stop) if place == 1 else (entry, stop, odd)))


def test_of_two_exits_one_is_a_limit_and_the_other_a_stop_under_a_name_of_its_own() -> None:
    desk = desk_of(self_trade=True)
    desk.hold(STOCK, 50)
    entry, profit, stop = group(desk)
    for exits in ([profit, stop], [stop, profit], [profit], [stop]):
        assert taken(desk, entry, *exits)
    more = replace(stop, coid="a-900000")
    for exits in ([profit, replace(profit, coid="a-900000")], [stop, more], [profit, replace(stop, coid=profit.coid)],
                  [profit, stop, more]):  # fmt: skip
        assert not taken(desk, entry, *exits)
    assert same(desk, entry, profit)
    again = group(desk)
    assert not taken(desk, again[0], replace(again[1], coid=profit.coid), again[2])  # an id that was used


def test_what_is_asked_about_nobody_else_asks_leaves_it_to_the_table() -> None:
    desk = desk_of()
    tickets = group(desk)
    exposure = desk.gates[0].exposure("a", STOCK)
    plan = exposure.plan
    assert plan is not None

    def asked(*_: Any) -> Refusal | None:
        raise AssertionError

    plan.others = (asked,)
    assert not taken(desk, *tickets)
    plan.others, register, plan.register = (), plan.register, None
    assert not taken(desk, *tickets)
    plan.register = register
    assert taken(desk, *tickets)
    assert desk.place(*tickets)
    hanging = exposure.brackets[tickets[0].coid]
    other = group(desk)
    exposure.brackets[other[0].coid] = hanging  # what hangs on an entry of this name is there already
    assert not taken(desk, *other)


@pytest.mark.parametrize(("price", "found"), [(None, False), (-1.0, False), (0.0, False), (0.8, True), (1.0, True)])
def test_a_price_is_known_and_above_zero(price: float | None, found: bool) -> None:
    desk = desk_of(self_trade=True)
    desk.market.prices = {} if price is None else {STOCK: price}
    entry, profit, stop = group(desk, profit=1.5, stop=0.5)
    entry = replace(entry, limit_price=D("0.8"))
    assert taken(desk, entry, profit, stop) is found
    if found:
        assert same(desk, entry, profit, stop)


def test_no_exit_is_taken_from_the_first_moment_of_a_blackout_on() -> None:
    """From 00:17:10 to 00:17:40; the gate's time begins at 00:16:40."""
    desk = desk_of(blackouts=("1970-01-01T00:17:10/1970-01-01T00:17:40",))
    assert same(desk, *group(desk))
    for second, found in ((1029, True), (1030, False), (1039, False), (1060, True)):
        desk.now_ns = second * 10**9
        assert taken(desk, *group(desk)) is found


def test_messages_of_others_count_where_a_limit_has_been_looked_at_before() -> None:
    """Of 8 on the day 5 and 6 are gone: three more are allowed after 5, none of a bracket after 6."""
    desk = desk_of(messages_per_day_max=8)
    for at in range(5):
        assert desk.place(desk.ticket(cents=-at))
    assert taken(desk, *group(desk))
    assert desk.place(desk.ticket(cents=-9))
    assert not same(desk, *group(desk))


@pytest.mark.parametrize("conid", [STOCK, CALL])
def test_a_sale_that_adds_no_units_lacks_nothing_as_long_as_no_more_is_sold_than_held(conid: int) -> None:
    """The account's shares count, whoever holds them; what an option lacks nobody lends."""
    desk = desk_of(naked_short=True)
    assert taken(desk, *group(desk, conid=conid))
    desk.hold(conid, 5)
    desk.lend(None)
    for quantity in (3, 2):
        assert desk.place(desk.ticket(100, quantity, SELL, conid))
        assert taken(desk, *group(desk, conid=conid))
    for gate in desk.gates:  # all that the account held is gone, the strategy's books say that it is there
        gate.hear([], [PositionNow("a", conid, D(5), D(0), D(0), D(4), D(0), "USD")])
    assert not taken(desk, *group(desk, conid=conid))
    assert taken(desk, *group(desk, SELL, conid=conid))


@pytest.mark.parametrize(("side", "found"), [(BUY, True), (SELL, False)])
def test_a_short_option_is_not_for_the_short_way(side: Side, found: bool) -> None:
    """It may be what the exit's stock covers."""
    desk = desk_of()
    desk.hold(STOCK, 50)
    assert taken(desk, *group(desk, side.opposite))
    for gate in desk.gates:
        gate.hear([], [PositionNow("a", CALL, D(-1), D(0), D(0), D(-1), D(0), "USD")])
    assert taken(desk, *group(desk, side.opposite)) is found


@pytest.mark.parametrize(("side", "shown"), [(BUY, "bid_size"), (SELL, "ask_size")])
def test_an_exit_is_within_its_part_of_the_size_shown_on_the_other_side(side: Side, shown: str) -> None:
    """Half of it: of 2.1 none may have 2, of 4.1 it may."""
    desk = desk_of(displayed_size_pct=D(50))
    for size, found in ((3.9, False), (4.1, True)):
        setattr(desk.market, shown, size)
        assert taken(desk, *group(desk, side)) is found
    desk.market.quoted = False
    assert not taken(desk, *group(desk, side, units=1))


def test_an_order_that_has_a_preview_is_for_the_table() -> None:
    desk = desk_of()
    tickets = group(desk)
    outside = desk.gates[0].account.outside
    assert outside is not None
    assert taken(desk, *tickets)
    outside.what_if[tickets[1].coid] = D(0)
    assert not taken(desk, *tickets)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_an_exit_meets_no_order_that_rests(side: Side) -> None:
    """An order of the entry's side rests at 101.95 (98.05): an exit is taken at 102 (98), not at 101.9 (98.1)."""
    desk = desk_of()
    desk.hold(STOCK, 50)
    assert desk.place(desk.ticket(195 * side.sign, side=side))
    assert taken(desk, *group(desk, side, profit=100 + 2 * side.sign))
    assert not taken(desk, *group(desk, side, profit=100 + 1.9 * side.sign))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_nothing_meets_an_exit_that_rests(side: Side) -> None:
    """Whether it comes within a room or not."""
    desk = desk_of()
    desk.hold(STOCK, 50)
    assert desk.place(desk.ticket(-5 * side.sign, side=side))
    assert same(desk, *group(desk, side))
    assert desk.place(desk.ticket(199 * side.sign, side=side))
    assert not desk.place(desk.ticket(200 * side.sign, side=side))
    assert not desk.place(desk.ticket(201 * side.sign, side=side))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_prices_of_exits_walk_with_those_of_their_side(side: Side) -> None:
    """1 % of 100 is 1: an exit at 102 (98), then one more order of its side 1.01, or 0.99, the worse way of that."""
    worse = side.sign
    for step, found in ((101, False), (99, True)):
        for singly in (True, False):
            desk = desk_of(price_drift_pct=D(1), self_trade=True)
            desk.hold(STOCK, 50)
            assert desk.place(desk.ticket(100 * worse, side=side.opposite))  # a room of that side is measured
            assert desk.place(desk.ticket(200 * worse, side=side))
            assert same(desk, *group(desk, side))
            if singly:
                assert desk.place(desk.ticket((200 - step) * worse, side=side.opposite)) is found
            else:
                assert taken(desk, *group(desk, side, profit=100 + (2 - step / 100) * worse)) is found


def test_a_bracket_is_read_by_the_meter_as_three_messages_and_the_money_of_the_exits() -> None:
    """At the edge of its span, which is above 100, an entry of 2 counts; its exits count 2 at 102, 2 at 100."""
    desk = desk_of()
    for at in range(3):
        assert desk.place(desk.ticket(-at))
    account = desk.gates[0].account
    meter, plan = account.meter, desk.gates[0].exposure("a", STOCK).plan
    assert plan is not None
    assert plan.buys is not None
    assert plan.sells is not None
    messages, money, taken_before = meter.messages, meter.money, plan.taken
    assert messages > 0
    assert desk.place(*group(desk, cents=-5))
    assert meter.messages == messages + 3
    assert meter.money == pytest.approx(money + 2 * plan.buys.ceiling + 204 + 200)
    assert plan.taken == taken_before + 3
    assert plan.sells.last == -102.0


def test_an_exit_is_no_larger_than_a_factor_below_one_leaves_of_its_entry() -> None:
    desk = desk_of(range_factor=D("0.9"))
    entry, _, stop = group(desk, units=10, own=9)
    assert not taken(desk, entry, stop)
    entry, _, stop = group(desk, units=10, own=8)
    assert taken(desk, entry, stop)


@pytest.mark.parametrize(("name", "found"), [("open_orders_max", 3), ("orders_per_minute_max", 3)])
def test_a_strategy_has_its_own_numbers_beside_those_of_others(name: str, found: int) -> None:
    for most in (found - 1, found):
        desk = pair(settings_of([OPEN, {name: most}, {}]))
        desk.gates[1].exposure("a", STOCK).plain = False
        for at in range(3):
            assert desk.place(replace(desk.ticket(-at), strategy="b", coid=f"b-00000{at}"))
        assert same(desk, *group(desk, cents=-5)) is (most == found)


def test_exits_share_what_their_entry_has_got_into_until_each_is_over() -> None:
    desk = desk_of()
    desk.hold(STOCK, 50)
    entry, profit, stop = group(desk, units=4)
    assert same(desk, entry, profit, stop)
    desk.fill(entry.coid)
    desk.same()
    assert desk.gates[0].exposure("a", STOCK).units[0].sells == 1
    assert desk.modify(profit.coid, answered=True, quantity=D(3))
    desk.same()
    assert desk.gates[0].exposure("a", STOCK).units[0].sells == 1
    for ticket in (profit, stop):
        desk.end(ticket.coid)
        desk.same()
    assert desk.gates[0].exposure("a", STOCK).units[0].sells == 0
