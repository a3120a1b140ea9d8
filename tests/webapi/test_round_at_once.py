"""A round that begins at once with its call: the same as asking for one after the other, or nothing has happened."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.webapi.budgets import SECOND, Budgets
from engine.webapi.calls import Urgency
from engine.webapi.queueing import Queue
from tests.webapi.pacing_world import CALLS, MS, S

T0 = 1_700_000_000 * S
LIMIT = 60 * SECOND
BESIDE = ["tickle", "ledger", "orders", "cancel", "place", "snapshot"]
STEPS = (
    st.tuples(st.just("ask"), st.sampled_from(BESIDE))
    | st.tuples(st.just("answer"), st.sampled_from([200, 200, 429]))
    | st.tuples(st.just("claim"), st.booleans())
    | st.tuples(st.just("end"), st.none())
    | st.tuples(st.just("hold"), st.booleans())
    | st.tuples(st.just("wait"), st.sampled_from([1, 100, 1_001, 700_000]))
)


def played(steps: list[tuple[str, Any]], per_s: int) -> tuple[Queue, int]:
    queue, now_ns, away, claims = Queue(Budgets(per_s, held_back=0)), T0, list[int](), list[int]()
    for kind, what in steps:
        if kind == "ask":
            queue.ask(CALLS[what], now_ns)
        elif kind == "answer" and away:
            queue.answered(away.pop(0), now_ns, what)
        elif kind == "claim":
            claims.append(queue.claim(Urgency.PLACE, LIMIT, whole=what))
        elif kind == "end" and claims:
            queue.give_back(claims.pop())
        elif kind == "hold":
            queue.hold_writes(what)
        elif kind == "wait":
            now_ns += what * MS
        away += [entry.seq for entry in queue.due(now_ns)]
    return queue, now_ns


def plain(value: Any) -> Any:
    """All that a queue holds, as values."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple) or type(value).__name__ == "deque":
        return [plain(one) for one in value]
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if type(value).__module__.startswith("engine.webapi") and not isinstance(value, int | str):
        slots = getattr(type(value), "__slots__", None) or vars(value)
        return {name: plain(getattr(value, name)) for name in slots}
    return repr(value)


@given(st.lists(STEPS, max_size=8), st.sampled_from([1, 2, 10]), st.sampled_from([Urgency.PLACE, Urgency.HALT]))
def test_it_is_what_a_claim_and_a_call_come_to(steps: list[tuple[str, Any]], per_s: int, urgency: Urgency) -> None:
    queue, now_ns = played(steps, per_s)
    long, call = deepcopy(queue), CALLS["place"]
    before = plain(queue)
    found = queue.begin_round(urgency, LIMIT, call, now_ns)
    if found is None:
        assert plain(queue) == before
        return
    number = long.claim(urgency, LIMIT)
    assert long.due(now_ns) == []
    assert long.holds(number)
    waiter = long.ask(call, now_ns, owner=number)
    gone = long.due(now_ns)
    assert [one.seq for one in gone] == [waiter.number] == [found[1].seq]
    assert found[0] == number
    assert plain(queue) == plain(long)


def test_it_begins_where_nothing_is_in_its_way_and_only_there() -> None:
    call = CALLS["place"]

    def begins(*steps: tuple[str, Any], per_s: int = 10) -> bool:
        queue, now_ns = played(list(steps), per_s)
        return queue.begin_round(Urgency.PLACE, LIMIT, call, now_ns) is not None

    assert begins()
    assert begins(("ask", "tickle"))  # it is not of /iserver: nothing of it can cut in on a question
    assert not begins(("ask", "orders"))
    assert begins(("ask", "orders"), ("answer", 200))
    assert not begins(("ask", "ledger"), ("answer", 429))
    assert not begins(("hold", True))
    assert not begins(("claim", False))
    assert not begins(("ask", "tickle"), ("claim", True))
    assert not begins(("ask", "tickle"), ("answer", 200), per_s=1)
    assert begins(("ask", "tickle"), ("answer", 200), ("wait", 1_001), per_s=1)


def test_the_round_is_one_like_any_other() -> None:
    queue, call = Queue(Budgets()), CALLS["place"]
    found = queue.begin_round(Urgency.PLACE, LIMIT, call, T0)
    assert found is not None
    number, entry = found
    assert queue.holds(number)
    assert queue.begin_round(Urgency.PLACE, LIMIT, call, T0) is None
    queue.ask(CALLS["orders"], T0)
    assert queue.due(T0 + 1) == []  # it is the round's time
    assert queue.next_ns(T0 + 1) == T0 + LIMIT
    assert [one.number for one in queue.answered(entry.seq, T0 + MS, 200)] == [entry.seq]
    queue.give_back(number)
    assert [one.call for one in queue.due(T0 + 2 * MS)] == [CALLS["orders"]]
