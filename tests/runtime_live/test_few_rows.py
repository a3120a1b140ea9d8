"""A few rows are handed out one by one, many in columns: strategies see and want the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instrument import Instrument
from engine.domain.market import Bar, MarketEvent, Quote, Status, Trade, Trading
from engine.domain.sessions import Sessions
from engine.runtime.live import deciding
from engine.runtime.live.deciding import DecidingCore
from engine.runtime.live.letters import Arrived
from engine.strategy.api import Strategy
from engine.strategy.context import Context
from engine.strategy.host import StrategyHost
from engine.strategy.plan import Seat

S = 1_000_000_000
NAMES = {"ACME": 1, "BOLT": 2}
INSTRUMENTS = [Instrument(conid=conid, symbol=name, calendar="24/7") for name, conid in NAMES.items()]


class Watcher(Strategy[Any]):
    """Writes down what it is given and what it sees; wants something at every third event, and fails at one."""

    def on_start(self) -> None:
        self.seen: list[object] = []

    def look(self, event: MarketEvent) -> None:
        ctx = self.ctx
        for name in ctx.instruments:
            self.seen.append((ctx.quote(name), ctx.trade(name), ctx.bar(name), ctx.status(name)))
        self.seen.append((ctx.now_ns, event))
        if len(self.seen) % 9 == 0:
            ctx.buy("BOLT", 1, limit=10)
        if len(self.seen) > 60 and self.ctx.strategy == "frail":
            raise ValueError("enough")


class Quotes(Watcher):
    def on_quote(self, quote: Quote) -> None:
        self.look(quote)


class All(Watcher):
    def on_quote(self, quote: Quote) -> None:
        self.look(quote)

    def on_trade(self, trade: Trade) -> None:
        self.look(trade)

    def on_bar(self, bar: Bar) -> None:
        self.look(bar)

    def on_status(self, status: Status) -> None:
        self.look(status)


def core() -> tuple[DecidingCore, list[Watcher]]:
    host = StrategyHost()
    made: list[Watcher] = []
    for name, kind, instruments in (
        ("one", Quotes, INSTRUMENTS),
        ("frail", All, INSTRUMENTS),
        ("few", All, [INSTRUMENTS[1]]),
    ):
        ctx = Context(
            strategy=name, account="DU1", instruments=instruments, sessions={"24/7": Sessions.round_the_clock()},
            span_ns=(0, 2**62), clock=host, wants=host.wants, view=host.view,
        )  # fmt: skip
        made.append(kind(ctx, None))
        host.add(Seat.of(name, made[-1], ctx))
    host.start(0)
    return DecidingCore(host), made


@st.composite
def rows(draw: st.DrawFn) -> MarketEvent:
    ts_ns, conid = draw(st.integers(0, 40)) * S, draw(st.sampled_from([1, 2]))
    kind = draw(st.sampled_from(["quote", "trade", "bar", "status"]))
    price = draw(st.sampled_from([9.5, 10.0, 10.5]))
    if kind == "quote":
        return Quote(ts_ns, conid, price, price + 0.5, 1.0, 2.0)
    if kind == "trade":
        return Trade(ts_ns, conid, price, 1.0, True)
    if kind == "status":
        return Status(ts_ns, conid, draw(st.sampled_from([Trading.OPEN, Trading.HALTED])))
    return Bar(ts_ns, conid, 60 * S, price, price, price, price, 1.0)


@given(lots=st.lists(st.lists(rows(), max_size=5), max_size=8))
def test_few_rows_and_columns_are_alike(lots: list[Sequence[MarketEvent]]) -> None:
    told = []
    for most in (0, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deciding, "FEW", most)
            one, strategies = core()
            intents = [one.rows(Arrived(tuple(lot)), number * 5 * S) for number, lot in enumerate(lots, start=1)]
            told.append((intents, [strategy.seen for strategy in strategies], [s.off for s in one.host.seats.values()]))
    assert repr(told[0]) == repr(told[1])
    if any(lots):
        assert any(seen for seen in told[0][1]) or not any(isinstance(row, Quote) for lot in lots for row in lot)
