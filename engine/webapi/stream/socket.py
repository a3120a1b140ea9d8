"""The websocket itself: opened with the newest session id, drained at once, kept alive, and never trusted when silent.

Fulfils `supervisor.Stream`. A reader does nothing but read, into our own bounded buffer (trio-websocket's own queue of
one frame would hold up its pongs); another task decodes and passes on. A buffer that overflows is a dead link: order
news must not be dropped.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

import structlog
import trio
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, connect_websocket_url

from engine.errors import VenueUnreachable
from engine.ports import Clock
from engine.webapi.auth import Handshake
from engine.webapi.budgets import SECOND
from engine.webapi.clock import move_on_after
from engine.webapi.facts.wire import Unreadable
from engine.webapi.rest import USER_AGENT
from engine.webapi.sessionfacts import DataFlows, DataSilent, Heard, StreamLost
from engine.webapi.sessionfacts import Pushed as StatusPushed
from engine.webapi.stream import frames
from engine.webapi.stream.registry import Registry

BUFFER_FRAMES: Final = 50_000  # seconds of a very busy stream
FRAME_BYTES_MAX: Final = 8 << 20
OPEN_LIMIT_S: Final = 15.0
AUTHORISE_LIMIT_S: Final = 15.0
PROOF_LIMIT_S: Final = 10.0
FLOOR_S: Final = 5.0  # of the wall, however fast the session's clock runs
LOOK_S: Final = 1.0
_NAME: Final = "GET /ws"

log = structlog.get_logger()


class Socket:
    """One websocket at a time.

    Args:
        base_url: That of REST, such as `https://localhost:5000/v1/api`.
        on_frame: Told of every frame with the time it came, in order; must not wait.
        tell: Told of what the session machine has to know.
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
    ) -> None:
        parts = urlsplit(base_url)
        self._url = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}{parts.path}/ws"
        self._tls = tls if parts.scheme == "https" else None
        self._clock = clock
        self._registry = registry
        self._on_frame = on_frame
        self._tell = tell
        self._nursery: trio.Nursery | None = None
        self._link: WebSocketConnection | None = None
        self._scope = trio.CancelScope()
        self._buffer: deque[tuple[int, str | bytes]] = deque()
        self._filled = trio.Event()
        self._authorised = trio.Event()
        self._session_text = ""
        self._flows = False
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
        url = self._url + (f"?{urlencode(handshake.query)}" if handshake.query else "")
        headers = [(name.encode(), value.encode()) for name, value in handshake.headers]
        headers.append((b"User-Agent", USER_AGENT.encode()))
        self._session_text = _session_of(handshake)
        self._authorised = trio.Event()
        self._buffer.clear()
        self._scope = trio.CancelScope()
        problem = f"no opening within {OPEN_LIMIT_S:g} s"
        try:
            async with move_on_after(self._clock, OPEN_LIMIT_S, floor_s=FLOOR_S):
                self._link = await connect_websocket_url(
                    self._nursery,
                    url,
                    self._tls,
                    extra_headers=headers,
                    message_queue_size=1_024,
                    max_message_size=FRAME_BYTES_MAX,
                    receive_buffer_size=65_536,
                )
        except (HandshakeError, OSError, ssl.SSLError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            problem = f"the websocket can't be opened: {type(error).__name__}"
        if self._link is None:
            raise VenueUnreachable(_NAME, problem)
        self._nursery.start_soon(self._read, self._link, self._scope)
        async with move_on_after(self._clock, AUTHORISE_LIMIT_S, floor_s=FLOOR_S):
            await self._authorised.wait()
        if not self._authorised.is_set():
            await self.disconnect()
            raise VenueUnreachable(_NAME, f"not authorised within {AUTHORISE_LIMIT_S:g} s")

    async def subscribe(self) -> None:
        """Subscribe to everything that is wanted, and wait until it comes or its time is up.

        Raises: VenueUnreachable.
        """
        await self.send(self._registry.connected(self._clock.now_ns()))
        self._flows = False
        async with move_on_after(self._clock, PROOF_LIMIT_S, floor_s=FLOOR_S):
            while not all(self._registry.proved(conid) for conid in self._registry.wanted):
                await self._clock.sleep(LOOK_S / 4)
        if self._link is None:
            raise VenueUnreachable(_NAME, "the websocket was lost while it was subscribed")
        self._data_health()

    async def disconnect(self) -> None:
        """Close it if it is open."""
        link, self._link = self._link, None
        self._registry.lost()
        self._scope.cancel()
        if link is not None:
            with trio.move_on_after(1.0, shield=True):
                await link.aclose()

    async def send(self, messages: list[str]) -> None:
        """Send messages in order; without a link they go nowhere, and `connected` says them again.

        Raises: VenueUnreachable if the link breaks.
        """
        link = self._link
        if link is None:
            return
        try:
            for message in messages:
                await link.send_message(message)
        except ConnectionClosed as closed:
            raise VenueUnreachable(_NAME, "the websocket was lost") from closed

    # --- tasks --------------------------------------------------------------------------------------------------

    async def _read(self, link: WebSocketConnection, scope: trio.CancelScope) -> None:
        """Nothing but reading."""
        problem = "the websocket was closed"
        with scope:
            try:
                while True:
                    raw = await link.get_message()
                    self._buffer.append((self._clock.now_ns(), raw))
                    self._filled.set()
                    if len(self._buffer) > BUFFER_FRAMES:
                        problem = f"more than {BUFFER_FRAMES} frames wait to be read"
                        break
            except ConnectionClosed as closed:
                reason = closed.reason
                problem = f"the websocket was closed ({reason.code if reason else 'without a word'})"
        if scope.cancelled_caught or self._link is not link:
            return  # we closed it ourselves
        await self.disconnect()
        self._lost(problem)

    async def _pass_on(self) -> None:
        while True:
            await self._filled.wait()
            self._filled = trio.Event()
            while self._buffer:
                at_ns, raw = self._buffer.popleft()
                self._registry.heard(at_ns)
                for frame in frames.read(raw):
                    self._one(frame, at_ns)
                self.frames += 1
                if self.frames % 64 == 0:
                    await trio.lowlevel.checkpoint()

    def _one(self, frame: frames.Said, at_ns: int) -> None:
        if isinstance(frame, frames.Pushed):
            if frame.status.authenticated:
                self._authorised.set()
            self._tell(StatusPushed(status=frame.status))
        elif isinstance(frame, frames.Waiting):
            if self._nursery is not None and self._session_text:
                self._nursery.start_soon(self._say_session)
        elif isinstance(frame, Unreadable):
            self.unreadable += 1
            log.warning("frame_unreadable", reason=frame.reason)
        elif isinstance(frame, frames.Market):
            row = frame.row
            for name in {row.conidex, str(row.conid)} - {""}:
                self._registry.quoted(name, at_ns)
        self._on_frame(frame, at_ns)

    async def _say_session(self) -> None:
        try:
            await self.send([self._session_text])
        except VenueUnreachable:
            return  # the reader tells

    async def _look(self) -> None:
        """Signs of life, renewals, and the end of a link that gives none."""
        while True:
            await self._clock.sleep(LOOK_S)
            if self._link is None:
                continue
            now_ns = self._clock.now_ns()
            if self._registry.dead(now_ns) and not self._buffer:
                await self.disconnect()
                self._lost("no frame came for too long")
                continue
            try:
                await self.send(self._registry.due(now_ns))
            except VenueUnreachable:
                continue  # the reader tells
            self._data_health()

    def _data_health(self) -> None:
        """Tell when what should come begins or ceases to come."""
        silent = self._registry.silent
        flows = not silent and self._link is not None
        if flows and not self._flows:
            self._tell(DataFlows())
        elif silent and self._flows:
            self._tell(DataSilent(problem=f"no data of {', '.join(sorted(silent))}"))
        self._flows = flows

    def _lost(self, problem: str) -> None:
        log.warning("websocket_lost", problem=problem)
        self._flows = False
        self._tell(StreamLost(problem=problem))

    def age_s(self, now_ns: int) -> float:
        """How far behind the buffer is, in seconds of the session's clock."""
        return (now_ns - self._buffer[0][0]) / SECOND if self._buffer else 0.0


def _session_of(handshake: Handshake) -> str:
    """The text message that authorises a socket where the cookie did not: the same session id."""
    for name, value in handshake.headers:
        if name.lower() == "cookie" and value.startswith("api="):
            text = value.removeprefix("api=")
            return text if text.startswith("{") else f'{{"session":"{text}"}}'
    return ""
