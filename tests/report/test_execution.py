"""Costs and exposure against sums done by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from engine.domain.facts import LegExecution
from engine.domain.order import State
from engine.report.days import Days
from engine.report.execution import (
    Worth,
    exposure_figures,
    fill_ratios,
    notional,
    order_tally,
    refusals_by_code,
    slippage,
    turnover,
    venue_refusals_by_code,
    was_sent,
)
from engine.runtime.outcome import FillRow, RefusalRow
from tests.report.outcomes import AAPL, FUTURE, fill, order

BOTH = Worth({1: AAPL, 2: FUTURE}, {"USD": Decimal(1)})


def test_slippage_is_a_cost_on_either_side() -> None:
    fills = [
        fill("BUY", 100, "10.02", reference=10.00),  # 2 paid too much
        fill("SELL", 100, "9.99", reference=10.00),  # 1 got too little
        fill("BUY", 1, "4000.00", reference=4000.25, conid=2),  # 0.25 x 50 better
        fill("BUY", 1, "10.00"),
        fill("BUY", 1, "10.00", reference=float("nan")),
    ]
    found = slippage(fills, BOTH)
    assert found.cost == pytest.approx(2 + 1 - 12.5)
    assert (found.fills, found.unpriced) == (3, 2)
    assert found.basis_points.value == pytest.approx(-9.5 / (1000 + 1000 + 200_012.5) * 10_000)


def test_slippage_without_a_reference_says_so() -> None:
    assert slippage([fill("BUY", 1, "10")], BOTH).figure.why == "no fill has a reference price"
    assert slippage([], BOTH).basis_points.why == "there is no fill"


def test_a_combos_notional_is_that_of_its_legs() -> None:
    plain = fill("BUY", 2, "1.50", conid=1)
    assert notional(plain, BOTH) == Decimal("3.00")
    legs = (LegExecution(1, Decimal(2), Decimal(10)), LegExecution(2, Decimal(-1), Decimal(3)))
    fact = plain.fill
    combo = FillRow(
        fill=type(fact)(
            coid="c", ts_ns=0, exec_id="e", conid=1, side="BUY", quantity=Decimal(2), price=Decimal("1.5"), legs=legs
        ),
        strategy="one",
        realised=Decimal(0),
        reference=None,
    )
    assert notional(combo, BOTH) == 2 * 10 + 1 * 3 * 50


def test_orders_that_never_left_do_not_count_as_unfilled() -> None:
    orders = [
        order("a", State.FILLED, quantity=100, filled=100, history=((1, "created", ""), (2, "sent", ""))),
        order("b", State.CANCELLED, quantity=300, filled=100, history=((1, "created", ""), (2, "working", ""))),
        order("c", State.CANCELLED, quantity=400, history=((1, "created", ""), (2, "sent", ""))),
        order("d", State.REFUSED, history=((1, "created", ""), (2, "refused", "collar")), code="collar"),
        order("e", State.REFUSED, quantity=200, history=((1, "sent", ""), (2, "refused", "")), code="201"),
        order("f", State.REFUSED, code="collar"),
    ]
    assert [was_sent(row) for row in orders] == [True, True, True, False, True, False]
    ratios = fill_ratios(orders)
    assert ratios["fill_ratio"].value == 0.5
    assert ratios["quantity_fill_ratio"].value == 0.2
    assert order_tally(orders) == {"refused": 3, "cancelled": 2, "filled": 1}
    refusals = [RefusalRow(ts_ns=1, strategy="one", coid=coid, code="collar", sentence="") for coid in ("d", "f")]
    assert refusals_by_code(refusals) == {"collar": 2}
    assert venue_refusals_by_code(orders, refusals) == {"201": 1}
    assert fill_ratios(orders[3:4])["fill_ratio"].why == "no order was sent"


def test_turnover_over_mean_daily_equity() -> None:
    days = Days((date(2024, 3, 4), date(2024, 3, 5)), np.array([900.0, 1100.0]), 1000.0)
    found = turnover(Decimal(500), days, 252)
    assert found["turnover"].value == 0.5
    assert found["turnover_yearly"].value == 63.0
    assert turnover(Decimal(1), Days((), np.empty(0), 1.0), 252)["turnover"].value is None


def test_exposure_counts_the_day_and_not_the_night() -> None:
    times = np.array([0, 10, 40, 1000, 1060], np.int64)
    day = np.array([0, 0, 0, 1, 1])
    exposure = np.array([0.0, 50.0, 50.0, 0.0, 200.0])
    equity = np.full(5, 100.0)
    # Day one: 10 flat, 30 at one half; day two: 60 flat. The night of 960 with a position is left out.
    found = exposure_figures(times, exposure, equity, day)
    assert found["time_in_market"].value == 0.3
    assert found["exposure_mean"].value == 0.15
    assert found["exposure_max"].value == 2.0


def test_with_one_point_a_day_the_nights_count() -> None:
    found = exposure_figures(
        np.array([0, 100, 200], np.int64), np.array([0.0, 50.0, 0.0]), np.full(3, 100.0), np.array([0, 1, 2])
    )
    assert found["time_in_market"].value == 0.5
    assert found["exposure_mean"].value == 0.25


def test_exposure_of_one_moment_or_of_no_equity_is_unknown() -> None:
    one = exposure_figures(np.array([5], np.int64), np.array([10.0]), np.array([100.0]), np.array([0]))
    assert one["time_in_market"].why == "the run has one moment only"
    assert one["exposure_max"].value == 0.1
    broke = exposure_figures(
        np.array([0, 10], np.int64), np.array([10.0, 10.0]), np.array([0.0, 1.0]), np.array([0, 0])
    )
    assert broke["exposure_mean"].why == "equity was at or below zero"
    assert broke["time_in_market"].value == 1.0


def test_other_currencies_are_counted_at_their_rate() -> None:
    worth = Worth({1: AAPL, 2: FUTURE}, {"USD": Decimal("0.9"), "EUR": Decimal(1)})
    assert notional(fill("BUY", 1, "100", conid=2), worth) == 100 * 50 * Decimal("0.9")
    assert slippage([fill("BUY", 10, "11", reference=10.0)], worth).cost == pytest.approx(9.0)
