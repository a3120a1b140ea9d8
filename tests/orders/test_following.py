"""The venue's rows and what follows from them, one at a time: states, waits to the nanosecond, readings, alerts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.brokerage import (
    Answered,
    CancelTurnedDown,
    ExecutionsKnown,
    LegTaken,
    NotYetKnown,
    OrdersKnown,
    Question,
    Unclear,
    VenueExecution,
)
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.order import State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.orders.actions import (
    Alert,
    ReadExecutions,
    ReadOrder,
    ReadOrders,
    SendCancel,
    SendModify,
    SendPlace,
    SendReply,
)
from tests.orders.bench import COID, Bench, S, ticket

NS = 0.000000001
SHORT = "a row tells of fills without executions"


def sent() -> Bench:
    """A ticket has left, and no answer has come."""
    bench = Bench()
    bench.place(ticket())
    bench.only(SendPlace)
    return bench


def live() -> Bench:
    bench = Bench()
    bench.live(ticket())
    return bench


def facts(bench: Bench, kind: str) -> list[tuple[str, Any]]:
    return [(name, what) for _, noted, name, what in bench.book.facts if noted == kind]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Submitted", State.WORKING),
        ("Partially Filled", State.WORKING),
        ("PreSubmitted", State.PENDING_SUBMIT),
        ("PendingSubmit", State.PENDING_SUBMIT),
        ("WarnState", State.PENDING_SUBMIT),
        ("Filled", State.WORKING),  # its fills come by executions
        ("Cancelled", State.CANCELLED),
        ("ApiCancelled", State.CANCELLED),
        ("Expired", State.CANCELLED),
        ("Rejected", State.REFUSED),
        ("Failed", State.REFUSED),
        ("Inactive", State.SENT),
        ("Something", State.SENT),
    ],
)
def test_what_a_status_means_before_the_answer(status: str, state: State) -> None:
    bench = sent()
    bench.row(ticket(), status=status)
    assert bench.order().state is state
    assert [one for one in bench.take() if not isinstance(one, ReadOrders | ReadExecutions)] == []


def test_a_held_order_that_begins_to_work_and_one_that_is_held_again() -> None:
    bench = sent()
    for status, state in (
        ("PreSubmitted", State.PENDING_SUBMIT),
        ("Submitted", State.WORKING),
        ("PreSubmitted", State.WORKING),
    ):
        bench.row(ticket(), status=status)
        assert bench.order().state is state
    assert [type(what).__name__ for _, what in facts(bench, "answer")] == ["Pending", "Accepted"]


@pytest.mark.parametrize(
    ("status", "said", "code", "reason"),
    [
        ("Cancelled", None, None, "cancelled"),
        ("Cancelled", "by the exchange", None, "by the exchange"),
        ("Rejected", None, "VENUE", "rejected"),
        ("Rejected", "no margin", "VENUE", "no margin"),
    ],
)
def test_an_end_says_why(status: str, said: str | None, code: str | None, reason: str) -> None:
    bench = live()
    bench.row(ticket(), status=status, reason=said)
    order = bench.order()
    assert (order.code or None, order.reason) == (code, reason)
    told = len(bench.book.facts)
    bench.row(ticket(), status=status, reason="again")
    assert (bench.order().reason, len(bench.book.facts)) == (reason, told)


@pytest.mark.parametrize(("said", "reason"), [(None, "the venue lists it as inactive"), ("no shares", "no shares")])
def test_inactive_for_eight_seconds_is_refused(said: str | None, reason: str) -> None:
    bench = live()
    bench.row(ticket(), status="Inactive", reason=said)
    assert bench.desk.next_ns() == bench.now + 8 * S
    bench.wait(4)
    bench.row(ticket(), status="Inactive", reason=said)  # it goes on counting from the first
    bench.wait(4 - NS)
    assert bench.order().state is State.WORKING
    bench.wait(NS)
    assert (bench.order().state, bench.order().code, bench.order().reason) == (State.REFUSED, "INACTIVE", reason)
    assert bench.desk.next_ns() == END_OF_TIME_NS


def test_inactive_for_a_moment_is_nothing() -> None:
    bench = live()
    bench.row(ticket(), status="Inactive")
    bench.wait(7)
    bench.row(ticket(), status="Submitted")
    bench.wait(7)
    bench.row(ticket(), status="Inactive")
    bench.wait(8 - NS)
    assert bench.order().state is State.WORKING


def test_inactive_while_its_question_is_open_is_no_refusal() -> None:
    bench = sent()
    number = bench.done[-1].number  # type: ignore[union-attr]  # the ticket's round
    ask = Question(reply_id="r", message_ids=("o900",), texts=("?",))
    bench.answer(number, Answered(questions=(ask,)))
    bench.row(ticket(), status="Inactive")
    bench.wait(0.5)
    assert bench.desk.next_ns() <= bench.now + S  # our own checks; nothing waits for inactivity
    assert bench.order().state is State.SENT


def test_fills_without_executions_are_read_after_two_seconds_and_then_every_six() -> None:
    bench = live()
    bench.row(ticket(), filled=Decimal(3))
    begun = bench.now
    assert bench.desk.next_ns() == begun + 2 * S
    bench.wait(2 - NS)
    assert bench.take() == []
    bench.wait(NS)
    assert bench.take() == [ReadExecutions(SHORT), ReadOrders(SHORT)]
    assert bench.desk.next_ns() == bench.now + 6 * S
    bench.wait(6 - NS)
    assert bench.take() == []
    bench.wait(NS)
    assert bench.take() == [ReadExecutions(SHORT), ReadOrders(SHORT)]
    bench.fill(3)
    bench.wait(60)
    assert (bench.take(), bench.desk.next_ns()) == ([], END_OF_TIME_NS)
    assert bench.order().filled == 3


def test_executions_in_time_leave_nothing_to_read() -> None:
    bench = live()
    bench.row(ticket(), filled=Decimal(3))
    bench.fill(3)
    bench.row(ticket(), filled=Decimal(3))
    assert bench.desk.next_ns() == END_OF_TIME_NS
    bench.row(ticket(), filled=Decimal(2))  # an old row
    assert bench.desk.next_ns() == END_OF_TIME_NS


# --- whose it is -----------------------------------------------------------------------------------------------------


def test_a_stranger_is_told_of_once() -> None:
    bench = live()
    foreign = ticket("x-000009")
    for _ in range(2):
        bench.row(foreign, order_id="900")
        bench.read(bench.copy(ticket()), bench.copy(foreign, order_id="900", from_stream=False))
    assert bench.take() == [Alert("FOREIGN_ORDER", "order 900 is not ours")]
    assert [name for name, _ in facts(bench, "foreign_order")] == ["900"]


def test_a_row_without_a_name_is_looked_for_in_a_list_and_then_is_foreign() -> None:
    bench = live()
    nameless = bench.copy(ticket(), order_id="900", coid=None)
    bench.desk.rows([nameless], bench.now)
    bench.desk.rows([nameless], bench.now)
    assert bench.take() == [ReadOrders("a row that does not say whose it is")]
    assert bench.desk.next_ns() == bench.now + 10 * S
    bench.wait(10 - NS)
    assert bench.take() == []
    bench.wait(NS)
    assert bench.take() == [Alert("FOREIGN_ORDER", "order 900 is not ours")]
    bench.desk.rows([nameless], bench.now)
    bench.wait(20)
    assert bench.take() == []


def test_a_row_that_gets_its_name_in_time_is_ours() -> None:
    bench = sent()
    bench.desk.rows([bench.copy(ticket(), order_id="101", coid=None)], bench.now)
    bench.take()
    bench.row(ticket())
    assert (bench.order().state, bench.desk.next_ns()) == (State.WORKING, END_OF_TIME_NS)
    bench.wait(20)
    assert bench.alerts == []


# --- what is not as we have it ---------------------------------------------------------------------------------------

DRIFT = "the venue's copy is another order than ours"


def test_another_quantity_is_read_once_told_once_and_freezes() -> None:
    bench = live()
    settled = bench.order().updated_ns + 10 * S
    bench.now = settled - 1
    bench.row(ticket(), total=Decimal(4))
    assert bench.take() == []  # it may be an old row
    bench.now = settled
    bench.row(ticket(), total=Decimal(4))
    assert bench.take() == [ReadOrder("101", DRIFT)]
    bench.row(ticket(), total=Decimal(4))
    assert bench.take() == []
    other = bench.copy(ticket(), total=Decimal(4), from_stream=False)
    bench.desk.order_read(other, "101", bench.now)
    assert bench.take() == [Alert("DRIFT", DRIFT, COID)]
    assert bench.book.frozen[COID] == DRIFT
    bench.desk.order_read(other, "101", bench.now)
    assert bench.take() == []
    assert bench.order().state is State.WORKING  # a person's change is not ours to undo


def test_an_order_that_lives_after_its_end_is_cancelled() -> None:
    bench = live()
    bench.row(ticket(), status="Cancelled")
    bench.now += 10 * S
    alive = bench.copy(ticket(), from_stream=False)
    bench.desk.order_read(alive, "101", bench.now)
    assert bench.take() == [Alert("DRIFT", DRIFT, COID), SendCancel(COID, "101", True)]
    bench.row(ticket(), status="Cancelled")
    bench.wait(60)
    assert bench.take() == []


def test_a_change_that_was_acknowledged_and_does_not_show() -> None:
    bench = live()
    bench.modify(limit_price=Decimal(9))
    number = bench.only(SendModify).number
    bench.answer(number, Answered(taken=(LegTaken(order_id="101", status="Submitted", coid=COID),)))
    why = "an acknowledged modification does not show"
    assert bench.desk.next_ns() == bench.now + 10 * S
    bench.wait(10 - NS)
    assert bench.take() == []
    bench.wait(NS)
    assert bench.take() == [ReadOrder("101", why)]
    assert bench.desk.next_ns() == bench.now + 10 * S
    bench.wait(1)
    assert bench.take() == []
    bench.desk.order_read(bench.copy(ticket(), from_stream=False), "101", bench.now)
    bench.take()
    bench.wait(9)
    told = [Alert("NO_ECHO", "a modification was acknowledged, and the venue's copy differs", COID)]
    assert bench.take() == [*told, ReadOrder("101", why)]
    assert COID in bench.book.frozen
    bench.wait(10)
    assert bench.take() == [ReadOrder("101", why)]  # nothing was read since
    bench.row(ticket(limit_price=Decimal(9)))
    assert COID not in bench.book.frozen
    assert bench.desk.next_ns() == END_OF_TIME_NS


def test_what_had_been_proved_absent_and_turns_up_is_cancelled() -> None:
    bench = sent()
    bench.desk.doubts.watch(COID, bench.now)
    bench.row(ticket())
    late = "an order that had been proved absent has turned up: it is cancelled"
    assert bench.take() == [Alert("LATE_ORDER", late, COID), SendCancel(COID, "101", True)]


# --- lists -----------------------------------------------------------------------------------------------------------


def test_only_a_primed_list_proves_absence() -> None:
    for primed in (False, True):
        bench = sent()
        bench.desk.doubts.begin(COID, bench.now)
        bench.now += 60 * S
        empty = NotYetKnown(why="not primed", again_ns=bench.now)
        view = OrdersKnown(orders=(), as_of_ns=bench.now) if primed else empty
        bench.desk.orders_read(view, bench.now)
        assert bench.desk.doubts.cases[COID].absent_from_orders is primed


def test_an_order_in_doubt_that_is_seen_is_in_the_journal_as_found() -> None:
    bench = sent()
    bench.desk.doubts.begin(COID, bench.now)
    bench.row(ticket())
    assert [name for name, _ in facts(bench, "found")] == [COID]
    assert COID not in bench.desk.doubts.cases


def test_a_row_of_nobody_does_not_hide_the_next() -> None:
    bench = sent()
    rows = [
        bench.copy(ticket("x-000009"), order_id="900"),
        bench.copy(ticket(), order_id="901", coid=None),
        bench.copy(ticket()),
    ]
    bench.desk.rows(rows, bench.now)
    assert bench.order().state is State.WORKING


def test_what_is_forgotten_is_forgotten_everywhere() -> None:
    bench = live()
    follower = bench.desk.follower
    for known in (follower.lost_modifies, follower.zombies, follower._suspects):
        known.update({COID, "s-000002"})
    follower.forget([COID], 0)
    assert [follower.lost_modifies, follower.zombies, follower._suspects] == [{"s-000002"}] * 3


def test_the_ids_of_the_venue_are_in_the_facts() -> None:
    for status in ("Submitted", "PreSubmitted", "Filled"):
        bench = sent()
        bench.row(ticket(), order_id="777", status=status)
        assert bench.order().venue_id == "777"
        assert bench.order().updated_ns == bench.now


def test_a_list_of_executions_tells_which_orders_are_there() -> None:
    for order_id, coid, absent in (("101", None, False), ("", COID, False), ("900", None, True)):
        bench = live()
        bench.desk.doubts.begin(COID, bench.now - 100 * S)
        found = bench.desk.doubts.cases[COID]
        row = VenueExecution(
            execution_id="e9", order_id=order_id, account="DU1", coid=coid, conid=1, side="BUY", size=Decimal(1),
            price=Decimal(10), ts_ns=bench.now,
        )  # fmt: skip
        bench.desk.executions_read(ExecutionsKnown(executions=(row,), as_of_ns=bench.now, days=7), bench.now)
        assert found.absent_from_executions is absent
        bench.take()


def test_an_inactive_order_that_has_ended_is_not_refused() -> None:
    bench = live()
    bench.row(ticket(), status="Inactive")
    bench.fill(5)
    bench.wait(20)
    assert (bench.order().state, bench.alerts) == (State.FILLED, [])


def test_a_status_that_nobody_knows_is_no_refusal() -> None:
    bench = sent()
    bench.row(ticket(), status="Something")
    bench.wait(60)
    assert bench.order().state is State.SENT
    dead = live()
    dead.row(ticket(), status="Cancelled")
    dead.row(ticket(), status="Inactive")
    assert dead.desk.next_ns() == END_OF_TIME_NS


def test_an_order_whose_question_waits_for_a_person_is_not_refused_for_being_inactive() -> None:
    bench = Bench(rules={"o354": "ask", "ask_s": 60})
    bench.place(ticket())
    number = bench.only(SendPlace).number
    bench.row(ticket(), status="Inactive")
    ask = Question(reply_id="r", message_ids=("o354",), texts=("without market data",))
    bench.answer(number, Answered(questions=(ask,)))
    bench.desk.judged(number, {}, bench.now)
    bench.wait(30)
    assert bench.order().state is State.SENT
    bench.wait(30)
    assert isinstance(bench.take()[-1], SendReply)  # nobody has answered


def test_a_copy_that_reads_well_again_is_looked_at_anew_when_it_drifts_once_more() -> None:
    bench = live()
    bench.now += 10 * S
    for _ in range(2):
        bench.row(ticket(), total=Decimal(4))
        assert bench.take() == [ReadOrder("101", DRIFT)]
        bench.desk.order_read(bench.copy(ticket(), from_stream=False), "101", bench.now)
        assert bench.take() == []


STOP = ticket(
    "s-000002", side=Side.SELL, order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(9), parent=COID
)
LOWER = ticket(
    "s-000002", side=Side.SELL, order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(8), parent=COID
)


def bracket() -> tuple[Bench, int]:
    """The stop of a bracket is being changed: the number of the round."""
    bench = Bench()
    bench.live(ticket(), STOP)
    bench.modify("s-000002", stop_price=Decimal(8))
    return bench, bench.only(SendModify).number


def test_the_change_of_a_child_shows_in_a_copy_that_names_its_parent() -> None:
    bench, number = bracket()
    bench.answer(number, Answered(taken=(LegTaken(order_id="102", status="Submitted", coid="s-000002"),)))
    bench.row(LOWER, order_id="102", parent_id="101")
    bench.wait(60)
    assert not [one for one in bench.take() if isinstance(one, ReadOrder | Alert)]


def test_the_change_of_a_child_does_not_show_in_a_copy_that_names_another_parent() -> None:
    bench, number = bracket()
    bench.answer(number, Answered(taken=(LegTaken(order_id="102", status="Submitted", coid="s-000002"),)))
    bench.row(LOWER, order_id="102", parent_id="77")
    bench.wait(10)
    assert bench.take() == [ReadOrder("102", "an acknowledged modification does not show")]


@pytest.mark.parametrize("shown", [LOWER, STOP])
def test_a_copy_that_names_another_parent_does_not_tell_which_ticket_is_in_force(shown: OrderTicket) -> None:
    bench, number = bracket()
    bench.answer(number, Unclear(reason="silence"))
    bench.now += 60 * S
    bench.desk.order_read(bench.copy(shown, order_id="102", parent_id="77", from_stream=False), "102", bench.now)
    order = bench.order("s-000002")
    assert (order.state, order.ticket, order.wanted) == (State.PENDING_MODIFY, STOP, LOWER)
    assert "s-000002" in bench.desk.doubts.cases


@pytest.mark.parametrize("status", ["Submitted", "PreSubmitted"])
@pytest.mark.parametrize(("shown", "changed"), [(LOWER, True), (STOP, False)])
def test_which_ticket_of_a_child_is_in_force_is_told_by_its_copy(
    shown: OrderTicket, changed: bool, status: str
) -> None:
    bench, number = bracket()
    bench.answer(number, Unclear(reason="silence"))
    assert bench.order("s-000002").state is State.IN_DOUBT
    bench.now += 60 * S
    copy = bench.copy(shown, order_id="102", parent_id="101", status=status, from_stream=False)
    bench.desk.order_read(copy, "102", bench.now)
    order = bench.order("s-000002")
    assert (order.state, order.ticket) == (State.WORKING, shown)
    if not changed:
        said = [what for _, kind, name, what in bench.book.facts if (kind, name) == ("answer", "s-000002")][-1]
        assert (said.code, said.reason) == ("NOT_DONE", "its answer was lost, and the order is as it was")


def test_a_copy_that_was_read_too_early_leaves_a_change_in_doubt() -> None:
    bench, number = bracket()
    bench.answer(number, Unclear(reason="silence"))
    cases = bench.desk.doubts.cases

    def read(shown: OrderTicket) -> bool:
        bench.desk.order_read(bench.copy(shown, order_id="102", parent_id="101", from_stream=False), "102", bench.now)
        return "s-000002" in cases

    assert read(LOWER)
    bench.now += 1
    assert read(STOP)  # the change may still be on its way
    bench.now += 1
    assert not read(LOWER)
    assert bench.order("s-000002").ticket == LOWER


def test_of_a_change_in_doubt_an_order_that_has_filled_whole_tells_at_once() -> None:
    bench = live()
    bench.modify(quantity=Decimal(6))
    bench.answer(bench.only(SendModify).number, Unclear(reason="silence"))
    bench.now += 1
    bench.fill(5)
    bench.row(ticket(), status="Submitted", filled=Decimal(5))
    assert COID in bench.desk.doubts.cases
    bench.row(ticket(), status="Filled", filled=Decimal(5))
    assert COID not in bench.desk.doubts.cases
    assert (bench.order().state, bench.order().ticket) == (State.FILLED, ticket())


@pytest.mark.parametrize(
    ("status", "state"),
    [("Cancelled", State.LOST), ("PreSubmitted", State.PENDING_CANCEL), ("Submitted", State.PENDING_CANCEL)],
)
def test_what_was_lost_and_turns_up_alive_is_cancelled_and_dead_is_left_alone(status: str, state: State) -> None:
    bench = sent()
    bench.answer(bench.done[-1].number, Unclear(reason="silence"))  # type: ignore[union-attr]  # the ticket's round
    bench.wait(46)
    bench.read()
    assert bench.order().state is State.LOST
    bench.row(ticket(), status=status)
    assert bench.order().state is state
    bench.take()


def test_a_change_in_doubt_of_an_order_that_has_died_is_over_with_it() -> None:
    bench, number = bracket()
    bench.answer(number, Unclear(reason="silence"))
    bench.now += 60 * S
    bench.row(LOWER, order_id="102", parent_id="101", status="Cancelled")
    assert bench.order("s-000002").state is State.CANCELLED
    assert facts(bench, "illegal") == []
    assert bench.desk.doubts.cases == {}


def test_an_order_whose_cancellation_was_turned_down_is_read_until_that_is_decided() -> None:
    bench = live()
    bench.cancel()
    bench.take()
    bench.desk.cancel_answered(COID, CancelTurnedDown(reason="too late"), bench.now)
    bench.take()
    bench.wait(0)
    assert bench.take() == [ReadExecutions(SHORT), ReadOrders(SHORT)]
