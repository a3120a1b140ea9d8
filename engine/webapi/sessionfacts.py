"""What the session machine hears and what it wants done: plain values, and the health that it tells."""

from __future__ import annotations

from enum import Enum, IntEnum, StrEnum

import msgspec

from engine.webapi.facts.session import AuthStatus


class Layer(IntEnum):
    """Each stands on the one before."""

    GATEWAY = 0  # somebody answers
    OUTER = 1  # the read-only session
    BROKERAGE = 2
    ACCOUNTS = 3  # accounts, suppression, order and trade caches
    STREAM = 4  # the websocket, authorised and subscribed
    DATA = 5  # what should come, comes


class Policy(StrEnum):
    """What to do when another session of this username holds the brokerage session."""

    STAND_DOWN = "stand-down"  # wait until it is gone
    STEAL = "steal"
    BOUNDED_STEAL = "bounded-steal"  # a few times an hour, then stand down


class Work(Enum):
    """Something that the supervisor does for the machine; one result comes back for each."""

    LOGIN = "login"
    RENEW = "renew"
    TICKLE = "tickle"
    STATUS = "status"
    INIT = "init"
    ACCOUNTS = "accounts"  # both account lists, and the choice of account
    SUPPRESS = "suppress"
    PRIME = "prime"  # live orders and trades warmed
    CONNECT = "connect"
    SUBSCRIBE = "subscribe"
    DISCONNECT = "disconnect"  # the one without a result


class Cause(Enum):
    """Why work failed, as far as it matters."""

    UNREACHABLE = "unreachable"  # nobody answers, or not in time
    LOGGED_OUT = "logged out"  # 401, 410, the login page
    OTHER = "other"


# -- heard ------------------------------------------------------------------------------------------------------------


class TimePassed(msgspec.Struct, frozen=True):
    """Nothing but the clock."""


class LoggedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A login or renewal succeeded; `expires_ns` None if it says nothing of its end."""

    work: Work
    expires_ns: int | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A tickle, status or init was answered; `status` None if the answer holds none."""

    work: Work
    status: AuthStatus | None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """Other work succeeded."""

    work: Work


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Work failed. `unsent`: certainly nothing of it left us."""

    work: Work
    problem: str
    cause: Cause = Cause.OTHER
    unsent: bool = False


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """An `sts` frame; what it leaves out is None."""

    status: AuthStatus


class StreamLost(msgspec.Struct, frozen=True, kw_only=True):
    """The websocket is gone or silent."""

    problem: str


class DataFlows(msgspec.Struct, frozen=True):
    """What should come, comes."""


class DataSilent(msgspec.Struct, frozen=True, kw_only=True):
    """Data that should come does not."""

    problem: str


class Doubted(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's request was answered 401, or `no bridge`: look now."""

    request: str


Heard = TimePassed | LoggedIn | Told | Done | Failed | Pushed | StreamLost | DataFlows | DataSilent | Doubted


# -- wanted -----------------------------------------------------------------------------------------------------------


class Perform(msgspec.Struct, frozen=True, kw_only=True):
    """Do this work."""

    work: Work


class GoUp(msgspec.Struct, frozen=True):
    """The session is whole: order writes may go."""


class GoDown(msgspec.Struct, frozen=True, kw_only=True):
    """It is not any more: order writes wait. `expected`: known ahead, nobody needs to be woken."""

    reason: str
    expected: bool


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know; `what` is a fixed name."""

    what: str
    detail: str


Wanted = Perform | GoUp | GoDown | Alert


class LayerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One layer: up or not, why, and since when."""

    layer: Layer
    up: bool
    reason: str
    since_ns: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The session as a whole. `up`: order writes may go. `away` names a maintenance window that lasts."""

    up: bool
    since_ns: int
    doing: str
    next_try_ns: int | None
    away: str
    layers: tuple[LayerHealth, ...]
