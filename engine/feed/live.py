"""Live market data into chunks: what has arrived becomes a window, with the bars that have ended by then.

Pure: time is an argument. The same events in the same lots give the same chunks, so a log of them can be replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import evolve
from msgspec.structs import replace
from numpy.typing import NDArray

from engine.domain.columns import Chunk, merge
from engine.domain.market import COLUMNS, RANK, ROW, Bar, Kind, MarketEvent, Quote, Status, Trade
from engine.domain.messages import BarWish
from engine.domain.sessions import Sessions
from engine.feed.bars import bar_builder

_KIND_OF = {row: kind for kind, row in ROW.items()}
_NO_TIMES = np.empty(0, np.int64)


class LiveFeed:
    """Makes chunks of events as they come. `last_ns` is the time of the newest row: time never goes back."""

    def __init__(self, wishes: Sequence[BarWish], sessions: Mapping[int, Sessions]) -> None:
        self._bars = bar_builder(wishes, sessions)
        self._wishes = bool(wishes)
        self._before: dict[Kind, dict[int, Any]] = {kind: {} for kind in Kind}
        self.last_ns = 0

    def take(self, events: Sequence[MarketEvent], now_ns: int, built: Sequence[Bar] = ()) -> Chunk | None:
        """Make a chunk of what has arrived, oldest first; None if there is nothing, nor a bar that has ended.

        Args:
            now_ns: The present. A row that claims a later time, or one before the newest row, gets the nearest time
                that does not: when we knew of it is what counts.
            built: Bars that were built elsewhere of the same events, oldest first; they come after them.
        """
        columns: dict[Kind, list[tuple[Any, ...]]] = {}
        newest: dict[Kind, dict[int, MarketEvent]] = {}
        for told in events:
            kind = _KIND_OF[type(told)]
            event = self._timed(told, now_ns)
            columns.setdefault(kind, []).append(tuple(getattr(event, name) for name, _ in COLUMNS[kind]))
            newest.setdefault(kind, {})[event.conid] = event
        made = [tuple(getattr(bar, name) for name, _ in COLUMNS[Kind.BARS]) for bar in built]
        for number, bar in enumerate(made):
            self.last_ns = max(self.last_ns, min(bar[0], now_ns))
            made[number] = (self.last_ns, *bar[1:])
        chunk = merge(
            {kind: _arrays(kind, rows) for kind, rows in columns.items()}, _arrays(Kind.BARS, made) if made else None
        )
        before = self._before
        chunk = evolve(
            chunk,
            quotes_before=before[Kind.QUOTES],
            trades_before=before[Kind.TRADES],
            bars_before=before[Kind.BARS],
            status_before=before[Kind.STATUS],
        )
        for kind, found in newest.items():
            self._before[kind] = {**before[kind], **found}  # a new map: the chunk keeps the old one
        if self._wishes:
            chunk = self._bars.step(chunk, now_ns)
        if chunk.built is not None and not built:
            self.last_ns = max(self.last_ns, int(chunk.ts_ns[-1]))
        return chunk if chunk.size else None

    def few(self, events: Sequence[MarketEvent], now_ns: int) -> Iterator[tuple[MarketEvent, Chunk]]:
        """What `take` would make of a few rows, without columns: for two or three, making those costs more than all
        else that is done with them.

        Returns: Each row in its order, and a chunk without rows that knows the newest, this one included.
        """
        timed = [self._timed(event, now_ns) for event in events]
        if len(timed) > 1:
            timed.sort(key=_moment)
        before = self._before
        for event in timed:
            kind = _KIND_OF[type(event)]
            before[kind] = {**before[kind], event.conid: event}
            yield (
                event,
                Chunk(
                    ts_ns=_NO_TIMES,
                    kinds={},
                    quotes_before=before[Kind.QUOTES],
                    trades_before=before[Kind.TRADES],
                    bars_before=before[Kind.BARS],
                    status_before=before[Kind.STATUS],
                ),
            )

    def _timed(self, event: MarketEvent, now_ns: int) -> MarketEvent:
        """A row with the time that counts."""
        self.last_ns = max(self.last_ns, min(event.ts_ns, now_ns))
        return event if event.ts_ns == self.last_ns else replace(event, ts_ns=self.last_ns)

    def newest(self, conid: int) -> tuple[Quote | None, Trade | None, Bar | None, Status | None]:
        """The newest row of each kind of an instrument."""
        before = self._before
        return (
            before[Kind.QUOTES].get(conid),
            before[Kind.TRADES].get(conid),
            before[Kind.BARS].get(conid),
            before[Kind.STATUS].get(conid),
        )


def _moment(event: MarketEvent) -> tuple[int, int]:
    return event.ts_ns, RANK[_KIND_OF[type(event)]]


def _arrays(kind: Kind, rows: Sequence[tuple[Any, ...]]) -> dict[str, NDArray[Any]]:
    return {
        name: np.array(values, dtype)
        for (name, dtype), values in zip(COLUMNS[kind], zip(*rows, strict=True), strict=True)
    }
