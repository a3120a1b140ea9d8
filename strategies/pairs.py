"""Trade two instruments against one another when they have come unusually far apart, until they are close again.

    spread  s = ln(first) - hedge x ln(second)
    z score = (s - mean of s) / deviation of s, over the last `window` bars before the one in hand

A z score above `enter` sells the first and buys the second, one below -`enter` does the reverse. The hedge is 1
("ratio": equal money in both legs) or the slope of a rolling regression ("fitted").

Source: E. Gatev, W. N. Goetzmann, K. G. Rouwenhorst, Pairs Trading: Performance of a Relative-Value Arbitrage Rule,
Review of Financial Studies 19, 2006, 797-827.
"""

from __future__ import annotations

from decimal import Decimal
from math import log
from typing import Literal

from attrs import field, frozen
from attrs.validators import ge, gt

from engine.strategy.api import Bar, Context, Instrument, Order, Side, State, Strategy, StrategyError, bar_length
from strategies.closing import GoFlat
from strategies.indicators import RollingFit, RollingMoments

_FAILED = (State.REFUSED, State.CANCELLED, State.LOST)


@frozen(kw_only=True)
class PairsParams:
    """`length` and `source` are those of the bars; "recorded" takes the recording's own.

    `notional` is the money in the first leg, in its currency; the second leg has `hedge` times as much. A trade is
    closed when the z score is back within `leave`, or beyond `give_up`, where the pair is taken to have come apart for
    good: none is begun then until the z score has been within `leave`.
    """

    window: int = field(default=120, validator=ge(10))
    enter: float = field(default=2.0, validator=gt(0.0))
    leave: float = field(default=0.5, validator=ge(0.0))
    give_up: float = 4.0
    notional: Decimal = field(default=Decimal(20_000), validator=gt(Decimal(0)))
    hedge: Literal["ratio", "fitted"] = "ratio"
    length: str = field(default="5min", validator=bar_length)
    source: Literal["trades", "mid", "bars", "recorded"] = "bars"

    def __attrs_post_init__(self) -> None:
        if not self.leave < self.enter < self.give_up:
            raise ValueError(
                f"enter must lie between leave and give_up, {self.leave:g} and {self.give_up:g}, not {self.enter:g}"
            )


class Pairs(Strategy[PairsParams]):
    """Mean reversion of two instruments' log ratio, by z score; the first instrument is the one that is explained."""

    Params = PairsParams

    def __init__(self, ctx: Context, params: PairsParams) -> None:
        super().__init__(ctx, params)
        if len(ctx.instruments) != 2:
            raise StrategyError(f"a pair has two instruments, not {len(ctx.instruments)}")
        self._first, self._second = ctx.instruments
        self._flat = GoFlat(ctx)
        self._bars: dict[int, Bar] = {}
        self._ratio = RollingMoments(params.window)
        self._fit = RollingFit(params.window)
        self._barred = False  # until the z score has come back
        self._entries: set[str] = set()

    def on_start(self) -> None:
        """Ask for the bars of both."""
        if self.params.source != "recorded":
            for instrument in self.ctx.instruments:
                self.ctx.bars(instrument, self.params.length, self.params.source)

    def on_bar(self, bar: Bar) -> None:
        """When both legs have a bar of one moment, look at the pair."""
        self._bars[bar.conid] = bar
        if self._flat.owed:
            self._flat.retry(bar.conid)
        first, second = self._bars.get(self._first.conid), self._bars.get(self._second.conid)
        if first is None or second is None or first.ts_ns != second.ts_ns:
            return
        x, y = log(second.close), log(first.close)
        z, hedge = self._measure(x, y)
        if z == z:
            self.ctx.indicator("z score", z)
            self._decide(z, hedge, first.close, second.close)

    def on_order(self, order: Order) -> None:
        """A leg that failed takes the other one with it: half a pair is a bet that nobody asked for."""
        if order.coid in self._entries and not order.is_open:
            self._entries.discard(order.coid)
            if order.state in _FAILED and order.filled < order.ticket.quantity:
                self.ctx.log("leg_failed", coid=order.coid, code=order.code, reason=order.reason)
                self._barred = True
                self._leave("leg failed")
        self._flat.hear(order)

    def _measure(self, x: float, y: float) -> tuple[float, float]:
        """z score against the bars before, and the hedge; NaN while the window fills. The bar is folded in."""
        if self.params.hedge == "ratio":
            z = self._ratio.z_score(y - x) if self._ratio.ready else float("nan")
            self._ratio.update(y - x)
            return z, 1.0
        z = self._fit.z_score(x, y) if self._fit.ready else float("nan")
        hedge = self._fit.slope
        self._fit.update(x, y)
        return z, hedge

    def _decide(self, z: float, hedge: float, first: float, second: float) -> None:
        ctx, params = self.ctx, self.params
        if abs(z) <= params.leave:
            self._barred = False
        if ctx.orders() or not (ctx.is_open(self._first) and ctx.is_open(self._second)):
            return
        held = ctx.position(self._first).quantity
        if held or ctx.position(self._second).quantity:
            come_back = z <= params.leave if held < 0 else z >= -params.leave
            if come_back:
                self._leave("came back")
            elif abs(z) >= params.give_up:
                self._barred = True
                self._leave("gave up")
        elif abs(z) >= params.give_up:
            self._barred = True
        elif abs(z) >= params.enter and not self._barred and hedge > 0:
            self._enter(Side.SELL if z > 0 else Side.BUY, hedge, first, second)

    def _enter(self, side: Side, hedge: float, first: float, second: float) -> None:
        """Send both legs, or none if one of them would be nothing."""
        legs = (
            (side, self._first, _units(self._first, self.params.notional, first)),
            (side.opposite, self._second, _units(self._second, self.params.notional * Decimal(hedge), second)),
        )
        if not all(units > 0 for _, _, units in legs):
            self.ctx.log("leg_too_small", notional=self.params.notional)
            return
        for way, instrument, units in legs:
            ask_for = self.ctx.buy if way is Side.BUY else self.ctx.sell
            self._entries.add(ask_for(instrument, units, tag="enter"))

    def _leave(self, why: str) -> None:
        for instrument in (self._first, self._second):
            self._flat.start(instrument.conid, why)


def _units(instrument: Instrument, notional: Decimal, price: float) -> Decimal:
    """How many whole increments the money buys."""
    step = instrument.size_increment
    return notional / (Decimal(price) * instrument.multiplier) // step * step


__all__ = ["Pairs", "PairsParams"]
