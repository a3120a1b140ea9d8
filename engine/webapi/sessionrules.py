"""The steps of a session's climb as tables, and the rules it is kept by."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from engine.webapi.logins import LIMITS, Attempt, Logins
from engine.webapi.maintenance import Region
from engine.webapi.sessionfacts import Layer, Policy, Work


class Step(Enum):
    """Where the climb is."""

    LOGIN = "logging in"
    LOOK = "looking at the session"
    INIT = "opening the brokerage session"
    SETTLE = "letting it settle"
    ACCOUNTS = "loading accounts"
    SUPPRESS = "suppressing known questions"
    PRIME = "warming orders and trades"
    CONNECT = "connecting the websocket"
    SUBSCRIBE = "subscribing"
    UP = "up"


WORK: dict[Step, Work] = {
    Step.LOGIN: Work.LOGIN,
    Step.LOOK: Work.TICKLE,
    Step.INIT: Work.INIT,
    Step.SETTLE: Work.STATUS,
    Step.ACCOUNTS: Work.ACCOUNTS,
    Step.SUPPRESS: Work.SUPPRESS,
    Step.PRIME: Work.PRIME,
    Step.CONNECT: Work.CONNECT,
    Step.SUBSCRIBE: Work.SUBSCRIBE,
}
AFTER: dict[Step, Step] = {
    Step.ACCOUNTS: Step.SUPPRESS,
    Step.SUPPRESS: Step.PRIME,
    Step.PRIME: Step.CONNECT,
    Step.CONNECT: Step.SUBSCRIBE,
    Step.SUBSCRIBE: Step.UP,
}
LAYER: dict[Step, Layer] = {
    Step.LOGIN: Layer.OUTER,
    Step.LOOK: Layer.OUTER,
    Step.INIT: Layer.BROKERAGE,
    Step.SETTLE: Layer.BROKERAGE,
    Step.ACCOUNTS: Layer.ACCOUNTS,
    Step.SUPPRESS: Layer.ACCOUNTS,
    Step.PRIME: Layer.ACCOUNTS,
    Step.CONNECT: Layer.STREAM,
    Step.SUBSCRIBE: Layer.STREAM,
}
OPEN = frozenset({*AFTER, Step.UP})  # these stand on an open brokerage session


@frozen(kw_only=True)
class Rules:
    """How the session is to be kept. Durations in seconds of the session's clock."""

    logs_in: bool = False  # we hold keys; otherwise a person logs in at the gateway
    policy: Policy = Policy.STAND_DOWN
    region: Region | None = Region.AMERICA  # None: no maintenance is known
    tickle_s: float = 60.0
    second_look_s: float = 5.0  # after a first failed tickle
    settle_s: float = 4.0  # after an init; the documents ask for 3 to 5
    settle_poll_s: float = 1.5
    settle_limit_s: float = 30.0
    renew_before_s: float = 3600.0
    backoff_s: float = 1.0
    backoff_cap_s: float = 60.0
    login_backoff_s: float = 60.0  # after a refused login: a wrong key does not get better
    login_backoff_cap_s: float = 900.0
    stand_down_s: float = 60.0  # between two looks while somebody else holds the session
    steady_s: float = 60.0  # up for so long: earlier failures are forgotten
    overdue_s: float = 600.0  # down for so long beyond what was expected: alert
    away_retry_s: float = 45.0  # between two tries in a maintenance window
    inits_per_hour: int = LIMITS[Attempt.INIT][0]  # how often the brokerage session may be opened
    inits_before_login: int = 3  # vain inits in a row, then our login is held to be the trouble
    logins: Logins = field(factory=Logins)


def backoff_s(failures: int, chance: float, *, first_s: float, cap_s: float) -> float:
    """Return the wait before the next try: doubling to a cap, of which chance in [0, 1) takes up to half away."""
    whole = min(cap_s, first_s * 2.0 ** min(failures, 30))
    return whole * (1 - chance / 2)
