"""What can be traded: contract facts, price ticks, and the one door from market `float` to ticket `Decimal`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import pairwise
from math import inf
from typing import Final

from attrs import field, frozen

ONE: Final = Decimal(1)
ZERO: Final = Decimal(0)
# How many prices, levels and quantities an instrument remembers: a look-up costs a tenth of working one out.
_REMEMBERED_MAX: Final = 100_000


class SecType(StrEnum):
    """IBKR's names for kinds of instrument."""

    STOCK = "STK"
    OPTION = "OPT"
    FUTURE = "FUT"
    FUTURE_OPTION = "FOP"
    CASH = "CASH"
    CRYPTO = "CRYPTO"
    COMBO = "BAG"
    INDEX = "IND"


def _is_number(value: object) -> bool:
    """A finite `Decimal`; a float would make money inexact without a word."""
    return isinstance(value, Decimal) and value.is_finite()


@frozen
class PriceTick:
    """From the price `above` on (inclusive), prices are multiples of `tick`."""

    above: Decimal
    tick: Decimal

    def __attrs_post_init__(self) -> None:
        if not (_is_number(self.above) and _is_number(self.tick) and self.tick > 0):
            raise ValueError(f"a price tick needs a level and a tick above zero, not {self.above} and {self.tick}")


_MAY_BE_NEGATIVE: Final = frozenset({SecType.FUTURE, SecType.FUTURE_OPTION, SecType.COMBO})


@frozen
class Leg:
    """One leg of a combo: `ratio` units of `conid` for each unit of the combo, negative where it is sold."""

    conid: int
    ratio: int

    def __attrs_post_init__(self) -> None:
        if self.ratio == 0:
            raise ValueError(f"leg {self.conid} has the ratio 0")


def _cents() -> tuple[PriceTick, ...]:
    return (PriceTick(ZERO, Decimal("0.01")),)


@frozen(kw_only=True)
class Instrument:
    """One tradable contract.

    `price_ticks` is the tick table by price level, lowest level first; `size_increment` the step and least size of a
    quantity; `multiplier` the money of one unit at price 1; `calendar` a name of exchange_calendars, or "24/7";
    `outside_hours` the extended session as minutes (before the open, after the close), 0 where there is none.
    `known_levels` and `known_units` are what `level` and `units` have answered before: read them, don't write them.
    """

    conid: int
    symbol: str
    sec_type: SecType = SecType.STOCK
    currency: str = "USD"
    multiplier: Decimal = ONE
    price_ticks: tuple[PriceTick, ...] = field(factory=_cents)
    size_increment: Decimal = ONE
    exchange: str = "SMART"
    calendar: str = "XNYS"
    outside_hours: tuple[int, int] = (0, 0)
    legs: tuple[Leg, ...] = ()
    # The tick where there is one for all prices, else 0.
    _tick: float = field(default=0.0, init=False, eq=False, repr=False)
    _decimals: dict[int, Decimal] = field(factory=dict, init=False, eq=False, repr=False)
    known_levels: dict[Decimal, float] = field(factory=dict, init=False, eq=False, repr=False)
    known_units: dict[Decimal, float] = field(factory=dict, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.price_ticks:
            raise ValueError(f"{self.symbol} has no price tick")
        if len(self.price_ticks) == 1:
            object.__setattr__(self, "_tick", float(self.price_ticks[0].tick))
        for lower, upper in pairwise(self.price_ticks):
            if upper.above <= lower.above:
                raise ValueError(f"{self.symbol}: price ticks must go from the lowest level up")
            if upper.above % lower.tick or upper.above % upper.tick:  # else rounding could cross a level off its tick
                raise ValueError(f"{self.symbol}: the level {upper.above} is no multiple of the ticks beside it")
        for money in (self.multiplier, self.size_increment):
            if not (_is_number(money) and money > 0):
                raise ValueError(f"{self.symbol}: multiplier and size increment must be above zero, in Decimal")
        if (self.sec_type is SecType.COMBO) != bool(self.legs):
            raise ValueError(f"{self.symbol}: legs and the security type BAG belong together")
        if len({leg.conid for leg in self.legs}) != len(self.legs):
            raise ValueError(f"{self.symbol}: one instrument stands in two legs; their ratios belong in one")

    @property
    def price_floor(self) -> float:
        """What every price of it lies above: 0, or minus infinity where one may be nothing or less."""
        return -inf if self.sec_type in _MAY_BE_NEGATIVE else 0.0

    def tick_at(self, price: Decimal) -> Decimal:
        """Return the tick at a price level (of a negative price, that of its size)."""
        if len(self.price_ticks) == 1:
            return self.price_ticks[0].tick
        level = abs(price)
        found = self.price_ticks[0].tick
        for step in self.price_ticks:
            if level < step.above:
                break
            found = step.tick
        return found

    def price(self, value: float) -> Decimal:
        """Cross from market data to money: `value` rounded to the nearest tick, exactly.

        Raises: ValueError if `value` is not finite.
        """
        if self._tick:
            try:
                number = round(value / self._tick)
            except (ValueError, OverflowError):  # NaN, infinity
                raise ValueError(f"{value} is no price") from None
            known = self._decimals.get(number)
            if known is None:
                known = number * self.price_ticks[0].tick
                if len(self._decimals) < _REMEMBERED_MAX:
                    self._decimals[number] = known
            return known
        exact = Decimal(repr(value))
        if not exact.is_finite():
            raise ValueError(f"{value} is no price")
        tick = self.tick_at(exact)
        return (exact / tick).to_integral_value() * tick

    def on_tick(self, price: Decimal) -> bool:
        """Say whether a ticket price lies on the tick table."""
        try:
            return price % self.tick_at(price) == 0
        except InvalidOperation:  # so large that the tick is below its last digit
            return False

    def level(self, price: Decimal) -> float | None:
        """A ticket price as market data shows it; None if it lies off the tick table."""
        known = self.known_levels.get(price)
        if known is None:
            if not self.on_tick(price):
                return None
            known = float(price)
            if len(self.known_levels) < _REMEMBERED_MAX:
                self.known_levels[price] = known
        return known

    def units(self, quantity: Decimal) -> float | None:
        """A ticket's quantity as a float; None if it is no multiple of the size increment."""
        known = self.known_units.get(quantity)
        if known is None:
            try:
                if quantity % self.size_increment:
                    return None
            except InvalidOperation:  # so large that the increment is below its last digit
                return None
            known = float(quantity)
            if len(self.known_units) < _REMEMBERED_MAX:
                self.known_units[quantity] = known
        return known
