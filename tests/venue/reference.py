"""A matcher too simple to be wrong: row by row, order by order, whole numbers only. MKT, LMT and STP, always open.

Prices are whole ticks, quantities whole units. Every row is looked at with every order; nothing is searched or skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class Row:
    """One row: kind "q" (bid, ask, bid_size, ask_size), "t" (price, size) or "b" (open, high, low, close, volume)."""

    ts: int
    kind: str
    values: tuple[int, ...]
    span: int = 0


@dataclass
class Wish:
    """An order or a cancel, decided on row `row`."""

    row: int
    coid: str
    buy: bool = True
    limit: int | None = None
    stop: int | None = None
    quantity: int = 0
    cancels: bool = False


@dataclass
class Resting:
    wish: Wish
    arrived: int
    left: int
    ahead: Fraction | None = None  # None: unknown
    triggered: bool = False
    new: bool = True  # marketable when it came, not matched since


@dataclass
class Reference:
    """Feed it rows and wishes; `fills` are (coid, quantity, price in ticks)."""

    rule: str
    latency: int
    quote_part: Fraction
    trade_part: Fraction
    bar_part: Fraction
    fills: list[tuple[str, int, int]] = field(default_factory=list)
    book: list[Resting] = field(default_factory=list)
    quote: tuple[int, ...] | None = None
    last: int | None = None
    close: int | None = None
    taken: dict[bool, int] = field(default_factory=dict)

    def run(self, rows: list[Row], wishes: list[Wish]) -> None:
        """Play it through."""
        coming: list[tuple[int, int, Wish]] = []
        for number, row in enumerate(rows):
            while coming and coming[0][0] <= row.ts:
                at, _, wish = coming.pop(0)
                self.arrive(wish, at)
            self.see(row)
            for place, wish in enumerate(wishes):
                if wish.row == number:
                    coming.append((row.ts + self.latency, place, wish))
        end = rows[-1].ts
        for at, _, wish in coming:
            if at <= end:
                self.arrive(wish, at)

    def fill(self, order: Resting, quantity: int, price: int) -> None:
        if quantity > 0:
            self.fills.append((order.wish.coid, quantity, price))
            order.left -= quantity
            if order.left == 0:
                self.book.remove(order)

    # Arrival

    def arrive(self, wish: Wish, at: int) -> None:
        if wish.cancels:
            self.book = [order for order in self.book if order.wish.coid != wish.coid]
            return
        order = Resting(wish, at, wish.quantity)
        self.book.append(order)
        self.meet(order)

    def meet(self, order: Resting) -> None:
        """Match a newcomer (or a stop that has just become one) with the market as it is known."""
        wish = order.wish
        ticks = self.quote is not None or self.last is not None
        order.new = False
        if wish.stop is not None and not order.triggered:
            known = self.last
            if known is None and self.quote is not None:
                known = self.quote[1] if wish.buy else self.quote[0]
            if ticks and known is not None and (known >= wish.stop if wish.buy else known <= wish.stop):
                self.wake(order)
            return
        if self.quote is not None:
            bid, ask, bid_size, ask_size = self.quote
            touch, size = (ask, ask_size) if wish.buy else (bid, bid_size)
            if self.crosses(order, touch):
                if self.rule in ("conservative", "touch", "same_event"):
                    self.take(order, touch, size)
                else:
                    order.new = True
            if wish.limit is not None:  # what does not take, or is left of it, queues
                own, shown = (bid, bid_size) if wish.buy else (ask, ask_size)
                better = wish.limit > own if wish.buy else wish.limit < own
                order.ahead = Fraction(0) if better else Fraction(shown) if wish.limit == own else None
            return
        price = self.last if self.last is not None else self.close
        if price is not None and self.crosses(order, price):
            if self.rule == "same_event":
                self.fill(order, order.left, price)
            else:
                order.new = True

    def wake(self, order: Resting) -> None:
        """A stop becomes a market order now: behind those that are one already."""
        order.triggered = True
        self.book.remove(order)
        self.book.append(order)
        self.meet(order)

    def crosses(self, order: Resting, price: int) -> bool:
        limit = order.wish.limit
        return limit is None or (price <= limit if order.wish.buy else price >= limit)

    def take(self, order: Resting, price: int, size: int) -> None:
        """Take from the quote in force."""
        if self.rule != "conservative":
            self.fill(order, order.left, price)
            return
        gone = self.taken.get(order.wish.buy, 0)
        most = min(order.left, int(size * self.quote_part - gone))
        if most > 0:
            self.taken[order.wish.buy] = gone + most
            self.fill(order, most, price)

    # Rows

    def see(self, row: Row) -> None:
        if row.kind == "q":
            self.see_quote(row.values)
        elif row.kind == "t":
            self.see_trade(*row.values)
        elif self.quote is None and self.last is None:
            self.see_bar(row)

    def ordered(self) -> list[Resting]:
        """Stops and market orders as they came, then limits: buys best first, then sells best first."""
        first = [o for o in self.book if self.restless(o)]
        buys = sorted((o for o in self.book if not self.restless(o) and o.wish.buy), key=lambda o: -self.limit(o))
        sells = sorted((o for o in self.book if not self.restless(o) and not o.wish.buy), key=self.limit)
        return first + buys + sells

    def restless(self, order: Resting) -> bool:
        return order.wish.limit is None

    def limit(self, order: Resting) -> int:
        assert order.wish.limit is not None
        return order.wish.limit

    def see_quote(self, values: tuple[int, ...]) -> None:
        traded = self.last is not None
        self.quote = values
        self.taken = {}
        bid, ask, bid_size, ask_size = values
        for order in self.ordered():
            wish = order.wish
            touch, size = (ask, ask_size) if wish.buy else (bid, bid_size)
            if wish.stop is not None and not order.triggered:
                if not traded and (touch >= wish.stop if wish.buy else touch <= wish.stop):
                    self.wake(order)
                continue
            if wish.limit is None:
                self.take(order, touch, size)
            elif self.crosses(order, touch):
                self.take(order, touch if order.new else wish.limit, size)
            if wish.limit is not None:
                own, shown = (bid, bid_size) if wish.buy else (ask, ask_size)
                if wish.limit > own if wish.buy else wish.limit < own:
                    order.ahead = Fraction(0)
                elif wish.limit == own:
                    order.ahead = Fraction(shown) if order.ahead is None else min(order.ahead, Fraction(shown))
            order.new = False

    def see_trade(self, price: int, size: int) -> None:
        self.last = price
        room = size * self.trade_part
        for order in self.ordered():
            wish = order.wish
            if wish.stop is not None and not order.triggered:
                if price >= wish.stop if wish.buy else price <= wish.stop:
                    self.wake(order)
                continue
            if self.quote is not None and self.rule not in ("conservative", "touch"):
                continue
            if wish.limit is None and self.quote is not None:
                continue
            new, order.new = order.new, False
            if not self.crosses(order, price):
                continue
            if self.rule != "conservative":
                self.fill(order, order.left, price if new or wish.limit is None else wish.limit)
                continue
            most: Fraction = room
            if wish.limit is not None:
                if price == wish.limit and not new:
                    if order.ahead is None:
                        continue
                    most = min(room, max(Fraction(0), size - order.ahead) * self.trade_part)
                    order.ahead = max(Fraction(0), order.ahead - size)
                elif price != wish.limit:
                    order.ahead = Fraction(0)
            quantity = min(order.left, int(most))
            room -= quantity
            self.fill(order, quantity, price if new or wish.limit is None else wish.limit)

    def see_bar(self, row: Row) -> None:
        """Open, then stops in the range, then limits in the range, then the close; each in order of arrival."""
        opened, high, low, close, volume = row.values
        self.close = close
        room = [volume * self.bar_part if self.rule == "conservative" else Fraction(10**9)]
        begins = row.ts - row.span
        through = self.rule == "conservative"

        def met(order: Resting, price: int) -> bool:
            limit = self.limit(order)
            if through:
                return price < limit if order.wish.buy else price > limit
            return self.crosses(order, price)

        def give(order: Resting, price: int) -> None:
            quantity = min(order.left, int(room[0]))
            room[0] -= quantity
            self.fill(order, quantity, price)

        def beyond(order: Resting, price: int) -> bool:
            stop = order.wish.stop
            assert stop is not None
            return price >= stop if order.wish.buy else price <= stop

        sleeping = [o for o in self.book if o.wish.stop is not None and not o.triggered]
        here = [o for o in self.book if o.arrived <= begins]
        at_open = self.rule in ("conservative", "touch", "next_open")
        for order in list(here):
            if order in sleeping:
                if beyond(order, opened):
                    order.triggered = True
                    give(order, opened)
            elif at_open and (order.wish.limit is None or met(order, opened)):
                give(order, opened)
        for order in list(here):
            waits = order in self.book and order in sleeping and not order.triggered
            if waits and beyond(order, high if order.wish.buy else low):
                order.triggered = True
                assert order.wish.stop is not None
                give(order, order.wish.stop)
        for order in list(here):
            rests = order in self.book and order.wish.limit is not None and (at_open or not order.new)
            if rests and met(order, low if order.wish.buy else high):
                give(order, self.limit(order))
        for order in list(self.book):
            begun = order.arrived > begins
            if order in sleeping:
                if not order.triggered and begun and beyond(order, close):
                    order.triggered = True
                    give(order, close)
            elif begun and self.rule == "next_open":
                pass
            elif order.wish.limit is None:
                if begun or not at_open:
                    give(order, close)
            elif (begun or (order.new and not at_open)) and self.crosses(order, close):
                if order.new:
                    give(order, close)
                elif met(order, close):
                    give(order, order.wish.limit)
        for order in self.book:
            order.new = False
