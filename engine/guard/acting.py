"""What the guard does in the daemon's place: see it dead, cancel what is ours, close positions if it was told to.

Every step is written down first. Cancels are repeated until the venue's list shows the orders dead; an order that
closes a position is sent once. Orders that were on their way when the daemon died are waited for: nothing is done with
before the settle time has passed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

import trio

from engine.domain.brokerage import CancelTaken, NotYetKnown, VenueOrder
from engine.errors import VenueError
from engine.guard.closing import Closing
from engine.guard.known import Known
from engine.guard.mandate import ANSWER, CANCEL, DONE, FENCED, LATCH, TROUBLE, Mandate, Notes, OpenVenue, Venue
from engine.guard.seen import ENDED, word_of
from engine.operator.processes import alive, kill

KILL_S: Final = 10.0
_AGAIN_S: Final = 1.0
_TRIES_MAX: Final = 10


class Acting:
    """One intervention. `stage` says how far it is, `first_pass` is set once each order of ours was asked to die."""

    def __init__(
        self,
        mandate: Mandate,
        notes: Notes,
        open_venue: OpenVenue,
        known: Callable[[], Awaitable[Known]],
        *,
        why: str,
        flatten: bool,
        latch: bool = True,
        silence_s: float = 0.0,
    ) -> None:
        """Prepare one.

        Args:
            silence_s: For how long the daemon has been silent: as long has it read no list, and the venue allows one
                in a while to all that share its session.
        """
        self.why = why
        self.stage = "starting"
        self.fenced = False
        self.cancelled: dict[str, str] = {}  # order id -> client order id, asked to die
        self.alive: set[str] = set()  # order ids that the last reading showed alive
        self.seen: dict[str, VenueOrder] = {}  # our orders as the venue's list had them last
        self.first_pass = trio.Event()
        self.done = trio.Event()
        self.watching = trio.CancelScope()  # left when a new daemon takes over from here
        self.trouble = ""
        self.read_s: float | None = None  # when a list of orders was last asked for
        self._silence_s = silence_s
        self.reaches = False  # whether the last try got through to the venue
        self._mandate = mandate
        self._notes = notes
        self._open = open_venue
        self._known = known
        self.flattens = flatten
        self._latch = latch
        self._halted_s = 0.0
        self._closing = Closing(mandate, notes)

    async def run(self) -> None:
        """Act until it is done, or until cancelled."""
        try:
            if self._latch:
                self._notes.note(LATCH, "guard", self.why)
            await self._fence()
            self._halted_s = trio.current_time()
            self.read_s = self._halted_s - self._silence_s
            known = await self._known()
            self._closing.known, self._closing.dead_s = known, self._halted_s
            if known.problem:
                self._say(known.problem)
            with self.watching:
                await self._until_dead(known)
            came_to = "a daemon has taken over" if self.watching.cancelled_caught else self._outcome()
            self._notes.note(DONE, "guard", came_to)
            self.stage = "done"
        finally:
            self.first_pass.set()
            self.done.set()

    async def _fence(self) -> None:
        """No two may act: the daemon is dead before anything else is done."""
        self.stage = "fencing"
        daemon = self._mandate.daemon
        was = alive(daemon)
        self.fenced = not was or await trio.to_thread.run_sync(kill, daemon, KILL_S)
        ended = "was killed" if was and self.fenced else "is dead" if self.fenced else "lives although it was killed"
        self._notes.note(FENCED, "guard", f"the daemon, process {daemon.pid}, {ended}")

    async def _until_dead(self, known: Known) -> None:
        tries = 0
        while True:
            try:
                async with self._open(self._mandate.access) as venue:
                    await self._passes(venue, known)
                    return
            # Nobody comes after us: whatever goes wrong in one try, the next one is made.
            except* Exception as group:  # noqa: BLE001
                self.reaches = False
                self._say(_first(group))
            # A venue that says no is not asked faster than it can bear.
            every_s = self._mandate.read_every_s
            await trio.sleep(min(_AGAIN_S * 2.0 ** min(tries, _TRIES_MAX), 2 * every_s))
            tries += 1

    async def _passes(self, venue: Venue, known: Known) -> None:
        self.stage = "cancelling"
        for order_id, coid in known.open_ids.items():  # no list is needed for these
            await self._cancel(venue, order_id, coid)
        while True:
            await trio.sleep_until(self.free_s())
            try:
                clean = await self._pass(venue, known)
            except VenueError as error:
                clean = self.reaches = False
                self._say(str(error))
            if clean:
                return

    def free_s(self) -> float:
        """When the list of orders may be read again, in trio's time."""
        return 0.0 if self.read_s is None else self.read_s + self._mandate.read_every_s

    async def _pass(self, venue: Venue, known: Known) -> bool:
        """Read, cancel what lives, close what is held; True if nothing is left to do."""
        self.read_s = trio.current_time()
        view = await venue.orders()
        self.reaches = True
        self.seen |= {row.order_id: row for row in view.orders if known.ours(row)}
        living = [row for row in view.orders if self._lives(row) and known.ours(row) and not self._closing.own(row)]
        self.alive = {row.order_id for row in living}
        for row in living:
            await self._cancel(venue, row.order_id, row.coid or known.coid_of(row.order_id))
        if isinstance(view, NotYetKnown):
            return False
        self.first_pass.set()
        if living:
            self._closing.dead_s = trio.current_time()
            return False
        closed = True
        if self.flattens and self.fenced:
            self.stage = "flattening"
            closed = await self._closing.step(venue, view)
        self.stage = "watching" if closed else self.stage
        return closed and trio.current_time() - self._halted_s >= self._mandate.settle_s

    def _lives(self, row: VenueOrder) -> bool:
        """Whether an order may trade. One that is inactive can come back: it is cancelled, once."""
        status = word_of(row)
        return status not in ENDED and not (status == "inactive" and row.order_id in self.cancelled)

    async def _cancel(self, venue: Venue, order_id: str, coid: str) -> None:
        if order_id not in self.cancelled:
            self._notes.note(CANCEL, coid or order_id, {"order_id": order_id})
        self.cancelled[order_id] = coid
        try:
            answer = await venue.cancel(order_id, urgent=True)
        except VenueError as error:
            self._say(f"order {order_id}: {error}")
            return
        if not isinstance(answer, CancelTaken):  # mostly it has ended by itself; the list decides
            self._notes.note(ANSWER, coid or order_id, answer)

    def _outcome(self) -> str:
        said = f"{len(self.cancelled)} orders were cancelled"
        if not self.flattens:
            return said
        left = {conid: units for conid, units in self._closing.left.items() if units}
        if not self.fenced:
            return f"{said}; nothing was flattened, because the daemon could not be killed"
        held = ", ".join(f"{_plain(units)} of {conid}" for conid, units in left.items())
        return f"{said}; positions are flat" if not left else f"{said}; still held: {held}"

    def _say(self, sentence: str) -> None:
        if sentence != self.trouble:
            self.trouble = sentence
            self._notes.note(TROUBLE, "guard", sentence)


def _plain(units: Decimal) -> str:
    return format(units.normalize(), "f")


def _first(group: BaseException) -> str:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return str(group) or type(group).__name__
