"""A venue as a function of httpx requests: session endpoints only, with truth that a test can change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import trio
from attrs import define, field

from engine.webapi.auth import Authenticator, Handshake
from engine.webapi.auth.gateway import GatewayLogin
from engine.webapi.budgets import Budgets
from engine.webapi.chores import Chores
from engine.webapi.clock import RatedClock
from engine.webapi.loginfile import load, save
from engine.webapi.logins import Logins
from engine.webapi.rest import Rest
from engine.webapi.scheduler import Scheduler
from engine.webapi.sessionfacts import Alert, GoDown
from engine.webapi.sessionrules import Rules
from engine.webapi.supervisor import Supervisor

S = 1_000_000_000
NOON = 1_709_823_600 * S  # 2024-03-07 10:00 New York: no maintenance is near
BASE = "https://localhost:5000/v1/api"
SESSION = "feedfacefeedfacefeedfacefeedface"


class Venue:
    """What is true there, and what was asked."""

    def __init__(self) -> None:
        self.there = True
        self.logged_in = True
        self.open = True
        self.rival = False
        self.opens_late_s = 0.0
        self.cold_orders = 1  # reads that come back with snapshot:false
        self.log: list[tuple[float, str]] = []
        self.answers: dict[str, httpx.Response] = {}  # instead of the truth

    @property
    def asked(self) -> list[str]:
        return [name for _, name in self.log]

    async def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1/api")
        await trio.sleep(0.02)
        if not self.there:
            raise httpx.ConnectError("refused")
        self.log.append((trio.current_time(), path))
        if path in self.answers:
            given = self.answers[path]
            return httpx.Response(given.status_code, content=given.content, headers=given.headers)
        if not self.logged_in:
            return httpx.Response(401, json={"error": "not authenticated"})
        return self.answer(path)

    def answer(self, path: str) -> httpx.Response:
        match path:
            case "/tickle":
                body = {"session": SESSION, "iserver": {"authStatus": self.status()}, "hmds": {"error": "no bridge"}}
                return httpx.Response(200, json=body)
            case "/iserver/auth/status":
                return httpx.Response(200, json=self.status())
            case "/iserver/auth/ssodh/init":
                self.open, self.rival = True, False
                return httpx.Response(200, json=self.status())
            case _ if path.startswith("/iserver") and not self.open:
                return httpx.Response(400, json={"error": "Bad Request: no bridge", "statusCode": 400})
            case "/iserver/accounts":
                return httpx.Response(200, json={"accounts": ["DU1234567"], "selectedAccount": "DU1234567"})
            case "/portfolio/accounts":
                return httpx.Response(200, json=[{"id": "DU1234567", "accountId": "DU1234567"}])
            case "/iserver/questions/suppress" | "/iserver/questions/suppress/reset":
                return httpx.Response(200, json={"status": "submitted"})
            case "/iserver/account/orders":
                self.cold_orders -= 1
                return httpx.Response(200, json={"orders": [], "snapshot": self.cold_orders < 0})
            case "/iserver/account/trades":
                return httpx.Response(200, json=[])
            case _:
                return httpx.Response(200, json={})

    def status(self) -> dict[str, object]:
        return {"authenticated": self.open, "established": self.open, "connected": True, "competing": self.rival,
                "message": "", "fail": ""}  # fmt: skip


class Socket:
    """Stands in for the websocket; keeps what was done with it."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.handshakes: list[Handshake] = []

    async def connect(self, handshake: Handshake) -> None:
        self.handshakes.append(handshake)
        self.log.append("connect")

    async def subscribe(self) -> None:
        self.log.append("subscribe")

    async def disconnect(self) -> None:
        self.log.append("disconnect")


class PlainFile:
    """The login file, written on the spot: virtual time does not wait for threads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Logins:
        return load(self.path)

    async def keep(self, made: Logins) -> None:
        save(self.path, made)


@define
class Held:
    """A session under test and what it told."""

    venue: Venue
    supervisor: Supervisor
    scheduler: Scheduler
    socket: Socket
    clock: RatedClock
    ups: list[float] = field(factory=list)
    downs: list[GoDown] = field(factory=list)
    alerts: list[Alert] = field(factory=list)
    lowest: list[str] = field(factory=list)  # layers told of while it was not up

    def count(self, path: str) -> int:
        return Counter(self.venue.asked)[path]


@asynccontextmanager
async def held(
    venue: Venue,
    *,
    rules: Rules | None = None,
    login: Callable[[RatedClock], Authenticator] = lambda clock: GatewayLogin(),
    ledger: Path | None = None,
    start_ns: int = NOON,
) -> AsyncIterator[Held]:
    clock = RatedClock(start_ns)
    authenticator = login(clock)
    socket = Socket()
    ups: list[float] = []
    downs: list[GoDown] = []
    alerts: list[Alert] = []
    lowest: list[str] = []
    async with Rest(BASE, clock, signer=authenticator, transport=httpx.MockTransport(venue.handle)) as rest:
        scheduler = Scheduler(rest, clock, Budgets())
        supervisor = Supervisor(
            rest, scheduler, authenticator, clock, Chores(scheduler, account="DU1234567", suppressed=["o163"]),
            chance=lambda: 0.5, rules=rules, stream=socket, ledger=PlainFile(ledger) if ledger else None,
            on_up=lambda: ups.append(trio.current_time()), on_down=downs.append, on_alert=alerts.append,
            on_layer=lambda layer: lowest.append(layer.layer.name.lower()),
        )  # fmt: skip
        async with trio.open_nursery() as nursery:
            await nursery.start(scheduler.run)
            await nursery.start(supervisor.run)
            yield Held(venue, supervisor, scheduler, socket, clock, ups, downs, alerts, lowest)
            nursery.cancel_scope.cancel()


def body(value: object, status: int = 200) -> httpx.Response:
    """A JSON answer."""
    return httpx.Response(status, content=json.dumps(value).encode(), headers={"Content-Type": "application/json"})
