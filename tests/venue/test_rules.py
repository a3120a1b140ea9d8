"""The named simple rules and bars under each rule, worked out by hand; and the silent state of mixed books."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.domain.ticket import OrderType, Tif
from tests.venue.driving import NAN, bar, fills, modify, place, play, quote, said, ticket, trade, venue_of

QUOTES = [quote(0, 10.00, 10.02, ask_size=1), quote(1, 10.03, 10.05, ask_size=1), quote(2, 9.96, 9.98, ask_size=1)]
BARS = [
    bar(60, 10.0, 10.1, 9.9, 10.05, 10),
    bar(120, 10.07, 10.2, 10.0, 10.1, 10),
    bar(180, 9.95, 10.0, 9.90, 9.97, 10),
]


def run(rows: Sequence[Any], order: Any, rule: str, **more: Any) -> list[tuple[str, str]]:
    """What one order, decided on row 0, gets: quantity and price."""
    return [
        (quantity, price)
        for _, quantity, price, _ in fills(play(venue_of(fills=rule, **more), rows, {0: [place(order)]}))
    ]


@pytest.mark.parametrize(
    ("rule", "market", "limit"),
    [
        ("touch", "10.02", "10.00"),
        ("same_event", "10.02", "10.00"),
        ("next_event", "10.05", "10.00"),
        ("next_open", "10.05", "10.00"),
    ],
)
def test_simple_rules_on_quotes_fill_whole(rule: str, market: str, limit: str) -> None:
    assert run(QUOTES, ticket("m"), rule) == [("100", market)]
    assert run(QUOTES, ticket("l", limit="10.00"), rule) == [("100", limit)]
    assert run(QUOTES, ticket("l", limit="10.00"), rule, resting_price="touch") == [("100", "9.98")]
    # A sell at 10.03 is met by the bid of the next quote.
    assert run(QUOTES, ticket("l", "SELL", limit="10.03"), rule) == [("100", "10.03")]


def test_conservative_rule_takes_what_is_there() -> None:
    assert run(QUOTES, ticket("m"), "conservative") == [("1", "10.02"), ("1", "10.05"), ("1", "9.98")]


@pytest.mark.parametrize(
    ("rule", "market", "limit", "touched"),
    [
        # A limit of 9.99 is gone through by the third bar, which opens at 9.95; one of 10.00 is touched by the second.
        ("conservative", "10.07", "9.95", "9.95"),
        ("touch", "10.07", "9.95", "10.00"),
        ("next_open", "10.07", "9.95", "10.00"),
        ("same_event", "10.05", "9.99", "10.00"),
        ("next_event", "10.10", "9.99", "10.00"),
    ],
)
def test_rules_on_bars(rule: str, market: str, limit: str, touched: str) -> None:
    part = {"part": (1.0, 1.0, 0.5)}
    share = "5" if rule == "conservative" else "100"
    assert run(BARS, ticket("m"), rule, **part)[0] == (share, market)
    assert run(BARS, ticket("l", limit="9.99"), rule, **part) == [(share, limit)]
    assert run(BARS, ticket("l", limit="10.00"), rule, **part) == [(share, touched)]


def test_market_order_goes_on_from_bar_to_bar() -> None:
    venue = venue_of(part=(1.0, 1.0, 0.5))
    answers = play(venue, BARS, {0: [place(ticket("m", quantity=8))]})
    assert fills(answers) == [("m", "5", "10.07", "taker"), ("m", "3", "9.95", "taker")]
    assert venue.counts["capped_fills"] == 1


@pytest.mark.parametrize(
    ("rule", "market"),
    [("conservative", "10.10"), ("next_open", "9.95"), ("next_event", "10.10"), ("same_event", "10.05")],
)
def test_a_bar_that_had_begun_counts_by_its_close(rule: str, market: str) -> None:
    minute = 60_000_000  # against a latency of 1 ms
    rows = [
        bar(minute, 10.0, 10.1, 9.9, 10.05, 1000, minute),
        bar(2 * minute, 10.07, 10.2, 10.0, 10.1, 1000, minute),
        bar(3 * minute, 9.95, 10.0, 9.9, 9.97, 1000, minute),
    ]
    assert run(rows, ticket("m"), rule, latency=1) == [("100", market)]


def test_resting_limit_in_a_bar_that_had_begun() -> None:
    rows = [bar(60, 10, 10, 10, 10), bar(121, 10, 10, 9.0, 9.5, span=121), bar(180, 9.5, 9.6, 9.5, 9.5)]
    assert run(rows, ticket("l", limit="9.80"), "conservative") == [("100", "9.80")]  # it rested on the way to 9.50
    assert run(rows, ticket("l", limit="10.50"), "conservative") == [("100", "9.50")]  # it took at once
    assert run(rows, ticket("l", limit="9.50"), "conservative") == []
    assert run(rows, ticket("l", limit="9.20"), "conservative") == []  # the low may have come before it


@pytest.mark.parametrize(("side", "limit", "price"), [("BUY", "10.00", "9.95"), ("SELL", "10.00", "10.07")])
def test_resting_price_touch_on_bars(side: str, limit: str, price: str) -> None:
    rows = [BARS[0], BARS[2]] if side == "BUY" else [bar(60, 9.9, 9.9, 9.9, 9.9), BARS[1]]
    assert run(rows, ticket("l", side, limit=limit), "same_event", resting_price="touch") == [("100", price)]


def test_resting_price_touch_on_a_print() -> None:
    rows = [quote(0, 10.0, 10.02), trade(1, 9.95, 100)]
    assert run(rows, ticket("l", limit="10.00"), "touch", resting_price="touch") == [("100", "9.95")]


def test_prints_are_ignored_by_the_rules_of_the_touch_where_quotes_are_known() -> None:
    rows = [quote(0, 10.0, 10.02), trade(1, 9.0), quote(2, 10.0, 10.02)]
    for rule, found in (("same_event", []), ("next_event", []), ("next_open", []), ("touch", [("100", "10.00")])):
        assert run(rows, ticket("l", limit="10.00"), rule) == found


def test_ticks_win_over_bars_from_the_first_one_on() -> None:
    bars = [bar(60, 10, 10, 10, 10), bar(120, 9.0, 9.0, 9.0, 9.0), bar(180, 8.0, 8.0, 8.0, 8.0)]
    rows = [*bars, quote(121, 10.0, 10.02)]
    assert run(rows, ticket("l", limit="9.50"), "conservative") == [("100", "9.00")]
    assert run(rows, ticket("l", limit="8.50"), "conservative") == []
    assert run([*bars, quote(61, 10.0, 10.02)], ticket("l", limit="9.50"), "conservative") == []


def test_volume_that_is_absent_or_nothing() -> None:
    first = bar(60, 10, 10, 10, 10)
    assert run([first, bar(120, 10, 10, 10, 10, NAN)], ticket("m", quantity=999), "conservative") == [("999", "10.00")]
    rows = [first, bar(120, 10, 10, 10, 10, 0), bar(180, 11, 11, 11, 11, 500)]
    assert run(rows, ticket("m"), "conservative") == [("100", "11.00")]
    rows = [first, bar(120, 9, 9, 9, 9, 0), bar(180, 9.5, 11, 9.5, 11, 500)]
    assert run(rows, ticket("l", limit="9.80"), "conservative") == [("100", "9.50")]


# Several orders in one book


def test_a_trail_keeps_its_high_while_other_orders_of_its_book_fill() -> None:
    bars = [bar(60, 10, 10, 10, 10), bar(120, 10, 10.3, 10, 10.25), bar(180, 10.25, 10.3, 10.19, 10.2)]
    trail = ticket("t", "SELL", order_type=OrderType.TRAIL, trail="0.10")
    answers = play(venue_of(), bars, {0: [place(trail), place(ticket("m"))]})
    # The bar of the market order's fill takes the trail to 10.20: its low may have come first, its close lies above.
    assert fills(answers) == [("m", "100", "10.00", "taker"), ("t", "100", "10.20", "taker")]
    quotes = [quote(0, 10.0, 10.02), quote(1, 10.3, 10.32), quote(2, 10.2, 10.22)]
    answers = play(venue_of(fills="next_event"), quotes, {0: [place(trail), place(ticket("m"))]})
    assert fills(answers) == [("m", "100", "10.32", "taker")]  # triggered at 10.20; its first match would come next
    assert said(answers)[-1] == "Accepted t"


def test_entry_in_a_bar_with_a_trailing_child() -> None:
    # Entry at 10.00, then the low of 9.85: a trail of 0.10 from the entry stands at 9.90.
    rows = [bar(60, 10.05, 10.05, 10.05, 10.05), bar(120, 10.05, 10.06, 9.85, 9.95)]
    child = ticket("t", "SELL", order_type=OrderType.TRAIL, trail="0.10", parent="e")
    answers = play(venue_of(), rows, {0: [place(ticket("e", limit="10.00"), child)]})
    assert fills(answers) == [("e", "100", "10.00", "maker"), ("t", "100", "9.90", "taker")]


def test_stop_limit_child_beyond_its_limit_in_the_entry_bar() -> None:
    rows = [bar(60, 10.05, 10.05, 10.05, 10.05), bar(120, 10.05, 10.06, 9.85, 9.95), bar(180, 9.95, 9.96, 9.9, 9.9)]
    child = ticket("s", "SELL", limit="9.92", order_type=OrderType.STOP_LIMIT, stop_price="9.90", parent="e")
    venue = venue_of()
    answers = play(venue, rows, {0: [place(ticket("e", limit="10.00"), child)]})
    # Triggered at 9.90 with a limit above: it rests from the next bar on, which opens at 9.95.
    assert fills(answers) == [("e", "100", "10.00", "maker"), ("s", "100", "9.95", "taker")]
    assert venue.counts["ambiguous_bars"] == 1


def test_a_changed_price_meets_the_queue_anew_while_other_orders_rest() -> None:
    rows: list[Any] = [quote(0, 10.0, 10.02, 50), quote(1, 10.0, 10.02, 50), trade(2, 9.99, 400)]
    actions: dict[int, list[Any]] = {
        0: [place(ticket("a", limit="9.98")), place(ticket("b", limit="9.99"))],
        1: [modify(ticket("a", limit="10.00"))],
    }
    # The print goes through 10.00; at 9.99 nobody knows the queue.
    assert fills(play(venue_of(), rows, actions)) == [("a", "100", "10.00", "maker")]


def test_midprice_takes_only_whole_increments_and_counts_absent_sizes() -> None:
    rows: list[Any] = [quote(0, 10.00, 10.02), trade(1, 10.01, 1), trade(2, 10.01, NAN)]
    venue = venue_of(part=(1.0, 0.5, 1.0))
    order = ticket("m", order_type=OrderType.MIDPRICE)
    assert fills(play(venue, rows, {0: [place(order)]})) == [("m", "100", "10.01", "maker")]
    assert venue.counts["unsized_fills"] == 1


def test_immediate_limit_waits_for_no_second_quote() -> None:
    answers = play(venue_of(fills="next_event"), QUOTES, {0: [place(ticket("i", limit="10.00", tif=Tif.IOC))]})
    assert said(answers) == ["Accepted i", "Cancelled i ioc"]


def test_a_trail_that_holds_learns_from_the_bar_that_fills_another_order() -> None:
    # The second bar fills the market order and takes the high to 10.30: a trail of 0.50 then stands at 9.80.
    bars = [bar(60, 10, 10, 10, 10), bar(120, 10, 10.3, 10, 10.25), bar(180, 10.25, 10.25, 9.79, 9.9)]
    trail = ticket("t", "SELL", order_type=OrderType.TRAIL, trail="0.50")
    answers = play(venue_of(), bars, {0: [place(trail), place(ticket("m"))]})
    assert fills(answers) == [("m", "100", "10.00", "taker"), ("t", "100", "9.80", "taker")]
