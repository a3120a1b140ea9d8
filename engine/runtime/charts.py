"""The lines of a run's charts, thinned as it goes: one of prices an instrument, one for each indicator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from engine.domain.columns import Chunk
from engine.domain.market import Kind
from engine.runtime.outcome import IndicatorSeries, PriceSeries
from engine.runtime.result import indicator_series, price_series, shelf
from engine.runtime.series import ThinSeries

# What an instrument's chart shows, the best first.
_CHARTED: Final = ((Kind.QUOTES, "bid"), (Kind.TRADES, "price"), (Kind.BARS, "close"))


class Charts:
    """Takes chunks and strategies' indicators as they come; times lie in a span of nanoseconds UTC."""

    def __init__(self, first_ns: int, last_ns: int) -> None:
        self._span_ns = first_ns, last_ns
        self._prices: dict[int, ThinSeries] = {}
        self._kinds: dict[int, int] = {}  # by conid, which of `_CHARTED` its line is made of
        self._indicators: dict[tuple[str, int | None, str], ThinSeries] = {}

    def rows(self, chunk: Chunk) -> None:
        """One line an instrument: mid of quotes, else trades, else bar closes."""
        for rank, (kind, name) in enumerate(_CHARTED):
            columns = chunk.kinds.get(kind)
            if columns is None:
                continue
            every = columns[name] if kind is not Kind.QUOTES else (columns[name] + columns["ask"]) * 0.5
            for conid in columns.conids:
                if rank != self._kinds.get(conid):
                    if rank > self._kinds.get(conid, rank):
                        continue
                    # The first rows of its kind, and a better kind than any before.
                    self._kinds[conid] = rank
                    self._prices[conid] = ThinSeries(*self._span_ns)
                rows = columns.of(conid)
                times, values = columns["ts_ns"], every
                if rows is not None:
                    times, values = times[rows], values[rows]
                self._prices[conid].add(times, values)

    def values(self, strategy: str, noted: Iterable[tuple[int, int | None, str, float]]) -> None:
        """What a strategy has noted for its chart: time, conid (None: of no instrument), name, value."""
        lines: dict[tuple[str, int | None, str], tuple[list[int], list[float]]] = {}
        for ts_ns, conid, name, value in noted:
            times, values = lines.setdefault((strategy, conid, name), ([], []))
            times.append(ts_ns)
            values.append(value)
        for key, (times, values) in lines.items():
            series = self._indicators.setdefault(key, ThinSeries(*self._span_ns))
            series.add(np.array(times, np.int64), np.array(values, np.float64))

    def prices(self) -> tuple[PriceSeries, ...]:
        """The lines of prices, by conid."""
        return tuple(price_series(conid, line) for conid, line in sorted(self._prices.items()))

    def indicators(self) -> tuple[IndicatorSeries, ...]:
        """The lines of indicators, by strategy, instrument and name."""
        return tuple(indicator_series(key, self._indicators[key]) for key in sorted(self._indicators, key=shelf))
