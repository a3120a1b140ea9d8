"""What each check compares, its limit and its value, also where it allows: for `engine risk explain`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache
from math import isnan, nan
from typing import Any, Final

from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S, iso
from engine.domain.ticket import OrderTicket, Side
from engine.risk import checks, conduct, derivatives, pricing, sums, venueside
from engine.risk.account import ACCOUNT, Purse
from engine.risk.checks import Check
from engine.risk.covering import OPTIONS
from engine.risk.exposure import Exposure, Level, MarketNow, Tally
from engine.risk.limits import DRIFT_WINDOW_S, Bounds
from engine.risk.numbers import number
from engine.risk.outside import REAL_TIME, Outside, Summary
from engine.settings import Limits

Pair = tuple[str, str]
Figures = Callable[[OrderTicket, Exposure, MarketNow, Bounds], Pair]
OfVenue = Callable[[OrderTicket, Exposure, MarketNow, Bounds, Outside], Pair]
_ZERO: Final = Decimal(0)
_NONE: Final = "none"
_UNKNOWN: Final = "unknown"
WITHOUT_VENUE: Final[Pair] = _NONE, "no venue"
_iso: Final = lru_cache(maxsize=64)(iso)  # several checks tell the same moment


def _listed(names: Iterable[object] | None) -> str:
    return _NONE if names is None else ", ".join(map(str, names)) or _NONE


@lru_cache(maxsize=64)
def _sorted(names: frozenset[str]) -> str:
    return _listed(sorted(names))


def _percent(value: float) -> str:
    return _UNKNOWN if isnan(value) else f"{value:.2f} %"


def _part(some: float, of: float) -> str:
    return _percent(some / of * 100.0 if of else nan)


# --- what always holds -------------------------------------------------------------------------------------------


def _age(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    age_s = (market.now_ns - market.since_ns) / NS_PER_S
    return f"{bounds.quote_age_max_ns / NS_PER_S:g} s", f"{age_s:.3f} s"


def _collar(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    limit = f"{bounds.collar * 100:g} %"
    if ticket.limit_price is None or not market.price:
        return limit, "no limit price"
    worse = (float(ticket.limit_price) - market.price) * ticket.side.sign
    return limit, _part(worse, abs(market.price))


def _position(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    limit = None
    for most in bounds.position_max:
        if most is not None and (limit is None or most < limit):
            limit = most
    more = max(exposure.more(ticket), _ZERO)
    return str(limit), str(exposure.units[0].reach(ticket.side, more))


def _levels(levels: tuple[Level, ...], count: Callable[[Tally], int], more: int = 1) -> Pair:
    """Of several limits on numbers of orders the one with the least room, when there are so many more."""
    found: tuple[int, int] | None = None
    for tally, most, _ in levels:
        used = count(tally)
        if found is None or most - used < found[1] - found[0]:
            found = used, most
    return (_NONE, "") if found is None else (str(found[1]), str(found[0] + more))


def _hours(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    if not bounds.session_hours:
        return _NONE, _iso(market.now_ns)
    return "open" + (", outside regular hours too" if ticket.outside_rth else ""), _iso(market.now_ns)


def _warm(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    until_ns = exposure.warm_up_until_ns
    return _iso(until_ns) if until_ns else _NONE, _iso(market.now_ns)


# --- prices and sizes ----------------------------------------------------------------------------------------------


def _drift(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    own, account = bounds.tightest, exposure.account
    recent = None if account is None else account.latest(ticket.strategy, ticket.conid)
    limit = f"{own.price_drift_pct} %"
    if recent is None or ticket.limit_price is None or not market.price:
        return limit, _percent(0.0)
    window_ns = int((own.price_drift_window_s or DRIFT_WINDOW_S) * NS_PER_S)
    walked = recent.drift(ticket.side, number(ticket.limit_price), market.now_ns - window_ns)
    return limit, _part(walked, abs(market.price))


def _displayed(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    quote = None if market.view is None else market.view.quote(ticket.conid)
    shown = nan if quote is None else quote.ask_size if ticket.side is Side.BUY else quote.bid_size
    return f"{bounds.tightest.displayed_size_pct} %", _part(number(ticket.quantity), shown)


def _volume(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    own = bounds.tightest
    return f"{own.average_volume_pct} %", _part(number(ticket.quantity), float(own.average_volume or 0))


def _quote(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    most = bounds.tightest.spread_max_pct
    limit = "bid <= ask" if most is None else f"bid <= ask, {most} % apart"
    quote = None if market.view is None else market.view.quote(ticket.conid)
    return limit, _UNKNOWN if quote is None else f"{quote.bid:g} / {quote.ask:g}"


def own_range(ticket: OrderTicket, exposure: Exposure, bounds: Bounds) -> Pair:
    """Of R38; what it was compared with may have gone once the order counts, so who tells later asks for it before."""
    factor, account = bounds.tightest.range_factor, exposure.account
    recent = None if account is None else account.latest(ticket.strategy, ticket.conid)
    if recent is None or len(recent.quantities.figures) < pricing.ENOUGH:
        return f"{factor} times", "too few of late"
    return f"{recent.quantities.largest * float(factor or 0):g} units", str(ticket.quantity)


# --- sums -----------------------------------------------------------------------------------------------------------


def _tightest(
    exposure: Exposure, ticket: OrderTicket, market: MarketNow, bounds: Bounds, each: Callable[[Purse, Limits], Any]
) -> Pair:
    """Of several limits the one with the least room, as (limit, value after this order, unit)."""
    account = exposure.account
    assert account is not None
    found = [
        one
        for owner, limits in ((ACCOUNT, bounds.levels[0]), (ticket.strategy, bounds.levels[1]))
        for one in each(account.purse(owner, market.now_ns), limits)
        if one[0] is not None
    ]
    if not found:
        return _NONE, ""
    most, value, unit = min(found, key=lambda one: (float(one[0]) - float(one[1])) / (float(one[0]) or 1.0))
    return f"{most}{unit}", f"{value:.10g}{unit}"


def _messages(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    def each(purse: Purse, limits: Limits) -> Any:
        return [(limits.messages_per_minute_max, purse.in_minute(market.now_ns) + 1, "/min")]

    return _tightest(exposure, ticket, market, bounds, each)


def _throttle(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    def each(purse: Purse, limits: Limits) -> Any:
        return [(limits.orders_per_hour_max, purse.in_hour(market.now_ns) + 1, "/h")]

    return _tightest(exposure, ticket, market, bounds, each)


def _day(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    new = ticket.coid not in exposure.open

    def each(purse: Purse, limits: Limits) -> Any:
        more = sums.added_money(ticket, exposure, market)
        return [
            (limits.orders_per_day_max if new else None, purse.orders + 1, " orders"),
            (limits.messages_per_day_max, purse.messages + 1, " messages"),
            (limits.notional_per_day_max, purse.notional + more, ""),
        ]

    return _tightest(exposure, ticket, market, bounds, each)


def _staked(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    told = sums.told_sums(ticket, exposure, market, bounds)
    limits = "; ".join(f"{name.lower()} {most}" for name, most, _ in told)
    return limits or _NONE, "; ".join(f"{name.lower()} {value:.2f}" for name, _, value in told)


# --- who, what and with whom ----------------------------------------------------------------------------------------


def _allowed(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    own, instrument = bounds.tightest, exposure.instrument
    lists = [one for one in (own.allowed, own.exchanges) if one is not None]
    return "; ".join(_listed(one) for one in lists), f"{instrument.symbol} {instrument.exchange}".strip()


def _terms(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    own = bounds.tightest
    return f"{_listed(own.order_types)}; {_listed(own.tifs)}", f"{ticket.order_type}; {ticket.tif}"


def _doubt(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
    assert exposure.account is not None
    return str(bounds.tightest.in_doubt_max), str(len(exposure.account.in_doubt))


# --- the venue's word -----------------------------------------------------------------------------------------------


def _venue(figures: OfVenue) -> Figures:
    def told(ticket: OrderTicket, exposure: Exposure, market: MarketNow, bounds: Bounds) -> Pair:
        outside = None if exposure.account is None else exposure.account.outside
        return WITHOUT_VENUE if outside is None else figures(ticket, exposure, market, bounds, outside)

    return told


def _short(t: OrderTicket, e: Exposure, m: MarketNow, b: Bounds, outside: Outside) -> Pair:
    borrow = outside.borrow.get(t.conid)
    return _UNKNOWN if borrow is None else str(borrow.shares), str(max(e.shorts(t), _ZERO))


def _live(t: OrderTicket, e: Exposure, m: MarketNow, b: Bounds, outside: Outside) -> Pair:
    if not e.legs:
        return REAL_TIME, outside.availability.get(t.conid, _UNKNOWN) or _NONE
    return REAL_TIME, _listed(outside.availability.get(leg.instrument.conid, _UNKNOWN) for _, leg in e.legs)


def _spent(room: Callable[[Summary], Decimal | None]) -> OfVenue:
    def figures(t: OrderTicket, e: Exposure, m: MarketNow, b: Bounds, outside: Outside) -> Pair:
        summary = outside.summary
        if summary is None or e.account is None:
            return _UNKNOWN, ""
        total = sums.added_money(t, e, m) + e.account.spent_since(summary.ts_ns)
        return str(room(summary)), f"{total:.2f}"

    return figures


def _margin(t: OrderTicket, e: Exposure, m: MarketNow, b: Bounds, outside: Outside) -> Pair:
    told = venueside.margin_left(t, e, m, b, outside)
    return (_UNKNOWN, "") if told is None else (f"{told[0]:.2f}", f"{told[1]:.2f}")


def _days(name: str) -> OfVenue:
    def figures(t: OrderTicket, e: Exposure, m: MarketNow, b: Bounds, outside: Outside) -> Pair:
        contract, days = outside.contracts.get(t.conid), getattr(b.tightest, name)
        times = [] if contract is None else [ns for ns in (contract.expires_ns, contract.notice_ns) if ns is not None]
        left = f"{(min(times) - m.now_ns) / NS_PER_DAY:.2f} d" if times else _UNKNOWN
        return _NONE if days is None else f"{days} d", left

    return figures


def _option_sums(t: OrderTicket, e: Exposure, m: MarketNow, b: Bounds, outside: Outside) -> Pair:
    told = derivatives.option_sums(t, e, b)
    return "; ".join(f"{name.lower()} {most}" for name, most, _ in told), "; ".join(str(total) for *_, total in told)


def _naked(t: OrderTicket, e: Exposure, m: MarketNow, b: Bounds) -> Pair:
    of_option = e.instrument.sec_type in OPTIONS
    return "covered", f"{max(e.shorts(t), _ZERO)} short" if of_option else "nothing uncovered"


# Figures out of what the venue said last, if there is one.
OF_VENUE: Final[dict[Check, OfVenue]] = {
    venueside.short_availability: _short,
    venueside.day_trades: lambda t, e, m, b, o: (
        f"more than {b.tightest.day_trades_max}",
        _UNKNOWN if o.summary is None else str(o.summary.day_trades_left),
    ),
    venueside.settled_cash: _spent(lambda summary: summary.settled_cash),
    venueside.live_data: _live,
    venueside.session_up: lambda t, e, m, b, o: ("a primed session", o.down or o.away or "up"),
    venueside.margin: _margin,
    venueside.buying_power: _spent(lambda summary: summary.buying_power),
    venueside.account_guard: lambda t, e, m, b, o: (o.account or _UNKNOWN, t.account),
    venueside.known_strategy: lambda t, e, m, b, o: (
        _NONE if o.strategies is None else _sorted(o.strategies),
        t.strategy,
    ),
    derivatives.option_risk: _option_sums,
    derivatives.expiry: _days("expiry_days_min"),
    derivatives.delivery: _days("delivery_days_min"),
}
# Figures that are alike for every order of an exposure, until its limits change.
STEADY: Final[dict[Check, Figures]] = {
    checks.restricted: lambda t, e, m, b: ("not restricted", e.instrument.symbol),
    checks.duplicate: lambda t, e, m, b: (f"{b.duplicate_window_ns / NS_PER_S:g} s", "none like it"),
    conduct.allow_list: _allowed,
    conduct.self_trade: lambda t, e, m, b: ("no own order across", _NONE),
    derivatives.combo: lambda t, e, m, b: ("lowest terms", ":".join(str(ratio) for ratio, _ in e.legs)),
}
FIGURES: Final[dict[Check, Figures]] = {
    **STEADY,
    **{check: _venue(figures) for check, figures in OF_VENUE.items()},
    checks.warm_up: _warm,
    checks.order_quantity: lambda t, e, m, b: (str(b.quantity_max), str(t.quantity)),
    checks.tick_and_lot: lambda t, e, m, b: (
        f"{e.instrument.price_ticks[0].tick}, {e.instrument.size_increment}",
        f"{'no price' if t.limit_price is None else t.limit_price}, {t.quantity}",
    ),
    checks.session_hours: _hours,
    checks.stale_quote: _age,
    checks.order_notional: lambda t, e, m, b: (str(b.notional_max), f"{sums.worst_money(t, e, m):.2f}"),
    checks.price_collar: _collar,
    checks.position: _position,
    checks.open_orders: lambda t, e, m, b: _levels(e.open_levels, lambda tally: tally.open),
    checks.order_rate: lambda t, e, m, b: _levels(e.rate_levels, lambda tally: tally.in_last(NS_PER_MINUTE, m.now_ns)),
    pricing.price_drift: _drift,
    pricing.displayed_size: _displayed,
    pricing.average_volume: _volume,
    pricing.sound_quote: _quote,
    pricing.own_range: lambda t, e, m, b: own_range(t, e, b),
    sums.message_rate: _messages,
    sums.throttle: _throttle,
    sums.day_sums: _day,
    sums.money_at_stake: _staked,
    conduct.no_short: lambda t, e, m, b: (_listed(b.tightest.no_short), str(max(e.shorts(t), _ZERO))),
    conduct.blackout: lambda t, e, m, b: (_listed(b.tightest.blackouts), _iso(m.now_ns)),
    conduct.terms_allowed: _terms,
    conduct.in_doubt: _doubt,
    derivatives.naked_short: _naked,
}
# The same where the order has been taken and counts already. What compares a sum with the order's own part in it needs
# nothing else: an order that is open adds nothing more.
TAKEN: Final[dict[Check, Figures]] = {
    checks.open_orders: lambda t, e, m, b: _levels(e.open_levels, lambda tally: tally.open, 0),
    checks.order_rate: lambda t, e, m, b: _levels(
        e.rate_levels, lambda tally: tally.in_last(NS_PER_MINUTE, m.now_ns), 0
    ),
}
# Of these nothing can be told once the order counts: they are asked before.
BEFORE: Final[frozenset[Check]] = frozenset(
    {
        pricing.price_drift,
        sums.message_rate,
        sums.throttle,
        sums.day_sums,
        sums.money_at_stake,
        derivatives.option_risk,
    }
)
