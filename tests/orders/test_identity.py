"""Which of our orders the venue means."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.brokerage import VenueOrder
from engine.domain.order import Order
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.orders.identity import Identity
from tests.orders.bench import COID, ticket

STOP = ticket(
    "s-000002", parent=COID, side=Side.SELL, order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(8)
)
TARGET = ticket("s-000003", parent=COID, side=Side.SELL, limit_price=Decimal(12))


def knows(*tickets: OrderTicket, ids: dict[str, str] | None = None) -> Identity:
    ids = ids or {}
    return Identity({one.coid: Order(ticket=one, venue_id=ids.get(one.coid, "")) for one in tickets})


def row(order_id: str, **more: Any) -> VenueOrder:
    return VenueOrder(**{"order_id": order_id, "seen_ns": 1, "from_stream": True, **more})


def test_a_journal_s_ids_are_known_at_once() -> None:
    here = knows(ticket(), STOP, ids={COID: "101"})
    assert (here.id_of, here.coid_of) == ({COID: "101"}, {"101": COID})
    assert (here.whose("101", None), here.whose("102", None), here.whose("", None)) == (COID, None, None)


def test_a_row_is_folded_into_what_was_said_before() -> None:
    here = knows(ticket())
    assert here.see(row("101", coid=COID, status="Submitted", total=Decimal(5))) == COID
    assert here.see(row("101", filled=Decimal(2), seen_ns=2)) == COID  # by its id, without a name
    copy = here.copy(COID)
    assert copy is not None
    assert (copy.status, copy.total, copy.filled, copy.seen_ns) == ("Submitted", Decimal(5), Decimal(2), 2)
    assert here.copy("s-000002") is None


def test_a_name_that_is_not_ours_and_no_name_at_all() -> None:
    here = knows(ticket())
    assert [here.see(row("900", coid="x-000001")), here.see(row("901"))] == [None, None]
    assert here.whose("900", "x-000001") is None
    assert here.present([row("900", coid="x-000001"), row("901")]) == set()
    assert here.present([row("101", coid=COID), row("900")]) == {COID}
    assert here.id_of == {COID: "101"}
    assert here.present([row("101")]) == {COID}
    assert here.whose("101", "s-000009") == COID  # an id once bound says more than a name


def test_a_parent_s_id_is_that_of_its_order() -> None:
    here = knows(ticket(), STOP, ids={COID: "101"})
    assert here.parent_id(Order(ticket=STOP)) == "101"
    assert here.parent_id(Order(ticket=ticket())) is None
    assert knows(ticket(), STOP).parent_id(Order(ticket=STOP)) is None


def test_children_that_are_nobody_s_yet() -> None:
    here = knows(ticket(), STOP, TARGET, ids={COID: "101", "s-000003": "103"})
    here.see(row("101", coid=COID))
    here.see(row("103", parent_id="101"))  # somebody's
    here.see(row("104", parent_id="999"))  # another's child
    here.see(row("105"))
    assert here.children_of("101") == []
    here.see(row("102", parent_id="101"))  # its side is not told yet
    assert [copy.order_id for copy in here.children_of("101")] == ["102"]


@pytest.mark.parametrize(
    ("said", "whose"),
    [
        ({"side": "SELL", "order_type": "STP"}, "s-000002"),
        ({"side": "SELL", "order_type": "STP", "stop_price": Decimal(8)}, "s-000002"),
        ({"side": "SELL", "order_type": "STP", "stop_price": Decimal(7)}, None),
        ({"side": "SELL", "order_type": "LMT"}, "s-000003"),
        ({"side": "SELL", "order_type": "LMT", "limit_price": Decimal(12)}, "s-000003"),
        ({"side": "SELL", "order_type": "LMT", "limit_price": Decimal(11)}, None),
        (
            {"side": "SELL", "order_type": "LMT", "stop_price": Decimal(8)},
            "s-000003",
        ),  # our ticket has no stop to differ
        ({"side": "BUY", "order_type": "LMT"}, None),
        ({"side": "SELL"}, None),
        ({"order_type": "LMT"}, None),
    ],
)
def test_a_child_without_a_name_is_told_by_parent_side_type_and_price(said: dict[str, Any], whose: str | None) -> None:
    here = knows(ticket(), STOP, TARGET, ids={COID: "101"})
    assert here.see(row("102", parent_id="101", **said)) == whose
    assert knows(ticket(), STOP, TARGET, ids={COID: "101"}).see(row("102", parent_id="999", **said)) is None
    assert knows(ticket(), STOP, TARGET).see(row("102", parent_id="101", **said)) is None


def test_two_alike_are_not_guessed_at_until_one_is_known() -> None:
    twin = ticket("s-000004", parent=COID, side=Side.SELL, limit_price=Decimal(12))
    here = knows(ticket(), TARGET, twin, ids={COID: "101"})
    said = {"side": "SELL", "order_type": "LMT", "parent_id": "101"}
    assert here.see(row("102", **said)) is None
    here.bind("s-000003", "103")
    assert here.see(row("102", **said)) == "s-000004"


def test_what_is_forgotten_is_gone_both_ways() -> None:
    here = knows(ticket(), STOP, ids={COID: "101"})
    here.see(row("101", coid=COID))
    here.bind("s-000002", "102")
    here.forget([COID, "s-000002", "s-000009"], 0)
    assert (here.id_of, here.coid_of, here.copies) == ({}, {}, {})
