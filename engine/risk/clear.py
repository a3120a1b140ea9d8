"""The short way through the gate: one flat look at a plain order that may say that no check would refuse it.

It says yes or "can't say", never no. What it does not clear goes on to the table of checks, which has the last word and
the reasons; that whatever is cleared passes the whole table is a law under test. An instrument's prices and quantities
are looked up among those that a check has seen before, so that each is worked out once.
"""

from __future__ import annotations

from typing import Final

from engine.domain.moments import NS_PER_MINUTE
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk.checks import BLUR
from engine.risk.exposure import Exposure

# Bound once: in CPython 3.11 looking a member up on its enum class costs as much as a function call.
_TYPES: Final = frozenset({OrderType.LIMIT, OrderType.MARKET})
_TIFS: Final = frozenset({Tif.DAY, Tif.GTC})
_BUY: Final = Side.BUY


def clear(ticket: OrderTicket, exposure: Exposure, price: float, since_ns: int, now_ns: int) -> bool:
    """Say whether every check surely allows a new order, in a market that is not halted.

    Args:
        price: The market's price in force; anything but a finite number clears nothing.
        since_ns: When it was said.
    """
    bounds = exposure.bounds
    instrument = exposure.instrument
    quantity = ticket.quantity
    units = instrument.known_units.get(quantity)
    if (
        not exposure.plain
        or units is None
        or ticket.order_type not in _TYPES
        or ticket.tif not in _TIFS
        or ticket.parent is not None
        or ticket.oca_group is not None
        or ticket.outside_rth
        or quantity > bounds.quantity_max
        or now_ns - since_ns > bounds.quote_age_max_ns
        or not (exposure.opens_ns <= now_ns < exposure.closes_ns or exposure.in_session(now_ns))
    ):
        return False
    account, strategy = exposure.units
    buy = ticket.side is _BUY
    worst = size = abs(price)
    limit = ticket.limit_price
    if limit is not None:
        level = instrument.known_levels.get(limit)
        if level is None or not level > 0.0:
            return False
        if (level - price if buy else price - level) > size * bounds.collar - size * BLUR:
            return False
        if level > worst:
            worst = level
    if not units * worst * exposure.unit_value < bounds.notional_clear:  # nor is what is no number
        return False
    most = exposure.account_max
    if most is not None:
        reach = account.position + account.buys if buy else account.sells - account.position
        if reach + quantity > most:
            return False
    most = bounds.position_max[1]
    if most is not None:
        reach = strategy.position + strategy.buys if buy else strategy.sells - strategy.position
        if reach + quantity > most:
            return False
    if exposure.tallies[0].open >= exposure.open_least:  # the account's are the most there are
        for tally, allowed, _ in exposure.open_levels:
            if tally.open >= allowed:
                return False
    for tally, allowed, _ in exposure.rate_levels:
        if len(tally.sent_ns) >= allowed and tally.in_last(NS_PER_MINUTE, now_ns) >= allowed:
            return False
    twins = exposure.twins
    if twins.lately or len(exposure.open) > 2:
        return twins.alone(ticket, now_ns, bounds.duplicate_window_ns)
    for entry in exposure.open.values():
        if not entry.cancelling and (entry.wanted is not None or entry.ticket.limit_price == limit):
            return twins.alone(ticket, now_ns, bounds.duplicate_window_ns)
    return True
