"""Rows and lists that are older than what we know already: they raise no alarm, and nothing is cancelled for them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from engine.domain.brokerage import Answered, CancelTurnedDown, LegTaken, OrdersKnown, VenueOrder
from engine.domain.order import Order, State
from engine.orders.actions import ReadOrder, ReadOrders, SendCancel, SendModify
from engine.orders.following import _overtaken
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


def overtaken() -> Bench:
    """Its 5 filled while a change to 6 was on its way, which the venue acknowledged all the same."""
    bench = Bench()
    bench.live(ticket())
    bench.modify(quantity=Decimal(6))
    bench.desk.order_read(bench.copy(ticket(), from_stream=False), "101", bench.now)
    sent = bench.only(SendModify)
    bench.fill(5)
    assert bench.order().state is State.PENDING_MODIFY
    bench.answer(sent.number, Answered(taken=(LegTaken(order_id="101", status="Submitted", coid=COID),)))
    assert (bench.order().state, bench.order().ticket.quantity) == (State.WORKING, Decimal(6))
    bench.take()
    return bench


def ended(bench: Bench) -> VenueOrder:
    return bench.copy(ticket(), status="Filled", filled=Decimal(5), from_stream=False)


def test_a_change_that_the_fill_overtook_ends_with_the_venue() -> None:
    bench = overtaken()
    bench.wait(11)  # the change does not show, and so is looked for
    assert bench.only(ReadOrder).order_id == "101"
    bench.desk.order_read(ended(bench), "101", bench.now)
    order = bench.order()
    assert (order.state, order.filled) == (State.CANCELLED, Decimal(5))
    assert order.reason == "it had filled as 5 at the venue before its change came"
    assert bench.alerts == []


def test_a_row_that_may_be_old_does_not_end_what_was_changed() -> None:
    bench = overtaken()
    bench.row(ticket(), status="Filled", filled=Decimal(5))
    bench.desk.order_read(replace(ended(bench), seen_ns=bench.order().updated_ns - 1), "101", bench.now)
    assert bench.order().state is State.WORKING


def test_a_change_that_came_in_time_works_on_with_its_rest() -> None:
    bench = overtaken()
    bench.wait(11)
    grown = bench.copy(ticket(quantity=Decimal(6)), filled=Decimal(5), from_stream=False)
    bench.desk.order_read(grown, "101", bench.now)
    assert bench.order().state is State.WORKING


def test_executions_that_are_missing_come_before_the_end() -> None:
    bench = overtaken()
    bench.desk.order_read(
        bench.copy(ticket(quantity=Decimal(6)), status="Filled", filled=Decimal(6), from_stream=False), "101", bench.now
    )
    assert bench.order().state is State.WORKING
    bench.fill(1, number=2)
    assert bench.order().state is State.FILLED


def test_a_cancel_of_what_the_fill_overtook_is_not_repeated() -> None:
    bench = overtaken()
    bench.cancel()
    bench.only(SendCancel)
    bench.wait(1)
    bench.desk.cancel_answered(COID, FILLED, bench.now)
    bench.only(ReadOrders)
    bench.wait(1)
    bench.desk.orders_read(OrdersKnown(orders=(ended(bench),), as_of_ns=bench.now), bench.now)
    assert (bench.order().state, bench.order().filled) == (State.CANCELLED, Decimal(5))
    bench.take()
    bench.wait(100)
    assert not [one for one in bench.take() if isinstance(one, SendCancel)]
    assert bench.alerts == []


@pytest.mark.parametrize(
    ("quantity", "booked", "told", "at_ns", "ends"),
    [
        (2, 1, 1, 0, True),  # of one, before it was to be two
        (2, 1, 1, 1, True),
        (2, 1, 1, -1, False),  # read before our last news
        (2, 0, 0, 0, False),  # complete, and nothing filled: something else is wrong
        (2, 1, 2, 0, False),  # an execution is missing
        (1, 1, 1, 0, False),  # it has filled for us too
    ],
)
def test_a_fill_has_overtaken_a_change_where_all_of_it_is_booked_and_it_is_less_than_ours(
    quantity: int, booked: int, told: int, at_ns: int, ends: bool
) -> None:
    ours = ticket(quantity=Decimal(quantity))
    order = Order(ticket=ours, state=State.WORKING, filled=Decimal(booked), updated_ns=100)
    bench = Bench()
    copy = bench.copy(ours, status="Filled", filled=Decimal(told), from_stream=False, seen_ns=100 + at_ns)
    assert _overtaken(order, copy) is ends
