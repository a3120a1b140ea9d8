"""The gate of the kill switch (R18): it lets pass what makes a position at the venue smaller, and no halt closes it.

None of the limits is asked here, no latch and no market data: with the price unknown or the day's loss spent, getting
out has to work all the same. What an order has to be is asked strictly: one market order, of ours, never larger than
what the venue says is held, less what is under way on its side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from engine.domain.messages import Approved, Denied, Place, Refusal, Verdict
from engine.domain.ticket import OrderType, Side
from engine.domain.view import MarketView
from engine.risk.gate import Gate

CODE: Final = "REDUCE_ONLY"
_ZERO: Final = Decimal(0)


def judge_closing(
    gate: Gate, intent: Place, held: Mapping[int, Decimal], view: Callable[[], MarketView], now_ns: int
) -> Verdict:
    """Approve an order that closes, and count it.

    Args:
        held: Signed units at the venue, by conid, as it said itself; what is missing is not held.
    """
    if len(intent.tickets) != 1:
        return Denied(intent, _no("one order", str(len(intent.tickets)), "a position is closed by one order at a time"))
    ticket = intent.tickets[0]
    if ticket.order_type is not OrderType.MARKET or ticket.parent is not None or ticket.oca_group is not None:
        return Denied(intent, _no("a market order", str(ticket.order_type), "a position is closed by a market order"))
    units = held.get(ticket.conid, _ZERO)
    room = abs(units) - gate.under_way(ticket.conid, ticket.side)
    if units * ticket.side.sign >= _ZERO or ticket.quantity > room:
        most = max(room, _ZERO) if units * ticket.side.sign < _ZERO else _ZERO
        sentence = (
            f"the venue holds {units} of {ticket.conid}: {ticket.side} {ticket.quantity} would not only reduce it"
        )
        return Denied(intent, _no(str(most), str(ticket.quantity), sentence))
    refusal = gate.take_closing(ticket, view, now_ns)
    return Approved(intent) if refusal is None else Denied(intent, refusal)


def closing_side(units: Decimal) -> Side:
    """The side that makes a position smaller."""
    return Side.SELL if units > _ZERO else Side.BUY


def under_way(gate: Gate, conid: int, units: Decimal) -> Decimal:
    """Units of open orders that make a position smaller already."""
    return gate.under_way(conid, closing_side(units))


def _no(limit: str, value: str, sentence: str) -> Refusal:
    return Refusal(CODE, limit, value, sentence)
