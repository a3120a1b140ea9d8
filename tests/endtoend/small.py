"""Small recordings and configurations on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.instrument import Instrument
from engine.domain.market import Kind
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE
from engine.recording.head import Head
from engine.recording.writer import RecordingWriter, seal, write_head

T0 = 19_787 * NS_PER_DAY + 15 * 60 * NS_PER_MINUTE  # 2024-03-05 15:00 UTC
X = Instrument(conid=7, symbol="X", calendar="24/7")
LOOSE = """
order_quantity_max = 1_000_000
order_notional_max = 1_000_000_000
price_collar_pct = 90
position_max = 1_000_000
open_orders_max = 1_000
orders_per_minute_max = 1_000_000
duplicate_window_s = 0
quote_age_max_s = 1_000_000
"""
Block = Mapping[str, NDArray[Any]]


def write_recording(root: Path, blocks: Mapping[Kind, Block], *, sealed: bool = True) -> Path:
    """A recording of X with these columns."""
    write_head(root, Head(name="small", generated=True, instruments=(X,)))
    with RecordingWriter(root) as writer:
        for kind, block in blocks.items():
            writer.append(kind, dict(block))
    if sealed:
        seal(root)
    return root


def walk(rows: int, seed: int) -> Block:
    """Quotes of X: a bid that walks by cents near 100, a spread of one to three, uneven gaps, some of them none."""
    dice = Random(seed)
    ts, bid = T0, 10_000
    times, bids, asks, sizes = [], [], [], []
    for _ in range(rows):
        ts += dice.choice((0, 1_000_000, 20_000_000, 35_000_000))
        bid += dice.choice((-1, 0, 0, 1))
        times.append(ts)
        bids.append(bid / 100)
        asks.append((bid + dice.randint(1, 3)) / 100)
        sizes.append(100.0 * dice.randint(1, 9))
    return {
        "ts_ns": np.array(times, np.int64),
        "conid": np.full(rows, X.conid, np.int64),
        "bid": np.array(bids),
        "ask": np.array(asks),
        "bid_size": np.array(sizes),
        "ask_size": np.array(sizes[::-1]),
    }


def walking_bars(rows: int, seed: int) -> Block:
    """One-minute bars of X."""
    dice = Random(seed)
    close = 10_000
    columns: dict[str, list[float]] = {name: [] for name in ("open", "high", "low", "close")}
    for _ in range(rows):
        first = close + dice.randint(-1, 1)
        close = first + dice.choice((-2, -1, 0, 1, 2))
        columns["open"].append(first / 100)
        columns["close"].append(close / 100)
        columns["high"].append((max(first, close) + dice.randint(0, 2)) / 100)
        columns["low"].append((min(first, close) - dice.randint(0, 2)) / 100)
    return {
        "ts_ns": T0 + np.arange(1, rows + 1, dtype=np.int64) * NS_PER_MINUTE,
        "conid": np.full(rows, X.conid, np.int64),
        "span_ns": np.full(rows, NS_PER_MINUTE, np.int64),
        **{name: np.array(values) for name, values in columns.items()},
        "volume": np.full(rows, 1e6),
        "complete": np.ones(rows, bool),
    }


def write_config(
    folder: Path,
    use: str,
    *,
    recording: str = "data",
    venue: str = 'fills = "same_event"\nfees = "none"\nlatency_ms = { place = 0, modify = 0, cancel = 0 }',
    params: str = "{}",
    more: str = "",
) -> Path:
    """A configuration of one strategy called s on the recording beside it."""
    path = folder / "run.toml"
    path.write_text(
        f"""
name = "small"
[recording]
path = "{recording}"
[[strategy]]
use = "{use}"
name = "s"
instruments = ["X"]
params = {params}
[risk.account]
{LOOSE}
[venue]
{venue}
{more}
"""
    )
    return path
