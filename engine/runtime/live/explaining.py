"""What every check said of the orders that risk has judged, for the journal: at once, or when the order has left.

An order that the short way takes is approved before anybody has written down what the checks compared. It is in a
hurry, and they find the same as long as risk has heard of nothing else. So that is told with the next letter that risk
takes, of which there is one as soon as the order has left.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.messages import Approved, Place, Refusal
from engine.domain.ticket import OrderTicket
from engine.domain.view import MarketView
from engine.risk.explaining import Finding, Untold, barred, explain, take
from engine.risk.gate import Gate

Findings = tuple[tuple[str, tuple[Finding, ...]], ...]


class Explaining:
    """What is to be told of orders, by client order id, in the order in which they were judged."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._untold: Untold | None = None  # of the last order that was taken
        self._told: list[tuple[str, tuple[Finding, ...]]] = []

    def take(self, intent: Place, view: MarketView, now_ns: int) -> Approved | None:
        """Have the short way take a plain order; None if it has to be explained and judged."""
        self.finish()
        taken = take(self._gate, intent, view, now_ns)
        if taken is None:
            return None
        approved, self._untold = taken
        return approved

    def explain(
        self, tickets: Iterable[OrderTicket], view: MarketView, now_ns: int, *, changes: bool, before: Refusal | None
    ) -> None:
        """Ask every check about tickets that are not judged yet, each alone.

        Args:
            changes: They are what open orders are to become.
            before: What stands before all checks.
        """
        self.finish()
        first = () if before is None else (barred(before),)
        for ticket in tickets:
            try:
                said = explain(self._gate, ticket, view, now_ns, changes=changes)
            except KeyError:  # of an instrument that is not known only the gate has something to say
                continue
            self._told.append((ticket.coid, (*first, *said)))

    def finish(self) -> None:
        """Have the checks say now what they compared: before anything changes of what they look at."""
        untold = self._untold
        if untold is not None:
            self._untold = None
            self._told.append((untold.ticket.coid, tuple(untold.tell())))

    @property
    def worth(self) -> tuple[tuple[str, float], ...]:
        """The money of the order that nothing is told of yet."""
        untold = self._untold
        return () if untold is None else ((untold.ticket.coid, untold.money),)

    def told(self) -> Findings:
        """What has been told, once."""
        found = tuple(self._told)
        self._told.clear()
        return found
