"""The simulated venue for a market without an end: instruments come as they are asked for, rows are dealt anew when one
does, and orders come back after a restart as they stood.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from engine.domain.columns import Chunk
from engine.domain.facts import Answer
from engine.domain.instrument import Instrument, SecType
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket
from engine.venue import combos, groups, stops
from engine.venue.arrivals import make_order
from engine.venue.book import Book
from engine.venue.sim import SimVenue
from engine.venue.working import DONE, HELD, LIMIT, MARKET, TRAIL, ZERO


class LiveVenue(SimVenue):
    """A `SimVenue` whose instruments and rows may change on the way. Give it a dict of instruments, and let it grow."""

    def admit(self, instrument: Instrument, sessions: Sessions) -> None:
        """Trade one more instrument from now on; a combo's legs were admitted before. One that is known is left."""
        if instrument.conid in self._books:
            return
        is_combo = instrument.sec_type is SecType.COMBO
        book = (combos.ComboBook if is_combo else Book)(self._floor, instrument, sessions)
        self._books[instrument.conid] = book
        if isinstance(book, combos.ComboBook):
            book.find_legs(self._books)
            self._has_combos = True
        if self._chunk is not None:
            book.begin(self._chunk)

    def extend(self, sessions: Mapping[str, Sessions]) -> None:
        """Sessions reach further now; those that were known have not changed."""
        for book in self._books.values():
            book.sessions = sessions[book.instrument.calendar]

    def deal(self, chunk: Chunk, row: int) -> None:
        """Go over to another chunk in the middle of one, of which rows from `row` on never come."""
        for book in self._books.values():
            if book.buys or book.sells or book.others or book.taken_index != -2:
                book.tape.size = row  # what its orders wait for is worked out up to there
        self.begin(chunk)

    def triggered(self, coid: str) -> tuple[bool, Decimal | None]:
        """Whether an order that is open or has just filled is a stop that has triggered, and the limit it then has."""
        order = self._floor.orders.get(coid) or self._floor.filled.get(coid)
        if order is None or not order.triggered:
            return False, None
        return True, order.limit

    def cost(self, instrument: Instrument, units: Decimal, price: Decimal, ts_ns: int) -> Decimal:
        """What an order for signed units would be charged in all, if it were executed in one piece."""
        fees = self._floor.fees
        return ZERO if fees is None else fees.preview(instrument, abs(units), price, ts_ns, sells=units < 0)

    def resume(
        self,
        ticket: OrderTicket,
        now_ns: int,
        *,
        filled: Decimal,
        done: bool = False,
        triggered: bool = False,
        limit: Decimal | None = None,
        extreme: float = float("nan"),
    ) -> list[Answer]:
        """Take back an order that an earlier run of this venue had, the oldest first; its queue begins anew.

        Args:
            filled: What it had executed.
            done: It is over, and only there for its bracket.
            triggered: It is a stop that has become a market order, or a limit order at `limit`.
            extreme: The furthest price that a trailing order has seen; NaN: as its ticket says.

        Returns: What reaches us now, should it be marketable.
        """
        floor, book = self._floor, self._books[ticket.conid]
        floor.arrived += 1
        order = make_order(ticket, book, floor.arrived)
        order.filled = filled
        order.set_left(ticket.quantity - filled)
        entry = None if ticket.parent is None else floor.orders.get(ticket.parent) or floor.filled.get(ticket.parent)
        bracket = None if entry is None else groups.join_bracket(entry, order)
        if bracket is not None:
            bracket.exits += filled
        if done:
            order.stand = DONE
            floor.filled[ticket.coid] = order
            floor.ended[ticket.coid] = "filled"
            return []
        if triggered:
            order.triggered = True
            order.act = MARKET if limit is None else LIMIT
            if limit is not None:
                book.set_limit(order, limit)
        elif order.act is TRAIL:
            order.extreme = stops.follow(order, order.extreme, extreme)
        floor.orders[ticket.coid] = order
        groups.join_oca(floor, order)
        if bracket is not None:
            order.set_left(bracket.share(order))
            if not order.left:
                order.stand = HELD
                return []
        self._go_live(order, now_ns, said=True)
        return self._heard(now_ns)
