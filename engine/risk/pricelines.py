"""The price in force after each row of a chunk, as one line: what latches on losses follow in a replay."""

from __future__ import annotations

import numpy as np

from engine.domain.columns import Chunk, Floats
from engine.domain.market import Kind
from engine.domain.repricing import reprice


def price_line(chunk: Chunk, conid: int) -> Floats:
    """The price in force after each row of a chunk, as `Chunk.price` tells it; NaN where there is none."""
    rows = np.arange(chunk.size)
    line = np.full(chunk.size, np.nan)
    quote, trade, bar = (
        chunk.quotes_before.get(conid),
        chunk.trades_before.get(conid),
        chunk.bars_before.get(conid),
    )
    steps = chunk.repriced.get(conid, ())
    for kind, event, before, names in (
        (Kind.BARS, bar, np.nan if bar is None else bar.close, ("close", "close")),
        (Kind.TRADES, trade, np.nan if trade is None else trade.price, ("price", "price")),
        (Kind.QUOTES, quote, np.nan if quote is None else quote.mid, ("bid", "ask")),
    ):
        said = np.full(chunk.size, before)
        times = np.full(chunk.size, 0 if event is None else event.ts_ns)
        columns = chunk.kinds.get(kind)
        if columns is not None and conid in columns.conids:
            mine = columns.of(conid)
            first, second = (columns[name] if mine is None else columns[name][mine] for name in names)
            if columns.at is None:
                places = np.arange(len(columns)) if mine is None else mine
            else:
                places = columns.at if mine is None else columns.at[mine]
            last = places.searchsorted(rows, side="right") - 1
            values = (first + second) * 0.5
            said = np.where(last >= 0, values[last], before)
            if steps:
                said_ns = columns["ts_ns"] if mine is None else columns["ts_ns"][mine]
                times = np.where(last >= 0, said_ns[last], times)
        said = reprice(said, times, steps)
        line = np.where(np.isnan(said), line, said)
    return line
