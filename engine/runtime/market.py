"""The market end of the replay ring: the feed and the simulated venue, which share the rows.

A window ends at its horizon, the first moment at which anything but plain market data is due: an answer, a timer, an
order's arrival at the venue, or a row that the venue says will bring news of an order. How wide windows are offered
changes no result (a law under test), so the width follows how early strategies stop.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, Protocol

from engine.domain.actions import Action
from engine.domain.columns import Chunk
from engine.domain.facts import Answer
from engine.domain.instrument import Instrument
from engine.domain.messages import Request
from engine.domain.moments import iso
from engine.domain.repricing import Step
from engine.errors import StrategyError
from engine.runtime.due import conversion, priced, repriced
from engine.runtime.lap import Lap
from engine.runtime.timers import Timers

NARROWEST: Final = 32
_DIGITS: Final = 10
LOOP_LIMIT: Final = 2_000  # laps at one moment: more is a strategy that answers its own orders for ever


class Venue(Protocol):
    """What the ring needs of a simulated exchange; rows are those of the current chunk."""

    def begin(self, chunk: Chunk) -> None:
        """A new chunk follows; row 0 is next."""

    def submit(self, requests: Sequence[Request], now_ns: int) -> None:
        """Our commands leave us now."""

    def carry_out(self, requests: Sequence[Request], now_ns: int, row: int) -> list[Answer] | None:
        """What `submit` and `take_due` do, for commands that arrive and are answered at once, against the rows before
        `row`; None, with nothing done, if they take time."""

    def next_due_ns(self) -> int:
        """The earliest arrival, report or session event; the end of time if there is none."""

    def take_due(self, now_ns: int, row: int) -> list[Answer]:
        """Do all that is due; return what reaches us now."""

    def scan(self, row: int, stop: int) -> int:
        """First row in [row, stop) that would bring an answer; `stop` if none."""

    def settle(self, row: int) -> None:
        """Rows before `row` have been consumed."""

    def take_row(self, row: int) -> list[Answer]:
        """Apply the row that `scan` named; return what reaches us now."""

    def split(self, conid: int, now_ns: int, row: int, why: str = "split") -> list[Answer]:
        """An instrument's units change or end now, rows before `row` are in old ones; return what reaches us now."""

    def finish(self, now_ns: int) -> list[Answer]:
        """The recording has ended."""


class Market:
    """Offers windows, answers and timers in the order of their moments.

    `row` is the next row for the strategies, `venue_row` the next for the venue: one ahead while news of a row goes
    before the row itself. `timer_ns` is when the next timer or corporate action is due, `still` how many rounds there
    were at the moment `still_ns`. The fused ring reads and moves these on by itself.

    Args:
        chunks: The recording, in order; consumed as needed.
        venue: The exchange.
        window: Widest window to offer, in rows.
        on_chunk: Called with each chunk when its last row has been consumed.
        widths: Says how wide the next window may be; None follows how early strategies stop.
        actions: Splits and dividends, by time.
        instruments: By conid; those that actions are of.
        rates: Price of one unit of each currency in base currency, as it is now; the portfolio writes it.
        on_repriced: Told what a corporate action makes of the prices that were known of an instrument.
    """

    def __init__(
        self,
        chunks: Iterator[Chunk],
        venue: Venue,
        *,
        window: int,
        on_chunk: Callable[[Chunk], None],
        widths: Callable[[], int] | None = None,
        actions: Sequence[Action] = (),
        instruments: Mapping[int, Instrument] | None = None,
        rates: Mapping[str, Decimal] | None = None,
        on_repriced: Callable[[int, Step], None],
    ) -> None:
        self._chunks = chunks
        self.venue = venue
        self.window = window
        self.width = window
        self.widths = widths
        self._on_chunk = on_chunk
        self._on_repriced = on_repriced
        self._timers = Timers()
        self._actions = deque(actions)
        self._instruments = {} if instruments is None else instruments
        self._rates = {} if rates is None else rates
        self._repriced: dict[int, list[Step]] = {}
        self.timer_ns = self._next_timer_ns()
        # Set where no strategy listens to its orders: then nobody can act between two answers, and they go together.
        self.merges = False
        self.chunk: Chunk | None = None
        self.times: Sequence[int] = ()
        self.size = 0
        self.row = 0
        self.venue_row = 0
        self.still = 0
        self.still_ns = -1
        self._ended = False
        self.last_ns = 0

    def open(self) -> Chunk | None:
        """Read the first chunk; None if the recording is empty."""
        first = self._next()
        if first is not None:
            self._begin(first)
            self.last_ns = self.times[0]
        return first

    def step(self, lap: Lap) -> None:
        """Take in what the round brought, and start the next one."""
        taken = lap.taken
        if taken > lap.start:
            self.took(lap, taken)
        if lap.requests or lap.wishes:
            self._take_in(lap)
        lap.number += 1
        venue = self.venue
        row = self.row
        timer_ns = self.timer_ns
        while True:
            ended = False
            if row < self.size:
                until_ns = self.times[row]
            elif self._follow():
                row = 0
                until_ns = self.times[0]
            else:
                ended = True
                until_ns = self.last_ns
            due_ns = venue.next_due_ns()
            if due_ns <= until_ns and due_ns <= timer_ns and (due_ns <= lap.now_ns or not lap.updates):
                answers = venue.take_due(due_ns, self.venue_row)
                if not answers:
                    continue
                lap.answers += answers
                if due_ns > lap.now_ns:
                    lap.now_ns = due_ns
                if self.merges:
                    continue
                due_ns = venue.next_due_ns()
            elif lap.updates:
                pass  # refusals of the moment just past: told before time goes on
            elif timer_ns <= until_ns:
                if timer_ns > lap.now_ns:
                    lap.now_ns = timer_ns
                if self._actions and self._actions[0].ts_ns == timer_ns:
                    self._act(lap, timer_ns)
                else:
                    lap.timers = self._timers.due(timer_ns)
                timer_ns = self.timer_ns = self._next_timer_ns()
                due_ns = venue.next_due_ns()
            elif ended:
                lap.start = lap.stop = lap.taken = row
                if not lap.answers:
                    self._end(lap)
                return
            elif self._offer(lap, row, due_ns if due_ns < timer_ns else timer_ns):
                return
            else:
                answers = venue.take_row(row)
                self.venue_row = row + 1
                if not answers:
                    continue
                lap.answers += answers
                lap.now_ns = until_ns
                if self.merges:
                    continue
                due_ns = venue.next_due_ns()
            if lap.now_ns == self.still_ns:
                self.guard(lap)
            else:
                self.still_ns = lap.now_ns
                self.still = 0
            self._offer(lap, row, due_ns if due_ns < timer_ns else timer_ns)
            return

    def _next_timer_ns(self) -> int:
        """When the next timer or corporate action is due."""
        timer_ns = self._timers.next_ns()
        return min(timer_ns, self._actions[0].ts_ns) if self._actions else timer_ns

    def _act(self, lap: Lap, now_ns: int) -> None:
        """Corporate actions of one moment: the exchange takes what rests off its books, the portfolio does the rest."""
        assert self.chunk is not None
        while self._actions and self._actions[0].ts_ns == now_ns:
            action = self._actions.popleft()
            ends = conversion(action)
            if ends is not None:
                conid, why = ends
                lap.answers += self.venue.split(conid, now_ns, self.venue_row, why)
            known = priced(action, self._price)
            lap.actions.append(known)
            found = repriced(known, self._instruments, self._rates)
            if found is not None:
                self._repriced.setdefault(found[0], []).append(found[1])
                self.chunk.reprice()
                self._on_repriced(*found)

    def _price(self, conid: int) -> Decimal | None:
        """The last known price of an instrument; one that was converted may have lost its last digits."""
        assert self.chunk is not None
        price = self.chunk.price(conid, self.venue_row)
        if price is None:
            return None
        return Decimal(repr(round(price[0], _DIGITS) if conid in self._repriced else price[0]))

    def _end(self, lap: Lap) -> None:
        """Answers that are still on their way are heard, for money has moved; then the run is over."""
        if not self._ended:
            self._ended = True
            self.venue.settle(self.venue_row)
            lap.answers = list(self.venue.finish(self.last_ns))
            if lap.answers:
                lap.now_ns = max(lap.now_ns, max(answer.ts_ns for answer in lap.answers))
                return
        lap.finished = True

    def took(self, lap: Lap, taken: int) -> None:
        """The strategies have consumed the rows before `taken`."""
        self.row = taken
        self.still = 0  # many rows of one moment are no loop
        lap.now_ns = self.last_ns = self.times[taken - 1]
        width = 2 * self.width if taken == lap.stop else 2 * (taken - lap.start)
        if width < NARROWEST:
            width = NARROWEST
        self.width = width if width < self.window else self.window
        if taken > self.venue_row:
            self.venue_row = taken

    def _take_in(self, lap: Lap) -> None:
        if lap.requests:
            if not self._ended:
                self.venue.settle(self.venue_row)
                self.venue.submit(lap.requests, lap.now_ns)
            lap.requests = []
        if lap.wishes:
            self._timers.take(lap.wishes)
            self.timer_ns = self._next_timer_ns()
            lap.wishes = []

    def _begin(self, chunk: Chunk) -> None:
        self.chunk = chunk
        chunk.repriced = self._repriced
        self.times = chunk.times
        self.size = chunk.size
        self.row = self.venue_row = 0
        self.venue.begin(chunk)

    def _follow(self) -> bool:
        """The chunk is used up: go on to the next one; False if there is none."""
        following = self._next()
        if following is None:
            return False
        assert self.chunk is not None
        self.venue.settle(self.venue_row)
        self._on_chunk(self.chunk)
        self._begin(following)
        return True

    def _next(self) -> Chunk | None:
        for chunk in self._chunks:
            if chunk.size:
                return chunk
        return None

    def close(self) -> None:
        """The ring has ended: hand over the last chunk."""
        if self.chunk is not None:
            self._on_chunk(self.chunk)

    def _offer(self, lap: Lap, row: int, due_ns: int) -> bool:
        """Put the rows up to the horizon into the lap; False if the very next row brings news first."""
        chunk = self.chunk
        assert chunk is not None
        lap.chunk = chunk
        stop = row + (self.width if self.widths is None else self.widths())
        if stop > self.size:
            stop = self.size
        if stop > row:
            if due_ns <= self.times[stop - 1]:
                stop = bisect_left(self.times, due_ns, row, stop)
            if self.venue_row < stop:
                stop = self.venue.scan(self.venue_row, stop)
        lap.start = lap.taken = row
        lap.stop = stop
        return stop > row

    def guard(self, lap: Lap) -> None:
        """One more round at the same moment. Raises: StrategyError if that has been too many."""
        # A round with very much news counts for more: orders that beget two orders each would fill the memory first.
        self.still += 1 + (len(lap.answers) + len(lap.updates)) // 16
        if self.still > LOOP_LIMIT:
            names = sorted({answer.coid.rsplit("-", 1)[0] for answer in lap.answers})
            names = names or sorted({timer.strategy for timer in lap.timers})
            names = names or sorted({update.order.ticket.strategy for update in lap.updates})
            raise StrategyError(
                f"loops on its own orders or timers: {LOOP_LIMIT} rounds and more at {iso(lap.now_ns)}",
                place=f"strategy {', '.join(names)}",
            )
