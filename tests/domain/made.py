"""Tickets and facts for tests, with every term at a plain value unless named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.domain.facts import (
    Accepted,
    AnswerMissing,
    CancelAsked,
    Cancelled,
    CancelRefused,
    Filled,
    Modified,
    ModifyAsked,
    ModifyRefused,
    OrderEvent,
    Pending,
    ProvedAbsent,
    Refused,
    Sent,
)
from engine.domain.ticket import OrderTicket, OrderType, Side

COID = "s-000001"


def ticket(quantity: int | str = 10, **terms: Any) -> OrderTicket:
    """A limit order to buy at 9, unless the terms say otherwise."""
    given: dict[str, Any] = {
        "coid": COID,
        "strategy": "s",
        "account": "DU1",
        "conid": 1,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "quantity": Decimal(quantity),
        **terms,
    }
    if given["order_type"] in ("LMT", "STOP_LIMIT", "LOC"):
        given.setdefault("limit_price", Decimal(9))
    return OrderTicket(**given)


def filled(number: int, quantity: int | str, *, coid: str = COID, ts_ns: int = 5, **terms: Any) -> Filled:
    """An execution at 9, numbered."""
    given: dict[str, Any] = {"conid": 1, "side": Side.BUY, "price": Decimal(9), **terms}
    return Filled(coid=coid, ts_ns=ts_ns, exec_id=f"e{number}", quantity=Decimal(quantity), **given)


def said(kind: type[OrderEvent], *, coid: str = COID, ts_ns: int = 5) -> OrderEvent:
    """An event of a kind; a `Filled` is of one unit."""
    if kind is Filled:
        return filled(99, 1, coid=coid, ts_ns=ts_ns)
    if kind in (Refused, ModifyRefused, CancelRefused):
        return kind(coid=coid, ts_ns=ts_ns, code="no", reason="said no")
    return kind(coid=coid, ts_ns=ts_ns)  # type: ignore[call-arg]


EVENTS: tuple[type[OrderEvent], ...] = (
    Sent,
    Pending,
    Accepted,
    Refused,
    ModifyAsked,
    Modified,
    ModifyRefused,
    CancelAsked,
    CancelRefused,
    Cancelled,
    AnswerMissing,
    ProvedAbsent,
    Filled,
)
