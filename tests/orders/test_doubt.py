"""Cases of doubt alone: what proves absence, when lists are read, when a person hears, what begins anew."""

from __future__ import annotations

from engine.domain.moments import END_OF_TIME_NS
from engine.orders.doubt import Doubts, DoubtSettings

S = 1_000_000_000


def doubts() -> Doubts:
    return Doubts(DoubtSettings(settle_s=45.0, ask_every_s=6.0, operator_after_s=300.0))


def test_absence_is_proved_by_both_lists_from_after_the_settle_time() -> None:
    for orders_s, executions_s, proved in ((44.999999999, 60, False), (60, 44.999999999, False), (45, 45, True)):
        here = doubts()
        here.begin("a", 0)
        here.orders_read(["b"], round(orders_s * S))
        assert here.proved_absent() == []
        here.executions_read(["b"], round(executions_s * S))
        assert here.proved_absent() == (["a"] if proved else [])
        assert here.proved_absent() == []
        assert ("a" in here.cases) is not proved


def test_what_a_list_has_is_not_absent() -> None:
    for orders, executions in ((["a"], []), ([], ["a"])):
        here = doubts()
        here.begin("a", 0)
        here.orders_read(orders, 60 * S)
        here.executions_read(executions, 60 * S)
        assert here.proved_absent() == []


def test_neither_a_modified_order_nor_one_that_the_venue_knows_is_ever_absent() -> None:
    here = doubts()
    here.begin("changed", 0, modify=True)
    here.begin("known", 0, present=True)
    here.begin("silent", 0)
    here.begin("told", 0)
    here.begin("told", 0, present=True)
    here.begin("told", 0)  # once known it is known
    here.orders_read([], 60 * S)
    here.executions_read([], 60 * S)
    assert here.proved_absent() == ["silent"]
    assert list(here.cases) == ["changed", "known", "told"]


def test_fresh_silence_begins_a_case_anew() -> None:
    here = doubts()
    here.begin("a", 0)
    here.orders_read([], 50 * S)
    here.begin("a", 50 * S)
    here.executions_read([], 95 * S)
    assert here.proved_absent() == []  # the list of orders was of before
    here.orders_read([], 94 * S)
    assert here.proved_absent() == []
    here.orders_read([], 95 * S)
    assert here.proved_absent() == ["a"]


def test_lists_are_read_at_once_and_then_every_six_seconds() -> None:
    here = doubts()
    assert (here.due(0), here.next_ns()) == (False, END_OF_TIME_NS)
    here.begin("a", 10 * S)
    assert here.next_ns() == 10 * S
    assert [here.due(at) for at in (10 * S, 10 * S, 16 * S - 1, 16 * S, 16 * S)] == [True, False, False, True, False]
    here.begin("b", 17 * S)
    assert here.next_ns() == 17 * S
    assert here.due(17 * S)
    assert here.next_ns() == 22 * S


def test_a_person_hears_of_each_case_once() -> None:
    here = doubts()
    here.begin("a", 0)
    here.begin("b", 100 * S)
    assert [here.overdue(at * S) for at in (299, 300, 399, 400, 900)] == [[], ["a"], [], ["b"], []]


def test_what_was_given_up_is_watched_for_the_day_and_told_once() -> None:
    here = doubts()
    here.watch("a", 0)
    here.watch("b", 0)
    assert [here.late("a"), here.late("a"), here.late("c")] == [True, False, False]
    here.new_day()
    assert not here.late("b")
    here.begin("d", 0)
    assert [here.found("d"), here.found("d")] == [True, False]
