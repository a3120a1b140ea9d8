"""What happens to an order between its arrival and its end: it goes live, is changed, meets opens and closes."""

from __future__ import annotations

from heapq import heappop, heappush

from engine.domain.facts import Modified, ModifyRefused
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.ticket import OrderTicket, Tif
from engine.venue import auctions, commands, groups, hours
from engine.venue.arrivals import set_stop
from engine.venue.floor import Floor
from engine.venue.working import (
    CLOSING,
    DONE,
    OPENING,
    SPENT,
    STOP,
    TRAIL,
    WAITING,
    WORKING,
    WorkingOrder,
)


class Lives:
    """The orders of a floor in time. `_alarms` is a heap of session events: (when, number, order)."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        floor.on_live = self._go_live
        self._alarms: list[tuple[int, int, WorkingOrder]] = []
        self._number = 0

    def _modify(self, wanted: OrderTicket, now_ns: int, row: int) -> None:
        floor = self._floor
        order = floor.orders.get(wanted.coid)
        no = commands.gone(wanted.coid, floor.ended) if order is None else None
        if order is not None:
            no = commands.against_change(order, wanted, now_ns)
        if order is None or no is not None:
            assert no is not None
            floor.answers.append(
                ModifyRefused(coid=wanted.coid, ts_ns=now_ns + floor.heard_ns, code=no[0], reason=no[1])
            )
            return
        book = order.book
        book.catch_up(order, row)
        keeps = commands.same_place(order, wanted)
        hours_change = wanted.tif is not order.ticket.tif or wanted.outside_rth is not order.ticket.outside_rth
        working = order.stand is WORKING and order.act is not CLOSING
        if working and not keeps:
            book.drop(order)
        old = order.ticket
        order.ticket = wanted
        order.tabs = None  # a changed order counts as a new one for the minimum
        floor.answers.append(Modified(coid=wanted.coid, ts_ns=now_ns + floor.heard_ns))
        if order.bracket is not None:
            order.set_left(order.bracket.share(order))
        else:
            order.set_left(wanted.quantity - order.filled)
        if order.filled >= wanted.quantity:
            order.stand = SPENT if working and not keeps else order.stand
            floor.end(order, "filled")
            if order.entry_of is not None:
                groups.entry_ended(floor, order.entry_of, now_ns)
            return
        if wanted.limit_price is not None:
            book.set_limit(order, wanted.limit_price)
        if (order.act is STOP or order.act is TRAIL) and old.stop_price != wanted.stop_price:
            set_stop(order)
        order.offset = float(wanted.trail) if wanted.trail is not None else 0.0
        book.changed()
        if hours_change and order.stand in (WORKING, WAITING) and not book.sessions.always:
            if working and keeps:
                book.drop(order)
            self._go_live(order, now_ns, said=True)
        elif working and not keeps:
            if order.left:
                book.enter(order, now_ns, row)
            else:
                order.stand = SPENT

    # Session events

    def _go_live(self, order: WorkingOrder, now_ns: int, *, said: bool = False) -> None:
        """An order that nothing else holds back goes onto the book, or waits for the open."""
        floor = self._floor
        book = order.book
        if not book.sessions.always:
            opens = hours.waits_until_ns(order, now_ns)
            if opens is not None and order.ioc:
                floor.cancel(order, now_ns, "ioc")  # there is nothing to take until then
                return
            if opens is not None:
                order.stand = WAITING
                if not said:
                    floor.pend(order, now_ns)
                self._set_alarm(order, opens)
                return
            if order.act is CLOSING and commands.too_late(order.ticket, book, now_ns) is not None:
                floor.cancel(order, now_ns, "cutoff")  # a child whose entry was filled too late
                return
            self._set_close(order, now_ns)
        order.stand = WORKING
        if not said:
            floor.accept(order, now_ns)
        if order.act is not CLOSING:
            book.enter(order, now_ns, floor.row)

    def _set_alarm(self, order: WorkingOrder, at_ns: int) -> None:
        order.alarm_ns = at_ns
        if at_ns != END_OF_TIME_NS:
            self._number += 1
            heappush(self._alarms, (at_ns, self._number, order))

    def _set_close(self, order: WorkingOrder, now_ns: int) -> None:
        closes = hours.closes_ns(order, now_ns)
        if closes != END_OF_TIME_NS:
            closes += order.book.grace_ns(self._floor.row)
        self._set_alarm(order, closes)

    def _ring(self, order: WorkingOrder, now_ns: int, row: int) -> None:
        """The open or the close that an order has waited for."""
        floor = self._floor
        book = order.book
        tif = order.ticket.tif
        if order.stand is WAITING:
            order.stand = WORKING
            self._set_close(order, now_ns)
            floor.accept(order, now_ns)
            if tif is Tif.OPG:
                order.act = OPENING
            if order.act is not CLOSING:
                book.enter(order, now_ns, row, opening=True)
        elif order.act is CLOSING:
            auctions.close_at(book, order, now_ns, row)
        elif tif is Tif.GTC:
            if order.stand is WORKING:
                book.catch_up(order, row)
                book.drop(order)
                order.stand = WAITING
            order.tabs = None  # an order that stays overnight is a new one for the minimum
            opens = hours.opens_ns(order, now_ns)
            self._set_alarm(order, opens if order.stand is WAITING else hours.closes_ns(order, opens))
        else:
            floor.cancel(order, now_ns, tif.lower())

    def _next_alarm_ns(self) -> int:
        alarms = self._alarms
        while alarms:
            at, _, order = alarms[0]
            if order.alarm_ns == at and order.stand is not DONE:
                return at
            heappop(alarms)
        return END_OF_TIME_NS
