"""When the guard acts and when it ends, on a clock in hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.guard.watch import Presence, Todo, Watch

STEP = 0.25


def watch() -> Watch:
    return Watch(limit_s=10.0, alone_s=30.0, now_s=100.0)


def until(
    one: Watch, from_s: float, to_s: float, *, gateway: bool = True, sign: bool = False
) -> list[tuple[float, Todo]]:
    """Tick at each step; what came out, and when."""
    found = []
    for step in range(round((to_s - from_s) / STEP)):
        now_s = from_s + (step + 1) * STEP
        if sign:
            one.sign(now_s)
        todo = one.tick(now_s, gateway=gateway, every_s=STEP)
        if todo is not None:
            found.append((now_s, todo))
    return found


def test_it_acts_once_after_the_limit_whether_the_daemon_hangs_or_is_dead() -> None:
    for dead in (False, True):
        one = watch()
        one.hello(100.0, 10.0)
        if dead:
            one.line_lost()
        assert until(one, 100.0, 200.0) == [(110.0, Todo.ACT)]


def test_a_daemon_that_comes_back_in_time_takes_the_guard_over() -> None:
    one = watch()
    one.hello(100.0, 10.0)
    one.line_lost()
    assert until(one, 100.0, 109.5) == []
    one.hello(109.5, 10.0)
    assert until(one, 109.5, 200.0, sign=True) == []


def test_signs_keep_it_quiet_and_their_end_does_not() -> None:
    one = watch()
    one.hello(100.0, 10.0)
    assert until(one, 100.0, 150.0, sign=True) == []
    assert until(one, 150.0, 170.0) == [(160.0, Todo.ACT)]


def test_with_neither_daemon_nor_gateway_it_ends_within_a_minute() -> None:
    never_came = watch()
    assert until(never_came, 100.0, 130.0, gateway=False) == [(130.0, Todo.END)]
    both_died = watch()
    both_died.hello(100.0, 10.0)
    both_died.line_lost()
    found = until(both_died, 100.0, 160.0, gateway=False)
    assert found[0] == (110.0, Todo.ACT)
    assert found[1][1] is Todo.END
    assert found[1][0] <= 160.0


def test_with_a_gateway_it_stays() -> None:
    one = watch()
    one.hello(100.0, 10.0)
    one.line_lost()
    assert until(one, 100.0, 1000.0) == [(110.0, Todo.ACT)]
    assert until(one, 1000.0, 1030.25, gateway=False)[-1] == (1030.25, Todo.END)


def test_a_daemon_that_takes_its_leave_is_not_acted_for() -> None:
    one = watch()
    one.hello(100.0, 10.0)
    one.leave()
    one.line_lost()
    assert one.presence(100.1) is Presence.NONE
    assert until(one, 100.0, 100.25) == [(100.25, Todo.END)]


def test_time_in_which_the_guard_itself_stood_still_does_not_count() -> None:
    one = watch()
    one.hello(100.0, 10.0)
    assert until(one, 100.0, 104.0) == []
    assert one.tick(150.0, gateway=True, every_s=STEP) is None  # the machine slept; the daemon gets its time back
    found = until(one, 150.0, 200.0)
    assert [todo for _, todo in found] == [Todo.ACT]
    assert found[0][0] > 150.0


def test_a_machine_that_stutters_for_ever_does_not_put_it_off_for_ever() -> None:
    one = watch()
    one.hello(100.0, 10.0)
    acted = [n for n in range(1, 40) if one.tick(100.0 + 2.0 * n, gateway=True, every_s=STEP) is Todo.ACT]
    assert len(acted) == 1


EVENTS = st.lists(st.sampled_from(["tick", "tick", "tick", "sign", "hello", "lost", "leave"]), max_size=80)


@given(EVENTS)
def test_it_never_acts_before_the_limit_nor_twice_for_one_daemon(events: list[str]) -> None:
    one = Watch(limit_s=1.0, alone_s=3.0, now_s=0.0)
    now_s, signed_s, came, acted, left = 0.0, 0.0, False, False, False
    for event in events:
        now_s += STEP
        if event == "hello":
            one.hello(now_s, 1.0)
            came, acted, left, signed_s = True, False, False, now_s
        elif event == "sign" and came:
            one.sign(now_s)
            signed_s = now_s
        elif event == "lost":
            one.line_lost()
        elif event == "leave" and came:
            one.leave()
            left = True
        elif event == "tick":
            todo = one.tick(now_s, gateway=True, every_s=STEP)
            if todo is Todo.ACT:
                assert came
                assert not acted
                assert not left
                assert now_s - signed_s >= 1.0
                acted = True
            elif todo is Todo.END:
                assert left or not came or one.presence(now_s) is Presence.NONE
