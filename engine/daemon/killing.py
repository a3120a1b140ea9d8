"""The kill switch beside the operator's socket: a signal, a file in the state folder, and a timer of people's silence.

None of them goes by way of the strategies, the socket or the guard. They are watched before a session is sought: what
is pulled before the venue's books are read is a latch that the start finds.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
import trio

from engine.daemon.config import KillSettings
from engine.domain.moments import NS_PER_S, iso
from engine.operator.trading import TradingState
from engine.orders.actions import Alert
from engine.ports import Clock

SIGNAL: Final = signal.SIGUSR1
KIND: Final = "alive"  # of the rows that say when a person last looked after it
LOOK_S: Final = 0.25
_PAUSE_S: Final = 60.0
_HOUR_NS: Final = 3_600 * NS_PER_S
_WARN: Final = 0.9  # of the timer's time, after which a person is reminded
Row = tuple[int, str, str, Any]

log = structlog.get_logger()


class EarlySignal:
    """Remembers the signal from the process's start until the switch listens: its default would end the process."""

    def __init__(self) -> None:
        self.came = False

    @contextmanager
    def heard(self) -> Iterator[EarlySignal]:
        """Listen, on the main thread; what listens later inside takes over."""
        before = signal.signal(SIGNAL, self._note)
        try:
            yield self
        finally:
            signal.signal(SIGNAL, before)

    def _note(self, number: int, frame: object) -> None:  # noqa: ARG002
        self.came = True


class Pulling(Protocol):
    """Halts or reduces, cancels, and flattens if wanted."""

    async def __call__(self, level: TradingState, source: str, why: str, *, flatten: bool) -> None: ...


class KillSwitch:
    """Watches and pulls. `run` it before a session is sought.

    Args:
        file: Its appearance halts.
        alive_ns: When a person was last heard of; the timer runs from there.
        pull: What is done.
        store: Returns when rows are in the journal.
    """

    def __init__(
        self,
        settings: KillSettings,
        clock: Clock,
        file: Path,
        *,
        alive_ns: int,
        pull: Pulling,
        alert: Callable[[Alert, int], None],
        store: Callable[[Sequence[Row]], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._file = file
        self._alive_ns = alive_ns
        self._pull = pull
        self._alert = alert
        self._store = store
        self._file_seen = False
        self._expired = False
        self._warned = False
        self.early = EarlySignal()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._signals)
            nursery.start_soon(self._files)
            if self._settings.dead_man_hours is not None:
                nursery.start_soon(self._silence)

    async def _signals(self) -> None:
        with trio.open_signal_receiver(SIGNAL) as signals:
            if self.early.came:
                await self._halt("signal", f"the signal {SIGNAL.name} was sent to the daemon while it started")
            async for number in signals:
                name = signal.Signals(number).name
                await self._halt("signal", f"the signal {name} was sent to the daemon")

    async def _files(self) -> None:
        file = trio.Path(self._file)
        while True:
            there = await file.exists()
            if there and not self._file_seen:
                self._file_seen = True
                await self._halt("file", f"the file {self._file.name} is in the state folder")
            self._file_seen = there
            await trio.sleep(LOOK_S)

    async def _silence(self) -> None:
        """Pull when nobody has been heard of for too long, once a silence."""
        while True:
            now_ns = self._clock.now_ns()
            until_ns = self.until_ns
            assert until_ns is not None
            hours = self._settings.dead_man_hours
            if now_ns >= until_ns:
                if not self._expired:
                    self._expired = True
                    why = f"nobody has said `engine alive` for {hours:g} hours"
                    level = TradingState(self._settings.dead_man)
                    flatten = self._settings.flatten and level is TradingState.HALTED
                    await self._pull(level, "dead-man", why, flatten=flatten)
            elif not self._warned and now_ns - self._alive_ns >= _WARN * (until_ns - self._alive_ns):
                self._warned = True
                sentence = f"say `engine alive` before {iso(until_ns)}, or trading is {self._settings.dead_man}"
                self._alert(Alert("DEAD_MAN", sentence), now_ns)
            left_s = (until_ns - now_ns) / NS_PER_S
            await self._clock.sleep(max(LOOK_S, min(_PAUSE_S, left_s)) if left_s > 0 else _PAUSE_S)

    async def _halt(self, source: str, why: str) -> None:
        log.warning("kill_switch", source=source)
        await self._pull(TradingState.HALTED, source, why, flatten=self._settings.flatten)

    # --- what people say ----------------------------------------------------------------------------------------

    @property
    def until_ns(self) -> int | None:
        """When the timer runs out; None if there is none."""
        hours = self._settings.dead_man_hours
        return None if hours is None else self._alive_ns + round(hours * _HOUR_NS)

    async def alive(self) -> Mapping[str, Any]:
        """A person has been heard of; says until when that holds."""
        now_ns = self._clock.now_ns()
        await self._store([(now_ns, KIND, "operator", {})])
        self._alive_ns, self._expired, self._warned = now_ns, False, False
        until_ns = self.until_ns
        return {"alive_until": None if until_ns is None else iso(until_ns)}

    def may_resume(self) -> str:
        """What stands against resuming: the file is there still. Empty if nothing does."""
        if self._file.exists():
            return f"the file {self._file} halts trading: remove it first"
        return ""
