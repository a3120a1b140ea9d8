"""Cancellations: when they leave, when they are repeated, what they break off, and who is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.brokerage import Answered, CancelTaken, CancelTurnedDown, LegTaken, OrdersKnown, Question, Unclear
from engine.domain.facts import CancelRefused
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.order import State
from engine.orders.actions import Alert, AskRisk, ReadOrders, SendCancel, SendCancelAll, SendPlace, SendReply
from engine.orders.canceller import CancelSettings
from engine.orders.desk import DeskSettings
from tests.orders.bench import COID, Bench, S, ticket

ROUTINE, URGENT = SendCancel(COID, "101", False), SendCancel(COID, "101", True)
OTHER = "s-000002"


def live(settings: CancelSettings | None = None, rules: dict[str, object] | None = None, orders: int = 1) -> Bench:
    """Working orders of ids 101 and up."""
    bench = Bench(DeskSettings(cancel=settings or CancelSettings()), rules)
    for number in range(orders):
        bench.live(ticket(f"s-{number + 1:06d}", limit_price=Decimal(10 + number)), first_id=101 + number)
    return bench


def writing(bench: Bench, coid: str = OTHER) -> int:
    """Another order is written, and no answer has come."""
    bench.place(ticket(coid, limit_price=Decimal(9)))
    return bench.only(SendPlace).number


def cancels(bench: Bench) -> list[SendCancel]:
    return [one for one in bench.take() if isinstance(one, SendCancel)]


def notes(bench: Bench, kind: str) -> list[tuple[str, Any]]:
    return [(name, what) for _, noted, name, what in bench.book.facts if noted == kind]


def test_a_cancel_is_repeated_until_the_order_is_dead_and_a_person_is_told_once() -> None:
    bench = live(CancelSettings(again_s=5.0, tries=3))
    bench.cancel()
    assert cancels(bench) == [ROUTINE]
    for number in (2, 3, 4):
        assert bench.desk.next_ns() == bench.now + 5 * S
        bench.wait(4.999999999)
        assert bench.take() == []
        bench.wait(0.000000001)
        wanted = bench.take()
        told = [Alert("CANCEL", "an order does not die although it was cancelled often", COID)] if number == 3 else []
        assert wanted == [*told, ROUTINE]
    assert notes(bench, "cancel_sent") == [(COID, {"order_id": "101", "try": number}) for number in (1, 2, 3, 4)]
    bench.row(ticket(), status="Cancelled")
    assert bench.order().state is State.CANCELLED
    bench.wait(60)
    assert (cancels(bench), bench.desk.next_ns()) == ([], END_OF_TIME_NS)


def test_a_routine_cancel_waits_two_seconds_for_a_round_and_then_breaks_in() -> None:
    bench = live()
    number = writing(bench)
    bench.cancel()
    assert bench.desk.next_ns() == bench.now + 2 * S
    bench.wait(1.999999999)
    assert cancels(bench) == []
    bench.wait(0.000000001)
    assert cancels(bench) == [ROUTINE]
    # The answer to the ticket is still worth having; a question with it is void, so its order is in doubt.
    bench.answer(number, Answered(questions=(Question(reply_id="r", message_ids=("o1",), texts=("?",)),)))
    assert bench.order(OTHER).state is State.IN_DOUBT


def test_a_routine_cancel_leaves_as_soon_as_the_round_ends() -> None:
    bench = live()
    number = writing(bench)
    bench.cancel()
    bench.answer(number, Answered(taken=(LegTaken(order_id="102", status="Submitted", coid=OTHER),)))
    assert cancels(bench) == [ROUTINE]


def test_an_urgent_one_waits_for_nothing() -> None:
    bench = live()
    writing(bench)
    bench.desk.cancel_now([COID], bench.now)
    assert cancels(bench) == [URGENT]


def test_a_routine_one_becomes_urgent_and_stays_so() -> None:
    bench = live()
    writing(bench)
    bench.cancel()
    assert cancels(bench) == []
    bench.desk.cancel_now([COID], bench.now)
    assert cancels(bench) == [URGENT]
    bench.desk.cancel_now([COID], bench.now)
    bench.cancel()
    assert cancels(bench) == []  # it is under way
    bench.wait(5)
    assert cancels(bench) == [URGENT]


def test_an_open_question_is_declined_where_a_cancel_waits() -> None:
    bench = live(rules={"o900": "ask", "ask_s": 60})
    number = writing(bench)
    bench.answer(number, Answered(questions=(Question(reply_id="r", message_ids=("o900",), texts=("?",)),)))
    assert [type(one) for one in bench.take()] == [AskRisk]
    bench.desk.judged(number, {}, bench.now)
    bench.take()
    bench.cancel()
    assert bench.take() == [SendReply(number, "r", False)]
    assert notes(bench, "reply")[-1] == ("r", {"confirmed": False, "reason": "a cancellation waits"})


def test_a_halt_voids_the_question_about_the_order_itself() -> None:
    bench = live(rules={"o900": "ask", "ask_s": 60})
    number = writing(bench)
    bench.answer(number, Answered(questions=(Question(reply_id="r", message_ids=("o900",), texts=("?",)),)))
    bench.take()
    bench.desk.cancel_now([OTHER], bench.now)
    assert [type(one) for one in bench.take() if isinstance(one, SendReply | SendCancel)] == []
    bench.wait(1)
    assert bench.order(OTHER).state in (State.IN_DOUBT, State.PENDING_CANCEL)
    bench.row(ticket(OTHER, limit_price=Decimal(9)), order_id="102")  # it lives: now it can be cancelled
    assert cancels(bench) == [SendCancel(OTHER, "102", True)]


@pytest.mark.parametrize(
    ("halted", "state", "code", "reason"),
    [
        (True, State.REFUSED, "HALTED", "trading was halted before it was sent"),
        (False, State.CANCELLED, "", "withdrawn"),
    ],
)
def test_what_has_not_left_never_does(halted: bool, state: State, code: str, reason: str) -> None:
    bench = live()
    number = writing(bench)
    bench.place(ticket("s-000003", limit_price=Decimal(8)))
    if halted:
        bench.desk.cancel_now(["s-000003"], bench.now)
    else:
        bench.cancel("s-000003")
    order = bench.order("s-000003")
    assert (order.state, order.code or "", order.reason) == (state, code, reason)
    bench.answer(number, Answered(taken=(LegTaken(order_id="102", status="Submitted", coid=OTHER),)))
    assert not [one for one in bench.take() if isinstance(one, SendPlace | SendCancel)]


def test_without_a_session_a_cancel_waits_for_it() -> None:
    bench = live()
    bench.desk.session(False, bench.now)
    bench.cancel()
    bench.wait(60)
    assert cancels(bench) == []
    bench.desk.session(True, bench.now)
    assert cancels(bench) == [ROUTINE]


@pytest.mark.parametrize(("urgent", "again_s"), [(False, 20), (True, 5)])
def test_one_that_was_turned_down_is_looked_into_and_asked_again_later(urgent: bool, again_s: int) -> None:
    bench = live()
    if urgent:
        bench.desk.cancel_now([COID], bench.now)
    else:
        bench.cancel()
    bench.take()
    bench.desk.cancel_answered(COID, CancelTurnedDown(reason="no"), bench.now)
    assert bench.take() == [ReadOrders("a cancellation was turned down: no")]
    assert notes(bench, "answer_to_cancel") == [(COID, CancelTurnedDown(reason="no"))]
    bench.wait(again_s - 0.000000001)
    assert cancels(bench) == []
    bench.wait(0.000000001)
    assert cancels(bench) == [URGENT if urgent else ROUTINE]


@pytest.mark.parametrize("answer", [CancelTaken(), Unclear(reason="502")])
def test_one_that_was_taken_or_met_silence_is_waited_for(answer: Any) -> None:
    bench = live()
    bench.cancel()
    bench.take()
    bench.desk.cancel_answered(COID, answer, bench.now)
    assert bench.take() == []
    bench.wait(5)
    assert cancels(bench) == [ROUTINE]


def test_what_works_on_after_a_refusal_is_told_and_no_more_asked() -> None:
    bench = live()
    bench.cancel()
    bench.take()
    bench.desk.cancel_answered(COID, CancelTurnedDown(reason="no"), bench.now)
    bench.desk.orders_read(OrdersKnown(orders=(bench.copy(ticket()),), as_of_ns=bench.now), bench.now)
    assert bench.order().state is State.WORKING
    bench.wait(60)
    assert cancels(bench) == []


# --- all at once -----------------------------------------------------------------------------------------------------


def halted(all_above: int | None, orders: int = 3) -> Bench:
    bench = live(CancelSettings(all_above=all_above), orders=orders)
    bench.desk.cancel_now([f"s-{number + 1:06d}" for number in range(orders)], bench.now, everything=True)
    return bench


def test_above_a_number_one_request_cancels_all() -> None:
    assert len(cancels(halted(None))) == 3
    assert len(cancels(halted(3))) == 3
    bench = halted(2)
    assert bench.take() == [SendCancelAll(3)]
    assert notes(bench, "cancel_all_sent") == [("", {"coids": [COID, OTHER, "s-000003"]})]
    bench.desk.cancel_all_answered(CancelTaken(), bench.now)
    assert notes(bench, "answer_to_cancel_all") == [("", CancelTaken())]
    bench.wait(4.999999999)
    assert bench.take() == []
    bench.wait(0.000000001)  # whichever lives on is asked by itself
    assert [one.order_id for one in cancels(bench)] == ["101", "102", "103"]
    assert notes(bench, "cancel_sent")[0] == (COID, {"order_id": "101", "try": 2})


@pytest.mark.parametrize("answer", [CancelTurnedDown(reason="not allowed"), Unclear(reason="502")])
def test_where_all_is_not_taken_each_is_asked_at_once(answer: Any) -> None:
    bench = halted(2)
    bench.take()
    bench.desk.cancel_all_answered(answer, bench.now)
    assert [one.order_id for one in cancels(bench)] == ["101", "102", "103"]


def test_only_a_halt_of_everything_asks_for_all_and_not_twice() -> None:
    bench = live(CancelSettings(all_above=1), orders=3)
    bench.desk.cancel_now([COID, OTHER], bench.now)
    assert len(cancels(bench)) == 2
    bench.desk.cancel_now([COID, OTHER, "s-000003"], bench.now, everything=True)  # two of them are under way
    assert bench.take() == [SendCancel("s-000003", "103", True)]


def test_all_at_once_breaks_a_round_off_and_needs_a_session() -> None:
    bench = live(CancelSettings(all_above=1), orders=2)
    number = writing(bench, "s-000003")
    bench.desk.cancel_now([COID, OTHER], bench.now, everything=True)
    assert bench.take() == [SendCancelAll(2)]
    bench.answer(number, Answered(questions=(Question(reply_id="r", message_ids=("o1",), texts=("?",)),)))
    assert bench.order("s-000003").state is State.IN_DOUBT
    down = live(CancelSettings(all_above=1), orders=2)
    down.desk.session(False, down.now)
    down.desk.cancel_now([COID, OTHER], down.now, everything=True)
    assert down.take() == []


# --- several at once, and what a list says after a refusal -----------------------------------------------------------


def test_no_cancel_stands_in_the_way_of_another() -> None:
    bench = live(orders=2)  # the first is dead when the second is due
    for coid in (COID, OTHER):
        bench.cancel(coid)
    assert len(cancels(bench)) == 2
    bench.now += 5 * S
    bench.row(ticket(), status="Cancelled")
    assert cancels(bench) == [SendCancel(OTHER, "102", False)]

    bench = live()  # of the first no id is known
    writing(bench)
    bench.desk.cancel_now([OTHER, COID], bench.now)
    assert cancels(bench) == [URGENT]

    bench = live(orders=2)  # the first waits for a round
    writing(bench, "s-000003")
    bench.cancel()
    bench.desk.cancel_now([OTHER], bench.now)
    assert cancels(bench) == [SendCancel(OTHER, "102", True)]


def test_only_a_halt_of_an_order_voids_the_round_about_it() -> None:
    ask = Question(reply_id="r", message_ids=("o900",), texts=("?",))
    for halted_coid, void in ((OTHER, True), ("s-000003", False)):
        bench = live(rules={"o900": "confirm"})
        number = writing(bench)
        bench.place(ticket("s-000003", limit_price=Decimal(8)))
        bench.desk.cancel_now([halted_coid], bench.now)
        bench.answer(number, Answered(questions=(ask,)))
        assert (bench.order(OTHER).state in (State.IN_DOUBT, State.PENDING_CANCEL)) is void
        assert bool([one for one in bench.take() if isinstance(one, AskRisk)]) is not void


def turned_down(orders: int = 1) -> Bench:
    bench = live(orders=orders)
    for number in range(orders):
        bench.cancel(f"s-{number + 1:06d}")
    bench.take()
    for number in range(orders):
        bench.desk.cancel_answered(f"s-{number + 1:06d}", CancelTurnedDown(reason="no"), bench.now)
    bench.take()
    return bench


def test_what_a_list_does_not_have_is_told_and_in_doubt() -> None:
    bench = turned_down()
    bench.desk.orders_read(OrdersKnown(orders=(), as_of_ns=bench.now), bench.now)
    assert Alert("GONE", "the venue knows nothing of an order we have open", COID) in bench.take()
    assert bench.desk.doubts.cases[COID].since_ns == bench.now


def test_a_list_decides_each_of_several() -> None:
    bench = turned_down(orders=2)
    bench.row(ticket(), status="Cancelled")
    bench.take()
    alive = bench.copy(ticket(OTHER, limit_price=Decimal(11)), order_id="102")
    bench.desk.orders_read(OrdersKnown(orders=(alive,), as_of_ns=bench.now), bench.now)
    assert (bench.order(COID).state, bench.order(OTHER).state) == (State.CANCELLED, State.WORKING)
    assert bench.alerts == []
    refused = [what for *_, what in bench.book.facts if isinstance(what, CancelRefused)]
    assert [(one.coid, one.ts_ns, one.code, one.reason) for one in refused] == [
        (OTHER, bench.now, "VENUE", "it works on")
    ]


def test_a_list_from_before_the_refusal_decides_nothing() -> None:
    bench = turned_down(orders=2)
    bench.desk.orders_read(OrdersKnown(orders=(), as_of_ns=bench.now - 1), bench.now)
    assert bench.take() == [ReadOrders("a cancellation was turned down")]
    assert bench.desk.doubts.cases == {}


def test_a_second_request_for_all_counts_as_another_try() -> None:
    bench = halted(2)
    coids = [COID, OTHER, "s-000003"]
    for _ in range(3):
        assert [one for one in bench.take() if isinstance(one, SendCancelAll)] == [SendCancelAll(3)]
        bench.now += 5 * S
        bench.desk.cancel_now(coids, bench.now, everything=True)
    assert {wanted.tries for wanted in bench.desk._canceller.wanted.values()} == {4}
    assert next(at for at, kind, *_ in bench.book.facts if kind == "cancel_all_sent") == bench.now - 15 * S
