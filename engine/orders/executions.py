"""Executions as the venue tells them: each is booked exactly once, whoever tells it and however often.

Quantity and money come from here and from nowhere else. A commission that is told later replaces the estimate; an id
whose last part has been raised corrects an earlier execution, and a person settles that.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

from msgspec.structs import replace

from engine.domain.brokerage import VenueExecution
from engine.domain.facts import ESTIMATED, Accepted, Answer, Filled
from engine.domain.order import UNSEEN
from engine.domain.ticket import OrderTicket
from engine.orders.actions import Action, Alert, FeeKnown
from engine.orders.combos import Combos
from engine.orders.doubt import Doubts
from engine.orders.identity import Identity
from engine.orders.lately import Lately
from engine.orders.live import LiveOrders


class Estimate(Protocol):
    """Fee lines that an execution will cost: order, contract, units, price, time (ns UTC)."""

    def __call__(
        self, coid: str, conid: int, quantity: Decimal, price: Decimal, ts_ns: int, *, sells: bool
    ) -> tuple[tuple[str, Decimal, str], ...]: ...


class Bookings:
    """Turns executions into facts. `charged` are those whose fee is booked, `adopted` orders that were thought dead."""

    def __init__(
        self, book: LiveOrders, identity: Identity, doubts: Doubts, combos: Combos, adopted: list[str]
    ) -> None:
        self.charged: set[str] = set()
        self.estimate: Estimate | None = None  # what an execution will cost, until the venue tells
        self._book = book
        self._identity = identity
        self._doubts = doubts
        self._combos = combos
        self._adopted = adopted
        self._strangers: set[str] = set()
        # The revision of an execution that counts, by all of its id but the last part; those in the books among them.
        self._revisions = {stem: known for known in book.executed() if (stem := _stem(known))}
        self._lately = {"charged": Lately(), "strangers": Lately()}

    def forget(self, before_ns: int) -> None:
        """Let go of executions that the venue tells of no more; the book has let go of them before."""
        self._lately["charged"].forget(self.charged, before_ns, self._book.fills())
        self._lately["strangers"].forget(self._strangers, before_ns)
        self._revisions = {stem: known for stem, known in self._revisions.items() if self._book.heard(known)}

    def hear(self, rows: Iterable[VenueExecution], now_ns: int) -> tuple[list[Answer], list[Action]]:
        """Read executions, of the stream or of a list; each is booked exactly once."""
        facts: list[Answer] = []
        actions: list[Action] = []
        told: set[str] = set()  # within this reading
        for row in rows:
            coid = self._identity.whose(row.order_id, row.coid)
            if coid is None and self._book.heard(row.execution_id):
                continue  # of an order that ended days ago: the venue tells executions for longer than we keep orders
            if coid is None:
                if row.execution_id not in self._strangers:
                    self._strangers.add(row.execution_id)
                    self._book.facts.append((now_ns, "foreign_execution", row.order_id, row))
                    actions.append(
                        Alert("FOREIGN_EXECUTION", f"an execution of order {row.order_id}, which is not ours")
                    )
                continue
            case = self._doubts.cases.get(coid)
            if case is not None and not case.modify:  # of a modification it says nothing: the order was known
                self._doubts.found(coid)
                self._book.facts.append((now_ns, "found", coid, row))
            if self._doubts.late(coid):
                self._adopted.append(coid)
                actions.append(Alert("LATE_ORDER", "an order that had been proved absent has filled", coid))
            if self._corrected(row, coid, now_ns, actions):
                continue
            ticket = self._book.book[coid].ticket
            if row.commission is not None and row.execution_id not in self.charged:
                self.charged.add(row.execution_id)
                fee = FeeKnown(row.execution_id, coid, ticket.strategy, ticket.conid, row.commission)
                self._book.facts.append((now_ns, "fee", coid, fee))
                actions.append(fee)
            if self._book.heard(row.execution_id) or row.execution_id in told:
                continue
            told.add(row.execution_id)
            fill = self._fill(ticket, row, now_ns)
            if fill is None:
                continue
            if self._book.book[coid].state in UNSEEN and row.order_id:
                facts.append(Accepted(coid=coid, ts_ns=now_ns, venue_id=row.order_id))
            facts.append(fill)
        return facts, actions

    def _fill(self, ticket: OrderTicket, row: VenueExecution, now_ns: int) -> Filled | None:
        """What an execution means, with an estimate of its fees where they are not known."""
        fill = self._moved(ticket, row, now_ns)
        if fill is None or self.estimate is None or row.execution_id in self.charged:
            return fill
        fees = self.estimate(ticket.coid, row.conid, row.size, row.price, row.ts_ns, sells=row.side != "BUY")
        return replace(fill, fees=fees, flags=(*fill.flags, ESTIMATED)) if fees else fill

    def _moved(self, ticket: OrderTicket, row: VenueExecution, now_ns: int) -> Filled | None:
        """What an execution that has not been heard yet means; None where it moves nothing."""
        if self._combos.is_combo(ticket):
            fill = self._combos.fill(ticket, row)
            if fill is None and row.execution_id not in self._strangers:
                self._strangers.add(row.execution_id)
                self._book.facts.append((now_ns, "no_leg", ticket.coid, row))
            return fill
        return Filled(
            coid=ticket.coid,
            ts_ns=row.ts_ns,
            exec_id=row.execution_id,
            conid=ticket.conid,
            side=row.side,
            quantity=row.size,
            price=row.price,
        )

    def _corrected(self, row: VenueExecution, coid: str, now_ns: int, actions: list[Action]) -> bool:
        """An id whose last part has been raised corrects an earlier execution: a person settles that."""
        stem = _stem(row.execution_id)
        known = self._revisions.setdefault(stem, row.execution_id) if stem else row.execution_id
        if known == row.execution_id:
            return False
        if row.execution_id not in self._strangers:
            self._strangers.add(row.execution_id)
            self._book.facts.append((now_ns, "correction", coid, row))
            actions.append(Alert("CORRECTION", f"execution {known} was corrected by {row.execution_id}", coid))
        return True


def _stem(execution_id: str) -> str:
    """An execution's id without its revision; empty for one that has no such part."""
    stem, _, _ = execution_id.rpartition(".")
    return stem if stem.count(".") >= 2 else ""
