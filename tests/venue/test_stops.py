"""Stops, trailing stops and MIDPRICE on quotes, trades and bars, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.domain.market import MarketEvent, Status
from engine.domain.ticket import OrderType, Tif, TrailUnit
from tests.venue.driving import NAN, bar, fills, modify, place, play, quote, said, ticket, trade, venue_of

STP, STL = OrderType.STOP, OrderType.STOP_LIMIT
TRAIL, TRAIL_LIMIT, MID = OrderType.TRAIL, OrderType.TRAIL_LIMIT, OrderType.MIDPRICE


def run(rows: Sequence[Any], *orders: Any, **more: Any) -> list[Any]:
    """Orders decided on row 0, nothing in the way."""
    return play(venue_of(**more), rows, {0: [place(order) for order in orders]})


def stop(side: str, level: str, **more: Any) -> Any:
    return ticket(
        "s",
        side,
        more.pop("quantity", 100),
        more.pop("limit", None),
        stop_price=level,
        order_type=more.pop("order_type", STP),
        **more,
    )


@pytest.mark.parametrize(
    ("trigger", "at"),
    [("default", "9.90"), ("last", "9.90"), ("bid_ask", "9.95")],
)
def test_which_price_triggers(trigger: str, at: str) -> None:
    # The bid is at the stop first (a fill at 9.95), a print only after the bid has gone on to 9.90.
    rows = [trade(0, 10.0), quote(1, 10.0, 10.02), quote(2, 9.95, 9.97), quote(3, 9.90, 9.92), trade(4, 9.93)]
    order = stop("SELL", "9.95")
    assert fills(run(rows, order, stop_trigger=trigger)) == [("s", "100", at, "taker")]


def test_without_any_print_the_quote_triggers() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 10.01, 10.04), quote(2, 10.03, 10.05)]
    answers = run(rows, stop("BUY", "10.05"))
    assert fills(answers) == [("s", "100", "10.05", "taker")]
    assert said(answers) == ["Accepted s", "Accepted s", "Filled s"]  # on the book; triggered; done


def test_last_never_triggers_on_quotes_alone() -> None:
    assert fills(run([quote(0, 10.0, 10.02), quote(1, 11.0, 11.02)], stop("BUY", "10.05"), stop_trigger="last")) == []


def test_a_stop_beyond_the_market_triggers_on_arrival() -> None:
    assert fills(run([quote(0, 10.0, 10.02)], stop("SELL", "10.01"))) == [("s", "100", "10.00", "taker")]


def test_stop_limit_rests_where_the_market_has_jumped_over_it() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 10.08, 10.10), quote(2, 10.05, 10.06), quote(3, 10.05, 10.06, ask_size=7)]
    answers = run(rows, stop("BUY", "10.05", limit="10.06", order_type=STL, quantity=150))
    assert fills(answers) == [("s", "100", "10.06", "maker"), ("s", "7", "10.06", "maker")]


def test_trail_follows_the_best_price_and_no_further() -> None:
    # High 10.30 puts the stop of a trail of 0.10 at 10.20; 10.21 holds, 10.20 does not.
    bids = [10.0, 10.30, 10.21, 10.25, 10.20]
    rows: list[MarketEvent] = [quote(at, bid, bid + 0.02) for at, bid in enumerate(bids)]
    assert fills(run(rows, ticket("s", "SELL", order_type=TRAIL, trail="0.10"))) == [("s", "100", "10.20", "taker")]


def test_trail_of_a_buy_in_percent() -> None:
    # Low ask 10.00: 1 % above is 10.10.
    asks = [10.20, 10.00, 10.09, 10.10]
    rows: list[MarketEvent] = [quote(at, ask - 0.02, ask) for at, ask in enumerate(asks)]
    order = ticket("s", "BUY", order_type=TRAIL, trail="1", trail_unit=TrailUnit.PERCENT)
    assert fills(run(rows, order)) == [("s", "100", "10.10", "taker")]


def test_trail_starts_from_the_stop_it_is_given() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 9.96, 9.98), quote(2, 9.95, 9.97)]
    for unit, trail in ((TrailUnit.AMOUNT, "0.50"), (TrailUnit.PERCENT, "5")):
        order = ticket("s", "SELL", order_type=TRAIL, trail=trail, trail_unit=unit, stop_price="9.95")
        assert fills(run(rows, order)) == [("s", "100", "9.95", "taker")]


def test_trail_limit_sets_its_limit_when_it_triggers() -> None:
    # Stop 10.20 - limit 10.18. The bid has fallen to 10.10: it rests, and fills when the bid is back at 10.18.
    rows: list[MarketEvent] = [quote(at, bid, bid + 0.02) for at, bid in enumerate([10.0, 10.30, 10.10, 10.17, 10.18])]
    order = ticket("s", "SELL", order_type=TRAIL_LIMIT, trail="0.10", limit_offset="0.02")
    assert fills(run(rows, order)) == [("s", "100", "10.18", "maker")]


def test_trail_over_more_rows_than_a_block() -> None:
    rows: list[MarketEvent] = [quote(at, 10.0 + (at % 5) / 100, 11.0) for at in range(1500)]
    rows += [quote(1500, 9.95, 11.0), quote(1501, 9.94, 11.0)]
    assert fills(run(rows, ticket("s", "SELL", order_type=TRAIL, trail="0.10"))) == [("s", "100", "9.94", "taker")]


def test_modified_stop_moves() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 9.96, 9.98), quote(2, 9.91, 9.93)]
    lower = modify(stop("SELL", "9.91"))
    answers = play(venue_of(), rows, {0: [place(stop("SELL", "9.95")), lower]})
    assert fills(answers) == [("s", "100", "9.91", "taker")]


# Bars


@pytest.mark.parametrize(
    ("side", "level", "row", "price"),
    [
        ("SELL", "9.90", bar(120, 9.95, 10.0, 9.90, 9.97), "9.90"),  # touched inside
        ("SELL", "9.90", bar(120, 9.80, 10.0, 9.70, 9.97), "9.80"),  # opened beyond: the open
        ("BUY", "10.05", bar(120, 10.0, 10.05, 9.9, 10.0), "10.05"),
        ("BUY", "10.05", bar(120, 10.2, 10.3, 9.9, 10.0), "10.20"),
        ("SELL", "9.90", bar(121, 9.95, 10.0, 9.80, 9.85, span=121), "9.85"),  # had begun: only its close counts
        ("SELL", "9.90", bar(121, 9.95, 10.0, 9.80, 9.95, span=121), None),
        ("SELL", "9.90", bar(120, 9.95, 10.0, 9.91, 9.97), None),
    ],
)
def test_stop_on_a_bar(side: str, level: str, row: MarketEvent, price: str | None) -> None:
    found = fills(run([bar(60, 10, 10, 10, 10), row], stop(side, level)))
    assert found == ([] if price is None else [("s", "100", price, "taker")])


def test_stop_limit_on_bars() -> None:
    first = bar(60, 10, 10, 10, 10)
    through = bar(120, 10, 10.2, 9.9, 10.1)
    order = stop("BUY", "10.05", limit="10.10", order_type=STL)
    assert fills(run([first, through], order)) == [("s", "100", "10.05", "taker")]
    gap = bar(120, 10.3, 10.4, 10.2, 10.3)
    back = bar(180, 10.2, 10.2, 10.05, 10.1)
    assert fills(run([first, gap, back], order)) == [("s", "100", "10.10", "maker")]
    below = stop("BUY", "10.05", limit="10.00", order_type=STL)
    venue = venue_of()
    answers = play(venue, [first, through, back, bar(240, 10.1, 10.1, 9.99, 10.0)], {0: [place(below)]})
    assert fills(answers) == [("s", "100", "10.00", "maker")]  # not in the bar that triggered it
    assert venue.counts["ambiguous_bars"] == 1


@pytest.mark.parametrize(
    ("row", "price", "doubt"),
    [
        (bar(120, 10.0, 10.05, 9.90, 9.95), "9.90", 0),  # the stop of before, 9.90, is in the range
        (bar(120, 10.0, 10.20, 9.95, 10.05), "10.10", 0),  # close below 10.20 - 0.10: triggered on the way down
        (bar(120, 10.0, 10.20, 9.95, 10.15), "10.10", 1),  # low first or high first?
        (bar(120, 9.85, 10.20, 9.80, 10.15), "9.85", 0),  # opened beyond
        (bar(120, 10.0, 10.04, 9.96, 10.0), None, 0),
    ],
)
def test_trail_on_a_bar(row: MarketEvent, price: str | None, doubt: int) -> None:
    venue = venue_of()
    order = ticket("s", "SELL", order_type=TRAIL, trail="0.10")
    found = fills(play(venue, [bar(60, 10, 10, 10, 10), row], {0: [place(order)]}))
    assert found == ([] if price is None else [("s", "100", price, "taker")])
    assert venue.counts["ambiguous_bars"] == doubt


def test_trail_follows_over_bars() -> None:
    # 10.00, then a high of 10.30: the stop of a trail of 0.50 stands at 9.80.
    rows = [
        bar(60, 10, 10, 10, 10),
        bar(120, 10, 10.3, 10, 10.2),
        bar(180, 10.2, 10.2, 9.81, 10),
        bar(240, 10, 10, 9.8, 9.9),
    ]
    assert fills(run(rows, ticket("s", "SELL", order_type=TRAIL, trail="0.50"))) == [("s", "100", "9.80", "taker")]


# MIDPRICE


def test_midprice_fills_at_the_mid_when_a_print_comes_to_it() -> None:
    rows = [quote(0, 10.00, 10.03), trade(1, 10.02), trade(2, 10.01, 60)]
    answers = run(rows, ticket("m", "BUY", order_type=MID), part=(1.0, 0.5, 1.0))
    assert fills(answers) == [("m", "30", "10.015", "maker")]  # 10.02 is above the mid; half a tick is a price here


def test_midprice_fills_when_the_other_side_comes_to_the_old_mid() -> None:
    rows = [quote(0, 10.00, 10.04), quote(1, 9.98, 10.02), quote(2, 9.98, 10.02)]
    assert fills(run(rows, ticket("m", "BUY", order_type=MID))) == [("m", "100", "10.02", "maker")]
    rows = [quote(0, 10.00, 10.04), quote(1, 10.02, 10.06, bid_size=30), quote(2, 10.02, 10.06)]
    assert fills(run(rows, ticket("m", "SELL", order_type=MID))) == [("m", "30", "10.02", "maker")]


def test_midprice_keeps_its_limit() -> None:
    rows = [quote(0, 10.00, 10.04), trade(1, 10.02), trade(2, 10.01)]
    order = ticket("m", "BUY", limit="10.01", order_type=MID)
    assert fills(run(rows, order)) == [("m", "100", "10.01", "maker")]
    rows = [quote(0, 10.00, 10.04), trade(1, 10.02), trade(2, 10.03)]
    order = ticket("m", "SELL", limit="10.03", order_type=MID)
    assert fills(run(rows, order)) == [("m", "100", "10.03", "maker")]


def test_midprice_needs_both_sides() -> None:
    assert fills(run([quote(0, NAN, 10.04), trade(1, 9.0), quote(2, 9.0, 9.02)], ticket("m", order_type=MID))) == []
    assert fills(run([bar(60, 10, 10, 10, 10), bar(120, 9, 9, 9, 9)], ticket("m", order_type=MID))) == []


# Halts


def test_nothing_triggers_or_fills_in_a_halt() -> None:
    rows: list[MarketEvent] = [
        quote(0, 10.0, 10.02),
        Status(1, 1, "halted"),
        quote(2, 9.0, 9.02),
        trade(3, 9.0),
        Status(4, 1, "open"),
        quote(5, 9.96, 9.98),
        quote(6, 9.94, 9.96),
    ]
    limit = ticket("l", "BUY", limit="9.50")
    answers = run(rows, stop("SELL", "9.95"), limit, stop_trigger="bid_ask")
    assert fills(answers) == [("s", "100", "9.94", "taker")]


def test_market_order_in_a_halt_waits_for_the_quote_after_it() -> None:
    rows: list[MarketEvent] = [
        quote(0, 10.0, 10.02),
        Status(1, 1, "halted"),
        Status(9, 1, "open"),
        quote(10, 11.0, 11.02),
    ]
    now = play(venue_of(), rows, {1: [place(ticket("m")), place(ticket("i", tif=Tif.IOC, limit="12.00"))]})
    assert fills(now) == [("m", "100", "11.02", "taker")]
    assert "Cancelled i ioc" in said(now)
