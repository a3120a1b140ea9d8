"""Tops of books: the price at which a position is valued, and a combo's top from those of its legs."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite
from typing import Final

from engine.gateway.records import Top

_NAN: Final = float("nan")


def mark(top: Top) -> float:
    """The mark price: the ask if it is below the last trade, the bid if that is above it, else the last trade.

    Without a last trade it is the middle, or the prior close; NaN where nothing is known.
    """
    if top.last == top.last:
        if top.ask < top.last:
            return top.ask
        return top.bid if top.bid > top.last else top.last
    middle = (top.bid + top.ask) * 0.5
    return middle if middle == middle else top.prior_close


def combined(conid: int, legs: Sequence[tuple[int, Top | None]]) -> Top | None:
    """What a unit of a combo can be bought and sold at; None unless every leg is known."""
    bid = ask = last = prior = 0.0
    bid_units = ask_units = float("inf")
    ts_ns = 0
    halted, is_open = False, True
    for ratio, top in legs:
        if top is None:
            return None
        near, far = (top.bid, top.ask) if ratio > 0 else (top.ask, top.bid)
        near_size, far_size = (top.bid_size, top.ask_size) if ratio > 0 else (top.ask_size, top.bid_size)
        bid, ask = bid + ratio * near, ask + ratio * far
        last, prior = last + ratio * mark(top), prior + ratio * top.prior_close
        bid_units = min(bid_units, near_size / abs(ratio))
        ask_units = min(ask_units, far_size / abs(ratio))
        ts_ns = max(ts_ns, top.ts_ns)
        halted, is_open = halted or top.halted, is_open and top.open_market
    return Top(
        conid=conid,
        ts_ns=ts_ns,
        bid=_clean(bid),
        ask=_clean(ask),
        bid_size=float(floor(bid_units)) if isfinite(bid_units) else _NAN,
        ask_size=float(floor(ask_units)) if isfinite(ask_units) else _NAN,
        last=_clean(last),
        last_size=_NAN,
        volume=0.0,
        open=_NAN,
        high=_NAN,
        low=_NAN,
        prior_close=_clean(prior),
        halted=halted,
        open_market=is_open,
    )


def _clean(price: float) -> float:
    """A sum of prices without the dust of binary fractions."""
    return round(price, 8)
