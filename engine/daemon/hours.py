"""The calendars of a daemon, kept in the state folder: a start reads in a moment what takes a second to work out.

Those that most accounts need come with the package (`calendars.json` beside this file), as the very version of the
library that is installed works them out; those of another are not used. `python -m engine.daemon.hours` makes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from engine.calendars import ROUND_THE_CLOCK, sessions
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.sessions import Sessions

PAST_DAYS: Final = 10
AHEAD_DAYS: Final = 300  # as far ahead as calendars are sure
REUSED_DAYS: Final = 240  # what a kept one must still have ahead
NAME: Final = "calendars.json"
SHIPPED: Final = Path(__file__).with_name("calendars.json")
SHIPPED_NAMES: Final = ("XNYS", "CMES")
SHIPPED_FROM, SHIPPED_TO = date(2025, 1, 1), date(2028, 12, 31)


class _Kept(msgspec.Struct, frozen=True):
    """One calendar as it was worked out, and for which span, ns UTC."""

    start_ns: int
    end_ns: int
    opens_ns: tuple[int, ...]
    closes_ns: tuple[int, ...]


class _Minutes(msgspec.Struct, frozen=True):
    opens: tuple[int, ...]
    closes: tuple[int, ...]


class _Table(msgspec.Struct, frozen=True):
    """What comes with the package: calendars of one span, seconds and minutes UTC since 1970."""

    made_with: str
    start_s: int
    end_s: int
    calendars: dict[str, _Minutes]

    def unpacked(self) -> dict[str, _Kept]:
        """In nanoseconds."""
        return {
            name: _Kept(
                self.start_s * NS_PER_S,
                self.end_s * NS_PER_S,
                tuple(minute * NS_PER_MINUTE for minute in times.opens),
                tuple(minute * NS_PER_MINUTE for minute in times.closes),
            )
            for name, times in self.calendars.items()
        }


class _File(msgspec.Struct, frozen=True):
    made_with: str
    calendars: dict[str, _Kept]


def calendars_for(names: Iterable[str], now_ns: int, folder: Path | None = None) -> dict[str, Sessions]:
    """Sessions of each calendar, from some days before `now_ns` to most of a year after it.

    Args:
        folder: Where they are kept; None keeps none.

    Raises: ConfigError if there is no such calendar.
    """
    kept = {} if folder is None else _read(folder / NAME)
    shipped = _shipped()
    found, fresh = {}, False
    for name in sorted(set(names)):
        if name == ROUND_THE_CLOCK:
            found[name] = Sessions.round_the_clock()
            continue
        start_ns, end_ns = now_ns - PAST_DAYS * NS_PER_DAY, now_ns + AHEAD_DAYS * NS_PER_DAY
        reach_ns = now_ns + REUSED_DAYS * NS_PER_DAY
        there = (one for one in (kept.get(name), shipped.get(name)) if one is not None)
        known = next((one for one in there if one.start_ns <= start_ns and one.end_ns >= reach_ns), None)
        if known is None:
            made = sessions(name, start_ns, end_ns)
            known = kept[name] = _Kept(start_ns, end_ns, made.opens_ns, made.closes_ns)
            fresh = True
        found[name] = Sessions(opens_ns=known.opens_ns, closes_ns=known.closes_ns)
    if fresh and folder is not None:
        _write(folder / NAME, kept)
    return found


@cache
def _shipped() -> dict[str, _Kept]:
    """The calendars that came with the package; none if another version of the library made them."""
    told = msgspec.json.decode(SHIPPED.read_bytes(), type=_Table)
    return told.unpacked() if told.made_with == _made_with() else {}


def ship() -> bytes:
    """Work out what comes with the package."""
    start_ns, end_ns = (
        round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NS_PER_S
        for day in (SHIPPED_FROM, SHIPPED_TO)
    )
    calendars = {}
    for name in SHIPPED_NAMES:
        made = sessions(name, start_ns, end_ns)
        opens, closes = (tuple(ts_ns // NS_PER_MINUTE for ts_ns in times) for times in (made.opens_ns, made.closes_ns))
        calendars[name] = _Minutes(opens, closes)
    return msgspec.json.encode(_Table(_made_with(), start_ns // NS_PER_S, end_ns // NS_PER_S, calendars)) + b"\n"


def _made_with() -> str:
    return f"exchange_calendars {version('exchange_calendars')}"


def _read(path: Path) -> dict[str, _Kept]:
    """What is kept; nothing if it can't be read or another version made it, for it can be worked out again."""
    with suppress(OSError, msgspec.DecodeError):
        told = msgspec.json.decode(path.read_bytes(), type=_File)
        if told.made_with == _made_with():
            return told.calendars
    return {}


def _write(path: Path, kept: dict[str, _Kept]) -> None:
    part = path.with_name(path.name + ".new")
    with suppress(OSError):  # a full disk costs the next start a second
        part.write_bytes(msgspec.json.encode(_File(_made_with(), kept)))
        part.replace(path)


if __name__ == "__main__":
    SHIPPED.write_bytes(ship())
