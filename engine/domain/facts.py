"""What a venue, or silence, says of an order: the events of the order state machine.

Every fact names the order by our `coid` and the time `ts_ns` at which we heard it. They are made by a broker (simulated
or real), read by the order manager, and passed on inside `Update`s.

None can be part of a cycle, so the collector need not look at them (`gc=False`, here and in the other messages): a long
run keeps each of them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """Something became known about the order `coid` at `ts_ns`."""

    coid: str
    ts_ns: int


class Sent(Fact, frozen=True, kw_only=True, gc=False):
    """We wrote it to the venue; nothing is known of its arrival."""


class Pending(Fact, frozen=True, kw_only=True, gc=False):
    """The venue has it, not yet on the book: a bracket's child that waits, an order before the open."""

    venue_id: str = ""


class Accepted(Fact, frozen=True, kw_only=True, gc=False):
    """It works on the venue's book."""

    venue_id: str = ""


class Refused(Fact, frozen=True, kw_only=True, gc=False):
    """Our gate or the venue said no; `code` is stable, `reason` a sentence."""

    code: str
    reason: str


class ModifyAsked(Fact, frozen=True, kw_only=True, gc=False):
    """We sent a full ticket to replace the working one."""


class Modified(Fact, frozen=True, kw_only=True, gc=False):
    """The venue took the new ticket."""


class ModifyRefused(Fact, frozen=True, kw_only=True, gc=False):
    """The venue keeps the old ticket."""

    code: str
    reason: str


class CancelAsked(Fact, frozen=True, kw_only=True, gc=False):
    """We asked for its cancellation; that alone ends nothing."""


class CancelRefused(Fact, frozen=True, kw_only=True, gc=False):
    """The venue won't cancel it (too late, unknown)."""

    code: str
    reason: str


class Cancelled(Fact, frozen=True, kw_only=True, gc=False):
    """It is off the book: on request, expired (`reason` "day", "ioc" ...), or by its OCA group."""

    reason: str = ""


class AnswerMissing(Fact, frozen=True, kw_only=True, gc=False):
    """Silence, or an answer that can't be read: it may be live or not."""


class ProvedAbsent(Fact, frozen=True, kw_only=True, gc=False):
    """Primed reads after the settle time do not show it: it never reached the venue."""


class LegExecution(msgspec.Struct, frozen=True, gc=False):
    """One leg of a combo's execution: `quantity` is signed, above zero bought."""

    conid: int
    quantity: Decimal
    price: Decimal


# A flag of an execution whose fees are an estimate, until the venue tells the commission.
ESTIMATED: Final = "estimated_fees"


class Filled(Fact, frozen=True, kw_only=True, gc=False):
    """An execution. Money has moved: it is never turned away.

    `quantity` and `price` are those of the ticket's instrument (for a combo its units and net price, with what really
    changed hands in `legs`). `fees` are lines of (name, amount, currency), a rebate below zero. `liquidity` is
    "taker" or "maker". `flags` say how the simulator came to it ("ambiguous", "capped", "unsized", "at_close", ...).
    """

    exec_id: str
    conid: int
    side: str
    quantity: Decimal
    price: Decimal
    fees: tuple[tuple[str, Decimal, str], ...] = ()
    liquidity: str = "taker"
    legs: tuple[LegExecution, ...] = ()
    flags: tuple[str, ...] = ()


# What a broker may say of an order.
Answer = (
    Pending
    | Accepted
    | Refused
    | Modified
    | ModifyRefused
    | CancelRefused
    | Cancelled
    | AnswerMissing
    | ProvedAbsent
    | Filled
)
OrderEvent = Answer | Sent | ModifyAsked | CancelAsked
