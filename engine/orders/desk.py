"""The order desk: it takes approved requests to a venue that asks questions, one order write at a time.

A core. What happens comes in by its methods, in the order in which it became known; what is to be done is in `take`.
The caller stores `book.facts` before it acts on anything. Its parts: `under_way` holds the round, `writer` begins it,
`outcomes` reads its answers, `dialogue` its questions; `canceller`, `follower` (the venue's word), `doubts`, `census`
(brackets) and `identity` (which order is which) go on beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from attrs import field, frozen

from engine.domain.brokerage import (
    CancelAnswer,
    ExecutionsKnown,
    NotYetKnown,
    OrdersKnown,
    Preview,
    VenueExecution,
    VenueOrder,
    WriteAnswer,
)
from engine.domain.facts import Answer, Filled
from engine.domain.instrument import Instrument
from engine.domain.messages import BARRED, CancelRequest, PlaceRequest, Request, Resend, ResendRequest, Update
from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY, NS_PER_S
from engine.domain.order import CLOSED, State
from engine.orders.actions import Action, JudgeAgain, ReadExecutions, ReadOrders
from engine.orders.canceller import Canceller, CancelSettings
from engine.orders.census import Census, CensusPolicy
from engine.orders.combos import Combos
from engine.orders.dialogue import Dialogue
from engine.orders.doubt import Doubts, DoubtSettings
from engine.orders.following import Follower, FollowSettings
from engine.orders.holding import Holding, HoldSettings
from engine.orders.identity import Identity
from engine.orders.link import Link
from engine.orders.live import LiveOrders
from engine.orders.outcomes import Outcomes, Unsent
from engine.orders.replies import ReplyPolicy
from engine.orders.slate import Slate
from engine.orders.underway import UnderWay
from engine.orders.writer import PreviewSettings, Writer

SHUT: Final = frozenset({"halted", "stopping"})
_NO_STREAM: Final = "no stream tells of orders"
_TOLD_DAYS: Final = 7  # as far back as the venue tells of executions, and of their fees


@frozen(kw_only=True)
class DeskSettings:
    """`[orders]`: how the desk waits, doubts and looks after brackets."""

    cancel: CancelSettings = field(factory=CancelSettings)
    doubt: DoubtSettings = field(factory=DoubtSettings)
    follow: FollowSettings = field(factory=FollowSettings)
    previews: PreviewSettings = field(factory=PreviewSettings)
    holding: HoldSettings = field(factory=HoldSettings)
    census: CensusPolicy = CensusPolicy.CANCEL_ENTRY


class Desk:
    """Requests in, requests out; between them rounds, replies, doubts and the venue's word.

    Args:
        book: The orders; what the journal knew has been adopted.
        instruments: By conid; combos among them fill leg by leg.
    """

    def __init__(
        self,
        book: LiveOrders,
        policy: ReplyPolicy,
        settings: DeskSettings,
        instruments: Mapping[int, Instrument] = MappingProxyType({}),
    ) -> None:
        self.book = book
        self.identity = Identity(book.book)
        self.doubts = Doubts(settings.doubt)
        self._combos = Combos(instruments)
        self.follower = Follower(book, self.identity, self.doubts, self._combos, settings.follow)
        self.resent: set[str] = set()  # orders that have been sent, or asked to be sent, a second time
        self._resends = settings.doubt.resend
        self._every_ns = round(settings.doubt.ask_every_s * NS_PER_S)
        self._shut = False
        self._unseen_ns: int | None = None  # no stream tells of orders: when the lists are to be read next
        self._slate = Slate(book)
        self._slate.follow_up = self._after
        self._holding = Holding(self._slate, settings.holding)
        self._census = Census(settings.census)
        self._link = Link()
        common = (self._slate, self.identity, self.doubts, self.follower, self._link)
        self._under_way = UnderWay(*common, name_s=settings.follow.echo_s)
        self._canceller = Canceller(*common, self._under_way, settings.cancel)
        self._dialogue = Dialogue(
            self._slate,
            self.follower,
            self._under_way,
            policy,
            cancels_wait=lambda: bool(self._canceller.wanted),
        )
        self._outcomes = Outcomes(self._slate, self.identity, self.follower, self._under_way, self._dialogue)
        self._writer = Writer(
            self._slate, self.identity, self.doubts, self._census, self._link, self._under_way, settings.previews
        )

    def take(self) -> tuple[list[Action], list[Update]]:
        """What is to be done and told, once."""
        return self._slate.take()

    def pass_on(self, updates: Iterable[Update]) -> None:
        """Updates that the book itself made go out with the desk's own, in their order."""
        self._slate.updates += updates

    @property
    def busy(self) -> bool:
        """Whether a round is under way of which something has left."""
        current = self._under_way.round
        return current is not None and not current.unsent

    def next_ns(self) -> int:
        """When `tick` is wanted next; the end of time if nothing waits."""
        parts = (self._under_way, self._canceller, self._holding)
        times = [self.doubts.next_ns(), self.follower.next_ns(), *(time for part in parts for time in part.times())]
        if self._unseen_ns is not None:
            times.append(self._unseen_ns)
        return min(times, default=END_OF_TIME_NS)

    def recovered(
        self,
        in_flight: Iterable[Answer],
        charged: Iterable[str],
        now_ns: int,
        *,
        legs: Iterable[Filled] = (),
        resent: Iterable[str] = (),
        given_up: Iterable[str] = (),
    ) -> None:
        """Begin with what a journal knew: what was under way is in doubt, fees are not charged again.

        Args:
            legs: Executions of combos, oldest first.
            resent: Orders that were sent twice already.
            given_up: Orders of which a modification was without an answer, and may yet arrive.
        """
        self.resent.update(resent)
        self.follower.bookings.charged.update(charged)
        self._combos.recovered((self.book.book[fill.coid].ticket, fill) for fill in legs)
        self._slate.say(in_flight)
        self.follower.lost_modifies.update(given_up)
        for coid, order in self.book.book.items():
            if order.is_open and order.wanted is not None:
                self.follower.lost_modifies.add(coid)
            if order.state is State.LOST and order.updated_ns > now_ns - NS_PER_DAY:
                self.doubts.watched[coid] = order.updated_ns
            if order.state is State.IN_DOUBT:
                self.doubts.begin(coid, now_ns, modify=order.wanted is not None)
            elif order.state is State.PENDING_CANCEL:
                self._canceller.want(coid, now_ns, urgent=False)
                if order.wanted is not None or not order.venue_id:  # its ticket's fate was not known either
                    self.doubts.begin(coid, now_ns, modify=order.wanted is not None)

    def trading(self, state: str) -> None:
        """What may be traded: halted, or stopping, no new order leaves but what closes a position.

        Risk refuses them too; what it had approved just before is stopped here.
        """
        self._shut = state in SHUT

    # --- what is wanted -----------------------------------------------------------------------------------------

    def submit(self, requests: Iterable[Request], now_ns: int) -> None:
        """Take over approved requests, and what the book has put on hold."""
        self._holding.begin(now_ns)
        for request in requests:
            if isinstance(request, CancelRequest):
                self._canceller.want(request.coid, now_ns, urgent=False)
            elif isinstance(request, ResendRequest) and (
                not request.approved or request.ticket.coid in self._canceller.wanted
            ):
                self._under_way.give_up(request.ticket.coid, now_ns)
            elif self._shut and isinstance(request, PlaceRequest) and not request.closing:
                for ticket in request.tickets:
                    self._canceller.want(ticket.coid, now_ns, urgent=True)
            else:
                self._writer.push(request)
        self._holding.tidy(now_ns)
        self._go_on(now_ns)

    def cancel_now(
        self, coids: Iterable[str], now_ns: int, why: str = "trading was halted", *, everything: bool = False
    ) -> None:
        """Cancel for a halt or by risk: nothing waits, and tickets that have not left never do.

        Args:
            everything: These are all: above the number that the settings name, one request may cancel them together.
        """
        coids = list(coids)
        self._holding.end(coids, why, now_ns)
        for coid in coids:
            self._kill(coid, now_ns)
        if everything:
            self._canceller.send_all(self._dialogue, now_ns)
        self._go_on(now_ns)

    def cancel_all_answered(self, answer: CancelAnswer, now_ns: int) -> None:
        """What became of the request to cancel everything; where it was not taken, each order is asked to die."""
        self._canceller.all_answered(answer, now_ns)
        self._go_on(now_ns)

    def session(self, up: bool, now_ns: int, *, layer: str = "") -> None:
        """The session can take orders from now on, or can't.

        Args:
            layer: The lowest layer that is down. Where that is the stream, cancels and what closes positions go all
                the same, and what becomes of orders is read.
        """
        self._link.session(up, layer, now_ns)
        self._unseen_ns = now_ns if self._link.answers and not up else None
        if up and self.doubts.cases:
            self._slate.actions += [ReadOrders("orders in doubt"), ReadExecutions("orders in doubt")]
        self._go_on(now_ns)

    def judged(self, number: int, holds: Mapping[str, bool], now_ns: int) -> None:
        """The risk checker says which conditions hold for the tickets of a round; what it does not say does not."""
        holds = {**holds, BARRED: True} if self._shut else holds
        if not self._writer.judged(number, holds, now_ns):
            self._dialogue.judged(number, holds, now_ns)
        self._go_on(now_ns)

    def answer_question(self, number: int, yes: bool, now_ns: int) -> bool:
        """An operator has answered; False if the question is no longer open."""
        if self._holding.answer(number, yes, now_ns):
            return True
        taken = self._dialogue.answer_question(number, yes, now_ns)
        self._go_on(now_ns)
        return taken

    # --- what the venue says ------------------------------------------------------------------------------------

    def answered(self, number: int, answer: WriteAnswer | Unsent, now_ns: int) -> None:
        """The round's write or reply has come to this; `Unclear` stands for silence too."""
        self._outcomes.answered(number, answer, now_ns)
        self._end_adopted(now_ns)  # what we declined and the venue took: no row may come to remind us
        self._go_on(now_ns)

    def previewed(self, number: int, preview: Preview | None, now_ns: int) -> None:
        """What the venue says a round's tickets would do; None where it could not be asked."""
        if not self._holding.previewed(number, preview, now_ns):
            self._writer.previewed(number, preview, now_ns)
        self._go_on(now_ns)

    def cancel_answered(self, coid: str, answer: CancelAnswer, now_ns: int) -> None:
        """What became of a request to cancel; its end comes by rows."""
        self._canceller.answered(coid, answer, now_ns)

    def rows(self, rows: Sequence[VenueOrder], now_ns: int) -> None:
        """Order rows of the stream."""
        self._apply(self.follower.rows(rows, now_ns), now_ns)

    def executions(self, rows: Sequence[VenueExecution], now_ns: int) -> None:
        """Executions of the stream."""
        self._apply(self.follower.bookings.hear(rows, now_ns), now_ns)

    def orders_read(self, view: OrdersKnown | NotYetKnown, now_ns: int) -> None:
        """A list of orders."""
        self._apply(self.follower.orders_read(view, now_ns), now_ns)
        if isinstance(view, OrdersKnown):
            self._canceller.dead_ends(view, now_ns)
            self._after(now_ns)

    def executions_read(self, view: ExecutionsKnown | NotYetKnown, now_ns: int) -> None:
        """A list of executions."""
        self._apply(self.follower.executions_read(view, now_ns), now_ns)

    def order_read(self, copy: VenueOrder | None, order_id: str, now_ns: int) -> None:
        """One order's page; None if it could not be read."""
        if copy is not None:
            self._apply(self.follower.rows([copy], now_ns), now_ns)
        self._writer.copy_read(order_id, copy, now_ns)
        self._go_on(now_ns)

    def tick(self, now_ns: int) -> None:
        """Time has passed."""
        self._holding.tick(now_ns)
        self._dialogue.tick(now_ns)
        self._writer.tick(now_ns)
        self._under_way.tick(now_ns)
        if self.doubts.due(now_ns) and self._link.up:
            self._slate.actions += [ReadOrders("orders in doubt"), ReadExecutions("orders in doubt")]
        if self._unseen_ns is not None and now_ns >= self._unseen_ns:
            self._unseen_ns = now_ns + self._every_ns
            if any(order.is_open for order in self.book.book.values()):
                self._slate.actions += [ReadOrders(_NO_STREAM), ReadExecutions(_NO_STREAM)]
        for coid in self.doubts.overdue(now_ns):
            self._slate.alert("DOUBT", "an order has been in doubt for long: look at the venue", coid)
        self._apply(self.follower.tick(now_ns), now_ns)

    def forget(self, before_ns: int) -> None:
        """Let go of orders that ended before a moment, and whose fees are known; the journal has them."""
        told_ns = before_ns - _TOLD_DAYS * NS_PER_DAY
        charged = self.follower.bookings.charged
        unpaid = {
            coid
            for coid, order in self.book.book.items()
            if order.updated_ns >= told_ns and not charged.issuperset(order.fills)
        }
        coids = self.book.forget(before_ns, unpaid)
        self.identity.forget(coids, before_ns)
        self.follower.forget(coids, before_ns)
        self._combos.forget(coids)
        self.resent.difference_update(coids)
        for coid in coids:
            self.doubts.watched.pop(coid, None)

    # --- common -------------------------------------------------------------------------------------------------

    def _go_on(self, now_ns: int) -> None:
        """Send what may be sent: cancels first, then the next order write."""
        self._canceller.send(self._dialogue, now_ns)
        self._writer.go_on(now_ns)

    def _kill(self, coid: str, now_ns: int) -> None:
        state = self.book.book[coid].state
        if state not in CLOSED:
            if state not in (State.CREATED, State.PENDING_CANCEL):
                self._slate.kill(coid, now_ns)
            self._canceller.want(coid, now_ns, urgent=True)

    def _end_adopted(self, now_ns: int) -> None:
        for coid in self.follower.adopted:
            self._kill(coid, now_ns)
        self.follower.adopted.clear()

    def _apply(self, read: tuple[list[Answer], list[Action]], now_ns: int) -> None:
        facts, actions = read
        self._slate.actions += actions
        self._slate.say(facts)
        for coid in self.doubts.proved_absent():
            if self._may_resend(coid):
                self.resent.add(coid)
                self._slate.note(now_ns, "absent", coid, "proved absent: asked to be sent once more")
                self._slate.actions.append(JudgeAgain(Resend(self.book.book[coid].ticket)))
            else:
                self._under_way.give_up(coid, now_ns)
        self._end_adopted(now_ns)
        self._canceller.haunt(sorted(self.follower.zombies), now_ns)
        self._go_on(now_ns)

    def _may_resend(self, coid: str) -> bool:
        """Once, if the config says so: a single new order that nobody wants cancelled."""
        order = self.book.book[coid]
        ticket = order.ticket
        return (
            self._resends
            and self._link.up
            and coid not in self.resent
            and coid not in self._canceller.wanted
            and order.state is State.IN_DOUBT
            and order.wanted is None
            and ticket.parent is None
            and ticket.oca_group is None
            and all(other.ticket.parent != coid for other in self.book.book.values())
        )

    def _after(self, now_ns: int) -> None:
        """What follows from new states: doubts that have ended, wishes whose turn has come, brackets without a stop."""
        book = self.book.book
        for coid in [coid for coid in self.doubts.cases if book[coid].state in CLOSED]:
            self.doubts.found(coid)
        for coid in list(self.book.wishes):
            wish = self.book.take_wish(coid)
            if wish is not None:
                self._slate.actions.append(JudgeAgain(wish))
        for finding in self._census.look(book):
            self._slate.actions += finding.actions
            for coid in finding.cancels:
                self._kill(coid, now_ns)
