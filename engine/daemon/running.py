"""The daemon's one run: books out of the journal, a session, the nursery, reconciliation, and then trading.

`engine.daemon` is to a live session what `engine.app` is to a backtest: the place that knows every adapter by name.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
import trio
from attrs import define, field, frozen

from engine.calendars import sessions
from engine.daemon.access import NAME as GUARDS_WAY
from engine.daemon.access import access_of
from engine.daemon.config import Mode, RunSettings, StopPolicy, is_direct
from engine.daemon.keeping import MarketKeeper
from engine.daemon.people import People
from engine.daemon.reconciling import Reconciler
from engine.daemon.recovering import Books, read_books
from engine.daemon.simulated import Place, clock_of, find_or_start
from engine.domain.brokerage import SessionNow
from engine.domain.messages import Place as PlaceIntent
from engine.domain.moments import NS_PER_DAY, iso
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.errors import ConfigError, InputError, JournalFull
from engine.guard.link import GuardLink
from engine.guard.mandate import Mandate
from engine.guard.notes import guard_acted
from engine.journal.committer import Committer
from engine.journal.durable import DurableJournal
from engine.operator import systemd
from engine.operator.desk import carry_out
from engine.operator.folder import StateFolder
from engine.operator.layers import SESSION, Layers
from engine.operator.live import LiveDesk
from engine.operator.processes import this_process
from engine.operator.protocol import Request
from engine.operator.suppressing import Suppression
from engine.operator.trading import TradingDesk, TradingState
from engine.orders.actions import Alert, Flatten
from engine.orders.canceller import CancelSettings
from engine.orders.desk import Desk, DeskSettings
from engine.orders.doubt import DoubtSettings
from engine.orders.live import LiveOrders
from engine.orders.replies import uncovered
from engine.ports import Clock
from engine.risk.confirming import conditions
from engine.risk.gate import Gate
from engine.runtime.live.cutting import Cutter
from engine.runtime.live.lagging import watch_loop
from engine.runtime.live.letters import Booked, CancelNow, TradingNow, Wanted
from engine.runtime.live.nursery import Cores, Edges, Nursery
from engine.strategy.context import Context
from engine.strategy.host import StrategyHost
from engine.strategy.loading import load as load_strategy
from engine.strategy.plan import Seat
from engine.webapi import tls
from engine.webapi.auth import Authenticator
from engine.webapi.auth.gateway import GatewayLogin
from engine.webapi.clock import RatedClock, WallClock
from engine.webapi.link import Link, LinkOptions, open_link
from engine.webapi.loginfile import LoginFile
from engine.webapi.sessionfacts import Alert as SessionAlert
from engine.webapi.sessionfacts import Policy
from engine.webapi.sessionrules import Rules

Row = tuple[int, str, str, Any]
PAST_DAYS: Final = 10
AHEAD_DAYS: Final = 300  # as far ahead as calendars are sure
FLUSH_S: Final = 0.5
HANDLER_LIMIT_S: Final = 5.0  # of the wall, that one call of a strategy may take
SILENT_S: Final = 60.0  # of the venue's clock, without data while the market is open

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
    nursery: Nursery = field(init=False)
    link: Link = field(init=False)
    reconciler: Reconciler = field(init=False)
    keeper: MarketKeeper | None = field(default=None, init=False)
    layers: Layers = field(factory=Layers, init=False)
    operator: LiveDesk = field(init=False)
    guard: GuardLink | None = field(default=None, init=False)
    waiting: list[Row] = field(factory=list, init=False)
    stopping: trio.Event = field(factory=trio.Event, init=False)

    def keep(self, row: Row) -> None:
        """Into the journal soon; nothing follows from it."""
        self.waiting.append(row)

    async def store(self, rows: Sequence[Row]) -> None:
        """Into the journal before this returns."""
        await self.committer.store(rows, essential=True)

    async def set_trading(self, rows: Sequence[Row]) -> None:
        """Store a change of the trading state, then tell risk; a halt cancels what is open."""
        now_ns = self.clock.now_ns()
        try:
            await self.store(rows)
        except JournalFull as error:
            log.error("latch_not_stored", problem=str(error))  # a halt counts all the same
        state = self.trading.state
        self.nursery.tell_risk(TradingNow(str(state), self.trading.reason))
        if state is TradingState.HALTED:
            self.nursery.tell_orders(CancelNow(None, self.trading.reason))
        log.info("trading", state=str(state), reason=self.trading.reason, at_ns=now_ns)

    async def latch(self, level: TradingState, source: str, reason: str) -> None:
        """Halt or reduce, until a person lifts it."""
        rows = self.trading.latch(level, source, reason, self.clock.now_ns())
        if rows:
            await self.set_trading(rows)

    async def resume(self) -> bool:
        """Lift all latches; False if none held."""
        rows = self.trading.resume(self.clock.now_ns())
        if rows:
            await self.set_trading(rows)
        return bool(rows)


async def find_venue(settings: RunSettings, folder: StateFolder) -> Venue:
    """Return the gateway to use, started if it is ours, and the clock the session lives by."""
    gateway = settings.gateway
    if gateway.url is None:
        place = await find_or_start(settings, folder)
    else:
        place = Place(url=gateway.url, ca=gateway.ca, pinned=gateway.pinned)
    if settings.mode is not Mode.SIM:
        return Venue(place=place, clock=WallClock(), rate=1.0)
    told = await clock_of(place)
    if told is None:
        raise InputError("no simulated gateway answers there, and the mode is sim", place=place.url)
    return Venue(place=place, clock=RatedClock(told.now_ns, told.rate), rate=told.rate)


async def run(settings: RunSettings, folder: StateFolder, *, say: Callable[[str], None]) -> None:
    """Trade until told to stop.

    Args:
        say: Takes sentences for the terminal.

    Raises: InputError, in one sentence, for what a person has to mend.
    """
    for sentence in uncovered(settings.suppress.ids):
        say(f"warning: {sentence}")
    venue = await find_venue(settings, folder)
    daemon = _assemble(settings, folder, venue.clock)
    try:
        cutter = Cutter(HANDLER_LIMIT_S, lambda: daemon.nursery.deciding.core.sign())
        async with _running(daemon, venue, say), trio.open_nursery() as tasks:
            tasks.start_soon(_signals, daemon)
            tasks.start_soon(_trade, daemon, say)
            tasks.start_soon(daemon.operator.run)
            tasks.start_soon(systemd.feed_watchdog)
            tasks.start_soon(watch_loop, partial(_loop_told, daemon))
            tasks.start_soon(_watch_data, daemon)
            with cutter:
                await daemon.stopping.wait()
            systemd.notify("STOPPING=1")
            await _wind_down(daemon, say)
            if daemon.guard is not None:
                await daemon.guard.leave(gateway=False)
            tasks.cancel_scope.cancel()
    finally:
        daemon.journal.close()


def _assemble(settings: RunSettings, folder: StateFolder, clock: Clock) -> Daemon:
    base = settings.base
    journal = DurableJournal(folder.journal)
    try:
        account = base.account
        rates = {account.base_currency: Decimal(1), **account.fx_rates}
        for instrument in settings.instruments.values():
            if instrument.currency not in rates:
                problem = f"{instrument.currency} is traded, and its price in {account.base_currency} is not given"
                raise ConfigError(problem, place=f"{base.source}: account.fx_rates")
        by_conid = settings.by_conid
        books = read_books(journal, by_conid, rates)
        book = LiveOrders()
        book.adopt(books.orders.orders.values(), books.orders.executions)
        desk = Desk(book, settings.replies, _desk_settings(settings))
        now_ns = clock.now_ns()
        calendars = {
            name: sessions(name, now_ns - PAST_DAYS * NS_PER_DAY, now_ns + AHEAD_DAYS * NS_PER_DAY)
            for name in {instrument.calendar for instrument in by_conid.values()}
        }
        gate = Gate(settings=base.risk, instruments=by_conid, sessions=calendars, rates=rates)
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
            people=People(waiting.append),
        )
        daemon.waiting = waiting
        _seat_strategies(daemon, calendars)
    except BaseException:
        journal.close()
        raise
    return daemon


def _desk_settings(settings: RunSettings) -> DeskSettings:
    orders = settings.orders
    return DeskSettings(
        cancel=CancelSettings(waits_s=orders.cancel_waits_s),
        doubt=DoubtSettings(settle_s=orders.settle_s, operator_after_s=orders.operator_after_s),
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
            span_ns=(daemon.clock.now_ns(), 2**62),
            clock=host,
            wants=host.wants,
            view=host.view,
            saved=daemon.books.saved.get(one.name),
            numbered=daemon.books.numbers.get(one.name, (0, 0)),
        )
        host.add(Seat.of(one.name, loaded.strategy_class(ctx, loaded.params), ctx))


@asynccontextmanager
async def _running(daemon: Daemon, venue: Venue, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Everything up but trading: journal, session, nursery."""
    settings, clock = daemon.settings, daemon.clock
    instruments = settings.by_conid
    calendars = {i.conid: _calendar(daemon, i.calendar) for i in instruments.values()}
    wishes = daemon.host.start(clock.now_ns())
    place = venue.place
    context = tls.context(place.url, ca=place.ca, pinned=place.pinned) if place.url.startswith("https") else None
    options = LinkOptions(
        account=settings.base.account.id,
        suppressed=settings.suppress.ids,
        direct=is_direct(settings),
        rate=venue.rate,
        children_named=settings.orders.children_named,
        rules=Rules(policy=Policy(settings.session.competing)),
    )
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(trio.open_nursery())
        stack.callback(tasks.cancel_scope.cancel)
        tasks.start_soon(daemon.committer.run)
        daemon.link = await stack.enter_async_context(
            open_link(
                place.url,
                clock,
                _login(settings),
                options,
                instruments,
                tls=context,
                chance=Random(settings.base.seed).random,
                is_open=lambda name, now_ns: _is_open(calendars, name, now_ns),
                ledger=LoginFile(daemon.folder.path / "logins.json"),
                on_alert=partial(_session_alert, daemon),
            )
        )
        if settings.recorder.market:
            root = daemon.folder.path / "recording"
            daemon.keeper = MarketKeeper(root, tuple(instruments.values()), settings.base.name)
            tasks.start_soon(daemon.keeper.run)
        keeper = daemon.keeper
        daemon.nursery = Nursery(
            Edges(
                clock=clock,
                data=daemon.link.data,
                broker=daemon.link.broker,
                ledger=daemon.committer,
                people=daemon.people,
                record=keeper.hear if keeper is not None else _nothing,
                available=lambda told: daemon.keep((told.ts_ns, "availability", str(told.conid), told.code)),
                notice=daemon.people.notice,
                session=partial(_session_news, daemon),
                note=lambda core, now_ns, letter: None,  # noqa: ARG005
            ),
            Cores(
                host=daemon.host,
                gate=daemon.gate,
                desk=daemon.desk,
                portfolio=daemon.books.portfolio,
                wishes=wishes,
                sessions=calendars,
                conditions=partial(conditions, daemon.gate),
                flatten=partial(_flatten, daemon),
            ),
            tuple(instruments.values()),
        )
        daemon.desk.recovered(daemon.books.orders.in_flight(clock.now_ns()), daemon.books.charged, clock.now_ns())
        await tasks.start(daemon.nursery.run)
        daemon.nursery.tell_start(Booked(tuple(daemon.books.updates()), tuple(daemon.books.positions())))
        daemon.reconciler = Reconciler(
            daemon.link.broker,
            clock,
            daemon.nursery,
            daemon.desk,
            daemon.books.portfolio,
            instruments,
            settings.orders.reconcile.policy(),
            store=daemon.store,
            alert=daemon.people.alert,
            last_cash=daemon.books.portfolio.cash,
        )
        tasks.start_soon(_flush, daemon)
        daemon.operator = _operator(daemon, venue)
        if settings.guard.on:
            await _be_guarded(daemon, venue, tasks)
        say(f"session with {place.url}, account {settings.base.account.id}, mode {settings.mode}")
        yield
        daemon.nursery.stop()
        await _write_notes(daemon)


def _calendar(daemon: Daemon, name: str) -> Sessions:
    found = daemon.gate.sessions.get(name)
    assert found is not None, "every calendar was read"
    return found


def _is_open(calendars: Mapping[int, Sessions], name: str, now_ns: int) -> bool:
    conid = name.partition("@")[0]
    found = calendars.get(int(conid)) if conid.isdecimal() else None
    return found is not None and found.is_open(now_ns)


def _nothing(rows: object) -> None:
    del rows


def _login(settings: RunSettings) -> Authenticator:
    if settings.gateway.auth == "gateway":
        return GatewayLogin()
    raise ConfigError(
        f"{settings.gateway.auth} is spoken by the client; its keys are not wired to the daemon yet",
        place=f"{settings.base.source}: gateway.auth",
    )


def _session_alert(daemon: Daemon, alert: SessionAlert) -> None:
    daemon.people.alert(Alert("SESSION", f"{alert.what}: {alert.detail}"), daemon.clock.now_ns())


def _session_news(daemon: Daemon, now: SessionNow) -> None:
    daemon.layers.session(now)
    if hasattr(daemon, "operator"):
        daemon.operator.suppression.session(now.up)
    daemon.keep((now.ts_ns, "session", "up" if now.up else "down", now))


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
    return Wanted((PlaceIntent((ticket,)),), now_ns)


def _operator(daemon: Daemon, venue: Venue) -> LiveDesk:
    settings = daemon.settings
    return LiveDesk(
        clock=daemon.clock,
        account=settings.base.account.id,
        book=daemon.book,
        portfolio=daemon.books.portfolio,
        gate=daemon.gate,
        view=lambda: daemon.nursery.judging.view,
        trading=daemon.trading,
        tell_orders=daemon.nursery.tell_orders,
        tell_risk=daemon.nursery.tell_risk,
        store=daemon.store,
        latch=daemon.latch,
        lift=daemon.resume,
        people=daemon.people,
        layers=partial(_layers, daemon),
        about=lambda: {
            "name": settings.base.name,
            "mode": str(settings.mode),
            "account": settings.base.account.id,
            "gateway": venue.place.url,
            "process": this_process().pid,
            "strategies": {name: seat.off or "on" for name, seat in daemon.host.seats.items()},
        },
        suppression=Suppression(daemon.link.broker, settings.suppress.ids, daemon.link.chores.suppress_from_now),
        day_began_ns=lambda: _day_began_ns(daemon),
        stopping=daemon.stopping,
    )


def _layers(daemon: Daemon) -> list[dict[str, Any]]:
    """Every layer of health: those of the session as the session tells them, then our own."""
    health = daemon.link.supervisor.health()
    session = [
        {"layer": one.layer.name.lower(), "up": one.up, "reason": one.reason, "since": iso(one.since_ns)}
        for one in health.layers
    ]
    return session + [row for row in daemon.layers.rows() if row["layer"] not in SESSION]


def _day_began_ns(daemon: Daemon) -> int:
    """When the venue's day began: midnight in New York."""
    now = datetime.fromtimestamp(daemon.clock.now_ns() / 1e9, ZoneInfo("America/New_York"))
    return round(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1_000_000_000


async def _be_guarded(daemon: Daemon, venue: Venue, tasks: trio.Nursery) -> None:
    """Have a guard take us, and take over what it did while there was no daemon."""
    settings = daemon.settings

    def mandate() -> Mandate:
        return Mandate(
            daemon=this_process(),
            config=settings.base.name,
            account=settings.base.account.id,
            conids=tuple(settings.by_conid),
            access=access_of(settings, venue.place, venue.rate),
            gateway=daemon.folder.process("gateway") if settings.gateway.url is None else None,
            limit_s=settings.guard.silence_s,
            flatten=settings.guard.flatten,
            settle_s=max(2.0, settings.orders.settle_s / venue.rate),
            read_every_s=max(0.5, 5.0 / venue.rate),
            trading=str(daemon.trading.state),
        )

    async def answer(request: Request) -> Any:
        return await carry_out(daemon.operator, request)

    def changed(up: bool, why: str) -> None:
        daemon.layers.set("guard", up, why)

    daemon.guard = GuardLink(
        daemon.folder,
        GUARDS_WAY,
        mandate=mandate,
        trading=lambda: str(daemon.trading.state),
        answer=answer,
        changed=changed,
    )
    await tasks.start(daemon.guard.run)
    for deed in guard_acted(daemon.folder, after=daemon.trading.guard_seq):
        if deed.kind == "latch":
            rows = daemon.trading.latch(
                TradingState.HALTED, "guard", deed.sentence, daemon.clock.now_ns(), guard_seq=deed.seq
            )
            await daemon.set_trading(rows)
        else:
            daemon.keep((daemon.clock.now_ns(), "guard", deed.kind, deed.sentence))


def _loop_told(daemon: Daemon, lag_s: float, late: bool) -> None:
    daemon.layers.set("loop", not late, f"{lag_s:.1f} s late" if late else "")
    if late:
        daemon.people.alert(Alert("LOOP_LAG", f"the loop woke {lag_s:.1f} s late"), daemon.clock.now_ns())


async def _watch_data(daemon: Daemon) -> None:
    """Instruments whose market is open and whose data stay away."""
    silent: set[str] = set()
    while True:
        await daemon.clock.sleep(SILENT_S / 4)
        now_ns = daemon.clock.now_ns()
        for instrument in daemon.settings.instruments.values():
            age_s = daemon.link.data.silent_s(instrument.conid)
            open_now = _calendar(daemon, instrument.calendar).is_open(now_ns)
            late = open_now and age_s is not None and age_s > SILENT_S
            if late and instrument.symbol not in silent:
                silent.add(instrument.symbol)
                sentence = f"no data of {instrument.symbol} for {age_s:.0f} s"
                daemon.people.alert(Alert("DATA_SILENT", sentence), now_ns)
            elif not late:
                silent.discard(instrument.symbol)
            daemon.layers.set(f"data {instrument.symbol}", not late, "silent" if late else "")


# --- tasks ------------------------------------------------------------------------------------------------------------


async def _trade(daemon: Daemon, say: Callable[[str], None]) -> None:
    """Reconcile after every return of the session and every so often; the first time trading begins with it."""
    every_s = daemon.settings.orders.reconcile.every_minutes * 60
    started = False
    fresh = daemon.books.fresh
    while True:
        await daemon.link.supervisor.wait_up()
        _check_evidence(daemon)
        if await daemon.reconciler.run_once(first=fresh):
            fresh = False
            if not started:
                started = True
                daemon.trading.start()
                await daemon.set_trading([])
                say(f"trading is {daemon.trading.state}")
            await daemon.clock.sleep(every_s)
        else:
            await daemon.clock.sleep(5)


def _check_evidence(daemon: Daemon) -> None:
    """Paper and live can't be mixed up: mode, account id and what the session says of itself must agree."""
    known = daemon.link.chores.known
    mode, account = daemon.settings.mode, daemon.settings.base.account.id
    paper = None if known is None else known.paper
    if mode is Mode.LIVE and paper is not False:
        said = "is a paper session" if paper else "does not say whether it is paper"
        raise InputError(f"the mode is live, and the session {said}", place=account)
    if mode is not Mode.LIVE and paper is False:
        raise InputError(f"the mode is {mode}, and the session is a live one", place=account)


async def _flush(daemon: Daemon) -> None:
    """What waits for the journal, and what strategies noted."""
    while True:
        await trio.sleep(FLUSH_S)
        await _write_notes(daemon)


async def _write_notes(daemon: Daemon) -> None:
    rows, daemon.waiting[:] = list(daemon.waiting), []
    for seat in daemon.host.seats.values():
        notes, seat.ctx.notes[:] = list(seat.ctx.notes), []
        rows += [
            (ts_ns, kind, seat.name, what if kind == "state" else {"event": name, **what})
            for ts_ns, kind, name, what in notes
        ]
        seat.ctx.indicators.clear()
    if rows:
        try:
            await daemon.committer.store(rows)
        except JournalFull:
            log.error("journal_full", lost=len(rows))


async def _signals(daemon: Daemon) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("stop_asked", signal=signal.Signals(number).name)
            daemon.stopping.set()


async def _wind_down(daemon: Daemon, say: Callable[[str], None]) -> None:
    """Stop by policy, within the deadline: no new order, then leave, cancel or flatten."""
    stop = daemon.settings.stop
    say(f"stopping: {stop.policy} within {stop.limit_s:g} s")
    daemon.nursery.tell_risk(TradingNow("stopping", "the engine stops"))
    if stop.policy is StopPolicy.LEAVE:
        return
    daemon.nursery.tell_orders(CancelNow(None, "the engine stops"))
    with trio.move_on_after(stop.limit_s):
        while any(order.is_open for order in daemon.book.book.values()):
            await trio.sleep(0.05)
    left = [coid for coid, order in daemon.book.book.items() if order.is_open]
    if left:
        say(f"{len(left)} orders are still open: {', '.join(left[:5])}")
