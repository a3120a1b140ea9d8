"""The data-quality value of an outcome in words: findings as sentences, series as table rows, the rest as facts.

The value is a plain mapping. What `engine.recording` puts there is laid out; any other shape is still shown, flat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from engine.report.figures import plain
from engine.report.wording import DASH, duration, moment, quality_lines

_LAID_OUT: Final = frozenset({"series", "findings", "path", "clean"})
SERIES_HEAD: Final = ("Instrument", "Kind", "Rows", "First", "Last", "Longest gap", "Findings", "Notes")


def findings(quality: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the data, one sentence an instrument and kind; empty if nothing is."""
    sentences = [
        f"{one.get('symbol', DASH)} {one.get('kind', '')}: {_tally(one['findings'])}"
        for one in series(quality)
        if one.get("findings")
    ]
    sentences += [str(problem) for problem in quality.get("problems", ())]
    if sentences:
        return sentences
    seen = quality.get("findings")
    match seen:
        case str():
            return [seen] if seen else []
        case Mapping():
            return [_tally(seen)] if any(seen.values()) else []
        case Iterable():
            return [one if isinstance(one, str) else _flat(one) for one in seen]
        case _:
            return []


def series(quality: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what is known of each instrument and kind."""
    found = quality.get("series", ())
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list | tuple) else []


def series_rows(quality: Mapping[str, Any], zone: str) -> list[list[str]]:
    """Return one row a series, as text, under `SERIES_HEAD`."""
    rows = []
    for one in series(quality):
        gaps = [gap for gap in one.get("gaps", ()) if isinstance(gap, Mapping)]
        longest = max(((gap["end_ns"] - gap["start_ns"]) / 1e9 for gap in gaps), default=None)
        rows.append(
            [
                str(one.get("symbol", DASH)),
                str(one.get("kind", DASH)),
                f"{one.get('rows', 0):,}",
                moment(one.get("first_ns"), zone),
                moment(one.get("last_ns"), zone),
                duration(longest),
                _tally(one.get("findings") or {}) or "none",
                _tally(one.get("notes") or {}) or DASH,
            ]
        )
    return rows


def facts(quality: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return everything else as (name, text) lines."""
    rest = {name: value for name, value in quality.items() if name not in _LAID_OUT or not series(quality)}
    return quality_lines(plain({name: value for name, value in rest.items() if value not in ((), [], {})}))


def _tally(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items() if count)


def _flat(item: object) -> str:
    return ", ".join(f"{name} {text}".strip() for name, text in quality_lines(plain(item)))
