"""A session of which only the stream is missing, and a desk that is shut: what leaves all the same."""

from __future__ import annotations

import pytest

from engine.domain.brokerage import Asked, Question
from engine.domain.messages import BARRED, Approved, Place
from engine.domain.order import State
from engine.domain.ticket import OrderTicket
from engine.orders.actions import (
    ReadExecutions,
    ReadOrders,
    SendCancel,
    SendCancelAll,
    SendClosing,
    SendPlace,
    SendReply,
)
from engine.orders.canceller import CancelSettings
from engine.orders.desk import DeskSettings
from tests.orders.bench import COID, Bench, ticket

OTHER = "s-000002"


def close(bench: Bench, one: OrderTicket) -> None:
    """What the kill switch's own gate has approved."""
    requests, _ = bench.book.act([Approved(Place((one,)))], bench.now, closing=True)
    bench.desk.submit(requests, bench.now)


@pytest.mark.parametrize("layer", ["stream", "data"])
def test_where_only_the_stream_is_missing_cancels_and_closings_leave(layer: str) -> None:
    bench = Bench()
    bench.live(ticket())
    bench.desk.session(False, bench.now, layer=layer)
    bench.desk.cancel_now([COID], bench.now)
    assert bench.only(SendCancel).order_id == "101"
    bench.place(ticket(OTHER))
    assert bench.order(OTHER).code == "DISCONNECTED"
    close(bench, ticket("s-000003"))
    (sent,) = [one for one in bench.take() if isinstance(one, SendPlace)]
    assert isinstance(sent, SendClosing)
    assert [one.coid for one in sent.tickets] == ["s-000003"]


def test_a_strategys_own_cancel_leaves_without_a_stream_too() -> None:
    bench = Bench()
    bench.live(ticket())
    bench.desk.session(False, bench.now, layer="stream")
    bench.cancel()
    assert bench.only(SendCancel).order_id == "101"


def test_one_request_for_all_leaves_without_a_stream_too() -> None:
    bench = Bench(DeskSettings(cancel=CancelSettings(all_above=0)))
    bench.live(ticket())
    bench.desk.session(False, bench.now, layer="stream")
    bench.desk.cancel_now([COID], bench.now, everything=True)
    assert bench.only(SendCancelAll).count == 1


@pytest.mark.parametrize("layer", ["gateway", "outer", "brokerage", "accounts", ""])
def test_below_the_stream_nothing_leaves_until_it_answers_again(layer: str) -> None:
    bench = Bench()
    bench.live(ticket())
    bench.desk.session(False, bench.now, layer=layer)
    bench.desk.cancel_now([COID], bench.now)
    close(bench, ticket(OTHER))
    assert bench.order(OTHER).code == "DISCONNECTED"
    assert not [one for one in bench.take() if isinstance(one, SendCancel | SendPlace)]
    bench.desk.session(False, bench.now, layer="stream")
    assert bench.only(SendCancel).coid == COID


def test_while_no_stream_tells_of_open_orders_the_lists_are_read() -> None:
    bench = Bench(DeskSettings())
    bench.live(ticket())
    bench.desk.session(False, bench.now, layer="stream")

    def reads(seconds: float) -> int:
        bench.take()
        bench.wait(seconds)
        found = [type(one) for one in bench.take() if isinstance(one, ReadOrders | ReadExecutions)]
        assert found.count(ReadOrders) == found.count(ReadExecutions)
        return found.count(ReadOrders)

    assert bench.desk.next_ns() <= bench.now
    assert [reads(0), reads(5.9), reads(0.1), reads(6)] == [1, 0, 1, 1]
    bench.row(ticket(), status="Cancelled", from_stream=False)
    assert bench.order().state is State.CANCELLED
    assert reads(6) == 0  # nothing is open
    bench.desk.session(True, bench.now)
    bench.live(ticket(OTHER), first_id=201)
    assert reads(6) == 0  # the stream tells


@pytest.mark.parametrize("state", ["halted", "stopping"])
def test_what_risk_had_approved_when_the_halt_came_never_leaves(state: str) -> None:
    bench = Bench()
    bench.desk.trading(state)
    bench.desk.cancel_now([], bench.now)
    bench.place(ticket())
    assert (bench.order().state, bench.order().code) == (State.REFUSED, "HALTED")
    assert not [one for one in bench.take() if isinstance(one, SendPlace)]
    close(bench, ticket(OTHER))
    assert bench.only(SendPlace).tickets[0].coid == OTHER


@pytest.mark.parametrize("state", ["on", "reducing"])
def test_after_a_resume_it_does(state: str) -> None:
    bench = Bench()
    bench.desk.trading("halted")
    bench.desk.trading(state)
    bench.place(ticket())
    assert bench.only(SendPlace).tickets[0].coid == COID


def test_an_order_that_is_to_die_already_is_not_killed_again() -> None:
    bench = Bench()
    bench.live(ticket())
    for _ in range(3):
        bench.desk.cancel_now([COID], bench.now)
    assert [kind for _, kind, _, _ in bench.book.facts].count("cancel") == 1


def test_no_rule_confirms_what_our_own_checks_refuse_by_now() -> None:
    question = Question(reply_id="r1", message_ids=("o163",), texts=("price exceeds the percentage constraint",))

    def replies(closing: bool, holds: dict[str, bool], state: str = "on") -> list[bool]:
        bench = Bench(rules={"o163": "confirm"})
        if closing:
            close(bench, ticket())
        else:
            bench.place(ticket())
        number = bench.only(SendPlace).number
        bench.answer(number, Asked(questions=(question,)))
        bench.desk.trading(state)
        bench.desk.judged(number, holds, bench.now)
        return [one.confirmed for one in bench.take() if isinstance(one, SendReply)]

    assert replies(closing=False, holds={}) == [True]
    assert replies(closing=False, holds={BARRED: True}) == [False]
    assert replies(closing=True, holds={BARRED: True}) == [True]  # no halt closes the way out
    assert replies(closing=False, holds={}, state="halted") == [False]  # risk had spoken just before the halt
    assert replies(closing=True, holds={}, state="halted") == [True]
