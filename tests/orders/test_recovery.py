"""The book out of the journal is the book, wherever the journal ends."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Final

import msgspec
import pytest

from engine.domain.facts import Accepted, AnswerMissing, Cancelled, Filled, LegExecution, Modified, ModifyRefused
from engine.domain.messages import Place, Refusal
from engine.domain.order import CLOSED, State
from engine.orders.live import LiveOrders
from engine.orders.recovery import KINDS, StoredFact, recover
from tests.orders.bench import COID, ticket
from tests.orders.test_desk_storm import World

ENCODER: Final = msgspec.json.Encoder(decimal_format="string", order="deterministic")


def stored(book: LiveOrders) -> list[StoredFact]:
    return [(ts, kind, name, ENCODER.encode(what).decode()) for ts, kind, name, what in book.facts if kind in KINDS]


@pytest.mark.parametrize("seed", range(8))
def test_after_a_storm_the_journal_gives_the_book_again(seed: int) -> None:
    world = World(seed, loss=0.2)
    world.desk.session(True, world.now)
    steps = Random(seed)
    for _ in range(200):
        world.step(steps.randint(0, 6))
    found = recover(stored(world.book))
    assert found.orders == dict(world.book.book)
    assert found.executions == set(world.book.executed())
    assert not found.odd


@pytest.mark.parametrize("seed", range(4))
def test_wherever_the_journal_ends_nothing_sent_is_taken_for_unsent(seed: int) -> None:
    world = World(seed, loss=0.2)
    world.desk.session(True, world.now)
    steps = Random(seed)
    for _ in range(60):
        world.step(steps.randint(0, 6))
    rows = stored(world.book)
    for end in range(len(rows) + 1):
        found = recover(rows[:end])
        left = {ticket for kind, ticket in _leaving(rows[:end]) if kind == "write"}
        book = LiveOrders()
        book.adopt(found.orders.values(), found.executions)
        book.hear(found.in_flight(world.now))
        for coid, order in book.book.items():
            assert order.state not in (State.CREATED, State.SENT, State.PENDING_MODIFY)
            if coid not in left:
                assert order.state in CLOSED
            elif found.orders[coid].state is State.SENT:
                assert order.state is State.IN_DOUBT


NO: Final = Refusal("POSITION", "10", "15", "too much")
HELD: Final = Refusal("DUPLICATE", "2 s", "the same", "sent a moment ago")


def fill(exec_id: str, coid: str = COID, legs: tuple[LegExecution, ...] = ()) -> Filled:
    """One unit at 10."""
    return Filled(
        coid=coid, ts_ns=5, exec_id=exec_id, conid=1, side="BUY", quantity=Decimal(1), price=Decimal(10), legs=legs
    )


def written(*facts: tuple[int, str, str, object]) -> list[StoredFact]:
    return [(ts, kind, name, ENCODER.encode(what).decode()) for ts, kind, name, what in facts]


def sent_and_taken(coid: str = COID) -> list[tuple[int, str, str, object]]:
    one = ticket(coid)
    return [
        (1, "approved", coid, Place((one,))),
        (2, "write", coid, (one,)),
        (3, "answer", coid, Accepted(coid=coid, ts_ns=3, venue_id="101")),
    ]


@pytest.mark.parametrize("kind", ["approved", "held"])
def test_an_order_has_the_moment_its_row_was_written(kind: str) -> None:
    what: object = Place((ticket(),)) if kind == "approved" else (Place((ticket(),)), HELD)
    (order,) = recover(written((7, kind, COID, what))).orders.values()
    assert (order.created_ns, order.updated_ns, order.state) == (7, 7, State.CREATED)


def test_what_was_held_and_ended_is_not_begun_anew_by_a_second_hold() -> None:
    rows = written((1, "held", COID, (Place((ticket(),)), HELD)), (2, "denied", COID, (ticket(), NO)))
    found = recover([*rows, *written((3, "held", COID, (Place((ticket(),)), HELD)))])
    assert found.orders[COID].created_ns == 1


def test_a_modification_that_had_not_left_is_refused_and_one_that_had_is_in_doubt() -> None:
    changed = ticket(quantity=Decimal(3))
    asked = written(*sent_and_taken(), (4, "modify", COID, changed))
    (said,) = recover(asked).in_flight(9)
    assert isinstance(said, ModifyRefused)
    assert (said.coid, said.ts_ns, said.code) == (COID, 9, "NOT_DONE")
    left = [*asked, *written((5, "write", COID, changed))]
    assert recover(left).in_flight(9) == [AnswerMissing(coid=COID, ts_ns=9)]
    # The next one has not left, though the one before had.
    done = written((6, "answer", COID, Modified(coid=COID, ts_ns=6)), (7, "modify", COID, ticket(quantity=Decimal(2))))
    found = recover([*left, *done])
    assert found.given_up == set()
    assert [type(one) for one in found.in_flight(9)] == [ModifyRefused]


def test_a_modification_without_an_answer_is_remembered_as_given_up() -> None:
    changed = ticket(quantity=Decimal(3))
    silent = (6, "answer", COID, AnswerMissing(coid=COID, ts_ns=6))
    rows = [*sent_and_taken(), (4, "modify", COID, changed), (5, "write", COID, changed), silent]
    assert recover(written(*rows)).given_up == {COID}
    first = [*sent_and_taken()[:2], (3, "answer", COID, AnswerMissing(coid=COID, ts_ns=3))]
    found = recover(written(*first))
    assert found.given_up == set()  # a new order without an answer: nothing is overtaken by it
    assert found.orders[COID].state is State.IN_DOUBT


def test_what_was_sent_twice_is_told() -> None:
    twice = [*sent_and_taken()[:2], (3, "write", COID, (ticket(),))]
    found = recover(written(*twice))
    assert found.sent == {COID: 2}
    assert found.resent == [COID]
    assert recover(written(*sent_and_taken())).resent == []


def test_executions_of_a_combo_are_kept_where_the_order_is_known() -> None:
    legs = (LegExecution(conid=1, quantity=Decimal(1), price=Decimal(10)),)
    of_combo = fill("e1", legs=legs)
    rows = [
        *sent_and_taken(),
        (4, "answer", COID, of_combo),
        (5, "answer", COID, of_combo),
        (6, "answer", COID, fill("e2")),
    ]
    found = recover(written(*rows, (7, "answer", "x-000009", fill("e3", "x-000009", legs=legs))))
    assert found.legs == [of_combo]
    assert found.executions == {"e1", "e2", "e3"}
    assert found.orders[COID].filled == 2


def test_a_cancel_is_asked_for_and_asking_for_a_dead_order_s_is_nothing_odd() -> None:
    found = recover(written(*sent_and_taken(), (4, "cancel", COID, None)))
    assert found.orders[COID].state is State.PENDING_CANCEL
    dead = (4, "answer", COID, Cancelled(coid=COID, ts_ns=4))
    assert recover(written(*sent_and_taken(), dead, (5, "cancel", COID, None))).odd == []


def test_rows_that_fit_no_order_are_told_in_a_sentence() -> None:
    lost = (1, "answer", COID, Cancelled(coid=COID, ts_ns=1))
    assert recover(written(lost)).odd == [f"Cancelled for {COID}, which the journal has not seen approved"]
    again = (4, "write", COID, (ticket(),))
    found = recover(written(*sent_and_taken(), again))
    assert len(found.odd) == 1
    assert COID in found.odd[0]
    assert found.orders[COID].state is State.WORKING


def test_a_whole_order_of_an_earlier_journal_brings_its_executions() -> None:
    order = recover(written(*sent_and_taken(), (4, "answer", COID, fill("e1")))).orders[COID]
    found = recover(written((9, "order", COID, order)))
    assert found.orders == {COID: order}
    assert found.executions == {"e1"}


def _leaving(rows: list[StoredFact]) -> list[tuple[str, str]]:
    found = []
    for _, kind, _, body in rows:
        if kind == "write" and body.startswith("["):
            found += [(kind, ticket["coid"]) for ticket in msgspec.json.decode(body)]
    return found
