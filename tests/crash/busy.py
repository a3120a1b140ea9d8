"""A strategy that does to orders all that can be done, from its own seed: places, changes, cancels, brackets."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from attrs import field, frozen

from engine.strategy.api import Context, Instrument, Side, Strategy


@frozen(kw_only=True)
class BusyParams:
    """One wish each `every_s` seconds; at most `orders_max` are open."""

    seed: int = 1
    every_s: float = 1.0
    quantity: Decimal = field(default=Decimal(10))
    orders_max: int = 12


class Busy(Strategy[BusyParams]):
    """Keeps the order path busy; its trades make no sense."""

    Params = BusyParams

    def __init__(self, ctx: Context, params: BusyParams) -> None:
        super().__init__(ctx, params)
        self.chance = Random(params.seed)

    def on_start(self) -> None:
        self.ctx.set_timer("wish", after_s=self.params.every_s)

    def on_timer(self, name: str) -> None:
        self.ctx.set_timer(name, after_s=self.params.every_s)
        what = self.chance.random()
        orders = self.ctx.orders()
        if len(orders) >= self.params.orders_max or (orders and what < 0.2):
            self.ctx.cancel(self.chance.choice(orders).ticket.coid)
        elif orders and what < 0.4:
            order = self.chance.choice(orders)
            self.ctx.modify(order.ticket.coid, quantity=order.ticket.quantity + 1)
        else:
            self._place(self.chance.choice(self.ctx.instruments), what)

    def _place(self, instrument: Instrument, what: float) -> None:
        quote = self.ctx.quote(instrument)
        if quote is None or not quote.bid < quote.ask:
            return
        held = self.ctx.position(instrument).quantity
        buys = held < 0 or (held == 0 and self.chance.random() < 0.5)
        place = self.ctx.buy if buys else self.ctx.sell
        near, far = (quote.bid, quote.ask) if buys else (quote.ask, quote.bid)
        if what < 0.75:
            place(instrument, self.params.quantity, limit=far)
        elif what < 0.85:
            place(instrument, self.params.quantity, limit=near)
        elif what < 0.93:  # so far off that the venue asks
            place(instrument, self.params.quantity, limit=near * (0.95 if buys else 1.05))
        else:
            side = Side.BUY if buys else Side.SELL
            entry = self.ctx.ticket(side, instrument, self.params.quantity, limit=far)
            up, down = far * 1.02, far * 0.98
            self.ctx.bracket(entry, target=up if buys else down, stop=down if buys else up, tif="DAY")
