"""Breaking a strategy that does not come back, and what falls out of a nursery.

In a backtest a hang ends the run: switching a strategy off would make the result depend on the machine's speed.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from engine.domain.moments import iso
from engine.errors import StrategyError
from engine.runtime.lap import Lap
from engine.strategy.api import Strategy
from engine.strategy.host import StrategyHost


class Hang(BaseException):
    """A handler has run too long; no `Exception`, so that no plugin and no host takes it for an error of its own."""


class HangGuard:
    """A free-running interval timer that looks whether anything moves.

    Its signal handler raises only where the interrupted frame lies below a handler's call, never in the engine or trio.
    Works in the main thread of systems with interval timers; elsewhere it does nothing.
    """

    def __init__(self, limit_s: float, lap: Lap, host: StrategyHost) -> None:
        self._limit_s = limit_s
        self._lap = lap
        self._host = host
        self._seen = (-1, -1)
        self._still = 0
        self._before: Any = None
        self._armed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> HangGuard:
        if self._armed:
            self._before = signal.signal(signal.SIGALRM, self._look)
            signal.setitimer(signal.ITIMER_REAL, self._limit_s / 2, self._limit_s / 2)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._armed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        now = (self._lap.number, self._host.handed_out())
        if now != self._seen:
            self._seen = now
            self._still = 0
            return
        self._still += 1
        name = _strategy_below(frame)
        if self._still >= 2 and name is not None:
            told = f"a handler has not come back for {self._limit_s:g} s, called at {self._time()}"
            raise Hang(f"strategy {name}: {told}")

    def _time(self) -> str:
        try:
            return iso(self._host.now_ns())
        except Exception:  # noqa: BLE001  # between two events none is in hand, and an error here would be the strategy's
            return iso(self._lap.now_ns)


def _strategy_below(frame: FrameType | None) -> str | None:
    """The name of the strategy whose handler the frame is in; None if it is in none."""
    name = None
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Strategy):
            name = owner.ctx.strategy
        frame = frame.f_back
    return name


@contextmanager
def unwrapped() -> Iterator[None]:
    """Let the one error inside a nursery's group out as itself, and a hang as an error of the strategy."""
    try:
        yield
    except BaseExceptionGroup as group:
        inner: BaseException = group
        while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
            inner = inner.exceptions[0]
        if isinstance(inner, Hang):
            raise StrategyError(str(inner)) from inner
        raise inner from None
    except Hang as hang:
        raise StrategyError(str(hang)) from hang
