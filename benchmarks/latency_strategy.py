"""The strategy of the latency benchmark: an order at every n-th quote, decided in the handler of that quote."""

from __future__ import annotations

from attrs import frozen

from engine.strategy.api import Context, Quote, Strategy


@frozen(kw_only=True)
class PulseParams:
    """One order each `every` quotes."""

    every: int = 4


class AtQuote(Strategy[PulseParams]):
    """Buys a share and sells it, in turn."""

    Params = PulseParams

    def __init__(self, ctx: Context, params: PulseParams) -> None:
        super().__init__(ctx, params)
        self.quotes = 0

    def on_quote(self, quote: Quote) -> None:
        self.quotes += 1
        if self.quotes % self.params.every == 0 and quote.bid < quote.ask:
            held = self.ctx.position("AAPL").quantity
            if held > 0:
                self.ctx.sell("AAPL", 1, limit=quote.bid)
            else:
                self.ctx.buy("AAPL", 1, limit=quote.ask)
