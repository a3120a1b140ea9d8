"""Slippage models by name: how much worse than the market's price a taker is filled."""

from __future__ import annotations

from math import isfinite, sqrt
from typing import Final

from attrs import frozen

from engine.errors import ConfigError
from engine.venue.rules import one_of

NAMES: Final = ("none", "ticks", "bps", "half_spread", "square_root")
_BPS: Final = 1e-4


@frozen
class Slippage:
    """One model.

    `size` counts ticks (`ticks`), basis points of the price (`bps`), half spreads (`half_spread`), or basis points at
    an order as large as what is displayed (`square_root`).
    """

    name: str
    size: float

    def amount(self, price: float, tick: float, quantity: float, displayed: float, spread: float) -> float:
        """How much worse the price gets, in price units, >= 0, not yet rounded to a tick.

        Args:
            price: The market's price.
            tick: The price tick there.
            quantity: Units filled.
            displayed: Displayed size, print or bar volume that it is filled from; NaN if unknown: taken as `quantity`.
            spread: Ask less bid; NaN where no quote is known: taken as one tick.
        """
        if self.name == "ticks":
            return self.size * tick
        if self.name == "bps":
            return self.size * _BPS * abs(price)
        if self.name == "half_spread":
            return self.size * 0.5 * (max(spread, 0.0) if isfinite(spread) else tick)
        part = quantity / displayed if displayed > 0 else 1.0
        return self.size * _BPS * abs(price) * sqrt(part)


def slippage(name: str, size: float) -> Slippage | None:
    """Return the model of a name, None for `none`.

    Raises: ConfigError if there is no such model or the size is below zero.
    """
    one_of("slippage", name, NAMES)
    if not (isfinite(size) and size >= 0):
        raise ConfigError(f"slippage must be a number not below zero, not {size}", place="venue.slippage_size")
    return None if name == "none" or size == 0 else Slippage(name, size)
