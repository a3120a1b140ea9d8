"""A frame of `sbd` into a book. Pure. Each frame tells the whole book; its rows go from the highest price down."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.depth import Depth, Level
from engine.webapi import values
from engine.webapi.facts.market import DepthRow
from engine.webapi.stream import frames


def book(frame: frames.Depth, at_ns: int) -> Depth:
    """Read the levels; a row without a price or a size is none."""
    bids = [level for row in frame.rows if (level := _level(row, row.bid)) is not None]
    asks = [level for row in frame.rows if (level := _level(row, row.ask)) is not None]
    return Depth(
        at_ns,
        frame.conid,
        tuple(sorted(bids, key=lambda level: -level.price)),
        tuple(sorted(asks, key=lambda level: level.price)),
    )


def _level(row: DepthRow, size: Decimal | None) -> Level | None:
    # Where an order of one's own or the last trade stands, the price is written "size @ price".
    price = values.number(row.price.rpartition("@")[2])
    return None if price is None or size is None or size <= 0 else Level(price, float(size))
