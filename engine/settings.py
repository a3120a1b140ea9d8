"""The settings of a run as values: one class a table of the TOML file, defaults included.

`engine.config` reads them from a file; everything else only sees these. Durations say their unit in their name.
"""

from __future__ import annotations

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


@frozen(kw_only=True)
class RiskSettings:
    """`[risk]`. The narrowest table that sets a limit wins only if it is tighter: the tightest of all counts."""

    account: Limits = field(factory=Limits)
    strategy: dict[str, Limits] = field(factory=dict)
    instrument: dict[str, Limits] = field(factory=dict)


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
    replay: ReplaySettings = field(factory=ReplaySettings)
    report: ReportSettings = field(factory=ReportSettings)
