"""How the process does, once a second: the clock against the venue's, the loop, what waits, memory. Risk judges it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio
from attrs import define, field

from engine.domain.moments import NS_PER_S
from engine.ports import Clock
from engine.risk.monitors import Health
from engine.runtime.live.letters import HealthNow
from engine.webapi.stream import frames

EVERY_S: Final = 1.0
KEPT: Final = 3  # heartbeats: the one that was on its way for the shortest time tells most
OLD_S: Final = 120.0  # a clock that nothing was told of for so long is unknown
_STATM: Final = Path("/proc/self/statm")
_MB: Final = 1 << 20


@define(eq=False)
class Watching:
    """Collects readings. `lag_s` is the worst of the loop since the last look."""

    lag_s: float = 0.0
    _beats: deque[tuple[int, int]] = field(factory=lambda: deque(maxlen=KEPT), init=False)  # when, and how far off

    def on_frame(self, frame: frames.Said, at_ns: int) -> None:
        """The server says what time it has."""
        if isinstance(frame, frames.Heartbeat) and frame.server_ns is not None:
            self._beats.append((at_ns, at_ns - frame.server_ns))

    def lagged(self, lag_s: float) -> None:
        """The loop woke so late."""
        self.lag_s = max(self.lag_s, lag_s)

    def skew_ms(self, now_ns: int) -> float | None:
        """How far our clock is ahead of the venue's, and what the way took; None if it was not told lately."""
        fresh = [off for at_ns, off in self._beats if now_ns - at_ns <= OLD_S * NS_PER_S]
        return min(fresh, key=abs) / 1e6 if fresh else None

    def reading(self, now_ns: int, waiting: int) -> Health:
        """All of it, now."""
        lag_s, self.lag_s = self.lag_s, 0.0
        skew = self.skew_ms(now_ns)
        return Health(
            clock_skew_ms=None if skew is None else round(skew, 1),
            loop_lag_ms=round(lag_s * 1_000, 1),
            queued=waiting,
            memory_mb=memory_mb(),
        )

    async def run(self, clock: Clock, *, waiting: Callable[[], int], tell: Callable[[HealthNow], None]) -> None:
        """Tell risk once a second, until cancelled."""
        while True:
            await trio.sleep(EVERY_S)
            tell(HealthNow(self.reading(clock.now_ns(), waiting())))


def memory_mb() -> float | None:
    """What of the process lies in memory; None where the system does not say."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / _MB, 1)
