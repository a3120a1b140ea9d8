"""Which of our orders the venue means: its order ids, our client order ids, and its copies of the orders.

`orderId` stays the same over modifications, reconnects and logins within the day; the client order id joins it to ours.
A bracket's child may come without one: then parent, side, type and price tell which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.domain.brokerage import VenueOrder
from engine.domain.order import Order
from engine.orders.comparing import told


class Identity:
    """The bindings and the copies. It reads the book, which others write."""

    def __init__(self, book: Mapping[str, Order]) -> None:
        self._book = book
        self.id_of: dict[str, str] = {}
        self.coid_of: dict[str, str] = {}
        self.copies: dict[str, VenueOrder] = {}
        for coid, order in book.items():  # what a journal knew
            if order.venue_id:
                self.bind(coid, order.venue_id)

    def bind(self, coid: str, order_id: str) -> None:
        """From now on they are one."""
        self.id_of[coid] = order_id
        self.coid_of[order_id] = coid

    def forget(self, coids: Iterable[str], before_ns: int) -> None:
        """These are of no interest any more, nor is what is nobody's and was last told of before a moment."""
        for coid in coids:
            order_id = self.id_of.pop(coid, None)
            if order_id is not None:
                self.coid_of.pop(order_id, None)
                self.copies.pop(order_id, None)
        foreign = self.copies.keys() - self.coid_of.keys()
        for order_id in [one for one in foreign if self.copies[one].seen_ns < before_ns]:
            del self.copies[order_id]

    def children_of(self, order_id: str) -> list[VenueOrder]:
        """Copies of orders that name this one as their parent and that are nobody's yet."""
        return [
            copy for copy in self.copies.values() if copy.parent_id == order_id and copy.order_id not in self.coid_of
        ]

    def see(self, row: VenueOrder) -> str | None:
        """Fold what was said into the copy; return our order's coid, None for one that is not ours."""
        copy = self.copies.get(row.order_id)
        copy = self.copies[row.order_id] = row if copy is None else told(copy, row)
        coid = self.coid_of.get(row.order_id)
        if coid is None:
            coid = self._recognise(copy)
            if coid is not None:
                self.bind(coid, row.order_id)
        return coid

    def whose(self, order_id: str, coid: str | None) -> str | None:
        """Our order by the venue's id, or by the client order id that came with it."""
        known = self.coid_of.get(order_id)
        if known is None and coid is not None and coid in self._book:
            self.bind(coid, order_id)
            return coid
        return known

    def copy(self, coid: str) -> VenueOrder | None:
        """The venue's copy of an order of ours."""
        order_id = self.id_of.get(coid)
        return None if order_id is None else self.copies.get(order_id)

    def parent_id(self, order: Order) -> str | None:
        """The venue's id of a child's parent."""
        return None if order.ticket.parent is None else self.id_of.get(order.ticket.parent)

    def present(self, rows: Iterable[VenueOrder]) -> set[str]:
        """Our orders among these rows."""
        return {coid for row in rows if (coid := self.whose(row.order_id, row.coid)) is not None}

    def _recognise(self, copy: VenueOrder) -> str | None:
        if copy.coid is not None:
            return copy.coid if copy.coid in self._book else None
        if copy.parent_id is None:
            return None
        parent = self.coid_of.get(copy.parent_id)
        alike = [
            coid
            for coid, order in self._book.items()
            if parent is not None and order.ticket.parent == parent and coid not in self.id_of and _alike(order, copy)
        ]
        return alike[0] if len(alike) == 1 else None


def _alike(order: Order, copy: VenueOrder) -> bool:
    """Whether a copy without our id can be this child: what it tells must fit, and side and type must be told."""
    ticket = order.ticket
    if copy.side != ticket.side or copy.order_type != ticket.order_type:
        return False
    if copy.limit_price is not None and ticket.limit_price is not None and copy.limit_price != ticket.limit_price:
        return False
    return copy.stop_price is None or ticket.stop_price is None or copy.stop_price == ticket.stop_price
