"""What an option's price implies: its volatility, and from it the greeks, by Black and Scholes without interest."""

from __future__ import annotations

from math import erf, exp, log, pi, sqrt
from typing import Final

from attrs import frozen

_DAYS: Final = 365.0
_LARGEST: Final = 8.0  # 800 % a year: no option that is quoted implies more
_STEPS: Final = 60  # of halving: far below a digit that is shown


@frozen
class Greeks:
    """`volatility` is a year's standard deviation (0.25 = 25 %); theta is for a day, vega for a point of volatility."""

    volatility: float
    delta: float
    gamma: float
    theta: float
    vega: float


def _normal(value: float) -> float:
    """Standard normal distribution."""
    return 0.5 * (1.0 + erf(value / sqrt(2.0)))


def worth(price: float, strike: float, years: float, volatility: float, *, call: bool) -> float:
    """Value of a European option on a share that pays nothing, without interest; in the share's currency.

    Source: F. Black and M. Scholes, The Pricing of Options and Corporate Liabilities, 1973, with r = 0.
    """
    deviation = volatility * sqrt(years)
    first = log(price / strike) / deviation + deviation / 2
    if call:
        return price * _normal(first) - strike * _normal(first - deviation)
    return strike * _normal(deviation - first) - price * _normal(-first)


def implied(value: float, price: float, strike: float, years: float, *, call: bool) -> Greeks | None:
    """What a value implies; None where no volatility gives it (at or below exercise, expired, unknown)."""
    if not (value > 0 and price > 0 and strike > 0 and years > 0):
        return None
    low, high = 1e-4, _LARGEST
    if not worth(price, strike, years, low, call=call) < value < worth(price, strike, years, high, call=call):
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if worth(price, strike, years, middle, call=call) < value:
            low = middle
        else:
            high = middle
    volatility = (low + high) / 2
    deviation = volatility * sqrt(years)
    first = log(price / strike) / deviation + deviation / 2
    density = exp(-first * first / 2) / sqrt(2 * pi)
    return Greeks(
        volatility=volatility,
        delta=_normal(first) - (0.0 if call else 1.0),
        gamma=density / (price * deviation),
        theta=-price * density * volatility / (2 * sqrt(years)) / _DAYS,
        vega=price * density * sqrt(years) / 100,
    )
