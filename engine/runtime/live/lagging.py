"""The loop's own health: how late it wakes, and what that means. On the wall."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

EVERY_S: Final = 0.25
LATE_S: Final = 1.0


async def watch_loop(told: Callable[[float, bool], None], each: Callable[[float], None]) -> None:
    """Wake four times a second and say how late: seconds, and whether that is too late; until cancelled.

    A loop that was late is told once, and once more when it is on time again; `each` hears of every wake.
    """
    late = False
    while True:
        due = trio.current_time() + EVERY_S
        await trio.sleep_until(due)
        lag_s = trio.current_time() - due
        each(lag_s)
        if (lag_s > LATE_S) != late:
            late = not late
            told(lag_s, late)
