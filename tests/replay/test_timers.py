"""Timers, calendar events, the warm-up, and whose turn it is."""

from __future__ import annotations

from typing import Any

from engine.domain.moments import NS_PER_DAY
from engine.domain.sessions import Sessions
from engine.strategy.api import Quote, Strategy, Window
from tests.replay.arena import T0, S, quote
from tests.replay.diary import ARENA, Diary, diary


def test_timers_by_name_are_replaced_and_dropped_and_ties_go_in_the_order_of_setting() -> None:
    class Timed(Diary):
        def then(self, what: str) -> None:
            ctx = self.ctx
            if what == "start":
                ctx.set_timer("late", at_ns=T0 + 900)
                ctx.set_timer("z", at_ns=T0 + 50)
                ctx.set_timer("a", at_ns=T0 + 50)
                ctx.set_timer("gone", at_ns=T0 + 50)
                ctx.set_timer("moved", at_ns=T0 + 10)
                ctx.set_timer("moved", at_ns=T0 + 60)
                ctx.drop_timer("gone")
                ctx.drop_timer("never set")
            if what == "timer z" and self.lines[-2][1] != "timer a":
                ctx.set_timer("z", at_ns=T0)  # in the past: at once
                ctx.set_timer("a", at_ns=T0 + 70)  # too late: a is due at this very moment
            if what == "timer moved":
                ctx.set_timer("soon", after_s=1e-9)

    left = ARENA.run([quote(0, 1, 2), quote(55, 3, 4), quote(61, 5, 6), quote(80, 7, 8)], Timed)
    assert diary(left)[1:] == [
        (0, "quote 1"),
        (50, "timer z"),
        (50, "timer a"),
        (50, "timer z"),
        (55, "quote 3"),
        (60, "timer moved"),
        (61, "timer soon"),
        (61, "quote 5"),
        (70, "timer a"),
        (80, "quote 7"),
        (80, "stop"),
    ]


def test_two_strategies_timers_do_not_meet() -> None:
    class One(Diary):
        def then(self, what: str) -> None:
            if what == "start":
                self.ctx.set_timer("t", at_ns=T0 + (5 if self.ctx.strategy == "a" else 7))

    left = ARENA.run([quote(0, 1, 2), quote(9, 3, 4)], One, One)
    assert diary(left, "a")[2] == (5, "timer t")
    assert diary(left, "b")[2] == (7, "timer t")


def test_calendar_events_come_each_day_at_the_calendars_times_half_days_included() -> None:
    minute = 60 * S
    whole_day = (T0, T0 + 390 * minute)
    half_day = (T0 + NS_PER_DAY, T0 + NS_PER_DAY + 210 * minute)
    beyond = (T0 + 2 * NS_PER_DAY, T0 + 2 * NS_PER_DAY + 390 * minute)
    opens, closes = zip(whole_day, half_day, beyond, strict=True)

    class Daily(Strategy[Any]):
        def on_start(self) -> None:
            self.lines: list[tuple[int, str]] = []
            self.ctx.after_open(5, "begin")
            self.ctx.before_close(10)

        def on_calendar(self, name: str) -> None:
            self.lines.append((self.ctx.now_ns - T0, name))

    events = [quote(0, 1, 2), quote(NS_PER_DAY + 300 * minute, 3, 4)]
    left = ARENA.but(sessions=Sessions(opens_ns=opens, closes_ns=closes)).run(events, Daily)
    assert diary(left) == [
        (5 * minute, "begin"),
        (380 * minute, "close"),
        (NS_PER_DAY + 5 * minute, "begin"),
        (NS_PER_DAY + 200 * minute, "close"),
    ]


def test_during_the_warm_up_data_is_seen_and_orders_are_refused() -> None:
    class Eager(Diary):
        def then(self, what: str) -> None:
            if what.startswith("quote"):
                self.ctx.buy("AAA", 1)

    left = ARENA.but(warm_up=2 * S).run([quote(0, 10, 11), quote(2 * S - 1, 12, 13), quote(2 * S, 14, 15)], Eager)
    assert [line for line in diary(left) if "quote" in line[1]] == [
        (0, "quote 10"),
        (2 * S - 1, "quote 12"),
        (2 * S, "quote 14"),
    ]
    assert [row.code for row in left.result.refusals] == ["WARM_UP", "WARM_UP"]
    assert left.fills() == [(2 * S, "BUY", "1", "15.00")]


def test_strategies_act_in_the_order_of_the_configuration_whole_window_handlers_included() -> None:
    class Rows(Strategy[Any]):
        def on_quote(self, quote: Quote) -> None:
            if quote.bid == 10:
                self.ctx.buy("AAA", 1)

    class Columns(Strategy[Any]):
        def on_window(self, window: Window) -> int | None:
            assert window.quotes is not None
            for index, bid in enumerate(window.quotes.bid):
                if bid == 10:
                    window.at(index)
                    self.ctx.buy("AAA", 1)
                    return index
            return None

    events = [quote(0, 9, 9.5), quote(1, 10, 10.5), quote(2, 11, 11.5)]
    for team in ((Rows, Columns, Rows), (Columns, Rows, Columns)):
        left = ARENA.run(events, *team)
        assert [row.order.coid for row in left.result.orders] == ["a-000001", "b-000001", "c-000001"]
        assert [fill[0] for fill in left.fills()] == [1, 1, 1]
