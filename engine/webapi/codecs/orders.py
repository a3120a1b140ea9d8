"""Live orders, order status, executions, previews. Answers to order writes are read in `placement`."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.webapi import values
from engine.webapi.codecs import reading
from engine.webapi.facts.orders import (
    Execution,
    Executions,
    OrderRow,
    OrdersPage,
    OrderStatus,
    Submitted,
    WhatIf,
    shared,
)
from engine.webapi.facts.wire import Unreadable

# A delta that carries null or "" for one of these tells nothing: an order can't lose its size or what it has filled.
_NEVER_EMPTY: Final = frozenset(
    {"account", "conid", "order_ref", "status", "side", "order_type", "original_type", "tif"}
    | {"total", "filled", "remaining", "parent_id"}
)


def order_row(value: object) -> OrderRow | Unreadable:
    """Read one row of live orders or of a `sor` frame's args."""
    row = reading.fact(OrderRow, value)
    if isinstance(row, Unreadable) or not isinstance(value, dict):
        return row
    told = reading.told(OrderRow, value)
    carried = frozenset(name for name in told if name not in _NEVER_EMPTY or getattr(row, name) not in (None, ""))
    return msgspec.structs.replace(row, carried=shared(carried - {"carried"}))


def live_orders(body: bytes) -> OrdersPage | Unreadable:
    """GET /iserver/account/orders. A row that can't be read stands in `unreadable`, so that absence isn't concluded."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    if isinstance(value, list):  # as old gateways answered: rows without a word on whether they are all
        value = {"orders": value}
    if not isinstance(value, dict) or not ("orders" in value or "snapshot" in value):
        return Unreadable(reason="OrdersPage: no orders", excerpt=reading.excerpt(body))
    listed = value.get("orders")
    if listed in (None, {}, ""):
        listed = []
    if not isinstance(listed, list):
        return Unreadable(reason="OrdersPage: orders is no list", excerpt=reading.excerpt(body))
    read = [order_row(item) for item in listed]
    return OrdersPage(
        rows=tuple(row for row in read if isinstance(row, OrderRow)),
        snapshot=values.flag(value.get("snapshot")) is True,
        unreadable=tuple(row for row in read if isinstance(row, Unreadable)),
    )


def execution(value: object) -> Execution | Unreadable:
    """Read one execution from parsed JSON (trades, a `str` frame's args)."""
    return reading.fact(Execution, value)


def executions_of(value: object) -> Executions | Unreadable:
    """Read a list of executions from parsed JSON."""
    if value in (None, {}, ""):
        return Executions(rows=())
    if not isinstance(value, list):
        return Unreadable(reason="Execution: not a list", excerpt=reading.excerpt(value))
    read = [execution(item) for item in value]
    return Executions(
        rows=tuple(row for row in read if isinstance(row, Execution)),
        unreadable=tuple(row for row in read if isinstance(row, Unreadable)),
    )


def executions(body: bytes) -> Executions | Unreadable:
    """GET /iserver/account/trades."""
    value = reading.parse(body)
    return value if isinstance(value, Unreadable) else executions_of(value)


def what_if(body: bytes) -> WhatIf | Unreadable:
    """POST .../orders/whatif. An answer that has neither figures nor an error says nothing and is unreadable."""
    value = reading.parse(body)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Unreadable):
        return value
    got = reading.fact(WhatIf, value)
    if isinstance(got, WhatIf) and got == WhatIf():
        return Unreadable(reason="WhatIf: neither figures nor an error", excerpt=reading.excerpt(body))
    return got


order_status = reading.one(OrderStatus)
submitted = reading.one(Submitted)


def message(body: bytes) -> str | Unreadable:
    """POST /iserver/notification: a plain string, as JSON or bare text."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        word = body.decode("utf-8", "replace").strip()
        return word if word and word[0] not in "<{[" and len(word) < 500 else value
    return value if isinstance(value, str) else Unreadable(reason="not a text", excerpt=reading.excerpt(body))
