"""Drawdowns: how far equity fell from its highest value so far, and when it came back."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from engine.report.days import Floats, Ints
from engine.report.figures import Figure, known, unknown


@frozen
class Drawdown:
    """One fall: `depth` as a fraction of the peak, `amount` in money; `recovery_ns` is None while it lasts.

    `peak_ns` is the last point at the high, `trough_ns` the first at the low, `recovery_ns` the first that is back at
    the peak or above.
    """

    peak_ns: int
    trough_ns: int
    recovery_ns: int | None
    depth: float
    amount: float


def underwater(equity: Floats) -> Floats:
    """Return at each point the fall from the highest value so far, as a fraction of it, 0 or above.

    Where no value so far is above zero there is nothing to be a fraction of: 0.
    """
    if not len(equity):
        return equity
    high = np.maximum.accumulate(equity)
    return np.divide(high - equity, high, out=np.zeros(len(equity)), where=high > 0)


def drawdowns(ts_ns: Ints, equity: Floats) -> tuple[Drawdown, ...]:
    """Return all falls in order of time; between two of them equity was at its high.

    Args:
        ts_ns: Times, sorted, ns UTC.
        equity: Account value at each, same length; the first is the deposit.
    """
    depth = underwater(equity)
    below = np.concatenate([[False], depth > 0, [False]])
    edges = np.flatnonzero(np.diff(below))
    found = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        trough = start + int(np.argmax(depth[start:stop]))
        peak = start - 1
        found.append(
            Drawdown(
                peak_ns=int(ts_ns[peak]),
                trough_ns=int(ts_ns[trough]),
                recovery_ns=int(ts_ns[stop]) if stop < len(ts_ns) else None,
                depth=float(depth[trough]),
                amount=float(equity[peak] - equity[trough]),
            )
        )
    return tuple(found)


def worst(falls: tuple[Drawdown, ...], count: int = 5) -> tuple[Drawdown, ...]:
    """Return the deepest falls, deepest first; of equal ones the earlier first."""
    return tuple(sorted(falls, key=lambda fall: (-fall.depth, fall.peak_ns))[:count])


def max_drawdown(equity: Floats) -> Figure:
    """Deepest fall from a high, as a fraction of it: max over t of (high(t) - equity(t)) / high(t), 0 if none.

    Unknown where the first value, the deposit, is not above zero.
    """
    if not len(equity):
        return unknown("there is no equity")
    if equity[0] <= 0:
        return unknown("there was no deposit")
    return known(float(underwater(equity).max()))


def largest_fall(values: Floats) -> float:
    """Deepest fall from a high in money, for a profit curve that starts at zero: max over t of high(t) - value(t)."""
    if not len(values):
        return 0.0
    high = np.maximum(np.maximum.accumulate(values), 0.0)
    return float((high - values).max())
