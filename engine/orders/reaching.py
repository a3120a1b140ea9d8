"""What a full list of orders may have left out.

The venue's list holds the day's orders, ended ones too, up to a thousand rows. A day with more than that has orders
that no list shows. Which ones those are nobody documents, so our own tell: where all of ours that are missing are older
than a hundred that are there, the list keeps the newest, and what was sent since and is not in it is not there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from engine.domain.brokerage import OrdersKnown
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.order import CLOSED, Order

ENOUGH: Final = 100  # orders of ours that a list must hold without a gap before it is believed to have none


def hidden(
    view: OrdersKnown, book: Mapping[str, Order], known: Mapping[str, str], present: Collection[str], settle_ns: int
) -> set[str]:
    """Our open orders that are not in a reading and may be there all the same.

    Args:
        book: Our orders by client order id.
        known: The venue's ids of those that it was seen to have.
        present: Those in the reading.
        settle_ns: How long an order may take to show up; nothing is concluded from younger ones.

    Returns: Their client order ids; none unless the reading is full.
    """
    if not view.full:
        return set()
    reach_ns = _reach_ns([book[coid].created_ns for coid in present], book, known, present, view.as_of_ns - settle_ns)
    return {
        coid
        for coid, order in book.items()
        if order.state not in CLOSED and coid not in present and order.created_ns <= reach_ns
    }


def _reach_ns(
    shown: list[int], book: Mapping[str, Order], known: Mapping[str, str], present: Collection[str], until_ns: int
) -> int:
    """Orders created later than this are in the list if they are at the venue; the end of time if that is not clear."""
    orders = (order for coid in known if coid not in present and (order := book.get(coid)) is not None)
    missing = [order.created_ns for order in orders if order.created_ns <= until_ns]
    reach_ns = max(missing) if missing else min(shown, default=END_OF_TIME_NS)
    newer = sum(created_ns > reach_ns for created_ns in shown)
    return reach_ns if newer >= ENOUGH else END_OF_TIME_NS
