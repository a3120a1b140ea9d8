"""The websocket itself: opened with the newest session id, drained at once, kept alive, and never trusted when silent.

Fulfils `supervisor.Stream`. The reader passes a frame on in the same turn of the loop while that takes no time
(`messages.py`); as soon as it does, frames go into our own bounded buffer (trio-websocket's own queue would hold up its
pongs), and another task decodes and passes on. A buffer that overflows is a dead link: order news must not be dropped.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final, cast
from urllib.parse import urlencode, urlsplit

import h11
import structlog
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)
from wsproto.utilities import ProtocolError

from engine.errors import VenueUnreachable
from engine.ports import Clock
from engine.webapi.auth import Handshake
from engine.webapi.budgets import SECOND
from engine.webapi.clock import move_on_after
from engine.webapi.facts.session import AuthStatus
from engine.webapi.facts.wire import Unreadable
from engine.webapi.rest import USER_AGENT, sentence
from engine.webapi.sessionfacts import DataFlows, DataSilent, Heard, StreamLost
from engine.webapi.sessionfacts import Pushed as StatusPushed
from engine.webapi.stream import frames
from engine.webapi.stream.messages import RECEIVE_BYTES, Messages
from engine.webapi.stream.registry import Registry
from engine.webapi.tap import Tap

BUFFER_FRAMES: Final = 50_000  # seconds of a very busy stream
BUFFER_BYTES: Final = 64 << 20
FRAME_BYTES_MAX: Final = 8 << 20
OPEN_LIMIT_S: Final = 15.0
AUTHORISE_LIMIT_S: Final = 15.0
PROOF_LIMIT_S: Final = 10.0
FLOOR_S: Final = 5.0  # of the wall, however fast the session's clock runs
SEND_LIMIT_S: Final = 10.0  # of the wall: a peer that takes no more than this is gone
CLOSE_LIMIT_S: Final = 1.0
LOOK_S: Final = 1.0
LONG_S: Final = 0.005  # of the wall; an order decided on a quote and handed to the journal takes a tenth of it
SAY_AGAIN_S: Final = 0.5  # of the wall, between two tellings of the session id
_NAME: Final = "GET /ws"
_NEWS: Final = frozenset({"sor", "str"})  # without these two we don't know what becomes of orders
# What the library and the layers below it raise when a connection breaks; ssl.SSLError is an OSError.
_BREAKS: Final = (
    HandshakeError,
    ConnectionClosed,
    ProtocolError,
    h11.ProtocolError,  # of an answer that is no HTTP
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)

log = structlog.get_logger()


class Socket:
    """One websocket at a time.

    Args:
        base_url: That of REST, such as `https://localhost:5000/v1/api`.
        on_frame: Told of every frame with the time it came, in order; must not wait.
        tell: Told of what the session machine has to know.
        tap: Sees every message, both ways.
    """

    def __init__(
        self,
        base_url: str,
        tls: ssl.SSLContext | None,
        clock: Clock,
        registry: Registry,
        *,
        on_frame: Callable[[frames.Said, int], None],
        tell: Callable[[Heard], None],
        tap: Tap | None = None,
    ) -> None:
        self._parts = urlsplit(base_url)
        self._tls = tls if self._parts.scheme == "https" else None
        self._clock = clock
        self._registry = registry
        self._on_frame = on_frame
        self._tell = tell
        self._tap = tap
        self._nursery: trio.Nursery | None = None
        self._link: WebSocketConnection | None = None
        self._scope = trio.CancelScope()
        self._buffer: deque[tuple[int, str | bytes]] = deque()
        self._bytes = 0
        self._filled = trio.Event()
        self._authorised = trio.Event()
        self._unauthorised = False
        self._busy = False  # who listens takes long: the reader only reads
        self._error: Exception | None = None
        self._heard_s = 0.0  # trio's clock
        self._time = trio.current_time
        self._flows: bool | None = None  # as the session machine was last told
        self.frames = 0
        self.unreadable = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry frames until cancelled; `connect` and the rest work meanwhile."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._pass_on)
            nursery.start_soon(self._look)
            task_status.started()

    # --- what the supervisor asks -------------------------------------------------------------------------------

    async def connect(self, handshake: Handshake) -> None:
        """Open it and return once it is authorised.

        Raises: VenueUnreachable.
        """
        assert self._nursery is not None, "the socket does not run"
        await self.disconnect()
        self._authorised = trio.Event()
        self._unauthorised = False
        self._buffer.clear()
        self._bytes = 0
        async with move_on_after(self._clock, OPEN_LIMIT_S, floor_s=FLOOR_S):
            await self._nursery.start(self._hold, handshake)
        if not self.is_open():
            raise VenueUnreachable(_NAME, f"no opening within {OPEN_LIMIT_S:g} s")
        said = _session_of(handshake)
        async with move_on_after(self._clock, AUTHORISE_LIMIT_S, floor_s=FLOOR_S):
            while self.is_open() and not self._authorised.is_set():
                if self._unauthorised and said:
                    self._unauthorised = False
                    await self.send([said])
                with trio.move_on_after(SAY_AGAIN_S):
                    await self._authorised.wait()
        if not self.is_open():
            raise VenueUnreachable(_NAME, "the websocket was lost before it was authorised")
        if not self._authorised.is_set():
            await self.disconnect()
            raise VenueUnreachable(_NAME, f"not authorised within {AUTHORISE_LIMIT_S:g} s")

    async def subscribe(self) -> None:
        """Subscribe to everything that is wanted, and wait until it comes or its time is up.

        Raises: VenueUnreachable.
        """
        self._flows = None
        await self.send(self._registry.connected(self._clock.now_ns()))
        async with move_on_after(self._clock, PROOF_LIMIT_S, floor_s=FLOOR_S):
            while self.is_open() and self._registry.unproved(self._clock.now_ns()):
                await self._clock.sleep(LOOK_S / 4)
        if not self.is_open():
            raise VenueUnreachable(_NAME, "the websocket was lost while it was subscribed")

    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._link is not None

    def tell_again(self) -> None:
        """Tell the session machine once more whether data flows: it listens only when it is up."""
        self._flows = None

    async def disconnect(self) -> None:
        """Close it if it is open."""
        link, self._link = self._link, None
        scope = self._scope
        self._registry.lost()
        if link is not None:
            with trio.move_on_after(CLOSE_LIMIT_S, shield=True):
                await link.aclose()
        scope.cancel()

    async def send(self, messages: list[str]) -> None:
        """Send messages in order; without a link they go nowhere, and `connected` says them again.

        Raises: VenueUnreachable if the link breaks.
        """
        link = self._link
        if link is None:
            return
        try:
            with trio.move_on_after(SEND_LIMIT_S) as limit:
                for message in messages:
                    await link.send_message(message)
                    if self._tap is not None:
                        self._tap.frame(True, message, self._clock.now_ns())
        except (ConnectionClosed, ProtocolError):
            raise VenueUnreachable(_NAME, "the websocket was lost") from None
        if limit.cancelled_caught:
            # What was cut in two can't be mended, and a peer that takes nothing is no peer.
            await self._end(link, f"the websocket took nothing for {SEND_LIMIT_S:g} s")
            raise VenueUnreachable(_NAME, "the websocket was lost")

    # --- tasks --------------------------------------------------------------------------------------------------

    async def _hold(
        self, handshake: Handshake, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """One connection from its opening to its end.

        Raises: VenueUnreachable before it is open.
        """
        link: WebSocketConnection | None = None
        problem = "the websocket was closed"
        stream = await self._dial()
        try:
            with trio.CancelScope() as scope:
                try:
                    async with trio.open_nursery() as nursery:
                        messages = Messages(stream, self._hear, size_max=FRAME_BYTES_MAX)
                        link = await self._upgrade(nursery, messages, handshake)
                        self._link, self._scope = link, scope
                        self._time = trio.lowlevel.current_clock().current_time
                        self._heard_s = self._time()
                        messages.start()
                        task_status.started()
                        problem = await self._read(link)
                        nursery.cancel_scope.cancel()
                except* _BREAKS as broken:
                    problem = _sentence(broken)
            if link is None:
                raise VenueUnreachable(_NAME, f"the websocket can't be opened: {problem}")
            await self._end(link, problem)
        finally:
            await trio.aclose_forcefully(stream)

    async def _dial(self) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
        """Open the stream below the websocket.

        Raises: VenueUnreachable.
        """
        assert self._parts.hostname is not None, "the base URL was looked at"
        host = self._parts.hostname
        port = self._parts.port or (443 if self._tls is not None else 80)
        try:
            if self._tls is None:
                return await trio.open_tcp_stream(host, port)
            stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=self._tls, https_compatible=True)
        except OSError:
            raise VenueUnreachable(_NAME, "the websocket can't be opened: nobody answers there") from None
        try:
            await stream.do_handshake()
        except BaseException as error:
            await trio.aclose_forcefully(stream)
            if isinstance(error, trio.BrokenResourceError):
                raise VenueUnreachable(_NAME, f"the websocket can't be opened: {sentence(error)}") from None
            raise
        return stream

    async def _upgrade(
        self, nursery: trio.Nursery, stream: trio.abc.Stream, handshake: Handshake
    ) -> WebSocketConnection:
        query = f"?{urlencode(handshake.query)}" if handshake.query else ""
        headers = [(name.encode(), value.encode()) for name, value in handshake.headers]
        return await wrap_client_stream(
            nursery,
            cast("trio.SocketStream", stream),  # it reads, writes and closes, and asks nothing else of it
            self._parts.netloc,
            f"{self._parts.path}/ws{query}",
            extra_headers=[*headers, (b"User-Agent", USER_AGENT.encode())],
            message_queue_size=1_024,
            max_message_size=FRAME_BYTES_MAX,
            receive_buffer_size=RECEIVE_BYTES,
        )

    async def _read(self, link: WebSocketConnection) -> str:
        """Hear what is not taken before the library sees it; return why it has ended."""
        try:
            while True:
                if not self._hear(await link.get_message()):
                    return f"{len(self._buffer) + 1} frames wait to be read, more than may"
        except ConnectionClosed as closed:
            return _sentence(closed)

    def _hear(self, raw: str | bytes) -> bool:
        """Take a frame: at once, or into the buffer; False if that has no room, and then nothing has happened."""
        if len(self._buffer) >= BUFFER_FRAMES or self._bytes + len(raw) > BUFFER_BYTES:
            return False
        at_ns, self._heard_s = self._clock.now_ns(), self._time()
        if self._tap is not None:
            self._tap.frame(False, raw, at_ns)
        if not self._buffer and not self._busy:
            self._take_at_once(at_ns, raw)
            return True
        self._buffer.append((at_ns, raw))
        self._bytes += len(raw)
        self._filled.set()
        return True

    async def _pass_on(self) -> None:
        while True:
            await self._filled.wait()
            self._filled = trio.Event()
            if self._error is not None:
                raise self._error
            while self._buffer:
                at_ns, raw = self._buffer.popleft()
                self._bytes -= len(raw)
                self._take(at_ns, raw)
                if self.frames % 64 == 0:
                    await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()  # more may be on its way through the library
            self._busy = bool(self._buffer)

    def _take_at_once(self, at_ns: int, raw: str | bytes) -> None:
        """Pass a frame on in the reader's own turn. If it took long, the next ones are for the other task, so that the
        reader reads; an error is of whoever listens, no break of the link: that task raises it."""
        began_s = perf_counter()
        try:
            self._take(at_ns, raw)
        except Exception as error:  # noqa: BLE001
            self._error = error
        if self._error is not None or perf_counter() - began_s > LONG_S:
            self._busy = True
            self._filled.set()

    def _take(self, at_ns: int, raw: str | bytes) -> None:
        self._registry.heard(at_ns)
        for frame in frames.read(raw):
            self._one(frame, at_ns)
        self.frames += 1

    def _one(self, frame: frames.Said, at_ns: int) -> None:
        match frame:
            case frames.Pushed(status=status):
                if status.authenticated:
                    self._authorised.set()
                self._tell(StatusPushed(status=status))
            case frames.Waiting():
                self._unauthorised = True
                if self._authorised.is_set():
                    self._tell(StatusPushed(status=AuthStatus(authenticated=False)))
            case frames.Trouble(topic=topic) if topic.partition("+")[0] in _NEWS:
                if self._nursery is not None and self._link is not None:
                    self._nursery.start_soon(self._end, self._link, f"{topic} is refused: {frame.text}")
            case Unreadable():
                self.unreadable += 1
                if self.unreadable & (self.unreadable - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: a log has its bounds
                    log.warning("frame_unreadable", reason=frame.reason, so_far=self.unreadable)
        self._on_frame(frame, at_ns)

    async def _look(self) -> None:
        """Signs of life, renewals, and the end of a link that gives none."""
        while True:
            await self._clock.sleep(LOOK_S)
            link = self._link
            if link is None:
                continue
            now_ns = self._clock.now_ns()
            silent_s = trio.current_time() - self._heard_s
            if self._registry.dead(now_ns) and silent_s > FLOOR_S and not self._buffer:
                await self._end(link, "no frame came for too long")
                continue
            try:
                await self.send(self._registry.due(now_ns))
            except VenueUnreachable:
                continue  # whoever holds the connection tells
            self._data_health(now_ns)

    def _data_health(self, now_ns: int) -> None:
        """Tell when what should come begins or ceases to come."""
        silent = self._registry.silent
        if silent:
            if self._flows is not False:
                self._flows = False
                self._tell(DataSilent(problem=f"no data of {', '.join(sorted(silent))}"))
        elif self._flows is not True and not self._registry.unproved(now_ns):
            self._flows = True
            self._tell(DataFlows())

    async def _end(self, link: WebSocketConnection, problem: str) -> None:
        """End a connection and tell of it, unless it was ended already."""
        if self._link is link:
            await self.disconnect()
            log.warning("websocket_lost", problem=problem)
            self._tell(StreamLost(problem=problem))

    def age_s(self, now_ns: int) -> float:
        """How far behind the buffer is, in seconds of the session's clock."""
        return (now_ns - self._buffer[0][0]) / SECOND if self._buffer else 0.0


def _sentence(error: BaseException) -> str:
    """What a library's error means. Nothing of its own text is quoted: it may hold the URL, and with it a token."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case ConnectionRejected(status_code=status):
            return f"it answers with HTTP status {status}"
        case ConnectionClosed(reason=reason):
            return f"the websocket was closed ({reason.code if reason else 'without a word'})"
        case _:
            return sentence(error)


def _session_of(handshake: Handshake) -> str:
    """The text message that authorises a socket where the cookie did not: the same session id."""
    for name, value in handshake.headers:
        if name.lower() == "cookie" and value.startswith("api="):
            text = value.removeprefix("api=")
            return text if text.startswith("{") else f'{{"session":"{text}"}}'
    return ""
