"""A daemon put together: its books out of the journal, its cores, its strategies; nothing runs yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import structlog
import trio
from attrs import define, field, frozen

from engine.daemon import halting
from engine.daemon.config import RunSettings
from engine.daemon.days import day_began_ns
from engine.daemon.halting import InstrumentHalts
from engine.daemon.hours import calendars_for
from engine.daemon.keeping import MarketKeeper
from engine.daemon.killing import KIND as ALIVE
from engine.daemon.killing import KillSwitch
from engine.daemon.people import People
from engine.daemon.reconciling import Reconciler
from engine.daemon.recovering import OUTSIDE, Books, read_books
from engine.daemon.reloading import Reloading
from engine.daemon.rotating import rotate
from engine.daemon.simulated import Place
from engine.daemon.venuefacts import VenueFacts
from engine.daemon.watching import Watching
from engine.domain.messages import BarWish
from engine.domain.messages import Place as PlaceIntent
from engine.domain.moments import NS_PER_S
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.errors import ConfigError, JournalFull
from engine.guard.notes import take_over_orders
from engine.journal.committer import Committer
from engine.journal.durable import DurableJournal
from engine.operator.folder import StateFolder
from engine.operator.layers import Layers
from engine.operator.live import LiveDesk
from engine.operator.trading import TradingDesk, TradingState
from engine.orders.actions import Alert, Flatten
from engine.orders.canceller import CancelSettings
from engine.orders.desk import Desk, DeskSettings
from engine.orders.doubt import DoubtSettings
from engine.orders.holding import HoldSettings
from engine.orders.live import LiveOrders
from engine.orders.writer import PreviewSettings
from engine.ports import Clock
from engine.risk import rebuilding
from engine.risk.account import ACCOUNT, Held
from engine.risk.confirming import conditions
from engine.risk.gate import Gate
from engine.risk.limits import with_defaults
from engine.risk.losses import LossWatch
from engine.risk.monitors import Finding
from engine.risk.outside import Outside
from engine.risk.plugins import installed
from engine.runtime.live.letters import Booked, CancelNow, InstrumentNow, TradingNow, Wanted
from engine.runtime.live.nursery import Cores, Nursery
from engine.strategy.context import Context
from engine.strategy.host import StrategyHost
from engine.strategy.loading import load as load_strategy
from engine.strategy.plan import Seat
from engine.venue.estimating import FeeEstimator
from engine.venue.fees import FeeSchedule
from engine.venue.schedules import load_fees
from engine.webapi.link import Link

Row = tuple[int, str, str, Any]

# A daemon that wrote so long ago may have read a list since; the venue's penalty for one too many is ten minutes.
FOLLOWED_NS: Final = 60 * NS_PER_S

log = structlog.get_logger()


@frozen(kw_only=True)
class Venue:
    """Where the session is held: the gateway and its clock."""

    place: Place
    clock: Clock
    rate: float


@define(eq=False)
class Daemon:
    """All that runs, for whoever has to look at it or command it."""

    settings: RunSettings
    folder: StateFolder
    clock: Clock
    journal: DurableJournal
    committer: Committer
    books: Books
    book: LiveOrders
    desk: Desk
    gate: Gate
    host: StrategyHost
    trading: TradingDesk
    people: People
    began_ns: int
    began_seq: int  # the journal's last row when it was read
    nursery: Nursery = field(init=False)
    link: Link = field(init=False)
    reconciler: Reconciler = field(init=False)
    keeper: MarketKeeper | None = field(default=None, init=False)
    layers: Layers = field(factory=Layers, init=False)
    operator: LiveDesk = field(init=False)
    facts: VenueFacts = field(init=False)
    watching: Watching = field(factory=Watching, init=False)
    reloading: Reloading = field(init=False)
    halts: InstrumentHalts = field(factory=InstrumentHalts, init=False)
    misnamed: dict[int, str] = field(factory=dict, init=False)  # instruments that are others at the venue: `naming`
    came_up: trio.Event = field(factory=trio.Event, init=False)  # set when the session has come up anew
    waiting: list[Row] = field(factory=list, init=False)
    stopping: trio.Event = field(factory=trio.Event, init=False)
    followed: bool = field(default=False, init=False)  # another daemon was here a moment ago
    unconfirmed: int = field(default=0, init=False)  # halts that are not yet stored and told
    switch: KillSwitch = field(init=False)

    def keep(self, row: Row) -> None:
        """Into the journal soon; nothing follows from it."""
        self.waiting.append(row)

    async def store(self, rows: Sequence[Row]) -> None:
        """Into the journal before this returns."""
        await self.committer.store(rows, essential=True)

    async def set_trading(self, rows: Sequence[Row], *, lifts: bool = False) -> None:
        """Store a change of the trading state, then tell risk; a halt cancels what is open, a person's resume `lifts`
        what risk has latched."""
        if rows and self.trading.state is TradingState.HALTED:
            # Nothing new may leave while it is being stored: to refuse needs no row before it.
            self.nursery.tell_risk(TradingNow(str(TradingState.HALTED), self.trading.reason))
        try:
            await self.store(rows)
        except JournalFull as error:
            log.error("latch_not_stored", problem=str(error))  # a halt counts all the same
        state = self.trading.state
        self.nursery.tell_risk(TradingNow(str(state), self.trading.reason, lifts))
        if state is TradingState.HALTED:
            self.nursery.tell_orders(CancelNow(None, self.trading.reason))
        why = self.trading.reason
        log.info("trading", state=str(state), **({"reason": why} if why else {}))

    async def latch(self, level: TradingState, source: str, reason: str, *, flatten: bool = False) -> None:
        """Halt or reduce, until a person lifts it."""
        rows = self.trading.latch(level, source, reason, self.clock.now_ns(), flatten=flatten)
        if not rows:
            return
        self.unconfirmed += 1
        try:
            await self.set_trading(rows)
        finally:
            self.unconfirmed -= 1

    async def pull(self, level: TradingState, source: str, why: str, *, flatten: bool) -> None:
        """The kill switch, pulled by something else than an operator's socket; before the desk is there, a latch."""
        now_ns = self.clock.now_ns()
        self.people.alert(Alert("KILL_SWITCH", f"{why}: trading is {level}"), now_ns)
        if not hasattr(self, "operator"):
            rows = self.trading.latch(level, source, why, now_ns, flatten=flatten)
            try:
                await self.store(rows)
            except JournalFull as error:
                log.error("latch_not_stored", problem=str(error))  # it holds all the same, for as long as we live
        elif level is TradingState.HALTED:
            await self.operator.kill(source, why, flatten=flatten)
        else:
            await self.latch(level, source, why)

    async def resume(self) -> bool:
        """Lift all latches and halts of instruments; False if none held."""
        held = list(self.gate.account.held)
        rows = self.trading.resume(self.clock.now_ns())
        if held:
            rows = [*rows, (self.clock.now_ns(), "risk_lifted", "operator", held)]
        halted = tuple(self.halts.reasons)
        rows = [*rows, *self.halts.lift(self.clock.now_ns())]
        if rows:
            await self.set_trading(rows, lifts=True)
        for conid in set(halted) - self.misnamed.keys():
            self.nursery.tell_risk(InstrumentNow(conid, False, ""))
        return bool(rows)

    def found(self, finding: Finding, now_ns: int) -> None:
        """A monitor of risk's has found something: a person hears of it, and the journal."""
        self.people.alert(Alert(finding.code, finding.sentence), now_ns)

    def risk_latched(self, owner: str, held: Held) -> None:
        """Risk has set a latch of its own, and a person hears of it. The orders task stores it (`letters.Latched`)."""
        del owner
        self.people.alert(Alert(held.code, held.sentence), held.ts_ns)


def assemble(
    settings: RunSettings, folder: StateFolder, clock: Clock, calendars: Mapping[str, Sessions] | None = None
) -> Daemon:
    """Put a daemon together on the journal of a state folder.

    Args:
        calendars: Sessions by name, for each instrument's calendar; worked out if not given.

    Raises: InputError for what a person has to mend.
    """
    base = settings.base
    account = base.account
    rates = {account.base_currency: Decimal(1), **account.fx_rates}
    archive = rotate(folder.journal, settings.by_conid, rates, day_began_ns=day_began_ns(clock.now_ns()))
    if archive is not None:
        log.info("journal_rotated", archive=archive.name)
    journal = DurableJournal(folder.journal)
    try:
        for instrument in settings.instruments.values():
            if instrument.currency not in rates:
                problem = f"{instrument.currency} is traded, and its price in {account.base_currency} is not given"
                raise ConfigError(problem, place=f"{base.source}: account.fx_rates")
        by_conid = settings.by_conid
        folder.note_symbols({conid: instrument.symbol for conid, instrument in by_conid.items()})
        take_over_orders(folder, journal, clock.now_ns())
        books = read_books(journal, by_conid, rates)
        book = LiveOrders()
        book.adopt(books.orders.orders.values(), books.orders.executions)
        desk = Desk(book, settings.replies, _desk_settings(settings), by_conid)
        desk.follower.bookings.estimate = FeeEstimator(_fees(settings), by_conid, rates)
        now_ns = clock.now_ns()
        if calendars is None:
            calendars = calendars_for((instrument.calendar for instrument in by_conid.values()), now_ns)
        traders = {one.name for one in base.strategies} | {owner for owner, _ in books.portfolio.holdings} | {OUTSIDE}
        gate = Gate(
            settings=base.risk,
            instruments=by_conid,
            sessions=calendars,
            rates=rates,
            plugins=installed(),
            outside=Outside(strategies=frozenset(traders)),
        )
        for owner, held in rebuilding.latches((r.kind, r.name, r.body) for r in journal.rows(kinds=rebuilding.LATCHES)):
            gate.account.latch(owner, held)
        if gate.account.counting:
            said = journal.rows(kinds=rebuilding.SENT)
            gate.account.rebuild(rebuilding.sent((r.ts_ns, r.kind, r.name, r.body) for r in said), now_ns)
        host = StrategyHost()
        waiting: list[Row] = []
        daemon = Daemon(
            settings=settings,
            folder=folder,
            clock=clock,
            journal=journal,
            committer=Committer(journal),
            books=books,
            book=book,
            desk=desk,
            gate=gate,
            host=host,
            trading=TradingDesk.rebuilt((r.ts_ns, r.kind, r.name, r.body) for r in journal.rows(kinds=("latch",))),
            people=People(waiting.append, lambda: with_defaults(gate.settings.account, live=True)),
            began_ns=now_ns,
            began_seq=journal.last_seq,
        )
        daemon.waiting = waiting
        last = next(iter(journal.rows(after=journal.last_seq - 1)), None)
        daemon.followed = last is not None and now_ns - last.ts_ns < FOLLOWED_NS
        heard = [row.ts_ns for row in journal.rows(kinds=(ALIVE,))]
        daemon.switch = KillSwitch(
            settings.kill,
            clock,
            folder.halt_file,
            alive_ns=heard[-1] if heard else now_ns,
            pull=daemon.pull,
            alert=daemon.people.alert,
            store=daemon.store,
        )
        if not heard:
            daemon.keep((now_ns, ALIVE, "start", {}))  # a restart does not wind the timer up
        daemon.halts = InstrumentHalts.rebuilt((r.kind, r.name, r.body) for r in journal.rows(kinds=halting.KINDS))
        _seat_strategies(daemon, calendars)
    except BaseException:
        journal.close()
        raise
    return daemon


def _fees(settings: RunSettings) -> FeeSchedule:
    """The schedule that executions are charged by until their commission is told; a file lies beside the config's."""
    name, source = settings.orders.fee_estimate, settings.base.source
    try:
        return load_fees(str(source.parent / name) if name.endswith(".toml") else name)
    except ConfigError as error:
        raise ConfigError(error.problem, place=f"{source}: orders.fee_estimate") from error


def _desk_settings(settings: RunSettings) -> DeskSettings:
    orders = settings.orders
    return DeskSettings(
        cancel=CancelSettings(waits_s=orders.cancel_waits_s, all_above=settings.kill.cancel_all_above),
        doubt=DoubtSettings(settle_s=orders.settle_s, operator_after_s=orders.operator_after_s, resend=orders.resend),
        previews=PreviewSettings(above=orders.preview_above),
        holding=HoldSettings(answer_s=orders.hold_s),
        census=orders.missing_stop,
    )


def _seat_strategies(daemon: Daemon, calendars: Mapping[str, Sessions]) -> None:
    settings, host = daemon.settings, daemon.host
    for one in settings.base.strategies:
        loaded = load_strategy(one, settings.base.source)
        ctx = Context(
            strategy=one.name,
            account=settings.base.account.id,
            instruments=[settings.instruments[symbol] for symbol in one.instruments],
            sessions=calendars,
            span_ns=(daemon.began_ns, 2**62),
            clock=host,
            wants=host.wants,
            view=host.view,
            saved=daemon.books.saved.get(one.name),
            numbered=daemon.books.numbers.get(one.name, (0, 0)),
        )
        host.add(Seat.of(one.name, loaded.strategy_class(ctx, loaded.params), ctx))


def calendar_of(daemon: Daemon, name: str) -> Sessions:
    found = daemon.gate.sessions.get(name)
    assert found is not None, "every calendar was read"
    return found


def cores_of(daemon: Daemon, wishes: Sequence[BarWish]) -> Cores:
    """The actors' cores; the strategies have been started."""
    return Cores(
        host=daemon.host,
        gate=daemon.gate,
        desk=daemon.desk,
        portfolio=daemon.books.portfolio,
        wishes=wishes,
        sessions={one.conid: calendar_of(daemon, one.calendar) for one in daemon.settings.by_conid.values()},
        conditions=partial(conditions, daemon.gate, small_below=daemon.settings.orders.preview_above),
        flatten=partial(_flatten, daemon),
        watch=_watch(daemon),
        on_latch=daemon.risk_latched,
        holds=daemon.settings.orders.hold_s > 0,
        wall=daemon.settings.by_wall,
        on_finding=daemon.found,
    )


def _watch(daemon: Daemon) -> LossWatch:
    """Latches on losses; there even where no limit asks for it, because a reload may. They go on where they stood."""
    settings, books = daemon.settings.base, daemon.books.portfolio
    worth = (amount * books.rates.get(currency, Decimal(0)) for currency, amount in books.cash.items())
    deposit = sum(worth, Decimal(0))  # of a currency without a rate it is not known
    fees = sum(books.fees.values(), Decimal(0))
    realised: dict[str, Decimal] = {ACCOUNT: Decimal(0)}
    for (strategy, conid), held in books.holdings.items():
        rate = books.rates[books.instruments[conid].currency]
        deposit += (held.cost - held.realised) * rate
        for owner in (ACCOUNT, strategy):
            realised[owner] = realised.get(owner, Decimal(0)) + held.realised * rate
    watch = LossWatch(
        settings.risk,
        daemon.gate,
        values=daemon.gate.account.values,
        rates={currency: float(rate) for currency, rate in books.rates.items()},
        deposit=float(deposit + fees),
        now_ns=daemon.clock.now_ns(),
    )
    said = daemon.journal.rows(kinds=(rebuilding.STANDING,))
    totals = {owner: (float(money), float(fees) if owner == ACCOUNT else 0.0) for owner, money in realised.items()}
    watch.take_up(rebuilding.standings((row.name, row.body) for row in said), totals)
    return watch


def recover_desk(daemon: Daemon) -> None:
    """What the journal knew of orders is the desk's beginning."""
    known = daemon.books.orders
    daemon.desk.recovered(
        known.in_flight(daemon.began_ns),
        daemon.books.charged,
        daemon.began_ns,
        legs=known.legs,
        resent=known.resent,
        given_up=known.given_up,
    )


def first_news(daemon: Daemon) -> Booked:
    """What risk and strategies hear before all else."""
    return Booked(tuple(daemon.books.updates()), tuple(daemon.books.positions()))


def _flatten(daemon: Daemon, action: Flatten, now_ns: int) -> Wanted:
    """A market order that closes what lost its protection; it goes through the gate as any other."""
    ticket = OrderTicket(
        coid=f"{action.strategy}-x{now_ns // 1_000_000}",
        strategy=action.strategy,
        account=daemon.settings.base.account.id,
        conid=action.conid,
        side=Side.BUY if action.units > 0 else Side.SELL,
        order_type=OrderType.MARKET,
        quantity=abs(action.units),
        tag="protection",
    )
    return Wanted((PlaceIntent((ticket,)),), now_ns, holds=False)
