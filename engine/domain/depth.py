"""A book of more than its best bid and offer. Live only: recordings have none, and no backtest sees one."""

from __future__ import annotations

from msgspec import Struct


class Level(Struct, frozen=True, gc=False):
    """One price of a book, and the size that is wanted there."""

    price: float
    size: float


class Depth(Struct, frozen=True):
    """An instrument's book from `ts_ns` on: bids from the highest price down, asks from the lowest up."""

    ts_ns: int
    conid: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
