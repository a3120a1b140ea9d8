"""The journal of a backtest: every fact in order, as SQLite for people and hashed in a canonical form for machines.

Rows wait in memory up to a bound and then go to a file beside the result; it becomes `journal.db` when the run is done.
A journal that nobody will save has no name on the disk at all, so that nothing of it outlives the process.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.errors import InputError, InvariantBroken

Row = tuple[int, str, str, Any]  # time, kind of fact, coid or strategy, what
SCHEMA_VERSION: Final = 1
_HELD_MAX: Final = 40_000
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (
    seq INTEGER PRIMARY KEY,  -- order in which we knew them
    ts_ns INTEGER NOT NULL,   -- when, nanoseconds UTC
    kind TEXT NOT NULL,       -- approved, denied, answer, cancel, modify, log, state, switched_off ...
    name TEXT NOT NULL,       -- client order id, or the strategy's name
    body TEXT NOT NULL        -- JSON
);
CREATE INDEX facts_by_name ON facts (name, seq);
"""
_ENCODER: Final = msgspec.json.Encoder(decimal_format="string", order="deterministic")


class RunJournal:
    """Facts of one run. `record` takes them, `digest` says their hash, `save` puts the file in its place."""

    def __init__(self, path: Path | None = None) -> None:
        """Begin a journal.

        Args:
            path: The file to write until `save`, on the disk of the result; what a killed run left there is replaced.
                None for a journal that is read and dropped.

        Raises: InputError if the file can't be made.
        """
        self._held: list[Row] = []
        self._hash = hashlib.sha256()
        self._path = path
        with _written(path):
            if path is not None:
                path.unlink(missing_ok=True)
            # SQLite takes the name of a nameless database off the disk as soon as it is open.
            self._database = sqlite3.connect("" if path is None else path, isolation_level=None)
            # The file is a product of the run, not its memory: a crash makes the run void, so nothing is synced.
            for pragma in ("page_size = 4096", "journal_mode = OFF", "synchronous = OFF"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.executescript(_SCHEMA)
            self._database.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))

    def record(self, rows: Iterable[Row]) -> None:
        """Take over facts, in order."""
        self._held.extend(rows)
        while len(self._held) >= _HELD_MAX:
            self._flush(_HELD_MAX)

    def digest(self) -> bytes:
        """SHA-256 of all facts so far in canonical form: a JSON array a fact, each on a line."""
        self._flush(len(self._held))
        return self._hash.digest()

    def rows(self) -> Iterator[tuple[int, str, str, bytes]]:
        """All facts in order: time, kind, name, body as JSON."""
        self._flush(len(self._held))
        yield from self._database.execute("SELECT ts_ns, kind, name, CAST(body AS BLOB) FROM facts ORDER BY seq")

    def save(self, path: Path) -> None:
        """Put the finished journal at `path`, replacing what is there, and close it. The journal must have a file."""
        if self._path is None:
            raise InvariantBroken("a journal without a file of its own can't be saved")
        self._flush(len(self._held))
        self._database.close()
        with _written(path):
            self._path.replace(path)

    def close(self) -> None:
        """Drop an unsaved journal."""
        if self._path is not None:
            with suppress(OSError):  # first, for a signal may find the database busy and not to be closed
                self._path.unlink(missing_ok=True)
        self._database.close()

    def _flush(self, count: int) -> None:
        if not count:
            return
        encode, raw = _ENCODER.encode, msgspec.Raw
        held = self._held[:count]
        del self._held[:count]
        bodies = [encode(row[3]) for row in held]
        lines = [encode((*row[:3], raw(body))) for row, body in zip(held, bodies, strict=True)]
        self._hash.update(b"\n".join(lines) + b"\n")
        with _written(self._path):
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT INTO facts (ts_ns, kind, name, body) VALUES (?, ?, ?, ?)",
                [(*row[:3], body.decode()) for row, body in zip(held, bodies, strict=True)],
            )
            self._database.execute("COMMIT")


@contextmanager
def _written(path: Path | None) -> Iterator[None]:
    """Say in one sentence that the journal's disk is full, or its folder not ours to write to."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        place = None if path is None else str(path)
        raise InputError(f"the journal can't be written: {why}", place=place) from error
