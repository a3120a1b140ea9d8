"""Breaking a strategy that does not come back, while others trade on: its call is dropped whole and it is switched off.

A free-running interval timer looks whether the strategies' task moves. Its signal handler raises only where the
interrupted frame lies below a handler's call and the same call has exceeded its limit, so that no break ever escapes
into the engine or into trio. What no signal breaks (a long call in C) is for the guard.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final

from engine.strategy.api import Strategy
from engine.strategy.window import CutOff

HANDLER_LIMIT_S: Final = 5.0  # of the wall, that one call of a strategy may take


class Cutter:
    """Works in the main thread of systems with interval timers; elsewhere it does nothing.

    Args:
        limit_s: Seconds of the wall that one call may take.
        sign: Something that changes with every call of a handler.
    """

    def __init__(self, limit_s: float, sign: Callable[[], object]) -> None:
        self._limit_s = limit_s
        self._sign = sign
        self._seen: object = None
        self._since_s = 0.0
        self._name = ""
        self._before: Any = None
        self._armed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Cutter:
        if self._armed:
            self._before = signal.signal(signal.SIGALRM, self._look)
            signal.setitimer(signal.ITIMER_REAL, self._limit_s / 4, self._limit_s / 4)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._armed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        name = _strategy_below(frame)
        now_s = time.monotonic()
        sign = self._sign()
        if name is None or name != self._name or sign != self._seen:
            self._name, self._seen, self._since_s = name or "", sign, now_s
            return
        if now_s - self._since_s >= self._limit_s:
            self._since_s = now_s  # a handler that swallows it is broken again
            raise CutOff(f"a call has not come back for {self._limit_s:g} s")


def _strategy_below(frame: FrameType | None) -> str | None:
    """The name of the strategy whose handler the frame is in; None if it is in none."""
    name = None
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Strategy):
            name = owner.ctx.strategy
        frame = frame.f_back
    return name
