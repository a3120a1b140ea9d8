"""The fields of an order ticket as JSON: their types, read as tolerantly as the wire reads them."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

_TEXT, _NUM, _FLAG, _OBJECT, _WHOLE, _ID = (
    "a string",
    "a number",
    "true or false",
    "an object",
    "a whole number",
    "an id",
)

# Every field of the ticket that the documents name, and its type; others are kept and not looked at.
FIELDS: Final = {
    "acctId": _TEXT,
    "conid": _WHOLE,
    "conidex": _TEXT,
    "secType": _TEXT,
    "cOID": _TEXT,
    "parentId": _ID,
    "orderType": _TEXT,
    "listingExchange": _TEXT,
    "isSingleGroup": _FLAG,
    "outsideRTH": _FLAG,
    "price": _NUM,
    "auxPrice": _NUM,
    "side": _TEXT,
    "ticker": _TEXT,
    "tif": _TEXT,
    "trailingAmt": _NUM,
    "trailingType": _TEXT,
    "quantity": _NUM,
    "cashQty": _NUM,
    "fxQty": _NUM,
    "isCcyConv": _FLAG,
    "useAdaptive": _FLAG,
    "allOrNone": _FLAG,
    "referrer": _TEXT,
    "strategy": _TEXT,
    "strategyParameters": _OBJECT,
    "allocationMethod": _TEXT,
    "manualIndicator": _FLAG,
    "extOperator": _TEXT,
    "manualOrderTime": _NUM,
    "customerAccount": _TEXT,
    "isProCustomer": _FLAG,
    "deactivated": _FLAG,
    "taxOptimizerId": _TEXT,
    "jsonPayload": _OBJECT,
    "isClose": _FLAG,
}
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})")
_MOST: Final = Decimal(10) ** 12
_FINEST: Final = Decimal("1e-12")


def number(value: object) -> Decimal | None:
    """Read a number off the wire, rounded to 12 digits after the point; None if it is none, or beyond 10^12.

    A JSON float is read by its shortest decimal form; the digits that binary arithmetic left behind are rounded off.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        found = Decimal(text) if _NUMBER.fullmatch(text) else None
    elif isinstance(value, int):
        found = Decimal(value) if abs(value) <= _MOST else None
    elif isinstance(value, float):
        found = Decimal(repr(value))
    else:
        found = value if isinstance(value, Decimal) else None
    if found is None or not found.is_finite() or abs(found) > _MOST:
        return None
    found = found.quantize(_FINEST, rounding=ROUND_HALF_EVEN)
    return found.normalize() if found else Decimal(0)


def whole(value: object) -> int | None:
    """Read a whole number off the wire; None if it is none."""
    found = number(value)
    return int(found) if found is not None and found == found.to_integral_value() else None


def absent(raw: dict[str, Any], name: str) -> bool:
    """Whether a field is not there, null or empty."""
    return raw.get(name) is None or raw[name] == ""


def ill_typed(raw: dict[str, Any]) -> tuple[str, str] | None:
    """The first field of a ticket that is not of its type, and what it must be; None if there is none."""
    for name, kind in FIELDS.items():
        if not absent(raw, name) and not _fits(raw[name], kind):
            return name, kind
    return None


def _fits(value: object, kind: str) -> bool:
    match kind:
        case "a string":
            return isinstance(value, str)
        case "a number":
            return number(value) is not None
        case "true or false":
            return isinstance(value, bool)
        case "an object":
            return isinstance(value, dict)
        case "a whole number":
            return whole(value) is not None
        case _:
            return isinstance(value, str) or whole(value) is not None
