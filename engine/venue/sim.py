"""The simulated venue: it takes requests, matches them with recorded market data and answers as a venue does.

It is driven from outside, knows no clock and draws no chance. Time comes with each call; rows are named by their place
in the current chunk. What lies between two calls never changes a result: everything silent (queues, trails) is worked
out from the rows when it is needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from operator import attrgetter

from msgspec.structs import replace

from engine.domain.columns import Chunk
from engine.domain.facts import Answer, CancelRefused, Refused
from engine.domain.instrument import Instrument, SecType
from engine.domain.messages import CancelRequest, ModifyRequest, PlaceRequest, Request
from engine.domain.moments import END_OF_TIME_NS, NS_PER_MS
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket
from engine.errors import ConfigError
from engine.settings import VenueSettings
from engine.venue import combos, commands, ending, groups, plain, splitting
from engine.venue.arrivals import make_order
from engine.venue.book import Book
from engine.venue.fees import FeeLedger, FeeSchedule
from engine.venue.floor import Floor
from engine.venue.lives import Lives
from engine.venue.rules import RESTING_PRICES, STOP_TRIGGERS, check_numbers, fill_rule, one_of
from engine.venue.slippage import slippage
from engine.venue.working import (
    DONE,
    HELD,
    WAITING,
)


class SimVenue(Lives):
    """One venue for all instruments of a run. `counts` are its tallies for the report."""

    def __init__(
        self,
        *,
        instruments: Mapping[int, Instrument],
        settings: VenueSettings,
        sessions: Mapping[str, Sessions],
        fees: FeeSchedule,
        seed: int,
    ) -> None:
        """Open a venue.

        Args:
            instruments: By conid; a combo's legs among them.
            settings: `[venue]`.
            sessions: By calendar name; an instrument whose calendar is missing is a mistake.
            fees: What executions cost.
            seed: For whatever may be drawn by chance; nothing is at present.

        Raises: ConfigError if a name, a share or a latency in the settings can't be used.
        """
        del seed
        rule = fill_rule(settings.fills)
        one_of("resting_price", settings.resting_price, RESTING_PRICES)
        one_of("stop_trigger", settings.stop_trigger, STOP_TRIGGERS)
        check_numbers(settings)
        latency = settings.latency_ms
        self._place_ns, self._modify_ns, self._cancel_ns, report_ns = (
            round(ms * NS_PER_MS) for ms in (latency.place, latency.modify, latency.cancel, latency.report)
        )
        ledger = FeeLedger(fees, instruments) if fees.tables else None
        floor = Floor(rule, settings, ledger, slippage(settings.slippage, settings.slippage_size), report_ns)
        super().__init__(floor)
        self.counts = floor.counts
        self._active = floor.active
        self._books: dict[int, Book] = {}
        for conid, instrument in instruments.items():
            if instrument.calendar not in sessions:
                raise ConfigError(f"there are no sessions for the calendar {instrument.calendar!r}")
            calendar = sessions[instrument.calendar]
            kind = combos.ComboBook if instrument.sec_type is SecType.COMBO else Book
            self._books[conid] = kind(floor, instrument, calendar)
        for book in self._books.values():
            if isinstance(book, combos.ComboBook):
                book.find_legs(self._books)
        self._has_combos = any(instrument.legs for instrument in instruments.values())
        # Commands on their way: (arrival, number, request). With one latency for all they arrive as they left.
        self._first_in_first_out = self._place_ns == self._modify_ns == self._cancel_ns
        self._at_once = not (self._place_ns or self._modify_ns or self._cancel_ns or report_ns)
        self._queue: deque[tuple[int, int, Request]] = deque()
        self._heap: list[tuple[int, int, Request]] = []
        self._reports: deque[Answer] = deque()
        self._chunk: Chunk | None = None
        self._times: Sequence[int] = ()
        self._row = 0

    # Driving

    def begin(self, chunk: Chunk) -> None:
        """Go over to the next chunk; all rows of the last one are behind us."""
        self._chunk = chunk
        self._times = chunk.times
        self._row = 0
        for book in self._books.values():
            book.begin(chunk)

    def submit(self, requests: Sequence[Request], now_ns: int) -> None:
        """Our commands leave us now; each arrives after its latency."""
        for request in requests:
            self._number += 1
            if self._first_in_first_out:
                self._queue.append((now_ns + self._place_ns, self._number, request))
                continue
            kind = request.__class__
            wait = (
                self._place_ns
                if kind is PlaceRequest
                else self._cancel_ns
                if kind is CancelRequest
                else self._modify_ns
            )
            heappush(self._heap, (now_ns + wait, self._number, request))

    def carry_out(self, requests: Sequence[Request], now_ns: int, row: int) -> list[Answer] | None:
        """What `submit` and `take_due` do, for commands that arrive and are answered at once.

        Args:
            row: Rows before it are known.

        Returns: The answers; None, with nothing done, if a latency or a session event is in the way.
        """
        if not self._at_once or (self._alarms and self._next_alarm_ns() <= now_ns):
            return None
        floor = self._floor
        floor.row = self._row = row
        self._arrive(requests, now_ns)
        answers = floor.answers
        floor.answers = []
        return answers

    def next_due_ns(self) -> int:
        """When the next command arrives, answer is heard or session event comes; the end of time if none does."""
        due = END_OF_TIME_NS
        if self._queue:
            due = self._queue[0][0]
        elif self._heap:
            due = self._heap[0][0]
        if self._alarms:
            due = min(due, self._next_alarm_ns())
        if self._reports:
            due = min(due, self._reports[0].ts_ns)
        return due

    def take_due(self, now_ns: int, row: int) -> list[Answer]:
        """Do all that is due by `now_ns`, in order, against the book that rows before `row` show.

        Returns: What reaches us by then.
        """
        self._floor.row = self._row = row
        queue = self._queue
        while queue and queue[0][0] <= now_ns and not self._alarms:  # mostly there is nothing else
            at, _, request = queue.popleft()
            self._arrive((request,), at)
        if queue or self._heap or self._alarms:
            self._take_in_turn(now_ns, row)
        return self._heard(now_ns)

    def _take_in_turn(self, now_ns: int, row: int) -> None:
        """Commands and session events, whichever comes first."""
        queue = self._queue
        while True:
            coming = queue or self._heap  # one of them is always empty
            at = coming[0][0] if coming else END_OF_TIME_NS
            alarm = self._alarms[0][0] if self._alarms else END_OF_TIME_NS
            if alarm <= at:
                if alarm > now_ns or alarm == END_OF_TIME_NS:
                    break
                _, _, order = heappop(self._alarms)
                if order.alarm_ns == alarm and order.stand is not DONE:
                    order.alarm_ns = 0
                    self._ring(order, alarm, row)
                continue
            if at > now_ns:
                break
            request = queue.popleft()[2] if queue else heappop(self._heap)[2]
            self._arrive((request,), at)

    def scan(self, row: int, stop: int) -> int:
        """First row in [row, stop) at which an order produces an answer; `stop` if none does."""
        idle = None
        for book in self._active:
            if book.buys or book.sells or book.others:
                stop = book.scan(row, stop)
            else:
                idle = book
        if idle is not None:
            self._active.remove(idle)  # one at a time will do
            idle.active = False
        return stop

    def settle(self, row: int) -> None:
        """Rows before `row` are behind us. Silent state is folded when it is needed, so this only notes the place."""
        self._row = row

    def take_row(self, row: int) -> list[Answer]:
        """Apply the row that `scan` named.

        Returns: What reaches us at once.
        """
        now_ns = self._times[row]
        self._floor.row = self._row = row + 1
        if self._has_combos:
            for book in combos.moved_by(row, self._active):
                book.take_row(row, now_ns)
            return self._heard(now_ns)
        for book in self._active:  # one that joins meanwhile has found nothing yet
            if book.hit == row:
                book.take_row(row, now_ns)
        return self._heard(now_ns)

    def split(self, conid: int, now_ns: int, row: int, why: str = splitting.SPLIT) -> list[Answer]:
        """An instrument's units change: rows before `row` are in old ones, and so are orders in it and in its combos.

        Args:
            why: "split", "merger", "expiry" or "exercise", as orders hear it.

        Returns: What reaches us now; answers that were on their way are heard before the books are converted.
        """
        floor = self._floor
        floor.row = self._row = row
        heard: list[Answer] = [replace(answer, ts_ns=now_ns) for answer in self._reports]
        self._reports.clear()
        book = self._books[conid]
        conids = {conid, *(combo.conid for combo in book.watchers)}
        if self._first_in_first_out:
            self._queue = deque(splitting.refuse_under_way(floor, self._queue, conids, now_ns, why))
        else:
            self._heap = splitting.refuse_under_way(floor, sorted(self._heap), conids, now_ns, why)  # sorted is a heap
        splitting.cancel_resting(floor, conids, now_ns, why)
        book.forget(now_ns)
        return [*heard, *self._heard(now_ns)]

    def finish(self, now_ns: int) -> list[Answer]:
        """The recording has ended at `now_ns`: commands on their way never arrive, answers on their way are heard.

        Returns: Those answers, and the ends of orders that do not outlive the session; other orders stay open.
        """
        self._queue.clear()
        self._heap.clear()
        for book in self._active:
            book.settle(self._row)
        floor = self._floor
        while self._alarms:
            at, _, order = heappop(self._alarms)
            if order.alarm_ns != at or order.stand is DONE:
                continue
            order.alarm_ns = 0
            if order.stand is not WAITING and ending.close_was_seen(order, at, now_ns):
                self._ring(order, at, self._row)
            else:
                ending.expire(floor, order, at)
        # Whatever reaches us after the end is heard all the same: money has moved.
        answers = sorted([*self._reports, *floor.answers], key=attrgetter("ts_ns"))
        self._reports.clear()
        floor.answers = []
        return answers

    def _heard(self, now_ns: int) -> list[Answer]:
        floor = self._floor
        answers = floor.answers
        if not floor.heard_ns:
            if answers:
                floor.answers = []
            return answers
        reports = self._reports
        reports.extend(answers)
        answers.clear()
        heard = []
        while reports and reports[0].ts_ns <= now_ns:
            heard.append(reports.popleft())
        return heard

    # Commands

    def _arrive(self, requests: Sequence[Request], now_ns: int) -> None:
        floor = self._floor
        for request in requests:
            kind = request.__class__
            if kind is PlaceRequest:
                tickets = request.tickets  # type: ignore[union-attr]  # it is one
                if len(tickets) != 1:
                    self._place_group(tickets, now_ns)
                    continue
                ticket = tickets[0]
                book = self._books.get(ticket.conid)
                if book is None or not book.plain or not plain.place(book, ticket, now_ns):
                    self._place(ticket, now_ns)
            elif kind is CancelRequest:
                coid = request.coid  # type: ignore[union-attr]
                if not plain.cancel(floor, coid, now_ns):
                    self._cancel(coid, now_ns)
            elif isinstance(request, ModifyRequest):
                self._modify(request.ticket, now_ns, floor.row)

    def _cancel(self, coid: str, now_ns: int) -> None:
        floor = self._floor
        order = floor.orders.get(coid)
        if order is None:
            no = commands.gone(coid, floor.ended)
        else:
            late = commands.locked(order, now_ns) if order.alarm_ns else None
            if late is None:
                floor.cancel(order, now_ns, "request")
                return
            no = late
        floor.answers.append(CancelRefused(coid=coid, ts_ns=now_ns + floor.heard_ns, code=no[0], reason=no[1]))

    def _place(self, ticket: OrderTicket, now_ns: int) -> None:
        floor = self._floor
        book = self._books.get(ticket.conid)
        no = commands.against_place(ticket, book, floor, now_ns)
        if no is not None or book is None:
            assert no is not None
            floor.answers.append(Refused(coid=ticket.coid, ts_ns=now_ns + floor.heard_ns, code=no[0], reason=no[1]))
            return
        floor.arrived += 1
        order = make_order(ticket, book, floor.arrived)
        floor.orders[ticket.coid] = order
        if ticket.oca_group is not None:
            groups.join_oca(floor, order)
        if ticket.parent is not None:
            entry = floor.orders.get(ticket.parent) or floor.filled[ticket.parent]
            bracket = groups.join_bracket(entry, order)
            order.set_left(bracket.share(order))
            if not order.left:
                order.stand = HELD
                floor.pend(order, now_ns)
                return
        self._go_live(order, now_ns)

    def _place_group(self, tickets: tuple[OrderTicket, ...], now_ns: int) -> None:
        """Tickets sent together: all are checked before any is taken, and all are here before any is live."""
        floor = self._floor
        noes = commands.against_group(tickets, self._books, floor, now_ns)
        if noes:
            floor.answers += commands.refuse_group(tickets, noes, now_ns + floor.heard_ns)
            return
        orders = []
        for ticket in tickets:
            floor.arrived += 1
            orders.append(make_order(ticket, self._books[ticket.conid], floor.arrived))
        groups.arrive(floor, orders, now_ns)
