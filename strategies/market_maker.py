"""Quote both sides of the market about its middle, and lean against what has piled up.

    fair   = average of the quotes' middles - skew_ticks x (position / quantity) ticks
    prices = fair -/+ edge_ticks ticks, rounded away from it, and never through the other side

A working order is moved by modification: cancelling and placing anew would cost a round trip without a quote.
"""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor, nan

from attrs import define, field, frozen
from attrs.validators import ge, gt

from engine.strategy.api import Bar, Context, Fill, Instrument, Order, Quote, Side, State, Strategy
from strategies.closing import GoFlat
from strategies.indicators import Ema

_NS_PER_S = 1_000_000_000
_CHART_EVERY_NS = 10 * _NS_PER_S


@frozen(kw_only=True)
class MarketMakerParams:
    """The average is exponential over `smoothing` quotes; with 1 it is the middle of the last one.

    `quantity` is quoted on each side as long as the position stays within `max_inventory` on it, in units.

    `edge_ticks` is the distance of both prices from fair value, `skew_ticks` how far fair value is shifted for each
    `quantity` held. A price is changed once it is `refresh_ticks` from where it should be. After a fill is complete, or
    an order refused, that side rests for `pause_s`. Quoting stops `stop_minutes` before the close, and begins again
    `start_minutes` after the next open; with `flatten` the position is closed then.
    """

    quantity: Decimal = field(default=Decimal(100), validator=gt(Decimal(0)))
    smoothing: int = field(default=1, validator=ge(1))
    edge_ticks: float = field(default=1.0, validator=ge(0.0))
    skew_ticks: float = field(default=1.0, validator=ge(0.0))
    max_inventory: Decimal = field(default=Decimal(500), validator=ge(Decimal(0)))
    refresh_ticks: int = field(default=1, validator=ge(1))
    pause_s: float = field(default=3.0, validator=ge(0.0))
    start_minutes: float = field(default=1.0, validator=ge(0.0))
    stop_minutes: float = field(default=10.0, validator=gt(0.0))
    flatten: bool = True


@define
class _Quoting:
    """One side of one instrument: our order, and until when the side rests."""

    side: Side
    coid: str | None = None
    rests_until_ns: int = 0


class MarketMaker(Strategy[MarketMakerParams]):
    """Two-sided quotes about the middle, skewed by inventory, moved by modification."""

    Params = MarketMakerParams

    def __init__(self, ctx: Context, params: MarketMakerParams) -> None:
        super().__init__(ctx, params)
        self._flat = GoFlat(ctx)
        self._stopped = False
        self._sides = {i.conid: (_Quoting(Side.BUY), _Quoting(Side.SELL)) for i in ctx.instruments}
        self._middles = {conid: Ema(params.smoothing) for conid in self._sides}
        self._charted_ns = dict.fromkeys(self._sides, 0)

    def on_start(self) -> None:
        """Ask for the day's beginning and end."""
        self.ctx.after_open(self.params.start_minutes, "start")
        self.ctx.before_close(self.params.stop_minutes, "stop")

    def on_calendar(self, name: str) -> None:
        """Begin or end the day's quoting."""
        self._stopped = name == "stop"
        if self._stopped:
            for conid in self._sides:
                self._stop(conid)

    def on_quote(self, quote: Quote) -> None:
        """Bring both orders to where this quote wants them."""
        conid = quote.conid
        if self._flat.owed:
            self._flat.retry(conid)
        if self._stopped:
            return
        buying, selling = self._sides[conid]
        if not quote.bid < quote.ask:  # crossed, locked, or a side is NaN: there is no middle to quote about
            self._withdraw(buying)
            self._withdraw(selling)
            return
        middle = self._middles[conid].update(quote.mid)
        if not self.ctx.is_open(conid):
            return
        params = self.params
        instrument = self.ctx.instrument(conid)
        held = self.ctx.position(conid).quantity
        tick = float(instrument.tick_at(instrument.price(quote.bid)))
        fair = middle - params.skew_ticks * tick * float(held / params.quantity)
        bid, ask = _prices(instrument, quote, fair, params.edge_ticks * tick)
        self._quote(buying, instrument, bid, min(params.quantity, params.max_inventory - held))
        self._quote(selling, instrument, ask, min(params.quantity, params.max_inventory + held))
        if quote.ts_ns - self._charted_ns[conid] >= _CHART_EVERY_NS:
            self._charted_ns[conid] = quote.ts_ns
            self.ctx.indicator("fair value", fair, conid)
            self.ctx.indicator("inventory", float(held), conid)

    def on_bar(self, bar: Bar) -> None:
        """Without any quotes, a bar's close stands for them, a tick to either side."""
        if self.ctx.quote(bar.conid) is None:
            instrument = self.ctx.instrument(bar.conid)
            tick = float(instrument.tick_at(instrument.price(bar.close)))
            self.on_quote(Quote(bar.ts_ns, bar.conid, bar.close - tick, bar.close + tick, nan, nan))

    def on_fill(self, fill: Fill) -> None:
        """A side whose order is done rests a while: whoever took it may know something."""
        for side in self._sides[fill.conid]:
            if side.coid == fill.coid and self.ctx.order(fill.coid) is None:
                side.coid = None
                side.rests_until_ns = self.ctx.now_ns + round(self.params.pause_s * _NS_PER_S)

    def on_order(self, order: Order) -> None:
        """Forget orders that have ended; go on getting out if we are."""
        conid = order.ticket.conid
        for side in self._sides[conid]:
            if side.coid == order.coid and not order.is_open:
                side.coid = None
                if order.state is State.REFUSED:
                    side.rests_until_ns = self.ctx.now_ns + round(self.params.pause_s * _NS_PER_S)
                    self.ctx.log("quote_refused", coid=order.coid, code=order.code)
        self._flat.hear(order)

    def _quote(self, side: _Quoting, instrument: Instrument, price: Decimal, size: Decimal) -> None:
        """Place, move or withdraw one side's order. An order that waits for an answer is left alone until it has it."""
        ctx = self.ctx
        size -= size % instrument.size_increment
        order = None if side.coid is None else ctx.order(side.coid)
        if order is None:
            if size > 0 and ctx.now_ns >= side.rests_until_ns:
                ask_for = ctx.buy if side.side is Side.BUY else ctx.sell
                side.coid = ask_for(instrument, size, limit=price)
            return
        if order.state is not State.WORKING:
            return
        if size <= 0:
            ctx.cancel(order.coid)
            return
        limit = order.ticket.limit_price
        assert limit is not None  # we place nothing but limit orders
        if abs(price - limit) >= self.params.refresh_ticks * instrument.tick_at(limit):
            # Filled up to the size wanted, but never to more than two orders in all: a ticket's limits count it whole.
            whole = min(order.filled + size, 2 * self.params.quantity)
            ctx.modify(order.coid, limit=price, quantity=max(whole, order.ticket.quantity))

    def _withdraw(self, side: _Quoting) -> None:
        order = None if side.coid is None else self.ctx.order(side.coid)
        if order is not None and order.state is State.WORKING:
            self.ctx.cancel(order.coid)

    def _stop(self, conid: int) -> None:
        if self.params.flatten:
            self._flat.start(conid)
        else:
            self.ctx.cancel_all(conid)


def _prices(instrument: Instrument, quote: Quote, fair: float, edge: float) -> tuple[Decimal, Decimal]:
    """Both prices on the tick table, away from fair value, passive against the quote in force."""
    best_bid, best_ask = instrument.price(quote.bid), instrument.price(quote.ask)
    tick = instrument.tick_at(best_bid)
    # In floats 99.99 may come out as 99.98999...: a millionth of a tick is no reason to go a whole one.
    bid = floor(round((fair - edge) / float(tick), 6)) * tick
    ask = ceil(round((fair + edge) / float(tick), 6)) * tick
    return min(bid, best_ask - tick), max(ask, best_bid + tick)


__all__ = ["MarketMaker", "MarketMakerParams"]
