"""Matching on bars, where an instrument's quotes and trades are not known.

A bar says where the price opened and closed and how far it went, and not in which order. An order sees it in three
steps: at its open, inside its range (stops first: the worse of two possible outcomes), at its close. An order that
arrived after the bar had begun sees only the close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from engine.domain.market import Bar
from engine.venue import auctions, stops
from engine.venue.finding import first_at_least, first_at_most
from engine.venue.rules import BarPrice
from engine.venue.tape import Bars
from engine.venue.working import LIMIT, MARKET, MIDPRICE, OPENING, STOP, TRAIL, WORKING, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.book import Book

_NAN = float("nan")
_AT_OPEN = BarPrice.OPEN
_STOPS = (STOP, TRAIL)


@define
class _Turn:
    """One bar's turn: `begins_ns` is when trading in it began; `room` what it leaves for our orders."""

    bar: Bar
    row: int
    begins_ns: int
    room: float

    def whole(self, order: WorkingOrder) -> bool:
        """Say whether an order was there from the beginning."""
        return order.live_ns <= self.begins_ns


def _turn(book: Book, rows: Bars, index: int) -> _Turn:
    bar = rows.bar(index, book.conid)
    begins = bar.ts_ns - bar.span_ns
    if not book.sessions.always:
        # A bar that starts before the open (a day's, say) has its first trade at the open.
        opens = book.sessions.next_open_ns(begins)
        if opens < bar.ts_ns:
            begins = opens
    unlimited = book.rule.whole or bar.volume != bar.volume
    return _Turn(bar, rows.row(index), begins, float("inf") if unlimited else bar.volume * book.floor.bar_share)


# Prices: pure questions, asked by the search as well


def _open_price(book: Book, order: WorkingOrder, turn: _Turn) -> float | None:
    """What an order gets at the open; of a stop: that it triggers there."""
    if not turn.whole(order):
        return None
    price = turn.bar.open
    if order.act in _STOPS:
        return price if stops.is_beyond(book, order, price, stops.stop_level(order)) else None
    if order.act is OPENING:
        return price
    if book.rule.bar is not BarPrice.OPEN:
        return None
    if order.act is MARKET:
        return price
    return price if _reached(book, order, price) else None


def _reached(book: Book, order: WorkingOrder, price: float) -> bool:
    """A limit is met by a price: through it, or at it where touching is enough."""
    if book.rule.touching:
        return price <= order.hi if order.buy else price >= order.lo
    return price < order.lo if order.buy else price > order.hi


def _range_stop(book: Book, order: WorkingOrder, turn: _Turn) -> tuple[float, bool] | None:
    """Where a stop triggers inside the range, and whether that is one of two readings."""
    if not turn.whole(order):
        return None
    bar = turn.bar
    level = stops.stop_level(order)
    if stops.is_beyond(book, order, bar.high if order.buy else bar.low, level):
        return level, False
    if order.act is TRAIL:
        # The bar went its best way first, or it did not. Where the close lies beyond the new stop it must have.
        level = stops.trail_stop(order, stops.follow(order, order.extreme, bar.low if order.buy else bar.high))
        if stops.is_beyond(book, order, bar.high if order.buy else bar.low, level):
            return level, not stops.is_beyond(book, order, bar.close, level)
    return None


def _range_limit(book: Book, order: WorkingOrder, turn: _Turn) -> bool:
    """Say whether a resting limit is met inside the range."""
    if not turn.whole(order) or (book.rule.bar is not BarPrice.OPEN and book.takes(order, turn.row)):
        return False
    return _reached(book, order, turn.bar.low if order.buy else turn.bar.high)


def _close_price(book: Book, order: WorkingOrder, turn: _Turn) -> float | None:
    """What an order gets at the close: one that came during the bar, or whose rule is the close."""
    price = turn.bar.close
    begun = not turn.whole(order)
    if order.act in _STOPS:
        return price if begun and stops.is_beyond(book, order, price, stops.stop_level(order)) else None
    if order.act is OPENING:
        return None
    if begun and book.rule.name == "next_open":
        return None
    if order.act is MARKET:
        return price if begun or book.rule.bar is not BarPrice.OPEN else None
    takes = book.takes(order, turn.row)
    if not begun and not (book.rule.bar is not BarPrice.OPEN and takes):
        return None
    if takes:
        return price if (price <= order.hi if order.buy else price >= order.lo) else None
    return price if _reached(book, order, price) else None


def _moves(book: Book, order: WorkingOrder, turn: _Turn) -> bool:
    """Say whether a bar produces an answer for an order."""
    if order.ioc:
        return True
    if order.act in _STOPS:
        return (
            _open_price(book, order, turn) is not None
            or _range_stop(book, order, turn) is not None
            or _close_price(book, order, turn) is not None
        )
    if order.act is OPENING:
        return _open_price(book, order, turn) is not None
    if order.act is MIDPRICE or not (book.has_room(turn.room)):
        return False
    return (
        _open_price(book, order, turn) is not None
        or (order.act is LIMIT and _range_limit(book, order, turn))
        or _close_price(book, order, turn) is not None
    )


# The row


def on_bar(book: Book, index: int, row: int, now_ns: int) -> None:
    """A bar has ended: every order that it moves, in the order of open, range and close."""
    rows = book.tape.bars
    assert rows is not None
    turn = _turn(book, rows, index)
    floor = book.floor
    floor.row = row + 1
    floor.granted.clear()
    if _one_at_open(book, turn, now_ns):
        return
    orders = sorted((*book.others, *book.buys, *book.sells), key=lambda order: order.seq)
    for order in orders:
        if order.taking or order.act is TRAIL:
            book.fold(order, row)
    for order in orders:
        if order.stand is WORKING and (price := _open_price(book, order, turn)) is not None:
            _at_open(book, order, turn, price, now_ns)
    # Children whose entry was filled at the open have the whole bar before them.
    for child in _granted(book):
        child.live_ns = turn.begins_ns
        orders.append(child)
    for order in orders:
        if order.stand is WORKING and order.act in _STOPS:
            _stop_inside(book, order, turn, now_ns)
    for order in orders:
        if order.stand is WORKING and order.act is LIMIT and _range_limit(book, order, turn):
            _limit_inside(book, order, turn, now_ns)
    for order in orders:
        if order.stand is WORKING and (price := _close_price(book, order, turn)) is not None:
            _at_close(book, order, turn, price, now_ns)
    for order in orders:
        if order.stand is not WORKING:
            continue
        if order.ioc:
            floor.cancel(order, now_ns, "ioc")
            continue
        order.taking = False
        if order.act is TRAIL:
            order.extreme = _extreme(order, turn)
            order.folded = row + 1
    floor.granted.clear()


def _one_at_open(book: Book, turn: _Turn, now_ns: int) -> bool:
    """The plainest case by itself: one market order that stands alone, was there when the bar began, and gets its open.

    Returns: False, with nothing done, if it is any other.
    """
    if len(book.others) != 1 or book.buys or book.sells:
        return False
    order = book.others[0]
    if (
        order.act is not MARKET
        or order.stand is not WORKING
        or order.ioc
        or book.rule.bar is not _AT_OPEN
        or order.live_ns > turn.begins_ns
        or order.bracket is not None
        or order.entry_of is not None
    ):
        return False
    _execute(book, order, turn, turn.bar.open, now_ns, "at_open")
    order.taking = False
    return True


def _granted(book: Book) -> list[WorkingOrder]:
    """The children that came alive since the last call."""
    granted = [child for child in book.floor.granted if child.stand is WORKING and child.book is book]
    book.floor.granted.clear()
    return granted


def _at_open(book: Book, order: WorkingOrder, turn: _Turn, price: float, now_ns: int) -> None:
    if order.act is OPENING:
        auctions.open_at(book, order, price, now_ns)
        return
    if order.act in _STOPS:
        stops.trigger(book, order, now_ns, stops.stop_level(order))
        book.put(order)
        if order.act is LIMIT and not (price <= order.hi if order.buy else price >= order.lo):
            return
    _execute(book, order, turn, price, now_ns, "at_open")


def _stop_inside(book: Book, order: WorkingOrder, turn: _Turn, now_ns: int) -> None:
    found = _range_stop(book, order, turn)
    if found is None:
        return
    level, unsure = found
    if _rival_in_range(book, order, turn):
        unsure = True
    stops.trigger(book, order, now_ns, level)
    book.put(order)
    if order.act is LIMIT and not (level <= order.hi if order.buy else level >= order.lo):
        # Whether the bar came back to the limit after the trigger nobody can tell: it rests from the next bar on.
        order.live_ns = now_ns
        book.floor.ambiguous()
        return
    _execute(book, order, turn, level, now_ns, *(("ambiguous",) if unsure else ()))
    _entry_bar(book, order, turn, now_ns, limit_entry=False)


def _rival_in_range(book: Book, order: WorkingOrder, turn: _Turn) -> bool:
    """Say whether a limit of the same group would have been filled in this bar as well."""
    group = order.ticket.oca_group
    rivals = list(order.bracket.children) if order.bracket is not None else []
    if group is not None:
        rivals += book.floor.oca.get(group, ())
    return any(
        rival is not order
        and rival.stand is WORKING
        and rival.act is LIMIT
        and rival.book is book
        and _range_limit(book, rival, turn)
        for rival in rivals
    )


def _limit_inside(book: Book, order: WorkingOrder, turn: _Turn, now_ns: int) -> None:
    price = order.limit
    assert price is not None
    opened = turn.bar.open
    better = opened <= order.hi if order.buy else opened >= order.lo
    if book.floor.at_touch and better:
        price = book.instrument.price(opened)
    quantity = book.portion(order, turn.room)
    if not quantity:
        return
    turn.room -= float(quantity)
    flags = _size_flags(book, turn, quantity == order.left)
    book.floor.fill(order, quantity, price, now_ns, maker=True, flags=flags)
    _entry_bar(book, order, turn, now_ns, limit_entry=True)


def _entry_bar(book: Book, entry: WorkingOrder, turn: _Turn, now_ns: int, *, limit_entry: bool) -> None:
    """Children of an entry that was filled inside this bar: its stop is taken as hit, its target as not.

    A bar that went from a limit entry on to the stop beyond it must have done so after the entry; with a stop entry
    that is one of two readings.
    """
    bar = turn.bar
    for child in _granted(book):
        if child.stand is not WORKING:
            continue  # its sibling was filled just now
        if child.act in _STOPS:
            if child.act is TRAIL and entry.limit is not None:
                child.extreme = float(entry.limit)
            level = stops.stop_level(child)
            if stops.is_beyond(book, child, bar.high if child.buy else bar.low, level):
                stops.trigger(book, child, now_ns, level)
                book.put(child)
                if child.act is LIMIT and not (level <= child.hi if child.buy else level >= child.lo):
                    child.live_ns = now_ns
                    book.floor.ambiguous()
                    continue
                _execute(book, child, turn, level, now_ns, *(() if limit_entry else ("ambiguous",)))
        elif child.act is LIMIT and _reached(book, child, bar.low if child.buy else bar.high):
            book.floor.ambiguous()


def _at_close(book: Book, order: WorkingOrder, turn: _Turn, price: float, now_ns: int) -> None:
    if order.act in _STOPS:
        stops.trigger(book, order, now_ns, stops.stop_level(order))
        book.put(order)
        if order.act is LIMIT and not (price <= order.hi if order.buy else price >= order.lo):
            return
    elif order.act is LIMIT and not order.taking:
        # It rested when the price came through it on the way to this close.
        _limit_inside(book, order, turn, now_ns)
        return
    _execute(book, order, turn, price, now_ns, "at_close")


def _execute(book: Book, order: WorkingOrder, turn: _Turn, price: float, now_ns: int, *said: str) -> None:
    """Fill a taker, or an order at the open, as far as the bar's volume allows."""
    quantity = book.portion(order, turn.room)
    if not quantity:
        return
    turn.room -= float(quantity)
    money = book.taker_price(order, price, quantity, turn.bar.volume, _NAN)
    if "ambiguous" in said:
        book.floor.ambiguous()
    flags = said + _size_flags(book, turn, quantity == order.left)
    book.floor.fill(order, quantity, money, now_ns, maker=False, flags=flags)


def _size_flags(book: Book, turn: _Turn, complete: bool) -> tuple[str, ...]:
    if book.rule.whole:
        return ()
    if turn.bar.volume != turn.bar.volume:
        return ("unsized",)
    return () if complete else ("capped",)


# The search


def scan(book: Book, rows: Bars, start: int, stop: int) -> int:
    """First row in [start, stop), all of them before any tick, that produces an answer; `stop` if none does."""
    first, last = rows.first(start), rows.first(stop)
    found = last
    if book.buys:
        found = _scan_side(book, rows, book.buys, first, found)
    if book.sells:
        found = _scan_side(book, rows, book.sells, first, found)
    for order in book.others:
        found = _scan_other(book, rows, order, start, first, found)
    return rows.row(found) if found < last else stop


def _scan_side(book: Book, rows: Bars, side: list[WorkingOrder], first: int, last: int) -> int:
    best = side[0]
    index = first
    while True:
        if best.buy:
            index = first_at_most(rows.low, best.hi, index, last)
        else:
            index = first_at_least(rows.high, best.lo, index, last)
        if index >= last:
            return last
        turn = _turn(book, rows, index)
        if any(_moves(book, order, turn) for order in side):
            return index
        index += 1


def _scan_other(book: Book, rows: Bars, order: WorkingOrder, start: int, first: int, last: int) -> int:
    trails = order.act is TRAIL
    kept = order.extreme
    if trails:
        order.extreme = stops.extreme_after(book, order, kept, order.folded, start)
    index = first
    while index < last:
        if order.act is STOP:
            if order.buy:
                index = first_at_least(rows.high, order.stop - book.hair, index, last)
            else:
                index = first_at_most(rows.low, order.stop + book.hair, index, last)
            if index >= last:
                break
        turn = _turn(book, rows, index)
        if _moves(book, order, turn):
            break
        if trails:
            order.extreme = _extreme(order, turn)
        index += 1
    order.extreme = kept
    return index


def _extreme(order: WorkingOrder, turn: _Turn) -> float:
    """A trail's extreme after a bar that did not trigger it."""
    bar = turn.bar
    if not turn.whole(order):
        return stops.follow(order, order.extreme, bar.close)
    return stops.follow(order, order.extreme, bar.low if order.buy else bar.high)


def extreme_after(book: Book, order: WorkingOrder, extreme: float, start: int, stop: int) -> float:
    """A trail's extreme after the bars in [start, stop), none of which triggered it."""
    rows = book.tape.bars
    assert rows is not None
    kept = order.extreme
    order.extreme = extreme
    for index in range(rows.first(start), rows.first(stop)):
        order.extreme = _extreme(order, _turn(book, rows, index))
    extreme, order.extreme = order.extreme, kept
    return extreme
