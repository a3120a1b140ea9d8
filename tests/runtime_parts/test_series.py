"""Lines thinned for charts: extremes stay, and cuts change nothing."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime import series
from engine.runtime.series import BUCKETS, ThinSeries

values = st.sampled_from([float("nan"), -2.0, 0.0, 1.0, 1.0, 7.5])
lines = st.lists(st.tuples(st.integers(0, 60), values), max_size=40).map(lambda line: sorted(line, key=lambda p: p[0]))


def thinned(line: list[tuple[int, float]], cuts: list[int], end: int = 60) -> list[tuple[int, float]]:
    made = ThinSeries(0, end)
    edges = [0, *sorted(min(cut, len(line)) for cut in cuts), len(line)]
    for start, stop in itertools.pairwise(edges):
        part = line[start:stop]
        made.add(np.array([ts for ts, _ in part], np.int64), np.array([value for _, value in part], np.float64))
    times, kept = made.points()
    return list(zip(times.tolist(), kept.tolist(), strict=True))


def reference(line: list[tuple[int, float]], width: int) -> list[tuple[int, float]]:
    """Of each bucket the first lowest, the first highest and the last point, in their order."""
    buckets: dict[int, list[tuple[int, int, float]]] = {}
    real = [(ts, value) for ts, value in line if not math.isnan(value)]
    for number, (ts, value) in enumerate(real):
        buckets.setdefault(ts // width, []).append((number, ts, value))
    kept = set()
    for points in buckets.values():
        kept |= {min(points, key=lambda p: (p[2], p[0])), max(points, key=lambda p: (p[2], -p[0])), points[-1]}
    return [(ts, value) for _, ts, value in sorted(kept)]


@given(line=lines, cuts=st.lists(st.integers(0, 40), max_size=5), buckets=st.sampled_from([1, 4, 13, 61]))
def test_extremes_and_lasts_stay_however_the_line_is_cut(
    line: list[tuple[int, float]], cuts: list[int], buckets: int
) -> None:
    before, series.BUCKETS = series.BUCKETS, buckets
    try:
        assert thinned(line, cuts) == reference(line, math.ceil(61 / buckets))
    finally:
        series.BUCKETS = before


def test_a_long_line_keeps_at_most_three_points_a_bucket() -> None:
    line = [(ts, math.sin(ts)) for ts in range(20_000)]
    kept = thinned(line, [7_001], end=19_999)
    assert len(kept) <= 3 * BUCKETS
    assert {min(value for _, value in line), max(value for _, value in line)} <= {value for _, value in kept}
    assert kept[-1] == line[-1]


def test_a_span_of_one_moment() -> None:
    assert thinned([(0, 1.0), (0, 3.0), (0, 2.0)], [], end=0) == [(0, 1.0), (0, 3.0), (0, 2.0)]
