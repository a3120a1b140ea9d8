"""The book of orders for a venue over a wire: an order is `created` until its ticket leaves, and wishes can wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.facts import CancelAsked, Cancelled, Refused, Sent
from engine.domain.messages import (
    Approved,
    Cancel,
    CancelRequest,
    Modify,
    OnHold,
    Place,
    PlaceRequest,
    Refusal,
    Request,
    Resend,
    ResendRequest,
    Update,
    Verdict,
)
from engine.domain.order import CLOSED, Order, State
from engine.domain.ticket import OrderTicket
from engine.errors import InvariantBroken
from engine.orders.lately import Lately
from engine.orders.manager import OrderManager

# A modification waits while the ticket has not left or another one is unanswered; the newest wish wins.
_WAITING: Final = frozenset({State.CREATED, State.SENT, State.PENDING_MODIFY})


class Waiting(Struct, frozen=True):
    """A placement that is held, under the number of its question. `person`: for a person's answer, else a preview's."""

    number: int
    tickets: tuple[OrderTicket, ...]
    refusal: Refusal
    deadline_ns: int
    person: bool

    @property
    def coids(self) -> tuple[str, ...]:
        """Client order ids of its tickets."""
        return tuple(ticket.coid for ticket in self.tickets)


class LiveOrders(OrderManager):
    """The order manager's book, live.

    `wishes` holds, by coid, modifications that wait for an earlier answer; `held` placements that wait for a person or
    a preview, by number (`holding.Holding` writes it).
    """

    def __init__(self) -> None:
        super().__init__()
        self._said = deque(maxlen=0)  # the journal tells an order's life, for weeks and without memory
        self.wishes: dict[str, Modify] = {}
        self.held: dict[int, Waiting] = {}
        self._holds: list[tuple[tuple[OrderTicket, ...], Refusal]] = []  # not yet numbered
        self._let_go: set[str] = set()  # let go, and not judged again yet
        self._lately = Lately()  # of executions

    def adopt(self, orders: Iterable[Order], executions: Iterable[str]) -> None:
        """Take over the orders that the journal knows, before anything else happens."""
        if self._book:
            raise InvariantBroken("orders are adopted at the start, into an empty book")
        for order in orders:
            self._book[order.coid] = order
        self.executions.update(executions)

    def heard(self, execution_id: str) -> bool:
        """Whether an execution has been booked."""
        return execution_id in self.executions

    def fills(self) -> frozenset[str]:
        """Ids of the executions of the orders that are here."""
        return frozenset(execution for order in self._book.values() for execution in order.fills)

    def executed(self) -> Mapping[str, None]:
        """Ids of all executions booked so far."""
        return dict.fromkeys(self.executions)

    def forget(self, before_ns: int, keep: Container[str] = ()) -> list[str]:
        """Drop orders that ended before a moment, and return them.

        Executions stay known for as long as the venue may tell of them, or their order is here: none is booked again.

        Whoever belongs to an order that is open (its bracket, its group) stays with it; `keep` stays too.
        """
        alive = {key for order in self._book.values() if order.is_open for key in _family(order.ticket)}
        gone = [
            coid
            for coid, order in self._book.items()
            if order.state in CLOSED and order.updated_ns < before_ns and coid not in keep
            if alive.isdisjoint(_family(order.ticket))
        ]
        for coid in gone:
            del self._book[coid]
            self.frozen.pop(coid, None)
            self.wishes.pop(coid, None)
        self.denials = [denial for denial in self.denials if denial[0] >= before_ns]
        self._lately.forget(self.executions, before_ns, self.fills())
        return gone

    def act(
        self, verdicts: Iterable[Verdict], now_ns: int, *, closing: bool = False
    ) -> tuple[list[Request], list[Update]]:
        """Carry out what was approved; a modification that has to wait is put aside and comes back through the gate.

        Args:
            closing: The kill switch closes positions with what is placed.
        """
        now: list[Verdict] = []
        again: list[Request] = []
        released: list[Update] = []
        for verdict in verdicts:
            if isinstance(verdict.intent, Resend):
                again += self._resend(verdict, verdict.intent.ticket, now_ns)
                continue
            if isinstance(verdict, OnHold):
                self._hold(verdict, now_ns)
                continue
            if isinstance(verdict.intent, Place) and verdict.intent.tickets[:1] and self._was_held(verdict.intent):
                released += self._judged_again(verdict, verdict.intent, now_ns, again)
                continue
            if isinstance(verdict, Approved) and isinstance(verdict.intent, Modify):
                wish = verdict.intent
                order = self._book.get(wish.coid)
                if order is not None and order.state in _WAITING and wish.coid not in self.frozen:
                    earlier = self.wishes.get(wish.coid)
                    if earlier is not None:
                        wish = Modify(wish.coid, wish.strategy, {**earlier.changes, **wish.changes})
                    self.wishes[wish.coid] = wish
                    self.facts.append((now_ns, "wish", wish.coid, wish))
                    continue
            now.append(verdict)
        requests, updates = super().act(now, now_ns)
        if closing:
            requests = [replace(one, closing=True) if isinstance(one, PlaceRequest) else one for one in requests]
        return [*requests, *again], [*updates, *released]

    # --- what is held -------------------------------------------------------------------------------------------

    def take_holds(self) -> list[tuple[tuple[OrderTicket, ...], Refusal]]:
        """What was put on hold since the last time."""
        fresh, self._holds = self._holds, []
        return fresh

    def let_go(self, coids: Iterable[str]) -> None:
        """Their tickets go through the gate again; its verdict is expected."""
        self._let_go.update(coids)

    def _was_held(self, intent: Place) -> bool:
        return intent.tickets[0].coid in self._let_go

    def _hold(self, verdict: OnHold, now_ns: int) -> None:
        """Tickets are held: for the first time, or once more after they had been let go."""
        tickets = verdict.intent.tickets
        self.facts.append((now_ns, "held", tickets[0].coid, (verdict.intent, verdict.refusal)))
        again = self._was_held(verdict.intent)
        self._let_go.difference_update(ticket.coid for ticket in tickets)
        if again and any(self._book[ticket.coid].state is not State.CREATED for ticket in tickets):
            return  # it has ended meanwhile, and its strategy has been told
        for ticket in () if again else tickets:
            self._book[ticket.coid] = Order(ticket=ticket, created_ns=now_ns, updated_ns=now_ns)
        self._holds.append((tickets, verdict.refusal))

    def _judged_again(self, verdict: Verdict, intent: Place, now_ns: int, requests: list[Request]) -> list[Update]:
        """What was let go is approved or refused now; what has ended meanwhile is given back to risk."""
        coids = [ticket.coid for ticket in intent.tickets]
        self._let_go.difference_update(coids)
        waits = [coid for coid in coids if self._book[coid].state is State.CREATED]
        if not isinstance(verdict, Approved):
            refusal = verdict.refusal
            self.facts += [(now_ns, "denied", one.coid, (one, refusal)) for one in intent.tickets if one.coid in waits]
            return self.hear(
                [Refused(coid=coid, ts_ns=now_ns, code=refusal.code, reason=refusal.sentence) for coid in waits]
            )
        if len(waits) < len(coids):  # risk counts all of them: each has to be told dead
            return self.hear([Cancelled(coid=coid, ts_ns=now_ns, reason="withdrawn") for coid in coids])
        self.facts.append((now_ns, "approved", coids[0], intent))
        if verdict.because is not None:
            self.facts.append((now_ns, "shrunk", coids[0], verdict.because))
        for ticket in intent.tickets:
            self._book[ticket.coid] = replace(self._book[ticket.coid], ticket=ticket, updated_ns=now_ns)
        requests.append(PlaceRequest(intent.tickets))
        return []

    def _resend(self, verdict: Verdict, ticket: OrderTicket, now_ns: int) -> list[Request]:
        """A ticket that was proved absent may go out again, or may not: then the desk gives it up."""
        approved = isinstance(verdict, Approved)
        said = "approved" if isinstance(verdict, Approved) else verdict.refusal
        self.facts.append((now_ns, "resend", ticket.coid, said))
        return [ResendRequest(ticket, approved)]

    def take_wish(self, coid: str) -> Modify | None:
        """The modification that has waited for this order, if it may be asked for now."""
        order = self._book[coid]
        if order.state in CLOSED:
            self.wishes.pop(coid, None)
            return None
        return None if order.state in _WAITING else self.wishes.pop(coid, None)

    def sent(self, coids: Iterable[str], now_ns: int) -> list[Update]:
        """Their tickets are about to leave."""
        return [self._advance(self._book[coid], Sent(coid=coid, ts_ns=now_ns)) for coid in coids]

    def act_cancel(self, coid: str, now_ns: int) -> list[Update]:
        """We want an open order dead, without an intent of a strategy's: note it, and tell what became of the order."""
        order = self._book[coid]
        self.facts.append((now_ns, "cancel", coid, None))
        return [self._advance(order, CancelAsked(coid=coid, ts_ns=now_ns))]

    # --- commands -----------------------------------------------------------------------------------------------

    def _place(self, intent: Place, now_ns: int, requests: list[Request]) -> None:
        self.facts.append((now_ns, "approved", intent.tickets[0].coid, intent))
        for ticket in intent.tickets:
            coid = ticket.coid
            if coid in self._book:
                raise InvariantBroken(f"the client order id {coid} was given twice")
            self._book[coid] = Order(ticket=ticket, created_ns=now_ns, updated_ns=now_ns)
        requests.append(PlaceRequest(intent.tickets))

    def _cancel(self, intent: Cancel, now_ns: int, requests: list[Request]) -> None:
        order = self._book.get(intent.coid)
        if order is not None and order.state is State.CREATED:
            requests.append(CancelRequest(intent.coid))  # it never leaves: the desk withdraws it
            return
        super()._cancel(intent, now_ns, requests)


def _family(ticket: OrderTicket) -> tuple[str, ...]:
    """What an order shares with those it belongs to: the entry of its bracket, and its group."""
    entry = ticket.coid if ticket.parent is None else ticket.parent
    return (entry,) if ticket.oca_group is None else (entry, f"group {ticket.oca_group}")
