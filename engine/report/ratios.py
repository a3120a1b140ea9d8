"""Return and risk of a run from its daily closes. `trading_days` is the number of days a year, 252 by convention."""

from __future__ import annotations

import math

import numpy as np

from engine.report.days import Days, Floats
from engine.report.figures import Figure, known, unknown

FEW = "needs at least two trading days"
BROKE = "equity was at or below zero"
FLAT = "the daily returns do not vary"


def _returns(days: Days) -> Floats | Figure:
    """Return the daily returns, or why there are none to work with."""
    if len(days) < 2:
        return unknown(FEW)
    returns = days.returns
    return unknown(BROKE) if returns is None else returns


def total_return(days: Days) -> Figure:
    """Return of the whole run: last close / deposit - 1."""
    if not len(days):
        return unknown("there is no trading day")
    return known(days.closes[-1] / days.opening - 1.0) if days.opening > 0 else unknown(BROKE)


def cagr(days: Days, trading_days: int) -> Figure:
    """Compound annual growth rate: (last close / deposit) ** (trading_days / N) - 1, N the run's trading days.

    Source: the geometric mean return, e.g. Bacon, Practical Portfolio Performance Measurement and Attribution, 2nd
    ed., 2008, chapter 2; the year counted in trading days, like the ratios here.
    """
    if len(days) < 2:
        return unknown(FEW)
    if days.opening <= 0 or days.closes[-1] < 0:
        return unknown(BROKE)
    growth = float(days.closes[-1]) / days.opening
    try:
        return known(growth ** (trading_days / len(days)) - 1.0)
    except OverflowError:
        return unknown("too few days to say it for a year")


def volatility(days: Days, trading_days: int) -> Figure:
    """Annual volatility: standard deviation of daily returns (divisor N - 1) times sqrt(trading_days)."""
    returns = _returns(days)
    if isinstance(returns, Figure):
        return returns
    return known(float(np.std(returns, ddof=1)) * math.sqrt(trading_days))


def daily_rate(risk_free_rate: float, trading_days: int) -> float:
    """Turn a yearly rate into that of one trading day: (1 + rate) ** (1 / trading_days) - 1."""
    return float((1.0 + risk_free_rate) ** (1.0 / trading_days)) - 1.0


def _no_spread(values: Floats) -> bool:
    """Say whether daily returns differ by no more than rounding does."""
    return float(np.ptp(values)) <= 1e-14


def sharpe(days: Days, trading_days: int, risk_free_rate: float) -> Figure:
    """Sharpe ratio: mean daily excess return / its standard deviation (divisor N - 1), times sqrt(trading_days).

    Source: Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21(1), 1994.
    """
    returns = _returns(days)
    if isinstance(returns, Figure):
        return returns
    if _no_spread(returns):
        return unknown(FLAT)
    excess = returns - daily_rate(risk_free_rate, trading_days)
    return known(float(excess.mean()) / float(np.std(excess, ddof=1)) * math.sqrt(trading_days))


def sortino(days: Days, trading_days: int, risk_free_rate: float) -> Figure:
    """Sortino ratio: mean daily excess return / downside deviation, times sqrt(trading_days).

    The downside deviation is sqrt(mean(min(excess, 0) ** 2)) over all N days, the risk-free rate being the target.

    Source: Sortino and Price, Performance Measurement in a Downside Risk Framework, Journal of Investing 3(3), 1994.
    """
    returns = _returns(days)
    if isinstance(returns, Figure):
        return returns
    excess = returns - daily_rate(risk_free_rate, trading_days)
    downside = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)))
    if downside <= 1e-14:
        return unknown("no day lost money" if risk_free_rate == 0 else "no day earned less than the risk-free rate")
    return known(float(excess.mean()) / downside * math.sqrt(trading_days))


def calmar(growth: Figure, max_drawdown: Figure) -> Figure:
    """Calmar ratio: CAGR / maximum drawdown of the daily closes over the whole run.

    Source: Young, Calmar Ratio: A Smoother Tool, Futures 20(1), 1991 (there over 36 months).
    """
    if growth.value is None:
        return growth
    if max_drawdown.value is None:
        return max_drawdown
    if max_drawdown.value <= 0:
        return unknown("no day closed below an earlier one")
    return known(growth.value / max_drawdown.value)
