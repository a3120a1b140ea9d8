"""Follow the trend: long while a fast moving average lies above a slow one, else flat, or short."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from attrs import define, field, frozen
from attrs.validators import ge, gt

from engine.strategy.api import Bar, Context, Order, Quote, Strategy, bar_length
from strategies.closing import GoFlat
from strategies.indicators import Ema

# Quotes may come by the thousand a second; a chart needs no more than a point a second.
_CHART_EVERY_NS = 1_000_000_000


@frozen(kw_only=True)
class EmaCrossParams:
    """`on` says what the averages are of: closes of bars, or middles of quotes.

    `length` and `source` are those of the bars ("1min", "5min", "1h", "1d"; from "trades", "mid" or "bars"); with
    `source = "recorded"` the recording's own bars are taken as they come. `gap` is the least number of bars (or quotes)
    between two orders of an instrument. With `short` the strategy is always in the market once the averages are there.
    `flat_minutes` before the close it goes flat for the day; 0 lets it hold overnight.
    """

    fast: int = field(default=10, validator=ge(1))
    slow: int = 30
    quantity: Decimal = field(default=Decimal(100), validator=gt(Decimal(0)))
    on: Literal["bars", "quotes"] = "bars"
    length: str = field(default="1min", validator=bar_length)
    source: Literal["trades", "mid", "bars", "recorded"] = "trades"
    gap: int = field(default=0, validator=ge(0))
    short: bool = False
    flat_minutes: float = field(default=0.0, validator=ge(0.0))

    def __attrs_post_init__(self) -> None:
        if self.slow <= self.fast:
            raise ValueError(f"slow must be above fast, {self.fast}, not {self.slow}")


@define
class _Line:
    """What is kept of one instrument: its averages, the target in force, rows since the last order."""

    fast: Ema
    slow: Ema
    target: Decimal
    since: int
    charted_ns: int = -_CHART_EVERY_NS


class EmaCross(Strategy[EmaCrossParams]):
    """Long while the fast average is above the slow one, else flat (or short, by a parameter)."""

    Params = EmaCrossParams

    def __init__(self, ctx: Context, params: EmaCrossParams) -> None:
        super().__init__(ctx, params)
        self._flat = GoFlat(ctx)
        self._resting = False  # after the day's last orders, until the next open
        self._lines = {
            instrument.conid: _Line(Ema(params.fast), Ema(params.slow), Decimal(0), params.gap)
            for instrument in ctx.instruments
        }

    def on_start(self) -> None:
        """Ask for the bars and the day's end."""
        params = self.params
        if params.on == "bars" and params.source != "recorded":
            for instrument in self.ctx.instruments:
                self.ctx.bars(instrument, params.length, params.source)
        if params.flat_minutes:
            self.ctx.before_close(params.flat_minutes, "flat")
            self.ctx.after_open(0, "open")

    def on_bar(self, bar: Bar) -> None:
        """Fold a close in."""
        if self.params.on == "bars":
            line = self._lines[bar.conid]
            self._fold(line, bar.conid, bar.close)
            if line.slow.ready:
                self._chart(line, bar.conid)

    def on_quote(self, quote: Quote) -> None:
        """Fold the middle of a two-sided quote in."""
        if self.params.on != "quotes":
            return
        mid = quote.mid
        if mid == mid:
            line = self._lines[quote.conid]
            self._fold(line, quote.conid, mid)
            if line.slow.ready and quote.ts_ns - line.charted_ns >= _CHART_EVERY_NS:
                line.charted_ns = quote.ts_ns
                self._chart(line, quote.conid)

    def on_calendar(self, name: str) -> None:
        """Leave the market before the close, take it up again at the next open."""
        self._resting = name == "flat"
        if self._resting:
            for conid, line in self._lines.items():
                line.target = Decimal(0)
                self._flat.start(conid)

    def on_order(self, order: Order) -> None:
        """An order has ended: what is to be closed after it may be closed now."""
        self._flat.hear(order)
        if order.state == "refused":
            self.ctx.log("order_refused", coid=order.coid, code=order.code)

    def _fold(self, line: _Line, conid: int, price: float) -> None:
        if self._flat.owed:
            self._flat.retry(conid)
        fast = line.fast.update(price)
        slow = line.slow.update(price)
        line.since += 1
        if not line.slow.ready or self._resting:
            return
        if fast > slow:
            target = self.params.quantity
        elif fast < slow:
            target = -self.params.quantity if self.params.short else Decimal(0)
        else:
            target = line.target  # neither above nor below: nothing new
        if target != line.target and line.since > self.params.gap and self.ctx.is_open(conid):
            line.target = target
            self._go_to(line, conid, target)

    def _go_to(self, line: _Line, conid: int, target: Decimal) -> None:
        """Trade the difference between the target and where open orders lead anyway."""
        wanted = target - self.ctx.position(conid).quantity - self.ctx.pending(conid)
        if wanted > 0:
            self.ctx.buy(conid, wanted, tag="cross")
        elif wanted < 0:
            self.ctx.sell(conid, -wanted, tag="cross")
        line.since = 0

    def _chart(self, line: _Line, conid: int) -> None:
        self.ctx.indicator(f"EMA {self.params.fast}", line.fast.value, conid)
        self.ctx.indicator(f"EMA {self.params.slow}", line.slow.value, conid)


__all__ = ["EmaCross", "EmaCrossParams"]
