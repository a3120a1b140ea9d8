"""What strategies hear, and in which order: small markets worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.domain.market import MarketEvent
from engine.domain.moments import NS_PER_DAY
from engine.domain.sessions import Sessions
from engine.settings import LatencySettings, VenueSettings
from tests.replay.arena import LOOSE, MS, T0, bar, quote, status, trade
from tests.replay.diary import ARENA, LATE, BuysOnce, Diary, Rests, diary


def test_at_one_moment_status_comes_before_bars_trades_and_quotes_and_timers_before_all() -> None:
    class Timed(Diary):
        def then(self, what: str) -> None:
            if what == "start":
                self.ctx.set_timer("t", at_ns=T0 + 5)

    events: list[MarketEvent] = [quote(5, 10, 11), trade(5, 10.5), bar(5, 10.4), status(5, "open"), quote(0, 9, 10)]
    left = ARENA.run(events, Timed)
    assert diary(left) == [
        (0, "start"),
        (0, "quote 9"),
        (5, "timer t"),
        (5, "status open"),
        (5, "bar 10.4"),
        (5, "trade 10.5"),
        (5, "quote 10"),
        (5, "stop"),
    ]


def test_without_latency_an_order_meets_the_quote_that_caused_it_and_is_answered_before_the_next_row() -> None:
    events = [quote(0, 9, 9.5), quote(1, 10, 10.5), quote(1, 11, 11.5), quote(2, 12, 12.5)]
    left = ARENA.run(events, BuysOnce)
    assert diary(left)[2:-1] == [
        (1, "quote 10"),
        (1, "order 1 working"),
        (1, "fill 1 10.50"),
        (1, "order 1 filled"),
        (1, "quote 11"),
        (2, "quote 12"),
    ]


def test_the_answer_comes_after_the_last_strategy_has_seen_the_event() -> None:
    heard: list[str] = []

    class First(BuysOnce):
        def then(self, what: str) -> None:
            super().then(what)
            heard.append(f"{self.ctx.strategy} {what}")

    class Second(Diary):
        def then(self, what: str) -> None:
            heard.append(f"{self.ctx.strategy} {what} {self.ctx.account_position('AAA')}")

    ARENA.run([quote(1, 10, 10.5), quote(1, 11, 11.5)], First, Second)
    assert heard == [
        "a start",
        "b start 0",
        "a quote 10",
        "b quote 10 0",
        "a order 1 working",
        "a fill 1 10.50",
        "a order 1 filled",
        "a quote 11",
        "b quote 11 1",
        "a stop",
        "b stop 1",
    ]


def test_with_latency_an_order_meets_the_quote_in_force_when_it_arrives_and_the_report_takes_its_time() -> None:
    # Decided at 0, at the venue at 2 ms, heard at 3 ms; the quote of 2.5 ms is seen before the news, that of 3 after.
    events = [quote(0, 10, 10.5), quote(MS, 11, 11.5), quote(2_500_000, 12, 12.5), quote(3 * MS, 13, 13.5)]
    left = ARENA.but(venue=LATE).run(events, BuysOnce)
    assert diary(left)[1:-1] == [
        (0, "quote 10"),
        (MS, "quote 11"),
        (2_500_000, "quote 12"),
        (3 * MS, "order 1 working"),
        (3 * MS, "fill 1 11.50"),
        (3 * MS, "order 1 filled"),
        (3 * MS, "quote 13"),
    ]


def test_an_order_that_arrives_together_with_a_quote_meets_the_one_before() -> None:
    at_two = VenueSettings(latency_ms=LatencySettings(place=2), fills="same_event", fees="none")
    left = ARENA.but(venue=at_two).run([quote(0, 10, 10.5), quote(2 * MS, 11, 11.5)], BuysOnce)
    assert left.fills() == [(2 * MS, "BUY", "1", "10.50")]


def test_news_of_a_row_comes_before_the_row_itself() -> None:
    class Looks(Rests):
        def then(self, what: str) -> None:
            super().then(what)
            if what.startswith("fill"):
                quote = self.ctx.quote("AAA")
                self.seen = (quote.bid if quote else None, self.ctx.position("AAA").quantity)

    events = [quote(0, 10, 10.5), quote(1, 9.5, 10), quote(2, 8, 8.5), quote(3, 7, 7.5)]
    left = ARENA.run(events, Looks)
    assert diary(left)[1:-1] == [
        (0, "quote 10"),
        (0, "order 1 working"),
        (1, "quote 9.5"),
        (2, "fill 1 9.00"),
        (2, "order 1 filled"),
        (2, "quote 8"),
        (3, "quote 7"),
    ]
    assert left.strategies["a"].seen == (9.5, Decimal(1))  # the position with the fill, the quote before its row


def test_a_reaction_to_news_of_a_row_meets_that_row() -> None:
    class Reacts(Rests):
        def then(self, what: str) -> None:
            super().then(what)
            if what.startswith("fill 1"):
                self.ctx.sell("AAA", 1)

    left = ARENA.run([quote(0, 10, 10.5), quote(2, 8, 8.5), quote(3, 7, 7.5)], Reacts)
    # The exchange has acted on the row of 2 ns already, so what arrives after it finds that row's quote.
    assert left.fills() == [(2, "BUY", "1", "9.00"), (2, "SELL", "1", "8.00")]


def test_all_updates_of_one_moment_are_known_before_the_first_handler_is_called() -> None:
    known: list[tuple[str, list[str], str]] = []

    class Two(Diary):
        def then(self, what: str) -> None:
            if what == "quote 10":
                self.ctx.buy("AAA", 1, limit=9)
                self.ctx.buy("AAA", 2, limit=9)
            if what.startswith("fill"):
                orders = [order.coid for order in self.ctx.orders()]
                known.append((what, orders, str(self.ctx.position("AAA").quantity)))

    ARENA.run([quote(0, 10, 10.5), quote(2, 8, 8.5)], Two)
    assert known == [("fill 1 9.00", [], "3"), ("fill 2 9.00", [], "3")]


def test_a_refusal_is_heard_at_its_own_moment_and_not_with_the_next_answer() -> None:
    class Refused(Diary):
        def then(self, what: str) -> None:
            if what == "quote 10":
                self.ctx.buy("AAA", 1)  # at the venue at 2 ms, heard at 3
                self.ctx.buy("AAA", 10**9)  # more than the gate lets pass

    left = ARENA.but(venue=LATE).run([quote(0, 10, 10.5), quote(9 * MS, 11, 11.5)], Refused)
    assert diary(left)[1:4] == [(0, "quote 10"), (0, "order 2 refused"), (3 * MS, "order 1 working")]


def test_what_on_start_asks_for_is_refused_for_want_of_a_price_whatever_the_window() -> None:
    class Early(Diary):
        def then(self, what: str) -> None:
            if what == "start":
                self.ctx.buy("AAA", 1)

    for window in (1, 8192):
        left = ARENA.but(window=window).run([quote(0, 10, 10.5), quote(5, 11, 11.5)], Early)
        assert diary(left)[:3] == [(0, "start"), (0, "order 1 refused"), (0, "quote 10")]
        assert [row.code for row in left.result.refusals] == ["NO_PRICE"]


def test_what_is_asked_for_at_the_last_row_is_answered_and_what_on_stop_asks_for_goes_nowhere() -> None:
    class Last(Diary):
        def then(self, what: str) -> None:
            if what in ("quote 10", "stop"):
                self.ctx.buy("AAA", 1)

    left = ARENA.run([quote(0, 9, 9.5), quote(5, 10, 10.5)], Last)
    assert left.fills() == [(5, "BUY", "1", "10.50")]
    assert len(left.result.orders) == 1


def test_an_execution_on_its_way_at_the_end_is_heard_for_money_has_moved() -> None:
    slow = VenueSettings(latency_ms=LatencySettings(place=1, report=50), fills="same_event", fees="none")
    left = ARENA.but(venue=slow).run([quote(0, 10, 10.5), quote(4 * MS, 11, 11.5)], BuysOnce)
    assert diary(left)[-3:] == [(51 * MS, "fill 1 10.50"), (51 * MS, "order 1 filled"), (51 * MS, "stop")]


def test_in_every_handler_the_context_shows_the_moment_in_hand_and_nothing_later() -> None:
    seen: list[tuple[str, int, Any, Any, Any, Any, str, int]] = []

    class Looks(Diary):
        def on_start(self) -> None:
            self.ctx.set_timer("t", at_ns=T0 + 30)
            self.ctx.after_open(0)
            super().on_start()

        def then(self, what: str) -> None:
            ctx = self.ctx
            quote, trade, bar, status = ctx.quote("AAA"), ctx.trade("AAA"), ctx.bar("AAA"), ctx.status("AAA")
            seen.append(
                (
                    what,
                    ctx.now_ns - T0,
                    quote and quote.bid,
                    trade and trade.price,
                    bar and bar.close,
                    status and status.trading,
                    str(ctx.position("AAA").quantity),
                    len(ctx.orders()),
                )
            )
            if what == "quote 10":
                ctx.buy("AAA", 1)
            assert ctx.now.timestamp() == ctx.now_ns // 1000 / 1e6

    events: list[MarketEvent] = [
        status(10, "open"),
        bar(20, 10.2),
        trade(20, 10.1),
        quote(20, 10, 10.5),
        quote(40, 11, 11.5),
        quote(40, 12, 12.5),
        trade(50, 12.1),
        quote(50, 12, 12.5, conid=2),
    ]
    ARENA.but(sessions=Sessions(opens_ns=(T0 + 25,), closes_ns=(T0 + NS_PER_DAY,)), limits=LOOSE).run(
        [quote(30, 10.2, 10.6), *events], Looks
    )
    assert seen == [
        ("start", 10, None, None, None, None, "0", 0),
        ("status open", 10, None, None, None, "open", "0", 0),
        ("bar 10.2", 20, None, None, 10.2, "open", "0", 0),
        ("trade 10.1", 20, None, 10.1, 10.2, "open", "0", 0),
        ("quote 10", 20, 10, 10.1, 10.2, "open", "0", 0),
        ("order 1 refused", 20, 10, 10.1, 10.2, "open", "0", 0),  # before the open
        ("calendar open", 25, 10, 10.1, 10.2, "open", "0", 0),
        ("timer t", 30, 10, 10.1, 10.2, "open", "0", 0),
        ("quote 10.2", 30, 10.2, 10.1, 10.2, "open", "0", 0),
        ("quote 11", 40, 11, 10.1, 10.2, "open", "0", 0),
        ("quote 12", 40, 12, 10.1, 10.2, "open", "0", 0),
        ("trade 12.1", 50, 12, 12.1, 10.2, "open", "0", 0),
        ("quote 12", 50, 12, 12.1, 10.2, "open", "0", 0),
        ("stop", 50, 12, 12.1, 10.2, "open", "0", 0),
    ]


def test_an_order_is_seen_open_from_the_call_that_asked_for_it_on() -> None:
    class Opens(Diary):
        def then(self, what: str) -> None:
            if what == "quote 10":
                coid = self.ctx.buy("AAA", 1, limit=9)
                assert [order.coid for order in self.ctx.orders("AAA")] == [coid]
                assert self.ctx.orders("BBB") == []
                assert self.ctx.pending("AAA") == 1
            if what == "quote 11":
                assert self.ctx.cancel(self.ctx.orders()[0].coid)
                assert self.ctx.orders()[0].state == "pending_cancel"
            if what == "quote 12":
                assert self.ctx.orders() == []
                assert not self.ctx.cancel("a-000001")
                assert not self.ctx.modify("a-000001", limit=8)

    left = ARENA.run([quote(0, 10, 10.5), quote(1, 11, 11.5), quote(2, 12, 12.5)], Opens)
    assert dict(left.result.off) == {}
    assert left.result.orders[0].order.state == "cancelled"
