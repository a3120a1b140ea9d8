"""`recording.toml`: what a recording says of itself and its instruments.

Every error names the file and the key; an unknown key comes with the nearest right name.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from attrs import frozen

from engine.domain.instrument import Instrument, Leg, PriceTick, SecType
from engine.errors import RecordingError
from engine.recording.layout import FORMAT_VERSION, HEAD_FILE
from engine.tables import LARGEST_WHOLE, shown, toml

_HEAD_KEYS: Final = ("format_version", "name", "source", "time_zone", "licence", "generated", "instruments")
_INSTRUMENT_KEYS: Final = (
    "conid", "symbol", "sec_type", "currency", "multiplier", "price_ticks", "size_increment", "exchange", "calendar",
    "outside_hours", "legs",
)  # fmt: skip


_DIGITS: Final = 12  # before the point of a number, or zeros after it


@frozen(kw_only=True)
class Head:
    """What `recording.toml` says. `time_zone` is the zone of the source's own stamps; the files are always UTC."""

    name: str
    source: str = ""
    time_zone: str = "UTC"
    licence: str = ""
    generated: bool = False
    instruments: tuple[Instrument, ...] = ()


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict; RecordingError with file and place otherwise."""
    try:
        return toml(path.read_text(encoding="utf-8"), parse_float=float)
    except OSError as exc:
        raise RecordingError(f"can't be read ({exc.strerror})", place=str(path)) from exc
    except ValueError as exc:  # no UTF-8, no TOML
        raise RecordingError(f"is no TOML: {exc}", place=str(path)) from exc


def zone(name: str, *, place: str) -> ZoneInfo:
    """A time zone by its IANA name; RecordingError with the nearest right name otherwise."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError):
        from zoneinfo import available_timezones  # slow, and only needed for the sentence

        near = difflib.get_close_matches(str(name), sorted(available_timezones()), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise RecordingError(f"there is no time zone {name!r}{hint}", place=place) from None


def read_head(root: Path) -> Head:
    """Read and check `recording.toml`.

    Raises: RecordingError with file and key.
    """
    path = root / HEAD_FILE
    if not root.is_dir():
        raise RecordingError("there is no such recording folder", place=str(root))
    if not path.is_file():
        raise RecordingError(f"is not a recording, it has no {HEAD_FILE}", place=str(root))
    table = read_toml(path)
    known_keys(table, _HEAD_KEYS, place=str(path))
    version = table.get("format_version")
    if version != FORMAT_VERSION:
        told = f"format_version is {shown(version)}; this program reads {FORMAT_VERSION}"
        raise RecordingError(told, place=str(path))
    name = value_of(table, "name", str, root.name, place=str(path))
    time_zone = value_of(table, "time_zone", str, "UTC", place=str(path))
    zone(time_zone, place=f"{path}, time_zone")
    entries = value_of(table, "instruments", list, [], place=str(path))
    instruments = tuple(instrument_from(entry, place=f"{path}, instruments[{at}]") for at, entry in enumerate(entries))
    for what in ("conid", "symbol"):
        values = [getattr(instrument, what) for instrument in instruments]
        for value in values:
            if values.count(value) > 1:
                raise RecordingError(f"two instruments have the {what} {value}", place=str(path))
    return Head(
        name=name,
        source=value_of(table, "source", str, "", place=str(path)),
        time_zone=time_zone,
        licence=value_of(table, "licence", str, "", place=str(path)),
        generated=value_of(table, "generated", bool, False, place=str(path)),
        instruments=instruments,
    )


def instrument_from(entry: object, *, place: str) -> Instrument:
    """Make an instrument of a TOML table; only `conid` and `symbol` must be there.

    Raises: RecordingError with `place` and key.
    """
    if not isinstance(entry, dict):
        raise RecordingError("must be a table", place=place)
    known_keys(entry, _INSTRUMENT_KEYS, place=place)
    fields: dict[str, Any] = {}
    for key in ("conid", "symbol"):
        if key not in entry:
            raise RecordingError(f"{key} is missing", place=place)
    fields["conid"] = value_of(entry, "conid", int, 0, place=place)
    if not entry["symbol"]:
        raise RecordingError("symbol is empty", place=place)
    for key in ("symbol", "currency", "exchange", "calendar"):
        if key in entry:
            fields[key] = value_of(entry, key, str, "", place=place)
    if not re.fullmatch(r"[A-Z]{3,5}", fields.get("currency", "USD")):
        raise RecordingError(f"currency must be a code as in USD, not {shown(fields['currency'])}", place=place)
    if "sec_type" in entry:
        try:
            fields["sec_type"] = SecType(entry["sec_type"])
        except (ValueError, TypeError):
            names = ", ".join(SecType)
            raise RecordingError(f"sec_type is {shown(entry['sec_type'])}, not one of {names}", place=place) from None
    for key in ("multiplier", "size_increment"):
        if key in entry:
            fields[key] = decimal_from(entry[key], place=f"{place}.{key}")
    if "price_ticks" in entry:
        fields["price_ticks"] = tuple(
            _built(PriceTick, decimal_from(above, place=place), decimal_from(tick, place=place), place=place)
            for above, tick in _pairs(entry, "price_ticks", place)
        )
    if "legs" in entry:
        legs = _pairs(entry, "legs", place)
        if not all(type(part) is int and abs(part) <= LARGEST_WHOLE for leg in legs for part in leg):
            raise RecordingError("legs must be pairs of whole numbers, conid and ratio", place=place)
        fields["legs"] = tuple(_built(Leg, conid, ratio, place=place) for conid, ratio in legs)
    if "outside_hours" in entry:
        hours = entry["outside_hours"]
        sound = isinstance(hours, list) and all(type(part) is int and 0 <= part <= 1440 for part in hours)
        if not (sound and len(hours) == 2):
            raise RecordingError("outside_hours must be two numbers of minutes, 0 to 1440", place=place)
        fields["outside_hours"] = tuple(hours)
    try:
        return Instrument(**fields)
    except ValueError as exc:
        raise RecordingError(str(exc), place=place) from exc


def head_text(head: Head) -> str:
    """`recording.toml` as text."""
    lines = [
        f"format_version = {FORMAT_VERSION}",
        f"name = {_quoted(head.name)}",
        f"source = {_quoted(head.source)}",
        f"time_zone = {_quoted(head.time_zone)}",
        f"licence = {_quoted(head.licence)}",
    ]
    if head.generated:
        lines.append("generated = true")
    for instrument in sorted(head.instruments, key=lambda one: one.conid):
        ticks = ", ".join(f'["{step.above}", "{step.tick}"]' for step in instrument.price_ticks)
        lines += [
            "",
            "[[instruments]]",
            f"conid = {instrument.conid}",
            f"symbol = {_quoted(instrument.symbol)}",
            f"sec_type = {_quoted(instrument.sec_type)}",
            f"currency = {_quoted(instrument.currency)}",
            f'multiplier = "{instrument.multiplier}"',
            f"price_ticks = [{ticks}]",
            f'size_increment = "{instrument.size_increment}"',
            f"exchange = {_quoted(instrument.exchange)}",
            f"calendar = {_quoted(instrument.calendar)}",
            f"outside_hours = [{instrument.outside_hours[0]}, {instrument.outside_hours[1]}]",
        ]
        if instrument.legs:
            lines.append("legs = [" + ", ".join(f"[{leg.conid}, {leg.ratio}]" for leg in instrument.legs) + "]")
    return "\n".join(lines) + "\n"


def known_keys(table: object, keys: tuple[str, ...], *, place: str) -> None:
    """Refuse a key that is not among `keys`."""
    if not isinstance(table, Mapping):
        raise RecordingError("must be a table", place=place)
    for key in table:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise RecordingError(f"unknown key {key!r}{hint}", place=place)


def decimal_from(value: object, *, place: str) -> Decimal:
    """A finite decimal of a TOML string or number; RecordingError otherwise."""
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidOperation
        number = Decimal(str(value))
        if not number.is_finite():
            raise InvalidOperation
    except (InvalidOperation, ValueError):  # a ValueError: of thousands of digits
        raise RecordingError(f"{shown(value)} is no number", place=place) from None
    if number and not -_DIGITS <= number.adjusted() < _DIGITS:
        raise RecordingError(f"{shown(value)} is beyond all reason", place=place)
    return number


def _quoted(text: str) -> str:
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def value_of(table: Mapping[str, Any], key: str, kind: type, default: Any, *, place: str) -> Any:
    """The value of a key, `default` where it is absent. Raises: RecordingError if it is of another kind."""
    value = table.get(key, default)
    if type(value) is not kind:
        wanted = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}[kind]
        raise RecordingError(f"{key} must be {wanted}, not {shown(value)}", place=place)
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        raise RecordingError(f"{key} is too large a number: {shown(value)}", place=place)
    return value


def _pairs(entry: Mapping[str, Any], key: str, place: str) -> list[tuple[Any, Any]]:
    pairs = entry[key]
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise RecordingError(f"{key} must be a list of pairs", place=place)
    return [(first, second) for first, second in pairs]


def _built(kind: type, *values: Any, place: str) -> Any:
    try:
        return kind(*values)
    except ValueError as exc:
        raise RecordingError(str(exc), place=place) from exc
