"""What goes wrong in a strategy, and what becomes of it and of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.domain.market import MarketEvent
from engine.domain.moments import NS_PER_DAY
from engine.domain.sessions import Sessions
from engine.errors import StrategyError
from engine.settings import Limits, Pipeline
from engine.strategy.api import Fill, Order, Quote, Side, Strategy, Window
from tests.replay.arena import LOOSE, T0, bar, quote, status, trade
from tests.replay.diary import ARENA, Diary

# Depth comes live only; no recording has it.
HANDLERS = [name for name in vars(Strategy) if name.startswith("on_") and name != "on_depth"]


def _failing(handler: str) -> type[Strategy[Any]]:
    """A strategy with an order at work that raises in one handler, the second time it is called where that can be."""
    calls = {"n": 0}
    once = handler in ("on_start", "on_stop", "on_calendar")

    def fail(self: Any, *args: Any) -> None:
        calls["n"] += 1
        if once or calls["n"] == 2:
            self.ctx.buy("AAA", 7, limit=5)  # dropped with the call that fails
            self.ctx.set_timer("never", after_s=0)
            raise ValueError("out of luck")

    class Fails(Strategy[Any]):
        def on_start(self) -> None:
            self.placed = False
            self.ctx.set_timer("t", at_ns=T0 + 15)
            self.ctx.set_timer("u", at_ns=T0 + 35)
            self.ctx.after_open(0)

        def on_quote(self, quote: Quote) -> None:
            if not self.placed and quote.conid == 1:
                self.placed = True
                self.ctx.buy("AAA", 1, limit=1, tif="GTC")  # rests for ever
                self.ctx.buy("AAA", 1)
                self.ctx.buy("AAA", 2)

    if handler == "on_window":

        def on_window(self: Any, window: Window) -> int | None:
            if not self.placed:
                self.placed = True
                self.ctx.buy("AAA", 1, limit=1, tif="GTC")
                return 0
            if window.ts_ns[-1] >= T0 + 30:
                self.ctx.buy("AAA", 7, limit=5)
                raise ValueError("out of luck")
            return None

        del Fails.on_quote
        Fails.on_window = on_window  # type: ignore[method-assign]
    elif handler == "on_quote":

        def on_quote(self: Any, quote: Quote) -> None:
            Strategy.on_quote(self, quote)
            if quote.conid == 1 and not self.placed:
                self.placed = True
                self.ctx.buy("AAA", 1, limit=1, tif="GTC")
                return
            self.ctx.buy("AAA", 7, limit=5)
            raise ValueError("out of luck")

        Fails.on_quote = on_quote  # type: ignore[method-assign]
    else:
        setattr(Fails, handler, fail)
    return Fails


MARKET: Sequence[MarketEvent] = [
    status(0, "open"),
    quote(5, 10, 10.5),
    trade(10, 10.2),
    bar(10, 10.2),
    status(20, "open"),
    quote(20, 11, 11.5),
    trade(30, 11.2),
    bar(30, 11.2),
    quote(30, 11, 11.5),
    quote(40, 9, 9.5),
    quote(50, 12, 12.5),
]


class Steady(Diary):
    """Trades on every other event, to be compared with a run without its neighbour."""

    def then(self, what: str) -> None:
        if len(self.lines) % 2 and what.split()[0] in ("quote", "trade", "timer"):
            self.ctx.buy("AAA", 3)
        if what == "start":
            self.ctx.set_timer("mine", at_ns=T0 + 33)


@pytest.mark.parametrize("window", [1, 8192])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("handler", HANDLERS)
def test_a_strategy_that_raises_is_switched_off_alone(handler: str, first: bool, window: int) -> None:
    arena = ARENA.but(
        sessions=Sessions(opens_ns=(T0 - 1, T0 + 12), closes_ns=(T0 + 11, T0 + NS_PER_DAY)), window=window
    )
    fails = _failing(handler)
    team = {"bad": fails, "good": Steady} if first else {"good": Steady, "bad": fails}
    left = arena.run(MARKET, **team)
    assert list(left.result.off) == ["bad"]
    assert left.result.off["bad"].startswith("raised ValueError: out of luck (test_trouble.py:")
    # What the failing call wanted is dropped; what stood is cancelled.
    mine = [row.order for row in left.result.orders if row.order.ticket.strategy == "bad"]
    assert all(order.ticket.quantity != 7 for order in mine)
    assert not [order for order in mine if order.is_open] or handler == "on_stop"
    if handler not in ("on_start",):
        assert mine[0].state == ("working" if handler == "on_stop" else "cancelled")
    assert [fact[1] for fact in left.facts if fact[2] == "bad"] == ["switched_off"]
    # The other one lives as if it had been alone.
    alone = arena.run(MARKET, good=Steady)
    assert left.strategies["good"].lines == alone.strategies["good"].lines
    assert left.fills("good") == alone.fills("good")
    assert [row.order.state for row in left.result.orders if row.order.ticket.strategy == "good"] == [
        row.order.state for row in alone.result.orders
    ]


def test_a_strategy_switched_off_is_called_no_more_not_even_in_the_same_window() -> None:
    called: list[int] = []

    class Dead(Strategy[Any]):
        def on_quote(self, quote: Quote) -> None:
            called.append(quote.ts_ns - T0)
            raise ValueError("at once")

        def on_stop(self) -> None:
            called.append(-1)

    left = ARENA.run([quote(at, 10, 10.5) for at in range(20)], Dead, Steady)
    assert called == [0]
    assert [fact[1] for fact in left.facts if fact[2] == "a"] == ["switched_off"]


def test_a_whole_window_handler_alone_that_raises_ends_the_run_with_a_sentence() -> None:
    class Alone(Strategy[Any]):
        def on_window(self, window: Window) -> int | None:
            raise ZeroDivisionError("by nought")

    for pipeline in Pipeline:
        with pytest.raises(
            StrategyError, match=r"strategy a: on_window raised ZeroDivisionError: by nought \(test_trouble"
        ):
            ARENA.but(pipeline=pipeline).run([quote(0, 10, 11)], Alone)


def test_a_whole_window_handler_that_looks_ahead_beside_others_ends_the_run_with_a_sentence() -> None:
    class Ahead(Strategy[Any]):
        def on_window(self, window: Window) -> int | None:
            assert window.quotes is not None
            if window.quotes.bid[-1] > 10:
                return None
            self.ctx.buy("AAA", 1)
            return 0

    class Stops(Strategy[Any]):
        def on_quote(self, quote: Quote) -> None:
            if quote.bid == 10:
                self.ctx.set_timer("t", after_s=0)

    with pytest.raises(StrategyError, match=r"strategy a: .* it looks ahead"):
        ARENA.run([quote(0, 9, 11), quote(1, 10, 11), quote(2, 11, 12)], Ahead, Stops)


def test_what_can_not_be_copied_is_named_where_a_whole_window_handler_must_be_taken_back() -> None:
    class Keeps(Strategy[Any]):
        def on_start(self) -> None:
            self.numbers = (number for number in range(3))

        def on_window(self, window: Window) -> int | None:
            return None

    with pytest.raises(StrategyError, match=r"strategy a: .*self\.numbers can't be"):
        ARENA.run([quote(0, 9, 11)], Keeps, Steady)
    ARENA.run([quote(0, 9, 11)], Keeps)  # alone it is never taken back


def test_a_whole_window_handler_that_asks_without_saying_where_is_switched_off() -> None:
    class Vague(Strategy[Any]):
        def on_window(self, window: Window) -> int | None:
            self.ctx.buy("AAA", 1)
            return None

    class Beyond(Strategy[Any]):
        def on_window(self, window: Window) -> int | None:
            return window.size

    left = ARENA.run([quote(0, 9, 11), quote(1, 9, 11)], Vague, Beyond)
    assert "asked for orders in on_window and returned no index" in left.result.off["a"]
    assert "on_window returned 1, outside 0 to 0" in left.result.off["b"]
    assert left.result.orders == ()


@pytest.mark.parametrize("pipeline", list(Pipeline))
@pytest.mark.parametrize("handler", ["on_start", "on_quote", "on_timer", "on_window", "on_stop"])
def test_a_handler_that_hangs_ends_the_run_with_a_sentence(handler: str, pipeline: Pipeline) -> None:
    def hang(self: Any, *args: Any) -> None:
        while True:
            pass

    class Hangs(Diary):
        def then(self, what: str) -> None:
            if what == "start":
                self.ctx.set_timer("t", after_s=0)

    setattr(Hangs, handler, hang)
    with pytest.raises(StrategyError, match=r"strategy b: a handler has not come back for 0\.05 s"):
        ARENA.but(hang_limit_s=0.05, pipeline=pipeline).run([quote(0, 10, 11)], Steady, Hangs)


def test_many_short_calls_are_no_hang() -> None:
    class Slow(Strategy[Any]):
        def on_quote(self, quote: Quote) -> None:
            for _ in range(20_000):
                pass

    left = ARENA.but(hang_limit_s=0.05).run([quote(at, 10, 11) for at in range(300)], Slow)
    assert dict(left.result.off) == {}


class Echo(Strategy[Any]):
    """Answers each end of an order with so many new ones."""

    many = 1

    def on_quote(self, quote: Quote) -> None:
        self.ctx.buy("AAA", 1)

    def on_order(self, order: Order) -> None:
        if not order.is_open:
            for _ in range(self.many):
                self.ctx.buy("AAA", 1)


class Flood(Echo):
    many = 2


@pytest.mark.parametrize(("echo", "limits"), [(Echo, LOOSE), (Echo, Limits()), (Flood, Limits())])
def test_a_strategy_that_answers_its_own_orders_for_ever_ends_the_run(echo: type[Echo], limits: Limits) -> None:
    with pytest.raises(StrategyError, match="strategy loud: loops on its own orders or timers"):
        ARENA.but(limits=limits).run([quote(0, 10, 11), quote(1, 10, 11)], quiet=Steady, loud=echo)


def test_a_timer_that_sets_itself_for_now_for_ever_ends_the_run() -> None:
    class Spins(Strategy[Any]):
        def on_start(self) -> None:
            self.on_timer("")

        def on_timer(self, name: str) -> None:
            self.ctx.set_timer("again", after_s=0)

    with pytest.raises(StrategyError, match="strategy a: loops on its own orders or timers"):
        ARENA.run([quote(0, 10, 11)], Spins)


def test_an_order_at_each_of_thousands_of_rows_of_one_moment_is_no_loop() -> None:
    class Busy(Strategy[Any]):
        def on_quote(self, quote: Quote) -> None:
            side = Side.BUY if quote.bid == 10 else Side.SELL
            (self.ctx.buy if side is Side.BUY else self.ctx.sell)("AAA", 1)

        def on_fill(self, fill: Fill) -> None:
            pass

    rows = 5_000
    left = ARENA.run([quote(7, 10 + at % 2, 12) for at in range(rows)], Busy)
    assert len(left.result.fills) == rows
