"""The two tiers of a session as a pure machine: what is logged in, since when, and what ends it.

The outer tier is a login; the brokerage tier stands on it and is what `/iserver` needs. Every method takes the
gateway's present; `advance` must be called with it before anything is asked. Source of the rules: IBKR's text on
sessions, and what its clients report (idle 6 minutes, a reset at 01:00 New York, `no bridge` after an init).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from attrs import frozen

from engine.gateway.calls import Answer, Tier, refusal
from engine.gateway.options import Options

_S: Final = 1_000_000_000
_MS: Final = 1_000_000
_MAC: Final = "02:00:5E:10:00:01"
_SSO_CLOCK_S: Final = 600.0
SERVER_INFO: Final = {"serverName": "SimGateway1", "serverVersion": "Build 10.44.1d, Mar 3, 2026 1:55:32 PM"}
FORCE_COMPETE: Final = "Force compete capability must be used together with compete flag"

_KEPT: Final = (
    "login_ns",
    "opened_ns",
    "bridge_ns",
    "competing",
    "left_by_logout",
    "portfolio_read",
    "tickle_id",
    "brokerage_id",
    "_rival_leaves_ns",
    "_person_ns",
    "_maintenance_ns",
    "_reset_ns",
)


@frozen
class Turn:
    """Something happened to the session by itself or by request; `what` is one of the words below.

    `opened`: a new brokerage session; `dropped`: it ended; `competing`: another login took it; `alone`: the other one
    left; `lost`: the outer tier ended; `login`: the outer tier began.
    """

    ts_ns: int
    what: str


class Session:
    """One username's session. Times are nanoseconds of the gateway's clock.

    Args:
        options: Rules and names.
        chance: Source of session ids.
        now_ns: The gateway's present.
    """

    def __init__(self, options: Options, chance: Random, now_ns: int) -> None:
        self._rules = options.session
        self._options = options
        self._chance = chance
        self.username = options.username
        self.is_paper = options.first_account.startswith("D")
        self.user_id = 100_000_000 + options.seed % 1_000_000
        self.login_ns: int | None = None
        self.opened_ns: int | None = None
        self.bridge_ns = now_ns  # `no bridge` before this moment
        self.heard_ns = now_ns
        self.competing = False
        self.left_by_logout = False
        self.portfolio_read = False
        self.message = ""
        self.tickle_id = ""
        self.brokerage_id = ""
        self._rival_leaves_ns: int | None = None
        self._person_ns: int | None = None
        self._maintenance_ns = 0
        self._reset_ns = self._next_reset(now_ns)
        self._turns: list[Turn] = []
        if options.auth == "gateway":
            self._login(now_ns)
            self._open(now_ns, settled=True)

    # -- what holds now ------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether somebody is logged in."""
        return self.login_ns is not None

    @property
    def authenticated(self) -> bool:
        """Whether the brokerage session is open."""
        return self.opened_ns is not None

    def established(self, now_ns: int) -> bool:
        """Whether the brokerage session can be used; not yet while the bridge is coming up."""
        return self.opened_ns is not None and (now_ns >= self.bridge_ns or not self._options.observed)

    def usable(self, now_ns: int) -> bool:
        """Whether `/iserver` and the streams have something behind them."""
        return self.opened_ns is not None and now_ns >= self.bridge_ns

    def status(self, now_ns: int) -> dict[str, Any]:
        """The object that auth status, tickle and init answer."""
        if not self.connected:
            return {"authenticated": False, "competing": False, "connected": False, "MAC": _MAC}
        return {
            "authenticated": self.authenticated,
            "established": self.established(now_ns),
            "competing": self.competing,
            "connected": True,
            "message": self.message,
            "MAC": _MAC,
            "serverInfo": dict(SERVER_INFO),
            "hardware_info": f"sim00001|{_MAC}",
            "fail": "",
        }

    def expires_ms(self, now_ns: int) -> int:
        """What is left of the single sign-on, in milliseconds; 0 when it is over."""
        if self.login_ns is None:
            return 0
        life = self.login_ns + int(self._rules.life_s * _S) - now_ns
        return max(0, min(life, int(_SSO_CLOCK_S * _S)) // _MS)

    def refuses(self, tier: Tier, now_ns: int) -> Answer | None:
        """The answer to a path of `tier` if the session does not reach that far; None if it does."""
        if tier is Tier.NONE:
            return None
        if not self.connected:
            return refusal(401, "not authenticated")
        if tier is Tier.OUTER or self.usable(now_ns):
            return None
        if self.authenticated or now_ns < self._maintenance_ns:
            return refusal(400, "Bad Request: no bridge")
        if self.competing:
            return refusal(401, "not authenticated")
        return refusal(400, "Init session first")

    # -- requests ------------------------------------------------------------------------------------------------

    def heard(self, now_ns: int) -> None:
        """A request came in: the idle clock starts anew."""
        self.heard_ns = now_ns

    def init(self, now_ns: int, *, publish: bool, compete: bool) -> Answer:
        """Open the brokerage session; on an open one nothing changes."""
        if not self.connected:
            return refusal(410, "gone") if self.left_by_logout else refusal(401, "not authenticated")
        if not publish and not self._options.observed:
            return refusal(500, "publish must be true")
        if self.authenticated:
            return Answer(body=self.status(now_ns))
        if now_ns < self._maintenance_ns:
            return Answer(body={**self.status(now_ns), "fail": "server is being reset"})
        if self.competing and not compete:
            return Answer(body={**self.status(now_ns), "fail": FORCE_COMPETE})
        if self.competing:
            self._rival_gone(now_ns)
        self._open(now_ns, settled=False)
        return Answer(body=self.status(now_ns))

    def logout(self, now_ns: int) -> None:
        """End both tiers; the person who plays the browser's part comes back later."""
        if self.connected:
            self._lose(now_ns)
        self.left_by_logout = True

    def login(self, now_ns: int, *, open_brokerage: bool) -> None:
        """Begin a new outer session; an old one and its brokerage session are gone."""
        if self.authenticated:
            self._drop(now_ns)
        self._login(now_ns)
        if open_brokerage and not self.competing:
            self._open(now_ns, settled=False)

    # -- what happens to it --------------------------------------------------------------------------------------

    def drop(self, now_ns: int, *, maintenance_s: float = 0.0) -> None:
        """The brokerage session ends; for `maintenance_s` no other can be opened."""
        if self.authenticated:
            self._drop(now_ns)
        self._maintenance_ns = max(self._maintenance_ns, now_ns + int(maintenance_s * _S))

    def lose(self, now_ns: int) -> None:
        """Both tiers end without a logout."""
        if self.connected:
            self._lose(now_ns)

    def rival(self, now_ns: int, *, stays_s: float | None = None) -> None:
        """Somebody opens a brokerage session of this username elsewhere, and leaves it after `stays_s`."""
        if self.authenticated:
            self._drop(now_ns)
        self.competing = True
        self._rival_leaves_ns = None if stays_s is None else now_ns + int(stays_s * _S)
        self._turns.append(Turn(now_ns, "competing"))

    def kept(self) -> dict[str, Any]:
        """What a restart of the gateway goes on from, as JSON. The idle clock starts anew."""
        return {name: getattr(self, name) for name in _KEPT}

    def restore(self, kept: dict[str, Any], now_ns: int) -> None:
        """Take up what `kept` gave; nothing of it counts as having happened now."""
        for name in _KEPT:
            setattr(self, name, kept[name])
        self.heard_ns = now_ns
        self._turns.clear()

    def advance(self, now_ns: int) -> list[Turn]:
        """Let everything happen that is due by `now_ns`, in order; return what did, with what requests caused."""
        while True:
            due = [(ts, n, act) for n, (ts, act) in enumerate(self._schedule()) if ts is not None and ts <= now_ns]
            if not due:
                break
            ts, _, act = min(due, key=lambda entry: entry[:2])
            act(ts)
        turns, self._turns = self._turns, []
        return turns

    def next_due_ns(self) -> int:
        """The next moment at which `advance` will do something."""
        return min((ts for ts, _ in self._schedule() if ts is not None), default=sys.maxsize)

    def _schedule(self) -> list[tuple[int | None, Callable[[int], None]]]:
        life = None if self.login_ns is None else self.login_ns + int(self._rules.life_s * _S)
        idle = None if self.opened_ns is None else self.heard_ns + int(self._rules.idle_s * _S)
        return [
            (life, self._lose),
            (idle, self._drop),
            (self._reset_ns, self._nightly),
            (self._rival_leaves_ns, self._rival_gone),
            (self._person_ns, self._person),
        ]

    def _login(self, now_ns: int) -> None:
        self.login_ns = now_ns
        self.heard_ns = now_ns
        self.left_by_logout = False
        self.portfolio_read = False
        self._person_ns = None
        self.tickle_id = f"{self._chance.getrandbits(128):032x}"
        self._turns.append(Turn(now_ns, "login"))

    def _open(self, now_ns: int, *, settled: bool) -> None:
        self.opened_ns = now_ns
        self.heard_ns = max(self.heard_ns, now_ns)
        self.bridge_ns = now_ns if settled else now_ns + int(self._rules.settle_s * _S)
        draw = self._chance.getrandbits(48)
        self.brokerage_id = f"{draw >> 24:06x}.{draw & 0xFFFFFF:08x}"
        self._turns.append(Turn(now_ns, "opened"))

    def _drop(self, now_ns: int) -> None:
        self.opened_ns = None
        self._turns.append(Turn(now_ns, "dropped"))

    def _lose(self, now_ns: int) -> None:
        if self.authenticated:
            self._drop(now_ns)
        self.login_ns = None
        self.portfolio_read = False
        wait_s = self._rules.person_s
        if self._options.auth == "gateway" and wait_s is not None and wait_s >= 0:
            self._person_ns = now_ns + int(wait_s * _S)
        self._turns.append(Turn(now_ns, "lost"))

    def _nightly(self, now_ns: int) -> None:
        self.drop(now_ns, maintenance_s=self._rules.reset_s)
        self._reset_ns = self._next_reset(now_ns)

    def _rival_gone(self, now_ns: int) -> None:
        self.competing = False
        self._rival_leaves_ns = None
        self._turns.append(Turn(now_ns, "alone"))

    def _person(self, now_ns: int) -> None:
        self.login(now_ns, open_brokerage=True)

    def _next_reset(self, now_ns: int) -> int | None:
        if self._rules.reset_hour < 0:
            return None
        zone = ZoneInfo(self._rules.reset_zone)
        day = datetime.fromtimestamp(now_ns // _S, UTC).astimezone(zone).date()
        while True:
            moment = int(datetime.combine(day, time(self._rules.reset_hour), zone).timestamp()) * _S
            if moment > now_ns:
                return moment
            day += timedelta(days=1)
