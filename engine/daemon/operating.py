"""What stands around the trading: the operator's desk, the guard, and the eyes on loop and data."""

from __future__ import annotations

import subprocess
from functools import partial
from typing import Any, Final

import structlog

from engine.daemon.access import access_of
from engine.daemon.assembling import Daemon, Venue, calendar_of
from engine.daemon.config import GUARDS_WAY, RunSettings
from engine.daemon.days import day_began_ns
from engine.domain.moments import iso
from engine.guard.known import known_orders
from engine.guard.link import GuardLink
from engine.guard.mandate import Mandate
from engine.guard.notes import guard_acted
from engine.guard.talk import HALTING
from engine.operator.desk import carry_out
from engine.operator.folder import StateFolder
from engine.operator.latches import state_of
from engine.operator.layers import SESSION
from engine.operator.live import LiveDesk
from engine.operator.processes import this_process
from engine.operator.protocol import Request, refused
from engine.operator.starting import StartingDesk
from engine.operator.suppressing import Suppression
from engine.operator.trading import TradingState
from engine.orders.actions import Alert
from engine.risk.catalogue import row
from engine.risk.showing import in_force, losses

SILENT_S: Final = 60.0  # of the venue's clock, without data while the market is open

log = structlog.get_logger()


def operator_desk(daemon: Daemon, venue: Venue) -> LiveDesk:
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
        loosen=daemon.reloading.confirm,
        people=daemon.people,
        layers=partial(_layers, daemon),
        about=lambda: {
            "name": settings.base.name,
            "mode": str(settings.mode),
            "account": settings.base.account.id,
            "gateway": venue.place.url,
            "process": this_process().pid,
            "alive_until": None if daemon.switch.until_ns is None else iso(daemon.switch.until_ns),
            "instruments_halted": {str(of): why for of, why in (daemon.halts.reasons | daemon.misnamed).items()},
            "strategies": {name: seat.off or "on" for name, seat in daemon.host.seats.items()},
        },
        suppression=Suppression(daemon.link.broker, settings.suppress.ids, daemon.link.chores.suppress_from_now),
        day_began_ns=lambda: day_began_ns(daemon.clock.now_ns()),
        stopping=daemon.stopping,
        positions_there=daemon.link.broker.positions,
        keep=daemon.keep,
        alive=daemon.switch.alive,
        may_resume=daemon.switch.may_resume,
        settle_s=settings.orders.settle_s,
        flatten_after_s=settings.kill.flatten_after_s,
        monitors=partial(_monitors, daemon),
        refused=lambda: daemon.nursery.judging.monitors.refused,
        limits=partial(_limits, daemon),
        unwell=lambda: daemon.nursery.judging.monitors.unwell,
        penalty=daemon.link.scheduler.penalty,
    )


def _monitors(daemon: Daemon) -> dict[str, tuple[str, str | None]]:
    """What the rows have used that watch, as `engine risk show` prints it."""
    daemon.nursery.judging.explaining.finish()  # to be read, sums are brought up to date
    latency = daemon.people.latency
    alerts = sum(daemon.people.counts.values())
    watch = daemon.nursery.judging.watch
    return {
        **daemon.nursery.judging.monitors.used(),
        **({} if watch is None else losses(watch)),
        "R18": (str(state_of(daemon.trading, daemon.gate.account.held, daemon.clock.now_ns())), None),
        "R40": (f"{daemon.reconciler.drift:f}", None),
        "R46": (f"{sum(daemon.people.counts[code] for code in row('R46').codes)} found", None),
        "R42": (f"{daemon.people.counts['JUMP']} jumps", None),
        "R47": (f"{latency.worst_s:.2f} s, {alerts} alerts", None),
        "R48": (f"{sum(daemon.nursery.judging.monitors.refused.values())} refused", None),
    }


def _limits(daemon: Daemon) -> dict[str, dict[str, Any]]:
    """The limits in force, and those that wait for a person."""
    gate = daemon.gate
    return in_force(gate.settings, daemon.reloading.wanted, wall=daemon.settings.by_wall, plugins=gate.plugins)


def _layers(daemon: Daemon) -> list[dict[str, Any]]:
    """Every layer of health: those of the session as the session tells them, then our own."""
    health = daemon.link.supervisor.health()
    session = [
        {"layer": one.layer.name.lower(), "up": one.up, "reason": one.reason, "since": iso(one.since_ns)}
        for one in health.layers
    ]
    full = daemon.nursery.ordering.full
    daemon.layers.set("journal", not full, "takes no more: only cancels go out" if full else "")
    return session + [row for row in daemon.layers.rows() if row["layer"] not in SESSION]


class Guarded:
    """The line to the guard from the first moment of a start: operators are answered, and our signs of life are given.

    `daemon` is set once it has been put together, `ready` once its operator's desk is there. `launched` is a guard that
    has been started for us already.
    """

    def __init__(
        self, settings: RunSettings, folder: StateFolder, venue: Venue, launched: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.daemon: Daemon | None = None
        self.ready = False
        self._settings = settings
        self._folder = folder
        self._venue = venue
        self._state: tuple[bool, str] = (False, "not yet there")
        self.link = GuardLink(
            folder,
            GUARDS_WAY,
            mandate=self._mandate,
            trading=self._trading,
            answer=self._answer,
            changed=self._changed,
            launched=launched,
        )

    def _mandate(self) -> Mandate:
        settings, venue = self._settings, self._venue
        return Mandate(
            daemon=this_process(),
            config=settings.base.name,
            account=settings.base.account.id,
            conids=tuple(settings.by_conid),
            access=access_of(settings, venue.place, venue.rate),
            gateway=self._folder.process("gateway") if settings.gateway.url is None else None,
            limit_s=settings.guard.silence_s,
            flatten=settings.guard.flatten,
            settle_s=max(2.0, settings.orders.settle_s / venue.rate),
            read_every_s=max(0.5, 5.0 / venue.rate),
            trading=self._trading(),
        )

    def _trading(self) -> str:
        if self.daemon is None:
            return str(TradingState.STARTING)
        return HALTING if self.daemon.unconfirmed else str(self.daemon.trading.state)

    def _changed(self, up: bool, why: str) -> None:
        self._state = up, why
        if self.daemon is not None:
            self.daemon.layers.set("guard", up, why)

    async def _answer(self, request: Request) -> Any:
        daemon = self.daemon
        if daemon is None:
            raise refused("the daemon is starting and reads its journal; ask again in a moment")
        if self.ready:
            return await carry_out(daemon.operator, request)
        desk = StartingDesk(
            trading=daemon.trading,
            now_ns=daemon.clock.now_ns,
            store=daemon.store,
            layers=daemon.layers.rows,
            about=lambda: {"name": self._settings.base.name, "mode": str(self._settings.mode)},
            stopping=daemon.stopping,
            held=lambda: daemon.gate.account.held,
        )
        return await desk.answer(request)

    async def refused(self) -> None:
        """The start has failed, and nothing of ours may live: there is nothing that the guard should do for us."""
        await self.link.leave(gateway=False)

    def take(self, daemon: Daemon) -> None:
        """The daemon has been put together."""
        self.daemon = daemon
        daemon.layers.set("guard", *self._state)


def nothing_lives(folder: StateFolder, daemon: Daemon | None) -> bool:
    """Whether a start that has failed leaves nothing of ours at the venue.

    Otherwise the guard is not told, and acts: an order of an earlier daemon has nobody else who looks after it.
    """
    known = known_orders(folder)
    return (daemon is None or not daemon.trading.started) and not known.living and not known.problem


async def heed_guard(daemon: Daemon) -> None:
    """Take over what the guard did while there was no daemon: what it halted stays so."""
    for deed in guard_acted(daemon.folder, after=daemon.trading.guard_seq):
        if deed.kind == "latch":
            now_ns = daemon.clock.now_ns()
            rows = daemon.trading.latch(TradingState.HALTED, "guard", deed.sentence, now_ns, guard_seq=deed.seq)
            await daemon.set_trading(rows)
        elif deed.kind == "done":
            log.info("guard_did", sentence=deed.sentence)


def loop_told(daemon: Daemon, lag_s: float, late: bool) -> None:
    daemon.layers.set("loop", not late, f"{lag_s:.1f} s late" if late else "")
    if late:
        daemon.people.alert(Alert("LOOP_LAG", f"the loop woke {lag_s:.1f} s late"), daemon.clock.now_ns())


async def watch_data(daemon: Daemon) -> None:
    """Instruments whose market is open and whose data stay away."""
    silent: set[str] = set()
    while True:
        await daemon.clock.sleep(SILENT_S / 4)
        now_ns = daemon.clock.now_ns()
        for instrument in daemon.settings.instruments.values():
            age_s = daemon.link.data.silent_s(instrument.conid)
            open_now = calendar_of(daemon, instrument.calendar).is_open(now_ns)
            late = open_now and age_s is not None and age_s > SILENT_S
            if late and instrument.symbol not in silent:
                silent.add(instrument.symbol)
                sentence = f"no data of {instrument.symbol} for {age_s:.0f} s"
                daemon.people.alert(Alert("DATA_SILENT", sentence), now_ns)
            elif not late:
                silent.discard(instrument.symbol)
            daemon.layers.set(f"data {instrument.symbol}", not late, "silent" if late else "")
