"""A stage between the network and the websocket library: messages are read here, all else is the library's.

trio-websocket and wsproto take some eighty calls and a turn of the loop for a message. What a server sends is nearly
always one frame of text, unmasked and whole (RFC 6455, section 5.2), which takes a look at two bytes. The handshake,
pings and closes go to the library, and so does whatever breaks the rules: it answers that as the RFC asks, and gets all
bytes from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

RECEIVE_BYTES: Final = 65_536
_TOGETHER: Final = 4  # messages taken in one turn of the loop; others wait meanwhile
_FIN, _OPCODE, _MASKED = 0x80, 0x0F, 0x80
_GO_ON, _TEXT, _BINARY = 0, 1, 2
_WHOLE_TEXT: Final = _FIN | _TEXT
_DATA: Final = frozenset({_GO_ON, _TEXT, _BINARY, _FIN | _GO_ON, _WHOLE_TEXT, _FIN | _BINARY})  # first bytes of frames
_CONTROL: Final = frozenset({_FIN | 8, _FIN | 9, _FIN | 10})  # close, ping, pong
_TWO, _EIGHT = 126, 127  # so many bytes of length follow
_HEAD_ENDS: Final = b"\r\n\r\n"
_HEAD_MAX: Final = 65_536
_ACCEPTED: Final = b"HTTP/1.1 101"


class Messages(trio.abc.Stream):
    """A stream whose reader gets what is no message.

    Args:
        take: Called with each message, in order, in the turn of the loop in which it has been read. False: it has no
            room, and then this message and all that follow are the library's.
        size_max: Bytes of a message; a longer one is the library's to refuse.
    """

    def __init__(self, below: trio.abc.Stream, take: Callable[[str | bytes], bool], *, size_max: int) -> None:
        self._below = below
        self._take = take
        self._size_max = size_max
        self._held = bytearray()  # has been read and is nobody's yet
        self._kind = _GO_ON  # of the message of which there are parts
        self._parts = bytearray()
        self._in_head = True
        self._past = False  # all is the library's
        self._go = trio.Event()

    def start(self) -> None:
        """Messages may be taken from now on; until then nothing behind the handshake is read."""
        self._go.set()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return the next bytes that are the library's; messages before them are taken."""
        if not (self._in_head or self._past):
            await self._go.wait()
            if self._held and (found := await self._sort(b"")):
                return found
        while data := await self._below.receive_some(max_bytes or RECEIVE_BYTES):
            if self._past:
                return bytes(data)
            if self._in_head:
                return self._head(data)
            if found := await self._sort(data):
                return found
        return b""

    def _head(self, data: bytes | bytearray) -> bytes:
        """The server's answer to the handshake; what follows one that accepts is held."""
        self._held += data
        end = self._held.find(_HEAD_ENDS) + len(_HEAD_ENDS)
        if end < len(_HEAD_ENDS) and len(self._held) < _HEAD_MAX:
            return bytes(data)
        self._in_head = False
        self._past = not self._held.startswith(_ACCEPTED)
        behind = self._held[end:]
        self._held = bytearray() if self._past else behind
        return bytes(data[: len(data) - len(self._held)])

    async def _sort(self, data: bytes | bytearray) -> bytes:
        """Take the messages in what is held and in `data`, up to what is the library's; return that."""
        if self._held:
            self._held += data
            data = self._held
        at, taken = 0, 0
        while (found := _frame(data, at, self._size_max)) is not None:
            first, start, end = found
            if first in _CONTROL and end - start < _TWO:
                self._held = bytearray(data[end:])
                return bytes(data[at:end])
            payload, kind = data[start:end], _TEXT
            if first != _WHOLE_TEXT or self._kind:
                if not self._is_part(first, end - start):
                    return self._leave(data[at:])
                self._parts += payload
                at = end
                if not first & _FIN:
                    continue
                payload, self._parts = self._parts, bytearray()
                kind, self._kind = self._kind, _GO_ON
            if not self._hear(kind, payload):
                return self._leave(_written(kind, payload) + data[end:])
            at = end
            taken += 1
            if taken % _TOGETHER == 0:
                await trio.lowlevel.cancel_shielded_checkpoint()
        if at or data is not self._held:
            self._held = bytearray(data[at:])
        return b""

    def _is_part(self, first: int, size: int) -> bool:
        """Whether a frame may follow on the last one, in a message that is not too long."""
        kind = first & _OPCODE
        if first not in _DATA or bool(kind) == bool(self._kind) or len(self._parts) + size > self._size_max:
            return False
        self._kind = kind or self._kind
        return True

    def _hear(self, kind: int, message: bytes | bytearray) -> bool:
        if kind == _BINARY:
            return self._take(bytes(message))
        try:
            text = str(message, "utf-8")
        except UnicodeDecodeError:
            return False
        return self._take(text)

    def _leave(self, data: bytes | bytearray) -> bytes:
        self._past = True
        self._held = bytearray()
        return bytes(data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As below."""
        await self._below.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As below."""
        await self._below.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """As below."""
        await self._below.aclose()


def _frame(data: bytes | bytearray, at: int, size_max: int) -> tuple[int, int, int] | None:
    """A frame's first byte, and where its payload begins and ends; None if it is not there yet.

    In place of the first byte -1 where no server may send that, or it is too long.
    """
    there = len(data) - at
    if there < 2:
        return None
    size, start = data[at + 1], at + 2
    if size >= _TWO:
        if size & _MASKED:
            return -1, start, start
        start += 2 if size == _TWO else 8
        if len(data) < start:
            return None
        size = int.from_bytes(data[at + 2 : start], "big")
    if size > size_max:
        return -1, start, start
    end = start + size
    return None if len(data) < end else (data[at], start, end)


def _written(kind: int, payload: bytes | bytearray) -> bytes:
    """A message as one frame."""
    size = len(payload)
    if size < _TWO:
        head = bytes((_FIN | kind, size))
    elif size < 1 << 16:
        head = bytes((_FIN | kind, _TWO)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FIN | kind, _EIGHT)) + size.to_bytes(8, "big")
    return head + payload
