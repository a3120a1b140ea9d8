"""What the actors say to one another.

A strategy states intents; the risk gate turns them into an `Approved` or a refusal; the order manager turns what is
approved into requests; a broker answers with facts; the order manager turns facts into updates for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

from engine.domain.facts import Filled, OrderEvent
from engine.domain.order import Order
from engine.domain.ticket import Change, OrderTicket


class Place(Struct, frozen=True, gc=False):
    """Place one order, or a group as a whole.

    In a bracket the first ticket is the entry and the rest name it as `parent`; in an OCA group all share `oca_group`.
    """

    tickets: tuple[OrderTicket, ...]


class Modify(Struct, frozen=True, gc=False):
    """Change fields of a working order; the order manager rebuilds the full ticket."""

    coid: str
    strategy: str
    changes: Mapping[str, Change]


class Cancel(Struct, frozen=True, gc=False):
    """Ask for an order's cancellation."""

    coid: str
    strategy: str


class Resend(Struct, frozen=True, gc=False):
    """Send a ticket once more under its own id: it was sent, and proved never to have arrived."""

    ticket: OrderTicket


class Release(Struct, frozen=True, gc=False):
    """Judge tickets that were held once more, through the whole gate.

    `person`: one has let them pass. `margin` is the change of initial margin that the venue's preview told, if it was
    asked for one.
    """

    tickets: tuple[OrderTicket, ...]
    person: bool = False
    margin: Decimal | None = None


Intent = Place | Modify | Cancel | Resend | Release


class Refusal(Struct, frozen=True, gc=False):
    """Why the gate said no: a stable code, the limit, the value that broke it, and a sentence."""

    code: str
    limit: str
    value: str
    sentence: str


class Approved(Struct, frozen=True, gc=False):
    """An intent that passed every check. Made by the risk gate alone (a test holds this).

    `because` says why it is smaller than what was wanted; None where it is what was wanted.
    """

    intent: Intent
    because: Refusal | None = None


class Denied(Struct, frozen=True, gc=False):
    """An intent that the gate refused, whole."""

    intent: Intent
    refusal: Refusal


class OnHold(Struct, frozen=True, gc=False):
    """A placement that waits for a person's yes, or for the venue's preview. It counts for nothing meanwhile."""

    intent: Place
    refusal: Refusal


Verdict = Approved | Denied | OnHold

# What risk says of the tickets of a question, beside what rules may ask for: a check of our own refuses one by now.
BARRED: Final = "barred"


class PlaceRequest(Struct, frozen=True, gc=False):
    """Write these tickets to the venue, once. `closing`: the kill switch closes a position with it."""

    tickets: tuple[OrderTicket, ...]
    closing: bool = False


class ResendRequest(Struct, frozen=True, gc=False):
    """Write this ticket once more, under the id it had; where that is not `approved`, give it up."""

    ticket: OrderTicket
    approved: bool


class ModifyRequest(Struct, frozen=True, gc=False):
    """Replace a working order by this full ticket."""

    ticket: OrderTicket


class CancelRequest(Struct, frozen=True, gc=False):
    """Ask the venue to cancel."""

    coid: str


Request = PlaceRequest | ModifyRequest | CancelRequest | ResendRequest


class Update(Struct, frozen=True, gc=False):
    """An order after something became known about it. `event` is a `Filled` where money moved."""

    order: Order
    event: OrderEvent


class PositionNow(Struct, frozen=True, gc=False):
    """A position after a fill, as the portfolio has it: of one strategy, and of the account.

    `cost` is what the open quantity cost in all (signed like the quantity, fees apart), `realised` the profit closed so
    far before fees.
    """

    strategy: str
    conid: int
    quantity: Decimal
    cost: Decimal
    realised: Decimal
    account_quantity: Decimal
    cash: Decimal
    currency: str


class TimerDue(Struct, frozen=True, gc=False):
    """A timer or calendar event of one strategy has come."""

    strategy: str
    name: str
    ts_ns: int
    calendar: bool = False


class SetTimer(Struct, frozen=True, gc=False):
    """A strategy wants to be woken at `at_ns`; the same name set again replaces, save for calendar events."""

    strategy: str
    name: str
    at_ns: int
    calendar: bool = False


class DropTimer(Struct, frozen=True, gc=False):
    """A strategy takes a timer back."""

    strategy: str
    name: str


TimerWish = SetTimer | DropTimer


class BarWish(Struct, frozen=True, gc=False):
    """A strategy wants bars of `span_ns` of an instrument, built from `source`: "trades", "mid" or "bars"."""

    strategy: str
    conid: int
    span_ns: int
    source: str


__all__ = [
    "Approved",
    "BarWish",
    "Cancel",
    "CancelRequest",
    "Denied",
    "DropTimer",
    "Filled",
    "Intent",
    "Modify",
    "ModifyRequest",
    "OnHold",
    "Place",
    "PlaceRequest",
    "PositionNow",
    "Refusal",
    "Release",
    "Request",
    "Resend",
    "ResendRequest",
    "SetTimer",
    "TimerDue",
    "TimerWish",
    "Update",
    "Verdict",
]
