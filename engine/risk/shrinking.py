"""An order that is too large, cut down to what its limit has room for, where the configuration asks for that.

Only a single order is ever made smaller; of a bracket or a group no leg is.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isnan
from typing import Final

from msgspec.structs import replace

from engine.domain.messages import Refusal
from engine.domain.ticket import OrderTicket, Side
from engine.risk.exposure import Exposure, MarketNow

_ZERO: Final = Decimal(0)
Room = Callable[[OrderTicket, Exposure, MarketNow, Refusal], Decimal | None]


def smaller(ticket: OrderTicket, exposure: Exposure, market: MarketNow, refusal: Refusal) -> OrderTicket | None:
    """The ticket with as many whole lots as the limit that refused has room for; None if it may not be made smaller."""
    room = _ROOM.get(refusal.code) if exposure.bounds.tightest.shrink else None
    units = None if room is None else room(ticket, exposure, market, refusal)
    if units is None or ticket.parent is not None or ticket.oca_group is not None or exposure.legs:
        return None
    lot = exposure.instrument.size_increment
    units = units // lot * lot
    return replace(ticket, quantity=units) if _ZERO < units < ticket.quantity else None


def _quantity(ticket: OrderTicket, exposure: Exposure, market: MarketNow, refusal: Refusal) -> Decimal | None:
    return exposure.bounds.quantity_max


def _notional(ticket: OrderTicket, exposure: Exposure, market: MarketNow, refusal: Refusal) -> Decimal | None:
    if market.price is None or exposure.rate is None:
        return None
    own = [abs(price) for price in (ticket.limit_price, ticket.stop_price) if price is not None]
    worst = max([Decimal(repr(abs(market.price))), *own])
    each = worst * exposure.instrument.multiplier * exposure.rate
    return exposure.bounds.notional_max / each if each else None


def _position(ticket: OrderTicket, exposure: Exposure, market: MarketNow, refusal: Refusal) -> Decimal | None:
    account, strategy = exposure.units
    rooms = [
        most - units.reach(ticket.side, _ZERO)
        for most, units in zip(exposure.bounds.position_max, (account, strategy, account), strict=True)
        if most is not None
    ]
    return min(rooms, default=None)


def _displayed(ticket: OrderTicket, exposure: Exposure, market: MarketNow, refusal: Refusal) -> Decimal | None:
    most = exposure.bounds.tightest.displayed_size_pct
    quote = None if market.view is None else market.view.quote(ticket.conid)
    if most is None or quote is None:
        return None
    shown = quote.ask_size if ticket.side is Side.BUY else quote.bid_size
    return None if isnan(shown) else Decimal(repr(shown)) * most / 100


def _volume(ticket: OrderTicket, exposure: Exposure, market: MarketNow, refusal: Refusal) -> Decimal | None:
    own = exposure.bounds.tightest
    if own.average_volume is None or own.average_volume_pct is None:
        return None
    return own.average_volume * own.average_volume_pct / 100


_ROOM: Final[dict[str, Room]] = {
    "QUANTITY": _quantity,
    "NOTIONAL": _notional,
    "POSITION": _position,
    "DISPLAYED": _displayed,
    "VOLUME": _volume,
}
