"""A made-up book behind the touch: the market knows no more than its best bid and offer."""

from __future__ import annotations

from typing import Final

from engine.domain.instrument import Instrument
from engine.gateway.records import Top

_SHAPE: Final = (1.0, 1.6, 2.2, 1.8, 2.6, 1.4, 2.0, 3.0, 1.2, 2.4)  # sizes of levels against the touch's


def levels(top: Top, instrument: Instrument, rows: int) -> list[tuple[float, float, float]]:
    """Levels a tick apart on both sides of the touch, `rows` on each: (price, bid size, ask size), highest first.

    The sizes behind the touch are its own times a fixed shape, so that the same top gives the same book.
    """
    asks = _side(top.ask, top.ask_size, instrument, rows, up=True)
    bids = _side(top.bid, top.bid_size, instrument, rows, up=False)
    return [*((price, 0.0, size) for price, size in reversed(asks)), *((price, size, 0.0) for price, size in bids)]


def _side(price: float, size: float, instrument: Instrument, rows: int, *, up: bool) -> list[tuple[float, float]]:
    if price != price:
        return []
    shown = size if size == size else 1.0
    found = []
    at = instrument.price(price)
    for number in range(rows):
        found.append((float(at), float(max(1, round(shown * _SHAPE[number % len(_SHAPE)])))))
        tick = instrument.tick_at(at)
        at = at + tick if up else at - tick
    return found
