"""Equity by trading day: daily closes, their returns, and the monthly table."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from engine.domain.moments import NS_PER_S

NEW_YORK: Final = "America/New_York"
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@frozen(eq=False)
class Days:
    """Daily closes of equity: `closes[i]` is the last value on `dates[i]`, `opening` the value before the first day."""

    dates: tuple[date, ...]
    closes: Floats
    opening: float

    def __len__(self) -> int:
        return len(self.dates)

    @property
    def before(self) -> Floats:
        """The close before each day; the first day's is the opening value."""
        return np.concatenate([[self.opening], self.closes[:-1]]) if len(self.closes) else self.closes

    @property
    def profits(self) -> Floats:
        """Change in equity over each day, in money."""
        return self.closes - self.before

    @property
    def returns(self) -> Floats | None:
        """Simple return of each day, close over close before - 1; None if equity was ever at or below zero."""
        before = self.before
        return None if (before <= 0).any() else self.closes / before - 1.0


def midnights(first_ns: int, last_ns: int, zone: str) -> tuple[tuple[date, ...], Ints]:
    """Return every local date from one time to another, and the UTC nanosecond at which each begins."""
    local = ZoneInfo(zone)
    day = datetime.fromtimestamp(first_ns // NS_PER_S, local).date()
    end = datetime.fromtimestamp(last_ns // NS_PER_S, local).date()
    dates = []
    while day <= end:
        dates.append(day)
        day += timedelta(days=1)
    starts = [round(datetime(d.year, d.month, d.day, tzinfo=local).timestamp()) * NS_PER_S for d in dates]
    return tuple(dates), np.array(starts, np.int64)


def day_of_each(ts_ns: Ints, zone: str) -> tuple[tuple[date, ...], Ints]:
    """Return the local dates a sorted run of times spans, and for each time the index of its date among them."""
    if not len(ts_ns):
        return (), np.empty(0, np.int64)
    dates, starts = midnights(int(ts_ns[0]), int(ts_ns[-1]), zone)
    return dates, np.searchsorted(starts, ts_ns, side="right") - 1


def trading_days(ts_ns: Ints, equity: Floats, opening: float, zone: str = NEW_YORK) -> Days:
    """Take the last equity of each local date that has a point; dates without one (weekends) are no trading days.

    Args:
        ts_ns: Times of the points, sorted, ns UTC.
        equity: Account value at each, same length.
        opening: Account value before the first point.
        zone: IANA name of the exchange's time zone.
    """
    dates, at = day_of_each(ts_ns, zone)
    last = np.flatnonzero(np.diff(at, append=len(dates)))
    return Days(tuple(dates[i] for i in at[last]), equity[last], opening)


@frozen
class MonthRow:
    """One year of returns as fractions: twelve months (None: no trading day, or no return) and the year's total."""

    year: int
    months: tuple[float | None, ...]
    total: float | None


def monthly_table(days: Days) -> tuple[MonthRow, ...]:
    """Return month by month: last close of the month over the last close before it, - 1; the year's likewise."""
    ends: dict[tuple[int, int], float] = {}
    for day, close in zip(days.dates, days.closes.tolist(), strict=True):
        ends[day.year, day.month] = close
    rows: list[MonthRow] = []
    before = days.opening
    for year in sorted({year for year, _ in ends}):
        start = before
        months: list[float | None] = [None] * 12
        for month in range(1, 13):
            close = ends.get((year, month))
            if close is not None:
                months[month - 1] = close / before - 1.0 if before > 0 else None
                before = close
        rows.append(MonthRow(year, tuple(months), before / start - 1.0 if start > 0 else None))
    return tuple(rows)
