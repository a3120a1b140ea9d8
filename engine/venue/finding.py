"""The first value of a column that is low or high enough: by numpy the far ones, in blocks of plain floats the near."""

from __future__ import annotations

from math import inf

import numpy as np

from engine.domain.columns import Floats

_FIRST_BLOCK = 128  # the next answer is mostly near; a numpy call costs the same for 16 as for 128 rows
_GROWTH = 8
_BLOCK = 16
_NEAR = 40  # so few values are looked at one by one sooner than by blocks


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
    """A column of a chunk in blocks, in which the first value that is low enough is found without asking numpy.

    For near values a call into numpy costs as much as looking at fifty of them, and a busy book is searched again
    every few rows.
    """

    __slots__ = ("_blocks", "_values")

    def __init__(self, values: Floats) -> None:
        known = np.where(np.isnan(values), np.inf, values)
        self._values: list[float] = known.tolist()
        self._blocks: list[float] = np.minimum.reduceat(known, np.arange(0, len(known), _BLOCK)).tolist()

    def first_at_most(self, level: float, start: int, stop: int) -> int:
        """First index in [start, stop) whose value is <= level; `stop` if there is none. NaN never is."""
        values = self._values
        if stop - start <= _NEAR:
            near = values[start:stop]
            if min(near, default=inf) > level:
                return stop
            for value in near:
                if value <= level:
                    return start
                start += 1
            return stop
        block = start // _BLOCK + 1
        end = block * _BLOCK
        if end >= stop:
            end = stop
        if start < end:
            near = values[start:end]
            if min(near) <= level:
                for value in near:
                    if value <= level:
                        return start
                    start += 1
        last = stop // _BLOCK
        if block < last:
            blocks = self._blocks
            if min(blocks[block:last]) <= level:
                start = _first_low(blocks, level, block, last) * _BLOCK
                return _first_low(values, level, start, stop)
            end = last * _BLOCK
        if end < stop and min(values[end:stop]) <= level:
            return _first_low(values, level, end, stop)
        return stop


def _first_low(values: list[float], level: float, start: int, stop: int) -> int:
    for value in values[start:stop]:
        if value <= level:
            return start
        start += 1
    return stop
