"""The gateway's sockets: listeners, TLS, Hypercorn on each connection, and all waiting for requests and frames."""

from __future__ import annotations

import math
import ssl
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from engine.gateway.boxes import Client
from engine.gateway.bytestage import Cut, Stage, Stream, frame
from engine.gateway.calls import Answer, refusal
from engine.gateway.faults import Fault
from engine.gateway.plainhttp import LARGEST_HEAD, NotPlainError, Peer, written
from engine.gateway.requests import JSON_TYPE, Request, encoded, request_of
from engine.gateway.routing import PREFIXES
from engine.gateway.shell import Matched, Shell
from engine.gateway.sim import answer_sim

_HANDSHAKE_S: Final = 10.0
_LARGEST_BODY: Final = 4_000_000
_IDLE_S: Final = 75
_PIECE: Final = 65_536
_BATCH: Final = 256  # frames that go out in one piece
_SHORTEST_WAIT_S: Final = 0.002  # the wall's; a market at a thousand times its speed is looked at in batches
_LONGEST_WAIT_S: Final = 0.5
_GARBAGE: Final = b"\x00{[not json"
_CUTS: Final[dict[str, Cut]] = {
    "drop": "close",
    "close": "close",
    "reset": "reset",
    "half-open": "half-open",
    "cut": "cut",
    "drop-connections": "reset",
    "stall-connections": "half-open",
    "restart": "close",  # what the kernel says for a process that ended
}
Headers = tuple[tuple[bytes, bytes], ...]


class _SilentError(Exception):
    """A script wants no answer, on a connection that stands."""


class Reply(Protocol):
    """How an answer leaves: with further headers, and with other bytes in place of its body."""

    async def __call__(self, answer: Answer, extra: Headers = (), data: bytes | None = None) -> None:
        """Send it."""


class Server:
    """A running gateway.

    Args:
        shell: What answers.
        context: TLS; None serves plain HTTP.
    """

    def __init__(self, shell: Shell, context: ssl.SSLContext | None) -> None:
        self._shell = shell
        self._context = context
        self._stages: dict[Stage, bool] = {}  # whether it carries a websocket
        self._down_until = 0.0
        self._struck: list[Fault] = []  # mishaps of connections that are about to happen
        self._curtain = 0  # answers of /sim under way
        self._disturbed = trio.Event()
        self._worker = WorkerContext(None)
        self._config = Config()
        self._config.include_server_header = False
        self._config.errorlog = None
        self._config.keep_alive_timeout = _IDLE_S
        self._config.keep_alive_max_requests = 1_000_000_000
        self._config.max_app_queue_size = 1_000
        self._config.h11_max_incomplete_size = LARGEST_HEAD
        routes = [WebSocketRoute(f"{prefix}/ws", self._socket) for prefix in PREFIXES]
        self._app = ASGIWrapper(cast(Any, Starlette(routes=[*routes, Mount("/", self._http)])))
        shell.mishap = self._struck.append
        shell.disturbed = self._disturb

    async def serve(
        self,
        listeners: list[trio.SocketListener],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump)
            await nursery.start(partial(trio.serve_listeners, self._connection, listeners))
            task_status.started()

    # -- connections ---------------------------------------------------------------------------------------------

    async def _connection(self, raw: trio.SocketStream) -> None:
        stream: Stream = raw
        try:
            if trio.current_time() < self._down_until:
                return
            if self._context is not None:
                stream = trio.SSLStream(raw, self._context, server_side=True, https_compatible=True)
                with trio.fail_after(_HANDSHAKE_S):
                    await stream.do_handshake()
            stage = Stage(stream)
            self._stages[stage] = False
            try:
                state = cast(ConnectionState, {"stage": stage, "tls": self._context is not None})
                if await self._plainly(stage):
                    await TCPServer(self._app, self._config, self._worker, state, cast(Any, stage))
            finally:
                del self._stages[stage]
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, OSError):
            return  # the peer left, or never spoke TLS
        finally:
            await trio.aclose_forcefully(stream)

    async def _plainly(self, stage: Stage) -> bool:
        """Answer requests the short way as long as they are plain; False once the connection is over."""
        peer, server = stage.socket.getpeername(), stage.socket.getsockname()
        reader = Peer(
            peer=str(peer[0]),
            server=f"{server[0]}:{server[1]}",
            scheme="http" if self._context is None else "https",
            largest_body=_LARGEST_BODY,
        )

        async def reply(answer: Answer, extra: Headers = (), data: bytes | None = None) -> None:
            await stage.send_answer(*written(answer, extra, data))

        held = b""
        with trio.CancelScope() as idle:
            while True:
                try:
                    found = reader.read(held) if held else None
                except NotPlainError:
                    stage.unread(held)
                    return True
                if found is not None:
                    request, held = found
                    with suppress(_SilentError):
                        await self._request(request, stage, reply)
                    continue
                idle.deadline = trio.current_time() + _IDLE_S
                data = await stage.receive_some(_PIECE)
                idle.deadline = math.inf
                if not data:
                    return False
                held += data
        if stage.mute:  # half-open: it stands until the peer has had enough
            await stage.receive_some()
        return False

    async def _mishaps(self) -> None:
        """Do what a script does to connections; whoever armed it by /sim gets his answer before."""
        while self._struck and self._curtain:
            await trio.sleep(_SHORTEST_WAIT_S)
        while self._struck:
            self._mishap(self._struck.pop(0))

    def _mishap(self, fault: Fault) -> None:
        if fault.do == "restart":
            self._down_until = trio.current_time() + (2.0 if fault.seconds is None else fault.seconds) / self._rate
        for stage, websocket in list(self._stages.items()):
            if fault.do == "restart" or fault.on in ("*", "ws" if websocket else "http"):
                stage.cut(_CUTS[fault.do])

    @property
    def _rate(self) -> float:
        return self._shell.clock.rate

    # -- requests ------------------------------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > _LARGEST_BODY:
                await _send(send, refusal(400, "Bad Request: body too large"))
                return
            if not message.get("more_body"):
                break
        try:
            await self._request(request_of(scope, body), scope["state"]["stage"], partial(_send, send))
        except _SilentError:
            await trio.sleep_forever()  # an app that returned would be answered for

    async def _request(self, request: Request, stage: Stage, reply: Reply) -> None:
        """Answer one request, whichever way it came."""
        try:
            await self._answer(request, stage, reply)
        except (_SilentError, trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            raise
        except Exception:  # noqa: BLE001  # one request that meets a bug of ours must not end the gateway for all
            traceback.print_exc(file=sys.stderr)
            await reply(refusal(500, "internal error"))

    async def _answer(self, request: Request, stage: Stage, reply: Reply) -> None:
        answer = answer_sim(self._shell, request)
        if answer is not None:
            self._curtain += 1
            try:
                await reply(answer)
            finally:
                self._curtain -= 1
            return
        answer = self._shell.keeper.endpoint(request, self._shell.present())
        if answer is not None:
            await reply(answer)
            return
        matched = self._shell.match(request)
        if isinstance(matched, Answer):
            await reply(matched)
            return
        end = self._shell.budgets.begin(matched.key)
        try:
            await self._play(matched, stage, reply)
        finally:
            end()

    async def _play(self, matched: Matched, stage: Stage, reply: Reply) -> None:
        """Answer a request with what the fault script does before and after."""
        shell = self._shell
        faults = shell.faults.on_request(matched.key, shell.present())
        answer: Answer | None = None
        for fault in faults:
            if fault.before and fault.do in _CUTS and fault.do != "cut":
                stage.cut(_CUTS[fault.do])
                if fault.do == "half-open":
                    raise _SilentError
                return
            if fault.before and fault.do == "delay":
                await self._wait(fault)
            if fault.before and fault.do == "status":
                answer = _status(fault)
        if answer is None:
            answer = shell.answer(matched, frozenset(fault.do for fault in faults if fault.do == "late-live"))
        data: bytes | None = None
        for fault in faults:
            if fault.before:
                continue
            match fault.do:
                case "delay":
                    await self._wait(fault)
                case "status":
                    answer = _status(fault)
                case "garbage":
                    data = _GARBAGE
                case "truncate":
                    whole = encoded(answer)[0]
                    data = whole[: len(whole) // 2]
                case kind if kind in _CUTS:
                    stage.cut(_CUTS[kind])
        await reply(answer, self._cookies(matched.request), data)

    async def _wait(self, fault: Fault) -> None:
        await trio.sleep((1.0 if fault.seconds is None else fault.seconds) / self._rate)

    def _cookies(self, request: Request) -> tuple[tuple[bytes, bytes], ...]:
        """The gateway's session cookie, for who has none yet."""
        if self._shell.options.auth != "gateway" or "x-sess-uuid" in request.headers.get("cookie", ""):
            return ()
        value = f"x-sess-uuid=0.{self._shell.hall.session.tickle_id[:24]}; Path=/v1/api; HttpOnly"
        return ((b"set-cookie", (value + ("; Secure" if self._context else "")).encode()),)

    # -- websocket -----------------------------------------------------------------------------------------------

    async def _socket(self, websocket: WebSocket) -> None:
        scope = websocket.scope
        stage = scope["state"]["stage"]
        self._stages[stage] = True
        wake = _Wake()
        client = self._shell.join(wake.set, request_of(scope, b""))
        if isinstance(client, Answer):
            await websocket.close()
            return
        try:
            await websocket.accept()
            async with trio.open_nursery() as nursery:
                for part in (partial(self._carry, client, websocket, wake), partial(self._listen, client, websocket)):
                    nursery.start_soon(_until_one_ends, nursery.cancel_scope, part)
        finally:
            self._shell.streams.leave(client)

    async def _listen(self, client: Client, websocket: WebSocket) -> None:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                text = (message.get("bytes") or b"").decode(errors="replace")
            self._shell.receive(client, text)

    async def _carry(self, client: Client, websocket: WebSocket, wake: _Wake) -> None:
        """Send what is in a client's box, until it is closed."""
        stage: Stage = websocket.scope["state"]["stage"]
        binary = self._shell.options.streams.binary
        while client.closing is None:
            await wake.wait()
            while client.box:
                batch = [frame(client.box.popleft(), binary=binary) for _ in range(min(_BATCH, len(client.box)))]
                # Past Hypercorn, which needs ten times as long for each frame and a system call.
                await stage.send_all(b"".join(batch))
        await websocket.close(client.closing)

    # -- time ----------------------------------------------------------------------------------------------------

    def _disturb(self) -> None:
        self._disturbed.set()

    async def _pump(self) -> None:
        """Wake when the next thing is due, and let it happen."""
        shell = self._shell
        while True:
            self._disturbed = trio.Event()
            shell.tick()
            await self._mishaps()
            wait = shell.clock.wall_s(shell.next_due_ns())
            shortest = _SHORTEST_WAIT_S if shell.streams.clients else 10 * _SHORTEST_WAIT_S
            await trio.sleep(min(wait, shortest))
            with trio.move_on_after(min(max(wait, shortest), _LONGEST_WAIT_S) - min(wait, shortest)):
                await self._disturbed.wait()


async def _until_one_ends(scope: trio.CancelScope, part: Callable[[], Awaitable[None]]) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # the peer is gone
        await part()
    scope.cancel()


class _Wake:
    """A doorbell: rung any number of times, heard once."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = trio.Event()


def _status(fault: Fault) -> Answer:
    return refusal(fault.status, fault.text or "Service Unavailable" if fault.status == 503 else fault.text or "error")


async def _send(send: Send, answer: Answer, extra: Headers = (), data: bytes | None = None) -> None:
    body, kind = encoded(answer)
    if data is not None:
        body, kind = data, JSON_TYPE
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
