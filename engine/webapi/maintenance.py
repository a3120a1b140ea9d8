"""When the venue is known to be away, so that nobody is woken for it. Plain; time is an argument.

Source: IBKR, Web API documentation, "Scheduled Server Maintenance": /iserver is reset at about 01:00 by region, the
whole API on Saturday evenings; the login ends at the region's midnight. The documents give no lengths: these are
generous, for an early end costs nothing (we keep on trying) and a late one is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

SECOND = 1_000_000_000


class Region(StrEnum):
    """Where the session is served."""

    AMERICA = "america"
    EUROPE = "europe"
    ASIA = "asia"


ZONES = {
    Region.AMERICA: ZoneInfo("America/New_York"),
    Region.EUROPE: ZoneInfo("Europe/Zurich"),  # "CEST" in the document: the wall clock of Zug
    Region.ASIA: ZoneInfo("Asia/Hong_Kong"),
}


class Away(msgspec.Struct, frozen=True, kw_only=True):
    """A known window in [start, end), nanoseconds UTC."""

    name: str
    start_ns: int
    end_ns: int


def away_at(region: Region, now_ns: int) -> Away | None:
    """Return the window that `now_ns` lies in; the one that ends last if there are two."""
    inside = [window for window in _around(region, now_ns) if window.start_ns <= now_ns < window.end_ns]
    return max(inside, key=lambda window: window.end_ns, default=None)


def next_away(region: Region, now_ns: int) -> Away:
    """Return the next window that begins after `now_ns`."""
    return min(
        (window for window in _around(region, now_ns) if window.start_ns > now_ns), key=lambda window: window.start_ns
    )


def _around(region: Region, now_ns: int) -> Iterator[Away]:
    zone = ZONES[region]
    today = datetime.fromtimestamp(now_ns // SECOND, UTC).astimezone(zone).date()
    for offset in range(-1, 3):
        day = today + timedelta(days=offset)
        yield Away(
            name="midnight login reset", start_ns=_at(day, time(0), zone, -120), end_ns=_at(day, time(0, 10), zone)
        )
        # 01:00 comes twice on the night that clocks go back; the window holds both.
        yield Away(
            name="nightly reset", start_ns=_at(day, time(0, 55), zone), end_ns=_at(day, time(1, 15, fold=1), zone)
        )
        if day.isoweekday() == 6:
            end_ns = _at(day + timedelta(days=1), time(0, 10), zone)
            yield Away(name="weekly maintenance", start_ns=_at(day, time(18), zone), end_ns=end_ns)


def _at(day: date, clock: time, zone: ZoneInfo, shift_s: int = 0) -> int:
    return (round(datetime.combine(day, clock, zone).timestamp()) + shift_s) * SECOND
