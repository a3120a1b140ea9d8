"""The short way of a plain order: MKT or LMT, DAY or GTC, alone, in a market that never closes.

Its placing and its cancellation are most of what a busy strategy asks for, and they need little of what other orders
need. What is not plain, or has anything against it, goes the long way (`SimVenue`), which knows every reason. Both ways
answer the same; a law under test holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.domain.facts import Accepted, Cancelled
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.venue import ticks
from engine.venue.rules import BarPrice
from engine.venue.working import DONE, LIMIT, MARKET, WORKING, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book
    from engine.venue.floor import Floor

_NAN: Final = float("nan")
_BUY: Final = Side.BUY
_AT_OPEN: Final = BarPrice.OPEN
_OPEN_FLAGS: Final = ("at_open",)
# By `is`: looking a member up in a set costs several times as much.
_LIMIT: Final = OrderType.LIMIT
_MARKET: Final = OrderType.MARKET
_DAY: Final = Tif.DAY
_GTC: Final = Tif.GTC


def place(book: Book, ticket: OrderTicket, now_ns: int) -> bool:
    """Take an order, accept it and let it meet the market as rows before the floor's show it.

    Args:
        book: One whose `plain` is true.

    Returns: False, with nothing changed, if it has to go the long way.
    """
    floor = book.floor
    coid, kind, tif = ticket.coid, ticket.order_type, ticket.tif
    if (
        (kind is not _LIMIT and kind is not _MARKET)
        or (tif is not _DAY and tif is not _GTC)
        or ticket.parent is not None
        or ticket.oca_group is not None
        or coid in floor.orders
        or coid in floor.ended
    ):
        return False
    instrument = book.instrument
    quantity = ticket.quantity
    units = instrument.known_units.get(quantity) or instrument.units(quantity)
    if units is None:
        return False
    number, row, buy, limit = floor.arrived + 1, floor.row, ticket.side is _BUY, ticket.limit_price
    if limit is None:
        order = WorkingOrder(ticket, book, number, MARKET, buy, quantity, units, now_ns, row, True)
        rests = False
    else:
        level = instrument.known_levels.get(limit) or instrument.level(limit)
        if level is None:
            return False
        lo, hi = level - book.hair, level + book.hair
        order = WorkingOrder(ticket, book, number, LIMIT, buy, quantity, units, now_ns, row, True, limit, lo, hi)
        quotes = book.lone
        if quotes is not None and row:
            rests = quotes.beyond(row - 1, lo, hi, buy)
        else:
            rests = (book.cut or book.tape).beyond_touch(buy, lo, hi, row)
    floor.arrived = number
    floor.orders[coid] = order
    floor.answers.append(Accepted(coid=coid, ts_ns=now_ns + floor.heard_ns, venue_id=f"V{number}"))
    if limit is None and _waits_for_bar(book, order, now_ns):
        return True
    if rests or (ticks.meet(book, order, now_ns, row) and order.stand is WORKING):
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
    if len(buys) + len(sells) + len(others) != 1:
        return False
    if others:
        return _take_open(book, others[0], row, now_ns)
    side = buys or sells
    order = side[0]
    floor, limit = book.floor, order.limit
    if not order.plain or book.lone is None or book.hit != row or order.taking or floor.at_touch or limit is None:
        return False
    floor.fill_alone(side, order, limit, now_ns, "maker")
    return True


def _take_open(book: Book, order: WorkingOrder, row: int, now_ns: int) -> bool:
    """Fill a market order at the open of the bar that a row is."""
    tape = book.cut or book.tape
    rows = tape.bars
    if not order.plain or rows is None or tape.ticks_from <= row or book.rule.bar is not _AT_OPEN:
        return False
    index = row if rows.at is None else rows.first(row)
    if rows.at is not None and (index == rows.length or rows.row(index) != row):
        return False
    if order.live_ns > rows.begins_ns(index):
        return False
    price = rows.opens[index]
    money = book.taker_price(order, price, order.left, rows.volume.item(index), _NAN)
    order.taking = False
    book.floor.fill_alone(book.others, order, money, now_ns, "taker", _OPEN_FLAGS)
    return True


def cancel(floor: Floor, coid: str, now_ns: int) -> bool:
    """Take a plain order off and say so.

    Returns: False, with nothing changed, if it has to go the long way.
    """
    order = floor.orders.get(coid)
    if order is None or not order.plain:
        return False
    book = order.book
    if book.lone is None:
        book.catch_up(order, floor.row)
    book.drop(order)
    order.stand = DONE
    del floor.orders[coid]
    if order.filled:
        floor.keep_filled(order)
    floor.ended[coid] = "cancelled"
    floor.answers.append(Cancelled(coid=coid, ts_ns=now_ns + floor.heard_ns, reason="request"))
    return True
