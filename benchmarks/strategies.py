"""The workloads' strategies: plain handlers, the arithmetic that every peer's runner has."""

from __future__ import annotations

from typing import Any

from engine.strategy.api import Bar, Fill, Order, Quote, Strategy

QUANTITY = 100
GAP = 1_000
EVERY = 10
FAST, SLOW = 0.18181818181818182, 0.06451612903225806  # 2 / 11 and 2 / 31


class Cross:
    """EMA(10) and EMA(30) of a price, one by one; `update` returns 1 on a cross up, -1 on a cross down, else 0."""

    __slots__ = ("above", "fast", "seen", "slow")

    def __init__(self) -> None:
        self.fast = self.slow = 0.0
        self.above = False
        self.seen = 0

    def update(self, price: float) -> int:
        seen = self.seen = self.seen + 1
        if seen == 1:
            self.fast = self.slow = price
            return 0
        fast = self.fast = self.fast + (price - self.fast) * FAST
        slow = self.slow = self.slow + (price - self.slow) * SLOW
        above = fast > slow
        if above is self.above:
            return 0
        self.above = above
        if seen <= 30:
            return 0
        return 1 if above else -1


class Counts(Strategy[Any]):
    """W3: counts quotes."""

    def on_start(self) -> None:
        self.seen = 0

    def on_quote(self, _quote: Quote) -> None:
        self.seen += 1


class CountsBars(Strategy[Any]):
    """W1n: counts bars."""

    def on_start(self) -> None:
        self.seen = 0

    def on_bar(self, _bar: Bar) -> None:
        self.seen += 1


class BarCross(Strategy[Any]):
    """W1: long or flat by the crosses of bar closes, market orders."""

    def on_start(self) -> None:
        self.cross = Cross()
        self.long = False
        self.conid = self.ctx.instruments[0].conid

    def on_bar(self, bar: Bar) -> None:
        cross = self.cross.update(bar.close)
        if cross > 0 and not self.long:
            self.long = True
            self.ctx.buy(self.conid, QUANTITY)
        elif cross < 0 and self.long:
            self.long = False
            self.ctx.sell(self.conid, QUANTITY)


class QuoteCross(Strategy[Any]):
    """W2: long or flat by the crosses of the mid, at least GAP quotes between orders."""

    def on_start(self) -> None:
        self.cross = Cross()
        self.long = False
        self.conid = self.ctx.instruments[0].conid
        self.seen = 0
        self.last = -GAP

    def on_quote(self, quote: Quote) -> None:
        seen = self.seen = self.seen + 1
        cross = self.cross.update((quote.bid + quote.ask) * 0.5)
        if cross and seen - self.last >= GAP:
            if cross > 0 and not self.long:
                self.long, self.last = True, seen
                self.ctx.buy(self.conid, QUANTITY)
            elif cross < 0 and self.long:
                self.long, self.last = False, seen
                self.ctx.sell(self.conid, QUANTITY)


class _One:
    """W4: what QuoteCross keeps, for one of many instruments."""

    __slots__ = ("cross", "last", "long", "seen")

    def __init__(self) -> None:
        self.cross = Cross()
        self.long = False
        self.seen = 0
        self.last = -GAP


class ManyCross(Strategy[Any]):
    """W4: QuoteCross for each of its instruments."""

    def on_start(self) -> None:
        self.each = {instrument.conid: _One() for instrument in self.ctx.instruments}

    def on_quote(self, quote: Quote) -> None:
        one = self.each[quote.conid]
        seen = one.seen = one.seen + 1
        cross = one.cross.update((quote.bid + quote.ask) * 0.5)
        if cross and seen - one.last >= GAP:
            if cross > 0 and not one.long:
                one.long, one.last = True, seen
                self.ctx.buy(quote.conid, QUANTITY)
            elif cross < 0 and one.long:
                one.long, one.last = False, seen
                self.ctx.sell(quote.conid, QUANTITY)


class Maker(Strategy[Any]):
    """W5: every EVERY quotes the resting limit order is cancelled and a new one placed at the touch."""

    def on_start(self) -> None:
        self.seen = 0
        self.held = 0
        self.live: str | None = None
        self.conid = self.ctx.instruments[0].conid

    def on_fill(self, fill: Fill) -> None:
        self.held += QUANTITY if fill.side == "BUY" else -QUANTITY

    def on_order(self, order: Order) -> None:
        if not order.is_open and order.ticket.coid == self.live:
            self.live = None

    def on_quote(self, quote: Quote) -> None:
        seen = self.seen = self.seen + 1
        if seen % EVERY:
            return
        ctx = self.ctx
        if self.live is not None:
            ctx.cancel(self.live)
        if self.held <= 0:
            self.live = ctx.buy(self.conid, QUANTITY, limit=quote.bid, tif="GTC")
        else:
            self.live = ctx.sell(self.conid, QUANTITY, limit=quote.ask, tif="GTC")


class MakerModify(Maker):
    """W5m: as W5, the resting order modified in place."""

    def on_quote(self, quote: Quote) -> None:
        seen = self.seen = self.seen + 1
        if seen % EVERY:
            return
        ctx = self.ctx
        buy = self.held <= 0
        price = quote.bid if buy else quote.ask
        if self.live is not None:
            working = ctx.order(self.live)
            if working is not None:
                if float(working.ticket.limit_price or 0) != price:
                    ctx.modify(self.live, limit=price)
                return
        place = ctx.buy if buy else ctx.sell
        self.live = place(self.conid, QUANTITY, limit=price, tif="GTC")
