"""Limits resolved for one strategy in one instrument: at each level the value in force, defaults where none is set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from attrs import evolve, field, fields, frozen

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
# What also holds where the venue speaks to us, in mode sim, paper and live: a backtest has no such inputs.
LIVE_DEFAULTS: Final = Limits(
    self_trade=False,
    two_sided=True,
    spread_max_pct=Decimal(10),  # wide enough for most options that trade at all
    range_factor=Decimal(100),  # a slip in units, not a busy day
    live_data=True,
    short_availability=True,
    buying_power=True,
    summary_age_max_s=Decimal(180),  # IBKR works an account's figures out every three minutes at the latest
    naked_short=False,
    combo_sanity=True,
    in_doubt_max=5,
    margin_cushion_pct=Decimal(5),
    delivery_days_min=2,
    fill_collar_pct=Decimal(5),
    clock_skew_max_ms=2_000,
    loop_lag_max_ms=1_000,
    alert_latency_max_s=Decimal(5),
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
    tightest: Limits = field(factory=Limits)  # of every limit that counts one order, the tightest of the three levels
    levels: tuple[Limits, Limits, Limits] = field(factory=lambda: (Limits(), Limits(), Limits()))


# How levels go together. Where a larger number is the tighter limit, or a yes or a no is.
_LARGER_IS_TIGHTER: Final = frozenset(
    {
        "duplicate_window_s",
        "price_drift_window_s",
        "margin_cushion_pct",
        "expiry_days_min",
        "delivery_days_min",
        "day_trades_max",  # so many are kept back
        "loss_streak_pause_s",
        "pnl_jump_pct",  # loss latches wait after a larger jump
    }
)
_NO_IS_TIGHTER: Final = frozenset({"self_trade", "naked_short", "shrink"})
_UNIONS: Final = frozenset({"restricted", "no_short", "blackouts"})
_WHITE_LISTS: Final = frozenset({"allowed", "exchanges", "order_types", "tifs"})


# What watches the daemon and its venue has one limit for all; what sums over instruments has none for one of them.
OF_THE_ACCOUNT: Final = frozenset(
    {
        "reconcile_drift_max",
        "clock_skew_max_ms",
        "loop_lag_max_ms",
        "queue_max",
        "memory_max_mb",
        "fill_collar_pct",
        "alert_latency_max_s",
    }
)
OF_NO_INSTRUMENT: Final = OF_THE_ACCOUNT | {
    "order_to_trade_max",
    "messages_per_minute_max",
    "orders_per_hour_max",
    "orders_per_day_max",
    "messages_per_day_max",
    "notional_per_day_max",
    "gross_max",
    "net_max",
    "sector_max",
    "currency_max",
    "leverage_max",
    "daily_loss_reduce",
    "daily_loss_max",
    "daily_realised_loss_reduce",
    "daily_realised_loss_max",
    "drawdown_reduce_pct",
    "drawdown_halt_pct",
    "loss_streak_max",
    "loss_streak_halt",
    "loss_streak_pause_s",
    "pnl_jump_pct",
    "pnl_jump_pause_s",
}


def misplaced(settings: RiskSettings) -> list[tuple[str, str]]:
    """Limits in tables where nothing reads them: the dotted key, and the table that such a limit belongs into."""
    tables = [
        *((f"risk.strategy.{name}", one, OF_THE_ACCOUNT) for name, one in settings.strategy.items()),
        *((f"risk.instrument.{name}", one, OF_NO_INSTRUMENT) for name, one in settings.instrument.items()),
    ]
    return [
        (f"{key}.{name}", "[risk.account]" if name in OF_THE_ACCOUNT else "[risk.account] or [risk.strategy.NAME]")
        for key, limits, foreign in tables
        for name in _NAMES
        if name in foreign and getattr(limits, name) is not None
    ]


def tighter(name: str, values: tuple[Any, ...]) -> Any:
    """Of the values that several tables give one limit (None: says nothing), the one that allows least."""
    said = [value for value in values if value is not None]
    if not said:
        return None
    if name in _UNIONS:
        return tuple(dict.fromkeys(one for value in said for one in value))
    if name in _WHITE_LISTS:
        return tuple(one for one in said[0] if all(one in value for value in said))
    if isinstance(said[0], bool):
        return all(said) if name in _NO_IS_TIGHTER else any(said)
    return max(said) if name in _LARGER_IS_TIGHTER else min(said)


def with_defaults(account: Limits, *, live: bool = False) -> Limits:
    """The account's limits, each that is not set taken from the defaults; `live` adds those of a session."""
    found = account
    for defaults in (DEFAULTS, LIVE_DEFAULTS) if live else (DEFAULTS,):
        unset = [a.name for a in fields(Limits) if getattr(found, a.name) is None]
        found = evolve(found, **{name: getattr(defaults, name) for name in unset})
    return found


_ON_THE_WALL: Final = ("clock_skew_max_ms", "loop_lag_max_ms")


def monitor_limits(account: Limits, *, wall: bool) -> Limits:
    """The limits that monitors watch by.

    Args:
        wall: The session lives by the wall's clock. A simulated one runs many times as fast, on a machine that does
            much else: what would be an alarm there is none, unless the config says so.
    """
    found = with_defaults(account, live=True)
    return found if wall else evolve(found, **{name: getattr(account, name) for name in _ON_THE_WALL})


def resolve(settings: RiskSettings, *, strategy: str, symbol: str, live: bool = False) -> Bounds:
    """Work out the bounds for a strategy's orders in an instrument; of one order's limits the tightest counts."""
    account = with_defaults(settings.account, live=live)
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
        tightest=Limits(**{name: tighter(name, each(name)) for name in _NAMES}),
        levels=levels,
    )


_COUNTED: Final = (
    "price_drift_pct", "range_factor", "messages_per_minute_max", "orders_per_hour_max", "orders_per_day_max",
    "messages_per_day_max", "notional_per_day_max", "gross_max", "net_max", "sector_max", "currency_max",
    "leverage_max", "order_to_trade_max",
)  # fmt: skip


def counts(settings: RiskSettings) -> bool:
    """Whether any limit asks for sums over messages, days or what was sent lately."""
    levels = (settings.account, *settings.strategy.values(), *settings.instrument.values())
    return any(getattr(level, name) is not None for level in levels for name in _COUNTED)


NEEDED: Final = ("order_quantity_max", "order_notional_max", "position_max")


def without_limits(settings: RiskSettings, trades: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """What a session for money, paper's or real, would trade without a limit of its own: (strategy, instrument).

    Defaults don't count: whoever trades says how large an order and a position may be. A limit may stand in the
    account's table, the strategy's or the instrument's.

    Args:
        trades: Symbols by strategy.
    """
    found = []
    for strategy, symbols in trades.items():
        for symbol in symbols:
            levels = (settings.account, settings.strategy.get(strategy, _NONE), settings.instrument.get(symbol, _NONE))
            if any(all(getattr(level, name) is None for level in levels) for name in NEEDED):
                found.append((strategy, symbol))
    return found


# --- reload: tighter at once, looser only when a person says so a second time ---------------------------------------

_NAMES: Final = tuple(a.name for a in fields(Limits))
# What lets something pass that was refused, or lifts or defers a latch, by being set at all.
_ABSENT_IS_TIGHTEST: Final = frozenset(
    {
        "price_collar_ticks",
        "price_collar_open_pct",
        "price_collar_open_s",
        "average_volume",  # unknown, it refuses
        "loss_streak_pause_s",  # without it a person resumes
        "pnl_jump_pct",
    }
)
# What counts where a limit is not set, though it is no default of its own.
DRIFT_WINDOW_S: Final = Decimal(60)
JUMP_PAUSE_S: Final = Decimal(60)
IMPLIED: Final[Mapping[str, Any]] = {
    "price_drift_window_s": DRIFT_WINDOW_S,
    "pnl_jump_pause_s": JUMP_PAUSE_S,
    "shrink": False,
}


def _stricter(name: str, was: Any, wanted: Any) -> Any:
    """Of two values that one table gives a limit, one after the other, the one that allows less."""
    if name in _ABSENT_IS_TIGHTEST and (was is None or wanted is None):
        return None
    return tighter(name, (was, wanted))


@frozen(kw_only=True)
class Reloaded:
    """What a reload comes to: the settings in force now, and what waits, as (key, in force, wanted)."""

    now: RiskSettings
    waiting: tuple[tuple[str, Any, Any], ...] = ()


def reload(old: RiskSettings, new: RiskSettings, *, confirmed: bool = False) -> Reloaded:
    """Take over new settings: what is tighter counts at once, what is looser waits for a restart or a second yes.

    A limit that is taken out is looser, one that is put in is tighter. Who lifts a latch, the day's begin and sectors
    decide over what is allowed too: their change waits.
    """
    if confirmed:
        return Reloaded(now=new)
    waiting: list[tuple[str, Any, Any]] = []

    def merge(key: str, one: Limits, other: Limits, fill: Callable[[Limits], Limits]) -> Limits:
        before, after = fill(one), fill(other)
        kept = {}
        for name in _NAMES:
            was, wanted = (_in_force(name, getattr(limits, name)) for limits in (before, after))
            if _same(was, wanted):
                continue
            least = _stricter(name, was, wanted)
            if not _same(least, wanted):
                waiting.append((f"{key}.{name}", was, wanted))
            kept[name] = least
        return evolve(one, **kept)

    strategies = list(dict.fromkeys((*old.strategy, *new.strategy)))
    symbols = list(dict.fromkeys((*old.instrument, *new.instrument)))
    now = RiskSettings(
        account=merge("risk.account", old.account, new.account, partial(with_defaults, live=True)),
        strategy={
            name: merge(f"risk.strategy.{name}", old.strategy.get(name, _NONE), new.strategy.get(name, _NONE), _as_is)
            for name in strategies
        },
        instrument={
            name: merge(
                f"risk.instrument.{name}", old.instrument.get(name, _NONE), new.instrument.get(name, _NONE), _as_is
            )
            for name in symbols
        },
        sectors=old.sectors,
        day_start_s=old.day_start_s,
        latch_until=old.latch_until,
    )
    for name in ("sectors", "day_start_s", "latch_until"):
        if getattr(old, name) != getattr(new, name):
            waiting.append((f"risk.{name}", getattr(old, name), getattr(new, name)))
    return Reloaded(now=now, waiting=tuple(waiting))


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a limit let the same through: of a list the order says nothing."""
    return one == other or (isinstance(one, tuple) and isinstance(other, tuple) and set(one) == set(other))


def _in_force(name: str, value: Any) -> Any:
    return IMPLIED.get(name) if value is None else value


def _as_is(limits: Limits) -> Limits:
    return limits
