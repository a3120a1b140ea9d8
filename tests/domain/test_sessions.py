"""Sessions: which nanosecond belongs to which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.moments import END_OF_TIME_NS, NS_PER_MINUTE
from engine.domain.sessions import Sessions

M = NS_PER_MINUTE
TWO = Sessions((100 * M, 500 * M), (300 * M, 600 * M))


@pytest.mark.parametrize(
    ("ts_ns", "outside", "is_open"),
    [
        (100 * M - 1, (0, 0), False),
        (100 * M, (0, 0), True),
        (300 * M - 1, (0, 0), True),
        (300 * M, (0, 0), False),
        (500 * M, (0, 0), True),
        (600 * M, (0, 0), False),
        (0, (0, 0), False),
        (90 * M - 1, (10, 20), False),
        (90 * M, (10, 20), True),
        (320 * M - 1, (10, 20), True),
        (320 * M, (10, 20), False),
        (490 * M - 1, (10, 20), False),
        (490 * M, (10, 20), True),
        (450 * M, (100, 190), True),  # after hours of the one run into the other's early hours
    ],
)
def test_open_from_the_open_until_just_before_the_close(ts_ns: int, outside: tuple[int, int], is_open: bool) -> None:
    assert TWO.is_open(ts_ns, outside) is is_open


@pytest.mark.parametrize(
    ("ts_ns", "session"),
    [
        (99 * M, None),
        (100 * M, (100 * M, 300 * M)),
        (300 * M - 1, (100 * M, 300 * M)),
        (300 * M, None),
        (599 * M, (500 * M, 600 * M)),
        (600 * M, None),
    ],
)
def test_the_session_a_time_lies_in(ts_ns: int, session: tuple[int, int] | None) -> None:
    assert TWO.session_at(ts_ns) == session


def test_the_next_open_is_now_or_later_and_the_next_close_later() -> None:
    assert [TWO.next_open_ns(at) for at in (0, 100 * M, 100 * M + 1, 500 * M)] == [100 * M, 100 * M, 500 * M, 500 * M]
    assert [TWO.next_close_ns(at) for at in (0, 300 * M - 1, 300 * M)] == [300 * M, 300 * M, 600 * M]
    assert TWO.next_open_ns(500 * M + 1) == TWO.next_close_ns(600 * M) == END_OF_TIME_NS


def test_a_market_that_never_closes_and_one_that_never_opens() -> None:
    always, never = Sessions.round_the_clock(), Sessions()
    for at in (0, 300 * M, END_OF_TIME_NS):
        assert always.is_open(at)
        assert not never.is_open(at)
        assert always.session_at(at) is never.session_at(at) is None
    assert always.next_close_ns(0) == never.next_open_ns(0) == END_OF_TIME_NS


@given(
    edges=st.lists(st.integers(0, 60), min_size=2, max_size=12, unique=True).map(sorted),
    ts=st.integers(-5, 70),
    before=st.integers(0, 8),
    after=st.integers(0, 8),
)
def test_agrees_with_looking_at_every_session(edges: list[int], ts: int, before: int, after: int) -> None:
    if len(edges) % 2:
        edges = edges[:-1]
    opens, closes = [e * M for e in edges[::2]], [e * M for e in edges[1::2]]
    sessions = Sessions(tuple(opens), tuple(closes))
    at = ts * M
    pairs = list(zip(opens, closes, strict=True))
    assert sessions.is_open(at, (before, after)) == any(o - before * M <= at < c + after * M for o, c in pairs)
    assert sessions.session_at(at) == next((pair for pair in pairs if pair[0] <= at < pair[1]), None)
    assert sessions.next_open_ns(at) == min((o for o in opens if o >= at), default=END_OF_TIME_NS)
    assert sessions.next_close_ns(at) == min((c for c in closes if c > at), default=END_OF_TIME_NS)
