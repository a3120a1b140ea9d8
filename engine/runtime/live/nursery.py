"""The daemon's nursery: feed, strategies, risk, orders and portfolio as tasks on bounded channels.

Knows no adapter: market data, broker, journal, clock and people are handed in. A channel of order news that overflows
ends the process: the journal has everything, and a start reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import trio
from attrs import define, field, frozen

from engine.domain.brokerage import Availability, Notice, SessionNow, VenueExecution, VenueOrder
from engine.domain.instrument import Instrument
from engine.domain.market import MarketEvent
from engine.domain.messages import BarWish
from engine.domain.sessions import Sessions
from engine.orders.actions import Flatten
from engine.orders.desk import Desk
from engine.portfolio.books import Portfolio
from engine.ports import Broker, Clock, MarketData
from engine.risk.account import Held
from engine.risk.gate import Gate
from engine.risk.losses import LossWatch
from engine.risk.monitors import Finding
from engine.runtime.live.booking import Booking
from engine.runtime.live.carrying import Carrier
from engine.runtime.live.deciding import Deciding, DecidingCore, Resting
from engine.runtime.live.feeding import FeedCore, Feeding, listen
from engine.runtime.live.judging import Conditions, Judging
from engine.runtime.live.lanes import Lane
from engine.runtime.live.letters import (
    Booked,
    CancelNow,
    CashTold,
    ExecutionsHeard,
    ExecutionsRead,
    FeedLetter,
    Forget,
    OperatorAnswered,
    OrdersLetter,
    OrdersRead,
    PortfolioLetter,
    RiskLetter,
    RowsHeard,
    SessionHeard,
    StrategiesLetter,
    TakenOver,
    Tick,
    ToldToRisk,
    TradingNow,
    Wake,
    Wanted,
)
from engine.runtime.live.ordering import Ordering, People
from engine.runtime.live.storing import Ledger
from engine.strategy.host import StrategyHost

# Letters that may wait: more than a busy day's burst, and few enough that an overflow is told within seconds.
ROOM: Final = 10_000
TICK_S: Final = 0.05
DIGESTED_S: Final = 5.0
_LOOK_S: Final = 0.002
_TURNS: Final = 6  # of the loop: a letter that was handed over directly is in no channel, and its taker not yet awake
Note = Callable[[str, int, Any], None]  # core, time, letter


@frozen(kw_only=True)
class Edges:
    """What stands at the ends."""

    clock: Clock
    data: MarketData
    broker: Broker
    ledger: Ledger
    people: People
    record: Callable[[Sequence[MarketEvent]], None]
    available: Callable[[Availability], None]
    notice: Callable[[Notice], None]
    session: Callable[[SessionNow], None]
    note: Note


@frozen(kw_only=True)
class Cores:
    """The actors' cores, ready to run: strategies have been started, the book has been recovered."""

    host: StrategyHost
    gate: Gate
    desk: Desk
    portfolio: Portfolio
    wishes: Sequence[BarWish]
    sessions: Mapping[int, Sessions]
    conditions: Conditions
    flatten: Callable[[Flatten, int], Wanted]
    watch: LossWatch | None = None
    on_latch: Callable[[str, Held], None] | None = None
    holds: bool = True  # a person is asked about what one may let pass
    wall: bool = True  # the session lives by the wall's clock
    on_finding: Callable[[Finding, int], None] | None = None


@define(eq=False)
class Nursery:
    """The actors and their channels. Make it, `run` it, and speak to it by the methods meanwhile."""

    edges: Edges
    cores: Cores
    instruments: Sequence[Instrument]
    feeding: Feeding = field(init=False)
    deciding: Deciding = field(init=False)
    judging: Judging = field(init=False)
    booking: Booking = field(init=False)
    ordering: Ordering = field(init=False)
    _to_orders: Lane[OrdersLetter] = field(init=False)
    _to_risk: Lane[RiskLetter] = field(init=False)
    _to_strategies: Lane[StrategiesLetter | Resting] = field(init=False)
    _to_portfolio: trio.MemorySendChannel[PortfolioLetter] = field(init=False)
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    def tell_risk(self, letter: ToldToRisk) -> None:
        """The trading state, an instrument's, new limits, the venue's word, health, what closes positions, or intents
        of an operator's.

        The trading state goes before whatever waits, in a full channel too, and orders hear of it as well.
        """
        if isinstance(letter, TradingNow):
            self._urge_orders(letter)
            self.judging.urgent.append(letter)
            with suppress(trio.WouldBlock):  # full: then risk looks before it takes the next one
                self._to_risk.send_nowait(Wake())
            return
        if isinstance(letter, Wanted):
            self.edges.note("operator", self.edges.clock.now_ns(), letter)
        self._to_risk.send_nowait(letter)

    def tell_start(self, letter: Booked) -> None:
        """What the journal knew of open orders and positions, before anything else."""
        self._to_risk.send_nowait(letter)
        self._to_strategies.send_nowait(letter)

    def waiting(self) -> int:
        """Letters that wait, in the fullest channel."""
        booking = self._to_portfolio.statistics().current_buffer_used
        return max(self._to_risk.waiting, self._to_strategies.waiting, self._to_orders.waiting, booking)

    async def digested(self) -> None:
        """Return when orders and portfolio are done with all that they have been told; no later than after some time.

        A disk that is slow, or a busy machine, makes that longer than any fixed wait.
        """
        quiet = 0
        with trio.move_on_after(DIGESTED_S):
            while quiet < _TURNS:
                booking = self._to_portfolio.statistics().current_buffer_used
                busy = self.ordering.at_work or self._to_orders.waiting or booking
                quiet = 0 if busy else quiet + 1
                await (trio.sleep(_LOOK_S) if busy else trio.lowlevel.checkpoint())

    def begin(self) -> None:
        """The venue's books have been read: strategies may act from now on."""
        self.deciding.begin()

    def tell_portfolio(self, letter: TakenOver | CashTold | Forget) -> None:
        """Units or cash that came into the account by no order of ours; or another day."""
        self._to_portfolio.send_nowait(letter)

    def tell_orders(self, letter: CancelNow | OperatorAnswered | OrdersRead | ExecutionsRead | Forget) -> None:
        """Cancel at once, an operator's answer, or a reading that somebody else has made.

        What cancels goes before whatever waits, in a full channel too.
        """
        if isinstance(letter, CancelNow):
            self._urge_orders(letter)
            return
        self._to_orders.send_nowait(letter)

    def _urge_orders(self, letter: CancelNow | TradingNow) -> None:
        self.ordering.urge(letter)
        with suppress(trio.WouldBlock):
            self._to_orders.send_nowait(Tick())

    def stop(self) -> None:
        """End all tasks; what was decided is stored."""
        self._scope.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until `stop`, or until a task fails: then all end, and the error comes out."""
        edges, cores = self.edges, self.cores
        clock, note = edges.clock, edges.note
        to_orders = Lane[OrdersLetter](ROOM)
        to_portfolio, at_portfolio = trio.open_memory_channel[PortfolioLetter](ROOM)
        to_strategies = Lane[StrategiesLetter | Resting](ROOM)
        to_risk = Lane[RiskLetter](ROOM)
        to_feed = Lane[FeedLetter](ROOM)
        self._to_orders, self._to_risk = to_orders, to_risk
        self._to_strategies, self._to_portfolio = to_strategies, to_portfolio
        self.feeding = Feeding(
            FeedCore(cores.wishes, cores.sessions),
            clock,
            lane=to_feed,
            to_strategies=to_strategies,
            to_risk=to_risk,
            record=edges.record,
            available=edges.available,
            note=note,
        )
        self.deciding = Deciding(
            DecidingCore(cores.host), clock, lane=to_strategies, to_risk=to_risk, to_feed=to_feed, note=note
        )
        self.judging = Judging(
            cores.gate,
            clock,
            conditions=cores.conditions,
            to_orders=to_orders,
            lane=to_risk,
            note=note,
            watch=cores.watch,
            on_latch=cores.on_latch,
            holds=cores.holds,
            wall=cores.wall,
            on_finding=cores.on_finding,
        )
        self.booking = Booking(cores.portfolio, clock, to_strategies=to_strategies, to_risk=to_risk, note=note)
        self.ordering = Ordering(
            cores.desk,
            edges.ledger,
            clock,
            edges.people,
            to_portfolio=to_portfolio.clone(),
            to_risk=to_risk,
            flatten=cores.flatten,
            note=note,
        )
        carrier = Carrier(edges.broker, clock, to_orders)
        with self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(carrier.run)
                nursery.start_soon(self.ordering.run, to_orders, carrier)
                nursery.start_soon(self.booking.run, at_portfolio)
                nursery.start_soon(self.judging.run)
                nursery.start_soon(self.deciding.run)
                nursery.start_soon(self.feeding.run)
                nursery.start_soon(self._hear, to_orders)
                nursery.start_soon(self._tick, to_orders, to_strategies, to_feed)
                await edges.data.subscribe(self.instruments)
                deep = cores.host.deep
                if deep:
                    await edges.data.subscribe_depth([one for one in self.instruments if one.conid in deep])
                edges.data.relay(self.feeding.news)
                nursery.start_soon(listen, edges.data, to_feed)
                task_status.started()

    async def _hear(self, to_orders: Lane[OrdersLetter]) -> None:
        """The broker's news to whom it concerns, rows and executions in the order in which they came."""
        edges = self.edges
        while True:
            for one in await edges.broker.news():
                if isinstance(one, VenueOrder):
                    to_orders.send_nowait(RowsHeard((one,)))
                elif isinstance(one, VenueExecution):
                    to_orders.send_nowait(ExecutionsHeard((one,)))
                elif isinstance(one, SessionNow):
                    to_orders.send_nowait(SessionHeard(one))
                    edges.session(one)
                else:
                    edges.notice(one)

    async def _tick(
        self,
        to_orders: Lane[OrdersLetter],
        to_strategies: Lane[StrategiesLetter | Resting],
        to_feed: Lane[FeedLetter],
    ) -> None:
        """Time for those who wait for it; one who has a letter waiting needs no second one."""
        while True:
            await self.edges.clock.sleep(TICK_S)
            if to_orders.waiting == 0:
                to_orders.send_nowait(Tick())
            if to_strategies.waiting == 0:
                to_strategies.hand(Tick())
            if to_feed.waiting == 0:
                to_feed.hand(Tick())
