"""How a recording lies on disk: names of its files, the columns of each kind, and one entry a file.

    NAME/recording.toml
    NAME/corporate_actions.toml               optional
    NAME/quotes/2024-01-02.parquet            a sealed UTC day
    NAME/quotes/2024-01-03.part-0001.arrows   an unsealed segment of a day
    NAME/bars/2023.parquet                    a sealed UTC year: bars of a day or longer

It knows the file formats and nothing of where rows come from or go to.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from attrs import frozen
from numpy.typing import NDArray

from engine.domain.market import COLUMNS, Kind
from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY
from engine.errors import RecordingError

FORMAT_VERSION: Final = 1
HEAD_FILE: Final = "recording.toml"
ACTIONS_FILE: Final = "corporate_actions.toml"
ROW_GROUP_ROWS: Final = 65_536
# In the metadata of a sealed day: the highest segment number it holds, so that a crash between rename and removal
# neither doubles rows nor loses a later segment.
SEALED_KEY: Final = b"fullticket.sealed_through"
# Beyond these nothing was ever traded; a file that says so is damaged or was scaled wrongly.
MOST_PRICE: Final = 1e12
MOST_SIZE: Final = 1e15
MOST_SPAN_NS: Final = 366 * NS_PER_DAY

Block = dict[str, NDArray[Any]]  # columns of one kind by name, all of one length, sorted by ts_ns

_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.part-(\d{4,})\.arrows|\.parquet)")
_YEAR = re.compile(r"(\d{4})()\.parquet")
_ARROW: Final = {"i8": pa.int64(), "f8": pa.float64(), "?": pa.bool_(), "O": pa.string()}
SCHEMAS: Final[dict[Kind, pa.Schema]] = {
    kind: pa.schema([pa.field(name, _ARROW[code], nullable=False) for name, code in columns])
    for kind, columns in COLUMNS.items()
}
PRICES: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.QUOTES: ("bid", "ask"),
    Kind.TRADES: ("price",),
    Kind.BARS: ("open", "high", "low", "close"),
    Kind.STATUS: (),
}
SIZES: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.QUOTES: ("bid_size", "ask_size"),
    Kind.TRADES: ("size",),
    Kind.BARS: ("volume",),
    Kind.STATUS: (),
}


@frozen
class DayFile:
    """One file of one kind and day, or year. `part` is 0 for the sealed file, else the segment's number."""

    day: str
    part: int
    path: Path

    @property
    def start_ns(self) -> int:
        """First nanosecond of its day or year."""
        return day_start_ns(self.day)

    @property
    def end_ns(self) -> int:
        """First nanosecond after its day or year."""
        return day_start_ns(str(int(self.day) + 1)) if self.of_year else self.start_ns + NS_PER_DAY

    @property
    def of_year(self) -> bool:
        """Whether it holds a year; `day` is then as in 2024."""
        return len(self.day) == 4


def day_of(ts_ns: int) -> str:
    """UTC day of a time, as in file names."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%d")


def day_start_ns(day: str) -> int:
    """First nanosecond of a UTC day, or of a year; ValueError if there is no such day."""
    first = f"{day}-01-01" if len(day) == 4 else day
    return int(datetime.fromisoformat(first).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def day_path(root: Path, kind: Kind, day: str) -> Path:
    """Where a sealed day, or year, lies."""
    return root / kind / f"{day}.parquet"


def part_path(root: Path, kind: Kind, day: str, part: int) -> Path:
    """Where a segment lies."""
    return root / kind / f"{day}.part-{part:04d}.arrows"


def day_files(root: Path, kind: Kind, problems: list[str] | None = None) -> list[DayFile]:
    """The files of one kind, oldest day first, sealed before segments.

    Args:
        problems: Takes the sentences on files that do not belong there; those are then left out.

    Raises: RecordingError for such a file if there is no `problems` (a temporary file of a seal does belong there).
    """
    folder = root / kind
    if not folder.exists():
        return []
    if not folder.is_dir():
        _refuse(f"is a file; {kind} lie in a folder of that name", folder, problems)
        return []
    found = []
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        match = _NAME.fullmatch(path.name) or (_YEAR.fullmatch(path.name) if kind is Kind.BARS else None)
        if match is None or not path.is_file():
            _refuse("does not belong there: the files of a recording are named YYYY-MM-DD.parquet", path, problems)
            continue
        try:
            start_ns = day_start_ns(match[1])
        except ValueError:
            _refuse(f"{match[1]} is no date", path, problems)
            continue
        if not 0 <= start_ns < END_OF_TIME_NS - MOST_SPAN_NS:
            _refuse("days of a recording are from 1970 to 2261", path, problems)
            continue
        found.append(DayFile(match[1], int(match[2] or 0), path))
    return sorted(found, key=lambda file: (file.day, file.part))


def _refuse(sentence: str, path: Path, problems: list[str] | None) -> None:
    error = RecordingError(sentence, place=str(path))
    if problems is None:
        raise error
    problems.append(str(error))


def check_schema(schema: pa.Schema, kind: Kind, path: Path) -> None:
    """Compare a file's columns with those of its kind.

    Raises: RecordingError with the first column that differs.
    """
    wanted = SCHEMAS[kind]
    for field in wanted:
        index = schema.get_field_index(field.name)
        if index < 0:
            raise RecordingError(f"column {field.name} is missing", place=str(path))
        if schema.field(index).type != field.type:
            raise RecordingError(
                f"column {field.name} is {schema.field(index).type}, not {field.type}", place=str(path)
            )
    if len(schema) != len(wanted):
        extra = sorted(set(schema.names) - set(wanted.names))
        raise RecordingError(
            f"column {', '.join(extra) or 'twice the same'} does not belong to {kind}", place=str(path)
        )


def to_batch(kind: Kind, block: Block) -> pa.RecordBatch:
    """A block as an Arrow batch of the kind's schema, without a copy where Arrow allows it."""
    return pa.record_batch([_arrow(block[name], code) for name, code in COLUMNS[kind]], schema=SCHEMAS[kind])


def _arrow(column: NDArray[Any], code: str) -> Any:
    # Arrow's own `array` imports pandas as `to_numpy` does: a live session would do so for its recorder's first rows.
    count = len(column)
    if code == "O":
        texts = [text.encode() for text in column]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))])
    plain = np.ascontiguousarray(column.astype(code, casting="safe", copy=False))
    data = np.packbits(plain, bitorder="little") if code == "?" else plain
    return pa.Array.from_buffers(_ARROW[code], count, [None, pa.py_buffer(data)])


def to_block(kind: Kind, batch: Any, path: Path) -> Block:
    """Columns of an Arrow table or batch as numpy arrays, without a copy where Arrow allows it.

    Raises: RecordingError if a value is absent.
    """
    block: Block = {}
    for name, code in COLUMNS[kind]:
        column = batch.column(name)
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if column.null_count:
            row = int(column.is_null().to_pylist().index(True)) + 1
            raise RecordingError(f"{name} is absent in row {row} of a batch", place=str(path))
        block[name] = _plain(column, code)
    return block


def _plain(column: Any, code: str) -> NDArray[Any]:
    # Arrow's own to_numpy imports pandas, 0.2 s and 60 MB for nothing.
    if code == "O":
        texts = np.empty(len(column), object)
        texts[:] = column.to_pylist()
        return texts
    data = column.buffers()[1]
    if data is None:
        return np.empty(0, code)
    if code == "?":
        bits = np.frombuffer(data, np.uint8)
        return np.unpackbits(bits, count=column.offset + len(column), bitorder="little")[column.offset :].view(np.bool_)
    return np.frombuffer(data, code, count=len(column), offset=column.offset * 8)


def rows_of(block: Block) -> int:
    """How many rows a block has."""
    return len(block["ts_ns"])


def cut(block: Block, start: int, stop: int) -> Block:
    """Rows of a block, as views."""
    return {name: array[start:stop] for name, array in block.items()}


def join(blocks: list[Block]) -> Block:
    """Blocks one after the other."""
    if len(blocks) == 1:
        return blocks[0]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def by_day(block: Block) -> list[tuple[str, Block]]:
    """Cut a sorted block at UTC midnights."""
    days = block["ts_ns"] // NS_PER_DAY
    if not len(days):
        return []
    edges = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist(), len(days)]
    return [(day_of(int(block["ts_ns"][start])), cut(block, start, stop)) for start, stop in pairwise(edges)]
