"""The break of the opening range, worked out by hand: range 10.00 to 10.20 in the first fifteen minutes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from engine.domain.market import Bar, MarketEvent, Status, Trading
from engine.domain.moments import NS_PER_DAY
from engine.domain.order import State
from strategies.opening_range import OpeningRange, OpeningRangeParams

from .ring import AAA, BBB, CLOSE, LOOSE, MS, OPEN, M, Ring, Run, S, quote, trade

READY = 15 * M + S  # when the range is read
FLAT = CLOSE - OPEN - 10 * M
LONG = ["BUY 100 AAA STP 10.21", "SELL 100 AAA LMT 10.51", "SELL 100 AAA STP 10.00"]
SHORT = ["SELL 100 AAA STP 9.99", "BUY 100 AAA LMT 9.69", "BUY 100 AAA STP 10.20"]


def opening(start: int = 0, conid: int = 1) -> list[MarketEvent]:
    """The range, and a last price within it."""
    prices = [(1, 10.10), (3, 10.00), (10, 10.20), (14, 10.10)]
    events: list[MarketEvent] = [quote(start, 10.09, 10.11, conid)]
    return events + [trade(start + minutes * M, price, conid=conid) for minutes, price in prices]


def market(ts_ns: int, price: float) -> list[MarketEvent]:
    """A quote a cent to either side of a price, and a trade at it."""
    return [quote(ts_ns, price - 0.01, price + 0.01), trade(ts_ns + 1, price)]


def run(events: list[MarketEvent], ring: Ring | None = None, **changes: Any) -> Run:
    return (ring or Ring()).run(OpeningRange, OpeningRangeParams(**changes), events)


def asked(done: Run) -> list[str]:
    return [what for _, what in done.asked]


def test_two_brackets_wait_beyond_the_range() -> None:
    # The range is 0.20 wide: targets one and a half of it away from entries a tick beyond it.
    done = run([*opening(), *market(20 * M, 10.10)])
    assert asked(done) == [*LONG, *SHORT]
    assert {order.created_ns - OPEN for order in done.orders} == {READY}
    entries = [order.ticket for order in done.orders if order.ticket.parent is None]
    assert entries[0].oca_group == entries[1].oca_group is not None


def test_the_first_to_fill_cancels_the_other_and_the_target_ends_the_trade() -> None:
    events = [*opening(), *market(20 * M, 10.25), *market(30 * M, 10.55), *market(40 * M, 9.50)]
    done = run(events)
    assert [(side, price) for side, _, price in done.fills] == [
        ("BUY", Decimal("10.26")),  # the stop becomes a market order and pays the ask
        ("SELL", Decimal("10.51")),
    ]
    assert [order.state for order in done.orders] == [
        State.FILLED,
        State.FILLED,
        State.CANCELLED,
        State.CANCELLED,
        State.CANCELLED,
        State.CANCELLED,
    ]


def test_a_break_that_fails_is_stopped_at_the_other_side() -> None:
    done = run([*opening(), *market(20 * M, 9.95), *market(30 * M, 10.25), *market(40 * M, 10.25)])
    assert [(side, price) for side, _, price in done.fills] == [
        ("SELL", Decimal("9.94")),
        ("BUY", Decimal("10.26")),
    ]


def test_at_market_it_waits_for_a_trade_beyond_the_range() -> None:
    events = [*opening(), *market(20 * M, 10.20), *market(21 * M, 10.21), *market(22 * M, 10.30)]
    done = run(events, entry="market")
    assert asked(done) == ["BUY 100 AAA MKT", *LONG[1:]]
    assert done.orders[0].created_ns - OPEN == 21 * M + 1
    assert run([*opening(), *market(20 * M, 9.99), *market(21 * M, 9.9)], entry="market").asked[0] == (
        20 * M + 1,
        "SELL 100 AAA MKT",
    )


def test_one_trade_a_day() -> None:
    events = [*opening(), *market(20 * M, 10.25), *market(30 * M, 10.55), *market(40 * M, 10.10), *market(50 * M, 10.6)]
    assert len(run(events, entry="market").orders) == 3
    following = [*opening(NS_PER_DAY), *market(NS_PER_DAY + 20 * M, 10.25), *market(NS_PER_DAY + 30 * M, 10.25)]
    done = run([*events, *following], entry="market")
    assert [order.created_ns - OPEN for order in done.orders[3:]] == [NS_PER_DAY + 20 * M + 1] * 3


def test_long_only() -> None:
    assert asked(run([*opening(), *market(20 * M, 10.10)], short=False)) == LONG
    assert run([*opening(), *market(20 * M, 9.5)], short=False, entry="market").asked == []


def test_a_side_that_has_been_left_already_is_let_go() -> None:
    events = [*opening(), trade(15 * M, 10.30), quote(15 * M, 10.29, 10.31), quote(20 * M, 10.29, 10.31)]
    assert asked(run(events)) == SHORT


def test_flat_before_the_close() -> None:
    events = [*opening(), *market(20 * M, 10.25), *market(FLAT - M, 10.30), *market(FLAT + M, 10.30)]
    done = run(events)
    last = done.orders[-1]
    assert (asked(done)[-1], last.state, last.ticket.tag) == ("SELL 100 AAA MKT", State.FILLED, "flat")
    assert FLAT < last.created_ns - OPEN < FLAT + S  # once the bracket's exits are dead
    assert [position.quantity for position in done.result.positions] == [Decimal(0)]
    waiting = run([*opening(), *market(FLAT - M, 10.10), *market(FLAT + M, 10.30)])
    assert {order.state for order in waiting.orders} == {State.CANCELLED}
    assert waiting.fills == []


def test_a_closing_order_that_is_refused_is_sent_again_when_the_market_is_heard_of() -> None:
    ring = Ring(limits=evolve(LOOSE, quote_age_max_s=Decimal(1000)))
    events = [*opening(), *market(20 * M, 10.25), *market(FLAT - 20 * M, 10.30), *market(FLAT + M, 10.30)]
    events += [*market(FLAT + 2 * M, 10.32), *market(FLAT + 3 * M, 10.32)]
    done = run(events, ring)
    # The bracket's exits are dead at FLAT and 10 ms; at FLAT and a minute it is too soon for another try.
    tries = [(order.created_ns - OPEN, order.state) for order in done.orders if order.ticket.tag == "flat"]
    assert done.refused == ["STALE"]
    assert tries == [(FLAT + 10 * MS, State.REFUSED), (FLAT + 2 * M + 1, State.FILLED)]
    assert [position.quantity for position in done.result.positions] == [Decimal(0)]


@pytest.mark.parametrize("bounds", [{"range_min_bps": 201.0}, {"range_max_bps": 199.0}])
def test_a_range_too_narrow_or_too_wide_is_not_traded(bounds: dict[str, Any]) -> None:
    assert run([*opening(), *market(20 * M, 10.10)], **bounds).asked == []  # 0.20 of 10.00 are 200 basis points
    assert run([*opening(), *market(20 * M, 10.10)], range_min_bps=199.0, range_max_bps=201.0).asked != []


def test_no_range_no_trade() -> None:
    assert run([quote(0, 10.09, 10.11), trade(M, 10.10), *market(20 * M, 12.0)]).asked == []
    late = [*market(16 * M, 10.10), *market(20 * M, 12.0)]  # a recording that begins after the range
    assert run(late).asked == []


def test_trades_before_the_open_do_not_count() -> None:
    assert asked(run([trade(-M, 50.0), *opening(), *market(20 * M, 10.10)])) == [*LONG, *SHORT]


def test_recorded_bars_make_the_range_where_nothing_is_printed() -> None:
    def bar(minute: int, high: float, low: float, close: float) -> Bar:
        return Bar(OPEN + minute * M, 1, M, close, high, low, close, 1e6)

    begun_before = Bar(OPEN + M, 1, 2 * M, 50.0, 99.0, 1.0, 50.0, 1e6)
    bars: list[MarketEvent] = [
        bar(0, 99, 1, 50),
        begun_before,
        bar(1, 10.10, 10.00, 10.10),
        bar(15, 10.20, 10.10, 10.10),
    ]
    bars += [bar(16, 30.0, 10.10, 10.10), bar(17, 10.21, 10.10, 10.21), bar(18, 10.3, 10.2, 10.2)]
    # The last bar of the range ends with it; the one before the open does not count.
    done = run(bars, entry="market")
    assert done.asked[0] == (17 * M, "BUY 100 AAA MKT")
    assert asked(run(bars)) == [*LONG, *SHORT]


def test_not_into_a_halt() -> None:
    halted = [Status(OPEN + 14 * M, 1, Trading.HALTED), Status(OPEN + 19 * M, 1, Trading.OPEN)]
    done = run([*opening(), *halted, *market(20 * M, 10.25), *market(21 * M, 10.25)])
    assert done.asked == []
    done = run([*opening(), *halted, *market(20 * M, 10.25), *market(21 * M, 10.25)], entry="market")
    assert done.orders[0].created_ns - OPEN == 20 * M + 1


def test_each_instrument_has_its_own_day() -> None:
    ring = Ring(instruments=(AAA, BBB))
    done = run([*opening(), *opening(1, conid=2), *market(20 * M, 10.10)], ring)
    assert len(done.orders) == 12
    assert len({order.ticket.oca_group for order in done.orders if order.ticket.parent is None}) == 2


def test_a_refusal_leaves_the_day_without_a_trade() -> None:
    done = run([*opening(), *market(20 * M, 10.5)], Ring(limits=evolve(LOOSE, order_quantity_max=Decimal(10))))
    assert set(done.refused) == {"QUANTITY"}
    assert done.fills == []
