"""Limits resolved for one strategy in one instrument: at each level the value in force, defaults where none is set."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from attrs import evolve, fields, frozen

from engine.settings import Limits, RiskSettings

# What holds where a config says nothing: small enough to stop an accident, large enough for a first strategy.
DEFAULTS: Final = Limits(
    order_quantity_max=Decimal(10_000),
    order_notional_max=Decimal(250_000),
    price_collar_pct=Decimal(5),
    position_max=Decimal(20_000),
    open_orders_max=50,
    orders_per_minute_max=120,
    duplicate_window_s=Decimal(2),
    quote_age_max_s=Decimal(60),
    session_hours=True,
    tick_and_lot=True,
)
LEVELS: Final = ("the account", "the strategy", "the instrument")
_NONE: Final = Limits()
_NS: Final = 1_000_000_000


@frozen(kw_only=True)
class Bounds:
    """The limits that an order of one strategy in one instrument meets; tuples are (account, strategy, instrument).

    `*_ns` in nanoseconds, `collar` a fraction of the market's price. In a tuple None means that a level sets none.
    """

    quantity_max: Decimal
    notional_max: Decimal
    notional_clear: float  # below this a notional worked out in float is surely below the limit
    collar: float
    collar_exact: Decimal
    position_max: tuple[Decimal | None, Decimal | None, Decimal | None]
    open_orders_max: tuple[int | None, int | None, int | None]
    orders_per_minute_max: tuple[int | None, int | None, int | None]
    duplicate_window_ns: int
    quote_age_max_ns: int
    session_hours: bool
    tick_and_lot: bool
    restricted: bool


def with_defaults(account: Limits) -> Limits:
    """The account's limits, each that is not set taken from the defaults."""
    unset = [a.name for a in fields(Limits) if getattr(account, a.name) is None]
    return evolve(account, **{name: getattr(DEFAULTS, name) for name in unset})


def resolve(settings: RiskSettings, *, strategy: str, symbol: str) -> Bounds:
    """Work out the bounds for a strategy's orders in an instrument; of one order's limits the tightest counts."""
    account = with_defaults(settings.account)
    own = settings.strategy.get(strategy, _NONE)
    instrument = settings.instrument.get(symbol, _NONE)
    levels = (account, own, instrument)

    def each(name: str) -> tuple[Any, Any, Any]:
        return getattr(levels[0], name), getattr(levels[1], name), getattr(levels[2], name)

    def least(name: str) -> Any:
        return min(value for value in each(name) if value is not None)

    def longest(name: str) -> Any:
        return max(value for value in each(name) if value is not None)

    return Bounds(
        quantity_max=least("order_quantity_max"),
        notional_max=least("order_notional_max"),
        notional_clear=float(least("order_notional_max")) * 0.999,
        collar=float(least("price_collar_pct")) / 100.0,
        collar_exact=least("price_collar_pct") / 100,
        position_max=each("position_max"),
        open_orders_max=each("open_orders_max"),
        orders_per_minute_max=each("orders_per_minute_max"),
        duplicate_window_ns=int(longest("duplicate_window_s") * _NS),
        quote_age_max_ns=int(least("quote_age_max_s") * _NS),
        session_hours=any(value for value in each("session_hours")),
        tick_and_lot=any(value for value in each("tick_and_lot")),
        restricted=any(symbol in level.restricted for level in levels),
    )
