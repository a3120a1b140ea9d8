"""Ratios and days against figures worked out on paper."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest

from engine.report import ratios
from engine.report.days import Days, monthly_table, trading_days
from engine.report.figures import Figure, known, unknown
from tests.report.outcomes import at


def days(*closes: float, opening: float = 1000.0) -> Days:
    dates = tuple(date(2024, 3, 1 + i) for i in range(len(closes)))
    return Days(dates, np.array(closes), opening)


# Returns of +1 %, -1 %, +1 %: mean 1/3 %, sum of squares about it 24/9, so a standard deviation of 2/sqrt(3) %.
UP_DOWN_UP = days(1010.0, 999.9, 1009.899)


def test_volatility_is_the_sample_deviation_for_a_year() -> None:
    assert ratios.volatility(UP_DOWN_UP, 252).value == pytest.approx(0.02 / math.sqrt(3) * math.sqrt(252), rel=1e-9)


def test_sharpe_and_sortino_of_one_third_percent_a_day() -> None:
    assert ratios.sharpe(UP_DOWN_UP, 252, 0.0).value == pytest.approx(math.sqrt(21), rel=1e-9)
    assert ratios.sortino(UP_DOWN_UP, 252, 0.0).value == pytest.approx(math.sqrt(84), rel=1e-9)


def test_the_risk_free_rate_is_taken_off_each_day() -> None:
    rate = 1.0001**252 - 1  # one basis point a day
    daily = (0.01 / 3 - 0.0001) / (0.02 / math.sqrt(3))
    assert ratios.sharpe(UP_DOWN_UP, 252, rate).value == pytest.approx(daily * math.sqrt(252), rel=1e-9)
    downside = math.sqrt(0.0101**2 / 3)
    expected = (0.01 / 3 - 0.0001) / downside * math.sqrt(252)
    assert ratios.sortino(UP_DOWN_UP, 252, rate).value == pytest.approx(expected, rel=1e-9)


def test_cagr_takes_a_year_of_trading_days() -> None:
    assert ratios.cagr(days(1100.0, 1210.0), 4).value == pytest.approx(1.21**2 - 1, rel=1e-12)
    assert ratios.total_return(days(1100.0, 1210.0)).value == pytest.approx(0.21, rel=1e-12)


def test_calmar_divides_growth_by_the_fall() -> None:
    assert ratios.calmar(known(0.3), known(0.1)).value == pytest.approx(3.0)
    assert ratios.calmar(known(0.3), known(0.0)).why == "no day closed below an earlier one"
    assert ratios.calmar(unknown("because"), known(0.1)).why == "because"


@pytest.mark.parametrize("figure", [ratios.sharpe, ratios.sortino])
def test_one_day_gives_no_ratio(figure: object) -> None:
    assert figure(days(1010.0), 252, 0.0) == Figure(None, ratios.FEW)  # type: ignore[operator]  # two of one signature
    assert ratios.cagr(days(1010.0), 252).why == ratios.FEW
    assert ratios.volatility(days(), 252).why == ratios.FEW


def test_a_line_without_change_or_loss_gives_a_reason() -> None:
    assert ratios.sharpe(days(1000.0, 1000.0, 1000.0), 252, 0.0).why == ratios.FLAT
    assert ratios.sharpe(days(1010.0, 1020.1), 252, 0.0).why == ratios.FLAT
    assert ratios.sortino(days(1010.0, 1030.0), 252, 0.0).why == "no day lost money"


def test_a_lost_account_gives_a_reason() -> None:
    assert ratios.sharpe(days(500.0, -1.0, 4.0), 252, 0.0).why == ratios.BROKE
    assert ratios.cagr(days(500.0, -1.0), 252).why == ratios.BROKE
    assert ratios.cagr(days(500.0, 0.0), 252).value == -1.0
    assert ratios.total_return(days(10.0, opening=0.0)).why == ratios.BROKE


def test_growth_beyond_any_number_gives_a_reason() -> None:
    assert ratios.cagr(days(1e150, 1e300), 252).why == "too few days to say it for a year"


def test_a_day_is_the_exchanges_local_date() -> None:
    points = [
        (at("2024-03-08 15:59"), 10.0),
        (at("2024-03-08 20:30"), 11.0),  # the 9th in UTC, still Friday in New York
        (at("2024-03-11 09:31"), 12.0),  # Monday, after the clocks went forward
        (at("2024-03-11 23:59"), 13.0),
        (at("2024-03-12 00:00"), 14.0),
    ]
    times = np.array([ts_ns for ts_ns, _ in points], np.int64)
    found = trading_days(times, np.array([value for _, value in points]), 9.0)
    assert found.dates == (date(2024, 3, 8), date(2024, 3, 11), date(2024, 3, 12))
    assert found.closes.tolist() == [11.0, 13.0, 14.0]
    assert found.profits.tolist() == [2.0, 2.0, 1.0]
    utc = trading_days(times, np.arange(5.0), 9.0, "UTC")
    assert utc.dates == (date(2024, 3, 8), date(2024, 3, 9), date(2024, 3, 11), date(2024, 3, 12))


def test_no_point_is_no_day() -> None:
    found = trading_days(np.empty(0, np.int64), np.empty(0), 9.0)
    assert len(found) == 0
    assert monthly_table(found) == ()


def test_months_chain_to_the_year() -> None:
    dates = (date(2023, 12, 28), date(2023, 12, 29), date(2024, 1, 2), date(2024, 3, 1))
    table = monthly_table(Days(dates, np.array([105.0, 110.0, 99.0, 108.9]), 100.0))
    assert [row.year for row in table] == [2023, 2024]
    assert table[0].months[11] == pytest.approx(0.10)
    assert table[0].total == pytest.approx(0.10)
    assert table[1].months[0] == pytest.approx(-0.10)
    assert table[1].months[1] is None
    assert table[1].months[2] == pytest.approx(0.10)
    assert table[1].total == pytest.approx(-0.01)
