"""Our full ticket against the venue's copy of the order, field by field.

A modification replaces the whole order, so it goes out only where the copy is what we believe it to be. What the venue
does not tell (None) can't differ, but what a modification can't do without must be told.
"""

from __future__ import annotations

from attrs import frozen

from engine.domain.brokerage import VenueOrder
from engine.domain.order import Order
from engine.domain.ticket import OrderTicket, OrderType, Tif

# Whose stop moves by itself, so that the copy's need not be the ticket's.
_MOVING = frozenset({OrderType.TRAIL, OrderType.TRAIL_LIMIT})


@frozen
class Difference:
    """One field that differs: our value and the venue's, as text."""

    field: str
    ours: str
    venue: str

    def __str__(self) -> str:
        return f"{self.field} is {self.ours} for us and {self.venue} for the venue"


def differences(order: Order, ticket: OrderTicket, copy: VenueOrder, *, parent_id: str | None) -> list[Difference]:
    """Compare a ticket of ours with the venue's copy.

    Args:
        order: For what has filled.
        ticket: The ticket that should be in force.
        parent_id: The venue's id of the ticket's parent, if it has one and the id is known.

    Returns: What differs; also a field that must be known and is not told.
    """
    found: list[Difference] = []

    def same(name: str, ours: object, venue: object, *, needed: bool = False) -> None:
        if venue is None:
            if needed:
                found.append(Difference(name, str(ours), "not told"))
        elif ours != venue:
            found.append(Difference(name, str(ours), str(venue)))

    if copy.conidex is None or ";;;" not in copy.conidex:
        same("conid", ticket.conid, copy.conid, needed=True)
    same("side", str(ticket.side), copy.side, needed=True)
    same("order type", str(ticket.order_type), copy.order_type, needed=True)
    if copy.tif is not None and not (ticket.tif is Tif.DAY and copy.tif == "CLOSE"):
        same("tif", str(ticket.tif), copy.tif)
    same("quantity", ticket.quantity, copy.total, needed=True)
    same("filled quantity", order.filled, copy.filled, needed=True)
    if ticket.limit_price is not None and ticket.order_type is not OrderType.MIDPRICE:
        same("limit price", ticket.limit_price, copy.limit_price, needed=True)
    if ticket.stop_price is not None and ticket.order_type not in _MOVING:
        same("stop price", ticket.stop_price, copy.stop_price)
    same("outside hours", ticket.outside_rth, copy.outside_rth)
    if ticket.parent is None:
        if copy.parent_id is not None:
            found.append(Difference("parent", "none", copy.parent_id))
    elif parent_id is not None:
        same("parent", parent_id, copy.parent_id)
    if ticket.oca_group is None and ticket.parent is None and copy.oca_group:
        found.append(Difference("OCA group", "none", copy.oca_group))
    return found


def told(copy: VenueOrder, delta: VenueOrder) -> VenueOrder:
    """Fold a newer saying into the venue's copy: what it does not carry stays as it was."""
    if delta.seen_ns < copy.seen_ns and not delta.from_stream:
        return copy  # a read that began before the stream spoke last
    known = {name: value for name in VenueOrder.__struct_fields__ if (value := getattr(delta, name)) is not None}
    fields = {name: getattr(copy, name) for name in VenueOrder.__struct_fields__}
    return VenueOrder(**{**fields, **known, "seen_ns": max(copy.seen_ns, delta.seen_ns)})
