"""Everything a strategy author imports.

    from attrs import field, frozen
    from engine.strategy.api import Strategy, Quote

    @frozen
    class Params:
        quantity: int = 100

    class Mine(Strategy[Params]):
        Params = Params

        def on_quote(self, quote: Quote) -> None:
            if not self.ctx.position(quote.conid).quantity:
                self.ctx.buy(quote.conid, self.params.quantity)

A handler is a plain function; only those a class overrides are called. Orders are asked for through `self.ctx`, judged
by the risk checker, and answered through `on_order` and `on_fill`. A handler that raises has its strategy switched off.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from attrs import frozen

from engine.domain.depth import Depth, Level
from engine.domain.facts import Filled as Fill
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, Quote, Status, Trade
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.errors import StrategyError
from engine.strategy.context import Context, Holding
from engine.strategy.terms import bar_length
from engine.strategy.window import Slice, Window


@frozen
class NoParams:
    """Parameters of a strategy that has none."""


P = TypeVar("P")


class Strategy(Generic[P]):
    """Base of every strategy. Override the handlers you need; keep your state on `self`.

    `Params` is an attrs class; the config's `params` table fills it, checked by its types and validators. `ctx` places
    orders and answers questions; `params` are this copy's parameters. An `__init__` that can't use what it was given
    raises `StrategyError` with one sentence: the run then does not begin.
    """

    Params: ClassVar[type[Any]] = NoParams

    def __init__(self, ctx: Context, params: P) -> None:
        self.ctx = ctx
        self.params = params

    def on_start(self) -> None:
        """Once, before any data: subscribe to bars, set timers, take up saved state. No orders yet."""

    def on_quote(self, quote: Quote) -> None:
        """A new best bid or offer of one of the strategy's instruments."""

    def on_trade(self, trade: Trade) -> None:
        """A print."""

    def on_bar(self, bar: Bar) -> None:
        """A bar that has just ended: those subscribed to, or else those of the recording."""

    def on_status(self, status: Status) -> None:
        """Trading was halted or resumed."""

    def on_depth(self, depth: Depth) -> None:
        """A new book of one of the strategy's instruments: live only, where the user may see books. To have this
        handler is to subscribe to them."""

    def on_window(self, window: Window) -> int | None:
        """Many rows at once, as numpy columns; an alternative to `on_quote`, `on_trade` and `on_bar`.

        Return the index (in the window) of the first row at which orders are wanted, after asking for them, or None.
        The strategy's state must then be that after this row: what follows it is given again. It must not depend on
        later rows, nor on where windows are cut; `engine check` looks for that.
        """

    def on_order(self, order: Order) -> None:
        """One of the strategy's orders has changed."""

    def on_fill(self, fill: Fill) -> None:
        """One of the strategy's orders was executed; positions include it already."""

    def on_timer(self, name: str) -> None:
        """A timer has come."""

    def on_calendar(self, name: str) -> None:
        """A moment of the exchange's day has come, as asked for by `ctx.after_open` or `ctx.before_close`."""

    def on_stop(self) -> None:
        """The data has ended. Orders asked for now go nowhere."""


__all__ = [
    "Bar",
    "Context",
    "Depth",
    "Fill",
    "Holding",
    "Instrument",
    "Level",
    "NoParams",
    "Order",
    "OrderTicket",
    "OrderType",
    "Quote",
    "Side",
    "Slice",
    "State",
    "Status",
    "Strategy",
    "StrategyError",
    "Tif",
    "Trade",
    "Window",
    "bar_length",
]
