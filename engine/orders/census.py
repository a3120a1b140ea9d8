"""Brackets leg by leg: an entry whose stop is missing is dealt with by a declared policy, once, and a person is told.

The venue takes brackets leg by leg: an entry can live although its stop was refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from engine.domain.order import CLOSED, Order, State
from engine.domain.ticket import OrderTicket, OrderType
from engine.orders.actions import Action, Alert, Flatten

STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAIL, OrderType.TRAIL_LIMIT})
_NEVER_LIVED: Final = frozenset({State.REFUSED, State.LOST})


class CensusPolicy(StrEnum):
    """What is done about an entry without its stop."""

    CANCEL_ENTRY = "cancel-entry"  # and leave what has filled, with an alert
    FLATTEN = "flatten"  # cancel the entry and the other exits, and trade away what has filled
    ALERT = "alert"


@frozen
class Finding:
    """One bracket without its stop: what to do."""

    cancels: tuple[str, ...]
    actions: tuple[Action, ...] = field(factory=tuple)


class Census:
    """All brackets that were sent, until they are complete or dealt with."""

    def __init__(self, policy: CensusPolicy) -> None:
        self._policy = policy
        self._brackets: dict[str, tuple[str, ...]] = {}  # entry -> exits

    def sent(self, tickets: Iterable[OrderTicket]) -> None:
        """A group is about to leave."""
        exits: dict[str, list[str]] = {}
        for ticket in tickets:
            if ticket.parent is not None:
                exits.setdefault(ticket.parent, []).append(ticket.coid)
        for entry, coids in exits.items():
            self._brackets[entry] = (*self._brackets.get(entry, ()), *coids)

    def look(self, book: Mapping[str, Order]) -> list[Finding]:
        """What has to be done now."""
        found = []
        for entry_id, exit_ids in list(self._brackets.items()):
            entry = book[entry_id]
            exits = [book[coid] for coid in exit_ids]
            stops = [order for order in exits if order.ticket.order_type in STOPS]
            missing = [order for order in stops if order.state in _NEVER_LIVED]
            if entry.state in CLOSED and not entry.filled:
                del self._brackets[entry_id]
            elif missing and len(missing) == len(stops) and entry.state is not State.CREATED:
                del self._brackets[entry_id]
                found.append(self._deal(entry, exits, missing[0]))
            elif all(order.state in CLOSED for order in (entry, *exits)):
                del self._brackets[entry_id]
        return found

    def _deal(self, entry: Order, exits: list[Order], stop: Order) -> Finding:
        why = f"the stop {stop.coid} of this bracket is missing: {stop.reason or stop.state}"
        alert = Alert("NO_STOP", why, entry.coid)
        if self._policy is CensusPolicy.ALERT:
            return Finding((), (alert,))
        cancels = [entry.coid] if entry.is_open else []
        if self._policy is CensusPolicy.CANCEL_ENTRY:
            return Finding(tuple(cancels), (alert,))
        cancels += [order.coid for order in exits if order.is_open]
        closed = sum((order.filled for order in exits), Decimal(0))
        units = (entry.filled - closed) * entry.ticket.side.sign
        if not units:
            return Finding(tuple(cancels), (alert,))
        flatten = Flatten(entry.ticket.strategy, entry.ticket.conid, -units, why)
        return Finding(tuple(cancels), (alert, flatten))
