"""What a daemon gives its guard, what the guard needs of a venue, and how it writes down what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import msgspec

from engine.domain.brokerage import CancelAnswer, NotYetKnown, OrdersKnown, VenuePosition, WriteAnswer
from engine.domain.ticket import OrderTicket
from engine.operator.processes import Process


class Venue(Protocol):
    """The part of a `ports.Broker` that a guard needs; it raises what a broker raises."""

    async def place(self, tickets: Sequence[OrderTicket]) -> WriteAnswer:
        """Send one order."""

    async def reply(self, reply_id: str, *, confirmed: bool) -> WriteAnswer:
        """Answer a question."""

    async def cancel(self, order_id: str, *, urgent: bool) -> CancelAnswer:
        """Ask for a cancellation."""

    async def orders(self) -> OrdersKnown | NotYetKnown:
        """Read the day's orders."""

    async def positions(self) -> tuple[VenuePosition, ...]:
        """Read positions."""

    def round(self) -> AbstractAsyncContextManager[None]:
        """The critical section of one order write with its replies."""


# Opens the way to the venue that a mandate's `access` describes. It uses the session that is there and spends no login;
# raises VenueError where there is none, and is then called again.
OpenVenue = Callable[[Mapping[str, Any]], AbstractAsyncContextManager[Venue]]


class Mandate(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon says of itself when it comes.

    Args:
        daemon: Its process.
        config: Digest of its configuration.
        account: Whose orders and positions.
        conids: The instruments it trades; no other position is ever flattened.
        access: How to reach the gateway, as the venue's factory reads it: URL, CA file. Kept in memory alone.
        gateway: The gateway process that `engine run` started; None for an outside one.
        probe: Host and port of an outside gateway, to see whether it is there.
        limit_s: Seconds of the wall without a sign after which the guard acts.
        flatten: Whether it then closes positions too.
        settle_s: Seconds of the wall after which a write that has not shown up never arrived.
        read_every_s: Seconds of the wall between two readings of the venue's lists.
        trading: The trading state.
    """

    daemon: Process
    config: str
    account: str
    conids: tuple[int, ...] = ()
    access: dict[str, Any] = {}
    gateway: Process | None = None
    probe: tuple[str, int] | None = None
    limit_s: float = 10.0
    flatten: bool = False
    settle_s: float = 45.0
    read_every_s: float = 5.0
    trading: str = "starting"


# The kinds of rows in the guard's journal.
TOOK: Final = "took"  # a daemon has come
LATCH: Final = "latch"  # trading is halted from here on
FENCED: Final = "fenced"  # the daemon is dead, or could not be killed
CANCEL: Final = "cancel"  # a cancellation was asked for
ORDER: Final = "order"  # an order that closes a position is about to leave
ANSWER: Final = "answer"  # what the venue said to it
TROUBLE: Final = "trouble"  # something could not be done
DONE: Final = "done"  # what the guard came to


class Notes(Protocol):
    """The guard's journal."""

    def note(self, kind: str, name: str, what: Any, *, coid: str | None = None) -> bool:
        """Store a row; False if the disk takes no more. `coid`: an order id that is used for the first time."""
