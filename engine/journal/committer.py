"""Group commit: whoever has rows waits, one thread stores all that wait in one commit, and all go on together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio
from attrs import define, field

from engine.errors import CoidUsed, JournalFull
from engine.journal.durable import DurableJournal, Row


@define(eq=False)
class _Waiting:
    rows: Sequence[Row]
    coids: Sequence[str]
    essential: bool
    done: trio.Event = field(factory=trio.Event)
    error: Exception | None = None


class Committer:
    """Stores rows off the loop's thread. `commits` and `stored` count what it did."""

    def __init__(self, journal: DurableJournal, *, waiting_max: int = 10_000) -> None:
        self._journal = journal
        self._waiting: list[_Waiting] = []
        self._waiting_max = waiting_max
        self._wake = trio.Event()
        self._limiter = trio.CapacityLimiter(1)
        self.commits = 0
        self.stored = 0

    async def store(self, rows: Sequence[Row], *, coids: Sequence[str] = (), essential: bool = False) -> None:
        """Return when the rows are on the disk.

        Not to be cancelled half-way: rows that were handed over are stored, whoever waits for them.

        Raises: JournalFull, CoidUsed: none of these rows was stored.
        """
        if not rows and not coids:
            return
        if len(self._waiting) >= self._waiting_max:
            raise JournalFull("more waits to be stored than the journal can hold back")
        mine = _Waiting(rows, coids, essential)
        self._waiting.append(mine)
        self._wake.set()
        await mine.done.wait()
        if mine.error is not None:
            raise mine.error

    async def put_away(self, fresh: Path, archive: Path, *, after: int) -> None:
        """Go on in another file, between two commits (`DurableJournal.put_away`); what waits is stored there."""
        work = partial(self._journal.put_away, fresh, archive, after=after)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(work, limiter=self._limiter)

    async def run(self) -> None:
        """Commit until cancelled; what waits at the end is stored first."""
        try:
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                while self._waiting:
                    batch, self._waiting = self._waiting, []
                    with trio.CancelScope(shield=True):
                        await trio.to_thread.run_sync(self._commit, batch, limiter=self._limiter)
                    for one in batch:
                        one.done.set()
        finally:
            batch, self._waiting = self._waiting, []
            if batch:
                self._commit(batch)
            for one in batch:
                one.done.set()

    def _commit(self, batch: list[_Waiting]) -> None:
        """Store a batch in one commit; if that fails, each alone, so that one's fault is not another's."""
        try:
            self._journal.write(
                [row for one in batch for row in one.rows],
                coids=[coid for one in batch for coid in one.coids],
                essential=all(one.essential for one in batch),
            )
        except (JournalFull, CoidUsed) as error:
            if len(batch) == 1:
                batch[0].error = error
            else:
                # The essential ones first: what is stored of them may use up the reserve.
                for one in sorted(batch, key=lambda one: not one.essential):
                    self._commit([one])
            return
        self.commits += 1
        self.stored += sum(len(one.rows) for one in batch)
