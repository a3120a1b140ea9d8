"""MIDPRICE orders: pegged to the middle of bid and ask, never beyond their limit.

They hold no place in a queue. They fill when somebody comes to the mid: a print at it or better, or the opposite touch
moving to where the mid was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.domain.columns import Floats
from engine.venue.working import WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

_BLOCK = 4096


def _peg(book: Book, row: int) -> tuple[float, float, float, float] | None:
    """The quote in force before a row if it has two sides."""
    touch = book.tape.touch(row)
    if touch is None or touch[0] != touch[0] or touch[1] != touch[1]:
        return None
    return touch


def _reaches(book: Book, order: WorkingOrder, touch: tuple[float, float, float, float], price: float) -> bool:
    """Say whether a price comes to the mid, or to the limit where that is worse for the other side."""
    mid = (touch[0] + touch[1]) * 0.5
    if order.buy:
        return price <= (mid if order.limit is None else min(mid, order.hi)) + book.hair
    return price >= (mid if order.limit is None else max(mid, order.lo)) - book.hair


def _fill(
    book: Book, order: WorkingOrder, touch: tuple[float, float, float, float], available: float, now_ns: int
) -> None:
    flags: tuple[str, ...] = ()
    quantity = order.left
    if not book.rule.whole:
        if available != available:
            flags = ("unsized",)
        else:
            quantity = book.portion(order, available)
            if not quantity:
                return
            if quantity < order.left:
                flags = ("capped",)
    # Exact, and at half a tick where the spread is odd: that is where such orders trade.
    mid = (book.instrument.price(touch[0]) + book.instrument.price(touch[1])) / 2
    if order.limit is not None:
        mid = min(mid, order.limit) if order.buy else max(mid, order.limit)
    book.floor.fill(order, quantity, mid, now_ns, maker=True, flags=flags)


def on_quote(book: Book, order: WorkingOrder, index: int, row: int, now_ns: int) -> None:
    """A new quote: filled at the mid of the quote before, if the opposite touch has come to it."""
    quotes = book.tape.quotes
    assert quotes is not None
    touch = _peg(book, row)
    if touch is None:
        return
    price, size = (quotes.ask, quotes.ask_size) if order.buy else (quotes.bid, quotes.bid_size)
    if _reaches(book, order, touch, price.item(index)):
        _fill(book, order, touch, size.item(index) * book.floor.quote_share, now_ns)


def on_trade(book: Book, order: WorkingOrder, price: float, size: float, row: int, now_ns: int) -> None:
    """A print: filled at the mid of the quote in force, if it is there or better."""
    touch = _peg(book, row)
    if touch is not None and _reaches(book, order, touch, price):
        _fill(book, order, touch, size * book.floor.trade_share, now_ns)


def scan(book: Book, order: WorkingOrder, start: int, stop: int) -> int:
    """First row in [start, stop) that fills it; `stop` if none does."""
    while start < stop:
        end = min(start + _BLOCK, stop)
        found = _scan_block(book, order, start, end)
        if found < end:
            return found
        start = end
    return stop


def _scan_block(book: Book, order: WorkingOrder, start: int, stop: int) -> int:
    tape = book.tape
    whole = book.rule.whole
    pegs, first, last = _pegs(book, order, start, stop)
    if tape.quotes is not None and first < last:
        prices = (tape.quotes.ask if order.buy else tape.quotes.bid)[first:last]
        sizes = tape.quotes.ask_size if order.buy else tape.quotes.bid_size
        for found in _reached(book, order, prices, pegs[:-1]):
            if whole or _some(book, sizes.item(first + found) * book.floor.quote_share):
                stop = tape.quotes.row(first + found)
                break
    if tape.trades is not None:
        low, high = tape.trades.first(start), tape.trades.first(stop)
        if low < high:
            rows = tape.trades.at
            if tape.quotes is None or tape.quotes.at is None or rows is None:  # one kind alone: no quote comes between
                mine = np.full(high - low, pegs[0])
            else:
                mine = pegs[np.searchsorted(tape.quotes.at[first:last], rows[low:high])]
            for found in _reached(book, order, tape.trades.price[low:high], mine):
                if whole or _some(book, tape.trades.size.item(low + found) * book.floor.trade_share):
                    return tape.trades.row(low + found)
    return stop


def _pegs(book: Book, order: WorkingOrder, start: int, stop: int) -> tuple[Floats, int, int]:
    """The peg just before `start` and after each quote in [start, stop), and the index range of those quotes."""
    before = book.tape.touch(start)
    mids = np.array([float("nan") if before is None else (before[0] + before[1]) * 0.5])
    quotes = book.tape.quotes
    first = last = 0
    if quotes is not None:
        first, last = quotes.first(start), quotes.first(stop)
        mids = np.concatenate((mids, (quotes.bid[first:last] + quotes.ask[first:last]) * 0.5))
    if order.limit is not None:  # minimum and maximum keep NaN, and so "no peg"
        mids = np.minimum(mids, order.hi) if order.buy else np.maximum(mids, order.lo)
    return mids, first, last


def _reached(book: Book, order: WorkingOrder, prices: Floats, pegs: Floats) -> list[int]:
    there = prices <= pegs + book.hair if order.buy else prices >= pegs - book.hair
    return np.flatnonzero(there).tolist()


def _some(book: Book, available: float) -> bool:
    return available != available or book.has_room(available)
