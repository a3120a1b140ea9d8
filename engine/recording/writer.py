"""Writing a recording: segments that survive a crash, and their sealing into one Parquet file a day.

A segment is an Arrow IPC stream: what was flushed stays readable, a crash costs the batch that was open.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from attrs import define, field

from engine.domain.instrument import Instrument
from engine.domain.market import COLUMNS, Kind
from engine.errors import RecordingError
from engine.recording.blocks import check, open_sealed, open_segment
from engine.recording.head import Head, head_text, read_head
from engine.recording.layout import (
    HEAD_FILE,
    ROW_GROUP_ROWS,
    SCHEMAS,
    SEALED_KEY,
    Block,
    DayFile,
    by_day,
    cut,
    day_files,
    day_path,
    join,
    part_path,
    rows_of,
    to_batch,
)

# Times grow, so their differences are small; prices, sizes and conids repeat. A quarter faster to read and a third
# smaller than the defaults on a million quotes.
_DELTAS: Final = {"ts_ns": "DELTA_BINARY_PACKED"}
_BEGINNING_OF_TIME_NS: Final = -(2**63)


def write_head(root: Path, head: Head) -> None:
    """Write `recording.toml` as a whole, over an older one."""
    root.mkdir(parents=True, exist_ok=True)
    write_atomically(root / HEAD_FILE, head_text(head).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all."""
    waiting = path.with_name(f".{path.name}.tmp")
    with waiting.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames in a folder last (where the system can)."""
    if os.name == "nt":  # Windows has no such call
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@define(eq=False, slots=True)
class _Open:
    """A segment that is being written: rows wait in `waiting` until the batch is full."""

    day: str
    raw: Any
    stream: Any
    waiting: list[Block] = field(factory=list)
    rows: int = 0


@define(eq=False)
class RecordingWriter:
    """Appends rows of any kind to a recording, a segment a kind and day; use it as a context manager.

    Args:
        root: Folder with a `recording.toml`.
        batch_rows: Rows of a batch, that is how many a crash can cost.
    """

    root: Path
    batch_rows: int = 1024
    _instruments: tuple[Instrument, ...] = field(init=False)
    _open: dict[Kind, _Open] = field(factory=dict, init=False)
    _last_ns: dict[Kind, int] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._instruments = read_head(self.root).instruments
        for kind in Kind:
            days = day_files(self.root, kind)
            for file in (file for file in days if file.day == days[-1].day):
                spans = (open_segment(kind, file) if file.part else open_sealed(kind, file)).spans
                for _, high in spans:
                    self._last_ns[kind] = max(high, self._last_ns.get(kind, high))

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, kind: Kind, block: Block) -> None:
        """Add rows, in the order in which they became known.

        Raises: RecordingError if time goes back, also against what is on disk, or a value can't be.
        """
        missing = [name for name, _ in COLUMNS[kind] if name not in block]
        if missing:
            raise RecordingError(f"column {missing[0]} is missing", place=f"{self.root} ({kind})")
        if not rows_of(block):
            return
        last_ns = self._last_ns.get(kind, _BEGINNING_OF_TIME_NS)
        check(kind, block, 0, self.root / kind, self._instruments, last_ns)
        for day, part in by_day(block):
            target = self._open.get(kind)
            if target is None or target.day != day:
                if target is not None:
                    self._close(target, kind)
                target = self._open[kind] = self._start(kind, day)
            target.waiting.append(part)
            target.rows += rows_of(part)
            self._write(target, kind, least=self.batch_rows)
        self._last_ns[kind] = int(block["ts_ns"][-1])

    def flush(self) -> None:
        """Write out what waits, so that a crash from here on loses nothing of it; asks the disk to keep it."""
        for kind, target in self._open.items():
            self._write(target, kind, least=1)
            target.raw.flush()
            os.fsync(target.raw.fileno())

    def close(self) -> None:
        """Write out what waits and end the segments; they stay unsealed."""
        for kind, target in self._open.items():
            self._close(target, kind)
        self._open.clear()

    def _start(self, kind: Kind, day: str) -> _Open:
        folder = self.root / kind
        folder.mkdir(parents=True, exist_ok=True)
        part = 1 + _last_part(self.root, kind, day)
        raw = part_path(self.root, kind, day, part).open("xb")
        return _Open(day=day, raw=raw, stream=pa.ipc.new_stream(raw, SCHEMAS[kind]))

    def _write(self, target: _Open, kind: Kind, *, least: int) -> None:
        if target.rows >= least:
            target.stream.write_batch(to_batch(kind, join(target.waiting)))
            target.raw.flush()
            target.waiting.clear()
            target.rows = 0

    def _close(self, target: _Open, kind: Kind) -> None:
        self._write(target, kind, least=1)
        target.stream.close()
        target.raw.flush()
        os.fsync(target.raw.fileno())
        target.raw.close()


def seal(root: Path) -> list[Path]:
    """Turn every day's segments into one Parquet file each and remove them; return the files written.

    May be interrupted anywhere and called again: the Parquet file says up to which segment it holds the day, so a
    segment that outlived the rename is only removed.

    Raises: RecordingError if a segment holds what no recording may; that day then stays as it was.
    """
    instruments = read_head(root).instruments
    written = []
    for kind in Kind:
        files = day_files(root, kind)
        for day in sorted({file.day for file in files if file.part}):
            path = _seal_day(root, kind, [file for file in files if file.day == day], instruments)
            if path is not None:
                written.append(path)
    return written


def _seal_day(root: Path, kind: Kind, files: list[DayFile], instruments: tuple[Instrument, ...]) -> Path | None:
    day = files[0].day
    sealed = None if files[0].part else open_sealed(kind, files[0])
    through = 0 if sealed is None else sealed.sealed_through
    fresh = [file for file in files if file.part > through]
    target = None
    if fresh:
        target = day_path(root, kind, day)

        def rows() -> Iterator[Block]:
            last_ns = _BEGINNING_OF_TIME_NS
            for source in ([sealed] if sealed else []) + [open_segment(kind, file) for file in fresh]:
                for first, block in source.blocks():
                    check(kind, block, first, source.file.path, instruments, last_ns)
                    last_ns = int(block["ts_ns"][-1])
                    yield block

        write_day(target, kind, rows(), sealed_through=fresh[-1].part)
    for file in files:
        if file.part:
            file.path.unlink()
    sync_folder(root / kind)
    return target


def write_day(path: Path, kind: Kind, blocks: Iterator[Block], *, sealed_through: int = 0, durable: bool = True) -> int:
    """Write a day's sorted blocks as one Parquet file, there whole or not at all; return its rows.

    `durable` asks the disk to keep it now; a caller that writes thousands asks once itself.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting_path = path.with_name(f".{path.name}.tmp")
    schema = SCHEMAS[kind].with_metadata({SEALED_KEY: str(sealed_through).encode()})
    rows = 0
    try:
        with (
            waiting_path.open("wb") as raw,
            pq.ParquetWriter(
                raw,
                schema,
                compression="zstd",
                compression_level=3,
                use_dictionary=[name for name in schema.names if name not in _DELTAS],
                column_encoding=_DELTAS,
                write_statistics=["ts_ns"],
            ) as parquet,
        ):
            waiting: list[Block] = []
            count = 0
            for block in blocks:
                waiting.append(block)
                count += rows_of(block)
                while count >= ROW_GROUP_ROWS:
                    whole = join(waiting)
                    parquet.write_batch(to_batch(kind, cut(whole, 0, ROW_GROUP_ROWS)), row_group_size=ROW_GROUP_ROWS)
                    waiting = [cut(whole, ROW_GROUP_ROWS, count)] if count > ROW_GROUP_ROWS else []
                    count -= ROW_GROUP_ROWS
                    rows += ROW_GROUP_ROWS
            if count:
                parquet.write_batch(to_batch(kind, join(waiting)), row_group_size=ROW_GROUP_ROWS)
                rows += count
        if durable:
            with waiting_path.open("rb+") as written:
                os.fsync(written.fileno())
        waiting_path.replace(path)
    except BaseException:
        waiting_path.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)
    return rows


def _last_part(root: Path, kind: Kind, day: str) -> int:
    last = 0
    for file in day_files(root, kind):
        if file.day == day:
            last = max(last, file.part if file.part else open_sealed(kind, file).sealed_through)
    return last
