"""Thinned lines keep what a reader would miss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.report.thinning import gaps, spread, thin

LINES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=0, max_size=300).map(
    lambda values: np.array(values, np.float64)
)


@given(LINES, st.integers(4, 50))
def test_a_thinned_line_is_short_sorted_and_keeps_ends_and_extremes(values: np.ndarray, limit: int) -> None:
    chosen = thin(values, limit)
    assert len(chosen) <= max(limit, 0)
    assert (np.diff(chosen) > 0).all()
    if not len(values):
        return
    assert chosen[0] == 0
    assert chosen[-1] == len(values) - 1
    finite = values[np.isfinite(values)]
    if len(finite):
        kept = values[chosen]
        assert np.nanmin(kept) == finite.min()
        assert np.nanmax(kept) == finite.max()


@given(st.integers(20, 400), st.integers(6, 40), st.data())
def test_a_spike_anywhere_in_any_run_survives(size: int, limit: int, data: st.DataObject) -> None:
    values = np.zeros(size)
    spikes = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=2, unique=True))
    values[spikes[0]] = 5.0
    values[spikes[-1]] -= 7.0
    chosen = set(thin(values, limit).tolist())
    assert set(spikes) <= chosen


def test_a_short_line_is_left_alone() -> None:
    assert thin(np.arange(10.0), 10).tolist() == list(range(10))
    with pytest.raises(ValueError, match="3 points"):
        thin(np.arange(10.0), 3)


@given(st.integers(0, 500), st.integers(2, 60))
def test_a_spread_has_both_ends_and_even_steps(size: int, limit: int) -> None:
    chosen = spread(size, limit)
    assert len(chosen) == min(size, limit)
    if size:
        assert chosen[0] == 0
        assert chosen[-1] == size - 1
        assert np.ptp(np.diff(chosen)) <= 1 if len(chosen) > 1 else True


def test_gaps_are_long_and_longer_than_usual() -> None:
    times = np.array([0, 10, 20, 30, 500, 510, 520], np.int64)
    assert gaps(times, 60) == [(30, 500)]
    assert gaps(times, 600) == []
    assert gaps(np.arange(5, dtype=np.int64) * 100, 60) == []  # regular steps are no gaps, however long
    assert gaps(times[:1], 60) == []
