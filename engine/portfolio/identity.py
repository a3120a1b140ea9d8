"""The law of the books, as a checker: nothing is ever lost or made, in any currency, to the last digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from engine.portfolio.books import Portfolio

# What of a portfolio is kept by currency beside cash: all that the identity adds up.
TALLIES: Final = ("deposits", "fees_by_currency", "interest", "borrow", "dividends", "withheld")
_ZERO: Final = Decimal(0)


def gaps(books: Portfolio) -> dict[str, Decimal]:
    """By currency, what is missing (below zero) or too much on the left of the identity; empty where it holds.

    cash + positions at cost = deposits + realised - fees + interest - borrow fees + dividends - tax withheld.
    What is accrued and not yet paid stands on neither side.
    """
    left = dict(books.cash)
    for amounts, sign in (
        (books.deposits, 1),
        (books.fees_by_currency, -1),
        (books.interest, 1),
        (books.borrow, -1),
        (books.dividends, 1),
        (books.withheld, -1),
    ):
        for currency, amount in amounts.items():
            left[currency] = left.get(currency, _ZERO) - sign * amount
    for (_, conid), held in books.holdings.items():
        currency = books.instruments[conid].currency
        left[currency] = left.get(currency, _ZERO) + held.cost - held.realised
    return {currency: amount for currency, amount in left.items() if amount}


def units_apart(books: Portfolio) -> dict[int, Decimal]:
    """By conid, the account's units less those of all strategies; empty where they agree."""
    apart = dict(books.account)
    for (_, conid), held in books.holdings.items():
        apart[conid] = apart.get(conid, _ZERO) - held.quantity
    return {conid: units for conid, units in apart.items() if units}
