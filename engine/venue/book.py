"""The orders that work in one instrument, and the search for the next row that moves one of them."""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor
from typing import TYPE_CHECKING, Final

import numpy as np

from engine.domain.columns import Chunk
from engine.domain.instrument import Instrument
from engine.domain.moments import NS_PER_MINUTE
from engine.domain.sessions import Sessions
from engine.venue import bars, plain, queue, search, ticks
from engine.venue.tape import Quotes, Tape, since, tape_of
from engine.venue.working import LIMIT, TRAIL, UNKNOWN_QUEUE, WORKING, ZERO, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.floor import Floor

# A thousandth of a tick: far below any price difference, far above what a float loses by a price scale.
HAIR: Final = 0.001
# Bars of a day mostly end at midnight, hours after the session whose prices they hold.
LONG_BAR_NS: Final = 6 * 60 * NS_PER_MINUTE
LONG_BAR_GRACE_NS: Final = 12 * 60 * NS_PER_MINUTE
_NO_TIMES: Final = np.empty(0, np.int64)


class _Cut:
    """As `cached_property`, which by using `__dict__` would make every attribute of a book four times as slow."""

    def __get__(self, book: Book, _owner: type[Book]) -> Tape:
        tape = tape_of(book._chunk, book.conid)
        if book.split_ns:
            tape = since(tape, book._chunk.ts_ns, book.split_ns)
        book.cut = book.tape = tape
        book.lone = tape.quotes if book.plain_search and tape.quotes_alone else None
        return tape


class Book:
    """One instrument's orders.

    `buys` and `sells` are plain limit orders, best price first, then by arrival; `others` all that moves by other
    rules, by arrival. `taken_*` is what our own orders took of the quote in force, index `taken_index` of the tape;
    `watchers` are the combos that have this instrument as a leg, `split_ns` is the moment of its last split. `hit` is
    the row that the last search named, -1 if none; `active`: the floor knows that there are orders.
    """

    watchers: tuple[Book, ...] = ()
    split_ns: int = 0

    def __init__(self, floor: Floor, instrument: Instrument, sessions: Sessions) -> None:
        self.floor = floor
        self.instrument = instrument
        self.conid = instrument.conid
        self.sessions = sessions
        self.rule = floor.rule
        self.hair = float(min(step.tick for step in instrument.price_ticks)) * HAIR
        self.increment = instrument.size_increment
        self.plain_search = self.rule.whole and not instrument.legs  # whether quotes alone can say who is filled
        # Whether the short way (`plain`) may be taken here.
        self.plain = sessions.always and not instrument.legs
        self.increment_f = float(instrument.size_increment)
        self.buys: list[WorkingOrder] = []
        self.sells: list[WorkingOrder] = []
        self.others: list[WorkingOrder] = []
        self.taken_index = -2
        self.taken_buy = 0.0
        self.taken_sell = 0.0
        self._chunk = Chunk(ts_ns=_NO_TIMES, kinds={})
        self.active = False
        self.hit = -1
        self._clean = 0
        # `tape` once it is there; the hot ways ask it first, for `tape` stands on the class as well.
        self.cut: Tape | None = None
        # The quotes of a chunk that has nothing else, where all an order is due is filled by one; as of `cut`.
        self.lone: Quotes | None = None

    # Data

    def begin(self, chunk: Chunk) -> None:
        """Go over to a new chunk: nothing of the old one is looked at again."""
        tape = self.cut
        if tape is None and self.taken_index != -2:
            tape = self.tape  # nobody looked at the chunk; the quote that we took from may have gone with it
        if tape is not None:
            end = tape.size
            for order in (*self.buys, *self.sells, *self.others):
                queue.fold(self, order, end)
                order.folded = 0
            # What we took of the quote in force stays taken; it is now the quote before the chunk.
            self.taken_index = -1 if self.taken_index == tape.quote_index(end) else -2
            self.cut = self.lone = None
            del self.tape
        self._chunk = chunk
        self.changed()

    # This instrument's part of the chunk, cut out when it is first needed.
    tape = _Cut()

    def forget(self, split_ns: int) -> None:
        """Prices and sizes from before a split are in units that are no more: nothing is known until the next row."""
        self.split_ns = split_ns
        self.taken_index = -2
        if self.cut is not None:
            self.cut = self.lone = None
            del self.tape
        self.changed()
        for combo in self.watchers:
            combo.changed()

    # Orders

    def changed(self) -> None:
        """Forget what the last search found: an order came, went or was changed."""
        self.hit = -1
        self._clean = 0

    def name(self, row: int) -> None:
        """Say which row of the chunk is the next to produce an answer, as a search would find."""
        self.hit = self._clean = row

    def wake(self) -> None:
        """Have the floor know that there are orders here now."""
        self.active = True
        self.floor.active.append(self)

    def put(self, order: WorkingOrder) -> None:
        """Let an order stand on the book, behind those of its price."""
        self.hit = -1
        self._clean = 0
        if not self.active:
            self.wake()
        if order.act is not LIMIT or order.ioc:
            self.others.append(order)
            return
        side = self.buys if order.buy else self.sells
        if not side:
            side.append(order)
            return
        at = len(side)
        if order.buy:
            while at and side[at - 1].hi < order.hi:
                at -= 1
        else:
            while at and side[at - 1].lo > order.lo:
                at -= 1
        side.insert(at, order)

    def drop(self, order: WorkingOrder) -> None:
        """Take an order off; nothing happens if it does not stand here."""
        self.hit = -1
        self._clean = 0
        side = self.others if order.act is not LIMIT or order.ioc else self.buys if order.buy else self.sells
        if order in side:
            side.remove(order)

    def set_limit(self, order: WorkingOrder, limit: Decimal) -> None:
        """Give an order its limit price."""
        value = float(limit)
        order.limit = limit
        order.lo = value - self.hair
        order.hi = value + self.hair

    # Quantities and prices

    def portion(self, order: WorkingOrder, available: float) -> Decimal:
        """As much of an order as `available` units allow, in whole size increments."""
        if available >= order.left_f - 1e-9:
            return order.left
        steps = floor(available / self.increment_f + 1e-9)
        return steps * self.increment if steps > 0 else ZERO

    def has_room(self, available: float) -> bool:
        """Say whether at least one size increment is available."""
        return available >= self.increment_f * (1 - 1e-9)

    def taker_price(
        self, order: WorkingOrder, price: float, quantity: Decimal, displayed: float, spread: float
    ) -> Decimal:
        """Money price of a fill at the market's `price`, slippage added, never beyond the order's limit."""
        exact = self.instrument.price(price)
        slippage = self.floor.slippage
        if slippage is None:
            return exact
        tick = self.instrument.tick_at(exact)
        worse = slippage.amount(price, float(tick), float(quantity), displayed, spread)
        steps = ceil(worse / float(tick) - HAIR)
        if steps <= 0:
            return exact
        self.floor.counts["slipped_fills"] += 1
        slipped = exact + steps * tick if order.buy else exact - steps * tick
        if order.limit is not None:
            slipped = min(slipped, max(order.limit, exact)) if order.buy else max(slipped, min(order.limit, exact))
        return slipped

    # The search

    def scan(self, row: int, stop: int) -> int:
        """First row in [row, stop) that produces an answer here; `stop` if none does."""
        hit = self.hit
        if hit >= row:
            return hit if hit < stop else stop
        first = self._clean if self._clean > row else row
        if first >= stop:
            return stop
        quotes = self.lone
        if quotes is not None and first and not self.others:  # from row 1 on the quotes are known
            # The best price of either side meets the first quote that reaches it; index and row are one.
            found = quotes.first_ask_at_most(self.buys[0].hi, first, stop) if self.buys else stop
            if self.sells:
                found = quotes.first_bid_at_least(self.sells[0].lo, first, found)
        else:
            found = self._search(first, stop)
        if found < stop:
            self.hit = found
        self._clean = found
        return found

    def _search(self, first: int, stop: int) -> int:
        tape = self.cut or self.tape
        if not tape.shut:
            return search.scan(self, first, stop) if tape.ticks_from < first else self._search_run(first, stop)
        for start, end in tape.open_runs(first, stop):
            found = self._search_run(start, end)
            if found < end:
                return found
        return stop

    def _search_run(self, first: int, stop: int) -> int:
        stop_here = stop
        tape = self.tape
        if first < tape.ticks_from and tape.bars is not None:
            end = min(stop_here, tape.ticks_from)
            found = bars.scan(self, tape.bars, first, end)
            if found < end:
                return found
        if stop_here > tape.ticks_from:
            return search.scan(self, max(first, tape.ticks_from), stop_here)
        return stop_here

    def quoted_at(self, row: int, *, halted: bool = False) -> bool:
        """Say whether a row is a quote of this instrument that is matched on; with `halted`, one in a halt counts."""
        quotes = self.tape.quotes
        if quotes is None or (index := quotes.first(row)) == quotes.length or quotes.row(index) != row:
            return False
        return halted or not self.tape.halted(row + 1)

    def take_row(self, row: int, now_ns: int) -> None:
        """Apply one row of this instrument."""
        if self.rule.whole and plain.take_row(self, row, now_ns):
            return
        tape = self.cut or self.tape
        self.changed()
        if tape.quotes is not None:
            index = tape.quotes.first(row)
            if index < tape.quotes.length and tape.quotes.row(index) == row:
                ticks.on_quote(self, index, row, now_ns)
                return
        if tape.trades is not None:
            index = tape.trades.first(row)
            if index < tape.trades.length and tape.trades.row(index) == row:
                ticks.on_trade(self, index, row, now_ns)
                return
        if tape.bars is not None:
            index = tape.bars.first(row)
            if index < tape.bars.length and tape.bars.row(index) == row:
                bars.on_bar(self, index, row, now_ns)

    # What happens between the rows that matter

    def fold(self, order: WorkingOrder, row: int) -> None:
        """Bring an order's silent state up to a row."""
        queue.fold(self, order, row)

    def catch_up(self, order: WorkingOrder, row: int) -> None:
        """Bring an order up to a row before it is taken off or changed, so that what it waited for is counted."""
        if order.stand is WORKING and (order.act is TRAIL or self.tape.trades is not None):
            queue.fold(self, order, row)

    def settle(self, row: int) -> None:
        """Bring all orders up to a row."""
        for order in (*self.buys, *self.sells, *self.others):
            queue.fold(self, order, row)

    def takes(self, order: WorkingOrder, row: int) -> bool:
        """Say whether a row is the first that an order marketable on arrival can be matched with."""
        return order.taking and not self.seen_between(order.folded, row)

    def seen_between(self, start: int, row: int) -> bool:
        """Say whether one of the rows [start, row) would have been matched with an order marketable on arrival."""
        tape = self.tape
        for first, last in tape.open_runs(start, row):
            quotes, trades, bars_ = tape.quotes, tape.trades, tape.bars
            if quotes is not None and quotes.first(first) < quotes.first(last):
                return True
            last = min(last, tape.quotes_from)
            if trades is not None and first < last and trades.first(first) < trades.first(last):
                return True
            last = min(last, tape.ticks_from)
            if bars_ is not None and first < last and bars_.first(first) < bars_.first(last):
                return True
        return False

    def bar_extreme(self, order: WorkingOrder, extreme: float, start: int, stop: int) -> float:
        """A trail's extreme after the bars in [start, stop), none of which triggered it."""
        return bars.extreme_after(self, order, extreme, start, stop)

    def grace_ns(self, row: int) -> int:
        """How long after the close an order is kept, so that a day's bar is known before its orders expire."""
        tape = self.tape
        if row > tape.ticks_from:
            return 0
        bar = tape.last_bar(row)
        return LONG_BAR_GRACE_NS if bar is not None and bar.span_ns >= LONG_BAR_NS else 0

    # Life on the book

    def enter(self, order: WorkingOrder, now_ns: int, row: int, *, opening: bool = False) -> None:
        """Let an order that has become live meet the market as rows before `row` show it, and then rest.

        At the open what is known may be yesterday's: nothing is matched with it (`opening`).
        """
        order.live_ns = now_ns
        order.folded = row
        order.ahead = UNKNOWN_QUEUE
        order.taking = False
        if ticks.meet(self, order, now_ns, row, opening=opening) and order.stand is WORKING:
            self.put(order)
