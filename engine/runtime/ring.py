"""The replay ring: one lap goes round market, orders, portfolio, strategies, risk, orders, and back to market.

Wired in two ways that give the same bytes: `channels`, each actor a trio task with its own memory channel, and `fused`
(the module of that name), the same cores called one after the other in one task. The order manager is passed twice:
before the strategies it reads what the venue said, after the gate it carries out what was approved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import trio

from engine.domain.actions import RateNow
from engine.domain.messages import Cancel, DropTimer, PositionNow, SetTimer
from engine.orders.manager import OrderManager
from engine.portfolio.books import Portfolio
from engine.risk.account import Level
from engine.risk.gate import Gate
from engine.risk.losses import LossWatch
from engine.runtime.due import named
from engine.runtime.lap import Lap
from engine.runtime.market import Market
from engine.strategy.host import StrategyHost

# A replay's journal is its product, not its memory: facts go over in lots, soon enough to be found in the caches.
FACTS_TOGETHER: Final = 64
_NO_POSITIONS: Final[list[PositionNow]] = []  # never written to


class Ring:
    """The actors of a replay, and the lap that joins them.

    Args:
        store: Takes what strategies noted and the order manager's facts so far; called before new facts are made.
        noted: Of each strategy the list of its notes, which `store` empties.
        watch: Latches on losses; they end windows. None where no limit asks for them.
    """

    def __init__(
        self,
        *,
        market: Market,
        orders: OrderManager,
        portfolio: Portfolio,
        host: StrategyHost,
        gate: Gate,
        store: Callable[[], None],
        watch: LossWatch | None = None,
        noted: tuple[list[Any], ...] = (),
    ) -> None:
        self.market = market
        self.orders = orders
        self.portfolio = portfolio
        self.host = host
        self.gate = gate
        self.store = store
        self.noted = noted
        self.watch = watch

    # --- one step an actor --------------------------------------------------------------------------------------

    def offer(self, lap: Lap) -> None:
        """Market: take in requests, offer what is due next."""
        self.market.step(lap)

    def hear(self, lap: Lap) -> None:
        """Orders: what the venue said becomes updates; corporate actions are facts before they are booked."""
        if lap.actions:
            self.store()
            self.orders.facts += [(one.ts_ns, "action", named(one), one) for one in lap.actions]
        if lap.answers:
            self.store()
            updates = self.orders.hear(lap.answers)
            lap.updates = lap.updates + updates if lap.updates else updates
            lap.answers = []

    def book(self, lap: Lap) -> None:
        """Portfolio: executions become positions, and corporate actions change them."""
        moved = bool(lap.actions)
        if lap.updates:
            lap.positions = self.portfolio.hear(lap.updates)
        if lap.actions:
            booked, posted = self.portfolio.booked, self.portfolio.postings
            known, before = len(booked), len(posted)
            lap.positions = lap.positions + self.portfolio.adjust(lap.actions)
            self.orders.facts += [(one.ts_ns, "booked", one.strategy, one) for one in booked[known:]]
            self.orders.facts += [(one.ts_ns, "posted", one.owner, one) for one in posted[before:]]
            for action in lap.actions:
                if isinstance(action, RateNow) and action.rate is not None:
                    self._rate(action.currency)
            lap.actions = []
            if self.watch is not None:
                self.watch.repriced()
                for owner, money in self.portfolio.credited:
                    self.watch.paid(owner, float(money))
            self.portfolio.credited.clear()
        if self.watch is not None and (lap.updates or lap.positions or moved):
            chunk, row = lap.chunk, lap.start
            self.watch.hear(lap.updates, lap.positions, lambda conid: chunk.price(conid, row), lap.now_ns)

    def _rate(self, currency: str) -> None:
        """A currency is worth something else: risk weighs what is in it anew."""
        self.gate.rate_now(currency)
        if self.watch is not None:
            self.watch.rate_now(currency, float(self.portfolio.rates[currency]))

    def decide(self, lap: Lap) -> None:
        """Strategies: updates first, then timers, then rows, until somebody wants something."""
        host = self.host
        wants = host.wants
        if lap.updates or lap.positions:
            host.hear(lap.updates, lap.positions, lap.now_ns)
        if lap.timers:
            host.wake(lap.timers, lap.now_ns)
            lap.timers = []
        watch = self.watch
        if self.gate.latched:
            self._cut_off(lap)
        if lap.stop > lap.start and not wants and not lap.intents:
            if watch is not None:
                lap.stop = watch.cut(lap.chunk, lap.start, lap.stop)
            lap.taken = host.run(lap.chunk, lap.start, lap.stop)
            lap.now_ns = host.reached_ns
            if watch is not None and lap.taken > lap.start:
                watch.took(lap.chunk, lap.start, lap.taken)
        if self.gate.latched:
            self._cut_off(lap)
        if wants:
            self.sort_wants(lap)

    def _cut_off(self, lap: Lap) -> None:
        """Latches were set: they are facts, and what is open of whoever is halted is cancelled."""
        self.store()
        for owner, held in self.gate.latched:
            self.orders.facts.append((held.ts_ns, "latched", owner or "account", held))
            if held.level is Level.HALTED:
                lap.intents += [Cancel(coid, strategy) for coid, strategy in self.gate.open_of(owner)]
        self.gate.latched.clear()

    def sort_wants(self, lap: Lap) -> None:
        """Put what the strategies want into the lap: orders for risk, timers for the market."""
        wants = self.host.wants
        for want in wants:
            if want.__class__ is SetTimer or want.__class__ is DropTimer:
                lap.wishes.append(want)
            else:
                lap.intents.append(want)  # type: ignore[arg-type]  # neither of the two classes above has a subclass
        wants.clear()

    def judge(self, lap: Lap) -> None:
        """Risk: intents become verdicts."""
        gate = self.gate
        if lap.updates or lap.positions:
            gate.hear(lap.updates, lap.positions)
            lap.updates = []
            lap.positions = _NO_POSITIONS
        if lap.intents:
            view = self.host.view
            now_ns = lap.now_ns
            judge = gate.judge
            verdicts = lap.verdicts
            for intent in lap.intents:
                verdicts.append(judge(intent, view, now_ns))
            lap.intents = []

    def act(self, lap: Lap) -> None:
        """Orders: what was approved becomes requests; refusals become updates of the next lap."""
        if lap.verdicts:
            self.store()
            lap.requests, lap.updates = self.orders.act(lap.verdicts, lap.now_ns)
            lap.verdicts = []


async def run_channels(ring: Ring, lap: Lap) -> None:
    """Go round five trio tasks on memory channels until the market ends the run.

    Whoever has the lap hands it to the next who has something to do with it: a hop costs as much as two answers. The
    lap that ends the run passes them all, and each ends after it. Since there is but one lap, a channel that it is sent
    to is empty: to wait for room would only be another turn of the scheduler.
    """
    to_market, at_market = trio.open_memory_channel[Lap](1)
    to_orders, at_orders = trio.open_memory_channel[Lap](1)
    to_portfolio, at_portfolio = trio.open_memory_channel[Lap](1)
    to_strategies, at_strategies = trio.open_memory_channel[Lap](1)
    to_risk, at_risk = trio.open_memory_channel[Lap](1)

    async def market() -> None:
        async with at_market:
            async for lap in at_market:
                ring.offer(lap)
                if lap.answers or lap.actions or lap.finished:
                    to_orders.send_nowait(lap)
                else:
                    (to_portfolio if lap.updates else to_strategies).send_nowait(lap)
                if lap.finished:
                    return

    async def orders() -> None:
        async with at_orders:
            async for lap in at_orders:
                if lap.verdicts:
                    ring.act(lap)
                    to_market.send_nowait(lap)
                    continue
                ring.hear(lap)
                (to_portfolio if lap.updates or lap.actions or lap.finished else to_strategies).send_nowait(lap)
                if lap.finished:
                    return

    async def portfolio() -> None:
        async with at_portfolio:
            async for lap in at_portfolio:
                ring.book(lap)
                to_strategies.send_nowait(lap)
                if lap.finished:
                    return

    async def strategies() -> None:
        async with at_strategies:
            async for lap in at_strategies:
                if lap.finished:
                    to_risk.send_nowait(lap)
                    return
                ring.decide(lap)
                (to_risk if lap.intents or lap.updates or lap.positions else to_market).send_nowait(lap)

    async def risk() -> None:
        async with at_risk:
            async for lap in at_risk:
                if lap.finished:
                    return
                ring.judge(lap)
                (to_orders if lap.verdicts else to_market).send_nowait(lap)

    async with trio.open_nursery() as nursery:
        for actor in (market, orders, portfolio, strategies, risk):
            nursery.start_soon(actor)
        to_market.send_nowait(lap)
