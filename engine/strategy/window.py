"""The columns of a window, for strategies that compute on many rows at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.domain.columns import Columns, Ints


class CutOff(BaseException):
    """Raised into a handler that does not come back, live; no `Exception`, so that no plugin takes it for its own."""


# What a plugin may raise and is switched off for: anything of its own, what would end the process, and being cut off.
RAISED: Final = (Exception, SystemExit, CutOff)


class Slice:
    """Columns of one kind within a window, as attributes: `window.quotes.bid`.

    `at[i]` is the index in the window of this kind's i-th row; None where both are the same.
    """

    __slots__ = ("_columns", "_pick", "at")

    def __init__(self, columns: Columns, pick: slice | Ints, at: Ints | None) -> None:
        self._columns = columns
        self._pick = pick
        self.at = at

    def __getattr__(self, name: str) -> NDArray[Any]:
        try:
            column = self._columns.data[name]
        except KeyError:
            raise AttributeError(f"{self._columns.kind} have no column {name!r}") from None
        part = column[self._pick]
        part.flags.writeable = False
        return part

    def __len__(self) -> int:
        return len(self.ts_ns)


class Window:
    """A run of rows in time order. `ts_ns[i]` is the time of row i; a kind that does not occur is None.

    `bars` are those of the recording, `built` those that the strategy has asked for in `on_start`.
    """

    __slots__ = ("bars", "built", "point_to", "quotes", "size", "trades", "ts_ns")

    def __init__(
        self,
        ts_ns: Ints,
        quotes: Slice | None,
        trades: Slice | None,
        bars: Slice | None,
        built: Slice | None = None,
    ) -> None:
        self.ts_ns = ts_ns
        self.size = len(ts_ns)
        self.quotes = quotes
        self.trades = trades
        self.bars = bars
        self.built = built
        self.point_to: Callable[[int], None] = _nowhere

    def at(self, index: int) -> None:
        """Say which row is in hand, before `ctx.now`, `ctx.quote`, a timer or an indicator is used: row 0 at first."""
        self.point_to(index)


def _nowhere(index: int) -> None:
    """A window that no host gave out has no time to move."""


def slice_of(columns: Columns, start: int, stop: int, rows: Ints | None) -> Slice | None:
    """Cut the columns to window rows.

    Args:
        start, stop: Chunk rows of the window.
        rows: Chunk rows that belong to it, sorted; None for all of them.
    """
    first, last = columns.first_from(start), columns.first_from(stop)
    if first == last:
        return None
    if rows is None:
        if columns.at is None:
            return Slice(columns, slice(first, last), None)
        return Slice(columns, slice(first, last), columns.at[first:last] - start)
    mine = np.arange(first, last) if columns.at is None else columns.at[first:last]
    places = np.searchsorted(rows, mine)
    kept = (places < len(rows)) & (rows[np.minimum(places, len(rows) - 1)] == mine)
    if not kept.any():
        return None
    return Slice(columns, np.flatnonzero(kept) + first, places[kept])
