"""Money that moves without a trade: dividends that are owed and paid, interest, borrow fees, conversions.

What an action brings is worked out first, as `Posting`s; the portfolio books them one by one. What is owed counts as
`accrued`, in equity and not in cash, until it is paid.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final

from engine.domain.actions import (
    Action,
    ConvertNow,
    DayEnded,
    DividendDue,
    DividendPaid,
    InterestPaid,
    Posting,
)
from engine.domain.instrument import SecType
from engine.portfolio.actions import dividend_cash

if TYPE_CHECKING:
    from engine.portfolio.books import Portfolio

# What is owed, by kind, owner, conid (0: none), currency, and the term of `Posting`.
Key = tuple[str, str, int, str, int]

DIVIDEND: Final = "dividend"
TAX: Final = "withholding tax"
INTEREST: Final = "interest"
SHORT_INTEREST: Final = "short interest"
BORROW: Final = "borrow fee"
CONVERSION: Final = "conversion"
ACCOUNT: Final = ""
FEE: Final = "fee"
UNTOLD: Final = "untold"  # the line of fees that no execution explains
_ZERO: Final = Decimal(0)
_GRAIN: Final = Decimal("1e-8")


def postings(books: Portfolio, action: Action) -> list[Posting]:
    """What an action brings, worked out from the books as they are."""
    match action:
        case DividendDue():
            return _owed(books, action)
        case DividendPaid(ts_ns=ts_ns, conid=conid, pay_ns=pay_ns):
            due = [key for key in books.accrued if key[0] in (DIVIDEND, TAX) and key[2] == conid and key[4] == pay_ns]
            return [_paid(books, key, ts_ns) for key in due]
        case ConvertNow():
            sold, bought = f"{action.sold} {action.sold_currency}", f"{action.bought} {action.bought_currency}"
            basis = f"{sold} for {bought}"
            return [
                Posting(action.ts_ns, CONVERSION, ACCOUNT, currency, _ZERO, amount, 0, basis)
                for currency, amount in ((action.sold_currency, -action.sold), (action.bought_currency, action.bought))
            ]
        case DayEnded() if books.financing is not None:
            return books.financing.day(books, action)
        case InterestPaid(ts_ns=ts_ns, day=day):
            month = month_of(day)
            due = [key for key in books.accrued if key[0] in (INTEREST, SHORT_INTEREST, BORROW) and key[4] < month]
            return [_paid(books, key, ts_ns) for key in due]
        case _:
            return []


def _owed(books: Portfolio, action: DividendDue) -> list[Posting]:
    """A dividend on the ex-date; where it is paid at once it never is owed."""
    found = []
    at_once = action.pay_ns <= action.ts_ns
    for (owner, conid), held in books.holdings.items():
        if conid != action.conid or not held.quantity:
            continue
        gross = dividend_cash(action, held.quantity, books.instruments[conid])
        tax = (gross * action.withheld).quantize(_GRAIN, ROUND_HALF_EVEN) if gross > _ZERO else _ZERO
        for kind, amount in ((DIVIDEND, gross), (TAX, -tax)):
            if amount:
                accrued, cash = (_ZERO, amount) if at_once else (amount, _ZERO)
                basis = f"{action.amount} a share on {held.quantity}"
                found.append(
                    Posting(action.ts_ns, kind, owner, action.currency, accrued, cash, conid, basis, action.pay_ns)
                )
    return found


def _paid(books: Portfolio, key: Key, ts_ns: int) -> Posting:
    kind, owner, conid, currency, term = key
    amount = books.accrued[key]
    return Posting(ts_ns, kind, owner, currency, -amount, amount, conid, "paid", term)


def take(books: Portfolio, posting: Posting) -> None:
    """Book a posting in the tally of its kind and in what is owed; cash itself is the portfolio's."""
    kind, currency, cash = posting.kind, posting.currency, posting.cash
    tally, sign = {
        DIVIDEND: (books.dividends, 1),
        TAX: (books.withheld, -1),
        INTEREST: (books.interest, 1),
        SHORT_INTEREST: (books.interest, 1),
        BORROW: (books.borrow, -1),
        CONVERSION: (books.deposits, 1),
    }[kind]
    if cash:
        tally[currency] = tally.get(currency, _ZERO) + sign * cash
    if posting.accrued:
        key = kind, posting.owner, posting.conid, currency, posting.term
        owed = books.accrued.get(key, _ZERO) + posting.accrued
        if owed:
            books.accrued[key] = owed
        else:
            del books.accrued[key]


def month_of(day: date) -> int:
    """The number of a day's month."""
    return day.year * 12 + day.month


def told_cash(books: Portfolio) -> dict[str, Decimal]:
    """Cash by currency as a venue tells it: what our books gave for futures that are open is there, nobody paid it."""
    found = dict(books.cash)
    for (_, conid), held in books.holdings.items():
        instrument = books.instruments[conid]
        if held.cost and instrument.sec_type is SecType.FUTURE:
            found[instrument.currency] = found.get(instrument.currency, _ZERO) + held.cost
    return found


def explained(books: Portfolio, currency: str, amount: Decimal, why: str) -> None:
    """Take over cash that the venue told of (live), as what it is: `why` is "fee", "interest", "dividend" or else a
    deposit."""
    if currency not in books.rates:
        books.deposit(currency, amount)  # nothing of ours trades in it: its worth is not known, its cash is
    elif why == FEE:
        books.charge(ACCOUNT, UNTOLD, -amount, currency)
    elif why in (INTEREST, DIVIDEND):
        books.post(Posting(0, why, ACCOUNT, currency, _ZERO, amount, 0, "told by the venue"))
        books.postings.clear()  # the journal has it: a run of weeks keeps no list of its own
        books.steps.clear()
        books.credited.clear()
    else:
        books.deposit(currency, amount)
