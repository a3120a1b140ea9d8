"""The short way of a modification: the order that it makes is looked at as a new one is, in a room or flat.

What its order counts with already makes that only stricter. It says yes or "can't say", never no: whatever it does not
take goes to the table of checks, and whatever it takes is counted as the long way counts it (`LongWay.modify`).
"""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import Final

from engine.domain.market import Trading
from engine.domain.messages import Modify
from engine.domain.ticket import BadTicket, OrderTicket, Side, amend
from engine.domain.view import MarketView
from engine.risk.clear import clear
from engine.risk.exposure import Exposure, Reserved
from engine.risk.measuring import measure
from engine.risk.numbers import number
from engine.risk.plan import Plan
from engine.risk.screens import passes
from engine.risk.stakes import reserve

_BUY: Final = Side.BUY  # bound once: an enum class is slow to ask
_OPEN: Final = Trading.OPEN
_ZERO: Final = Decimal(0)


def changes(intent: Modify, reserved: Reserved, view: MarketView, now_ns: int) -> bool:
    """Take a modification of a plain order that is far from every limit; False, with nothing counted, if it can't say.

    Nothing is latched. What waits for an answer or is to be cancelled is for the table; so is what shares its units: it
    names a parent or a group, as no plain order does.
    """
    exposure, before = reserved.exposure, reserved.ticket
    plan = exposure.plan
    if (
        (plan is not None and plan.others)
        or reserved.wanted is not None
        or reserved.cancelling
        or intent.coid in exposure.brackets
    ):
        return False
    known, status = view.price(before.conid), view.status(before.conid)
    if known is None or (status is not None and status.trading != _OPEN):
        return False
    try:
        ticket = amend(before, intent.changes)
    except BadTicket:
        return False
    price, since_ns = known
    buy, limit = ticket.side is _BUY, ticket.limit_price
    level = None if limit is None else exposure.levels[limit]
    more = ticket.quantity - reserved.filled - reserved.counted
    if more < _ZERO:
        more = _ZERO
    room = None if plan is None else plan.buys if buy else plan.sells
    worst = 0.0 if room is None else room.fits(ticket, view, price, since_ns, level, now_ns, more)
    if worst:
        assert room is not None
        room.change(level)
    else:
        worst = clear(ticket, exposure, buy, level, price, since_ns, now_ns, more)
        if not worst:
            return False
        if plan is not None:
            if not _passes(ticket, before, exposure, plan, view, price, worst, level, more, now_ns):
                return False
            plan.due = True
    _count(ticket, reserved, exposure, abs(price), worst, level, more, now_ns)
    if plan is not None and plan.due:
        measure(plan, exposure, view, price, now_ns)
    return True


def _passes(
    ticket: OrderTicket, before: OrderTicket, exposure: Exposure, plan: Plan, view: MarketView, price: float,
    worst: float, level: float | None, more: Decimal, now_ns: int,
) -> bool:  # fmt: skip
    """Whether it surely passes what limits have switched on."""
    account = exposure.account
    assert account is not None
    account.settle()
    if not (plan.from_ns <= now_ns < plan.until_ns or plan.turn(now_ns)):
        return False
    if not plan.asks:
        return True
    buy, units = ticket.side is _BUY, exposure.sizes[ticket.quantity]
    old = _worst_of(before, abs(price))
    money = max(units * worst * exposure.unit_value - number(before.quantity) * old * exposure.unit_value, 0.0)
    return passes(ticket, exposure, plan, view, price, max(worst, old), buy, level, units, money, now_ns, number(more))


def _worst_of(ticket: OrderTicket, size: float) -> float:
    """The dearest of an order's price and the market's."""
    limit = ticket.limit_price
    return size if limit is None else max(size, abs(number(limit)))


def _count(
    ticket: OrderTicket, reserved: Reserved, exposure: Exposure, size: float, worst: float, level: float | None,
    more: Decimal, now_ns: int,
) -> None:  # fmt: skip
    """From now on the worse of the two counts."""
    register, buy = exposure.register, ticket.side is _BUY
    if register is not None:
        before, value = reserved.ticket, exposure.unit_value
        old, units = _worst_of(before, size), exposure.sizes[ticket.quantity]
        dearest = max(worst, old)
        money = max(units * worst * value - number(before.quantity) * old * value, 0.0)
        register.change(ticket.side, units, level, money, now_ns)
        reserve(exposure, dearest)
        register.account.meter.charge(ticket.conid, dearest, number(more), value, money)
    reserved.wanted = ticket
    if more:
        reserved.counted += more
        for one in exposure.units:
            if buy:
                one.buys += more
            else:
                one.sells += more
        for lines in exposure.lines:
            lines.touch(ticket.conid)
    exposure.twins.rewritten(reserved, ticket, now_ns, exposure.window_ns)
    if exposure.resting is not None:
        queue, at = (exposure.resting.buys, -1.0) if buy else (exposure.resting.sells, 1.0)
        queue.put(-inf if level is None else at * level, reserved, ticket)
