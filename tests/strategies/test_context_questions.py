"""What a context says of the session and of orders under way, asked from within a run."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.domain.market import MarketEvent, Status, Trading
from engine.domain.sessions import Sessions
from engine.errors import StrategyError
from engine.strategy.api import Quote, Side, Strategy

from .ring import AAA, BBB, CLOSE, OPEN, Ring, S, quote, trade


class Asking(Strategy[None]):
    """Notes the answers at every quote."""

    def on_start(self) -> None:
        self.answers: list[tuple[bool, tuple[int, int] | None]] = []

    def on_quote(self, quote: Quote) -> None:
        self.answers.append((self.ctx.is_open("AAA"), self.ctx.session("AAA")))


def test_open_is_in_session_and_not_halted() -> None:
    day = (OPEN, CLOSE)
    close = CLOSE - OPEN
    events: list[MarketEvent] = [quote(ts, 1.0, 2.0) for ts in (-1, 0, 10, 20, close - 1, close)]
    events += [Status(OPEN + 5, 1, Trading.HALTED), Status(OPEN + 15, 1, Trading.OPEN), Status(OPEN, 2, "halted")]
    done = Ring(instruments=(AAA, BBB)).run(Asking, None, events)
    assert done.strategy.answers == [
        (False, None),
        (True, day),
        (False, day),
        (True, day),
        (True, day),
        (False, None),
    ]


def test_a_market_that_never_closes_has_no_session() -> None:
    done = Ring(sessions=Sessions.round_the_clock()).run(Asking, None, [quote(0, 1.0, 2.0)])
    assert done.strategy.answers == [(True, None)]


class Ordering(Strategy[None]):
    """Places a bracket, a sale elsewhere and an OCA pair at the first quote, and notes what is pending."""

    def on_start(self) -> None:
        self.pending: list[tuple[Decimal, Decimal]] = []

    def on_quote(self, quote: Quote) -> None:
        if quote.conid == 2:
            return
        if not self.pending:
            entry = self.ctx.ticket(Side.BUY, "AAA", 30, limit=10.05)
            self.ctx.bracket(entry, target=11.0, stop=9.0)
            self.ctx.sell("AAA", 5, limit=12.0)
            self.ctx.sell("BBB", 7, limit=12.0)
        self.pending.append((self.ctx.pending("AAA"), self.ctx.pending("BBB")))


def test_pending_is_what_open_orders_may_still_trade_without_waiting_exits() -> None:
    events = [
        quote(0, 10.0, 10.1, conid=2),
        quote(1, 10.0, 10.1),
        quote(S, 10.0, 10.1),
        trade(2 * S, 10.04, 40.0),
        quote(3 * S, 10.0, 10.1),
    ]
    done = Ring(instruments=(AAA, BBB)).run(Ordering, None, events)
    # Of the print of 40 below our price half may be ours.
    assert done.strategy.pending == [(25, -7), (25, -7), (5, -7)]


class Unprotected(Strategy[None]):
    """Asks for brackets whose stop no exchange takes."""

    def on_start(self) -> None:
        self.told: list[str] = []

    def on_quote(self, quote: Quote) -> None:
        for tif in ("OPG", "IOC"):
            with pytest.raises(StrategyError) as found:
                self.ctx.bracket(self.ctx.ticket(Side.BUY, "AAA", 30, limit=10.05), stop=9.0, tif=tif)
            self.told.append(str(found.value))


def test_a_stop_that_the_venue_would_refuse_with_its_bracket_is_refused_at_once() -> None:
    done = Ring(instruments=(AAA,)).run(Unprotected, None, [quote(0, 10.0, 10.1)])
    assert ["opening auction" in done.strategy.told[0], "immediate or cancel" in done.strategy.told[1]] == [True, True]
    assert done.asked == []
