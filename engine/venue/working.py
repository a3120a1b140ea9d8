"""An order as the venue has it, from its arrival to its end."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.domain.ticket import OrderTicket

if TYPE_CHECKING:
    from engine.venue.book import Book
    from engine.venue.fees import Tab
    from engine.venue.groups import Bracket

ZERO: Final = Decimal(0)
UNKNOWN_QUEUE: Final = float("inf")


class Stand(IntEnum):
    """Where an order is with the venue."""

    HELD = 0  # a bracket's child that waits for its entry
    WAITING = 1  # for the open
    WORKING = 2  # on the book
    SPENT = 3  # a bracket's child whose quantity its siblings have used up, for now
    DONE = 4


class Act(IntEnum):
    """What an order does on the book now; a stop that has triggered becomes a market or a limit order."""

    MARKET = 0
    LIMIT = 1
    STOP = 2
    TRAIL = 3
    MIDPRICE = 4
    OPENING = 5  # an OPG order in the open auction
    CLOSING = 6  # MOC and LOC, until the close


# A member looked up on its enum costs 0.14 us, a name of the module 0.03; the fast path asks twenty times.
MARKET: Final = Act.MARKET
LIMIT: Final = Act.LIMIT
STOP: Final = Act.STOP
TRAIL: Final = Act.TRAIL
MIDPRICE: Final = Act.MIDPRICE
OPENING: Final = Act.OPENING
CLOSING: Final = Act.CLOSING
HELD: Final = Stand.HELD
WAITING: Final = Stand.WAITING
WORKING: Final = Stand.WORKING
SPENT: Final = Stand.SPENT
DONE: Final = Stand.DONE


class WorkingOrder(Struct, eq=False):
    """An order at the venue. Mutable; the floor owns it.

    `left` is what may still be filled now (of a bracket's child, what its entry and siblings leave it). `lo` and `hi`
    are the limit a thousandth of a tick below and above, so that one float compare says "through" or "reached".
    `ahead` is the size before it in the queue as of chunk row `folded`, `extreme` the price a trailing stop follows
    (NaN: none seen yet) as of the same row. `taking`: it was marketable when it arrived and has not been matched yet.
    `plain`: it came the short way (`engine.venue.plain`), and no other order hangs on it. `alarm_ns` is the session
    event it waits for, 0 for none; `tabs` its fees so far, by conid.

    A struct, because making one is on the fast path: a class with an `__init__` takes several times as long.
    """

    ticket: OrderTicket
    book: Book
    seq: int
    act: Act
    buy: bool
    left: Decimal
    left_f: float
    live_ns: int = 0
    folded: int = 0
    plain: bool = False
    limit: Decimal | None = None
    lo: float = 0.0
    hi: float = 0.0
    filled: Decimal = ZERO
    stand: Stand = WORKING
    stop: float = 0.0
    offset: float = 0.0
    ahead: float = UNKNOWN_QUEUE
    extreme: float = float("nan")
    taking: bool = False
    triggered: bool = False
    ioc: bool = False
    alarm_ns: int = 0
    bracket: Bracket | None = None
    entry_of: Bracket | None = None
    tabs: dict[int, Tab] | None = None

    @property
    def coid(self) -> str:
        """Our client order id."""
        return self.ticket.coid

    @property
    def venue_id(self) -> str:
        """The venue's name for it."""
        return f"V{self.seq}"

    def set_left(self, left: Decimal) -> None:
        """Set what may still be filled."""
        self.left = left
        self.left_f = float(left)
