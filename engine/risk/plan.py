"""What a plain order of one strategy in one instrument meets, compiled from its limits to a flat plan of floats.

A screen says that a check would surely allow an order, or that it can't say. Here stands, for each check that the
limits have switched on, what its screen compares with; a check without a screen is among `others` and is asked as it
is. Limits are drawn in by a hair, so that a float never passes what the exact figure would refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import inf
from typing import Final

from attrs import define

from engine.domain.instrument import SecType
from engine.domain.moments import END_OF_TIME_NS, NS_PER_S
from engine.domain.ticket import OrderType, Tif
from engine.risk import conduct, pricing, sums, venueside
from engine.risk.account import Recent
from engine.risk.checks import Check
from engine.risk.exposure import Exposure
from engine.risk.limits import DRIFT_WINDOW_S
from engine.risk.resting import Resting
from engine.risk.stakes import Lines
from engine.risk.venueside import MARGIN_PART
from engine.settings import Limits

HAIR: Final = 1.0 - 1e-9  # wider than what float arithmetic loses, narrower than any limit a person sets
_MANY: Final = 2**63


@define
class Sums:
    """Limits on what one owner has sent."""

    owner: str
    minute: int = _MANY
    hour: int = _MANY
    orders: int = _MANY
    messages: int = _MANY
    notional: float = inf


@define
class Stakes:
    """Limits on money at stake of the account or of one strategy, in base currency; `leverage` times its worth."""

    lines: Lines
    gross: float = inf
    net: float = inf
    sector: float = inf
    currency: float = inf
    leverage: float = inf


@define(eq=False)
class Plan:
    """One exposure's limits as the screens read them; what is None or off is not asked about."""

    others: tuple[Check, ...] = ()
    types: frozenset[OrderType] | None = None
    tifs: frozenset[Tif] | None = None
    asks_contract: bool = False  # a venue may say which terms a contract takes
    quiet_from_ns: int = 0  # within these two no blackout holds
    quiet_until_ns: int = END_OF_TIME_NS
    blackouts: tuple[tuple[int, int], ...] = ()
    in_doubt: int | None = None
    resting: Resting | None = None  # own orders that an order must not meet
    # The market, and what was sent lately.
    asks_quote: bool = False
    displayed: float | None = None  # part of the size shown
    two_sided: bool = False
    spread: float | None = None  # part of the middle
    volume: float | None = None  # units
    recent: Recent | None = None
    walk: float | None = None  # part of the price
    walk_ns: int = 0
    factor: float | None = None
    # Sums and money.
    sums: tuple[Sums, ...] = ()
    stakes: tuple[Stakes, ...] = ()
    # What a venue says; None of it in a backtest.
    venue: bool = False
    ready: bool = False
    account: bool = False
    strategy: bool = False
    live_data: bool = False
    shorts: bool = False  # a sale has to be asked about
    day_trades: int | None = None
    settled: bool = False
    buying_power: bool = False
    cushion: float | None = None  # part of the worth
    margin: float = 1.0  # part of an order's money
    what_if: float = inf
    summary_age_ns: float = inf  # an account summary may be so old


def plan_of(exposure: Exposure) -> Plan:
    """Compile the limits of an exposure, for the checks that they have switched on."""
    plan = Plan()
    others = []
    for check in exposure.armed:
        screen = _SCREENS.get(check)
        if screen is None or not screen(plan, exposure):
            others.append(check)
    plan.others = tuple(others)
    oldest = exposure.bounds.tightest.summary_age_max_s
    plan.summary_age_ns = inf if oldest is None else float(oldest * NS_PER_S)
    plan.venue = any(
        (plan.ready, plan.account, plan.strategy, plan.live_data, plan.shorts, plan.settled, plan.buying_power)
    ) or (plan.day_trades is not None or plan.cushion is not None)
    return plan


# --- each takes what its check compares with, and says whether a screen can stand for the check ----------------------


def _terms(plan: Plan, exposure: Exposure) -> bool:
    own, account = exposure.bounds.tightest, exposure.account
    plan.asks_contract = account is not None and account.outside is not None
    plan.types = None if own.order_types is None else frozenset(one for one in OrderType if one in own.order_types)
    plan.tifs = None if own.tifs is None else frozenset(one for one in Tif if one in own.tifs)
    return True


def _allow_list(plan: Plan, exposure: Exposure) -> bool:
    own, instrument = exposure.bounds.tightest, exposure.instrument
    named = own.allowed is None or instrument.symbol in own.allowed
    return named and (own.exchanges is None or instrument.exchange in own.exchanges)


def _no_short(plan: Plan, exposure: Exposure) -> bool:
    return exposure.instrument.symbol not in exposure.bounds.tightest.no_short


def _blackout(plan: Plan, exposure: Exposure) -> bool:
    plan.blackouts = tuple(conduct.window_ns(said) for said in exposure.bounds.tightest.blackouts)
    plan.quiet_from_ns = plan.quiet_until_ns = 0  # not known yet
    return True


def _in_doubt(plan: Plan, exposure: Exposure) -> bool:
    plan.in_doubt = exposure.bounds.tightest.in_doubt_max
    return plan.in_doubt is not None


def _self_trade(plan: Plan, exposure: Exposure) -> bool:
    if exposure.account is not None:
        plan.resting = exposure.account.resting.get(exposure.instrument.conid)
    return plan.resting is not None


def _displayed(plan: Plan, exposure: Exposure) -> bool:
    plan.displayed = _part(exposure.bounds.tightest.displayed_size_pct)
    plan.asks_quote = True
    return plan.displayed is not None


def _volume(plan: Plan, exposure: Exposure) -> bool:
    own = exposure.bounds.tightest
    if own.average_volume is None or own.average_volume_pct is None:
        return False
    plan.volume = float(own.average_volume * own.average_volume_pct / 100) * HAIR
    return True


def _quote(plan: Plan, exposure: Exposure) -> bool:
    own = exposure.bounds.tightest
    plan.asks_quote, plan.two_sided, plan.spread = True, bool(own.two_sided), _part(own.spread_max_pct)
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
    levels = exposure.bounds.levels
    plan.sums = tuple(
        Sums(
            owner,
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
            found.append(
                Stakes(
                    lines,
                    gross=_or_inf(own.gross_max),
                    net=_or_inf(own.net_max),
                    sector=_or_inf(own.sector_max),
                    currency=_or_inf(own.currency_max),
                    leverage=_or_inf(own.leverage_max),
                )
            )
    plan.stakes = tuple(found)
    return True


def _any(own: Limits, *names: str) -> bool:
    return any(getattr(own, name) is not None for name in names)


def _or_many(most: int | None) -> int:
    return _MANY if most is None else most


def _or_inf(most: Decimal | None) -> float:
    return inf if most is None else float(most) * HAIR


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
    venueside.session_up: _asked("ready"),
    venueside.account_guard: _asked("account"),
    venueside.known_strategy: _asked("strategy"),
    venueside.live_data: _asked("live_data"),
    venueside.short_availability: _asked("shorts"),
    venueside.day_trades: _day_trades,
    venueside.settled_cash: _asked("settled"),
    venueside.buying_power: _asked("buying_power"),
    venueside.margin: _margin,
}
