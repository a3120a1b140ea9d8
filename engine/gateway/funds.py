"""Whether an account can pay for what is asked: refused at once, in the venue's words, before anything is listed."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

import msgspec

from engine.gateway.bundles import Bundle
from engine.gateway.records import LiveOrder, NewOrder
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
        reason = hall.exchange.unaffordable(NewOrder(account=part.account, ticket=ticket, wire=draft.wire))
        if reason is not None:
            return Problem(200, reason)
    return None


def against_growth(hall: Hall, order: LiveOrder, draft: Draft) -> Problem | None:
    """Check what a modification adds to an order, as if it were an order of that much more."""
    old, new = order.ticket, draft.ticket
    if order.parent_id is not None:
        return None
    market = touch(hall.exchange, new.conid).price(buy=new.side.sign > 0) or Decimal(0)
    before = abs(old.limit_price if old.limit_price is not None else market) * (old.quantity - order.filled)
    price = abs(new.limit_price if new.limit_price is not None else market)
    more = price * (new.quantity - order.filled) - before
    if more <= 0 or not price:
        return None
    units = (more / price).to_integral_value(rounding=ROUND_CEILING)
    ticket = msgspec.structs.replace(new, quantity=units, parent=None, oca_group=None)
    reason = hall.exchange.unaffordable(NewOrder(account=order.account, ticket=ticket, wire=draft.wire))
    return None if reason is None else Problem(200, reason)
