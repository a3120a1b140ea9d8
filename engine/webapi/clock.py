"""The two clocks a session can live by: the wall's, and a simulated gateway's that starts elsewhere and runs faster."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import trio

from engine.ports import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

SECOND = 1_000_000_000
LOOK_AGAIN_S = 30.0  # a wall that was set anew is noticed this soon by those who wait for a moment of it


class WallClock:
    """UTC as the machine has it, but it never goes back: what it has shown stays in the past.

    Where the wall is set back, this goes on at half its speed until the wall has caught up. Budgets, deadlines and rows
    of the journal are told by it: with a time that goes back, a request would wait for an hour to come a second time.

    Args:
        wall: UTC, in nanoseconds.
        steady: A clock that nobody sets, in nanoseconds.
    """

    def __init__(self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = time.monotonic_ns) -> None:
        self._wall, self._steady = wall, steady
        self._shown_ns, self._at_ns = wall(), steady()

    def now_ns(self) -> int:
        """Nanoseconds UTC."""
        at_ns = self._steady()
        self._shown_ns = shown_ns = max(self._wall(), self._shown_ns + (at_ns - self._at_ns) // 2)
        self._at_ns = at_ns
        return shown_ns

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds; at once if not above zero."""
        await trio.sleep(max(0.0, seconds))

    async def sleep_until(self, moment_ns: int) -> None:
        """Wait until the wall shows `moment_ns`, also when it is set forward or back meanwhile."""
        await trio.lowlevel.checkpoint()
        while (left_ns := moment_ns - self.now_ns()) > 0:
            await trio.sleep(min(left_ns / SECOND, LOOK_AGAIN_S))


class RatedClock:
    """A gateway's clock: `origin_ns` at the moment of making, then `rate` of its seconds each second of trio's clock.

    Raises: ValueError if the rate is not above zero.
    """

    def __init__(self, origin_ns: int, rate: float = 1.0) -> None:
        self._time = trio.lowlevel.current_clock().current_time  # trio's own way to it is two calls longer
        self._moved = trio.Event()
        self._limits: dict[trio.CancelScope, tuple[int, float]] = {}
        self._set(origin_ns, rate)

    def _set(self, origin_ns: int, rate: float) -> None:
        if not rate > 0:
            raise ValueError(f"a clock's rate must be above zero, not {rate}")
        self._origin_ns, self._rate, self._started_s = origin_ns, rate, self._time()

    def set(self, origin_ns: int, rate: float) -> None:
        """Follow a jump or a change of speed of the gateway's clock; those who wait are told."""
        self._set(origin_ns, rate)
        for scope, (moment_ns, floor) in self._limits.items():
            scope.deadline = max(self._at_s(moment_ns), floor)
        moved, self._moved = self._moved, trio.Event()
        moved.set()

    @property
    def rate(self) -> float:
        """How many of its seconds pass in one of trio's clock."""
        return self._rate

    def now_ns(self) -> int:
        """Nanoseconds UTC of the gateway."""
        return self._origin_ns + round((self._time() - self._started_s) * self._rate * SECOND)

    @contextmanager
    def limit(self, seconds: float, floor: float) -> Iterator[trio.CancelScope]:
        """Cancel what stands inside after so many of the gateway's seconds, not before `floor` of trio's clock.

        No task has to look: a clock that is set moves the deadlines of those who stand inside.
        """
        moment_ns = self.now_ns() + round(max(0.0, seconds) * SECOND)
        with trio.CancelScope(deadline=max(self._at_s(moment_ns), floor)) as scope:
            self._limits[scope] = moment_ns, floor
            try:
                yield scope
            finally:
                del self._limits[scope]

    def _at_s(self, moment_ns: int) -> float:
        """When a moment comes, on trio's clock."""
        return self._started_s + (moment_ns - self._origin_ns) / SECOND / self._rate

    async def sleep(self, seconds: float) -> None:
        """Wait for so many of the gateway's seconds; at once if not above zero. A jump forward shortens the wait."""
        await self.sleep_until(self.now_ns() + round(max(0.0, seconds) * SECOND))

    async def sleep_until(self, moment_ns: int) -> None:
        """Wait until the gateway's clock shows `moment_ns`."""
        await trio.lowlevel.checkpoint()
        while (left_ns := moment_ns - self.now_ns()) > 0:
            # Rounding a hair short would end the wait before the moment; a nanosecond more ends it behind.
            with trio.move_on_after((left_ns + 1) / SECOND / self._rate):
                await self._moved.wait()


@asynccontextmanager
async def move_on_after(clock: Clock, seconds: float, *, floor_s: float = 0.0) -> AsyncIterator[trio.CancelScope]:
    """Cancel what stands inside after `seconds` of the clock; `cancelled_caught` of the scope says whether it was.

    `floor_s` are seconds of trio's clock that are granted in any case: a gateway that runs 100 times as fast as the
    wall makes nobody's sockets faster.
    """
    floor = trio.current_time() + floor_s
    if isinstance(clock, WallClock):
        with trio.CancelScope(deadline=max(trio.current_time() + seconds, floor)) as scope:
            yield scope
        return
    if isinstance(clock, RatedClock):
        with clock.limit(seconds, floor) as scope:
            yield scope
        return

    async def watch(scope: trio.CancelScope) -> None:
        await clock.sleep(seconds)
        await trio.sleep_until(floor)
        scope.cancel()

    raised: Exception | None = None
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as inside:
            nursery.start_soon(watch, inside)
            try:
                yield inside
            except Exception as exc:  # noqa: BLE001 - carried past the nursery, which would wrap it in a group
                raised = exc
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised
