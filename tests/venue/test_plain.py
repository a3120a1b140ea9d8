"""The short way of a plain order answers as the long way does, whatever else goes on in the market."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.facts import Accepted, Cancelled, Filled
from engine.domain.messages import Request
from engine.venue import SimVenue, plain
from tests.venue.driving import NAN, X, cancel, place, play, quote, ticket, venue_of
from tests.venue.test_cuts import SESSIONS, Y, Z, commands, market


def long_way(venue: SimVenue) -> SimVenue:
    """A venue that takes no order the short way."""
    for book in venue._books.values():
        book.plain = False
    return venue


@pytest.mark.parametrize("rule", ["conservative", "touch", "same_event", "next_event", "next_open"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_ways_give_the_same_answers(rule: str, seed: int) -> None:
    random = Random(seed)
    rows = market(random, random.randint(2, 60))
    actions = commands(random, len(rows))
    more: dict[str, Any] = {
        "fills": rule,
        "latency": random.choice((0, 30_000)),
        "report": random.choice((0, 60_000)),
        "part": random.choice(((1.0, 1.0, 1.0), (0.5, 0.5, 0.1))),
    }
    short = venue_of((X, Y, Z), SESSIONS, **more)
    slow = long_way(venue_of((X, Y, Z), SESSIONS, **more))
    assert play(short, rows, actions) == play(slow, rows, actions)
    assert short.counts == slow.counts


def test_a_plain_order_is_taken_rests_and_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []

    def noted(way: Callable[..., bool]) -> Callable[..., bool]:
        def asked(*given: Any) -> bool:
            taken.append(way(*given))
            return taken[-1]

        return asked

    monkeypatch.setattr(plain, "place", noted(plain.place))
    monkeypatch.setattr(plain, "cancel", noted(plain.cancel))
    rows = [quote(1, 9.0, 10.0), quote(2, 9.0, 10.0), quote(3, 9.0, 8.0)]
    orders: list[Request] = [
        place(ticket("a", limit="9.50")),
        place(ticket("b", "SELL")),
        cancel("a"),
        place(ticket("a", limit="9")),
    ]
    heard = play(venue_of(fills="touch"), rows, {0: orders})
    assert [(type(one).__name__, one.coid) for one in heard] == [
        ("Accepted", "a"),
        ("Accepted", "b"),
        ("Filled", "b"),
        ("Cancelled", "a"),
        ("Refused", "a"),  # the long way says why
    ]
    assert taken == [True, True, True, False]
    assert isinstance(heard[0], Accepted)
    assert (heard[0].venue_id, heard[0].ts_ns) == ("V1", 1)
    assert isinstance(heard[2], Filled)
    assert str(heard[2].price) == "9.00"
    assert isinstance(heard[3], Cancelled)
    assert heard[3].reason == "request"


@pytest.mark.parametrize(
    ("side", "limit", "bid", "ask", "filled"),
    [
        ("BUY", "10.00", 9.0, 10.0, True),
        ("BUY", "9.99", 9.0, 10.0, False),
        ("SELL", "9.00", 9.0, 10.0, True),
        ("SELL", "9.01", 9.0, 10.0, False),
        ("BUY", "10.00", 9.0, NAN, False),
        ("SELL", "9.00", NAN, 10.0, False),
    ],
)
def test_a_limit_at_the_touch_takes_and_one_tick_from_it_rests(
    side: str, limit: str, bid: float, ask: float, filled: bool
) -> None:
    heard = play(venue_of(fills="touch"), [quote(1, bid, ask)], {0: [place(ticket("a", side, limit=limit))]})
    assert [type(one) for one in heard] == [Accepted, Filled][: 1 + filled]
