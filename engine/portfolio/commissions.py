"""Commissions of a live session: estimated with the execution, replaced when the venue tells them, once.

Which comes first makes no difference: a commission that is known before its execution is charged, and the execution's
estimate is dropped when it comes. `early` holds those; True for what the turn of a day has seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from engine.domain.facts import ESTIMATED, Filled
from engine.domain.messages import Update

if TYPE_CHECKING:
    from engine.portfolio.books import Portfolio

Line = tuple[str, Decimal, str]
COMMISSION: Final = "commission"
_ZERO: Final = Decimal(0)
_EARLY_MAX: Final = 10_000  # commissions without an execution yet: more than any reading holds


def heard(books: Portfolio, updates: Sequence[Update]) -> None:
    """Executions have been booked, some with an estimate among their fees."""
    for update in updates:
        event = update.event
        if not isinstance(event, Filled):
            continue
        early = books.early.pop(event.exec_id, None) is not None
        if ESTIMATED in event.flags:
            strategy = update.order.ticket.strategy
            if early:
                _take_back(books, strategy, event.fees)
            else:
                books.estimates[event.exec_id] = strategy, event.fees


def told(books: Portfolio, execution_id: str, strategy: str, amount: Decimal, currency: str) -> None:
    """A commission has become known: it takes the place of the estimate. Call once an execution."""
    estimate = books.estimates.pop(execution_id, None)
    if estimate is not None:
        _take_back(books, *estimate)
    else:
        books.early[execution_id] = False
        if len(books.early) > _EARLY_MAX:
            del books.early[next(iter(books.early))]
    books.charge(strategy, COMMISSION, amount, currency)


def forget(books: Portfolio) -> None:
    """Another day: a commission whose execution has not come since the turn before waits for none."""
    books.early = {execution_id: True for execution_id, waited in books.early.items() if not waited}


def open_estimates(books: Portfolio) -> Mapping[str, Decimal]:
    """By currency, how much has been charged by estimates that wait for their commission."""
    found: dict[str, Decimal] = {}
    for _, lines in books.estimates.values():
        for _, amount, currency in lines:
            found[currency] = found.get(currency, _ZERO) + amount
    return found


def _take_back(books: Portfolio, strategy: str, lines: Sequence[Line]) -> None:
    for line, amount, currency in lines:
        books.charge(strategy, line, -amount, currency)
