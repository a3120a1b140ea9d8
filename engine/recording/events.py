"""`corporate_actions.toml`: what happened to the instruments of a recording, and to whoever held them.

Every error names the file and the key; an unknown key comes with the nearest right name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from engine.domain.instrument import Instrument
from engine.errors import RecordingError
from engine.recording.head import decimal_from, known_keys, read_toml, value_of
from engine.recording.layout import ACTIONS_FILE
from engine.tables import shown

_ONE: Final = Decimal(1)
_HOLDERS: Final = ("all", "long", "short")


@frozen(kw_only=True)
class Split:
    """`new` shares for `old` ones, from the open of `day` on."""

    conid: int
    day: date
    new: Decimal
    old: Decimal = Decimal(1)

    @property
    def ratio(self) -> Decimal:
        """New shares for one old share."""
        return self.new / self.old


@frozen(kw_only=True)
class Dividend:
    """`amount` of `currency` a share, for holders at the close before `day` (the ex-date).

    It is paid on that day, or on `pay_day`.
    """

    conid: int
    day: date
    amount: Decimal
    currency: str = "USD"
    pay_day: date | None = None


@frozen(kw_only=True)
class Merger:
    """From the open of `day` on, `old` units are `new` units of `into` and `cash` each; `into` None: cash alone."""

    conid: int
    day: date
    into: int | None = None
    new: Decimal = _ONE
    old: Decimal = _ONE
    cash: Decimal = Decimal(0)


@frozen(kw_only=True)
class SpinOff:
    """From the open of `day` on, holders of `old` units have `new` units of `into` besides, with a part of the cost."""

    conid: int
    day: date
    into: int
    new: Decimal
    old: Decimal = _ONE
    cost_share: Decimal = Decimal(0)


@frozen(kw_only=True)
class Expiry:
    """`day` is the last; what is held is settled in cash at `price` a unit."""

    conid: int
    day: date
    price: Decimal = Decimal(0)


@frozen(kw_only=True)
class Exercise:
    """At the end of `day` options become units of `underlying`; `holders` "all", "long" or "short" (assigned)."""

    conid: int
    day: date
    underlying: int
    strike: Decimal
    right: str
    holders: str = "all"


@frozen(kw_only=True)
class CorporateActions:
    """What happened, each oldest first."""

    splits: tuple[Split, ...] = ()
    dividends: tuple[Dividend, ...] = ()
    mergers: tuple[Merger, ...] = ()
    spin_offs: tuple[SpinOff, ...] = ()
    expiries: tuple[Expiry, ...] = ()
    exercises: tuple[Exercise, ...] = ()

    def pairs(self) -> Iterator[tuple[int, int | None]]:
        """Every instrument that something happened to, with the second one that it touches."""
        for conid in (
            *(one.conid for one in self.splits),
            *(one.conid for one in self.dividends),
            *(one.conid for one in self.expiries),
        ):
            yield conid, None
        for merger in self.mergers:
            yield merger.conid, merger.into
        for spun in self.spin_offs:
            yield spun.conid, spun.into
        for exercise in self.exercises:
            yield exercise.conid, exercise.underlying


def read_actions(root: Path) -> CorporateActions:
    """Read `corporate_actions.toml`; empty where there is none.

    Raises: RecordingError with file and key.
    """
    path = root / ACTIONS_FILE
    if not path.exists():
        return CorporateActions()
    table = read_toml(path)
    known_keys(table, tuple(_READERS), place=str(path))
    found: dict[str, Any] = {}
    for name, (keys, reader) in _READERS.items():
        rows = []
        for at, entry in enumerate(value_of(table, name, list, [], place=str(path))):
            place = f"{path}, {name}[{at}]"
            known_keys(entry, ("conid", "day", *keys), place=place)
            rows.append(reader(entry, place))
        found[name] = tuple(sorted(rows, key=_moment))
    return CorporateActions(**found)


def check_actions(actions: CorporateActions, instruments: Mapping[int, Instrument], path: Path) -> None:
    """Make sure that everything named is there, and that no cost would go over into another currency.

    Raises: RecordingError.
    """
    place = str(path / ACTIONS_FILE)
    for conid, other in actions.pairs():
        for named in (conid, other):
            if named is not None and named not in instruments:
                raise RecordingError(f"conid {named} is not among the recording's instruments", place=place)
        if other is None:
            continue
        if other == conid:
            raise RecordingError(f"conid {conid} can't become itself", place=place)
        if instruments[conid].currency != instruments[other].currency:
            raise RecordingError(f"conids {conid} and {other} are in different currencies", place=place)
    for one in actions.exercises:
        option, under = instruments[one.conid], instruments[one.underlying]
        if option.multiplier % under.multiplier:
            raise RecordingError(
                f"conid {one.conid} has the multiplier {option.multiplier}, which is no whole number of units of "
                f"{one.underlying} with its multiplier of {under.multiplier}",
                place=place,
            )


def _moment(row: Any) -> tuple[date, int]:
    return row.day, row.conid


def _split(entry: Mapping[str, Any], place: str) -> Split:
    new, old = _ratio(entry, place)
    return Split(conid=_conid(entry, place), day=_day(entry, place), new=new, old=old)


def _dividend(entry: Mapping[str, Any], place: str) -> Dividend:
    day = _day(entry, place)
    pay_day = _day(entry, place, "pay_day") if "pay_day" in entry else None
    if pay_day is not None and pay_day < day:
        raise RecordingError("pay_day lies before the ex-date", place=place)
    return Dividend(
        conid=_conid(entry, place),
        day=day,
        amount=_above_zero(entry, "amount", place),
        currency=value_of(entry, "currency", str, "USD", place=place),
        pay_day=pay_day,
    )


def _merger(entry: Mapping[str, Any], place: str) -> Merger:
    into = _conid(entry, place, "into") if "into" in entry else None
    cash = _not_below_zero(entry, "cash", place) if "cash" in entry else Decimal(0)
    if into is None and ("ratio" in entry or "cash" not in entry):
        raise RecordingError("a merger needs into and ratio, or cash, or all three", place=place)
    new, old = (_ONE, _ONE) if into is None else _ratio(entry, place)
    return Merger(conid=_conid(entry, place), day=_day(entry, place), into=into, new=new, old=old, cash=cash)


def _spin_off(entry: Mapping[str, Any], place: str) -> SpinOff:
    new, old = _ratio(entry, place)
    share = _not_below_zero(entry, "cost_share", place) if "cost_share" in entry else Decimal(0)
    if share > 1:
        raise RecordingError("cost_share must be from 0 to 1", place=place)
    return SpinOff(
        conid=_conid(entry, place), day=_day(entry, place), into=_conid(entry, place, "into"), new=new, old=old,
        cost_share=share,
    )  # fmt: skip


def _expiry(entry: Mapping[str, Any], place: str) -> Expiry:
    price = decimal_from(entry["price"], place=f"{place}.price") if "price" in entry else Decimal(0)
    return Expiry(conid=_conid(entry, place), day=_day(entry, place), price=price)


def _exercise(entry: Mapping[str, Any], place: str) -> Exercise:
    return Exercise(
        conid=_conid(entry, place),
        day=_day(entry, place),
        underlying=_conid(entry, place, "underlying"),
        strike=_above_zero(entry, "strike", place),
        right=_one_of(entry, "right", ("C", "P"), None, place),
        holders=_one_of(entry, "holders", _HOLDERS, "all", place),
    )


# Sections of the file: the keys of an entry beside conid and day, and who reads it.
_READERS: Final[Mapping[str, Any]] = {
    "splits": (("ratio",), _split),
    "dividends": (("amount", "currency", "pay_day"), _dividend),
    "mergers": (("into", "ratio", "cash"), _merger),
    "spin_offs": (("into", "ratio", "cost_share"), _spin_off),
    "expiries": (("price",), _expiry),
    "exercises": (("underlying", "strike", "right", "holders"), _exercise),
}


def _ratio(entry: Mapping[str, Any], place: str) -> tuple[Decimal, Decimal]:
    """New and old units: a number, or a text like "1/3" where no decimal number is exact."""
    given = entry.get("ratio")
    if isinstance(given, str) and given.count("/") == 1:
        new, old = ({"ratio": part.strip()} for part in given.split("/"))
        return _above_zero(new, "ratio", place), _above_zero(old, "ratio", place)
    return _above_zero(entry, "ratio", place), _ONE


def _conid(entry: Mapping[str, Any], place: str, key: str = "conid") -> int:
    return int(value_of(entry, key, int, None, place=place))


def _day(entry: Mapping[str, Any], place: str, key: str = "day") -> date:
    value = entry.get(key)
    if type(value) is not date:
        raise RecordingError(f"{key} must be a date like 2024-01-02, not {value!r}", place=place)
    return value


def _one_of(entry: Mapping[str, Any], key: str, known: tuple[str, ...], default: str | None, place: str) -> str:
    value = entry.get(key, default)
    if value not in known:
        raise RecordingError(f"{key} must be one of {', '.join(known)}, not {shown(value)}", place=place)
    return str(value)


def _above_zero(entry: Mapping[str, Any], key: str, place: str) -> Decimal:
    number = decimal_from(entry.get(key), place=f"{place}.{key}")
    if number <= 0:
        raise RecordingError(f"{key} must be above zero", place=place)
    return number


def _not_below_zero(entry: Mapping[str, Any], key: str, place: str) -> Decimal:
    number = decimal_from(entry.get(key), place=f"{place}.{key}")
    if number < 0:
        raise RecordingError(f"{key} must not be below zero", place=place)
    return number
