"""The terms of an order as authors write them, turned into what a ticket holds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from engine.domain.instrument import Instrument
from engine.domain.moments import NS_PER_DAY, NS_PER_S
from engine.domain.ticket import Change, OrderType, Tif
from engine.errors import StrategyError

Number = Decimal | float | int
_SPANS: Final = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_NS: Final = 366 * NS_PER_DAY
_MARKET, _LIMIT = OrderType.MARKET, OrderType.LIMIT
TIFS: Final[dict[str, Tif]] = {tif.value: tif for tif in Tif}
TERMS: Final = {
    "quantity": "quantity",
    "limit": "limit_price",
    "stop": "stop_price",
    "trail": "trail",
    "offset": "limit_offset",
    "tif": "tif",
    "outside_rth": "outside_rth",
}


WHOLE: Final[dict[Number, Decimal]] = {number: Decimal(number) for number in range(1_001)}


def changed(instrument: Instrument, name: str, value: Any) -> Change:
    """Read one term of a modification."""
    match name:
        case "quantity":
            return decimal_of(value)
        case "tif":
            return Tif(value)
        case "outside_rth":
            return bool(value)
        case _:
            price = price_of(instrument, value)
            if price is None:
                raise StrategyError(f"{name} can't be modified to nothing", place=instrument.symbol)
            return price


def kind_of(limit: Number | None, stop: Number | None, trail: Number | None, offset: Number | None) -> OrderType:
    """The order type that follows from which prices are given."""
    if trail is not None:
        return OrderType.TRAIL if offset is None else OrderType.TRAIL_LIMIT
    if stop is not None:
        return OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    return _MARKET if limit is None else _LIMIT


def price_of(instrument: Instrument, value: Number | None) -> Decimal | None:
    """A ticket price: a `Decimal` as it is, a number of the market rounded to the nearest tick."""
    if value is None or isinstance(value, Decimal):
        return value
    return instrument.price(value)


def decimal_of(value: Number) -> Decimal:
    """A quantity, exactly as it is written."""
    known = WHOLE.get(value)
    if known is not None:
        return known
    return Decimal(repr(value)) if value.__class__ is float else Decimal(value)


def plain(facts: Mapping[Any, Any]) -> dict[str, Any]:
    """Facts as they are now, in what JSON can hold; anything else by its text."""
    return {str(name): _plain_value(value) for name, value in facts.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain_value(inner) for inner in value]
    # `is`: a subclass (numpy's float64, an enum of ints) would keep a face of its own.
    if value is None or value.__class__ in (str, int, float, bool, Decimal):
        return value
    if isinstance(value, str | int | float):
        return str(value) if isinstance(value, str) else float(value) if isinstance(value, float) else int(value)
    return repr(value)


def span_of(length: str | float) -> int:
    """Read a bar length: seconds, or a number with s, min, h or d; returns nanoseconds.

    Raises: StrategyError if it is no length above zero.
    """
    try:
        if isinstance(length, str):
            digits = length.rstrip("abcdefghijklmnopqrstuvwxyz ")
            seconds = float(digits) * _SPANS[length[len(digits) :].strip()]
        else:
            seconds = float(length)
        span = round(seconds * NS_PER_S)
    except (ValueError, KeyError, OverflowError):  # overflow: of an infinite length
        raise StrategyError(f"{length!r} is no bar length; write seconds, or for instance 5min, 1h, 1d") from None
    if span <= 0:
        raise StrategyError(f"a bar length must be above zero, not {length!r}")
    if span > _LONGEST_NS:
        raise StrategyError(f"a bar length must be at most 366 days, not {length!r}")
    return span


def bar_length(_instance: Any, attribute: Any, value: str | float) -> None:
    """Validator of a parameter that is the length of bars, so that a wrong one is told when the config is read.

    Raises: ValueError if it is no length that `ctx.bars` takes.
    """
    try:
        span_of(value)
    except StrategyError as exc:
        raise ValueError(f"{attribute.alias}: {exc.problem}") from exc
