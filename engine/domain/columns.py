"""A chunk: a time-ordered run of market data as columns, the form in which recordings are read and windows are cut.

A chunk holds rows of one or more kinds. `row` numbers count in the merged order `(ts_ns, rank, seq)` of all its rows,
0 to `size` - 1; a window is a range of rows. The columns of one kind are in that same order; `at` maps them to rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from engine.domain.market import COLUMNS, RANK, ROW, Bar, Kind, MarketEvent, Quote, Status, Trade
from engine.domain.repricing import Step, reprice

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Objects = NDArray[np.object_]
_SHORT: Final = 1 << 16
# Bound once: in CPython 3.11 looking a member up on its enum class costs as much as a function call.
_QUOTES, _TRADES, _BARS, _STATUS = Kind.QUOTES, Kind.TRADES, Kind.BARS, Kind.STATUS

# What an instrument's price is taken from: two columns (of a quote) and their times, of all instruments, as buffers;
# the chunk rows at which it speaks (None: all), and where in the columns it does so (None: index and row agree).
Said = tuple[Sequence[Any], Sequence[Any], Sequence[int], Ints | None, Ints | None]
_PRICED: Final = (
    (_QUOTES, ("bid", "ask", "ts_ns")),
    (_TRADES, ("price", "price", "ts_ns")),
    (_BARS, ("close", "close", "ts_ns")),
)


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
    _buffers: dict[str, memoryview] = field(factory=dict, init=False)

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
                self._conids = tuple(distinct(column).tolist())
        return self._conids

    def of(self, conid: int) -> Ints | None:
        """Indices (into these columns) of one instrument's rows; None means all of them."""
        if conid not in self._by_conid:
            if self.conids == (conid,):
                self._by_conid[conid] = None
            elif conid in self.conids and self._close_together:
                self._part()
            else:
                self._by_conid[conid] = np.flatnonzero(self.data["conid"] == conid)
        return self._by_conid[conid]

    @property
    def shared_conids(self) -> Objects:
        """The column of conids as Python's own ints: one object an instrument rather than one a row."""
        conids, column = self.conids, self.data["conid"]
        if self._close_together:
            table = np.empty(conids[-1] - conids[0] + 1, object)
            for conid in conids:
                table[conid - conids[0]] = conid
            return np.take(table, column - conids[0])
        names = np.empty(len(column), object)
        for conid in conids:
            names[self.of(conid)] = conid
        return names

    @property
    def _close_together(self) -> bool:
        """True if conids less the lowest are short numbers."""
        return bool(self.conids) and self.conids[-1] - self.conids[0] < _SHORT

    def _part(self) -> None:
        """Find all instruments' rows at once: short numbers are sorted in half the time of looking for twenty."""
        conids = self.conids
        numbers = (self.data["conid"] - conids[0]).astype(np.uint16)
        order = np.argsort(numbers, kind="stable")
        ends = np.cumsum(np.bincount(numbers))
        start = 0
        for conid in conids:
            end = int(ends[conid - conids[0]])
            self._by_conid[conid] = order[start:end]
            start = end

    def first_from(self, row: int) -> int:
        """Index of this kind's first row at or after a chunk row."""
        if self.at is None:
            return row
        return int(self.at.searchsorted(row))

    def row_of(self, index: int) -> int:
        """Chunk row of this kind's i-th row."""
        return index if self.at is None else int(self.at[index])

    def last_before(self, conid: int, row: int) -> int:
        """Index of an instrument's newest row of this kind before a chunk row; -1 if there is none."""
        end = row if self.at is None else self.first_from(row)
        rows = self._by_conid[conid] if conid in self._by_conid else self.of(conid)
        if rows is None:
            return end - 1
        found = int(rows.searchsorted(end)) - 1
        return int(rows[found]) if found >= 0 else -1

    def buffer(self, name: str) -> memoryview:
        """A column of numbers as a buffer, of which one element costs half of an array's."""
        found = self._buffers.get(name)
        if found is None:
            found = self._buffers[name] = memoryview(self.data[name])  # type: ignore[arg-type]  # arrays are buffers
        return found

    def at_index(self, name: str, index: int) -> Any:
        """One value, as Python's own."""
        column = self.data[name]
        return column[index] if column.dtype.kind == "O" else self.buffer(name)[index]

    def event(self, index: int) -> MarketEvent:
        """Make one row's event object."""
        return ROW[self.kind](*[self.at_index(name, index) for name, _ in COLUMNS[self.kind]])


def plain(column: NDArray[Any]) -> Sequence[Any]:
    """A column whose elements are Python's own values, each made when it is taken.

    A list of them would be made and freed a chunk at a time: its values would have left the processor's cache when they
    are wanted, and the memory would have to be asked for.
    """
    return memoryview(column) if column.dtype.kind in "biuf" else column.tolist()  # type: ignore[arg-type]  # a buffer


@define(eq=False, slots=True)
class Chunk:
    """Rows of a recording between two moments, with what was last known before the first of them.

    `ts_ns` has the time of each row in merged order. `built` are bars that the feed made of ticks: strategies see them,
    a venue does not match on them. `quotes_before` and so on map a conid to its newest event before row 0 (given by
    whoever makes the chunk, so that looking back never needs an older chunk). `repriced` are by conid the corporate
    actions that prices said before them have to be converted by; rows and events stay as they were said.
    """

    ts_ns: Ints
    kinds: dict[Kind, Columns]
    built: Columns | None = None
    quotes_before: Mapping[int, Quote] = field(factory=dict)
    trades_before: Mapping[int, Trade] = field(factory=dict)
    bars_before: Mapping[int, Bar] = field(factory=dict)
    status_before: Mapping[int, Status] = field(factory=dict)
    repriced: Mapping[int, Sequence[Step]] = field(factory=dict)
    _times: Sequence[int] | None = field(default=None, init=False)
    # By conid what prices are looked up in: quotes, trades, bars; cut out once, None where there is nothing of a kind.
    _said: dict[int, tuple[Said | None, Said | None, Said | None]] = field(factory=dict, init=False)
    # Of these its quote columns alone, where the rows are one instrument's quotes: what a busy strategy asks most.
    _quoted: dict[int, tuple[Sequence[Any], Sequence[Any], Sequence[int]]] = field(factory=dict, init=False)

    @property
    def size(self) -> int:
        """How many rows it has."""
        return len(self.ts_ns)

    @property
    def times(self) -> Sequence[int]:
        """`ts_ns` as plain ints."""
        if self._times is None:
            self._times = plain(self.ts_ns)
        return self._times

    def quote(self, conid: int, row: int) -> Quote | None:
        """The quote in force just before a row."""
        columns = self.kinds.get(_QUOTES)
        if columns is not None and (index := columns.last_before(conid, row)) >= 0:
            return columns.event(index)  # type: ignore[return-value]  # quotes make quotes
        return self.quotes_before.get(conid)

    def price(self, conid: int, row: int) -> tuple[float, int] | None:
        """The price in force just before a row and when it was said: the middle of the quote, or the last trade, or the
        last bar's close; None if there is none. What was said before a split is told in the units of after it."""
        alone = self._quoted.get(conid)
        index = row - 1
        if alone is not None and index >= 0:
            bids, asks, times = alone
            mid: float = (bids[index] + asks[index]) * 0.5
            if mid == mid:  # a side that is absent is NaN, and so is the middle
                return mid, times[index]
        quotes, trades, bars = self._said.get(conid) or self._cut(conid)
        index = -1
        if quotes is not None:
            bids, asks, times, rows, mine = quotes
            index = (row if rows is None else int(rows.searchsorted(row))) - 1
            if index >= 0:
                if mine is not None:
                    index = int(mine[index])
                mid = (bids[index] + asks[index]) * 0.5
                if mid == mid:
                    return mid, times[index]
        if index < 0 and self.quotes_before:
            quote = self.quotes_before.get(conid)
            if quote is not None and quote.mid == quote.mid:
                return quote.mid, quote.ts_ns
        if trades is not None or self.trades_before:
            trade = self.trades_before.get(conid)
            before = None if trade is None else (trade.price, trade.ts_ns)
            found = _newest(trades, row, before)
            if found is not None:
                return found
        bar = self.bars_before.get(conid)
        return _newest(bars, row, None if bar is None else (bar.close, bar.ts_ns))

    def reprice(self) -> None:
        """Something was added to `repriced`: prices are looked up anew."""
        self._said.clear()
        self._quoted.clear()

    def _cut(self, conid: int) -> tuple[Said | None, Said | None, Said | None]:
        """Cut out what an instrument's rows say of its price."""
        if conid in self.repriced:
            return self._cut_repriced(conid, self.repriced[conid])
        found: list[Said | None] = []
        for kind, names in _PRICED:
            columns = self.kinds.get(kind)
            if columns is None or conid not in columns.conids:
                found.append(None)
                continue
            mine = columns.of(conid)
            rows = mine if columns.at is None else columns.at if mine is None else columns.at[mine]
            first, second, times = (columns.buffer(name) for name in names)
            found.append((first, second, times, rows, mine))
            if kind is _QUOTES and rows is None:
                self._quoted[conid] = first, second, times
        quotes, trades, bars = found
        self._said[conid] = quotes, trades, bars
        return quotes, trades, bars

    def _cut_repriced(self, conid: int, steps: Sequence[Step]) -> tuple[Said | None, Said | None, Said | None]:
        """The same in the units of after each step; what was known before the chunk stands at row -1."""
        quote, trade, bar = (
            self.quotes_before.get(conid),
            self.trades_before.get(conid),
            self.bars_before.get(conid),
        )
        before = (
            None if quote is None else (quote.bid, quote.ask, quote.ts_ns),
            None if trade is None else (trade.price, trade.price, trade.ts_ns),
            None if bar is None else (bar.close, bar.close, bar.ts_ns),
        )
        found: list[Said | None] = []
        for (kind, names), known in zip(_PRICED, before, strict=True):
            columns = self.kinds.get(kind)
            there = columns is not None and conid in columns.conids
            if known is None and not there:
                found.append(None)
                continue
            rows, parts = np.empty(0, np.int64), [np.empty(0), np.empty(0), np.empty(0, np.int64)]
            if columns is not None and there:
                mine = columns.of(conid)
                if mine is None:
                    mine = np.arange(len(columns))
                rows, parts = mine if columns.at is None else columns.at[mine], [columns[name][mine] for name in names]
            if known is not None:
                rows = np.concatenate(([-1], rows))
                parts = [np.concatenate(([value], part)) for value, part in zip(known, parts, strict=True)]
            first, second, times = parts
            low, high = (reprice(values.astype(float), times, steps) for values in (first, second))
            found.append((plain(low), plain(high), plain(times.astype(np.int64)), rows, None))
        quotes, trades, bars = found
        self._said[conid] = quotes, trades, bars
        return quotes, trades, bars

    def trade(self, conid: int, row: int) -> Trade | None:
        """The last trade before a row."""
        columns = self.kinds.get(_TRADES)
        if columns is not None and (index := columns.last_before(conid, row)) >= 0:
            return columns.event(index)  # type: ignore[return-value]  # trades make trades
        return self.trades_before.get(conid)

    def bar(self, conid: int, row: int) -> Bar | None:
        """The last bar known before a row."""
        columns = self.kinds.get(_BARS)
        if columns is not None and (index := columns.last_before(conid, row)) >= 0:
            return columns.event(index)  # type: ignore[return-value]  # bars make bars
        return self.bars_before.get(conid)

    def status(self, conid: int, row: int) -> Status | None:
        """The last change of status before a row."""
        columns = self.kinds.get(_STATUS)
        if columns is not None and (index := columns.last_before(conid, row)) >= 0:
            return columns.event(index)  # type: ignore[return-value]  # status rows make status
        return self.status_before.get(conid)


def distinct(values: Ints) -> Ints:
    """The values that occur, sorted; `np.unique` would import a package that takes as long as 100,000 quotes do."""
    if not len(values):
        return values
    low = int(values.min())
    if int(values.max()) - low <= len(values):  # close together: counting them takes a tenth of sorting them
        return np.flatnonzero(np.bincount(values - low)) + low
    values = np.sort(values, kind="stable")  # by merging: callers have few sorted runs
    keep = np.ones(len(values), bool)
    keep[1:] = values[1:] != values[:-1]
    return values[keep]


def intervals(ts_ns: Ints, start_ns: int, width_ns: int) -> tuple[Ints, Ints]:
    """The intervals of one width in which sorted times lie: the number of each from `start_ns` on, and the index of the
    first time in it. At least one time."""
    first, last = (int(ts_ns[0]) - start_ns) // width_ns, (int(ts_ns[-1]) - start_ns) // width_ns
    if last - first < len(ts_ns):  # to look for the few edges takes a twentieth of dividing all times
        numbers = np.arange(first, last + 1)
        starts = ts_ns.searchsorted(start_ns + width_ns * numbers)
        there = np.append(starts[1:], len(ts_ns)) > starts
        return numbers[there], starts[there]
    each = (ts_ns - start_ns) // width_ns
    starts = np.flatnonzero(np.concatenate([[True], each[1:] != each[:-1]]))
    return each[starts], starts


def _newest(said: Said | None, row: int, before: tuple[float, int] | None) -> tuple[float, int] | None:
    """Price and time of the newest trade or bar before a row; None if there is none, or none that is a number.

    Args:
        before: What was newest before the chunk.
    """
    if said is not None:
        prices, _, times, rows, mine = said
        index = (row if rows is None else int(rows.searchsorted(row))) - 1
        if index >= 0:
            if mine is not None:
                index = int(mine[index])
            before = prices[index], times[index]
    return None if before is None or before[0] != before[0] else before


def merge(parts: Mapping[Kind, Mapping[str, NDArray[Any]]], built: Mapping[str, NDArray[Any]] | None = None) -> Chunk:
    """Make a chunk of columns by kind, each sorted by time, in the order `(ts_ns, rank, seq)`.

    `built` are the columns of bars made by the feed; at one moment they come after recorded bars.
    """
    runs = [(RANK[kind], False, Columns(kind, dict(data))) for kind, data in parts.items() if len(data["ts_ns"])]
    if built is not None and len(built["ts_ns"]):
        runs.append((RANK[Kind.BARS], True, Columns(Kind.BARS, dict(built))))
    if not runs:
        return Chunk(ts_ns=np.empty(0, np.int64), kinds={})
    runs.sort(key=lambda run: run[:2])
    if len(runs) == 1:
        times = runs[0][2]["ts_ns"]
    else:
        times = np.concatenate([columns["ts_ns"] for _, _, columns in runs])
        order = np.argsort(times, kind="stable")  # the runs stand in rank order, so ties keep it
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order), dtype=np.int64)
        start = 0
        for _, _, columns in runs:
            columns.at = place[start : start + len(columns)]
            start += len(columns)
        times = times[order]
    return Chunk(
        ts_ns=times,
        kinds={columns.kind: columns for _, made, columns in runs if not made},
        built=next((columns for _, made, columns in runs if made), None),
    )
