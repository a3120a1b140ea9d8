"""Checks of a user's own: rows that installed packages offer under the entry point group `engine.risk_checks`.

An entry point names a `Row`, or a check function of the one shape; of a function the entry point's name is the code and
the first line of its docstring the sentence. It is asked of every order, after the engine's own. One that raises has
not said yes: the order is refused, and the session goes on.
"""

from __future__ import annotations

from functools import wraps
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

from attrs import evolve

from engine.domain.messages import Refusal
from engine.domain.ticket import OrderTicket
from engine.errors import ConfigError
from engine.risk.catalogue import TABLE, Kind, Row
from engine.risk.checks import Check
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.limits import Bounds

GROUP: Final = "engine.risk_checks"


def installed() -> tuple[Row, ...]:
    """All rows that installed packages offer, by name.

    Raises: ConfigError for one that can't be used.
    """
    return tuple(_row(entry) for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name))


def _row(entry: EntryPoint) -> Row:
    try:
        found: Any = entry.load()
    except (ImportError, AttributeError) as exc:
        raise ConfigError(f"the risk check can't be loaded: {exc}", place=f"entry point {entry.name}") from exc
    return as_row(entry.name, found, source=entry.value)


def as_row(name: str, found: Any, *, source: str) -> Row:
    """A plugin's row. Raises: ConfigError if it is none."""
    if any(row.code == name or (isinstance(found, Row) and row.code == found.code) for row in TABLE):
        raise ConfigError(f"{name} is a code of the engine's own table", place=source)
    if isinstance(found, Row):
        return evolve(found, source=source, checks=tuple(_guarded(found.code, check) for check in found.checks))
    if not callable(found):
        raise ConfigError("must be a check or a row of checks", place=source)
    sentence = (found.__doc__ or name).strip().splitlines()[0].rstrip(".")
    return Row(code=name, kind=Kind.GATE, name=name, sentence=sentence, checks=(_guarded(name, found),), source=source)


def _guarded(code: str, check: Check) -> Check:
    """A check that refuses where it raises."""

    @wraps(check)
    def ask(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
        try:
            said: object = check(ticket, exposure, market, bounds)
        except Exception as exc:  # noqa: BLE001 - whatever a user's code comes to
            *_, place = extract_tb(exc.__traceback__)
            where = f"{Path(place.filename).name}, line {place.lineno}"
            sentence = f"the check {code} could not say: {type(exc).__name__}: {exc} ({where})"
            return Refusal("CHECK_FAILED", "an answer", "none", sentence)
        if said is None or isinstance(said, Refusal):
            return said
        sentence = f"the check {code} answered {said!r}, which is neither a Refusal nor None"
        return Refusal("CHECK_FAILED", "a Refusal or None", type(said).__name__, sentence)

    return ask
