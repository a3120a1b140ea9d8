"""The daemon's journal: what is not in here did not happen, and what is in here survives the machine.

One SQLite file in write-ahead mode with full sync. Rows are numbered without gaps and chained by hash, so that a lost,
changed or torn row is found. A reserve beside the file is given up when the disk is full, so that halts, cancels and
what the venue says can still be stored; new orders can't.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.errors import CoidUsed, InputError, JournalFull

APPLICATION_ID: Final = 0x46545431  # "FTT1"
SCHEMA_VERSION: Final = 1
RESERVE_BYTES: Final = 4 << 20
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (
    seq INTEGER PRIMARY KEY,  -- order in which we knew them, from 1, without gaps
    ts_ns INTEGER NOT NULL,   -- when, nanoseconds UTC of the venue's clock
    kind TEXT NOT NULL,
    name TEXT NOT NULL,       -- client order id, strategy, or whoever it is about
    body TEXT NOT NULL,       -- JSON
    chain BLOB NOT NULL       -- hash of the row and of the one before it
);
CREATE INDEX facts_by_name ON facts (name, seq);
CREATE TABLE coids (coid TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
"""
# Rows, and client order ids as rows without a chain, in one statement that is a transaction of its own: one call during
# which the interpreter is free for the loop. Temporary: the file does not know of it.
_LOT: Final = """
CREATE TEMP VIEW lot AS SELECT seq, ts_ns, kind, name, body, chain FROM facts;
CREATE TEMP TRIGGER lot_stored INSTEAD OF INSERT ON lot BEGIN
    INSERT INTO facts SELECT NEW.seq, NEW.ts_ns, NEW.kind, NEW.name, NEW.body, NEW.chain WHERE NEW.chain IS NOT NULL;
    INSERT INTO coids SELECT NEW.name, NEW.seq WHERE NEW.chain IS NULL;
END;
"""
KEEP_IT: Final = "keep it, see to the orders at the venue, and begin in an empty folder"
_AT_ONCE_MAX: Final = 16  # rows and ids: of each number a statement is kept
_LOG_BYTES: Final = 6 << 20
_LOG_PAGES_MAX: Final = 4_000  # then a commit brings the log into the database, however little time there is
_ENCODER: Final = msgspec.json.Encoder(decimal_format="string", order="deterministic")
_START: Final = b"\0" * 16

Row = tuple[int, str, str, Any]  # time, kind, name, what


class StoredRow(msgspec.Struct, frozen=True):
    """One row as it was stored; `body` is JSON."""

    seq: int
    ts_ns: int
    kind: str
    name: str
    body: str


class RawRow(msgspec.Struct, frozen=True):
    """One row with its body as JSON that is copied as it is."""

    ts_ns: int
    kind: str
    name: str
    what: msgspec.Raw


class DurableJournal:
    """An open journal. One thread writes it. `low` is set once the reserve has been given up."""

    def __init__(self, path: Path) -> None:
        """Open or make the journal at `path`.

        Raises: InputError for a file that is no journal of ours, is damaged or was written by a newer version.
        """
        self.path = path
        self._open()

    def _open(self) -> None:
        path = self.path
        self.low = False
        self.untidied = 0  # commits since the log was last brought into the database
        fresh = not path.exists() or path.stat().st_size == 0
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare(fresh)
        except sqlite3.DatabaseError as error:
            problem = f"the journal can't be opened: {error}; {KEEP_IT}"
            raise InputError(problem, place=str(path)) from error
        path.chmod(0o600)
        last = self._database.execute("SELECT seq, chain FROM facts ORDER BY seq DESC LIMIT 1").fetchone()
        self._seq, self._chain = (0, _START) if last is None else (int(last[0]), bytes(last[1]))
        self._reserve = path.with_name(path.name + ".reserve")
        self._make_reserve()
        self._lay_out()

    def _prepare(self, fresh: bool) -> None:
        execute = self._database.execute
        if fresh:
            execute("PRAGMA page_size = 4096")
            execute(f"PRAGMA application_id = {APPLICATION_ID}")
            execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        else:
            if execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise InputError("this is no journal of the engine's", place=str(self.path))
            version = execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                problem = (
                    f"the journal has format {version}, written by a newer version; this one reads {SCHEMA_VERSION}"
                )
                raise InputError(problem, place=str(self.path))
            found = execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise InputError(f"the journal is damaged ({found}); {KEEP_IT}", place=str(self.path))
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES_MAX}")
        execute("PRAGMA temp_store = MEMORY")
        if fresh:
            self._database.executescript("BEGIN;" + _SCHEMA + "COMMIT;")
        self._database.executescript(_LOT)

    def _lay_out(self) -> None:
        """Give the log its size: a commit that only writes over blocks takes half as long as one that adds some.

        Behind the last commit SQLite looks at nothing whose checksum does not follow on.
        """
        with suppress(OSError), self.path.with_name(self.path.name + "-wal").open("ab") as log:
            missing = _LOG_BYTES - log.tell()
            if missing > 0:
                log.write(bytes(missing))
                log.flush()
                os.fsync(log.fileno())

    def _make_reserve(self) -> None:
        try:
            if not self._reserve.exists() or self._reserve.stat().st_size < RESERVE_BYTES:
                with self._reserve.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
            self.low = False
        except OSError:
            self._reserve.unlink(missing_ok=True)
            self.low = True

    # --- writing ------------------------------------------------------------------------------------------------

    @property
    def last_seq(self) -> int:
        """Number of the last row."""
        return self._seq

    def write(
        self,
        rows: Sequence[Row],
        *,
        coids: Iterable[str] = (),
        essential: bool = False,
        at_sync: Callable[[], None] | None = None,
    ) -> int:
        """Store rows and sync them; all or none.

        Args:
            coids: Client order ids that are about to be sent for the first time.
            essential: Halts, cancels and the venue's word: the reserve is given up for them. From then on nothing else
                is taken until there is room for a reserve again.
            at_sync: Called, where rows are few, when only the database's work is left, which needs no interpreter; it
                may be called again where that fails.

        Returns: Number of the last row.

        Raises: CoidUsed, JournalFull.
        """
        if self.low and not essential:
            self._make_reserve()
            if self.low:
                raise JournalFull(f"{self.path}: the disk is full")
        try:
            return self._write(rows, coids, at_sync)
        except (sqlite3.OperationalError, OSError) as error:
            if not _is_full(error):
                raise
            had_reserve = self._reserve.exists()
            if essential and had_reserve:
                self._reserve.unlink(missing_ok=True)
                self.low = True
                try:
                    return self._write(rows, coids, at_sync)
                except (sqlite3.OperationalError, OSError) as again:
                    raise JournalFull(f"{self.path}: the disk is full, and so is the reserve") from again
            self.low = True
            raise JournalFull(f"{self.path}: the disk is full") from error

    def _write(self, rows: Sequence[Row], coids: Iterable[str], at_sync: Callable[[], None] | None = None) -> int:
        seq, chain = self._seq, self._chain
        made: list[tuple[Any, ...]] = []
        for ts_ns, kind, name, what in rows:
            seq += 1
            body = _ENCODER.encode(what).decode()
            chain = _link(chain, seq, ts_ns, kind, name, body)
            made.append((seq, ts_ns, kind, name, body, chain))
        made += [(seq, None, None, coid, None, None) for coid in coids]
        if not made:
            return seq
        try:
            if len(made) <= _AT_ONCE_MAX:
                statement, values = _statement(len(made)), [value for row in made for value in row]
                if at_sync is not None:
                    at_sync()
                self._database.execute(statement, values)
            else:
                self._write_many(made)
        except sqlite3.IntegrityError as error:
            raise CoidUsed("a client order id was given twice") from error
        self._seq, self._chain = seq, chain
        self.untidied += 1
        return seq

    def _write_many(self, made: Sequence[tuple[Any, ...]]) -> None:
        execute = self._database.execute
        execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany(_statement(1), made)
            execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                execute("ROLLBACK")
            raise

    def tidy(self) -> None:
        """Bring what was committed from the log into the database, so that the log begins anew where it is laid out.

        For a moment at which nothing is to be stored; what can't be done now is done later.
        """
        self.untidied = 0
        with suppress(sqlite3.OperationalError):
            self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def put_away(self, fresh: Path, archive: Path, *, after: int) -> None:
        """Go on in the file `fresh`, which takes this one's place; this one is `archive` from then on.

        Rows after a number, and all client order ids, are copied first. If that fails nothing has changed.

        Raises: JournalFull, InputError.
        """
        new = DurableJournal(fresh)
        try:
            rows = [(r.ts_ns, r.kind, r.name, msgspec.Raw(r.body.encode())) for r in self.rows(after=after)]
            new.write(rows, coids=self.sent_coids())
        finally:
            new.close()
        self._database.close()
        try:
            os.link(self.path, archive)
            fresh.replace(self.path)
            fresh.with_name(fresh.name + ".reserve").unlink(missing_ok=True)
        finally:
            self._open()

    def set_meta(self, key: str, value: str) -> None:
        """Remember something about the journal itself."""
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # --- reading ------------------------------------------------------------------------------------------------

    def meta(self, key: str) -> str | None:
        """What was remembered under a key."""
        found = self._database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])

    def rows(self, *, after: int = 0, name: str | None = None, kinds: Sequence[str] = ()) -> Iterator[StoredRow]:
        """Rows in order, after a number, of one name or of some kinds."""
        where, values = ["seq > ?"], [after]
        arguments: list[Any] = list(values)
        if name is not None:
            where.append("name = ?")
            arguments.append(name)
        if kinds:
            where.append(f"kind IN ({', '.join('?' * len(kinds))})")
            arguments += kinds
        query = f"SELECT seq, ts_ns, kind, name, body FROM facts WHERE {' AND '.join(where)} ORDER BY seq"
        for row in self._database.execute(query, arguments):
            yield StoredRow(*row)

    def raw_rows(self, *, kinds: Sequence[str]) -> Iterator[RawRow]:
        """Rows of some kinds as they may be written again."""
        for row in self.rows(kinds=kinds):
            yield RawRow(row.ts_ns, row.kind, row.name, msgspec.Raw(row.body.encode()))

    def sent_coids(self) -> list[str]:
        """Every client order id that was ever sent."""
        return [str(row[0]) for row in self._database.execute("SELECT coid FROM coids ORDER BY seq, coid")]

    def verify(self) -> list[str]:
        """Read the whole journal; return what is wrong, in sentences."""
        found = [f"the file: {row[0]}" for row in self._database.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
        chain, expected = _START, self._first() - 1
        if expected:
            chain = bytes.fromhex(self.meta("chain_before") or "")
        for seq, ts_ns, kind, name, body, stored in self._database.execute("SELECT * FROM facts ORDER BY seq"):
            expected += 1
            if seq != expected:
                found.append(f"rows {expected} to {seq - 1} are missing")
                expected = seq
            chain = _link(chain, seq, ts_ns, kind, name, body)
            if chain != stored:
                found.append(f"row {seq} is not what was written")
                chain = bytes(stored)
        return found

    def _first(self) -> int:
        found = self._database.execute("SELECT min(seq) FROM facts").fetchone()[0]
        return 1 if found is None else int(found)

    def close(self) -> None:
        """Close the file; a clean end leaves one file without a log beside it."""
        self._database.close()


def _link(before: bytes, seq: int, ts_ns: int, kind: str, name: str, body: str) -> bytes:
    return sha256(before + f"{seq}\0{ts_ns}\0{kind}\0{name}\0{body}".encode()).digest()[:16]


@cache
def _statement(rows: int) -> str:
    return "INSERT INTO lot VALUES " + ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows)


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or "disk I/O" in str(error)
