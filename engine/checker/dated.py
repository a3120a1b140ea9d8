"""Whether a file that a strategy reads speaks of times inside the run: then it may hold what nobody knew yet.

Dates and epoch stamps are looked for in text (plain or .gz; of long files the first and the last megabytes), and in the
columns of Parquet, Arrow and NumPy files. Times written in any other way are not seen.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.domain.moments import NS_PER_S

_PART: Final = 4 << 20  # bytes of either end
_MOST: Final = 256 << 20  # bytes that an archive is unpacked to
_DATE: Final = re.compile(rb"(?<!\d)((?:19|20)\d\d)([-/.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_TIME: Final = re.compile(rb"[T ,;\t]{1,2}([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d))?")
_EPOCH: Final = re.compile(rb"(?<![\d.])(\d{10}|\d{13}|\d{16}|\d{19})(?!\d)")
_NS_OF_DIGITS: Final = {10: NS_PER_S, 13: 1_000_000, 16: 1_000, 19: 1}


def latest_within(path: Path, after_ns: int, until_ns: int) -> int | None:
    """The latest time in a file's content that lies after `after_ns` and not after `until_ns`; None if none does, or
    the file can't be read."""
    try:
        with path.open("rb") as raw:
            start = raw.read(8)
            times: Iterator[int]
            if start.startswith(b"PAR1"):
                times = _of_parquet(path)
            elif start.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
                times = _of_arrow(path, stream=start.startswith(b"\xff"))
            elif start.startswith(b"\x93NUMPY"):
                times = _of_column(np.load(path, allow_pickle=False))
            else:
                raw.seek(0)
                times = _of_text(raw, packed=start.startswith(b"\x1f\x8b"))
            return max((time for time in times if after_ns < time <= until_ns), default=None)
    except (OSError, ValueError, EOFError, zlib.error, pa.ArrowException):
        return None


def _of_text(raw: IO[bytes], *, packed: bool) -> Iterator[int]:
    for part in _ends(gzip.GzipFile(fileobj=raw) if packed else raw):
        for found in _DATE.finditer(part):
            year, _, month, day = found.groups()
            clock = _TIME.match(part, found.end())
            hours, minutes, seconds = (int(one or 0) for one in clock.groups()) if clock else (0, 0, 0)
            try:
                at = datetime(int(year), int(month), int(day), hours, minutes, seconds, tzinfo=UTC)
            except ValueError:  # the 31st of a shorter month
                continue
            yield int(at.timestamp()) * NS_PER_S
        for number in _EPOCH.findall(part):
            yield int(number) * _NS_OF_DIGITS[len(number)]


def _ends(raw: Any) -> Iterator[bytes]:
    """The first and the last bytes of a stream."""
    yield raw.read(_PART)
    last, read = b"", 0
    while read < _MOST and (part := raw.read(_PART)):
        read += len(part)
        last = (last + part)[-2 * _PART :]
    yield last


def _of_parquet(path: Path) -> Iterator[int]:
    with pq.ParquetFile(path) as parquet:
        names = [field.name for field in parquet.schema_arrow if _may_be_time(field.type)]
        for batch in parquet.iter_batches(columns=names, use_threads=False) if names else ():
            for column in batch.columns:
                yield from _of_arrow_column(column)


def _of_arrow(path: Path, *, stream: bool) -> Iterator[int]:
    with pa.memory_map(str(path)) as raw:
        reader = pa.ipc.open_stream(raw) if stream else pa.ipc.open_file(raw)
        batches = reader if stream else map(reader.get_batch, range(reader.num_record_batches))
        for batch in batches:
            for column in batch.columns:
                if _may_be_time(column.type):
                    yield from _of_arrow_column(column)


def _may_be_time(kind: Any) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_int64(kind))


def _of_arrow_column(column: Any) -> Iterator[int]:
    if pa.types.is_int64(column.type):
        yield from _of_column(column.drop_null().to_numpy(zero_copy_only=False))
    else:
        yield from column.drop_null().cast(pa.timestamp("ns")).cast(pa.int64()).to_pylist()


def _of_column(values: Any) -> Iterator[int]:
    """Times in an array: dates as they are, whole numbers by their digits."""
    flat = np.asarray(values).ravel()
    if flat.dtype.kind == "M":
        yield from flat.astype("M8[ns]").astype(np.int64).tolist()
    elif flat.dtype.kind == "i":
        for digits, unit_ns in _NS_OF_DIGITS.items():
            fitting = flat[(flat >= 10 ** (digits - 1)) & (flat < min(10**digits, 2**63 - 1))].astype(np.int64)
            yield from (fitting * unit_ns).tolist()
