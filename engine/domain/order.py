"""The life of an order: one table for where it may go, one function that takes it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.facts import (
    Accepted,
    AnswerMissing,
    CancelAsked,
    Cancelled,
    CancelRefused,
    Filled,
    Modified,
    ModifyAsked,
    ModifyRefused,
    OrderEvent,
    Pending,
    ProvedAbsent,
    Refused,
    Sent,
)
from engine.domain.ticket import OrderTicket
from engine.errors import IllegalTransition


class State(StrEnum):
    """Where an order is; the names are those of `engine orders --json`."""

    CREATED = "created"
    SENT = "sent"
    IN_DOUBT = "in_doubt"
    PENDING_SUBMIT = "pending_submit"
    WORKING = "working"
    PENDING_MODIFY = "pending_modify"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    LOST = "lost"


CLOSED: Final = frozenset({State.FILLED, State.CANCELLED, State.REFUSED, State.LOST})
UNSEEN: Final = frozenset({State.SENT, State.IN_DOUBT, State.LOST})  # it left us, and the venue has not shown it
_ZERO: Final = Decimal(0)


class Order(Struct, frozen=True, kw_only=True, gc=False):
    """One order as far as we know it.

    `ticket` is the full ticket in force; `wanted` the one a modification in flight asks for. `filled` and `paid`
    (price times quantity, signed by nothing) sum its executions, whose ids are in `fills`. `reason` says why it ended.
    """

    ticket: OrderTicket
    state: State = State.CREATED
    wanted: OrderTicket | None = None
    filled: Decimal = _ZERO
    paid: Decimal = _ZERO
    fills: tuple[str, ...] = ()
    venue_id: str = ""
    code: str = ""
    reason: str = ""
    created_ns: int = 0
    updated_ns: int = 0

    @property
    def coid(self) -> str:
        """Client order id."""
        return self.ticket.coid

    @property
    def remaining(self) -> Decimal:
        """Quantity not yet filled, never below zero."""
        left = self.ticket.quantity - self.filled
        return left if left > _ZERO else _ZERO

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of its executions; None before the first."""
        return self.paid / self.filled if self.filled else None

    @property
    def is_open(self) -> bool:
        """True while it may still trade, as far as we know."""
        return self.state not in CLOSED


_S = State

# The whole life of an order. A pair that is missing here is illegal. What the rows don't say: a fill that completes the
# quantity leads to FILLED from anywhere, and so does the end of a modification or of the order that finds it complete;
# where a row says WORKING or PENDING_SUBMIT and a modification is still unanswered, the order is PENDING_MODIFY.
NEXT: Final[Mapping[tuple[State, type[OrderEvent]], State]] = {
    (_S.CREATED, Sent): _S.SENT,
    (_S.CREATED, Refused): _S.REFUSED,
    (_S.CREATED, Cancelled): _S.CANCELLED,  # withdrawn before it was sent
    (_S.SENT, Pending): _S.PENDING_SUBMIT,
    (_S.SENT, Accepted): _S.WORKING,
    (_S.SENT, Refused): _S.REFUSED,
    (_S.SENT, Filled): _S.WORKING,  # a fill can overtake its own acceptance
    (_S.SENT, Cancelled): _S.CANCELLED,
    (_S.SENT, CancelAsked): _S.PENDING_CANCEL,
    (_S.SENT, AnswerMissing): _S.IN_DOUBT,
    # Nobody knows whether it lives: any news proves that it reached the venue.
    (_S.IN_DOUBT, Sent): _S.SENT,  # proved absent, and sent once more
    (_S.IN_DOUBT, Pending): _S.PENDING_SUBMIT,
    (_S.IN_DOUBT, Accepted): _S.WORKING,
    (_S.IN_DOUBT, Modified): _S.WORKING,
    (_S.IN_DOUBT, ModifyRefused): _S.WORKING,
    (_S.IN_DOUBT, Refused): _S.REFUSED,
    (_S.IN_DOUBT, Filled): _S.WORKING,
    (_S.IN_DOUBT, Cancelled): _S.CANCELLED,
    (_S.IN_DOUBT, CancelAsked): _S.IN_DOUBT,  # the cancel may arrive before the order is found
    (_S.IN_DOUBT, CancelRefused): _S.IN_DOUBT,
    (_S.IN_DOUBT, AnswerMissing): _S.IN_DOUBT,
    (_S.IN_DOUBT, ProvedAbsent): _S.LOST,
    (_S.PENDING_SUBMIT, Pending): _S.PENDING_SUBMIT,
    (_S.PENDING_SUBMIT, Accepted): _S.WORKING,
    (_S.PENDING_SUBMIT, Refused): _S.REFUSED,
    (_S.PENDING_SUBMIT, Filled): _S.WORKING,
    (_S.PENDING_SUBMIT, Cancelled): _S.CANCELLED,
    (_S.PENDING_SUBMIT, CancelAsked): _S.PENDING_CANCEL,
    (_S.PENDING_SUBMIT, CancelRefused): _S.PENDING_SUBMIT,  # asked while it was in doubt
    (_S.PENDING_SUBMIT, ModifyAsked): _S.PENDING_MODIFY,
    (_S.PENDING_SUBMIT, AnswerMissing): _S.IN_DOUBT,
    (_S.WORKING, Pending): _S.WORKING,  # late: it works already
    (_S.WORKING, Accepted): _S.WORKING,
    (_S.WORKING, Refused): _S.REFUSED,  # venues do turn down an order they had taken
    (_S.WORKING, Filled): _S.WORKING,
    (_S.WORKING, Cancelled): _S.CANCELLED,
    (_S.WORKING, CancelAsked): _S.PENDING_CANCEL,
    (_S.WORKING, CancelRefused): _S.WORKING,  # the answer to a cancel that a later state has overtaken
    (_S.WORKING, ModifyAsked): _S.PENDING_MODIFY,
    (_S.WORKING, Modified): _S.WORKING,  # said twice
    (_S.WORKING, ModifyRefused): _S.WORKING,
    (_S.WORKING, AnswerMissing): _S.IN_DOUBT,
    (_S.PENDING_MODIFY, Pending): _S.PENDING_MODIFY,
    (_S.PENDING_MODIFY, Accepted): _S.PENDING_MODIFY,
    (_S.PENDING_MODIFY, Modified): _S.WORKING,
    (_S.PENDING_MODIFY, ModifyRefused): _S.WORKING,
    (_S.PENDING_MODIFY, Filled): _S.PENDING_MODIFY,  # of the old ticket or the new one; the answer will tell
    (_S.PENDING_MODIFY, Cancelled): _S.CANCELLED,
    (_S.PENDING_MODIFY, Refused): _S.REFUSED,
    (_S.PENDING_MODIFY, CancelAsked): _S.PENDING_CANCEL,
    (_S.PENDING_MODIFY, CancelRefused): _S.PENDING_MODIFY,  # the answer to a cancel from before
    (_S.PENDING_MODIFY, AnswerMissing): _S.IN_DOUBT,
    (_S.PENDING_CANCEL, Pending): _S.PENDING_CANCEL,
    (_S.PENDING_CANCEL, Accepted): _S.PENDING_CANCEL,  # the acceptance that our cancel overtook
    (_S.PENDING_CANCEL, Modified): _S.PENDING_CANCEL,
    (_S.PENDING_CANCEL, ModifyRefused): _S.PENDING_CANCEL,
    (_S.PENDING_CANCEL, Filled): _S.PENDING_CANCEL,
    (_S.PENDING_CANCEL, Cancelled): _S.CANCELLED,
    (_S.PENDING_CANCEL, Refused): _S.REFUSED,
    (_S.PENDING_CANCEL, CancelAsked): _S.PENDING_CANCEL,  # a cancel is repeated until the order is seen dead
    (_S.PENDING_CANCEL, CancelRefused): _S.WORKING,
    (_S.PENDING_CANCEL, AnswerMissing): _S.PENDING_CANCEL,
    (_S.PENDING_CANCEL, ProvedAbsent): _S.LOST,  # it was the placement whose answer was missing
    # The end. Late news changes no end but a lost one; late money counts all the same.
    (_S.FILLED, Filled): _S.FILLED,  # more than we asked for: an over-fill, reported by the books
    (_S.FILLED, Pending): _S.FILLED,
    (_S.FILLED, Accepted): _S.FILLED,
    (_S.FILLED, Modified): _S.FILLED,
    (_S.FILLED, ModifyRefused): _S.FILLED,
    (_S.FILLED, CancelRefused): _S.FILLED,
    (_S.FILLED, Cancelled): _S.FILLED,  # the rest of an order whose fills we heard first
    (_S.FILLED, AnswerMissing): _S.FILLED,
    (_S.FILLED, ProvedAbsent): _S.FILLED,  # the end came while we asked
    (_S.CANCELLED, Filled): _S.CANCELLED,  # matched before our cancel arrived
    (_S.CANCELLED, Pending): _S.CANCELLED,
    (_S.CANCELLED, Accepted): _S.CANCELLED,
    (_S.CANCELLED, Modified): _S.CANCELLED,
    (_S.CANCELLED, ModifyRefused): _S.CANCELLED,
    (_S.CANCELLED, Cancelled): _S.CANCELLED,
    (_S.CANCELLED, CancelRefused): _S.CANCELLED,
    (_S.CANCELLED, Refused): _S.CANCELLED,  # turned down after a part had filled, and said twice
    (_S.CANCELLED, AnswerMissing): _S.CANCELLED,
    (_S.CANCELLED, ProvedAbsent): _S.CANCELLED,
    (_S.REFUSED, Filled): _S.CANCELLED,  # it had lived after all; what is left of it is dead
    (_S.REFUSED, Refused): _S.REFUSED,
    (_S.REFUSED, Cancelled): _S.REFUSED,
    (_S.REFUSED, CancelRefused): _S.REFUSED,  # our cancel met an order that had been turned down
    (_S.REFUSED, ModifyRefused): _S.REFUSED,
    (_S.REFUSED, AnswerMissing): _S.REFUSED,
    (_S.REFUSED, ProvedAbsent): _S.REFUSED,
    (_S.LOST, Pending): _S.PENDING_SUBMIT,  # it turns up after all: adopted, so that it can be cancelled
    (_S.LOST, Accepted): _S.WORKING,
    (_S.LOST, Modified): _S.WORKING,
    (_S.LOST, Filled): _S.WORKING,
    (_S.LOST, Cancelled): _S.CANCELLED,
    (_S.LOST, Refused): _S.REFUSED,
    (_S.LOST, CancelRefused): _S.LOST,  # "no such order": nothing new
    (_S.LOST, ModifyRefused): _S.LOST,
    (_S.LOST, AnswerMissing): _S.LOST,
    (_S.LOST, ProvedAbsent): _S.LOST,
}

# Bound once: in CPython 3.11 looking a member up on its enum class costs as much as a function call.
_FILLED, _CANCELLED, _WORKING, _PENDING_SUBMIT, _PENDING_MODIFY, _LOST = (
    _S.FILLED,
    _S.CANCELLED,
    _S.WORKING,
    _S.PENDING_SUBMIT,
    _S.PENDING_MODIFY,
    _S.LOST,
)


def advance(order: Order, event: OrderEvent, *, wanted: OrderTicket | None = None) -> Order:
    """Return the order after `event`.

    Args:
        wanted: With `ModifyAsked`, the full ticket that was sent.

    Raises: IllegalTransition, and changes nothing, if it can't be; ValueError for a `ModifyAsked` without `wanted`.
    """
    kind = event.__class__
    states, leave, _ = LIFE[kind]
    state = states.get(order.state)
    if state is None:
        raise IllegalTransition(coid=order.ticket.coid, status=order.state, event=kind.__name__)
    if leave is not None:
        return leave(order, event, state)
    if wanted is None:
        raise ValueError(f"order {order.ticket.coid}: a modification needs the full ticket that is wanted")
    return replace(order, state=state, wanted=wanted, updated_ns=event.ts_ns)


# --- what an event leaves in an order, its state found already ------------------------------------------------------


def _noted(order: Order, event: Sent | CancelAsked | AnswerMissing, state: State) -> Order:
    return replace(order, state=state, updated_ns=event.ts_ns)


def _taken(order: Order, event: Accepted | Pending, state: State) -> Order:
    if order.wanted is not None:
        state = _unanswered(order, state)
    return replace(order, state=state, venue_id=event.venue_id or order.venue_id, updated_ns=event.ts_ns)


def _cancelled(order: Order, event: Cancelled, state: State) -> Order:
    return _ended(order, state, event.ts_ns, reason=event.reason)


def _refused(order: Order, event: Refused, state: State) -> Order:
    # Whatever is said first, the fill or the no: what has filled was no refused order.
    return _ended(order, _CANCELLED if order.filled else state, event.ts_ns, code=event.code, reason=event.reason)


def _absent(order: Order, event: ProvedAbsent, state: State) -> Order:
    return _ended(order, state, event.ts_ns)


def _modified(order: Order, event: Modified, state: State) -> Order:
    return _with_ticket(order, order.wanted or order.ticket, event.ts_ns, state)


def _not_modified(order: Order, event: ModifyRefused, state: State) -> Order:
    kept = _with_ticket(order, order.ticket, event.ts_ns, state)
    return kept if order.state in CLOSED else replace(kept, code=event.code, reason=event.reason)


def _not_cancelled(order: Order, event: CancelRefused, state: State) -> Order:
    if order.state in CLOSED:  # how it ended stays said
        return replace(order, state=state, updated_ns=event.ts_ns)
    state = _unanswered(order, state)
    return replace(order, state=state, code=event.code, reason=event.reason, updated_ns=event.ts_ns)


def _unanswered(order: Order, state: State) -> State:
    """The state of a living order: while a modification is unanswered, no other may be sent."""
    if order.wanted is not None and (state is _WORKING or state is _PENDING_SUBMIT):
        return _PENDING_MODIFY
    return state


def _ended(order: Order, state: State, ts_ns: int, *, code: str = "", reason: str = "") -> Order:
    """Close an order, or hear again that it is closed: the first word on how it ended stays."""
    if state is order.state:
        return replace(order, updated_ns=ts_ns)
    if order.filled >= order.ticket.quantity:  # all there was; a larger ticket never came into force
        return replace(order, state=_FILLED, wanted=None, updated_ns=ts_ns)
    # A lost order may turn up, and then its modification may be in force.
    wanted = order.wanted if state is _LOST else None
    return replace(
        order, state=state, wanted=wanted, code=code or order.code, reason=reason or order.reason, updated_ns=ts_ns
    )


def _with_ticket(order: Order, ticket: OrderTicket, ts_ns: int, state: State) -> Order:
    """End a modification with this ticket in force; one that asks for no more than is filled is thereby done."""
    if state not in CLOSED and order.filled >= ticket.quantity:
        state = _FILLED
    return replace(order, state=state, ticket=ticket, wanted=None, updated_ns=ts_ns)


def _with_fill(order: Order, fill: Filled, state: State) -> Order:
    if fill.exec_id in order.fills:
        return order  # said again after a reconnect
    first = not order.fills
    filled = fill.quantity if first else order.filled + fill.quantity
    wanted = order.wanted
    due = order.ticket.quantity
    if wanted is not None and wanted.quantity > due:
        due = wanted.quantity
    if filled >= due:
        state = _FILLED
        wanted = None
        if filled == due:
            filled = due  # one object less for each order of a long run
    else:
        state = _unanswered(order, state)
    paid = fill.quantity * fill.price
    return replace(
        order,
        state=state,
        wanted=wanted,
        filled=filled,
        paid=paid if first else order.paid + paid,
        fills=(*order.fills, fill.exec_id),
        updated_ns=fill.ts_ns,
    )


# What each event leaves. By class and not by `match`: a pattern of a struct costs 0.1 us, and an answer passes many.
_Leaves = Callable[[Order, Any, State], Order]
_WHAT: Final[Mapping[type[OrderEvent], _Leaves]] = {
    Sent: _noted,
    CancelAsked: _noted,
    AnswerMissing: _noted,
    Accepted: _taken,
    Pending: _taken,
    Cancelled: _cancelled,
    Refused: _refused,
    ProvedAbsent: _absent,
    Modified: _modified,
    ModifyRefused: _not_modified,
    CancelRefused: _not_cancelled,
    Filled: _with_fill,
}
# All there is to know of an event: the table once more, state by state, and what it leaves (`ModifyAsked`: the wanted
# ticket), and its name. Two look-ups without a tuple for each answer; to ask a class for its name is a slow third.
LIFE: Final[Mapping[type[OrderEvent], tuple[Mapping[State, State], _Leaves | None, str]]] = {
    kind: ({state: after for (state, event), after in NEXT.items() if event is kind}, _WHAT.get(kind), kind.__name__)
    for kind in (*_WHAT, ModifyAsked)
}
