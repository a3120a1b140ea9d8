"""When a day of sums begins: at midnight in New York, as the venue counts, or at a time of the day in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from attrs import define, field

from engine.domain.moments import NS_PER_S

_ZONE: Final = ZoneInfo("America/New_York")


@define(eq=False)
class Days:
    """Days by number. `start_s`: seconds after midnight UTC; None: the venue's own midnight. The last is remembered."""

    start_s: int | None = None
    _from_ns: int = field(default=0, init=False)
    _until_ns: int = field(default=0, init=False)
    _number: int = field(default=0, init=False)

    def of(self, now_ns: int) -> int:
        """Number of the day that a time lies in; the next day's is one more."""
        if not self._from_ns <= now_ns < self._until_ns:
            self._look(now_ns)
        return self._number

    def span_ns(self, now_ns: int) -> tuple[int, int]:
        """When that day began, and when it ends."""
        self.of(now_ns)
        return self._from_ns, self._until_ns

    def _look(self, now_ns: int) -> None:
        zone = _ZONE if self.start_s is None else UTC
        offset = timedelta(seconds=self.start_s or 0)
        day = (datetime.fromtimestamp(now_ns // NS_PER_S, zone) - offset).date()
        self._number = day.toordinal()
        self._from_ns, self._until_ns = (
            int((datetime(one.year, one.month, one.day, tzinfo=zone) + offset).timestamp()) * NS_PER_S
            for one in (day, day + timedelta(days=1))
        )
