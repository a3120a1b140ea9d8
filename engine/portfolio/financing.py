"""Interest on cash and fees on borrowed shares, from dated tables; a day at a time, exact in `Decimal`.

How it is worked out, for each currency at the end of each calendar day:

- Every share that is short binds collateral: 102 % of the day's last price, rounded up to a whole unit of the
  currency, times the shares. The fee is collateral x rate / 360 (IBKR, report guide "Borrow Fee Details").
- The collateral earns the table's `short` rates. Cash less the collateral earns `credit` rates where it is above zero
  and pays `debit` rates where it is below. Each band of the balance has a rate of its own: benchmark + spread, in
  percent a year.
- `credit` and `short` rates are scaled by net worth / `full_at` below that worth. A rate below zero counts as zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from attrs import frozen

from engine.domain.actions import DayEnded, Posting
from engine.domain.instrument import SecType

if TYPE_CHECKING:
    from engine.portfolio.books import Portfolio

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
_GRAIN: Final = Decimal("1e-8")
_COLLATERAL: Final = Decimal("1.02")
_PERCENT: Final = Decimal(100)
_BORROW_DAYS: Final = 360
_WHOLE: Final = Decimal(1)


@frozen(kw_only=True)
class Band:
    """Up to a balance (None: whatever is above), benchmark + `spread` percent a year; nothing at all if `spread` is
    None."""

    upto: Decimal | None = None
    spread: Decimal | None = None


@frozen(kw_only=True)
class Terms:
    """What one currency costs and earns from a day on. `full_at`: the net worth, in this currency, from which on
    balances above zero earn in full."""

    currency: str
    valid_from: date
    day_count: int = 360
    full_at: Decimal = _ZERO
    debit: tuple[Band, ...] = ()
    credit: tuple[Band, ...] = ()
    short: tuple[Band, ...] = ()


@frozen(kw_only=True)
class Benchmark:
    """The benchmark rate of a currency from a day on, in percent a year."""

    currency: str
    valid_from: date
    rate: Decimal


@frozen(kw_only=True)
class BorrowRate:
    """The fee for borrowing shares from a day on, in percent a year; `symbol` "" is for all that have none of their
    own."""

    valid_from: date
    rate: Decimal
    symbol: str = ""


@frozen(kw_only=True)
class Financing:
    """Dated tables of one broker's financing, the oldest first of each currency and symbol."""

    name: str
    source: str = ""
    terms: tuple[Terms, ...] = ()
    benchmarks: tuple[Benchmark, ...] = ()
    borrow: tuple[BorrowRate, ...] = ()

    def day(self, books: Portfolio, ended: DayEnded) -> list[Posting]:
        """Interest and borrow fees of one day, to be booked as owed."""
        prices = dict(ended.prices)
        month = ended.day.year * 12 + ended.day.month
        found, collateral = self._borrowed(books, ended, prices, month)
        worth = net_worth(books, prices)
        beside = _beside_cash(books, prices)
        for currency in sorted({*books.cash, *collateral, *beside}):
            terms = self._terms(currency, ended.day)
            benchmark = self._benchmark(currency, ended.day)
            if terms is None or benchmark is None:
                continue
            bound = collateral.get(currency, _ZERO)
            free = books.cash.get(currency, _ZERO) + beside.get(currency, _ZERO) - bound
            scale = _scale(worth, terms.full_at * books.rates[currency])
            for kind, balance, amount in (
                ("interest", free, _interest(free, terms, benchmark, scale)),
                ("short interest", bound, _banded(bound, terms.short, benchmark, terms.day_count) * scale),
            ):
                owed = amount.quantize(_GRAIN, ROUND_HALF_EVEN)
                if owed:
                    basis = f"{balance.normalize():f} {currency}, benchmark {benchmark} %"
                    found.append(Posting(ended.ts_ns, kind, "", currency, owed, _ZERO, 0, basis, month))
        return found

    def _borrowed(
        self, books: Portfolio, ended: DayEnded, prices: Mapping[int, Decimal], month: int
    ) -> tuple[list[Posting], dict[str, Decimal]]:
        """Fees on each strategy's short shares, and the collateral that the account's bind, by currency."""
        found: list[Posting] = []
        collateral: dict[str, Decimal] = {}
        for conid, units in books.account.items():
            instrument = books.instruments[conid]
            price = prices.get(conid)
            if units >= _ZERO or instrument.sec_type is not SecType.STOCK or price is None:
                continue
            unit = collateral_price(price)
            currency = instrument.currency
            collateral[currency] = collateral.get(currency, _ZERO) + unit * -units
            rate = self._borrow_rate(instrument.symbol, ended.day)
            if not rate:
                continue
            shorts = [
                (owner, -held.quantity)
                for (owner, of), held in books.holdings.items()
                if of == conid and held.quantity < _ZERO
            ]
            whole = sum((short for _, short in shorts), _ZERO)
            # Only what the account is short is borrowed; strategies that are long lend to those that are short.
            fee = -units * unit * rate / _PERCENT / _BORROW_DAYS
            for owner, short in shorts:
                owed = (fee * short / whole).quantize(_GRAIN, ROUND_HALF_EVEN)
                basis = f"{-units} at {unit}, {rate} %"
                found.append(Posting(ended.ts_ns, "borrow fee", owner, currency, -owed, _ZERO, conid, basis, month))
        return found, collateral

    def _terms(self, currency: str, day: date) -> Terms | None:
        mine = [one for one in self.terms if one.currency == currency]
        # Spreads change seldom and are published late: the oldest serve for the days before them, too.
        return _newest(mine, day) or (mine[0] if mine else None)

    def _benchmark(self, currency: str, day: date) -> Decimal | None:
        found = _newest([one for one in self.benchmarks if one.currency == currency], day)
        return None if found is None else found.rate

    def _borrow_rate(self, symbol: str, day: date) -> Decimal:
        own = [one for one in self.borrow if one.symbol == symbol]
        found = _newest(own or [one for one in self.borrow if not one.symbol], day)
        return _ZERO if found is None else found.rate


def collateral_price(price: Decimal) -> Decimal:
    """What a borrowed share of a price is counted at: 102 % of it, rounded up to a whole unit of the currency."""
    return (price * _COLLATERAL).quantize(_WHOLE, ROUND_CEILING)


def net_worth(books: Portfolio, prices: Mapping[int, Decimal]) -> Decimal:
    """Cash, what is owed and positions in base currency; a position without a price counts at cost."""
    total = sum((amount * books.rates[currency] for currency, amount in books.cash.items()), _ZERO)
    total += sum((amount * books.rates[key[3]] for key, amount in books.accrued.items()), _ZERO)
    for (_, conid), held in books.holdings.items():
        if held.quantity:
            instrument = books.instruments[conid]
            price = prices.get(conid)
            value = held.cost if price is None else held.quantity * price * instrument.multiplier
            total += value * books.rates[instrument.currency]
    return total


def _beside_cash(books: Portfolio, prices: Mapping[int, Decimal]) -> dict[str, Decimal]:
    """What is cash at the broker's and a position in our books, by currency.

    Of EUR.USD that is the euros; the dollars are in cash already. A future is not paid for: what our cash gave for it
    is there, and each day what it has gained since, or lost.
    """
    found: dict[str, Decimal] = {}
    for conid, units in books.account.items():
        instrument = books.instruments[conid]
        base = instrument.symbol[:3]
        if units and instrument.sec_type is SecType.CASH and base in books.rates:
            found[base] = found.get(base, _ZERO) + units
    for (_, conid), held in books.holdings.items():
        instrument, price = books.instruments[conid], prices.get(conid)
        if held.quantity and instrument.sec_type is SecType.FUTURE:
            worth = held.cost if price is None else held.quantity * price * instrument.multiplier
            found[instrument.currency] = found.get(instrument.currency, _ZERO) + worth
    return found


def _interest(balance: Decimal, terms: Terms, benchmark: Decimal, scale: Decimal) -> Decimal:
    if balance >= _ZERO:
        return _banded(balance, terms.credit, benchmark, terms.day_count) * scale
    return -_banded(-balance, terms.debit, benchmark, terms.day_count)


def _banded(balance: Decimal, bands: Sequence[Band], benchmark: Decimal, day_count: int) -> Decimal:
    """One day's interest on a balance not below zero, each band's part at its own rate."""
    total, at = _ZERO, _ZERO
    for band in bands:
        end = balance if band.upto is None else min(balance, band.upto)
        if end > at and band.spread is not None:
            total += (end - at) * max(benchmark + band.spread, _ZERO)
        at = max(at, end)
    return total / _PERCENT / day_count


def _scale(worth: Decimal, full: Decimal) -> Decimal:
    if full <= _ZERO or worth >= full:
        return _ONE
    return max(worth, _ZERO) / full


class _Dated(Protocol):
    @property
    def valid_from(self) -> date: ...


_Row = TypeVar("_Row", bound=_Dated)


def _newest(rows: Sequence[_Row], day: date) -> _Row | None:
    """The row in force on a day; None before the first."""
    found = None
    for row in rows:
        if row.valid_from <= day:
            found = row
    return found
