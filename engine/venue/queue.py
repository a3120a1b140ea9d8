"""What changes without a word while an order rests: its place in the queue, its trail, whether it still takes.

Nothing of this is kept up row by row. It is worked out from the rows between the place up to which it is known
(`folded`) and the row at which it matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.venue import stops
from engine.venue.working import LIMIT, TRAIL, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

_INF = float("inf")


def fold(book: Book, order: WorkingOrder, row: int) -> None:
    """Bring an order's queue, its trail and whether it still takes up to a row: rows before it are behind us."""
    start = order.folded
    if row < start:
        return
    if order.taking and book.seen_between(start, row):
        order.taking = False
    if order.act is TRAIL:
        order.extreme = stops.extreme_after(book, order, order.extreme, start, row)
    elif order.act is LIMIT and not book.rule.touching and order.ahead > 0:
        order.ahead, waits = size_after(book, order, order.ahead, start, row)
        book.floor.counts["queue_waits"] += waits
    order.folded = row


def size_after(book: Book, order: WorkingOrder, ahead: float, start: int, row: int) -> tuple[float, int]:
    """Size ahead after the rows [start, row), none of which filled the order; and how many prints it waited for."""
    tape = book.tape
    waits = 0
    at = start
    trades = tape.trades
    if trades is not None:
        first, last = trades.first(start), trades.first(row)
        prices = trades.price[first:last]
        reached = np.flatnonzero(prices <= order.hi if order.buy else prices >= order.lo)
        for found in reached.tolist():
            index = first + found
            here = trades.row(index)
            if tape.shut and tape.halted(here):
                continue
            ahead = _displayed(book, order, ahead, at, here)
            price = trades.price.item(index)
            if price < order.lo if order.buy else price > order.hi:
                ahead = 0.0  # through us, too small to fill one increment: whoever stood before us is gone
            if ahead <= 0:
                break
            ahead, _ = past(ahead, trades.size.item(index))
            waits += 1
            at = here
    return _displayed(book, order, ahead, at, row), waits


def _displayed(book: Book, order: WorkingOrder, ahead: float, start: int, row: int) -> float:
    """The queue is never longer than what is displayed at its price, and nothing where the touch is worse than it.

    The quote in force at `start` counts: it says what stands before a new order, and changes nothing for others.
    """
    if ahead <= 0:
        return ahead
    quotes = book.tape.quotes
    first = 0 if quotes is None else quotes.first(start)
    before = book.tape.quote_before
    if first == 0 and before is not None:
        price, size = (before.bid, before.bid_size) if order.buy else (before.ask, before.ask_size)
        if price < order.lo if order.buy else price > order.hi:
            return 0.0
        if order.lo <= price <= order.hi and size < ahead:
            ahead = size
    if quotes is None:
        return ahead
    first, last = max(first - 1, 0), quotes.first(row)
    if order.buy:
        prices, sizes = quotes.bid[first:last], quotes.bid_size[first:last]
        if (prices < order.lo).any():
            return 0.0
        there = sizes[prices <= order.hi]
    else:
        prices, sizes = quotes.ask[first:last], quotes.ask_size[first:last]
        if (prices > order.hi).any():
            return 0.0
        there = sizes[prices >= order.lo]
    if len(there):
        ahead = min(ahead, float(np.fmin.reduce(there, initial=_INF)))
    return ahead


def past(ahead: float, size: float) -> tuple[float, float]:
    """A print at our price: (what is ahead of us after it, what it leaves for us). An unknown size moves nothing."""
    if size != size:
        return ahead, 0.0
    return max(0.0, ahead - size), max(0.0, size - ahead)
