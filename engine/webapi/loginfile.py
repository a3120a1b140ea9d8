"""The login budget in a small file of its own."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import trio

from engine.errors import ConfigError
from engine.webapi.logins import Logins


def load(path: Path) -> Logins:
    """Read the file; none is no attempts. Raises: ConfigError if it can't be read as what it is."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Logins)
    except FileNotFoundError:
        return Logins()
    except (OSError, msgspec.MsgspecError):
        raise ConfigError(
            "not a list of logins; delete it if you are sure that none was made lately", place=str(path)
        ) from None


def save(path: Path, logins: Logins) -> None:
    """Replace the file at once and for good. Raises: OSError."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(logins))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class LoginFile:
    """Fulfils `supervisor.Ledger`; written off the loop's thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Logins:
        """Read the file. Raises: ConfigError."""
        return load(self._path)

    async def keep(self, made: Logins) -> None:
        """Replace the file. Raises: OSError."""
        await trio.to_thread.run_sync(save, self._path, made)
