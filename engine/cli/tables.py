"""Tables and JSON of what the Web API told: readable at 80 columns, with more beside it where the terminal is wide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import unescape
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE: Final = 120

Column = tuple[str, str]  # head, and how it stands: "" left, ">" right, "w" only where the terminal is wide


def show(columns: Sequence[Column], rows: Iterable[Sequence[object]], console: Console) -> None:
    """Print rows; None is a blank, and nothing is cut off."""
    wide = console.width >= WIDE
    kept = [at for at, (_, kind) in enumerate(columns) if wide or "w" not in kind]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for at in kept:
        head, kind = columns[at]
        table.add_column(head, justify="right" if ">" in kind else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(row[at])) for at in kept))
    console.print(table)


def _shown(value: object) -> str:
    """A value in print; what a venue sends commands no terminal."""
    return "" if value is None else "".join(c if c.isprintable() else " " for c in str(value))


def yes(flag: bool | None) -> str:
    """A flag in a word."""
    return "" if flag is None else "yes" if flag else "no"


def words(markup: str) -> str:
    """The text of an HTML message on one line: what a venue sends is shown, never rendered."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def plain(fact: Any) -> Any:
    """A fact, or several, as JSON: Decimals as text, times in nanoseconds UTC."""
    import msgspec

    return msgspec.to_builtins(fact, str_keys=True)
