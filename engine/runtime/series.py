"""Lines for charts, thinned as they come: of each bucket of time the lowest, highest and last value stay.

Buckets are fixed by the run's span, so where the data is cut into chunks changes no point, and memory does not grow
with the recording.
"""

from __future__ import annotations

import numpy as np

from engine.domain.columns import Floats, Ints

BUCKETS = 1_500


class ThinSeries:
    """One line. `add` takes times (sorted, going on from the last call) and values (NaN is left out)."""

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self._start_ns = start_ns
        self._width_ns = max(1, -(-(end_ns - start_ns + 1) // BUCKETS))
        self._count = 0
        # Of a bucket: lowest, highest, last, each as (number in the line, time, value); times alone may tie.
        self._kept: dict[int, list[tuple[int, int, float]]] = {}

    def add(self, ts_ns: Ints, values: Floats) -> None:
        """Fold more of the line in."""
        there = ~np.isnan(values)
        if not there.all():
            ts_ns, values = ts_ns[there], values[there]
        if not len(ts_ns):
            return
        buckets = (ts_ns - self._start_ns) // self._width_ns
        starts = np.flatnonzero(np.concatenate([[True], buckets[1:] != buckets[:-1]]))
        ends = np.append(starts[1:], len(buckets))
        for first, end in zip(starts.tolist(), ends.tolist(), strict=True):
            part, times = values[first:end], ts_ns[first:end]
            low, high = int(part.argmin()), int(part.argmax())
            number = self._count + first
            found = [(number + i, int(times[i]), float(part[i])) for i in (low, high, end - first - 1)]
            bucket = int(buckets[first])
            known = self._kept.get(bucket)
            if known is not None:
                found[0] = known[0] if known[0][2] <= found[0][2] else found[0]
                found[1] = known[1] if known[1][2] >= found[1][2] else found[1]
            self._kept[bucket] = found
        self._count += len(values)

    def points(self) -> tuple[Ints, Floats]:
        """Times and values that stay, in the order in which they came."""
        kept = sorted({point for points in self._kept.values() for point in points})
        times = np.array([ts for _, ts, _ in kept], np.int64)
        return times, np.array([value for _, _, value in kept], np.float64)
