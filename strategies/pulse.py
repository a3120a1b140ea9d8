"""Keep the whole way of an order busy: buy a little on a timer and sell it again. For trying out, not for profit.

Its result is what trading costs: spread and fees. What it is good for is to see orders, fills, cancels and positions
come and go, in a simulated market or on a paper account.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from attrs import field, frozen
from attrs.validators import ge, gt

from engine.strategy.api import Context, Instrument, Order, Side, Strategy

NS_PER_S: Final = 1_000_000_000


@frozen(kw_only=True)
class PulseParams:
    """Each instrument has a pulse every `every_s` seconds. At most `position_max` units are held; every `passive`-th
    order rests at its own side of the book and is cancelled at the next pulse if it has not filled; 0: none does."""

    every_s: float = field(default=4.0, validator=gt(0.0))
    quantity: Decimal = field(default=Decimal(10), validator=gt(Decimal(0)))
    position_max: Decimal = field(default=Decimal(20), validator=gt(Decimal(0)))
    passive: int = field(default=3, validator=ge(0))


class Pulse(Strategy[PulseParams]):
    """Buys and sells in turn, on a timer."""

    Params = PulseParams

    def __init__(self, ctx: Context, params: PulseParams) -> None:
        super().__init__(ctx, params)
        self.beats = {instrument.symbol: 0 for instrument in ctx.instruments}
        self.due_ns: dict[str, int] = {}

    def on_start(self) -> None:
        """Spread the pulses of several instruments over the interval."""
        every_ns, many = round(self.params.every_s * NS_PER_S), len(self.ctx.instruments)
        for place, instrument in enumerate(self.ctx.instruments, 1):
            self._set(instrument.symbol, self.ctx.now_ns + every_ns * place // many)

    def _set(self, name: str, due_ns: int) -> None:
        self.due_ns[name] = due_ns
        self.ctx.set_timer(name, at_ns=due_ns)

    def on_timer(self, name: str) -> None:
        """One pulse: cancel what rests, and place the next order."""
        # From the last one's moment, not from now: after a pause all instruments would beat as one for ever.
        every_ns, late_ns = round(self.params.every_s * NS_PER_S), self.ctx.now_ns - self.due_ns[name]
        self._set(name, self.due_ns[name] + every_ns * (late_ns // every_ns + 1))
        instrument = self.ctx.instrument(name)
        resting = self.ctx.orders(instrument)
        for order in resting:
            self.ctx.cancel(order.ticket.coid)
        # One that does not die is no reason to stop, a pile of them is.
        if self.ctx.is_open(instrument) and len(resting) < 2:
            self._place(instrument, resting)

    def _place(self, instrument: Instrument, dying: list[Order]) -> None:
        quote = self.ctx.quote(instrument)
        if quote is None or not quote.bid < quote.ask:  # a side that is absent compares as no
            return
        beat = self.beats[instrument.symbol] = self.beats[instrument.symbol] + 1
        held = self.ctx.position(instrument).quantity
        buys = held <= 0 if abs(held) >= self.params.position_max or held else beat % 2 == 1
        side = Side.BUY if buys else Side.SELL
        if any(order.ticket.side is not side for order in dying):
            if held:
                return  # it could trade with it
            side = dying[0].ticket.side
        buys = side is Side.BUY
        passive = self.params.passive > 0 and beat % self.params.passive == 0
        place = self.ctx.buy if buys else self.ctx.sell
        price = (quote.bid if passive else quote.ask) if buys else (quote.ask if passive else quote.bid)
        place(instrument, self.params.quantity, limit=price)
        self.ctx.indicator("limit price", price, instrument)
        self.ctx.indicator("held", float(held), instrument)
