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
class Reserved:
    """An open order as it counts: `counted` units on its side; one that we have asked to cancel is `cancelling`."""

    exposure: Exposure
    ticket: OrderTicket
    counted: Decimal
    cancelling: bool = False


Level = tuple[Tally, int, str]  # a tally, its limit, and whose it is


@define(eq=False)
class Exposure:
    """What the checks need to know of one strategy in one instrument.

    `units` are those of the account and of the strategy, in this instrument; `open_levels` and `rate_levels` are the
    tallies that have a limit; `open` has the strategy's open orders here, `lately` its tickets of the duplicate window.
    """

    strategy: str
    instrument: Instrument
    sessions: Sessions
    bounds: Bounds
    rate: Decimal  # of the instrument's currency in base currency
    units: tuple[Units, Units]
    tallies: tuple[Tally, Tally, Tally]  # account, strategy, instrument
    warm_up_until_ns: int
    open_levels: tuple[Level, ...] = ()
    rate_levels: tuple[Level, ...] = ()
    open: dict[str, Reserved] = field(factory=dict)
    lately: deque[tuple[int, OrderTicket]] = field(factory=deque)
    unit_value: float = field(init=False)  # base currency per unit at price 1
    only_tick: Decimal | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.unit_value = float(self.instrument.multiplier * self.rate)
        ticks = self.instrument.price_ticks
        self.only_tick = ticks[0].tick if len(ticks) == 1 else None

    def earlier(self, ticket: OrderTicket, now_ns: int) -> str | None:
        """The coid of an identical order that is open, unless we have asked to cancel it, or was sent lately."""
        for entry in self.open.values():
            if not entry.cancelling and same_order(entry.ticket, ticket):
                return entry.ticket.coid
        lately = self.lately
        floor = now_ns - self.bounds.duplicate_window_ns
        while lately and lately[0][0] <= floor:
            lately.popleft()
        for _, sent in lately:
            if same_order(sent, ticket):
                return sent.coid
        return None

    def forget(self, coid: str) -> None:
        """An order whose cancellation was asked for no longer stands in a twin's way."""
        if self.lately:
            self.lately = deque(entry for entry in self.lately if entry[1].coid != coid)


def same_order(one: OrderTicket, other: OrderTicket) -> bool:
    """Say whether two tickets are the same order twice."""
    return (
        one.side is other.side
        and one.limit_price == other.limit_price
        and one.quantity == other.quantity
        and one.order_type is other.order_type
        and one.stop_price == other.stop_price
        and one.trail == other.trail
        and one.parent == other.parent
        and one.tag == other.tag
    )


def worst_remaining(order: Order) -> Decimal:
    """Units an order may still trade; with a modification in flight, of the larger ticket."""
    quantity = order.ticket.quantity
    if order.wanted is not None and order.wanted.quantity > quantity:
        quantity = order.wanted.quantity
    left = quantity - order.filled
    return left if left > _ZERO else _ZERO
