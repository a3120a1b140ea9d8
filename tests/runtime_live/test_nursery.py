"""The whole nursery on virtual time: a strategy, a market and a venue that loses answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from engine.domain.brokerage import Availability, BrokerNews, SessionNow
from engine.domain.depth import Depth
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, MarketEvent, Quote
from engine.domain.sessions import Sessions
from engine.journal.durable import DurableJournal
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.questions import CONDITIONS
from engine.orders.replies import read_policy
from engine.portfolio.books import Portfolio
from engine.risk.gate import Gate
from engine.runtime.live.letters import CancelNow, TradingNow, Wanted
from engine.runtime.live.nursery import Cores, Edges, Nursery
from engine.settings import Limits, RiskSettings
from engine.strategy.api import Fill, Order, Strategy
from engine.strategy.context import Context
from engine.strategy.host import StrategyHost
from engine.strategy.plan import Seat
from tests.orders.model_venue import ModelVenue
from tests.runtime_live.edges import DirectLedger, LossyBroker, Recorder, TrioClock

ACME = Instrument(conid=1, symbol="ACME", calendar="24/7")
ALWAYS = Sessions.round_the_clock()


class Busy(Strategy[object]):
    """Buys and sells in turn, re-prices, and cancels what does not fill."""

    def on_start(self) -> None:
        self.quotes = 0
        self.bars: list[Bar] = []
        self.fills: list[Fill] = []
        self.orders: list[Order] = []
        self.timers = 0
        self.ctx.bars("ACME", "5s", source="mid")
        self.ctx.set_timer("tock", after_s=10)

    def on_quote(self, quote: Quote) -> None:
        self.quotes += 1
        if self.quotes % 7 == 1:
            side = self.ctx.buy if self.quotes % 2 else self.ctx.sell
            side("ACME", 2 + self.quotes % 5, limit=10)
        elif self.quotes % 11 == 0:
            for coid in list(self.ctx.open_orders)[:1]:
                self.ctx.modify(coid, quantity=9)
        elif self.quotes % 13 == 0:
            for coid in list(self.ctx.open_orders)[:1]:
                self.ctx.cancel(coid)

    def on_bar(self, bar: Bar) -> None:
        self.bars.append(bar)

    def on_timer(self, name: str) -> None:
        self.timers += 1
        self.ctx.set_timer("tock", after_s=10)

    def on_fill(self, fill: Fill) -> None:
        self.fills.append(fill)

    def on_order(self, order: Order) -> None:
        self.orders.append(order)


class Market:
    """A quote each half second."""

    def __init__(self, clock: TrioClock) -> None:
        self.clock = clock
        self.conflated = 0

    async def subscribe(self, instruments: Sequence[Instrument]) -> None:
        assert instruments == [ACME]

    async def subscribe_depth(self, instruments: Sequence[Instrument]) -> None:
        raise AssertionError("nobody has a handler for books")

    async def news(self) -> Sequence[MarketEvent | Availability]:
        await trio.sleep(0.5)
        return [Quote(self.clock.now_ns(), 1, 9.99, 10.01, 100.0, 100.0)]

    def relay(self, take: Callable[[Sequence[MarketEvent | Availability | Depth]], bool]) -> None:
        pass

    def silent_s(self, conid: int) -> float | None:
        return None

    async def bars(self, instrument: Instrument, *, start_ns: int, end_ns: int, span_ns: int) -> Sequence[Bar]:
        return ()


class StreamingBroker(LossyBroker):
    """With a stream of rows and executions, and fills now and then."""

    started = False

    async def news(self) -> Sequence[BrokerNews]:
        if not self.started:
            self.started = True
            return [SessionNow(ts_ns=self.clock.now_ns(), up=True, layer="")]
        while True:
            await trio.sleep(0.1)
            if self.chance.random() < 0.1:
                self.venue.fill(self.clock.now_ns())
            if self.venue.news:
                news, self.venue.news = self.venue.news, []
                return news


@pytest.mark.parametrize(("seed", "loss"), [(1, 0.0), (2, 0.2)])
async def test_strategies_portfolio_and_venue_agree_in_the_end(
    tmp_path: Path, seed: int, loss: float, autojump_clock: trio.testing.MockClock
) -> None:
    chance, clock = Random(seed), TrioClock()
    venue, people = ModelVenue(chance), Recorder()
    broker = StreamingBroker(venue, chance, clock, loss)
    journal = DurableJournal(tmp_path / "j.db")
    host = StrategyHost()
    ctx = Context(
        strategy="busy",
        account="DU1",
        instruments=[ACME],
        sessions={"24/7": ALWAYS},
        span_ns=(clock.now_ns(), 2**62),
        clock=host,
        wants=host.wants,
        view=host.view,
    )
    strategy = Busy(ctx, None)
    host.add(Seat.of("busy", strategy, ctx))
    wishes = host.start(clock.now_ns())
    book = LiveOrders()
    limits = Limits(duplicate_window_s=Decimal(0), position_max=Decimal(10_000), open_orders_max=500)
    letters: list[str] = []
    nursery = Nursery(
        Edges(
            clock=clock,
            data=Market(clock),
            broker=broker,
            ledger=DirectLedger(journal),
            people=people,
            record=lambda rows: None,
            available=lambda availability: None,
            notice=lambda notice: None,
            session=lambda session: None,
            note=lambda core, now_ns, letter: letters.append(core),
        ),
        Cores(
            host=host,
            gate=Gate(
                settings=RiskSettings(account=limits),
                instruments={1: ACME},
                sessions={"24/7": ALWAYS},
                rates={"USD": Decimal(1)},
            ),
            desk=Desk(book, read_policy({}), DeskSettings()),
            portfolio=Portfolio({1: ACME}, {"USD": Decimal(1_000_000)}, {"USD": Decimal(1)}),
            wishes=wishes,
            sessions={1: ALWAYS},
            conditions=lambda tickets, view, now_ns: dict.fromkeys(CONDITIONS, True),
            flatten=lambda action, now_ns: Wanted((), now_ns),
        ),
        [ACME],
    )
    async with trio.open_nursery() as tasks:
        await tasks.start(nursery.run)
        await trio.sleep(5)
        assert not book.book  # no order that could only be refused: nobody is called before the books are read
        assert (strategy.quotes, strategy.timers, strategy.bars) == (0, 0, [])
        nursery.tell_risk(TradingNow("on", ""))
        nursery.begin()
        await trio.sleep(300)
        broker.loss = 0.0
        halted_ns = clock.now_ns()
        nursery.tell_risk(TradingNow("halted", "the test is over"))
        nursery.tell_orders(CancelNow(None, "halt"))
        await trio.sleep(300)
        nursery.stop()
    sent = [order for order in book.book.values() if order.ticket.coid in venue.writes]
    assert len(sent) > 30
    assert len(venue.writes) == len(set(venue.writes))
    assert not any(order.is_open for order in book.book.values())
    held = sum((live.filled * live.ticket.side.sign for live in venue.orders.values()), Decimal(0))
    assert nursery.booking.portfolio.account.get(1, Decimal(0)) == held
    assert ctx.position("ACME").quantity == held
    assert len(strategy.fills) == sum(len(live.executions) for live in venue.orders.values())
    assert not [order for order in book.book.values() if order.code == "TRADING" and order.updated_ns < halted_ns]
    assert strategy.timers >= 50
    assert len(strategy.bars) >= 100
    assert {"feed", "strategies", "risk", "orders", "portfolio"} == set(letters)
    journal.close()
