"""Where windows and chunks are cut, and how the ring is wired, change nothing: not a byte of what a run leaves."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.market import Bar, MarketEvent, Quote, Status, Trade
from engine.domain.sessions import Sessions
from engine.settings import LatencySettings, Limits, ParticipationSettings, Pipeline, VenueSettings
from tests.replay.actors import Column5, Columns, Failing, Gambler, Late
from tests.replay.arena import LOOSE, MS, T0, Arena, Left, Make

# The campaign profile searches wider.
MORE = settings.default.max_examples // 50 if settings.default is not None else 1
SHORT = Sessions(opens_ns=(T0 + 3 * MS, T0 + 40 * MS), closes_ns=(T0 + 25 * MS, T0 + 60 * MS))


@st.composite
def markets(draw: st.DrawFn) -> list[MarketEvent]:
    """Some dozens of rows of two instruments and all kinds, many of them at one moment."""
    dice = Random(draw(st.integers(0, 2**32)))
    count = draw(st.integers(2, 45))
    at = T0
    mids = {1: 1000, 2: 1005}
    events: list[MarketEvent] = []
    for _ in range(count):
        at += dice.choice((0, 0, 1, MS, 2 * MS, 5 * MS))
        conid = dice.choice((1, 1, 2))
        mids[conid] += dice.choice((-2, -1, 0, 1, 2))
        mid = mids[conid]
        kind = dice.randrange(10)
        if kind < 6:
            events.append(
                Quote(
                    at, conid, (mid - dice.randint(0, 1)) / 100, (mid + 1) / 100, dice.randint(1, 9), dice.randint(1, 9)
                )
            )
        elif kind < 8:
            events.append(Trade(at, conid, (mid + dice.randint(-1, 1)) / 100, float(dice.randint(1, 9))))
        elif kind == 8:
            low, high = mid - dice.randint(0, 2), mid + dice.randint(0, 2)
            events.append(Bar(at, conid, MS, mid / 100, high / 100, low / 100, mid / 100, float(dice.randint(1, 99))))
        else:
            events.append(Status(at, conid, dice.choice(("open", "open", "halted"))))
    return events


arenas = st.builds(
    lambda place, modify, cancel, report, fills, resting, sessions, limits: Arena(
        venue=VenueSettings(
            latency_ms=LatencySettings(place=place, modify=modify, cancel=cancel, report=report),
            fills=fills,
            resting_price=resting,
            fees="none",
            participation=ParticipationSettings(bar=0.5),
        ),
        sessions=sessions,
        limits=limits,
        params={"a": 1, "b": 2, "c": 3},
    ),
    *[st.sampled_from((0.0, 0.0, 0.7, 1.0, 2.0, 7.0))] * 3,
    st.sampled_from((0.0, 0.0, 1.5)),
    st.sampled_from(("conservative", "touch", "same_event", "next_event", "next_open")),
    st.sampled_from(("limit", "touch")),
    st.sampled_from((Sessions.round_the_clock(), SHORT)),
    st.sampled_from((LOOSE, Limits(), Limits(open_orders_max=3, orders_per_minute_max=20))),
)
WAYS: list[Callable[[Random, int], dict[str, Any]]] = [
    lambda dice, size: {"window": 1},
    lambda dice, size: {"window": 2},
    lambda dice, size: {"window": 7},
    lambda dice, size: {"cuts": tuple(sorted(dice.sample(range(size), min(size, dice.randint(1, 6)))))},
    lambda dice, size: {"cuts": tuple(range(size)), "window": 3},
    lambda dice, size: {"widths": lambda: dice.randint(1, 9), "cuts": (size // 2,)},
    lambda dice, size: {"pipeline": Pipeline.CHANNELS, "window": dice.randint(1, 50)},
    lambda dice, size: {"pipeline": Pipeline.CHANNELS, "cuts": (size // 3, size // 2)},
]


def _same(base: Left, other: Left, how: object) -> None:
    one, two = base.all(), other.all()
    for name, value in one.items():
        assert two[name] == value, (name, how)


def _law(arena: Arena, events: list[MarketEvent], teams: tuple[Make, ...], seed: int) -> Left:
    """Run it whole, then in other ways: nothing may differ."""
    dice = Random(seed)
    arena = arena.but(params={name: seed + place for place, name in enumerate("abc")})
    base = arena.run(events, *teams)
    assert len(base.facts) < 50_000
    for number in (0, *dice.sample(range(1, len(WAYS)), 3)):
        how = WAYS[number](dice, len(events))
        _same(base, arena.but(**how).run(events, *teams), how)
    return base


@given(arenas, markets(), st.integers(0, 1000))
@settings(max_examples=150 * MORE)
def test_cuts_and_wiring_change_nothing_for_handlers(arena: Arena, events: list[MarketEvent], seed: int) -> None:
    _law(arena, events, (Gambler, Late, Gambler), seed)


@given(arenas, markets(), st.integers(0, 1000), st.permutations([Columns, Gambler, Column5]))
@settings(max_examples=80 * MORE)
def test_cuts_change_nothing_where_whole_windows_are_computed_beside_handlers(
    arena: Arena, events: list[MarketEvent], seed: int, teams: list[Make]
) -> None:
    _law(arena, events, tuple(teams), seed)


@given(arenas, markets(), st.integers(0, 1000))
@settings(max_examples=40 * MORE)
def test_cuts_change_nothing_for_one_that_computes_whole_windows_alone(
    arena: Arena, events: list[MarketEvent], seed: int
) -> None:
    _law(arena, events, (Columns,), seed)


@pytest.mark.parametrize("teams", [(Failing, Columns), (Columns, Failing), (Gambler, Failing, Late)])
@given(arenas, markets(), st.integers(0, 1000))
@settings(max_examples=20 * MORE)
def test_the_row_at_which_a_whole_window_handler_fails_does_not_depend_on_cuts(
    teams: tuple[Make, ...], arena: Arena, events: list[MarketEvent], seed: int
) -> None:
    _law(arena, events, teams, seed)


def test_trios_scheduler_changes_nothing() -> None:
    dice = Random(5)
    events: list[MarketEvent] = []
    at = T0
    for number in range(120):
        at += dice.choice((0, MS, 3 * MS))
        bid = 10 + dice.randint(-3, 3) / 100
        events.append(Quote(at, 1 + number % 2, bid, bid + 0.01, 5.0, 5.0))
    arena = Arena(pipeline=Pipeline.CHANNELS, params={"a": 1, "b": 2, "c": 3}, window=16)
    hashes = set()
    for seed in range(50):
        trio._core._run._r.seed(seed)
        left = arena.run(events, Gambler, Columns, Gambler)
        assert len(left.result.fills) > 20
        hashes.add(left.result.hash)
    assert len(hashes) == 1
    assert hashes == {arena.but(pipeline=Pipeline.FUSED).run(events, Gambler, Columns, Gambler).result.hash}
