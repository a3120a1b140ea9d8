"""Limits compiled to a `Plan`: for each check that they have switched on, what its screen compares with.

A check without a screen, or with limits that its screen can't stand for, is among `Plan.others` and is asked as it is.
Limits are drawn in by a hair, so that a float never passes what the exact figure would refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import inf
from typing import Final

from engine.domain.instrument import SecType
from engine.domain.moments import END_OF_TIME_NS, NS_PER_S
from engine.domain.ticket import OrderType, Tif
from engine.risk import conduct, derivatives, pricing, sums, venueside
from engine.risk.account import Purse
from engine.risk.checks import Check
from engine.risk.clear import PLAIN_TIFS, PLAIN_TYPES
from engine.risk.covering import OPTIONS
from engine.risk.dated import Dated
from engine.risk.exposure import Exposure
from engine.risk.lending import Lending
from engine.risk.limits import DRIFT_WINDOW_S
from engine.risk.lines import Lines
from engine.risk.plan import HAIR, MANY, Plan, Sums
from engine.risk.rooms import Room
from engine.risk.venueside import MARGIN_PART
from engine.settings import Limits


def plan_of(exposure: Exposure) -> Plan:
    """Compile the limits of an exposure, for the checks that they have switched on."""
    plan = Plan(asks=bool(exposure.armed), register=exposure.register)
    others = []
    for check in exposure.armed:
        screen = _SCREENS.get(check)
        if screen is None or not screen(plan, exposure):
            others.append(check)
    plan.others = tuple(others)
    oldest = exposure.bounds.tightest.summary_age_max_s
    plan.summary_age_ns = END_OF_TIME_NS if oldest is None else int(oldest * NS_PER_S)
    register, account = exposure.register, exposure.account
    if register is not None and account is not None:
        plan.buys, plan.sells = (Room(buy, plan, exposure, account, register, account.meter) for buy in (True, False))
    return plan


# --- each takes what its check compares with, and says whether a screen can stand for the check ----------------------


def _terms(plan: Plan, exposure: Exposure) -> bool:
    own, account = exposure.bounds.tightest, exposure.account
    plan.asks_contract = account is not None and account.outside is not None
    # A list that has all that a plain order may be needs no look.
    if own.order_types is not None and not set(own.order_types) >= PLAIN_TYPES:
        plan.types = frozenset(one for one in OrderType if one in own.order_types)
    if own.tifs is not None and not set(own.tifs) >= PLAIN_TIFS:
        plan.tifs = frozenset(one for one in Tif if one in own.tifs)
    return True


def _allow_list(plan: Plan, exposure: Exposure) -> bool:
    own, instrument = exposure.bounds.tightest, exposure.instrument
    named = own.allowed is None or instrument.symbol in own.allowed
    return named and (own.exchanges is None or instrument.exchange in own.exchanges)


def _no_short(plan: Plan, exposure: Exposure) -> bool:
    return exposure.instrument.symbol not in exposure.bounds.tightest.no_short


def _blackout(plan: Plan, exposure: Exposure) -> bool:
    plan.blackouts = tuple(conduct.window_ns(said) for said in exposure.bounds.tightest.blackouts)
    return True


def _in_doubt(plan: Plan, exposure: Exposure) -> bool:
    most = exposure.bounds.tightest.in_doubt_max
    plan.in_doubt = _or_many(most)
    return most is not None


def _self_trade(plan: Plan, exposure: Exposure) -> bool:
    if exposure.account is not None:
        plan.resting = exposure.account.resting.get(exposure.instrument.conid)
    return plan.resting is not None


def _displayed(plan: Plan, exposure: Exposure) -> bool:
    plan.displayed = _part(exposure.bounds.tightest.displayed_size_pct)
    plan.asks_quote = True
    return plan.displayed is not None


def _volume(plan: Plan, exposure: Exposure) -> bool:
    del plan  # `Exposure.size` asks
    return exposure.bounds.tightest.average_volume is not None


def _quote(plan: Plan, exposure: Exposure) -> bool:
    own = exposure.bounds.tightest
    spread = _part(own.spread_max_pct)
    plan.asks_quote, plan.two_sided, plan.spread = True, bool(own.two_sided), None if spread is None else spread / 2.0
    return True


def _drift(plan: Plan, exposure: Exposure) -> bool:
    own = exposure.bounds.tightest
    plan.walk = _part(own.price_drift_pct)
    plan.walk_ns = int((own.price_drift_window_s or DRIFT_WINDOW_S) * NS_PER_S)
    return _recent(plan, exposure)


def _range(plan: Plan, exposure: Exposure) -> bool:
    factor = exposure.bounds.tightest.range_factor
    plan.factor = None if factor is None else float(factor) * HAIR
    return _recent(plan, exposure)


def _recent(plan: Plan, exposure: Exposure) -> bool:
    if exposure.account is None:
        return False
    plan.recent = exposure.account.recent_of(exposure.strategy, exposure.instrument.conid)
    return True


def _part(percent: Decimal | None) -> float | None:
    return None if percent is None else float(percent) / 100.0 * HAIR


def _counted(plan: Plan, exposure: Exposure) -> bool:
    """All limits on what was sent, of the account and of the strategy; the three checks on them share these."""
    levels, account = exposure.bounds.levels, exposure.account
    if account is None:
        return False
    plan.sums = tuple(
        Sums(
            account.purses.setdefault(owner, Purse()),
            minute=_or_many(own.messages_per_minute_max),
            hour=_or_many(own.orders_per_hour_max),
            orders=_or_many(own.orders_per_day_max),
            messages=_or_many(own.messages_per_day_max),
            notional=_or_inf(own.notional_per_day_max),
        )
        for owner, own in (("", levels[0]), (exposure.strategy, levels[1]))
        if _any(own, "messages_per_minute_max", "orders_per_hour_max", "orders_per_day_max", "messages_per_day_max",
                "notional_per_day_max")
    )  # fmt: skip
    return True


def _staked(plan: Plan, exposure: Exposure) -> bool:
    levels, account = exposure.bounds.levels, exposure.account
    if account is None:
        return False
    found = []
    for owner, own in ((None, levels[0]), (exposure.strategy, levels[1])):
        if _any(own, "gross_max", "net_max", "sector_max", "currency_max", "leverage_max"):
            lines = account.lines.get(owner)
            if lines is None:
                lines = account.lines[owner] = Lines(account, owner)
                lines.forget()
            lines.limit(own)
            found.append(lines)
    plan.stakes = tuple(found)
    return True


def _any(own: Limits, *names: str) -> bool:
    return any(getattr(own, name) is not None for name in names)


def _or_many(most: int | None) -> int:
    return MANY if most is None else most


def _or_inf(most: Decimal | None) -> float:
    return inf if most is None else float(most) * HAIR


def _shorts(plan: Plan, exposure: Exposure) -> bool:
    own = exposure.bounds.tightest
    plan.lending = Lending(exposure.instrument.conid, bool(own.short_availability), own.borrow_fee_max_pct)
    return True


def _day_trades(plan: Plan, exposure: Exposure) -> bool:
    plan.day_trades = exposure.bounds.tightest.day_trades_max
    return plan.day_trades is not None


def _margin(plan: Plan, exposure: Exposure) -> bool:
    own = exposure.bounds.tightest
    if own.margin_cushion_pct is None:
        return False
    plan.cushion = float(own.margin_cushion_pct) / 100.0
    plan.margin = MARGIN_PART.get(SecType(exposure.instrument.sec_type), 1.0)
    plan.what_if = _or_inf(own.what_if_above)
    return True


def _naked(plan: Plan, exposure: Exposure) -> bool:
    plan.covers = True
    return exposure.instrument.sec_type not in OPTIONS or _option(plan, exposure)


def _option(plan: Plan, exposure: Exposure) -> bool:
    """All limits on one option; the three checks on it share these."""
    own, account = exposure.bounds.tightest, exposure.account
    if account is None or account.outside is None:
        return False
    delta, vega = own.option_delta_max, own.option_vega_max
    plan.dated = Dated(
        days=own.expiry_days_min,
        greeks=delta is not None or vega is not None,
        delta=_or_inf(delta),
        vega=_or_inf(vega),
        held=account.options,
    )
    return True


def _future(plan: Plan, exposure: Exposure) -> bool:
    if exposure.account is None or exposure.account.outside is None:
        return False
    plan.dated = Dated(days=exposure.bounds.tightest.delivery_days_min)
    return True


def _venue(plan: Plan, exposure: Exposure) -> bool:
    """That the venue vouches for session, account and strategy; the three checks on it share this."""
    plan.outside = None if exposure.account is None else exposure.account.outside
    return plan.outside is not None


def _asked(name: str) -> Callable[[Plan, Exposure], bool]:
    """For a check that compares with nothing of the limits: it is on."""

    def ask(plan: Plan, exposure: Exposure) -> bool:
        del exposure
        setattr(plan, name, True)
        return True

    return ask


_SCREENS: Final[dict[Check, Callable[[Plan, Exposure], bool]]] = {
    conduct.terms_allowed: _terms,
    conduct.allow_list: _allow_list,
    conduct.no_short: _no_short,
    conduct.blackout: _blackout,
    conduct.in_doubt: _in_doubt,
    conduct.self_trade: _self_trade,
    pricing.displayed_size: _displayed,
    pricing.average_volume: _volume,
    pricing.sound_quote: _quote,
    pricing.price_drift: _drift,
    pricing.own_range: _range,
    sums.message_rate: _counted,
    sums.throttle: _counted,
    sums.day_sums: _counted,
    sums.money_at_stake: _staked,
    derivatives.naked_short: _naked,
    derivatives.option_risk: _option,
    derivatives.expiry: _option,
    derivatives.delivery: _future,
    venueside.session_up: _venue,
    venueside.account_guard: _venue,
    venueside.known_strategy: _venue,
    venueside.live_data: _asked("live_data"),
    venueside.short_availability: _shorts,
    venueside.day_trades: _day_trades,
    venueside.settled_cash: _asked("settled"),
    venueside.buying_power: _asked("buying_power"),
    venueside.margin: _margin,
}
