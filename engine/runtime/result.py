"""What a run found out, before `app` adds where it came from and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from attrs import frozen

from engine.domain.actions import Booked, Posting
from engine.runtime.outcome import (
    CurrencyRow,
    EquityCurve,
    FillRow,
    IndicatorSeries,
    OrderRow,
    Position,
    PriceSeries,
    RefusalRow,
)
from engine.runtime.series import ThinSeries


@frozen(kw_only=True, eq=False)
class Result:
    """What a run found out; `app` adds where it came from and how long it took."""

    start_ns: int
    end_ns: int
    events: int
    events_by_kind: Mapping[str, int]
    deposit: Decimal
    final_equity: Decimal
    fees: Decimal
    fees_by_line: Mapping[str, Decimal]
    dividends: Decimal
    withheld: Decimal
    interest: Decimal
    borrow: Decimal
    currencies: tuple[CurrencyRow, ...]
    postings: tuple[Posting, ...]
    rated: tuple[tuple[int, str, Decimal], ...]
    booked: tuple[Booked, ...]
    orders: tuple[OrderRow, ...]
    fills: tuple[FillRow, ...]
    refusals: tuple[RefusalRow, ...]
    positions: tuple[Position, ...]
    equity: EquityCurve
    prices: tuple[PriceSeries, ...]
    indicators: tuple[IndicatorSeries, ...]
    counts: Mapping[str, int]
    off: Mapping[str, str]
    deaf: Mapping[str, str]
    hash: str


def price_series(conid: int, line: ThinSeries) -> PriceSeries:
    """A thinned line of an instrument's price, for the report."""
    times, values = line.points()
    return PriceSeries(conid=conid, ts_ns=times, price=values)


def shelf(key: tuple[str, int | None, str]) -> tuple[str, str, int]:
    """Where an indicator stands among the others: by strategy, name and instrument."""
    strategy, conid, name = key
    return strategy, name, -1 if conid is None else conid


def indicator_series(key: tuple[str, int | None, str], line: ThinSeries) -> IndicatorSeries:
    """A thinned line that a strategy emitted, for the report."""
    times, values = line.points()
    return IndicatorSeries(strategy=key[0], conid=key[1], name=key[2], ts_ns=times, value=values)
