"""Rows and lists that are older than what we know already: they raise no alarm, and nothing is cancelled for them."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.brokerage import CancelTurnedDown, OrdersKnown
from engine.domain.order import State
from engine.orders.actions import ReadOrder, ReadOrders, SendCancel
from tests.orders.bench import COID, Bench, ticket

FILLED = CancelTurnedDown(reason="it is filled and can't be cancelled")


def turned_down() -> Bench:
    """An order that was to be cancelled, and the venue has just said that it can't be."""
    bench = Bench()
    bench.live(ticket())
    bench.cancel()
    bench.only(SendCancel)
    bench.wait(1)
    bench.desk.cancel_answered(COID, FILLED, bench.now)
    bench.only(ReadOrders)
    return bench


def test_a_list_from_before_a_refusal_decides_nothing_and_another_is_asked_for() -> None:
    bench = turned_down()
    bench.desk.orders_read(OrdersKnown(orders=(), as_of_ns=bench.now - 1), bench.now)
    assert [type(one) for one in bench.take()] == [ReadOrders]
    assert bench.alerts == []
    assert bench.order().state is State.PENDING_CANCEL


def test_a_list_from_after_a_refusal_tells_what_is_gone() -> None:
    bench = turned_down()
    bench.desk.orders_read(OrdersKnown(orders=(), as_of_ns=bench.now), bench.now)
    assert bench.alerts == ["GONE"]


def test_a_list_from_after_a_refusal_tells_what_works_on() -> None:
    bench = turned_down()
    bench.desk.orders_read(OrdersKnown(orders=(bench.copy(ticket()),), as_of_ns=bench.now), bench.now)
    assert bench.order().state is State.WORKING
    assert bench.alerts == []


def test_what_was_turned_down_is_not_asked_again_at_once() -> None:
    bench = turned_down()
    bench.wait(6)  # a routine cancellation is repeated after 5 s
    assert not [one for one in bench.take() if isinstance(one, SendCancel)]
    bench.wait(15)
    bench.only(SendCancel)


def filled() -> Bench:
    """An order whose execution came, and whose row of before comes late."""
    bench = Bench()
    bench.live(ticket())
    bench.fill(5)
    assert bench.order().state is State.FILLED
    bench.take()
    bench.wait(11)
    bench.row(ticket())
    return bench


def test_a_late_row_of_a_filled_order_is_looked_into_once() -> None:
    bench = filled()
    assert bench.only(ReadOrder).order_id == "101"
    bench.row(ticket())
    assert bench.take() == []
    bench.desk.order_read(bench.copy(ticket(), status="Filled", filled=Decimal(5), from_stream=False), "101", bench.now)
    assert bench.alerts == []
    assert not [one for one in bench.done if isinstance(one, SendCancel)]


def test_a_reading_that_shows_a_filled_order_alive_is_drift_and_it_is_cancelled() -> None:
    bench = filled()
    bench.desk.order_read(bench.copy(ticket(), from_stream=False), "101", bench.now)
    assert bench.alerts == ["DRIFT"]
    assert [one.order_id for one in bench.done if isinstance(one, SendCancel)] == ["101"]
