"""The host runs every strategy, event by event and in config order, on one window at a time.

A core: no trio, no clock, no log. It takes updates, timers and windows, calls handlers, and collects what they want.
A window stops for all at the first event at which any strategy wants something. Who gets which rows, and as what
objects, is worked out once a chunk (`plan`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from operator import length_hint
from typing import Any

import numpy as np

from engine.domain.columns import Chunk
from engine.domain.depth import Depth
from engine.domain.facts import Filled
from engine.domain.market import ROW, Bar, Kind, MarketEvent
from engine.domain.messages import BarWish, Cancel, Intent, Place, PositionNow, TimerDue, TimerWish, Update
from engine.domain.order import CLOSED
from engine.domain.view import ChunkView
from engine.errors import StrategyError
from engine.strategy.columnar import NotCopied, owner
from engine.strategy.plan import Plan, Route, Seat, plan_of, takes_bar
from engine.strategy.window import RAISED

_KIND_OF = {row: kind for kind, row in ROW.items()}


class StrategyHost:
    """All strategies of a run. `wants` is the list that contexts write to; the caller takes what is in it."""

    def __init__(self) -> None:
        self.wants: list[Intent | TimerWish] = []
        self.seats: dict[str, Seat] = {}
        self.reached_ns = 0  # time of the last event handled
        self._chunk = Chunk(ts_ns=np.empty(0, np.int64), kinds={})
        self._times: Sequence[int] = ()
        self._planned = False
        self._plan: Plan | None = None
        self._straight: Plan | None = None  # the plan, if every row of the chunk is for one handler
        self._in_window = False
        self._view = ChunkView(self._chunk)
        self._columnar: tuple[Seat, ...] = ()
        self._listening = False
        self._alone = False  # one strategy, with a whole-window handler and no other of market data
        self._row = 0

    # --- what contexts ask --------------------------------------------------------------------------------------

    def now_ns(self) -> int:
        """Time of the event in hand."""
        if not self._in_window:
            return self.reached_ns
        return self._times[self._row_in_hand()]

    def view(self) -> ChunkView:
        """The market up to and with the event in hand."""
        view = self._view
        view.chunk = self._chunk
        view.row = self._row_in_hand() + 1 if self._in_window else self._row
        return view

    def handed_out(self) -> int:
        """How many events of the current plan have been handed out: a sign of life."""
        return 0 if self._plan is None else self._plan.done()

    def _row_in_hand(self) -> int:
        for seat in self._columnar:
            assert seat.columnar is not None
            if seat.columnar.row is not None:
                return seat.columnar.row
        plan = self._plan
        assert plan is not None
        done = plan.done() - 1
        return done if plan.rows is None else int(plan.rows[done])

    # --- life ---------------------------------------------------------------------------------------------------

    def add(self, seat: Seat) -> None:
        """Give a strategy a seat; order of adding is order of calling."""
        self.seats[seat.name] = seat
        self._columnar = tuple(s for s in self.seats.values() if s.columnar is not None)
        self._listening = self._listening or seat.listens
        self._alone = len(self.seats) == 1 and seat.columnar is not None and not seat.handlers

    def start(self, now_ns: int) -> list[BarWish]:
        """Call every `on_start`; return the bars that are wanted."""
        self.reached_ns = now_ns
        wishes: list[BarWish] = []
        for seat in self.seats.values():
            self._guarded(seat, seat.strategy.on_start)
            seat.ctx.starting = False
            seat.spans = frozenset((wish.conid, wish.span_ns) for wish in seat.ctx.bar_wishes)
            wishes.extend(seat.ctx.bar_wishes)
        return wishes

    @property
    def listening(self) -> bool:
        """True if any strategy has a handler that news of an order could wake."""
        return self._listening

    def deaf(self, heard: Mapping[str, int]) -> dict[str, str]:
        """The strategies that handle market data, but none of the kinds there was, with a sentence.

        Args:
            heard: Rows by kind, built bars among the bars.
        """
        found = {}
        for seat in self.seats.values():
            kinds = [kind for kind in seat.handlers if kind is not Kind.STATUS]
            if kinds and seat.columnar is None and not any(heard.get(kind) for kind in kinds):
                there = ", ".join(sorted(heard)) or "nothing"
                found[seat.name] = f"handles {', '.join(kinds)}, and the recording has {there}"
        return found

    def stop(self, now_ns: int) -> None:
        """Call every `on_stop`."""
        self.reached_ns = now_ns
        for seat in self.seats.values():
            if seat.off is None:
                self._guarded(seat, seat.strategy.on_stop)

    # --- updates and timers -------------------------------------------------------------------------------------

    def hear(self, updates: Sequence[Update], positions: Sequence[PositionNow], now_ns: int) -> None:
        """Apply all updates of one moment, then call the handlers they are for."""
        self.reached_ns = now_ns
        seats = self.seats
        if positions:
            for position in positions:
                for seat in seats.values():
                    seat.ctx.hear_position(position)
        for update in updates:
            order = update.order
            ticket = order.ticket
            if order.state in CLOSED:
                seats[ticket.strategy].ctx.open_orders.pop(ticket.coid, None)
            else:
                seats[ticket.strategy].ctx.open_orders[ticket.coid] = order
        if not self._listening:
            return
        wants = self.wants
        for update in updates:
            order, event = update.order, update.event
            seat = seats[order.ticket.strategy]
            if seat.off is not None:
                continue
            mark = len(wants)
            try:
                # A leg alone completes no unit of a combo: it moves positions, and its order has not filled by it.
                if event.__class__ is Filled and seat.on_fill is not None and event.quantity:
                    seat.on_fill(event)
                    mark = len(wants)
                if seat.on_order is not None:
                    seat.on_order(order)
            except RAISED as error:
                self._switch_off(seat, error, mark)

    def wake(self, timers: Sequence[TimerDue], now_ns: int) -> None:
        """Call the handlers of all timers due at one moment."""
        self.reached_ns = now_ns
        for timer in timers:
            seat = self.seats[timer.strategy]
            if seat.off is None:
                handler = seat.strategy.on_calendar if timer.calendar else seat.strategy.on_timer
                self._guarded(seat, handler, timer.name)

    @property
    def deep(self) -> frozenset[int]:
        """The instruments whose books are wanted."""
        return frozenset().union(*(seat.conids for seat in self.seats.values() if seat.on_depth is not None))

    def look(self, books: Sequence[Depth], now_ns: int) -> None:
        """Show books to those who have a handler for them; live only."""
        self.reached_ns = now_ns
        for book in books:
            for seat in self.seats.values():
                if seat.on_depth is not None and seat.off is None and book.conid in seat.conids:
                    self._guarded(seat, seat.on_depth, book)

    @property
    def by_window(self) -> bool:
        """Whether anybody has a whole-window handler."""
        return bool(self._columnar)

    def hand(self, event: MarketEvent, chunk: Chunk) -> None:
        """Give one event to all who handle it, whatever they want; `run` on a chunk of one row, without its plan.

        Args:
            chunk: Without rows; it knows what is newest, the event included.
        """
        self._chunk, self._planned, self._row = chunk, False, 0
        self.reached_ns = event.ts_ns
        kind = _KIND_OF[type(event)]
        for seat in self.seats.values():
            handle = seat.handlers.get(kind)
            if handle is None or seat.off is not None or event.conid not in seat.conids:
                continue
            if isinstance(event, Bar) and not takes_bar(seat, (event.conid, event.span_ns), built=False):
                continue
            self._guarded(seat, handle, event)

    # --- windows ------------------------------------------------------------------------------------------------

    def run(self, chunk: Chunk, start: int, stop: int) -> int:
        """Hand out the rows [start, stop) until somebody wants something; nobody does yet.

        Returns: The row after the last one handed out: `stop` if nobody wanted anything.
        """
        if chunk is not self._chunk or not self._planned:
            self._open(chunk, start)
        plan = self._straight
        if plan is None:
            self._row = start
            taken = self._run_all(chunk, start, stop) if self._columnar else self._hand_out(stop)
            self._row = taken
            if taken:
                self.reached_ns = self._times[taken - 1]
            return taken
        # Every row for the one handler there is, which is what most runs are.
        wants, handle = self.wants, plan.single
        assert handle is not None
        self._in_window = True
        taken = stop
        try:
            for event in islice(plan.events, stop - start):
                handle(event)
                if wants:
                    taken = plan.total - length_hint(plan.left)
                    break
        except RAISED as error:
            self._switch_off(plan.seats[0], error, 0)
            taken = _row_after(plan)
        finally:
            self._in_window = False
        self._row = taken
        self.reached_ns = self._times[taken - 1]
        return taken

    def _run_all(self, chunk: Chunk, start: int, stop: int) -> int:
        """Whole-window handlers first, the others as far as those came, and what both want in config order."""
        stop = self._run_columns(chunk, start, stop)
        held = self.wants[:]
        self.wants.clear()
        taken = self._hand_out(stop)
        if taken < stop:
            for seat in self._columnar:
                self._cut_columns(seat, chunk, start, taken, held)
        if held:
            self.wants[:0] = held
            places = {name: place for place, name in enumerate(self.seats)}
            self.wants.sort(key=lambda want: places[owner(want)])
        return taken

    def _hand_out(self, stop: int) -> int:
        """Give the events before row `stop` to their handlers; return the row after the last one given."""
        plan = self._plan
        if plan is None:
            return stop
        wants = self.wants
        before = len(wants)
        rows = plan.rows
        count = stop - self._row if rows is None else int(np.searchsorted(rows, stop)) - plan.done()
        self._in_window = True
        try:
            if plan.single is not None:
                handle = plan.single
                for event in islice(plan.events, count):
                    handle(event)
                    if wants:
                        break
                else:
                    return stop
            else:
                assert plan.routes is not None
                for event, route in islice(zip(plan.events, plan.routes, strict=False), count):
                    for seat, handle in route:
                        mark = len(wants)
                        try:
                            handle(event)
                        except RAISED as error:
                            self._switch_off(seat, error, mark)
                            self._rest_of(route, seat, event)
                            return _row_after(plan)
                    if wants:
                        break
                else:
                    return stop
        except RAISED as error:
            self._switch_off(plan.seats[0], error, before)
        finally:
            self._in_window = False
        return _row_after(plan)

    def _rest_of(self, route: Route, failed: Seat, event: MarketEvent) -> None:
        """Give an event to those that come after the one it has failed; the plan for later ones is void."""
        after = [seat for seat, _ in route].index(failed) + 1
        for seat, handle in route[after:]:
            self._guarded(seat, handle, event)

    # --- whole-window handlers ----------------------------------------------------------------------------------

    def _run_columns(self, chunk: Chunk, start: int, stop: int) -> int:
        """Let the columnar strategies look first; return the row after the first one at which any wants something."""
        for place, seat in enumerate(self._columnar):
            assert seat.columnar is not None
            if seat.off is not None:
                continue
            self._in_window = True
            try:
                end = seat.columnar.run(chunk, start, stop, self.wants, rewind=not self._alone)
            except NotCopied:
                raise
            except RAISED as error:
                if self._alone:  # its state is not kept, so nobody can say at which row it failed
                    what = f"on_window raised {type(error).__name__}: {error}{where(error)}"
                    raise StrategyError(what, place=f"strategy {seat.name}") from error
                self._in_window = False
                self.reached_ns = self._times[start]
                self._switch_off(seat, error, len(self.wants))
                end = start + 1
            finally:
                self._in_window = False
            if end < stop:
                for earlier in self._columnar[:place]:
                    self._cut_columns(earlier, chunk, start, end, self.wants)
                stop = end
        return stop

    def _cut_columns(self, seat: Seat, chunk: Chunk, start: int, end: int, wants: list[Intent | TimerWish]) -> None:
        """Somebody wanted something earlier: take a columnar strategy back and give it the shorter window."""
        assert seat.columnar is not None
        if seat.off is None and seat.columnar.reached > end:
            self._in_window = True
            try:
                seat.columnar.again(chunk, start, end, wants)
            finally:
                self._in_window = False

    # --- plans --------------------------------------------------------------------------------------------------

    def _open(self, chunk: Chunk, start: int) -> None:
        """Make the plan for a chunk (or for its rest from `start`, after a strategy was switched off)."""
        self._chunk = chunk
        self._times = chunk.times
        self._planned = True
        plan = self._plan = plan_of(chunk, start, tuple(self.seats.values()))
        straight = plan is not None and plan.rows is None and plan.single is not None and not self._columnar
        self._straight = plan if straight else None

    # --- trouble ------------------------------------------------------------------------------------------------

    def _guarded(self, seat: Seat, handler: Callable[..., None], *args: Any) -> None:
        mark = len(self.wants)
        try:
            handler(*args)
        except RAISED as error:
            self._switch_off(seat, error, mark)

    def _switch_off(self, seat: Seat, error: BaseException, mark: int) -> None:
        """Drop what the failing call wanted, cancel the strategy's orders, and call it no more."""
        dropped = self.wants[mark:]
        del self.wants[mark:]
        for want in dropped:
            if isinstance(want, Place):
                for ticket in want.tickets:
                    seat.ctx.open_orders.pop(ticket.coid, None)
        seat.off = f"raised {type(error).__name__}: {error}{where(error)}"
        seat.ctx.notes.append((self.now_ns(), "switched_off", seat.name, {"reason": seat.off}))
        self.wants.extend(Cancel(coid, seat.name) for coid in seat.ctx.open_orders)
        self._planned = False  # the rest of the chunk is planned anew without it


def _row_after(plan: Plan) -> int:
    """The chunk row after the last event handed out."""
    done = plan.done()
    return done if plan.rows is None else int(plan.rows[done - 1]) + 1


def where(error: BaseException) -> str:
    """File and line of the innermost frame below the handler, as ' (mine.py:12)'."""
    trace = error.__traceback__
    place = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "engine/strategy/host" not in code.co_filename:
            place = f" ({code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place
