"""A combo as its legs: what it is worth, and what is forbidden of a leg alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import inf
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from engine.domain.messages import Refusal
from engine.domain.ticket import OrderTicket, OrderType

if TYPE_CHECKING:
    from engine.risk.exposure import Exposure, MarketNow
    from engine.risk.limits import Bounds

    Check = Callable[[OrderTicket, Exposure, MarketNow, Bounds], Refusal | None]

_ZERO: Final = Decimal(0)


def worth(exposure: Exposure, market: MarketNow) -> Decimal | None:
    """Money of all legs of one unit of a combo, bought and sold alike, in base currency; None where it is not known.

    The net price is no measure of it: legs that cancel out make it nothing.
    """
    total = _ZERO
    for ratio, leg in exposure.legs:
        known = None if market.view is None else market.view.price(leg.instrument.conid)
        if known is None or not leg.instrument.price_floor < known[0] < inf or leg.rate is None:
            return None
        total += abs(ratio) * abs(Decimal(repr(known[0]))) * leg.instrument.multiplier * leg.rate
    return total


def first_refusal(check: Check, ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> Refusal | None:
    """Ask a check about each leg that a combo trades more of, as about a market order in that leg alone."""
    more = exposure.more(ticket)
    if more <= _ZERO:
        return None
    for ratio, leg in exposure.legs:
        alone = replace(
            ticket,
            conid=leg.instrument.conid,
            side=ticket.side if ratio > 0 else ticket.side.opposite,
            quantity=more * abs(ratio),
            order_type=OrderType.MARKET,
            limit_price=None,
            stop_price=None,
            trail=None,
            limit_offset=None,
            parent=None,
            oca_group=None,
        )
        refusal = check(alone, leg, market, leg.bounds)
        if refusal is not None:
            return refusal
    return None
