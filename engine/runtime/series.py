"""Lines for charts, thinned as they come: of each bucket of time the lowest, highest and last value stay.

Buckets are fixed by the run's span, so where the data is cut into chunks changes no point, and memory does not grow
with the recording.
"""

from __future__ import annotations

import numpy as np

from engine.domain.columns import Floats, Ints, intervals

BUCKETS = 1_500


Point = tuple[int, int, float]  # number in the line, time, value; times alone may tie


class ThinSeries:
    """One line. `add` takes times (sorted, going on from the last call) and values (NaN is left out)."""

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self._start_ns = start_ns
        self._width_ns = max(1, -(-(end_ns - start_ns + 1) // BUCKETS))
        self._count = 0
        # For each call: its buckets, and the numbers, times and values of their lowest, highest and last points.
        self._parts: list[tuple[Ints, list[tuple[Ints, Ints, Floats]]]] = []

    def add(self, ts_ns: Ints, values: Floats) -> None:
        """Fold more of the line in."""
        if not len(ts_ns):
            return
        buckets, starts = intervals(ts_ns, self._start_ns, self._width_ns)
        least = np.minimum.reduceat(values, starts)
        if np.isnan(least).any():
            there = ~np.isnan(values)
            self.add(ts_ns[there], values[there])
            return
        ends = np.append(starts[1:], len(values))
        lowest = _first_equal(values, least, starts, ends)
        highest = _first_equal(values, np.maximum.reduceat(values, starts), starts, ends)
        points = [(at + self._count, ts_ns[at], values[at]) for at in (lowest, highest, ends - 1)]
        self._parts.append((buckets, points))
        self._count += len(values)

    def points(self) -> tuple[Ints, Floats]:
        """Times and values that stay, in the order in which they came."""
        kept: dict[int, list[Point]] = {}
        for buckets, points in self._parts:
            low, high, last = ([(int(n), int(ts), float(v)) for n, ts, v in zip(*one, strict=True)] for one in points)
            for bucket, *found in zip(buckets.tolist(), low, high, last, strict=True):
                known = kept.get(bucket)
                if known is not None:
                    found[0] = known[0] if known[0][2] <= found[0][2] else found[0]
                    found[1] = known[1] if known[1][2] >= found[1][2] else found[1]
                kept[bucket] = found
        stay = sorted({point for found in kept.values() for point in found})
        times = np.array([ts for _, ts, _ in stay], np.int64)
        return times, np.array([value for _, _, value in stay], np.float64)


def _first_equal(values: Floats, wanted: Floats, starts: Ints, ends: Ints) -> Ints:
    """Where in each run [start, end) of `values` the wanted value stands first."""
    at = np.flatnonzero(values == np.repeat(wanted, ends - starts))
    first: Ints = at[at.searchsorted(starts)]
    return first
