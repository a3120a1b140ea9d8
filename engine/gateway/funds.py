"""Whether an account can pay for what is asked: refused at once, in the venue's words, before anything is listed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from engine.gateway.bundles import Bundle
from engine.gateway.records import LiveOrder, NewOrder
from engine.gateway.rows import contract_of
from engine.gateway.tickets import Draft, Problem
from engine.gateway.touch import touch

if TYPE_CHECKING:
    from engine.gateway.hall import Hall


def against_funds(hall: Hall, bundle: Bundle) -> Problem | None:
    """Check the orders of a request that can be the first to fill; exits only give back what their entry has taken."""
    for part in bundle.parts:
        draft = part.draft
        if draft is None or part.failed or part.entry is not None or part.parent_id is not None:
            continue
        ticket = msgspec.structs.replace(draft.ticket, account=part.account)
        problem = _against(hall, NewOrder(account=part.account, ticket=ticket, wire=draft.wire))
        if problem is not None:
            return problem
    return None


def against_change(hall: Hall, order: LiveOrder, draft: Draft) -> Problem | None:
    """Check a working order as a modification would have it; what has filled is in the position already."""
    new = draft.ticket
    left = new.quantity - order.filled
    if order.parent_id is not None or left <= 0:
        return None
    ticket = msgspec.structs.replace(new, quantity=left)
    wanted = NewOrder(account=order.account, ticket=ticket, wire=draft.wire, replaces=order.order_id)
    return _against(hall, wanted)


def _against(hall: Hall, order: NewOrder) -> Problem | None:
    """Ask the exchange. Of a contract without any price it can't say, and the order's own limit has to do."""
    ticket = order.ticket
    if touch(hall.exchange, ticket.conid).known:
        reason = hall.exchange.unaffordable(order)
        return None if reason is None else Problem(200, reason)
    multiplier = contract_of(hall, ticket.conid).instrument.multiplier
    needed = abs(ticket.limit_price or Decimal(0)) * ticket.quantity * multiplier
    if needed <= hall.exchange.funds(order.account).available:
        return None
    return Problem(200, "YOUR ORDER IS NOT ACCEPTED. YOUR AVAILABLE FUNDS ARE INSUFFICIENT AT THE ORDER'S OWN PRICE")
