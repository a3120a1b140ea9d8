"""The journal of a backtest: every fact in order, as SQLite for people and hashed in a canonical form for machines.

Facts become lines of canonical JSON as soon as they come, while what they speak of is still in the processor's caches.
The lines wait in memory up to a bound and then go to a file without a name on the disk of the result, so that nothing
of them outlives the process; they are what is hashed. The database is made of them when the run is done, with its index
at the end: row by row while the run went on it cost five times as much. Hashing and writing need no interpreter, so a
thread does them, one lot behind.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.errors import InputError, InvariantBroken

Row = tuple[int, str, str, Any]  # time, kind of fact, coid or strategy, what
SCHEMA_VERSION: Final = 1
_HELD_MAX: Final = 1 << 20  # bytes
_ROWS_TOGETHER: Final = 20_000
# The file is a product of the run, not its memory: a crash makes the run void, so nothing is synced.
_PRAGMAS: Final = ("page_size = 4096", "journal_mode = OFF", "synchronous = OFF")
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (
    seq INTEGER PRIMARY KEY,  -- order in which we knew them
    ts_ns INTEGER NOT NULL,   -- when, nanoseconds UTC
    kind TEXT NOT NULL,       -- approved, denied, answer, cancel, modify, log, state, switched_off ...
    name TEXT NOT NULL,       -- client order id, or the strategy's name
    body TEXT NOT NULL        -- JSON
);
"""
_INDEX: Final = "CREATE INDEX facts_by_name ON facts (name, seq)"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="string", order="deterministic")
_DECODER: Final = msgspec.json.Decoder(tuple[int, str, str, msgspec.Raw])


class RunJournal:
    """Facts of one run. `record` takes them, `digest` says their hash, `save` puts the file in its place."""

    def __init__(self, path: Path | None = None) -> None:
        """Begin a journal.

        Args:
            path: The file to make the database in, on the disk of the result; what a killed run left there is replaced.
                None for a journal that is read and dropped.

        Raises: InputError if nothing can be written there.
        """
        self._held: list[bytes] = []
        self._size = 0  # of what is held, bytes
        self._hash = hashlib.sha256()
        self._path = path
        self._thread = ThreadPoolExecutor(1, "journal")
        self._under_way: Future[None] | None = None
        with _written(path):
            self._lines = tempfile.TemporaryFile(dir=None if path is None else path.parent)  # noqa: SIM115

    def record(self, rows: Iterable[Row]) -> None:
        """Take over facts, in order."""
        lines = _ENCODER.encode_lines(rows)
        self._held.append(lines)
        self._size += len(lines)
        if self._size >= _HELD_MAX:
            self._flush()

    def digest(self) -> bytes:
        """SHA-256 of all facts so far in canonical form: a JSON array a fact, each on a line."""
        self._flush()
        self._settle()
        return self._hash.digest()

    def rows(self) -> Iterator[tuple[int, str, str, bytes]]:
        """All facts in order: time, kind, name, body as JSON. Nothing may be recorded while they are read."""
        self._flush()
        self._settle()
        with _written(self._path):
            self._lines.seek(0)
            for line in self._lines:
                ts_ns, kind, name, body = _DECODER.decode(line)
                yield ts_ns, kind, name, bytes(body)

    def save(self, path: Path) -> None:
        """Put the finished journal at `path`, replacing what is there, and close it. The journal must have a file."""
        if self._path is None:
            raise InvariantBroken("a journal without a file of its own can't be saved")
        with _written(path):
            self._make(self._path)
            self._path.replace(path)
        self._thread.shutdown()
        self._lines.close()

    def close(self) -> None:
        """Drop an unsaved journal."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        self._thread.shutdown()
        with suppress(OSError):  # what is still to be written finds no room
            self._lines.close()

    def _flush(self) -> None:
        if not self._held:
            return
        held, self._held, self._size = self._held, [], 0
        self._settle()
        self._under_way = self._thread.submit(self._put, held)

    def _put(self, held: list[bytes]) -> None:
        lines = b"".join(held)
        self._hash.update(lines)
        self._lines.seek(0, os.SEEK_END)
        self._lines.write(lines)

    def _settle(self) -> None:
        """Wait until all that was handed over is hashed and written."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            with _written(self._path):
                under_way.result()

    def _make(self, path: Path) -> None:
        """Make the database of the lines."""
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for pragma in _PRAGMAS:
                database.execute(f"PRAGMA {pragma}")
            database.executescript(_SCHEMA)
            database.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))
            rows = self.rows()
            while some := [(ts, kind, name, body.decode()) for ts, kind, name, body in islice(rows, _ROWS_TOGETHER)]:
                database.execute("BEGIN")
                database.executemany("INSERT INTO facts (ts_ns, kind, name, body) VALUES (?, ?, ?, ?)", some)
                database.execute("COMMIT")
            database.execute(_INDEX)


@contextmanager
def _written(path: Path | None) -> Iterator[None]:
    """Say in one sentence that the journal's disk is full, or its folder not ours to write to."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        place = None if path is None else str(path)
        raise InputError(f"the journal can't be written: {why}", place=place) from error
