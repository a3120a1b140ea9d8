"""How the guard closes positions: one market order an instrument, sent once, and another only when that one is dead.

The venue's questions are confirmed only where they are about what we do on purpose: a market order, its size, its
value, a missing quote. Anything else is declined: a position that stays open is reported, never forced.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import trio
from attrs import define

from engine.domain.brokerage import AllRefused, Answered, Asked, OrdersKnown, Question, VenueOrder, WriteAnswer
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.errors import VenueError
from engine.guard.known import NOTHING
from engine.guard.mandate import ANSWER, ORDER, TROUBLE, Mandate, Notes, Venue
from engine.orders.following import alive
from engine.orders.questions import KNOWN

NOBODY: Final = "outside"  # who owns what no one strategy holds
ROUNDS: Final = 3  # orders an instrument
_REPLIES: Final = 10
_ZERO: Final = Decimal(0)
# About size, value, market orders, capped prices and missing quotes; not about turning a position round (o2137).
CONFIRMED: Final = frozenset({"o354", "o383", "o451", "o10151", "o10153"})


@define(eq=False)
class _Try:
    coid: str
    units: Decimal  # the position it was to close
    sent_s: float
    refused: bool = False


class Closing:
    """The positions and the orders that close them.

    `left` is what the last reading showed, `known` says what our orders have come to and whose a position is, and
    `dead_s` since when none of ours has lived, in trio's time.
    """

    def __init__(self, mandate: Mandate, notes: Notes) -> None:
        self.left: dict[int, Decimal] = {}
        self.known = NOTHING
        self.dead_s = 0.0
        self._mandate = mandate
        self._notes = notes
        self._tries: dict[int, list[_Try]] = {}
        self._coids: set[str] = set()

    def own(self, row: VenueOrder) -> bool:
        """Whether a row is an order of ours that closes something."""
        return row.coid in self._coids

    async def step(self, venue: Venue, view: OrdersKnown) -> bool:
        """Look at what is held and send what is missing; True if all is flat, or nothing more is tried.

        Args:
            view: A reading of the venue's orders that was begun before this.
        """
        held = await venue.positions()
        wanted = set(self._mandate.conids)
        self.left = {row.conid: row.quantity for row in held if row.conid in wanted and row.quantity}
        rows = {row.coid: row for row in view.orders if row.coid is not None}
        waits = False
        for conid, units in sorted(self.left.items()):
            tries = self._tries.setdefault(conid, [])
            if not (self._over(tries[-1], units, rows) if tries else self._believed(conid, units, view.orders)):
                waits = True
            elif len(tries) < ROUNDS:
                tries.append(await self._send(venue, conid, units))
                waits = True
        return not waits

    def _believed(self, conid: int, units: Decimal, rows: Sequence[VenueOrder]) -> bool:
        """Whether a position is what our orders have come to, or so old that no fill of theirs is missing in it."""
        if not any(row.filled and row.conid in (conid, None) for row in rows) and not self.known.traded(conid):
            return True  # nothing has filled that it could be older than
        if units == self.known.held(conid, rows):
            return True
        return trio.current_time() - self.dead_s >= self._mandate.settle_s

    def _over(self, last: _Try, units: Decimal, rows: Mapping[str, VenueOrder]) -> bool:
        """Whether an order is dead, or never arrived: only then is another one sent.

        Positions can be older than orders: until the settle time has passed, one that does not yet show what the order
        filled is not believed, or the same units would be sold twice.
        """
        settled = trio.current_time() - last.sent_s >= self._mandate.settle_s
        row = rows.get(last.coid)
        if row is None:
            return last.refused or settled
        if alive(row):
            return False
        filled = row.filled or _ZERO
        return settled or units == last.units - (filled if last.units > _ZERO else -filled)

    async def _send(self, venue: Venue, conid: int, units: Decimal) -> _Try:
        ticket = OrderTicket(
            coid=f"guard-{time.time_ns():x}-{conid}",
            strategy=self.known.holders.get(conid, NOBODY),
            account=self._mandate.account,
            conid=conid,
            side=Side.SELL if units > _ZERO else Side.BUY,
            order_type=OrderType.MARKET,
            quantity=abs(units),
        )
        tried = _Try(ticket.coid, units, trio.current_time())
        if not self._notes.note(ORDER, ticket.coid, ticket, coid=ticket.coid):
            tried.refused = True  # what is not written down does not leave
            return tried
        self._coids.add(ticket.coid)
        try:
            answer = await self._round(venue, ticket)
        except VenueError as error:
            self._notes.note(TROUBLE, ticket.coid, str(error))
        else:
            self._notes.note(ANSWER, ticket.coid, answer)
            tried.refused = isinstance(answer, AllRefused) or (isinstance(answer, Answered) and not answer.taken)
        tried.sent_s = trio.current_time()
        return tried

    async def _round(self, venue: Venue, ticket: OrderTicket) -> WriteAnswer:
        async with venue.round():
            answer = await venue.place([ticket])
            for _ in range(_REPLIES):
                questions = _questions(answer)
                if not questions:
                    return answer
                self._notes.note(ANSWER, ticket.coid, answer)
                answer = await venue.reply(questions[0].reply_id, confirmed=may_confirm(questions[0]))
        return answer


def _questions(answer: WriteAnswer) -> tuple[Question, ...]:
    return answer.questions if isinstance(answer, Asked | Answered) else ()


def may_confirm(question: Question) -> bool:
    """Whether each message of a question is one we confirm, by its id and its text."""
    pairs = list(zip(question.message_ids, question.texts, strict=False))
    if not pairs or len(question.message_ids) != len(question.texts):
        return False
    return all(name in CONFIRMED and KNOWN[name].fits(text) for name, text in pairs)
