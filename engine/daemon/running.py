"""The daemon's one run: books out of the journal, a session, the nursery, reconciliation, and then trading.

`engine.daemon` is to a live session what `engine.app` is to a backtest: the place that knows every adapter by name.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from random import Random
from typing import Final

import structlog
import trio

from engine.daemon.aloud import Aloud
from engine.daemon.assembling import Daemon, Venue, assemble, calendar_of, cores_of, first_news, recover_desk
from engine.daemon.config import Mode, RunSettings, is_beside, is_direct, on_simulated_clock
from engine.daemon.evidence import session_of
from engine.daemon.hours import calendars_for
from engine.daemon.keeping import MarketKeeper
from engine.daemon.killing import EarlySignal
from engine.daemon.logins import login_of
from engine.daemon.memory import drop_cycles
from engine.daemon.naming import check_names
from engine.daemon.operating import Guarded, heed_guard, loop_told, nothing_lives, operator_desk, watch_data
from engine.daemon.owngateway import end_gateway, find_or_start, keep_alive
from engine.daemon.reconciling import Reconciler
from engine.daemon.reloading import Reloading
from engine.daemon.rotating import keep_small
from engine.daemon.simulated import BUSY_S, Place, Told, clock_at, clock_of, gateway_folder
from engine.daemon.tidying import tidy
from engine.daemon.venuefacts import VenueFacts
from engine.daemon.wire import WireKeeper
from engine.domain.brokerage import Availability, SessionNow
from engine.domain.sessions import Sessions
from engine.errors import JournalFull
from engine.operator import systemd
from engine.operator.ending import hear_signals, wind_down
from engine.operator.folder import StateFolder
from engine.operator.latches import begun
from engine.orders.actions import Alert
from engine.orders.replies import uncovered
from engine.runtime.live import cutting
from engine.runtime.live.lagging import watch_loop
from engine.runtime.live.letters import InstrumentNow
from engine.runtime.live.nursery import Edges, Nursery
from engine.webapi import tls
from engine.webapi.clock import RatedClock, WallClock
from engine.webapi.link import LinkOptions, open_link
from engine.webapi.loginfile import LoginFile
from engine.webapi.sessionfacts import Alert as SessionAlert
from engine.webapi.sessionfacts import Policy
from engine.webapi.sessionrules import Rules

FLUSH_S: Final = 0.5
KNOWN_S: Final = 30.0  # trading begins all the same then: risk refuses what needs the account's figures

log = structlog.get_logger()


async def find_venue(settings: RunSettings, folder: StateFolder, say: Callable[[str], None]) -> Venue:
    """Return the gateway to use, started if it is ours, and the clock the session lives by.

    In mode paper a gateway on this machine is asked whether it is a simulated one, whose clock is not the wall's.
    """
    gateway = settings.gateway
    if gateway.url is None:
        place = await find_or_start(settings, folder, say)
    else:
        place = Place(url=gateway.url, ca=gateway.ca, pinned=gateway.pinned)
    told: Told | None = None
    if settings.mode is Mode.SIM:
        told = await clock_at(place, patience_s=BUSY_S)
    elif settings.mode is Mode.PAPER and is_beside(settings):
        told = await clock_of(place)
    if told is None:
        return Venue(place=place, clock=WallClock(), rate=1.0)
    return Venue(place=place, clock=RatedClock(told.now_ns, told.rate), rate=told.rate)


async def run(
    settings: RunSettings,
    folder: StateFolder,
    *,
    say: Callable[[str], None],
    launched: subprocess.Popen[bytes] | None = None,
) -> None:
    """Trade until told to stop.

    Args:
        say: Takes sentences for the terminal.
        launched: A guard that has been started already.

    Raises: InputError, in one sentence, for what a person has to mend.
    """
    with EarlySignal().heard() as early:
        await _run(settings, folder, early, say, launched)


async def _run(
    settings: RunSettings,
    folder: StateFolder,
    early: EarlySignal,
    say: Callable[[str], None],
    launched: subprocess.Popen[bytes] | None,
) -> None:
    for sentence in uncovered(settings.suppress.ids):
        say(f"warning: {sentence}")
    there_before = folder.process("gateway")
    try:
        venue = await find_venue(settings, folder, say)
    except BaseException:
        if launched is not None:
            launched.terminate()  # there is nothing to guard
        raise
    if settings.mode is Mode.PAPER and isinstance(venue.clock, RatedClock):
        say(f"this is a simulated gateway: its clock counts, at {venue.rate:g} times the wall's speed")
        settings = on_simulated_clock(settings)
    if settings.gateway.url is None and venue.rate != settings.gateway.speed:
        runs, wanted = f"{venue.rate:g}", f"{settings.gateway.speed:g}"
        say(f"warning: somebody has set the clock of this folder's gateway: it runs at speed {runs}, not {wanted}")
    calendars: dict[str, Sessions] = {}

    async def look_up_hours() -> None:
        names = [instrument.calendar for instrument in settings.by_conid.values()]
        calendars.update(await trio.to_thread.run_sync(calendars_for, names, venue.clock.now_ns(), folder.path))

    async with trio.open_nursery() as guarding:
        guard: Guarded | None = None
        daemon: Daemon | None = None
        try:
            # A guard takes a while to come, and so does a calendar that was not kept.
            async with trio.open_nursery() as preparing:
                preparing.start_soon(look_up_hours)
                if settings.guard.on:
                    # Before the books are read: what it is at for an earlier daemon, it has ended when it takes us.
                    guard = Guarded(settings, folder, venue, launched)
                    await guarding.start(guard.link.run)
            daemon = assemble(settings, folder, venue.clock, calendars)
            await _trade_until_stopped(daemon, venue, guard, early, say)
        except Exception:
            if nothing_lives(folder, daemon):
                if guard is not None:
                    await guard.refused()
                if settings.gateway.url is None and there_before is None:
                    await end_gateway(folder)  # nobody has traded on it, and it would outlive this
            raise
        guarding.cancel_scope.cancel()


async def _trade_until_stopped(
    daemon: Daemon, venue: Venue, guard: Guarded | None, early: EarlySignal, say: Callable[[str], None]
) -> None:
    settings, folder = daemon.settings, daemon.folder
    daemon.switch.early = early
    signalled = False

    def hear_stop() -> None:
        nonlocal signalled
        signalled = True
        daemon.stopping.set()

    if guard is not None:
        guard.take(daemon)
    try:
        cutter = cutting.Cutter(cutting.HANDLER_LIMIT_S, lambda: daemon.nursery.deciding.core.sign())
        async with _running(daemon, venue, say), trio.open_nursery() as tasks:
            if guard is not None:
                guard.ready = True
            await heed_guard(daemon)  # what an earlier guard halted stays so, whether this daemon has one or not
            tasks.start_soon(hear_signals, hear_stop, tasks.cancel_scope.cancel, daemon.reloading.read_again)
            tasks.start_soon(_trade, daemon, say)
            tasks.start_soon(daemon.operator.run)
            tasks.start_soon(systemd.feed_watchdog)
            tasks.start_soon(watch_loop, partial(loop_told, daemon), daemon.watching.lagged)
            tasks.start_soon(_watch_health, daemon)
            tasks.start_soon(watch_data, daemon)
            tasks.start_soon(tidy, daemon)
            if settings.gateway.url is None:
                tasks.start_soon(keep_alive, settings, folder, venue, partial(_gateway_alert, daemon))
            with cutter:
                await daemon.stopping.wait()
            systemd.notify("STOPPING=1")
            stop = settings.stop
            say(f"stopping: {stop.policy} within {stop.limit_s:g} s")
            for sentence in await wind_down(daemon.operator, str(stop.policy), stop.limit_s):
                say(sentence)
            if guard is not None:
                await guard.link.leave(gateway=False)
            if signalled and settings.gateway.url is None:
                say("the simulated gateway goes on, for the next start; `engine stop` ends it")
            tasks.cancel_scope.cancel()
    finally:
        daemon.journal.close()


@asynccontextmanager
async def _running(daemon: Daemon, venue: Venue, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Everything up but trading: journal, session, nursery."""
    settings, clock = daemon.settings, daemon.clock
    instruments = settings.by_conid
    calendars = {i.conid: calendar_of(daemon, i.calendar) for i in instruments.values()}
    wishes = daemon.host.start(daemon.began_ns)
    place = venue.place
    context = tls.context(place.url, ca=place.ca, pinned=place.pinned) if place.url.startswith("https") else None
    options = LinkOptions(
        account=settings.base.account.id,
        suppressed=settings.suppress.ids,
        direct=is_direct(settings),
        rate=venue.rate,
        # A simulated gateway lies on this machine, and a fast clock makes much of every moment. At the wall's pace what
        # holds for a real one holds for it: too little, and a burst of cancels ends in the venue's penalty box.
        transit_s=0.1 if venue.rate > 1.0 else 0.5,
        children_named=settings.orders.children_named,
        followed=daemon.followed,
        rules=Rules(policy=Policy(settings.session.competing), inits_per_hour=settings.session.inits_per_hour),
    )
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(trio.open_nursery())
        stack.callback(tasks.cancel_scope.cancel)
        tasks.start_soon(daemon.committer.run)
        tasks.start_soon(daemon.switch.run)
        tasks.start_soon(
            keep_small, daemon.committer, daemon.folder.journal, instruments, daemon.books.portfolio.rates, clock
        )
        wire = WireKeeper.of(daemon) if settings.recorder.wire else None
        if wire is not None:
            await tasks.start(wire.run)
        daemon.link = await stack.enter_async_context(
            open_link(
                place.url,
                clock,
                login_of(
                    settings.gateway,
                    place.url,
                    clock,
                    source=settings.base.source,
                    own=gateway_folder(daemon.folder) if settings.gateway.url is None else None,
                ),
                options,
                instruments,
                tls=context,
                chance=Random(settings.base.seed).random,
                is_open=lambda name, now_ns: _is_open(calendars, name, now_ns),
                ledger=LoginFile(daemon.folder.path / "logins.json"),
                on_alert=partial(_session_alert, daemon),
                tap=wire,
                on_frame=(daemon.watching.on_frame,),
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
                ledger=Aloud(daemon.committer, settings.by_conid),
                people=daemon.people,
                record=keeper.hear if keeper is not None else _nothing,
                available=partial(_availability, daemon),
                notice=daemon.people.notice,
                session=partial(_session_news, daemon),
                note=_unnoted if wire is None else wire.note,
            ),
            cores_of(daemon, wishes),
            tuple(instruments.values()),
        )
        daemon.facts = VenueFacts(
            daemon.link,
            clock,
            instruments,
            account=options.account,
            base=settings.base.account.base_currency,
            region=options.rules.region,
            tell=daemon.nursery.tell_risk,
        )
        recover_desk(daemon)
        await tasks.start(daemon.nursery.run)
        tasks.start_soon(daemon.facts.run)
        daemon.nursery.tell_start(first_news(daemon))
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
            halts=daemon.halts,
            last_cash=daemon.books.portfolio.cash,
            last_ledger=daemon.books.ledger,
            limits=lambda: daemon.gate.settings.account,
        )
        tasks.start_soon(_flush, daemon)
        daemon.reloading = Reloading(
            settings,
            clock,
            tell_risk=daemon.nursery.tell_risk,
            store=daemon.store,
            keep=daemon.keep,
            alert=daemon.people.alert,
        )
        daemon.operator = operator_desk(daemon, venue)
        say(f"session with {place.url}, account {settings.base.account.id}, mode {settings.mode}")
        yield
        daemon.nursery.stop()
        await _write_notes(daemon)


def _is_open(calendars: Mapping[int, Sessions], name: str, now_ns: int) -> bool:
    conid = name.partition("@")[0]
    found = calendars.get(int(conid)) if conid.isdecimal() else None
    return found is not None and found.is_open(now_ns)


def _nothing(rows: object) -> None:
    del rows


def _unnoted(core: str, now_ns: int, letter: object) -> None:
    del core, now_ns, letter


def _availability(daemon: Daemon, told: Availability) -> None:
    daemon.facts.available(told)
    daemon.keep((told.ts_ns, "availability", str(told.conid), told.code))


def _session_alert(daemon: Daemon, alert: SessionAlert) -> None:
    daemon.people.alert(Alert("SESSION", f"{alert.what}: {alert.detail}"), daemon.clock.now_ns())


def _gateway_alert(daemon: Daemon, sentence: str) -> None:
    daemon.people.alert(Alert("GATEWAY", sentence), daemon.clock.now_ns())


def _session_news(daemon: Daemon, now: SessionNow) -> None:
    daemon.layers.session(now)
    daemon.facts.session(now)
    if hasattr(daemon, "operator"):
        daemon.operator.suppression.session(now.up)
    if now.up:
        drop_cycles()  # those of the connections that are gone
        daemon.came_up.set()
    daemon.keep((now.ts_ns, "session", "up" if now.up else "down", now))


async def _watch_health(daemon: Daemon) -> None:
    nursery = daemon.nursery
    await daemon.watching.run(daemon.clock, waiting=nursery.waiting, tell=nursery.tell_risk)


# --- tasks ------------------------------------------------------------------------------------------------------------


async def _trade(daemon: Daemon, say: Callable[[str], None]) -> None:
    """Reconcile after every return of the session and every so often; the first time trading begins with it."""
    every_s = daemon.settings.orders.reconcile.every_minutes * 60
    started = False
    fresh = daemon.books.fresh
    for conid, reason in daemon.halts.reasons.items():
        daemon.nursery.tell_risk(InstrumentNow(conid, True, reason))
    while True:
        await session_of(daemon, tells_account=started)
        if started:
            daemon.came_up = trio.Event()
        if await daemon.reconciler.run_once(first=fresh):
            fresh = False
            if not started:
                started = True
                await check_names(daemon)
                await daemon.facts.wait_known(KNOWN_S)
                daemon.came_up = trio.Event()
                daemon.trading.start()
                await daemon.set_trading([])
                daemon.nursery.begin()
                if daemon.trading.flattens:  # it was wanted before a restart
                    daemon.operator.begin_flattening()
                say(begun(daemon.trading, daemon.gate.account.held, daemon.clock.now_ns()))
                systemd.notify("READY=1")
            await _sleep_or_up(daemon, every_s)
        else:
            await daemon.clock.sleep(5)


async def _sleep_or_up(daemon: Daemon, seconds: float) -> None:
    """Wait so long, or until the session has come up anew."""
    came_up = daemon.came_up
    async with trio.open_nursery() as nursery:

        async def sleep() -> None:
            await daemon.clock.sleep(seconds)
            came_up.set()

        nursery.start_soon(sleep)
        await came_up.wait()
        nursery.cancel_scope.cancel()


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
            return
    daemon.people.stored(daemon.clock.now_ns())
