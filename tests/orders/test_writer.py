"""One round, step by step: what is asked, of whom, until when; what the journal and a person are told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.brokerage import AllRefused, Answered, LegRefused, LegTaken, Prompted, Question, Unclear
from engine.domain.order import State
from engine.domain.ticket import OrderType, Side
from engine.orders.actions import (
    Alert,
    AskOperator,
    AskRisk,
    ReadExecutions,
    ReadOrder,
    ReadOrders,
    SendCancel,
    SendModify,
    SendPlace,
    SendReply,
)
from engine.orders.outcomes import UNSENT
from tests.orders.bench import COID, Bench, S, ticket

RULES: dict[str, object] = {"o900": "ask", "o901": "confirm", "o902": "decline", "ask_s": 7}
TAKEN = Answered(taken=(LegTaken(order_id="101", status="Submitted", coid=COID),))


def question(*message_ids: str, reply_id: str = "r1") -> Question:
    return Question(reply_id=reply_id, message_ids=message_ids, texts=tuple(f"about {one}" for one in message_ids))


def notes(bench: Bench, *kinds: str) -> list[tuple[str, str, Any]]:
    """What the journal gets of these kinds: kind, name and what."""
    return [(kind, name, what) for _, kind, name, what in bench.book.facts if kind in kinds]


def asked(*message_ids: str, rules: dict[str, object] | None = None) -> tuple[Bench, int]:
    """An order is written, and the venue asks about it."""
    bench = Bench(rules=rules or RULES)
    bench.place(ticket())
    number = bench.only(SendPlace).number
    bench.answer(number, Answered(questions=(question(*message_ids),)))
    return bench, number


def put_to_a_person() -> tuple[Bench, int]:
    bench, number = asked("o900")
    assert bench.take() == [AskRisk(number, (ticket(),))]
    bench.desk.judged(number, {}, bench.now)
    assert bench.take() == [AskOperator(number, question("o900"), (COID,), bench.now + 7 * S)]
    return bench, number


def test_a_round_is_in_the_journal_step_by_step() -> None:
    bench, number = put_to_a_person()
    assert bench.desk.answer_question(number, True, bench.now)
    assert bench.take() == [SendReply(number, "r1", True)]
    bench.answer(number, TAKEN)
    assert bench.order().state is State.WORKING
    assert notes(bench, "write", "answer_to_write", "question", "rule", "operator", "reply") == [
        ("write", COID, (ticket(),)),
        ("answer_to_write", COID, Answered(questions=(question("o900"),))),
        ("question", COID, question("o900")),
        ("rule", COID, {"stance": "ask", "rule": "replies.o900", "reason": "o900 by rule: ask"}),
        ("operator", COID, {"question": number, "yes": True}),
        ("reply", "r1", {"confirmed": True, "reason": "an operator's answer"}),
        ("answer_to_write", COID, TAKEN),
    ]


def test_a_person_who_says_no_refuses_the_order() -> None:
    bench, number = put_to_a_person()
    assert bench.desk.answer_question(number, False, bench.now)
    assert bench.take() == [SendReply(number, "r1", False)]
    bench.answer(number, AllRefused(reason="cancelled"))
    order = bench.order()
    assert (order.state, order.code) == (State.REFUSED, "DECLINED")
    assert order.reason == "declined (an operator's answer): about o900"


def test_only_the_open_question_can_be_answered_and_once() -> None:
    bench, number = put_to_a_person()
    assert not bench.desk.answer_question(number + 1, True, bench.now)
    assert bench.take() == []
    assert bench.desk.answer_question(number, True, bench.now)
    assert not bench.desk.answer_question(number, True, bench.now)
    assert len([one for one in bench.take() if isinstance(one, SendReply)]) == 1
    waiting, its_number = asked("o900")  # our own checks have not spoken yet
    assert not waiting.desk.answer_question(its_number, True, waiting.now)
    assert not Bench().desk.answer_question(1, True, 1)


def test_a_silent_person_declines_at_the_deadline() -> None:
    bench, number = put_to_a_person()
    assert bench.desk.next_ns() == bench.now + 7 * S
    bench.wait(6.999999999)
    assert bench.take() == []
    bench.wait(0.000000001)
    assert bench.take() == [SendReply(number, "r1", False)]
    assert notes(bench, "reply") == [("reply", "r1", {"confirmed": False, "reason": "no operator answered in time"})]
    assert not bench.desk.answer_question(number, True, bench.now)


def test_the_death_of_a_declined_order_is_told_with_our_reason_whoever_tells_it_first() -> None:
    bench, number = asked("o902")
    bench.desk.judged(number, {}, bench.now)
    bench.row(ticket(), status="Cancelled", reason="Order not confirmed")  # the stream is faster than the answer
    assert bench.order().state is State.SENT
    bench.answer(number, AllRefused(reason="Order not confirmed"))
    assert (bench.order().state, bench.order().code) == (State.REFUSED, "DECLINED")
    assert bench.order().reason.startswith("declined (")


def test_an_order_that_dies_while_its_question_is_open_is_dead() -> None:
    bench, _ = asked("o901")
    bench.row(ticket(), status="Cancelled", reason="by its exchange")
    assert (bench.order().state, bench.order().reason) == (State.CANCELLED, "by its exchange")


def test_an_order_that_was_inactive_for_its_question_is_not_refused_when_the_round_has_lasted_long() -> None:
    bench = Bench(rules=RULES)
    bench.place(ticket())
    number = bench.only(SendPlace).number
    bench.row(ticket(), status="Inactive")  # the stream is faster than the answer
    bench.answer(number, Answered(questions=(question("o900"),)))
    bench.desk.judged(number, {}, bench.now)
    assert bench.desk.answer_question(number, True, bench.now)
    bench.now += 3_600 * S  # a busy machine: nobody came by when the row had its age
    bench.answer(number, TAKEN)
    bench.wait(0.001)
    assert bench.order().state is State.WORKING
    bench.row(ticket(), status="Inactive")
    bench.wait(3_600)
    assert bench.order().state is State.REFUSED


def test_the_end_of_a_question_is_nothing_to_other_orders_nor_to_its_own_if_it_was_never_inactive() -> None:
    bench, other = Bench(rules=RULES), ticket("s-000002")
    bench.live(other, first_id=102)
    bench.place(ticket())
    number = bench.only(SendPlace).number
    bench.answer(number, Answered(questions=(question("o900"),)))
    bench.desk.judged(number, {}, bench.now)
    bench.row(other, order_id="102", status="Inactive")
    assert bench.desk.answer_question(number, True, bench.now)
    bench.wait(4)
    bench.answer(number, TAKEN)
    bench.wait(4)
    assert [bench.order(one).state for one in (COID, "s-000002")] == [State.WORKING, State.REFUSED]
    bench.wait(3_600)
    assert bench.order().state is State.WORKING


def test_an_order_that_dies_while_our_yes_is_on_its_way_is_dead() -> None:
    bench, number = put_to_a_person()
    assert bench.desk.answer_question(number, True, bench.now)
    bench.row(ticket(), status="Cancelled", reason="by its exchange")
    assert (bench.order().state, bench.order().reason) == (State.CANCELLED, "by its exchange")


def test_a_declined_order_whose_answer_is_lost_is_dead_when_a_list_says_so() -> None:
    bench, number = asked("o902")
    bench.desk.judged(number, {}, bench.now)
    bench.row(ticket(), status="Cancelled", reason="Order not confirmed")
    bench.answer(number, Unclear(reason="nothing"))
    assert bench.order().state is State.IN_DOUBT
    bench.read(bench.copy(ticket(), status="Cancelled", from_stream=False))
    assert bench.order().state is State.CANCELLED


def test_silent_checks_decline_after_a_second() -> None:
    bench, number = asked("o901")
    assert bench.take() == [AskRisk(number, (ticket(),))]
    assert bench.desk.next_ns() == bench.now + S
    bench.wait(0.999999999)
    assert bench.take() == []
    bench.wait(0.000000001)
    assert bench.take() == [SendReply(number, "r1", False)]
    assert notes(bench, "reply")[0][2]["reason"] == "no risk checker answered in time"
    bench.desk.judged(number, {}, bench.now)  # too late
    assert bench.take() == []


def test_a_word_on_another_round_rules_nothing() -> None:
    bench, number = asked("o901")
    bench.take()
    bench.desk.judged(number + 1, {}, bench.now)
    assert bench.take() == []
    bench.desk.judged(number, {}, bench.now)
    assert bench.take() == [SendReply(number, "r1", True)]


@pytest.mark.parametrize(
    ("message_ids", "confirmed", "alerts"),
    [
        (("o901",), True, []),
        (("o902",), False, []),
        (("o903",), False, [Alert("QUESTION", "the message id o903 has no rule: about o903", COID)]),
        ((), False, [Alert("QUESTION", "the question says nothing: (no text)", COID)]),
        (
            ("o901", "o903"),
            False,
            [Alert("QUESTION", "the message id o903 has no rule: about o901 / about o903", COID)],
        ),
    ],
)
def test_rules_confirm_and_decline(message_ids: tuple[str, ...], confirmed: bool, alerts: list[Alert]) -> None:
    bench, number = asked(*message_ids)
    bench.take()
    bench.desk.judged(number, {}, bench.now)
    assert bench.take() == [*alerts, SendReply(number, "r1", confirmed)]


def test_a_venue_that_goes_on_asking_is_told_no() -> None:
    bench, number = asked("o901", rules={**RULES, "rounds_max": 2})
    for at in (2, 3):
        bench.take()
        bench.desk.judged(number, {}, bench.now)
        assert bench.take() == [SendReply(number, f"r{at - 1}", True)]
        bench.answer(number, Answered(questions=(question("o901", reply_id=f"r{at}"),)))
    assert bench.take() == [Alert("CHAIN", "the venue goes on asking", COID), SendReply(number, "r3", False)]
    assert notes(bench, "reply")[-1][2] == {"confirmed": False, "reason": "more than 2 questions"}


def test_two_questions_of_one_answer_are_taken_one_by_one_and_a_no_stays_no() -> None:
    bench = Bench(rules=RULES)
    bench.place(ticket())
    number = bench.only(SendPlace).number
    both = (question("o902", reply_id="r1"), question("o900", reply_id="r2"))
    bench.answer(number, Answered(questions=both))
    bench.take()
    bench.desk.judged(number, {}, bench.now)
    assert bench.take() == [SendReply(number, "r1", False)]
    bench.answer(number, Answered())
    assert bench.take() == [AskRisk(number, (ticket(),))]
    bench.desk.judged(number, {}, bench.now)
    assert bench.take() == [SendReply(number, "r2", False)]  # no person is asked about what is declined
    bench.answer(number, TAKEN)
    alerts = [one for one in bench.take() if isinstance(one, Alert)]
    assert alerts == [Alert("DECLINED_LIVE", "an order we declined was taken: it is cancelled", COID)]
    assert [one.coid for one in bench.done if isinstance(one, SendCancel)] == [COID]


def test_an_answer_to_no_round_is_kept_and_changes_nothing() -> None:
    bench = Bench(rules=RULES)
    bench.place(ticket())
    number = bench.only(SendPlace).number
    bench.answer(number + 7, TAKEN)
    assert (bench.take(), bench.order().state) == ([], State.SENT)
    assert notes(bench, "stale_answer", "answer_to_write") == [("stale_answer", str(number + 7), TAKEN)]


def test_an_offer_of_other_terms_is_told_and_refuses() -> None:
    bench = Bench()
    bench.place(ticket())
    prompt = Prompted(order_id="101", request_id="q", text="accept a cap?", options=("yes", "no"))
    bench.answer(bench.only(SendPlace).number, prompt)
    assert bench.take() == [Alert("PROMPT", "accept a cap?", COID)]
    assert (bench.order().state, bench.order().code, bench.order().reason) == (State.REFUSED, "VENUE", "accept a cap?")


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (UNSENT, State.REFUSED, "the venue could not be reached, and nothing was sent"),
        (Unclear(reason="502"), State.IN_DOUBT, None),
        (Answered(), State.IN_DOUBT, None),
        (AllRefused(reason="no"), State.REFUSED, "no"),
        (Answered(refused=(LegRefused(reason="no", coid=COID),)), State.REFUSED, "no"),
    ],
)
def test_what_an_answer_comes_to(answer: Any, state: State, reason: str | None) -> None:
    bench = Bench()
    bench.place(ticket(), ticket("s-000002", parent=COID, side=Side.SELL))
    number = bench.only(SendPlace).number
    bench.answer(number, answer)
    assert bench.order().state is state
    if reason is not None:
        assert bench.order().reason == reason
    doubtful = [coid for coid in (COID, "s-000002") if bench.order(coid).state is State.IN_DOUBT]
    wanted = bench.take()
    whys = {"502"} if isinstance(answer, Unclear) else {"the answer does not speak of it"}
    assert {one.sentence for one in wanted if isinstance(one, Alert) and one.code == "IN_DOUBT"} == (
        whys if doubtful else set()
    )
    reads = [one for one in wanted if isinstance(one, ReadOrders | ReadExecutions)]
    assert reads == ([ReadOrders("orders in doubt"), ReadExecutions("orders in doubt")] if doubtful else [])
    assert notes(bench, "answer_to_write") == [("answer_to_write", COID, "unsent" if answer is UNSENT else answer)]
    bench.place(ticket("s-000003", limit_price=Decimal(9)))  # and the next one has its turn
    assert bench.only(SendPlace).tickets[0].coid == "s-000003"


def test_a_reply_that_could_not_be_sent_leaves_a_doubt() -> None:
    bench, number = asked("o901")
    bench.take()
    bench.desk.judged(number, {}, bench.now)
    bench.take()
    bench.answer(number, UNSENT)
    assert bench.order().state is State.IN_DOUBT
    assert notes(bench, "doubt") == [("doubt", COID, "the reply could not be sent")]


def test_rows_that_name_nobody_leave_it_to_the_list_and_then_to_doubt() -> None:
    bench = Bench()
    one, other = ticket(oca_group="g"), ticket("s-000002", oca_group="g", limit_price=Decimal(9))
    bench.place(one, other)
    nameless = tuple(LegTaken(order_id=order_id, status="Submitted") for order_id in ("101", "102"))
    bench.answer(bench.only(SendPlace).number, Answered(taken=nameless))
    assert bench.take() == [ReadOrders("rows that do not name their order")]
    assert [(kind, name) for kind, name, _ in notes(bench, "row_unknown")] == [
        ("row_unknown", "101"),
        ("row_unknown", "102"),
    ]
    assert notes(bench, "row_unknown")[0][2] == nameless[0]
    bench.row(other, order_id="102")
    due_ns = bench.desk.next_ns()
    assert due_ns == bench.now + 10 * S  # `follow.echo_s`
    bench.wait(9.999999999)
    assert (bench.order(COID).state, bench.order("s-000002").state) == (State.SENT, State.WORKING)
    bench.wait(0.000000001)
    assert (bench.order(COID).state, bench.order("s-000002").state) == (State.IN_DOUBT, State.WORKING)
    alerts = [one for one in bench.take() if isinstance(one, Alert)]
    assert alerts == [Alert("IN_DOUBT", "no row tells which order it became", COID)]


def test_statuses_become_states() -> None:
    for status, state in (
        ("Submitted", State.WORKING),
        ("Filled", State.WORKING),
        ("PreSubmitted", State.PENDING_SUBMIT),
        ("Pending Submit", State.PENDING_SUBMIT),
        ("Cancelled", State.CANCELLED),
        ("Inactive", State.PENDING_SUBMIT),
    ):
        bench = Bench()
        bench.place(ticket())
        taken = LegTaken(order_id="101", status=status, coid=COID, text="why")
        bench.answer(bench.only(SendPlace).number, Answered(taken=(taken,)))
        assert bench.order().state is state, status
        if state is State.CANCELLED:
            assert bench.order().reason == "why"
        else:
            assert bench.order().venue_id == "101"


# --- before it leaves ------------------------------------------------------------------------------------------------


def test_a_group_of_which_one_is_withdrawn_is_withdrawn() -> None:
    bench = Bench()
    bench.place(ticket())
    first = bench.only(SendPlace).number
    bench.place(ticket("s-000002", limit_price=Decimal(9)), ticket("s-000003", parent="s-000002", side=Side.SELL))
    bench.cancel("s-000002")
    bench.answer(first, TAKEN)
    assert [bench.order(coid).state for coid in ("s-000002", "s-000003")] == [State.CANCELLED, State.CANCELLED]
    assert bench.order("s-000003").reason == "withdrawn"
    assert not [one for one in bench.take() if isinstance(one, SendPlace)]


def test_without_a_session_nothing_leaves() -> None:
    bench = Bench()
    bench.desk.session(False, bench.now)
    bench.place(ticket(), ticket("s-000002", parent=COID, side=Side.SELL))
    for coid in (COID, "s-000002"):
        order = bench.order(coid)
        assert (order.state, order.code, order.reason) == (
            State.REFUSED,
            "DISCONNECTED",
            "the session with the venue is down",
        )


# --- modifications ---------------------------------------------------------------------------------------------------


def live() -> Bench:
    bench = Bench()
    bench.live(ticket())
    return bench


def told(bench: Bench) -> tuple[State, str, str]:
    """State, and code and reason of the last modification that was refused."""
    refused = [
        what for _, kind, _, what in bench.book.facts if kind == "ModifyRefused" or "ModifyRefused" in repr(what)
    ]
    last = refused[-1]
    return bench.order().state, last.code, last.reason


def test_a_modification_is_a_full_ticket_over_a_known_copy() -> None:
    bench = live()
    bench.modify(limit_price=Decimal(9))
    sent = bench.only(SendModify)
    assert (sent.order_id, sent.ticket) == ("101", ticket(limit_price=Decimal(9)))
    assert notes(bench, "write")[-1] == ("write", COID, ticket(limit_price=Decimal(9)))
    bench.answer(sent.number, TAKEN)
    assert [bench.order().state, bench.order().ticket.limit_price] == [State.WORKING, Decimal(9)]


def test_a_modification_that_is_refused_asks_for_the_order_as_it_is() -> None:
    bench = live()
    bench.modify(limit_price=Decimal(9))
    bench.answer(bench.only(SendModify).number, AllRefused(reason="too late"))
    assert told(bench) == (State.WORKING, "VENUE", "too late")
    assert bench.take() == [ReadOrder("101", "a modification was refused")]


def test_nothing_of_a_modification_was_sent() -> None:
    bench = live()
    bench.modify(limit_price=Decimal(9))
    bench.answer(bench.only(SendModify).number, UNSENT)
    assert told(bench) == (State.WORKING, "UNSENT", "the venue could not be reached, and nothing was sent")


def test_a_modification_without_a_session_is_refused() -> None:
    bench = live()
    bench.desk.session(False, bench.now)
    bench.modify(limit_price=Decimal(9))
    assert told(bench) == (State.WORKING, "DISCONNECTED", "the session with the venue is down")


def test_a_copy_that_differs_is_not_written_over() -> None:
    bench = live()
    bench.row(ticket(), limit_price=Decimal(11), total=Decimal(7))
    bench.modify(limit_price=Decimal(9))
    state, code, reason = told(bench)
    assert (state, code) == (State.WORKING, "DIFFERS")
    first, second = reason.split("; ")
    assert {"11" in first or "11" in second, "7" in first or "7" in second} == {True}


def test_a_copy_from_before_the_session_is_read_anew_once() -> None:
    bench = live()
    bench.now += S
    bench.desk.session(False, bench.now)
    bench.desk.session(True, bench.now)
    bench.take()
    bench.modify(limit_price=Decimal(9))
    assert bench.take() == [ReadOrder("101", "its full ticket is wanted before it is modified")]
    bench.desk.order_read(None, "101", bench.now)
    assert told(bench) == (State.WORKING, "UNREAD", "the venue's copy can't be read")
    bench.modify(limit_price=Decimal(8))
    assert bench.take() == [ReadOrder("101", "its full ticket is wanted before it is modified")]
    bench.desk.order_read(bench.copy(ticket()), "101", bench.now)
    assert bench.only(SendModify).ticket.limit_price == 8


def test_a_modification_that_waits_goes_out_after_the_round_unless_its_order_has_ended() -> None:
    for ended in (False, True):
        bench = live()
        bench.place(ticket("s-000002", limit_price=Decimal(9)))
        number = bench.only(SendPlace).number
        bench.modify(limit_price=Decimal(9))
        assert (bench.take(), bench.order().state) == ([], State.PENDING_MODIFY)
        if ended:
            bench.row(ticket(), status="Cancelled")
        bench.answer(number, Answered(taken=(LegTaken(order_id="102", status="Submitted", coid="s-000002"),)))
        assert len([one for one in bench.take() if isinstance(one, SendModify)]) == (0 if ended else 1)
        assert bench.order().state is (State.CANCELLED if ended else State.PENDING_MODIFY)


def test_the_kind_of_order_is_written_as_it_is() -> None:
    bench = Bench()
    stop = ticket(order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(8), side=Side.SELL)
    bench.live(stop)
    bench.modify(stop_price=Decimal(7))
    assert bench.only(SendModify).ticket.stop_price == 7


def test_an_order_that_is_dead_in_its_answer_says_so() -> None:
    bench = Bench()
    bench.place(ticket())
    taken = LegTaken(order_id="101", status="Cancelled", coid=COID)
    bench.answer(bench.only(SendPlace).number, Answered(taken=(taken,)))
    assert (bench.order().state, bench.order().reason) == (State.CANCELLED, "cancelled")


def test_an_answer_of_nothing_but_the_end_of_a_round_names_no_order() -> None:
    bench = Bench(rules=RULES)
    bench.place(ticket())
    number = bench.only(SendPlace).number
    bench.answer(number, Answered(taken=TAKEN.taken, questions=(question("o901"),)))  # taken, and asked about
    assert bench.take() == [AskRisk(number, (ticket(),))]
    assert notes(bench, "question") == [("question", COID, question("o901"))]
    bench.desk.judged(number, {}, bench.now)
    bench.take()
    bench.answer(number, Unclear(reason="502"))
    assert notes(bench, "doubt", "answer_to_write")[1:] == [
        ("answer_to_write", "", Unclear(reason="502")),
        ("doubt", "", "502"),
    ]
    assert bench.order().state is State.WORKING
    prompt = Prompted(order_id="101", request_id="q", text="on other terms?", options=())
    bench.place(ticket("s-000002", limit_price=Decimal(9)))
    number = bench.only(SendPlace).number
    second = LegTaken(order_id="102", status="Submitted", coid="s-000002")
    bench.answer(number, Answered(taken=(second,), questions=(question("o901"),)))
    bench.desk.judged(number, {}, bench.now)
    bench.take()
    bench.answer(number, prompt)
    assert Alert("PROMPT", "on other terms?", "") in bench.take()


def test_what_is_given_up_is_told_and_watched() -> None:
    bench = Bench()
    bench.place(ticket())
    bench.answer(bench.only(SendPlace).number, Unclear(reason="502"))
    bench.take()
    bench.now += 60 * S
    bench.read()
    assert Alert("LOST", "an order whose answer was lost never reached the venue", COID) in bench.take()
    assert (bench.order().state, bench.desk.doubts.watched) == (State.LOST, {COID: bench.now})
