"""Limits read again while the daemon trades: tighter at once, looser when a person says so a second time.

SIGHUP reads the file with the command line's own `--set` laid over it, as the start did. What it loosens waits for
`engine confirm`, or for a restart; what it changes beside limits waits for a restart, and a person is told which.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog

from engine.daemon.config import RunSettings, load, on_simulated_clock
from engine.errors import InputError
from engine.operator.protocol import refused
from engine.orders.actions import Alert
from engine.ports import Clock
from engine.risk.limits import reload
from engine.runtime.live.letters import LimitsNow
from engine.settings import RiskSettings

KIND: Final = "reload"
Row = tuple[int, str, str, Any]

log = structlog.get_logger()


class Reloading:
    """The limits in force and those that wait.

    Args:
        tell_risk: Hands risk the limits that count from now on.
        store: Returns when rows are in the journal.
        keep: Takes rows for the journal that nothing follows from.
    """

    def __init__(
        self,
        settings: RunSettings,
        clock: Clock,
        *,
        tell_risk: Callable[[LimitsNow], None],
        store: Callable[[Sequence[Row]], Awaitable[None]],
        keep: Callable[[Row], None],
        alert: Callable[[Alert, int], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._tell_risk = tell_risk
        self._store = store
        self._keep = keep
        self._alert = alert
        self.elsewhere: tuple[str, ...] = ()  # tables beside the limits that the file has otherwise by now
        self._now: RiskSettings = settings.base.risk
        self.wanted: RiskSettings | None = None  # what the file says, where some of it waits
        self.waiting: tuple[str, ...] = ()  # in sentences

    def read_again(self) -> None:
        """The file may say something else by now; one that can't be read changes nothing."""
        now_ns = self._clock.now_ns()
        try:
            read = load(self._settings.base.source, self._settings.overrides)
        except InputError as error:
            self._alert(Alert("RELOAD", f"the limits stay as they are: {error}"), now_ns)
            return
        wanted = (on_simulated_clock(read) if self._settings.simulated else read).base.risk
        found = reload(self._now, wanted)
        self._now = found.now
        self.waiting = tuple(f"{key} from {_said(was)} to {_said(to)}" for key, was, to in found.waiting)
        self.wanted = wanted if self.waiting else None
        self._tell_risk(LimitsNow(found.now))
        before, after = tables(self._settings), tables(read)
        self.elsewhere = tuple(key for key in after if before[key] != after[key])
        self._keep((now_ns, KIND, "risk", {"waiting": self.waiting, "elsewhere": self.elsewhere}))
        if self.waiting:
            sentence = f"wait for `engine confirm` or a restart: {'; '.join(self.waiting)}"
            self._alert(Alert("RELOAD", sentence), now_ns)
        if self.elsewhere:
            sentence = (
                f"only limits are read again; changed too, and from the next start on: {', '.join(self.elsewhere)}"
            )
            self._alert(Alert("RELOAD", sentence), now_ns)
        log.info("limits_reloaded", waiting=len(self.waiting), elsewhere=len(self.elsewhere))

    async def confirm(self) -> tuple[str, ...]:
        """A person says a second time that limits may be looser; returns which. Raises: NotDone if none waits."""
        wanted, loosened = self.wanted, self.waiting
        if wanted is None:
            raise refused("no looser limit waits: edit the file, and send SIGHUP to the daemon first")
        await self._store([(self._clock.now_ns(), KIND, "operator", {"loosened": loosened})])
        if self.wanted is None or self.waiting != loosened:  # the file was read again meanwhile, and says otherwise
            raise refused("the limits were read again meanwhile: look at what waits now, and confirm that")
        self._now, self.wanted, self.waiting = self.wanted, None, ()
        self._tell_risk(LimitsNow(self._now))
        return loosened


def tables(settings: RunSettings) -> dict[str, object]:
    """What a configuration says beside its limits, by its top-level keys."""
    base = settings.base
    return {
        "name": base.name,
        "mode": settings.mode,
        "seed": base.seed,
        "account": base.account,
        "gateway": settings.gateway,
        "instrument": dict(settings.instruments),
        "strategy": base.strategies,
        "replies": settings.replies,
        "suppress": settings.suppress,
        "orders": settings.orders,
        "session": settings.session,
        "recorder": settings.recorder,
        "stop": settings.stop,
        "guard": settings.guard,
        "kill": settings.kill,
    }


def _said(value: object) -> str:
    if value is None:
        return "no limit"
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
