"""Orders out of the journal: the same steps that were stored, taken again.

What was in flight when the journal ends is not known any more: a ticket that had not left is withdrawn, one that had
and was not answered is in doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec
from attrs import define, field

from engine.domain.facts import (
    Answer,
    AnswerMissing,
    CancelAsked,
    Cancelled,
    Filled,
    ModifyAsked,
    ModifyRefused,
    Refused,
    Sent,
)
from engine.domain.messages import Place, Refusal
from engine.domain.order import CLOSED, Order, State, advance
from engine.domain.ticket import OrderTicket
from engine.errors import IllegalTransition

StoredFact = tuple[int, str, str, str]  # time, kind, name, body as JSON
# The kinds of rows that tell what became of orders; everything else in a journal is for people.
KINDS: Final = ("approved", "held", "denied", "write", "answer", "modify", "cancel", "order")

_PLACE: Final = msgspec.json.Decoder(Place)
_ANSWER: Final = msgspec.json.Decoder(Answer)
_DENIED: Final = msgspec.json.Decoder(tuple[msgspec.Raw, Refusal])
_HELD: Final = msgspec.json.Decoder(tuple[Place, Refusal])
_ORDER: Final = msgspec.json.Decoder(Order)
_TICKET: Final = msgspec.json.Decoder(OrderTicket)
_WRITE: Final = msgspec.json.Decoder(tuple[OrderTicket, ...] | OrderTicket)


@define(eq=False)
class Recovered:
    """What a journal knew.

    `held` says of tickets that were waiting why. `legs` are executions of combos, oldest first; `written` are orders
    whose last modification left us, `given_up` those of which one was without an answer and may yet arrive; `odd` are
    rows that fit no order's life, in a sentence.
    """

    orders: dict[str, Order] = field(factory=dict)
    executions: set[str] = field(factory=set)
    held: dict[str, Refusal] = field(factory=dict)  # why, of tickets that were waiting
    sent: Counter[str] = field(factory=Counter)  # how often each ticket left as a new order
    legs: list[Filled] = field(factory=list)
    written: set[str] = field(factory=set)
    given_up: set[str] = field(factory=set)
    odd: list[str] = field(factory=list)

    @property
    def resent(self) -> list[str]:
        """Orders that were sent more than once."""
        return [coid for coid, times in self.sent.items() if times > 1]

    def in_flight(self, now_ns: int) -> list[Answer]:
        """What must be said of orders that were under way when the journal ended."""
        said: list[Answer] = []
        for coid, order in self.orders.items():
            if order.state is State.CREATED and coid in self.held:
                refusal = self.held[coid]
                reason = f"{refusal.sentence}; the engine stopped while it was held"
                said.append(Refused(coid=coid, ts_ns=now_ns, code=refusal.code, reason=reason))
            elif order.state is State.CREATED:
                said.append(Cancelled(coid=coid, ts_ns=now_ns, reason="the engine stopped before it was sent"))
            elif order.wanted is not None and order.is_open and coid not in self.written:
                reason = "the engine stopped before it was sent"
                said.append(ModifyRefused(coid=coid, ts_ns=now_ns, code="NOT_DONE", reason=reason))
            elif order.state in (State.SENT, State.PENDING_MODIFY):
                said.append(AnswerMissing(coid=coid, ts_ns=now_ns))
        return said


def recover(rows: Iterable[StoredFact]) -> Recovered:
    """Fold the journal's rows, oldest first."""
    found = Recovered()
    for ts_ns, kind, name, body in rows:
        if kind == "approved":
            for ticket in _PLACE.decode(body).tickets:
                found.orders[ticket.coid] = Order(ticket=ticket, created_ns=ts_ns, updated_ns=ts_ns)
                found.held.pop(ticket.coid, None)
        elif kind == "held":
            intent, refusal = _HELD.decode(body)
            for ticket in intent.tickets:
                found.held[ticket.coid] = refusal
                if ticket.coid not in found.orders:  # held for a second reason, it may have ended meanwhile
                    found.orders[ticket.coid] = Order(ticket=ticket, created_ns=ts_ns, updated_ns=ts_ns)
        elif kind == "denied":
            _denied(found, body, ts_ns)
        elif kind == "write":
            _written(found, _WRITE.decode(body), ts_ns)
        elif kind == "answer":
            _answered(found, _ANSWER.decode(body))
        elif kind == "modify":
            found.written.discard(name)
            _step(found, ModifyAsked(coid=name, ts_ns=ts_ns), wanted=_TICKET.decode(body))
        elif kind == "cancel":
            _step(found, CancelAsked(coid=name, ts_ns=ts_ns))
        elif kind == "order":  # a whole order that an earlier journal ended with
            order = found.orders[name] = _ORDER.decode(body)
            found.executions.update(order.fills)
    return found


def _written(found: Recovered, what: tuple[OrderTicket, ...] | OrderTicket, ts_ns: int) -> None:
    if isinstance(what, tuple):  # a new order or group; a single ticket is a modification, told by its own row
        for ticket in what:
            found.sent[ticket.coid] += 1
            _step(found, Sent(coid=ticket.coid, ts_ns=ts_ns))
    else:
        found.written.add(what.coid)


def _denied(found: Recovered, body: str, ts_ns: int) -> None:
    what, refusal = _DENIED.decode(body)
    if b'"order_type"' not in bytes(what):  # a modification or a cancel that was refused: the order stayed as it was
        return
    ticket = _TICKET.decode(what)
    if ticket.coid not in found.orders:  # of an id used twice the order that has it stays
        said = Refused(coid=ticket.coid, ts_ns=ts_ns, code=refusal.code, reason=refusal.sentence)
        found.orders[ticket.coid] = advance(Order(ticket=ticket, created_ns=ts_ns), said)


def _answered(found: Recovered, answer: Answer) -> None:
    if isinstance(answer, Filled):
        if answer.exec_id in found.executions:
            return
        found.executions.add(answer.exec_id)
        if answer.legs and answer.coid in found.orders:
            found.legs.append(answer)
    _step(found, answer)


def _step(
    found: Recovered, event: Answer | Sent | ModifyAsked | CancelAsked, *, wanted: OrderTicket | None = None
) -> None:
    order = found.orders.get(event.coid)
    if order is None:
        found.odd.append(f"{type(event).__name__} for {event.coid}, which the journal has not seen approved")
        return
    if isinstance(event, CancelAsked) and order.state in CLOSED:
        return
    if isinstance(event, AnswerMissing) and order.wanted is not None:
        found.given_up.add(event.coid)
    try:
        found.orders[event.coid] = advance(order, event, wanted=wanted)
    except IllegalTransition as error:
        found.odd.append(str(error))
