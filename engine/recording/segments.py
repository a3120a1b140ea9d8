"""Logs that grow for weeks: records in compressed segments, of which a crash costs the last moments and no more.

A segment is a gzip file of records, each four bytes of length (big endian) and so many bytes. Every `flush` ends on a
byte boundary, so whatever was flushed can be read of a file that was never closed. Segments are numbered; the oldest go
when all together are too large.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from engine.errors import RecordingError

SEGMENT_BYTES: Final = 16 << 20
TOTAL_BYTES: Final = 2 << 30
_GZIP: Final = 31  # window bits that ask zlib for gzip's head and tail
_LEVEL: Final = 3
_LENGTH: Final = struct.Struct(">I")
_READ: Final = 1 << 18


class Segments:
    """Writes the segments `NAME-00001.gz`, ... of a folder. One thread at a time."""

    def __init__(
        self, folder: Path, name: str, *, segment_bytes: int = SEGMENT_BYTES, total_bytes: int = TOTAL_BYTES
    ) -> None:
        """Begin a new segment behind those that are there. Raises: OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._name = name
        self._segment_bytes = segment_bytes
        self._total_bytes = total_bytes
        self._number = max((number_of(path) for path in segments(folder, name)), default=0)
        self._open()

    def _open(self) -> None:
        self._number += 1
        self._file = (self._folder / f"{self._name}-{self._number:05d}.gz").open("xb")
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._size = 0

    def append(self, records: Iterable[bytes]) -> None:
        """Write records and hand them to the system. Raises: OSError."""
        pack = self._packer.compress
        parts = [pack(_LENGTH.pack(len(record)) + record) for record in records]
        parts.append(self._packer.flush(zlib.Z_SYNC_FLUSH))
        self._put(b"".join(parts))
        if self._size >= self._segment_bytes:
            self._end()
            self._open()
            self._prune()

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        self._size += len(data)

    def _end(self) -> None:
        try:
            self._put(self._packer.flush(zlib.Z_FINISH))
        finally:
            self._file.close()

    def _prune(self) -> None:
        """The newest stay."""
        left = self._total_bytes
        for path in reversed(segments(self._folder, self._name)):
            left -= path.stat().st_size
            if left < 0 and number_of(path) < self._number:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the segment."""
        self._end()


def segments(folder: Path, name: str) -> list[Path]:
    """The segments of a log, oldest first."""
    return sorted((path for path in folder.glob(f"{name}-*.gz") if number_of(path)), key=number_of)


def number_of(path: Path) -> int:
    """A segment's number; 0 for another file."""
    found = re.search(r"-(\d{5,})\.gz$", path.name)
    return int(found[1]) if found else 0


def records(folder: Path, name: str) -> Iterator[bytes]:
    """All records, oldest first; a record that was being written when the process died is left out.

    Raises: RecordingError if segments are missing or one is damaged.
    """
    found = segments(folder, name)
    for expected, path in enumerate(found, 1):
        if number_of(path) != expected:
            problem = f"segment {expected} is gone: old segments go when a log is too large"
            raise RecordingError(problem, place=str(folder / f"{name}-{expected:05d}.gz"))
        yield from _records(path, last=path == found[-1])


def _records(path: Path, *, last: bool) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    buffer = bytearray()
    with path.open("rb") as file:
        while data := file.read(_READ):
            try:
                buffer += unpacker.decompress(data)
            except zlib.error as error:
                raise RecordingError("the segment is damaged", place=str(path)) from error
            at = 0
            while len(buffer) >= at + 4:
                (size,) = _LENGTH.unpack_from(buffer, at)
                if len(buffer) < at + 4 + size:
                    break
                yield bytes(buffer[at + 4 : at + 4 + size])
                at += 4 + size
            del buffer[:at]
    if not last and not unpacker.eof:
        raise RecordingError("the segment ends before its end", place=str(path))
