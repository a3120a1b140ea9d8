"""Modifications by full ticket and brackets leg by leg, told event by event."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from engine.domain.brokerage import AllRefused, Answered, LegTaken, Unclear, WriteAnswer
from engine.domain.order import State
from engine.domain.ticket import OrderType, Side
from engine.orders.actions import JudgeAgain, ReadOrder, SendCancel, SendModify, SendPlace
from tests.orders.bench import COID, Bench, ticket

TARGET, STOP = "s-000002", "s-000003"
YES = Answered(taken=(LegTaken(order_id="101", status="Submitted", coid=COID),))
NO = AllRefused(reason="not now")


def working(**more: Any) -> Bench:
    bench = Bench()
    bench.live(ticket(**more))
    return bench


def bracket() -> tuple[Any, Any, Any]:
    """An entry of 5, a target above and a stop below."""
    entry = ticket()
    target = ticket(TARGET, side=Side.SELL, limit_price=Decimal(12), parent=COID)
    stop = ticket(STOP, side=Side.SELL, order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(8), parent=COID)
    return entry, target, stop


# --- what leaves ----------------------------------------------------------------------------------------------------


def test_what_leaves_is_the_whole_ticket_with_only_the_wish_changed() -> None:
    bench = working(outside_rth=True, tag="mine")
    bench.modify(limit_price=Decimal("9.5"))
    sent = bench.only(SendModify)
    assert sent.order_id == "101"
    assert sent.ticket == ticket(outside_rth=True, tag="mine", limit_price=Decimal("9.5"))


@pytest.mark.parametrize(
    ("copy", "word"),
    [
        ({"filled": Decimal(2)}, "filled quantity is 0 for us and 2 for the venue"),
        ({"parent_id": "77"}, "parent is none for us and 77 for the venue"),
        ({"oca_group": "g1"}, "OCA group is none for us and g1 for the venue"),
        ({"total": Decimal(6)}, "quantity is 5 for us and 6 for the venue"),
        ({"limit_price": Decimal("10.5")}, "limit price is 10 for us and 10.5 for the venue"),
        ({"tif": "GTC"}, "tif is DAY for us and GTC for the venue"),
        ({"side": "SELL"}, "side is BUY for us and SELL for the venue"),
    ],
)
def test_a_copy_that_is_another_order_refuses_with_the_field(copy: dict[str, Any], word: str) -> None:
    bench = working()
    bench.row(ticket(), **copy)
    bench.modify(limit_price=Decimal(9))
    order = bench.order()
    assert (order.state, order.code) == (State.WORKING, "DIFFERS")
    assert word in order.reason
    assert order.ticket == ticket()
    assert not [one for one in bench.take() if isinstance(one, SendModify)]


def test_a_copy_from_before_the_stream_stood_is_read_first() -> None:
    bench = working()
    bench.desk.session(False, bench.now)
    bench.wait(5)
    bench.desk.session(True, bench.now)
    bench.take()
    bench.modify(limit_price=Decimal(9))
    assert [type(one) for one in bench.take()] == [ReadOrder]
    bench.desk.order_read(bench.copy(ticket(), from_stream=False), "101", bench.now)
    assert bench.only(SendModify).ticket.limit_price == 9


def test_a_copy_that_cannot_be_read_refuses() -> None:
    bench = working()
    bench.desk.session(False, bench.now)
    bench.wait(5)
    bench.desk.session(True, bench.now)
    bench.modify(limit_price=Decimal(9))
    bench.take()
    bench.desk.order_read(None, "101", bench.now)
    assert bench.order().code == "UNREAD"


def test_later_wishes_become_one_that_passes_the_gate_again() -> None:
    bench = working()
    bench.modify(limit_price=Decimal(9))
    sent = bench.only(SendModify)
    bench.modify(limit_price=Decimal(8))
    bench.modify(quantity=Decimal(4))
    bench.modify(limit_price=Decimal(7))
    assert not bench.take()
    bench.answer(sent.number, YES)
    (again,) = [one for one in bench.take() if isinstance(one, JudgeAgain)]
    assert again.intent.changes == {"limit_price": Decimal(7), "quantity": Decimal(4)}  # type: ignore[union-attr]


# --- races: one true state whatever comes first ----------------------------------------------------------------------


def _fills(bench: Bench) -> None:
    bench.fill(5)


def _answered_yes(bench: Bench) -> None:
    bench.answer(1 + 1, YES)


def _answered_no(bench: Bench) -> None:
    bench.answer(1 + 1, NO)


def _silence(bench: Bench) -> None:
    bench.answer(1 + 1, Unclear(reason="silence"))


def _row_filled(bench: Bench) -> None:
    bench.row(ticket(), status="Filled", filled=Decimal(5))


@pytest.mark.parametrize("answer", [_answered_yes, _answered_no, _silence])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_modification_that_races_the_last_fill_ends_filled(answer: Any, order: tuple[int, ...]) -> None:
    bench = working()
    bench.modify(limit_price=Decimal(11))
    assert bench.only(SendModify).number == 2
    happenings = (answer, _fills, _row_filled)
    for at in order:
        happenings[at](bench)
    for _ in range(12):
        bench.wait(6)
        bench.read(bench.copy(ticket(), status="Filled", filled=Decimal(5)))
    assert bench.order().state is State.FILLED
    assert bench.order().filled == 5
    assert not bench.desk.doubts.cases
    assert COID not in bench.book.frozen


@pytest.mark.parametrize("answer", [YES, NO, Unclear(reason="silence")])
@pytest.mark.parametrize("row_first", [True, False])
def test_a_modification_that_races_a_cancel_ends_cancelled(answer: WriteAnswer, row_first: bool) -> None:
    bench = working()
    bench.modify(limit_price=Decimal(11))
    number = bench.only(SendModify).number
    bench.cancel()

    def dies() -> None:
        bench.row(ticket(), status="Cancelled")

    if row_first:
        dies()
    bench.answer(number, answer)
    if not row_first:
        assert [one for one in bench.take() if isinstance(one, SendCancel)]
        dies()
    assert bench.order().state is State.CANCELLED
    assert not bench.desk.doubts.cases


@pytest.mark.parametrize("price", [Decimal(11), Decimal(10)])
def test_after_silence_the_copy_tells_which_ticket_is_in_force(price: Decimal) -> None:
    bench = working()
    bench.modify(limit_price=Decimal(11))
    bench.answer(bench.only(SendModify).number, Unclear(reason="silence"))
    assert bench.order().state is State.IN_DOUBT
    bench.wait(46)
    bench.read(bench.copy(ticket(), limit_price=price, from_stream=False))
    assert bench.order().state is State.WORKING
    assert bench.order().ticket.limit_price == price


# --- afterwards -----------------------------------------------------------------------------------------------------


def test_an_acknowledged_modification_that_does_not_show_freezes_the_order_until_it_does() -> None:
    bench = working()
    bench.modify(limit_price=Decimal(11))
    bench.answer(bench.only(SendModify).number, YES)
    assert bench.order().state is State.WORKING
    for _ in range(3):
        bench.wait(11)
        for page in [one for one in bench.take() if isinstance(one, ReadOrder)]:
            bench.desk.order_read(bench.copy(ticket(), from_stream=False), page.order_id, bench.now)
    assert "NO_ECHO" in bench.alerts
    assert COID in bench.book.frozen
    bench.row(ticket(limit_price=Decimal(11)))
    assert COID not in bench.book.frozen


# --- brackets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", list(permutations(range(3))))
def test_children_without_an_id_are_known_by_parent_side_type_and_price(at: tuple[int, ...]) -> None:
    entry, target, stop = bracket()
    bench = Bench()
    bench.place(entry, target, stop)
    sent = bench.only(SendPlace)
    legs = (
        LegTaken(order_id="101", status="Submitted", coid=COID),
        LegTaken(order_id="102", status="PreSubmitted", parent_id="101"),
        LegTaken(order_id="103", status="PreSubmitted", parent_id="101"),
    )
    bench.answer(sent.number, Answered(taken=tuple(legs[one] for one in at)))
    rows = (
        bench.copy(target, order_id="102", coid=None, parent_id="101", status="PreSubmitted"),
        bench.copy(stop, order_id="103", coid=None, parent_id="101", status="PreSubmitted"),
    )
    bench.desk.rows(rows if at[0] else rows[::-1], bench.now)
    assert bench.desk.identity.id_of == {COID: "101", TARGET: "102", STOP: "103"}
    assert [bench.order(one).state for one in (COID, TARGET, STOP)] == [
        State.WORKING,
        State.PENDING_SUBMIT,
        State.PENDING_SUBMIT,
    ]


def test_two_children_that_nothing_tells_apart_are_in_doubt_and_not_guessed() -> None:
    entry, target, _ = bracket()
    twin = ticket(STOP, side=Side.SELL, limit_price=Decimal(12), parent=COID)
    bench = Bench()
    bench.place(entry, target, twin)
    legs = (
        LegTaken(order_id="101", status="Submitted", coid=COID),
        LegTaken(order_id="102", status="PreSubmitted", parent_id="101"),
        LegTaken(order_id="103", status="PreSubmitted", parent_id="101"),
    )
    bench.answer(bench.only(SendPlace).number, Answered(taken=legs))
    for order_id in ("102", "103"):
        bench.row(target, order_id=order_id, coid=None, parent_id="101", status="PreSubmitted")
    bench.wait(11)
    assert {bench.order(TARGET).state, bench.order(STOP).state} == {State.IN_DOUBT}
    assert set(bench.desk.identity.id_of) == {COID}


def test_a_childs_parent_is_compared_before_it_is_modified() -> None:
    bench = Bench()
    bench.live(*bracket())
    bench.row(bracket()[1], order_id="102", parent_id="999", status="PreSubmitted")
    bench.modify(TARGET, limit_price=Decimal(13))
    assert bench.order(TARGET).code == "DIFFERS"
    assert "parent is 101 for us and 999 for the venue" in bench.order(TARGET).reason
