"""What is at stake, as the gate knows it: positions, open orders at their worst, and what was sent lately.

A projection, folded from the order manager's updates and the portfolio's positions; the gate adds what it approves at
once, so that two orders of one moment can't both use the same room.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Final

from attrs import define, field
from msgspec import Struct

from engine.domain.instrument import Instrument
from engine.domain.order import Order
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, Side
from engine.risk.limits import Bounds

_ZERO: Final = Decimal(0)
_RECENT_MAX: Final = 4096

Key = tuple[object, ...]


class MarketNow(Struct, frozen=True):
    """The market of one instrument at the moment of judging.

    `price` is the middle of the quote, or the last trade, or the last bar's close; None if there is none. `since_ns` is
    when it was said.
    """

    now_ns: int
    price: float | None
    since_ns: int
    halted: bool


@define(eq=False)
class Units:
    """A position and the units that open orders may add to either side of it."""

    position: Decimal = _ZERO
    buys: Decimal = _ZERO
    sells: Decimal = _ZERO

    def reach(self, side: Side, more: Decimal) -> Decimal:
        """How far the position may get on this order's side, in units, if all open orders of that side fill."""
        if side is Side.BUY:
            return self.position + self.buys + more
        return self.sells + more - self.position


@define(eq=False)
class Tally:
    """Open orders and the times of recent ones."""

    open: int = 0
    sent_ns: deque[int] = field(factory=deque)

    def in_last(self, span_ns: int, now_ns: int) -> int:
        """How many were sent within the span that ends now."""
        sent = self.sent_ns
        floor = now_ns - span_ns
        while sent and sent[0] <= floor:
            sent.popleft()
        return len(sent)


@define(eq=False)
class Exposure:
    """What the checks need to know of one strategy in one instrument; levels are (account, strategy, instrument)."""

    strategy: str
    instrument: Instrument
    sessions: Sessions
    bounds: Bounds
    rate: Decimal  # of the instrument's currency in base currency
    units: tuple[Units, Units]  # of the account and of the strategy, in this instrument
    tallies: tuple[Tally, Tally, Tally]
    duplicates: Duplicates
    warm_up_until_ns: int


@define(eq=False)
class Reserved:
    """An open order as it counts."""

    exposure: Exposure
    ticket: OrderTicket
    counted: Decimal  # units counted on its side
    cancelling: bool = False


@define(eq=False)
class Duplicates:
    """The newest order of each kind of ticket."""

    newest: dict[Key, tuple[str, int]] = field(factory=dict)
    open: dict[str, Reserved] = field(factory=dict)

    def note(self, key: Key, coid: str, now_ns: int, window_ns: int) -> None:
        """Remember a ticket that was approved."""
        newest = self.newest
        if len(newest) >= _RECENT_MAX:
            kept = {k: v for k, v in newest.items() if v[0] in self.open or now_ns - v[1] < window_ns}
            self.newest = newest = kept
        newest[key] = (coid, now_ns)

    def forget(self, key: Key, coid: str) -> None:
        """An order whose cancellation was asked for no longer stands in the way."""
        if self.newest.get(key, ("", 0))[0] == coid:
            del self.newest[key]

    def earlier(self, key: Key, now_ns: int, window_ns: int) -> str | None:
        """Return the coid of an identical order that is open or was sent within the window."""
        found = self.newest.get(key)
        if found is None:
            return None
        coid, sent_ns = found
        if coid in self.open or now_ns - sent_ns < window_ns:
            return coid
        return None


def key_of(ticket: OrderTicket) -> Key:
    """What makes two tickets the same order twice."""
    return (
        ticket.strategy,
        ticket.conid,
        ticket.side,
        ticket.quantity,
        ticket.order_type,
        ticket.limit_price,
        ticket.stop_price,
        ticket.parent,
        ticket.tag,
    )


def worst_remaining(order: Order) -> Decimal:
    """Units an order may still trade; with a modification in flight, of the larger ticket."""
    quantity = order.ticket.quantity
    if order.wanted is not None and order.wanted.quantity > quantity:
        quantity = order.wanted.quantity
    left = quantity - order.filled
    return left if left > _ZERO else _ZERO
