"""The books by currency at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from engine.domain.facts import Filled
from engine.portfolio import money
from engine.portfolio.books import Portfolio
from engine.runtime.outcome import CurrencyRow, Position

_ZERO: Final = Decimal(0)


def by_currency(books: Portfolio, positions: Sequence[Position], fills: Sequence[Filled]) -> tuple[CurrencyRow, ...]:
    """One row a currency that was ever deposited, earned or spent, by name."""
    lines: dict[str, dict[str, Decimal]] = {}
    for fill in fills:
        for line, amount, currency in fill.fees:
            of = lines.setdefault(currency, {})
            of[line] = of.get(line, _ZERO) + amount
    owed: dict[tuple[str, str], Decimal] = {}
    for (kind, _, _, currency, _), amount in books.accrued.items():
        owed[kind, currency] = owed.get((kind, currency), _ZERO) + amount
    traded = {books.instruments[one.conid].currency for one in positions}
    names = {*books.cash, *books.deposits, *traded, *(currency for _, currency in owed)}
    return tuple(_row(books, currency, positions, lines.get(currency, {}), owed) for currency in sorted(names))


def fees_by_line(books: Portfolio, rows: Sequence[CurrencyRow]) -> dict[str, Decimal]:
    """Fees by line in base currency, at the end's rates where they moved."""
    if not books.rated:
        return dict(books.fees)
    found: dict[str, Decimal] = {}
    for row in rows:
        for line, amount in row.fees_by_line.items():
            found[line] = found.get(line, _ZERO) + amount * row.rate
    return found


def _row(
    books: Portfolio,
    currency: str,
    positions: Sequence[Position],
    lines: Mapping[str, Decimal],
    owed: Mapping[tuple[str, str], Decimal],
) -> CurrencyRow:
    def due(*kinds: str) -> Decimal:
        return sum((owed.get((kind, currency), _ZERO) for kind in kinds), _ZERO)

    mine = [one for one in positions if books.instruments[one.conid].currency == currency]
    unrealised: Decimal | None = _ZERO
    for one in mine:
        if not one.quantity or unrealised is None:
            continue
        unit = books.instruments[one.conid].multiplier
        unrealised = None if one.mark is None else unrealised + one.quantity * one.mark * unit - one.cost
    return CurrencyRow(
        currency=currency,
        rate=books.rates[currency],
        deposits=books.deposits.get(currency, _ZERO),
        cash=books.cash.get(currency, _ZERO),
        owed=due(money.DIVIDEND, money.TAX, money.INTEREST, money.SHORT_INTEREST, money.BORROW),
        cost=sum((one.cost for one in mine), _ZERO),
        realised=sum((one.realised for one in mine), _ZERO),
        unrealised=unrealised,
        fees=books.fees_by_currency.get(currency, _ZERO),
        fees_by_line=lines,
        interest=books.interest.get(currency, _ZERO) + due(money.INTEREST, money.SHORT_INTEREST),
        borrow=books.borrow.get(currency, _ZERO) - due(money.BORROW),
        dividends=books.dividends.get(currency, _ZERO) + due(money.DIVIDEND),
        withheld=books.withheld.get(currency, _ZERO) - due(money.TAX),
    )
