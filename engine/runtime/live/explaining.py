"""What every check said of the orders that risk has judged, for the journal: at once, or when the order has left.

A plain order that is approved is in a hurry, and what the checks compared need not leave before it: that is told with
the next letter that risk takes, of which there is one as soon as the order has left. Of one that the short way takes
nobody has worked it out when it is approved; it comes out the same as long as risk has heard of nothing else. Which way
an order took shows in no letter.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.messages import Approved, Place, Refusal
from engine.domain.ticket import OrderTicket
from engine.domain.view import MarketView
from engine.risk.explaining import Finding, Untold, barred, explain, take
from engine.risk.gate import Gate
from engine.risk.market import market_now
from engine.risk.sums import worst_money

Findings = tuple[tuple[str, tuple[Finding, ...]], ...]


class Explaining:
    """What is to be told of orders, by client order id, in the order in which they were judged.

    `worth` is the money of the order of which it is told later.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._untold: Untold | None = None  # of the last order, if the short way took it
        self._late: list[tuple[str, tuple[Finding, ...]]] = []  # of the last order, if the long way did
        self._told: list[tuple[str, tuple[Finding, ...]]] = []
        self.worth: tuple[tuple[str, float], ...] = ()

    def take(self, intent: Place, view: MarketView, now_ns: int) -> Approved | None:
        """Have the short way take a plain order; None if it has to be explained and judged."""
        if self._untold is not None or self._late:
            self.finish()
        taken = take(self._gate, intent, view, now_ns)
        if taken is None:
            return None
        approved, self._untold = taken
        self.worth = ((self._untold.ticket.coid, self._untold.money),)
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

    def put_off(self, ticket: OrderTicket, view: MarketView, now_ns: int) -> None:
        """A plain order that was explained last has been approved: what was said of it is told later."""
        exposure = self._gate.exposure(ticket.strategy, ticket.conid)
        self._late.append(self._told.pop())
        self.worth = ((ticket.coid, worst_money(ticket, exposure, market_now(exposure.instrument, view, now_ns))),)

    def finish(self) -> None:
        """Have the checks say now what they compared: before anything changes of what they look at."""
        untold = self._untold
        if untold is not None:
            self._untold = None
            self._told.append((untold.ticket.coid, tuple(untold.tell())))
        self._told += self._late
        self._late.clear()
        self.worth = ()

    def late(self) -> Findings:
        """What is told only now of the last order."""
        if self._untold is not None or self._late:
            self.finish()
        self.worth = ()
        return self.told()

    def told(self) -> Findings:
        """What has been told, once."""
        if not self._told:
            return ()
        found = tuple(self._told)
        self._told.clear()
        return found
