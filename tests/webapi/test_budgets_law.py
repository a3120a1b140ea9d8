"""Laws of the request scheduler over random plans on virtual time."""

from __future__ import annotations

import os
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.webapi.calls import Kind, Urgency
from engine.webapi.waiting import Entry
from tests.webapi.pacing_world import CALLS, MS, TABLE, Ask, S, World, most_in

CAMPAIGN = os.environ.get("FULLTICKET_CAMPAIGN") == "1"
schedules = settings(max_examples=10_000 if CAMPAIGN else 60)
CANCELS = {"halt", "cancel"}


def asks(names: Sequence[str] = tuple(CALLS), *, statuses: Sequence[int] = (200,)) -> st.SearchStrategy[Ask]:
    return st.builds(
        Ask,
        what=st.sampled_from(list(names)),
        wait_ms=st.sampled_from([0, 0, 0, 1, 20, 99, 100, 101, 400, 1000, 5000]),
        travel_ms=st.integers(1, 3000),
        way=st.floats(0.01, 0.99),
        status=st.sampled_from(list(statuses)),
        patience_ms=st.none() | st.integers(0, 20_000),
        same=st.booleans(),
    )


plans = st.lists(asks(), max_size=60)


@schedules
@given(plan=plans, per_s=st.sampled_from([3, 10, 50]))
def test_no_budget_is_ever_exceeded_at_the_venues_door(plan: list[Ask], per_s: int) -> None:
    world = World(per_s=per_s)
    world.play(plan)
    assert most_in([trip.arrived_ns for trip in world.trips], S) <= per_s
    for path, (limit, length_s) in TABLE.items():
        arrived = [trip.arrived_ns for trip in world.trips if trip.call.template == path]
        assert most_in(arrived, length_s * S) <= limit
    histories = [trip for trip in world.trips if trip.call.template.endswith("/history")]
    for one in histories:
        at_once = sum(other.sent_ns <= one.sent_ns < other.heard_ns for other in histories)
        assert at_once <= 5


@schedules
@given(plan=plans)
def test_nothing_leaves_after_its_deadline_and_nobody_is_forgotten(plan: list[Ask]) -> None:
    lonely = [Ask(what=ask.what, wait_ms=ask.wait_ms, travel_ms=ask.travel_ms, way=ask.way,
                  patience_ms=ask.patience_ms) for ask in plan]  # fmt: skip
    world = World()
    world.play(lonely)
    for deadline_ns, noticed_ns in world.late:
        assert noticed_ns == deadline_ns
    heard_late = sum(1 for _ in world.late)
    unsent = len(lonely) - len(world.trips)
    assert 0 <= unsent <= heard_late  # an unsent one was told; one that left may have been given up too


class Watching(World):
    """Looks into the queue after each step: who is still there while others went?"""

    def after_due(self, gone: Sequence[object]) -> None:
        waiting = [entry for entry in self.queue._waiting.values() if entry.urgency in (Urgency.HALT, Urgency.CANCEL)]
        if waiting:
            lower = [entry for entry in gone if isinstance(entry, Entry) and entry.urgency > Urgency.CANCEL]
            assert not lower
            # The only thing a cancel waits for: the whole second is full.
            recent = [trip for trip in self.trips if trip.heard_ns > self.now_ns - S]
            assert len(recent) >= 10


@schedules
@given(plan=plans)
def test_a_cancel_waits_for_nothing_but_a_full_second(plan: list[Ask]) -> None:
    Watching().play(plan)


@schedules
@given(plan=st.lists(asks(["place", "snapshot", "history", "ledger", "orders"]), max_size=60), at=st.integers(0, 4000))
def test_two_cancels_leave_at_once_whatever_else_is_going_on(plan: list[Ask], at: int) -> None:
    first = Ask(what="cancel", wait_ms=at)
    second = Ask(what="halt")
    world = World()
    # Plans are relative waits, so the cancels come first in the list and the rest runs beside them from time zero.
    merged = merge(plan, [first, second])
    world.play(merged)
    for trip in world.trips:
        if trip.call.urgency in (Urgency.HALT, Urgency.CANCEL):
            assert trip.sent_ns == trip.asked_ns


def merge(one: list[Ask], other: list[Ask]) -> list[Ask]:
    """Two plans that begin at the same time as one."""
    stamped = []
    for plan in (one, other):
        at = 0
        for ask in plan:
            at += ask.wait_ms
            stamped.append((at, ask))
    stamped.sort(key=lambda pair: pair[0])
    merged, before = [], 0
    for at, ask in stamped:
        merged.append(Ask(what=ask.what, wait_ms=at - before, travel_ms=ask.travel_ms, way=ask.way, same=ask.same))
        before = at
    return merged


def patient(plan: list[Ask]) -> list[Ask]:
    return [Ask(what=ask.what, wait_ms=ask.wait_ms, travel_ms=ask.travel_ms, way=ask.way) for ask in plan]


@schedules
@given(plan=plans)
def test_nothing_starves(plan: list[Ask]) -> None:
    world = World()
    world.play(patient(plan))
    assert len(world.trips) == len(plan)
    for trip in world.trips:
        path = trip.call.template
        own = sum(other.call.template == path for other in world.trips)
        histories = sum(other.call.template.endswith("/history") for other in world.trips)
        bound_s = 10 + 1.5 * (len(plan) + 1) + (own * (TABLE[path][1] + 0.5) if path in TABLE else 0)
        if path.endswith("/history"):
            bound_s += 3 * histories
        assert (trip.sent_ns - trip.asked_ns) / S <= bound_s


def test_a_stream_of_orders_does_not_starve_a_read() -> None:
    """Ten orders a second for a minute, one browse at its start: it goes after its patience, not after the minute."""
    stream = [Ask(what="place", wait_ms=100, travel_ms=20) for _ in range(600)]
    world = World()
    world.play([Ask(what="place"), *[Ask(what="place") for _ in range(30)], Ask(what="fyi"), *stream])
    browse = next(trip for trip in world.trips if trip.call.template == "/fyi/notifications")
    assert 10 <= (browse.sent_ns - browse.asked_ns) / S <= 11.5


@schedules
@given(plan=st.lists(asks(statuses=(200, 200, 200, 429)), max_size=60))
def test_in_the_penalty_box_only_the_tickle_and_a_cancel_a_second_leave(plan: list[Ask]) -> None:
    world = World()
    world.play(plan)
    until_ns = 0
    boxes: list[tuple[int, int]] = []
    for heard_ns in sorted(trip.heard_ns for trip in world.trips if trip.status == 429):
        if heard_ns >= until_ns:
            until_ns = heard_ns + 600 * S
            boxes.append((heard_ns, until_ns))
    for start_ns, end_ns in boxes:
        inside = [trip for trip in world.trips if start_ns < trip.sent_ns < end_ns and trip.call.template != "/tickle"]
        for trip in inside:
            assert trip.call.urgency in (Urgency.HALT, Urgency.CANCEL)
            assert trip.call.kind is Kind.IDEMPOTENT
        assert most_in([trip.arrived_ns for trip in inside], S) <= 1


@schedules
@given(plan=plans)
def test_equal_reads_that_wait_are_one_request_and_writes_never_are(plan: list[Ask]) -> None:
    world = World()
    world.play([Ask(what=ask.what, wait_ms=0, travel_ms=ask.travel_ms, same=True) for ask in plan])
    for name, call in CALLS.items():
        asked = sum(ask.what == name for ask in plan)
        sent = sum(trip.call == call for trip in world.trips)
        same = sum(CALLS[ask.what] == call for ask in plan)
        assert sent == (min(asked, 1) if call.kind is Kind.READ else same)


def test_the_counter_of_windows_counts() -> None:
    assert most_in([0, 999 * MS, 1000 * MS], S) == 2
    assert most_in([0, 0, 999 * MS], S) == 3
    assert most_in([], S) == 0
