"""A venue too simple to be wrong that loses answers, asks questions and speaks late: the desk's tests trade with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from engine.domain.brokerage import (
    AllRefused,
    Answered,
    Asked,
    CancelAnswer,
    CancelTaken,
    CancelTurnedDown,
    ExecutionsKnown,
    LegTaken,
    NotYetKnown,
    OrdersKnown,
    Question,
    Unclear,
    VenueExecution,
    VenueOrder,
    WriteAnswer,
)
from engine.domain.ticket import OrderTicket


@dataclass
class Live:
    """One order at the venue."""

    order_id: str
    ticket: OrderTicket
    parent_id: str | None
    status: str = "Submitted"
    filled: Decimal = Decimal(0)
    executions: list[VenueExecution] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return self.status in ("Submitted", "PreSubmitted")


class ModelVenue:
    """Orders by id, in memory. `news` are rows and executions that the stream has yet to carry."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.orders: dict[str, Live] = {}
        self.writes: list[str] = []  # coids of tickets that arrived, each time
        self.news: list[VenueOrder | VenueExecution] = []
        self.registered: set[str] = set()  # ids of orders that were taken
        self.questions: dict[str, tuple[OrderTicket, ...]] = {}
        self.number = 100
        self.cold = 1

    # --- requests -----------------------------------------------------------------------------------------------

    def place(self, tickets: Sequence[OrderTicket], now_ns: int) -> WriteAnswer:
        self.questions.clear()  # another request voids an open question
        self.writes += [ticket.coid for ticket in tickets]
        known = next((ticket.coid for ticket in tickets if ticket.coid in self.registered), None)
        if known is not None:
            return AllRefused(reason=f"Order couldn't be submitted: Local order ID={known} is already registered.")
        if self.chance.random() < 0.1:
            return AllRefused(reason="no funds")
        if self.chance.random() < 0.35:
            return self._ask(tuple(tickets))
        return self._take(tickets, now_ns)

    def _ask(self, tickets: tuple[OrderTicket, ...]) -> Asked:
        self.number += 1
        reply_id = f"r{self.number}"
        self.questions[reply_id] = tickets
        ids, text = self.chance.choice(
            [
                ("o163", "exceeds the Percentage constraint of 3%"),
                ("o354", "without market data"),
                ("o999", "who knows"),
            ]
        )
        return Asked(questions=(Question(reply_id=reply_id, message_ids=(ids,), texts=(text,)),))

    def reply(self, reply_id: str, confirmed: bool, now_ns: int) -> WriteAnswer:
        tickets = self.questions.pop(reply_id, None)
        if tickets is None:
            return Unclear(reason="reply id not found")
        if not confirmed:
            return AllRefused(reason="not confirmed")
        if self.chance.random() < 0.3:
            return self._ask(tickets)
        return self._take(tickets, now_ns)

    def _take(self, tickets: Sequence[OrderTicket], now_ns: int) -> Answered:
        legs = []
        for ticket in tickets:
            assert ticket.coid not in self.registered, "one order lives twice"
            self.registered.add(ticket.coid)
            self.number += 1
            parent = next((o.order_id for o in self.orders.values() if o.ticket.coid == ticket.parent), None)
            live = Live(f"{self.number}", ticket, parent, "PreSubmitted" if ticket.parent else "Submitted")
            self.orders[live.order_id] = live
            self.news.append(self.row(live, now_ns))
            echo = None if ticket.parent else ticket.coid
            legs.append(LegTaken(order_id=live.order_id, status=live.status, coid=echo, parent_id=parent))
        self.chance.shuffle(legs)
        return Answered(taken=tuple(legs))

    def modify(self, order_id: str, ticket: OrderTicket, now_ns: int) -> WriteAnswer:
        self.questions.clear()
        live = self.orders[order_id]
        if not live.open:
            return AllRefused(reason="OrderID doesn't exist")
        if self.chance.random() < 0.2 or ticket.quantity <= live.filled:
            return AllRefused(reason="not now")
        live.ticket = ticket
        self.news.append(self.row(live, now_ns))
        return Answered(taken=(LegTaken(order_id=order_id, status=live.status, coid=ticket.coid),))

    def cancel(self, order_id: str, now_ns: int) -> CancelAnswer:
        self.questions.clear()
        live = self.orders[order_id]
        if not live.open:
            return CancelTurnedDown(reason="OrderID doesn't exist", unknown_order=True)
        if self.chance.random() < 0.2:
            return CancelTaken()  # and nothing comes of it: it has to be asked again
        self._die(live, now_ns)
        return CancelTaken()

    def _die(self, live: Live, now_ns: int) -> None:
        live.status = "Cancelled"
        self.news.append(self.row(live, now_ns))
        for child in self.orders.values():
            if child.parent_id == live.order_id and child.open and not live.filled:
                self._die(child, now_ns)

    # --- what happens by itself -----------------------------------------------------------------------------------

    def fill(self, now_ns: int) -> None:
        ready = [o for o in self.orders.values() if o.status == "Submitted"]
        if not ready:
            return
        live = self.chance.choice(ready)
        size = Decimal(self.chance.randint(1, int(live.ticket.quantity - live.filled)))
        self.number += 1
        execution = VenueExecution(
            execution_id=f"e{self.number}",
            order_id=live.order_id,
            account="DU1",
            coid=None if live.ticket.parent else live.ticket.coid,
            conid=live.ticket.conid,
            side=str(live.ticket.side),
            size=size,
            price=Decimal(10),
            ts_ns=now_ns,
        )
        live.filled += size
        live.executions.append(execution)
        if live.filled == live.ticket.quantity:
            live.status = "Filled"
            for child in self.orders.values():
                if child.parent_id == live.order_id and child.status == "PreSubmitted":
                    child.status = "Submitted"
                    self.news.append(self.row(child, now_ns))
        self.news += [execution, self.row(live, now_ns)]
        if self.chance.random() < 0.3:
            self.news.append(execution)

    # --- what it tells ----------------------------------------------------------------------------------------------

    def row(self, live: Live, now_ns: int, *, from_stream: bool = True) -> VenueOrder:
        ticket = live.ticket
        return VenueOrder(
            order_id=live.order_id,
            coid=None if ticket.parent else ticket.coid,
            parent_id=live.parent_id,
            conid=ticket.conid,
            side=str(ticket.side),
            order_type=str(ticket.order_type),
            tif=str(ticket.tif),
            status=live.status,
            total=ticket.quantity,
            filled=live.filled,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            seen_ns=now_ns,
            from_stream=from_stream,
        )

    def read_orders(self, now_ns: int) -> OrdersKnown | NotYetKnown:
        if self.cold:
            self.cold -= 1
            return NotYetKnown(why="snapshot:false", again_ns=now_ns)
        rows = tuple(self.row(live, now_ns, from_stream=False) for live in self.orders.values())
        return OrdersKnown(orders=rows, as_of_ns=now_ns)

    def read_executions(self, now_ns: int) -> ExecutionsKnown:
        rows = tuple(execution for live in self.orders.values() for execution in live.executions)
        return ExecutionsKnown(executions=rows, as_of_ns=now_ns, days=7)

    def copy(self, order_id: str, now_ns: int) -> VenueOrder | None:
        live = self.orders.get(order_id)
        return None if live is None else self.row(live, now_ns, from_stream=False)
