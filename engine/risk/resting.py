"""Own orders that rest in one instrument, by their best price: what an order must not meet.

A heap a side, whose dead entries are dropped when they come to the top, and all at once when they are the most of it:
so that neither an order nor its end costs more where many are open.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Final

from attrs import define, field

from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk.numbers import number

if TYPE_CHECKING:
    from engine.risk.exposure import Reserved

# What may rest or trade at once; what waits for a trigger meets another book than today's.
RESTING: Final = frozenset({OrderType.LIMIT, OrderType.LIMIT_ON_CLOSE, OrderType.MARKET, OrderType.MARKET_ON_CLOSE})
_BUY: Final = Side.BUY
_FEW: Final = 64
Entry = tuple[float, int, "Reserved", OrderTicket]  # rank, serial number, the order, and the ticket that gave the rank


def rank(ticket: OrderTicket) -> float:
    """An order's price as a rank on its side, the best the least; without a price it comes before all others."""
    limit = ticket.limit_price
    if limit is None:
        return -inf
    return -number(limit) if ticket.side is _BUY else number(limit)


@define(eq=False)
class Resting:
    """Open orders of one instrument, of all strategies."""

    _buys: list[Entry] = field(factory=list)
    _sells: list[Entry] = field(factory=list)
    _serial: int = 0
    _thin_at: int = 2 * _FEW

    def put(self, entry: Reserved, level: float | None, *, buy: bool) -> None:
        """A new limit or market order is open: what `add` does, where the price is known as a float."""
        heap = self._buys if buy else self._sells
        serial = self._serial = self._serial + 1
        heappush(heap, (-inf if level is None else -level if buy else level, serial, entry, entry.ticket))
        if len(heap) > self._thin_at:
            self._thin(heap)

    def add(self, entry: Reserved) -> None:
        """An order is open, or a modification of it is on its way: it may rest at either price."""
        ticket = entry.ticket
        if ticket.order_type not in RESTING:
            return
        heap = self._buys if ticket.side is _BUY else self._sells
        for one in (ticket, entry.wanted):
            if one is not None:
                self._serial += 1
                heappush(heap, (rank(one), self._serial, entry, one))
        if len(heap) > self._thin_at:
            self._thin(heap)

    def meets(self, side: Side, level: float | None) -> bool:
        """Whether an order at a price (None: at any) would meet one that rests on a side."""
        heap = self._buys if side is _BUY else self._sells
        while heap:
            at, _, entry, ticket = heap[0]
            if not entry.over and (entry.ticket is ticket or _asks(entry, at)):
                return level is None or at <= (-level if side is _BUY else level)
            heappop(heap)
        return False

    def _thin(self, heap: list[Entry]) -> None:
        """Drop what is dead, when it is likely to be half of all."""
        heap[:] = [one for one in heap if not one[2].over and (one[2].ticket is one[3] or _asks(one[2], one[0]))]
        heapify(heap)
        self._thin_at = 2 * max(len(heap), _FEW)


def _asks(entry: Reserved, at: float) -> bool:
    """Whether an order, or the modification that is on its way, has a rank still."""
    return rank(entry.ticket) == at or (entry.wanted is not None and rank(entry.wanted) == at)
