"""The orders of the day as the guard shows them: the journal's rows, and what the guard has read of them since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from engine.domain.brokerage import VenueOrder
from engine.domain.order import State
from engine.operator.rows import Row, plain

# What the venue calls an order that trades no more, in our words.
ENDED: Final[Mapping[str, State]] = {
    "filled": State.FILLED,
    "cancelled": State.CANCELLED,
    "apicancelled": State.CANCELLED,
    "expired": State.CANCELLED,
    "rejected": State.REFUSED,
}


def word_of(row: VenueOrder) -> str:
    """An order's status at the venue, in one spelling; empty if it has none."""
    return "" if row.status is None else row.status.replace(" ", "").lower()


def as_seen(rows: Iterable[Row], seen: Iterable[VenueOrder]) -> list[Row]:
    """Rows of the journal, whose daemon heard nothing of its orders' ends, with what the venue's list said of them."""
    copies: dict[str, VenueOrder] = {}
    for copy in seen:
        copies[copy.order_id] = copy
        if copy.coid is not None:
            copies[copy.coid] = copy
    return [_as_seen(row, copies.get(row["order_id"] or row["coid"])) for row in rows]


def _as_seen(row: Row, copy: VenueOrder | None) -> Row:
    if copy is None or not row["open"]:
        return row
    filled = row["filled"] if copy.filled is None else plain(copy.filled)
    ended = ENDED.get(word_of(copy))
    told = {**row, "order_id": copy.order_id, "filled": filled}
    return told if ended is None else {**told, "status": str(ended), "open": False}
