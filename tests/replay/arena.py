"""Strategies on small markets through the real ring, venue, gate and books, and all that a run leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from engine.domain.actions import Action
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, MarketEvent, Quote, Status, Trade
from engine.domain.moments import NS_PER_DAY, NS_PER_MS, NS_PER_S
from engine.domain.sessions import Sessions
from engine.orders.manager import JournalRow
from engine.portfolio.financing import Financing
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

MS, S = NS_PER_MS, NS_PER_S
T0 = 20_000 * NS_PER_DAY + 15 * 3600 * S  # a time of day at which nothing else happens
AAA = Instrument(conid=1, symbol="AAA", calendar="T")
BBB = Instrument(conid=2, symbol="BBB", calendar="T")
ALWAYS = Sessions.round_the_clock()
AT_ONCE = VenueSettings(latency_ms=LatencySettings(place=0, modify=0, cancel=0), fills="same_event", fees="none")
# Limits that refuse nothing by accident in a market of a few rows.
LOOSE = Limits(
    quote_age_max_s=Decimal(1_000_000),
    price_collar_pct=Decimal(90),
    orders_per_minute_max=1_000_000,
    open_orders_max=1_000_000,
    duplicate_window_s=Decimal(0),
)

Make = type[Strategy[Any]]
Fact = tuple[int, str, str, bytes]
_ENCODE = msgspec.json.Encoder(decimal_format="string", order="deterministic").encode


def _listed(line: NDArray[np.float64]) -> list[float | None]:
    """A line as a list that equals another with the same gaps."""
    return [None if value != value else value for value in line.tolist()]


class Noted:
    """A journal in memory: a thousand runs then need no thousand files."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def record(self, rows: list[JournalRow]) -> None:
        self.facts += [(ts_ns, kind, name, _ENCODE(body)) for ts_ns, kind, name, body in rows]

    def digest(self) -> bytes:
        return sha256(repr(self.facts).encode()).digest()


def quote(ts: int, bid: float, ask: float, conid: int = 1, size: float = 1e6) -> Quote:
    """A quote, nanoseconds after T0."""
    return Quote(T0 + ts, conid, bid, ask, size, size)


def trade(ts: int, price: float, size: float = 100.0, conid: int = 1) -> Trade:
    """A print."""
    return Trade(T0 + ts, conid, price, size)


def bar(ts: int, price: float, conid: int = 1, span: int = S) -> Bar:
    """A flat bar that ends at `ts`."""
    return Bar(T0 + ts, conid, span, price, price, price, price, 1e6)


def status(ts: int, trading: str, conid: int = 1) -> Status:
    """A change of status."""
    return Status(T0 + ts, conid, trading)


@frozen(kw_only=True)
class Left:
    """What a run leaves: every fact, fill and order, the equity curve, indicators and the hash."""

    facts: list[Fact]
    result: Result
    strategies: dict[str, Any]

    def all(self) -> dict[str, Any]:
        """Everything that wiring and cuts must not change, as plain values."""
        result, curve = self.result, self.result.equity
        return {
            "facts": self.facts,
            "fills": result.fills,
            "orders": result.orders,
            "refusals": result.refusals,
            "positions": result.positions,
            "equity": [curve.ts_ns.tolist(), *map(_listed, (curve.equity, curve.cash, curve.exposure))],
            "by_strategy": {name: _listed(line) for name, line in curve.by_strategy.items()},
            "indicators": [
                (i.strategy, i.conid, i.name, i.ts_ns.tolist(), i.value.tolist()) for i in result.indicators
            ],
            "prices": [(p.conid, p.ts_ns.tolist(), p.price.tolist()) for p in result.prices],
            "counts": result.counts,
            "books": [result.currencies, result.postings, result.booked, result.rated],
            "off": result.off,
            "events": result.events_by_kind,
            "end": (result.end_ns, result.final_equity, result.fees),
            "hash": result.hash,
        }

    def fills(self, strategy: str | None = None) -> list[tuple[int, str, str, str]]:
        """Executions as (ns after T0, side, quantity, price)."""
        return [
            (row.fill.ts_ns - T0, row.fill.side, str(row.fill.quantity), str(row.fill.price))
            for row in self.result.fills
            if strategy in (None, row.strategy)
        ]

    def of(self, strategy: str) -> list[Fact]:
        """The facts about one strategy and its orders."""
        return [fact for fact in self.facts if fact[2] == strategy or fact[2].startswith(f"{strategy}-")]


@frozen(kw_only=True)
class Arena:
    """How to run. The defaults are a market that never closes, no latency, and fills at the quote in force."""

    sessions: Sessions = ALWAYS
    limits: Limits = LOOSE
    own_limits: Mapping[str, Limits] = field(factory=dict)  # by strategy
    latch_until: str = "person"
    venue: VenueSettings = AT_ONCE
    pipeline: Pipeline = Pipeline.FUSED
    window: int = 8192
    hang_limit_s: float = 60.0
    cuts: tuple[int, ...] = ()
    widths: Callable[[], int] | None = None
    instruments: tuple[Instrument, ...] = (AAA, BBB)
    warm_up: int = 0
    params: Mapping[str, Any] = field(factory=dict)
    actions: tuple[Action, ...] = ()  # by time
    financing: Financing | None = None

    def but(self, **changes: Any) -> Arena:
        """The same with some settings changed."""
        return evolve(self, **changes)

    def run(self, events: Sequence[MarketEvent], *strategies: Make, **named: Make) -> Left:
        """Run strategies (called a, b, c ... unless named), in the order given."""
        jobs = {**{chr(ord("a") + place): one for place, one in enumerate(strategies)}, **named}
        rows = in_order(events)
        known = {instrument.conid: instrument for instrument in self.instruments}
        settings = Settings(
            name="test",
            source=Path("test.toml"),
            recording=RecordingSettings(path=Path()),
            strategies=(),
            risk=RiskSettings(account=self.limits, strategy=dict(self.own_limits), latch_until=self.latch_until),
            venue=self.venue,
            replay=ReplaySettings(pipeline=self.pipeline, window=self.window, hang_limit_s=self.hang_limit_s),
        )
        sessions = {"T": self.sessions}
        venue = SimVenue(instruments=known, settings=self.venue, sessions=sessions, fees=FeeSchedule.none(), seed=0)
        journal = Noted()
        test = Backtest(
            settings=settings,
            instruments=known,
            sessions=sessions,
            jobs=tuple(
                Job(name=name, strategy=one, params=self.params.get(name), instruments=self.instruments)
                for name, one in jobs.items()
            ),
            venue=venue,
            venue_counts=venue.counts,
            journal=journal,
            span_ns=(rows[0].ts_ns, rows[-1].ts_ns),
            warm_up_until_ns=T0 + self.warm_up if self.warm_up else 0,
            widths=self.widths,
            actions=self.actions,
            financing=self.financing,
        )
        test.run(chunks_of(rows, self.cuts))
        return Left(
            facts=journal.facts,
            result=test.result(),
            strategies={name: seat.strategy for name, seat in test.host.seats.items()},
        )
