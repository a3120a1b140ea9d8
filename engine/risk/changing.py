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
from engine.risk.measuring import measure, stands
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
    if not worst:
        room = None
        worst = clear(ticket, exposure, buy, level, price, since_ns, now_ns, more)
        if not worst:
            return False
    if plan is not None:
        # What it is worth more than before, and the dearest price that counts from now on: of the two.
        size, earlier = abs(price), before.stop_price if limit is None else before.limit_price
        value, units = exposure.unit_value, exposure.sizes[ticket.quantity]
        old = size if earlier is None else max(size, abs(number(earlier)))
        money = max(units * worst * value - number(before.quantity) * old * value, 0.0)
        dearest = max(worst, old)
        if room is not None:
            room.change(level)
        elif not _passes(ticket, exposure, plan, view, price, dearest, level, units, money, more, now_ns):
            return False
        if exposure.register is not None:
            exposure.register.change(ticket.side, units, level, money, now_ns)
            reserve(exposure, dearest)
            exposure.register.account.meter.charge(ticket.conid, dearest, number(more), value, money)
        if room is None:
            plan.due = ticket.stop_price is None or not stands(plan, units)
    _count(ticket, reserved, exposure, level, more, now_ns)
    if plan is not None and plan.due:
        measure(plan, exposure, view, price, now_ns)
    return True


def _passes(
    ticket: OrderTicket, exposure: Exposure, plan: Plan, view: MarketView, price: float, dearest: float,
    level: float | None, units: float, money: float, more: Decimal, now_ns: int,
) -> bool:  # fmt: skip
    """Whether it surely passes what limits have switched on."""
    account = exposure.account
    assert account is not None
    account.settle()
    if not (plan.from_ns <= now_ns < plan.until_ns or plan.turn(now_ns)):
        return False
    if not plan.asks:
        return True
    buy = ticket.side is _BUY
    return passes(ticket, exposure, plan, view, price, dearest, buy, level, units, money, now_ns, number(more))


def _count(
    ticket: OrderTicket, reserved: Reserved, exposure: Exposure, level: float | None, more: Decimal, now_ns: int
) -> None:
    """Its units, its price and what it looks like are reserved from now on, beside those of the order as it is."""
    buy = ticket.side is _BUY
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
    if exposure.resting is not None and (level is not None or ticket.stop_price is None):
        queue, at = (exposure.resting.buys, -1.0) if buy else (exposure.resting.sells, 1.0)
        queue.put(-inf if level is None else at * level, reserved, ticket)
