"""A backtest: the actors joined by the replay ring over a recording, from its first row to its outcome.

Knows no adapter by name: the recording's chunks, the venue and the journal are handed in.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import trio
from attrs import define, field, frozen

from engine.domain.actions import Action, ConvertNow, DividendDue, DividendNow
from engine.domain.columns import Chunk
from engine.domain.instrument import Instrument
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.sessions import Sessions
from engine.errors import ConfigError, StrategyError
from engine.feed.bars import with_bars
from engine.orders.manager import JournalRow, OrderManager
from engine.portfolio.books import Portfolio
from engine.portfolio.financing import Financing
from engine.portfolio.marks import EquityMarks
from engine.risk.catalogue import Row
from engine.risk.gate import Gate
from engine.risk.losses import LossWatch
from engine.risk.margin import OFF
from engine.runtime.charts import Charts
from engine.runtime.currencies import by_currency, fees_by_line
from engine.runtime.fused import run_fused
from engine.runtime.hang import HangGuard, unwrapped
from engine.runtime.lap import Lap
from engine.runtime.market import Market, Venue
from engine.runtime.outcome import EquityCurve, FillRow, OrderRow, RefusalRow
from engine.runtime.result import Result
from engine.runtime.ring import FACTS_TOGETHER, Ring, run_channels
from engine.runtime.valuing import equity_of, positions_of
from engine.settings import Pipeline, Settings
from engine.strategy.api import Strategy
from engine.strategy.context import Context
from engine.strategy.host import StrategyHost, where
from engine.strategy.plan import Seat
from engine.strategy.window import RAISED

_ZERO: Final = Decimal(0)
_CANON: Final = msgspec.json.Encoder(decimal_format="string", order="deterministic")

Progress = Callable[[int, int, float], None]  # rows done, time reached (ns UTC), equity


class Journal(Protocol):
    """Where facts go, in order."""

    def record(self, rows: list[JournalRow]) -> None:
        """Take over facts."""

    def digest(self) -> bytes:
        """Hash of all facts so far."""


@frozen(kw_only=True)
class Job:
    """One strategy to run: its name, class, parameters and instruments."""

    name: str
    strategy: type[Strategy[Any]]
    params: Any
    instruments: tuple[Instrument, ...]


@define(eq=False)
class Backtest:
    """One run. Make it, call `run` once, then `result`.

    Args:
        span_ns: First and last time of the rows to come.
        warm_up_until_ns: No order is approved before.
        widths: Says how many rows the next window may have; None leaves it to the ring.
        actions: What comes due within the span by the calendar, by time: corporate actions, interest, rates.
        plugins: Risk checks beside the engine's table.
        financing: What interest and borrowing cost; None: nothing.
        rates: Rates of currencies to begin with, where they are not `account.fx_rates`.
    """

    settings: Settings
    instruments: Mapping[int, Instrument]
    sessions: Mapping[str, Sessions]
    jobs: tuple[Job, ...]
    venue: Venue
    venue_counts: Mapping[str, int]
    journal: Journal
    span_ns: tuple[int, int]
    warm_up_until_ns: int = 0
    progress: Progress | None = None
    widths: Callable[[], int] | None = None
    actions: tuple[Action, ...] = ()
    plugins: tuple[Row, ...] = ()
    financing: Financing | None = None
    rates: Mapping[str, Decimal] = field(factory=dict)
    host: StrategyHost = field(factory=StrategyHost, init=False)
    orders: OrderManager = field(factory=OrderManager, init=False)
    portfolio: Portfolio = field(init=False)
    gate: Gate = field(init=False)
    _watch: LossWatch | None = field(default=None, init=False)
    _marks: EquityMarks = field(init=False)
    _by_kind: dict[str, int] = field(factory=dict, init=False)
    _charts: Charts = field(init=False)
    _deposit: Decimal = field(default=_ZERO, init=False)
    _built: bool = field(default=False, init=False)
    _last: int = field(default=-1, init=False)
    _rated: int = field(default=0, init=False)
    _contexts: tuple[Context, ...] = field(default=(), init=False)
    _noted: tuple[list[Any], ...] = field(default=(), init=False)  # what each strategy notes

    def __attrs_post_init__(self) -> None:
        account = self.settings.account
        rates = {account.base_currency: Decimal(1), **account.fx_rates, **self.rates}
        paid = [action.currency for action in self.actions if isinstance(action, DividendNow | DividendDue)]
        for one in self.actions:
            if isinstance(one, ConvertNow):
                paid += [one.sold_currency, one.bought_currency]
        for currency in [*account.cash, *(i.currency for i in self.instruments.values()), *paid]:
            if currency not in rates:
                raise ConfigError(
                    f"{currency} is held, traded or paid, and its price in {account.base_currency} is not given",
                    place="account.fx_rates",
                )
        self._deposit = sum((amount * rates[currency] for currency, amount in account.cash.items()), _ZERO)
        self.portfolio = Portfolio(self.instruments, dict(account.cash), rates, self.financing)
        self._charts = Charts(*self.span_ns)
        self._marks = EquityMarks(
            instruments=self.instruments,
            rates={currency: float(rate) for currency, rate in rates.items()},
            strategies=tuple(job.name for job in self.jobs),
            deposit=float(self._deposit),
        )
        self.gate = Gate(
            settings=self.settings.risk,
            instruments=self.instruments,
            sessions=self.sessions,
            rates=rates,
            warm_up_until_ns=self.warm_up_until_ns,
            plugins=self.plugins,
        )
        if self.settings.books.margin != OFF or LossWatch.wanted(self.settings.risk):
            self._watch = LossWatch(
                self.settings.risk,
                self.gate,
                values=self.gate.account.values,
                rates={currency: float(rate) for currency, rate in rates.items()},
                deposit=float(self._deposit),
                now_ns=self.span_ns[0],
            )
        for job in self.jobs:
            ctx = Context(
                strategy=job.name,
                account=account.id,
                instruments=job.instruments,
                sessions=self.sessions,
                span_ns=self.span_ns,
                clock=self.host,
                wants=self.host.wants,
                view=self.host.view,
            )
            self.host.add(Seat.of(job.name, _made(job, ctx), ctx))
        self._contexts = tuple(seat.ctx for seat in self.host.seats.values())
        self._noted = tuple(ctx.notes for ctx in self._contexts)

    def run(self, rows: Iterator[Chunk]) -> None:
        """Replay the recording to its end."""
        lap = Lap(chunk=Chunk(ts_ns=np.empty(0, np.int64), kinds={}), now_ns=self.span_ns[0])
        with _rare_collections(), unwrapped(), HangGuard(self.settings.replay.hang_limit_s, lap, self.host):
            market = self._replay(rows, lap)
            self.host.stop(lap.now_ns)
        self._last = market.last_ns
        market.close()
        self._notes()
        self.journal.record(self.orders.facts)
        self.orders.facts.clear()

    def _replay(self, rows: Iterator[Chunk], lap: Lap) -> Market:
        wishes = self.host.start(self.span_ns[0])
        by_conid = {conid: self.sessions[i.calendar] for conid, i in self.instruments.items()}
        self._built = bool(wishes)
        rows = with_bars(rows, wishes, by_conid)
        market = Market(
            rows,
            self.venue,
            window=self.settings.replay.window,
            on_chunk=self._chunk_done,
            widths=self.widths,
            actions=self.actions,
            instruments=self.instruments,
            rates=self.portfolio.rates,
            on_repriced=self._marks.reprice,
        )
        # A watch follows the account fill by fill, so nothing is told together.
        market.merges = not self.host.listening and self._watch is None
        first = market.open()
        if first is None:
            raise ConfigError("the recording has no rows in the span and for the instruments asked for")
        ring = Ring(
            market=market,
            orders=self.orders,
            portfolio=self.portfolio,
            host=self.host,
            gate=self.gate,
            store=self._store,
            watch=self._watch,
            noted=self._noted,
        )
        lap.chunk = first
        ring.sort_wants(lap)
        # What on_start asked for is judged before the first row, and so for want of a price refused.
        ring.judge(lap)
        ring.act(lap)
        if self.settings.replay.pipeline is Pipeline.FUSED:
            run_fused(ring, lap)
        else:
            trio.run(run_channels, ring, lap)
        return market

    # --- while it runs ------------------------------------------------------------------------------------------

    def _store(self) -> None:
        if any(self._noted):
            self._write_notes()
        facts = self.orders.facts
        if len(facts) >= FACTS_TOGETHER:
            self.journal.record(facts)
            facts.clear()

    def _write_notes(self, before_ns: int = END_OF_TIME_NS) -> None:
        """Strategies' logs and states among the facts, by time and then by strategy: a whole-window handler writes its
        own before others have seen the same rows."""
        found = []
        for ctx in self._contexts:
            found += [(note[0], ctx.strategy, note) for note in ctx.notes if note[0] < before_ns]
            ctx.notes[:] = [note for note in ctx.notes if note[0] >= before_ns]
        found.sort(key=itemgetter(0))
        self.orders.facts += [(ts, kind, who, {"event": name, **facts}) for _, who, (ts, kind, name, facts) in found]

    def _notes(self, before_ns: int = END_OF_TIME_NS) -> None:
        """What strategies noted before a time into the journal, their indicators into thinned lines."""
        self._write_notes(before_ns)
        for ctx in self._contexts:
            self._charts.values(ctx.strategy, ctx.indicators)
            ctx.indicators.clear()

    def _chunk_done(self, chunk: Chunk) -> None:
        steps = self.portfolio.steps
        self._marks.steps(steps)
        steps.clear()
        for ts_ns, currency, rate in self.portfolio.rated[self._rated :]:
            self._marks.rate(currency, ts_ns, float(rate))
        self._rated = len(self.portfolio.rated)
        self._marks.chunk(chunk, last=self._last >= 0)
        for kind, columns in chunk.kinds.items():
            self._by_kind[kind] = self._by_kind.get(kind, 0) + len(columns)
        self._charts.rows(chunk)
        if self._last < 0:
            self._notes(int(chunk.ts_ns[-1]))  # those of the last moment may have company in the next chunk
        if self.progress is not None:
            done = sum(self._by_kind.values())
            self.progress(done, int(chunk.ts_ns[-1]), self._marks.equity_now())

    # --- afterwards ---------------------------------------------------------------------------------------------

    def result(self) -> Result:
        """Put together what the run found out."""
        with _rare_collections():
            return self._result()

    def _result(self) -> Result:
        times, equity, cash, exposure, by_strategy = self._marks.curve()
        entries = self.portfolio.entries
        references = self.gate.references
        orders = self._orders()
        fills = tuple(
            FillRow(
                fill=entry.fill,
                strategy=entry.strategy,
                realised=entry.realised,
                reference=references.get(entry.fill.coid),
            )
            for entry in entries
        )
        whole = hashlib.sha256(self.journal.digest())
        for entry in entries:
            whole.update(_CANON.encode((entry.strategy, entry.realised, entry.fill)) + b"\n")
        for row in orders:
            whole.update(_CANON.encode(row.order) + b"\n")
        positions = positions_of(self.portfolio, self._marks)
        currencies = by_currency(self.portfolio, positions, tuple(entry.fill for entry in entries))
        return Result(
            start_ns=self.span_ns[0],
            end_ns=self._last,
            events=sum(self._by_kind.values()),
            events_by_kind=dict(self._by_kind),
            deposit=self._deposit,
            final_equity=equity_of(self.portfolio, positions),
            fees=sum((row.fees * row.rate for row in currencies), _ZERO),
            fees_by_line=fees_by_line(self.portfolio, currencies),
            dividends=sum((row.dividends * row.rate for row in currencies), _ZERO),
            withheld=sum((row.withheld * row.rate for row in currencies), _ZERO),
            interest=sum((row.interest * row.rate for row in currencies), _ZERO),
            borrow=sum((row.borrow * row.rate for row in currencies), _ZERO),
            currencies=currencies,
            postings=tuple(self.portfolio.postings),
            rated=tuple(self.portfolio.rated),
            booked=tuple(self.portfolio.booked),
            orders=orders,
            fills=fills,
            refusals=tuple(
                RefusalRow(ts_ns=ts, strategy=name, coid=coid, code=refusal.code, sentence=refusal.sentence)
                for ts, name, coid, refusal in self.orders.denials
            ),
            positions=positions,
            equity=EquityCurve(ts_ns=times, equity=equity, cash=cash, exposure=exposure, by_strategy=by_strategy),
            prices=self._charts.prices(),
            indicators=self._charts.indicators(),
            counts={
                **self.venue_counts,
                "timers_past_data": sum(ctx.past_data for ctx in self._contexts),
                "open_at_end": sum(row.order.is_open for row in orders),
                "frozen_orders": len(self.orders.frozen),
            },
            deaf=self.host.deaf({**self._by_kind, **({"bars": 1} if self._built else {})}),
            off={seat.name: seat.off for seat in self.host.seats.values() if seat.off is not None},
            hash=whole.hexdigest(),
        )

    def _orders(self) -> tuple[OrderRow, ...]:
        lives = self.orders.histories()
        return tuple(
            OrderRow(order=order, reference=self.gate.references.get(coid), history=tuple(lives[coid]))
            for coid, order in self.orders.book.items()
        )


def _made(job: Job, ctx: Context) -> Strategy[Any]:
    """Make a strategy. Raises: StrategyError, in one sentence, whatever its `__init__` raises."""
    try:
        return job.strategy(ctx, job.params)
    except StrategyError as error:
        raise StrategyError(error.problem, place=f"strategy {job.name}") from error
    except RAISED as error:
        raise StrategyError(
            f"can't be made: {type(error).__name__}: {error}{where(error)}", place=f"strategy {job.name}"
        ) from error


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for cycles seldom while the ring turns, and while its result is put together.

    A run makes millions of small objects and hardly a cycle, yet by default each 700 of them start a search that in the
    end walks the whole book: a fifth of an order-heavy run (measured: 0.38 s of 1.98). What is there before the run is
    set aside without a search for cycles in it, which would cost 0.05 s.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
