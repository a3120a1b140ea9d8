"""One instrument's part of a chunk, cut for matching: its rows as arrays, where they lie, and quick searches in them.

`row` always means a row of the chunk, `index` a place in this instrument's own arrays of one kind.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from attrs import define, evolve, field, fields
from numpy.typing import NDArray

from engine.domain.columns import Chunk, Columns, Floats, Ints
from engine.domain.market import Bar, Kind, Quote, Trade, Trading
from engine.venue.finding import Lows, first_at_least, first_at_most

_SEARCHES_BY_COLUMN = 8  # that many searches of a chunk cost as much as cutting it into blocks


@define(eq=False)
class Rows:
    """The rows of one kind that belong to one instrument; `at` None: index and row are the same number."""

    at: Ints | None
    length: int

    def first(self, row: int) -> int:
        """Index of the first of them at or after a chunk row."""
        if self.at is None:
            return row if row < self.length else self.length
        return int(self.at.searchsorted(row))

    def row(self, index: int) -> int:
        """Chunk row of an index."""
        return index if self.at is None else int(self.at[index])


@define(eq=False)
class Quotes(Rows):
    """Quotes of one instrument: its places in the chunk's columns (None: all of them), cut out when they are needed."""

    columns: Columns
    mine: Ints | None
    asks: memoryview | None = field(
        default=None, init=False
    )  # as buffers, of which one element costs half of an array's
    bids: memoryview | None = field(default=None, init=False)
    _touches: tuple[memoryview, ...] | None = field(default=None, init=False)
    _cuts: dict[str, Floats] = field(factory=dict, init=False)
    _low_asks: Lows | None = field(default=None, init=False)
    _low_bids: Lows | None = field(default=None, init=False)
    _searches: int = field(default=0, init=False)

    @property
    def bid(self) -> Floats:
        """Bids, oldest first."""
        return self._column("bid")

    @property
    def ask(self) -> Floats:
        """Asks."""
        return self._column("ask")

    @property
    def bid_size(self) -> Floats:
        """Sizes at the bid."""
        return self._column("bid_size")

    @property
    def ask_size(self) -> Floats:
        """Sizes at the ask."""
        return self._column("ask_size")

    def _column(self, name: str) -> Floats:
        found = self._cuts.get(name)
        if found is None:
            whole = self.columns[name]
            found = self._cuts[name] = whole if self.mine is None else whole[self.mine]
        return found

    def touch(self, index: int) -> tuple[float, float, float, float]:
        """Bid, ask and their sizes of one quote."""
        at = index if self.mine is None else int(self.mine[index])
        columns = self._touches
        if columns is None:
            whole = self.columns
            columns = self._touches = tuple(whole.buffer(name) for name in ("bid", "ask", "bid_size", "ask_size"))
        bid, ask, bid_size, ask_size = columns
        return bid[at], ask[at], bid_size[at], ask_size[at]

    def beyond(self, index: int, lo: float, hi: float, buy: bool) -> bool:
        """Say whether the touch of one quote is worse than a limit; `lo` and `hi` are a hair below and above that."""
        if buy:
            return bool((self.asks or self._ask_buffer())[index] > hi)
        return bool((self.bids or self._bid_buffer())[index] < lo)

    def _ask_buffer(self) -> memoryview:
        self.asks = memoryview(self.ask)  # type: ignore[arg-type]  # arrays are buffers
        return self.asks

    def _bid_buffer(self) -> memoryview:
        self.bids = memoryview(self.bid)  # type: ignore[arg-type]
        return self.bids

    def first_ask_at_most(self, level: float, start: int, stop: int) -> int:
        """First index in [start, stop) whose ask is <= level; `stop` if there is none."""
        if self._low_asks is None:
            if self._searches < _SEARCHES_BY_COLUMN:
                self._searches += 1
                return first_at_most(self.ask, level, start, stop)
            self._low_asks = Lows(self.ask)
        return self._low_asks.first_at_most(level, start, stop)

    def first_bid_at_least(self, level: float, start: int, stop: int) -> int:
        """First index in [start, stop) whose bid is >= level; `stop` if there is none."""
        if self._low_bids is None:
            if self._searches < _SEARCHES_BY_COLUMN:
                self._searches += 1
                return first_at_least(self.bid, level, start, stop)
            self._low_bids = Lows(-self.bid)
        return self._low_bids.first_at_most(-level, start, stop)


@define(eq=False)
class Trades(Rows):
    """Trades of one instrument."""

    price: Floats
    size: Floats


@define(eq=False)
class Bars(Rows):
    """Recorded bars of one instrument."""

    ts_ns: Ints
    span_ns: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    _buffers: tuple[memoryview, ...] = field(init=False)
    _made: tuple[int, Bar | None] = field(default=(-1, None), init=False)  # the last one, which is asked for again

    def __attrs_post_init__(self) -> None:
        columns = (self.ts_ns, self.span_ns, self.open, self.high, self.low, self.close, self.volume)
        self._buffers = tuple(memoryview(column) for column in columns)  # type: ignore[arg-type]  # arrays are buffers

    @property
    def opens(self) -> memoryview:
        """Opens, as a buffer."""
        return self._buffers[2]

    def begins_ns(self, index: int) -> int:
        """When one of them began."""
        buffers = self._buffers
        begins: int = buffers[0][index] - buffers[1][index]
        return begins

    def bar(self, index: int, conid: int) -> Bar:
        """One row as plain numbers."""
        at, made = self._made
        if made is None or at != index:
            ts_ns, span_ns, opened, high, low, close, volume = self._buffers
            made = Bar(
                ts_ns[index], conid, span_ns[index], opened[index], high[index], low[index], close[index], volume[index]
            )
            self._made = index, made
        return made


R = TypeVar("R", bound=Rows)
_PLACES = ("at", "length")


def _cut(columns: Columns, conid: int) -> tuple[Ints | None, Ints | None]:
    """Return (which indices of the columns, None for all; their chunk rows, None where index and row agree)."""
    mine = columns.of(conid)
    if mine is None:
        return None, columns.at
    return mine, mine if columns.at is None else columns.at[mine]


def _take(columns: Columns, name: str, mine: Ints | None) -> NDArray:  # type: ignore[type-arg]  # as the column is
    return columns[name] if mine is None else columns[name][mine]


@define(eq=False)
class Tape:
    """What a chunk holds of one instrument, and what was known before it.

    `ticks_from` is the first row that knows a quote or a trade, `quotes_from` and `trades_from` of one kind: rows from
    there on match on ticks (-1: known before the chunk). `shut` are the row ranges in which it is halted.
    """

    conid: int
    size: int
    quotes: Quotes | None = None
    trades: Trades | None = None
    bars: Bars | None = None
    quote_before: Quote | None = None
    trade_before: Trade | None = None
    bar_before: Bar | None = None
    quotes_from: int = -1
    trades_from: int = -1
    ticks_from: int = -1
    shut: tuple[tuple[int, int], ...] = ()

    @property
    def quotes_alone(self) -> bool:
        """Whether the chunk's rows are this instrument's quotes and nothing else, none of them in a halt."""
        quotes = self.quotes
        return quotes is not None and quotes.at is None and not self.shut and quotes.length == self.size

    def quote_index(self, row: int) -> int:
        """Index of the quote in force just before a row; -1 if that is `quote_before`."""
        return -1 if self.quotes is None else self.quotes.first(row) - 1

    def touch(self, row: int) -> tuple[float, float, float, float] | None:
        """Bid, ask and their sizes just before a row; None if no quote is known."""
        quotes = self.quotes
        if quotes is not None:
            index = quotes.first(row) - 1
            if index >= 0:
                return quotes.touch(index)
        before = self.quote_before
        return None if before is None else (before.bid, before.ask, before.bid_size, before.ask_size)

    def beyond_touch(self, buy: bool, lo: float, hi: float, row: int) -> bool:
        """Say whether the touch just before a row, a quote of this chunk, is worse than a limit: it has to rest.

        `lo` and `hi` are a hair below and above the limit. False where it can't be said so simply.
        """
        quotes = self.quotes
        if quotes is None or self.shut:
            return False
        index = (row if quotes.at is None and row < quotes.length else quotes.first(row)) - 1
        if index < 0:
            return False
        return quotes.beyond(index, lo, hi, buy)

    def last_trade(self, row: int) -> float | None:
        """Price of the last trade before a row."""
        if self.trades is not None and (index := self.trades.first(row) - 1) >= 0:
            return self.trades.price.item(index)
        return None if self.trade_before is None else self.trade_before.price

    def last_bar(self, row: int) -> Bar | None:
        """The last bar known before a row."""
        if self.bars is not None and (index := self.bars.first(row) - 1) >= 0:
            return self.bars.bar(index, self.conid)
        return self.bar_before

    def halted(self, row: int) -> bool:
        """Say whether trading is halted just before a row, that is, by the status rows before it."""
        return any(start < row <= stop for start, stop in self.shut)

    def open_runs(self, row: int, stop: int) -> list[tuple[int, int]]:
        """The parts of [row, stop) in which it is not halted."""
        if not self.shut:
            return [(row, stop)]
        runs = []
        for start, end in self.shut:
            if row < start:
                runs.append((row, min(start, stop)))
            row = max(row, end)
            if row >= stop:
                break
        if row < stop:
            runs.append((row, stop))
        return [(first, last) for first, last in runs if first < last]


def tape_of(chunk: Chunk, conid: int) -> Tape:
    """Cut one instrument's part out of a chunk."""
    tape = Tape(
        conid=conid,
        size=chunk.size,
        quote_before=chunk.quotes_before.get(conid),
        trade_before=chunk.trades_before.get(conid),
        bar_before=chunk.bars_before.get(conid),
    )
    columns = chunk.kinds.get(Kind.QUOTES)
    if columns is not None:
        mine, at = _cut(columns, conid)
        length = len(columns) if mine is None else len(mine)
        if length:
            tape.quotes = Quotes(at, length, columns, mine)
    columns = chunk.kinds.get(Kind.TRADES)
    if columns is not None:
        mine, at = _cut(columns, conid)
        price = _take(columns, "price", mine)
        if len(price):
            tape.trades = Trades(at, len(price), price, _take(columns, "size", mine))
    columns = chunk.kinds.get(Kind.BARS)
    if columns is not None:
        mine, at = _cut(columns, conid)
        ts_ns = _take(columns, "ts_ns", mine)
        if len(ts_ns):
            fields = ("span_ns", "open", "high", "low", "close", "volume")
            tape.bars = Bars(at, len(ts_ns), ts_ns, *(_take(columns, name, mine) for name in fields))
    tape.quotes_from = _known_from(tape.quote_before is not None, tape.quotes, chunk.size)
    tape.trades_from = _known_from(tape.trade_before is not None, tape.trades, chunk.size)
    tape.ticks_from = min(tape.quotes_from, tape.trades_from)
    tape.shut = _shut(chunk, conid)
    return tape


def since(tape: Tape, times: Ints, since_ns: int) -> Tape:
    """A tape that knows nothing from before a time; `times` are those of the chunk's rows."""
    row = int(times.searchsorted(since_ns))
    quotes, trades = _rows_from(tape.quotes, row), _rows_from(tape.trades, row)
    quote, trade, bar = tape.quote_before, tape.trade_before, tape.bar_before
    quote = quote if quote is not None and quote.ts_ns >= since_ns else None
    trade = trade if trade is not None and trade.ts_ns >= since_ns else None
    bar = bar if bar is not None and bar.ts_ns >= since_ns else None
    quotes_from = _known_from(quote is not None, quotes, tape.size)
    trades_from = _known_from(trade is not None, trades, tape.size)
    return evolve(
        tape,
        quotes=quotes,
        trades=trades,
        bars=_rows_from(tape.bars, row),
        quote_before=quote,
        trade_before=trade,
        bar_before=bar,
        quotes_from=quotes_from,
        trades_from=trades_from,
        ticks_from=min(quotes_from, trades_from),
    )


def _rows_from(rows: R | None, row: int) -> R | None:
    """The rows of one kind from a chunk row on; None if there are none."""
    if rows is None or (first := rows.first(row)) == rows.length:
        return None
    if not first:
        return rows
    at = np.arange(first, rows.length) if rows.at is None else rows.at[first:]
    if isinstance(rows, Quotes):
        mine = np.arange(first, rows.length) if rows.mine is None else rows.mine[first:]
        return evolve(rows, at=at, length=rows.length - first, mine=mine)
    columns = {
        one.name: getattr(rows, one.name)[first:] for one in fields(type(rows)) if one.init and one.name not in _PLACES
    }
    return evolve(rows, at=at, length=rows.length - first, **columns)


def _known_from(before: bool, rows: Rows | None, size: int) -> int:
    if before:
        return -1
    return size if rows is None else rows.row(0)


def _shut(chunk: Chunk, conid: int) -> tuple[tuple[int, int], ...]:
    """Row ranges without trading: from the row that says so (-1: before the chunk) to the one that ends it."""
    before = chunk.status_before.get(conid)
    since = None if before is None or before.trading == Trading.OPEN else -1
    runs: list[tuple[int, int]] = []
    columns = chunk.kinds.get(Kind.STATUS)
    if columns is not None:
        mine, at = _cut(columns, conid)
        for index, trading in enumerate(_take(columns, "trading", mine).tolist()):
            row = index if at is None else int(at[index])
            if trading == Trading.OPEN:
                if since is not None:
                    runs.append((since, row))
                since = None
            elif since is None:
                since = row
    if since is not None:
        runs.append((since, chunk.size))
    return tuple(runs)
