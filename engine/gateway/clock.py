"""The gateway's one clock: an origin and a rate over the wall, and jumps that people and tests ask for.

Market, sessions, expiry, budgets and time-outs all run on it. It never goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from engine.domain.moments import END_OF_TIME_NS


class GatewayClock:
    """Shows `origin_ns` when it is made, and from then on `rate` seconds for each second of the wall.

    Args:
        origin_ns: First time shown, ns UTC.
        rate: How much faster than the wall it runs, above zero.
        wall: A monotonic clock in ns, such as `time.monotonic_ns`.

    Raises: ValueError for a rate that is not a finite number above zero.
    """

    def __init__(self, origin_ns: int, rate: float, wall: Callable[[], int]) -> None:
        _check(rate)
        self.rate = rate
        self._wall = wall
        self._origin_ns = origin_ns
        self._since = wall()
        self.promised_ns = origin_ns  # where the last jump went: it is shown, however long the market takes till there

    def wall_ns(self) -> int:
        """The wall's own time."""
        return self._wall()

    def now_ns(self) -> int:
        """The time it shows, ns UTC; never beyond the end of time."""
        return min(END_OF_TIME_NS, self._origin_ns + int((self._wall() - self._since) * self.rate))

    def jump(self, to_ns: int) -> None:
        """Show `to_ns` now, and go on from there.

        Raises: ValueError if that lies in its past: what has happened stays so.
        """
        now = self.now_ns()
        if to_ns < now:
            raise ValueError(f"the clock can't go back from {now} to {to_ns} ns")
        self._origin_ns = self.promised_ns = to_ns
        self._since = self._wall()

    def hold(self, at_ns: int) -> None:
        """Show `at_ns` now, and go on from there: the market can't be played as fast as the clock runs."""
        self._origin_ns = max(at_ns, self.promised_ns)
        self._since = self._wall()

    def set_rate(self, rate: float) -> None:
        """Run at another rate from now on.

        Raises: ValueError for a rate that is not a finite number above zero.
        """
        _check(rate)
        self._origin_ns = self.now_ns()
        self._since = self._wall()
        self.rate = rate

    def wall_s(self, until_ns: int) -> float:
        """How many seconds of the wall pass until it shows `until_ns`; 0 if it does so already."""
        return max(0.0, (until_ns - self.now_ns()) / self.rate / 1e9)


def _check(rate: float) -> None:
    if not (isfinite(rate) and rate > 0):
        raise ValueError(f"the speed of a clock is a number above zero, not {rate}")
