"""Cancellations: wanted, sent, repeated until the order is seen dead, and never in the way of a round without need."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, frozen

from engine.domain.brokerage import CancelAnswer, CancelTaken, OrdersKnown, Unclear
from engine.domain.facts import Cancelled, CancelRefused, Refused
from engine.domain.moments import NS_PER_S
from engine.domain.order import CLOSED, State
from engine.orders.actions import ReadOrder, ReadOrders, SendCancel, SendCancelAll
from engine.orders.dialogue import Dialogue
from engine.orders.doubt import Doubts
from engine.orders.following import Follower, alive
from engine.orders.identity import Identity
from engine.orders.link import Link
from engine.orders.slate import Slate
from engine.orders.underway import UnderWay


@frozen(kw_only=True)
class CancelSettings:
    """`[orders.cancel]`, seconds of the venue's clock: how long a routine cancel waits for a round and when it is
    repeated; and after how many tries a person is told. Above `all_above` orders a halt asks for all by one request,
    which cancels what is not ours in the account too; None: never."""

    waits_s: float = 2.0
    again_s: float = 5.0
    tries: int = 6
    all_above: int | None = None


@define(eq=False)
class Wanted:
    """A cancellation that is wanted."""

    asked_ns: int
    urgent: bool
    again_ns: int = 0
    tries: int = 0


class Canceller:
    """All cancellations that are wanted, oldest first."""

    def __init__(
        self,
        slate: Slate,
        identity: Identity,
        doubts: Doubts,
        follower: Follower,
        link: Link,
        under_way: UnderWay,
        settings: CancelSettings,
    ) -> None:
        self.wanted: dict[str, Wanted] = {}
        self._slate = slate
        self._identity = identity
        self._doubts = doubts
        self._follower = follower
        self._link = link
        self._under_way = under_way
        self._settings = settings
        self._waits_ns = round(settings.waits_s * NS_PER_S)

    def times(self) -> list[int]:
        """When `send` is wanted."""
        return [wanted.again_ns or wanted.asked_ns + self._waits_ns for wanted in self.wanted.values()]

    def haunt(self, coids: Iterable[str], now_ns: int) -> None:
        """Orders that are dead for us and live at the venue, or are another order there, have to go."""
        for coid in coids:
            self.wanted.setdefault(coid, Wanted(now_ns, True))

    def want(self, coid: str, now_ns: int, *, urgent: bool) -> None:
        """An order is to die; one that has not left never does."""
        order = self._slate.book.book.get(coid)
        if order is None or order.state in CLOSED:
            return
        if order.state is State.CREATED:
            if urgent:
                refusal = Refused(
                    coid=coid, ts_ns=now_ns, code="HALTED", reason="trading was halted before it was sent"
                )
                self._slate.say([refusal])
            else:
                self._slate.say([Cancelled(coid=coid, ts_ns=now_ns, reason="withdrawn")])
            return
        wanted = self.wanted.setdefault(coid, Wanted(now_ns, urgent))
        wanted.urgent = wanted.urgent or urgent

    def send(self, dialogue: Dialogue, now_ns: int) -> None:
        """Send what is due."""
        for coid, wanted in list(self.wanted.items()):
            if self._dead(coid):
                del self.wanted[coid]
                self._follower.zombies.discard(coid)
                continue
            if now_ns < wanted.again_ns:
                continue
            current = self._under_way.round
            if current is not None and current.unsent:
                current = None
            order_id = self._identity.id_of.get(coid)
            if not wanted.urgent and dialogue.decline("a cancellation waits", now_ns):
                continue
            if order_id is None or not self._link.answers:
                if current is not None and coid in current.open and wanted.urgent:
                    dialogue.break_off(now_ns)
                continue
            if current is not None:
                if not wanted.urgent and now_ns < wanted.asked_ns + self._waits_ns:
                    continue
                dialogue.break_off(now_ns)
            wanted.tries += 1
            wanted.again_ns = now_ns + round(self._settings.again_s * NS_PER_S)
            if wanted.tries == self._settings.tries:
                self._slate.alert("CANCEL", "an order does not die although it was cancelled often", coid)
            self._slate.note(now_ns, "cancel_sent", coid, {"order_id": order_id, "try": wanted.tries})
            self._slate.actions.append(SendCancel(coid, order_id, wanted.urgent))

    def send_all(self, dialogue: Dialogue, now_ns: int) -> None:
        """Ask for all that is due by one request, where policy allows it and they are many."""
        most = self._settings.all_above
        if most is None or not self._link.answers:
            return
        due = {
            coid: wanted
            for coid, wanted in self.wanted.items()
            if coid in self._identity.id_of and now_ns >= wanted.again_ns and not self._dead(coid)
        }
        if len(due) <= most:
            return
        dialogue.break_off(now_ns)
        for wanted in due.values():  # whichever lives on after this is asked by itself
            wanted.tries += 1
            wanted.again_ns = now_ns + round(self._settings.again_s * NS_PER_S)
        self._slate.note(now_ns, "cancel_all_sent", "", {"coids": sorted(due)})
        self._slate.actions.append(SendCancelAll(len(due)))

    def all_answered(self, answer: CancelAnswer, now_ns: int) -> None:
        """What became of the request to cancel everything; the orders' ends come by rows."""
        self._slate.note(now_ns, "answer_to_cancel_all", "", answer)
        if not isinstance(answer, CancelTaken):
            for wanted in self.wanted.values():
                wanted.again_ns = now_ns

    def answered(self, coid: str, answer: CancelAnswer, now_ns: int) -> None:
        """What became of a request to cancel; its end comes by rows."""
        self._slate.note(now_ns, "answer_to_cancel", coid, answer)
        if isinstance(answer, CancelTaken | Unclear):
            return
        self._follower.distrust(coid, now_ns)
        wanted = self.wanted.get(coid)
        if wanted is not None and not wanted.urgent:  # asking again helps only if a reading shows it alive
            wanted.again_ns = max(wanted.again_ns, now_ns + 4 * round(self._settings.again_s * NS_PER_S))
        self._slate.actions.append(ReadOrders(f"a cancellation was turned down: {answer.reason}"))

    def dead_ends(self, view: OrdersKnown, now_ns: int) -> None:
        """Decide cancellations that were turned down: an order that a primed list shows alive works on.

        Only a list that was asked for after the refusal can tell; for others another one is asked for.
        """
        present = self._identity.present(view.orders)
        left_out = self._follower.hidden(view, present)
        undecided = self._follower.seen_dead_end
        for coid, since_ns in sorted(undecided.items()):
            order = self._slate.book.book[coid]
            if view.as_of_ns < since_ns and order.state not in CLOSED:
                continue
            copy = self._identity.copy(coid)
            if coid in left_out:  # its own page tells
                if copy is None or copy.from_stream or copy.seen_ns < since_ns:
                    self._slate.actions.append(ReadOrder(self._identity.id_of[coid], "a full list may lack it"))
                    continue
                present.add(coid)
            del undecided[coid]
            if order.state is State.PENDING_CANCEL and coid in present and alive(copy):
                self._slate.say([CancelRefused(coid=coid, ts_ns=now_ns, code="VENUE", reason="it works on")])
                self.wanted.pop(coid, None)
            elif order.state not in CLOSED and coid not in present:
                self._slate.alert("GONE", "the venue knows nothing of an order we have open", coid)
                self._doubts.begin(coid, now_ns)
        if undecided:
            self._slate.actions.append(ReadOrders("a cancellation was turned down"))

    def _dead(self, coid: str) -> bool:
        """Whether an order that was to be cancelled is, for us and for the venue."""
        if coid not in self._follower.zombies:
            return self._slate.book.book[coid].state in CLOSED
        return not alive(self._identity.copy(coid))
