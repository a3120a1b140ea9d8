"""R43: a question of the venue's is a risk decision too. What of our own checks holds for a ticket now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from engine.domain.messages import BARRED
from engine.domain.ticket import OrderTicket, OrderType
from engine.domain.view import MarketView
from engine.risk import checks, sums
from engine.risk.conduct import latched
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.gate import Gate
from engine.risk.market import market_now

_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAIL, OrderType.TRAIL_LIMIT})
# A condition holds where its check has been asked and refuses nothing. They are asked of the ticket alone: what counts
# it among others (position, open orders) has counted it already when it was approved.
_COUNTED: Final = frozenset({sums.message_rate, sums.day_sums})  # a reply is no new message, and the order was counted
_CHECKED: Final = {
    "collar": checks.price_collar,
    "fresh_quote": checks.stale_quote,
    "tick": checks.tick_and_lot,
    "lot": checks.tick_and_lot,
    "quantity": checks.order_quantity,
    "notional": checks.order_notional,
}


def conditions(
    gate: Gate,
    tickets: Sequence[OrderTicket],
    view: MarketView,
    now_ns: int,
    *,
    small_below: Decimal | None = None,
) -> Mapping[str, bool]:
    """What holds for every one of these tickets; a name that is missing does not.

    `BARRED` holds if a check of the table refuses one of them now, whatever the question is about.

    Args:
        small_below: "small" holds if none of the tickets is worth more than this in base currency, as far as that is
            known.
    """
    each = [_of(gate, ticket, view, now_ns) for ticket in tickets]
    found = {name: all(one[name] for one in each) for name in each[0]} if each else {}
    if any(_refused(gate, ticket, view, now_ns) for ticket in tickets):
        found[BARRED] = True
    if small_below is not None:
        worths = [_worth(gate, ticket, view, now_ns) for ticket in tickets]
        found["small"] = all(worth is not None and worth <= small_below for worth in worths)
    return found


def _refused(gate: Gate, ticket: OrderTicket, view: MarketView, now_ns: int) -> bool:
    """Whether a check that has judged the ticket refuses it by now; it counts already, as a modification does."""
    exposure = gate.exposure(ticket.strategy, ticket.conid)
    market, bounds = market_now(exposure.instrument, view, now_ns), exposure.bounds
    if gate.account.held and latched(ticket, exposure, market, bounds) is not None:
        return True
    asked = (check for check in (*checks.MODIFICATION, *exposure.armed_changes) if check not in _COUNTED)
    return any(check(ticket, exposure, market, bounds) is not None for check in asked)


def _worth(gate: Gate, ticket: OrderTicket, view: MarketView, now_ns: int) -> Decimal | None:
    """A ticket's money in base currency at the worst of its own prices and the market's; None where one is missing."""
    exposure = gate.exposure(ticket.strategy, ticket.conid)
    market = market_now(exposure.instrument, view, now_ns)
    if market.price is None or exposure.rate is None:
        return None
    own = (price for price in (ticket.limit_price, ticket.stop_price) if price is not None)
    worst = max((abs(Decimal(repr(market.price))), *map(abs, own)))
    return ticket.quantity * worst * exposure.instrument.multiplier * exposure.rate


def _of(gate: Gate, ticket: OrderTicket, view: MarketView, now_ns: int) -> dict[str, bool]:
    exposure = gate.exposure(ticket.strategy, ticket.conid)
    market = market_now(exposure.instrument, view, now_ns)
    found = {name: check(ticket, exposure, market, exposure.bounds) is None for name, check in _CHECKED.items()}
    found["collar"] = found["collar"] and _has_price(market)
    found["market_order"] = ticket.order_type is OrderType.MARKET
    found["stop_order"] = ticket.order_type in _STOPS
    found["reduces"] = _reduces(ticket, exposure)
    return found


def _has_price(market: MarketNow) -> bool:
    """A collar without a price to hold it against has asked nothing."""
    return market.price is not None


def _reduces(ticket: OrderTicket, exposure: Exposure) -> bool:
    """Whether it makes the strategy's position smaller and does not turn it round."""
    held = exposure.units[1].position
    return held != 0 and (held > 0) != (ticket.side.sign > 0) and ticket.quantity <= abs(held)
