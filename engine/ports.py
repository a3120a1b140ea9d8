"""What the edges fulfil. An actor's task is handed one of these and knows no more of the outside."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The time a session lives by: the wall's, or a simulated gateway's that runs faster.

    Whatever waits for the venue (budgets, time-outs, settle times, calendars) waits on this clock; how long our own
    code took is measured on the wall.
    """

    def now_ns(self) -> int:
        """Nanoseconds UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait for so many of this clock's seconds; at once if not above zero."""

    async def sleep_until(self, moment_ns: int) -> None:
        """Wait until this clock shows `moment_ns`."""
