"""When the venue's day turns, orders that ended before are let go; what could still be told of them harms nothing."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from engine.domain.brokerage import VenueExecution
from engine.domain.order import State
from engine.domain.ticket import OrderType, Side
from engine.orders.actions import FeeKnown
from tests.orders.bench import COID, Bench, S, ticket

DAY = 86_400 * S


def filled(bench: Bench, *, paid: bool = True) -> VenueExecution:
    """An order that lived and filled whole; returns the execution as it is told again, with its fee."""
    bench.live(ticket())
    bench.fill(5)
    bench.row(ticket(), status="Filled", filled=Decimal(5))
    told = VenueExecution(
        execution_id="e1", order_id="101", account="DU1", coid=COID, conid=1, side="BUY",
        size=Decimal(5), price=Decimal(10), ts_ns=bench.now, commission=Decimal(1),
    )  # fmt: skip
    if paid:
        bench.desk.executions([told], bench.now)
    bench.take()
    assert bench.order().state is State.FILLED
    return told


def test_an_order_that_ended_days_ago_is_let_go_and_its_execution_is_not_booked_again() -> None:
    bench = Bench()
    told = filled(bench)
    bench.desk.forget(bench.now + DAY)
    assert COID not in bench.book.book
    bench.book.facts.clear()
    bench.desk.executions([told], bench.now)
    assert bench.take() == []
    assert bench.book.facts == []
    assert bench.alerts == []


def test_what_ended_later_stays() -> None:
    bench = Bench()
    filled(bench)
    bench.desk.forget(bench.now)
    assert bench.order().state is State.FILLED


def test_an_order_whose_fee_is_not_known_is_kept_for_as_long_as_the_venue_may_tell_it() -> None:
    bench = Bench()
    filled(bench, paid=False)
    bench.desk.forget(bench.now + DAY)
    assert COID in bench.book.book
    bench.desk.forget(bench.now + 8 * DAY)
    assert COID not in bench.book.book


def test_an_open_order_keeps_its_bracket() -> None:
    bench = Bench()
    stop = ticket(
        "s-000002", side=Side.SELL, order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(9), parent=COID
    )
    target = ticket("s-000003", side=Side.SELL, limit_price=Decimal(11), parent=COID)
    bench.live(ticket(), stop, target)
    bench.row(target, order_id="103", status="Cancelled")
    bench.take()
    assert bench.order("s-000003").state is State.CANCELLED
    bench.desk.forget(bench.now + 30 * DAY)
    assert set(bench.book.book) == {COID, "s-000002", "s-000003"}
    bench.row(stop, order_id="102", status="Cancelled")
    bench.row(ticket(), status="Cancelled")
    bench.take()
    bench.desk.forget(bench.now + 30 * DAY)
    assert bench.book.book == {}
    assert bench.desk.identity.copies == {}


def turn(bench: Bench, days: int) -> None:
    """So many days of the venue's turn, as the daemon tells it: two days stay."""
    for _ in range(days):
        bench.now += DAY
        bench.desk.forget(bench.now - DAY)


def test_executions_are_known_for_as_long_as_the_venue_tells_of_them_and_no_longer() -> None:
    bench = Bench()
    told = filled(bench)
    turn(bench, 14)
    assert COID not in bench.book.book
    assert bench.book.heard(told.execution_id)
    assert told.execution_id in bench.desk.follower.bookings.charged
    turn(bench, 2)
    assert not bench.book.heard(told.execution_id)
    assert bench.desk.follower.bookings.charged == set()
    assert bench.alerts == []


def test_an_execution_of_an_order_that_is_here_is_never_booked_again() -> None:
    bench = Bench()
    bench.live(ticket())
    bench.fill(2)
    bench.take()
    turn(bench, 40)  # good till cancelled, and the venue may tell whatever it likes
    assert bench.book.heard("e1")
    bench.fill(2)
    bench.take()
    assert bench.order().filled == 2
    assert bench.alerts == []


def test_of_a_stranger_nobody_speaks_of_any_more_nothing_stays() -> None:
    bench = Bench()
    foreign = bench.copy(ticket("x-000001"), order_id="901")
    bench.desk.rows([foreign], bench.now)
    bench.fill(1, order_id="902", number=9, coid="x-000002")
    assert sorted(bench.alerts) == ["FOREIGN_EXECUTION", "FOREIGN_ORDER"]
    bench.now += DAY
    bench.desk.rows([replace(foreign, seen_ns=bench.now)], bench.now)
    turn(bench, 1)
    assert set(bench.desk.identity.copies) == {"901"}  # it was told of yesterday
    turn(bench, 1)
    assert bench.desk.identity.copies == {}
    assert len(bench.alerts) == 2
    bench.desk.rows([replace(foreign, seen_ns=bench.now)], bench.now)
    assert bench.alerts[2:] == ["FOREIGN_ORDER"]


def test_the_fee_of_an_order_that_is_open_for_weeks_is_charged_once() -> None:
    bench = Bench()
    bench.live(ticket())
    told = VenueExecution(
        execution_id="e1", order_id="101", account="DU1", coid=COID, conid=1, side="BUY",
        size=Decimal(2), price=Decimal(10), ts_ns=bench.now, commission=Decimal(1),
    )  # fmt: skip
    bench.desk.executions([told], bench.now)
    assert [one.amount for one in bench.take() if isinstance(one, FeeKnown)] == [Decimal(1)]
    for day in range(40):
        bench.desk.forget(bench.now + day * DAY)
    bench.desk.executions([told], bench.now)
    assert bench.take() == []
    assert bench.order().filled == 2


def test_an_execution_of_an_order_that_is_forgotten_does_not_hide_the_next() -> None:
    bench = Bench()
    told = filled(bench)
    bench.desk.forget(bench.now + DAY)
    other = ticket("s-000007")
    bench.live(other, first_id=107)
    bench.desk.executions([told, replace(told, execution_id="e2", order_id="107", coid="s-000007")], bench.now)
    assert bench.order("s-000007").filled == 5
