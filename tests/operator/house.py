"""A whole daemon on virtual time: nursery, model venue and journal, and the operator's desk beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import trio
from attrs import define, field

from engine.journal.durable import DurableJournal
from engine.operator.live import LiveDesk
from engine.operator.suppressing import Suppression
from engine.operator.trading import TradingDesk, TradingState
from engine.orders.actions import Alert, AskOperator
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.questions import CONDITIONS
from engine.orders.replies import read_policy
from engine.portfolio.books import Portfolio
from engine.risk.gate import Gate
from engine.runtime.live.letters import CancelNow, TradingNow, Wanted
from engine.runtime.live.nursery import Cores, Edges, Nursery
from engine.settings import Limits, RiskSettings
from engine.strategy.context import Context
from engine.strategy.host import StrategyHost
from engine.strategy.plan import Seat
from tests.orders.model_venue import ModelVenue
from tests.runtime_live.edges import DirectLedger, TrioClock
from tests.runtime_live.test_nursery import ACME, ALWAYS, Busy, Market, StreamingBroker

Row = tuple[int, str, str, Any]


class Listener:
    """People, as the desk and the orders task know them."""

    def __init__(self) -> None:
        self.alerts: list[tuple[int, Alert]] = []
        self.asked: list[AskOperator] = []

    def alert(self, alert: Alert, now_ns: int) -> None:
        self.alerts.append((now_ns, alert))

    def ask(self, question: AskOperator, now_ns: int) -> None:
        self.asked.append(question)

    def open_questions(self, now_ns: int) -> Sequence[AskOperator]:
        return [one for one in self.asked if now_ns < one.deadline_ns]


class ListKeeper:
    """A broker's suppression, in memory."""

    def __init__(self) -> None:
        self.said: list[list[str] | None] = []
        self.error: Exception | None = None

    async def suppress(self, message_ids: Sequence[str]) -> None:
        if self.error is not None:
            raise self.error
        self.said.append(list(message_ids))

    async def reset_suppression(self) -> None:
        self.said.append(None)


@define
class House:
    """What a test looks at."""

    desk: LiveDesk
    nursery: Nursery
    book: LiveOrders
    venue: ModelVenue
    broker: StreamingBroker
    portfolio: Portfolio
    journal: DurableJournal
    trading: TradingDesk
    people: Listener
    lists: ListKeeper
    kept: list[tuple[str, ...]]
    strategy: Busy
    notes: list[Row]
    against: list[str]
    stored: list[str] = field(factory=list)  # kinds and sources, in the order in which they were stored

    def rows(self, *kinds: str) -> list[tuple[str, str]]:
        return [(row.kind, row.name) for row in self.journal.rows(kinds=kinds)]

    def open(self) -> list[str]:
        return [coid for coid, order in self.book.book.items() if order.is_open]


@asynccontextmanager
async def house(
    path: Path, *, on: bool = True, hold: Callable[[], bool] = lambda: False, limits: Limits | None = None
) -> AsyncIterator[House]:
    """A daemon that trades. `hold`: the journal of the desk hangs while it is true."""
    chance, clock = Random(5), TrioClock()
    venue, people, lists = ModelVenue(chance), Listener(), ListKeeper()
    broker = StreamingBroker(venue, chance, clock, 0.0)
    journal = DurableJournal(path / "journal.db")
    journal._database.execute("PRAGMA synchronous = OFF")  # hours of virtual time: what a disk costs is not asked here
    ledger = DirectLedger(journal)
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
    book, trading = LiveOrders(), TradingDesk()
    given = limits or Limits(duplicate_window_s=Decimal(0), position_max=Decimal(10_000), open_orders_max=500)
    gate = Gate(
        settings=RiskSettings(account=given),
        instruments={1: ACME},
        sessions={"24/7": ALWAYS},
        rates={"USD": Decimal(1)},
    )
    portfolio = Portfolio({1: ACME}, {"USD": Decimal(1_000_000)}, {"USD": Decimal(1)})
    nursery = Nursery(
        Edges(
            clock=clock,
            data=Market(clock),
            broker=broker,
            ledger=ledger,
            people=people,
            record=lambda rows: None,
            available=lambda availability: None,
            notice=lambda notice: None,
            session=lambda session: None,
            note=lambda core, now_ns, letter: None,
        ),
        Cores(
            host=host,
            gate=gate,
            desk=Desk(book, read_policy({"o163": "confirm", "o354": "confirm"}), DeskSettings()),
            portfolio=portfolio,
            wishes=wishes,
            sessions={1: ALWAYS},
            conditions=lambda tickets, view, now_ns: dict.fromkeys(CONDITIONS, True),
            flatten=lambda action, now_ns: Wanted((), now_ns),
        ),
        [ACME],
    )

    async def store(rows: Sequence[Row]) -> None:
        if hold():
            await trio.sleep_forever()
        await ledger.store(rows, coids=(), essential=True)

    async def set_trading(rows: Sequence[Row]) -> None:
        with trio.move_on_after(1):
            await store(rows)
        nursery.tell_risk(TradingNow(str(trading.state), trading.reason))
        if trading.state is TradingState.HALTED:
            nursery.tell_orders(CancelNow(None, trading.reason))

    async def latch(level: TradingState, source: str, reason: str, *, flatten: bool = False) -> None:
        rows = trading.latch(level, source, reason, clock.now_ns(), flatten=flatten)
        if rows:
            await set_trading(rows)

    async def lift() -> bool:
        rows = trading.resume(clock.now_ns())
        if rows:
            await set_trading(rows)
        return bool(rows)

    async def loosen() -> Sequence[str]:
        return ["risk.account.position_max from 10 to 20"]

    async def alive() -> Mapping[str, Any]:
        return {"alive_until": None}

    notes: list[Row] = []
    against: list[str] = []
    kept: list[tuple[str, ...]] = []
    desk = LiveDesk(
        clock=clock,
        account="DU1",
        book=book,
        portfolio=portfolio,
        gate=gate,
        view=lambda: nursery.judging.view,
        trading=trading,
        tell_orders=nursery.tell_orders,
        tell_risk=nursery.tell_risk,
        store=store,
        latch=latch,
        lift=lift,
        loosen=loosen,
        people=people,
        layers=lambda: [{"layer": "gateway", "up": True, "reason": ""}],
        about=lambda: {"name": "test", "mode": "sim"},
        suppression=Suppression(lists, ["o163"], kept.append),
        day_began_ns=lambda: 0,
        positions_there=broker.positions,
        keep=notes.append,
        alive=alive,
        may_resume=lambda: against[0] if against else "",
        stopping=trio.Event(),
    )
    async with trio.open_nursery() as tasks:
        await tasks.start(nursery.run)
        nursery.begin()
        tasks.start_soon(desk.run)
        if on:
            trading.start()
            await set_trading([])
        yield House(
            desk,
            nursery,
            book,
            venue,
            broker,
            portfolio,
            journal,
            trading,
            people,
            lists,
            kept,
            strategy,
            notes,
            against,
        )
        nursery.stop()
        tasks.cancel_scope.cancel()
    journal.close()
