"""Trade the break out of the range of the first minutes: once a day, with a target and a stop, flat before the close.

The range is made of trades, or of recorded bars where there are no trades. `entry = "stop"` places two brackets when
the range is done, a buy stop above it and a sell stop below, of which the first to fill cancels the other.
`entry = "market"` waits for a trade (or a bar's close) beyond the range and then sends one bracket at market.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from attrs import define, field, frozen
from attrs.validators import ge, gt

from engine.strategy.api import Bar, Context, Fill, Instrument, Order, Side, State, Strategy, Trade
from strategies.closing import GoFlat

_NS_PER_MINUTE = 60_000_000_000
# A timer comes before the bar of its moment; the range is read when its last bar is surely in.
_SETTLE_MINUTES = 1.0 / 60.0


@frozen(kw_only=True)
class OpeningRangeParams:
    """The range covers the first `minutes` of the session.

    The entry lies `buffer_ticks` beyond the range; the stop at the range's other side, the target `target_ranges` times
    the range away from the entry. A range outside `range_min_bps` to `range_max_bps` of the price is not traded.
    `flat_minutes` before the close everything is closed.
    """

    minutes: float = field(default=15.0, validator=gt(0.0))
    quantity: Decimal = field(default=Decimal(100), validator=gt(Decimal(0)))
    entry: Literal["stop", "market"] = "stop"
    short: bool = True
    buffer_ticks: int = field(default=1, validator=ge(0))
    target_ranges: float = field(default=1.5, validator=gt(0.0))
    range_min_bps: float = field(default=5.0, validator=ge(0.0))
    range_max_bps: float = field(default=300.0, validator=gt(0.0))
    flat_minutes: float = field(default=10.0, validator=gt(0.0))


@define
class _Day:
    """One instrument's day: the session it belongs to, its range, and how far the trade is."""

    open_ns: int
    close_ns: int
    ends_ns: int  # of the range
    high: float = float("-inf")
    low: float = float("inf")
    last: float = float("nan")
    stage: Literal["range", "armed", "done"] = "range"
    entries: tuple[str, ...] = ()


class OpeningRange(Strategy[OpeningRangeParams]):
    """Breakout of the first minutes' range, by bracket, once a day, flat before the close."""

    Params = OpeningRangeParams

    def __init__(self, ctx: Context, params: OpeningRangeParams) -> None:
        super().__init__(ctx, params)
        self._flat = GoFlat(ctx)
        self._days: dict[int, _Day] = {}
        self._traded: set[int] = set()  # instruments that print: their bars are not needed

    def on_start(self) -> None:
        """Ask for the range's end and the day's."""
        self.ctx.after_open(self.params.minutes + _SETTLE_MINUTES, "range")
        self.ctx.before_close(self.params.flat_minutes, "flat")

    def on_trade(self, trade: Trade) -> None:
        """Widen the range, or look for the break."""
        self._traded.add(trade.conid)
        if self._flat.owed:
            self._flat.retry(trade.conid)
        day = self._today(trade.conid, trade.ts_ns)
        if day is not None:
            self._see(day, trade.conid, trade.ts_ns, trade.price, trade.price, trade.price)

    def on_bar(self, bar: Bar) -> None:
        """The same of a recorded bar, for instruments without trades."""
        if bar.conid in self._traded:
            return
        if self._flat.owed:
            self._flat.retry(bar.conid)
        day = self._today(bar.conid, bar.ts_ns - 1)  # a bar belongs to the time that it covers
        if day is not None and bar.ts_ns - bar.span_ns >= day.open_ns:
            self._see(day, bar.conid, bar.ts_ns - 1, bar.high, bar.low, bar.close)

    def on_calendar(self, name: str) -> None:
        """The range is done, or the day is."""
        for conid, day in self._days.items():
            if name == "flat":
                day.stage = "done"
                self._flat.start(conid)
            elif day.open_ns <= self.ctx.now_ns < day.close_ns and day.stage == "range":
                self._arm(conid, day)

    def on_fill(self, fill: Fill) -> None:
        """An entry has filled: the other side's is not wanted any more."""
        day = self._days.get(fill.conid)
        if day is not None and fill.coid in day.entries:
            for coid in day.entries:
                if coid != fill.coid:
                    self.ctx.cancel(coid)

    def on_order(self, order: Order) -> None:
        """An order has ended; go on getting out if we are."""
        self._flat.hear(order)
        if order.state is State.REFUSED:
            self.ctx.log("order_refused", coid=order.coid, code=order.code)

    def _today(self, conid: int, ts_ns: int) -> _Day | None:
        """The day that a time belongs to, begun anew with each session; None outside sessions."""
        day = self._days.get(conid)
        if day is None or ts_ns >= day.close_ns:
            session = self.ctx.session(conid)
            if session is None or not session[0] <= ts_ns < session[1]:
                return None
            ends_ns = session[0] + round(self.params.minutes * _NS_PER_MINUTE)
            day = self._days[conid] = _Day(session[0], session[1], ends_ns)
        return day

    def _see(self, day: _Day, conid: int, ts_ns: int, high: float, low: float, last: float) -> None:
        day.last = last
        if ts_ns < day.ends_ns:
            if day.stage == "range":
                day.high = max(day.high, high)
                day.low = min(day.low, low)
        elif day.stage == "armed" and self.params.entry == "market":
            self._look_for_break(conid, day, last)

    def _arm(self, conid: int, day: _Day) -> None:
        """The range is known: place the stops, or begin to look for the break."""
        day.stage = "done"
        if not day.high > day.low:
            self.ctx.log("no_range", conid=conid)
            return
        self.ctx.indicator("range high", day.high, conid)
        self.ctx.indicator("range low", day.low, conid)
        width_bps = (day.high - day.low) / day.low * 1e4
        if not self.params.range_min_bps <= width_bps <= self.params.range_max_bps:
            self.ctx.log("range_not_traded", conid=conid, width_bps=round(width_bps, 2))
            return
        day.stage = "armed"
        if self.params.entry == "market" or not self.ctx.is_open(conid):
            return
        day.stage = "done"
        # A market that has left the range already would trigger the stop at once, at any price: that side is let go.
        group = f"{self.ctx.strategy}-{conid}-{day.open_ns}"
        above, below = self._levels(conid, day)
        last = self.ctx.instrument(conid).price(day.last)
        if last < above:
            day.entries += (self._bracket(Side.BUY, conid, day, above, group),)
        if self.params.short and last > below:
            day.entries += (self._bracket(Side.SELL, conid, day, below, group),)

    def _look_for_break(self, conid: int, day: _Day, last: float) -> None:
        above, below = self._levels(conid, day)
        price = self.ctx.instrument(conid).price(last)  # as a float, 9.99 lies above 9.99
        if not self.ctx.is_open(conid):
            return
        if price >= above:
            day.entries = (self._bracket(Side.BUY, conid, day, None, None),)
            day.stage = "done"
        elif self.params.short and price <= below:
            day.entries = (self._bracket(Side.SELL, conid, day, None, None),)
            day.stage = "done"

    def _levels(self, conid: int, day: _Day) -> tuple[Decimal, Decimal]:
        """Where the break is: the range, and the buffer beyond it."""
        high, low, tick = _on_tick(self.ctx.instrument(conid), day)
        return high + self.params.buffer_ticks * tick, low - self.params.buffer_ticks * tick

    def _bracket(self, side: Side, conid: int, day: _Day, stop: Decimal | None, group: str | None) -> str:
        """Ask for an entry with its target and stop; returns the entry's client order id."""
        instrument = self.ctx.instrument(conid)
        high, low, _ = _on_tick(instrument, day)
        above, below = self._levels(conid, day)
        reach = self.params.target_ranges * float(high - low)
        if side is Side.BUY:
            target, loss = instrument.price(float(above) + reach), low
        else:
            target, loss = instrument.price(float(below) - reach), high
        entry = self.ctx.ticket(side, conid, self.params.quantity, stop=stop, oca_group=group, tag="break")
        return self.ctx.bracket(entry, target=target, stop=loss, tif="DAY")[0]


def _on_tick(instrument: Instrument, day: _Day) -> tuple[Decimal, Decimal, Decimal]:
    """High, low and tick of the range."""
    high, low = instrument.price(day.high), instrument.price(day.low)
    return high, low, instrument.tick_at(high)


__all__ = ["OpeningRange", "OpeningRangeParams"]
