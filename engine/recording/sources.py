"""Source files as pieces of Arrow columns under our names: CSV (plain, .gz, in .zip) and Parquet, read as a stream."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from attrs import field, frozen

from engine.errors import RecordingError

FORMATS: Final = ("csv", "parquet", "zip")
# What a header may call our columns, where --columns says nothing. Lower case.
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "ts": ("ts", "ts_ns", "timestamp", "datetime", "time", "date"),
    "symbol": ("symbol", "ticker"),
    "conid": ("conid",),
    "bid": ("bid", "bid_price"),
    "ask": ("ask", "ask_price"),
    "bid_size": ("bid_size", "bidsize"),
    "ask_size": ("ask_size", "asksize"),
    "price": ("price",),
    "size": ("size", "quantity", "qty"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume",),
    "exchange": ("exchange",),
    "suspicious": ("suspicious",),
}
TEXTS: Final = frozenset({"ts", "symbol", "exchange", "suspicious"})
_BLOCK_BYTES: Final = 1 << 20
_BAD_VALUE = re.compile(
    r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to (\w+): invalid value '(.*)'", re.S
)
_BAD_COUNT = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)")
_TORN = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)


@frozen
class Source:
    """One file, or one member of an archive."""

    path: Path
    member: str | None = None
    form: str = field(default="csv")

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"

    @property
    def names(self) -> tuple[str, ...]:
        """Where a date or a symbol may be read from, best first."""
        return (self.path.name,) if self.member is None else (Path(self.member).name, self.path.name)


def find_sources(paths: list[Path], form: str | None) -> list[Source]:
    """Every file and archive member to be read, in the order given.

    Raises: RecordingError for a missing file, a broken archive or an unknown format.
    """
    if form is not None and form not in FORMATS:
        raise RecordingError(f"--format {form} is none of {', '.join(FORMATS)}")
    found: list[Source] = []
    for path in paths:
        if not path.is_file():
            raise RecordingError("there is no such file", place=str(path))
        kind = form or {".zip": "zip", ".parquet": "parquet"}.get(path.suffix.lower(), "csv")
        if kind != "zip":
            found.append(Source(path, None, kind))
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                members = sorted(
                    info.filename
                    for info in archive.infolist()
                    if not info.is_dir() and not info.filename.startswith("__MACOSX/")  # macOS adds these to a zip
                )
        except (*_TORN, OSError) as exc:
            raise RecordingError(f"is no whole zip archive ({exc})", place=str(path)) from exc
        if not members:
            raise RecordingError("the archive is empty", place=str(path))
        found += [Source(path, member, "csv") for member in members]
    if not found:
        raise RecordingError("there is nothing to import")
    return found


def parse_columns(text: str) -> dict[str, str]:
    """`NAME=COLUMN,...` as a dict; RecordingError for an unknown name or a pair without `=`."""
    columns: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, column = (part.strip() for part in pair.partition("="))
        if not equals or not column:
            raise RecordingError(f"--columns has {pair!r}, which is not NAME=COLUMN")
        if name not in ALIASES:
            raise RecordingError(f"--columns has the name {name!r}, which is none of {', '.join(ALIASES)}")
        columns[name] = column
    return columns


def pieces(source: Source, columns: Mapping[str, str], header: bool, needed: tuple[str, ...]) -> Iterator[Any]:
    """Arrow batches with our names as columns, in the file's order.

    Args:
        columns: Our name to header name or 0-based number; where a header has no entry, its own names are tried.
        needed: Our names without which there is no import.

    Raises: RecordingError with file and line.
    """
    if source.form == "parquet":
        yield from _parquet_pieces(source, columns, needed)
        return
    try:
        first = _first_line(source)
        delimiter = max(",;\t|", key=first.count)
        fields = next(csv.reader([first], delimiter=delimiter), [])
        numbers = _numbers(source, columns, [name.strip() for name in fields] if header else None, len(fields), needed)
        yield from _csv_pieces(source, numbers, header, len(fields), delimiter)
    except _TORN as exc:
        raise RecordingError(f"is cut off or damaged ({str(exc).rstrip('.')})", place=str(source)) from exc
    except UnicodeDecodeError as exc:
        raise RecordingError("is no UTF-8 text", place=str(source)) from exc
    except OSError as exc:
        raise RecordingError(f"can't be read ({exc.strerror or exc})", place=str(source)) from exc


def line_of(source: Source, row: int, header: bool) -> str:
    """Where the row-th (from 0) row of a source stands, for an error; walks the file, so only for one."""
    if source.form == "parquet":
        return f"{source}, row {row + 1}"
    with _text(source) as lines:
        seen = -1 - header
        for number, line in enumerate(lines, start=1):
            if line.strip("\r\n"):
                seen += 1
                if seen == row:
                    return f"{source}, line {number}"
    return f"{source}, row {row + 1}"


def _csv_pieces(source: Source, numbers: Mapping[str, int], header: bool, count: int, delimiter: str) -> Iterator[Any]:
    types = {f"c{number}": pa.string() for number in range(count)}
    for name, number in numbers.items():
        types[f"c{number}"] = pa.string() if name in TEXTS else pa.int64() if name == "conid" else pa.float64()
    wanted = sorted(set(numbers.values()))
    names = {number: name for name, number in numbers.items()}
    seen = 0
    with _binary(source) as raw:
        try:
            reader = pyarrow.csv.open_csv(
                pa.PythonFile(raw, "r"),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK_BYTES,
                    column_names=[f"c{number}" for number in range(count)],
                    skip_rows=int(header),
                ),
                parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=types,
                    include_columns=[f"c{number}" for number in wanted],
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
            for batch in reader:
                yield pa.record_batch([batch.column(f"c{number}") for number in numbers.values()], names=list(numbers))
                seen += batch.num_rows
        except pa.ArrowInvalid as exc:
            text = str(exc)
            if bad := _BAD_VALUE.search(text):
                name = names.get(int(bad[1]), f"column {bad[1]}")
                line = f", line {bad[2]}" if bad[2] else ""
                raise RecordingError(f"{name} is {bad[4]!r}, not a number", place=f"{source}{line}") from exc
            if bad := _BAD_COUNT.search(text):
                line = f", line {bad[1]}" if bad[1] else ""
                raise RecordingError(f"has {bad[3]} columns, not {bad[2]}", place=f"{source}{line}") from exc
            if "Empty CSV" in text:  # nothing below the header
                return
            raise RecordingError(
                f"can't be read as CSV after row {seen} ({text.splitlines()[0]})", place=str(source)
            ) from exc


def _parquet_pieces(source: Source, columns: Mapping[str, str], needed: tuple[str, ...]) -> Iterator[Any]:
    try:
        with pq.ParquetFile(source.path) as parquet:
            fields = parquet.schema_arrow.names
            numbers = _numbers(source, columns, fields, len(fields), needed)
            for batch in parquet.iter_batches(
                batch_size=65_536, columns=sorted({fields[number] for number in numbers.values()}), use_threads=False
            ):
                arrays = []
                for name, number in numbers.items():
                    column = batch.column(fields[number])
                    if name in TEXTS - {"ts"}:
                        column = column.cast(pa.string())
                    elif name != "ts":
                        column = column.cast(pa.int64() if name == "conid" else pa.float64())
                    arrays.append(column)
                yield pa.record_batch(arrays, names=list(numbers))
    except (pa.ArrowException, OSError) as exc:
        raise RecordingError(f"is no whole Parquet file ({str(exc).splitlines()[0]})", place=str(source)) from exc


def _numbers(
    source: Source, columns: Mapping[str, str], header: list[str] | None, count: int, needed: tuple[str, ...]
) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for name, column in columns.items():
        if header is not None and column in header:
            numbers[name] = header.index(column)
        elif column.isdecimal():
            if int(column) >= count:
                raise RecordingError(f"there is no column {column}, the last is {count - 1}", place=str(source))
            numbers[name] = int(column)
        else:
            known = f"the header has {', '.join(header)}" if header else "a file without header has numbers"
            raise RecordingError(f"there is no column {column!r}; {known}", place=str(source))
    lowered = [name.lower() for name in header or ()]
    taken = set(numbers.values())
    for name, aliases in ALIASES.items():
        hit = next((lowered.index(alias) for alias in aliases if alias in lowered), None)
        if name not in numbers and hit is not None and hit not in taken:
            numbers[name] = hit
    for name in needed:
        if name not in numbers:
            raise RecordingError(f"no column for {name}; name it with --columns {name}=COLUMN", place=str(source))
    return numbers


def _first_line(source: Source) -> str:
    with _text(source) as lines:
        for line in lines:
            if line.strip():
                return line.lstrip("\ufeff").rstrip("\r\n")
    raise RecordingError("is empty", place=str(source))


def _text(source: Source) -> io.TextIOWrapper:
    return io.TextIOWrapper(_binary(source), encoding="utf-8", newline="\n")


def _binary(source: Source) -> IO[bytes]:
    if source.member is not None:
        return _Member(source)
    if source.path.suffix.lower() == ".gz":
        return gzip.open(source.path, "rb")  # type: ignore[return-value]  # a GzipFile is a binary stream
    return source.path.open("rb")


class _Member(io.BufferedReader):
    """A member of a zip archive that closes the archive with itself."""

    def __init__(self, source: Source) -> None:
        self._archive = zipfile.ZipFile(source.path)
        super().__init__(self._archive.open(source.member or ""))  # type: ignore[arg-type]  # a buffered raw stream

    def close(self) -> None:
        """Close member and archive."""
        super().close()
        self._archive.close()
