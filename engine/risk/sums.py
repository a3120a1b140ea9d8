"""Checks on sums: messages and orders over time, money at stake over instruments: R8, R9, R11, R45."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from math import nan
from typing import Final

from engine.domain.messages import Refusal
from engine.domain.ticket import OrderTicket, Side
from engine.risk import legs
from engine.risk.account import ACCOUNT, Account, Purse
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.limits import LEVELS, Bounds
from engine.risk.numbers import BLUR, number
from engine.risk.stakes import Added, Stake, shared, stakes
from engine.settings import Limits

_ZERO: Final = Decimal(0)


def _purses(account: Account, strategy: str, now_ns: int) -> Iterator[tuple[Purse, int]]:
    yield account.purse(ACCOUNT, now_ns), 0
    yield account.purse(strategy, now_ns), 1


def worst_money(ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> float:
    """Money of one order in base currency at the worse of its own price and the market's; NaN where unknown.

    A combo is worth no less than its legs together.
    """
    money = number(ticket.quantity) * worst_price(ticket, market) * exposure.unit_value
    if not exposure.legs:
        return money
    of_legs = legs.worth(exposure, market)
    return nan if of_legs is None else max(money, number(ticket.quantity) * float(of_legs))


def added_money(ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> float:
    """Money that a ticket adds: of a new order all of it, of a modification what it is worth more than before.

    NaN where unknown.
    """
    known = exposure.open.get(ticket.coid)
    money = worst_money(ticket, exposure, market)
    if known is None or money != money:
        return money
    before = worst_money(known.ticket, exposure, market)
    if known.wanted is not None:  # one that is in flight has been counted
        before = max(before, worst_money(known.wanted, exposure, market))
    return max(money - before, 0.0)


def worst_price(ticket: OrderTicket, market: MarketNow) -> float:
    """The dearest of an order's own prices and the market's; NaN where nothing is known."""
    return dearest(ticket, nan if market.price is None else abs(market.price))


def dearest(ticket: OrderTicket, size: float) -> float:
    """The dearest of an order's own prices and another, all without their signs; NaN beside one that is unknown."""
    worst = size
    limit, stop = ticket.limit_price, ticket.stop_price
    if limit is not None:
        worst = max(worst, abs(number(limit)))
    return worst if stop is None else max(worst, abs(number(stop)))


def dearest_price(ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> float:
    """The dearest price at which an order may trade: a modification's, or that of what it modifies; NaN if unknown."""
    worst = worst_price(ticket, market)
    known = exposure.open.get(ticket.coid)
    if known is None:
        return worst
    worst = max(worst, worst_price(known.ticket, market))
    return worst if known.wanted is None else max(worst, worst_price(known.wanted, market))


def message_rate(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """MESSAGES: orders, modifications and cancels within any minute; a cancel is counted and never refused."""
    assert exposure.account is not None
    for purse, at in _purses(exposure.account, ticket.strategy, market.now_ns):
        most = bounds.levels[at].messages_per_minute_max
        if most is not None and purse.in_minute(market.now_ns) >= most:
            sentence = f"{LEVELS[at]} has sent {most} messages within a minute, as many as are allowed"
            return Refusal("MESSAGES", f"{most}/min", f"{most + 1}/min", sentence)
    return None


def throttle(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """THROTTLE: new orders within any hour; at the limit the strategy is latched until a person resumes.

    What only makes positions smaller passes.
    """
    assert exposure.account is not None
    for purse, at in _purses(exposure.account, ticket.strategy, market.now_ns):
        most = bounds.levels[at].orders_per_hour_max
        if most is not None and purse.in_hour(market.now_ns) >= most and not exposure.reduces(ticket):
            sentence = f"{LEVELS[at]} has sent {most} orders within an hour; a person has to look and resume"
            return Refusal("THROTTLE", f"{most}/h", f"{most + 1}/h", sentence)
    return None


def day_sums(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """DAY: orders, messages and money of one day."""
    assert exposure.account is not None
    new = ticket.coid not in exposure.open
    for purse, at in _purses(exposure.account, ticket.strategy, market.now_ns):
        limits = bounds.levels[at]
        for name, used, most in (
            ("orders", purse.orders, limits.orders_per_day_max if new else None),
            ("messages", purse.messages, limits.messages_per_day_max),
        ):
            if most is not None and used >= most:
                sentence = f"{LEVELS[at]} has sent {most} {name} today, as many as are allowed"
                return Refusal("DAY", f"{most} {name}", str(used + 1), sentence)
        money = limits.notional_per_day_max
        if money is None:
            continue
        more = added_money(ticket, exposure, market)
        if not new and more == 0.0:
            continue
        if more != more:
            return _unknown(exposure.instrument.symbol)
        if purse.notional + more > float(money) * (1.0 + BLUR):
            total = purse.notional + more
            sentence = f"{LEVELS[at]} would have sent orders worth {total:.2f} today, above {money}"
            return Refusal("DAY", str(money), f"{total:.2f}", sentence)
    return None


def money_at_stake(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """GROSS, NET, SECTOR, CURRENCY, LEVERAGE: the worst case over all instruments, of the account and the strategy.

    What does not raise a sum passes.
    """
    account = exposure.account
    assert account is not None
    more = exposure.more(ticket)
    raises = more > _ZERO or exposure.legs or ticket.oca_group is not None or _dearer(ticket, exposure, market)
    if market.view is None or not raises:
        return None
    mine = adds(ticket, exposure, market, max(more, _ZERO))
    for at, owner in ((0, None), (1, ticket.strategy)):
        limits = bounds.levels[at]
        limited = (limits.gross_max, limits.net_max, limits.sector_max, limits.currency_max, limits.leverage_max)
        if limited == (None, None, None, None, None):
            continue
        after = stakes(account, market.view, mine, owner)
        if isinstance(after, int):
            return _unknown(account.instruments[after].symbol)
        over = _over(account, ticket, exposure, limits, after, mine, owner)
        if not over:
            continue
        before = stakes(account, market.view, {}, owner)
        known = {} if isinstance(before, int) else _sums(account, ticket, exposure, limits, before, {}, owner)
        for code, most, value in over:
            if code not in known or value > known[code]:
                return _told(account, code, most, value, LEVELS[at])
    return None


def _dearer(ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> bool:
    """Whether an order names a price above all that its strategy, or the account, has reserved here."""
    if not exposure.counts(ticket):
        return False
    worst = dearest_price(ticket, exposure, market)
    return any(worst > units.top for units in exposure.units)


_CODES: Final = {"NET LONG": "NET", "NET SHORT": "NET"}


def _over(
    account: Account,
    ticket: OrderTicket,
    exposure: Exposure,
    limits: Limits,
    after: Mapping[int, Stake],
    mine: Mapping[int, Added],
    owner: str | None,
) -> list[tuple[str, Decimal, float]]:
    """The sums above their limit: name, limit and value."""
    found = []
    most = _limits(limits)
    sums = _sums(account, ticket, exposure, limits, after, mine, owner)
    for name, value in sums.items():
        limit = most.get(name)
        if limit is not None and value > float(limit) * (1.0 + BLUR):
            found.append((name, limit, value))
    if limits.leverage_max is not None:
        equity = account.equity
        room = -1.0 if equity is None else max(equity, 0.0) * float(limits.leverage_max) * (1.0 + BLUR)
        if sums["LEVERAGE"] > room:
            found.append(("LEVERAGE", limits.leverage_max, sums["LEVERAGE"]))
    return found


def _limits(limits: Limits) -> dict[str, Decimal | None]:
    return {
        "GROSS": limits.gross_max,
        "NET LONG": limits.net_max,
        "NET SHORT": limits.net_max,
        "SECTOR": limits.sector_max,
        "CURRENCY": limits.currency_max,
    }


def told_sums(
    ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds
) -> list[tuple[str, Decimal, float]]:
    """Each sum that has a limit, of the account and the strategy: its name, the limit, and the value with this order.

    Leverage is told as a ratio. What can't be worked out, because a price or a rate is not known, is left out.
    """
    account, view = exposure.account, market.view
    assert account is not None
    mine = adds(ticket, exposure, market, max(exposure.more(ticket), _ZERO))
    found: list[tuple[str, Decimal, float]] = []
    for at, owner in ((0, None), (1, ticket.strategy)):
        limits = bounds.levels[at]
        after = None if view is None else stakes(account, view, mine, owner)
        if after is None or isinstance(after, int):
            continue
        values, most = _sums(account, ticket, exposure, limits, after, mine, owner), _limits(limits)
        found += [(name, limit, values[name]) for name, limit in most.items() if limit is not None]
        if limits.leverage_max is not None and account.equity:
            found.append(("LEVERAGE", limits.leverage_max, values["LEVERAGE"] / account.equity))
    return found


def _told(account: Account, name: str, most: Decimal, value: float, level: str) -> Refusal:
    if name == "LEVERAGE":
        return _leverage(account, value, most, level)
    code = _CODES.get(name, name)
    sentence = f"{code.lower()} of {level} could reach {value:.2f}, above {most}"
    return Refusal(code, str(most), f"{value:.2f}", sentence)


def adds(ticket: OrderTicket, exposure: Exposure, market: MarketNow, more: Decimal) -> dict[int, Added]:
    """What an order adds, by conid; of a combo, its legs at the market's prices."""
    buy = ticket.side is Side.BUY
    if not exposure.legs:
        price = dearest_price(ticket, exposure, market)
        return {ticket.conid: (more, _ZERO, price) if buy else (_ZERO, more, price)}
    found: dict[int, Added] = {}
    for ratio, leg in exposure.legs:
        units = more * abs(ratio)
        found[leg.instrument.conid] = (units, _ZERO, 0.0) if (ratio > 0) == buy else (_ZERO, units, 0.0)
    return found


def _sums(
    account: Account,
    ticket: OrderTicket,
    exposure: Exposure,
    limits: Limits,
    found: Mapping[int, Stake],
    mine: Mapping[int, Added],
    owner: str | None,
) -> dict[str, float]:
    """The sums that have a limit; leverage as the money that it is of."""
    group = None if ticket.oca_group is None else account.joining.get(ticket.oca_group)
    joins = None if group is None else (group, mine)
    instrument, instruments = exposure.instrument, account.instruments

    def total(conids: Iterable[int], side: Side | None = None) -> float:
        of = list(conids)
        money = sum(found[conid].worst if side is None else found[conid].side(side) for conid in of)
        return money - shared(account, found, of, owner, side, joins) if account.groups else money

    sums: dict[str, float] = {}
    if limits.gross_max is not None or limits.leverage_max is not None:
        sums["GROSS"] = sums["LEVERAGE"] = total(found)
    if limits.net_max is not None:
        sums["NET LONG"], sums["NET SHORT"] = total(found, Side.BUY), total(found, Side.SELL)
    if limits.sector_max is not None:
        sector = account.sectors.get(instrument.symbol)
        sums["SECTOR"] = total(of for of in found if account.sectors.get(instruments[of].symbol) == sector)
    if limits.currency_max is not None:
        sums["CURRENCY"] = total(of for of in found if instruments[of].currency == instrument.currency)
    return sums


def _leverage(account: Account, gross: float, most: Decimal, level: str) -> Refusal:
    equity = account.equity
    if equity is None:
        return Refusal("LEVERAGE", str(most), "unknown", "what the account is worth is not known")
    value = gross / equity if equity > 0.0 else float("inf")
    sentence = f"{level} could hold {value:.2f} times what the account is worth, above {most}"
    return Refusal("LEVERAGE", str(most), f"{value:.2f}", sentence)


def _unknown(symbol: str) -> Refusal:
    return Refusal("NO_PRICE", "a price", "none", f"no price of {symbol} is known")
