"""An order whose answer was lost and which is proved absent: given up, or, where the config says so, sent once more."""

from __future__ import annotations

import msgspec
import pytest

from engine.domain.brokerage import AllRefused, Answered, LegRefused, LegTaken, Unclear
from engine.domain.messages import Approved, Denied, Refusal, Resend
from engine.domain.order import State
from engine.orders.actions import JudgeAgain, SendCancel, SendPlace
from engine.orders.desk import Desk, DeskSettings
from engine.orders.doubt import DoubtSettings
from engine.orders.live import LiveOrders
from engine.orders.outcomes import UNSENT, Unsent
from engine.orders.recovery import KINDS, recover
from engine.orders.replies import read_policy
from tests.orders.bench import COID, Bench, S, ticket

TWICE = DeskSettings(doubt=DoubtSettings(resend=True))
REGISTERED = f"Order couldn't be submitted: Local order ID={COID} is already registered."


def silent(bench: Bench) -> None:
    """The ticket leaves, nobody answers, and the lists after the settle time do not have it."""
    bench.place(ticket())
    bench.answer(bench.only(SendPlace).number, Unclear(reason="silence"))
    bench.wait(46)
    bench.read()


def again(bench: Bench) -> SendPlace:
    """The gate lets it go out once more."""
    asked = bench.only(JudgeAgain)
    assert asked.intent == Resend(ticket())
    bench.submit(Approved(asked.intent))
    return bench.only(SendPlace)


def test_nothing_is_sent_twice_unless_the_config_says_so() -> None:
    bench = Bench()
    silent(bench)
    assert bench.order().state is State.LOST
    assert not [one for one in bench.take() if isinstance(one, JudgeAgain | SendPlace)]
    assert bench.alerts.count("LOST") == 1


def test_absent_before_the_settle_time_proves_nothing() -> None:
    bench = Bench(TWICE)
    bench.place(ticket())
    bench.answer(bench.only(SendPlace).number, Unclear(reason="silence"))
    bench.wait(44)
    bench.read()
    assert bench.order().state is State.IN_DOUBT
    assert not [one for one in bench.take() if isinstance(one, JudgeAgain)]


def test_proved_absent_it_goes_out_once_more_under_its_own_id_and_marked() -> None:
    bench = Bench(TWICE)
    silent(bench)
    sent = again(bench)
    assert (sent.tickets, sent.again, sent.marks) == ((ticket(),), True, (f"{COID}#2",))
    assert bench.order().state is State.SENT
    bench.answer(sent.number, Answered(taken=(LegTaken(order_id="7", status="Submitted", coid=COID),)))
    assert bench.order().state is State.WORKING
    assert "LOST" not in bench.alerts


def test_what_the_gate_refuses_is_lost() -> None:
    bench = Bench(TWICE)
    silent(bench)
    asked = bench.only(JudgeAgain)
    bench.submit(Denied(asked.intent, Refusal("TRADING", "on", "halted", "trading is halted")))
    assert bench.order().state is State.LOST
    assert not [one for one in bench.take() if isinstance(one, SendPlace)]


def test_it_is_sent_twice_at_most() -> None:
    bench = Bench(TWICE)
    silent(bench)
    bench.answer(again(bench).number, Unclear(reason="silence"))
    assert bench.order().state is State.IN_DOUBT
    bench.wait(46)
    bench.read()
    assert bench.order().state is State.LOST
    assert not [one for one in bench.take() if isinstance(one, JudgeAgain)]


@pytest.mark.parametrize("reason", [REGISTERED, f"Order couldn't be submitted: Local order ID={COID} is in use"])
def test_already_registered_proves_that_it_is_there(reason: str) -> None:
    bench = Bench(TWICE)
    silent(bench)
    bench.answer(again(bench).number, AllRefused(reason=reason))
    assert bench.order().state is State.IN_DOUBT
    for _ in range(5):  # whatever the lists leave out now, it is not absent
        bench.wait(60)
        bench.read()
    assert bench.order().state is State.IN_DOUBT
    assert "DOUBT" in bench.alerts  # and a person hears of it
    bench.row(ticket())
    assert bench.order().state is State.WORKING
    assert not [one for one in bench.take() if isinstance(one, SendCancel)]  # it is the order that was wanted


@pytest.mark.parametrize(
    "answer", [AllRefused(reason="no funds"), UNSENT, Answered(refused=(LegRefused(reason="no funds"),))]
)
def test_a_second_one_that_is_refused_leaves_the_first_watched(answer: AllRefused | Answered | Unsent) -> None:
    bench = Bench(TWICE)
    silent(bench)
    bench.answer(again(bench).number, answer)
    assert bench.order().state is State.LOST
    why = [what for _, kind, _, what in bench.book.facts if kind == "doubt"][-1]
    assert why == (UNSENT.why if answer is UNSENT else "no funds")
    bench.wait(100)
    bench.row(ticket())  # the first one, late by minutes
    assert bench.only(SendCancel).coid == COID
    assert bench.order().state is State.PENDING_CANCEL
    assert "LATE_ORDER" in bench.alerts


def test_one_that_turns_up_while_the_gate_thinks_is_not_sent() -> None:
    bench = Bench(TWICE)
    silent(bench)
    asked = bench.only(JudgeAgain)
    bench.row(ticket())
    bench.submit(Approved(asked.intent))
    assert bench.order().state is State.WORKING
    assert not [one for one in bench.take() if isinstance(one, SendPlace)]


def test_one_that_is_to_be_cancelled_is_lost_and_not_sent() -> None:
    bench = Bench(TWICE)
    silent(bench)
    asked = bench.only(JudgeAgain)
    bench.cancel()
    bench.submit(Approved(asked.intent))
    assert bench.order().state is State.LOST
    assert not [one for one in bench.take() if isinstance(one, SendPlace | SendCancel)]


def test_without_a_session_it_is_lost() -> None:
    bench = Bench(TWICE)
    silent(bench)
    asked = bench.only(JudgeAgain)
    bench.desk.session(False, bench.now)
    bench.submit(Approved(asked.intent))
    assert bench.order().state is State.LOST


def test_a_bracket_is_never_sent_twice() -> None:
    bench = Bench(TWICE)
    bench.place(ticket(), ticket("s-000002", parent=COID))
    bench.answer(bench.only(SendPlace).number, Unclear(reason="silence"))
    bench.wait(46)
    bench.read()
    assert {bench.order().state, bench.order("s-000002").state} == {State.LOST}


def test_a_restart_remembers_the_second_sending() -> None:
    bench = Bench(TWICE)
    silent(bench)
    again(bench)
    encode = msgspec.json.Encoder(decimal_format="string").encode
    found = recover((t, k, n, encode(w).decode()) for t, k, n, w in bench.book.facts if k in KINDS)
    assert found.resent == [COID]
    assert found.orders == dict(bench.book.book)
    book = LiveOrders()
    book.adopt(found.orders.values(), found.executions)
    bench.book, bench.desk = book, Desk(book, read_policy({}), TWICE)
    bench.desk.recovered(found.in_flight(bench.now), (), bench.now, resent=found.resent)
    bench.desk.session(True, bench.now)
    assert bench.order().state is State.IN_DOUBT
    bench.now += 46 * S
    bench.read()
    assert bench.order().state is State.LOST
    assert not [one for one in bench.take() if isinstance(one, JudgeAgain)]
