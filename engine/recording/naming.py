"""Whose data a source holds: instruments from a file, from the recording, or made of a symbol in a name or column."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from attrs import define, field

from engine.calendars import check_name
from engine.domain.instrument import Instrument
from engine.errors import ConfigError, RecordingError
from engine.recording.head import instrument_from, known_keys, read_toml

_USUAL: Final = Instrument(conid=1, symbol="X").calendar  # needs no look into the package, which takes half a second
_NOT_SYMBOLS: Final = frozenset(
    [
        "quote",
        "quotes",
        "trade",
        "trades",
        "tick",
        "ticks",
        "bar",
        "bars",
        "minute",
        "minutes",
        "min",
        "hour",
        "hourly",
        "day",
        "daily",
        "second",
        "seconds",
        "data",
        "csv",
        "txt",
        "ohlc",
        "ohlcv",
        "nbbo",
        "part",
        "sample",
        "usa",
        "us",
        "equity",
    ]
)


@define(eq=False)
class Naming:
    """Whose data it is: given instruments, those already in the recording, and defaults made of a symbol."""

    by_symbol: dict[str, Instrument] = field(factory=dict)
    given: tuple[Instrument, ...] = ()
    used: dict[int, Instrument] = field(factory=dict)
    notes: list[str] = field(factory=list)
    _known: dict[str, int] = field(factory=dict)

    def of_text(self, text: str) -> int:
        """Conid of a symbol, or of a conid written out, as a column of the source has it."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._use(self._find(text.strip()))
        return found

    def of_names(self, names: tuple[str, ...]) -> int | None:
        """Conid of the source itself; None if neither `--instrument` nor a name says."""
        if len(self.given) == 1:
            return self._use(self.given[0])
        symbol = next((found for name in names if (found := symbol_in(name))), None)
        return None if symbol is None else self._use(self._find(symbol))

    def _find(self, text: str) -> Instrument:
        symbol = text.upper()
        if not symbol:
            raise RecordingError("a symbol is empty")
        if symbol in self.by_symbol:
            return self.by_symbol[symbol]
        for instrument in self.by_symbol.values():
            if text == str(instrument.conid):
                return instrument
        if text.isdecimal():
            made = Instrument(conid=int(text), symbol=text)
        else:
            made = Instrument(conid=stable_conid(symbol), symbol=symbol)
        self.by_symbol[symbol] = made
        self.notes.append(
            f"{symbol} was taken as a US stock with the made-up conid {made.conid}; --instrument FILE sets the real one"
        )
        return made

    def _use(self, instrument: Instrument) -> int:
        self.used[instrument.conid] = instrument
        return instrument.conid


def symbol_in(name: str) -> str | None:
    """The first part of a file name that can be a symbol, upper case."""
    for token in re.split(r"[^A-Za-z0-9]+", name):
        if token[:1].isalpha() and token.lower() not in _NOT_SYMBOLS and token.lower() not in ("gz", "zip", "parquet"):
            return token.upper()
    return None


def stable_conid(symbol: str) -> int:
    """A conid for a symbol that has none, the same on every machine, in a range that IBKR's have not reached."""
    return 9_000_000_000 + int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:4], "big")


def given_instruments(path: Path | None) -> tuple[Instrument, ...]:
    if path is None:
        return ()
    table = read_toml(path)
    if "instruments" in table:
        known_keys(table, ("instruments",), place=str(path))
        entries = table["instruments"]
        if not isinstance(entries, list) or not entries:
            raise RecordingError("instruments must be a list of tables", place=str(path))
        return tuple(instrument_from(entry, place=f"{path}, instruments[{at}]") for at, entry in enumerate(entries))
    return (instrument_from(table, place=str(path)),)


def check_calendars(given: tuple[Instrument, ...], path: Path | None) -> None:
    """See that the calendars of the instruments in a file exist: a wrong name would show in the first backtest only.

    Raises: RecordingError with the nearest right name.
    """
    for name in sorted({one.calendar for one in given} - {_USUAL}):
        try:
            check_name(name)
        except ConfigError as exc:
            raise RecordingError(exc.problem, place=f"{path}, calendar") from exc
