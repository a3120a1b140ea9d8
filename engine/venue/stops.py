"""Stops and trailing stops: which price triggers them, how a trail follows, what they become.

A triggered order is announced by a second `Accepted` and meets the market at once, as if it had just arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.domain.columns import Floats
from engine.domain.ticket import OrderType, TrailUnit
from engine.venue.finding import first_at_least, first_at_most
from engine.venue.tape import Rows
from engine.venue.working import LIMIT, MARKET, TRAIL, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

_BLOCK = 512
_PERCENT = 0.01


def trail_stop(order: WorkingOrder, extreme: float) -> float:
    """The stop of a trailing order after a price extreme: below a high for a sell, above a low for a buy."""
    percent = order.ticket.trail_unit is TrailUnit.PERCENT
    distance = abs(extreme) * order.offset * _PERCENT if percent else order.offset
    return extreme + distance if order.buy else extreme - distance


def extreme_of(order: WorkingOrder, stop: float) -> float:
    """The price extreme that gives a trailing order this stop (the stop a ticket starts with)."""
    if order.ticket.trail_unit is TrailUnit.PERCENT:
        part = order.offset * _PERCENT
        return stop / (1 + part if order.buy else 1 - part)
    return stop - order.offset if order.buy else stop + order.offset


def stop_level(order: WorkingOrder) -> float:
    """Where an order triggers now; NaN for a trail that has seen no price yet."""
    return trail_stop(order, order.extreme) if order.act is TRAIL else order.stop


def is_beyond(book: Book, order: WorkingOrder, price: float, level: float) -> bool:
    """Say whether a price triggers a stop at a level; NaN does not."""
    return price >= level - book.hair if order.buy else price <= level + book.hair


def follow(order: WorkingOrder, extreme: float, price: float) -> float:
    """The extreme after one more price."""
    if price != price:
        return extreme
    if extreme != extreme:
        return price
    return min(extreme, price) if order.buy else max(extreme, price)


def trigger(book: Book, order: WorkingOrder, now_ns: int, level: float) -> None:
    """Turn a stop into what it becomes; the caller lets it meet the market. It stands on no list afterwards."""
    book.drop(order)
    order.triggered = True
    book.floor.accept(order, now_ns)
    kind = order.ticket.order_type
    if kind is OrderType.STOP or kind is OrderType.TRAIL:
        order.act = MARKET
        return
    order.act = LIMIT
    if kind is OrderType.STOP_LIMIT:
        limit = order.ticket.limit_price
    else:
        beyond = order.ticket.limit_offset
        assert beyond is not None
        stop = book.instrument.price(level)
        limit = stop + beyond if order.buy else stop - beyond
        limit = book.instrument.price(float(limit))
    assert limit is not None
    book.set_limit(order, limit)


def beyond_on_arrival(book: Book, order: WorkingOrder, now_ns: int, row: int, *, opening: bool) -> bool:
    """Trigger a stop that is beyond its level as it arrives; on bars it waits for the next one.

    Returns: True if it triggered (and has gone its way).
    """
    price = _known(book, order, row)
    if order.act is TRAIL and order.extreme != order.extreme:
        order.extreme = price
        return False
    if (
        opening
        or row <= book.tape.ticks_from
        or not is_beyond(book, order, price, stop_level(order))
        or book.tape.halted(row)
    ):
        return False
    trigger(book, order, now_ns, stop_level(order))
    book.enter(order, now_ns, row)
    return True


def _known(book: Book, order: WorkingOrder, row: int) -> float:
    """The last price of the kind that triggers this order, before a row; NaN if there is none."""
    tape = book.tape
    source = book.floor.stop_trigger
    if source == "last" or (source == "default" and row > tape.trades_from):
        price = tape.last_trade(row)
        if price is not None:
            return price
    elif (touch := tape.touch(row)) is not None:
        return touch[1] if order.buy else touch[0]
    bar = tape.last_bar(row)
    return float("nan") if bar is None or row > tape.ticks_from else bar.close


def on_quote(book: Book, order: WorkingOrder, index: int, row: int, now_ns: int) -> None:
    """A quote where quotes trigger: the ask for a buy, the bid for a sell."""
    source = book.floor.stop_trigger
    if source == "last" or (source == "default" and row > book.tape.trades_from):
        return
    quotes = book.tape.quotes
    assert quotes is not None
    _on_price(book, order, quotes.ask.item(index) if order.buy else quotes.bid.item(index), row, now_ns)


def on_trade(book: Book, order: WorkingOrder, price: float, row: int, now_ns: int) -> None:
    """A print where prints trigger."""
    if book.floor.stop_trigger != "bid_ask":
        _on_price(book, order, price, row, now_ns)


def _on_price(book: Book, order: WorkingOrder, price: float, row: int, now_ns: int) -> None:
    if order.act is TRAIL:
        order.extreme = extreme_after(book, order, order.extreme, order.folded, row)
        order.folded = row
    level = stop_level(order)
    if is_beyond(book, order, price, level):
        trigger(book, order, now_ns, level)
        book.enter(order, now_ns, row + 1)


def _series(book: Book, order: WorkingOrder, start: int, stop: int) -> list[tuple[Rows, Floats, int, int]]:
    """The price series that trigger an order in [start, stop), in order: rows, prices, index range."""
    tape = book.tape
    source = book.floor.stop_trigger
    series: list[tuple[Rows, Floats, int, int]] = []
    until = {"default": tape.trades_from, "last": start, "bid_ask": stop}[source]
    if tape.quotes is not None and start < min(stop, until):
        prices = tape.quotes.ask if order.buy else tape.quotes.bid
        series.append((tape.quotes, prices, tape.quotes.first(start), tape.quotes.first(min(stop, until))))
    if tape.trades is not None and source != "bid_ask":
        series.append((tape.trades, tape.trades.price, tape.trades.first(start), tape.trades.first(stop)))
    return series


def extreme_after(book: Book, order: WorkingOrder, extreme: float, start: int, row: int) -> float:
    """A trail's extreme after the rows [start, row), none of which triggered it."""
    tape = book.tape
    for first, last in tape.open_runs(start, row):
        if first < tape.ticks_from and tape.bars is not None:
            extreme = book.bar_extreme(order, extreme, first, min(last, tape.ticks_from))
        for _, prices, low, high in _series(book, order, max(first, tape.ticks_from), last):
            if low < high:
                part = prices[low:high]
                best = float(np.fmin.reduce(part) if order.buy else np.fmax.reduce(part))
                extreme = follow(order, extreme, best)
    return extreme


def scan(book: Book, order: WorkingOrder, start: int, stop: int) -> int:
    """First row in [start, stop), all of them with ticks known, that triggers an order; `stop` if none does."""
    trails = order.act is TRAIL
    extreme = extreme_after(book, order, order.extreme, order.folded, start) if trails else 0.0
    for rows, prices, first, last in _series(book, order, start, stop):
        if trails:
            found, extreme = _first_trail(book, order, prices, extreme, first, last)
        elif order.buy:
            found = first_at_least(prices, order.stop - book.hair, first, last)
        else:
            found = first_at_most(prices, order.stop + book.hair, first, last)
        if found < last:
            return rows.row(found)
    return stop


def _first_trail(
    book: Book, order: WorkingOrder, prices: Floats, extreme: float, first: int, last: int
) -> tuple[int, float]:
    """First index at which a trail triggers (`last`: none), and the extreme before it."""
    size = _BLOCK
    percent = order.ticket.trail_unit is TrailUnit.PERCENT
    while first < last:
        end = min(first + size, last)
        part = prices[first:end]
        chain = np.concatenate(((extreme,), part))
        chain = (np.fmin if order.buy else np.fmax).accumulate(chain)[:-1]
        distance = np.abs(chain) * (order.offset * _PERCENT) if percent else order.offset
        beyond = part >= chain + distance - book.hair if order.buy else part <= chain - distance + book.hair
        found = beyond.tobytes().find(1)
        if found >= 0:
            return first + found, float(chain[found])
        extreme = follow(order, float(chain[-1]), float(part[-1]))
        first = end
        size *= 4
    return last, extreme
