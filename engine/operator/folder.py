"""The state folder: what lies where, who holds it, and the files that say which processes belong to it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from attrs import frozen

from engine.errors import InputError
from engine.operator.processes import Process, alive, this_process

DEFAULT: Final = "state"
# What a socket's address holds, its end included, on Linux 108 and elsewhere 104 bytes.
_ADDRESS_MAX: Final = 103
_NEW: Final = ".new"
ROLES: Final = ("daemon", "guard", "gateway")


def state_folder(given: Path | None) -> StateFolder:
    """The folder a person named, else that of ENGINE_STATE_DIR, else `state` here."""
    return StateFolder(given if given is not None else Path(os.environ.get("ENGINE_STATE_DIR") or DEFAULT))


@frozen
class StateFolder:
    """A state folder by its path; nothing is made until it is asked for."""

    path: Path

    @property
    def journal(self) -> Path:
        """The daemon's journal."""
        return self.path / "journal.db"

    def journals(self) -> list[Path]:
        """The daemon's journal and those that were put away, newest first."""
        old = sorted(self.path.glob("journal-*.db"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [self.journal, *old]

    @property
    def halt_file(self) -> Path:
        """Whoever makes this file pulls the kill switch."""
        return self.path / "halt"

    @property
    def guard_journal(self) -> Path:
        """What the guard did."""
        return self.path / "guard.db"

    @property
    def guard_log(self) -> Path:
        """What the guard said."""
        return self.path / "guard.log"

    @property
    def operator_socket(self) -> Path:
        """Where operators speak."""
        return self.path / "operator.sock"

    @property
    def guard_socket(self) -> Path:
        """Where the daemon speaks to its guard."""
        return self.path / "guard.sock"

    def make(self) -> None:
        """Make the folder, for its owner alone. Raises: InputError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except FileExistsError as error:
            raise InputError("this is a file, not a state folder", place=str(self.path)) from error
        except OSError as error:
            raise InputError(f"can't be used as a state folder: {error.strerror}", place=str(self.path)) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise InputError("can't be used as a state folder: nothing may be written there", place=str(self.path))

    @contextmanager
    def held(self, role: str) -> Iterator[None]:
        """Be the one daemon or guard of the folder, and say which process that is.

        Raises: InputError if another one is.
        """
        self.make()
        try:
            lock = os.open(self.path / f"{role}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InputError(f"can't be used: {error.strerror}", place=str(self.path / f"{role}.lock")) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                other = self.process(role)
                who = f", process {other.pid}" if other is not None else ""
                raise InputError(f"another {role} runs on this state folder{who}", place=str(self.path)) from error
            self.note_process(role, this_process())
            try:
                yield
            finally:
                self.drop_process(role)
        finally:
            os.close(lock)

    # --- how instruments are called -----------------------------------------------------------------------------

    def note_symbols(self, symbols: Mapping[int, str]) -> None:
        """Write down how instruments are called, by conid: the journal is read without a daemon, too.

        Where that can't be done, on a full disk say, conids stand in the names' place.
        """
        known = self.symbols()
        wanted = known | {str(conid): symbol for conid, symbol in symbols.items()}
        with suppress(OSError):
            if wanted != known:
                self._write("symbols.json", wanted)

    def symbols(self) -> dict[str, str]:
        """How instruments are called, by conid; empty if nobody has written it down."""
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((self.path / "symbols.json").read_bytes(), type=dict[str, str])
        return {}

    # --- which processes ----------------------------------------------------------------------------------------

    def note_process(self, role: str, one: Process) -> None:
        """Write down which process has a role."""
        self._write(f"{role}.pid", one)

    def drop_process(self, role: str) -> None:
        """Nobody has the role any more."""
        (self.path / f"{role}.pid").unlink(missing_ok=True)

    def process(self, role: str) -> Process | None:
        """The living process that has a role; None if there is none, or if what is written can't be read."""
        with suppress(OSError, msgspec.DecodeError):
            one = msgspec.json.decode((self.path / f"{role}.pid").read_bytes(), type=Process)
            return one if alive(one) else None
        return None

    def _write(self, name: str, what: Any) -> None:
        fresh = self.path / (name + _NEW)
        fresh.write_bytes(msgspec.json.encode(what))
        fresh.replace(self.path / name)


def socket_address(path: Path) -> str:
    """The path as a socket's address, by the shorter of its two names. Raises: InputError if both are too long."""
    names = [os.fspath(path.absolute())]
    with suppress(OSError):  # the working folder may be gone
        names.append(os.path.relpath(path))
    shortest = min(names, key=lambda name: len(os.fsencode(name)))
    size = len(os.fsencode(shortest + _NEW))
    if size > _ADDRESS_MAX:
        problem = f"the path of the socket {path.name} is {size} bytes long, a socket's may have {_ADDRESS_MAX}"
        raise InputError(f"{problem}: give a state folder with a shorter path", place=str(path.parent))
    return shortest
