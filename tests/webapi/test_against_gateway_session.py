"""The whole client side of a session against the simulated gateway: a process of its own, real TLS, real signatures."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import trio
from attrs import define

from engine.errors import ConfigError, VenueUnreachable
from engine.webapi import keys, tls
from engine.webapi.auth import Authenticator, oauth1, oauth2
from engine.webapi.auth.gateway import GatewayLogin
from engine.webapi.budgets import Budgets
from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.chores import Chores
from engine.webapi.clock import RatedClock
from engine.webapi.loginfile import LoginFile
from engine.webapi.redaction import redact
from engine.webapi.rest import Rest
from engine.webapi.scheduler import Scheduler
from engine.webapi.sessionfacts import Alert, GoDown, Policy
from engine.webapi.sessionrules import Rules
from engine.webapi.supervisor import Supervisor

S = 1_000_000_000
RATE = 50
INIT = "POST /iserver/auth/ssodh/init"
LEDGER = "GET /portfolio/{accountId}/ledger"
WAYS = ["gateway", "oauth1", "oauth2"]


@define
class Live:
    """A client's session and the gateway behind it."""

    supervisor: Supervisor
    scheduler: Scheduler
    rest: Rest
    clock: RatedClock
    sim: httpx.AsyncClient
    downs: list[GoDown]
    alerts: list[Alert]

    async def faults(self, *entries: dict[str, object]) -> None:
        (await self.sim.post("/sim/faults", json={"seed": 7, "fault": list(entries)})).raise_for_status()

    async def advance(self, seconds: int) -> None:
        told = (await self.sim.post("/sim/clock", json={"advance_s": seconds})).json()
        self.clock.set(told["clock_ms"] * 1_000_000, told["rate"])

    async def asked(self, name: str) -> int:
        requests: dict[str, int] = (await self.sim.get("/sim/state")).json()["requests"]
        return requests.get(name, 0)

    async def until_down(self) -> None:
        with trio.fail_after(30):
            while not self.downs:
                await trio.sleep(0.05)

    async def until_up(self) -> None:
        with trio.fail_after(60):
            await self.supervisor.wait_up()


def login_of(way: str, folder: Path, base: str, clock: RatedClock) -> Authenticator:
    if way == "gateway":
        return GatewayLogin()
    told: dict[str, Any] = json.loads((folder / f"{way}.json").read_text())

    def key(name: str) -> Any:
        return keys.rsa_key(keys.read_secret(told[name], what=name, folder=folder), what=name)

    if way == "oauth2":
        made = oauth2.Material(
            client_id=told["client_id"], key_id=told["client_key_id"], key=key("client_key"),
            credential=told["credential"], ip="127.0.0.1",
        )  # fmt: skip
        return oauth2.OAuth2(made, base, clock)
    p, g = keys.prime(keys.Secret(told["dh_prime"]), what="the prime")
    material = oauth1.Material(
        consumer_key=told["consumer_key"], access_token=keys.Secret(told["access_token"]),
        access_token_secret=keys.Secret(told["access_token_secret"]), signature_key=key("signature_key"),
        encryption_key=key("encryption_key"), prime=p, generator=g, realm=told["realm"],
    )  # fmt: skip
    return oauth1.OAuth1(material, base, clock)


@asynccontextmanager
async def gateway(folder: Path, way: str) -> AsyncIterator[str]:
    """Run `engine gateway` and give its base URL."""
    command = [sys.executable, "-m", "engine", "gateway", "--port", "0", "--state-dir", str(folder), "--auth", way,
               "--speed", str(RATE)]  # fmt: skip
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, command, stdout=-1, check=False)
        process: trio.Process = await nursery.start(run)
        assert process.stdout is not None
        said = b""
        with trio.fail_after(60):
            while b"\n" not in said:
                chunk = await process.stdout.receive_some()
                assert chunk, "the gateway ended before it was ready"
                said += chunk
        yield said.decode().split()[3].rstrip(",")
        process.terminate()


@asynccontextmanager
async def live(folder: Path, way: str, **rules: Any) -> AsyncIterator[Live]:
    state = folder / "gateway"
    async with gateway(state, way) as base:
        verify = tls.context(base, ca=state / "ca.pem")
        root = base.removesuffix("/v1/api")
        async with httpx.AsyncClient(base_url=root, verify=verify, timeout=20) as sim:
            told = (await sim.get("/sim/clock")).json()
            clock = RatedClock(told["clock_ms"] * 1_000_000, told["rate"])
            login = login_of(way, state, base, clock)
            downs: list[GoDown] = []
            alerts: list[Alert] = []
            async with Rest(base, clock, verify=verify, signer=login) as rest, trio.open_nursery() as nursery:
                # What a request may need on its way is a time of the wall; the budgets run on the gateway's clock.
                scheduler = Scheduler(rest, clock, Budgets(transit_ns=S // 2 * RATE))
                supervisor = Supervisor(
                    rest, scheduler, login, clock, Chores(scheduler, account="DU1234567", suppressed=["o163"]),
                    chance=lambda: 0.5, rules=Rules(**rules), ledger=LoginFile(folder / "logins.json"),
                    on_down=downs.append, on_alert=alerts.append,
                )  # fmt: skip
                await nursery.start(scheduler.run)
                await nursery.start(supervisor.run)
                yield Live(supervisor, scheduler, rest, clock, sim, downs, alerts)
                nursery.cancel_scope.cancel()


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that is logged, as it would be written."""
    out = io.StringIO()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.add_log_level, redact, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    yield out
    structlog.configure(**before)


def secrets_of(folder: Path) -> list[str]:
    """Everything secret that the run had: client material, keys by line, and what the gateway drew."""
    found = []
    for file in (folder / "gateway").iterdir():
        if file.suffix == ".json":
            told = json.loads(file.read_text())
            found += [told[name] for name in ("access_token", "access_token_secret", "secret") if told.get(name)]
        elif file.name.endswith("key.pem"):
            found += [line for line in file.read_text().splitlines() if not line.startswith("-")]
    return [one for one in found if len(one) > 8] + ["DU1234567"]


@pytest.mark.parametrize("way", WAYS)
async def test_log_in_come_up_and_survive_a_reset(way: str, tmp_path: Path, written: io.StringIO) -> None:
    async with live(tmp_path, way) as it:
        await it.until_up()
        inits = await it.asked(INIT)
        assert inits == (0 if way == "gateway" else 1)
        call = Call(method="GET", template="/iserver/secdef/search", path="/iserver/secdef/search", kind=Kind.READ,
                    urgency=Urgency.SCANNER, query=(("symbol", "AAPL"), ("name", "false")))  # fmt: skip
        assert (await it.scheduler.call(call)).status == 200  # a signed query
        await it.faults({"do": "session-reset", "at_s": 0})
        await it.until_down()
        await it.until_up()
        assert await it.asked(INIT) > inits
        socket = it.supervisor._socket.text()
        assert len(socket) == 32
        bearer = getattr(it.rest.signer, "_bearer", None) or getattr(it.rest.signer, "_live", None)
    log = written.getvalue()
    assert "session_up" in log
    hidden = [socket, *secrets_of(tmp_path)]
    if bearer is not None:
        hidden += [base64.b64encode(bearer.reveal()).decode(), bearer.reveal().hex(), repr(bearer.reveal())]
    assert [one for one in hidden if one in log] == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_lost_login(way: str, tmp_path: Path) -> None:
    """At the gateway a person is asked and (played there) logs in after two minutes; with keys we log in ourselves."""
    async with live(tmp_path, way) as it:
        await it.until_up()
        await it.faults({"do": "session-lost", "at_s": 0})
        await it.until_down()
        await it.until_up()
        told = {alert.what for alert in it.alerts}
        assert ("login_needed" in told) == (way == "gateway")
        assert "session_lost" in told


async def test_a_rival_is_let_be_until_he_leaves(tmp_path: Path) -> None:
    async with live(tmp_path, "gateway") as it:
        await it.until_up()
        inits = await it.asked(INIT)
        await it.faults({"do": "competing-login", "at_s": 0, "seconds": 100})
        await it.until_down()
        await trio.sleep(1)
        assert await it.asked(INIT) == inits
        assert "competing_session" in {alert.what for alert in it.alerts}
        await it.until_up()


async def test_a_rival_is_thrown_out_where_the_policy_says_so(tmp_path: Path) -> None:
    async with live(tmp_path, "gateway", policy=Policy.BOUNDED_STEAL) as it:
        await it.until_up()
        await it.faults({"do": "competing-login", "at_s": 0})  # he stays
        await it.until_down()
        await it.until_up()
        assert await it.asked(INIT) == 1


async def test_a_429_closes_the_door_for_ten_minutes(tmp_path: Path) -> None:
    async with live(tmp_path, "gateway", region=None) as it:
        await it.until_up()
        ledger = Call(method="GET", template="/portfolio/{accountId}/ledger", path="/portfolio/DU1234567/ledger",
                      kind=Kind.READ, urgency=Urgency.ACCOUNT)  # fmt: skip
        await it.faults({"do": "status", "status": 429, "on": LEDGER, "count": 1})
        assert (await it.scheduler.call(ledger)).status == 429
        asked = await it.asked(LEDGER)
        with pytest.raises(VenueUnreachable, match="deadline"):
            await it.scheduler.call(ledger, deadline_ns=it.clock.now_ns() + 20 * S)
        tickles = await it.asked("POST /tickle")
        await trio.sleep(60 / RATE + 1)
        assert await it.asked("POST /tickle") > tickles
        assert await it.asked(LEDGER) == asked
        await it.advance(590)
        with trio.fail_after(30):
            assert (await it.scheduler.call(ledger)).status == 200


async def test_a_live_session_token_is_renewed_before_its_end(tmp_path: Path) -> None:
    async with live(tmp_path, "oauth1", region=None) as it:
        await it.until_up()
        login = it.rest.signer
        assert isinstance(login, oauth1.OAuth1)
        first = login._live
        for _ in range(8):  # three hours at a time: the night's resets lie between
            await it.advance(3 * 3600)
            await trio.sleep(0.5)
            await it.until_up()
        with trio.fail_after(60):
            while login._live == first:
                await trio.sleep(0.1)
        await it.until_up()


async def test_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path / "gateway", "oauth2") as base:
        (tmp_path / "gateway" / "client_key.pem").chmod(0o644)
        with pytest.raises(ConfigError, match="others may read this file"):
            login_of("oauth2", tmp_path / "gateway", base, RatedClock(0))
