"""The short way of a bracket: a plain entry, no stop, with at most one limit order and one stop that get out of it.

While the entry has got into nothing its exits can't trade, so they add to no position and to no money at stake; they
count among orders and messages, and as money sent. Like `screens` this says yes or "can't say", never no, of exits
whose entry counts already; the entry is judged as any order alone. It is asked about the exits first, so that nothing
has to be taken back.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from decimal import Decimal
from math import inf
from typing import Final

from engine.domain.moments import NS_PER_MINUTE
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.domain.view import MarketView
from engine.risk.account import Account
from engine.risk.clear import PLAIN_TIFS
from engine.risk.exposure import Exposure, Reserved
from engine.risk.plan import Plan
from engine.risk.screens import affords, near
from engine.risk.together import Bracket

_BUY, _SELL = Side.BUY, Side.SELL  # bound once: an enum class is slow to ask
_LIMIT, _STOP = OrderType.LIMIT, OrderType.STOP
_ZERO: Final = Decimal(0)
_MOST: Final = 3  # of an entry and its exits

Exit = tuple[OrderTicket, float, float | None, float]  # its units, its limit price, and its money


def exits_of(
    tickets: Sequence[OrderTicket], exposure: Exposure, used: Container[str], view: MarketView, now_ns: int
) -> list[Exit] | None:
    """The exits of a bracket, each surely allowed once its entry counts; None if it can't say.

    Args:
        used: Client order ids.
    """
    plan, account, entry, known = exposure.plan, exposure.account, tickets[0], view.price(tickets[0].conid)
    if (
        plan is None
        or account is None
        or plan.others
        or plan.register is None
        or known is None
        or not known[0] > 0.0
        or len(tickets) > _MOST
        or entry.stop_price is not None
        or entry.coid in exposure.brackets
    ):
        return None
    account.settle()
    if not (plan.from_ns <= now_ns < plan.until_ns or plan.turn(now_ns)):
        return None
    price, limit, buy = known[0], entry.limit_price, entry.side is not _BUY
    at = None if limit is None else exposure.levels[limit]
    units, value = exposure.sizes[entry.quantity], exposure.unit_value
    money = units * (price if at is None else max(at, price)) * value
    if not _may_send(len(tickets), exposure, plan, now_ns) or not (buy or _covered(exposure, plan, account)):
        return None
    shown = _shown(entry, plan, view, buy=buy)
    found: list[Exit] = []
    for ticket in tickets[1:]:
        if (
            ticket.parent != entry.coid
            or ticket.coid in used
            or ticket.side is entry.side
            or ticket.conid != entry.conid
            or ticket.strategy != entry.strategy
            or ticket.account != entry.account
            or ticket.oca_group is not None
            or ticket.outside_rth
            or ticket.tif not in PLAIN_TIFS
            or (plan.tifs is not None and ticket.tif not in plan.tifs)
            or ticket.quantity > entry.quantity
        ):
            return None
        level = _price_of(ticket, exposure, plan, price, at, now_ns)
        own, worst = exposure.sizes[ticket.quantity], max(level, price)
        each = own * worst * value
        money += each
        stops = ticket.order_type is _STOP
        if (
            not (level > 0.0 and worst < exposure.dearest[ticket.quantity])
            or not own <= shown
            or (plan.factor is not None and not _alike(own, units, None if stops else level, at, plan))
        ):
            return None
        for most in plan.sums:
            if not most.purse.notional + money <= most.notional:
                return None
        outside = plan.outside
        if outside is not None:
            if not affords(plan, account, outside, money, buy, now_ns):
                return None
            if plan.cushion is not None and (each > plan.what_if or ticket.coid in outside.what_if):
                return None
        found.append((ticket, own, None if stops else level, each))
    if len(found) > 1 and (found[0][0].coid == found[1][0].coid or (found[0][2] is None) is (found[1][2] is None)):
        return None
    return found


def _may_send(several: int, exposure: Exposure, plan: Plan, now_ns: int) -> bool:
    """Whether so many orders more are within each limit on numbers."""
    if len(exposure.open_of_all) + several > exposure.open_least:  # the account's are the most there are
        for tally, allowed, _ in exposure.open_levels:
            if tally.open + several > allowed:
                return False
    if len(exposure.sent_of_all) + several > exposure.sent_least:
        for tally, allowed, _ in exposure.rate_levels:
            if tally.in_last(NS_PER_MINUTE, now_ns) + several > allowed:
                return False
    for most in plan.sums:
        if most.purse.sent + several > most.until and not (most.counts_anew(now_ns) and most.left(now_ns) >= several):
            return False
    return True


def _covered(exposure: Exposure, plan: Plan, account: Account) -> bool:
    """Whether a sale that adds no units lacks neither shares to borrow nor cover."""
    whole = exposure.units[0]
    short = whole.sells - max(whole.position, _ZERO)
    if short > _ZERO and plan.dated is not None:
        return False
    if plan.lending is not None and plan.outside is not None and not plan.lending.allows(short, plan.outside):
        return False
    return not (plan.covers and account.options and account.short_options)


def _shown(entry: OrderTicket, plan: Plan, view: MarketView, *, buy: bool) -> float:
    """Units that an exit may have beside the size shown on the other side; of the quote the entry asks the rest."""
    if plan.displayed is None:
        return inf
    quote = view.quote(entry.conid)
    return 0.0 if quote is None else (quote.ask_size if buy else quote.bid_size) * plan.displayed


def _price_of(
    ticket: OrderTicket, exposure: Exposure, plan: Plan, price: float, entry: float | None, now_ns: int
) -> float:
    """The price that an exit names, a limit or a stop; 0.0 if it can't say that this is allowed.

    Args:
        price: The market's, above zero.
        entry: The entry's limit price.
    """
    kind, limit, stop = ticket.order_type, ticket.limit_price, ticket.stop_price
    if plan.types is not None and kind not in plan.types:
        return 0.0
    if kind is _STOP and stop is not None:
        return exposure.levels[stop]
    if kind is not _LIMIT or limit is None:
        return 0.0
    buy, level = ticket.side is _BUY, exposure.levels[limit]
    if not (level - price if buy else price - level) <= price * exposure.collar_clear:
        return 0.0
    resting = plan.resting
    # Its own entry rests across as well, once it counts.
    if resting is not None and (
        entry is None or (level >= entry if buy else level <= entry) or resting.meets(_SELL if buy else _BUY, level)
    ):
        return 0.0
    recent = plan.recent
    if recent is not None and plan.walk is not None:
        walk = recent.buys if buy else recent.sells
        walk.forget(now_ns - plan.walk_ns)
        if not walk.total + walk.step(level) <= price * plan.walk:
            return 0.0
    return level


def _alike(units: float, other: float, level: float | None, at: float | None, plan: Plan) -> bool:
    """Whether an exit is within the range of what was sent lately, of which its entry is the newest."""
    factor, recent = plan.factor, plan.recent
    if factor is None or recent is None or not units <= other * factor:
        return False
    if level is None:
        return True
    if at is not None:
        return at <= level * factor and level <= at * factor
    return near(recent.levels, factor, level)


def count(
    exits: Sequence[Exit], of: OrderTicket, exposure: Exposure, references: dict[str, float], now_ns: int
) -> None:
    """Count the exits of an entry that counts, as the long way does (`LongWay.place`)."""
    price, open_of_all = references[of.coid], exposure.open_of_all
    bracket = exposure.brackets[of.coid] = Bracket(exposure, of.side.opposite, of.quantity, _ZERO)
    register, window_ns = exposure.register, exposure.window_ns
    plan = exposure.plan
    assert register is not None
    assert plan is not None
    fresh, meter = register.account.fresh, register.account.meter
    for ticket, units, level, money in exits:
        fresh.append((register, now_ns, ticket.side is _BUY, level, units, money))
        references[ticket.coid] = price
        # As `Ledger.reserve` does at length: they share what the entry has got into, which is nothing.
        entry = open_of_all[ticket.coid] = exposure.open[ticket.coid] = Reserved(exposure, ticket, shared=bracket)
        bracket.exits[ticket.coid] = _ZERO
        bracket.children[ticket.coid] = ticket.quantity
        if level is not None and exposure.resting is not None:
            queue, at = (exposure.resting.buys, -level) if ticket.side is _BUY else (exposure.resting.sells, level)
            queue.put(at, entry, ticket)
        exposure.twins.taken(entry, now_ns, window_ns)
        for tally, _, _ in exposure.rate_levels:
            tally.sent_ns.append(now_ns)
        meter.messages += 1
        meter.money += money
        room = plan.buys if ticket.side is _BUY else plan.sells
        if room is not None:
            room.change(level)
