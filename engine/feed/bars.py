"""Bars of any length built on event time: a stream of chunks in, the same stream with the wished bars among the rows.

A bar `[end - span, end)` is stamped with its end and known at its end: it stands at the moment (end, BAR), after status
rows and recorded bars of that nanosecond and before its trades and quotes. Bars of one moment come lowest conid first,
then shortest length. An interval without a row of the source gives no bar. Where chunks are cut changes nothing.

`complete` is False for
  - an instrument's first bar, if its data (of any kind) began inside it; but a bar that holds a session's open, or
    starts at it, is complete if the data began within a minute after this open;
  - a bar that a halt overlaps, by a nanosecond or more;
  - a bar made of recorded bars, if one of them is incomplete or reaches back before the bar's start;
  - the last bar, if the data ended inside it. It is given after the last row, stamped with its end. It is complete if
    it holds, or ends at, a session's close and the data ended no more than a minute before this close.

Recorded bars make longer ones by the length of the first recorded bar that fits; others are left out. The volume of
bars of quote mids is NaN. Lengths above a day are UTC multiples as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import define, evolve, field
from numpy.typing import NDArray

from engine.domain.columns import Chunk, merge
from engine.domain.market import RANK, Kind, MarketEvent, Status
from engine.domain.messages import BarWish
from engine.domain.moments import NS_PER_DAY, NS_PER_S, Rank
from engine.domain.sessions import Sessions
from engine.errors import StrategyError
from engine.feed.building import BarSeries, Pieces
from engine.feed.coverage import Coverage

_BEFORE = {Kind.QUOTES: "quotes_before", Kind.TRADES: "trades_before", Kind.BARS: "bars_before"}


def with_bars(chunks: Iterator[Chunk], wishes: Sequence[BarWish], sessions: Mapping[int, Sessions]) -> Iterator[Chunk]:
    """Add the bars that were wished for to each chunk of a recording, and fill `status_before`; see `bar_builder`."""
    return bar_builder(wishes, sessions).run(chunks)


def bar_builder(wishes: Sequence[BarWish], sessions: Mapping[int, Sessions]) -> BarBuilder:
    """Make the builder of all bars that are wished for.

    Args:
        wishes: What strategies asked for; the same wish of several is built once. None at all: rows pass unchanged.
        sessions: Regular sessions by conid, of every instrument that is wished for.

    Raises: StrategyError if bars of one instrument and length are wished from two sources: they couldn't be told apart.
    """
    sources: dict[tuple[int, int], BarWish] = {}
    for wish in wishes:
        earlier = sources.setdefault((wish.conid, wish.span_ns), wish)
        if earlier.source != wish.source:
            raise StrategyError(
                f"wants bars of {wish.span_ns / NS_PER_S:g} s of conid {wish.conid} from {wish.source}, "
                f"which {earlier.strategy} wants from {earlier.source}; in one run they must have one source",
                place=f"strategy {wish.strategy}",
            )
    coverages = {
        conid: Coverage(conid, sessions[conid], max(NS_PER_DAY, *(s for c, s in sources if c == conid)))
        for conid in sorted({conid for conid, _ in sources})
    }
    series = [BarSeries(conid, span, sources[conid, span].source, sessions[conid]) for conid, span in sorted(sources)]
    return BarBuilder(series, coverages)


@define(eq=False)
class BarBuilder:
    """All series of a run: chunks in, the same chunks with bars out."""

    series: list[BarSeries]
    coverages: dict[int, Coverage]
    _status: dict[int, Status] = field(factory=dict, init=False)

    def run(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        last: Chunk | None = None
        for chunk in chunks:
            if not chunk.size:
                continue
            if last is None:
                for status in chunk.status_before.values():
                    if status.conid in self.coverages:
                        self.coverages[status.conid].hear(status.ts_ns, status.trading)
            last = self._with_status(chunk)
            yield self._with_bars(last, _limit_ns(last))
        if last is not None:
            rest = self._rest(last)
            if rest is not None:
                yield rest

    def step(self, chunk: Chunk, now_ns: int) -> Chunk:
        """Live: take in what has arrived by `now_ns`, which may be nothing; bars that have ended by then are known.

        A row of the very nanosecond in which a bar ends belongs to the next one, so nothing is waited for.
        """
        return self._with_bars(self._with_status(chunk), now_ns)

    def _with_status(self, chunk: Chunk) -> Chunk:
        """The chunk with the newest status of each instrument before its first row."""
        if chunk.status_before:
            self._status = {**self._status, **chunk.status_before}
        if self._status:
            chunk = evolve(chunk, status_before=self._status)
        columns = chunk.kinds.get(Kind.STATUS)
        if columns is not None:
            self._status = {**self._status, **_newest(chunk, Kind.STATUS)}  # type: ignore[dict-item]  # status rows
        return chunk

    def _with_bars(self, chunk: Chunk, limit_ns: int) -> Chunk:
        if chunk.size:
            for coverage in self.coverages.values():
                coverage.note(chunk)
        built = []
        for series in self.series:
            bars = series.step(chunk, limit_ns)
            if bars is not None:
                built.append(_columns(series, bars, self.coverages[series.conid].complete(bars)))
        if not built:
            return chunk
        whole = merge({kind: columns.data for kind, columns in chunk.kinds.items()}, _by_time(built))
        return evolve(
            whole,
            quotes_before=chunk.quotes_before,
            trades_before=chunk.trades_before,
            bars_before=chunk.bars_before,
            status_before=chunk.status_before,
        )

    def _rest(self, last: Chunk) -> Chunk | None:
        """The bars that the end of the data cut off, after the last row."""
        last_ns = int(last.ts_ns[-1])
        built = []
        for series in self.series:
            bar = series.rest()
            if bar is not None:
                built.append(_columns(series, bar, self.coverages[series.conid].complete_at_end(bar, last_ns)))
        if not built:
            return None
        before: dict[str, Any] = {
            name: {**getattr(last, name), **_newest(last, kind)} for kind, name in _BEFORE.items()
        }
        return evolve(merge({}, _by_time(built)), status_before=self._status, **before)


def _limit_ns(chunk: Chunk) -> int:
    """The latest end of a bar that has its place before or in this chunk.

    A bar that ends with the last row waits for the next chunk if status rows or recorded bars of that very nanosecond
    may still follow: they come before it.
    """
    last_ns = int(chunk.ts_ns[-1])
    for kind, columns in chunk.kinds.items():
        if columns.row_of(len(columns) - 1) == chunk.size - 1:
            return last_ns if RANK[kind] > Rank.BAR else last_ns - 1
    return last_ns


def _newest(chunk: Chunk, kind: Kind) -> dict[int, MarketEvent]:
    """The newest row of a kind, by conid."""
    columns = chunk.kinds.get(kind)
    if columns is None:
        return {}
    return {conid: columns.event(columns.last_before(conid, chunk.size)) for conid in columns.conids}


def _columns(series: BarSeries, bars: Pieces, complete: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    count = len(bars)
    return {
        "ts_ns": bars.ends,
        "conid": np.full(count, series.conid, np.int64),
        "span_ns": np.full(count, series.span_ns, np.int64),
        "open": bars.open,
        "high": bars.high,
        "low": bars.low,
        "close": bars.close,
        "volume": bars.volume,
        "complete": complete,
    }


def _by_time(parts: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Bars of several series in order of time; those of one moment in the order of the series."""
    if len(parts) == 1:
        return parts[0]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(whole["ts_ns"], kind="stable")
    return {name: column[order] for name, column in whole.items()}
