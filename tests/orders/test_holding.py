"""Held orders: a person's yes or no, silence, a halt, a restart; and those that wait for the venue's preview."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from engine.domain.brokerage import Preview
from engine.domain.messages import Approved, Denied, OnHold, Place, Refusal, Release
from engine.domain.order import State
from engine.domain.ticket import OrderTicket
from engine.orders.actions import Alert, JudgeAgain, SendPlace, SendPreview
from engine.orders.desk import DeskSettings
from engine.orders.holding import HoldSettings
from engine.orders.recovery import recover
from tests.orders.bench import COID, Bench, S, ticket

TWICE = Refusal("DUPLICATE", "2 s", "the same", "the same order was sent a moment ago")
LARGE = Refusal("WHAT_IF", "100", "500", "the venue's preview is wanted first")
SECOND = ticket("s-000002", parent=COID)


def held(bench: Bench, *tickets: OrderTicket, refusal: Refusal = TWICE) -> int:
    """Orders are held; the number of their question."""
    bench.submit(OnHold(Place(tickets or (ticket(),)), refusal))
    (waiting,) = bench.book.held.values()
    return waiting.number


def judged(bench: Bench, refusal: Refusal | None = None) -> None:
    """Risk's word on what was let go."""
    release = bench.only(JudgeAgain).intent
    assert isinstance(release, Release)
    place = Place(release.tickets)
    bench.submit(Approved(place) if refusal is None else Denied(place, refusal))


def test_a_yes_sends_it_through_the_gate_again_and_then_to_the_venue() -> None:
    bench = Bench()
    number = held(bench)
    (told,) = [one for one in bench.take() if isinstance(one, Alert)]
    assert (told.code, told.coid) == ("HELD", COID)
    assert bench.order().state is State.CREATED
    assert bench.desk.answer_question(number, True, bench.now)
    release = bench.only(JudgeAgain).intent
    assert release == Release((ticket(),), person=True)
    bench.submit(Approved(Place((ticket(),))))
    assert bench.only(SendPlace).tickets == (ticket(),)
    assert bench.order().state is State.SENT
    assert not bench.desk.answer_question(number, True, bench.now)  # answered already
    noted = [(row[1], row[3]) for row in bench.book.facts if row[2] == COID][:3]
    assert [kind for kind, _ in noted] == ["held", "operator", "approved"]
    assert noted[1][1] == {"question": number, "yes": True}


def test_what_the_gate_refuses_then_is_refused() -> None:
    bench = Bench()
    bench.desk.answer_question(held(bench), True, bench.now)
    judged(bench, Refusal("POSITION", "10", "15", "too much"))
    order = bench.order()
    assert (order.state, order.code, order.reason) == (State.REFUSED, "POSITION", "too much")
    assert not [one for one in bench.done if isinstance(one, SendPlace)]


def test_a_cut_down_order_leaves_as_the_order_it_has_become() -> None:
    bench = Bench()
    bench.desk.answer_question(held(bench), True, bench.now)
    bench.only(JudgeAgain)
    less = ticket(quantity=Decimal(2))
    bench.submit(Approved(Place((less,)), Refusal("QUANTITY", "2", "5", "too large")))
    assert bench.only(SendPlace).tickets == (less,)
    assert bench.order().ticket == less


@pytest.mark.parametrize("how", ["no", "silence", "halt"])
def test_a_no_silence_and_a_halt_refuse_it_and_say_why(how: str) -> None:
    bench = Bench(DeskSettings(holding=HoldSettings(answer_s=60)))
    number = held(bench, ticket(), SECOND)
    assert bench.desk.next_ns() == bench.now + 60 * S
    if how == "no":
        bench.desk.answer_question(number, False, bench.now)
    elif how == "silence":
        bench.desk.tick(bench.now + 60 * S - 1)
        assert bench.order().state is State.CREATED
        bench.desk.tick(bench.now + 60 * S)
    else:
        bench.desk.cancel_now([COID], bench.now, "halted by an operator")
    words = {"no": "an operator said no", "silence": "no person answered in time", "halt": "halted by an operator"}
    for coid in (COID, "s-000002"):
        order = bench.book.book[coid]
        assert (order.state, order.code) == (State.REFUSED, "DUPLICATE")
        assert order.reason == f"{TWICE.sentence}; {words[how]}"
    assert not bench.book.held
    assert not bench.desk.answer_question(number, True, bench.now)
    assert not [one for one in [*bench.done, *bench.take()] if isinstance(one, SendPlace | JudgeAgain)]


def test_a_strategy_takes_it_back_and_with_one_ticket_the_group() -> None:
    bench = Bench()
    held(bench, ticket(), SECOND)
    bench.cancel("s-000002")
    assert [order.state for order in bench.book.book.values()] == [State.CANCELLED, State.CANCELLED]
    assert [order.reason for order in bench.book.book.values()] == ["withdrawn", "withdrawn"]
    assert not bench.book.held
    assert not [one for one in bench.take() if isinstance(one, SendPlace)]


def test_one_that_was_held_earlier_keeps_no_later_group_from_being_taken_back() -> None:
    bench = Bench()
    held(bench)
    bench.submit(OnHold(Place((ticket("s-000003"), ticket("s-000004", parent="s-000003"))), TWICE))
    bench.cancel("s-000004")
    states = {coid: order.state for coid, order in bench.book.book.items()}
    assert states == {COID: State.CREATED, "s-000003": State.CANCELLED, "s-000004": State.CANCELLED}
    assert [waiting.coids for waiting in bench.book.held.values()] == [(COID,)]


def test_what_ends_while_the_gate_looks_never_leaves_and_risk_hears_that_it_is_dead() -> None:
    bench = Bench()
    bench.desk.answer_question(held(bench), True, bench.now)
    bench.desk.cancel_now([COID], bench.now, "halted")
    bench.desk.take()
    _, updates = bench.book.act([Approved(Place((ticket(),)))], bench.now)
    assert [(update.order.coid, update.order.state) for update in updates] == [(COID, State.REFUSED)]
    assert not [one for one in bench.take() if isinstance(one, SendPlace)]


@pytest.mark.parametrize(
    ("preview", "words"),
    [
        (None, "the venue's preview could not be asked for"),
        (Preview(error="no margin"), "the venue would refuse it: no margin"),
        (Preview(), "the venue's preview does not tell the margin"),
    ],
)
def test_without_a_sound_preview_it_is_refused(preview: Preview | None, words: str) -> None:
    bench = Bench()
    number = held(bench, refusal=LARGE)
    assert bench.only(SendPreview) == SendPreview(number, (ticket(),))
    assert not bench.desk.answer_question(number, True, bench.now)  # nothing that a person stands above
    bench.desk.previewed(number, preview, bench.now)
    order = bench.order()
    assert (order.state, order.code) == (State.REFUSED, "WHAT_IF")
    assert order.reason == f"{LARGE.sentence}; {words}"
    assert [row[3] for row in bench.book.facts if row[1] == "preview"] == [preview]


def test_a_preview_has_its_own_time_and_its_silence_is_a_no() -> None:
    bench = Bench(DeskSettings(holding=HoldSettings(answer_s=60, preview_s=7)))
    number = held(bench, refusal=LARGE)
    assert bench.desk.next_ns() == bench.now + 7 * S
    bench.desk.tick(bench.now + 7 * S)
    assert bench.order().reason == f"{LARGE.sentence}; no preview answered in time"
    bench.desk.previewed(number, Preview(initial_change=Decimal(250)), bench.now)  # too late
    assert not [one for one in bench.take() if isinstance(one, JudgeAgain)]


def test_with_the_margin_known_the_gate_judges_and_may_hold_it_for_a_person() -> None:
    bench = Bench()
    number = held(bench, refusal=LARGE)
    bench.take()
    bench.desk.previewed(number, Preview(initial_change=Decimal(250)), bench.now)
    assert bench.only(JudgeAgain).intent == Release((ticket(),), margin=Decimal(250))
    again = held(bench)  # a duplicate besides
    assert again != number
    bench.desk.answer_question(again, True, bench.now)
    judged(bench)
    assert bench.only(SendPlace).tickets == (ticket(),)


def test_a_restart_refuses_what_was_held_and_says_so() -> None:
    bench = Bench()
    held(bench, ticket(), SECOND)
    rows = [(ts, kind, name, msgspec.json.encode(body).decode()) for ts, kind, name, body in bench.book.facts]
    found = recover(rows)
    said = found.in_flight(bench.now)
    assert [(type(one).__name__, one.coid) for one in said] == [("Refused", COID), ("Refused", "s-000002")]
    assert all("the engine stopped while it was held" in getattr(one, "reason", "") for one in said)
    approved = (bench.now, "approved", COID, msgspec.json.encode(Place((ticket(), SECOND))).decode())
    later = recover([*rows, approved]).in_flight(bench.now)  # let go, and not sent yet
    assert {type(one).__name__ for one in later} == {"Cancelled"}
