"""The search on ticks: the next row that produces an answer. It changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue import auctions, midprice, queue, stops
from engine.venue.finding import first_at_least, first_at_most
from engine.venue.working import MIDPRICE, OPENING, STOP, TRAIL, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

_INF = float("inf")


def scan(book: Book, start: int, stop: int) -> int:
    """First row in [start, stop), all of them with ticks known, that produces an answer; `stop` if none does."""
    tape = book.tape
    quotes = tape.quotes
    best = stop
    buys, sells = book.buys, book.sells
    if quotes is not None and (buys or sells):
        first, last = quotes.first(start), quotes.first(stop)
        share = 0.0 if book.rule.whole else book.floor.quote_share
        if buys:
            level, index = buys[0].hi, first
            while (index := quotes.first_ask_at_most(level, index, last)) < last:
                if not share or not _too_small(book, quotes.ask_size.item(index) * share):
                    best, last = quotes.row(index), index
                    break
                index += 1
        if sells:
            level, index = sells[0].lo, first
            while (index := quotes.first_bid_at_least(level, index, last)) < last:
                if not share or not _too_small(book, quotes.bid_size.item(index) * share):
                    best = quotes.row(index)
                    break
                index += 1
    if tape.trades is not None and (buys or sells):
        end = best if book.rule.prints else min(best, tape.quotes_from)
        best = min(best, _scan_trades(book, start, end, best))
    for order in book.others:
        best = _scan_other(book, order, start, best)
    return best


def _too_small(book: Book, available: float) -> bool:
    return available == available and not book.has_room(available)


def _scan_trades(book: Book, start: int, stop: int, none: int) -> int:
    """First print in [start, stop) that fills a resting order; `none` if there is none."""
    trades = book.tape.trades
    assert trades is not None
    first, last = trades.first(start), trades.first(stop)
    best = none
    for side, find in ((book.buys, first_at_most), (book.sells, first_at_least)):
        if not side:
            continue
        level = side[0].hi if side[0].buy else side[0].lo
        queues: dict[int, tuple[float, int]] = {}
        index = first
        while (index := find(trades.price, level, index, last)) < last:
            if _fills(book, side, index, queues):
                best, last = trades.row(index), index
                break
            index += 1
    return best


def _fills(book: Book, side: list[WorkingOrder], index: int, queues: dict[int, tuple[float, int]]) -> bool:
    """Say whether a print fills one of a side's orders; `queues` carries the queue of each from print to print."""
    trades = book.tape.trades
    assert trades is not None
    price, size = trades.price.item(index), trades.size.item(index)
    if book.rule.touching:
        return True
    share = book.floor.trade_share
    row = trades.row(index)
    for order in side:
        if price > order.hi if order.buy else price < order.lo:
            return False
        if (price < order.lo if order.buy else price > order.hi) or book.takes(order, row):
            if not _too_small(book, size * share):
                return True
            continue
        ahead, at = queues.get(order.seq, (order.ahead, order.folded))
        if at <= row:
            ahead, _ = queue.size_after(book, order, ahead, at, row)
            ahead, excess = queue.past(ahead, size)
            queues[order.seq] = (ahead, row + 1)
            if excess > 0 and book.has_room(excess * share):
                return True
    return False


def _scan_other(book: Book, order: WorkingOrder, start: int, stop: int) -> int:
    if order.act is STOP or order.act is TRAIL:
        return stops.scan(book, order, start, stop)
    if order.act is MIDPRICE:
        return midprice.scan(book, order, start, stop)
    if order.act is OPENING:
        return auctions.scan(book, order, start, stop)
    return _scan_taker(book, order, start, stop)


def _scan_taker(book: Book, order: WorkingOrder, start: int, stop: int) -> int:
    """A market order, or one that lives for one row: the next row that offers something, or ends it."""
    tape = book.tape
    quotes, trades = tape.quotes, tape.trades
    whole = book.rule.whole
    if quotes is not None:
        index, last = quotes.first(start), quotes.first(stop)
        if order.ioc:
            if index < last:
                stop = quotes.row(index)
        else:
            prices = quotes.ask if order.buy else quotes.bid
            sizes = quotes.ask_size if order.buy else quotes.bid_size
            while (index := first_at_most(prices, _INF, index, last)) < last:
                if whole or not _too_small(book, sizes.item(index) * book.floor.quote_share):
                    stop = quotes.row(index)
                    break
                index += 1
    if trades is not None:
        index, last = trades.first(start), trades.first(min(stop, tape.quotes_from))
        while index < last:
            if order.ioc or whole or not _too_small(book, trades.size.item(index) * book.floor.trade_share):
                return trades.row(index)
            index += 1
    return stop
