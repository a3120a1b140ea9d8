"""The feed task: market data in, bars built, rows conflated while the strategies are busy, and who has gone silent.

Bars and the recorder stand before conflation. The strategies are given rows one lot at a time: a lot follows when they
have said that they are done with the last one; the first one when they begin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from engine.domain.brokerage import Availability
from engine.domain.conflating import Conflator
from engine.domain.depth import Depth
from engine.domain.market import Bar, MarketEvent
from engine.domain.messages import BarWish
from engine.domain.sessions import Sessions
from engine.errors import InvariantBroken
from engine.feed.live import LiveFeed
from engine.ports import Clock, MarketData
from engine.runtime.live.lanes import Handed, Lane
from engine.runtime.live.letters import Arrived, FeedLetter, Fresh, Ready, RiskLetter, StrategiesLetter, Tick

_BARS_WAITING_MAX: Final = 10_000
_BARS_BEFORE_MAX: Final = 1_000  # that ended while the books were being read


class FeedCore:
    """Decides what goes to whom. Pure."""

    def __init__(self, wishes: Sequence[BarWish], sessions: Mapping[int, Sessions]) -> None:
        self._bars = LiveFeed(wishes, sessions) if wishes else None
        self._waiting = Conflator()
        self._built: list[Bar] = []
        self._books: dict[int, Depth] = {}
        self._folded_books = 0
        self._free = False  # until the strategies have begun
        self._begun = False

    @property
    def folded(self) -> int:
        """How many rows were folded into others because the strategies were busy."""
        return self._waiting.folded + self._folded_books

    def arrived(self, events: Sequence[MarketEvent], now_ns: int) -> tuple[Bar, ...]:
        """Take in rows; return the bars that have ended by now."""
        chunk = None if self._bars is None else self._bars.take(events, now_ns)
        built: list[Bar] = []
        if chunk is not None and chunk.built is not None:
            built = [chunk.built.event(index) for index in range(len(chunk.built))]  # type: ignore[misc]  # bars
        self._waiting.add(events)
        self._built += built
        if not self._begun:
            del self._built[:-_BARS_BEFORE_MAX]  # who begins late begins with the newest
        if len(self._built) > _BARS_WAITING_MAX:
            raise InvariantBroken("strategies have not taken bars for so long that no more can be kept for them")
        return tuple(built)

    def deep(self, book: Depth) -> None:
        """Take in a book: of each instrument the newest counts."""
        self._folded_books += book.conid in self._books
        self._books[book.conid] = book

    def done(self) -> None:
        """The strategies are free: they have begun, or are done with a lot."""
        self._free = self._begun = True

    def lot(self) -> Arrived | None:
        """What the strategies get now; None if they are busy or there is nothing."""
        if not self._free or not (len(self._waiting) or self._built or self._books):
            return None
        self._free = False
        built, self._built = tuple(self._built), []
        books, self._books = tuple(self._books.values()), {}
        return Arrived(self._waiting.take(), built, books)


class Feeding:
    """The feed task.

    Args:
        record: Told of every row before anything else happens to it, and of every bar of the venue's.
        available: Told of what the venue says of an instrument's data.
        note: Told of each letter before it is decided on.
    """

    def __init__(
        self,
        core: FeedCore,
        clock: Clock,
        *,
        lane: Lane[FeedLetter],
        to_strategies: Handed[StrategiesLetter],
        to_risk: Handed[RiskLetter],
        record: Callable[[Sequence[MarketEvent]], None],
        available: Callable[[Availability], None],
        note: Callable[[str, int, FeedLetter], None],
    ) -> None:
        self.core = core
        self._clock = clock
        self._lane = lane
        self._to_strategies = to_strategies
        self._to_risk = to_risk
        self._record = record
        self._available = available
        self._note = note

    async def run(self) -> None:
        """Pass on what comes, until cancelled."""
        lane = self._lane
        lane.open(self.take)
        try:
            async for letter in lane:
                self.take(letter)
        finally:
            lane.close()

    def news(self, events: Sequence[MarketEvent | Availability | Depth]) -> bool:
        """Take market data as it comes from the socket; False if letters wait, and then nothing has happened."""
        return self._lane.try_hand(Fresh(tuple(events)))

    def take(self, letter: FeedLetter) -> None:
        """Take one letter: risk hears of the market before the strategies do."""
        now_ns = self._clock.now_ns()
        events: tuple[MarketEvent, ...] = ()
        if isinstance(letter, Ready):
            self._note("feed", now_ns, letter)
            self.core.done()
        elif isinstance(letter, Fresh):
            events = self._rows(letter)
        if not isinstance(letter, Ready):
            noted = bool(events) or (isinstance(letter, Fresh) and _has_books(letter))
            if noted:
                self._note("feed", now_ns, letter)
            if events:
                self._record(events)
            built = self.core.arrived(events, now_ns)
            if built and not noted:
                self._note("feed", now_ns, Tick())
            if events or built:
                # What has no room here would never be taken: risk looks at each row for a microsecond.
                self._to_risk.hand(Arrived(events, built))
        lot = self.core.lot()
        if lot is not None:
            self._to_strategies.hand(lot)

    def _rows(self, letter: Fresh) -> tuple[MarketEvent, ...]:
        rows = []
        for event in letter.events:
            if isinstance(event, Availability):
                self._available(event)
            elif isinstance(event, Depth):
                self.core.deep(event)
            else:
                rows.append(event)
        return tuple(rows)


def _has_books(letter: Fresh) -> bool:
    return any(isinstance(event, Depth) for event in letter.events)


async def listen(data: MarketData, lane: Lane[FeedLetter]) -> None:
    """Hand the feed what it had no time for when it came."""
    while True:
        lane.hand(Fresh(tuple(await data.news())))
