"""Indicators against plain formulas over the whole window."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.indicators import Ema, RollingFit, RollingMoments

numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))


def test_an_average_over_three() -> None:
    average = Ema(3)  # weight 1/2
    assert math.isnan(average.value)
    assert [average.update(x) for x in (8.0, 4.0, 2.0)] == [8.0, 6.0, 4.0]
    assert average.ready


def test_an_average_is_ready_once_it_can_look_back_that_far() -> None:
    average = Ema(2)
    average.update(1.0)
    assert not average.ready
    average.update(1.0)
    assert average.ready


@given(st.lists(numbers, min_size=1, max_size=50), st.integers(1, 20))
def test_an_average_is_the_weighted_sum(values: list[float], span: int) -> None:
    average = Ema(span)
    for value in values:
        average.update(value)
    keep = 1.0 - 2.0 / (span + 1.0)
    expected = values[0] * keep ** (len(values) - 1) + sum(
        value * (1.0 - keep) * keep ** (len(values) - 1 - i) for i, value in enumerate(values) if i
    )
    assert average.value == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(st.lists(numbers, min_size=2, max_size=200), st.integers(2, 30))
def test_moments_are_those_of_the_window(values: list[float], window: int) -> None:
    moments = RollingMoments(window)
    for i, value in enumerate(values):
        moments.update(value)
        seen = values[max(0, i + 1 - window) : i + 1]
        assert moments.ready == (i + 1 >= window)
        assert moments.mean == pytest.approx(statistics.fmean(seen), rel=1e-9, abs=1e-6)
        if i:
            # Rounding grows with the largest value that the window has seen, squared.
            assert moments.variance == pytest.approx(statistics.variance(seen), rel=1e-6, abs=1e-2)


def test_rounding_errors_do_not_pile_up() -> None:
    moments = RollingMoments(10)
    for i in range(1000):
        moments.update(1e9 if i < 100 else i % 2)
    assert moments.mean == 0.5
    assert moments.variance == pytest.approx(10 * 0.25 / 9, rel=1e-12)


def test_a_z_score_counts_deviations_and_is_nothing_without_spread() -> None:
    moments = RollingMoments(3)
    assert math.isnan(moments.z_score(1.0))
    for value in (1.0, 2.0, 3.0):  # mean 2, deviation 1
        moments.update(value)
    assert moments.z_score(4.5) == pytest.approx(2.5)
    for _ in range(3):
        moments.update(5.0)
    assert math.isnan(moments.z_score(5.0))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_moments_take_finite_numbers_only(bad: float) -> None:
    with pytest.raises(ValueError, match="no finite number"):
        RollingMoments(3).update(bad)


@pytest.mark.parametrize(("kind", "least"), [(Ema, 1), (RollingMoments, 2), (RollingFit, 3)])
def test_windows_have_a_least_size(kind: type, least: int) -> None:
    kind(least)
    with pytest.raises(ValueError, match=str(least - 1)):
        kind(least - 1)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=60), st.integers(3, 20))
def test_a_fit_is_numpys(pairs: list[tuple[int, int]], window: int) -> None:
    fit = RollingFit(window)
    for x, y in pairs:
        fit.update(float(x), float(y))
    seen = pairs[-window:]
    xs, ys = np.array([x for x, _ in seen], float), np.array([y for _, y in seen], float)
    if len(set(xs.tolist())) == 1:
        assert fit.slope != fit.slope or abs(xs.std()) < 1e-9
        return
    slope, intercept = np.polyfit(xs, ys, 1)
    assert fit.slope == pytest.approx(slope, abs=1e-6)
    assert fit.intercept == pytest.approx(intercept, abs=1e-5)
    residuals = ys - intercept - slope * xs
    assert fit.deviation == pytest.approx(math.sqrt((residuals**2).sum() / (len(seen) - 2)), abs=1e-4)


def test_a_pair_off_the_line_has_a_z_score() -> None:
    fit = RollingFit(4)
    for x, y in ((0.0, 1.0), (0.0, -1.0), (1.0, 3.0), (1.0, 1.0)):  # y = 2x, residuals 1: deviation sqrt(4 / 2)
        fit.update(x, y)
    assert (fit.slope, fit.intercept) == (2.0, 0.0)
    assert fit.z_score(2.0, 4.0 + 2 * math.sqrt(2.0)) == pytest.approx(2.0)
    flat = RollingFit(3)
    assert math.isnan(flat.z_score(1.0, 1.0))
