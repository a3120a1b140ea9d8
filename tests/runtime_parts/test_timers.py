"""Timers against a plain list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.columns import merge
from engine.domain.messages import DropTimer, SetTimer, TimerDue, TimerWish
from engine.domain.moments import END_OF_TIME_NS
from engine.runtime.lap import Lap
from engine.runtime.timers import Timers

names = st.sampled_from(["x", "y"])
owners = st.sampled_from(["a", "b"])
wishes = st.builds(SetTimer, owners, names, st.integers(0, 9), st.booleans()) | st.builds(DropTimer, owners, names)
acts = st.lists(wishes | st.integers(0, 9), max_size=40)


@given(acts=acts)
def test_what_is_due_is_the_newest_of_each_name_and_every_calendar_event(acts: list[TimerWish | int]) -> None:
    timers = Timers()
    model: list[tuple[int, int, SetTimer]] = []
    for number, act in enumerate(acts):
        if isinstance(act, int):
            due = sorted(entry for entry in ((at, n) for at, n, _ in model) if entry[0] <= act)
            by_number = {n: wish for _, n, wish in model}
            expected = [TimerDue(by_number[n].strategy, by_number[n].name, at, by_number[n].calendar) for at, n in due]
            assert timers.due(act) == expected
            model = [entry for entry in model if entry[0] > act]
        else:
            timers.take([act])
            if isinstance(act, DropTimer) or not act.calendar:
                same = (act.strategy, act.name)
                model = [e for e in model if e[2].calendar or (e[2].strategy, e[2].name) != same]
            if isinstance(act, SetTimer):
                model.append((act.at_ns, number, act))
        assert timers.next_ns() == min((at for at, _, _ in model), default=END_OF_TIME_NS)


def test_a_timer_set_again_and_again_does_not_pile_up() -> None:
    timers = Timers()
    timers.take([SetTimer("a", "close", 10**9, calendar=True)])
    for at in range(50_000):
        timers.take([SetTimer("a", "idle", 10**6 + at)])
        assert len(timers._heap) <= 2_048
    assert timers.due(10**9) == [TimerDue("a", "idle", 10**6 + 49_999), TimerDue("a", "close", 10**9, True)]
    assert timers.next_ns() == END_OF_TIME_NS


def test_a_lap_starts_empty_and_shares_no_list() -> None:
    one, other = Lap(chunk=merge({})), Lap(chunk=merge({}))
    one.intents.append(None)  # type: ignore[arg-type]
    assert other.intents == []
    assert (one.start, one.stop, one.taken, one.finished) == (0, 0, 0, False)
