"""The order manager: answers in any order, twice, late or foreign; facts before what follows; full tickets."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.facts import (
    Accepted,
    Answer,
    AnswerMissing,
    Cancelled,
    CancelRefused,
    Modified,
    ModifyRefused,
    Pending,
    ProvedAbsent,
    Refused,
    Sent,
)
from engine.domain.messages import (
    Approved,
    Cancel,
    CancelRequest,
    Denied,
    Intent,
    Modify,
    ModifyRequest,
    Place,
    PlaceRequest,
    Refusal,
    Request,
    Update,
    Verdict,
)
from engine.domain.order import State
from engine.domain.ticket import OrderTicket, Side, Tif
from engine.errors import InvariantBroken
from engine.orders.manager import OrderManager
from tests.domain.made import COID, filled, ticket

D = Decimal
NO = Refusal("CODE", "limit", "value", "the gate says no")


def approve(manager: OrderManager, *intents: Intent, at_ns: int = 1) -> tuple[list[Request], list[Update]]:
    return manager.act([Approved(intent) for intent in intents], at_ns)


def deny(manager: OrderManager, intent: Intent, at_ns: int = 1) -> list[Update]:
    requests, updates = manager.act([Denied(intent, NO)], at_ns)
    assert requests == []
    return updates


def placed(*tickets: OrderTicket) -> OrderManager:
    manager = OrderManager()
    approve(manager, Place(tickets or (ticket(10),)))
    return manager


def working(*tickets: OrderTicket) -> OrderManager:
    manager = placed(*tickets)
    manager.hear([Accepted(coid=coid, ts_ns=2) for coid in manager.book])
    manager.facts.clear()
    return manager


def says(kind: Any, coid: str = COID, ts_ns: int = 5, **more: Any) -> Any:
    if kind in (Refused, ModifyRefused, CancelRefused):
        more = {"code": "c", "reason": "r", **more}
    return kind(coid=coid, ts_ns=ts_ns, **more)


def state(manager: OrderManager, coid: str = COID) -> State:
    return manager.book[coid].state


# --- placing ---------------------------------------------------------------------------------------------------------


def test_an_approved_order_is_sent_once_and_written_down_first() -> None:
    manager = OrderManager()
    intent = Place((ticket(10),))
    requests, updates = approve(manager, intent, at_ns=7)
    assert requests == [PlaceRequest((ticket(10),))]
    assert updates == []
    assert manager.facts == [(7, "approved", COID, intent)]
    order = manager.book[COID]
    assert (order.state, order.created_ns, order.updated_ns) == (State.SENT, 7, 7)
    assert manager.histories()[COID] == [(7, "sent", "Sent")]


def test_a_group_is_one_request_and_several_orders() -> None:
    tickets = (ticket(10), ticket(10, coid="s-000002", parent=COID, side=Side.SELL))
    manager = OrderManager()
    requests, _ = approve(manager, Place(tickets))
    assert requests == [PlaceRequest(tickets)]
    assert list(manager.book) == [COID, "s-000002"]


def test_an_id_approved_twice_is_our_own_bug() -> None:
    with pytest.raises(InvariantBroken, match="given twice"):
        approve(placed(), Place((ticket(3),)))


def test_a_denied_group_is_refused_ticket_by_ticket() -> None:
    manager = OrderManager()
    tickets = (ticket(10), ticket(4, coid="s-000002"))
    updates = deny(manager, Place(tickets), at_ns=9)
    assert [u.order.ticket for u in updates] == list(tickets)
    assert [u.order.state for u in updates] == [State.REFUSED] * 2
    assert [u.event for u in updates] == [
        Refused(coid=one.coid, ts_ns=9, code="CODE", reason="the gate says no") for one in tickets
    ]
    assert manager.denials == [(9, "s", COID, NO), (9, "s", "s-000002", NO)]
    assert manager.facts == [(9, "denied", one.coid, (one, NO)) for one in tickets]
    assert manager.histories()["s-000002"] == [(9, "refused", "Refused CODE")]
    assert manager.book[COID].code == "CODE"


def test_a_denied_id_that_is_in_use_leaves_its_order_alone() -> None:
    manager = working()
    updates = deny(manager, Place((ticket(3),)))
    assert state(manager) is State.WORKING
    assert manager.book[COID].ticket.quantity == 10
    assert [u.order for u in updates] == [manager.book[COID]]
    assert len(manager.denials) == len(manager.facts) == 1


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", list(permutations(range(4))))
def test_answers_in_any_order_and_twice(at: tuple[int, ...]) -> None:
    news: list[Answer] = [says(Accepted), filled(1, 4), filled(2, 3), says(Cancelled, reason="day")]
    manager = placed()
    for one in (*at, *at):
        manager.hear([news[one]])
    order = manager.book[COID]
    assert (order.state, order.filled, order.paid) == (State.CANCELLED, D(7), D(63))
    assert sorted(order.fills) == ["e1", "e2"]
    assert not manager.frozen
    assert len([row for row in manager.facts if row[1] == "answer"]) == 8  # said is said, twice if twice


def test_an_execution_counts_once_whichever_order_it_names() -> None:
    manager = working(ticket(10), ticket(10, coid="s-000002"))
    assert len(manager.hear([filled(1, 4)])) == 1
    assert manager.hear([filled(1, 4), filled(1, 4, coid="s-000002")]) == []
    assert [manager.book[COID].filled, manager.book["s-000002"].filled] == [4, 0]
    assert len(manager.hear([filled(2, 4, coid="s-000002")])) == 1


def test_each_answer_gives_the_order_as_it_was_then() -> None:
    manager = placed()
    updates = manager.hear([says(Accepted), filled(1, 4), filled(2, 6)])
    assert [(u.order.state, u.order.filled) for u in updates] == [
        (State.WORKING, D(0)),
        (State.WORKING, D(4)),
        (State.FILLED, D(10)),
    ]
    assert [row[1:] for row in manager.histories()[COID]] == [
        ("sent", "Sent"),
        ("working", "Accepted"),
        ("working", "Filled"),
        ("filled", "Filled"),
    ]


@pytest.mark.parametrize("kind", [Accepted, Cancelled, Refused])
def test_news_of_a_foreign_order_is_kept_and_changes_nothing(kind: Any) -> None:
    manager = working()
    news = says(kind, coid="x-000001")
    assert manager.hear([news]) == []
    assert list(manager.book) == [COID]
    assert manager.facts[0] == (5, "answer", "x-000001", news)
    assert manager.facts[1][1:3] == ("foreign", "x-000001")
    assert "not ours" in manager.frozen["x-000001"]


def test_a_foreign_execution_is_kept_and_counts_when_the_order_is_ours_after_all() -> None:
    manager = OrderManager()
    manager.hear([filled(1, 4)])
    approve(manager, Place((ticket(10),)))
    assert [u.order.filled for u in manager.hear([filled(1, 4)])] == [4]


def test_what_can_not_be_freezes_the_order_and_keeps_the_fact() -> None:
    manager = working()
    manager.hear([filled(1, 10)])
    before = manager.book[COID]
    refused = says(Refused, ts_ns=8)
    assert manager.hear([refused]) == []
    assert manager.book[COID] is before
    sentence = f"order {COID} is filled and can't take Refused"
    assert manager.frozen == {COID: sentence}
    assert manager.facts[-2:] == [(8, "answer", COID, refused), (8, "illegal", COID, sentence)]
    assert [u.order.filled for u in manager.hear([filled(2, 1)])] == [11]  # money still counts


def test_a_frozen_order_can_be_cancelled_and_nothing_else() -> None:
    manager = working()
    manager.hear([says(ProvedAbsent)])
    assert manager.frozen
    requests, updates = approve(manager, Modify(COID, "s", {"limit_price": D(8)}))
    assert requests == []
    assert isinstance(updates[0].event, ModifyRefused)
    assert updates[0].event.code == "FROZEN"
    assert approve(manager, Cancel(COID, "s"))[0] == [CancelRequest(COID)]


def test_every_fact_is_there_before_its_update() -> None:
    class Watched(list[Any]):
        """Notes how many orders had changed when each fact came."""

        def append(self, row: Any) -> None:
            seen.append((row[1], state(manager) if COID in manager.book else None))
            super().append(row)

    seen: list[tuple[str, State | None]] = []
    manager = OrderManager()
    manager.facts = Watched()
    approve(manager, Place((ticket(10),)))
    manager.hear([says(Accepted)])
    approve(manager, Modify(COID, "s", {"quantity": D(12)}))
    manager.hear([says(Modified)])
    approve(manager, Cancel(COID, "s"))
    manager.hear([says(Cancelled)])
    assert seen == [
        ("approved", None),
        ("answer", State.SENT),
        ("modify", State.WORKING),
        ("answer", State.PENDING_MODIFY),
        ("cancel", State.WORKING),
        ("answer", State.PENDING_CANCEL),
    ]


# --- modifying -------------------------------------------------------------------------------------------------------


def test_a_modification_is_the_full_ticket_with_the_wanted_fields_changed() -> None:
    terms: dict[str, Any] = {"tif": Tif.GTC, "parent": "s-000009", "oca_group": "g", "tag": "mine", "outside_rth": True}
    manager = working(ticket(10, **terms))
    changes = {"limit_price": D("9.5"), "quantity": D(7)}
    requests, updates = approve(manager, Modify(COID, "s", changes), at_ns=4)
    wanted = ticket(7, limit_price=D("9.5"), **terms)
    assert requests == [ModifyRequest(wanted)]
    assert manager.facts == [(4, "modify", COID, wanted)]
    assert updates == []  # our own doing is no news
    order = manager.book[COID]
    assert (order.state, order.ticket, order.wanted) == (
        State.PENDING_MODIFY,
        ticket(10, **terms),
        wanted,
    )
    manager.hear([says(Modified)])
    requests, _ = approve(manager, Modify(COID, "s", {"limit_price": D(8)}))
    assert requests == [ModifyRequest(ticket(7, limit_price=D(8), **terms))]  # on top of what is in force


@pytest.mark.parametrize(
    ("news", "changes", "code"),
    [
        ([], {"quantity": D(12)}, "STATE"),  # sent, not heard of yet
        ([says(Accepted), says(AnswerMissing)], {"quantity": D(12)}, "STATE"),
        ([says(Accepted), says(Cancelled)], {"quantity": D(12)}, "STATE"),
        ([says(Accepted), filled(1, 4)], {"quantity": D(4)}, "FILLED"),
        ([says(Accepted), filled(1, 4)], {"quantity": D(3)}, "FILLED"),
    ],
)
def test_a_modification_that_can_not_be_sent_is_refused_with_a_fact(
    news: list[Answer], changes: dict[str, Any], code: str
) -> None:
    manager = placed()
    manager.hear(news)
    before = manager.book[COID]
    manager.facts.clear()
    requests, (update,) = approve(manager, Modify(COID, "s", changes), at_ns=6)
    assert requests == []
    assert isinstance(update.event, ModifyRefused)
    no = update.event
    told = replace(before, code=code, reason=no.reason) if before.is_open else before
    assert (update.order, no.code, no.ts_ns) == (told, code, 6)
    assert manager.book[COID] is before
    assert [(row[0], row[1], row[2], row[3][0]) for row in manager.facts] == [(6, "not_modified", COID, code)]
    assert not manager.denials


@pytest.mark.parametrize("news", [Pending, Accepted])
def test_what_waits_or_works_can_be_modified(news: Any) -> None:
    manager = placed()
    manager.hear([says(news), filled(1, 4)])
    assert len(approve(manager, Modify(COID, "s", {"quantity": D(5)}))[0]) == 1


def test_one_modification_at_a_time() -> None:
    manager = working()
    requests, updates = approve(manager, Modify(COID, "s", {"quantity": D(12)}), Modify(COID, "s", {"quantity": D(14)}))
    assert len(requests) == 1
    assert [type(u.event) for u in updates] == [ModifyRefused]
    assert manager.book[COID].wanted == ticket(12)


# --- cancelling ------------------------------------------------------------------------------------------------------


def test_a_cancel_is_repeated_until_the_order_is_dead() -> None:
    manager = placed()
    for at_ns in (3, 4):
        requests, updates = approve(manager, Cancel(COID, "s"), at_ns=at_ns)
        assert requests == [CancelRequest(COID)]
        assert updates == []
        assert manager.histories()[COID][-1] == (at_ns, "pending_cancel", "CancelAsked")
        assert manager.facts[-1] == (at_ns, "cancel", COID, None)
    manager.hear([says(Cancelled)])
    assert approve(manager, Cancel(COID, "s")) == ([], [])
    assert approve(manager, Cancel("s-404404", "s")) == ([], [])


def test_a_cancel_in_doubt_goes_out() -> None:
    manager = placed()
    manager.hear([says(AnswerMissing)])
    assert approve(manager, Cancel(COID, "s"))[0] == [CancelRequest(COID)]
    assert state(manager) is State.IN_DOUBT


# --- refusals of changes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("intent", "event"), [(Modify(COID, "s", {"quantity": D(1)}), ModifyRefused), (Cancel(COID, "s"), CancelRefused)]
)
def test_a_denied_change_is_told_and_changes_nothing(intent: Intent, event: Any) -> None:
    manager = working()
    before = manager.book[COID]
    (update,) = deny(manager, intent, at_ns=6)
    said = {"code": "CODE", "reason": "the gate says no"}
    told = replace(before, **said) if event is ModifyRefused else before
    assert update == Update(told, event(coid=COID, ts_ns=6, **said))
    assert manager.denials == [(6, "s", COID, NO)]
    assert manager.facts == [(6, "denied", COID, (intent, NO))]
    assert manager.book[COID] is before


@pytest.mark.parametrize("intent", [Modify("s-404404", "s", {}), Cancel("s-404404", "s")])
def test_a_denied_change_of_an_unknown_order_is_a_fact_alone(intent: Intent) -> None:
    manager = working()
    assert deny(manager, intent) == []
    assert len(manager.denials) == len(manager.facts) == 1


def test_verdicts_are_carried_out_in_their_order() -> None:
    manager = OrderManager()
    verdicts: list[Verdict] = [
        Approved(Place((ticket(10),))),
        Approved(Cancel(COID, "s")),
        Denied(Place((ticket(10, coid="s-000002"),)), NO),
    ]
    requests, updates = manager.act(verdicts, 1)
    assert [type(r) for r in requests] == [PlaceRequest, CancelRequest]
    assert [type(u.event) for u in updates] == [Refused]
    assert manager.histories()[COID] == [
        (1, "sent", Sent.__name__),
        (1, "pending_cancel", "CancelAsked"),
    ]
