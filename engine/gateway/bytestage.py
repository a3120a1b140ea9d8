"""A stage between the socket and Hypercorn where bytes can get lost: what an ASGI app can't do to its own answer.

Hypercorn's `TCPServer` is given a stage in place of the stream. It hands bytes through until a fault script cuts it.
"""

from __future__ import annotations

import socket
import struct
from typing import Final, Literal

import trio

Stream = trio.SSLStream[trio.SocketStream] | trio.SocketStream

# Linger with no time: the kernel answers with a reset instead of an orderly end.
_RESET: Final = struct.pack("ii", 1, 0)

Cut = Literal["close", "reset", "half-open", "cut"]


def frame(payload: bytes, *, binary: bool) -> bytes:
    """A websocket message in one frame, as a server sends it (RFC 6455, section 5.2: final, not masked)."""
    opcode, size = (0x82 if binary else 0x81), len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", opcode, 126, size) + payload
    return struct.pack("!BBQ", opcode, 127, size) + payload


class Stage:
    """One connection. It has what Hypercorn's `TCPServer` asks of a plain stream; TLS lies below it.

    `cut` says what becomes of the connection:
    - `close`: it ends without a further byte, as a process that died leaves it;
    - `reset`: the peer sees a reset;
    - `half-open`: nothing is sent any more and what comes is thrown away, but the connection stands;
    - `cut`: the next answer's head and half of its body go out, then the connection ends.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.socket = stream.transport_stream.socket if isinstance(stream, trio.SSLStream) else stream.socket
        self._sending = trio.Lock()  # Hypercorn's answers and our frames take turns
        self._head = b""
        self._unread = b""
        self.mute = False  # a script has made it half-open
        self._halve = False
        self._ended = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, as far as the script lets it. Raises: trio.BrokenResourceError once it has ended."""
        async with self._sending:
            if self._ended:
                raise trio.BrokenResourceError("cut by the fault script")
            if self.mute:
                return
            if data[:5] == b"HTTP/" and data[9:10] != b"1":
                # An answer's head waits for its body: one TLS record and one system call instead of two each.
                self._head = bytes(data)
                return
            whole, self._head = self._head + data, b""
            if self._halve:
                await self._stream.send_all(whole[: len(whole) - (len(data) + 1) // 2])
                self.cut("close")
            elif whole:
                await self._stream.send_all(whole)

    async def send_answer(self, head: bytes, body: bytes) -> None:
        """Send a whole answer in one piece. Raises: trio.BrokenResourceError once the connection has ended."""
        await self.send_all(head)
        await self.send_all(body)

    def unread(self, data: bytes) -> None:
        """Have `receive_some` give these bytes first."""
        self._unread = data

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive; for ever silent where the script has made it deaf."""
        if self._unread:
            unread, self._unread = self._unread, b""
            return unread
        while True:
            data = await self._stream.receive_some(max_bytes)
            if not self.mute or not data:
                return data

    async def send_eof(self) -> None:
        """End our half, where the stream can."""
        if isinstance(self._stream, trio.SocketStream) and not self._ended:
            await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close; a half-open connection is left to the peer's patience."""
        if self.mute and not self._ended:
            return
        await trio.aclose_forcefully(self._stream) if self._ended else await self._stream.aclose()

    def cut(self, how: Cut) -> None:
        """Let the script's mishap happen from here on; to a connection that has ended nothing more can."""
        if self._ended or self.socket.fileno() < 0:
            return
        match how:
            case "half-open":
                self.mute = True
            case "cut":
                self._halve = True
            case "close" | "reset":
                self._ended = True
                if how == "reset":
                    self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # Closing the socket itself wakes whoever waits on it; a TLS goodbye would be too polite.
                self.socket.close()
