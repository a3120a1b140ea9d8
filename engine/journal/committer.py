"""Group commit: whoever has rows waits, one thread stores all that wait in one commit, and all go on together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Final

import trio
from attrs import define, field

from engine.errors import CoidUsed, JournalFull
from engine.journal.durable import DurableJournal, Row

Work = Callable[[], object]
PAUSE_S: Final = 0.05  # without anything to store, after which there is time for other work
TIDY_COMMITS: Final = 150
_HEAD_START_S: Final = 0.001
_BROKEN: Final = "the journal has broken, and nothing more is stored"


@define(eq=False)
class _Waiting:
    rows: Sequence[Row]
    coids: Sequence[str]
    essential: bool
    then: Callable[[], None] | None
    done: trio.Event = field(factory=trio.Event)
    error: Exception | None = None

    async def wait(self) -> None:
        """See `Committer.begin`."""
        await self.done.wait()
        if self.error is not None:
            raise self.error

    def end(self, error: Exception | None = None) -> _Waiting:
        """Nothing has to be done any more."""
        self.error = error
        self.done.set()
        return self


class _Thread:
    """The journal's own thread, from its making to `stop`: it does what it is handed, in order.

    Borrowing one of trio's for each commit costs an order a limiter, a wake-up token and two more turns of the loop.
    """

    def __init__(self, tidy: Callable[[], None]) -> None:
        self._tidy = tidy
        self._work: SimpleQueue[tuple[Work, Callable[[BaseException | None], None]] | None] = SimpleQueue()
        self._token = trio.lowlevel.current_trio_token()
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, work: Work, told: Callable[[BaseException | None], None]) -> None:
        """Have something done; `told` is called on the loop with what it has raised."""
        self._work.put((work, told))

    def stop(self) -> None:
        """Return when what it was handed is done."""
        self._work.put(None)
        self._thread.join()

    def _next(self) -> tuple[Work, Callable[[BaseException | None], None]] | None:
        """What is to be done next; tidies up before it, if there is a pause."""
        try:
            return self._work.get(timeout=PAUSE_S)
        except Empty:
            self._tidy()
        return self._work.get()

    def _run(self) -> None:
        while (found := self._next()) is not None:
            work, told = found
            error: BaseException | None = None
            try:
                work()
            except BaseException as exc:  # noqa: BLE001 - carried to the task that waits for it
                error = exc
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(told, error)


def _let_go(lock: Lock) -> None:
    if lock.locked():  # a batch that failed is tried again, row by row
        lock.release()


class Committer:
    """Stores rows in a thread of its own. `commits` and `stored` count what it did."""

    def __init__(self, journal: DurableJournal, *, waiting_max: int = 10_000) -> None:
        self._journal = journal
        self._waiting: list[_Waiting] = []
        self._waiting_max = waiting_max
        self._thread: _Thread | None = None
        self._away: list[_Waiting] = []  # under way to the disk
        self._home = trio.Event()  # nothing is
        self._home.set()
        self._begun = trio.Event()
        self._broken = trio.Event()
        self._error: BaseException | None = None
        self.commits = 0
        self.stored = 0

    async def store(self, rows: Sequence[Row], *, coids: Sequence[str] = (), essential: bool = False) -> None:
        """Return when the rows are on the disk.

        Not to be cancelled half-way: rows that were handed over are stored, whoever waits for them.

        Raises: JournalFull, CoidUsed: none of these rows was stored.
        """
        await self.begin(rows, coids=coids, essential=essential).wait()

    def begin(
        self,
        rows: Sequence[Row],
        *,
        coids: Sequence[str] = (),
        essential: bool = False,
        then: Callable[[], None] | None = None,
    ) -> _Waiting:
        """Have rows stored and return at once; `wait` of what is returned ends as `store` would.

        Args:
            then: Called in the journal's thread as soon as they are on the disk, and only then. It must neither wait
                nor raise.
        """
        mine = _Waiting(rows, coids, essential, then)
        if not rows and not coids:
            if then is not None:
                then()
            return mine.end()
        if self._error is not None:
            return mine.end(JournalFull(_BROKEN))
        if len(self._waiting) >= self._waiting_max:
            return mine.end(JournalFull("more waits to be stored than the journal can hold back"))
        self._waiting.append(mine)
        begun = self._hand_over()
        if begun is not None and then is not None:
            # One thread at a time has the interpreter, and somebody waits for this commit to begin: ours waits until
            # the database is at work, for which nobody needs it.
            begun.acquire(timeout=_HEAD_START_S)
        return mine

    async def put_away(self, fresh: Path, archive: Path, *, after: int) -> None:
        """Go on in another file, between two commits (`DurableJournal.put_away`); what waits is stored there."""
        await self._begun.wait()
        assert self._thread is not None, "the committer has ended"
        done = trio.Event()
        raised: list[BaseException] = []

        def told(error: BaseException | None) -> None:
            if error is not None:
                raised.append(error)
            done.set()

        self._thread.put(partial(self._journal.put_away, fresh, archive, after=after), told)
        with trio.CancelScope(shield=True):
            await done.wait()
        if raised:
            raise raised[0]

    async def run(self) -> None:
        """Commit until cancelled; what waits at the end is stored first.

        Raises: what the journal raises that is no word on a row: a file that is damaged, say.
        """
        thread = self._thread = _Thread(self._tidy)
        self._begun.set()
        try:
            self._hand_over()
            await self._broken.wait()
            assert self._error is not None
            raise self._error
        finally:
            with trio.CancelScope(shield=True):
                while self._away and self._error is None:
                    await self._home.wait()
            self._thread = None
            thread.stop()
            batch, self._waiting = self._waiting, []
            if batch and self._error is None:
                self._commit(batch)
            self._tell(batch)

    def _hand_over(self) -> Lock | None:
        """Have what waits committed together, unless the thread is at it: then it goes with the next commit.

        Returns: What is released when the database is at work.
        """
        if self._thread is None or self._away or not self._waiting or self._error is not None:
            return None
        self._away, self._waiting = self._waiting, []
        self._home = trio.Event()
        begun = Lock()
        begun.acquire()
        self._thread.put(partial(self._commit, self._away, partial(_let_go, begun)), self._stored)
        return begun

    def _stored(self, error: BaseException | None) -> None:
        batch, self._away = self._away, []
        if error is not None:
            self._error = error
            self._broken.set()
        self._tell(batch)
        self._hand_over()
        if not self._away:
            self._home.set()

    def _tell(self, batch: list[_Waiting]) -> None:
        """Let those who wait go on: what a journal that has broken was handed is not stored."""
        for one in batch:
            if self._error is not None:
                one.error = JournalFull(_BROKEN)
            one.done.set()

    def _tidy(self) -> None:
        if self._journal.untidied >= TIDY_COMMITS:
            self._journal.tidy()

    def _commit(self, batch: list[_Waiting], at_sync: Callable[[], None] | None = None) -> None:
        """Store a batch in one commit; if that fails, each alone, so that one's fault is not another's."""
        try:
            self._journal.write(
                [row for one in batch for row in one.rows],
                coids=[coid for one in batch for coid in one.coids],
                essential=all(one.essential for one in batch),
                at_sync=at_sync,
            )
        except (JournalFull, CoidUsed) as error:
            if len(batch) == 1:
                batch[0].error = error
            else:
                # The essential ones first: what is stored of them may use up the reserve.
                for one in sorted(batch, key=lambda one: not one.essential):
                    self._commit([one])
            return
        for one in batch:
            if one.then is not None:
                one.then()
        self.commits += 1
        self.stored += sum(len(one.rows) for one in batch)
