"""The session's task in front of a venue on virtual time: the climb, losses, logins, and no secret told."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog
import trio

from engine.errors import VenueRefused, VenueUnreachable
from engine.webapi.auth import Asker, Handshake
from engine.webapi.calls import Kind
from engine.webapi.clock import RatedClock
from engine.webapi.loginfile import LoginFile, load
from engine.webapi.logins import Attempt
from engine.webapi.redaction import redact
from engine.webapi.sessionfacts import DataFlows, DataSilent, Layer, Policy, StreamLost
from engine.webapi.sessionrules import Rules
from tests.webapi.pacing_world import CALLS
from tests.webapi.session_venue import NOON, SESSION, S, Venue, body, held

Clock = trio.abc.Clock
INIT = "/iserver/auth/ssodh/init"


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


async def test_an_open_session_is_taken_over_without_an_init(autojump_clock: Clock, written: io.StringIO) -> None:
    async with held(Venue()) as it:
        with trio.fail_after(60):
            await it.supervisor.wait_up()
        assert it.count(INIT) == 0
        climb = [path for path in it.venue.asked if path != "/tickle"]
        assert climb == [
            "/iserver/accounts", "/portfolio/accounts",
            "/iserver/questions/suppress/reset", "/iserver/questions/suppress",
            "/iserver/account/orders", "/iserver/account/orders", "/iserver/account/trades", "/iserver/account/trades",
        ]  # fmt: skip
        assert it.socket.log == ["connect", "subscribe"]
        assert it.socket.handshakes[0].headers == (("Cookie", f"api={SESSION}"),)
        health = it.supervisor.health()
        assert [layer.up for layer in health.layers] == [True] * 5 + [False]
        it.supervisor.tell(DataFlows())
        await trio.sleep(1)
        assert all(layer.up for layer in it.supervisor.health().layers)
        it.supervisor.tell(DataSilent(problem="no quote of AAPL for 30 s"))
        await trio.sleep(1)
        last = it.supervisor.health().layers[-1]
        assert (last.layer, last.up, last.reason) == (Layer.DATA, False, "no quote of AAPL for 30 s")
        assert it.supervisor.health().up  # silence of data is told; it does not end the session
    assert it.socket.log[-1] == "disconnect"
    assert SESSION not in written.getvalue()


async def test_a_closed_session_is_opened_and_given_time(autojump_clock: Clock) -> None:
    venue = Venue()
    venue.open = False
    async with held(venue) as it:
        await it.supervisor.wait_up()
        opened = next(at for at, path in venue.log if path == INIT)
        accounts = next(at for at, path in venue.log if path == "/iserver/accounts")
        assert accounts - opened >= 4
        assert it.count(INIT) == 1
        assert len(it.ups) == 1


async def test_it_tickles_every_minute(autojump_clock: Clock) -> None:
    async with held(Venue()) as it:
        await it.supervisor.wait_up()
        before = it.count("/tickle")
        await trio.sleep(600)
        assert it.count("/tickle") - before in (9, 10)


async def test_order_writes_wait_while_it_is_not_up(autojump_clock: Clock) -> None:
    venue = Venue()
    venue.open = False
    async with held(venue) as it, trio.open_nursery() as nursery:
        with pytest.raises(VenueUnreachable):
            await it.scheduler.call(CALLS["place"], deadline_ns=NOON + S)
        nursery.start_soon(it.scheduler.call, CALLS["place"])
        await it.supervisor.wait_up()
        await trio.sleep(1)
    asked = venue.asked
    assert asked.index("/iserver/account/{accountId}/orders") > asked.index("/iserver/account/trades")


async def test_a_lost_brokerage_session_is_rebuilt_from_the_bottom(autojump_clock: Clock) -> None:
    async with held(Venue()) as it:
        await it.supervisor.wait_up()
        await trio.sleep(100)
        it.venue.open = False
        first = it.count("/iserver/questions/suppress")
        await trio.sleep(120)
        await it.supervisor.wait_up()
        assert it.count(INIT) == 1
        assert it.count("/iserver/questions/suppress") == first + 1
        assert it.socket.log == ["connect", "subscribe", "disconnect", "connect", "subscribe"]
        assert [down.expected for down in it.downs] == [False]
        assert [alert.what for alert in it.alerts] == ["session_lost"]


async def test_each_loss_is_told_anew(autojump_clock: Clock) -> None:
    async with held(Venue()) as it:
        for _ in range(2):
            await it.supervisor.wait_up()
            await trio.sleep(100)
            it.venue.open = False
            await trio.sleep(120)
        assert [alert.what for alert in it.alerts] == ["session_lost"] * 2


async def test_somebodys_401_makes_it_look_at_once(autojump_clock: Clock) -> None:
    async with held(Venue()) as it:
        await it.supervisor.wait_up()
        await trio.sleep(30)
        it.venue.open = False
        await it.scheduler.call(CALLS["snapshot"])  # 400 no bridge
        await trio.sleep(2)
        assert len(it.downs) == 1


async def test_one_failed_tickle_is_weather_and_two_are_a_loss(autojump_clock: Clock) -> None:
    async with held(Venue()) as it:
        await it.supervisor.wait_up()
        it.venue.answers["/tickle"] = body({"error": "failed to process request"})
        at = it.count("/tickle")
        while it.count("/tickle") == at:
            await trio.sleep(1)
        del it.venue.answers["/tickle"]
        await trio.sleep(30)
        assert it.downs == []
        it.venue.answers["/tickle"] = body({"error": "failed to process request"})
        await trio.sleep(80)
        assert len(it.downs) == 1


async def test_a_gateway_that_is_gone_is_named_and_found_again(autojump_clock: Clock) -> None:
    async with held(Venue()) as it:
        await it.supervisor.wait_up()
        it.venue.there = False
        await trio.sleep(900)
        health = it.supervisor.health()
        assert not health.up
        assert (health.layers[0].up, health.layers[0].reason) == (False, "POST /tickle: nobody answers there")
        assert {alert.what for alert in it.alerts} == {"session_lost", "session_still_down"}
        it.venue.there = True
        with trio.fail_after(120):
            await it.supervisor.wait_up()


@pytest.mark.parametrize("policy", Policy)
async def test_a_rival(policy: Policy, autojump_clock: Clock) -> None:
    venue = Venue()
    async with held(venue, rules=Rules(policy=policy)) as it:
        await it.supervisor.wait_up()
        for _ in range(6):
            venue.open, venue.rival = False, True
            await trio.sleep(300)
        inits = it.count(INIT)
        if policy is Policy.STAND_DOWN:
            assert inits == 0
        elif policy is Policy.BOUNDED_STEAL:
            assert inits == 3
        else:
            assert inits == 6
        assert "competing_session" in {alert.what for alert in it.alerts}
        venue.rival = False
        with trio.fail_after(600):
            await it.supervisor.wait_up()


async def test_at_a_gateway_a_person_is_asked_to_log_in(autojump_clock: Clock) -> None:
    venue = Venue()
    venue.logged_in = venue.open = False
    async with held(venue) as it:
        await trio.sleep(200)
        assert [alert.what for alert in it.alerts] == ["login_needed"]
        assert it.supervisor.health().layers[Layer.OUTER].up is False
        venue.logged_in = venue.open = True
        with trio.fail_after(120):
            await it.supervisor.wait_up()


async def test_a_login_page_is_no_session(autojump_clock: Clock) -> None:
    venue = Venue()
    venue.answers["/tickle"] = httpx.Response(200, html="<html>Login</html>")
    async with held(venue) as it:
        await trio.sleep(30)
        assert [alert.what for alert in it.alerts] == ["login_needed"]


async def test_the_nightly_reset_wakes_nobody(autojump_clock: Clock) -> None:
    # 00:56 in New York: the window is from 00:55 to 01:15.
    async with held(Venue(), start_ns=NOON + (14 * 60 + 56) * 60 * S) as it:
        await it.supervisor.wait_up()
        it.venue.open = False
        it.venue.answers[INIT] = body({"authenticated": False, "connected": True, "fail": "down"})
        await trio.sleep(900)
        assert [down.expected for down in it.downs] == [True]
        assert it.alerts == []
        assert it.supervisor.health().away == "nightly reset"
        del it.venue.answers[INIT]
        with trio.fail_after(120):
            await it.supervisor.wait_up()


class Keys:
    """A login of our own without cryptography."""

    logs_in = True

    def __init__(self, clock: RatedClock, venue: Venue, life_s: float = 86_400) -> None:
        self.clock, self.venue, self.life_s = clock, venue, life_s
        self.problem: Exception | None = None
        self.logins: list[float] = []
        self.token = 0

    def headers(self, method: str, url: str, query: tuple[tuple[str, str], ...]) -> dict[str, str]:
        return {"Authorization": f"Bearer zebra-token-{self.token}"}

    async def login(self, ask: Asker) -> int | None:
        self.logins.append(trio.current_time())
        if self.problem:
            raise self.problem
        reply = await ask("POST /oauth/x", "POST", "https://localhost:5000/v1/api/oauth/x", headers={}, content=None)
        assert reply.status == 200
        await trio.sleep(1)
        self.token += 1
        self.venue.logged_in, self.venue.open = True, False
        return self.clock.now_ns() + round(self.life_s * S)

    def websocket(self, session: str) -> Handshake:
        return Handshake()


async def test_a_login_of_our_own_comes_first_and_is_renewed_in_quiet(
    autojump_clock: Clock, tmp_path: Path, written: io.StringIO
) -> None:
    venue = Venue()
    venue.logged_in = venue.open = False
    venue.answers["/oauth/x"] = body({})
    made: list[Keys] = []

    def login(clock: RatedClock) -> Keys:
        made.append(Keys(clock, venue))
        return made[0]

    async with held(venue, login=login, ledger=tmp_path / "logins.json") as it:
        await it.supervisor.wait_up()
        (keys,) = made
        assert venue.asked[0] == "/oauth/x"
        assert it.count(INIT) == 1
        assert [one.attempt for one in load(tmp_path / "logins.json").made] == ["login", "init"]
        await trio.sleep(22 * 3600)
        assert len(keys.logins) == 1
        assert [alert.what for alert in it.alerts] == []
        await trio.sleep(3600)
        assert len(keys.logins) == 2
        assert it.downs[-1].expected
        assert it.supervisor.health().up
        assert it.count(INIT) == 2
        assert it.alerts == []
        # Between the renewal and the end of the climb no order write leaves.
        renewed = keys.logins[-1]
        up = it.ups[-1]
        assert not [path for at, path in venue.log if renewed <= at < up and path.endswith("/orders}")]
    assert "zebra" not in written.getvalue()


async def test_a_new_login_means_a_new_init_whatever_the_status_says(autojump_clock: Clock) -> None:
    venue = Venue()
    venue.logged_in = False
    venue.answers["/oauth/x"] = body({})

    class Stale(Keys):
        async def login(self, ask: Asker) -> int | None:
            expires_ns = await super().login(ask)
            self.venue.open = True  # as if the old brokerage session still stood
            return expires_ns

    async with held(venue, login=lambda clock: Stale(clock, venue, life_s=4 * 3600)) as it:
        await it.supervisor.wait_up()
        assert it.count(INIT) == 1
        await trio.sleep(3 * 3600 + 100)
        assert it.supervisor.health().up
        assert it.count(INIT) == 2


async def test_a_refused_login_is_not_repeated_in_a_hurry_and_a_restart_remembers(
    autojump_clock: Clock, tmp_path: Path
) -> None:
    venue = Venue()
    venue.logged_in = venue.open = False
    keys: list[Keys] = []

    def login(clock: RatedClock) -> Keys:
        keys.append(Keys(clock, venue))
        keys[-1].problem = VenueRefused("POST /oauth/x", "invalid consumer", status=401)
        return keys[-1]

    async with held(venue, login=login, ledger=tmp_path / "f") as it:
        await trio.sleep(1700)
        assert len(keys[0].logins) <= 6
        waits = [b - a for a, b in zip(keys[0].logins, keys[0].logins[1:], strict=False)]
        assert all(wait >= 30 for wait in waits)
        assert it.alerts[0].what == "login_refused"
        await trio.sleep(900)
    total = len(keys[0].logins)
    async with held(venue, login=login, ledger=tmp_path / "f", start_ns=NOON + 2600 * S) as it:
        await trio.sleep(900)
        assert total + len(keys[1].logins) <= 6


async def test_an_unreachable_login_costs_nothing(autojump_clock: Clock, tmp_path: Path) -> None:
    venue = Venue()
    venue.there = venue.logged_in = venue.open = False
    venue.answers["/oauth/x"] = body({})
    async with held(venue, login=lambda clock: Keys(clock, venue), ledger=tmp_path / "f") as it:
        await trio.sleep(3000)
        assert load(tmp_path / "f").made == ()
        venue.there = True
        with trio.fail_after(150):
            await it.supervisor.wait_up()


async def test_a_renewal_that_fails_leaves_the_old_login_standing(autojump_clock: Clock) -> None:
    venue = Venue()
    venue.logged_in = venue.open = False
    venue.answers["/oauth/x"] = body({})
    made: list[Keys] = []

    def login(clock: RatedClock) -> Keys:
        made.append(Keys(clock, venue, life_s=4 * 3600))
        return made[0]

    async with held(venue, login=login) as it:
        await it.supervisor.wait_up()
        made[0].problem = VenueRefused("POST /oauth/x", "busy", status=500)
        await trio.sleep(3 * 3600 + 100)
        assert it.supervisor.health().up
        assert it.downs == []
        assert [alert.what for alert in it.alerts] == ["renewal_failed"]
        made[0].problem = None
        await trio.sleep(600)
        assert [down.expected for down in it.downs] == [True]
        assert it.supervisor.health().up


async def test_a_lost_websocket_is_made_anew_with_a_fresh_session(autojump_clock: Clock) -> None:
    async with held(Venue()) as it:
        await it.supervisor.wait_up()
        await trio.sleep(100)
        it.supervisor.tell(StreamLost(problem="no heartbeat for 30 s"))
        await trio.sleep(0.1)
        health = it.supervisor.health()
        assert (health.layers[Layer.STREAM].up, health.layers[Layer.ACCOUNTS].up) == (False, True)
        assert it.downs[0].reason == "no heartbeat for 30 s"
        await it.supervisor.wait_up()
        assert it.count(INIT) == 0
        assert it.socket.log == ["connect", "subscribe", "disconnect", "connect", "subscribe"]


async def test_the_login_file_is_written_off_the_loop(tmp_path: Path) -> None:
    file = LoginFile(tmp_path / "f")
    made = file.load().spend(Attempt.LOGIN, NOON)
    await file.keep(made)
    assert LoginFile(tmp_path / "f").load() == made


async def test_a_full_disk_is_told_and_costs_no_session(autojump_clock: Clock, tmp_path: Path) -> None:
    venue = Venue()
    venue.open = False
    async with held(venue, ledger=tmp_path / "none" / "f") as it:
        await it.supervisor.wait_up()
        assert {alert.what for alert in it.alerts} == {"login_file_unwritable"}


def test_the_kinds_used_here_are_those_of_the_calls() -> None:
    assert CALLS["place"].kind is Kind.ORDER_WRITE


async def test_while_it_is_down_it_is_told_when_requests_about_orders_are_answered(autojump_clock: Clock) -> None:
    venue = Venue()
    async with held(venue) as it:
        await it.supervisor.wait_up()
        assert it.lowest == ["stream"]  # before the websocket stood
        it.supervisor.tell(StreamLost(problem="closed"))
        await trio.sleep(0.01)
        assert [down.reason for down in it.downs] == ["closed"]  # the layer is told with it
        assert it.lowest == ["stream"]
        venue.there = False
        await trio.sleep(60)
        assert it.lowest == ["stream", "gateway"]
        venue.there = True
        await it.supervisor.wait_up()
        assert it.lowest == ["stream", "gateway", "stream"]
