"""What the venue turns down, and why: each check returns (code, sentence), or None if there is nothing against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from engine.domain.facts import Refused
from engine.domain.instrument import SecType
from engine.domain.ticket import OrderTicket, OrderType, Tif
from engine.venue.auctions import CLOSE_CUTOFF_NS, OPEN_CUTOFF_NS
from engine.venue.book import Book
from engine.venue.floor import Floor
from engine.venue.working import CLOSING, WAITING, WorkingOrder

No = tuple[str, str] | None

_LMT: Final = OrderType.LIMIT
_MKT: Final = OrderType.MARKET
_OPG: Final = Tif.OPG
AT_CLOSE: Final = frozenset({OrderType.MARKET_ON_CLOSE, OrderType.LIMIT_ON_CLOSE})
# The fields of a ticket that no modification may change.
_FIXED: Final = ("conid", "side", "order_type", "account", "parent", "oca_group", "trail_unit")


def against_place(ticket: OrderTicket, book: Book | None, floor: Floor, now_ns: int) -> No:
    """Everything that is asked of a new order; `book` is None for an instrument that the venue does not have."""
    if ticket.coid in floor.orders or ticket.coid in floor.ended:
        return "duplicate_id", f"there has been an order {ticket.coid} already"
    if book is None:
        return "unknown_instrument", f"the venue has no instrument {ticket.conid}"
    no = against_ticket(ticket, book)
    if no is None and ticket.parent is not None:
        no = against_parent(ticket, floor.orders, floor.filled)
    if no is None and not book.sessions.always:
        no = too_late(ticket, book, now_ns)
    return no


def against_group(
    tickets: Sequence[OrderTicket], books: Mapping[int, Book], floor: Floor, now_ns: int
) -> dict[str, tuple[str, str]]:
    """Everything that is asked of tickets sent together: what is against each, by client order id; empty if nothing.

    A child may name an entry that stands before it in the group.
    """
    noes: dict[str, tuple[str, str]] = {}
    entries: dict[str, OrderTicket] = {}
    for ticket in tickets:
        coid = ticket.coid
        entry = None if ticket.parent is None else entries.get(ticket.parent)
        if coid in entries:
            no: No = ("duplicate_id", f"the group has two orders {coid}")
        elif entry is None:
            no = against_place(ticket, books.get(ticket.conid), floor, now_ns)
        else:
            no = against_place(replace(ticket, parent=None), books.get(ticket.conid), floor, now_ns)
            if no is None and entry.conid != ticket.conid:
                no = "parent", f"the entry {ticket.parent} trades another instrument"
        if no is not None:
            noes.setdefault(coid, no)
        entries.setdefault(coid, ticket)
    return noes


def refuse_group(tickets: Sequence[OrderTicket], noes: Mapping[str, tuple[str, str]], ts_ns: int) -> list[Refused]:
    """The answers to a group that is refused: its own reason for each bad ticket, the first bad one's for the rest."""
    bad, (_, reason) = next(iter(noes.items()))
    whole = "group", f"{bad} of the same group is refused: {reason}"
    return [
        Refused(coid=ticket.coid, ts_ns=ts_ns, code=code, reason=why)
        for ticket in tickets
        for code, why in (noes.get(ticket.coid, whole),)
    ]


def against_ticket(ticket: OrderTicket, book: Book) -> No:
    """Check one ticket against its instrument: quantity step, price ticks, and what its type and time can do."""
    instrument = book.instrument
    if instrument.units(ticket.quantity) is None:
        return "size_increment", f"the quantity {ticket.quantity} is not a multiple of {book.increment}"
    if ticket.limit_price is not None and instrument.level(ticket.limit_price) is None:
        return "price_tick", f"the limit price {ticket.limit_price} is not on a tick of {instrument.symbol}"
    kind = ticket.order_type
    if kind is _LMT or kind is _MKT:
        if ticket.tif is _OPG and book.sessions.always:
            return "no_session", f"{instrument.symbol} trades round the clock: it has no open auction"
        return None
    if ticket.stop_price is not None and instrument.level(ticket.stop_price) is None:
        return "price_tick", f"the stop price {ticket.stop_price} is not on a tick of {instrument.symbol}"
    if instrument.sec_type is SecType.COMBO:
        return "order_type", f"a combo takes MKT and LMT orders, not {kind}"
    if ticket.tif is Tif.IOC or ticket.tif is Tif.OPG:
        return "time_in_force", f"{kind} can't have the time in force {ticket.tif}"
    if kind in AT_CLOSE:
        if ticket.tif is not Tif.DAY:
            return "time_in_force", f"{kind} can't have the time in force {ticket.tif}"
        if book.sessions.always:
            return "no_session", f"{instrument.symbol} trades round the clock: it has no close"
    return None


def too_late(ticket: OrderTicket, book: Book, now_ns: int) -> No:
    """The cut-off of the auction that a ticket is for; of one already passed for the day, the next one counts."""
    if ticket.tif is Tif.OPG:
        if book.sessions.next_open_ns(now_ns) - now_ns < OPEN_CUTOFF_NS:
            return "cutoff", "it is too late for the open auction"
    elif ticket.order_type in AT_CLOSE:
        session = book.sessions.session_at(now_ns)
        if session is not None and session[1] - now_ns < CLOSE_CUTOFF_NS:
            return "cutoff", "it is too late for the close"
    return None


def against_parent(ticket: OrderTicket, orders: Mapping[str, WorkingOrder], filled: Mapping[str, WorkingOrder]) -> No:
    """A child needs an entry of the same instrument that lives, or that has filled."""
    assert ticket.parent is not None
    entry = orders.get(ticket.parent) or filled.get(ticket.parent)
    if entry is None:
        return "parent", f"the entry {ticket.parent} is not at the venue"
    if entry.ticket.conid != ticket.conid:
        return "parent", f"the entry {ticket.parent} trades another instrument"
    return None


def against_change(order: WorkingOrder, wanted: OrderTicket, now_ns: int) -> No:
    """Check a modification: fixed fields, quantity, the wanted ticket itself, cut-offs."""
    old = order.ticket
    for name in _FIXED:
        if getattr(old, name) != getattr(wanted, name):
            return "fixed_field", f"{name} of a working order can't be changed"
    if wanted.quantity < order.filled:
        return "quantity", f"{order.filled} are filled already: {wanted.quantity} is too few"
    if wanted.tif is not old.tif and (wanted.tif in (Tif.IOC, Tif.OPG) or old.tif is Tif.OPG):
        return "time_in_force", f"a working order can't become {wanted.tif}"
    no = against_ticket(wanted, order.book)
    return no if no is not None else locked(order, now_ns)


def locked(order: WorkingOrder, now_ns: int) -> No:
    """An order that waits for an auction stays as it is after the cut-off."""
    if order.ticket.tif is Tif.OPG and order.stand is WAITING:
        late = order.book.sessions.next_open_ns(now_ns) - now_ns < OPEN_CUTOFF_NS
    else:
        late = order.act is CLOSING and too_late(order.ticket, order.book, now_ns) is not None
    return ("cutoff", "it is too late to change or cancel an order for this auction") if late else None


def gone(coid: str, ended: Mapping[str, str]) -> tuple[str, str]:
    """Why an order can't be found."""
    how = ended.get(coid)
    if how is None:
        return "unknown_order", f"the venue knows no order {coid}"
    return "order_done", f"order {coid} is {how} already"


def same_place(order: WorkingOrder, wanted: OrderTicket) -> bool:
    """Say whether a modification keeps the order's place: the same prices, and no more than before."""
    old = order.ticket
    return wanted.quantity <= old.quantity and _prices(wanted) == _prices(old)


def _prices(ticket: OrderTicket) -> tuple[Decimal | None, ...]:
    return ticket.limit_price, ticket.stop_price, ticket.trail, ticket.limit_offset
