"""Small recordings and rows for these tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.domain.columns import Chunk
from engine.domain.instrument import Instrument
from engine.domain.market import COLUMNS, RANK, ROW, Kind
from engine.recording.head import Head
from engine.recording.layout import Block
from engine.recording.writer import write_head

DAY_NS = 1_704_153_600_000_000_000  # 2024-01-02T00:00:00Z
A = Instrument(conid=11, symbol="AAA")
B = Instrument(conid=22, symbol="BBB")


def start(root: Path, instruments: Sequence[Instrument] = (A, B)) -> Path:
    write_head(root, Head(name="made", instruments=tuple(instruments)))
    return root


def block(kind: Kind, rows: Sequence[tuple[Any, ...]]) -> Block:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS[kind])
    return {name: np.array(column, code) for (name, code), column in zip(COLUMNS[kind], columns, strict=True)}


def quote(ts_ns: int, conid: int = 11, bid: float = 10.0, ask: float = 10.5) -> tuple[Any, ...]:
    return (ts_ns, conid, bid, ask, 100.0, 200.0)


def events(chunk: Chunk) -> list[Any]:
    """All rows of a chunk as objects in chunk order, by the slow way."""
    placed = []
    for kind, columns in chunk.kinds.items():
        for index in range(len(columns)):
            values = [columns[name][index] for name, _ in COLUMNS[kind]]
            plain = [value.item() if hasattr(value, "item") else value for value in values]
            placed.append((columns.row_of(index), ROW[kind](*plain)))
    assert [row for row, _ in sorted(placed, key=lambda pair: pair[0])] == list(range(chunk.size))
    return [event for _, event in sorted(placed, key=lambda pair: pair[0])]


def expected(rows: dict[Kind, list[tuple[Any, ...]]]) -> list[Any]:
    """The rows of several kinds in the order (ts, rank, seq), by a sort of tuples."""
    keyed = [(row[0], int(RANK[kind]), seq, kind, row) for kind, kept in rows.items() for seq, row in enumerate(kept)]
    return [ROW[kind](*row) for _, _, _, kind, row in sorted(keyed, key=lambda entry: entry[:3])]
