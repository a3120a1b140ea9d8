"""Orders above a size are previewed by the venue before they leave; what can't be known does not leave."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.domain.brokerage import Answered, LegTaken, Preview
from engine.domain.order import State
from engine.orders.actions import AskRisk, SendCancel, SendPlace, SendPreview
from engine.orders.desk import DeskSettings
from engine.orders.writer import PreviewSettings
from tests.orders.bench import COID, Bench, S, ticket

TAKEN = Answered(taken=(LegTaken(order_id="101", status="Submitted", coid=COID),))
CAREFUL = DeskSettings(previews=PreviewSettings(above=Decimal(100)))


def asked(bench: Bench, *, small: bool | None) -> int:
    """An order waits for our own word on its size, and gets it; None: the word does not say."""
    bench.place(ticket())
    question = bench.only(AskRisk)
    assert question.tickets == (ticket(),)
    number = question.number
    bench.desk.judged(number, {} if small is None else {"small": small}, bench.now)
    return number


def test_without_the_setting_nothing_is_previewed() -> None:
    bench = Bench()
    bench.place(ticket())
    assert [type(one) for one in bench.take()] == [SendPlace]


def test_a_small_order_leaves_at_once() -> None:
    bench = Bench(CAREFUL)
    asked(bench, small=True)
    assert [type(one) for one in bench.take()] == [SendPlace]


@pytest.mark.parametrize("small", [False, None])
def test_a_large_order_and_one_of_unknown_size_are_previewed_first(small: bool | None) -> None:
    bench = Bench(CAREFUL)
    number = asked(bench, small=small)
    wanted = bench.take()
    assert wanted == [SendPreview(number, (ticket(),))]
    assert bench.order().state is State.CREATED
    assert not bench.desk.busy  # nothing has left: the session is free for others
    bench.desk.previewed(number, Preview(warnings=("it is large",)), bench.now)
    assert bench.only(SendPlace).tickets == (ticket(),)


@pytest.mark.parametrize(
    ("preview", "reason"),
    [(Preview(error="Insufficient equity"), "Insufficient equity"), (None, "what it would do could not be asked")],
)
def test_an_error_and_an_unknown_refuse(preview: Preview | None, reason: str) -> None:
    bench = Bench(CAREFUL)
    bench.desk.previewed(asked(bench, small=False), preview, bench.now)
    order = bench.order()
    assert (order.state, order.code, order.reason) == (State.REFUSED, "PREVIEW", reason)
    assert not [one for one in bench.take() if isinstance(one, SendPlace)]
    bench.place(ticket("s-000002"))  # and the next one has its turn
    assert isinstance(bench.only(AskRisk), AskRisk)


def test_a_preview_that_does_not_come_refuses_and_a_late_one_is_nothing() -> None:
    bench = Bench(CAREFUL)
    number = asked(bench, small=False)
    assert bench.desk.next_ns() <= bench.now + 10 * 1_000_000_000
    bench.wait(10)
    assert bench.order().state is State.REFUSED
    bench.desk.previewed(number, Preview(), bench.now)
    assert not [one for one in bench.take() if isinstance(one, SendPlace)]


def test_a_word_on_its_size_that_does_not_come_means_large() -> None:
    bench = Bench(CAREFUL)
    bench.place(ticket())
    bench.take()
    bench.wait(1)
    assert bench.only(SendPreview).tickets == (ticket(),)


def test_what_is_cancelled_meanwhile_never_leaves() -> None:
    bench = Bench(CAREFUL)
    number = asked(bench, small=False)
    bench.cancel()
    assert bench.order().state is State.CANCELLED
    bench.desk.previewed(number, Preview(), bench.now)
    assert not [one for one in bench.take() if isinstance(one, SendPlace)]


def test_a_group_of_which_one_is_cancelled_meanwhile_stays_whole_at_home() -> None:
    bench = Bench(CAREFUL)
    bench.place(ticket(), ticket("s-000002", parent=COID))
    number = bench.only(AskRisk).number
    bench.desk.judged(number, {}, bench.now)
    bench.cancel("s-000002")
    bench.desk.previewed(number, Preview(), bench.now)
    assert {bench.order().state, bench.order("s-000002").state} == {State.CANCELLED}


def test_a_cancel_does_not_wait_for_a_preview_and_breaks_nothing_off() -> None:
    bench = Bench(CAREFUL)
    bench.place(ticket())
    bench.desk.judged(bench.only(AskRisk).number, {"small": True}, bench.now)
    sent = bench.only(SendPlace)
    bench.desk.answered(sent.number, TAKEN, bench.now)
    bench.place(ticket("s-000002"))
    number = bench.only(AskRisk).number
    bench.desk.judged(number, {}, bench.now)
    bench.take()
    bench.cancel(COID)
    assert bench.only(SendCancel).coid == COID
    bench.desk.previewed(number, Preview(), bench.now)
    assert bench.only(SendPlace).tickets == (ticket("s-000002"),)


def test_without_a_session_a_previewed_order_is_refused() -> None:
    bench = Bench(CAREFUL)
    number = asked(bench, small=False)
    bench.desk.session(False, bench.now)
    bench.desk.previewed(number, Preview(), bench.now)
    assert bench.order().code == "DISCONNECTED"


def test_our_own_word_and_the_venue_s_are_waited_for_to_their_last_moment() -> None:
    bench = Bench(CAREFUL)
    bench.place(ticket())
    number = bench.only(AskRisk).number
    assert bench.desk.next_ns() == bench.now + S
    bench.wait(0.999999999)
    assert bench.take() == []
    bench.wait(0.000000001)
    assert bench.take() == [SendPreview(number, (ticket(),))]
    assert bench.desk.next_ns() == bench.now + 10 * S
    bench.wait(9.999999999)
    assert bench.order().state is State.CREATED
    bench.wait(0.000000001)
    assert bench.order().state is State.REFUSED


def test_only_the_preview_of_the_round_counts_and_it_is_in_the_journal() -> None:
    bench = Bench(CAREFUL)
    bench.place(ticket())
    number = bench.only(AskRisk).number
    bench.desk.previewed(number, Preview(), bench.now)  # nothing was asked of the venue yet
    assert bench.take() == []
    bench.desk.judged(number, {}, bench.now)
    bench.take()
    bench.desk.previewed(number + 1, Preview(), bench.now)
    assert bench.take() == []
    told = Preview(warnings=("it is large",))
    bench.desk.previewed(number, told, bench.now)
    assert bench.only(SendPlace).tickets == (ticket(),)
    assert [(kind, name, what) for _, kind, name, what in bench.book.facts if kind == "preview"] == [
        ("preview", COID, told)
    ]


def test_what_waits_for_a_word_does_not_leave_where_only_cancels_may() -> None:
    bench = Bench(CAREFUL)
    bench.place(ticket())
    number = bench.only(AskRisk).number
    bench.desk.session(False, bench.now, layer="stream")
    bench.desk.judged(number, {"small": True}, bench.now)
    assert (bench.order().state, bench.order().code) == (State.REFUSED, "DISCONNECTED")
