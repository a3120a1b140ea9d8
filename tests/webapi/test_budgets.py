"""Single rules of budgets and queue, one at a time."""

from __future__ import annotations

import msgspec
import pytest

from engine.errors import InvariantBroken, VenueUnreachable
from engine.webapi.budgets import Budgets, Window, batches, budget_of, check_size
from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.queueing import WAITING_LIMIT, Queue
from engine.webapi.waiting import named
from tests.webapi.pacing_world import CALLS, MS, Ask, S, World


@pytest.mark.parametrize(
    ("method", "template", "limit"),
    [
        ("GET", "/iserver/marketdata/snapshot", (10, 1)),
        ("GET", "/iserver/scanner/params", (1, 900)),
        ("POST", "/iserver/scanner/run", (1, 1)),
        ("GET", "/iserver/account/trades", (1, 5)),
        ("GET", "/iserver/account/orders", (1, 5)),
        ("GET", "/iserver/account/pnl/partitioned", (1, 5)),
        ("GET", "/portfolio/accounts", (1, 5)),
        ("GET", "/portfolio/subaccounts", (1, 5)),
        ("POST", "/pa/performance", (1, 900)),
        ("POST", "/pa/summary", (1, 900)),
        ("POST", "/pa/transactions", (1, 900)),
        ("GET", "/fyi/unreadnumber", (1, 1)),
        ("POST", "/fyi/settings/{typecode}", (1, 1)),
        ("DELETE", "/fyi/deliveryoptions/{deviceId}", (1, 1)),
        ("GET", "/tickle", (1, 1)),
        ("POST", "/tickle", (1, 1)),
        ("GET", "/sso/validate", (1, 60)),
    ],
)
def test_the_official_table(method: str, template: str, limit: tuple[int, int]) -> None:
    found = budget_of(method, template)
    assert found is not None
    assert found[1:] == limit


def test_placing_is_not_paced_like_reading_orders_and_fyi_methods_are_apart() -> None:
    assert budget_of("POST", "/iserver/account/{accountId}/orders") is None
    one, other = budget_of("GET", "/fyi/disclaimer/{typecode}"), budget_of("PUT", "/fyi/disclaimer/{code}")
    assert one is not None
    assert other is not None
    assert one[0] != other[0]
    assert budget_of("GET", "/tickle") == budget_of("POST", "/tickle")


def test_a_window_frees_a_slot_when_its_length_has_passed_since_the_answer() -> None:
    window = Window(2, S)
    assert window.free_ns(0) == 0
    window.leave()
    window.leave()
    assert window.free_ns(400 * MS) is None  # both are on their way
    window.arrived(500 * MS)
    assert window.free_ns(600 * MS) == 1500 * MS
    assert window.free_ns(600 * MS, held_back=1) is None
    window.arrived(700 * MS)
    assert window.free_ns(800 * MS, held_back=1) == 1700 * MS
    assert window.free_ns(1500 * MS) == 1500 * MS


def test_a_burst_of_cancels_that_was_long_on_its_way_does_not_meet_the_next() -> None:
    """Twenty cancels at once; the first ten take 0.9 s to the venue's door, as over connections that are made first."""
    queue = Queue(Budgets())
    for number in range(20):
        queue.ask(msgspec.structs.replace(CALLS["halt"], query=(("n", str(number)),)), 0)
    first = queue.due(0)
    assert len(first) == 10
    assert queue.due(1_600 * MS) == []  # nothing tells where they are
    for entry in first:
        queue.answered(entry.seq, 1_700 * MS, 200)
    assert queue.next_ns(1_700 * MS) == 2_700 * MS
    assert queue.due(2_699 * MS) == []
    assert len(queue.due(2_700 * MS)) == 10


def test_in_the_penalty_box_the_next_cancel_waits_for_the_answer_to_the_last() -> None:
    queue = Queue(Budgets())
    queue.ask(CALLS["ledger"], 0)
    queue.answered(queue.due(0)[0].seq, 0, 429)
    for number in range(3):
        queue.ask(msgspec.structs.replace(CALLS["halt"], query=(("n", str(number)),)), 0)
    (one,) = queue.due(0)
    assert queue.due(3 * S) == []
    queue.answered(one.seq, 4 * S, 200)
    assert queue.due(5 * S - 1) == []
    (_,) = queue.due(5 * S)
    assert queue.next_ns(6 * S) == 600 * S  # it is never answered: the box ends
    assert len(queue.due(600 * S)) == 1


def test_lists_of_conids_are_cut_and_too_long_ones_are_our_own_fault() -> None:
    assert [list(part) for part in batches(range(5), 2)] == [[0, 1], [2, 3], [4]]
    for path, limit in (("/trsrv/secdef", 200), ("/iserver/marketdata/snapshot", 100)):
        for count in (limit, limit + 1):
            made = Call(method="GET", template=path, path=path, kind=Kind.READ, urgency=Urgency.SNAPSHOT,
                        query=(("conids", ",".join(map(str, range(count)))),))  # fmt: skip
            if count == limit:
                check_size(made)
            else:
                with pytest.raises(InvariantBroken, match=f"{count} conids"):
                    check_size(made)
    posted = Call(method="POST", template="/trsrv/secdef", path="/trsrv/secdef", kind=Kind.READ,
                  urgency=Urgency.SNAPSHOT, body={"conids": list(range(201))})  # fmt: skip
    with pytest.raises(InvariantBroken):
        check_size(posted)


def test_a_queue_has_a_bound() -> None:
    queue = Queue(Budgets())
    for _ in range(WAITING_LIMIT):
        queue.ask(CALLS["place"], 0)
    with pytest.raises(VenueUnreachable, match="wait already"):
        queue.ask(CALLS["place"], 0)


def test_classes_are_strict() -> None:
    queue = Queue(Budgets())
    reversed_order = ["scan", "history", "snapshot", "ledger", "trades", "place", "modify", "cancel", "reply", "halt"]
    for name in reversed_order:
        queue.ask(CALLS[name], 0)
    gone = queue.due(0)
    wanted = [CALLS[name] for name in reversed(reversed_order)]
    assert [entry.call for entry in gone] == wanted[:8]  # two of ten slots are held back for cancels
    for entry in gone:
        queue.answered(entry.seq, 500 * MS, 200)
    assert [entry.call for entry in queue.due(S + 500 * MS)] == wanted[8:]


def test_held_writes_wait_and_reads_do_not() -> None:
    queue = Queue(Budgets())
    queue.hold_writes(True)
    queue.ask(CALLS["place"], 0)
    queue.ask(CALLS["cancel"], 0)
    queue.ask(CALLS["ledger"], 0)
    assert {entry.call.template for entry in queue.due(0)} == {CALLS["cancel"].template, CALLS["ledger"].template}
    queue.hold_writes(False)
    assert [entry.call for entry in queue.due(1)] == [CALLS["place"]]


def test_an_order_round_has_iserver_to_itself() -> None:
    queue = Queue(Budgets())
    queue.ask(CALLS["trades"], 0)
    (before,) = queue.due(0)
    number = queue.claim(Urgency.PLACE, 30 * S)
    assert queue.due(1) == []
    assert queue.holds(number)
    for name in ("cancel", "snapshot", "tickle", "ledger", "halt", "place"):
        queue.ask(CALLS[name], 2)
    mine = queue.ask(CALLS["place"], 2, owner=number)
    gone = queue.due(2)
    assert [entry.call for entry in gone] == [CALLS["halt"], CALLS["tickle"], CALLS["ledger"]]
    # Ours waits until what left before has surely arrived, or has answered.
    assert queue.next_ns(2) == 500 * MS
    queue.answered(before.seq, 40 * MS, 200)
    assert [entry.seq for entry in queue.due(40 * MS)] == [mine.number]
    queue.give_back(number)
    assert [entry.call.urgency for entry in queue.due(50 * MS)] == [Urgency.CANCEL, Urgency.PLACE, Urgency.SNAPSHOT]


def test_a_round_comes_to_its_end_by_itself_and_its_calls_are_orphans() -> None:
    queue = Queue(Budgets())
    number = queue.claim(Urgency.PLACE, 30 * S)
    queue.due(0)
    queue.ask(CALLS["snapshot"], 1)
    assert queue.next_ns(1) == 30 * S
    assert [entry.call for entry in queue.due(30 * S)] == [CALLS["snapshot"]]
    late = queue.ask(CALLS["reply"], 31 * S, owner=number)
    assert queue.due(31 * S) == []
    assert [waiter.number for waiter, _ in queue.orphans()] == [late.number]


def test_rounds_follow_one_another_by_urgency_and_a_waiting_cancel_goes_between() -> None:
    queue = Queue(Budgets())
    first, second, third = (queue.claim(urgency, S) for urgency in (Urgency.PLACE, Urgency.PLACE, Urgency.MODIFY))
    queue.due(0)
    assert queue.holds(third)
    queue.ask(CALLS["cancel"], 1)
    queue.give_back(third)
    assert [entry.call for entry in queue.due(2)] == [CALLS["cancel"]]
    assert queue.holds(first)
    queue.give_back(second)
    queue.give_back(first)
    queue.due(3)
    assert not any(queue.holds(number) for number in (first, second, third))


def test_held_writes_end_a_round_and_admit_none() -> None:
    queue = Queue(Budgets())
    number = queue.claim(Urgency.PLACE, 30 * S)
    queue.due(0)
    queue.hold_writes(True)
    assert not queue.holds(number)
    other = queue.claim(Urgency.PLACE, 30 * S)
    queue.due(1)
    assert not queue.holds(other)
    queue.hold_writes(False)
    queue.due(2)
    assert queue.holds(other)


def test_quiet_time_waits_for_what_left_and_keeps_all_else_out() -> None:
    queue = Queue(Budgets())
    queue.ask(CALLS["place"], 0)
    (away,) = queue.due(0)
    number = queue.claim(Urgency.HALT, 60 * S, whole=True)
    queue.ask(CALLS["ledger"], 1)
    queue.ask(CALLS["cancel"], 1)
    (cancel,) = queue.due(1)
    assert cancel.call == CALLS["cancel"]
    assert not queue.holds(number)
    queue.answered(away.seq, 2, 200)
    queue.answered(cancel.seq, 3, 200)
    queue.ask(CALLS["halt"], 3)
    assert queue.due(4) == []
    assert queue.holds(number)
    queue.ask(CALLS["tickle"], 5, owner=number)
    assert [entry.call for entry in queue.due(5)] == [CALLS["tickle"]]
    queue.give_back(number)
    assert [entry.call for entry in queue.due(6)] == [CALLS["halt"], CALLS["ledger"]]


def test_it_says_who_waited_how_long() -> None:
    world = World()
    world.play([Ask(what="orders"), Ask(what="orders"), Ask(what="place")])
    waits = dict(named(world.queue.waits(world.now_ns)))
    assert set(waits) == {"order_status", "place"}
    # The first answer came 50 ms after sending: from then the five seconds count.
    assert waits["order_status"].longest_s == pytest.approx(5.05)
    assert waits["order_status"].longest_name == "GET /iserver/account/orders"
    assert (waits["order_status"].sent, waits["place"].longest_s) == (2, 0)
    world.queue.ask(CALLS["orders"], world.now_ns)
    later = world.queue.waits(world.now_ns + 3 * S)[Urgency.ORDER_STATUS]
    assert (later.waiting, later.oldest_s) == (1, 3)


def test_an_urgent_round_is_neither_held_nor_ended_with_the_writes() -> None:
    queue = Queue(Budgets())
    queue.hold_writes(True)
    plain, urgent = queue.claim(Urgency.PLACE, 30 * S), queue.claim(Urgency.HALT, 30 * S)
    queue.due(0)
    assert queue.holds(urgent)
    queue.ask(CALLS["place"], 1)
    mine = queue.ask(CALLS["place"], 1, owner=urgent)
    assert [entry.seq for entry in queue.due(1)] == [mine.number]
    queue.hold_writes(True)
    assert queue.holds(urgent)
    queue.give_back(urgent)
    queue.due(2)
    assert not queue.holds(plain)


def test_a_waiting_cancel_does_not_go_before_an_urgent_round() -> None:
    queue = Queue(Budgets())
    queue.ask(CALLS["cancel"], 0)
    number = queue.claim(Urgency.HALT, 30 * S)
    queue.due(0)
    assert queue.holds(number)


def test_who_follows_another_process_asks_no_list_that_it_may_just_have_read() -> None:
    budgets = Budgets()
    budgets.followed(100 * S)
    queue = Queue(budgets)
    for name in ("trades", "cancel", "tickle", "snapshot"):
        queue.ask(CALLS[name], 100 * S)
    assert CALLS["trades"] not in [entry.call for entry in queue.due(100 * S)]
    assert queue.due(105 * S - 1) == []
    assert [entry.call for entry in queue.due(105 * S)] == [CALLS["trades"]]
