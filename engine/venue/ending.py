"""Where a recording ends while orders still work: what can be known of them, and what can't."""

from __future__ import annotations

from bisect import bisect_right

from engine.domain.ticket import Tif
from engine.venue import hours
from engine.venue.floor import Floor
from engine.venue.working import CLOSING, WAITING, WorkingOrder

DATA_END = "data_end"


def close_was_seen(order: WorkingOrder, alarm_ns: int, last_ns: int) -> bool:
    """Say whether the data reach the close after which an order's alarm is set."""
    closes = order.book.sessions.closes_ns
    _, after_ns = hours.outside_ns(order)
    at = bisect_right(closes, alarm_ns - 1 - after_ns) - 1
    return at >= 0 and closes[at] + after_ns <= last_ns


def expire(floor: Floor, order: WorkingOrder, alarm_ns: int) -> None:
    """End an order whose session goes on without data.

    Nothing is filled that no data shows. An order for the close has no closing print; one for the day is over at the
    close; one that is good until cancelled stays.
    """
    if order.stand is WAITING or order.ticket.tif is Tif.GTC:
        return
    if order.act is CLOSING:
        floor.counts["auctions_past_data"] += 1
        floor.cancel(order, alarm_ns, DATA_END)
    else:
        floor.counts["expired_past_data"] += 1
        floor.cancel(order, alarm_ns, order.ticket.tif.lower())
