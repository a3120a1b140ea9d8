"""Trading calendars: the adapter from `exchange_calendars` to plain `Sessions`.

The package takes half a second to import, so it is imported where it is needed and never for "24/7".
"""

from __future__ import annotations

import difflib
import warnings
from datetime import UTC, date, datetime, timedelta
from typing import Final

from engine.domain.moments import NS_PER_S
from engine.domain.sessions import Sessions
from engine.errors import ConfigError

ROUND_THE_CLOCK: Final = "24/7"
# Enough that the session before the first row and the one after the last are always among the numbers: the longest
# closures in regular use, China's, last eleven days.
MARGIN: Final = timedelta(days=15)


def sessions(name: str, start_ns: int, end_ns: int) -> Sessions:
    """Return the regular sessions of a calendar, from some days before `start_ns` to some days after `end_ns`.

    A lunch break counts as part of its session: there is one open and one close a day.

    Args:
        name: A name or alias of exchange_calendars (`XNYS`, `CMES`), or "24/7".
        start_ns: First time of interest, ns UTC.
        end_ns: Last time of interest, ns UTC, not before `start_ns`.

    Raises: ConfigError if there is no such calendar, or it does not reach that far.
    """
    if name == ROUND_THE_CLOCK:
        return Sessions.round_the_clock()
    check_name(name)
    import exchange_calendars

    first, last = _day(start_ns) - MARGIN, _day(end_ns) + MARGIN
    try:
        with warnings.catch_warnings():
            # exchange_calendars calls pandas in ways that pandas is giving up; its users can't mend that.
            warnings.simplefilter("ignore", DeprecationWarning)
            # Always with bounds: without them the calendar's window moves with today.
            calendar = exchange_calendars.get_calendar(name, start=first.isoformat(), end=last.isoformat())
    except (ValueError, exchange_calendars.errors.CalendarError) as exc:
        raise ConfigError(f"the trading calendar {name} has no sessions from {first} to {last}: {exc}") from exc
    return Sessions(
        opens_ns=tuple(calendar.opens_nanos.tolist()),
        closes_ns=tuple(calendar.closes_nanos.tolist()),
    )


def check_name(name: str) -> None:
    """See whether there is a calendar of this name.

    Raises: ConfigError with the nearest right name if there is none.
    """
    if name == ROUND_THE_CLOCK:
        return
    import exchange_calendars  # half a second

    names = exchange_calendars.get_calendar_names(include_aliases=True)
    if name not in names:
        near = difflib.get_close_matches(name.upper(), names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"there is no trading calendar {name!r}{hint}")


def _day(ts_ns: int) -> date:
    return datetime.fromtimestamp(ts_ns // NS_PER_S, UTC).date()
