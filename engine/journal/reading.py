"""A journal opened to be read: beside a running daemon, or when none runs. Nothing of the file is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from engine.errors import InputError
from engine.journal.durable import APPLICATION_ID, KEEP_IT, SCHEMA_VERSION, DurableJournal, StoredRow
from engine.journal.log import commits_passed_over

_SAID_MAX: Final = 120  # SQLite may quote a whole row


class JournalReader(DurableJournal):
    """`rows`, `meta` and `verify` of a journal that another process may be writing; through this nothing is written."""

    def __init__(self, path: Path) -> None:  # the parent's opens to write
        """Open the journal at `path`.

        Raises: InputError for a file that is not there, is no journal of ours, is damaged or was written by a newer
        version.
        """
        self.path = path
        if not path.is_file():
            raise InputError("there is no such journal", place=str(path))
        try:
            self._database = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            self._check()
        except sqlite3.DatabaseError as error:
            raise _damaged(path, error) from error

    def _check(self) -> None:
        if self._database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise InputError("this is no journal of the engine's", place=str(self.path))
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            problem = f"the journal has format {version}, written by a newer version; this one reads {SCHEMA_VERSION}"
            raise InputError(problem, place=str(self.path))

    def rows(self, *args: Any, **kwargs: Any) -> Iterator[StoredRow]:
        """As the parent's. Raises: InputError where a page can't be read."""
        try:
            yield from super().rows(*args, **kwargs)
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error

    def verify(self) -> list[str]:
        """As the parent's; a page that can't be read is one of the findings, and ends them."""
        try:
            return super().verify()
        except sqlite3.DatabaseError as error:
            return [f"the file can't be read to its end: {str(error)[:_SAID_MAX]}"]

    def whole(self) -> None:
        """Nothing, if every row is what was written, and nobody writes. Raises: InputError, which says what is not."""
        findings = self.verify()
        missing = commits_passed_over(self.path)
        if missing > 1 and not findings:
            findings = [f"its log can't be read to the end, and {missing} commits lie behind the place"]
        if findings:
            raise InputError(f"the journal is damaged ({findings[0]}); {KEEP_IT}", place=str(self.path))

    def last(self, count: int, *, name: str | None = None, kinds: Sequence[str] = ()) -> list[StoredRow]:
        """The last rows, of one name or of some kinds, oldest first. Raises: InputError where a page can't be read."""
        where, values = ["1"], list[Any]()
        if name is not None:
            where.append("name = ?")
            values.append(name)
        if kinds:
            where.append(f"kind IN ({', '.join('?' * len(kinds))})")
            values += kinds
        query = f"SELECT seq, ts_ns, kind, name, body FROM facts WHERE {' AND '.join(where)} ORDER BY seq DESC LIMIT ?"
        try:
            found = self._database.execute(query, (*values, count)).fetchall()
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error
        return [StoredRow(*row) for row in reversed(found)]

    def select(self, where: str, values: tuple[Any, ...]) -> list[StoredRow]:
        """Rows in order by a condition on `facts`. Raises: InputError where a page can't be read."""
        query = f"SELECT seq, ts_ns, kind, name, body FROM facts WHERE {where} ORDER BY seq"
        try:
            return [StoredRow(*row) for row in self._database.execute(query, values)]
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error

    def coids(self) -> frozenset[str]:
        """Every client order id that was ever sent. Raises: InputError where a page can't be read."""
        try:
            return frozenset(row[0] for row in self._database.execute("SELECT coid FROM coids"))
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    problem = f"the journal is damaged ({str(error)[:_SAID_MAX]}); `engine journal verify` says where; {KEEP_IT}"
    return InputError(problem, place=str(path))
