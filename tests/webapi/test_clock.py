"""The gateway's clock at its rate, over jumps, and waits measured on it."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.ports import Clock
from engine.webapi.budgets import Window
from engine.webapi.clock import SECOND, RatedClock, WallClock, move_on_after

ORIGIN = 1_700_000_000 * SECOND


async def test_a_second_of_trio_is_rate_seconds(autojump_clock: trio.abc.Clock) -> None:
    clock: Clock = RatedClock(ORIGIN, 60)
    await trio.sleep(2)
    assert clock.now_ns() == ORIGIN + 120 * SECOND
    await clock.sleep(30)
    assert trio.current_time() == pytest.approx(2.5, abs=1e-6)  # the start of this clock is zero
    assert clock.now_ns() >= ORIGIN + 150 * SECOND
    await clock.sleep_until(ORIGIN)  # long gone
    assert trio.current_time() == pytest.approx(2.5, abs=1e-6)


@pytest.mark.parametrize("rate", [0.1, 1, 7, 333.3, 100_000])
async def test_a_wait_never_ends_early(autojump_clock: trio.abc.Clock, rate: float) -> None:
    clock = RatedClock(ORIGIN, rate)
    for seconds in (0.001, 0.3, 17, 86_400):
        before = clock.now_ns()
        await clock.sleep(seconds)
        assert clock.now_ns() - before >= seconds * SECOND


async def test_those_who_wait_hear_of_a_jump(autojump_clock: trio.abc.Clock) -> None:
    clock = RatedClock(ORIGIN, 1)
    woken: list[float] = []

    async def wait() -> None:
        await clock.sleep_until(ORIGIN + 3600 * SECOND)
        woken.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(5)
        clock.set(ORIGIN + 3590 * SECOND, 2)  # ten seconds are left, at twice the speed five
        await trio.sleep(4)
        assert woken == []
    assert woken == [pytest.approx(10, abs=1e-6)]


async def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        RatedClock(ORIGIN, 0)


async def test_limits_run_on_the_clock_but_not_below_the_floor(autojump_clock: trio.abc.Clock) -> None:
    clock = RatedClock(ORIGIN, 10)
    async with move_on_after(clock, 20) as scope:
        await trio.sleep(1e9)
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(2, abs=1e-6)
    async with move_on_after(clock, 20, floor_s=7) as scope:
        await trio.sleep(1e9)
    assert trio.current_time() == pytest.approx(9, abs=1e-6)
    async with move_on_after(clock, 20) as scope:
        pass
    assert not scope.cancelled_caught


async def test_a_clock_that_is_set_moves_the_limits_of_those_inside(autojump_clock: trio.abc.Clock) -> None:
    clock = RatedClock(0, 10.0)
    ended: list[float] = []

    async def wait(seconds: float, floor_s: float) -> None:
        async with move_on_after(clock, seconds, floor_s=floor_s):
            await trio.sleep(1_000)
        ended.append(trio.current_time())

    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, 100.0, 0.0)  # after 10 s of trio's clock
        nursery.start_soon(wait, 1_000.0, 0.0)
        nursery.start_soon(wait, 50.0, 7.0)  # the floor holds it
        await trio.sleep(1)
        clock.set(80 * SECOND, 2.0)  # 20 s short of the first one's moment, at a fifth of the speed
    assert [at - began_s for at in ended] == pytest.approx([7, 1 + 20 / 2, 1 + 920 / 2])
    async with move_on_after(clock, 5.0) as scope:
        clock.set(clock.now_ns(), 1.0)
    assert not scope.cancelled_caught


async def test_the_wall_is_the_wall() -> None:
    clock: Clock = WallClock()
    before = clock.now_ns()
    await clock.sleep(-1)
    await clock.sleep_until(before)
    assert clock.now_ns() >= before


class Machine:
    """A machine whose wall can be set; its steady clock can't."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_000_000 * SECOND, 5 * SECOND
        self.clock = WallClock(lambda: self.wall, lambda: self.steady)

    def wait(self, seconds: float) -> int:
        """Let time pass; what our clock shows then."""
        self.wall += round(seconds * SECOND)
        self.steady += round(seconds * SECOND)
        return self.clock.now_ns()


def test_a_wall_that_is_set_back_is_waited_for_and_one_that_is_set_forward_is_followed() -> None:
    machine = Machine()
    assert machine.wait(10) == machine.wall
    machine.wall += 3_600 * SECOND
    assert machine.clock.now_ns() == machine.wall
    before = machine.clock.now_ns()
    machine.wall -= 60 * SECOND
    assert machine.clock.now_ns() == before
    assert machine.wait(20) == before + 10 * SECOND
    assert machine.wall - before == -40 * SECOND
    for _ in range(1_000):
        machine.wait(0.08)
    # 100 s of the wall at half speed were 50; 10 more were missing. Now the wall is at -60 + 100 = 40.
    assert machine.clock.now_ns() == before + 50 * SECOND
    assert machine.wait(30) == machine.wall == before + 70 * SECOND


@given(st.lists(st.tuples(st.integers(-(10**13), 10**13), st.integers(0, 10**12))))
def test_it_never_goes_back_and_never_lags_behind_the_wall(steps: list[tuple[int, int]]) -> None:
    machine = Machine()
    last, at = machine.clock.now_ns(), machine.steady
    for jump, passed in steps:
        machine.wall += jump + passed
        machine.steady += passed
        now = machine.clock.now_ns()
        assert now >= last + (machine.steady - at) // 2
        assert now >= machine.wall
        last, at = now, machine.steady


def test_requests_leave_although_the_wall_was_set_back_by_an_hour() -> None:
    machine = Machine()
    window = Window(1, 5 * SECOND)
    window.leave()
    window.arrived(machine.wait(1))
    machine.wall -= 3_600 * SECOND
    assert window.free_ns(machine.wait(9)) == machine.clock.now_ns() + SECOND // 2
    assert window.free_ns(machine.wait(1)) == machine.clock.now_ns()
