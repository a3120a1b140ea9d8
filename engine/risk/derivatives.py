"""Checks on options, futures and combos: R33, R34, R35. Contract facts come from the venue; unknown means no."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import gcd
from typing import Final

from engine.domain.instrument import SecType
from engine.domain.messages import Refusal
from engine.domain.moments import NS_PER_DAY
from engine.domain.ticket import OrderTicket, Side
from engine.risk import legs
from engine.risk.account import Account
from engine.risk.covering import OPTIONS, bared, identified
from engine.risk.exposure import Exposure, MarketNow
from engine.risk.limits import Bounds
from engine.risk.outside import Contract

_ZERO: Final = Decimal(0)
_BUY: Final = Side.BUY


def _contract(exposure: Exposure) -> Contract | None:
    account = exposure.account
    if account is None or account.outside is None:
        return None
    return account.outside.contracts.get(exposure.instrument.conid)


def naked_short(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """NAKED: no sale leaves more short options of the account without cover; what covers them is in `covering`."""
    account = exposure.account
    if bounds.tightest.naked_short is not False or account is None or account.outside is None:
        return None  # a backtest knows no contract facts
    if ticket.side is _BUY and not exposure.legs:
        return None
    instrument = exposure.instrument
    symbol, of_option = instrument.symbol, instrument.sec_type in OPTIONS
    short = exposure.shorts(ticket) if of_option else _ZERO
    if short > _ZERO and not identified(_contract(exposure)):
        return Refusal("NAKED", "covered", "unknown", f"right, underlying or expiry of {symbol} is not known")
    found = bared(ticket, exposure)
    if found is None:
        return None
    units = found.units / instrument.multiplier
    if exposure.legs:
        sentence = f"{symbol} would leave {found.names} without cover"
        return Refusal("NAKED", "covered", f"{found.units} uncovered", sentence)
    if short > _ZERO:
        cover = max(short - units, _ZERO)
        return Refusal("NAKED", str(cover), str(short), f"{short} of {symbol} would be short, and {cover} are covered")
    sold = exposure.units[0].sells + exposure.more(ticket)
    most = sold - found.more / instrument.multiplier
    sentence = f"{sold} of {symbol} may be sold, and only {most} are not wanted to cover {found.names}"
    return Refusal("NAKED", str(most), str(sold), sentence)


def option_risk(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """DELTA, VEGA: of all options, at the worst case of this order's direction, in units of the underlying.

    Every open order that pushes the same way counts, and none that pushes back: it may never fill.
    """
    own, account = bounds.tightest, exposure.account
    options = exposure.legs or exposure.instrument.sec_type in OPTIONS
    if not options or (own.option_delta_max is None and own.option_vega_max is None):
        return None
    if account is None or account.outside is None:
        return None
    for code, most, total in option_sums(ticket, exposure, bounds):
        if isinstance(total, str):
            return Refusal(code, str(most), "unknown", f"the {code.lower()} of {total} is not known")
        adds = sum(units * (_each(account, conid, code) or _ZERO) for conid, units in _added(ticket, exposure).items())
        if total * adds > _ZERO and abs(total) > most and not exposure.reduces(ticket):
            sentence = f"the {code.lower()} of all options could be {total}"
            return Refusal(code, str(most), str(total), sentence)
    return None


def option_sums(ticket: OrderTicket, exposure: Exposure, bounds: Bounds) -> list[tuple[str, Decimal, Decimal | str]]:
    """DELTA and VEGA where limited: the limit, and the sum with this order at the worst case of its direction.

    The symbol of an option whose figure is not known stands instead of the sum.
    """
    own, account = bounds.tightest, exposure.account
    assert account is not None
    limits = (("DELTA", own.option_delta_max), ("VEGA", own.option_vega_max))
    added = _added(ticket, exposure)
    return [(code, most, _total(account, added, code)) for code, most in limits if most is not None]


def _added(ticket: OrderTicket, exposure: Exposure) -> dict[int, Decimal]:
    """Units of options that an order adds, sold ones below zero; those of a combo's legs, which trade together."""
    more = max(exposure.more(ticket), _ZERO) * ticket.side.sign
    if not exposure.legs:
        return {ticket.conid: more}
    return {leg.instrument.conid: more * ratio for ratio, leg in exposure.legs if leg.instrument.sec_type in OPTIONS}


def _total(account: Account, added: Mapping[int, Decimal], code: str) -> Decimal | str:
    adds = _ZERO
    for conid, more in added.items():
        each = _each(account, conid, code)
        if each is None:
            return account.instruments[conid].symbol
        adds += more * each
    total = adds
    for conid, units in account.units.items():
        instrument = account.instruments[conid]
        if instrument.sec_type not in OPTIONS or not (units.position or units.buys or units.sells):
            continue
        each = _each(account, conid, code)
        if each is None:
            return instrument.symbol
        pushing = units.buys if each * adds > _ZERO else -units.sells
        total += (units.position + pushing) * each
    return total


def _each(account: Account, conid: int, code: str) -> Decimal | None:
    """Delta or vega of one contract, in units of the underlying; None where it is not known."""
    assert account.outside is not None
    contract = account.outside.contracts.get(conid)
    each = None if contract is None else contract.delta if code == "DELTA" else contract.vega
    return None if each is None else each * account.instruments[conid].multiplier


def expiry(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """EXPIRY, EX_DATE: no option is opened in its last days; no call is sold short on the eve of its ex-date."""
    if exposure.legs:
        return legs.first_refusal(expiry, ticket, exposure, market)
    if exposure.instrument.sec_type not in OPTIONS or exposure.account is None or exposure.account.outside is None:
        return None
    days, contract, symbol = bounds.tightest.expiry_days_min, _contract(exposure), exposure.instrument.symbol
    if exposure.reduces(ticket):
        return None
    if days is not None:
        if contract is None or contract.expires_ns is None:
            return Refusal("EXPIRY", f"{days} d", "unknown", f"when {symbol} expires is not known")
        left = contract.expires_ns - market.now_ns
        if left < days * NS_PER_DAY:
            return Refusal(
                "EXPIRY", f"{days} d", f"{left / NS_PER_DAY:.2f} d", f"{symbol} expires in {left / NS_PER_DAY:.2f} days"
            )
    if bounds.tightest.naked_short is False and contract is not None and contract.ex_dividend_ns is not None:
        left = contract.ex_dividend_ns - market.now_ns
        if contract.right == "C" and 0 <= left < NS_PER_DAY and exposure.shorts(ticket) > _ZERO:
            return Refusal(
                "EX_DATE",
                "1 d",
                f"{left / NS_PER_DAY:.2f} d",
                f"a short call of {symbol} may be assigned for the dividend",
            )
    return None


def delivery(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """DELIVERY: no future is opened in the last days before its first notice or its last day of trading."""
    if exposure.legs:
        return legs.first_refusal(delivery, ticket, exposure, market)
    days = bounds.tightest.delivery_days_min
    if exposure.instrument.sec_type is not SecType.FUTURE or days is None or exposure.reduces(ticket):
        return None
    if exposure.account is None or exposure.account.outside is None:
        return None
    contract, symbol = _contract(exposure), exposure.instrument.symbol
    times = [] if contract is None else [ns for ns in (contract.expires_ns, contract.notice_ns) if ns is not None]
    if contract is None or contract.expires_ns is None:
        return Refusal("DELIVERY", f"{days} d", "unknown", f"the last day of trading in {symbol} is not known")
    left = min(times) - market.now_ns
    if left >= days * NS_PER_DAY:
        return None
    value = f"{left / NS_PER_DAY:.2f} d"
    return Refusal("DELIVERY", f"{days} d", value, f"{symbol} is delivered or ends in {left / NS_PER_DAY:.2f} days")


def combo(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Refusal | None:
    """RATIO, SIGN: a combo's legs are in lowest terms, and its limit has the sign of what its legs are worth."""
    if not exposure.legs or not bounds.tightest.combo_sanity:
        return None
    symbol = exposure.instrument.symbol
    shared = gcd(*(ratio for ratio, _ in exposure.legs))
    if shared != 1:
        ratios = ":".join(str(ratio) for ratio, _ in exposure.legs)
        return Refusal("RATIO", "lowest terms", ratios, f"the legs of {symbol}, {ratios}, have {shared} in common")
    price = market.price
    if price is None:
        return Refusal("NO_PRICE", "a price", "none", f"no price of {symbol} is known")
    limit = ticket.limit_price
    if limit is None or not limit or not price or (limit > 0) == (price > 0.0):
        return None
    if (limit < 0) == (ticket.side is _BUY):
        return None  # the better way: it asks to be paid where the market would have us pay
    return Refusal(
        "SIGN", f"the sign of {price:g}", str(limit), f"{symbol} is worth {price:g}, and the limit is {limit}"
    )
