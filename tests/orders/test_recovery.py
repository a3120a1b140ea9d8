"""The book out of the journal is the book, wherever the journal ends."""

from __future__ import annotations

from random import Random
from typing import Final

import msgspec
import pytest

from engine.domain.order import CLOSED, State
from engine.orders.live import LiveOrders
from engine.orders.recovery import KINDS, StoredFact, recover
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


def _leaving(rows: list[StoredFact]) -> list[tuple[str, str]]:
    found = []
    for _, kind, _, body in rows:
        if kind == "write" and body.startswith("["):
            found += [(kind, ticket["coid"]) for ticket in msgspec.json.decode(body)]
    return found
