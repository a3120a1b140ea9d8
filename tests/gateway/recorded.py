"""Recorded answers of a real account, and how an answer of ours differs from one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

WIRE: Final = Path(__file__).parents[3] / "shared" / "wire" / "exchanges.json"


def recorded(name: str) -> Any:
    """The body of a recorded exchange; skips the test where the folder of recordings is absent."""
    if not WIRE.exists():
        pytest.skip("the folder with recorded answers is not here")
    found = [row["body"] for row in json.loads(WIRE.read_text()) if row["name"] == name]
    return found[0]


def misfits(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where an answer lacks a recorded key or has another type; null goes with everything.

    A whole number may stand for a recorded fraction and the other way round: JSON does not tell them apart.
    """
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            return [f"{path}: not an object"]
        found = []
        for key, value in theirs.items():
            found += [f"{path}.{key} is missing"] if key not in ours else misfits(ours[key], value, f"{path}.{key}")
        return found
    if isinstance(theirs, list):
        if not isinstance(ours, list):
            return [f"{path}: not a list"]
        return [miss for value in ours for miss in misfits(value, theirs[0], f"{path}[]")] if theirs else []
    numbers = _is_number(ours) and _is_number(theirs)
    if ours is None or theirs is None or numbers or type(ours) is type(theirs):
        return []
    return [f"{path} is {type(ours).__name__}, recorded {type(theirs).__name__}"]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
