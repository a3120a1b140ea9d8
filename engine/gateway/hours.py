"""The sessions of every calendar that the gateway's contracts name, drawn on as its clock goes on."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from engine.calendars import ROUND_THE_CLOCK, sessions
from engine.domain.moments import NS_PER_DAY, NS_PER_S
from engine.domain.sessions import Sessions
from engine.errors import ConfigError

NEW_YORK: Final = ZoneInfo("America/New_York")
MAIN: Final = "XNYS"  # trading days are counted by it
_BACK_NS: Final = 30 * NS_PER_DAY
_AHEAD_NS: Final = 400 * NS_PER_DAY
_LEAST_AHEAD_NS: Final = 200 * NS_PER_DAY


def day_of(ts_ns: int) -> date:
    """The venue's day: New York's date."""
    return datetime.fromtimestamp(ts_ns // NS_PER_S, NEW_YORK).date()


def day_start_ns(day: date) -> int:
    """When a day of the venue begins: New York's midnight."""
    return int(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp()) * NS_PER_S


def next_day_ns(ts_ns: int) -> int:
    """When the next day of the venue begins."""
    return day_start_ns(day_of(ts_ns) + timedelta(days=1))


class Hours:
    """Sessions by calendar name, from a month before `now_ns` to more than half a year ahead of it."""

    def __init__(self, now_ns: int) -> None:
        self._from_ns = now_ns - _BACK_NS
        self._until_ns = now_ns + _AHEAD_NS
        self._known: dict[str, Sessions] = {}
        self._days: tuple[int, ...] = ()

    def sessions(self, calendar: str) -> Sessions:
        """Regular sessions of a calendar.

        Raises: ConfigError if there is no such calendar.
        """
        found = self._known.get(calendar)
        if found is None:
            found = self._known[calendar] = sessions(calendar, self._from_ns, self._until_ns)
        return found

    def draw_on(self, now_ns: int) -> bool:
        """Look further ahead where that is due; True if sessions have changed."""
        if self._until_ns - now_ns > _LEAST_AHEAD_NS:
            return False
        self._until_ns = now_ns + _AHEAD_NS
        for name in self._known:
            try:
                self._known[name] = sessions(name, self._from_ns, self._until_ns)
            except ConfigError:
                continue  # no calendar reaches that far: what is known stays, and after it the market is shut
        self._days = ()
        return True

    def trades(self, day: date) -> bool:
        """Say whether there is a session in New York on a day; beyond what is known, whether it is a weekday."""
        start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NS_PER_S
        main = self.sessions(MAIN)
        if not main.opens_ns[0] <= start < main.opens_ns[-1]:
            return day.weekday() < 5
        last = bisect_right(main.opens_ns, start + NS_PER_DAY) - 1
        return main.opens_ns[last] >= start

    def trading_day(self, ts_ns: int) -> int:
        """Number of the trading day that a time counts to: a day without a session counts to the one before it."""
        if not self._days:
            opens = self.sessions(MAIN).opens_ns
            self._days = tuple(day_start_ns(day_of(opened)) for opened in opens)
        return bisect_right(self._days, ts_ns)


__all__ = ["MAIN", "NEW_YORK", "ROUND_THE_CLOCK", "Hours", "day_of", "day_start_ns", "next_day_ns"]
