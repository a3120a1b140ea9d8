"""Own orders that rest in one instrument, by their best price: what an order must not meet.

Each side knows a price that none of its orders is better than, so that an order that is far from it is told at once.
Only where one comes as near are they put into a heap, whose dead entries are dropped when they come to the top, and all
at once when they are the most of it: so that neither an order nor its end costs more where many are open.
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
_FEW: Final = 128
Entry = tuple[float, "Reserved", OrderTicket]  # rank, the order, and the ticket that gave the rank


def rank(ticket: OrderTicket) -> float:
    """An order's price as a rank on its side, the best the least; without a price it comes before all others."""
    limit = ticket.limit_price
    if limit is None:
        return -inf
    return -number(limit) if ticket.side is _BUY else number(limit)


@define(eq=False)
class Queue:
    """Open orders of one side. None has a rank below `best`; a buy has the price of its rank below zero."""

    best: float = inf
    _fresh: list[Entry] = field(factory=list)  # not in the heap yet
    _heap: list[tuple[float, int, Reserved, OrderTicket]] = field(factory=list)  # with a serial number
    _serial: int = 0
    _thin_at: int = _FEW  # so many of either are looked through
    _heavy_at: int = _FEW

    def put(self, at: float, entry: Reserved, ticket: OrderTicket) -> None:
        """An order may trade at a rank."""
        if at < self.best:
            self.best = at
        fresh = self._fresh
        fresh.append((at, entry, ticket))
        if len(fresh) > self._thin_at:
            self._thin()

    def reaches(self, reach: float) -> bool:
        """Whether an order has a rank that is not above this."""
        if self.best > reach:
            return False
        heap = self._heap
        for at, entry, ticket in self._fresh:
            if not entry.over:
                self._serial += 1
                heappush(heap, (at, self._serial, entry, ticket))
        self._fresh.clear()
        if len(heap) > self._heavy_at:
            heap[:] = [one for one in heap if _stands(one[0], one[2], one[3])]
            heapify(heap)
            self._heavy_at = 2 * len(heap) + _FEW
        while heap and not _stands(heap[0][0], heap[0][2], heap[0][3]):
            heappop(heap)
        self.best = heap[0][0] if heap else inf
        return bool(heap) and self.best <= reach

    def __len__(self) -> int:
        """How many entries are kept, the dead among them."""
        return len(self._fresh) + len(self._heap)

    def _thin(self) -> None:
        """Drop what is dead, when it is likely to be half of all."""
        self._fresh = [one for one in self._fresh if not one[1].over and (one[1].ticket is one[2] or _stands(*one))]
        self._thin_at = 3 * len(self._fresh) + _FEW


@define(eq=False)
class Resting:
    """Open orders of one instrument, of all strategies."""

    buys: Queue = field(factory=Queue)
    sells: Queue = field(factory=Queue)

    def add(self, entry: Reserved) -> None:
        """An order is open, or a modification of it is on its way: it may rest at either price."""
        ticket = entry.ticket
        if ticket.order_type not in RESTING:
            return
        queue = self.buys if ticket.side is _BUY else self.sells
        for one in (ticket, entry.wanted):
            if one is not None:
                queue.put(rank(one), entry, one)

    def meets(self, side: Side, level: float | None) -> bool:
        """Whether an order at a price (None: at any) would meet one that rests on a side."""
        if side is _BUY:
            return self.buys.reaches(inf if level is None else -level)
        return self.sells.reaches(inf if level is None else level)


def _stands(at: float, entry: Reserved, ticket: OrderTicket) -> bool:
    """Whether an order, or the modification that is on its way, has a rank still."""
    if entry.over:
        return False
    return entry.ticket is ticket or rank(entry.ticket) == at or (entry.wanted is not None and rank(entry.wanted) == at)
