"""Identical orders: what is open of a strategy in one instrument, and what it sent there a moment ago.

A few are looked through one by one. Where there are many, they are counted under what makes most orders differ, so that
one more order costs the same however many are open; only where that counts one is it compared in full.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from attrs import define, field

from engine.domain.ticket import OrderTicket, Side

if TYPE_CHECKING:
    from engine.risk.exposure import Reserved

Key = tuple[bool, Decimal | None, Decimal, str]
_BUY: Final = Side.BUY
_FEW: Final = 8


@define(eq=False)
class Twins:
    """The open orders of an exposure, and its tickets of the duplicate window, oldest first.

    One whose cancellation we have asked for stands in nobody's way.
    """

    open: dict[str, Reserved]
    lately: deque[tuple[int, OrderTicket]] = field(factory=deque)
    counts: dict[Key, int] | None = None
    last: OrderTicket | None = None  # the one asked about last, and its key
    last_key: Key = (True, None, Decimal(0), "")

    def earlier(self, ticket: OrderTicket, now_ns: int, window_ns: int) -> str | None:
        """The coid of an identical order that is open or was sent within the window."""
        self._prune(now_ns - window_ns)
        limit = ticket.limit_price
        for entry in self.open.values():
            wanted = entry.wanted
            if entry.cancelling:
                continue
            if entry.ticket.limit_price == limit and same_order(entry.ticket, ticket):
                return entry.ticket.coid
            if wanted is not None and same_order(wanted, ticket):
                return entry.ticket.coid
        for _, sent in self.lately:
            if sent.limit_price == limit and same_order(sent, ticket):
                return sent.coid
        return None

    def alone(self, ticket: OrderTicket, now_ns: int, window_ns: int) -> bool:
        """Whether there is no identical one."""
        counts = self.counts
        if counts is None:
            if len(self.open) + len(self.lately) <= _FEW:
                return self.earlier(ticket, now_ns, window_ns) is None
            counts = self._count_all()
        return self._key(ticket) not in counts or self.earlier(ticket, now_ns, window_ns) is None

    def remember(self, now_ns: int, ticket: OrderTicket, window_ns: int) -> None:
        """An order or a modification has been approved."""
        self._prune(now_ns - window_ns)
        self.lately.append((now_ns, ticket))
        if self.counts is not None:
            self._add(self._key(ticket))

    def taken(self, entry: Reserved, now_ns: int, window_ns: int) -> None:
        """A new order has been approved and is open: what `changed` and `remember` do, in one."""
        ticket = entry.ticket
        counts = self.counts
        if window_ns:
            lately = self.lately
            if lately and lately[0][0] <= now_ns - window_ns:
                self._prune(now_ns - window_ns)
            lately.append((now_ns, ticket))
        if counts is not None:
            key = self.last_key if self.last is ticket else key_of(ticket)
            entry.keys = (key,)
            counts[key] = counts.get(key, 0) + (2 if window_ns else 1)

    def rewritten(self, entry: Reserved, ticket: OrderTicket, now_ns: int, window_ns: int) -> None:
        """The first modification of an open order is on its way: what `changed` and `remember` do, in one."""
        if window_ns:
            lately = self.lately
            if lately and lately[0][0] <= now_ns - window_ns:
                self._prune(now_ns - window_ns)
            lately.append((now_ns, ticket))
        counts = self.counts
        if counts is not None:
            key = key_of(ticket)
            entry.keys = (*entry.keys, key)
            counts[key] = counts.get(key, 0) + (2 if window_ns else 1)

    def forget(self, coid: str) -> None:
        """What was sent of an order no longer stands in a twin's way: its cancellation was asked for."""
        gone = [ticket for _, ticket in self.lately if ticket.coid == coid]
        if gone:
            self.lately = deque(sent for sent in self.lately if sent[1].coid != coid)
            for ticket in gone:
                self._drop(key_of(ticket))

    def changed(self, entry: Reserved) -> None:
        """An open order is new, another ticket, wanted otherwise, to be cancelled, or over."""
        if self.counts is None:
            return
        for key in entry.keys:
            self._drop(key)
        entry.keys = ()
        if entry.over and len(self.open) + len(self.lately) <= _FEW // 2:
            self.counts = None
        elif not entry.cancelling and not entry.over:
            wanted = entry.wanted
            key = self._key(entry.ticket)
            entry.keys = (key,) if wanted is None else (key, key_of(wanted))
            for key in entry.keys:
                self._add(key)

    def _prune(self, floor_ns: int) -> None:
        lately = self.lately
        while lately and lately[0][0] <= floor_ns:
            _, ticket = lately.popleft()
            if self.counts is not None:
                self._drop(key_of(ticket))

    def _count_all(self) -> dict[Key, int]:
        found = self.counts = {}
        for _, ticket in self.lately:
            self._add(key_of(ticket))
        for entry in self.open.values():
            entry.keys = ()
            self.changed(entry)
        return found

    def _key(self, ticket: OrderTicket) -> Key:
        """A ticket's key; that of the last one asked about is known still."""
        if self.last is not ticket:
            self.last, self.last_key = ticket, key_of(ticket)
        return self.last_key

    def _add(self, key: Key) -> None:
        assert self.counts is not None
        self.counts[key] = self.counts.get(key, 0) + 1

    def _drop(self, key: Key) -> None:
        counts = self.counts
        if counts is None:
            return
        left = counts[key] - 1
        if left:
            counts[key] = left
        else:
            del counts[key]


def key_of(ticket: OrderTicket) -> Key:
    """What differs between most orders, of a price the limit or else the stop: identical ones have the same."""
    limit = ticket.limit_price
    return ticket.side is _BUY, ticket.stop_price if limit is None else limit, ticket.quantity, ticket.tag


def same_order(one: OrderTicket, other: OrderTicket) -> bool:
    """Say whether two tickets are the same order twice."""
    return (
        one.side is other.side
        and one.limit_price == other.limit_price
        and one.quantity == other.quantity
        and one.order_type is other.order_type
        and one.stop_price == other.stop_price
        and one.trail == other.trail
        and one.trail_unit is other.trail_unit
        and one.limit_offset == other.limit_offset
        and one.tif is other.tif
        and one.outside_rth == other.outside_rth
        and one.parent == other.parent
        and one.tag == other.tag
    )
