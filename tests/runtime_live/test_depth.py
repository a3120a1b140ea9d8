"""Books on their way from the venue to the strategies that have a handler for them."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.depth import Depth, Level
from engine.domain.instrument import Instrument
from engine.domain.market import Quote
from engine.domain.messages import Place
from engine.runtime.live.deciding import DecidingCore
from engine.runtime.live.feeding import FeedCore
from engine.runtime.live.letters import Arrived
from engine.strategy.api import Quote as ApiQuote
from engine.strategy.api import Strategy
from engine.strategy.context import Context
from engine.strategy.host import StrategyHost
from engine.strategy.plan import Seat

ACME, OTHER = Instrument(conid=1, symbol="ACME"), Instrument(conid=2, symbol="OTHR")


def book(ts_ns: int, conid: int = 1, bid: float = 9.99) -> Depth:
    return Depth(ts_ns, conid, (Level(bid, 100.0), Level(bid - 0.01, 200.0)), (Level(bid + 0.02, 50.0),))


class Looker(Strategy):  # type: ignore[type-arg]
    """Buys at the second bid of every book."""

    def on_start(self) -> None:
        self.seen: list[Depth | ApiQuote] = []

    def on_quote(self, quote: ApiQuote) -> None:
        self.seen.append(quote)

    def on_depth(self, depth: Depth) -> None:
        self.seen.append(depth)
        self.ctx.buy("ACME", 1, limit=depth.bids[1].price)


class Blind(Strategy):  # type: ignore[type-arg]
    """Has no handler for books."""


class Faulty(Strategy):  # type: ignore[type-arg]
    """Fails at the first book, after it wanted something."""

    def on_depth(self, depth: Depth) -> None:
        self.ctx.buy("ACME", 1, limit=depth.bids[0].price)
        raise RuntimeError("no")


def host_of(*kinds: type[Strategy], instruments: list[Instrument] | None = None) -> StrategyHost:  # type: ignore[type-arg]
    host = StrategyHost()
    for number, kind in enumerate(kinds):
        ctx = Context(
            strategy=f"s{number}",
            account="DU1",
            instruments=[ACME] if instruments is None else instruments,
            sessions={},
            span_ns=(0, 2**62),
            clock=host,
            wants=host.wants,
            view=host.view,
        )
        host.add(Seat.of(f"s{number}", kind(ctx, kind.Params()), ctx))
    host.start(0)
    return host


def test_only_handlers_make_a_subscription() -> None:
    assert host_of(Blind).deep == frozenset()
    assert host_of(Blind, Looker).deep == {1}
    assert host_of(Looker, instruments=[ACME, OTHER]).deep == {1, 2}


def test_a_book_comes_after_the_rows_of_its_lot_and_its_wishes_are_told() -> None:
    host = host_of(Looker)
    core = DecidingCore(host)
    intents = core.rows(Arrived((Quote(5, 1, 9.99, 10.01, 1.0, 1.0),), books=(book(6),)), 7)
    looker = host.seats["s0"].strategy
    assert isinstance(looker, Looker)
    assert [type(one).__name__ for one in looker.seen] == ["Quote", "Depth"]
    assert host.now_ns() == 7
    (placed,) = intents
    assert isinstance(placed, Place)
    assert placed.tickets[0].limit_price == Decimal("9.98")


def test_books_of_others_are_not_shown() -> None:
    host = host_of(Looker)
    assert DecidingCore(host).rows(Arrived((), books=(book(6, conid=2),)), 7) == ()


def test_a_handler_that_raises_has_its_strategy_switched_off_and_the_others_go_on() -> None:
    host = host_of(Faulty, Looker)
    core = DecidingCore(host)
    (placed,) = core.rows(Arrived((), books=(book(6),)), 7)
    assert isinstance(placed, Place)
    assert placed.tickets[0].strategy == "s1"
    assert "RuntimeError" in (host.seats["s0"].off or "")
    (again,) = core.rows(Arrived((), books=(book(8),)), 9)
    assert isinstance(again, Place)
    assert again.tickets[0].strategy == "s1"


def test_of_each_instrument_the_newest_book_waits_and_the_others_are_counted() -> None:
    feed = FeedCore([], {})
    feed.deep(book(1))
    assert feed.lot() is None  # they have not begun
    feed.done()
    first = feed.lot()
    assert first is not None
    assert first.books == (book(1),)
    for ts_ns in (2, 3):
        feed.deep(book(ts_ns))
    feed.deep(book(4, conid=2))
    assert feed.lot() is None  # the strategies have not come back
    feed.done()
    lot = feed.lot()
    assert lot is not None
    assert lot.books == (book(3), book(4, conid=2))
    assert feed.folded == 1
