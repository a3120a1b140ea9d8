"""Fewer points for a chart, with its extremes kept: a spike that was there is still there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.report.days import Floats, Ints


def thin(values: Floats, limit: int) -> Ints:
    """Choose the points of a line that a chart needs.

    The line is cut into equal runs of points, and of each run its first lowest and first highest are kept, besides the
    line's first and last point. NaN is passed over; where a run is all NaN, its first point stays, to leave the gap.

    Args:
        values: The line, any length.
        limit: The most points wanted, at least 4.

    Returns: Sorted indices into `values`, at most `limit`, all of them if there are no more than that.
    """
    if limit < 4:
        raise ValueError(f"a line can't be thinned to {limit} points")
    size = len(values)
    if size <= limit:
        return np.arange(size, dtype=np.int64)
    runs = (limit - 2) // 2
    edges = np.linspace(0, size, runs + 1).astype(np.int64)
    width = int(np.diff(edges).max())
    # A padded square instead of a loop: pads are NaN and are never chosen.
    at = edges[:-1, None] + np.arange(width)
    inside = at < edges[1:, None]
    square = np.where(inside, values[np.minimum(at, size - 1)], np.nan)
    lowest = np.argmin(np.where(np.isnan(square), np.inf, square), axis=1)
    highest = np.argmax(np.where(np.isnan(square), -np.inf, square), axis=1)
    return np.unique(np.concatenate([[0], edges[:-1] + lowest, edges[:-1] + highest, [size - 1]])).astype(np.int64)


def spread(size: int, limit: int) -> Ints:
    """Choose evenly spread indices of a list, first and last among them: at most `limit` of `size`."""
    if size <= limit:
        return np.arange(size, dtype=np.int64)
    return np.unique(np.linspace(0, size - 1, limit).round().astype(np.int64))


def gaps(ts_ns: NDArray[np.int64], least_ns: int) -> list[tuple[int, int]]:
    """Find the stretches without a point: those longer than `least_ns` and than 5 median steps.

    Returns: (last point before, first point after) of each, ns, in order.
    """
    steps = np.diff(ts_ns)
    if not len(steps):
        return []
    limit = max(least_ns, 5 * int(np.median(steps)))
    at = np.flatnonzero(steps > limit)
    return list(zip(ts_ns[at].tolist(), ts_ns[at + 1].tolist(), strict=True))
