"""When an order may trade: its session's open and close, the extended minutes included where it asks for them."""

from __future__ import annotations

from bisect import bisect_right

from engine.domain.moments import END_OF_TIME_NS, NS_PER_MINUTE
from engine.domain.ticket import Tif
from engine.venue.working import CLOSING, WorkingOrder


def outside_ns(order: WorkingOrder) -> tuple[int, int]:
    """Extended minutes before the open and after the close; auctions have none."""
    if not order.ticket.outside_rth or order.act is CLOSING or order.ticket.tif is Tif.OPG:
        return 0, 0
    before, after = order.book.instrument.outside_hours
    return before * NS_PER_MINUTE, after * NS_PER_MINUTE


def waits_until_ns(order: WorkingOrder, now_ns: int) -> int | None:
    """The open that an order has to wait for; None if it may trade now."""
    if order.ticket.tif is not Tif.OPG and _is_open(order, now_ns):
        return None
    return opens_ns(order, now_ns)


def _is_open(order: WorkingOrder, now_ns: int) -> bool:
    before, after = outside_ns(order)
    sessions = order.book.sessions
    last = bisect_right(sessions.opens_ns, now_ns + before) - 1
    return last >= 0 and now_ns < sessions.closes_ns[last] + after


def opens_ns(order: WorkingOrder, now_ns: int) -> int:
    """The first open at or after a time."""
    before, _ = outside_ns(order)
    opens = order.book.sessions.next_open_ns(now_ns + before)
    return opens if opens == END_OF_TIME_NS else opens - before


def closes_ns(order: WorkingOrder, now_ns: int) -> int:
    """When the session that an order trades in is over: just after its close, whose very moment still belongs to it
    (the last bar of a session ends there)."""
    _, after = outside_ns(order)
    closes = order.book.sessions.next_close_ns(now_ns - after)
    return closes if closes == END_OF_TIME_NS else closes + after + 1
