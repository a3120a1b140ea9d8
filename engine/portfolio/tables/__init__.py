"""Dated tables of financing and of currency rates, as files: the shipped ones by name, a user's own by path.

A financing file has `name`, `source` and lists of tables `terms`, `benchmarks` and `borrow`, with the fields of the
classes in `engine.portfolio.financing`; a file of currency rates has `name`, `source` and `rates`. Numbers are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import evolve, frozen

from engine.errors import ConfigError
from engine.portfolio.financing import Benchmark, BorrowRate, Financing
from engine.tables import structure, toml

NONE: Final = "none"
SHIPPED: Final = (NONE, "ibkr-pro-2026")
_LONG_AGO: Final = date(1970, 1, 1)
_T = TypeVar("_T")


@frozen(kw_only=True)
class Rate:
    """The price of one unit of a currency in base currency, from a day on."""

    currency: str
    valid_from: date
    rate: Decimal


@frozen(kw_only=True)
class RateTable:
    """Dated rates of currencies."""

    name: str
    source: str = ""
    rates: tuple[Rate, ...] = ()


def load_financing(
    name_or_path: str, benchmark: Mapping[str, Decimal], borrow: Mapping[str, Decimal]
) -> Financing | None:
    """Return the tables, with rates given beside them for the whole run; None for "none".

    Args:
        name_or_path: "none", the name of a shipped table, or the path of a TOML file.
        benchmark: By currency, percent a year.
        borrow: By symbol, percent a year; "default" is for all others.

    Raises: ConfigError, if the file says something it may not.
    """
    if name_or_path == NONE:
        return None
    financing = _read(name_or_path, Financing)
    for terms in financing.terms:
        for bands in (terms.debit, terms.credit, terms.short):
            ends = [band.upto for band in bands]
            known = [end for end in ends[:-1] if end is not None]
            if bands and (ends[-1] is not None or len(known) < len(ends) - 1 or known != sorted(set(known))):
                raise ConfigError(f"the bands of {terms.currency} go up, and the last has no upto", place=name_or_path)
        if terms.day_count not in (360, 365):
            raise ConfigError(f"day_count of {terms.currency} must be 360 or 365", place=name_or_path)
    for currency in {one.currency for one in financing.terms}:
        _in_order((one.valid_from for one in financing.terms if one.currency == currency), name_or_path)
    for currency in {one.currency for one in financing.benchmarks}:
        _in_order((one.valid_from for one in financing.benchmarks if one.currency == currency), name_or_path)
    for symbol in {one.symbol for one in financing.borrow}:
        _in_order((one.valid_from for one in financing.borrow if one.symbol == symbol), name_or_path)
    kept = [one for one in financing.benchmarks if one.currency not in benchmark]
    given = {"" if symbol == "default" else symbol: rate for symbol, rate in borrow.items()}
    rates = [one for one in financing.borrow if one.symbol not in given]
    return evolve(
        financing,
        benchmarks=(*kept, *(Benchmark(currency=c, valid_from=_LONG_AGO, rate=r) for c, r in benchmark.items())),
        borrow=(*rates, *(BorrowRate(symbol=s, valid_from=_LONG_AGO, rate=r) for s, r in given.items())),
    )


def load_rates(path: str) -> RateTable:
    """Read a file of dated currency rates. Raises: ConfigError."""
    table = _read(path, RateTable)
    for currency in {one.currency for one in table.rates}:
        _in_order((one.valid_from for one in table.rates if one.currency == currency), path)
    for one in table.rates:
        if not Decimal("1e-9") <= one.rate <= 10**9:
            raise ConfigError(f"the rate of {one.currency} on {one.valid_from} is beyond all reason", place=path)
    return table


def _in_order(days: Iterable[date], place: str) -> None:
    if any(one >= two for one, two in pairwise(days)):
        raise ConfigError(
            "the rows of one currency or symbol must go from the oldest valid_from to the newest", place=place
        )


def _read(name_or_path: str, kind: type[_T]) -> _T:
    path = Path(name_or_path)
    try:
        if name_or_path in SHIPPED:
            text = resources.files(__name__).joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"can't be read: {exc}", place=name_or_path) from exc
    try:
        table: dict[str, Any] = toml(text)
    except ValueError as exc:
        raise ConfigError(f"is not valid TOML: {exc}", place=name_or_path) from exc
    return structure(table, kind, file=name_or_path, key="table", folder=path.parent)
