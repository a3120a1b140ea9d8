"""The request scheduler's task: one per session, in front of the transport. What goes when is decided in `queueing`.

A request belongs to the scheduler once it has left: it is heard to its end though whoever asked is gone, because an
answer to an order write is worth having. A request that still waits goes with the last one who asked for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog
import trio

from engine.domain.moments import iso
from engine.errors import AnswerLost, VenueError, VenueUnreachable
from engine.ports import Clock
from engine.webapi.budgets import SECOND, Budgets
from engine.webapi.calls import Call, Ready, Reply, Transport, Urgency
from engine.webapi.queueing import Queue
from engine.webapi.rest import SessionUnusable, lost
from engine.webapi.waiting import Entry, Waiter, Waits

LONG_WAIT_S = 5.0  # counted, and told in the log
TOLD_EVERY_S = 300.0
ROUND_LIMIT_S = 60.0
QUIET_LIMIT_S = 60.0

log = structlog.get_logger()
Send = Callable[[], Awaitable[Reply]]
Outcome = Reply | VenueError


class _Seat:
    """Where one waiter finds his outcome."""

    def __init__(self) -> None:
        self.ready = trio.Event()
        self.outcome: Outcome | None = None

    def tell(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.ready.set()


class LongWaits:
    """Calls that waited long, told together: each alone would drown a log just when much is going on."""

    def __init__(self) -> None:
        self._told_ns: int | None = None
        self._found: dict[str, tuple[int, float]] = {}

    def waited(self, call: Call, seconds: float, now_ns: int) -> None:
        """Count it; tell at the first, and of all since then at most every `TOLD_EVERY_S`."""
        times, longest = self._found.get(call.name, (0, 0.0))
        self._found[call.name] = times + 1, max(longest, round(seconds, 1))
        if self._told_ns is not None and now_ns - self._told_ns < TOLD_EVERY_S * SECOND:
            return
        said = [f"{name} {times} x, at most {longest:g} s" for name, (times, longest) in self._found.items()]
        log.info("calls_waited", calls="; ".join(said))
        self._told_ns, self._found = now_ns, {}


class Turn:
    """A section of the session that lasts: its calls go while others wait. Fulfils `calls.Caller`."""

    def __init__(self, scheduler: Scheduler, number: int) -> None:
        self._scheduler = scheduler
        self._number = number

    async def call(self, call: Call, *, deadline_ns: int | None = None, send: Send | None = None) -> Reply:
        """As the scheduler's; VenueUnreachable also when the section is over."""
        return await self._scheduler.call(call, deadline_ns=deadline_ns, send=send, owner=self._number)

    def begin(self, call: Call) -> Callable[[], Awaitable[Reply]]:
        """Have a call leave in this turn of the loop, if it may; its answer is to be waited for.

        Raises: VenueUnreachable if nothing more is taken.
        """
        return partial(self._scheduler._heard_by, self._scheduler._ask(call, owner=self._number))

    def end(self) -> None:
        """The round is over."""
        self._scheduler._end(self._number)


class Scheduler:
    """Carries calls in the order of their urgency within all budgets; fulfils `calls.Caller` while `run` runs."""

    def __init__(self, transport: Transport, clock: Clock, budgets: Budgets) -> None:
        self._transport = transport
        self._clock = clock
        self._queue = Queue(budgets)
        self._seats: dict[int, _Seat] = {}
        self._sends: dict[int, Send] = {}
        self._begun: dict[int, trio.Event] = {}
        self._changed = trio.Event()
        self._alarm = trio.CancelScope()
        self._alarm_ns: int | None = None
        self._closed = False
        self._nursery: trio.Nursery | None = None
        self._long = LongWaits()
        self.on_outcome: Callable[[Call, Outcome], None] | None = None  # the supervisor hears of 401s here

    @property
    def over(self) -> bool:
        """Whether the session has ended, and nothing leaves any more."""
        return self._closed

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let requests go until cancelled; then whoever waits is told."""
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                self._nursery = nursery
                while True:
                    self._changed = trio.Event()
                    now_ns = self._clock.now_ns()
                    self._turn_away(now_ns)
                    self._release(now_ns)
                    self._set_alarm(now_ns)
                    await self._changed.wait()
        finally:
            self._nursery = None
            self._close()

    async def call(
        self, call: Call, *, deadline_ns: int | None = None, send: Send | None = None, owner: int | None = None
    ) -> Reply:
        """Send once when its turn comes; see `calls.Caller`.

        Args:
            deadline_ns: After it nothing is sent any more; for a write that has left, the answer is awaited still.
            send: Sends it instead of the transport (a login that lies beside the API).
            owner: The section it belongs to.
        """
        return await self._heard_by(self._ask(call, deadline_ns, send, owner))

    def _ask(
        self, call: Call, deadline_ns: int | None = None, send: Send | None = None, owner: int | None = None
    ) -> int:
        """Queue a call, which leaves at once if its turn has come; return the number of who waits for it."""
        if self._closed:
            raise VenueUnreachable(call.name, "the session has ended")
        waiter = self._queue.ask(call, self._clock.now_ns(), deadline_ns=deadline_ns, owner=owner)
        self._seats[waiter.number] = _Seat()
        if send is not None:
            self._sends[waiter.number] = send
        if owner is not None:
            self._release(self._clock.now_ns())  # a round's own: nobody else's turn could come before it
        if deadline_ns is not None or not self._queue.is_away(waiter.number):
            self._changed.set()
        return waiter.number

    async def _heard_by(self, number: int) -> Reply:
        seat = self._seats[number]
        try:
            await seat.ready.wait()
        finally:
            self._queue.leave(number)
            del self._seats[number]
            if not self._queue.is_away(number):
                self._sends.pop(number, None)
            self._changed.set()
        if isinstance(seat.outcome, Reply):
            return seat.outcome
        assert seat.outcome is not None
        raise _own_copy(seat.outcome)

    def round_now(
        self, urgency: Urgency, call: Call, *, limit_s: float = ROUND_LIMIT_S
    ) -> tuple[Turn, Callable[[], Awaitable[Reply]]] | None:
        """A round that begins in this turn of the loop, with a call that leaves in it; see `Turn.begin`.

        Returns: None if something else goes on, and then nothing has happened: `order_round_now` may know a way still.
        """
        if self._nursery is None or self._closed:
            return None
        now_ns, limit_ns = self._clock.now_ns(), round(limit_s * SECOND)
        found = self._queue.begin_round(urgency, limit_ns, call, now_ns)
        if found is None:
            return None
        number, entry = found
        self._seats[entry.seq] = _Seat()
        self._start(entry, self._nursery)
        self._ring_by(now_ns + limit_ns)
        return Turn(self, number), partial(self._heard_by, entry.seq)

    def order_round_now(self, urgency: Urgency, *, limit_s: float = ROUND_LIMIT_S) -> Turn | None:
        """A round that begins in this turn of the loop, to be ended by `Turn.end`; None if it would have to wait."""
        number = self._queue.claim(urgency, round(limit_s * SECOND))
        now_ns = self._clock.now_ns()
        self._release(now_ns)
        if self._closed or not self._queue.holds(number):
            self._queue.give_back(number)
            self._changed.set()
            return None
        self._set_alarm(now_ns)
        return Turn(self, number)

    @asynccontextmanager
    async def order_round(self, urgency: Urgency, *, limit_s: float = ROUND_LIMIT_S) -> AsyncIterator[Turn]:
        """Keep /iserver to one order and its questions: only the tickle, what is not /iserver, and halts go beside it.

        After `limit_s` others go on, and calls of this round that still wait are VenueUnreachable.
        """
        async with self._section(urgency, limit_s, whole=False) as turn:
            yield turn

    @asynccontextmanager
    async def quiet(self, *, limit_s: float = QUIET_LIMIT_S) -> AsyncIterator[Turn]:
        """Keep the whole session to oneself, once everything that left has come back."""
        async with self._section(Urgency.HALT, limit_s, whole=True) as turn:
            yield turn

    def hold_writes(self, held: bool) -> None:
        """Keep order writes, but for an urgent round's, waiting until their deadlines while the session is not up."""
        self._queue.hold_writes(held)
        self._changed.set()

    @property
    def penalty_until_ns(self) -> int:
        """When the penalty box ends, or ended; 0 if it never began."""
        return self._queue.penalty_until_ns

    def penalty(self) -> str:
        """What the penalty box holds back and until when, in a sentence; empty if it is not open."""
        until_ns = self._queue.penalty_until_ns
        if self._clock.now_ns() >= until_ns:
            return ""
        return (
            f"the venue said that requests were too many: until {iso(until_ns)} only the keepalive and one cancel a "
            "second are sent; orders wait, closing ones too"
        )

    def waits(self) -> dict[Urgency, Waits]:
        """Say by class how long calls waited, and what waits now."""
        return self._queue.waits(self._clock.now_ns())

    # -- inside -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _section(self, urgency: Urgency, limit_s: float, *, whole: bool) -> AsyncIterator[Turn]:
        number = self._queue.claim(urgency, round(limit_s * SECOND), whole=whole)
        begun = self._begun[number] = trio.Event()
        now_ns = self._clock.now_ns()
        self._release(now_ns)
        self._set_alarm(now_ns)
        try:
            if not begun.is_set():
                await begun.wait()
            if self._closed:
                raise VenueUnreachable("order round", "the session has ended")
            yield Turn(self, number)
        finally:
            del self._begun[number]
            self._end(number)

    def _end(self, number: int) -> None:
        self._queue.give_back(number)
        self._changed.set()

    async def _carry(self, entry: Entry, ready: Ready | None) -> None:
        call = entry.call
        waited_s = ((entry.sent_ns or 0) - entry.asked_ns) / SECOND
        if waited_s >= LONG_WAIT_S:
            self._long.waited(call, waited_s, self._clock.now_ns())
        outcome: Outcome = lost(call.name, call.kind, "the session ended before its answer", None)
        try:
            send = self._sends.pop(entry.seq, None)
            if ready is not None:
                outcome = await ready.reply()
            else:
                outcome = await (send() if send else self._transport.call(call))
        except VenueError as exc:
            outcome = exc
        finally:
            self._heard(entry, outcome)

    def _heard(self, entry: Entry, outcome: Outcome) -> None:
        now_ns, before_ns = self._clock.now_ns(), self.penalty_until_ns
        status = outcome.status if isinstance(outcome, Reply) else None
        for waiter in self._queue.answered(entry.seq, now_ns, status):
            self._tell(waiter, outcome)
        if self.penalty_until_ns != before_ns:
            log.error("penalty_box_opened", call=entry.call.name, ends_in_s=(self.penalty_until_ns - now_ns) / SECOND)
        if self.on_outcome is not None:
            self.on_outcome(entry.call, outcome)
        self._changed.set()

    def _turn_away(self, now_ns: int) -> None:
        for waiter, call in self._queue.overdue(now_ns):
            self._tell(waiter, VenueUnreachable(call.name, "its deadline passed before an answer"))
        for waiter, call in self._queue.orphans():
            self._tell(waiter, VenueUnreachable(call.name, "its order round is over"))

    def _release(self, now_ns: int) -> None:
        """Let go what may go. Asked for at once where an order waits for it: waking the task takes several turns."""
        if self._nursery is None:
            return
        for entry in self._queue.due(now_ns):
            self._start(entry, self._nursery)
        for number, begun in self._begun.items():
            if self._queue.holds(number):
                begun.set()

    def _start(self, entry: Entry, nursery: trio.Nursery) -> None:
        ready = self._transport.ready(entry.call) if entry.call.permit is not None else None
        nursery.start_soon(self._carry, entry, ready)

    def _tell(self, waiter: Waiter, outcome: Outcome) -> None:
        seat = self._seats.get(waiter.number)
        if seat is not None:
            seat.tell(outcome)

    def _set_alarm(self, now_ns: int) -> None:
        """See to it that the task wakes when time alone lets something go, or ends it.

        An alarm that is set for earlier is left alone, though nothing may be due when it rings: an order's round would
        else set one and take it back.
        """
        until_ns = self._queue.next_ns(now_ns)
        if until_ns is not None:
            self._ring_by(until_ns)

    def _ring_by(self, until_ns: int) -> None:
        if self._nursery is None or (self._alarm_ns is not None and self._alarm_ns <= until_ns):
            return
        self._alarm.cancel()
        self._alarm, self._alarm_ns = trio.CancelScope(), until_ns
        self._nursery.start_soon(self._ring, self._alarm, until_ns)

    async def _ring(self, scope: trio.CancelScope, until_ns: int) -> None:
        with scope:
            await self._clock.sleep_until(until_ns)
            self._alarm_ns = None
            self._changed.set()

    def _close(self) -> None:
        self._closed = True
        for waiter, entry in self._queue.all_waiters():
            unsent = entry.sent_ns is None
            self._tell(waiter, lost(entry.call.name, entry.call.kind, "the session has ended", None, unsent=unsent))
        for begun in self._begun.values():
            begun.set()


def _own_copy(error: VenueError) -> VenueError:
    """One error for each who waited: a traceback belongs to one task."""
    for kind in (SessionUnusable, VenueUnreachable, AnswerLost):
        if type(error) is kind:
            return kind(error.request, error.problem)
    return error
