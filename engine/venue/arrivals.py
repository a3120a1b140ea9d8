"""From a ticket to a working order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.venue import stops
from engine.venue.book import Book
from engine.venue.working import CLOSING, LIMIT, MARKET, MIDPRICE, STOP, TRAIL, Act, WorkingOrder

_ACTS: Mapping[OrderType, Act] = {
    OrderType.MARKET: MARKET,
    OrderType.LIMIT: LIMIT,
    OrderType.STOP: STOP,
    OrderType.STOP_LIMIT: STOP,
    OrderType.TRAIL: TRAIL,
    OrderType.TRAIL_LIMIT: TRAIL,
    OrderType.MIDPRICE: MIDPRICE,
    OrderType.MARKET_ON_CLOSE: CLOSING,
    OrderType.LIMIT_ON_CLOSE: CLOSING,
}
_LMT: Final = OrderType.LIMIT
_MKT: Final = OrderType.MARKET
_IOC: Final = Tif.IOC
_BUY: Final = Side.BUY


def make_order(ticket: OrderTicket, book: Book, number: int) -> WorkingOrder:
    """Make the venue's order of a ticket that was taken; `number` is its place in the order of arrival."""
    kind = ticket.order_type
    # `is` first: the hash of an enum member costs more than everything else here.
    act = LIMIT if kind is _LMT else MARKET if kind is _MKT else _ACTS[kind]
    quantity = ticket.quantity
    order = WorkingOrder(ticket, book, number, act, ticket.side is _BUY, quantity, float(quantity))
    if ticket.tif is _IOC:
        order.ioc = True
    if ticket.limit_price is not None:
        book.set_limit(order, ticket.limit_price)
    if act is STOP or act is TRAIL:
        set_stop(order)
    return order


def set_stop(order: WorkingOrder) -> None:
    """Take a stop's level, or a trail's distance and first stop, from the ticket."""
    ticket = order.ticket
    if ticket.trail is not None:
        order.offset = float(ticket.trail)
    if ticket.stop_price is None:
        return
    if order.act is TRAIL:
        order.extreme = stops.extreme_of(order, float(ticket.stop_price))
    else:
        order.stop = float(ticket.stop_price)
