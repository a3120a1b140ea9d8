"""What a backtest leaves behind, for the faces to show: plain values, no actor among them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from engine.domain.actions import Booked, Posting
from engine.domain.facts import Filled
from engine.domain.instrument import Instrument
from engine.domain.order import Order
from engine.settings import Settings


@frozen(kw_only=True, eq=False)
class EquityCurve:
    """Account value in base currency at every fill and at each minute's close, oldest first, all arrays of one length.

    Open positions are marked at what closing them would bring: longs at the bid, shorts at the ask (bars: the close).
    `exposure` is the gross market value of open positions; `by_strategy` each strategy's profit so far (fees taken
    off), same length.
    """

    ts_ns: NDArray[np.int64]
    equity: NDArray[np.float64]
    cash: NDArray[np.float64]
    exposure: NDArray[np.float64]
    by_strategy: Mapping[str, NDArray[np.float64]]


@frozen(kw_only=True)
class FillRow:
    """One execution with whose it was. `realised` is the profit it closed, before fees; `reference` the price (mid,
    or last) when the order was decided, for slippage."""

    fill: Filled
    strategy: str
    realised: Decimal
    reference: float | None


@frozen(kw_only=True)
class OrderRow:
    """One order at its end, with its history of (ts_ns, state, what was said)."""

    order: Order
    reference: float | None
    history: tuple[tuple[int, str, str], ...]


@frozen(kw_only=True)
class RefusalRow:
    """One refusal by the gate."""

    ts_ns: int
    strategy: str
    coid: str
    code: str
    sentence: str


@frozen(kw_only=True, eq=False)
class PriceSeries:
    """An instrument's price for charts, thinned to some thousand points with extremes kept."""

    conid: int
    ts_ns: NDArray[np.int64]
    price: NDArray[np.float64]


@frozen(kw_only=True, eq=False)
class IndicatorSeries:
    """A named line that a strategy emitted."""

    strategy: str
    conid: int | None
    name: str
    ts_ns: NDArray[np.int64]
    value: NDArray[np.float64]


@frozen(kw_only=True)
class Position:
    """What is held at the end: `cost` is the signed total cost, `mark` the closing price used."""

    strategy: str
    conid: int
    quantity: Decimal
    cost: Decimal
    realised: Decimal
    mark: Decimal | None


@frozen(kw_only=True)
class CurrencyRow:
    """The books in one currency at the end; `rate` is what one unit is worth in base currency then.

    What is `owed` (accrued and not paid) is in interest, borrow, dividends and withheld, and not in cash. Exactly:
    cash + owed + cost = deposits + realised - fees + interest - borrow + dividends - withheld. `unrealised` None: a
    position was never priced.
    """

    currency: str
    rate: Decimal
    deposits: Decimal
    cash: Decimal
    owed: Decimal
    cost: Decimal
    realised: Decimal
    unrealised: Decimal | None
    fees: Decimal
    fees_by_line: Mapping[str, Decimal]
    interest: Decimal
    borrow: Decimal
    dividends: Decimal
    withheld: Decimal

    @property
    def pnl(self) -> Decimal | None:
        """Profit in this currency after fees, open positions marked."""
        if self.unrealised is None:
            return None
        earned = self.interest - self.borrow + self.dividends - self.withheld
        return self.realised + self.unrealised - self.fees + earned


@frozen(kw_only=True, eq=False)
class Outcome:
    """A finished backtest. Times in seconds; money in `Decimal` of the base currency.

    `events` counts market-data rows replayed; `run_s` the engine's run without reading; `total_s` with reading the
    recording. `counts` holds the simulator's tallies (ambiguous bars, capped fills, unsized fills ...), `off` the
    strategies switched off with the sentence why, `deaf` those that handle no kind of data there was,
    `assumptions` name and value of what the run assumed, in order. `booked` is what corporate actions did to positions,
    `dividends` the money they brought (below zero: cost), before the tax `withheld`. `interest` is received less paid,
    without the fees for borrowed shares (`borrow`); all are in base currency at the end's rates. `postings` are what
    moved money without a trade, `rated` the changes of rates (ns UTC, currency, rate), `currencies` the books by
    currency.
    """

    settings: Settings
    instruments: Mapping[int, Instrument]
    start_ns: int
    end_ns: int
    events: int
    events_by_kind: Mapping[str, int]
    run_s: float
    total_s: float
    deposit: Decimal
    final_equity: Decimal
    fees: Decimal
    fees_by_line: Mapping[str, Decimal]
    orders: tuple[OrderRow, ...]
    fills: tuple[FillRow, ...]
    refusals: tuple[RefusalRow, ...]
    positions: tuple[Position, ...]
    equity: EquityCurve
    prices: tuple[PriceSeries, ...]
    indicators: tuple[IndicatorSeries, ...]
    counts: Mapping[str, int]
    off: Mapping[str, str]
    assumptions: tuple[tuple[str, str], ...]
    quality: Mapping[str, Any] = field(factory=dict)
    hash: str = ""
    manifest: Mapping[str, Any] = field(factory=dict)
    deaf: Mapping[str, str] = field(factory=dict)
    dividends: Decimal = Decimal(0)
    booked: tuple[Booked, ...] = ()
    withheld: Decimal = Decimal(0)
    interest: Decimal = Decimal(0)
    borrow: Decimal = Decimal(0)
    currencies: tuple[CurrencyRow, ...] = ()
    postings: tuple[Posting, ...] = ()
    rated: tuple[tuple[int, str, Decimal], ...] = ()

    @property
    def rates(self) -> dict[str, Decimal]:
        """What one unit of each currency is worth in base currency at the end."""
        account = self.settings.account
        last = {row.currency: row.rate for row in self.currencies}
        return {**account.fx_rates, **last, account.base_currency: Decimal(1)}

    @property
    def pnl(self) -> Decimal:
        """Profit after fees, open positions marked."""
        return self.final_equity - self.deposit
