"""Many things told, wanted or due at once: what one of them comes to hides none of the others."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.domain.brokerage import (
    Answered,
    CancelTurnedDown,
    LegTaken,
    OrdersKnown,
    Question,
    Unclear,
    VenueExecution,
)
from engine.domain.facts import Accepted, Cancelled, CancelRefused, Filled, ModifyRefused, Refused
from engine.domain.messages import Approved, Cancel, Place, Refusal
from engine.domain.order import Order, State
from engine.domain.ticket import OrderType, Side
from engine.orders.actions import (
    Alert,
    AskOperator,
    AskRisk,
    Flatten,
    ReadExecutions,
    ReadOrder,
    ReadOrders,
    SendCancel,
    SendModify,
    SendPlace,
    SendReply,
)
from engine.orders.canceller import CancelSettings
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.manager import OrderManager
from engine.orders.outcomes import Unsent
from engine.orders.replies import read_policy
from tests.orders.bench import COID, Bench, S, ticket

A, B = ticket("s-000001"), ticket("s-000002")


def fill(coid: str, exec_id: str, quantity: int = 1) -> Filled:
    return Filled(
        coid=coid, ts_ns=9, exec_id=exec_id, conid=1, side="BUY", quantity=Decimal(quantity), price=Decimal(10)
    )


# --- the book --------------------------------------------------------------------------------------------------------


def test_an_answer_that_fits_nothing_does_not_hide_the_next() -> None:
    book = OrderManager()
    book.act([Approved(Place((A,))), Approved(Place((B,)))], 5)
    updates = book.hear([
        Cancelled(coid="x-000009", ts_ns=6),
        Accepted(coid=A.coid, ts_ns=6, venue_id="101"),
        fill(A.coid, "e1", 5),
        fill(A.coid, "e1", 5),  # said again
        Refused(coid=A.coid, ts_ns=8, code="VENUE", reason="no"),  # impossible: it has filled whole
        fill(B.coid, "e2"),
    ])  # fmt: skip
    assert [update.order.coid for update in updates] == [A.coid, A.coid, B.coid]
    assert book.book[A.coid].state is State.FILLED
    assert book.book[B.coid].filled == 1
    assert book.frozen["x-000009"] == "Cancelled for an order that is not ours"
    assert set(book.frozen) == {"x-000009", A.coid}
    assert {kind for _, kind, _, _ in book.facts} == {"approved", "answer", "foreign", "illegal"}
    assert [len(life) for life in book.histories().values()] == [3, 2]


def test_an_order_that_was_cut_down_is_noted_under_its_own_name() -> None:
    book, why = OrderManager(), Refusal("QUANTITY", "2", "5", "too large")
    book.act([Approved(Place((A,)), why)], 5)
    assert book.facts[-1] == (5, "shrunk", A.coid, why)


def test_a_cancel_is_our_newest_news_of_an_order() -> None:
    book = OrderManager()
    book.act([Approved(Place((A,)))], 5)
    book.act([Approved(Cancel(A.coid, "s"))], 8)
    assert (book.book[A.coid].state, book.book[A.coid].updated_ns) == (State.PENDING_CANCEL, 8)


# --- executions ------------------------------------------------------------------------------------------------------


def execution(execution_id: str, order_id: str = "101", coid: str | None = COID) -> VenueExecution:
    return VenueExecution(
        execution_id=execution_id, order_id=order_id, account="DU1", coid=coid, conid=1, side="BUY",
        size=Decimal(1), price=Decimal(10), ts_ns=77 * S,
    )  # fmt: skip


def test_executions_of_others_corrections_and_repeats_do_not_hide_the_next() -> None:
    bench = Bench()
    bench.live(ticket())
    bench.desk.executions([execution("a.b.c.01")], bench.now)
    bench.take()
    rows = [
        execution("f.o.r.01", "900", None),  # of an order of somebody else
        execution("a.b.c.02"),  # it corrects what was booked
        execution("a.b.c.01"),  # said again
        execution("d.e.f.01"),
        execution("d.e.f.01"),
        execution("g.h.i.01"),
    ]
    bench.desk.executions(rows, bench.now)
    assert bench.order().filled == 3
    assert bench.order().updated_ns == 77 * S
    assert [one.code for one in bench.take() if isinstance(one, Alert)] == ["FOREIGN_EXECUTION", "CORRECTION"]


def test_an_execution_is_an_order_s_acceptance_where_none_was_told() -> None:
    bench = Bench()
    bench.place(ticket())
    bench.take()
    bench.desk.executions([execution("e1", "", COID)], bench.now)
    assert (bench.order().filled, bench.order().venue_id) == (Decimal(1), "")
    told = [what for _, kind, _, what in bench.book.facts if kind == "answer"]
    assert [type(one) for one in told] == [Filled]
    bench.desk.executions([execution("e2")], bench.now)
    assert bench.order().filled == 2


# --- the desk --------------------------------------------------------------------------------------------------------


def doubtful() -> Bench:
    """An order of which nothing has been heard is in doubt, and another one is at work."""
    bench = Bench()
    bench.live(A)
    bench.desk.doubts.begin(A.coid, bench.now)
    return bench


def test_what_is_wanted_is_not_lost_before_it_is_taken() -> None:
    bench = doubtful()
    bench.place(B)
    bench.desk.session(True, bench.now)
    wanted = bench.take()
    assert [type(one) for one in wanted] == [SendPlace, ReadOrders, ReadExecutions]
    told: list[str] = []
    bench.desk.pass_on([])
    bench.fill(1, number=1)
    bench.fill(1, number=2)
    bench.desk.cancel_now([A.coid], bench.now)
    _, updates = bench.desk.take()
    told += [type(update.event).__name__ for update in updates]
    assert told == ["Filled", "Filled", "CancelAsked"]


def test_without_a_stream_the_lists_are_read_and_nothing_else_is_lost() -> None:
    bench = Bench()
    bench.live(A)
    bench.desk.session(False, bench.now, layer="stream")
    bench.cancel(A.coid)
    bench.desk.tick(bench.now)
    kinds = [type(one) for one in bench.take()]
    assert kinds == [SendCancel, ReadOrders, ReadExecutions]


def test_an_order_that_is_in_doubt_for_long_is_told_by_name() -> None:
    bench = doubtful()
    bench.wait(3600)
    told = [one for one in bench.take() if isinstance(one, Alert) and one.code == "DOUBT"]
    assert told == [Alert("DOUBT", "an order has been in doubt for long: look at the venue", A.coid)]


def test_each_cancellation_is_sent_whatever_becomes_of_the_one_before() -> None:
    bench = Bench()
    bench.place(A)
    bench.take()  # it has left, and has no id yet: its cancellation waits
    bench.cancel(A.coid)
    assert not [one for one in bench.take() if isinstance(one, SendCancel)]
    other = Bench()
    other.live(A, B)
    other.cancel(A.coid)
    other.cancel(B.coid)
    assert [one.coid for one in other.take() if isinstance(one, SendCancel)] == [A.coid, B.coid]
    other.row(A, status="Cancelled")
    other.wait(60)
    assert [one.coid for one in other.take() if isinstance(one, SendCancel)] == [B.coid]


# --- cancellations that were turned down -----------------------------------------------------------------------------


def turned_down(bench: Bench, *coids: str) -> None:
    for coid in coids:
        bench.cancel(coid)
        bench.take()
        bench.desk.cancel_answered(coid, CancelTurnedDown(reason="too late"), bench.now)


def test_a_list_decides_each_order_that_it_is_young_enough_for() -> None:
    bench = Bench()
    bench.live(A, B)
    turned_down(bench, A.coid)
    begun = bench.now
    bench.now += S
    turned_down(bench, B.coid)
    bench.take()
    rows = tuple(bench.copy(one, order_id=f"10{n}", from_stream=False) for n, one in enumerate((A, B), 1))
    bench.desk.orders_read(OrdersKnown(orders=rows, as_of_ns=begun), bench.now)
    assert bench.order(A.coid).state is State.WORKING
    assert bench.order(B.coid).state is State.PENDING_CANCEL
    assert ReadOrders("a cancellation was turned down") in bench.take()
    bench.desk.orders_read(OrdersKnown(orders=rows, as_of_ns=bench.now), bench.now)
    assert bench.order(B.coid).state is State.WORKING
    reasons = [
        what.reason for _, _, name, what in bench.book.facts if name == B.coid and isinstance(what, CancelRefused)
    ]
    assert reasons == ["it works on"]


def test_one_that_a_list_is_too_old_for_does_not_keep_the_others_undecided() -> None:
    bench = Bench()
    bench.live(A, B)
    turned_down(bench, B.coid)
    begun = bench.now
    bench.now += S
    turned_down(bench, A.coid)
    rows = tuple(bench.copy(one, order_id=f"10{n}", from_stream=False) for n, one in enumerate((A, B), 1))
    bench.desk.orders_read(OrdersKnown(orders=rows, as_of_ns=begun), bench.now)
    assert [bench.order(one.coid).state for one in (A, B)] == [State.PENDING_CANCEL, State.WORKING]


def test_what_a_full_list_may_lack_is_decided_by_its_own_page_since_then(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.live(A, B)
    turned_down(bench, A.coid, B.coid)
    bench.take()
    monkeypatch.setattr(bench.desk.follower, "hidden", lambda view, present: {A.coid, B.coid} - present)
    pages = [ReadOrder(order_id, "a full list may lack it") for order_id in ("101", "102")]

    def listed() -> list[ReadOrder]:
        bench.desk.orders_read(OrdersKnown(orders=(), as_of_ns=bench.now, full=True), bench.now)
        return [one for one in bench.take() if isinstance(one, ReadOrder)]

    early = bench.copy(A, from_stream=False, seen_ns=bench.now - 1)
    bench.desk.order_read(early, "101", bench.now)
    bench.now += S
    bench.row(B, order_id="102")  # the stream's word may be an old one
    assert listed() == pages
    bench.desk.order_read(bench.copy(A, from_stream=False), "101", bench.now)
    assert listed() == pages[1:]
    assert [bench.order(one.coid).state for one in (A, B)] == [State.WORKING, State.PENDING_CANCEL]


def test_orders_of_which_a_list_knows_nothing_are_each_told() -> None:
    bench = Bench()
    bench.live(A, B)
    turned_down(bench, A.coid, B.coid)
    bench.now += S
    bench.desk.orders_read(OrdersKnown(orders=(), as_of_ns=bench.now), bench.now)
    gone = [one.coid for one in bench.take() if isinstance(one, Alert) and one.code == "GONE"]
    assert gone == [A.coid, B.coid]
    assert set(bench.desk.doubts.cases) == {A.coid, B.coid}


# --- what waits for its turn -----------------------------------------------------------------------------------------


def waiting(bench: Bench) -> int:
    """A modification of A waits behind a ticket whose answer has not come: the number of that round."""
    bench.live(A)
    bench.place(B)
    number = bench.only(SendPlace).number
    bench.modify(A.coid, quantity=Decimal(3))
    assert bench.order(A.coid).state is State.PENDING_MODIFY
    return number


def refused(bench: Bench, coid: str) -> list[tuple[str, str]]:
    return [
        (what.code, what.reason)
        for _, _, name, what in bench.book.facts
        if name == coid and isinstance(what, ModifyRefused)
    ]


def taken(number: int) -> Answered:
    return Answered(taken=(LegTaken(order_id=str(number), status="Submitted", coid=B.coid),))


def test_a_modification_whose_order_is_to_die_by_now_is_refused_and_of_a_dead_one_nothing_is_said() -> None:
    bench = Bench()
    number = waiting(bench)
    bench.cancel(A.coid)
    bench.answer(number, taken(102))
    assert refused(bench, A.coid) == [("STATE", "the order is pending_cancel by now")]
    other = Bench()
    number = waiting(other)
    other.row(A, status="Cancelled")
    other.answer(number, taken(102))
    assert refused(other, A.coid) == []
    assert not [one for one in other.take() if isinstance(one, SendModify)]


def test_what_could_not_be_sent_says_so() -> None:
    bench = Bench()
    bench.place(A)
    bench.answer(bench.only(SendPlace).number, Unsent(why="no route to the venue"))
    order = bench.order(A.coid)
    assert (order.state, order.code, order.reason) == (State.REFUSED, "UNSENT", "no route to the venue")


# --- a question is open -----------------------------------------------------------------------------------------------


def asked(bench: Bench, message: str = "o163", text: str = "price percentage limit") -> int:
    """B has left, and the venue asks: the number of the round. Our own checks are asked now."""
    bench.place(B)
    number = bench.only(SendPlace).number
    bench.answer(number, Answered(questions=(Question(reply_id="r", message_ids=(message,), texts=(text,)),)))
    assert bench.only(AskRisk).number == number
    return number


def test_an_urgent_cancel_that_can_not_be_sent_leaves_the_round_of_another_order_alone() -> None:
    bench = Bench()
    bench.place(A)
    bench.answer(bench.only(SendPlace).number, Unclear(reason="silence"))  # in doubt, and without an id
    number = asked(bench)
    bench.desk.cancel_now([A.coid], bench.now)
    bench.desk.judged(number, {"collar": True}, bench.now)
    assert bench.only(SendReply) == SendReply(number, "r", True)
    bench.desk.cancel_now([B.coid], bench.now)  # its own is void
    assert bench.desk.busy


def test_where_all_are_cancelled_at_once_an_open_question_is_void() -> None:
    bench = Bench(DeskSettings(cancel=CancelSettings(all_above=0)))
    bench.live(A)
    asked(bench)
    bench.desk.cancel_now([A.coid], bench.now, everything=True)
    assert "IN_DOUBT" in bench.alerts
    assert bench.order(B.coid).state is State.IN_DOUBT


def test_no_person_is_asked_while_a_cancellation_waits() -> None:
    for cancelled in (False, True):
        bench = Bench(rules={"o354": "ask"})
        bench.live(A)
        if cancelled:
            bench.cancel(A.coid)
            bench.take()
        number = asked(bench, "o354", "without market data")
        bench.desk.judged(number, {}, bench.now)
        wanted = [type(one) for one in bench.take() if isinstance(one, AskOperator | SendReply)]
        assert wanted == ([SendReply] if cancelled else [AskOperator])


# --- what dies without its stop, and what lives after its end ---------------------------------------------------------


def test_by_default_an_entry_without_its_stop_is_cancelled_and_nothing_is_traded() -> None:
    bench = Bench()
    stop = ticket(
        "s-000002", side=Side.SELL, order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(9), parent=COID
    )
    bench.live(ticket(), stop)
    bench.fill(2)
    bench.row(stop, order_id="102", status="Rejected", parent_id="101")
    wanted = bench.take()
    assert [one.coid for one in wanted if isinstance(one, SendCancel)] == [COID]
    assert not [one for one in wanted if isinstance(one, Flatten)]


def test_an_order_that_lives_after_its_end_waits_for_the_session_to_be_cancelled() -> None:
    bench = Bench()
    bench.live(A)
    bench.row(A, status="Cancelled")
    bench.take()
    bench.now += 10 * S
    bench.desk.session(False, bench.now)
    bench.desk.order_read(bench.copy(A, from_stream=False), "101", bench.now)
    assert not [one for one in bench.take() if isinstance(one, SendCancel)]
    assert bench.desk.next_ns() <= bench.now + 2 * S
    bench.desk.session(True, bench.now)
    assert [one.coid for one in bench.take() if isinstance(one, SendCancel)] == [A.coid]


# --- a desk that has just begun, and answers row by row --------------------------------------------------------------


def test_before_the_session_is_told_of_nothing_leaves() -> None:
    book = LiveOrders()
    desk = Desk(book, read_policy({}), DeskSettings())
    requests, _ = book.act([Approved(Place((A,)))], S)
    desk.submit(requests, S)
    assert (book.book[A.coid].state, book.book[A.coid].code) == (State.REFUSED, "DISCONNECTED")
    assert not [one for one in desk.take()[0] if isinstance(one, SendPlace)]
    other = LiveOrders()
    other.adopt([Order(ticket=A, state=State.WORKING, venue_id="101")], [])
    waits = Desk(other, read_policy({}), DeskSettings())
    waits.cancel_now([A.coid], S)
    assert not [one for one in waits.take()[0] if isinstance(one, SendCancel)]


def test_what_became_of_others_is_told_beside_what_leaves() -> None:
    bench = Bench()
    bench.live(A)
    bench.desk.take()
    bench.fill(1)
    bench.place(B)
    assert [type(update.event).__name__ for update in bench.desk.take()[1]] == ["Filled", "Sent"]


def test_rows_that_name_their_ticket_tell_whose_the_others_are() -> None:
    bench = Bench()
    stop, target = (
        ticket(coid, side=Side.SELL, limit_price=Decimal(price), parent=COID)
        for coid, price in (("s-2", 9), ("s-3", 11))
    )
    bench.place(ticket(), stop, target)
    rows = (
        LegTaken(order_id="103", status="Submitted", parent_id="101"),
        LegTaken(order_id="102", status="Pre Submitted", coid="s-2", parent_id="101"),
        LegTaken(order_id="101", status="Api Cancelled", coid=COID),
    )
    bench.answer(bench.only(SendPlace).number, Answered(taken=rows))
    assert bench.desk.identity.id_of == {COID: "101", "s-2": "102", "s-3": "103"}
    states = [bench.order(coid).state for coid in (COID, "s-2", "s-3")]
    assert states == [State.CANCELLED, State.PENDING_SUBMIT, State.WORKING]


@pytest.mark.parametrize("named", [False, True])
def test_tickets_that_no_row_names_in_time_are_in_doubt_as_new_orders(named: bool) -> None:
    bench = Bench()
    one, other = ticket("s-000001", oca_group="g"), ticket("s-000002", oca_group="g")
    bench.place(one, other)
    rows = tuple(LegTaken(order_id=order_id, status="Submitted") for order_id in ("101", "102"))
    bench.answer(bench.only(SendPlace).number, Answered(taken=rows))
    if named:
        bench.row(one, order_id="101", status="Something")  # whose it is, and nothing of how it is
    bench.wait(10)
    assert [bench.order(coid).state for coid in ("s-000001", "s-000002")] == [
        State.SENT if named else State.IN_DOUBT, State.IN_DOUBT
    ]  # fmt: skip
    assert all(not case.modify for case in bench.desk.doubts.cases.values())
    bench.take()
