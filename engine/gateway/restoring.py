"""Orders of an earlier run go back onto the venue."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.domain.facts import Answer
from engine.domain.messages import CancelRequest, ModifyRequest, PlaceRequest
from engine.domain.moments import NS_PER_MINUTE
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.gateway.blotter import Standing
from engine.gateway.market import MarketFeed
from engine.venue.live import LiveVenue

_TRAILS = (OrderType.TRAIL, OrderType.TRAIL_LIMIT)


def take_back(
    standings: Sequence[Standing],
    venue: LiveVenue,
    market: MarketFeed,
    admit: Callable[[int], None],
    now_ns: int,
) -> list[Answer]:
    """Give the venue the day's orders again, with the commands that were on their way to it.

    Args:
        standings: All that are listed, the oldest first. Of those that are over, brackets need what has filled.
        admit: Lets the venue trade a contract.

    Returns: What the venue says at once.
    """
    answers: list[Answer] = []
    for standing in standings:
        order = standing.order
        if order.parked or not (order.open or order.filled):
            continue
        admit(order.ticket.conid)
        if not order.open:
            venue.resume(order.ticket, now_ns, filled=order.filled, done=True)
            continue
        if not standing.heard:
            venue.submit([PlaceRequest((order.ticket,))], now_ns)
        else:
            answers += venue.resume(
                order.ticket,
                now_ns,
                filled=order.filled,
                triggered=standing.triggered,
                limit=standing.limit,
                extreme=_extreme(order.ticket, standing.live_ns, now_ns, market),
            )
        for ticket, _ in standing.pending:
            venue.submit([ModifyRequest(ticket)], now_ns)
        if order.status == "PendingCancel":
            venue.submit([CancelRequest(str(order.order_id))], now_ns)
    return answers


def _extreme(ticket: OrderTicket, live_ns: int, now_ns: int, market: MarketFeed) -> float:
    """The furthest trade that a trailing order has seen since it was live; NaN for any other order."""
    if ticket.order_type not in _TRAILS or not live_ns:
        return float("nan")
    _, trades, _ = market.ticks(ticket.conid, live_ns - NS_PER_MINUTE, now_ns + 1)
    first = max(0, int(trades["ts_ns"].searchsorted(live_ns, side="right")) - 1)
    prices = trades["price"][first:]
    if not len(prices):
        return float("nan")
    return float(np.nanmax(prices) if ticket.side is Side.SELL else np.nanmin(prices))
