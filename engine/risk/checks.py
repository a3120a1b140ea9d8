"""The checks: each a small function of one shape that returns nothing when it allows.

    (ticket, exposure, market, bounds) -> Refusal | None

Codes are stable. Unknown means no: a check that lacks its input refuses. `docs/architecture.md` lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from engine.domain.messages import Refusal
from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk import legs
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.limits import LEVELS, Bounds
from engine.risk.numbers import BLUR

Check = Callable[[OrderTicket, Exposure, MarketNow, Bounds], Refusal | None]
_ZERO: Final = Decimal(0)
_AUCTION: Final = frozenset({OrderType.MARKET_ON_CLOSE, OrderType.LIMIT_ON_CLOSE})
# Bound once: in CPython 3.11 looking a member up on its enum class costs as much as a function call.
_OPG, _BUY = Tif.OPG, Side.BUY


def restricted(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """RESTRICTED: the instrument is on a restricted list."""
    if not bounds.restricted:
        return None
    symbol = exposure.instrument.symbol
    return Refusal("RESTRICTED", "restricted list", symbol, f"{symbol} is on the restricted list")


def warm_up(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """WARM_UP: until the warm-up span ends, strategies see data and may not trade."""
    if market.now_ns >= exposure.warm_up_until_ns:
        return None
    left = (exposure.warm_up_until_ns - market.now_ns) / NS_PER_S
    return Refusal("WARM_UP", "end of the warm-up", f"{left:.0f} s before", "the warm-up span has not ended")


def order_quantity(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """QUANTITY: units of one order."""
    if ticket.quantity <= bounds.quantity_max:
        return None
    limit, value = str(bounds.quantity_max), str(ticket.quantity)
    return Refusal("QUANTITY", limit, value, f"an order of {value} is above the largest allowed, {limit}")


def tick_and_lot(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """TICK, LOT: prices on the tick table, quantities in the size increment."""
    if not bounds.tick_and_lot:
        return None
    instrument = exposure.instrument
    for price in (ticket.limit_price, ticket.stop_price):
        if price is None:
            continue
        if instrument.level(price) is None:
            tick = instrument.tick_at(price)
            return Refusal("TICK", str(tick), str(price), f"{price} is no multiple of the tick {tick}")
        if price <= _ZERO and instrument.price_floor == 0.0:
            return Refusal("TICK", "a price above 0", str(price), f"{instrument.symbol} has no price of {price}")
    if instrument.units(ticket.quantity) is None:
        lot = instrument.size_increment
        return Refusal("LOT", str(lot), str(ticket.quantity), f"{ticket.quantity} is no multiple of the lot {lot}")
    return None


def session_hours(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """CLOSED, HALTED: the exchange is open to this order now (an order for the opening auction may come before it)."""
    if market.halted:
        return Refusal("HALTED", "open", "halted", f"trading in {exposure.instrument.symbol} is halted")
    if not bounds.session_hours or ticket.tif is _OPG:
        return None
    outside = exposure.instrument.outside_hours if ticket.outside_rth else (0, 0)
    if exposure.sessions is not None and exposure.sessions.is_open(market.now_ns, outside):
        return None
    return Refusal("CLOSED", "session hours", "closed", f"{exposure.instrument.symbol} is not in session")


def stale_quote(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """NO_PRICE, STALE: the market was heard of lately (before the open there is nothing to hear)."""
    if ticket.tif is _OPG and market.price is not None:
        return None
    if market.price is None:
        symbol = exposure.instrument.symbol
        return Refusal("NO_PRICE", "a price", "none", f"no price of {symbol} is known")
    age_ns = market.now_ns - market.since_ns
    if age_ns <= bounds.quote_age_max_ns:
        return None
    limit, value = bounds.quote_age_max_ns / NS_PER_S, age_ns / NS_PER_S
    return Refusal("STALE", f"{limit:g} s", f"{value:.3f} s", f"the last price is {value:.1f} s old, above {limit:g} s")


def order_notional(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """NOTIONAL: money of one order in base currency, at the worse of its own price and the market's, or of its legs."""
    price = market.price
    if price is None:
        return Refusal("NO_PRICE", "a price", "none", f"no price of {exposure.instrument.symbol} is known")
    rough = abs(price)
    limit_price, stop_price = ticket.limit_price, ticket.stop_price
    if limit_price is not None:
        rough = max(rough, abs(float(limit_price)))
    if stop_price is not None:
        rough = max(rough, abs(float(stop_price)))
    if not exposure.legs and float(ticket.quantity) * rough * exposure.unit_value < bounds.notional_clear:
        return None  # far enough below for a float to say so; the exact figure only where it is close
    if exposure.rate is None:
        currency = exposure.instrument.currency
        return Refusal("NO_RATE", "a rate", "none", f"the price of {currency} in base currency is not known")
    worst = abs(Decimal(repr(price)))
    for own in (limit_price, stop_price):
        if own is not None and abs(own) > worst:
            worst = abs(own)
    each = worst * exposure.instrument.multiplier * exposure.rate
    if exposure.legs:
        of_legs = legs.worth(exposure, market)
        if of_legs is None:
            sentence = f"what the legs of {exposure.instrument.symbol} are worth in base currency is not known"
            return Refusal("NO_RATE", "a rate", "none", sentence)
        each = max(each, of_legs)
    value = ticket.quantity * each
    if value <= bounds.notional_max:
        return None
    limit = bounds.notional_max
    return Refusal("NOTIONAL", str(limit), str(value), f"an order worth {value} is above the largest allowed, {limit}")


def price_collar(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """COLLAR: a limit may not be worse than the market's price by more than the collar (a better one may be far)."""
    limit = ticket.limit_price
    if limit is None or ticket.order_type in _AUCTION:
        return None
    price = market.price
    if price is None:
        return Refusal("NO_PRICE", "a price", "none", f"no price of {exposure.instrument.symbol} is known")
    stop = ticket.stop_price
    if stop is not None:
        price = float(stop)  # a stop limit trades there, not here
    size = abs(price)
    room = size * bounds.collar
    worse_by = float(limit) - price if ticket.side is _BUY else price - float(limit)
    if worse_by <= room - size * BLUR:
        return None
    fair = Decimal(repr(price)) if stop is None else stop  # too close for a float to say
    if (limit - fair) * ticket.side.sign <= abs(fair) * bounds.collar_exact:
        return None
    if _wider(ticket, exposure, market, bounds, (limit - fair) * ticket.side.sign, abs(fair)):
        return None
    percent = worse_by / size * 100.0 if size else float("inf")
    most = bounds.collar * 100.0
    sentence = f"the limit {limit} is {percent:.2f} % worse than the market, above {most:g} %"
    return Refusal("COLLAR", f"{most:g} %", f"{percent:.2f} %", sentence)


def _wider(
    ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds, worse: Decimal, fair: Decimal
) -> bool:
    """Whether the collar in ticks, or that of the first minutes of a session, still lets a price pass."""
    own = bounds.tightest
    ticks, limit = own.price_collar_ticks, ticket.limit_price
    if ticks is not None and limit is not None and worse <= ticks * exposure.instrument.tick_at(limit):
        return True
    if own.price_collar_open_pct is None or own.price_collar_open_s is None or exposure.sessions is None:
        return False
    session = exposure.sessions.session_at(market.now_ns)
    if session is None or market.now_ns - session[0] >= own.price_collar_open_s * NS_PER_S:
        return False
    return worse <= fair * own.price_collar_open_pct / 100


def position(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """POSITION: units held if this order and every open one of its side fill, by level; of a combo, in each leg too.

    What does not raise that (a bracket's child that closes what its entry opens, a smaller quantity) passes.
    """
    more = exposure.more(ticket)
    if more <= _ZERO:
        return None
    side = ticket.side
    refusal = _within(exposure, side, more, bounds)
    for ratio, leg in exposure.legs:
        if refusal is not None:
            break
        refusal = _within(leg, side if ratio > 0 else side.opposite, more * abs(ratio), leg.bounds)
    return refusal


def _within(exposure: Exposure, side: Side, more: Decimal, bounds: Bounds) -> Refusal | None:
    account, strategy = exposure.units
    most_account, most_strategy, most_instrument = bounds.position_max
    reach = account.reach(side, more)
    if most_account is not None and reach > most_account:
        return _too_far(reach, most_account, LEVELS[0])
    if most_instrument is not None and reach > most_instrument:
        return _too_far(reach, most_instrument, LEVELS[2])
    if most_strategy is not None:
        own = strategy.reach(side, more)
        if own > most_strategy:
            return _too_far(own, most_strategy, LEVELS[1])
    return None


def _too_far(value: Decimal, limit: Decimal, level: str) -> Refusal:
    sentence = f"the position of {level} could reach {value}, above {limit}"
    return Refusal("POSITION", str(limit), str(value), sentence)


def open_orders(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """OPEN_ORDERS: how many orders are open, this one included, by level."""
    for tally, limit, level in exposure.open_levels:
        if tally.open >= limit:
            sentence = f"{level} has {tally.open} open orders, and {limit} are allowed"
            return Refusal("OPEN_ORDERS", str(limit), str(tally.open + 1), sentence)
    return None


def order_rate(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """RATE: new orders within any minute, by level. Refused, never queued: a late order is another order."""
    for tally, limit, level in exposure.rate_levels:
        if tally.in_last(NS_PER_MINUTE, market.now_ns) >= limit:
            sentence = f"{level} has sent {limit} orders within a minute, as many as are allowed"
            return Refusal("RATE", f"{limit}/min", f"{limit + 1}/min", sentence)
    return None


def duplicate(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """DUPLICATE: an identical ticket is working, pending or in doubt, or was sent a moment ago.

    An earlier one whose cancellation we have asked for does not count.
    """
    earlier = exposure.twins.earlier(ticket, market.now_ns, bounds.duplicate_window_ns)
    if earlier is None:
        return None
    window_s = bounds.duplicate_window_ns / NS_PER_S
    sentence = f"identical to order {earlier}, which is open or was sent within {window_s:g} s"
    return Refusal("DUPLICATE", f"{window_s:g} s", earlier, sentence)


# In the order in which they are asked; the first that refuses is the one that is told.
NEW_ORDER: Final[tuple[Check, ...]] = (
    restricted,
    warm_up,
    order_quantity,
    tick_and_lot,
    session_hours,
    stale_quote,
    order_notional,
    price_collar,
    position,
    open_orders,
    order_rate,
    duplicate,
)
# A modification is judged as the full ticket it becomes; it opens no order.
MODIFICATION: Final[tuple[Check, ...]] = (
    restricted,
    order_quantity,
    tick_and_lot,
    session_hours,
    stale_quote,
    order_notional,
    price_collar,
    position,
)
