"""A strategy that writes down what it hears and when."""

from __future__ import annotations

from typing import Any

from engine.settings import LatencySettings, VenueSettings
from engine.strategy.api import Bar, Fill, Order, Quote, Status, Strategy, Trade
from tests.replay.arena import T0, Arena

ARENA = Arena()
LATE = VenueSettings(latency_ms=LatencySettings(place=2, modify=2, cancel=2, report=1), fills="same_event", fees="none")


class Diary(Strategy[Any]):
    """Writes down every call as (ns after T0, what); a test's subclass says in `then` what it does about it."""

    def on_start(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.note("start")

    def note(self, what: str) -> None:
        self.lines.append((self.ctx.now_ns - T0, what))
        self.then(what)

    def then(self, what: str) -> None:
        """Nothing, unless a test wants something."""

    def on_quote(self, quote: Quote) -> None:
        self.note(f"quote {quote.bid:g}")

    def on_trade(self, trade: Trade) -> None:
        self.note(f"trade {trade.price:g}")

    def on_bar(self, bar: Bar) -> None:
        self.note(f"bar {bar.close:g}")

    def on_status(self, status: Status) -> None:
        self.note(f"status {status.trading}")

    def on_order(self, order: Order) -> None:
        self.note(f"order {order.coid[-1]} {order.state}")

    def on_fill(self, fill: Fill) -> None:
        self.note(f"fill {fill.coid[-1]} {fill.price}")

    def on_timer(self, name: str) -> None:
        self.note(f"timer {name}")

    def on_calendar(self, name: str) -> None:
        self.note(f"calendar {name}")

    def on_stop(self) -> None:
        self.note("stop")


def diary(left: Any, name: str = "a") -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = left.strategies[name].lines
    return lines


class BuysOnce(Diary):
    """Buys at the market on the quote of 10."""

    def then(self, what: str) -> None:
        if what == "quote 10":
            self.ctx.buy("AAA", 1)


class Rests(Diary):
    """A limit order at 9.00 from the first quote on."""

    def then(self, what: str) -> None:
        if what == "quote 10":
            self.ctx.buy("AAA", 1, limit=9)
