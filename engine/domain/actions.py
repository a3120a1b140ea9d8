"""Corporate actions and money events as they come due in a run: what happens to whoever holds the instrument then."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct

ONE = Decimal(1)
ZERO = Decimal(0)


class SplitNow(Struct, frozen=True):
    """From now on `old` units of an instrument are `new` ones; `price` is the last known one in old units, None if
    there is none."""

    ts_ns: int
    conid: int
    new: Decimal
    old: Decimal = ONE
    price: Decimal | None = None


class DividendNow(Struct, frozen=True):
    """Whoever holds an instrument now is paid `amount` of `currency` a share, and pays it if short.

    A recording may be in units of a later day: `new` of them were `old` shares when the dividend was paid.
    """

    ts_ns: int
    conid: int
    amount: Decimal
    currency: str
    new: Decimal = ONE
    old: Decimal = ONE


class DividendDue(Struct, frozen=True):
    """A dividend as `DividendNow`, owed from now on and paid at `pay_ns`; the part `withheld` of what longs receive is
    kept back for tax."""

    ts_ns: int
    conid: int
    amount: Decimal
    currency: str
    pay_ns: int
    withheld: Decimal = ZERO
    new: Decimal = ONE
    old: Decimal = ONE


class DividendPaid(Struct, frozen=True):
    """What is owed on an instrument for the pay date `pay_ns` is paid now."""

    ts_ns: int
    conid: int
    pay_ns: int


class MergerNow(Struct, frozen=True):
    """Units of an instrument are given up: `old` of them for `new` units of `into`, and for `cash` each.

    `into` None is a merger for cash alone. Both are in one currency. `price` is the last known one of `into`.
    """

    ts_ns: int
    conid: int
    into: int | None
    new: Decimal
    old: Decimal
    cash: Decimal
    price: Decimal | None = None


class SpinOffNow(Struct, frozen=True):
    """Whoever holds `old` units gets `new` units of `into`, with the part `cost_share` of their cost."""

    ts_ns: int
    conid: int
    into: int
    new: Decimal
    old: Decimal
    cost_share: Decimal
    price: Decimal | None = None


class ExpiryNow(Struct, frozen=True):
    """A contract ends, settled in cash at `price` a unit; 0 is an option that ends worthless."""

    ts_ns: int
    conid: int
    price: Decimal


class ExerciseNow(Struct, frozen=True):
    """Options become their underlying at the strike: longs exercise, shorts are assigned.

    `right` is "C" or "P", `holders` "all", "long" (exercise alone) or "short" (assignment alone).
    """

    ts_ns: int
    conid: int
    underlying: int
    strike: Decimal
    right: str
    holders: str = "all"


class ConvertNow(Struct, frozen=True):
    """The account gives `sold` of one currency for `bought` of another."""

    ts_ns: int
    sold: Decimal
    sold_currency: str
    bought: Decimal
    bought_currency: str


class DayEnded(Struct, frozen=True):
    """A calendar day has ended: interest and borrow fees of one day accrue. `prices` are the last known of shares."""

    ts_ns: int
    day: date
    conids: tuple[int, ...] = ()
    prices: tuple[tuple[int, Decimal], ...] = ()


class InterestPaid(Struct, frozen=True):
    """Interest and borrow fees that accrued before the month of `day` move cash now."""

    ts_ns: int
    day: date


class RateNow(Struct, frozen=True):
    """From now on one unit of a currency is worth `rate` in base currency; `conid` is the pair it is read from, and
    None where it stands in a table. A pair without a price leaves the rate as it is."""

    ts_ns: int
    currency: str
    rate: Decimal | None = None
    conid: int | None = None
    inverse: bool = False


# What changes units, so that prices and orders of before mean something else after.
Conversion = SplitNow | MergerNow | ExpiryNow | ExerciseNow
OnHolders = SplitNow | DividendNow | DividendDue | MergerNow | SpinOffNow | ExpiryNow | ExerciseNow
OnAccount = DividendPaid | ConvertNow | DayEnded | InterestPaid | RateNow
Action = OnHolders | OnAccount


class Booked(Struct, frozen=True):
    """What an action did to one strategy's position: units `before` and `after`, and money received (below zero: paid).

    `kind` is "dividend", "split", "merger", "spin-off", "expiry", "exercise", "assignment" or "cash in lieu" (money for
    the fraction of a unit that was left; `realised` is the profit that closed with it).
    """

    ts_ns: int
    strategy: str
    conid: int
    kind: str
    before: Decimal
    after: Decimal
    cash: Decimal
    currency: str
    realised: Decimal = Decimal(0)


class Posting(Struct, frozen=True):
    """Money that moves without a trade: what is owed to us grows by `accrued`, cash by `cash` (below zero: shrinks).

    `kind` is "dividend", "withholding tax", "interest", "short interest", "borrow fee" or "conversion"; `owner` a
    strategy, or "" for the account; `conid` 0 where it is of no instrument; `basis` says what it was worked out from.
    `term` is what it is owed for: a dividend's pay date (ns UTC), or year x 12 + month of the interest.
    """

    ts_ns: int
    kind: str
    owner: str
    currency: str
    accrued: Decimal
    cash: Decimal
    conid: int = 0
    basis: str = ""
    term: int = 0
