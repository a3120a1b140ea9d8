"""Checks that need the venue's word on the account: R23, R24, R26, R28, R31, R32, R36, R37.

They ask only where a session exists. What lowers risk passes all but the account's own identity: a missing summary must
not keep anybody in a position.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from engine.domain.instrument import SecType
from engine.domain.messages import Refusal
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import OrderTicket, Side
from engine.risk import legs
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.limits import Bounds
from engine.risk.numbers import BLUR
from engine.risk.outside import REAL_TIME, Outside, Summary
from engine.risk.sums import added_money

_ZERO: Final = Decimal(0)
_BUY: Final = Side.BUY
# Part of an order's money that counts as its initial margin until a preview says better. Regulation T: half of a stock.
MARGIN_PART: Final = {SecType.STOCK: 0.5, SecType.CASH: 0.05, SecType.CRYPTO: 1.0}


def _outside(exposure: Exposure) -> Outside | None:
    return None if exposure.account is None else exposure.account.outside


def account_guard(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """ACCOUNT: the ticket names the account that the session trades."""
    outside = _outside(exposure)
    if outside is None:
        return None
    if outside.account is None:
        return Refusal("ACCOUNT", "a known account", "unknown", "the session has not said which account it trades")
    if ticket.account == outside.account:
        return None
    sentence = f"the ticket is for {ticket.account}, and the session trades {outside.account}"
    return Refusal("ACCOUNT", outside.account, ticket.account, sentence)


def known_strategy(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """STRATEGY: whoever trades is one of those that the configuration lets trade."""
    outside = _outside(exposure)
    if outside is None or outside.strategies is None or ticket.strategy in outside.strategies:
        return None
    sentence = f"{ticket.strategy} is not among the strategies that may trade here"
    return Refusal("STRATEGY", ", ".join(sorted(outside.strategies)), ticket.strategy, sentence)


def session_up(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """NOT_READY: the session is primed; in a known window of maintenance only what lowers risk is sent."""
    outside = _outside(exposure)
    if outside is None:
        return None
    if outside.down:
        return Refusal("NOT_READY", "a primed session", "not ready", outside.down)
    if outside.away and not exposure.reduces(ticket):
        return Refusal("NOT_READY", "no maintenance", "maintenance", outside.away)
    return None


def _summary(outside: Outside, market: MarketNow, bounds: Bounds) -> tuple[Summary | None, str]:
    """The account summary, or why it is of no use: unknown, or older than is allowed."""
    found, most = outside.summary, bounds.tightest.summary_age_max_s
    if found is None:
        return None, "unknown"
    age_ns = market.now_ns - found.ts_ns
    if most is not None and age_ns > most * NS_PER_S:
        return None, f"{age_ns / NS_PER_S:.0f} s old"
    return found, ""


def live_data(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """NOT_LIVE: delayed or frozen data (field 6509) drive no order."""
    outside = _outside(exposure)
    if outside is None or not bounds.tightest.live_data or exposure.reduces(ticket):
        return None
    conids = [leg.instrument.conid for _, leg in exposure.legs] or [ticket.conid]
    for conid in conids:
        said = outside.availability.get(conid, "")
        if not said.startswith(REAL_TIME):
            sentence = f"market data of {exposure.instrument.symbol} are not in real time, but {said or 'unknown'!r}"
            return Refusal("NOT_LIVE", REAL_TIME, said or "unknown", sentence)
    return None


def short_availability(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """SHORT: shares to borrow are there, at a fee that is allowed; what is not known is not there."""
    outside = _outside(exposure)
    own = bounds.tightest
    if exposure.legs:
        return legs.first_refusal(short_availability, ticket, exposure, market)
    if outside is None or exposure.instrument.sec_type is not SecType.STOCK:
        return None
    if not own.short_availability and own.borrow_fee_max_pct is None:
        return None
    short = exposure.shorts(ticket)
    if short <= _ZERO:
        return None
    symbol, borrow = exposure.instrument.symbol, outside.borrow.get(ticket.conid)
    if borrow is None:
        sentence = f"how many shares of {symbol} can be borrowed is not known"
        return Refusal("SHORT", str(short), "unknown", sentence)
    if own.short_availability and short > borrow.shares:
        sentence = f"{short} shares of {symbol} would be short, and {borrow.shares} can be borrowed"
        return Refusal("SHORT", str(borrow.shares), str(short), sentence)
    most = own.borrow_fee_max_pct
    if most is not None and (borrow.fee_pct is None or borrow.fee_pct > most):
        value = "unknown" if borrow.fee_pct is None else f"{borrow.fee_pct} %"
        return Refusal("SHORT", f"{most} %", value, f"borrowing {symbol} costs {value} a year, above {most} %")
    return None


def day_trades(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """DAY_TRADES: no position is opened that could not be closed today: the way out is never refused."""
    outside, least = _outside(exposure), bounds.tightest.day_trades_max
    if outside is None or least is None or exposure.reduces(ticket):
        return None
    summary, why = _summary(outside, market, bounds)
    left = None if summary is None else summary.day_trades_left
    if left is None:
        return Refusal("DAY_TRADES", str(least), why or "unknown", "how many day trades are left is not known")
    if left < 0 or left > least:  # the venue says -1 where there is no bound
        return None
    sentence = f"{left} day trades are left, and {least} are kept back for getting out"
    return Refusal("DAY_TRADES", f"more than {least}", str(left), sentence)


def settled_cash(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """SETTLED: a cash account buys with settled cash, what is reserved by open orders taken off."""
    outside = _outside(exposure)
    if outside is None or not bounds.tightest.settled_cash or ticket.side is not _BUY or exposure.reduces(ticket):
        return None
    summary, why = _summary(outside, market, bounds)
    if summary is None or summary.settled_cash is None:
        return Refusal("SETTLED", "settled cash", why or "unknown", "how much cash is settled is not known")
    return _affords("SETTLED", "settled cash", summary.settled_cash, summary, ticket, exposure, market)


def buying_power(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """BUYING_POWER: the account summary says that the order can be paid, those sent since it counted."""
    outside = _outside(exposure)
    if outside is None or not bounds.tightest.buying_power or exposure.reduces(ticket):
        return None
    summary, why = _summary(outside, market, bounds)
    if summary is None or summary.buying_power is None:
        sentence = "the buying power of the account is not known"
        return Refusal("BUYING_POWER", "buying power", why or "unknown", sentence)
    refusal = _affords("BUYING_POWER", "buying power", summary.buying_power, summary, ticket, exposure, market)
    if refusal is not None or not summary.cash_account or ticket.side is not _BUY:
        return refusal
    currency = exposure.instrument.currency
    cash = None if summary.cash is None else summary.cash.get(currency)
    if cash is None:
        return Refusal("BUYING_POWER", f"cash in {currency}", "unknown", f"the account's cash in {currency} is unknown")
    assert exposure.rate is not None, "without it the order's worth would be unknown"
    return _affords("BUYING_POWER", f"cash in {currency}", cash * exposure.rate, summary, ticket, exposure, market)


def _affords(
    code: str,
    what: str,
    room: Decimal,
    summary: Summary,
    ticket: OrderTicket,
    exposure: Exposure,
    market: MarketNow,
) -> Refusal | None:
    assert exposure.account is not None
    money = added_money(ticket, exposure, market)
    if money != money:
        return Refusal(code, str(room), "unknown", "what the order is worth in base currency is not known")
    total = money + exposure.account.spent_since(summary.ts_ns)
    if total <= float(room) * (1.0 + BLUR):
        return None
    sentence = f"orders since the last account summary, with this one, are worth {total:.2f}, above {what} of {room}"
    return Refusal(code, str(room), f"{total:.2f}", sentence)


def margin(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """MARGIN, WHAT_IF: excess liquidity stays above the cushion; above a size only a preview of the venue's will do."""
    outside, own = _outside(exposure), bounds.tightest
    if outside is None or own.margin_cushion_pct is None or exposure.reduces(ticket):
        return None
    assert exposure.account is not None
    summary, why = _summary(outside, market, bounds)
    if summary is None or summary.excess_liquidity is None or summary.net_liquidation is None:
        sentence = "the account's excess liquidity is not known"
        return Refusal("MARGIN", f"{own.margin_cushion_pct} %", why or "unknown", sentence)
    money = added_money(ticket, exposure, market)
    told = _preview(ticket, exposure, outside)
    if told is None and own.what_if_above is not None and not money <= float(own.what_if_above):
        sentence = f"above {own.what_if_above} the venue's preview of the margin is wanted first"
        return Refusal("WHAT_IF", str(own.what_if_above), f"{money:.2f}", sentence)
    found = margin_left(ticket, exposure, market, bounds, outside)
    assert found is not None, "excess liquidity and worth are known"
    cushion, left = found
    if left >= cushion - abs(cushion) * BLUR:
        return None
    sentence = f"excess liquidity could fall to {left:.2f}, below the cushion of {cushion:.2f}"
    return Refusal("MARGIN", f"{cushion:.2f}", f"{left:.2f}", sentence)


def margin_left(
    ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds, outside: Outside
) -> tuple[float, float] | None:
    """The cushion, and the excess liquidity that this order leaves; None where the account summary does not tell."""
    summary, percent = outside.summary, bounds.tightest.margin_cushion_pct
    if summary is None or summary.excess_liquidity is None or summary.net_liquidation is None or percent is None:
        return None
    assert exposure.account is not None
    told, part = _preview(ticket, exposure, outside), _margin_part(exposure)
    own = added_money(ticket, exposure, market) * part if told is None else float(told)
    need = own + exposure.account.spent_since(summary.ts_ns) * part
    return float(summary.net_liquidation) * float(percent) / 100.0, float(summary.excess_liquidity) - need


def previewed_money(ticket: OrderTicket, exposure: Exposure) -> float:
    """Money of a new order whose estimated margin is what the venue's preview has told; 0 without a preview."""
    outside = _outside(exposure)
    told = None if outside is None else _preview(ticket, exposure, outside)
    return 0.0 if told is None else float(told) / _margin_part(exposure)


def _margin_part(exposure: Exposure) -> float:
    if exposure.legs:
        return max(_margin_part(leg) for _, leg in exposure.legs)
    return MARGIN_PART.get(exposure.instrument.sec_type, 1.0)


def _preview(ticket: OrderTicket, exposure: Exposure, outside: Outside) -> Decimal | None:
    """The margin that a preview has told of a new order; of one that is open it speaks no more."""
    return None if ticket.coid in exposure.open else outside.what_if.get(ticket.coid)
