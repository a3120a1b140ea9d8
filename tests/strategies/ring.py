"""Strategies on small hand-made markets, through the real ring and the real simulated venue."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from engine.domain.instrument import Instrument
from engine.domain.market import MarketEvent, Quote, Trade
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from engine.domain.order import Order
from engine.domain.sessions import Sessions
from engine.journal.run import RunJournal
from engine.runtime.backtest import Backtest, Job
from engine.runtime.result import Result
from engine.settings import (
    LatencySettings,
    Limits,
    Pipeline,
    RecordingSettings,
    ReplaySettings,
    RiskSettings,
    Settings,
    VenueSettings,
)
from engine.strategy.api import Strategy
from engine.venue.fees import FeeSchedule
from engine.venue.sim import SimVenue
from tests.feed.rows import chunks_of, in_order

MS, S, M = NS_PER_MS, NS_PER_S, NS_PER_MINUTE
OPEN = 20_000 * NS_PER_DAY + 14 * 60 * M + 30 * M  # 14:30 UTC
CLOSE = OPEN + 390 * M
AAA, BBB = Instrument(conid=1, symbol="AAA"), Instrument(conid=2, symbol="BBB")
TWO_DAYS = Sessions(opens_ns=(OPEN, OPEN + NS_PER_DAY), closes_ns=(CLOSE, CLOSE + NS_PER_DAY))
# Limits that refuse nothing by accident in markets of a few rows; what a test is about it tightens.
QUICK = VenueSettings(latency_ms=LatencySettings(place=10, modify=10, cancel=10), fees="none")
LOOSE = Limits(quote_age_max_s=Decimal(100_000), price_collar_pct=Decimal(50))


def quote(ts_ns: int, bid: float, ask: float, conid: int = 1, size: float = 1e6) -> MarketEvent:
    """A quote at nanoseconds after the open."""
    return Quote(OPEN + ts_ns, conid, bid, ask, size, size)


def trade(ts_ns: int, price: float, size: float = 100.0, conid: int = 1) -> MarketEvent:
    """A trade at nanoseconds after the open."""
    return Trade(OPEN + ts_ns, conid, price, size)


@frozen
class Run:
    """What a run left: orders by time of birth, fills as (side, quantity, price, coid), and the strategy itself."""

    result: Result
    strategy: Any

    @property
    def orders(self) -> list[Order]:
        return [row.order for row in self.result.orders]

    @property
    def asked(self) -> list[tuple[int, str]]:
        """Orders as (nanoseconds after the open, words)."""
        return [(order.created_ns - OPEN, words(order)) for order in self.orders]

    @property
    def fills(self) -> list[tuple[str, Decimal, Decimal]]:
        return [(row.fill.side, row.fill.quantity, row.fill.price) for row in self.result.fills]

    @property
    def refused(self) -> list[str]:
        return [row.code for row in self.result.refusals]

    def history(self, coid: str) -> list[tuple[int, str]]:
        """What was said of an order: nanoseconds after the open, and the word."""
        (row,) = [row for row in self.result.orders if row.order.coid == coid]
        return [(ts_ns - OPEN, said) for ts_ns, _, said in row.history]


def words(order: Order) -> str:
    """An order as a trader would say it: BUY 100 AAA LMT 10.00."""
    ticket = order.ticket
    symbol = {1: "AAA", 2: "BBB"}[ticket.conid]
    prices = [str(price) for price in (ticket.limit_price, ticket.stop_price) if price is not None]
    return " ".join([ticket.side, str(ticket.quantity), symbol, ticket.order_type, *prices])


@frozen(kw_only=True)
class Ring:
    """How to run: settings that tests change, with defaults that make answers easy to work out by hand."""

    sessions: Sessions = TWO_DAYS
    limits: Limits = LOOSE
    by_instrument: dict[str, Limits] = field(factory=dict)
    venue: VenueSettings = QUICK
    pipeline: Pipeline = Pipeline.FUSED
    cuts: tuple[int, ...] = ()
    instruments: tuple[Instrument, ...] = (AAA,)

    def run(self, strategy: type[Strategy[Any]], params: Any, events: Sequence[MarketEvent]) -> Run:
        """Run one strategy over events, fused, and return what became of it."""
        rows = in_order(events)
        known = {instrument.conid: instrument for instrument in self.instruments}
        settings = Settings(
            name="test",
            source=Path("test.toml"),
            recording=RecordingSettings(path=Path()),
            strategies=(),
            risk=RiskSettings(account=self.limits, instrument=self.by_instrument),
            venue=self.venue,
            replay=ReplaySettings(pipeline=self.pipeline),
        )
        sessions = {"XNYS": self.sessions}
        fees = FeeSchedule.none()
        venue = SimVenue(instruments=known, settings=self.venue, sessions=sessions, fees=fees, seed=0)
        with closing(RunJournal()) as journal:
            test = Backtest(
                settings=settings,
                instruments=known,
                sessions=sessions,
                jobs=(Job(name="s", strategy=strategy, params=params, instruments=self.instruments),),
                venue=venue,
                venue_counts=venue.counts,
                journal=journal,
                span_ns=(rows[0].ts_ns, rows[-1].ts_ns),
            )
            test.run(chunks_of(rows, self.cuts))
            result = test.result()
        assert dict(result.off) == {}
        return Run(result, test.host.seats["s"].strategy)

    def but(self, **changes: Any) -> Ring:
        """The same ring with some settings changed."""
        return evolve(self, **changes)
