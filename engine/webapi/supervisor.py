"""The session's task: it carries out what the machine in `session` decides and tells it what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol, assert_never

import structlog
import trio
from attrs import evolve

from engine.errors import AnswerLost, VenueError, VenueRefused, VenueUnreachable
from engine.ports import Clock
from engine.webapi.auth import Authenticator, Handshake
from engine.webapi.budgets import SECOND
from engine.webapi.calls import Call, Kind, Reply, Urgency
from engine.webapi.clock import move_on_after
from engine.webapi.endpoints.session import Session as Endpoints
from engine.webapi.keys import Secret
from engine.webapi.logins import Logins
from engine.webapi.rest import Rest, SessionUnusable
from engine.webapi.scheduler import Outcome, Scheduler, Turn
from engine.webapi.session import Session
from engine.webapi.sessionfacts import (
    Alert,
    Cause,
    Done,
    Doubted,
    Failed,
    GoDown,
    GoUp,
    Health,
    Heard,
    Layer,
    LayerHealth,
    LoggedIn,
    Perform,
    TimePassed,
    Told,
    Wanted,
    Work,
)
from engine.webapi.sessionrules import Rules, Step

WORK_LIMIT_S = 120.0
QUESTION_LIMIT_S = 45.0  # for a tickle, a status or an init, queue included
LOGIN_LIMIT_S = 60.0
DISCONNECT_LIMIT_S = 5.0
OWN = frozenset({"/tickle", "/iserver/auth/status", "/iserver/auth/ssodh/init", "/logout"})

log = structlog.get_logger()


class Upkeep(Protocol):
    """REST work that every new brokerage session needs; each raises VenueError."""

    async def accounts(self) -> None:
        """Load both account lists, choose ours."""

    async def suppress(self) -> None:
        """Suppress the known questions."""

    async def prime(self) -> None:
        """Warm orders and trades."""


class Stream(Protocol):
    """The websocket, as far as the session is concerned. What it hears of the session goes to `Supervisor.tell`."""

    async def connect(self, handshake: Handshake) -> None:
        """Open it and return once it is authorised. Raises: VenueError."""

    async def subscribe(self) -> None:
        """Subscribe to everything again, with proof. Raises: VenueError."""

    async def disconnect(self) -> None:
        """Close it if it is open."""


class Ledger(Protocol):
    """Where the login budget outlives the process."""

    def load(self) -> Logins:
        """Read what was made. Raises: ConfigError."""

    async def keep(self, made: Logins) -> None:
        """Keep it for good before this returns. Raises: OSError (told, and the session goes on)."""


class NoStream:
    """For those who only read over REST."""

    async def connect(self, handshake: Handshake) -> None:
        """Nothing to open."""

    async def subscribe(self) -> None:
        """Nothing to subscribe to."""

    async def disconnect(self) -> None:
        """Nothing to close."""


class Supervisor:
    """Keeps one session up for as long as `run` runs.

    Args:
        chance: Draws from [0, 1) for waits.
        ledger: Keeps the login budget; None forgets it with the process (a gateway where a person logs in).
        on_up, on_down, on_alert: Told at once; they must not wait.
        on_layer: Told likewise of the lowest layer that is down, while the session is not up and requests about orders
            have begun to be answered, or have ceased to be.
    """

    def __init__(
        self,
        rest: Rest,
        scheduler: Scheduler,
        login: Authenticator,
        clock: Clock,
        upkeep: Upkeep,
        *,
        chance: Callable[[], float],
        rules: Rules | None = None,
        stream: Stream | None = None,
        ledger: Ledger | None = None,
        on_up: Callable[[], None] = lambda: None,
        on_down: Callable[[GoDown], None] = lambda down: None,  # noqa: ARG005
        on_alert: Callable[[Alert], None] = lambda alert: None,  # noqa: ARG005
        on_layer: Callable[[LayerHealth], None] = lambda layer: None,  # noqa: ARG005
    ) -> None:
        self._rest, self._scheduler, self._login, self._clock = rest, scheduler, login, clock
        self._upkeep, self._stream = upkeep, stream or NoStream()
        self._chance, self._ledger = chance, ledger
        self._on_up, self._on_down, self._on_alert, self._on_layer = on_up, on_down, on_alert, on_layer
        self._answers = False  # whether only the stream is missing, as it was told last
        self._endpoints = Endpoints(scheduler)
        made = ledger.load() if ledger is not None else Logins()
        told = evolve(rules or Rules(), logs_in=login.logs_in, logins=made)
        self._session = Session(told, clock.now_ns())
        self._socket = Secret("")
        self._heard: deque[Heard] = deque()
        self._news = trio.Event()
        self._up = trio.Event()

    def tell(self, heard: Heard) -> None:
        """Take a fact from the stream, or from whoever saw something."""
        self._heard.append(heard)
        self._news.set()

    def health(self) -> Health:
        """Name every layer, why it is as it is and since when."""
        return self._session.health(self._clock.now_ns())

    async def wait_up(self) -> None:
        """Return when the session is up."""
        while not self.health().up:
            await self._up.wait()
            await trio.lowlevel.checkpoint()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Bring the session up and keep it there until cancelled; order writes wait while it is not up."""
        self._scheduler.hold_writes(True)
        self._scheduler.on_outcome = self._doubt
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                self.tell(TimePassed())
                while True:
                    await self._wait()
                    heard = self._heard.popleft() if self._heard else TimePassed()
                    await self._act(heard, nursery)
        finally:
            self._scheduler.hold_writes(True)
            self._scheduler.on_outcome = None
            with trio.move_on_after(DISCONNECT_LIMIT_S, shield=True):
                await self._stream.disconnect()

    async def _act(self, heard: Heard, nursery: trio.Nursery) -> None:
        before = self._session.logins
        wanted = self._session.decide(heard, self._clock.now_ns(), self._chance())
        if self._ledger is not None and self._session.logins != before:
            # Before the attempt itself: a crash must not forget it.
            try:
                await self._ledger.keep(self._session.logins)
            except OSError as exc:
                # A full disk is no reason to lose the session; this process still counts.
                wanted.insert(0, Alert(what="login_file_unwritable", detail=exc.strerror or type(exc).__name__))
        for one in wanted:
            await self._carry_out(one, nursery)
        self._tell_layer()

    def _tell_layer(self) -> None:
        """Say when only the stream is missing from now on, or more than that again."""
        lowest = self._lowest()
        answers = _answers(lowest)
        if answers is not self._answers and lowest is not None and self._session.step is not Step.UP:
            self._on_layer(lowest)
        self._answers = answers

    def _lowest(self) -> LayerHealth | None:
        """The lowest layer that is down."""
        return next((one for one in self.health().layers if not one.up), None)

    async def _carry_out(self, wanted: Wanted, nursery: trio.Nursery) -> None:
        match wanted:
            case Perform(work=Work.DISCONNECT):
                # Waited for, so that no later connect meets it.
                with trio.move_on_after(DISCONNECT_LIMIT_S):
                    await self._stream.disconnect()
            case Perform(work=work):
                nursery.start_soon(self._perform, work)
            case GoUp():
                log.info("session_up")
                self._scheduler.hold_writes(False)
                self._up.set()
                self._on_up()
            case GoDown():
                log.warning("session_down", reason=wanted.reason, expected=wanted.expected)
                self._scheduler.hold_writes(True)
                self._up = trio.Event()
                self._answers = _answers(self._lowest())
                self._on_down(wanted)
            case Alert():
                log.error("session_alert", what=wanted.what, detail=wanted.detail)
                self._on_alert(wanted)
            case _:
                assert_never(wanted)

    async def _perform(self, work: Work) -> None:
        heard: Heard = Failed(
            work=work, problem=f"{work.value}: no end within {WORK_LIMIT_S:g} s", cause=Cause.UNREACHABLE
        )
        try:
            async with move_on_after(self._clock, WORK_LIMIT_S, floor_s=WORK_LIMIT_S / 4):
                heard = await self._result(work)
        except VenueError as exc:
            unsent = isinstance(exc, VenueUnreachable)  # logins are writes: unreachable means that nothing left
            heard = Failed(work=work, problem=str(exc), cause=_cause(exc), unsent=unsent)
            log.warning("session_work_failed", work=work.value, problem=str(exc))
        self.tell(heard)

    async def _result(self, work: Work) -> Heard:
        until_ns = self._clock.now_ns() + round(QUESTION_LIMIT_S * SECOND)
        match work:
            case Work.LOGIN | Work.RENEW:
                return LoggedIn(work=work, expires_ns=await self._log_in())
            case Work.TICKLE:
                tickle = await self._endpoints.tickle(deadline_ns=until_ns)
                self._socket = Secret(tickle.session)
                return Told(work=work, status=tickle.status)
            case Work.STATUS:
                return Told(work=work, status=await self._endpoints.status(deadline_ns=until_ns))
            case Work.INIT:
                return Told(work=work, status=await self._endpoints.init(compete=True, deadline_ns=until_ns))
            case Work.ACCOUNTS:
                await self._upkeep.accounts()
            case Work.SUPPRESS:
                await self._upkeep.suppress()
            case Work.PRIME:
                await self._upkeep.prime()
            case Work.CONNECT:
                # The socket wants the newest session id, and the last tickle may be a minute old.
                tickle = await self._endpoints.tickle(deadline_ns=until_ns)
                self._socket = Secret(tickle.session)
                await self._stream.connect(self._login.websocket(self._socket.text()))
            case Work.SUBSCRIBE:
                await self._stream.subscribe()
            case Work.DISCONNECT:
                await self._stream.disconnect()
            case _:
                assert_never(work)
        return Done(work=work)

    async def _log_in(self) -> int | None:
        async with self._scheduler.quiet() as turn:

            async def ask(
                name: str, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None
            ) -> Reply:
                return await self._ask(turn, name, method, url, headers, content)

            expires_ns = await self._login.login(ask)
            # The brokerage session behind the old login is gone; nothing may slip out before the machine has said so.
            self._scheduler.hold_writes(True)
            return expires_ns

    async def _ask(
        self, turn: Turn, name: str, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> Reply:
        path = name.partition(" ")[2]
        call = Call(method=method, template=path, path=path, kind=Kind.OTHER_WRITE, urgency=Urgency.ACCOUNT)

        async def send() -> Reply:
            return await self._rest.send(name, call.kind, method, url, headers=headers, content=content)

        until_ns = self._clock.now_ns() + round(LOGIN_LIMIT_S * SECOND)
        return await turn.call(call, deadline_ns=until_ns, send=send)

    def _doubt(self, call: Call, outcome: Outcome) -> None:
        """Look at the session when somebody's answer speaks against it."""
        if call.template in OWN:
            return
        against = isinstance(outcome, SessionUnusable) or (
            isinstance(outcome, Reply)
            and (outcome.status == 401 or (outcome.status == 400 and b"no bridge" in outcome.body))
        )
        if against:
            self.tell(Doubted(request=call.name))

    async def _wait(self) -> None:
        """Return when there is news, or when the machine wants to hear of the time."""
        if self._heard:
            await trio.lowlevel.checkpoint()
            return
        self._news = news = trio.Event()
        wake_ns = self._session.wake_ns()

        async def alarm(scope: trio.CancelScope) -> None:
            if wake_ns is not None:
                await self._clock.sleep_until(wake_ns)
                scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(alarm, nursery.cancel_scope)
            await news.wait()
            nursery.cancel_scope.cancel()


def _answers(lowest: LayerHealth | None) -> bool:
    return lowest is None or lowest.layer >= Layer.STREAM


def _cause(exc: VenueError) -> Cause:
    match exc:
        case SessionUnusable():
            return Cause.LOGGED_OUT
        case VenueRefused(status=401 | 410):
            return Cause.LOGGED_OUT
        case VenueUnreachable() | AnswerLost():
            return Cause.UNREACHABLE
        case _:
            return Cause.OTHER
