"""Indicators that take one value at a time: moving averages, and moments and fits over a rolling window.

Plain numbers in and out, no market and no clock. Each keeps what it needs and nothing more.
"""

from __future__ import annotations

from collections import deque
from math import isfinite, nan, sqrt


class Ema:
    """Exponential moving average over `span` values: `value += (x - value) * 2 / (span + 1)`, begun at the first value.

    `value` is NaN before the first update; `ready` once `span` values have come. Values must be finite.

    Raises: ValueError for a span below 1.

    Source: J. J. Murphy, Technical Analysis of the Financial Markets, New York Institute of Finance, 1999, chapter 9;
    the weight 2 / (span + 1) gives the average the centre of mass of a simple one over `span` values.
    """

    __slots__ = ("_count", "_weight", "span", "value")

    def __init__(self, span: int) -> None:
        if span < 1:
            raise ValueError(f"an average needs a span of 1 or more, not {span}")
        self.span = span
        self.value = nan
        self._weight = 2.0 / (span + 1.0)
        self._count = 0

    @property
    def ready(self) -> bool:
        """Whether as many values have come as the average looks back."""
        return self._count >= self.span

    def update(self, value: float) -> float:
        """Fold one value in; return the new average."""
        if self._count:
            self.value += (value - self.value) * self._weight
        else:
            self.value = value
        self._count += 1
        return self.value


class RollingMoments:
    """Mean and variance of the last `window` values, in constant time a value.

    A value that goes in for one that drops out moves the mean by `(new - old) / n` and the sum of squared deviations by
    `(new - old) * (new - mean' + old - mean)`. Rounding errors of that would pile up, so after each whole window both
    are worked out afresh from the values.

    Raises: ValueError for a window below 2, or a value that is not finite.

    Source: B. P. Welford, Note on a Method for Calculating Corrected Sums of Squares and Products, Technometrics 4,
    1962, 419-420; for the exchange of a value, T. F. Chan, G. H. Golub, R. J. LeVeque, Algorithms for Computing the
    Sample Variance, The American Statistician 37, 1983, 242-247.
    """

    __slots__ = ("_squares", "_stale", "_values", "mean", "window")

    def __init__(self, window: int) -> None:
        if window < 2:
            raise ValueError(f"a rolling window needs 2 values or more, not {window}")
        self.window = window
        self.mean = 0.0
        self._values: deque[float] = deque()
        self._squares = 0.0
        self._stale = 0

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return len(self._values) == self.window

    @property
    def variance(self) -> float:
        """Sample variance (divided by n - 1); NaN below two values, never below zero."""
        count = len(self._values)
        return max(self._squares, 0.0) / (count - 1) if count > 1 else nan

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        return sqrt(self.variance)

    def update(self, value: float) -> None:
        """Fold one value in, and the oldest out once the window is full."""
        if not isfinite(value):
            raise ValueError(f"{value} is no finite number")
        values = self._values
        if len(values) < self.window:
            values.append(value)
            step = value - self.mean
            self.mean += step / len(values)
            self._squares += step * (value - self.mean)
            return
        oldest = values.popleft()
        values.append(value)
        before = self.mean
        self.mean += (value - oldest) / self.window
        self._squares += (value - oldest) * (value - self.mean + oldest - before)
        self._stale += 1
        if self._stale == self.window:
            self._stale = 0
            self.mean = sum(values) / self.window
            self._squares = sum((one - self.mean) ** 2 for one in values)

    def z_score(self, value: float) -> float:
        """How many standard deviations a value lies from the mean; NaN where there is no spread."""
        deviation = self.deviation
        return (value - self.mean) / deviation if deviation > 0.0 else nan


class RollingFit:
    """Least-squares line y = intercept + slope * x over the last `window` pairs.

    `deviation` is that of the residuals, with n - 2 degrees of freedom. `slope` is NaN where the xs don't differ.

    Raises: ValueError for a window below 3, or a value that is not finite.

    Source: any text on regression; as a hedge ratio, R. F. Engle and C. W. J. Granger, Co-integration and Error
    Correction, Econometrica 55, 1987, 251-276.
    """

    __slots__ = ("_pairs", "_xs", "_ys", "deviation", "intercept", "slope", "window")

    def __init__(self, window: int) -> None:
        if window < 3:
            raise ValueError(f"a rolling fit needs 3 pairs or more, not {window}")
        self.window = window
        self.slope = self.intercept = self.deviation = nan
        self._pairs: deque[tuple[float, float]] = deque(maxlen=window)
        self._xs = RollingMoments(window)
        self._ys = RollingMoments(window)

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return len(self._pairs) == self.window

    def update(self, x: float, y: float) -> None:
        """Fold one pair in; the fit is made anew from the window (a few microseconds for some hundred pairs)."""
        self._xs.update(x)
        self._ys.update(y)
        self._pairs.append((x, y))
        count = len(self._pairs)
        if count < 3:
            return
        x_mean, y_mean = self._xs.mean, self._ys.mean
        across = sum((one - x_mean) * (other - y_mean) for one, other in self._pairs)
        x_squares = self._xs.variance * (count - 1)
        if x_squares <= 0.0:
            self.slope = self.intercept = self.deviation = nan
            return
        self.slope = across / x_squares
        self.intercept = y_mean - self.slope * x_mean
        left = self._ys.variance * (count - 1) - self.slope * across
        self.deviation = sqrt(max(left, 0.0) / (count - 2))

    def z_score(self, x: float, y: float) -> float:
        """The residual of a pair in deviations; NaN where there is no line or no spread."""
        if not self.deviation > 0.0:
            return nan
        return (y - self.intercept - self.slope * x) / self.deviation
