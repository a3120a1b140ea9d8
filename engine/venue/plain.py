"""The short way of a plain order: MKT or LMT, DAY or GTC, alone, in a market that never closes.

Its placing and its cancellation are most of what a busy strategy asks for, and they need little of what other orders
need. What is not plain, or has anything against it, goes the long way (`SimVenue`), which knows every reason. Both ways
answer the same; a law under test holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.domain.facts import Accepted, Cancelled
from engine.domain.ticket import OrderTicket, OrderType, Tif
from engine.venue import ticks
from engine.venue.rules import BarPrice
from engine.venue.working import DONE, LIMIT, MARKET, WORKING, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

_NAN: Final = float("nan")
_AT_OPEN: Final = BarPrice.OPEN
_OPEN_FLAGS: Final = ("at_open",)
_TYPES: Final = frozenset({OrderType.LIMIT, OrderType.MARKET})
_TIFS: Final = frozenset({Tif.DAY, Tif.GTC})


def place(book: Book, ticket: OrderTicket, number: int, now_ns: int) -> bool:
    """Take an order, accept it and let it meet the market as rows before the floor's show it.

    Args:
        book: One whose `plain` is true.
        number: Its place in the order of arrival, if it is taken.

    Returns: False, with nothing changed, if it has to go the long way.
    """
    floor = book.floor
    coid = ticket.coid
    if (
        ticket.order_type not in _TYPES
        or ticket.tif not in _TIFS
        or ticket.parent is not None
        or ticket.oca_group is not None
        or coid in floor.orders
        or coid in floor.ended
    ):
        return False
    instrument = book.instrument
    units = instrument.known_units.get(ticket.quantity) or instrument.units(ticket.quantity)
    if units is None:
        return False
    limit = ticket.limit_price
    if limit is None:
        order = WorkingOrder(ticket, book, number, MARKET, units)
        rests = False
    else:
        level = instrument.known_levels.get(limit) or instrument.level(limit)
        if level is None:
            return False
        order = WorkingOrder(ticket, book, number, LIMIT, units)
        order.limit = limit
        order.lo = level - book.hair
        order.hi = level + book.hair
        tape, quotes, row = book.cut or book.tape, book.lone, floor.row
        if quotes is not None and row:
            rests = quotes.beyond(row - 1, order.lo, order.hi, buy=order.buy)
        else:
            rests = tape.beyond_touch(order.buy, order.lo, order.hi, row)
    floor.orders[coid] = order
    floor.answers.append(Accepted(coid=coid, ts_ns=now_ns + floor.heard_ns, venue_id=order.venue_id))
    order.live_ns = now_ns
    order.folded = floor.row
    if limit is None and _waits_for_bar(book, order, now_ns):
        return True
    if rests or (ticks.meet(book, order, now_ns, floor.row) and order.stand is WORKING):
        book.put(order)
    return True


def _waits_for_bar(book: Book, order: WorkingOrder, now_ns: int) -> bool:
    """Let a market order stand on the book, where it has nothing to meet but the open of a bar.

    Returns: False, with nothing done, where there is something else.
    """
    tape = book.cut or book.tape
    rows = tape.bars
    if rows is None or tape.ticks_from < tape.size or tape.shut or book.rule.bar is not _AT_OPEN:
        return False
    index = rows.first(book.floor.row)
    order.taking = index > 0 or tape.bar_before is not None
    alone = book.rule.whole and not (book.buys or book.sells or book.others)
    book.put(order)
    if alone and index < rows.length and now_ns <= rows.begins_ns(index):
        book.name(rows.row(index))  # it gets the open of the very next one
    return True


def take_row(book: Book, row: int, now_ns: int) -> bool:
    """Fill the one order that stands on the book by a row that the search named, displayed sizes not counting.

    Returns: False, with nothing done, if it has to go the long way.
    """
    buys, sells, others = book.buys, book.sells, book.others
    if len(buys) + len(sells) + len(others) != 1 or not book.plain:
        return False
    tape = book.cut or book.tape
    side = others or buys or sells
    order = side[0]
    if order.stand is not WORKING or order.ioc or order.bracket is not None or order.entry_of is not None:
        return False
    if order.ticket.oca_group is not None:
        return False
    if others:
        rows = tape.bars
        if order.act is not MARKET or rows is None or tape.ticks_from <= row or book.rule.bar is not _AT_OPEN:
            return False
        index = row if rows.at is None else rows.first(row)
        if rows.at is not None and (index == rows.length or rows.row(index) != row):
            return False
        if order.live_ns > rows.begins_ns(index):
            return False
        price = rows.opens[index]
        money = book.taker_price(order, price, order.left, rows.volume.item(index), _NAN)
        order.taking = False
        book.floor.fill_alone(side, order, money, now_ns, maker=False, flags=_OPEN_FLAGS)
        return True
    quotes = book.lone
    if quotes is None or order.taking or book.floor.at_touch:
        return False
    if not quotes.reaches(row, order.lo, order.hi, buy=order.buy):
        return False
    limit = order.limit
    assert limit is not None
    book.floor.fill_alone(side, order, limit, now_ns, maker=True)
    return True


def cancel(order: WorkingOrder, now_ns: int) -> bool:
    """Take a plain order off and say so.

    Returns: False, with nothing changed, if it has to go the long way.
    """
    book = order.book
    ticket = order.ticket
    if (
        not book.plain
        or order.stand is not WORKING
        or order.act is not LIMIT
        or order.ioc
        or order.bracket is not None
        or order.entry_of is not None
        or ticket.oca_group is not None
    ):
        return False
    floor = book.floor
    if (book.cut or book.tape).trades is not None:
        book.catch_up(order, floor.row)
    book.drop(order)
    order.stand = DONE
    coid = ticket.coid
    del floor.orders[coid]
    if order.filled:
        floor.keep_filled(order)
    floor.ended[coid] = "cancelled"
    floor.answers.append(Cancelled(coid=coid, ts_ns=now_ns + floor.heard_ns, reason="request"))
    return True
