"""The short way through the gate: one flat look at a plain order that may say that no check would refuse it.

It says yes or "can't say", never no. What it does not clear goes on to the table of checks, which has the last word and
the reasons; that whatever is cleared passes the whole table is a law under test. An instrument's prices and quantities
are looked up among those that a check has seen before, so that each is worked out once.
"""

from __future__ import annotations

from typing import Final

from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk.exposure import Exposure

# Bound once: in CPython 3.11 looking a member up on its enum class costs as much as a function call.
PLAIN_TYPES: Final = frozenset({OrderType.LIMIT, OrderType.MARKET})
PLAIN_TIFS: Final = frozenset({Tif.DAY, Tif.GTC})
_BUY: Final = Side.BUY


def clear(ticket: OrderTicket, exposure: Exposure, price: float, since_ns: int, now_ns: int) -> float:
    """Say whether every check that is always asked surely allows a new order, in a market that is not halted.

    Args:
        price: The market's price in force; anything but a finite number clears nothing.
        since_ns: When it was said.

    Returns: The dearest of the market's price and the order's; 0.0 where it can't say.
    """
    quantity = ticket.quantity
    units = exposure.sizes.get(quantity) or exposure.size(quantity)
    if (
        units is None
        or ticket.order_type not in PLAIN_TYPES
        or ticket.tif not in PLAIN_TIFS
        or ticket.parent is not None
        or ticket.oca_group is not None
        or ticket.outside_rth
        or now_ns - since_ns > exposure.age_max_ns
        or not (exposure.opens_ns <= now_ns < exposure.closes_ns or exposure.in_session(now_ns))
    ):
        return 0.0
    buy = ticket.side is _BUY
    worst = size = abs(price)
    limit = ticket.limit_price
    level: float | None = None
    if limit is not None:
        level = exposure.instrument.known_levels.get(limit)
        if level is None or not level > 0.0:
            return 0.0
        if (level - price if buy else price - level) > size * exposure.collar_clear:
            return 0.0
        if level > worst:
            worst = level
    if not units * worst * exposure.unit_value < exposure.notional_clear:  # nor is what is no number
        return 0.0
    account, strategy = exposure.units
    most = exposure.account_max
    if most is not None and (
        account.position + account.buys + quantity > most if buy else account.sells - account.position + quantity > most
    ):
        return 0.0
    most = exposure.strategy_max
    if most is not None and (
        strategy.position + strategy.buys + quantity > most
        if buy
        else strategy.sells - strategy.position + quantity > most
    ):
        return 0.0
    if len(exposure.open_of_all) >= exposure.open_least:  # the account's are the most there are
        for tally, allowed, _ in exposure.open_levels:
            if tally.open >= allowed:
                return 0.0
    for sent_ns, watched in exposure.rates:
        if len(sent_ns) >= watched and not exposure.may_send(now_ns):
            return 0.0
    twins = exposure.twins
    if twins.lately or len(exposure.open) > 2:
        counts = twins.counts
        if counts is not None:
            twins.last, twins.last_key = ticket, (buy, level, units, ticket.tag)
            if twins.last_key not in counts:
                return worst
        return worst if twins.alone(ticket, now_ns, exposure.window_ns) else 0.0
    for entry in exposure.open.values():
        if not entry.cancelling and (entry.wanted is not None or entry.ticket.limit_price == limit):
            return worst if twins.alone(ticket, now_ns, exposure.window_ns) else 0.0
    return worst
