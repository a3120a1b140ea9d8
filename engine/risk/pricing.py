"""Checks on price and size against the market and against what the strategy itself did of late: R4, R5, R25, R38."""

from __future__ import annotations

from decimal import Decimal
from math import isnan
from typing import Final

from engine.domain.messages import Refusal
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import OrderTicket, Side
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.limits import DRIFT_WINDOW_S, Bounds
from engine.risk.numbers import BLUR, number

_BUY: Final = Side.BUY
ENOUGH: Final = 5  # orders before a strategy has a range of its own


def price_drift(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """DRIFT: how far own limit prices of one side have walked the worse way within a window."""
    most, price = bounds.tightest.price_drift_pct, market.price
    if most is None or ticket.limit_price is None:
        return None
    if price is None:
        return _no_price(exposure)
    assert exposure.account is not None
    recent = exposure.account.latest(ticket.strategy, ticket.conid)
    if recent is None:
        return None
    window_s = bounds.tightest.price_drift_window_s or DRIFT_WINDOW_S
    drift = recent.drift(ticket.side, number(ticket.limit_price), market.now_ns - int(window_s * NS_PER_S))
    room = abs(price) * float(most) / 100.0
    if drift <= room * (1.0 + BLUR):
        return None
    percent = drift / abs(price) * 100.0 if price else float("inf")
    sentence = f"own prices have walked {percent:.2f} % the worse way within {window_s} s, above {most} %"
    return Refusal("DRIFT", f"{most} %", f"{percent:.2f} %", sentence)


def displayed_size(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """DISPLAYED: units of one order against the size shown on the other side."""
    most = bounds.tightest.displayed_size_pct
    if most is None:
        return None
    quote = None if market.view is None else market.view.quote(ticket.conid)
    shown = float("nan") if quote is None else quote.ask_size if ticket.side is _BUY else quote.bid_size
    if isnan(shown):
        sentence = f"no displayed size of {exposure.instrument.symbol} is known"
        return Refusal("DISPLAYED", f"{most} %", "unknown", sentence)
    if number(ticket.quantity) <= shown * float(most) / 100.0 * (1.0 + BLUR):
        return None
    percent = number(ticket.quantity) / shown * 100.0 if shown else float("inf")
    sentence = f"the order is {percent:.1f} % of the {shown:g} shown on the other side, above {most} %"
    return Refusal("DISPLAYED", f"{most} %", f"{percent:.1f} %", sentence)


def average_volume(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """VOLUME: units of one order against the average volume of a day."""
    most, volume = bounds.tightest.average_volume_pct, bounds.tightest.average_volume
    if most is None:
        return None
    if volume is None:
        sentence = f"no average volume of {exposure.instrument.symbol} is known; set average_volume"
        return Refusal("VOLUME", f"{most} %", "unknown", sentence)
    if ticket.quantity * 100 <= volume * most:
        return None
    percent = ticket.quantity / volume * 100 if volume else Decimal("inf")
    sentence = f"the order is {percent:.2f} % of a day's volume, above {most} %"
    return Refusal("VOLUME", f"{most} %", f"{percent:.2f} %", sentence)


def sound_quote(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """ONE_SIDED, CROSSED, SPREAD: bid and ask are there, in this order, and not too far apart.

    Who says that a side may be missing (`two_sided` is no) has no spread judged where one is.
    """
    two_sided, most = bounds.tightest.two_sided, bounds.tightest.spread_max_pct
    if not two_sided and most is None:
        return None
    symbol = exposure.instrument.symbol
    if exposure.legs:
        return None  # its legs are quoted, and they are judged where they are traded
    quote = None if market.view is None else market.view.quote(ticket.conid)
    if quote is None or isnan(quote.bid) or isnan(quote.ask):
        if two_sided is False:
            return None
        return Refusal("ONE_SIDED", "bid and ask", "missing", f"{symbol} has no quote with bid and ask")
    if two_sided and quote.bid > quote.ask:
        sentence = f"the bid of {symbol}, {quote.bid:g}, is above its ask, {quote.ask:g}"
        return Refusal("CROSSED", "bid <= ask", f"{quote.bid:g} > {quote.ask:g}", sentence)
    if most is None:
        return None
    spread, middle = quote.ask - quote.bid, abs(quote.mid)
    if spread <= middle * float(most) / 100.0 * (1.0 + BLUR):
        return None
    percent = spread / middle * 100.0 if middle else float("inf")
    sentence = f"bid and ask of {symbol} are {percent:.2f} % apart, above {most} %"
    return Refusal("SPREAD", f"{most} %", f"{percent:.2f} %", sentence)


def own_range(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """RANGE: size and price far outside what the strategy itself sent lately: a slip of the hand, for a person.

    What only makes positions smaller passes: who gets in by many orders may get out by one.
    """
    factor = bounds.tightest.range_factor
    if factor is None:
        return None
    assert exposure.account is not None
    recent = exposure.account.latest(ticket.strategy, ticket.conid)
    if recent is None or len(recent.quantities.figures) < ENOUGH or exposure.reduces(ticket):
        return None
    most = recent.quantities.largest * float(factor)
    if number(ticket.quantity) > most * (1.0 + BLUR):
        sentence = f"{ticket.quantity} units are more than {factor} times the most it sent lately"
        return Refusal("RANGE", f"{most:g}", str(ticket.quantity), sentence)
    if ticket.limit_price is None or not recent.levels.figures or ticket.limit_price <= 0:
        return None
    price, low, high = number(ticket.limit_price), recent.levels.least, recent.levels.largest
    if low > 0.0 and not low / float(factor) * (1.0 - BLUR) <= price <= high * float(factor) * (1.0 + BLUR):
        sentence = f"the price {ticket.limit_price} is more than {factor} times away from what it sent lately"
        return Refusal("RANGE", f"{low:g} to {high:g}", str(ticket.limit_price), sentence)
    return None


def _no_price(exposure: Exposure) -> Refusal:
    return Refusal("NO_PRICE", "a price", "none", f"no price of {exposure.instrument.symbol} is known")
