"""The short way through the gate: one flat look at a plain order that may say that no check would refuse it.

It says yes or "can't say", never no. What it does not clear goes on to the table of checks, which has the last word and
the reasons; that whatever is cleared passes the whole table is a law under test. What a price and a quantity come to is
remembered by the exposure, so that each is worked out once.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from engine.domain.ticket import OrderTicket, OrderType, Tif
from engine.risk.exposure import Exposure

# Bound once: in CPython 3.11 looking a member up on its enum class costs as much as a function call.
PLAIN_TYPES: Final = frozenset({OrderType.LIMIT, OrderType.MARKET, OrderType.STOP})
PLAIN_TIFS: Final = frozenset({Tif.DAY, Tif.GTC})


def clear(
    ticket: OrderTicket, exposure: Exposure, buy: bool, level: float | None, price: float, since_ns: int, now_ns: int,
    more: Decimal | None = None,
) -> float:  # fmt: skip
    """Say whether every check that is always asked surely allows an order, in a market that is not halted.

    Args:
        buy: Its side.
        level: Its limit price as a float, out of `Exposure.levels`; None of a market order and of a stop.
        price: The market's price in force; anything but a finite number clears nothing.
        since_ns: When it was said.
        more: Units that a modification adds; None of a new order.

    Returns: The dearest of the market's price and the order's; 0.0 where it can't say.
    """
    if (
        ticket.order_type not in PLAIN_TYPES
        or ticket.tif not in PLAIN_TIFS
        or ticket.parent is not None
        or ticket.oca_group is not None
        or ticket.outside_rth
        or not price > exposure.price_floor
        or now_ns - since_ns > exposure.age_max_ns
        or not (exposure.opens_ns <= now_ns < exposure.closes_ns or exposure.in_session(now_ns))
    ):
        return 0.0
    worst = abs(price)
    # What is no number compares false, and is turned away with what is too much.
    if level is not None:
        if not (level - price if buy else price - level) <= worst * exposure.collar_clear:
            return 0.0
        if level > worst:
            worst = level
        named = ticket.limit_price
    else:
        named = ticket.stop_price
        if named is not None:  # it counts at that price if it is the dearer one; the collar is a limit's
            stop = exposure.levels[named]
            if not stop <= worst:
                if not stop > worst:
                    return 0.0
                worst = stop
    quantity = ticket.quantity
    if not worst < exposure.dearest[quantity]:
        return 0.0
    adds = quantity if more is None else more
    account, strategy = exposure.units
    most = exposure.account_max
    if most is not None and (
        account.position + account.buys + adds > most if buy else account.sells - account.position + adds > most
    ):
        return 0.0
    most = exposure.strategy_max
    if most is not None and (
        strategy.position + strategy.buys + adds > most if buy else strategy.sells - strategy.position + adds > most
    ):
        return 0.0
    if more is not None:
        return worst  # it opens no order, and is nobody's twin
    if len(exposure.open_of_all) >= exposure.open_least:  # the account's are the most there are
        for tally, allowed, _ in exposure.open_levels:
            if tally.open >= allowed:
                return 0.0
    if len(exposure.sent_of_all) >= exposure.sent_least and not exposure.may_send(now_ns):
        return 0.0
    twins = exposure.twins
    if twins.lately or len(exposure.open) > 2:
        counts = twins.counts
        if counts is not None:
            twins.last, twins.last_key = ticket, (buy, named, quantity, ticket.tag)
            if twins.last_key not in counts:
                return worst
        return worst if twins.alone(ticket, now_ns, exposure.window_ns) else 0.0
    for entry in exposure.open.values():
        if not entry.cancelling and (entry.wanted is not None or entry.ticket.limit_price == ticket.limit_price):
            return worst if twins.alone(ticket, now_ns, exposure.window_ns) else 0.0
    return worst
