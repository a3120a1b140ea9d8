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
from engine.venue.working import DONE, LIMIT, MARKET, WORKING, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

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
        rests = book.tape.beyond_touch(order.buy, order.lo, order.hi, floor.row)
    floor.orders[coid] = order
    floor.answers.append(Accepted(coid=coid, ts_ns=now_ns + floor.heard_ns, venue_id=order.venue_id))
    order.live_ns = now_ns
    order.folded = floor.row
    if rests or (ticks.meet(book, order, now_ns, floor.row) and order.stand is WORKING):
        book.put(order)
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
    if book.tape.trades is not None:
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
