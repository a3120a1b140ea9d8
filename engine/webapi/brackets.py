"""Which order of the venue is which child of a bracket, where the answers do not say. Pure.

A bracket's children go out without a `cOID`, and their rows come back in any order. What tells them apart is the
parent's order id, side, order type and price; what that does not settle stays unsettled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from engine.domain.ticket import OrderTicket, OrderType
from engine.webapi.facts.orders import OrderRow

# As live orders print types (`origOrderType`, `orderType`), without case, blanks and underscores.
TYPES: Final = {
    "market": OrderType.MARKET,
    "mkt": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "lmt": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stp": OrderType.STOP,
    "stoplimit": OrderType.STOP_LIMIT,
    "stplmt": OrderType.STOP_LIMIT,
    "trail": OrderType.TRAIL,
    "trailingstop": OrderType.TRAIL,
    "traillimit": OrderType.TRAIL_LIMIT,
    "traillmt": OrderType.TRAIL_LIMIT,
    "trailingstoplimit": OrderType.TRAIL_LIMIT,
    "midprice": OrderType.MIDPRICE,
    "marketonclose": OrderType.MARKET_ON_CLOSE,
    "moc": OrderType.MARKET_ON_CLOSE,
    "limitonclose": OrderType.LIMIT_ON_CLOSE,
    "loc": OrderType.LIMIT_ON_CLOSE,
}


def order_type(row: OrderRow) -> OrderType | None:
    """Read the type a row prints; None for one that isn't known."""
    for printed in (row.original_type, row.order_type):
        found = TYPES.get("".join((printed or "").lower().replace("_", " ").split()))
        if found is not None:
            return found
    return None


def children(parent_id: int, tickets: Sequence[OrderTicket], rows: Iterable[OrderRow]) -> dict[str, int]:
    """Return the venue's order ids of a bracket's children by their coid, those that are certain.

    Args:
        parent_id: The venue's order id of the entry.
        tickets: The children as they were sent.
        rows: Live orders; those of other parents are passed over.
    """
    left = {row.order_id: row for row in rows if row.parent_id == parent_id}
    found = {ticket.coid: row.order_id for ticket in tickets for row in left.values() if row.order_ref == ticket.coid}
    left = {order_id: row for order_id, row in left.items() if order_id not in found.values()}
    unsettled = [ticket for ticket in tickets if ticket.coid not in found]
    alike = {ticket.coid: {name for name, row in left.items() if _fits(ticket, row)} for ticket in unsettled}
    for ticket in unsettled:
        mine = alike[ticket.coid]
        if len(mine) == 1 and sum(bool(mine & others) for others in alike.values()) == 1:
            (found[ticket.coid],) = mine
    return found


def _fits(ticket: OrderTicket, row: OrderRow) -> bool:
    if row.side not in (None, ticket.side.value) or order_type(row) is not ticket.order_type:
        return False
    if row.total is not None and row.total != ticket.quantity:
        return False
    meant = {price for price in (ticket.limit_price, ticket.stop_price) if price is not None}
    told: set[Decimal] = {price for price in (row.price, row.stop_price) if price is not None}
    return not meant or not told or bool(meant & told)
