"""Corporate actions as they come due in a run: what happens to whoever holds the instrument at that moment."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

ONE = Decimal(1)


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


Action = SplitNow | DividendNow


class Booked(Struct, frozen=True):
    """What an action did to one strategy's position: units `before` and `after`, and money received (below zero: paid).

    `kind` is "dividend", "split" or "cash in lieu" (money for the fraction of a unit that a split left; `realised` is
    the profit that closed with it).
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
