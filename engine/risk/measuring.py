"""Measures a room: how far what is open, held and sent stays from each limit on sums, as one reading of the meter.

It is done right after an order has passed the longer look. So whatever that look has asked and no order can change
holds still: only what orders use up is worked out here, for both sides at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from math import inf, sqrt
from typing import Final

from attrs import frozen

from engine.domain.ticket import OrderType, Side
from engine.domain.view import MarketView
from engine.risk.account import Account
from engine.risk.clear import PLAIN_TIFS, PLAIN_TYPES
from engine.risk.exposure import Exposure
from engine.risk.meter import LONG, SMALL, SURELY, Meter, Span
from engine.risk.plan import Plan
from engine.risk.rooms import ROW, Guard, Reach, Room

_WORTH: Final = 0.95  # what the account is worth may fall to this part
_PATIENCE: Final = 127
_ROW_MAX: Final = 255
_ENOUGH: Final = 8  # near a limit, or half as many far from all: orders that are worth a room's measurement
_ZERO: Final = Decimal(0)
_AT_ONCE: Final = PLAIN_TYPES - {OrderType.STOP}  # what waits for a trigger has no room


@frozen
class Left:
    """What the limits that are the same for both sides leave, in base currency, and what that was worked out at."""

    money: float
    span: Span
    guards: tuple[Guard, ...]
    equity_least: float | None


def measure(plan: Plan, exposure: Exposure, view: MarketView, price: float, now_ns: int) -> None:
    """Measure both sides anew; where that was of no use the last times, only now and then."""
    buys, sells, account = plan.buys, plan.sells, exposure.account
    if buys is None or sells is None or account is None:
        return
    plan.due, buys.epoch, sells.epoch = False, -1, -1
    if 2 * plan.taken + plan.near >= _ENOUGH:
        plan.patience = plan.idle = 0
    if plan.idle:
        plan.idle -= 1
        return
    plan.row = min(2 * plan.row + 1, _ROW_MAX) if plan.near and not plan.taken else ROW
    plan.taken = plan.near = 0
    plan.idle, plan.patience = plan.patience, min(2 * plan.patience + 1, _PATIENCE)
    meter = account.meter
    if meter.messages >= LONG:
        meter.void()
    meter.measured += 1
    left = _stakes_left(plan, exposure, account, view, price)
    if left is None:
        return
    ceiling = left.span[1] * exposure.unit_value
    if not 0.0 < ceiling < inf:
        return
    shared, staked = min([inf, *_sums_left(plan, account)]), _reading(meter, left.money)
    messages = buys.messages_left(now_ns)
    for room in (buys, sells):
        paid = min(shared, _paid_left(plan, account, room.buy)) * SURELY
        if not paid > meter.money * SMALL or not messages > 0:
            continue
        room.messages, room.spent, room.ceiling = meter.messages + messages, meter.money + paid, ceiling
        room.reaches = _reaches(plan, exposure, room.buy)
        room.reached = _reading(meter, _units_left(room, plan, exposure) * ceiling)
        room.staked = staked
        room.money = min(room.spent, room.reached, staked)
        room.low, room.high, room.others, room.equity_least = *left.span, left.guards, left.equity_least
        _bound(room, plan, exposure, account, now_ns)
        room.epoch = meter.epoch


def stands(plan: Plan, units: float) -> bool:
    """Whether a room still holds beside an order that it was not asked about, of so many units and without a limit."""
    for room in (plan.buys, plan.sells):
        if room is not None and room.epoch == room.meter.epoch and room.least <= units:
            return True
    return False


# --- what is left, in base currency ----------------------------------------------------------------------------------


def _stakes_left(plan: Plan, exposure: Exposure, account: Account, view: MarketView, price: float) -> Left | None:
    """Of the money at stake; None where a price is not known or is not above zero."""
    if not 0.0 < price < inf:
        return None
    meter, conid = account.meter, exposure.instrument.conid
    top = max((units.top for units in exposure.units if units.buys or units.sells), default=0.0)
    for _ in range(3):
        epoch, money = meter.epoch, inf
        least: float | None = None
        span = meter.span(conid, price, top)
        spans: dict[int, Span] = {}
        for lines in plan.stakes:
            worth = None
            if lines.leverage_max != inf:
                worth = (account.equity or 0.0) * _WORTH
                least = worth
            found = lines.left(view, conid, meter, worth, spans)
            if found is None:
                return None
            money = min(money, found)
        if plan.stakes:
            _watch_others(meter, view, spans)
        if epoch == meter.epoch:  # else another span holds for something that was added up before
            spans.pop(conid, None)
            return Left(money, span, tuple((of, *found_) for of, found_ in spans.items()), least)
    return None


def _watch_others(meter: Meter, view: MarketView, spans: dict[int, Span]) -> None:
    """Where nothing is at stake now, orders may be taken within a span any time: its price counts from then on."""
    for of, (low, high) in list(meter.spans.items()):
        if of in spans:
            continue
        known = view.price(of)
        if known is not None and low <= known[0] <= high:
            spans[of] = low, high
        else:
            meter.drop(of)


def _sums_left(plan: Plan, account: Account) -> Iterator[float]:
    """Of the money of a day, and of what the Greeks of all options may come to."""
    for most in plan.sums:
        yield most.notional - most.purse.notional
    if plan.dated is not None and plan.dated.greeks and plan.outside is not None:
        yield plan.dated.left(plan.outside.contracts, account.meter.spans, account.values)


def _paid_left(plan: Plan, account: Account, buy: bool) -> float:
    """Of what the venue has said that the account can pay."""
    if plan.outside is None:
        return inf
    return (plan.room_to_buy if buy else plan.room_to_sell) - account.spent_in_all


def _reaches(plan: Plan, exposure: Exposure, buy: bool) -> tuple[Reach, ...]:
    """How far the position may get on a side."""
    limits = (exposure.account_max, exposure.strategy_max)
    found = [(units, most) for units, most in zip(exposure.units, limits, strict=True) if most is not None]
    if plan.dated is not None and plan.outside is not None and not buy:
        found.append((exposure.units[0], _ZERO))  # only what is held may be sold without a question
    return tuple(found)


def _units_left(room: Room, plan: Plan, exposure: Exposure) -> float:
    """Of these, and of what is lent: the units that orders of a room's side may add. An account always has a limit."""
    side = Side.BUY if room.buy else Side.SELL
    left = [most - units.reach(side, _ZERO) for units, most in room.reaches]
    if plan.lending is not None and plan.outside is not None and not room.buy:
        # Short are open sales beyond what is held: as long as these, or all, stay below what is lent, so does that.
        units = exposure.units[0]
        left.append(plan.lending.most(plan.outside) + max(units.position, _ZERO) - units.sells)
    return float(min(left))


def _reading(meter: Meter, left: float) -> float:
    """What the meter reads once so much money is used up; below every reading where it is too little to be told."""
    left *= SURELY
    return meter.money + left if left > meter.money * SMALL else -inf


# --- what a single order may be --------------------------------------------------------------------------------------


def _bound(room: Room, plan: Plan, exposure: Exposure, account: Account, now_ns: int) -> None:
    room.from_ns = max(plan.from_ns, exposure.opens_ns)
    room.until_ns = min(plan.until_ns, exposure.closes_ns)
    room.age_max_ns, room.collar = exposure.age_max_ns, exposure.collar_clear
    room.types = _AT_ONCE if plan.types is None else _AT_ONCE & plan.types
    room.tifs = PLAIN_TIFS if plan.tifs is None else PLAIN_TIFS & plan.tifs
    room.least, room.most = 0.0, exposure.bounds.notional_clear / room.ceiling
    room.lowest, room.highest = 0.0, room.high
    recent = plan.recent
    room.walk_max = None
    if recent is not None:
        if plan.factor is not None:  # any two orders within these are within the factor of one another
            wide = sqrt(plan.factor)
            room.least, room.most = recent.size / wide, min(room.most, recent.size / wide * plan.factor)
            room.lowest, room.highest = recent.level / wide, min(room.high, recent.level / wide * plan.factor)
        if plan.walk is not None:
            walk = recent.buys if room.buy else recent.sells
            walk.forget(now_ns - plan.walk_ns)
            room.walk_max, room.walked = room.low * plan.walk, walk.total
            room.last = walk.last if room.buy else -walk.last
    room.across = None if plan.resting is None else plan.resting.sells if room.buy else plan.resting.buys
    room.asks_quote, room.displayed = plan.asks_quote, plan.displayed
    room.two_sided, room.spread = plan.two_sided, plan.spread
    outside = room.outside = plan.outside
    if outside is None:
        return
    room.summary = plan.summary
    room.version, room.covers = outside.version, plan.covers and not room.buy
    room.lending = None if room.buy else plan.lending
    room.borrow = None if room.lending is None else room.lending.told(outside)
    room.until_ns = min(room.until_ns, plan.summary_until_ns + 1)
    if plan.cushion is not None:
        room.most = min(room.most, plan.what_if / room.ceiling)
    if plan.dated is not None:
        room.until_ns = min(room.until_ns, plan.dated.until_ns + 1)
