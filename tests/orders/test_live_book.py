"""The live book by itself: many verdicts at once, modifications that wait, what is held, and the times it writes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.facts import Accepted, Cancelled, ModifyRefused
from engine.domain.messages import (
    Approved,
    Cancel,
    CancelRequest,
    Denied,
    Modify,
    ModifyRequest,
    OnHold,
    Place,
    PlaceRequest,
    Refusal,
    Resend,
    ResendRequest,
)
from engine.domain.order import State
from engine.errors import InvariantBroken
from engine.orders.live import LiveOrders
from tests.orders.bench import ticket

NO = Refusal("POSITION", "10", "15", "too much")
HELD = Refusal("DUPLICATE", "2 s", "the same", "the same order was sent a moment ago")
A, B, C = ticket("s-000001"), ticket("s-000002"), ticket("s-000003")


def rows(book: LiveOrders) -> list[tuple[int, str, str]]:
    return [row[:3] for row in book.facts]


def working(book: LiveOrders, *tickets: Any) -> None:
    """They have left and are at the venue."""
    book.act([Approved(Place((one,))) for one in tickets], 5)
    book.sent([one.coid for one in tickets], 6)
    book.hear([Accepted(coid=one.coid, ts_ns=7, venue_id=one.coid) for one in tickets])
    book.facts.clear()


def test_each_of_many_verdicts_is_carried_out_whatever_stands_before_it() -> None:
    book = LiveOrders()
    book.act([OnHold(Place((A,)), HELD)], 5)
    book.act([OnHold(Place((B,)), HELD)], 5)
    book.let_go([A.coid, B.coid])
    book.act([Approved(Place((ticket("s-000009"),)))], 6)  # it waits: its ticket has not left
    resend = [Approved(Resend(ticket(f"s-00010{n}"))) for n in (1, 2)]
    wish = Approved(Modify("s-000009", "s", {"quantity": Decimal(3)}))
    requests, updates = book.act(
        [resend[0], OnHold(Place((ticket("s-000007"),)), HELD), Denied(Place((A,)), NO), wish, resend[1],
         Denied(Place((B,)), NO), Approved(Place((C,)))],
        8,
    )  # fmt: skip
    assert requests == [
        PlaceRequest((C,)),
        ResendRequest(ticket("s-000101"), True),
        ResendRequest(ticket("s-000102"), True),
    ]
    assert [(one.order.coid, one.order.state, one.event.ts_ns) for one in updates] == [
        (A.coid, State.REFUSED, 8), (B.coid, State.REFUSED, 8)
    ]  # fmt: skip
    assert [(tickets[0].coid, why) for tickets, why in book.take_holds()][-1] == ("s-000007", HELD)
    assert set(book.wishes) == {"s-000009"}
    assert [row for row in book.facts[3:] if row[1] != "answer"] == [
        (8, "resend", "s-000101", "approved"),
        (8, "held", "s-000007", (Place((ticket("s-000007"),)), HELD)),
        (8, "denied", A.coid, (A, NO)),
        (8, "wish", "s-000009", wish.intent),
        (8, "resend", "s-000102", "approved"),
        (8, "denied", B.coid, (B, NO)),
        (8, "approved", C.coid, Place((C,))),
    ]
    for coid in ("s-000007", C.coid):
        assert (book.book[coid].created_ns, book.book[coid].updated_ns) == (8, 8)


def test_a_second_sending_that_is_refused_is_noted_with_its_reason() -> None:
    book = LiveOrders()
    assert book.act([Denied(Resend(A), NO)], 8)[0] == [ResendRequest(A, False)]
    assert book.facts == [(8, "resend", A.coid, NO)]


def test_the_newest_wish_wins_and_keeps_what_the_earlier_one_wanted_beside() -> None:
    book = LiveOrders()
    book.act([Approved(Place((A,)))], 5)
    first = Modify(A.coid, "s", {"quantity": Decimal(3), "limit_price": Decimal(9)})
    second = Modify(A.coid, "s", {"quantity": Decimal(4)})
    assert book.act([Approved(first), Approved(second)], 6) == ([], [])
    both = Modify(A.coid, "s", {"quantity": Decimal(4), "limit_price": Decimal(9)})
    assert book.wishes == {A.coid: both}
    assert book.facts[-1] == (6, "wish", A.coid, both)
    assert book.take_wish(A.coid) is None
    book.sent([A.coid], 7)
    assert book.take_wish(A.coid) is None
    book.hear([Accepted(coid=A.coid, ts_ns=8, venue_id="v")])
    assert book.take_wish(A.coid) == both
    assert book.take_wish(A.coid) is None


def test_a_wish_for_what_has_ended_or_can_only_be_cancelled_does_not_wait() -> None:
    book = LiveOrders()
    book.act([Approved(Place((A,)))], 5)
    book.act([Approved(Modify(A.coid, "s", {"quantity": Decimal(3)}))], 5)
    book.hear([Cancelled(coid=A.coid, ts_ns=6)])
    assert book.take_wish(A.coid) is None
    assert book.wishes == {}
    assert book.take_wish(A.coid) is None
    book.act([Approved(Place((B,)))], 5)
    book.frozen[B.coid] = "it was told something impossible"
    requests, updates = book.act([Approved(Modify(B.coid, "s", {"quantity": Decimal(3)}))], 6)
    assert requests == []
    assert isinstance(updates[0].event, ModifyRefused)
    assert book.wishes == {}


def test_what_is_judged_again_is_approved_whole_or_told_dead() -> None:
    book = LiveOrders()
    book.act([OnHold(Place((A, B)), HELD)], 5)
    assert book.take_holds() == [((A, B), HELD)]
    assert book.take_holds() == []
    book.let_go([A.coid, B.coid])
    less = ticket(A.coid, quantity=Decimal(2))
    requests, updates = book.act([Approved(Place((less, B)), NO)], 9)
    assert (requests, updates) == ([PlaceRequest((less, B))], [])
    assert rows(book) == [(5, "held", A.coid), (9, "approved", A.coid), (9, "shrunk", A.coid)]
    assert book.book[A.coid].ticket == less
    assert [(one.created_ns, one.updated_ns) for one in book.book.values()] == [(5, 9), (5, 9)]


def test_of_a_group_that_lost_a_ticket_meanwhile_all_are_told_dead() -> None:
    book = LiveOrders()
    book.act([OnHold(Place((A, B)), HELD)], 5)
    book.let_go([A.coid, B.coid])
    book.hear([Cancelled(coid=B.coid, ts_ns=6)])
    requests, updates = book.act([Approved(Place((A, B)))], 9)
    assert requests == []
    assert [(one.order.coid, one.order.state) for one in updates] == [
        (A.coid, State.CANCELLED),
        (B.coid, State.CANCELLED),
    ]
    (said,) = [what for _, kind, name, what in book.facts if (kind, name) == ("answer", A.coid)]
    assert (said.ts_ns, said.reason) == (9, "withdrawn")


def test_of_a_group_that_is_refused_then_only_what_still_waits_is_told() -> None:
    book = LiveOrders()
    book.act([OnHold(Place((A, B)), HELD)], 5)
    book.let_go([A.coid, B.coid])
    book.hear([Cancelled(coid=B.coid, ts_ns=6)])
    book.facts.clear()
    requests, updates = book.act([Denied(Place((A, B)), NO)], 9)
    assert requests == []
    assert [(one.order.coid, one.order.state, one.order.code) for one in updates] == [
        (A.coid, State.REFUSED, "POSITION")
    ]
    assert rows(book) == [(9, "denied", A.coid), (9, "answer", A.coid)]


def test_what_is_held_a_second_time_keeps_the_moment_it_came() -> None:
    book = LiveOrders()
    book.act([OnHold(Place((A,)), HELD)], 5)
    assert [(one.created_ns, one.updated_ns) for one in book.book.values()] == [(5, 5)]
    book.take_holds()
    book.let_go([A.coid])
    book.act([OnHold(Place((A,)), NO)], 9)
    assert [one.created_ns for one in book.book.values()] == [5]
    assert book.take_holds() == [((A,), NO)]
    book.let_go([A.coid])
    book.hear([Cancelled(coid=A.coid, ts_ns=10)])
    book.act([OnHold(Place((A,)), NO)], 11)
    assert book.book[A.coid].state is State.CANCELLED
    assert book.take_holds() == []


def test_only_what_is_placed_closes() -> None:
    book = LiveOrders()
    working(book, A, B)
    verdicts = [
        Approved(Place((C,))),
        Approved(Cancel(A.coid, "s")),
        Approved(Modify(B.coid, "s", {"quantity": Decimal(3)})),
    ]
    requests, _ = book.act(verdicts, 9, closing=True)
    changed = ticket(B.coid, quantity=Decimal(3))
    assert requests == [PlaceRequest((C,), closing=True), CancelRequest(A.coid), ModifyRequest(changed)]


def test_an_id_is_used_once_and_a_book_is_taken_over_at_the_start() -> None:
    book = LiveOrders()
    book.act([Approved(Place((A,)))], 5)
    with pytest.raises(InvariantBroken, match="the client order id s-000001 was given twice"):
        book.act([Approved(Place((A,)))], 6)
    with pytest.raises(InvariantBroken, match="into an empty book"):
        book.adopt([], [])


def test_refusals_are_remembered_from_a_moment_on() -> None:
    book = LiveOrders()
    for at_ns, one in ((5, A), (6, B), (7, C)):
        book.act([Denied(Place((one,)), NO)], at_ns)
    assert book.forget(6) == [A.coid]
    assert [denial[2] for denial in book.denials] == [B.coid, C.coid]


@pytest.mark.parametrize(
    ("terms", "gone"),
    [
        ({"oca_group": "one"}, ["s-000001"]),  # of another group
        ({"oca_group": "two"}, []),
        ({}, ["s-000001"]),
        ({"parent": "s-000001"}, []),
    ],
)
def test_an_order_that_is_over_stays_with_the_open_ones_of_its_group(terms: dict[str, Any], gone: list[str]) -> None:
    book = LiveOrders()
    working(book, ticket("s-000001", oca_group="two"), ticket("s-000002", **terms))
    book.hear([Cancelled(coid="s-000001", ts_ns=10)])
    assert book.forget(11) == gone


def test_an_order_that_was_of_no_group_goes_though_others_of_none_are_open() -> None:
    book = LiveOrders()
    working(book, A, B)
    book.hear([Cancelled(coid=A.coid, ts_ns=10)])
    assert book.forget(10) == []
    assert book.forget(11) == [A.coid]


def test_of_what_was_said_nothing_is_kept_where_nobody_asks() -> None:
    """For weeks of a session: the journal has it."""
    book = LiveOrders()
    working(book, A, B)
    assert book.histories() == {A.coid: [], B.coid: []}
