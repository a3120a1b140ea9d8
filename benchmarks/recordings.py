"""Turn the workloads' columns into recordings, once."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

from benchmarks import data
from engine.domain.instrument import Instrument
from engine.domain.market import Kind
from engine.recording.head import Head
from engine.recording.writer import RecordingWriter, seal, write_head

ORDER_HEAVY_ROWS = 200_000
LONG_ROWS = 20_000_000


def make(folder: Path, name: str) -> None:
    """Write the recording `folder/recordings/name`, making the columns first where they are absent.

    `quotes5` is the first 200,000 rows of `quotes`; `quotes20` a longer run of the same kind, to show that memory is
    flat.
    """
    source = {"quotes5": "quotes", "quotes20": "quotes"}.get(name, name)
    if not (folder / source / "ts.npy").exists():
        data.make(folder)
    if name == "quotes20":
        table = data.make_quotes(np.random.default_rng(data.SEED + 20), LONG_ROWS, 20e6)
    else:
        table = data.load(folder, source)
    if name == "quotes5":
        table = {column: values[:ORDER_HEAVY_ROWS] for column, values in table.items()}
    rows = len(table["ts"])
    number = table.get("inst", np.zeros(rows, np.int64))
    instruments = tuple(
        Instrument(conid=1_000 + i, symbol=f"INST{i}", calendar="24/7") for i in range(int(number.max()) + 1)
    )
    root = folder / "recordings" / name
    part = root.with_name(root.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    write_head(part, Head(name=f"bench-{name}", source="benchmarks/data.py", generated=True, instruments=instruments))
    if source == "bars":
        kind = Kind.BARS
        block = {
            "ts_ns": table["ts"] + data.MINUTE_NS,
            "conid": 1_000 + number,
            "span_ns": np.full(rows, data.MINUTE_NS),
            **{column: table[column].astype(np.float64) for column in ("open", "high", "low", "close", "volume")},
            "complete": np.ones(rows, bool),
        }
    else:
        kind = Kind.QUOTES
        block = {
            "ts_ns": table["ts"],
            "conid": 1_000 + number,
            **{column: table[column].astype(np.float64) for column in ("bid", "ask", "bid_size", "ask_size")},
        }
    with RecordingWriter(part, batch_rows=65_536) as writer:
        for start in range(0, rows, 1_000_000):
            writer.append(kind, {column: values[start : start + 1_000_000] for column, values in block.items()})
    seal(part)
    part.replace(root)


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2])
