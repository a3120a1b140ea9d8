"""Monitors at their limits, around them, and without their readings."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.facts import CancelAsked, Cancelled, Filled, Pending
from engine.domain.messages import Update
from engine.domain.moments import NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk.account import Level, Purse
from engine.risk.monitors import (
    AlertLatency,
    Finding,
    Health,
    PostTrade,
    drift,
    health,
    order_to_trade,
    waiting_too_long,
)
from engine.settings import Limits
from tests.risk.made import T0, D, new
from tests.risk.test_catalogue import ask, make

MIDPRICE = OrderType.MIDPRICE


@pytest.mark.parametrize(
    ("limit", "reading"),
    [
        ("clock_skew_max_ms", "clock_skew_ms"),
        ("loop_lag_max_ms", "loop_lag_ms"),
        ("queue_max", "queued"),
        ("memory_max_mb", "memory_mb"),
    ],
)
def test_health(limit: str, reading: str) -> None:
    given: dict[str, Any] = {limit: 100}
    limits = Limits(**given)
    levels = []
    for value in (99, 100, 101, 200, 201, None):
        now: dict[str, Any] = {reading: value}
        levels.append([one.level for one in health(Health(**now), limits)])
    assert levels == [[], [], [Level.REDUCING], [Level.REDUCING], [Level.HALTED], [Level.REDUCING]]
    assert health(Health(), Limits()) == []


def test_health_is_told_in_words_with_its_units() -> None:
    limits = Limits(clock_skew_max_ms=100, loop_lag_max_ms=100, queue_max=100, memory_max_mb=100)
    ill = Health(clock_skew_ms=-150.5, loop_lag_ms=150.0, queued=150, memory_mb=201.0)
    assert health(ill, limits) == [
        Finding("HEALTH", "the clock is off by 150.5 ms, above 100", Level.REDUCING),
        Finding("HEALTH", "the event loop is late by 150 ms, above 100", Level.REDUCING),
        Finding("HEALTH", "waiting messages: 150, above 100", Level.REDUCING),
        Finding("HEALTH", "memory in use: 201 MB, above 100", Level.HALTED),
    ]
    unknown = Finding("HEALTH", "memory in use: unknown", Level.REDUCING)
    assert health(Health(), Limits(memory_max_mb=100)) == [unknown]


def test_a_clock_may_be_off_both_ways() -> None:
    assert health(Health(clock_skew_ms=-101), Limits(clock_skew_max_ms=100))[0].level is Level.REDUCING


@pytest.mark.parametrize(
    ("messages", "executions", "found"), [(10, 1, False), (11, 1, True), (20, 2, False), (11, 0, True)]
)
def test_order_to_trade(messages: int, executions: int, found: bool) -> None:
    purse = Purse(sent=messages, executions=executions)
    assert (order_to_trade("a", purse, Limits(order_to_trade_max=D(10))) is not None) is found
    assert order_to_trade("a", purse, Limits()) is None


def test_messages_for_each_execution_are_told_with_whose_they_are() -> None:
    limits = Limits(order_to_trade_max=D(10))
    told = order_to_trade("a", Purse(sent=42, executions=4), limits)
    assert told == Finding("ORDER_TO_TRADE", "a has sent 10.5 messages for each execution today, above 10")
    none = order_to_trade("", Purse(sent=11), limits)
    assert none == Finding("ORDER_TO_TRADE", "the account has sent 11.0 messages for each execution today, above 10")


def test_only_executions_count_as_executions() -> None:
    """Three orders are messages, and one trades; that the venue has it, or is to cancel it, is no execution."""
    gate, limits = make(order_to_trade_max=D(2)), Limits(order_to_trade_max=D(2))
    tickets = [new(), new(), new()]
    assert [ask(gate, ticket) for ticket in tickets] == ["ok"] * 3
    for ticket in tickets:
        order = Order(ticket=ticket, state=State.PENDING_CANCEL)
        gate.hear([Update(order, Pending(coid=ticket.coid, ts_ns=T0))], [])
        gate.hear([Update(order, CancelAsked(coid=ticket.coid, ts_ns=T0))], [])
    filled = Order(ticket=tickets[0], state=State.FILLED, filled=D(10))
    gate.hear([Update(filled, fill(tickets[0], "100"))], [])
    for owner, who in (("", "the account"), ("a", "a")):
        told = order_to_trade(owner, gate.account.purse(owner, T0), limits)
        assert told is not None
        assert told.sentence == f"{who} has sent 3.0 messages for each execution today, above 2"


@pytest.mark.parametrize(("venue", "found"), [(8, False), (7, True), (12, False), (13, True)])
def test_drift(venue: int, found: bool) -> None:
    told = drift(1, D(10), D(venue), Limits(reconcile_drift_max=D(2)))
    assert (told is not None) is found
    assert told is None or (told.code, told.level, told.conid) == ("DRIFTED", Level.HALTED, 1)
    assert drift(1, D(10), D(0), Limits()) is None


def marks(found: list[Finding]) -> list[tuple[str, Level | None, int | None]]:
    return [(one.code, one.level, one.conid) for one in found]


def fill(ticket: OrderTicket, price: str, quantity: int = 10) -> Filled:
    return Filled(
        coid=ticket.coid, ts_ns=T0, exec_id="e", conid=1, side=str(ticket.side), quantity=D(quantity), price=D(price)
    )


@pytest.mark.parametrize(
    ("side", "price", "code"),
    [
        (Side.BUY, "105", None),
        (Side.BUY, "105.01", "FILL_COLLAR"),
        (Side.BUY, "50", None),
        (Side.SELL, "95", None),
        (Side.SELL, "94.99", "FILL_COLLAR"),
    ],
)
def test_market_orders_fill_near_the_market(side: Side, price: str, code: str | None) -> None:
    ticket = new(10, side=side)
    watch = PostTrade(Limits(fill_collar_pct=D(5)), {ticket.coid: 100.0})
    found = watch.hear([Update(Order(ticket=ticket, state=State.FILLED, filled=D(10)), fill(ticket, price))])
    assert marks(found) == ([] if code is None else [(code, Level.REDUCING, 1)])
    blind = PostTrade(Limits(fill_collar_pct=D(5)), {})
    found = blind.hear([Update(Order(ticket=ticket, state=State.FILLED, filled=D(10)), fill(ticket, price))])
    assert [(one.code, one.level) for one in found] == [("FILL_COLLAR", None)]


@pytest.mark.parametrize(
    ("side", "reference", "price", "told"),
    [
        (Side.BUY, 50.0, "52.51", "filled 5.02 % worse"),
        (Side.SELL, 50.0, "47.49", "filled 5.02 % worse"),
        (Side.BUY, -50.0, "-47.49", "filled 5.02 % worse"),  # to be paid 47.49 for what was worth 50
        (Side.BUY, -50.0, "-47.50", None),
        (Side.BUY, 0.0, "1", "no price is known"),
    ],
)
def test_how_far_a_fill_is_from_the_market_is_told(side: Side, reference: float, price: str, told: str | None) -> None:
    ticket = new(10, side=side)
    watch = PostTrade(Limits(fill_collar_pct=D(5)), {ticket.coid: reference})
    found = watch.hear([Update(Order(ticket=ticket, state=State.FILLED, filled=D(10)), fill(ticket, price))])
    assert len(found) == (told is not None)
    assert all(told is not None and told in one.sentence for one in found)


def test_the_collar_of_fills_is_not_for_what_waits_for_a_trigger() -> None:
    ticket = new(10, order_type=OrderType.STOP, stop_price=D(100))
    watch = PostTrade(Limits(fill_collar_pct=D(5)), {ticket.coid: 100.0})
    assert watch.hear([Update(Order(ticket=ticket, state=State.FILLED, filled=D(10)), fill(ticket, "120"))]) == []


def test_a_limit_order_never_fills_beyond_its_limit() -> None:
    watch = PostTrade(Limits(), {})
    beyond = [("FILL_COLLAR", Level.HALTED, 1)]
    for terms in ({}, {"stop_price": D(99)}, {"order_type": OrderType.LIMIT_ON_CLOSE}, {"order_type": MIDPRICE}):
        for side, price, told in (
            (Side.BUY, "100", []),
            (Side.BUY, "100.01", beyond),
            (Side.SELL, "100", []),
            (Side.SELL, "99.99", beyond),
        ):
            ticket = new(10, side=side, limit_price=D(100), **terms)
            found = watch.hear([Update(Order(ticket=ticket, state=State.FILLED, filled=D(10)), fill(ticket, price))])
            assert marks(found) == told


def test_over_fills_late_fills_and_fills_of_nobody() -> None:
    ticket = new(10)
    watch = PostTrade(Limits(), {})
    over = Update(Order(ticket=ticket, state=State.FILLED, filled=D(11)), fill(ticket, "100", 11))
    assert marks(watch.hear([over])) == [("OVER_FILL", Level.HALTED, 1)]
    dead = Order(ticket=ticket, state=State.CANCELLED)
    assert watch.hear([Update(dead, Cancelled(coid=ticket.coid, ts_ns=T0))]) == []
    late = Update(Order(ticket=ticket, state=State.CANCELLED, filled=D(5)), fill(ticket, "100", 5))
    assert marks(watch.hear([late])) == [("LATE_FILL", None, 1)]
    assert marks(watch.hear([over, late])) == [
        ("OVER_FILL", Level.HALTED, 1), ("LATE_FILL", None, 1), ("LATE_FILL", None, 1)
    ]  # fmt: skip
    assert marks([watch.unknown(fill(ticket, "100"))]) == [("UNKNOWN_FILL", Level.HALTED, 1)]


def test_a_fill_may_be_of_either_ticket_while_a_modification_is_on_its_way() -> None:
    ticket = new(4, limit_price=D(100))
    more = replace(ticket, quantity=D(9), limit_price=D(101))
    watch = PostTrade(Limits(), {})
    watch.asked(ticket, more)
    for order, price, codes in (
        (Order(ticket=ticket, state=State.PENDING_MODIFY, wanted=more, filled=D(7)), "101", []),
        (Order(ticket=ticket, state=State.FILLED, filled=D(9)), "101", []),  # full before the answer came
        (Order(ticket=ticket, state=State.FILLED, filled=D(10)), "101", ["OVER_FILL"]),
        (Order(ticket=more, state=State.FILLED, filled=D(9)), "101.01", ["FILL_COLLAR"]),
    ):
        assert [one.code for one in watch.hear([Update(order, fill(ticket, price, 7))])] == codes


def test_a_sale_may_be_of_the_lower_of_two_limits() -> None:
    ticket = new(4, side=Side.SELL, limit_price=D(100))
    lower = replace(ticket, limit_price=D(99))
    watch = PostTrade(Limits(), {})
    watch.asked(ticket, lower)
    for price, codes in (("99", []), ("98.99", ["FILL_COLLAR"])):
        told = Update(Order(ticket=ticket, state=State.FILLED, filled=D(4)), fill(ticket, price, 4))
        assert [one.code for one in watch.hear([told])] == codes


def test_alerts_reach_a_person_within_seconds() -> None:
    latency = AlertLatency(Limits(alert_latency_max_s=D(5)))
    assert latency.told(T0, T0 + 5 * NS_PER_S) is None
    late = latency.told(T0, T0 + 5 * NS_PER_S + 1)
    assert late is not None
    assert late.code == "ALERT_LATE"
    assert latency.worst_s == pytest.approx(5.0)
    assert AlertLatency(Limits()).told(T0, T0 + 100 * NS_PER_S) is None
    asked = {1: T0, 2: T0 + 2 * NS_PER_S, 3: T0 + NS_PER_S}  # the third has waited for five seconds sharp
    assert waiting_too_long(asked, T0 + 6 * NS_PER_S, Limits(alert_latency_max_s=D(5))) == [1]
    assert waiting_too_long(asked, T0 + 6 * NS_PER_S, Limits()) == []
