"""Times of what was sent, oldest first: how many lie within a span. Older ones are dropped a part at a time."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

_PART: Final = 16


def after(times: list[int], floor_ns: int) -> int:
    """How many times lie after a moment."""
    return len(times) - bisect_right(times, floor_ns)


def drop(times: list[int], floor_ns: int) -> int:
    """Forget times up to a moment, if they are a good part of all: a long list is not moved with each order.

    Returns: How many lie after it.
    """
    old = bisect_right(times, floor_ns)
    if old * _PART > len(times):
        del times[:old]
        return len(times)
    return len(times) - old
