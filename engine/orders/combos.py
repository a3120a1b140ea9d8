"""Executions of combos: the venue tells them leg by leg, an order counts in whole units.

Each leg's execution becomes one `Filled` of its own id at once, so that positions and cash never wait: its `legs` say
what changed hands, and its `quantity` how many whole units of the combo it completed (0 while another leg is missing),
at the net price of the leg parts that went into them, first come first used. Nothing is held back, so nothing can be
lost over a restart: the journal's executions, folded again, leave the same rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from attrs import define, field

from engine.domain.brokerage import VenueExecution
from engine.domain.facts import Filled, LegExecution
from engine.domain.instrument import Instrument, Leg
from engine.domain.ticket import OrderTicket

_ZERO: Final = Decimal(0)


@define(eq=False)
class _Rest:
    """What of one leg has changed hands and belongs to no whole unit yet: parts of (size, price), oldest first."""

    parts: deque[tuple[Decimal, Decimal]] = field(factory=deque)
    size: Decimal = _ZERO

    def add(self, size: Decimal, price: Decimal) -> None:
        self.parts.append((size, price))
        self.size += size

    def take(self, size: Decimal) -> Decimal:
        """Use up so much of it; the money it cost (size times price)."""
        self.size -= size
        money = _ZERO
        while size:
            have, price = self.parts.popleft()
            used = min(have, size)
            money += used * price
            size -= used
            if have > used:
                self.parts.appendleft((have - used, price))
        return money


class Combos:
    """What has changed hands of combo orders beyond their whole units.

    Args:
        instruments: By conid; those with legs are combos.
    """

    def __init__(self, instruments: Mapping[int, Instrument]) -> None:
        self._legs = {conid: instrument.legs for conid, instrument in instruments.items() if instrument.legs}
        self._rests: dict[str, dict[int, _Rest]] = {}

    def recovered(self, fills: Iterable[tuple[OrderTicket, Filled]]) -> None:
        """Take the executions that a journal knows, oldest first."""
        for ticket, fill in fills:
            if ticket.conid in self._legs:
                for leg in fill.legs:
                    self._add(ticket, leg)

    def forget(self, coids: Iterable[str]) -> None:
        """These orders ended days ago."""
        for coid in coids:
            self._rests.pop(coid, None)

    def is_combo(self, ticket: OrderTicket) -> bool:
        """Whether the ticket's executions come leg by leg."""
        return ticket.conid in self._legs

    def fill(self, ticket: OrderTicket, row: VenueExecution) -> Filled | None:
        """What one leg's execution means; None for a row that is no leg's (a summary, which moves nothing)."""
        if all(leg.conid != row.conid for leg in self._legs[ticket.conid]):
            return None
        leg = LegExecution(row.conid, row.size if row.side == "BUY" else -row.size, row.price)
        units, net = self._add(ticket, leg)
        return Filled(
            coid=ticket.coid,
            ts_ns=row.ts_ns,
            exec_id=row.execution_id,
            conid=ticket.conid,
            side=ticket.side,
            quantity=units,
            price=net,
            legs=(leg,),
        )

    def _add(self, ticket: OrderTicket, part: LegExecution) -> tuple[Decimal, Decimal]:
        """Add a leg's part: how many units are whole by it, and their net price."""
        legs = self._legs[ticket.conid]
        rests = self._rests.setdefault(ticket.coid, {leg.conid: _Rest() for leg in legs})
        mine = next((leg for leg in legs if leg.conid == part.conid), None)
        if mine is None or part.quantity * mine.ratio * ticket.side.sign <= 0:
            return _ZERO, _ZERO  # against the order's direction: it moved a position, and made no unit
        rests[part.conid].add(abs(part.quantity), part.price)
        units = min(rests[leg.conid].size // abs(leg.ratio) for leg in legs)
        if not units:
            return _ZERO, _ZERO
        return units, _net(legs, rests, units)


def _net(legs: Iterable[Leg], rests: Mapping[int, _Rest], units: Decimal) -> Decimal:
    """Use up the legs of so many units: their net price, a sold leg of a buy below zero."""
    money = _ZERO
    for leg in legs:
        cost = rests[leg.conid].take(units * abs(leg.ratio))
        money += cost if leg.ratio > 0 else -cost
    return money / units
