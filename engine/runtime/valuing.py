"""What is held at the end of a run, and what the account is worth with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from engine.portfolio.books import Portfolio
from engine.portfolio.marks import EquityMarks
from engine.runtime.outcome import Position

_ZERO: Final = Decimal(0)


def positions_of(portfolio: Portfolio, marks: EquityMarks) -> tuple[Position, ...]:
    """Every position of the run, with the price that closing it would bring; None if it was never priced."""
    found = []
    for (strategy, conid), held in portfolio.holdings.items():
        long, short = marks.last_prices(conid)
        price = long if held.quantity >= 0 else short
        mark = Decimal(repr(price)) if price == price else None
        found.append(
            Position(
                strategy=strategy,
                conid=conid,
                quantity=held.quantity,
                cost=held.cost,
                realised=held.realised,
                mark=mark,
            )
        )
    return tuple(found)


def equity_of(portfolio: Portfolio, positions: tuple[Position, ...]) -> Decimal:
    """Cash, what is owed to us and marked positions in base currency, exactly."""
    rates = portfolio.rates
    total = sum((amount * rates[currency] for currency, amount in portfolio.cash.items()), _ZERO)
    total += sum((amount * rates[key[3]] for key, amount in portfolio.accrued.items()), _ZERO)
    for position in positions:
        if position.quantity:
            instrument = portfolio.instruments[position.conid]
            rate = rates[instrument.currency]
            if position.mark is None:
                total += position.cost * rate  # never priced: at cost
            else:
                total += position.quantity * position.mark * instrument.multiplier * rate
    return total
