"""Pieces of HTML: what is text is escaped here, what is markup already says so in its name or docstring."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from engine.report.wording import Line, money, tone


def embed(value: Any) -> str:
    """Write JSON that can stand inside a script element: no text in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def tone_class(good: int) -> str:
    """Write the class attribute of a good (1) or bad (-1) value."""
    return {1: ' class="good"', -1: ' class="bad"'}.get(good, "")


def section(title: str, inner: str, *, long: bool = False) -> str:
    """Make one card of the page; `inner` is HTML already. A `long` one may break over printed pages."""
    css = ' class="long"' if long else ""
    return f"<section{css}><h2>{escape(title)}</h2>{inner}</section>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1, shown: str = "") -> str:
    """Make a table of cells that are HTML already; the first `left` columns are text, the rest numbers."""
    sides = [' class="left"' if at < left else "" for at in range(len(head))]
    top = "".join(f"<th{side}>{escape(name)}</th>" for side, name in zip(sides, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{side}>{cell}</td>" for side, cell in zip(sides, row, strict=True)) + "</tr>"
        for row in rows
    )
    note = f'<p class="soft small">{escape(shown)}</p>' if shown else ""
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>{note}'


def toned(value: float | None, text: str) -> str:
    """Colour a text by whether its value is good or bad."""
    return f"<span{tone_class(tone(value))}>{escape(text)}</span>"


def profit(value: float | None) -> str:
    """Write money with its sign, coloured."""
    return toned(value, money(value, sign=True))


def _why(reason: str) -> str:
    return f'<dd class="why">{escape(reason)}</dd>' if reason else ""


def definitions(lines: Iterable[Line]) -> str:
    """Make a list of labels and figures, the reason under one that is unknown."""
    rows = "".join(
        f"<div><dt>{escape(line.label)}</dt><dd{tone_class(line.tone)}>{escape(line.text)}</dd>{_why(line.why)}</div>"
        for line in lines
    )
    return f"<dl>{rows}</dl>"


def capped(shown: int, total: int, what: str) -> str:
    """Say how much of a long list is shown; nothing where it is all."""
    return f"{shown:,} of {total:,} {what} shown." if shown < total else ""


def definitions_wide(pairs: Sequence[tuple[str, str]], limit: int = 240) -> str:
    """Make a list of names and longer texts."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in pairs[:limit])
    shown = capped(min(len(pairs), limit), len(pairs), "lines")
    return f'<dl class="facts">{rows}</dl>' + (f'<p class="soft small">{shown}</p>' if shown else "")
