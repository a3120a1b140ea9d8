"""Latency, cancels, changes, refusals, queues, slippage: what happens to a command and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.columns import merge
from engine.domain.facts import Filled
from engine.domain.instrument import Instrument, PriceTick
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderType, Tif
from engine.errors import ConfigError
from engine.settings import LatencySettings, VenueSettings
from engine.venue import FeeSchedule, SimVenue
from tests.venue.driving import (
    ALWAYS,
    NAN,
    X,
    bar,
    cancel,
    fills,
    modify,
    place,
    play,
    quote,
    said,
    ticket,
    trade,
    venue_of,
)

MS = 1_000_000


def run(rows: Sequence[Any], *requests: Any, **more: Any) -> list[Any]:
    """All requests decided on row 0."""
    return play(venue_of(**more), rows, {0: list(requests)})


# Time


def test_an_order_meets_the_market_as_it_is_when_it_arrives() -> None:
    rows = [quote(0, 10.0, 10.02), quote(40 * MS - 1, 10.0, 10.05), quote(40 * MS, 10.0, 10.09)]
    (found,) = [one for one in run(rows, place(ticket("m")), latency=40) if isinstance(one, Filled)]
    assert (found.price, found.ts_ns) == (Decimal("10.05"), 40 * MS)  # before the row of the same time


def test_each_kind_of_command_has_its_own_latency() -> None:
    venue = SimVenue(
        instruments={1: X},
        settings=VenueSettings(latency_ms=LatencySettings(place=5, modify=3, cancel=1, report=2), fees="none"),
        sessions=ALWAYS,
        fees=FeeSchedule.none(),
        seed=0,
    )
    first = [place(ticket("a", limit="9.00"))]
    rows = [quote(0, 10.0, 10.02), quote(10 * MS, 10.0, 10.02), quote(30 * MS, 10.0, 10.02)]
    answers = play(venue, rows, {0: first, 1: [modify(ticket("a", limit="9.01")), cancel("a")]})
    # The cancel overtakes the change. Each is heard 2 ms after it happened.
    assert said(answers) == ["Accepted a", "Cancelled a request", "ModifyRefused a order_done"]
    assert [one.ts_ns for one in answers] == [7 * MS, 13 * MS, 15 * MS]


def test_what_is_on_its_way_at_the_end() -> None:
    venue = venue_of(latency=5, report=10)
    rows = [quote(0, 10.0, 10.02), quote(5 * MS, 10.0, 10.02), quote(6 * MS, 10.0, 10.02)]
    answers = play(venue, rows, {0: [place(ticket("a"))], 2: [place(ticket("b"))]})
    assert said(answers) == ["Accepted a", "Filled a"]  # heard after the end; b never arrived
    assert venue.next_due_ns() == END_OF_TIME_NS


# Refusals


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (ticket("a", conid=9), "unknown_instrument"),
        (ticket("a", quantity="1.5"), "size_increment"),
        (ticket("a", limit="10.005"), "price_tick"),
        (ticket("a", order_type=OrderType.STOP, stop_price="10.005"), "price_tick"),
        (ticket("a", order_type=OrderType.STOP, stop_price="10.00", tif=Tif.IOC), "time_in_force"),
        (ticket("a", order_type=OrderType.MIDPRICE, tif=Tif.OPG), "time_in_force"),
        (ticket("a", order_type=OrderType.MARKET_ON_CLOSE, tif=Tif.GTC), "time_in_force"),
        (ticket("a", order_type=OrderType.MARKET_ON_CLOSE, tif=Tif.DAY), "no_session"),
        (ticket("a", tif=Tif.OPG), "no_session"),
    ],
)
def test_an_order_the_venue_turns_down(order: Any, code: str) -> None:
    answers = run([quote(0, 10.0, 10.02)], place(order))
    assert said(answers) == [f"Refused a {code}"]
    assert len(answers[0].reason.split()) > 4


def test_wrong_cancels_and_changes() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 10.0, 10.02), quote(2, 10.0, 10.02)]
    actions: dict[int, list[Any]] = {
        0: [cancel("x"), modify(ticket("x")), place(ticket("a")), place(ticket("b", limit="9.00"))],
        1: [
            cancel("a"),
            modify(ticket("a", quantity=200)),
            place(ticket("a")),
            place(ticket("b")),
            cancel("b"),
            cancel("b"),
        ],
    }
    assert said(play(venue_of(), rows, actions)) == [
        "CancelRefused x unknown_order",
        "ModifyRefused x unknown_order",
        "Accepted a",
        "Filled a",
        "Accepted b",
        "CancelRefused a order_done",
        "ModifyRefused a order_done",
        "Refused a duplicate_id",
        "Refused b duplicate_id",
        "Cancelled b request",
        "CancelRefused b order_done",
    ]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (ticket("a", "SELL", limit="9.00"), "fixed_field"),
        (ticket("a", conid=2, limit="9.00"), "fixed_field"),
        (ticket("a", order_type=OrderType.MARKET), "fixed_field"),
        (ticket("a", limit="9.005"), "price_tick"),
        (ticket("a", limit="9.00", tif=Tif.IOC), "time_in_force"),
        (ticket("a", quantity=39, limit="10.02"), "quantity"),
    ],
)
def test_a_change_the_venue_turns_down(wanted: Any, code: str) -> None:
    rows = [quote(0, 10.0, 10.02, ask_size=40), quote(1, 10.0, 10.03)]
    answers = run(rows, place(ticket("a", limit="10.02")), modify(wanted))
    assert said(answers) == ["Accepted a", "Filled a", f"ModifyRefused a {code}"]


def test_a_change_down_to_what_is_filled_ends_the_order() -> None:
    rows = [quote(0, 10.0, 10.02, ask_size=40), quote(1, 10.0, 10.02)]
    answers = run(rows, place(ticket("a", limit="10.02")), modify(ticket("a", quantity=40, limit="10.02")), cancel("a"))
    assert said(answers) == ["Accepted a", "Filled a", "Modified a", "CancelRefused a order_done"]


def test_a_change_to_a_marketable_price_fills_at_once() -> None:
    answers = run([quote(0, 10.0, 10.02)], place(ticket("a", limit="9.00")), modify(ticket("a", limit="10.05")))
    assert fills(answers) == [("a", "100", "10.02", "taker")]


# Queue


def queue(*later: Any, price: str = "10.00", rows: Sequence[Any] = ()) -> tuple[list[Any], int]:
    venue = venue_of(part=(1.0, 0.5, 1.0))
    start = [quote(0, 10.0, 10.02, 100), *rows]
    found = fills(play(venue, [*start, *later], {0: [place(ticket("a", "BUY", limit=price))]}))
    return found, venue.counts["queue_waits"]


def test_the_size_ahead_trades_first() -> None:
    # 100 ahead: a print of 60 leaves 40; of the next 60, 20 are left for us, half of them ours.
    assert queue(trade(1, 10.0, 60), trade(2, 10.0, 60)) == ([("a", "10", "10.00", "maker")], 1)


def test_nobody_is_ahead_of_an_order_that_improves_the_touch() -> None:
    assert queue(trade(1, 10.01, 60), price="10.01") == ([("a", "30", "10.01", "maker")], 0)


def test_the_size_ahead_is_never_more_than_is_displayed() -> None:
    assert queue(quote(1, 10.0, 10.02, 20), trade(2, 10.0, 60)) == ([("a", "20", "10.00", "maker")], 0)
    assert queue(quote(1, 10.0, 10.02, 900), trade(2, 10.0, 120)) == ([("a", "10", "10.00", "maker")], 0)


def test_nobody_is_ahead_once_the_touch_is_worse() -> None:
    assert queue(quote(1, 9.99, 10.02, 500), trade(2, 10.0, 60)) == ([("a", "30", "10.00", "maker")], 0)


def test_behind_the_touch_the_queue_is_what_stands_there_when_the_touch_comes() -> None:
    rows = [trade(1, 9.99, 500), quote(2, 9.99, 10.02, 80), trade(3, 9.99, 100)]
    # The first print at our price finds us behind an unknown queue; then 80 are ahead and 20 are left, half ours.
    assert queue(*rows, price="9.99") == ([("a", "10", "9.99", "maker")], 1)


def test_a_print_through_the_price_needs_no_queue() -> None:
    assert queue(trade(1, 9.99, 60)) == ([("a", "30", "10.00", "maker")], 0)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (ticket("a", quantity=50, limit="10.00"), [("a", "50", "10.00", "maker")]),  # keeps its place: nothing is ahead
        (ticket("a", quantity=150, limit="10.00"), []),  # loses it: 300 are ahead now
    ],
)
def test_a_change_keeps_or_loses_the_place(change: Any, found: list[Any]) -> None:
    rows: list[Any] = [quote(0, 10.0, 10.02, 100), trade(1, 10.0, 100), quote(2, 10.0, 10.02, 300), trade(3, 10.0, 100)]
    actions: dict[int, list[Any]] = {0: [place(ticket("a", limit="10.00"))], 2: [modify(change)]}
    assert fills(play(venue_of(), rows, actions)) == found


def test_sell_side_queue() -> None:
    rows = [
        quote(0, 10.0, 10.02, 100, 50),
        trade(1, 10.02, 80),
        quote(2, 10.0, 10.05),
        trade(3, 10.02, 10),
        trade(4, 10.03, 60),
    ]
    answers = run(rows, place(ticket("a", "SELL", limit="10.02")))
    assert fills(answers) == [
        ("a", "30", "10.02", "maker"),
        ("a", "10", "10.02", "maker"),
        ("a", "60", "10.02", "maker"),
    ]


def test_absent_sizes_fill_whole_and_are_counted() -> None:
    venue = venue_of()
    rows: list[Any] = [quote(0, 10.0, 10.02, NAN, NAN), quote(1, 9.0, 9.02, NAN, NAN), trade(2, 8.0, NAN)]
    orders = [place(ticket("a", quantity=999)), place(ticket("b", limit="9.50")), place(ticket("c", limit="8.50"))]
    answers = play(venue, rows, {0: orders})
    assert [coid for coid, _, _, _ in fills(answers)] == ["a", "b", "c"]
    assert venue.counts["unsized_fills"] == 3


def test_our_own_orders_share_a_quote() -> None:
    venue = venue_of()
    rows = [quote(0, 10.0, 10.02, ask_size=150), quote(1, 10.0, 10.02, ask_size=150)]
    answers = play(venue, rows, {0: [place(ticket("a")), place(ticket("b"))]})
    assert fills(answers) == [
        ("a", "100", "10.02", "taker"),
        ("b", "50", "10.02", "taker"),
        ("b", "50", "10.02", "taker"),
    ]
    assert venue.counts["capped_fills"] == 1


def test_quantities_keep_their_increment() -> None:
    lots = Instrument(conid=1, symbol="L", calendar="24/7", size_increment=Decimal(10))
    rows = [quote(0, 10.0, 10.02, ask_size=25), quote(1, 10.0, 10.02, ask_size=9), quote(2, 10.0, 10.02)]
    answers = play(venue_of((lots,)), rows, {0: [place(ticket("a"))]})
    assert fills(answers) == [("a", "20", "10.02", "taker"), ("a", "80", "10.02", "taker")]


def test_market_order_without_the_other_side_waits() -> None:
    assert fills(run([quote(0, 10.0, NAN), quote(1, 10.0, 10.02)], place(ticket("a")))) == [
        ("a", "100", "10.02", "taker")
    ]


def test_prices_read_through_a_scale_are_met_to_a_hair() -> None:
    below = 10.02 * (1 + 1e-15)
    assert fills(run([quote(0, 10.0, 10.05), quote(1, 10.0, below)], place(ticket("a", limit="10.02"))))


# Slippage


@pytest.mark.parametrize(
    ("name", "size", "price"),
    [
        ("ticks", 2.0, "10.04"),
        ("bps", 10.0, "10.04"),  # 0.01002 rounded up to two ticks
        ("half_spread", 1.0, "10.03"),
        ("square_root", 20.0, "10.04"),  # 100 of 400: half of 20 bps = 0.01002
        ("none", 5.0, "10.02"),
    ],
)
def test_slippage_by_name(name: str, size: float, price: str) -> None:
    rows = [quote(0, 10.0, 10.02, ask_size=400)]
    answers = run(rows, place(ticket("a")), slippage=name, slippage_size=size)
    assert fills(answers) == [("a", "100", price, "taker")]


def test_slippage_of_a_sell_and_of_unknown_sizes() -> None:
    rows = [quote(0, 10.0, 10.02, bid_size=NAN)]
    assert fills(run(rows, place(ticket("a", "SELL")), slippage="square_root", slippage_size=20.0)) == [
        ("a", "100", "9.98", "taker")
    ]
    bars = [bar(60, 10, 10, 10, 10), bar(120, 10, 10, 10, 10)]
    assert fills(run(bars, place(ticket("a")), slippage="half_spread", slippage_size=3.0)) == [
        ("a", "100", "10.02", "taker")
    ]


def test_slippage_stops_at_the_limit_and_spares_makers() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 9.9, 9.95)]
    orders = [
        place(ticket("a", limit="10.03")),
        place(ticket("b", limit="9.96")),
        place(ticket("c", "SELL", limit="9.99")),
    ]
    answers = run(rows, *orders, slippage="ticks", slippage_size=5.0)
    assert [(coid, price) for coid, _, price, _ in fills(answers)] == [("a", "10.03"), ("c", "9.99"), ("b", "9.96")]


def test_slippage_follows_the_tick_table() -> None:
    steps = (PriceTick(Decimal(0), Decimal("0.01")), PriceTick(Decimal(10), Decimal("0.05")))
    coarse = Instrument(conid=1, symbol="C", calendar="24/7", price_ticks=steps)
    venue = venue_of((coarse,), slippage="ticks", slippage_size=1.0)
    assert fills(play(venue, [quote(0, 9.0, 10.05)], {0: [place(ticket("a"))]})) == [("a", "100", "10.10", "taker")]


# Settings


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"fills": "conservativ"}, "venue.fills: 'conservativ' is no value of fills; did you mean conservative?"),
        (
            {"slippage": "xyz"},
            "venue.slippage: 'xyz' is no value of slippage; it is one of none, ticks, bps, half_spread, square_root",
        ),
        ({"stop_trigger": "lst"}, "venue.stop_trigger: 'lst' is no value of stop_trigger; did you mean last?"),
        (
            {"resting_price": "limits"},
            "venue.resting_price: 'limits' is no value of resting_price; did you mean limit?",
        ),
        ({"slippage_size": -1.0}, "venue.slippage_size: slippage must be a number not below zero, not -1.0"),
        ({"latency": -1}, "venue.latency_ms.place: a latency is a number of milliseconds from 0 to a day, not -1"),
        (
            {"part": (0.0, 1.0, 1.0)},
            "venue.participation.quote: a participation lies above 0 and is at most 1, not 0.0",
        ),
    ],
)
def test_settings_that_say_what_they_may_not(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        venue_of(**more)
    assert str(caught.value) == sentence


def test_an_instrument_needs_its_calendar() -> None:
    with pytest.raises(ConfigError, match="XNYS"):
        venue_of((Instrument(conid=1, symbol="X"),), {"24/7": Sessions.round_the_clock()})


def test_an_order_before_any_data_waits_for_it() -> None:
    venue = venue_of()
    venue.begin(merge({}))
    venue.submit([place(ticket("a")), place(ticket("b", order_type=OrderType.STOP, stop_price="10.00"))], 5)
    assert said(venue.take_due(5, 0)) == ["Accepted a", "Accepted b"]
    assert venue.scan(0, 0) == 0
    assert venue.finish(6) == []


@pytest.mark.parametrize(
    "rows", [[trade(0, 10.0), trade(1, 10.5)], [bar(60, 9, 11, 9, 10), bar(120, 10.5, 11, 10, 10.5)]]
)
def test_ioc_where_no_quote_is_known_lives_for_one_row(rows: Sequence[Any]) -> None:
    assert said(run(rows, place(ticket("a", limit="9.00", tif=Tif.IOC)))) == ["Accepted a", "Cancelled a ioc"]
    assert fills(run(rows, place(ticket("a", tif=Tif.IOC)))) == [("a", "100", "10.50", "taker")]
