"""Checks on sums: messages and orders over time, money at stake over instruments: R8, R9, R11, R45."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from engine.domain.messages import Refusal
from engine.domain.ticket import OrderTicket, Side
from engine.risk.account import ACCOUNT, Account, Added, Purse
from engine.risk.checks import BLUR
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.limits import LEVELS, Bounds
from engine.settings import Limits

_ZERO: Final = Decimal(0)


def _purses(account: Account, strategy: str, now_ns: int) -> Iterator[tuple[Purse, int]]:
    yield account.purse(ACCOUNT, now_ns), 0
    yield account.purse(strategy, now_ns), 1


def worst_money(ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> float:
    """Money of one order in base currency at the worse of its own price and the market's; NaN where unknown."""
    return float(ticket.quantity) * worst_price(ticket, market) * exposure.unit_value


def added_money(ticket: OrderTicket, exposure: Exposure, market: MarketNow) -> float:
    """Money that a ticket adds: of a new order all of it, of a modification what it is worth more than before."""
    known = exposure.open.get(ticket.coid)
    money = worst_money(ticket, exposure, market)
    return money if known is None else max(money - worst_money(known.ticket, exposure, market), 0.0)


def worst_price(ticket: OrderTicket, market: MarketNow) -> float:
    """The dearest of an order's own prices and the market's; NaN where nothing is known."""
    worst = float("nan") if market.price is None else abs(market.price)
    for own in (ticket.limit_price, ticket.stop_price):
        if own is not None:
            worst = max(worst, abs(float(own)))
    return worst


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
    """THROTTLE: new orders within any hour; at the limit the strategy is latched until a person resumes."""
    assert exposure.account is not None
    for purse, at in _purses(exposure.account, ticket.strategy, market.now_ns):
        most = bounds.levels[at].orders_per_hour_max
        if most is not None and purse.in_hour(market.now_ns) >= most:
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
        if money is None or not new:
            continue
        more = worst_money(ticket, exposure, market)
        if more != more:
            return _unknown(exposure.instrument.symbol)
        if purse.notional + more > float(money) * (1.0 + BLUR):
            total = purse.notional + more
            sentence = f"{LEVELS[at]} would have sent orders worth {total:.2f} today, above {money}"
            return Refusal("DAY", str(money), f"{total:.2f}", sentence)
    return None


def money_at_stake(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """GROSS, NET, SECTOR, CURRENCY, LEVERAGE: the worst case over all instruments, of the account and the strategy.

    What does not raise the worst case passes.
    """
    account = exposure.account
    assert account is not None
    more = exposure.more(ticket)
    if more <= _ZERO or market.view is None:
        return None
    mine = adds(ticket, exposure, market, more)
    for at, owner in ((0, None), (1, ticket.strategy)):
        limits = bounds.levels[at]
        limited = (limits.gross_max, limits.net_max, limits.sector_max, limits.currency_max, limits.leverage_max)
        if limited == (None, None, None, None, None):
            continue
        after = account.stakes(market.view, mine, owner)
        if isinstance(after, int):
            return _unknown(account.instruments[after].symbol)
        refusal = _over(account, after, exposure, limits, at)
        if refusal is None:
            continue
        before = account.stakes(market.view, {}, owner)
        if isinstance(before, int) or any(abs(after.get(of, 0.0)) > abs(before.get(of, 0.0)) for of in mine):
            return refusal
    return None


def _over(account: Account, after: dict[int, float], exposure: Exposure, limits: Limits, at: int) -> Refusal | None:
    """The first sum above its limit."""
    for code, most, value in _sums(account, after, exposure, limits):
        if most is not None and value > float(most) * (1.0 + BLUR):
            sentence = f"{code.lower()} of {LEVELS[at]} could reach {value:.2f}, above {most}"
            return Refusal(code, str(most), f"{value:.2f}", sentence)
    if limits.leverage_max is None:
        return None
    return _leverage(account, sum(map(abs, after.values())), limits.leverage_max, LEVELS[at])


def adds(ticket: OrderTicket, exposure: Exposure, market: MarketNow, more: Decimal) -> dict[int, Added]:
    """What an order adds, by conid; of a combo, its legs at the market's prices."""
    buy = ticket.side is Side.BUY
    if not exposure.legs:
        price = worst_price(ticket, market)
        return {ticket.conid: (more, _ZERO, price) if buy else (_ZERO, more, price)}
    found: dict[int, Added] = {}
    for ratio, leg in exposure.legs:
        units = more * abs(ratio)
        found[leg.instrument.conid] = (units, _ZERO, 0.0) if (ratio > 0) == buy else (_ZERO, units, 0.0)
    return found


def _sums(
    account: Account, after: dict[int, float], exposure: Exposure, limits: Limits
) -> Iterator[tuple[str, Decimal | None, float]]:
    instrument = exposure.instrument
    yield "GROSS", limits.gross_max, sum(map(abs, after.values()))
    yield "NET", limits.net_max, abs(sum(after.values()))
    sector = account.sectors.get(instrument.symbol)
    most = limits.sector_max
    if most is not None:
        mine = [
            abs(money)
            for conid, money in after.items()
            if account.sectors.get(account.instruments[conid].symbol) == sector
        ]
        yield "SECTOR", most, sum(mine)
    most = limits.currency_max
    if most is not None:
        same = [
            abs(money) for conid, money in after.items() if account.instruments[conid].currency == instrument.currency
        ]
        yield "CURRENCY", most, sum(same)


def _leverage(account: Account, gross: float, most: Decimal, level: str) -> Refusal | None:
    equity = account.equity
    if equity is None:
        return Refusal("LEVERAGE", str(most), "unknown", "what the account is worth is not known")
    if gross <= max(equity, 0.0) * float(most) * (1.0 + BLUR):
        return None
    value = gross / equity if equity > 0.0 else float("inf")
    sentence = f"{level} could hold {value:.2f} times what the account is worth, above {most}"
    return Refusal("LEVERAGE", str(most), f"{value:.2f}", sentence)


def _unknown(symbol: str) -> Refusal:
    return Refusal("NO_PRICE", "a price", "none", f"no price of {symbol} is known")
