"""Pacing: no schedule gets more through than a budget admits, and what is refused costs nothing."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine.gateway.budgets import HISTORY, TABLE, Budgets
from engine.gateway.options import Pacing
from tests.gateway.fakes import SECOND, START_NS

PLAIN = "GET /iserver/accounts"


def _at(seconds: float) -> int:
    return START_NS + int(seconds * SECOND)


def test_ten_a_second_through_the_gateway_and_fifty_without_it() -> None:
    for direct, most in ((False, 10), (True, 50)):
        budgets = Budgets(Pacing(), direct=direct)
        through = [budgets.refuses(PLAIN, _at(n / 1_000)) is None for n in range(60)]
        assert through == [True] * most + [False] * (60 - most)
        assert budgets.refuses(PLAIN, _at(0.9999)) is not None
        assert budgets.refuses(PLAIN, _at(1)) is None  # the first has left the window


@pytest.mark.parametrize(
    ("key", "most", "window"),
    [
        ("GET /iserver/account/orders", 1, 5),
        ("GET /iserver/account/trades", 1, 5),
        ("GET /iserver/account/pnl/partitioned", 1, 5),
        ("GET /portfolio/accounts", 1, 5),
        ("GET /iserver/scanner/params", 1, 900),
        ("POST /iserver/scanner/run", 1, 1),
        ("POST /pa/performance", 1, 900),
        ("POST /fyi/settings/{any}", 1, 1),
        ("GET /sso/validate", 1, 60),
        ("GET /tickle", 1, 1),
        ("GET /iserver/marketdata/snapshot", 10, 1),
    ],
)
def test_the_official_table(key: str, most: int, window: int) -> None:
    budgets = Budgets(Pacing(global_per_s=1_000), direct=False)
    assert [budgets.refuses(key, _at(0)) is None for _ in range(most + 3)] == [True] * most + [False] * 3
    assert budgets.refuses(key, _at(window) - 1) is not None
    assert budgets.refuses(key, _at(window)) is None


def test_a_posted_tickle_has_the_global_budget_only() -> None:
    budgets = Budgets(Pacing(), direct=False)
    assert [budgets.refuses("POST /tickle", _at(0)) is None for _ in range(12)] == [True] * 10 + [False] * 2


def test_what_is_refused_takes_nothing() -> None:
    budgets = Budgets(Pacing(), direct=False)
    assert budgets.refuses("GET /iserver/account/orders", _at(0)) is None
    for n in range(100):
        assert budgets.refuses("GET /iserver/account/orders", _at(0.001 * n)) is not None
    assert [budgets.refuses(PLAIN, _at(0.5)) is None for _ in range(10)] == [True] * 9 + [False]


def test_five_histories_at_once() -> None:
    budgets = Budgets(Pacing(), direct=False)
    ends = []
    for _ in range(5):
        assert budgets.refuses(HISTORY, _at(0)) is None
        ends.append(budgets.begin(HISTORY))
    assert budgets.refuses(HISTORY, _at(0)) is not None
    ends[0]()
    ends[0]()  # an end counts once
    assert budgets.refuses(HISTORY, _at(0)) is None
    budgets.begin(HISTORY)
    assert budgets.refuses(HISTORY, _at(0)) is not None


def test_the_penalty_box_is_for_ten_minutes() -> None:
    budgets = Budgets(Pacing(penalty_after=3), direct=False)
    for _ in range(10):
        assert budgets.refuses(PLAIN, _at(0)) is None
    assert [budgets.refuses(PLAIN, _at(0.1)) for _ in range(4)] == ["too many requests"] * 3 + ["penalty box"]
    assert budgets.refuses(PLAIN, _at(600)) == "penalty box"
    assert budgets.refuses(PLAIN, _at(600.1)) is None


def test_pacing_can_be_off() -> None:
    budgets = Budgets(Pacing(on=False), direct=False)
    assert all(budgets.refuses("GET /sso/validate", _at(0)) is None for _ in range(1_000))


@given(
    st.lists(st.tuples(st.sampled_from([PLAIN, *sorted(TABLE)]), st.floats(0, 3)), max_size=200),
    st.integers(1, 20),
)
def test_no_window_holds_more_than_its_budget(calls: list[tuple[str, float]], per_s: int) -> None:
    budgets = Budgets(evolve(Pacing(), global_per_s=per_s), direct=False)
    now, through = START_NS, []
    for key, wait in calls:
        now += int(wait * SECOND)
        if budgets.refuses(key, now) is None:
            through.append((now, key))
    everything = [moment for moment, _ in through]
    for first, moment in enumerate(everything):
        assert sum(1 for other in everything[first:] if other < moment + SECOND) <= per_s
    for key, (most, window) in TABLE.items():
        mine = [moment for moment, name in through if name == key]
        for first, moment in enumerate(mine):
            assert sum(1 for other in mine[first:] if other < moment + window) <= most
