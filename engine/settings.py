"""The settings of a run as values: one class a table of the TOML file, defaults included.

`engine.config` reads them from a file; everything else only sees these. Durations say their unit in their name.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from attrs import field, frozen


class Pipeline(StrEnum):
    """How the replay ring is wired; both give the same bytes."""

    CHANNELS = "channels"
    FUSED = "fused"


@frozen(kw_only=True)
class RecordingSettings:
    """`[recording]`: what is replayed. Times are ISO 8601; without an offset they are in the recording's own zone.

    `instruments` are symbols (None: all). Until `warm_up_until` strategies see data and may not trade. With
    `adjust_splits` prices and sizes from before a split are read in the units after it.
    """

    path: Path
    start: str | None = None
    end: str | None = None
    instruments: tuple[str, ...] | None = None
    warm_up_until: str | None = None
    adjust_splits: bool = False


@frozen(kw_only=True)
class AccountSettings:
    """`[account]`: whose money. `cash` is the deposit by currency, `fx_rates` the price of one unit of each other
    currency in base currency."""

    id: str = "DU1234567"
    base_currency: str = "USD"
    cash: dict[str, Decimal] = field(factory=lambda: {"USD": Decimal(1_000_000)})
    fx_rates: dict[str, Decimal] = field(factory=dict)


@frozen(kw_only=True)
class StrategySettings:
    """`[[strategy]]`: one copy of a strategy. `use` is `module:Class`, `./file.py:Class` or an installed name."""

    use: str
    name: str
    instruments: tuple[str, ...]
    params: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Limits:
    """`[risk.account]`, `[risk.strategy.NAME]`, `[risk.instrument.SYMBOL]`: None leaves a limit to the wider table.

    Notional is in the account's base currency; the collar is the percentage an order's price may be worse than the
    market's; `position_max` counts units, working orders included; a `restricted` instrument takes no order.
    """

    order_quantity_max: Decimal | None = None
    order_notional_max: Decimal | None = None
    price_collar_pct: Decimal | None = None
    position_max: Decimal | None = None
    open_orders_max: int | None = None
    orders_per_minute_max: int | None = None
    duplicate_window_s: Decimal | None = None
    quote_age_max_s: Decimal | None = None
    session_hours: bool | None = None
    tick_and_lot: bool | None = None
    restricted: tuple[str, ...] = ()
    # One order: what it may be beside the above. `docs/risk.md` says of each what it means and when it counts.
    price_collar_ticks: int | None = None
    price_collar_open_pct: Decimal | None = None
    price_collar_open_s: Decimal | None = None
    price_drift_pct: Decimal | None = None
    price_drift_window_s: Decimal | None = None
    displayed_size_pct: Decimal | None = None
    average_volume: Decimal | None = None
    average_volume_pct: Decimal | None = None
    range_factor: Decimal | None = None
    order_types: tuple[str, ...] | None = None
    tifs: tuple[str, ...] | None = None
    shrink: bool | None = None
    # Sums over orders and over time.
    messages_per_minute_max: int | None = None
    orders_per_hour_max: int | None = None
    throttled_orders_max: int | None = None
    orders_per_day_max: int | None = None
    messages_per_day_max: int | None = None
    notional_per_day_max: Decimal | None = None
    gross_max: Decimal | None = None
    net_max: Decimal | None = None
    sector_max: Decimal | None = None
    currency_max: Decimal | None = None
    leverage_max: Decimal | None = None
    in_doubt_max: int | None = None
    order_to_trade_max: Decimal | None = None
    # Latches on what was lost.
    daily_loss_reduce: Decimal | None = None
    daily_loss_max: Decimal | None = None
    daily_realised_loss_reduce: Decimal | None = None
    daily_realised_loss_max: Decimal | None = None
    drawdown_reduce_pct: Decimal | None = None
    drawdown_halt_pct: Decimal | None = None
    loss_streak_max: int | None = None
    loss_streak_halt: int | None = None
    loss_streak_pause_s: Decimal | None = None
    pnl_jump_pct: Decimal | None = None
    pnl_jump_pause_s: Decimal | None = None
    # What may be traded at all, and with whom.
    allowed: tuple[str, ...] | None = None
    exchanges: tuple[str, ...] | None = None
    no_short: tuple[str, ...] = ()
    blackouts: tuple[str, ...] = ()
    self_trade: bool | None = None
    # Market data, and what the venue says of the account: they count where such inputs exist.
    two_sided: bool | None = None
    spread_max_pct: Decimal | None = None
    live_data: bool | None = None
    short_availability: bool | None = None
    borrow_fee_max_pct: Decimal | None = None
    day_trades_max: int | None = None
    settled_cash: bool | None = None
    margin_cushion_pct: Decimal | None = None
    what_if_above: Decimal | None = None
    buying_power: bool | None = None
    summary_age_max_s: Decimal | None = None
    naked_short: bool | None = None
    option_delta_max: Decimal | None = None
    option_vega_max: Decimal | None = None
    expiry_days_min: int | None = None
    delivery_days_min: int | None = None
    combo_sanity: bool | None = None
    # Monitors of a live run.
    reconcile_drift_max: Decimal | None = None
    clock_skew_max_ms: int | None = None
    loop_lag_max_ms: int | None = None
    queue_max: int | None = None
    memory_max_mb: int | None = None
    fill_collar_pct: Decimal | None = None
    alert_latency_max_s: Decimal | None = None


@frozen(kw_only=True)
class RiskSettings:
    """`[risk]`. The narrowest table that sets a limit wins only if it is tighter: the tightest of all counts.

    `sectors` names the sector of each symbol, `day_start_s` when a day of the daily sums begins, in seconds after
    midnight UTC (None: at the venue's midnight, New York's). `latch_until` says who lifts a latch of daily losses:
    "person", or "day" for the next day's begin.
    """

    account: Limits = field(factory=Limits)
    strategy: dict[str, Limits] = field(factory=dict)
    instrument: dict[str, Limits] = field(factory=dict)
    sectors: dict[str, str] = field(factory=dict)
    day_start_s: int | None = None
    latch_until: str = "person"


@frozen(kw_only=True)
class LatencySettings:
    """`[venue.latency_ms]`: from our decision to the venue's act, by command; `report` is the way back."""

    place: float = 40.0
    modify: float = 40.0
    cancel: float = 40.0
    report: float = 0.0


@frozen(kw_only=True)
class ParticipationSettings:
    """`[venue.participation]`: the part of a displayed size, a print or a bar's volume that our orders may take."""

    quote: float = 1.0
    trade: float = 0.5
    bar: float = 0.1


@frozen(kw_only=True)
class VenueSettings:
    """`[venue]`: the simulated exchange; `docs/fills.md` says what each name means."""

    latency_ms: LatencySettings = field(factory=LatencySettings)
    fills: str = "conservative"  # or same_event, next_event, next_open, touch
    resting_price: str = "limit"  # or touch: a resting order gets the better touch that crossed it
    participation: ParticipationSettings = field(factory=ParticipationSettings)
    slippage: str = "none"
    slippage_size: float = 0.0
    stop_trigger: str = "default"  # or last, bid_ask
    fees: str = "ibkr-us-fixed-2026"  # or ibkr-us-tiered-2026, none, or a file


@frozen(kw_only=True)
class ConversionSettings:
    """`[[books.conversions]]`: as `day` begins, `amount` of the currency `sell` is given for `bought` of `buy`."""

    day: date
    sell: str
    amount: Decimal
    buy: str
    bought: Decimal


@frozen(kw_only=True)
class BooksSettings:
    """`[books]`: what an account costs and earns beside its trades; `docs/books.md` says how each is worked out.

    `financing` is "none", "ibkr-pro-2026" or a file; `benchmark` by currency and `borrow` by symbol ("default" for all
    others) are rates in percent a year that hold for the whole run, beside those of a file. `withholding` is the part
    of dividends received that is kept back. `fx` says where rates of currencies come from: "fixed"
    (`account.fx_rates`), "recording" (its currency pairs, by day), or a file of dated rates. `margin` bounds what may
    be bought. `conversions` change cash of one currency into another.
    """

    financing: str = "none"
    benchmark: dict[str, Decimal] = field(factory=dict)
    borrow: dict[str, Decimal] = field(factory=dict)
    withholding: Decimal = Decimal(0)
    fx: str = "fixed"
    margin: str = "none"  # or cash, reg-t, portfolio
    conversions: tuple[ConversionSettings, ...] = ()


@frozen(kw_only=True)
class ReplaySettings:
    """`[replay]`: how the recording is fed; none of these changes a result."""

    pipeline: Pipeline = Pipeline.CHANNELS
    window: int = 8192
    chunk: int = 65_536
    hang_limit_s: float = 60.0


@frozen(kw_only=True)
class ReportSettings:
    """`[report]`: figures that need a convention. `risk_free_rate` is per year, as a fraction."""

    risk_free_rate: float = 0.0
    trading_days: int = 252


@frozen(kw_only=True)
class Settings:
    """One run."""

    name: str
    source: Path
    recording: RecordingSettings
    strategies: tuple[StrategySettings, ...]
    seed: int = 0
    account: AccountSettings = field(factory=AccountSettings)
    risk: RiskSettings = field(factory=RiskSettings)
    venue: VenueSettings = field(factory=VenueSettings)
    books: BooksSettings = field(factory=BooksSettings)
    replay: ReplaySettings = field(factory=ReplaySettings)
    report: ReportSettings = field(factory=ReportSettings)
