"""The equity curve: what the account was worth at every fill and at each minute's close.

Worked out a chunk at a time, in columns, from the portfolio's steps (position and cash flow after each fill) and the
chunk's prices; where chunks and windows are cut changes no point. An open position is marked at what closing it would
bring: a long at the bid, a short at the ask; without quotes at the last trade, without trades at the last bar's close.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import isfinite
from operator import attrgetter
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from engine.domain.columns import Chunk, Columns, Floats, Ints, distinct, intervals
from engine.domain.instrument import Instrument
from engine.domain.market import Kind
from engine.domain.moments import NS_PER_MINUTE
from engine.domain.repricing import Step, reprice
from engine.portfolio import books

_OF = attrgetter("strategy", "conid")
_EMPTY = np.empty(0, np.int64)
_LONG_AGO = np.iinfo(np.int64).min
# What is kept of each kind: the name here, and the column.
_KNOWN = {
    Kind.QUOTES: (("bid", "bid"), ("ask", "ask")),
    Kind.TRADES: (("trade", "price"),),
    Kind.BARS: (("bar", "close"),),
}


@define(eq=False)
class _Path:
    """One strategy's position in one instrument: the steps of the chunk in hand, and the quantity before them."""

    before: float = 0.0
    ts_ns: list[int] = field(factory=list)
    quantity: list[float] = field(factory=list)


@define(eq=False)
class _Flow:
    """One strategy's cash flow in base currency."""

    before: float = 0.0
    ts_ns: list[int] = field(factory=list)
    flow: list[float] = field(factory=list)


@define(eq=False)
class _Prices:
    """Last known prices of one instrument before the chunk in hand."""

    bid: float = np.nan
    ask: float = np.nan
    trade: float = np.nan
    bar: float = np.nan


@define(eq=False)
class EquityMarks:
    """Collects the curve. Call `steps` with the portfolio's new steps and `chunk` at each chunk's end, in that order.

    Args:
        instruments: By conid.
        rates: Base currency per unit of each currency, as float.
        strategies: In config order.
        deposit: Cash at the start, in base currency.
    """

    instruments: Mapping[int, Instrument]
    rates: Mapping[str, float]
    strategies: tuple[str, ...]
    deposit: float
    _paths: dict[tuple[str, int], _Path] = field(factory=dict, init=False)
    _flows: dict[str, _Flow] = field(factory=dict, init=False)
    _prices: dict[int, _Prices] = field(factory=dict, init=False)
    _fill_ns: list[int] = field(factory=list, init=False)
    _repriced: dict[int, list[Step]] = field(factory=dict, init=False)
    _rated: dict[str, tuple[list[int], list[float]]] = field(factory=dict, init=False)  # changes of rates, by currency
    _open_minute: int | None = field(default=None, init=False)
    _parts: list[tuple[Ints, Floats, Floats, Floats, dict[str, Floats]]] = field(factory=list, init=False)

    def steps(self, steps: list[books.Step]) -> None:
        """Take over what was booked since the last call."""
        for (strategy, conid), run in groupby(steps, _OF):  # one strategy at a time mostly has many in a row
            mine = list(run)
            times = [step.ts_ns for step in mine]
            if conid is not None:  # money of a midnight makes no point: a Sunday is no trading day for its interest
                self._fill_ns += times
                path = self._paths.setdefault((strategy, conid), _Path())
                path.ts_ns += times
                path.quantity += [step.quantity for step in mine]
            flow = self._flows.setdefault(strategy, _Flow())
            flow.ts_ns += times
            flow.flow += [step.flow for step in mine]

    def reprice(self, conid: int, step: Step) -> None:
        """A corporate action: prices known before it are converted, until a newer one is known. Where nobody knows what
        they are worth, they count as they are."""
        if isfinite(step.factor):
            self._repriced.setdefault(conid, []).append(step)

    def rate(self, currency: str, ts_ns: int, rate: float) -> None:
        """From a time on, a currency has another rate."""
        times, rates = self._rated.setdefault(currency, ([], []))
        times.append(ts_ns)
        rates.append(rate)

    def chunk(self, chunk: Chunk, *, last: bool) -> None:
        """Mark all points that lie in a chunk; with `last`, those after it too."""
        end_ns = int(chunk.ts_ns[-1])
        points = self._points(chunk, end_ns, last)
        if len(points):
            # How many rows of each kind there are up to each point: of all instruments, so looked up once.
            ends = {
                kind: columns["ts_ns"].searchsorted(points, side="right")
                for kind, columns in chunk.kinds.items()
                if kind in _KNOWN
            }
            held = sorted({key[1] for key in self._paths})
            self._mark(points, {conid: self._marks(chunk, conid, points, ends) for conid in held})
        self._carry(chunk, end_ns)

    def curve(self) -> tuple[Ints, Floats, Floats, Floats, dict[str, Floats]]:
        """Times, equity, cash, gross exposure, and each strategy's profit, all of one length."""
        if not self._parts:
            nothing: Floats = np.empty(0)
            return _EMPTY, nothing, nothing, nothing, dict.fromkeys(self.strategies, nothing)
        times, equity, cash, exposure, by_strategy = zip(*self._parts, strict=True)
        return (
            np.concatenate(times),
            np.concatenate(equity),
            np.concatenate(cash),
            np.concatenate(exposure),
            {name: np.concatenate([part[name] for part in by_strategy]) for name in self.strategies},
        )

    def equity_now(self) -> float:
        """The newest point of the curve; the deposit before the first."""
        return float(self._parts[-1][1][-1]) if self._parts else self.deposit

    def last_prices(self, conid: int) -> tuple[float, float]:
        """(price at which a long is marked, price at which a short is marked) after the last chunk; NaN if unknown."""
        known = self._prices.get(conid, _Prices())
        fallback = known.trade if known.trade == known.trade else known.bar
        long = known.bid if known.bid == known.bid else fallback
        short = known.ask if known.ask == known.ask else fallback
        return long, short

    # --- one chunk ----------------------------------------------------------------------------------------------

    def _points(self, chunk: Chunk, end_ns: int, last: bool) -> Ints:
        """Fill times and the last nanosecond of each minute that had data; a minute still open waits."""
        minutes, _ = intervals(chunk.ts_ns, 0, NS_PER_MINUTE)
        if self._open_minute is not None and self._open_minute < minutes[0]:
            minutes = np.concatenate([np.array([self._open_minute], np.int64), minutes])
        closes: Ints = (minutes + 1) * NS_PER_MINUTE - 1
        closed = closes < end_ns
        self._open_minute = None if closed.all() else int(minutes[~closed][0])
        closes = closes[closed]
        if last:
            closes = np.append(closes, end_ns)
        # A fill of the very last nanosecond waits: the next chunk may go on with rows of the same one.
        fills = np.array([ts for ts in self._fill_ns if last or ts < end_ns], np.int64)
        self._fill_ns = [ts for ts in self._fill_ns if not last and ts >= end_ns]
        if not len(fills):
            return closes  # sorted, and each once
        points: Ints = distinct(np.concatenate([closes, fills]))
        return points

    def _mark(self, points: Ints, prices: Mapping[int, tuple[Floats, Floats]]) -> None:
        total = np.full(len(points), self.deposit)
        cash = np.full(len(points), self.deposit)
        exposure = np.zeros(len(points))
        by_strategy: dict[str, Floats] = {}
        for name in self.strategies:
            flow = self._flows.get(name)
            profit = np.zeros(len(points)) if flow is None else _stepped(flow.ts_ns, flow.flow, flow.before, points)
            cash = cash + profit
            for (owner, conid), path in self._paths.items():
                if owner != name:
                    continue
                quantity = _stepped(path.ts_ns, path.quantity, path.before, points)
                long, short = prices[conid]
                instrument = self.instruments[conid]
                unit: float | Floats = float(instrument.multiplier) * self.rates[instrument.currency]
                rated = self._rated.get(instrument.currency)
                if rated is not None:
                    unit = float(instrument.multiplier) * _stepped(*rated, self.rates[instrument.currency], points)
                value = np.where(quantity == 0.0, 0.0, quantity * np.where(quantity >= 0.0, long, short) * unit)
                profit = profit + value
                exposure = exposure + np.abs(value)
            by_strategy[name] = profit
            total = total + profit
        of_account = self._flows.get("")
        if of_account is not None:  # interest, conversions: nobody's but the account's
            money = _stepped(of_account.ts_ns, of_account.flow, of_account.before, points)
            total, cash = total + money, cash + money
        self._parts.append((points, total, cash, exposure, by_strategy))

    def _marks(self, chunk: Chunk, conid: int, points: Ints, ends: Mapping[Kind, Ints]) -> tuple[Floats, Floats]:
        before = self._prices.get(conid, _Prices())
        steps = self._repriced.get(conid, ())

        def last(kind: Kind, name: str, known: float) -> Floats:
            return _last(chunk.kinds.get(kind), conid, name, known, points, steps, ends.get(kind))

        trade = last(Kind.TRADES, "price", before.trade)
        bar = last(Kind.BARS, "close", before.bar)
        other = np.where(np.isnan(trade), bar, trade)
        bid, ask = last(Kind.QUOTES, "bid", before.bid), last(Kind.QUOTES, "ask", before.ask)
        return np.where(np.isnan(bid), other, bid), np.where(np.isnan(ask), other, ask)

    def _carry(self, chunk: Chunk, end_ns: int) -> None:
        """Keep what the next chunk needs to know of this one."""
        for kind, columns in chunk.kinds.items():
            for name, column in _KNOWN.get(kind, ()):
                for conid in columns.conids:
                    if conid in self._repriced:
                        continue
                    value = _newest(columns, conid, column)
                    if value == value:
                        setattr(self._prices.setdefault(conid, _Prices()), name, value)
        self._carry_repriced(chunk, end_ns)
        for path in self._paths.values():
            path.before = _drop(path.ts_ns, path.quantity, path.before, end_ns)
        for flow in self._flows.values():
            flow.before = _drop(flow.ts_ns, flow.flow, flow.before, end_ns)

    def _carry_repriced(self, chunk: Chunk, end_ns: int) -> None:
        """The same of instruments whose prices were converted; what the chunk has passed is in its last prices then."""
        at_end = np.array([end_ns], np.int64)
        for conid, steps in list(self._repriced.items()):
            known = self._prices.setdefault(conid, _Prices())
            for kind, names in _KNOWN.items():
                for name, column in names:
                    columns = chunk.kinds.get(kind)
                    end = None if columns is None else np.array([len(columns)])
                    price = _last(columns, conid, column, getattr(known, name), at_end, steps, end)
                    setattr(known, name, float(price[0]))
            self._repriced[conid] = [one for one in steps if one.ts_ns > end_ns]
            if not self._repriced[conid]:
                del self._repriced[conid]


def _stepped(ts_ns: list[int], values: list[float], before: float, points: Ints) -> Floats:
    """The value in force at each point (a step counts from its own nanosecond on)."""
    if not ts_ns:
        return np.full(len(points), before)
    at = np.searchsorted(np.array(ts_ns, np.int64), points, side="right")
    stepped: Floats = np.concatenate([[before], np.array(values)])[at]
    return stepped


def _finite(columns: Columns, conid: int, name: str) -> tuple[Ints, NDArray[Any]]:
    """Times and values of one instrument's column where there is a value."""
    rows = columns.of(conid)
    times, values = columns["ts_ns"], columns[name]
    if rows is not None:
        times, values = times[rows], values[rows]
    there = ~np.isnan(values)
    return (times, values) if there.all() else (times[there], values[there])


def _newest(columns: Columns, conid: int, name: str) -> float:
    """The last value of one instrument's column; NaN if there is none."""
    rows = columns.of(conid)
    value = columns[name].item(-1 if rows is None else rows[-1])
    if value == value:
        return float(value)
    values = _finite(columns, conid, name)[1]
    return float(values[-1]) if len(values) else np.nan


def _last(
    columns: Columns | None,
    conid: int,
    name: str,
    before: float,
    points: Ints,
    steps: Sequence[Step],
    ends: Ints | None,
) -> Floats:
    """The last value at or before each point, in the units of that point.

    Args:
        ends: How many rows of the kind, of all instruments, there are up to each point.
    """
    found = np.full(len(points), before)
    said = np.full(len(points), _LONG_AGO)
    if columns is not None and ends is not None and conid in columns.conids:
        rows = columns.of(conid)
        at = (ends if rows is None else rows.searchsorted(ends)) - 1
        known = at >= 0
        index = np.maximum(at, 0) if rows is None else rows[np.maximum(at, 0)]
        times, values = columns["ts_ns"][index], columns[name][index]
        if np.isnan(values).any():  # what counts is older than the newest row
            all_times, all_values = _finite(columns, conid, name)
            if not len(all_times):
                known = np.zeros(len(points), bool)
            else:
                at = all_times.searchsorted(points, side="right") - 1
                known = at >= 0
                times, values = all_times[np.maximum(at, 0)], all_values[np.maximum(at, 0)]
        found = np.where(known, values, before)
        said = np.where(known, times, _LONG_AGO)
    for step in steps:
        later = points >= step.ts_ns
        found[later] = reprice(found[later], said[later], (step,))
    return found


def _drop(ts_ns: list[int], values: list[float], before: float, end_ns: int) -> float:
    """Forget steps up to a time; return the value in force then."""
    done = bisect_right(ts_ns, end_ns)
    if done:
        before = values[done - 1]
    del ts_ns[:done], values[:done]
    return before
