"""The exchange floor: whose order is where, what has been executed, and what we are told of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from engine.domain.facts import Accepted, Answer, Cancelled, Filled, LegExecution, Pending
from engine.settings import VenueSettings
from engine.venue import groups
from engine.venue.fees import FeeLedger
from engine.venue.rules import FillRule
from engine.venue.slippage import Slippage
from engine.venue.working import CLOSING, DONE, WORKING, ZERO, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

# What the report shows, all there from the start so that a run without them says 0.
COUNTS: Final = (
    "ambiguous_bars",
    "capped_fills",
    "unsized_fills",
    "queue_waits",
    "slipped_fills",
    "auction_fills",
    "expired_past_data",
    "auctions_past_data",
)
# Children may name an entry that has filled already, as long as it is among the last so many (at least).
_FILLED_MAX: Final = 1024


class Floor:
    """Orders by client id, the answers that leave, and the tallies.

    `arrived` counts the orders that were taken; `active` are the books with orders on them.
    `heard_ns` is how long an answer needs to reach us: the time of every answer is that of the event plus this.
    `granted` collects the children that an entry's fill has just made live, in order.
    """

    def __init__(
        self, rule: FillRule, settings: VenueSettings, fees: FeeLedger | None, slippage: Slippage | None, report_ns: int
    ) -> None:
        self.rule = rule
        self.at_touch = settings.resting_price == "touch"
        self.stop_trigger = settings.stop_trigger
        self.quote_share = settings.participation.quote
        self.trade_share = settings.participation.trade
        self.bar_share = settings.participation.bar
        self.fees = fees
        self.slippage = slippage
        self.heard_ns = report_ns
        self.arrived = 0
        self.active: list[Book] = []
        self.orders: dict[str, WorkingOrder] = {}
        self.ended: dict[str, str] = {}
        self.filled: dict[str, WorkingOrder] = {}
        self.oca: dict[str, list[WorkingOrder]] = {}
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
        self.answers: list[Answer] = []
        self.granted: list[WorkingOrder] = []
        self.row = 0  # rows before it are known, for those who come alive by another order's fill
        self._executions = 0
        self.on_live: Callable[[WorkingOrder, int], None] = _nothing

    # What we are told

    def accept(self, order: WorkingOrder, now_ns: int) -> None:
        """It works on the book."""
        self.answers.append(Accepted(coid=order.ticket.coid, ts_ns=now_ns + self.heard_ns, venue_id=order.venue_id))

    def pend(self, order: WorkingOrder, now_ns: int) -> None:
        """It is here, and waits."""
        self.answers.append(Pending(coid=order.ticket.coid, ts_ns=now_ns + self.heard_ns, venue_id=order.venue_id))

    # What happens

    def fill(
        self,
        order: WorkingOrder,
        quantity: Decimal,
        price: Decimal,
        now_ns: int,
        *,
        maker: bool,
        flags: tuple[str, ...] = (),
        legs: tuple[LegExecution, ...] = (),
    ) -> None:
        """Execute a part of an order, or all of it; money moves."""
        ticket = order.ticket
        self._executions += 1
        order.filled += quantity
        order.set_left(order.left - quantity)
        lines = () if self.fees is None else self.fees.charge(order, quantity, price, legs, now_ns)
        if flags:
            self._count(flags)
        self.answers.append(
            Filled(
                coid=ticket.coid,
                ts_ns=now_ns + self.heard_ns,
                exec_id=f"E{self._executions}",
                conid=ticket.conid,
                side=ticket.side,
                quantity=quantity,
                price=price,
                fees=lines,
                liquidity="maker" if maker else "taker",
                legs=legs,
                flags=flags,
            )
        )
        order.book.changed()
        if order.filled >= ticket.quantity:
            self.end(order, "filled")
        if ticket.oca_group is not None:
            groups.one_cancels(self, order, now_ns)
        if order.entry_of is not None:
            groups.entry_filled(self, order.entry_of, now_ns)
        if order.bracket is not None:
            groups.exit_filled(self, order, quantity, now_ns)

    def fill_alone(
        self,
        side: list[WorkingOrder],
        order: WorkingOrder,
        price: Decimal,
        now_ns: int,
        liquidity: str,
        flags: tuple[str, ...] = (),
    ) -> None:
        """What `fill` does, for all that is left of an order of no group, which stands on `side` of its book alone."""
        ticket = order.ticket
        coid = ticket.coid
        quantity = order.left
        self._executions += 1
        order.filled = order.filled + quantity if order.filled else quantity
        order.left, order.left_f = ZERO, 0.0
        lines = () if self.fees is None else self.fees.charge(order, quantity, price, (), now_ns)
        if flags:
            self._count(flags)
        self.answers.append(
            Filled(
                coid=coid,
                ts_ns=now_ns + self.heard_ns,
                exec_id=f"E{self._executions}",
                conid=ticket.conid,
                side=ticket.side,
                quantity=quantity,
                price=price,
                fees=lines,
                liquidity=liquidity,
                flags=flags,
            )
        )
        side.clear()
        order.book.changed()
        order.stand = DONE
        del self.orders[coid]
        self.keep_filled(order)
        self.ended[coid] = "filled"

    def cancel(self, order: WorkingOrder, now_ns: int, reason: str) -> None:
        """Take an order off and say so, with the children that waited for it."""
        if order.stand is DONE:
            return  # a chain of groups has come round to it
        self.end(order, "cancelled")
        self.answers.append(Cancelled(coid=order.ticket.coid, ts_ns=now_ns + self.heard_ns, reason=reason))
        if order.entry_of is not None:
            groups.entry_ended(self, order.entry_of, now_ns)

    def end(self, order: WorkingOrder, how: str) -> None:
        """An order is over: no list holds it any more."""
        if order.stand is WORKING and order.act is not CLOSING:
            order.book.catch_up(order, self.row)
            order.book.drop(order)
        order.stand = DONE
        coid = order.ticket.coid
        del self.orders[coid]
        if order.filled:
            self.keep_filled(order)
        self.ended[coid] = how
        if order.ticket.oca_group is not None:
            groups.leave(self, order)

    def keep_filled(self, order: WorkingOrder) -> None:
        """Remember an order that is over and has traded: a bracket's child may still name it."""
        self.filled[order.ticket.coid] = order
        if len(self.filled) >= 2 * _FILLED_MAX:  # in lots: the first key of a dict lies behind all that were deleted
            for coid in list(self.filled)[:_FILLED_MAX]:
                del self.filled[coid]

    def ambiguous(self) -> None:
        """A bar could be read in two ways; the worse one was taken."""
        self.counts["ambiguous_bars"] += 1

    def _count(self, flags: tuple[str, ...]) -> None:
        for flag in flags:
            name = _COUNTED.get(flag)
            if name is not None:
                self.counts[name] += 1


_COUNTED: Final = {"capped": "capped_fills", "unsized": "unsized_fills", "auction": "auction_fills"}


def _nothing(_order: WorkingOrder, _now_ns: int) -> None:
    return
