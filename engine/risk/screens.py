"""One flat look at a plain order under everything that its limits have switched on (`plan`).

It says yes or "can't say", never no, like `clear` before it: what does not pass goes on to the table of checks. That
whatever passes is refused by no check is a law under test.
"""

from __future__ import annotations

from math import inf
from typing import Final

from engine.domain.ticket import OrderTicket, Side
from engine.domain.view import MarketView
from engine.risk.account import Account
from engine.risk.conduct import latest_quiet
from engine.risk.exposure import Exposure
from engine.risk.outside import REAL_TIME
from engine.risk.plan import HAIR, Plan
from engine.risk.pricing import ENOUGH

_BUY, _SELL = Side.BUY, Side.SELL
_NOTHING: Final = inf


def passes(
    ticket: OrderTicket, exposure: Exposure, plan: Plan, view: MarketView, price: float, worst: float, now_ns: int
) -> bool:
    """Say whether every check that is switched on surely allows a new order that `clear` has cleared.

    Args:
        price: The market's price in force, a finite number.
        worst: The dearest of the market's price and the order's.
    """
    account, instrument = exposure.account, exposure.instrument
    assert account is not None
    units = instrument.known_units[ticket.quantity]
    limit = ticket.limit_price
    level = None if limit is None else instrument.known_levels[limit]
    buy = ticket.side is _BUY
    if (
        (plan.types is not None and ticket.order_type not in plan.types)
        or (plan.tifs is not None and ticket.tif not in plan.tifs)
        or (plan.in_doubt is not None and len(account.in_doubt) > plan.in_doubt)
        or (plan.volume is not None and units > plan.volume)
        or not (plan.quiet_from_ns <= now_ns < plan.quiet_until_ns or _quiet(plan, now_ns))
    ):
        return False
    if plan.resting is not None:
        across = plan.resting.best(_SELL if buy else _BUY)
        if level is None:
            if across != _NOTHING:
                return False
        elif across <= (level if buy else -level):
            return False
    if plan.asks_quote and not _quoted(plan, view, ticket.conid, units, buy=buy):
        return False
    if plan.recent is not None and not _usual(ticket, plan, price, units, level, now_ns):
        return False
    money = units * worst * exposure.unit_value
    if plan.sums and not _within_sums(plan, account, money, now_ns):
        return False
    if plan.venue and not _vouched(ticket, exposure, plan, account, money, now_ns, buy=buy):
        return False
    if plan.asks_contract and account.outside is not None:
        contract = account.outside.contracts.get(ticket.conid)
        if contract is not None and (contract.order_types is not None or contract.tifs is not None):
            return False
    return not plan.stakes or _affordable(plan, account, view, ticket.conid, units, worst, buy=buy)


def _quiet(plan: Plan, now_ns: int) -> bool:
    """Whether no blackout holds, and remember for how long none will."""
    span = latest_quiet(plan.blackouts, now_ns)
    if span is None:
        return False
    plan.quiet_from_ns, plan.quiet_until_ns = span
    return True


def _quoted(plan: Plan, view: MarketView, conid: int, units: float, *, buy: bool) -> bool:
    quote = view.quote(conid)
    if quote is None:
        return False
    shown = plan.displayed
    if shown is not None and not units <= (quote.ask_size if buy else quote.bid_size) * shown:
        return False
    bid, ask = quote.bid, quote.ask
    if plan.spread is not None:
        if not ask - bid <= abs(quote.mid) * plan.spread:
            return False
        return bid <= ask or not plan.two_sided
    return not plan.two_sided or bid <= ask


def _usual(ticket: OrderTicket, plan: Plan, price: float, units: float, level: float | None, now_ns: int) -> bool:
    recent = plan.recent
    assert recent is not None
    if plan.walk is not None and level is not None:
        walk = recent.walks[ticket.side]
        sent = walk.sent
        if sent:
            if sent[0][0] <= now_ns - plan.walk_ns:
                walk.forget(now_ns - plan.walk_ns)
            if walk.total + walk.step(level) > abs(price) * plan.walk:
                return False
    factor = plan.factor
    if factor is None or len(recent.quantities.figures) < ENOUGH:
        return True
    if units > recent.quantities.largest * factor:
        return False
    levels = recent.levels
    if level is None or not levels.figures:
        return True
    return levels.least > 0.0 and levels.least <= level * factor and level <= levels.largest * factor


def _within_sums(plan: Plan, account: Account, money: float, now_ns: int) -> bool:
    for most in plan.sums:
        purse = account.purse(most.owner, now_ns)
        times = purse.minute_ns
        if len(times) >= most.minute and purse.in_minute(now_ns) >= most.minute:
            return False
        times = purse.hour_ns
        if len(times) >= most.hour and purse.in_hour(now_ns) >= most.hour:
            return False
        if (
            purse.orders >= most.orders
            or purse.messages >= most.messages
            or not purse.notional + money <= most.notional
        ):
            return False
    return True


def _vouched(
    ticket: OrderTicket, exposure: Exposure, plan: Plan, account: Account, money: float, now_ns: int, *, buy: bool
) -> bool:
    """What the venue says of account and instrument."""
    outside = account.outside
    assert outside is not None
    if (plan.ready and (outside.down or outside.away)) or (plan.account and ticket.account != outside.account):
        return False
    if plan.strategy and outside.strategies is not None and ticket.strategy not in outside.strategies:
        return False
    if plan.live_data and not outside.availability.get(ticket.conid, "").startswith(REAL_TIME):
        return False
    if plan.shorts and not buy and exposure.shorts(ticket) > 0:
        return False
    if plan.day_trades is None and plan.cushion is None and not plan.settled and not plan.buying_power:
        return True
    summary = outside.summary
    if summary is None or now_ns - summary.ts_ns > plan.summary_age_ns:
        return False
    if plan.day_trades is not None:
        left = summary.day_trades_left
        if left is None or 0 <= left <= plan.day_trades:
            return False
    room = account.room(summary)
    total = money + account.spent_since(summary.ts_ns)
    if plan.settled and buy and not total <= room.settled * HAIR:
        return False
    if plan.buying_power and (summary.cash_account or not total <= room.buying_power * HAIR):
        return False
    if plan.cushion is None:
        return True
    if not money <= plan.what_if or ticket.coid in outside.what_if:
        return False
    return room.excess - total * plan.margin >= room.worth * plan.cushion


def _affordable(
    plan: Plan, account: Account, view: MarketView, conid: int, units: float, worst: float, *, buy: bool
) -> bool:
    for stakes in plan.stakes:
        found = stakes.lines.most(view, conid, units, worst, buy=buy)
        if found is None:
            return False
        gross, net, sector, currency = found
        if not (
            gross <= stakes.gross and net <= stakes.net and sector <= stakes.sector and currency <= stakes.currency
        ):
            return False
        equity = account.equity
        if stakes.leverage != _NOTHING and (equity is None or not gross <= equity * stakes.leverage):
            return False
    return True
