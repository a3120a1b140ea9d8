"""One request to the Web API as a value: what it is, how urgent it is and what its silence means."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Protocol

import msgspec

from engine.ports import Permit


class Kind(Enum):
    """What may be done after silence."""

    READ = "read"  # may be repeated within its budget
    IDEMPOTENT = "idempotent"  # tickle, init, suppress, what-if, `confirmed:false`, cancel by order id: likewise
    ORDER_WRITE = "order write"  # place, modify, `confirmed:true`: sent once; silence leaves the order in doubt
    OTHER_WRITE = "other write"  # alerts, watchlists, groups, FYI settings: sent once; silence is reported


class Urgency(IntEnum):
    """Strict classes of the request scheduler, most urgent first."""

    HALT = 0  # halt and risk-driven cancels
    REPLY = 1
    CANCEL = 2
    MODIFY = 3
    PLACE = 4
    ORDER_STATUS = 5
    ACCOUNT = 6  # the session's own upkeep, accounts, portfolio
    SNAPSHOT = 7
    HISTORY = 8
    SCANNER = 9  # and all else that people browse


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `template` is the path with its names in braces, which budgets and logs go by; `path` the real one.

    Paths lie below the base URL (`/v1/api`), `query` keeps its order, `body` is what JSON is made of (None: no body;
    a `Decimal` in it goes out as an exact JSON number).
    """

    method: str
    template: str
    path: str
    kind: Kind
    urgency: Urgency
    query: tuple[tuple[str, str], ...] = ()
    body: object = None
    permit: Permit | None = None  # it may wait for that, once everything else is ready

    @property
    def name(self) -> str:
        """Method and template, for budgets, errors and logs."""
        return f"{self.method} {self.template}"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, unread. Times are of the session's clock, nanoseconds UTC."""

    status: int
    body: bytes
    content_type: str = ""
    sent_ns: int = 0
    heard_ns: int = 0


class Caller(Protocol):
    """Carries calls to the venue: the transport alone, or the scheduler in front of it."""

    async def call(self, call: Call, *, deadline_ns: int | None = None) -> Reply:
        """Send once and return whatever came back, any status.

        Raises:
            VenueUnreachable: Nothing left us (no connection, or the deadline passed in the queue).
            AnswerLost: It may have arrived; no whole answer came.
        """


class Ready(Protocol):
    """A request that waits for its permit on a connection of its own; it has to be heard to its end."""

    async def reply(self) -> Reply:
        """What came back. Raises: as `Caller.call`."""


class Transport(Caller, Protocol):
    """What the scheduler sends by."""

    def ready(self, call: Call) -> Ready | None:
        """Make a call with a permit ready in this turn of the loop; None where it takes more, a new connection say."""
