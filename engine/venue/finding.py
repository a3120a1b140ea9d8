"""The first value of a column that is low or high enough: by numpy, or down the falls of a column searched often."""

from __future__ import annotations

import numpy as np

from engine.domain.columns import Floats

_FIRST_BLOCK = 128  # the next answer is mostly near; a numpy call costs the same for 16 as for 128 rows
_GROWTH = 8
_ROUNDS = 2  # a quarter of the pointers that do not yet lead to a lower value do so after each
_NEAR = range(16)  # so many steps cost as much as asking numpy


def first_at_most(values: Floats, level: float, start: int, stop: int) -> int:
    """First index in [start, stop) whose value is <= level; `stop` if there is none. NaN never is."""
    size = _FIRST_BLOCK
    while start < stop:
        end = start + size
        if end > stop:
            end = stop
        # Finding a byte is three times as fast as argmax, and says "none" by itself.
        found = (values[start:end] <= level).tobytes().find(1)
        if found >= 0:
            return start + found
        start = end
        size *= _GROWTH
    return stop


def first_at_least(values: Floats, level: float, start: int, stop: int) -> int:
    """First index in [start, stop) whose value is >= level; `stop` if there is none. NaN never is."""
    size = _FIRST_BLOCK
    while start < stop:
        end = start + size
        if end > stop:
            end = stop
        found = (values[start:end] >= level).tobytes().find(1)
        if found >= 0:
            return start + found
        start = end
        size *= _GROWTH
    return stop


class Lows:
    """A column of a chunk in which each value points to a lower one behind it: the first that is low enough is found
    without looking at those in between. Near ones, that is; for the next few rows numpy takes several times as long.

    No value between `i` and `_lower[i]` is below the one at `i`.
    """

    __slots__ = ("_known", "_lower", "_values")

    def __init__(self, values: Floats) -> None:
        size = len(values)
        known = np.empty(size + 1)
        known[size] = -np.inf
        np.fmin(values, np.inf, out=known[:size])  # NaN is never low
        falls = np.flatnonzero(known[1:] < known[:-1]) + 1
        ways = np.diff(falls, prepend=0)
        lower = np.append(np.repeat(falls, ways), size)
        # The next fall may end above us, after a rise. Then what comes next is where that one points.
        high = np.flatnonzero(np.repeat(known[falls], ways) >= known[:size])
        for _ in range(_ROUNDS):
            further = lower[lower[high]]
            lower[high] = further
            high = high[known[further] >= known[high]]
        self._known = known
        self._values = memoryview(known)  # type: ignore[arg-type]  # arrays are buffers
        self._lower = memoryview(lower)  # type: ignore[arg-type]

    def first_at_most(self, level: float, start: int, stop: int) -> int:
        """First index in [start, stop) whose value is <= level; `stop` if there is none. NaN never is."""
        values, lower = self._values, self._lower
        for _ in _NEAR:
            if start >= stop:
                return stop
            if values[start] <= level:
                return start
            start = lower[start]
        return first_at_most(self._known, level, start, stop)
