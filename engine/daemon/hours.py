"""The calendars of a daemon, kept in the state folder: a start reads in a moment what takes a second to work out."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from engine.calendars import ROUND_THE_CLOCK, sessions
from engine.domain.moments import NS_PER_DAY
from engine.domain.sessions import Sessions

PAST_DAYS: Final = 10
AHEAD_DAYS: Final = 300  # as far ahead as calendars are sure
REUSED_DAYS: Final = 240  # what a kept one must still have ahead
NAME: Final = "calendars.json"


class _Kept(msgspec.Struct, frozen=True):
    """One calendar as it was worked out, and for which span, ns UTC."""

    start_ns: int
    end_ns: int
    opens_ns: tuple[int, ...]
    closes_ns: tuple[int, ...]


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
    found, fresh = {}, False
    for name in sorted(set(names)):
        if name == ROUND_THE_CLOCK:
            found[name] = Sessions.round_the_clock()
            continue
        known = kept.get(name)
        start_ns, end_ns = now_ns - PAST_DAYS * NS_PER_DAY, now_ns + AHEAD_DAYS * NS_PER_DAY
        if known is None or known.start_ns > start_ns or known.end_ns < now_ns + REUSED_DAYS * NS_PER_DAY:
            made = sessions(name, start_ns, end_ns)
            known = kept[name] = _Kept(start_ns, end_ns, made.opens_ns, made.closes_ns)
            fresh = True
        found[name] = Sessions(opens_ns=known.opens_ns, closes_ns=known.closes_ns)
    if fresh and folder is not None:
        _write(folder / NAME, kept)
    return found


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
