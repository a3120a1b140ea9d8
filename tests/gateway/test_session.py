"""The session machine: what ends a tier, what brings it back, and that no schedule leaves it in between."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine.gateway.calls import Tier
from engine.gateway.options import Options, SessionRules
from engine.gateway.session import FORCE_COMPETE, Session
from tests.gateway.fakes import SECOND, START_NS

RULES = SessionRules(reset_hour=-1)


def _session(options: Options | None = None, **rules: Any) -> Session:
    options = options or Options()
    return Session(evolve(options, session=evolve(RULES, **rules)), Random(1), START_NS)


def _at(seconds: float) -> int:
    return START_NS + int(seconds * SECOND)


def _turns(session: Session, seconds: float) -> list[tuple[float, str]]:
    return [((turn.ts_ns - START_NS) / SECOND, turn.what) for turn in session.advance(_at(seconds))]


def test_it_starts_as_a_browser_login_leaves_it() -> None:
    session = _session()
    assert session.refuses(Tier.BROKERAGE, START_NS) is None
    before = session.brokerage_id
    answer = session.init(_at(1), publish=True, compete=True)
    assert answer.body["authenticated"] is True
    assert answer.body["established"] is True
    assert session.brokerage_id == before
    assert session.refuses(Tier.BROKERAGE, _at(1)) is None


def test_idle_for_six_minutes_ends_the_brokerage_tier_alone() -> None:
    session = _session()
    session.advance(START_NS)
    session.heard(_at(100))
    assert _turns(session, 459) == []
    assert _turns(session, 461) == [(460.0, "dropped")]
    refused = session.refuses(Tier.BROKERAGE, _at(461))
    assert refused is not None
    assert (refused.status, refused.body["error"]) == (400, "Init session first")
    assert session.refuses(Tier.OUTER, _at(461)) is None
    status = session.status(_at(461))
    assert (status["connected"], status["authenticated"], status["competing"]) == (True, False, False)


def test_no_bridge_just_after_an_init_of_a_session_that_was_down() -> None:
    session = _session()
    session.drop(_at(1))
    answer = session.init(_at(2), publish=True, compete=False)
    assert (answer.body["authenticated"], answer.body["established"]) == (True, False)
    refused = session.refuses(Tier.BROKERAGE, _at(5.9))
    assert refused is not None
    assert (refused.status, refused.body["error"]) == (400, "Bad Request: no bridge")
    assert session.refuses(Tier.BROKERAGE, _at(6)) is None
    assert session.status(_at(6))["established"] is True


def test_a_day_is_the_longest_login_and_a_person_comes_back() -> None:
    session = _session(idle_s=1e9)
    session.advance(START_NS)
    assert _turns(session, 86_401) == [(86_400.0, "dropped"), (86_400.0, "lost")]
    for tier in (Tier.OUTER, Tier.BROKERAGE):
        refused = session.refuses(tier, _at(86_401))
        assert refused is not None
        assert refused.status == 401
    assert session.refuses(Tier.NONE, _at(86_401)) is None
    assert session.expires_ms(_at(86_401)) == 0
    assert _turns(session, 86_521) == [(86_520.0, "login"), (86_520.0, "opened")]
    assert session.usable(_at(86_525))


@pytest.mark.parametrize("person_s", [None, -1])
def test_nobody_comes_back_if_told_so(person_s: float | None) -> None:
    session = _session(person_s=person_s)
    session.advance(START_NS)
    session.logout(_at(1))
    assert _turns(session, 1e6) == [(1.0, "dropped"), (1.0, "lost")]


def test_after_a_logout_an_init_is_gone_until_somebody_logs_in() -> None:
    session = _session()
    old = session.tickle_id
    session.logout(_at(10))
    assert session.init(_at(11), publish=True, compete=True).status == 410
    assert session.status(_at(11)) == {
        "authenticated": False,
        "competing": False,
        "connected": False,
        "MAC": session.status(_at(11))["MAC"],
    }
    session.advance(_at(130))
    assert session.authenticated
    assert session.tickle_id != old


def test_a_rival_takes_the_session_and_only_competing_takes_it_back() -> None:
    session = _session()
    session.rival(_at(1))
    status = session.status(_at(2))
    assert (status["connected"], status["authenticated"], status["competing"]) == (True, False, True)
    meek = session.init(_at(3), publish=True, compete=False)
    assert (meek.status, meek.body["authenticated"], meek.body["fail"]) == (200, False, FORCE_COMPETE)
    bold = session.init(_at(4), publish=True, compete=True)
    assert (bold.body["authenticated"], bold.body["competing"]) == (True, False)


def test_a_rival_may_leave() -> None:
    session = _session()
    session.rival(_at(1), stays_s=30)
    session.advance(_at(30))
    assert session.status(_at(30))["competing"] is True
    session.advance(_at(31))
    assert session.status(_at(31))["competing"] is False
    assert session.init(_at(32), publish=True, compete=False).body["authenticated"] is True


@pytest.mark.parametrize(
    ("zone", "start", "reset"),
    [
        ("America/New_York", "2024-03-11T10:00", "2024-03-12T01:00"),
        ("America/New_York", "2024-03-09T10:00", "2024-03-10T01:00"),  # the night the clocks go forward
        ("Europe/Zurich", "2024-10-27T00:30", "2024-10-27T01:00"),
        ("Asia/Hong_Kong", "2024-03-11T02:00", "2024-03-12T01:00"),
    ],
)
def test_the_nightly_reset_is_at_one_in_the_zone(zone: str, start: str, reset: str) -> None:
    place = ZoneInfo(zone)
    begin = int(datetime.fromisoformat(start).replace(tzinfo=place).timestamp()) * SECOND
    end = int(datetime.fromisoformat(reset).replace(tzinfo=place).timestamp()) * SECOND
    rules = SessionRules(reset_zone=zone, idle_s=1e9)
    session = Session(Options(session=rules), Random(1), begin)
    session.advance(end - 1)
    assert session.status(end - 1)["authenticated"] is True
    session.advance(end)
    assert session.status(end)["authenticated"] is False
    during = session.init(end + SECOND, publish=True, compete=True)
    assert during.body["authenticated"] is False
    assert during.body["fail"]
    after = session.init(end + 61 * SECOND, publish=True, compete=True)
    assert after.body["authenticated"] is True


def test_publish_false_is_an_error_only_in_the_documents() -> None:
    for profile, status in (("observed", 200), ("documented", 500)):
        session = _session(Options(profile=profile))  # type: ignore[arg-type]
        session.drop(_at(1))
        assert session.init(_at(2), publish=False, compete=True).status == status


def test_the_oauth_ways_start_logged_out() -> None:
    session = _session(Options(auth="oauth1"))
    assert not session.connected
    assert session.init(_at(1), publish=True, compete=True).status == 401
    session.login(_at(2), open_brokerage=False)
    assert (session.connected, session.authenticated) == (True, False)
    assert session.init(_at(3), publish=True, compete=True).body["authenticated"] is True
    session.lose(_at(4))
    session.advance(_at(1e5))
    assert not session.connected


def test_what_is_kept_goes_on() -> None:
    session = _session()
    session.rival(_at(5), stays_s=100)
    other = _session()
    other.restore(session.kept(), _at(6))
    assert other.kept() == session.kept()
    assert other.advance(_at(7)) == []
    other.advance(_at(105))
    assert not other.competing


ACTS = st.sampled_from(["init", "meek", "logout", "drop", "lose", "rival", "visitor", "heard", "wait", "login"])


@given(st.lists(st.tuples(ACTS, st.floats(0, 100_000)), max_size=30), st.booleans())
def test_no_schedule_leaves_a_brokerage_tier_in_the_air(acts: list[tuple[str, float]], nightly: bool) -> None:
    session = _session(reset_hour=1 if nightly else -1)
    now = START_NS
    for act, wait in acts:
        now += int(wait * SECOND)
        turns = session.advance(now)
        assert [turn.ts_ns for turn in turns] == sorted(turn.ts_ns for turn in turns)
        match act:
            case "init" | "meek":
                answer = session.init(now, publish=True, compete=act == "init")
                assert answer.status == (200 if session.connected else answer.status)
            case "logout":
                session.logout(now)
            case "drop":
                session.drop(now, maintenance_s=10)
            case "lose":
                session.lose(now)
            case "rival" | "visitor":
                session.rival(now, stays_s=None if act == "rival" else 50)
            case "heard":
                session.heard(now)
            case "login":
                session.login(now, open_brokerage=True)
        status = session.status(now)
        assert not (status["authenticated"] and not status["connected"])
        assert not (status["authenticated"] and status["competing"])
        assert (session.refuses(Tier.BROKERAGE, now) is None) <= (session.refuses(Tier.OUTER, now) is None)
        assert session.next_due_ns() > now or session.advance(now)
