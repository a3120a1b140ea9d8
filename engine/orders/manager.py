"""The order manager: it owns the book of orders, and nothing reaches a venue but through it.

A core: facts and verdicts in, updates and requests out. It applies answers and executions in any order, twice or late.
A modification is always the *full ticket*, rebuilt from the book with only the wanted fields changed.

Every fact is noted in `facts` before anything follows from it; whoever runs the core stores them first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from typing import Any, Final

from msgspec.structs import replace

from engine.domain.facts import (
    Answer,
    CancelAsked,
    CancelRefused,
    Filled,
    ModifyAsked,
    ModifyRefused,
    OrderEvent,
    Refused,
    Sent,
)
from engine.domain.messages import (
    Approved,
    Cancel,
    CancelRequest,
    Denied,
    Modify,
    ModifyRequest,
    Place,
    PlaceRequest,
    Refusal,
    Request,
    Update,
    Verdict,
)
from engine.domain.order import CLOSED, LIFE, NEXT, Order, State, advance
from engine.domain.ticket import amend
from engine.errors import IllegalTransition, InvariantBroken

_SENT: Final = NEXT[State.CREATED, Sent]  # a new order is made in the state that sending leads to
_ASKED: Final = LIFE[CancelAsked][0]
JournalRow = tuple[int, str, str, Any]  # time, kind of fact, coid (or strategy), what


class OrderManager:
    """The book of orders, by client order id, oldest first. It writes it alone."""

    def __init__(self) -> None:
        self._book: dict[str, Order] = {}
        self.executions: set[str] = set()  # the ids of all that have been counted
        self.frozen: dict[str, str] = {}  # orders told something impossible, and what
        self.facts: list[JournalRow] = []
        self.denials: list[tuple[int, str, str, Refusal]] = []  # time, strategy, coid, why
        # Of all orders together coid, time, state and what was said, again and again: no object an entry.
        self._said: MutableSequence[int | str] = []

    @property
    def book(self) -> Mapping[str, Order]:
        """Every order of the run; read it, don't write it."""
        return self._book

    def histories(self) -> dict[str, list[tuple[int, str, str]]]:
        """Each order's life: time, the state it came to, and the name of what was said."""
        lives: dict[str, list[tuple[int, str, str]]] = {coid: [] for coid in self._book}
        flat: Iterator[Any] = iter(self._said)
        for coid, ts_ns, state, name in zip(flat, flat, flat, flat, strict=True):
            lives[coid].append((ts_ns, state, name))
        return lives

    def hear(self, answers: Sequence[Answer]) -> list[Update]:
        """Apply what a venue said; return what became of the orders."""
        updates: list[Update] = []
        facts, book, said, executions = self.facts, self._book, self._said, self.executions
        for answer in answers:
            coid = answer.coid
            ts_ns = answer.ts_ns
            facts.append((ts_ns, "answer", coid, answer))
            order = book.get(coid)
            if order is None:
                self.frozen[coid] = f"{type(answer).__name__} for an order that is not ours"
                facts.append((answer.ts_ns, "foreign", coid, self.frozen[coid]))
                continue
            kind = answer.__class__
            if kind is Filled:
                execution = answer.exec_id  # type: ignore[union-attr]  # it is one
                if execution in executions:
                    continue  # exactly once, however often it is said
                executions.add(execution)
            states, leave, name = LIFE[kind]
            state = states.get(order.state)
            if state is None:
                impossible = str(IllegalTransition(coid=coid, status=order.state, event=name))
                self.frozen[coid] = impossible
                facts.append((ts_ns, "illegal", coid, impossible))
                continue
            assert leave is not None  # nobody answers that we asked for a modification
            after = book[coid] = leave(order, answer, state)
            said += (coid, ts_ns, after.state, name)
            updates.append(Update(after, answer))
        return updates

    def act(self, verdicts: Sequence[Verdict], now_ns: int) -> tuple[list[Request], list[Update]]:
        """Carry out what was approved, tell of what was refused."""
        requests: list[Request] = []
        updates: list[Update] = []
        for verdict in verdicts:
            # By class: `isinstance` asks a struct's metaclass, which costs as much as a small function.
            if verdict.__class__ is not Approved:
                assert isinstance(verdict, Denied)
                self._deny(verdict, now_ns, updates)
                continue
            intent = verdict.intent
            if intent.__class__ is Place:
                self._place(intent, now_ns, requests)
                if verdict.because is not None:
                    self.facts.append((now_ns, "shrunk", intent.tickets[0].coid, verdict.because))
            elif intent.__class__ is Cancel:
                self._cancel(intent, now_ns, requests)
            elif isinstance(intent, Modify):
                self._modify(intent, now_ns, requests, updates)
        return requests, updates

    # --- commands -----------------------------------------------------------------------------------------------

    def _place(self, intent: Place, now_ns: int, requests: list[Request]) -> None:
        tickets = intent.tickets
        book = self._book
        self.facts.append((now_ns, "approved", tickets[0].coid, intent))
        for ticket in tickets:
            coid = ticket.coid
            if coid in book:
                raise InvariantBroken(f"the client order id {coid} was given twice")
            book[coid] = Order(ticket=ticket, state=_SENT, created_ns=now_ns, updated_ns=now_ns)
            self._said += (coid, now_ns, _SENT, "Sent")
        requests.append(PlaceRequest(tickets))

    def _cancel(self, intent: Cancel, now_ns: int, requests: list[Request]) -> None:
        coid = intent.coid
        order = self._book.get(coid)
        if order is None or order.state in CLOSED:
            return  # it has ended meanwhile, and the strategy has been told
        state = _ASKED.get(order.state)
        if state is None:
            raise IllegalTransition(coid=coid, status=order.state, event="CancelAsked")
        self.facts.append((now_ns, "cancel", coid, None))
        self._book[coid] = replace(order, state=state, updated_ns=now_ns)
        self._said += (coid, now_ns, state, "CancelAsked")
        requests.append(CancelRequest(coid))

    def _modify(self, intent: Modify, now_ns: int, requests: list[Request], updates: list[Update]) -> None:
        coid = intent.coid
        order = self._book[coid]
        ticket = amend(order.ticket, intent.changes)
        refusal: tuple[str, str] | None = None
        if coid in self.frozen:
            refusal = "FROZEN", f"{self.frozen[coid]}; until that is cleared up it can only be cancelled"
        elif (order.state, ModifyAsked) not in NEXT:
            refusal = "STATE", f"an order that is {order.state} can't be modified"
        elif ticket.quantity <= order.filled:
            refusal = "FILLED", f"{order.filled} of it are filled already"
        if refusal is not None:
            self.facts.append((now_ns, "not_modified", coid, refusal))
            no = ModifyRefused(coid=coid, ts_ns=now_ns, code=refusal[0], reason=refusal[1])
            updates.append(Update(_told(order, no), no))
            return
        self.facts.append((now_ns, "modify", coid, ticket))
        self._advance(order, ModifyAsked(coid=coid, ts_ns=now_ns), wanted=ticket)
        requests.append(ModifyRequest(ticket))

    def _deny(self, verdict: Denied, now_ns: int, updates: list[Update]) -> None:
        intent, refusal = verdict.intent, verdict.refusal
        match intent:
            case Place(tickets=tickets):
                for ticket in tickets:
                    coid = ticket.coid
                    self.facts.append((now_ns, "denied", coid, (ticket, refusal)))
                    self.denials.append((now_ns, ticket.strategy, coid, refusal))
                    said = Refused(coid=coid, ts_ns=now_ns, code=refusal.code, reason=refusal.sentence)
                    order = self._book.get(coid)
                    if order is None:
                        order = self._book[coid] = advance(Order(ticket=ticket, created_ns=now_ns), said)
                        self._said += (coid, now_ns, order.state, f"Refused {refusal.code}")
                    updates.append(Update(order, said))  # of an id used twice: the order that has it stays as it is
            case Modify(coid=coid, strategy=strategy):
                self.denials.append((now_ns, strategy, coid, refusal))
                self.facts.append((now_ns, "denied", coid, (intent, refusal)))
                known = self._book.get(coid)
                if known is not None:
                    no = ModifyRefused(coid=coid, ts_ns=now_ns, code=refusal.code, reason=refusal.sentence)
                    updates.append(Update(_told(known, no), no))
            case Cancel(coid=coid, strategy=strategy):  # the gate lets every cancel pass; a plugin gate may not
                self.denials.append((now_ns, strategy, coid, refusal))
                self.facts.append((now_ns, "denied", coid, (intent, refusal)))
                known = self._book.get(coid)
                if known is not None:
                    kept = CancelRefused(coid=coid, ts_ns=now_ns, code=refusal.code, reason=refusal.sentence)
                    updates.append(Update(known, kept))

    def _advance(self, order: Order, event: OrderEvent, **more: Any) -> Update:
        after = advance(order, event, **more)
        coid = event.coid
        self._book[coid] = after
        self._said += (coid, event.ts_ns, after.state, event.__class__.__name__)
        return Update(after, event)


def _told(order: Order, no: ModifyRefused) -> Order:
    """The order as the strategy hears of it: unchanged, with the reason. How one ended stays said."""
    return order if order.state in CLOSED else replace(order, code=no.code, reason=no.reason)
