"""One TOML file in, the settings of a run out; what is wrong with it is one sentence with file and key.

Shapes and types are checked by `engine.tables`; here stand the tables themselves, `--set` and what a value may be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import evolve

from engine.config_checks import check
from engine.errors import ConfigError
from engine.settings import (
    AccountSettings,
    BooksSettings,
    RecordingSettings,
    ReplaySettings,
    ReportSettings,
    RiskSettings,
    Settings,
    StrategySettings,
    VenueSettings,
)
from engine.tables import LARGEST_WHOLE, nearest, shown, structure, toml

Table = dict[str, Any]
T = TypeVar("T")

# The keys of a configuration, in the order in which they are read.
_TOP: Final = ("name", "seed", "recording", "account", "strategy", "risk", "venue", "books", "replay", "report")
_OF_DAEMONS: Final = frozenset(
    {"mode", "gateway", "instrument", "replies", "suppress", "orders", "session", "recorder", "stop", "guard", "kill"}
)


def load(path: Path, overrides: Sequence[str] = ()) -> Settings:
    """Read the settings of a run.

    Args:
        path: The TOML file; relative paths in it, and in overrides, start from its folder.
        overrides: `dotted.key=value`, applied in order before anything is checked. The value is read as TOML, else
            taken as a text; a strategy is addressed by its name or its number.

    Raises: ConfigError, for the first thing that is wrong.
    """
    return read(path, overrides, lambda table: check(_settings(table, path)))


def read(path: Path, overrides: Sequence[str], build: Callable[[Table], T]) -> T:
    """Read a TOML file, apply overrides and build something of its table; an error in what one of them set names it.

    Raises: ConfigError, for the first thing that is wrong.
    """
    table = _read(path)
    changed = [_override(table, text) for text in overrides]
    try:
        return build(table)
    except ConfigError as exc:
        for key, text in changed:
            if exc.place == f"{path}: {key}":
                raise ConfigError(exc.problem, place=f"--set {text}") from exc
        raise


def _read(path: Path) -> Table:
    try:
        return toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ConfigError("there is no such file", place=str(path)) from exc
    except IsADirectoryError as exc:
        raise ConfigError("this is a folder, not a configuration file", place=str(path)) from exc
    except OSError as exc:
        raise ConfigError(f"can't be read: {exc.strerror}", place=str(path)) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"is not UTF-8 text (byte {exc.start})", place=str(path)) from exc
    except ValueError as exc:
        raise ConfigError(f"is not valid TOML: {exc}", place=str(path)) from exc


def _settings(table: Table, path: Path) -> Settings:
    def read(key: str, kind: type[Any]) -> Any:
        return structure(table.get(key, {}), kind, file=path, key=key, folder=path.parent)

    for key in table:
        if key not in _TOP:
            hint = "; it belongs to engine run" if key in _OF_DAEMONS else nearest(key, _TOP)
            raise ConfigError(f"unknown key{hint}", place=f"{path}: {key}")
    for key in ("name", "recording"):
        if key not in table:
            what = "missing; it is required" if key == "name" else "this table is missing; it is required"
            raise ConfigError(what, place=f"{path}: {key}")
    return Settings(
        name=plain(table["name"], str, "a text in quotes", f"{path}: name"),
        seed=plain(table.get("seed", 0), int, "a whole number", f"{path}: seed"),
        source=path,
        recording=structure(
            _iso(table["recording"]), RecordingSettings, file=path, key="recording", folder=path.parent
        ),
        account=read("account", AccountSettings),
        strategies=strategies(table, path),
        risk=read("risk", RiskSettings),
        venue=_venue(read("venue", VenueSettings), path),
        books=_books(read("books", BooksSettings), path),
        replay=read("replay", ReplaySettings),
        report=read("report", ReportSettings),
    )


def plain(value: Any, kind: type[Any], what: str, place: str) -> Any:
    """Take a value that must be of a kind. Raises: ConfigError."""
    if type(value) is not kind:  # a bool is an int, too
        raise ConfigError(f"must be {what}, not {shown(value)}", place=place)
    if kind is int and abs(value) > LARGEST_WHOLE:
        raise ConfigError(f"is too large a number: {shown(value)}", place=place)
    return value


def _iso(recording: Any) -> Any:
    """Let `start = 2024-08-08` stand without quotes: TOML reads it as a date."""
    if not isinstance(recording, Mapping):
        return recording
    return {key: at.isoformat() if isinstance(at, date | datetime) else at for key, at in recording.items()}


def strategies(table: Table, path: Path) -> tuple[StrategySettings, ...]:
    """Read the [[strategy]] tables."""
    rows = table.get("strategy", [])
    if not isinstance(rows, list):
        raise ConfigError("must be written [[strategy]], one for each copy", place=f"{path}: strategy")
    if not rows:
        raise ConfigError("missing; there must be at least one [[strategy]]", place=f"{path}: strategy")
    return tuple(
        structure(row, StrategySettings, file=path, key=_label(row, at), folder=path.parent)
        for at, row in enumerate(rows)
    )


def _label(row: Any, at: int) -> str:
    """Name a strategy's table in errors: by its name, if it has one."""
    name = row.get("name") if isinstance(row, Mapping) else None
    return f"strategy.{name}" if isinstance(name, str) else f"strategy.{at}"


def _venue(venue: VenueSettings, path: Path) -> VenueSettings:
    """Make a fee table's file absolute; anything else in `fees` is a name."""
    if not (venue.fees.endswith(".toml") or "/" in venue.fees):
        return venue
    file = path.parent / venue.fees
    if not file.is_file():
        raise ConfigError(f"there is no such file: {file}", place=f"{path}: venue.fees")
    return evolve(venue, fees=str(file))


def _books(books: BooksSettings, path: Path) -> BooksSettings:
    """Make the files of tables absolute; anything else is a name."""
    named = {key: getattr(books, key) for key in ("financing", "fx")}
    files = {key: path.parent / value for key, value in named.items() if value.endswith(".toml")}
    for key, file in files.items():
        if not file.is_file():
            raise ConfigError(f"there is no such file: {file}", place=f"{path}: books.{key}")
    return evolve(books, financing=str(files.get("financing", books.financing)), fx=str(files.get("fx", books.fx)))


def _override(table: Table, text: str) -> tuple[str, str]:
    """Apply one `--set` to the raw table; return its key as errors name it, and its text."""
    place = f"--set {text}"
    key, sign, value = text.partition("=")
    if not sign:
        raise ConfigError("must be written KEY=VALUE", place=place)
    path = _dotted(key.strip(), place)
    at: Any = table
    named = []
    for step in path[:-1]:
        if isinstance(at, list):
            row = _row(at, step, place)
            at = at[row]
            named.append(_label(at, row).removeprefix("strategy."))
        else:
            at = at.setdefault(step, {})
            named.append(step)
        if not isinstance(at, dict | list):
            raise ConfigError(f"{'.'.join(named)} is a value, not a table", place=place)
    if isinstance(at, list):
        raise ConfigError(f"{'.'.join(named)} is a list of tables; say which, and which key", place=place)
    at[path[-1]] = _value(value.strip())
    return ".".join((*named, path[-1])), text


def _dotted(key: str, place: str) -> list[str]:
    """Split a dotted key as TOML does, quotes included."""
    steps = []
    try:
        at: Any = {} if re.search(r"[\n=]", key) else toml(f"{key} = 0")
    except ValueError:
        at = {}
    while isinstance(at, dict):
        if not at:  # nothing, a comment or a table's head
            raise ConfigError(f"{key!r} is no dotted key", place=place)
        (step,) = at
        steps.append(step)
        at = at[step]
    return steps


def _row(rows: list[Any], step: str, place: str) -> int:
    names = [row.get("name") if isinstance(row, dict) else None for row in rows]
    if step in names:
        return names.index(step)
    if step.isdecimal() and int(step) < len(rows):
        return int(step)
    known = [name for name in names if isinstance(name, str)]
    raise ConfigError(f"there is no strategy {step!r}{nearest(step, known)}", place=place)


def _value(text: str) -> Any:
    """Read a value as TOML would, or take it as a text: `5`, `"5"`, `[1, 2]`, `AAPL`."""
    try:
        found = toml(f"value = {text}")
    except ValueError:
        return text
    return found["value"] if len(found) == 1 else text
