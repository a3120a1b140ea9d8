"""Fee schedules as files: the shipped ones by name, a user's own by path. Not of the pure venue, since it reads files.

A file has `name`, `source`, `date`, and dated `[[table]]`s. A table has `valid_from` and, for each security type, one
section or more (`[[table.STK]]`) with the fields of `engine.venue.fees.Section`; numbers are read exactly.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from engine.domain.instrument import SecType
from engine.errors import ConfigError
from engine.venue.fees import Extra, FeeSchedule, Section, Table, Tier

SHIPPED: Final = ("ibkr-us-fixed-2026", "ibkr-us-tiered-2026")
NONE: Final = "none"


def load_fees(name_or_path: str) -> FeeSchedule:
    """Return a fee schedule.

    Args:
        name_or_path: "none", the name of a shipped schedule, or the path of a TOML file.

    Raises: ConfigError if there is no such schedule, or the file says something it may not.
    """
    if name_or_path == NONE:
        return FeeSchedule.none()
    if name_or_path in SHIPPED:
        text = resources.files(__name__).joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        path = Path(name_or_path)
        if path.suffix != ".toml":
            near = difflib.get_close_matches(name_or_path, (*SHIPPED, NONE), n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(SHIPPED)}, none, or a .toml file"
            raise ConfigError(f"there is no fee schedule {name_or_path!r}; {hint}", place="venue.fees")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"the fee schedule can't be read: {exc}", place=str(path)) from exc
    return parse(text, place=name_or_path)


def parse(text: str, *, place: str) -> FeeSchedule:
    """Read a schedule from TOML.

    Raises: ConfigError that names the place and the key.
    """
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"this is no TOML: {exc}", place=place) from exc
    _known(raw, ("name", "source", "date", "table"), place)
    tables = tuple(_table(one, f"{place}: table {at + 1}") for at, one in enumerate(_list(raw, "table", place)))
    if not tables:
        raise ConfigError("a fee schedule needs at least one [[table]]", place=place)
    if any(one.valid_from >= two.valid_from for one, two in pairwise(tables)):
        raise ConfigError("the tables must stand from the oldest valid_from to the newest", place=place)
    return FeeSchedule(name=_text(raw, "name", place), source=_text(raw, "source", place), tables=tables)


def _table(raw: Mapping[str, Any], place: str) -> Table:
    kinds = tuple(kind.value for kind in SecType)
    _known(raw, ("valid_from", *kinds), place)
    day = raw.get("valid_from")
    if type(day) is not date:
        raise ConfigError(f"valid_from must be a date, not {day!r}", place=place)
    sections = {
        SecType(kind): tuple(_section(one, f"{place}: {kind}") for one in _list(raw, kind, place))
        for kind in kinds
        if kind in raw
    }
    return Table(valid_from=day, sections=sections)


_SECTION: Final[Mapping[str, Callable[[Mapping[str, Any], str, str], Any]]] = {
    "currency": lambda raw, key, place: _text(raw, key, place),
    "symbols": lambda raw, key, place: frozenset(_texts(raw, key, place)),
    "of_value": lambda raw, key, place: _flag(raw, key, place),
    "tiers": lambda raw, key, place: tuple(_tier(one, f"{place}: tiers") for one in _list(raw, key, place)),
    "minimum": lambda raw, key, place: _number(raw, key, place),
    "minimum_fraction": lambda raw, key, place: _number(raw, key, place),
    "maximum_share": lambda raw, key, place: _number(raw, key, place),
    "extras": lambda raw, key, place: tuple(_extra(one, f"{place}: extras") for one in _list(raw, key, place)),
}


def _section(raw: Mapping[str, Any], place: str) -> Section:
    _known(raw, tuple(_SECTION), place)
    for needed in ("currency", "tiers"):
        if needed not in raw:
            raise ConfigError(f"{needed} is missing", place=place)
    section = Section(**{key: _SECTION[key](raw, key, place) for key in raw})
    bounds = [tier.upto for tier in section.tiers]
    if not bounds or bounds != sorted(set(bounds)) or bounds[-1].is_finite():
        raise ConfigError("tiers go up, and the last one has no upto", place=place)
    return section


def _tier(raw: Mapping[str, Any], place: str) -> Tier:
    _known(raw, ("upto", "rate", "minimum", "by_premium"), place)
    found: dict[str, Any] = {key: _number(raw, key, place) for key in raw if key != "by_premium"}
    if "by_premium" in raw:
        steps = [(_number(one, "from", place), _number(one, "rate", place)) for one in _list(raw, "by_premium", place)]
        if steps != sorted(steps):
            raise ConfigError("by_premium goes from the lowest premium up", place=place)
        found["by_premium"] = tuple(steps)
    elif "rate" not in raw:
        raise ConfigError("a tier needs a rate or by_premium", place=place)
    return Tier(**found)


def _extra(raw: Mapping[str, Any], place: str) -> Extra:
    numbers = ("per_unit", "of_value", "of_commission", "maximum", "maximum_share")
    _known(raw, ("name", "sells_only", *numbers), place)
    found: dict[str, Any] = {key: _number(raw, key, place, signed=True) for key in raw if key in numbers}
    if "sells_only" in raw:
        found["sells_only"] = _flag(raw, "sells_only", place)
    return Extra(name=_text(raw, "name", place), **found)


def _known(raw: Mapping[str, Any], keys: tuple[str, ...], place: str) -> None:
    for key in raw:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"unknown key {key!r}{hint}", place=place)


def _list(raw: Mapping[str, Any], key: str, place: str) -> list[Mapping[str, Any]]:
    value = raw.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ConfigError(f"{key} must be a list of tables", place=place)
    return value


def _text(raw: Mapping[str, Any], key: str, place: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{key} must be a text, not {value!r}", place=place)
    return value


def _texts(raw: Mapping[str, Any], key: str, place: str) -> list[str]:
    value = raw[key]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{key} must be a list of texts", place=place)
    return value


def _flag(raw: Mapping[str, Any], key: str, place: str) -> bool:
    value = raw[key]
    if not isinstance(value, bool):
        raise ConfigError(f"{key} must be true or false, not {value!r}", place=place)
    return value


def _number(raw: Mapping[str, Any], key: str, place: str, *, signed: bool = False) -> Decimal:
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ConfigError(f"{key} must be a number, not {value!r}", place=place)
    number = Decimal(value)
    if not number.is_finite() or (number < 0 and not signed):
        raise ConfigError(f"{key} must be a number not below zero, not {value}", place=place)
    return number
