"""Combos: orders on a net price, filled against the quotes of the legs.

A unit of a combo pays the ask of each leg it buys and gets the bid of each leg it sells. A fill happens when all legs
can be had at their touch for the net limit or better, at those prices: so what the legs changed hands at always adds up
to the net price, and a combo order is never a maker.

What is displayed in a leg is there once: a combo takes from the same quote as orders in the leg itself and as other
combos, and what one of them took is gone for the rest until that leg is quoted anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from engine.domain.columns import Chunk, Floats, Ints, distinct
from engine.domain.facts import LegExecution
from engine.venue import ticks
from engine.venue.book import Book
from engine.venue.working import WORKING, ZERO, WorkingOrder

_INF: Final = float("inf")
_BLOCK: Final = 4096


class _Net(NamedTuple):
    """What one unit of a combo costs at the legs' touch.

    `prices` and `indices` (of the quotes, in each leg's tape) go by leg. `units` can still be had; legs whose size is
    absent do not limit them, and make them `unsized`.
    """

    price: float
    prices: list[float]
    indices: list[int]
    units: float
    unsized: bool


class ComboBook(Book):
    """The orders in one combo; all of them stand in `others`."""

    legs: tuple[tuple[Book, int], ...] = ()

    def find_legs(self, books: Mapping[int, Book]) -> None:
        """Look up the books of the legs, and have them say when their quote is taken from."""
        self.legs = tuple((books[leg.conid], leg.ratio) for leg in self.instrument.legs)
        for book, _ in self.legs:
            book.watchers = (*book.watchers, self)

    # Standing

    def put(self, order: WorkingOrder) -> None:
        """Let an order stand, behind the ones before it."""
        self.changed()
        if not self.active:
            self.wake()
        self.others.append(order)

    def drop(self, order: WorkingOrder) -> None:
        """Take an order off."""
        self.changed()
        if order in self.others:
            self.others.remove(order)

    def begin(self, chunk: Chunk) -> None:
        """Go over to a new chunk; the tapes are those of the legs."""
        del chunk
        self.changed()

    def catch_up(self, order: WorkingOrder, row: int) -> None:
        """A combo order has no silent state."""

    def settle(self, row: int) -> None:
        """A combo order has no silent state."""

    def grace_ns(self, row: int) -> int:
        """A combo is matched on quotes alone."""
        del row
        return 0

    # Matching

    def enter(self, order: WorkingOrder, now_ns: int, row: int, *, opening: bool = False) -> None:
        """Match a new order with the legs' quotes in force, if the rule does so; then let it stand."""
        order.live_ns = now_ns
        if self.rule.arrival and not opening:
            self._match(order, now_ns, row)
            if order.ioc and order.stand is WORKING:
                self.floor.cancel(order, now_ns, "ioc")
        if order.stand is WORKING:
            self.put(order)

    def take_row(self, row: int, now_ns: int) -> None:
        """A leg has a new quote: match the orders in order of arrival."""
        self.changed()
        for order in tuple(self.others):
            if order.stand is not WORKING:
                continue
            self._match(order, now_ns, row + 1)
            if order.ioc and order.stand is WORKING:
                self.floor.cancel(order, now_ns, "ioc")

    def _match(self, order: WorkingOrder, now_ns: int, row: int) -> None:
        net = self._net(order.buy, row)
        if net is None or not self._good(order, net.price):
            return
        quantity = order.left
        flags: tuple[str, ...] = ()
        if not self.rule.whole:
            quantity = self.portion(order, net.units)
            if not quantity:
                return
            for (book, ratio), index in zip(self.legs, net.indices, strict=True):
                ticks.take(book, index, float(quantity) * abs(ratio), asks=order.buy == (ratio > 0))
            flags = (*(("unsized",) if net.unsized else ()), *(("capped",) if quantity < order.left else ()))
        sign = 1 if order.buy else -1
        legs = tuple(
            LegExecution(book.conid, sign * ratio * quantity, book.instrument.price(price))
            for (book, ratio), price in zip(self.legs, net.prices, strict=True)
        )
        price = sum((ratio * leg.price for (_, ratio), leg in zip(self.legs, legs, strict=True)), ZERO)
        self.floor.fill(order, quantity, price, now_ns, maker=False, flags=flags, legs=legs)

    def _good(self, order: WorkingOrder, net: float) -> bool:
        if order.limit is None:
            return True
        return net <= order.hi if order.buy else net >= order.lo

    def _net(self, buy: bool, row: int) -> _Net | None:
        """What one side can be had for before a row; None unless every leg is quoted."""
        prices: list[float] = []
        indices: list[int] = []
        units = _INF
        net = 0.0
        unsized = False
        for book, ratio in self.legs:
            tape = book.tape
            touch = tape.touch(row)
            if touch is None or tape.halted(row):
                return None
            asks = buy == (ratio > 0)
            price, size = (touch[1], touch[3]) if asks else (touch[0], touch[2])
            if price != price:
                return None
            index = tape.quote_index(row)
            prices.append(price)
            indices.append(index)
            net += ratio * price
            if size != size:
                unsized = True
                continue
            free = size * self.floor.quote_share - ticks.taken(book, index, asks=asks)
            units = min(units, free / abs(ratio))
        return _Net(net, prices, indices, units, unsized)

    def quoted_at(self, row: int, *, halted: bool = False) -> bool:
        """Say whether a row is a leg's quote; whether that leg is halted is asked when it is matched."""
        del halted
        return any(book.quoted_at(row, halted=True) for book, _ in self.legs)

    # The search

    def _search(self, first: int, stop: int) -> int:
        rows = self._rows(first, stop)
        for start in range(0, len(rows), _BLOCK):
            found = self._search_block(rows[start : start + _BLOCK])
            if found >= 0:
                return found
        return stop

    def _rows(self, first: int, stop: int) -> Ints:
        """The rows in [first, stop) at which a leg has a new quote."""
        parts = []
        for book, _ in self.legs:
            quotes = book.tape.quotes
            if quotes is not None:
                start, end = quotes.first(first), quotes.first(stop)
                parts.append(np.arange(start, end) if quotes.at is None else quotes.at[start:end])
        return distinct(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def _search_block(self, rows: Ints) -> int:
        """The first of some rows at which an order fills, -1 if none does; a size too small is asked for row by row."""
        nets = {buy: self._nets(rows, buy=buy) for buy in {order.buy for order in self.others}}
        near = np.zeros(len(rows), bool)
        for order in self.others:
            net = nets[order.buy]
            if order.ioc:
                near[:] = True
            elif order.limit is None:
                near |= net == net
            else:
                near |= net <= order.hi if order.buy else net >= order.lo
        for at in np.flatnonzero(near).tolist():
            row = int(rows[at])
            for order in self.others:
                net_now = self._net(order.buy, row + 1)
                if order.ioc:
                    return row
                if net_now is None or not self._good(order, net_now.price):
                    continue
                if self.rule.whole or self.has_room(net_now.units):
                    return row
        return -1

    def _nets(self, rows: Ints, *, buy: bool) -> Floats:
        """Net price for one side just after each of some rows; NaN unless every leg is quoted."""
        net = np.zeros(len(rows))
        for book, ratio in self.legs:
            tape = book.tape
            lifts = buy == (ratio > 0)
            before = tape.quote_before
            known = float("nan") if before is None else before.ask if lifts else before.bid
            prices = np.full(len(rows), known)
            if tape.quotes is not None:
                at = np.arange(tape.quotes.length) if tape.quotes.at is None else tape.quotes.at
                index = at.searchsorted(rows, side="right") - 1
                column = tape.quotes.ask if lifts else tape.quotes.bid
                prices = np.where(index >= 0, column[index], known)
            net += ratio * prices
        return net


def moved_by(row: int, books: Iterable[Book]) -> list[Book]:
    """The books that a row may move: a leg's quote is matched with the orders in the leg and then with its combos'.

    The search stops at the first book that finds the row, so that it says nothing of the others.
    """
    found = [book for book in books if book.hit == row or book.quoted_at(row)]
    found.sort(key=lambda book: (bool(book.instrument.legs), book.conid))
    return found
