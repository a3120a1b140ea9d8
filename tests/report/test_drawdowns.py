"""Drawdowns against their definition, written the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.report.drawdowns import drawdowns, largest_fall, max_drawdown, underwater, worst

EQUITY = st.lists(st.integers(1, 60), min_size=1, max_size=40).map(lambda values: np.array(values, np.float64))


@given(EQUITY)
def test_each_depth_is_the_fall_from_the_highest_before(equity: np.ndarray) -> None:
    for i, depth in enumerate(underwater(equity).tolist()):
        assert depth == pytest.approx(max((equity[j] - equity[i]) / max(equity[: i + 1]) for j in range(i + 1)))


@given(EQUITY)
def test_the_maximum_is_over_all_pairs(equity: np.ndarray) -> None:
    pairs = [(equity[i] - equity[j]) / equity[i] for i in range(len(equity)) for j in range(i, len(equity))]
    assert max_drawdown(equity).value == pytest.approx(max(pairs))


@given(EQUITY)
def test_falls_are_the_stretches_below_the_high(equity: np.ndarray) -> None:
    falls = drawdowns(np.arange(len(equity), dtype=np.int64), equity)
    below = {i for i in range(len(equity)) if equity[i] < max(equity[: i + 1])}
    covered: set[int] = set()
    for fall in falls:
        end = len(equity) if fall.recovery_ns is None else fall.recovery_ns
        inside = range(fall.peak_ns + 1, end)
        covered |= set(inside)
        high = equity[fall.peak_ns]
        assert high == max(equity[: fall.peak_ns + 1])
        assert all(equity[i] < high for i in inside)
        assert fall.recovery_ns is None or equity[end] >= high
        lowest = min(equity[i] for i in inside)
        assert fall.trough_ns == next(i for i in inside if equity[i] == lowest)
        assert fall.amount == high - lowest
        assert fall.depth == pytest.approx((high - lowest) / high)
    assert covered == below


def test_the_worst_come_first_and_only_five() -> None:
    equity = np.array([100, 90, 100, 80, 100, 70, 100, 95, 100, 60, 100, 85, 100, 99], np.float64)
    falls = worst(drawdowns(np.arange(14, dtype=np.int64), equity))
    assert [round(fall.depth, 2) for fall in falls] == [0.40, 0.30, 0.20, 0.15, 0.10]
    assert falls[0].recovery_ns == 10


def test_a_fall_that_lasts_has_no_recovery() -> None:
    (fall,) = drawdowns(np.array([5, 6, 7], np.int64), np.array([10.0, 8.0, 9.0]))
    assert (fall.peak_ns, fall.trough_ns, fall.recovery_ns, fall.amount) == (5, 6, None, 2.0)


def test_no_deposit_is_no_fraction() -> None:
    assert max_drawdown(np.array([0.0, -5.0])).why == "there was no deposit"
    assert max_drawdown(np.empty(0)).why == "there is no equity"


def test_a_profit_curve_falls_from_zero_too() -> None:
    assert largest_fall(np.array([-3.0, 5.0, 1.0])) == 4.0
    assert largest_fall(np.array([-7.0, 5.0, 1.0])) == 7.0
    assert largest_fall(np.empty(0)) == 0.0
