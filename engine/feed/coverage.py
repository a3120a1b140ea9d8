"""What the data of one instrument covered: where it began, where it ended, and when trading was halted in between."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

import numpy as np
from attrs import define, field

from engine.domain.columns import Chunk
from engine.domain.market import Kind, Trading
from engine.domain.moments import NS_PER_S
from engine.domain.sessions import Sessions
from engine.feed.building import Flags, Pieces

# A market's first words come some time after the open and its last some time before the close: data that begin or end
# so near to them are taken to have covered the session from its open, or to its close.
GRACE_NS: Final = 60 * NS_PER_S


@define(eq=False)
class Coverage:
    """Fold chunks with `note`; ask with `complete` (bars that have ended) and `complete_at_end` (the one cut off).

    `first_ns` is the time of the instrument's first row of any kind (a bar's start), None before it. `halts` are
    (from, to) in ns, `to` None while the halt lasts; those that no bar of `longest_ns` can still reach are forgotten.
    """

    conid: int
    sessions: Sessions
    longest_ns: int
    first_ns: int | None = field(default=None, init=False)
    halts: list[tuple[int, int | None]] = field(factory=list, init=False)

    def note(self, chunk: Chunk) -> None:
        """Take in a chunk, before the bars of its rows are asked about."""
        if self.first_ns is None:
            self._note_first(chunk)
        if self.halts:
            floor_ns = int(chunk.ts_ns[0]) - self.longest_ns
            self.halts = [halt for halt in self.halts if halt[1] is None or halt[1] > floor_ns]
        columns = chunk.kinds.get(Kind.STATUS)
        if columns is None:
            return
        rows = columns.of(self.conid)
        times, states = columns["ts_ns"], columns["trading"]
        if rows is not None:
            times, states = times[rows], states[rows]
        for ts_ns, state in zip(times.tolist(), states.tolist(), strict=True):
            self.hear(ts_ns, state)

    def hear(self, ts_ns: int, trading: str) -> None:
        """Take in one change of status."""
        halted = bool(self.halts) and self.halts[-1][1] is None
        if trading == Trading.HALTED and not halted:
            self.halts.append((ts_ns, None))
        elif trading != Trading.HALTED and halted:
            self.halts[-1] = (self.halts[-1][0], ts_ns)

    def _note_first(self, chunk: Chunk) -> None:
        found = []
        for kind, columns in chunk.kinds.items():
            rows = columns.of(self.conid)
            at = 0 if rows is None else int(rows[0]) if len(rows) else -1
            if at >= 0 and len(columns):
                ts_ns = int(columns["ts_ns"][at])
                found.append((columns.row_of(at), ts_ns - int(columns["span_ns"][at]) if kind is Kind.BARS else ts_ns))
        if found:
            self.first_ns = min(found)[1]

    def complete(self, bars: Pieces) -> Flags:
        """Which bars were covered: none of a halt in them, and data from their start (or from an open in them) on."""
        covered = bars.whole.copy()
        for began_ns, ended_ns in self.halts:
            if ended_ns is None:
                covered &= bars.ends <= began_ns
            elif ended_ns > began_ns:
                covered &= (bars.ends <= began_ns) | (bars.starts >= ended_ns)
        first_ns = self.first_ns
        assert first_ns is not None  # there are no bars before the first row
        for at in np.flatnonzero(bars.starts < first_ns).tolist():
            covered[at] &= self._opened(int(bars.starts[at]), int(bars.ends[at]), first_ns)
        return covered

    def complete_at_end(self, bar: Pieces, last_ns: int) -> Flags:
        """The same of one bar after the last row of all, at `last_ns`."""
        covered = self.complete(bar)
        start_ns, end_ns = int(bar.starts[0]), int(bar.ends[0])
        if end_ns > last_ns:
            covered &= self._closed(start_ns, end_ns, last_ns)
        return covered

    def _opened(self, start_ns: int, end_ns: int, first_ns: int) -> bool:
        """Whether the data began with a session that opened within the bar."""
        opens = self.sessions.opens_ns
        at = bisect_left(opens, start_ns)
        return at < len(opens) and opens[at] < end_ns and opens[at] <= first_ns <= opens[at] + GRACE_NS

    def _closed(self, start_ns: int, end_ns: int, last_ns: int) -> bool:
        """Whether the data ended with a session that closed within the bar."""
        closes = self.sessions.closes_ns
        at = bisect_right(closes, end_ns) - 1
        return at >= 0 and closes[at] > start_ns and last_ns >= closes[at] - GRACE_NS
