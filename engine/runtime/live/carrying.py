"""Carries the order desk's requests to the broker and its answers back; what silence means is said here and only here.

One task writes orders, inside the session's critical section for as long as a round lasts. Cancels go beside it. Reads
are repeated until they are primed; two readings of the same list at once are one.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

import trio

from engine.domain.brokerage import CancelTurnedDown, NotYetKnown, Preview, Unclear, WriteAnswer
from engine.errors import AnswerLost, VenueError, VenueRefused, VenueUnreachable
from engine.orders.actions import SendCancel, SendClosing, SendModify, SendPlace, SendPreview, SendReply
from engine.ports import Broker, Clock, Permit, ReadyPlacement
from engine.runtime.live.letters import (
    CancelAllAnswered,
    CancelAnswered,
    ExecutionsRead,
    OrderRead,
    OrdersLetter,
    OrdersRead,
    Previewed,
    WriteAnswered,
)

Write = SendPlace | SendModify | SendReply
_Wanted = tuple[Write, Permit | None, ReadyPlacement | None]
_READ_AGAIN_S: Final = 6.0  # the venue allows one list each five seconds
_WRITES_MAX: Final = 4


class Inbox(Protocol):
    """Where answers go."""

    async def send(self, value: OrdersLetter) -> None:
        """Put a letter at its end, as soon as there is room."""


class Carrier:
    """The way to the broker. `inbox` is where answers go; it is not closed here."""

    def __init__(self, broker: Broker, clock: Clock, inbox: Inbox) -> None:
        self._broker = broker
        self._clock = clock
        self._inbox = inbox
        self._writes: deque[_Wanted | None] = deque()  # None: the end of a round
        self._some = trio.Event()
        self._writer_waits = False  # for a round, with nothing on its way to it
        self._cancels: set[str] = set()
        self._all_asked = False
        self._wanted = {"orders": trio.Event(), "executions": trio.Event()}
        self._pages: set[str] = set()
        self._nursery: trio.Nursery | None = None

    # --- what the desk wants ------------------------------------------------------------------------------------

    def write(self, action: Write, permit: Permit | None = None) -> None:
        """Send an order write or a reply of the round under way.

        Args:
            permit: Nothing leaves before it is granted. Once refused, whoever refused it tells the desk.
        """
        ready = None
        if permit is not None and self._writer_waits and isinstance(action, SendPlace):
            ready = self._broker.ready(action.tickets, permit, urgent=isinstance(action, SendClosing))
        self._put((action, permit, ready))

    def take_back(self, permit: Permit) -> None:
        """A write that was refused is not wanted any more; one whose round has begun, or is waited for, ends by itself.

        Without this, orders that a full disk refuses one by one would pile up behind a session that others use.
        """
        last = self._writes[-1] if self._writes else None
        if last is not None and last[1] is permit and last[2] is None:
            self._writes.pop()

    def end_round(self) -> None:
        """The round is over: others may use the session."""
        if not self._writes or self._writes[-1] is not None:
            self._put(None)

    def _put(self, wanted: _Wanted | None) -> None:
        # A round has one write under way, and then its end; before them may be one that was refused and not yet taken.
        assert len(self._writes) < _WRITES_MAX, "more writes than one round has"
        self._writer_waits = False
        self._writes.append(wanted)
        self._some.set()

    def cancel(self, action: SendCancel) -> None:
        """Ask for a cancellation; asked already and unanswered, it is not asked again."""
        if action.coid not in self._cancels:
            self._cancels.add(action.coid)
            self._start(self._cancel, action)

    def cancel_all(self) -> None:
        """Ask for the cancellation of every order of the account; asked already and unanswered, not again."""
        if not self._all_asked:
            self._all_asked = True
            self._start(self._cancel_all, None)

    def preview(self, action: SendPreview) -> None:
        """Ask what tickets would do."""
        self._start(self._preview, action)

    def read_orders(self) -> None:
        """Read the list of orders soon."""
        self._wanted["orders"].set()

    def read_executions(self) -> None:
        """Read the list of executions soon."""
        self._wanted["executions"].set()

    def read_order(self, order_id: str) -> None:
        """Read one order's page."""
        if order_id not in self._pages:
            self._pages.add(order_id)
            self._start(self._page, order_id)

    def _start(self, work: object, argument: object) -> None:
        assert self._nursery is not None, "the carrier does not run"
        assert callable(work)
        self._nursery.start_soon(work, argument)

    # --- tasks --------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._write_orders)
            nursery.start_soon(self._read_orders)
            nursery.start_soon(self._read_executions)
            task_status.started()

    async def _write_orders(self) -> None:
        while True:
            self._writer_waits = not self._writes
            first = await self._next()
            if first is None:
                continue  # the end of a round that was over before its section was
            action, _, ready = first
            if ready is not None:
                with ready.round():
                    await self._round(first)
                continue
            async with self._broker.round(urgent=isinstance(action, SendClosing)):
                await self._round(first)

    async def _round(self, first: _Wanted) -> None:
        wanted: _Wanted | None = first
        while wanted is not None:
            action, permit, ready = wanted
            answer = await self._write(action, permit, ready)
            if permit is None or await permit.settled():
                await self._inbox.send(WriteAnswered(action.number, answer))
            wanted = await self._next()

    async def _next(self) -> _Wanted | None:
        while not self._writes:
            self._some = trio.Event()
            await self._some.wait()
        return self._writes.popleft()

    async def _write(self, action: Write, permit: Permit | None, ready: ReadyPlacement | None) -> WriteAnswer | None:
        """Write once. None: nothing left us. `Unclear` is silence, or an answer that proves nothing."""
        try:
            if ready is not None:
                return await ready.answer()
            match action:
                case SendPlace(tickets=tickets):
                    return await self._broker.place(tickets, permit=permit)
                case SendModify(order_id=order_id, ticket=ticket):
                    return await self._broker.modify(order_id, ticket, permit=permit)
                case SendReply(reply_id=reply_id, confirmed=confirmed):
                    return await self._broker.reply(reply_id, confirmed=confirmed)
        except VenueUnreachable:
            return None
        except AnswerLost as error:
            return Unclear(reason=error.problem)
        except VenueRefused as error:  # a refusal of a write comes as an answer; as an error it proves nothing
            return Unclear(reason=error.problem)

    async def _cancel(self, action: SendCancel) -> None:
        try:
            answer = await self._broker.cancel(action.order_id, urgent=action.urgent)
        except VenueRefused as error:
            answer = CancelTurnedDown(reason=error.problem)
        except VenueError as error:
            answer = Unclear(reason=error.problem)
        finally:
            self._cancels.discard(action.coid)
        await self._inbox.send(CancelAnswered(action.coid, answer))

    async def _cancel_all(self, _: None) -> None:
        try:
            answer = await self._broker.cancel_all()
        except VenueRefused as error:
            answer = CancelTurnedDown(reason=error.problem)
        except VenueError as error:
            answer = Unclear(reason=error.problem)
        finally:
            self._all_asked = False
        await self._inbox.send(CancelAllAnswered(answer))

    async def _preview(self, action: SendPreview) -> None:
        try:
            told = await self._broker.preview(action.tickets)
        except VenueRefused as error:
            told = Preview(error=error.problem)
        except VenueError:
            told = None
        await self._inbox.send(Previewed(action.number, told))

    async def _read_orders(self) -> None:
        while True:
            await self._wanted["orders"].wait()
            self._wanted["orders"] = trio.Event()
            try:
                view = await self._broker.orders()
            except VenueError:
                await self._clock.sleep(_READ_AGAIN_S)
                self._wanted["orders"].set()
                continue
            await self._inbox.send(OrdersRead(view))
            if isinstance(view, NotYetKnown):
                await self._clock.sleep_until(view.again_ns)
                self._wanted["orders"].set()

    async def _read_executions(self) -> None:
        while True:
            await self._wanted["executions"].wait()
            self._wanted["executions"] = trio.Event()
            try:
                view = await self._broker.executions()
            except VenueError:
                await self._clock.sleep(_READ_AGAIN_S)
                self._wanted["executions"].set()
                continue
            await self._inbox.send(ExecutionsRead(view))
            if isinstance(view, NotYetKnown):
                await self._clock.sleep_until(view.again_ns)
                self._wanted["executions"].set()

    async def _page(self, order_id: str) -> None:
        try:
            copy = await self._broker.order(order_id)
        except VenueError:
            copy = None
        finally:
            self._pages.discard(order_id)
        await self._inbox.send(OrderRead(order_id, copy))
