"""A desk that begins with what a journal knew: what is in doubt, what is watched, what has to die."""

from __future__ import annotations

from typing import Any

from engine.domain.facts import AnswerMissing
from engine.domain.moments import END_OF_TIME_NS, NS_PER_DAY
from engine.domain.order import Order, State
from engine.orders.actions import ReadExecutions, ReadOrders, SendCancel
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.replies import read_policy
from tests.orders.bench import S, ticket

NOW = 100 * NS_PER_DAY


def known(number: int, state: State, **more: Any) -> Order:
    return Order(ticket=ticket(f"s-{number:06d}"), state=state, updated_ns=NOW, **more)


def desk(*orders: Order) -> Desk:
    book = LiveOrders()
    book.adopt(orders, [])
    return Desk(book, read_policy({}), DeskSettings())


def changed(number: int) -> Any:
    return ticket(f"s-{number:06d}", quantity=ticket().quantity + 1)


def test_an_empty_desk_waits_for_nothing() -> None:
    here = desk()
    here.recovered([], [], NOW)
    assert (here.next_ns(), here.busy, here.take()) == (END_OF_TIME_NS, False, ([], []))


def test_every_state_of_a_journal_is_taken_up() -> None:
    here = desk(
        known(1, State.WORKING, venue_id="101"),
        known(2, State.IN_DOUBT),
        known(3, State.IN_DOUBT, wanted=changed(3), venue_id="103"),
        known(4, State.PENDING_MODIFY, wanted=changed(4), venue_id="104"),
        known(5, State.PENDING_CANCEL, venue_id="105"),
        known(6, State.PENDING_CANCEL),
        known(7, State.PENDING_CANCEL, wanted=changed(7), venue_id="107"),
        known(8, State.FILLED, wanted=changed(8), venue_id="108"),
    )
    here.recovered([], ["e1"], NOW, resent=["s-000002"], given_up=["s-000001"])
    assert {coid: (case.since_ns, case.modify) for coid, case in here.doubts.cases.items()} == {
        "s-000002": (NOW, False),
        "s-000003": (NOW, True),
        "s-000006": (NOW, False),
        "s-000007": (NOW, True),
    }
    assert here.next_ns() <= NOW + 2 * S  # the cancellations wait, and know since when
    assert here.follower.lost_modifies == {"s-000001", "s-000003", "s-000004", "s-000007"}
    assert (here.resent, here.follower.bookings.charged) == ({"s-000002"}, {"e1"})
    assert here.doubts.watched == {}
    here.session(True, NOW)
    actions, _ = here.take()
    assert [one for one in actions if isinstance(one, SendCancel)] == [
        SendCancel("s-000005", "105", False),
        SendCancel("s-000007", "107", False),
    ]
    assert ReadOrders("orders in doubt") in actions
    assert ReadExecutions("orders in doubt") in actions


def test_what_was_lost_within_a_day_is_watched() -> None:
    lost = [
        Order(ticket=ticket(f"s-{number:06d}"), state=State.LOST, updated_ns=NOW - age_ns)
        for number, age_ns in enumerate((0, NS_PER_DAY - 1, NS_PER_DAY, 9 * NS_PER_DAY))
    ]
    cancelled = known(9, State.CANCELLED)
    here = desk(*lost, cancelled)
    here.recovered([], [], NOW)
    assert here.doubts.watched == {"s-000000": NOW, "s-000001": NOW - NS_PER_DAY + 1}


def test_what_was_in_flight_is_told_first() -> None:
    here = desk(known(1, State.SENT))
    here.recovered([AnswerMissing(coid="s-000001", ts_ns=NOW)], [], NOW)
    assert here.book.book["s-000001"].state is State.IN_DOUBT
    assert list(here.doubts.cases) == ["s-000001"]
    assert [update.order.state for update in here.take()[1]] == [State.IN_DOUBT]


def test_lists_are_read_when_a_session_begins_if_something_is_in_doubt() -> None:
    reads = [ReadOrders("orders in doubt"), ReadExecutions("orders in doubt")]
    for doubtful in (False, True):
        here = desk(known(1, State.IN_DOUBT if doubtful else State.WORKING, venue_id="101"))
        here.recovered([], [], NOW)
        here.take()
        for up in (False, True, False):
            here.session(up, NOW)
            actions = [one for one in here.take()[0] if isinstance(one, ReadOrders | ReadExecutions)]
            assert [one for one in actions if one in reads] == (reads if up and doubtful else [])
