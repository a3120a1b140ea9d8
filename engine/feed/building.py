"""One series of bars under construction: rows of a chunk in, closed bars out. Pure, and blind to where chunks are cut.

A bar covers `[end - span, end)`. Spans are aligned to UTC multiples of themselves; one day is the instrument's regular
session (rows outside it belong to no bar), or the UTC day where the market never closes. A recorded bar belongs to the
interval in which it ends.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from engine.domain.columns import Chunk, Floats, Ints
from engine.domain.market import Kind
from engine.domain.moments import NS_PER_DAY
from engine.domain.sessions import Sessions

Flags = NDArray[np.bool_]

# Whole numbers below this add up exactly in any order.
_EXACT: Final = 2.0**53


@define(eq=False)
class Pieces:
    """Bars, or parts of bars, of one instrument in order: arrays of one length.

    `starts`, `ends`: ns UTC; `whole`: nothing known against completeness; `volume` NaN where there is none.
    """

    starts: Ints
    ends: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    whole: Flags

    def __len__(self) -> int:
        return len(self.starts)

    def cut(self, first: int, stop: int) -> Pieces:
        """The pieces [first, stop)."""
        return Pieces(**{name: getattr(self, name)[first:stop] for name in _NAMES})

    def then(self, later: Pieces) -> Pieces:
        """These pieces, and later ones after them."""
        return Pieces(**{name: np.concatenate([getattr(self, name), getattr(later, name)]) for name in _NAMES})


_NAMES: Final = ("starts", "ends", "open", "high", "low", "close", "volume", "whole")


@define(eq=False)
class BarSeries:
    """Bars of one instrument, one length and one source ("trades", "mid" or "bars")."""

    conid: int
    span_ns: int
    source: str
    sessions: Sessions
    _open: Pieces | None = field(default=None, init=False)  # one piece: the bar not yet ended
    _recorded_span_ns: int = field(default=0, init=False)
    _bounds: tuple[Ints, Ints] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if self.span_ns == NS_PER_DAY and not self.sessions.always:
            self._bounds = np.array(self.sessions.opens_ns, np.int64), np.array(self.sessions.closes_ns, np.int64)

    def step(self, chunk: Chunk, limit_ns: int) -> Pieces | None:
        """Take in a chunk; return the bars that end at or before `limit_ns`, which no later row can change."""
        pieces = self._pieces(chunk)
        known = self._open
        if pieces is None:
            if known is None or known.ends[0] > limit_ns:
                return None
            self._open = None
            return known
        bars = _joined(pieces if known is None else known.then(pieces))
        ended = len(bars) if bars.ends[-1] <= limit_ns else len(bars) - 1
        self._open = bars.cut(ended, len(bars)) if ended < len(bars) else None
        return bars.cut(0, ended) if ended else None

    def rest(self) -> Pieces | None:
        """The bar that the end of the data cut off, if one is open."""
        left, self._open = self._open, None
        return left

    # --- rows to pieces -----------------------------------------------------------------------------------------

    def _pieces(self, chunk: Chunk) -> Pieces | None:
        match self.source:
            case "trades":
                return self._of_ticks(chunk, Kind.TRADES)
            case "mid":
                return self._of_ticks(chunk, Kind.QUOTES)
            case _:
                return self._of_bars(chunk)

    def _of_ticks(self, chunk: Chunk, kind: Kind) -> Pieces | None:
        rows = _rows(chunk, kind, self.conid)
        if rows is None:
            return None
        if kind is Kind.TRADES:
            price, volume = rows["price"], rows["size"]
        else:
            price = (rows["bid"] + rows["ask"]) * 0.5
            volume = np.full(len(price), np.nan)
        times = rows["ts_ns"]
        starts, ends, keep = self._intervals(times)
        keep &= np.isfinite(price)  # a one-sided quote has no middle
        if not keep.all():
            starts, ends, price, volume = starts[keep], ends[keep], price[keep], volume[keep]
        if not len(starts):
            return None
        return Pieces(starts, ends, price, price, price, price, volume, np.ones(len(starts), bool))

    def _of_bars(self, chunk: Chunk) -> Pieces | None:
        """Recorded bars of one length: that of the first one that is not longer than the bars wanted."""
        rows = _rows(chunk, Kind.BARS, self.conid)
        if rows is None:
            return None
        spans = rows["span_ns"]
        if not self._recorded_span_ns:
            fitting = np.flatnonzero(spans <= self.span_ns)
            if not len(fitting):
                return None
            self._recorded_span_ns = int(spans[fitting[0]])
        times = rows["ts_ns"]
        began = times - spans
        if self._recorded_span_ns == self.span_ns:
            starts, ends, keep = began, times, np.ones(len(times), bool)
        else:
            starts, ends, keep = self._intervals(times - 1)
        keep &= (spans == self._recorded_span_ns) & np.isfinite(rows["close"])
        whole = rows["complete"] & (began >= starts)
        columns = [starts, ends, *(rows[name] for name in ("open", "high", "low", "close", "volume")), whole]
        if not keep.any():
            return None
        return Pieces(*(column if keep.all() else column[keep] for column in columns))

    def _intervals(self, times: Ints) -> tuple[Ints, Ints, Flags]:
        """Start and end of the interval that each time lies in, and whether there is one."""
        if self._bounds is None:
            starts = times // self.span_ns * self.span_ns
            return starts, starts + self.span_ns, np.ones(len(times), bool)
        opens, closes = self._bounds
        if not len(opens):
            return times, times, np.zeros(len(times), bool)
        at = np.searchsorted(opens, times, side="right") - 1
        session = np.maximum(at, 0)
        keep = (at >= 0) & (times < closes[session])
        return opens[session], closes[session], keep


def _rows(chunk: Chunk, kind: Kind, conid: int) -> dict[str, NDArray[Any]] | None:
    columns = chunk.kinds.get(kind)
    if columns is None:
        return None
    rows = columns.of(conid)
    if rows is None:
        return columns.data
    return {name: column[rows] for name, column in columns.data.items()} if len(rows) else None


def _joined(pieces: Pieces) -> Pieces:
    """Put the pieces of each interval together."""
    firsts = np.flatnonzero(np.concatenate([[True], pieces.starts[1:] != pieces.starts[:-1]]))
    lasts = np.append(firsts[1:], len(pieces)) - 1
    return Pieces(
        starts=pieces.starts[firsts],
        ends=pieces.ends[firsts],
        open=pieces.open[firsts],
        high=np.maximum.reduceat(pieces.high, firsts),
        low=np.minimum.reduceat(pieces.low, firsts),
        close=pieces.close[lasts],
        volume=_sums(pieces.volume, firsts, lasts),
        whole=np.logical_and.reduceat(pieces.whole, firsts),
    )


def _sums(volume: Floats, firsts: Ints, lasts: Ints) -> Floats:
    """Sum of each group, added from left to right: other orders round otherwise, and a cut may fall anywhere."""
    if len(firsts) == len(volume) or np.isnan(volume).all():
        return volume[firsts]
    if (volume == np.floor(volume)).all() and np.abs(volume).sum() < _EXACT:
        return np.add.reduceat(volume, firsts)
    added = [
        np.add.accumulate(volume[first : last + 1])[-1]
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
    ]
    return np.array(added, np.float64)
