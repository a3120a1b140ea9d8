"""Behind the curtain: what the exchange really holds, for a test to compare with what a client believes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.gateway.accounts import ZERO, Account
from engine.gateway.blotter import Blotter


def state(blotter: Blotter, accounts: Mapping[str, Account]) -> dict[str, Any]:
    """Orders of the day, executions, and positions and cash summed over accounts and for each of them."""
    positions: dict[int, Decimal] = {}
    cash: dict[str, Decimal] = {}
    for account in accounts.values():
        for position in account.open_positions():
            positions[position.conid] = positions.get(position.conid, ZERO) + position.quantity
        for currency, amount in account.cash.items():
            cash[currency] = cash.get(currency, ZERO) + amount
    return {
        "orders": [
            {
                "order_id": one.order_id,
                "cOID": one.client_id,
                "account": one.account,
                "conid": one.ticket.conid,
                "side": str(one.ticket.side),
                "quantity": _number(one.ticket.quantity),
                "filled": _number(one.filled),
                "status": one.status,
            }
            for one in (standing.order for standing in blotter.orders.values())
        ],
        "executions": [
            {
                "execution_id": one.execution_id,
                "order_id": one.order_id,
                "account": one.account,
                "conid": one.conid,
                "side": one.side,
                "size": _number(one.size),
                "price": float(one.price),
                "commission": float(one.commission),
                "cOID": one.client_id,
            }
            for one in blotter.executions.values()
        ],
        "positions": {str(conid): _number(units) for conid, units in positions.items() if units},
        "cash": {currency: float(amount) for currency, amount in cash.items()},
        "accounts": {
            account.name: {
                "positions": {str(one.conid): _number(one.quantity) for one in account.open_positions()},
                "cash": {currency: float(amount) for currency, amount in account.cash.items()},
            }
            for account in accounts.values()
        },
    }


def _number(value: Decimal) -> int | float:
    """A JSON number, whole where it is."""
    return int(value) if value == value.to_integral_value() else float(value)
