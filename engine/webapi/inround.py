"""An order write's round at the scheduler: while it lasts, the write and its replies go through it.

Whoever opens a round ends it, whatever becomes of the requests in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define

from engine.domain import brokerage as b
from engine.errors import VenueRefused
from engine.webapi.calls import Call, Reply
from engine.webapi.endpoints.orders import written
from engine.webapi.facts.orders import PlacementRow
from engine.webapi.scheduler import Scheduler, Turn


class InRound:
    """A caller that goes through the round under way, if there is one."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.turn: Turn | None = None

    @contextmanager
    def under_way(self, turn: Turn) -> Iterator[None]:
        """Calls go through this round meanwhile."""
        self.turn = turn
        try:
            yield
        finally:
            self.turn = None

    async def call(self, call: Call, *, deadline_ns: int | None = None) -> Reply:
        """See `calls.Caller`."""
        if self.turn is not None:
            return await self.turn.call(call, deadline_ns=deadline_ns)
        return await self._scheduler.call(call, deadline_ns=deadline_ns)


@define(eq=False)
class ReadyPlacement:
    """A placement that waits for its permit, in a round of its own. Fulfils `ports.ReadyPlacement`.

    `placed` reads the rows of the answer to so many tickets.
    """

    _in_round: InRound
    _turn: Turn
    _call: Call
    _reply: Callable[[], Awaitable[Reply]]
    _tickets: int
    _placed: Callable[[Sequence[PlacementRow], int], b.WriteAnswer]

    @contextmanager
    def round(self) -> Iterator[None]:
        """The round, to its end."""
        try:
            with self._in_round.under_way(self._turn):
                yield
        finally:
            self._turn.end()

    async def answer(self) -> b.WriteAnswer:
        """What `place` returns. Raises: as `place`."""
        try:
            rows = written(self._call, await self._reply())
        except VenueRefused as refused:
            return b.AllRefused(reason=refused.problem)
        return self._placed(rows, self._tickets)
