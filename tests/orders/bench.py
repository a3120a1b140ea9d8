"""A desk and short words for what happens to it, for tests that tell one story."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, TypeVar

from engine.domain.brokerage import (
    Answered,
    ExecutionsKnown,
    LegTaken,
    OrdersKnown,
    VenueExecution,
    VenueOrder,
    WriteAnswer,
)
from engine.domain.messages import Approved, Cancel, Modify, Place, Verdict
from engine.domain.order import Order
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.orders.actions import Action, Alert, ReadExecutions, ReadOrder, ReadOrders, SendPlace
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.outcomes import Unsent
from engine.orders.replies import read_policy

S: Final = 1_000_000_000
COID: Final = "s-000001"
A = TypeVar("A")


def ticket(coid: str = COID, **more: Any) -> OrderTicket:
    """Buy 5 of conid 1 at 10, or whatever else is said."""
    plain = {
        "coid": coid,
        "strategy": "s",
        "account": "DU1",
        "conid": 1,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "quantity": Decimal(5),
        "limit_price": Decimal(10),
    }
    return OrderTicket(**{**plain, **more})


class Bench:
    """A desk whose session is up. `done` are all actions so far, `told` what became of orders."""

    def __init__(self, settings: DeskSettings | None = None, rules: dict[str, object] | None = None) -> None:
        self.now = 1_000 * S
        self.book = LiveOrders()
        self.desk = Desk(self.book, read_policy(rules or {}), settings or DeskSettings())
        self.done: list[Action] = []
        self._seen = 0  # facts that have been looked at
        self.desk.session(True, self.now)
        self.take()

    def take(self) -> list[Action]:
        """What the desk wants now. Whatever it notes has its time and its kind, and what it asks for its reason."""
        actions, updates = self.desk.take()
        self.done += actions
        times = [*(fact[0] for fact in self.book.facts[self._seen :]), *(update.event.ts_ns for update in updates)]
        assert all(type(at) is int for at in (*times, self.desk.next_ns()))
        assert all(fact[1] and fact[2] is not None for fact in self.book.facts[self._seen :])
        assert all(type(at) is int for order in self.book.book.values() for at in (order.created_ns, order.updated_ns))
        assert all(one.why for one in actions if isinstance(one, ReadOrders | ReadExecutions | ReadOrder))
        assert all(one.code and one.sentence for one in actions if isinstance(one, Alert))
        self._seen = len(self.book.facts)
        return actions

    def only(self, kind: type[A], actions: list[Action] | None = None) -> A:
        """The one action of a kind among those wanted now."""
        (found,) = [action for action in (self.take() if actions is None else actions) if isinstance(action, kind)]
        return found

    def submit(self, *verdicts: Verdict) -> None:
        requests, _ = self.book.act(verdicts, self.now)
        self.desk.submit(requests, self.now)

    def place(self, *tickets: OrderTicket) -> None:
        self.submit(Approved(Place(tickets)))

    def cancel(self, coid: str = COID) -> None:
        self.submit(Approved(Cancel(coid, "s")))

    def modify(self, coid: str = COID, **changes: Decimal) -> None:
        self.submit(Approved(Modify(coid, "s", changes)))

    def answer(self, number: int, answer: WriteAnswer | Unsent) -> None:
        self.desk.answered(number, answer, self.now)

    def live(self, *tickets: OrderTicket, first_id: int = 101) -> None:
        """Place and have it taken under ids that count up from `first_id`; rows say so too."""
        self.place(*tickets)
        sent = self.only(SendPlace)
        taken = []
        for number, one in enumerate(tickets):
            parent = None if one.parent is None else str(first_id)
            taken.append(LegTaken(order_id=f"{first_id + number}", status="Submitted", coid=one.coid, parent_id=parent))
        self.answer(sent.number, Answered(taken=tuple(taken)))
        for number, one in enumerate(tickets):
            parent = None if one.parent is None else str(first_id)
            self.row(one, order_id=f"{first_id + number}", parent_id=parent)
        self.take()

    def row(self, one: OrderTicket, *, order_id: str = "101", status: str = "Submitted", **more: Any) -> None:
        """The stream tells of an order; what is not said is as in the ticket."""
        self.desk.rows([self.copy(one, order_id=order_id, status=status, **more)], self.now)

    def copy(self, one: OrderTicket, *, order_id: str = "101", status: str = "Submitted", **more: Any) -> VenueOrder:
        plain: dict[str, Any] = {
            "order_id": order_id,
            "coid": one.coid,
            "conid": one.conid,
            "side": str(one.side),
            "order_type": str(one.order_type),
            "tif": str(one.tif),
            "status": status,
            "total": one.quantity,
            "filled": Decimal(0),
            "limit_price": one.limit_price,
            "stop_price": one.stop_price,
            "seen_ns": self.now,
            "from_stream": True,
        }
        return VenueOrder(**{**plain, **more})

    def fill(self, size: int, *, order_id: str = "101", number: int = 1, coid: str | None = COID) -> None:
        """The stream tells an execution."""
        self.desk.executions(
            [
                VenueExecution(
                    execution_id=f"e{number}",
                    order_id=order_id,
                    account="DU1",
                    coid=coid,
                    conid=1,
                    side="BUY",
                    size=Decimal(size),
                    price=Decimal(10),
                    ts_ns=self.now,
                )
            ],
            self.now,
        )

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += round(seconds * S)
        self.desk.tick(self.now)

    def read(self, *orders: VenueOrder) -> None:
        """Both lists are read, primed, and hold these orders and no execution."""
        self.desk.orders_read(OrdersKnown(orders=orders, as_of_ns=self.now), self.now)
        self.desk.executions_read(ExecutionsKnown(executions=(), as_of_ns=self.now, days=7), self.now)

    def order(self, coid: str = COID) -> Order:
        return self.book.book[coid]

    @property
    def alerts(self) -> list[str]:
        """The codes of all alerts so far."""
        self.take()
        return [action.code for action in self.done if isinstance(action, Alert)]
