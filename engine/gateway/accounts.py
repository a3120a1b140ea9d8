"""Accounts: cash by currency, positions at total cost, what was realised and paid. Exact, in `Decimal`.

By currency, at every moment: cash + cost of paid positions = deposits + realised - fees. A future is not paid for: its
position has a cost, but only what is realised moves cash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from attrs import define, field

from engine.domain.instrument import Instrument, SecType
from engine.gateway.records import Position

ZERO: Final = Decimal(0)
_GRAIN: Final = Decimal("1e-8")
UNPAID: Final = frozenset({SecType.FUTURE, SecType.FUTURE_OPTION})


def book(position: Position, units: Decimal, money: Decimal) -> Decimal:
    """Book signed units for signed money (price x units x multiplier) into a position; return the profit realised.

    When a part is closed, its part of the cost is taken out rounded to 1e-8, and the profit is worked out with what was
    taken out: so no division ever loses money.
    """
    held = position.quantity
    profit = ZERO
    if not held or (held > 0) == (units > 0):
        position.cost += money
    elif abs(units) <= abs(held):
        out = position.cost
        if abs(units) < abs(held):
            out = (position.cost * -units / held).quantize(_GRAIN, ROUND_HALF_EVEN)
        profit = -money - out
        position.cost -= out
    else:  # closed, and opened the other way
        closing = (money * -held / units).quantize(_GRAIN, ROUND_HALF_EVEN)
        profit = -closing - position.cost
        position.cost = money - closing
    position.quantity = held + units
    position.realised += profit
    return profit


@define(eq=False)
class Account:
    """One account's books. `realised` and `fees` are by currency and for good; a position's `realised` is the day's.

    `day_value` is the net liquidation at the beginning of the venue's day, in the base currency.
    """

    name: str
    deposits: dict[str, Decimal]
    cash: dict[str, Decimal] = field(factory=dict)
    positions: dict[int, Position] = field(factory=dict)
    realised: dict[str, Decimal] = field(factory=dict)
    fees: dict[str, Decimal] = field(factory=dict)
    day_value: Decimal = ZERO
    day_realised: dict[str, Decimal] = field(factory=dict)

    def fill(self, instrument: Instrument, units: Decimal, price: Decimal) -> Decimal:
        """Book an execution of signed units; return the profit realised, in the instrument's currency."""
        money = units * price * instrument.multiplier
        position = self.positions.get(instrument.conid)
        if position is None:
            position = self.positions[instrument.conid] = Position(conid=instrument.conid)
        profit = book(position, units, money)
        currency = instrument.currency
        moved = profit if instrument.sec_type in UNPAID else -money
        self.cash[currency] = self.cash.get(currency, ZERO) + moved
        self.realised[currency] = self.realised.get(currency, ZERO) + profit
        self.day_realised[currency] = self.day_realised.get(currency, ZERO) + profit
        return profit

    def charge(self, amount: Decimal, currency: str) -> None:
        """Take a fee; a rebate is below zero."""
        self.cash[currency] = self.cash.get(currency, ZERO) - amount
        self.fees[currency] = self.fees.get(currency, ZERO) + amount

    def quantity(self, conid: int) -> Decimal:
        """Units held, below zero if short."""
        position = self.positions.get(conid)
        return ZERO if position is None else position.quantity

    def open_positions(self) -> Iterator[Position]:
        """Positions that are not closed."""
        return (position for position in self.positions.values() if position.quantity)

    def roll(self, value: Decimal) -> None:
        """A new day begins with a net liquidation of `value`: what was closed is listed no more."""
        self.positions = {conid: one for conid, one in self.positions.items() if one.quantity}
        for position in self.positions.values():
            position.realised = ZERO
        self.day_realised = {}
        self.day_value = value

    def balance(self, instruments: Mapping[int, Instrument]) -> dict[str, Decimal]:
        """By currency: cash + cost of paid positions - deposits - realised + fees; all zero, or money is lost."""
        left: dict[str, Decimal] = {}
        for sign, amounts in ((1, self.cash), (-1, self.deposits), (-1, self.realised), (1, self.fees)):
            for currency, amount in amounts.items():
                left[currency] = left.get(currency, ZERO) + sign * amount
        for position in self.positions.values():
            instrument = instruments[position.conid]
            if instrument.sec_type not in UNPAID:
                left[instrument.currency] = left.get(instrument.currency, ZERO) + position.cost
        return left


def opened(name: str, cash: Mapping[str, Decimal]) -> Account:
    """A fresh account with its deposits."""
    return Account(name, dict(cash), dict(cash))
