"""The workloads' data: seeded, so that every machine and every peer sees the same rows.

    bars    500,000 one-minute bars of one instrument, every minute from 2020-01-01 UTC; the stamp is the opening minute
    quotes  1,000,000 quotes of one instrument, uneven gaps of 20 ms on average
    multi   20 instruments x 50,000 quotes, interleaved by time (column inst)

A folder a set, an .npy file a column; prices are multiples of 0.01 near 100, stamps int64 ns, strictly increasing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = 20261122
BARS, QUOTES, INSTRUMENTS, EACH = 500_000, 1_000_000, 20, 50_000
BARS_FROM_NS = 1_577_836_800_000_000_000
QUOTES_FROM_NS = 1_704_205_800_000_000_000
MINUTE_NS = 60_000_000_000

Table = dict[str, NDArray[Any]]


def make_bars(rng: np.random.Generator, rows: int = BARS) -> Table:
    """A random walk of log returns with a slow daily wave in it."""
    returns = rng.normal(0.0, 0.0005, rows) + 0.0001 * np.sin(np.arange(rows) * 2 * np.pi / 1440.0)
    close = 100.0 * np.exp(np.cumsum(returns))
    open_ = np.empty(rows)
    open_[0] = 100.0
    open_[1:] = close[:-1] * np.exp(rng.normal(0.0, 0.0001, rows - 1))
    above = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, 0.0003, rows)))
    below = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, 0.0003, rows)))
    open_, close = np.round(open_, 2), np.round(close, 2)
    return {
        "ts": BARS_FROM_NS + np.arange(rows, dtype=np.int64) * MINUTE_NS,
        "open": open_,
        "high": np.maximum(np.round(above, 2), np.maximum(open_, close)),
        "low": np.minimum(np.round(below, 2), np.minimum(open_, close)),
        "close": close,
        "volume": rng.integers(10_000, 1_000_000, rows).astype(np.int64),
    }


def make_quotes(rng: np.random.Generator, rows: int, mean_gap_ns: float) -> Table:
    """A bid that walks by cents, a spread of one to three cents."""
    steps = rng.choice(np.array([-1, 0, 1]), size=rows, p=[0.2, 0.6, 0.2])
    bid = 10_000 + np.cumsum(steps)
    spread = rng.integers(1, 4, rows)
    times = QUOTES_FROM_NS + np.cumsum(1 + rng.exponential(mean_gap_ns, rows).astype(np.int64))
    return {
        "ts": times,
        "bid": np.round(bid / 100.0, 2),
        "ask": np.round((bid + spread) / 100.0, 2),
        "bid_size": (rng.integers(1, 11, rows) * 100).astype(np.int64),
        "ask_size": (rng.integers(1, 11, rows) * 100).astype(np.int64),
    }


def make_multi() -> Table:
    """Twenty quote streams in one, their stamps pushed apart where they collide."""
    streams = []
    for number in range(INSTRUMENTS):
        stream = make_quotes(np.random.default_rng(SEED + 100 + number), EACH, 400e6)
        stream["inst"] = np.full(EACH, number, dtype=np.int64)
        streams.append(stream)
    whole = {name: np.concatenate([stream[name] for stream in streams]) for name in streams[0]}
    order = np.lexsort((whole["inst"], whole["ts"]))
    whole = {name: column[order] for name, column in whole.items()}
    collide = np.diff(whole["ts"]) <= 0
    whole["ts"][1:] += np.maximum.accumulate(np.cumsum(collide.astype(np.int64)))
    return whole


def make(folder: Path) -> None:
    """Write all sets."""
    sets = {
        "bars": make_bars(np.random.default_rng(SEED)),
        "quotes": make_quotes(np.random.default_rng(SEED + 1), QUOTES, 20e6),
        "multi": make_multi(),
    }
    for name, table in sets.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for column, values in table.items():
            np.save(folder / name / f"{column}.npy", values)


def load(folder: Path, name: str) -> Table:
    """Read one set."""
    return {path.stem: np.load(path) for path in sorted((folder / name).glob("*.npy"))}
