"""Prices that were said before a corporate action, in the terms of after it.

A split changes the unit of a price, a dividend or a spin-off takes from it what holders are given. Until the market
speaks again that is the best there is to know; held against the old price, positions would be worth what they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Step(NamedTuple):
    """A price said before `ts_ns` is worth `factor` times as much and `less` less from then on; NaN: nobody knows."""

    ts_ns: int
    factor: float = 1.0
    less: float = 0.0


def reprice(prices: NDArray[np.float64], said_ns: NDArray[Any], steps: Sequence[Step]) -> NDArray[np.float64]:
    """Convert prices by the steps that came after they were said, oldest step first.

    Args:
        prices: One for each time.
        said_ns: When each was said (ns UTC).
    """
    for step in steps:
        prices = np.where(said_ns < step.ts_ns, prices * step.factor - step.less, prices)
    return prices
