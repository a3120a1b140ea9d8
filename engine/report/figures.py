"""A figure that may be unknown, and the one door from engine values to strict JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from attrs import frozen

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class Figure:
    """A number, or None with the reason `why` it can't be computed."""

    value: float | None
    why: str = ""


def known(value: float) -> Figure:
    """Make a figure of a number; one that is not finite becomes unknown."""
    return Figure(float(value)) if math.isfinite(value) else Figure(None, "too large to be a number")


def unknown(why: str) -> Figure:
    """Make a figure that can't be computed; `why` is a clause without a full stop."""
    return Figure(None, why)


def cents(amount: Decimal) -> float:
    """Turn money into a JSON number, rounded to cents."""
    return float(round(amount, 2))


def iso(ts_ns: int) -> str:
    """Write a time as ISO 8601 in UTC, microseconds kept, finer digits cut."""
    return (_EPOCH + timedelta(microseconds=ts_ns // 1000)).isoformat()


def plain(value: Any) -> Any:
    """Turn a value into what strict JSON can hold.

    A float that is not finite becomes None, a `Decimal` its exact string, a numpy value its Python one; keys and
    whatever else is no JSON become strings.
    """
    match value:
        case None | bool():
            return value
        case int():
            return int(value)
        case str():
            return str(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case Decimal():
            return str(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case np.ndarray():
            return plain(value.tolist())
        case np.generic():
            return plain(value.item())
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted((plain(item) for item in value), key=str)
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
