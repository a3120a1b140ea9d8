"""Matching on quotes and trades."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue import auctions, midprice, queue, stops
from engine.venue.rules import BarPrice
from engine.venue.working import DONE, LIMIT, MARKET, MIDPRICE, OPENING, STOP, TRAIL, WORKING, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

_INF = float("inf")
_NAN = float("nan")


# Arrival


def meet(book: Book, order: WorkingOrder, now_ns: int, row: int, *, opening: bool = False) -> bool:
    """Match an order that has just become live against what rows before `row` show.

    Returns: True if it is to stand on the book now; False if it is over, or stands there already.
    """
    act = order.act
    if act is not MARKET and act is not LIMIT:
        if act is STOP or act is TRAIL:
            return not stops.beyond_on_arrival(book, order, now_ns, row, opening=opening)
        return True
    tape = book.tape
    rule = book.rule
    shut = opening or (bool(tape.shut) and tape.halted(row))
    tried = False
    if row > tape.quotes_from:
        touch = tape.touch(row)
        assert touch is not None
        price = touch[1] if order.buy else touch[0]
        if act is MARKET or (price <= order.hi if order.buy else price >= order.lo):
            if shut or not rule.arrival:
                order.taking = True
            else:
                tried = True
                _take_quote(book, order, tape.quote_index(row), touch, now_ns)
        tried = tried or (rule.arrival and not shut)
    else:
        tried = _meet_prints_or_bar(book, order, now_ns, row, shut)
    if order.stand is DONE:
        return False
    if order.ioc and (tried or shut):
        book.floor.cancel(order, now_ns, "ioc")
        return False
    return True


def _meet_prints_or_bar(book: Book, order: WorkingOrder, now_ns: int, row: int, shut: bool) -> bool:
    """No quote is known: the last trade or the last bar's close says whether the order is marketable."""
    tape = book.tape
    if row > tape.trades_from:
        price = tape.last_trade(row)
        flags: tuple[str, ...] = ()
    else:
        bar = tape.last_bar(row)
        price, flags = (None if bar is None else bar.close), ("at_close",)
    if price is None:
        return False
    known = book.rule.bar is BarPrice.KNOWN_CLOSE and not shut
    if order.act is MARKET or (price <= order.hi if order.buy else price >= order.lo):
        if known:
            money = book.taker_price(order, price, order.left, _NAN, _NAN)
            book.floor.fill(order, order.left, money, now_ns, maker=False, flags=flags)
        else:
            order.taking = True
    return known


def _take_quote(
    book: Book, order: WorkingOrder, index: int, touch: tuple[float, float, float, float], now_ns: int
) -> None:
    """Take what the touch offers; what our own orders took of this quote before is gone."""
    bid, ask, bid_size, ask_size = touch
    price, size = (ask, ask_size) if order.buy else (bid, bid_size)
    if price != price:
        return
    flags: tuple[str, ...] = ()
    if book.rule.whole:
        quantity = order.left
    elif size != size:
        quantity, flags = order.left, ("unsized",)
    else:
        quantity = _from_quote(book, order, index, size)
        if not quantity:
            return
        if quantity < order.left:
            flags = ("capped",)
    money = book.taker_price(order, price, quantity, size, ask - bid)
    book.floor.fill(order, quantity, money, now_ns, maker=False, flags=flags)


def _from_quote(book: Book, order: WorkingOrder, index: int, size: float) -> Decimal:
    """Take from a quote's displayed size, and remember it."""
    gone = taken(book, index, asks=order.buy)
    quantity = book.portion(order, size * book.floor.quote_share - gone)
    if quantity:
        take(book, index, float(quantity), asks=order.buy)
    return quantity


def taken(book: Book, index: int, *, asks: bool) -> float:
    """How much of one side of a quote our own orders have taken already."""
    if book.taken_index != index:
        return 0.0
    return book.taken_buy if asks else book.taken_sell


def take(book: Book, index: int, units: float, *, asks: bool) -> None:
    """Remember that `units` of one side of a quote are gone, until the next quote."""
    if book.taken_index != index:
        book.taken_index = index
        book.taken_buy = book.taken_sell = 0.0
    if asks:
        book.taken_buy += units
    else:
        book.taken_sell += units
    for combo in book.watchers:
        combo.changed()  # what its last search found counted on this size


# Rows


def on_quote(book: Book, index: int, row: int, now_ns: int) -> None:
    """A new quote: stops look at it, market orders take it, resting limits that it crosses are filled."""
    quotes = book.tape.quotes
    assert quotes is not None
    touch = quotes.touch(index)
    bid, ask = touch[:2]
    book.floor.row = row + 1
    for order in tuple(book.others):
        if order.stand is not WORKING:
            continue
        if order.act is MARKET or order.act is LIMIT:
            if order.act is MARKET or (ask <= order.hi if order.buy else bid >= order.lo):
                _take_quote(book, order, index, touch, now_ns)
            if order.ioc and order.stand is WORKING:
                book.floor.cancel(order, now_ns, "ioc")
        elif order.act is MIDPRICE:
            midprice.on_quote(book, order, index, row, now_ns)
        elif order.act is OPENING:
            if row < book.tape.trades_from:
                auctions.open_at(book, order, ask if order.buy else bid, now_ns)
        else:
            stops.on_quote(book, order, index, row, now_ns)
    for order in tuple(book.buys):
        if not ask <= order.hi:
            break
        if order.stand is WORKING:
            _rest_on_quote(book, order, index, row, touch, now_ns)
    for order in tuple(book.sells):
        if not bid >= order.lo:
            break
        if order.stand is WORKING:
            _rest_on_quote(book, order, index, row, touch, now_ns)


def _rest_on_quote(
    book: Book, order: WorkingOrder, index: int, row: int, touch: tuple[float, float, float, float], now_ns: int
) -> None:
    if order.taking:
        queue.fold(book, order, row)
        if order.taking:
            _take_quote(book, order, index, touch, now_ns)
            order.taking = False
            return
    assert order.limit is not None
    flags: tuple[str, ...] = ()
    quantity = order.left
    size = touch[3] if order.buy else touch[2]
    if not book.rule.whole:
        if size != size:
            flags = ("unsized",)
        else:
            quantity = _from_quote(book, order, index, size)
            if not quantity:
                return
            if quantity < order.left:
                flags = ("capped",)
    price = order.limit
    if book.floor.at_touch:
        price = book.instrument.price(touch[1] if order.buy else touch[0])
    book.floor.fill(order, quantity, price, now_ns, maker=True, flags=flags)


def on_trade(book: Book, index: int, row: int, now_ns: int) -> None:
    """A print: stops look at it; resting limits are filled by what trades through them, or at them past the queue."""
    tape = book.tape
    trades = tape.trades
    assert trades is not None
    price, size = trades.price.item(index), trades.size.item(index)
    room = _Room(book, size)
    quoted = row > tape.quotes_from
    book.floor.row = row + 1
    for order in tuple(book.others):
        if order.stand is not WORKING:
            continue
        if order.act is MARKET or order.act is LIMIT:
            if quoted:
                continue
            if order.act is MARKET or (price <= order.hi if order.buy else price >= order.lo):
                room.take(order, price, now_ns)
            if order.ioc and order.stand is WORKING:
                book.floor.cancel(order, now_ns, "ioc")
        elif order.act is MIDPRICE:
            midprice.on_trade(book, order, price, size, row, now_ns)
        elif order.act is OPENING:
            auctions.open_at(book, order, price, now_ns)
        else:
            stops.on_trade(book, order, price, row, now_ns)
    if quoted and not book.rule.prints:
        return
    for order in tuple(book.buys):
        if not price <= order.hi:
            break
        if order.stand is WORKING:
            _rest_on_trade(book, order, price, size, row, room, now_ns)
    for order in tuple(book.sells):
        if not price >= order.lo:
            break
        if order.stand is WORKING:
            _rest_on_trade(book, order, price, size, row, room, now_ns)


def _rest_on_trade(
    book: Book, order: WorkingOrder, price: float, size: float, row: int, room: _Room, now_ns: int
) -> None:
    queue.fold(book, order, row)
    order.folded = row + 1  # this print is dealt with here
    through = price < order.lo if order.buy else price > order.hi
    if through:
        order.ahead = 0.0
    if order.taking:
        order.taking = False
        room.take(order, price, now_ns)
        return
    most = _INF
    if not book.rule.touching and not through:
        ahead = order.ahead
        order.ahead, excess = queue.past(ahead, size)
        if not excess > 0:
            if ahead > 0:
                book.floor.counts["queue_waits"] += 1
            return
        most = excess * book.floor.trade_share
    assert order.limit is not None
    limit = book.instrument.price(price) if book.floor.at_touch else order.limit
    room.fill(order, most, limit, now_ns, maker=True)


class _Room:
    """What one print leaves for our orders, all of them together."""

    __slots__ = ("book", "left", "size")

    def __init__(self, book: Book, size: float) -> None:
        self.book = book
        self.size = size
        self.left = _INF if book.rule.whole or size != size else size * book.floor.trade_share

    def take(self, order: WorkingOrder, price: float, now_ns: int) -> None:
        """Fill a taker at the print's price: no quote is known."""
        quantity = self.book.portion(order, self.left)
        if quantity:
            money = self.book.taker_price(order, price, quantity, self.size, _NAN)
            self._fill(order, quantity, money, now_ns, maker=False)

    def fill(self, order: WorkingOrder, most: float, price: Decimal, now_ns: int, *, maker: bool) -> None:
        """Fill up to `most` at a price."""
        quantity = self.book.portion(order, most if most < self.left else self.left)
        if quantity:
            self._fill(order, quantity, price, now_ns, maker=maker)

    def _fill(self, order: WorkingOrder, quantity: Decimal, price: Decimal, now_ns: int, *, maker: bool) -> None:
        flags: tuple[str, ...] = ()
        if not self.book.rule.whole:
            if self.size != self.size:
                flags = ("unsized",)
            elif quantity < order.left:
                flags = ("capped",)
        self.left -= float(quantity)
        self.book.floor.fill(order, quantity, price, now_ns, maker=maker, flags=flags)
