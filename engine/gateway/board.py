"""What the market shows now: the top of each book and the day's figures, read from the chunk that is being played.

Nothing is kept up row by row. A conid's rows are laid out once a chunk, with running figures beside them; a question at
a row is a bisection. When a chunk is behind us its rows are folded into what was known before the next.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from engine.domain.columns import Chunk, Columns
from engine.domain.market import Bar, Kind, Quote, Status, Trade, Trading
from engine.domain.sessions import Sessions
from engine.gateway.records import Top

_NAN: Final = float("nan")
_QUOTES, _TRADES, _BARS, _STATUS = Kind.QUOTES, Kind.TRADES, Kind.BARS, Kind.STATUS


@define(eq=False)
class Figures:
    """What is known of a conid before a chunk's first row.

    `opened`, `high` and `low` are of the day's trades in regular hours, `close` the newest of them, `volume` counts all
    of the day's trades. NaN where there is none.
    """

    quote: Quote | None = None
    trade: Trade | None = None
    bar: Bar | None = None
    status: Status | None = None
    volume: float = 0.0
    opened: float = _NAN
    high: float = _NAN
    low: float = _NAN
    close: float = _NAN
    prior_close: float = _NAN

    def roll(self) -> None:
        """A new day begins."""
        if self.close == self.close:
            self.prior_close = self.close
        self.volume = 0.0
        self.opened = self.high = self.low = self.close = _NAN


@define(eq=False)
class Reel:
    """A conid's rows of a chunk as lists; of trades (or of bars, where there are none) the running figures as well."""

    quote_rows: list[int] = field(factory=list)
    quotes: list[list[Any]] = field(factory=list)
    trade_rows: list[int] = field(factory=list)
    times: list[int] = field(factory=list)
    prices: list[float] = field(factory=list)
    sizes: list[float] = field(factory=list)
    volume: list[float] = field(factory=list)
    opened: list[float] = field(factory=list)
    high: list[float] = field(factory=list)
    low: list[float] = field(factory=list)
    close: list[float] = field(factory=list)


def regular(sessions: Sessions, times: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which times lie in a regular session; the very moment of its close does."""
    if sessions.always:
        return np.ones(len(times), bool)
    opens, closes = np.array(sessions.opens_ns, np.int64), np.array(sessions.closes_ns, np.int64)
    last = opens.searchsorted(times, side="right") - 1
    inside: NDArray[np.bool_] = (last >= 0) & (times <= closes[last])
    return inside


class Board:
    """Tops by conid. `row` is how far the chunk has been played: rows before it are known."""

    def __init__(self, sessions: Callable[[int], Sessions]) -> None:
        self._sessions = sessions
        self.figures: dict[int, Figures] = {}
        self.row = 0
        self._chunk = Chunk(ts_ns=np.empty(0, np.int64), kinds={})
        self._reels: dict[int, Reel] = {}

    def begin(self, chunk: Chunk) -> None:
        """Go over to a new chunk, which learns what was known before it."""
        self.fold()
        for conid in {conid for columns in chunk.kinds.values() for conid in columns.conids}:
            self.figures.setdefault(conid, Figures())
        known = self.figures.items()
        chunk.quotes_before = {conid: one.quote for conid, one in known if one.quote is not None}
        chunk.trades_before = {conid: one.trade for conid, one in known if one.trade is not None}
        chunk.bars_before = {conid: one.bar for conid, one in known if one.bar is not None}
        chunk.status_before = {conid: one.status for conid, one in known if one.status is not None}
        self._chunk = chunk
        self._reels = {}
        self.row = 0

    def fold(self) -> None:
        """Take the rows played so far into what was known before; the chunk's other rows never come."""
        chunk, row = self._chunk, self.row
        if not row:
            return
        for conid in {conid for columns in chunk.kinds.values() for conid in columns.conids}:
            reel, known = self._reel(conid), self.figures[conid]
            if (at := bisect_left(reel.trade_rows, row) - 1) >= 0:
                known.volume, known.opened = reel.volume[at], reel.opened[at]
                known.high, known.low, known.close = reel.high[at], reel.low[at], reel.close[at]
            known.quote = chunk.quote(conid, row)
            known.trade = chunk.trade(conid, row)
            known.bar = chunk.bar(conid, row)
            known.status = chunk.status(conid, row)
        self._chunk = Chunk(ts_ns=np.empty(0, np.int64), kinds={})
        self._reels = {}
        self.row = 0

    def roll(self) -> None:
        """A new day begins: no row of the old one follows."""
        self.fold()
        for known in self.figures.values():
            known.roll()

    def top(self, conid: int, now_ns: int) -> Top | None:
        """Top of book and the day's figures as of now; None for a conid of which nothing is known."""
        known = self.figures.get(conid)
        if known is None:
            return None
        chunk, row = self._chunk, self.row
        reel = self._reel(conid)
        ts_ns = 0
        bid = ask = bid_size = ask_size = last = last_size = _NAN
        if (at := bisect_left(reel.quote_rows, row) - 1) >= 0:
            ts_ns, bid, ask, bid_size, ask_size = (column[at] for column in reel.quotes)
        elif (quote := known.quote) is not None:
            ts_ns, bid, ask = quote.ts_ns, quote.bid, quote.ask
            bid_size, ask_size = quote.bid_size, quote.ask_size
        volume, opened, high, low = known.volume, known.opened, known.high, known.low
        if (at := bisect_left(reel.trade_rows, row) - 1) >= 0:
            ts_ns = max(ts_ns, reel.times[at])
            last, last_size = reel.prices[at], reel.sizes[at]
            volume, opened, high, low = reel.volume[at], reel.opened[at], reel.high[at], reel.low[at]
        elif known.trade is not None:
            ts_ns, last, last_size = max(ts_ns, known.trade.ts_ns), known.trade.price, known.trade.size
        elif known.bar is not None:
            ts_ns, last = max(ts_ns, known.bar.ts_ns), known.bar.close
        if not ts_ns:
            return None
        status = chunk.status(conid, row) if _STATUS in chunk.kinds else known.status
        sessions = self._sessions(conid)
        return Top(
            conid=conid,
            ts_ns=ts_ns,
            bid=bid,
            ask=ask,
            bid_size=bid_size,
            ask_size=ask_size,
            last=last,
            last_size=last_size,
            volume=volume,
            open=opened,
            high=high,
            low=low,
            prior_close=known.prior_close,
            halted=status is not None and status.trading == Trading.HALTED,
            open_market=sessions.is_open(now_ns),
        )

    def _reel(self, conid: int) -> Reel:
        reel = self._reels.get(conid)
        if reel is None:
            reel = self._reels[conid] = self._laid_out(conid)
        return reel

    def _laid_out(self, conid: int) -> Reel:
        reel, known = Reel(), self.figures[conid]
        rows, found = _rows(self._chunk.kinds.get(_QUOTES), conid)
        if found:
            reel.quote_rows = rows
            reel.quotes = [found[name].tolist() for name in ("ts_ns", "bid", "ask", "bid_size", "ask_size")]
        rows, found = _rows(self._chunk.kinds.get(_TRADES), conid)
        if found:
            price = found["price"]
            self._run(reel, known, conid, rows, found["ts_ns"], (price, price, price, price), found["size"])
        elif known.trade is None:
            rows, found = _rows(self._chunk.kinds.get(_BARS), conid)
            if found:
                prices = (found["open"], found["high"], found["low"], found["close"])
                self._run(reel, known, conid, rows, found["ts_ns"], prices, found["volume"])
        return reel

    def _run(
        self,
        reel: Reel,
        known: Figures,
        conid: int,
        rows: list[int],
        times: NDArray[np.int64],
        prices: tuple[NDArray[np.float64], ...],
        sizes: NDArray[np.float64],
    ) -> None:
        """Lay out trades, or bars as if they were trades, with the running figures of the day."""
        counts = regular(self._sessions(conid), times)
        opened, high, low, close = (np.where(counts, column, _NAN) for column in prices)
        reel.trade_rows, reel.times = rows, times.tolist()
        reel.prices, reel.sizes = prices[3].tolist(), sizes.tolist()
        reel.volume = (known.volume + np.cumsum(np.nan_to_num(sizes))).tolist()
        reel.high = np.fmax.accumulate(np.fmax(high, known.high)).tolist()
        reel.low = np.fmin.accumulate(np.fmin(low, known.low)).tolist()
        first = known.opened
        if first != first and (known_at := np.flatnonzero(opened == opened)).size:
            start = int(known_at[0])
            reel.opened = [_NAN] * start + [float(opened[start])] * (len(rows) - start)
        else:
            reel.opened = [first] * len(rows)
        newest = np.where(close == close, np.arange(len(rows)), -1)
        newest = np.maximum.accumulate(newest)
        reel.close = np.where(newest >= 0, close[newest], known.close).tolist()


def _rows(columns: Columns | None, conid: int) -> tuple[list[int], dict[str, NDArray[Any]]]:
    """A conid's rows of one kind: their chunk rows, and their columns; nothing where there is none."""
    if columns is None or conid not in columns.conids:
        return [], {}
    mine = columns.of(conid)
    if mine is None:
        rows = list(range(len(columns))) if columns.at is None else columns.at.tolist()
        return rows, columns.data
    rows = mine.tolist() if columns.at is None else columns.at[mine].tolist()
    return rows, {name: column[mine] for name, column in columns.data.items()}
