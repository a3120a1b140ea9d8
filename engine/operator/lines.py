"""Lines of JSON over Unix sockets: bounded in size and time, readable by their owner alone."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from engine.errors import InputError
from engine.operator.folder import socket_address

_CHUNK = 1 << 16


class LineTooLong(Exception):
    """The other side sent more than a line may have."""


class Lines:
    """Lines of a stream. One task reads, any task may write.

    Args:
        line_max: Bytes a line may have.
    """

    def __init__(self, stream: trio.SocketStream, line_max: int) -> None:
        self._stream = stream
        self._max = line_max
        self._rest = bytearray()
        self._writing = trio.Lock()

    async def receive(self) -> bytes | None:
        """The next line without its end; None when the other side has gone, in whatever way.

        Raises: LineTooLong.
        """
        looked = 0
        while (end := self._rest.find(b"\n", looked)) < 0:
            if len(self._rest) > self._max:
                raise LineTooLong
            looked = len(self._rest)
            try:
                more = await self._stream.receive_some(_CHUNK)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return None
            if not more:
                return None
            self._rest += more
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line

    async def send(self, line: bytes) -> bool:
        """Send a line with its end; False if nobody is there any more."""
        async with self._writing:
            try:
                await self._stream.send_all(line)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return False
        return True

    async def aclose(self) -> None:
        """Hang up."""
        await self._stream.aclose()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._lines()

    async def _lines(self) -> AsyncIterator[bytes]:
        while (line := await self.receive()) is not None:
            yield line


def listen(path: Path) -> trio.SocketListener:
    """Listen at a path, for our own user alone; what lies there from before is replaced at once.

    The caller holds the folder, so nobody else listens there. Raises: InputError.
    """
    address = socket_address(path)
    fresh = Path(address + ".new")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        fresh.unlink(missing_ok=True)
        server.bind(os.fspath(fresh))
        # Closed to others before it has the name that clients know.
        fresh.chmod(0o600)
        server.listen(16)
        fresh.replace(address)
    except OSError as error:
        server.close()
        raise InputError(f"can't listen there: {error.strerror or error}", place=str(path)) from error
    server.setblocking(False)
    return trio.SocketListener(trio.socket.from_stdlib_socket(server))


async def call(path: Path, line_max: int) -> Lines | None:
    """Connect to a path; None if nobody listens there. Raises: InputError."""
    try:
        stream = await trio.open_unix_socket(socket_address(path))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"can't be spoken to: {error.strerror or error}", place=str(path)) from error
    return Lines(stream, line_max)
