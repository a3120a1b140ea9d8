"""One flat look at a plain order under everything that its limits have switched on (`plan`).

It says yes or "can't say", never no, like `clear` before it: what does not pass goes on to the table of checks. That
whatever passes is refused by no check is a law under test.
"""

from __future__ import annotations

from engine.domain.ticket import OrderTicket, Side
from engine.domain.view import MarketView
from engine.risk.account import Account
from engine.risk.exposure import Exposure
from engine.risk.outside import REAL_TIME, Outside
from engine.risk.plan import Plan
from engine.risk.pricing import ENOUGH
from engine.risk.recent import Latest, Recent

_BUY, _SELL = Side.BUY, Side.SELL


def passes(
    ticket: OrderTicket,
    exposure: Exposure,
    plan: Plan,
    view: MarketView,
    price: float,
    worst: float,
    buy: bool,
    level: float | None,
    units: float,
    money: float,
    now_ns: int,
    adds: float | None = None,
) -> bool:
    """Say whether every check that is switched on surely allows an order that `clear` has cleared.

    Args:
        price: The market's price in force, a finite number.
        worst: The dearest of the market's price and the order's.
        buy: Its side.
        level: Its limit price; None of a market order and of a stop.
        units: Its quantity.
        money: Of all units at the dearest price, in base currency; what a modification adds to that.
        adds: Units that a modification adds; None of a new order: all.
    """
    account = exposure.account
    assert account is not None
    size = abs(price)
    if (
        (plan.types is not None and ticket.order_type not in plan.types)
        or (plan.tifs is not None and ticket.tif not in plan.tifs)
        or (account.in_doubt and len(account.in_doubt) > plan.in_doubt)
    ):
        return False
    resting = plan.resting
    # What waits for a trigger meets another book than today's.
    if resting is not None and ticket.stop_price is None and resting.meets(_SELL if buy else _BUY, level):
        return False
    if plan.asks_quote:
        quote = view.quote(ticket.conid)
        if quote is None:
            return False
        bid, ask, shown = quote.bid, quote.ask, plan.displayed
        if (
            (shown is not None and not units <= (quote.ask_size if buy else quote.bid_size) * shown)
            or (plan.two_sided and not bid <= ask)
            or (plan.spread is not None and not ask - bid <= abs(bid + ask) * plan.spread)
        ):
            return False
    recent = plan.recent
    if recent is not None:
        if plan.walk is not None and level is not None:
            walk = recent.buys if buy else recent.sells
            sent = walk.sent
            if sent and sent[0][0] <= now_ns - plan.walk_ns:
                walk.forget(now_ns - plan.walk_ns)
            step = level - walk.last if buy else walk.last - level
            if (walk.total + step if step > 0.0 else walk.total) > size * plan.walk:
                return False
        factor = plan.factor
        # One that is like the last is within the range of all.
        if (
            factor is not None
            and not (
                units <= recent.size * factor
                and (level is None or (recent.level <= level * factor and level <= recent.level * factor))
            )
            and not _usual(recent, factor, units, level)
        ):
            return False
    for most in plan.sums:
        purse = most.purse
        if not purse.notional + money <= most.notional or (purse.sent >= most.until and not most.counts_anew(now_ns)):
            return False
    outside = plan.outside
    if outside is not None and not _vouched(ticket, exposure, plan, outside, buy, units, money, now_ns):
        return False
    if adds is None:
        adds = units
    return all(lines.leaves(view, ticket.conid, size, worst, adds, buy) for lines in plan.stakes)


def _usual(recent: Recent, factor: float, units: float, level: float | None) -> bool:
    """Whether an order is within the range of what was sent lately."""
    if len(recent.quantities.figures) < ENOUGH:
        return True
    if units > recent.quantities.largest * factor:
        return False
    return level is None or near(recent.levels, factor, level)


def near(levels: Latest, factor: float, level: float) -> bool:
    """Whether a price is within the range of those sent lately, if there are any."""
    if not levels.figures:
        return True
    least = levels.least
    return least > 0.0 and least <= level * factor and level <= levels.largest * factor


def _vouched(
    ticket: OrderTicket,
    exposure: Exposure,
    plan: Plan,
    outside: Outside,
    buy: bool,
    units: float,
    money: float,
    now_ns: int,
) -> bool:
    """What the venue says of account and instrument."""
    account = exposure.account
    assert account is not None
    if (
        outside.down
        or outside.away
        or ticket.account != outside.account
        or (outside.strategies is not None and ticket.strategy not in outside.strategies)
        or (plan.live_data and not outside.availability.get(ticket.conid, "").startswith(REAL_TIME))
        or (not buy and plan.lending is not None and not plan.lending.allows(exposure.shorts(ticket), outside))
        or (not buy and plan.covers and account.options and account.short_options)
    ):
        return False
    if plan.asks_contract:
        contract = outside.contracts.get(ticket.conid)
        if contract is not None and (contract.order_types is not None or contract.tifs is not None):
            return False
    dated = plan.dated
    if dated is not None and not dated.allows(ticket, exposure, outside.contracts, buy, units, now_ns):
        return False
    if not affords(plan, account, outside, money, buy, now_ns):
        return False
    return plan.cushion is None or (money <= plan.what_if and ticket.coid not in outside.what_if)


def affords(plan: Plan, account: Account, outside: Outside, money: float, buy: bool, now_ns: int) -> bool:
    """Whether the account can pay so much more than what was sent since its last summary."""
    summary = outside.summary  # a session's limits always ask for it: they have a cushion
    if summary is None:
        return False
    if summary is not plan.summary:
        plan.look_at(summary)
    if now_ns > plan.summary_until_ns:
        return False
    spent = account.spent
    if spent and spent[0][0] <= summary.ts_ns:
        account.spent_since(summary.ts_ns)
    return money + account.spent_in_all <= (plan.room_to_buy if buy else plan.room_to_sell)
