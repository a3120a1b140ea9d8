"""Strategies that do everything a strategy can do, by dice of their own that are seeded."""

from __future__ import annotations

from random import Random
from typing import Any

from engine.strategy.api import Bar, Fill, Order, OrderType, Quote, Side, Status, Strategy, Trade, Window

NAMES = ("AAA", "BBB")


class Gambler(Strategy[Any]):
    """Places, modifies, cancels, brackets, sets timers, logs: in every handler, by dice seeded with its parameter."""

    appetite = 0.35

    def on_start(self) -> None:
        self.dice = Random(self.params)
        self.heard: list[str] = []
        self.ctx.bars("AAA", 1, "mid")
        self.ctx.before_close(0.01)
        self.ctx.after_open(0.01)
        self.ctx.set_timer("first", after_s=0.002)

    def tell(self, what: str, at_ns: int) -> None:
        """Note what was heard, and when: it all goes into the journal."""
        ctx = self.ctx
        assert ctx.now_ns >= at_ns
        quotes = [ctx.quote(name) for name in NAMES]
        assert all(quote is None or quote.ts_ns <= ctx.now_ns for quote in quotes)
        self.heard.append(what)
        if self.dice.random() < 0.2:
            held = [str(ctx.position(name).quantity) for name in NAMES]
            seen = [None if quote is None else [quote.ts_ns, quote.bid] for quote in quotes]
            ctx.log("heard", what=what, held=held, quotes=seen, open=[order.coid for order in ctx.orders()])
        if self.dice.random() < 0.1:
            ctx.indicator("heard", len(self.heard), "AAA")

    def act(self) -> None:
        """Perhaps do something."""
        dice, ctx = self.dice, self.ctx
        if dice.random() > self.appetite:
            return
        name = dice.choice(NAMES)
        quote = ctx.quote(name)
        price = 10.0 if quote is None else quote.bid
        price = round(price + dice.randint(-3, 3) * 0.01, 2)
        orders = ctx.orders()
        what = dice.randrange(8)
        if what == 0 and orders:
            ctx.cancel(dice.choice(orders).coid)
        elif what == 1 and orders:
            order = dice.choice(orders)
            if order.ticket.limit_price is not None:
                ctx.modify(order.coid, limit=price, quantity=dice.randint(1, 9))
        elif what == 2:
            ctx.set_timer(dice.choice("xyz"), after_s=dice.choice((0, 0.001, 0.003)))
        elif what == 3:
            entry = ctx.ticket(Side.BUY, name, dice.randint(1, 5), limit=price)
            ctx.bracket(entry, target=price + 0.02, stop=price - 0.02)
        elif what == 4:
            ctx.oca(
                ctx.ticket(Side.SELL, name, 2, limit=price + 0.01), ctx.ticket(Side.SELL, name, 2, stop=price - 0.01)
            )
        elif what == 5:
            ctx.sell(name, dice.randint(1, 5), trail=0.02, tif="GTC")
        elif what == 6:
            side = dice.choice((ctx.buy, ctx.sell))
            side(name, dice.randint(1, 5), tif=dice.choice(("DAY", "IOC", "GTC")), limit=price)
        else:
            side = dice.choice((ctx.buy, ctx.sell))
            side(name, dice.randint(1, 5), order_type=OrderType.MARKET)

    def on_quote(self, quote: Quote) -> None:
        assert self.ctx.quote(quote.conid) == quote
        self.tell("quote", quote.ts_ns)
        self.act()

    def on_trade(self, trade: Trade) -> None:
        assert self.ctx.trade(trade.conid) == trade
        self.tell("trade", trade.ts_ns)
        self.act()

    def on_bar(self, bar: Bar) -> None:
        self.tell("bar", bar.ts_ns)
        self.act()

    def on_status(self, status: Status) -> None:
        self.tell("status", status.ts_ns)
        self.act()

    def on_order(self, order: Order) -> None:
        self.tell(f"order {order.coid} {order.state}", order.updated_ns)
        if self.dice.random() < 0.3:
            self.act()

    def on_fill(self, fill: Fill) -> None:
        self.tell(f"fill {fill.coid} {fill.quantity} at {fill.price}", fill.ts_ns)
        if self.dice.random() < 0.5:
            self.act()

    def on_timer(self, name: str) -> None:
        self.tell(f"timer {name}", 0)
        self.act()

    def on_calendar(self, name: str) -> None:
        self.tell(f"calendar {name}", 0)
        self.act()

    def on_stop(self) -> None:
        self.ctx.save({"heard": len(self.heard)})


class Late(Gambler):
    """A gambler that dies of its dice."""

    def tell(self, what: str, at_ns: int) -> None:
        super().tell(what, at_ns)
        if self.dice.random() < 0.03:
            self.ctx.buy("AAA", 1)  # dropped with the call that fails
            raise RuntimeError(what)


class Columns(Strategy[Any]):
    """Whole windows: buys and sells in turn, every so many rows of AAA's quotes, and keeps a list of what it saw."""

    every = 3

    def on_start(self) -> None:
        self.seen: list[float] = []
        self.each = {"bought": 0, "sold": 0}

    def on_window(self, window: Window) -> int | None:
        for index, _ in enumerate(window.ts_ns):
            self.first = window.size  # set anew in each call: no part of any result
            quotes = window.quotes
            row = _place_of(quotes, index)
            if quotes is None or row is None or quotes.conid[row] != 1:
                continue
            self.seen.append(float(quotes.bid[row]))
            window.at(index)
            known = self.ctx.quote("AAA")
            assert known is not None
            assert known.bid == quotes.bid[row]
            assert known.ts_ns == window.ts_ns[index] == self.ctx.now_ns
            if len(self.seen) % 2 == 0:
                self.ctx.indicator("seen", sum(self.seen))
                self.ctx.log("seen", bids=self.seen[-2:])
            if len(self.seen) % self.every == 0:
                if self.each["bought"] > self.each["sold"]:
                    self.each["sold"] += 1
                    self.ctx.oca(self.ctx.ticket(Side.SELL, "AAA", 1), self.ctx.ticket(Side.SELL, "AAA", 1, limit=99))
                else:
                    self.each["bought"] += 1
                    self.ctx.buy("AAA", 1)
                return index
        return None


class Column5(Columns):
    """The same, at another pace."""

    every = 5


class Failing(Columns):
    """The same, until it has seen enough."""

    every = 4

    def on_window(self, window: Window) -> int | None:
        index = super().on_window(window)
        if len(self.seen) > 9:
            raise RuntimeError("seen enough")
        return index


def _place_of(part: Any, index: int) -> int | None:
    """Row of a kind that stands at a window's index; None if that row is of another kind."""
    if part is None:
        return None
    if part.at is None:
        return index
    found = [row for row, at in enumerate(part.at) if at == index]
    return found[0] if found else None
