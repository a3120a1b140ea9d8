"""The strategies task: one host calls all of them, in config order, with updates first, then timers, then rows."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

import trio
from attrs import frozen

from engine.domain.messages import DropTimer, Intent, SetTimer
from engine.feed.live import LiveFeed
from engine.ports import Clock
from engine.runtime.live.lanes import Handed, Lane
from engine.runtime.live.letters import (
    Arrived,
    Begin,
    Booked,
    FeedLetter,
    Ready,
    RiskLetter,
    StrategiesLetter,
    Tick,
    Wanted,
)
from engine.runtime.timers import Timers
from engine.strategy.host import StrategyHost

# A lot that took longer than this gets the loop as much time for everything else before the next one.
SLOW_S: Final = 0.02
FEW: Final = 8  # rows that are handed out one by one, without columns


@frozen
class Resting:
    """The strategies to themselves: the last lot took so many seconds, and nothing is taken for as long."""

    seconds: float


class DecidingCore:
    """Feeds the host. What strategies want comes back in the order in which they wanted it. Pure, but for handlers."""

    def __init__(self, host: StrategyHost) -> None:
        self.host = host
        self._rows = LiveFeed((), {})
        self._timers = Timers()
        self._calls = 0

    def sign(self) -> tuple[int, int]:
        """Something that changes with every call of a handler."""
        return self._calls, self.host.handed_out()

    def next_ns(self) -> int:
        """When the next timer is due."""
        return self._timers.next_ns()

    def start(self, now_ns: int) -> tuple[Intent, ...]:
        """What strategies wanted in `on_start`."""
        del now_ns
        return self._wants()

    def hear(self, letter: Booked, now_ns: int) -> tuple[Intent, ...]:
        """News of orders."""
        seats = self.host.seats  # of an earlier configuration there may be orders whose strategy is gone
        known = [update for update in letter.updates if update.order.ticket.strategy in seats]
        self._calls += 1
        self.host.hear(known, letter.positions, now_ns)
        return self._wants()

    def wake(self, now_ns: int) -> tuple[Intent, ...]:
        """Timers that are due."""
        due = self._timers.due(now_ns)
        if due:
            self._calls += 1
            self.host.wake(due, now_ns)
        return self._wants()

    def rows(self, letter: Arrived, now_ns: int) -> tuple[Intent, ...]:
        """Market data: all of it, whatever is wanted in between."""
        intents: list[Intent] = []
        few = len(letter.events) <= FEW and not letter.built and not self.host.by_window
        if few:
            for event, present in self._rows.few(letter.events, now_ns):
                self._calls += 1
                self.host.hand(event, present)
                intents += self._wants()
        chunk = None if few else self._rows.take(letter.events, now_ns, letter.built)
        if chunk is not None:
            row = 0
            while row < chunk.size:
                self._calls += 1
                row = self.host.run(chunk, row, chunk.size)
                intents += self._wants()
        if letter.books:
            self.host.look(letter.books, now_ns)
            intents += self._wants()
        return tuple(intents)

    def _wants(self) -> tuple[Intent, ...]:
        intents: list[Intent] = []
        for want in self.host.wants:
            if isinstance(want, SetTimer | DropTimer):
                self._timers.take((want,))
            else:
                intents.append(want)
        self.host.wants.clear()
        return tuple(intents)


class Deciding:
    """The strategies task. `note` is told of each letter before it is decided on.

    Until `begin` it calls nobody: news of orders waits its turn, rows conflate in the feed. So no strategy acts on
    books that are still being read, nor sends what could only be refused.
    """

    def __init__(
        self,
        core: DecidingCore,
        clock: Clock,
        *,
        lane: Lane[StrategiesLetter | Resting],
        to_risk: Handed[RiskLetter],
        to_feed: Handed[FeedLetter],
        note: Callable[[str, int, StrategiesLetter | Begin], None],
    ) -> None:
        self.core = core
        self._clock = clock
        self._lane = lane
        self._to_risk = to_risk
        self._to_feed = to_feed
        self._note = note
        self.slow_lots = 0
        self._begun = trio.Event()

    def begin(self) -> None:
        """The venue's books have been read: strategies may act."""
        self._begun.set()

    async def run(self) -> None:
        """Call strategies as letters come, until cancelled."""
        await self._begun.wait()
        now_ns = self._clock.now_ns()
        self._note("strategies", now_ns, Begin())
        self._want(self.core.start(now_ns), now_ns)
        lane = self._lane
        lane.open(self.take)
        try:
            self._to_feed.hand(Ready())
            async for letter in lane:
                used_s = letter.seconds if isinstance(letter, Resting) else self._take(letter)
                if used_s:
                    await trio.sleep(used_s)
                    self._to_feed.hand(Ready())
        finally:
            lane.close()

    def take(self, letter: StrategiesLetter | Resting) -> None:
        """Take one letter at once; the rest that a slow one asks for is the task's."""
        assert not isinstance(letter, Resting), "it waits in the channel"
        used_s = self._take(letter)
        if used_s:
            self._lane.send_nowait(Resting(used_s))

    def _take(self, letter: StrategiesLetter) -> float:
        """Take one letter; seconds of the wall that everybody else is to have before the next rows.

        Who took the loop for long leaves it for as long; rows conflate meanwhile, news of orders waits its turn.
        """
        now_ns = self._clock.now_ns()
        if isinstance(letter, Tick):
            if now_ns >= self.core.next_ns():
                self._note("strategies", now_ns, letter)
                self._want(self.core.wake(now_ns), now_ns)
        elif isinstance(letter, Booked):
            self._note("strategies", now_ns, letter)
            self._want(self.core.hear(letter, now_ns), now_ns)
        else:
            began = perf_counter()
            self._note("strategies", now_ns, letter)
            self._want(self.core.rows(letter, now_ns), now_ns)
            used_s = perf_counter() - began
            if used_s > SLOW_S:
                self.slow_lots += 1
                return used_s
            self._to_feed.hand(Ready())
        return 0.0

    def _want(self, intents: tuple[Intent, ...], now_ns: int) -> None:
        if intents:
            self._to_risk.hand(Wanted(intents, now_ns))
