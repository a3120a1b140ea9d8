"""The state folder: one daemon a folder, and where each thing lies in it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from engine.errors import InputError

DEFAULT: Final = Path("state")


@frozen
class StateFolder:
    """Paths below one state folder."""

    root: Path

    @property
    def journal(self) -> Path:
        """What happened."""
        return self.root / "journal.db"

    @property
    def logins(self) -> Path:
        """The login budget."""
        return self.root / "logins.json"

    @property
    def gateway(self) -> Path:
        """The simulated gateway's own folder."""
        return self.root / "gateway"

    @property
    def recordings(self) -> Path:
        """What was recorded of the market."""
        return self.root / "recording"

    @property
    def wire(self) -> Path:
        """Exchanges with the venue, and the cores' inputs."""
        return self.root / "wire"

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.root / "daemon.log"


def prepare(root: Path) -> StateFolder:
    """Make the folder, for its owner alone.

    Raises: InputError if that can't be done.
    """
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(f"the state folder can't be made: {error.strerror}", place=str(root)) from error
    if not os.access(root, os.W_OK | os.X_OK):
        raise InputError("the state folder can't be written", place=str(root))
    return StateFolder(root)


@contextmanager
def alone(folder: StateFolder) -> Iterator[None]:
    """Hold the folder for this daemon.

    Raises: InputError if another daemon has it.
    """
    path = folder.root / "daemon.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
            told = f" (process {owner})" if owner.isdecimal() else ""
            raise InputError(f"another daemon runs on it{told}", place=str(folder.root)) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)
