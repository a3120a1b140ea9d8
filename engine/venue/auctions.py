"""The open and the close: OPG, MOC and LOC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.domain.moments import NS_PER_MINUTE
from engine.venue.working import WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

# Minutes before the auction after which the exchange takes, changes and cancels no such order any more (NYSE: two
# before the open; ten before the close).
OPEN_CUTOFF_NS: Final = 2 * NS_PER_MINUTE
CLOSE_CUTOFF_NS: Final = 10 * NS_PER_MINUTE


def _allowed(order: WorkingOrder, price: float) -> bool:
    if order.limit is None:
        return True
    return price <= order.hi if order.buy else price >= order.lo


def open_at(book: Book, order: WorkingOrder, price: float, now_ns: int) -> None:
    """The open auction has a price: fill the order whole, or end it."""
    if price == price and _allowed(order, price):
        money = book.instrument.price(price)
        book.floor.fill(order, order.left, money, now_ns, maker=False, flags=("auction", "at_open"))
    elif price == price:
        book.floor.cancel(order, now_ns, "opg")


def close_at(book: Book, order: WorkingOrder, now_ns: int, row: int) -> None:
    """The session closes: fill the order at the last trade, else at the touch, else at the last bar's close."""
    tape = book.tape
    if tape.halted(row):
        book.floor.cancel(order, now_ns, "halted")
        return
    price = tape.last_trade(row)
    if price is None and (touch := tape.touch(row)) is not None:
        price = touch[1] if order.buy else touch[0]
    if price is None and (bar := tape.last_bar(row)) is not None:
        price = bar.close
    if price is None or price != price:
        book.floor.cancel(order, now_ns, "no_price")
    elif _allowed(order, price):
        money = book.instrument.price(price)
        book.floor.fill(order, order.left, money, now_ns, maker=False, flags=("auction", "at_close"))
    else:
        book.floor.cancel(order, now_ns, "loc")


def scan(book: Book, order: WorkingOrder, start: int, stop: int) -> int:
    """First row in [start, stop), all of them with ticks known, that prices the open; `stop` if none does."""
    tape = book.tape
    if tape.trades is not None:
        index = tape.trades.first(start)
        if index < tape.trades.length:
            stop = min(stop, tape.trades.row(index))
    if tape.quotes is not None:
        prices = tape.quotes.ask if order.buy else tape.quotes.bid
        first, last = tape.quotes.first(start), tape.quotes.first(min(stop, tape.trades_from))
        for index in range(first, last):
            if prices.item(index) == prices.item(index):
                return tape.quotes.row(index)
    return stop
