"""A split, a merger or an expiry at the venue: what rests is cancelled, what is on its way is turned down.

IBKR cancels orders that are good until cancelled when a split comes, and does not reduce orders for dividends (its page
on time in force).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from engine.domain.facts import Refused
from engine.domain.messages import PlaceRequest, Request
from engine.venue.floor import Floor

SPLIT: Final = "split"
_REASON: Final = "came while it was on its way: it is in units that are no more"


def cancel_resting(floor: Floor, conids: Collection[int], now_ns: int, why: str = SPLIT) -> None:
    """Take every order in the instruments off, in the order of arrival; `why` is the reason told."""
    for order in tuple(floor.orders.values()):
        if order.ticket.conid in conids:
            floor.cancel(order, now_ns, why)


def refuse_under_way(
    floor: Floor,
    under_way: Iterable[tuple[int, int, Request]],
    conids: Collection[int],
    now_ns: int,
    why: str = SPLIT,
) -> list[tuple[int, int, Request]]:
    """Turn down placements in the instruments that have not arrived, groups as a whole; return what stays under way."""
    stay = []
    for entry in under_way:
        request = entry[2]
        if isinstance(request, PlaceRequest) and any(ticket.conid in conids for ticket in request.tickets):
            floor.answers += [
                Refused(coid=ticket.coid, ts_ns=now_ns + floor.heard_ns, code=why, reason=f"{_article(why)} {_REASON}")
                for ticket in request.tickets
            ]
        else:
            stay.append(entry)
    return stay


def _article(why: str) -> str:
    return f"an {why}" if why[0] in "aeiou" else f"a {why}"
