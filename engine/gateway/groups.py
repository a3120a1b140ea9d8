"""Orders for a group of accounts: one order for each member, its share by the group's method.

Groups stand in `hall.shelf["groups"]` by name: `{"name", "default_method", "accounts": [{"name", "amount"?}, ...]}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.gateway.bundles import Bundle, Part
from engine.gateway.fields import number
from engine.gateway.tickets import Problem, parse

if TYPE_CHECKING:
    from engine.gateway.hall import Hall

METHODS: Final = ("A", "E", "N", "C", "P", "R", "S")
WEIGHED: Final = ("C", "P", "R", "S")  # methods that need an amount for each account


def members(hall: Hall, name: str) -> list[str]:
    """The accounts of a group, those the exchange has, in the group's order; none for an unknown name."""
    group = hall.shelf.get("groups", {}).get(name, {})
    names = [str(row["name"]) for row in group.get("accounts", [])]
    return [account for account in names if account in hall.exchange.accounts]


def shares(hall: Hall, group: str, accounts: list[str], raws: list[Any]) -> Bundle | Problem:
    """Read an order for a group and share its quantity out."""
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
    parts = []
    for account, steps in zip(accounts, shared(draft.ticket.quantity / step, _weights(hall, group)), strict=True):
        if steps:
            ticket = msgspec.structs.replace(draft.ticket, account=account, quantity=steps * step)
            own = msgspec.structs.replace(draft, ticket=ticket, wire=dict(draft.wire))
            parts.append(Part(draft=own, account=account))
    return Bundle(parts=parts, spread=True)


def _weights(hall: Hall, name: str) -> list[Decimal]:
    """What each member counts: the same (E), its equity (A, N), or the amount it was given."""
    group = hall.shelf["groups"][name]
    found = []
    for row in group["accounts"]:
        if row["name"] in hall.exchange.accounts:
            funds = hall.exchange.funds(row["name"])
            given = number(row.get("amount")) or Decimal(0)
            equity = {"A": funds.available, "N": funds.net_liquidation}
            method = group.get("default_method", "E")
            found.append(given if method in WEIGHED else equity.get(method, Decimal(1)))
    return found


def shared(steps: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Share whole steps out by weight, what is left over to the largest remainders; equally if all weigh nothing."""
    weights = [max(weight, Decimal(0)) for weight in weights]
    total = sum(weights)
    if not total:
        return shared(steps, [Decimal(1)] * len(weights))
    exact = [steps * weight / total for weight in weights]
    whole = [part.to_integral_value(rounding=ROUND_FLOOR) for part in exact]
    order = sorted(range(len(weights)), key=lambda at: (whole[at] - exact[at], at))
    for at in order[: int(steps - sum(whole))]:
        whole[at] += 1
    return whole
