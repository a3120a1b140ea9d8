"""Orders for a group of accounts: one order for each member, in equal shares.

Groups stand in `hall.shelf["groups"]`, by name, as the advisor paths keep them: `{"accounts": [{"name": id}, ...]}`.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR
from typing import TYPE_CHECKING, Any

import msgspec

from engine.gateway.bundles import Bundle, Part
from engine.gateway.tickets import Problem, parse

if TYPE_CHECKING:
    from engine.gateway.hall import Hall


def members(hall: Hall, name: str) -> list[str]:
    """The accounts of a group, those the exchange has, in the group's order; none for an unknown name."""
    group = hall.shelf.get("groups", {}).get(name, {})
    names = [str(row["name"]) for row in group.get("accounts", [])]
    return [account for account in names if account in hall.exchange.accounts]


def shares(hall: Hall, group: str, accounts: list[str], raws: list[Any]) -> Bundle | Problem:
    """Read an order for a group: equal whole shares, and what is left over for the first members."""
    if len(raws) != 1:
        return Problem(400, "Bad Request: an account group takes one order at a time")
    raw = raws[0]
    if isinstance(raw, dict) and raw.get("acctId") == group:
        raw = {name: value for name, value in raw.items() if name != "acctId"}
    draft = parse(hall, accounts[0], raw)
    if isinstance(draft, Problem):
        return draft
    if draft.parent is not None or draft.single_group:
        return Problem(400, "Bad Request: an account group takes no bracket and no OCA group", "parentId")
    step = draft.contract.instrument.size_increment
    steps = draft.ticket.quantity / step
    base = (steps / len(accounts)).to_integral_value(rounding=ROUND_FLOOR)
    rest = int(steps - base * len(accounts))
    parts = []
    for index, account in enumerate(accounts):
        quantity = (base + (1 if index < rest else 0)) * step
        if quantity:
            ticket = msgspec.structs.replace(draft.ticket, account=account, quantity=quantity)
            own = msgspec.structs.replace(draft, ticket=ticket, wire=dict(draft.wire))
            parts.append(Part(draft=own, account=account))
    return Bundle(parts=parts, spread=True)
