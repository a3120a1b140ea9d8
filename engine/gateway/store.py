"""The gateway's state folder: one SQLite file that a killed process leaves whole, and a lock against a second gateway.

What is saved is written before an answer tells of it. The write-ahead log needs no sync for that: it is the process
that may be killed at any moment, not the machine.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.domain.instrument import Leg
from engine.errors import InputError
from engine.gateway.accounts import Account
from engine.gateway.blotter import Blotter, Standing
from engine.gateway.records import Contract, Execution

FILE: Final = "exchange.db"
LOCK: Final = "lock"
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, body BLOB);
CREATE TABLE IF NOT EXISTS executions (name TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
"""
_MINE: Final = "exchange."  # names of what is kept for the exchange itself


class Store:
    """One folder. Everything in it is read when it is opened, and written by `save`; `unsaved` says why it was not."""

    def __init__(self, folder: Path, *, clock_every_ns: int) -> None:
        """Open a folder, and make it if there is none.

        Args:
            clock_every_ns: With nothing else to save, the clock is written when it has gone on by so much.

        Raises: InputError if another gateway works in it, or it can't be used.
        """
        self.folder = folder
        self._every_ns = clock_every_ns
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise InputError(f"the state folder can't be used: {exc.strerror}", place=str(folder)) from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._lock)
            raise InputError("another gateway works in this state folder", place=str(folder)) from exc
        try:
            self._db = sqlite3.connect(folder / FILE, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_TABLES)
            self._kept: dict[str, bytes] = dict(self._db.execute("SELECT name, body FROM kept"))
        except sqlite3.DatabaseError as exc:
            os.close(self._lock)
            raise InputError(f"the state can't be read: {exc}", place=str(folder / FILE)) from exc
        self.unsaved = ""
        self._changed: set[str] = set()
        self._gone_orders: list[int] = []
        self._gone_executions: list[str] = []
        self._saved_ns = self.number("now_ns", -(2**63))

    # What was kept

    @property
    def fresh(self) -> bool:
        """Whether no gateway has worked here before."""
        return _MINE + "now_ns" not in self._kept

    def number(self, name: str, default: int) -> int:
        """A number of the exchange's own."""
        body = self._kept.get(_MINE + name)
        return default if body is None else int(msgspec.json.decode(body))

    def value(self, name: str) -> Any:
        """Something of the exchange's own; None if there is nothing."""
        return self.kept(_MINE + name)

    def put(self, name: str, value: Any) -> None:
        """Keep something of the exchange's own."""
        self.keep(_MINE + name, value)

    def kept(self, name: str) -> Any:
        """What was kept under a name; None if there is nothing."""
        body = self._kept.get(name)
        return None if body is None else msgspec.json.decode(body)

    def keep(self, name: str, value: Any) -> None:
        """Keep a value under a name, from the next `save` on."""
        body = msgspec.json.encode(value)
        if self._kept.get(name) != body:
            self._kept[name] = body
            self._changed.add(name)

    def standings(self) -> list[Standing]:
        """Orders, oldest first."""
        rows = self._db.execute("SELECT body FROM orders ORDER BY id")
        return [msgspec.json.decode(body, type=Standing) for (body,) in rows]

    def executions(self) -> list[Execution]:
        """Executions, oldest first."""
        found = [
            msgspec.json.decode(body, type=Execution) for (body,) in self._db.execute("SELECT body FROM executions")
        ]
        return sorted(found, key=lambda one: (one.ts_ns, one.execution_id))

    def accounts(self) -> dict[str, Account]:
        """Books by account."""
        rows = self._db.execute("SELECT name, body FROM accounts")
        return {name: msgspec.json.decode(body, type=Account) for name, body in rows}

    def combos(self) -> list[tuple[str, list[Leg]]]:
        """Combos that were made: currency and legs."""
        return [
            (currency, [Leg(conid, ratio) for conid, ratio in legs]) for currency, legs in self.value("combos") or ()
        ]

    def put_combo(self, contract: Contract) -> None:
        """Keep a combo."""
        instrument = contract.instrument
        made = [
            *(self.value("combos") or ()),
            [instrument.currency, [[leg.conid, leg.ratio] for leg in instrument.legs]],
        ]
        self.put("combos", made)

    # Writing

    def drop(self, orders: Sequence[int], executions: Sequence[str]) -> None:
        """Forget orders and executions, from the next `save` on."""
        self._gone_orders += orders
        self._gone_executions += executions

    def save(self, blotter: Blotter, accounts: Mapping[str, Account], now_ns: int) -> None:
        """Write all that has changed, as one transaction; return at once if nothing has.

        Where the disk takes no more the exchange goes on from memory, as a real one would: what has changed is
        written once there is room again, and stderr says so.
        """
        if not (
            blotter.changed_orders
            or blotter.changed_executions
            or blotter.changed_accounts
            or self._changed
            or self._gone_orders
            or now_ns - self._saved_ns >= self._every_ns
        ):
            return
        self.put("now_ns", now_ns)
        self.put("next_order", blotter.next_order)
        self.put("next_execution", blotter.next_execution)
        try:
            self._write_all(blotter, accounts)
        except sqlite3.OperationalError as exc:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._say_unsaved(str(exc))
            return
        self.unsaved = ""
        for done in (blotter.changed_orders, blotter.changed_executions, blotter.changed_accounts, self._changed):
            done.clear()
        self._gone_orders, self._gone_executions = [], []
        self._saved_ns = now_ns

    def _write_all(self, blotter: Blotter, accounts: Mapping[str, Account]) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        self._write("kept", ((name, self._kept[name]) for name in sorted(self._changed)))
        orders = ((number, blotter.orders[number]) for number in sorted(blotter.changed_orders))
        self._write("orders", ((number, msgspec.json.encode(one)) for number, one in orders))
        executions = (blotter.executions[name] for name in sorted(blotter.changed_executions))
        self._write("executions", ((one.execution_id, msgspec.json.encode(one)) for one in executions))
        changed = (accounts[name] for name in sorted(blotter.changed_accounts))
        self._write("accounts", ((one.name, msgspec.json.encode(one)) for one in changed))
        db.executemany("DELETE FROM orders WHERE id = ?", ((number,) for number in self._gone_orders))
        db.executemany("DELETE FROM executions WHERE name = ?", ((name,) for name in self._gone_executions))
        db.execute("COMMIT")

    def _say_unsaved(self, problem: str) -> None:
        """Once for each trouble; that disk may be the one which stderr goes to."""
        if problem != self.unsaved:
            self.unsaved = problem
            with suppress(OSError):
                print(f"engine gateway: the state is not saved: {problem}", file=sys.stderr, flush=True)

    def _write(self, table: str, rows: Iterable[tuple[int | str, bytes]]) -> None:
        self._db.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)

    def close(self) -> None:
        """Let go of the folder."""
        self._db.close()
        os.close(self._lock)
