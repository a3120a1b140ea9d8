"""A chunk: a time-ordered run of market data as columns, the form in which recordings are read and windows are cut.

A chunk holds rows of one or more kinds. `row` numbers count in the merged order `(ts_ns, rank, seq)` of all its rows,
0 to `size` - 1; a window is a range of rows. The columns of one kind are in that same order; `at` maps them to rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from engine.domain.market import COLUMNS, RANK, ROW, Bar, Kind, MarketEvent, Quote, Trade

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@define(eq=False, slots=True)
class Columns:
    """All rows of one kind in a chunk: `data[name]` are arrays of one length, sorted by time.

    `at[i]` is the chunk row of this kind's i-th row; None where the chunk holds this kind alone, so that row i is i.
    """

    kind: Kind
    data: dict[str, NDArray[Any]]
    at: Ints | None = None
    _by_conid: dict[int, Ints | None] = field(factory=dict, init=False)
    _conids: tuple[int, ...] | None = field(default=None, init=False)

    def __len__(self) -> int:
        return len(self.data["ts_ns"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.data[name]

    @property
    def conids(self) -> tuple[int, ...]:
        """The instruments that occur, lowest conid first."""
        if self._conids is None:
            column = self.data["conid"]
            if len(column) and column[0] == column[-1] and (column == column[0]).all():
                self._conids = (int(column[0]),)
            else:
                self._conids = tuple(np.unique(column).tolist())
        return self._conids

    def of(self, conid: int) -> Ints | None:
        """Indices (into these columns) of one instrument's rows; None means all of them."""
        if conid not in self._by_conid:
            alone = self.conids == (conid,)
            self._by_conid[conid] = None if alone else np.flatnonzero(self.data["conid"] == conid)
        return self._by_conid[conid]

    def first_from(self, row: int) -> int:
        """Index of this kind's first row at or after a chunk row."""
        if self.at is None:
            return row
        return int(np.searchsorted(self.at, row, side="left"))

    def row_of(self, index: int) -> int:
        """Chunk row of this kind's i-th row."""
        return index if self.at is None else int(self.at[index])

    def last_before(self, conid: int, row: int) -> int:
        """Index of an instrument's newest row of this kind before a chunk row; -1 if there is none."""
        end = self.first_from(row)
        rows = self.of(conid)
        if rows is None:
            return end - 1
        found = int(np.searchsorted(rows, end, side="left")) - 1
        return int(rows[found]) if found >= 0 else -1

    def event(self, index: int) -> MarketEvent:
        """Make one row's event object."""
        return ROW[self.kind](*(self.data[name][index].item() for name, _ in COLUMNS[self.kind]))


@define(eq=False, slots=True)
class Chunk:
    """Rows of a recording between two moments, with what was last known before the first of them.

    `ts_ns` has the time of each row in merged order. `quotes_before` and so on map a conid to its newest event before
    row 0 (given by whoever makes the chunk, so that looking back never needs an older chunk).
    """

    ts_ns: Ints
    kinds: dict[Kind, Columns]
    quotes_before: Mapping[int, Quote] = field(factory=dict)
    trades_before: Mapping[int, Trade] = field(factory=dict)
    bars_before: Mapping[int, Bar] = field(factory=dict)
    _times: list[int] | None = field(default=None, init=False)

    @property
    def size(self) -> int:
        """How many rows it has."""
        return len(self.ts_ns)

    @property
    def times(self) -> list[int]:
        """`ts_ns` as plain ints, made once."""
        if self._times is None:
            self._times = self.ts_ns.tolist()
        return self._times

    def quote(self, conid: int, row: int) -> Quote | None:
        """The quote in force just before a row."""
        columns = self.kinds.get(Kind.QUOTES)
        if columns is not None and (index := columns.last_before(conid, row)) >= 0:
            return columns.event(index)  # type: ignore[return-value]  # quotes make quotes
        return self.quotes_before.get(conid)

    def trade(self, conid: int, row: int) -> Trade | None:
        """The last trade before a row."""
        columns = self.kinds.get(Kind.TRADES)
        if columns is not None and (index := columns.last_before(conid, row)) >= 0:
            return columns.event(index)  # type: ignore[return-value]  # trades make trades
        return self.trades_before.get(conid)

    def bar(self, conid: int, row: int) -> Bar | None:
        """The last bar known before a row."""
        columns = self.kinds.get(Kind.BARS)
        if columns is not None and (index := columns.last_before(conid, row)) >= 0:
            return columns.event(index)  # type: ignore[return-value]  # bars make bars
        return self.bars_before.get(conid)


def merge(parts: Mapping[Kind, Mapping[str, NDArray[Any]]]) -> Chunk:
    """Make a chunk of columns by kind, each sorted by time, in the order `(ts_ns, rank, seq)`."""
    full = {kind: dict(data) for kind, data in parts.items() if len(data["ts_ns"])}
    if len(full) == 1:
        ((kind, data),) = full.items()
        return Chunk(ts_ns=data["ts_ns"], kinds={kind: Columns(kind, data)})
    ordered = sorted(full, key=lambda kind: RANK[kind])
    if not ordered:
        return Chunk(ts_ns=np.empty(0, np.int64), kinds={})
    times = np.concatenate([full[kind]["ts_ns"] for kind in ordered])
    order = np.argsort(times, kind="stable")  # the parts stand in rank order, so ties keep it
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order), dtype=np.int64)
    kinds: dict[Kind, Columns] = {}
    start = 0
    for kind in ordered:
        stop = start + len(full[kind]["ts_ns"])
        kinds[kind] = Columns(kind, full[kind], place[start:stop])
        start = stop
    return Chunk(ts_ns=times[order], kinds=kinds)
