"""Files as streams of blocks: read, checked, and merged, a row group at a time, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from attrs import define, field

from engine.domain.instrument import Instrument, SecType
from engine.domain.market import Kind, Trading
from engine.errors import RecordingError
from engine.recording.layout import (
    MOST_PRICE,
    MOST_SIZE,
    MOST_SPAN_NS,
    PRICES,
    SEALED_KEY,
    SIZES,
    Block,
    DayFile,
    check_schema,
    cut,
    join,
    rows_of,
    to_block,
)

# These trade below zero now and then; a share never does.
_SIGNED = frozenset({SecType.COMBO, SecType.FUTURE, SecType.FUTURE_OPTION})
_STATES = frozenset(Trading)


@define(eq=False, slots=True)
class Sealed:
    """A sealed day, with its footer read once: `rows`, and first and last time by row group."""

    kind: Kind
    file: DayFile
    metadata: Any
    spans: list[tuple[int, int]]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(self.metadata.num_rows)

    @property
    def sealed_through(self) -> int:
        """Highest segment number that went into it."""
        return int((self.metadata.metadata or {}).get(SEALED_KEY, b"0"))

    def blocks(self, start_ns: int | None = None, end_ns: int | None = None) -> Iterator[tuple[int, Block]]:
        """Row number of the first row and columns of each row group that touches `[start_ns, end_ns)`."""
        path = self.file.path
        first = 0
        try:
            # Opened by us: pyarrow's own way to a path asks four file systems first, half the time of a small file.
            with pa.OSFile(str(path)) as raw, pq.ParquetFile(raw, metadata=self.metadata, pre_buffer=False) as parquet:
                for group, (low, high) in enumerate(self.spans):
                    rows = self.metadata.row_group(group).num_rows
                    if rows and (start_ns is None or high >= start_ns) and (end_ns is None or low < end_ns):
                        yield first, to_block(self.kind, parquet.read_row_group(group, use_threads=False), path)
                    first += rows
        except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
            raise RecordingError(f"is damaged after row {first} ({_said(exc)})", place=str(path)) from exc


@define(eq=False, slots=True)
class Segment:
    """An unsealed segment: read up to its last whole batch. `torn` says that bytes follow which are no whole batch."""

    kind: Kind
    file: DayFile
    rows: int = field(default=0, init=False)
    spans: list[tuple[int, int]] = field(factory=list, init=False)
    torn: bool = field(default=False, init=False)

    def blocks(self, start_ns: int | None = None, end_ns: int | None = None) -> Iterator[tuple[int, Block]]:
        """Row number of the first row and columns of each whole batch that touches `[start_ns, end_ns)`."""
        path = self.file.path
        first = 0
        for batch in whole_batches(path, self):
            if batch.num_rows:
                check_schema(batch.schema, self.kind, path)
                block = to_block(self.kind, batch, path)
                low, high = int(block["ts_ns"][0]), int(block["ts_ns"][-1])
                if (start_ns is None or high >= start_ns) and (end_ns is None or low < end_ns):
                    yield first, block
                first += batch.num_rows


def open_sealed(kind: Kind, file: DayFile) -> Sealed:
    """Read a Parquet footer and check columns and statistics.

    Raises: RecordingError.
    """
    path = file.path
    try:
        with pa.OSFile(str(path)) as raw, pq.ParquetFile(raw) as parquet:
            metadata = parquet.metadata
        int((metadata.metadata or {}).get(SEALED_KEY, b"0"))  # a ValueError tells of a damaged mark
        check_schema(metadata.schema.to_arrow_schema(), kind, path)
        column = next(i for i in range(metadata.num_columns) if metadata.schema.column(i).name == "ts_ns")
        spans = []
        for group in range(metadata.num_row_groups):
            known = metadata.row_group(group).column(column).statistics
            if known is not None and known.has_min_max:
                spans.append((int(known.min), int(known.max)))
            else:  # someone else's Parquet: slower, just as good
                with pq.ParquetFile(path, metadata=metadata) as parquet:
                    times = parquet.read_row_group(group, columns=["ts_ns"]).column(0).to_numpy()
                spans.append((int(times.min()), int(times.max())) if len(times) else (0, -1))
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise RecordingError(f"is no whole Parquet file ({_said(exc)})", place=str(path)) from exc
    _check_day(file, spans)
    return Sealed(kind=kind, file=file, metadata=metadata, spans=spans)


def open_segment(kind: Kind, file: DayFile) -> Segment:
    """Walk a segment once for its rows and times.

    Raises: RecordingError if it is no Arrow stream of this kind.
    """
    segment = Segment(kind=kind, file=file)
    for _, block in segment.blocks():
        segment.rows += rows_of(block)
        segment.spans.append((int(block["ts_ns"].min()), int(block["ts_ns"].max())))
    _check_day(file, segment.spans)
    return segment


def whole_batches(path: Path, segment: Segment | None = None) -> Iterator[Any]:
    """The whole batches of an Arrow stream; a torn end is left out.

    Raises: RecordingError if the file does not begin like an Arrow stream.
    """
    try:
        with path.open("rb") as raw:
            mark = raw.read(4)
            if not b"\xff\xff\xff\xff".startswith(mark):
                raise RecordingError("is no Arrow stream", place=str(path))
            raw.seek(0)
            try:
                reader = pa.ipc.open_stream(raw)
            except (pa.ArrowException, OSError):  # the crash came before the first batch
                if segment is not None:
                    segment.torn = True
                return
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                except (pa.ArrowException, OSError):
                    if segment is not None:
                        segment.torn = True
                    return
                yield batch
    except OSError as exc:
        raise RecordingError(f"can't be read ({_said(exc)})", place=str(path)) from exc


def check(kind: Kind, block: Block, first: int, path: Path, known: Sequence[Instrument], last_ns: int) -> None:
    """Refuse what no market says: time that goes back, a negative or infinite price, an instrument not in the table.

    `first` is the file's row number of the block's first row, `last_ns` the time of the row before it.

    Raises: RecordingError with file and row.
    """
    times = block["ts_ns"]
    if times[0] < last_ns:
        raise RecordingError(f"time goes back in row {first + 1}", place=str(path))
    if (times[1:] < times[:-1]).any():
        row = first + int(np.argmax(times[1:] < times[:-1])) + 2
        raise RecordingError(f"time goes back in row {row}", place=str(path))
    conids = block["conid"]
    _check_conids(conids, first, path, known)
    signed = any(instrument.sec_type in _SIGNED for instrument in known)
    for name in PRICES[kind] + SIZES[kind]:
        column = block[name]
        least, most = np.fmin.reduce(column), np.fmax.reduce(column)  # these two ignore NaN
        if most == np.inf or least == -np.inf:
            row = first + int(np.argmax(np.isinf(column))) + 1
            raise RecordingError(f"{name} is infinite in row {row}", place=str(path))
        limit = MOST_PRICE if name in PRICES[kind] else MOST_SIZE
        if most > limit or least < -limit:
            row = int(np.argmax(np.abs(column) > limit))
            raise RecordingError(
                f"{name} is {column[row]:g} in row {first + row + 1}, beyond all reason", place=str(path)
            )
        if least < 0:
            below = column < 0
            if signed and name in PRICES[kind]:
                below &= ~np.isin(conids, [one.conid for one in known if one.sec_type in _SIGNED])
            if below.any():
                row = int(np.argmax(below))
                raise RecordingError(f"{name} is {column[row]:g} in row {first + row + 1}", place=str(path))
        if kind in (Kind.TRADES, Kind.BARS) and name in PRICES[kind] and np.isnan(column).any():
            row = first + int(np.argmax(np.isnan(column))) + 1
            raise RecordingError(f"{name} is NaN in row {row}", place=str(path))
    if kind is Kind.STATUS:
        for row, state in enumerate(block["trading"].tolist()):
            if state not in _STATES:
                raise RecordingError(f"trading is {state!r} in row {first + row + 1}", place=str(path))
    if kind is Kind.BARS:
        span_ns = block["span_ns"]
        for bad, what in ((span_ns <= 0, "not above zero"), (span_ns > MOST_SPAN_NS, "more than 366 days")):
            if bad.any():
                raise RecordingError(f"span_ns is {what} in row {first + int(np.argmax(bad)) + 1}", place=str(path))


def merged(streams: Sequence[Iterator[Block]]) -> Iterator[list[Block | None]]:
    """Take from several sorted streams what together is the next run of time.

    Each item has one block (or None) a stream. No row of a later item is earlier than any row of this one, and rows of
    one time are never parted between items, so a stable sort of each item by time, streams in order, gives the order.
    """
    held: list[Block | None] = [next(stream, None) for stream in streams]
    ended = [block is None for block in held]
    while True:
        for i, stream in enumerate(streams):
            if held[i] is None and not ended[i]:
                held[i] = next(stream, None)
                ended[i] = held[i] is None
        open_ends = [int(block["ts_ns"][-1]) for i, block in enumerate(held) if block is not None and not ended[i]]
        if len(streams) == 1 or not open_ends:
            if all(block is None for block in held):
                return
            yield list(held)
            held = [None] * len(held)
            continue
        bound = min(open_ends)  # from here on some stream may still have more to say
        taken: list[Block | None] = [None] * len(held)
        for i, block in enumerate(held):
            if block is not None and (count := int(np.searchsorted(block["ts_ns"], bound, side="left"))):
                taken[i] = cut(block, 0, count)
                held[i] = cut(block, count, rows_of(block)) if count < rows_of(block) else None
        if any(block is not None for block in taken):
            yield taken
            continue
        for i, block in enumerate(held):
            if block is not None and not ended[i] and int(block["ts_ns"][-1]) == bound:
                more = next(streams[i], None)
                ended[i] = more is None
                if more is not None:
                    held[i] = join([block, more])


def _check_conids(conids: Any, first: int, path: Path, known: Sequence[Instrument]) -> None:
    if (conids == conids[0]).all():
        if any(instrument.conid == conids[0] for instrument in known):
            return
    elif len(known) <= 32 and sum(int(np.count_nonzero(conids == one.conid)) for one in known) == len(conids):
        return  # counting each is several times faster than a sort
    strange = ~np.isin(conids, [instrument.conid for instrument in known])
    if strange.any():
        row = int(np.argmax(strange))
        raise RecordingError(
            f"conid {conids[row]} in row {first + row + 1} is not among the recording's instruments", place=str(path)
        )


def _check_day(file: DayFile, spans: list[tuple[int, int]]) -> None:
    start, end = file.start_ns, file.end_ns
    for low, high in spans:
        if low <= high and not (start <= low and high < end):
            what = "year" if file.of_year else "day"
            raise RecordingError(f"holds rows of another UTC {what} than {file.day}", place=str(file.path))


def _said(exc: BaseException) -> str:
    text = str(exc).strip().splitlines()
    return text[0].rstrip(".") if text else type(exc).__name__
