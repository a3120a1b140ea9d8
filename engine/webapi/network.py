"""httpx's transport on trio and h11: kept connections, a request in one write, and a word on whether any byte left.

httpcore's pool would cost an order 0.4 ms on its way to the venue: locks and traces that give the loop turns, headers
and body in two writes. What is constant in requests is written and checked once (`Head`).
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import lru_cache
from time import monotonic
from typing import Final

import attrs
import h11
import httpx
import trio

from engine.ports import Permit

CONNECTIONS_MAX: Final = 10
DIRECT_S: Final = 1.0  # a permit that comes later than this finds a connection that has to be looked at
IDLE_S: Final = 5.0  # of the wall: servers close what lies idle, and a request that meets that is lost
POOL_LIMIT_S: Final = 10.0
CONNECT_LIMIT_S: Final = 10.0
PROGRESS: Final = "progress"  # where a request's extensions say how far it came
READY: Final = "ready"  # likewise, where it waits for its permit
_HEAD_BYTES_MAX: Final = 100 * 1024
_READ_BYTES: Final = 64 * 1024
Origin = tuple[str, str, int | None]  # scheme, host, port
_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
_BROKEN: Final = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


class Withheld(Exception):
    """The permit of a request was refused: nothing of it has left."""


class Progress:
    """How far a request came, and what it has to wait for; a stand-in for the network tells nothing."""

    __slots__ = ("heard", "permit", "sending")

    def __init__(self, permit: Permit | None = None) -> None:
        self.heard = self.sending = False
        self.permit = permit

    @property
    def unsent(self) -> bool:
        """Whether it is certain that no byte of the request left us."""
        return self.heard and not self.sending


@attrs.frozen
class Head:
    """A request's first lines up to its length, and the same for h11, which has to know what was asked."""

    text: bytes
    event: h11.Request


@lru_cache(maxsize=256)
def _head(method: bytes, target: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> Head:
    """Raises: h11.LocalProtocolError for what can't be a request."""
    event = h11.Request(method=method, target=target, headers=list(headers))
    text = h11.Connection(h11.CLIENT).send(event)
    assert text is not None
    return Head(text.removesuffix(b"\r\n"), event)


def _written(head: Head, body: bytes | None) -> bytes:
    length = b"\r\n" if body is None else b"Content-Length: %d\r\n\r\n" % len(body)
    return b"".join((head.text, length, body or b""))


class _Connection:
    """One connection that carries one request at a time."""

    def __init__(self, origin: Origin, stream: _Stream) -> None:
        self.origin = origin
        self._stream = stream
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES_MAX)
        self._below = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        self._socket = self._below.socket
        self.direct = _twin(self._socket)  # whoever grants a permit writes here, from his own thread
        self.idle_since_s = 0.0

    def is_good(self) -> bool:
        """Whether it may carry another request: what can be read from an idle connection is its end."""
        return trio.current_time() - self.idle_since_s <= IDLE_S and not self._socket.is_readable()

    async def ask(self, head: Head, body: bytes | None, progress: Progress | None) -> h11.Response:
        """Send a request and read the head of its answer."""
        data = _written(head, body)
        if progress is not None:
            if progress.permit is not None:
                return await self.answer(head, await self.arm(data, progress, progress.permit).rest())
            progress.sending = True
        return await self.answer(head, _Rest(data))

    def arm(self, data: bytes, progress: Progress, permit: Permit) -> Ready:
        """Have bytes ready, so that whoever grants the permit sends them, or what of them has room, in his thread."""
        ready = Ready(self, data, progress, permit)
        permit.arm(ready.go)
        return ready

    def sealed(self, data: bytes) -> bytes | None:
        """Data as it goes over the wire; None where only the stream can tell. What is sealed has to be sent next."""
        if self._below is self._stream:
            return data
        with suppress(KeyError, ssl.SSLError):  # trio has no public way to a record that is not sent yet
            vars(self._stream)["_ssl_object"].write(data)
            record = vars(self._stream)["_outgoing"].read()
            return record if isinstance(record, bytes) else None
        return None

    async def answer(self, head: Head, rest: _Rest) -> h11.Response:
        """Send what is left of a request, and read the head of its answer."""
        with suppress(*_BROKEN):  # a server that closes early may have said why
            if rest.data:
                await (self._below if rest.sealed else self._stream).send_all(rest.data)
        self._state.send(head.event)
        self._state.send(h11.EndOfMessage())
        while True:
            event = await self.event()
            if isinstance(event, h11.Response):
                return event

    async def event(self) -> h11.Event:
        """The next part of an answer; parts that are informational are among them."""
        while True:
            try:
                event = self._state.next_event()
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from None
            if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise httpx.RemoteProtocolError("the answer ended before its end")
            if event is not h11.NEED_DATA:
                assert isinstance(event, h11.Event)
                return event
            try:
                data = await self._stream.receive_some(_READ_BYTES)
            except _BROKEN as error:
                raise httpx.ReadError(type(error).__name__) from None
            if not data and self._state.their_state is h11.SEND_RESPONSE:
                raise httpx.RemoteProtocolError("the server left without an answer")
            self._state.receive_data(bytes(data))

    def reset(self) -> bool:
        """Get ready for another request; False if it can't carry one."""
        if self._state.our_state is not h11.DONE or self._state.their_state is not h11.DONE:
            return False
        if self._state.trailing_data[0]:  # nobody has asked for it, and it would be taken for the next one's answer
            return False
        self._state.start_next_cycle()
        self.idle_since_s = trio.current_time()
        return True

    async def aclose(self) -> None:
        """Close it without a farewell: there is nothing left to say."""
        self.direct.close()
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._stream)


def _twin(one: trio.socket.SocketType) -> socket.socket:
    """A plain socket for the same connection, which never waits."""
    twin = socket.socket(one.family, one.type, one.proto, fileno=os.dup(one.fileno()))
    twin.setblocking(False)
    return twin


class Ready:
    """The bytes of a request that wait for its permit, on a connection that is theirs."""

    def __init__(self, connection: _Connection, data: bytes, progress: Progress, permit: Permit) -> None:
        self.connection = connection
        self._data = data
        self._record = connection.sealed(data)
        self._progress = progress
        self._permit = permit
        self._sent = 0
        self._until_s = monotonic() + DIRECT_S

    def go(self) -> None:
        """Send what has room. In the thread of whoever grants the permit."""
        self._progress.sending = True
        if self._record is not None and monotonic() < self._until_s:
            try:
                self._sent = self.connection.direct.send(self._record)
            except OSError:
                self._sent = 0  # no room, or broken: who writes the rest sees what it is

    async def rest(self) -> _Rest:
        """Wait for the permit; return what is still to be sent.

        Raises: Withheld.
        """
        try:
            allowed = await self._permit.settled()
        finally:
            self._permit.disarm()
        if not allowed:
            raise Withheld
        self._progress.sending = True
        if self._record is None:
            return _Rest(self._data, untouched=True)
        return _Rest(self._record[self._sent :], sealed=True, untouched=self._sent == 0)

    def anew(self) -> _Rest:
        """All of it, for another connection."""
        return _Rest(self._data)


@attrs.frozen
class _Rest:
    """What is left of a request: `sealed` as it goes over the wire, `untouched` while nothing of it has left."""

    data: bytes
    sealed: bool = False
    untouched: bool = False


class _Body(httpx.AsyncByteStream):
    """An answer's body as it comes; its end, or its closing, lets go of the connection."""

    def __init__(self, network: Network, connection: _Connection) -> None:
        self._network = network
        self._connection: _Connection | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        connection = self._connection
        while connection is not None:
            try:
                event = await connection.event()
            except BaseException:
                await self.aclose()
                raise
            if isinstance(event, h11.EndOfMessage):
                return
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._network.give_back(connection)


def head_of(request: httpx.Request) -> tuple[Origin, Head]:
    """Where a request goes, and its head, without its length. Raises: httpx.UnsupportedProtocol."""
    url = request.url
    return (url.scheme, url.host, url.port), _parts(request)[0]


def _parts(request: httpx.Request) -> tuple[Head, bytes | None]:
    """A request's head and body. Raises: httpx.UnsupportedProtocol for what can't be one."""
    sized = "content-length" in request.headers
    headers = tuple(pair for pair in request.headers.raw if not sized or pair[0].lower() != b"content-length")
    try:
        head = _head(request.method.encode(), request.url.raw_path, headers)
    except h11.LocalProtocolError as error:
        raise httpx.UnsupportedProtocol(str(error)) from None
    if not sized:
        return head, None
    return head, b"".join(request.stream) if isinstance(request.stream, httpx.ByteStream) else request.content


class Network(httpx.AsyncBaseTransport):
    """HTTP/1.1 without retries and without proxies. Raises httpx's errors."""

    def __init__(self, verify: ssl.SSLContext | None) -> None:
        self._verify = verify
        if verify is not None:
            verify.set_alpn_protocols(["http/1.1"])
        self._idle: list[_Connection] = []  # the one used last is at the end
        self._room = trio.Semaphore(CONNECTIONS_MAX)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the answer with its body still to come."""
        progress: Progress | None = request.extensions.get(PROGRESS)
        if progress is not None:
            progress.heard = True
        ready: Ready | None = request.extensions.get(READY)
        head, body = _parts(request)
        if ready is None:
            connection, left = await self._connection_for(request), _Rest(b"")
        else:
            connection, left = await self._permitted(ready, request)
        try:
            if ready is None:
                answer = await connection.ask(head, body, progress)
            else:
                answer = await connection.answer(head, left)
        except BaseException:
            await self.give_back(connection)
            raise
        return httpx.Response(answer.status_code, headers=answer.headers.raw_items(), stream=_Body(self, connection))

    def ready(self, origin: Origin, head: Head, body: bytes | None, progress: Progress) -> Ready | None:
        """Have a request wait for its permit on an idle connection; None if there is none.

        Whoever gets one has to hand it to `handle_async_request`, as the request's extension `READY`.
        """
        assert progress.permit is not None
        try:
            self._room.acquire_nowait()
        except trio.WouldBlock:
            return None
        for one in reversed(self._idle):
            if one.origin == origin and one.is_good():
                self._idle.remove(one)
                progress.heard = True
                return one.arm(_written(head, body), progress, progress.permit)
        self._room.release()
        return None

    async def _permitted(self, ready: Ready, request: httpx.Request) -> tuple[_Connection, _Rest]:
        """Wait until a request may leave; return where, and what is left of it to be sent."""
        connection = ready.connection
        try:
            left = await ready.rest()
        except BaseException:
            await self.give_back(connection)
            raise
        if left.untouched and not connection.is_good():  # the permit came late, and the server has left meanwhile
            await self.give_back(connection)
            return await self._connection_for(request), ready.anew()
        return connection, left

    async def _connection_for(self, request: httpx.Request) -> _Connection:
        url = request.url
        try:
            self._room.acquire_nowait()
        except trio.WouldBlock:
            with trio.move_on_after(POOL_LIMIT_S) as limit:
                await self._room.acquire()
            if limit.cancelled_caught:
                raise httpx.PoolTimeout("too many requests are on their way") from None
        try:
            return await self._take((url.scheme, url.host, url.port))
        except BaseException:
            self._room.release()
            raise

    async def give_back(self, connection: _Connection) -> None:
        """An answer has ended, or nobody wants its rest: the connection is kept or closed."""
        self._room.release()
        if connection.reset():
            self._idle.append(connection)
        else:
            await connection.aclose()

    async def aclose(self) -> None:
        """Close all connections that lie idle."""
        idle, self._idle = self._idle, []
        for one in idle:
            await one.aclose()

    async def _take(self, origin: Origin) -> _Connection:
        """An idle connection that is good, or a new one."""
        idle, self._idle = self._idle, []
        found: _Connection | None = None
        stale: list[_Connection] = []
        for one in reversed(idle):
            if not one.is_good():
                stale.append(one)
            elif found is None and one.origin == origin:
                found = one
            else:
                self._idle.insert(0, one)
        for one in stale:
            await one.aclose()
        return found or await self._connect(origin)

    async def _connect(self, origin: Origin) -> _Connection:
        scheme, host, port = origin
        with trio.move_on_after(CONNECT_LIMIT_S):
            try:
                stream = await trio.open_tcp_stream(host, port or (443 if scheme == "https" else 80))
            except OSError as error:
                raise httpx.ConnectError("nobody answers there") from error
            if scheme == "http":
                return _Connection(origin, stream)
            secret = trio.SSLStream(
                stream,
                self._verify or ssl.create_default_context(),
                server_hostname=host,
                https_compatible=True,
            )
            try:
                await secret.do_handshake()
            except BaseException as error:
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(stream)
                if isinstance(error, _BROKEN):
                    raise httpx.ConnectError("the handshake failed") from error
                raise
            return _Connection(origin, secret)
        raise httpx.ConnectTimeout("no connection in time")
