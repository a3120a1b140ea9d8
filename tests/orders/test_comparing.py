"""Our ticket against the venue's copy: what a copy may leave out, what not, and how a combo's reads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.brokerage import VenueOrder
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.orders.comparing import Difference, differences

TICKET = OrderTicket(
    coid="s-000001",
    strategy="s",
    account="DU1",
    conid=8314,
    side=Side.BUY,
    order_type=OrderType.STOP_LIMIT,
    quantity=Decimal(5),
    limit_price=Decimal(10),
    stop_price=Decimal(9),
)
COPY: dict[str, Any] = {
    "order_id": "7",
    "conid": 8314,
    "side": "BUY",
    "order_type": "STOP_LIMIT",
    "tif": "DAY",
    "status": "Submitted",
    "total": Decimal(5),
    "filled": Decimal(0),
    "limit_price": Decimal(10),
    "stop_price": Decimal(9),
    "outside_rth": False,
    "seen_ns": 1,
}


def compare(**other: Any) -> list[Difference]:
    return differences(
        Order(ticket=TICKET, state=State.WORKING), TICKET, VenueOrder(**{**COPY, **other}), parent_id=None
    )


def test_the_same_order_differs_in_nothing() -> None:
    assert compare() == []


@pytest.mark.parametrize(
    ("field", "name", "ours"),
    [
        ("conid", "conid", "8314"),
        ("side", "side", "BUY"),
        ("order_type", "order type", "STOP_LIMIT"),
        ("total", "quantity", "5"),
        ("filled", "filled quantity", "0"),
        ("limit_price", "limit price", "10"),
    ],
)
def test_what_a_modification_cannot_do_without_must_be_told(field: str, name: str, ours: str) -> None:
    assert compare(**{field: None}) == [Difference(name, ours, "not told")]


@pytest.mark.parametrize("field", ["tif", "stop_price", "outside_rth"])
def test_what_the_venue_may_leave_out_does_not_differ(field: str) -> None:
    assert compare(**{field: None}) == []


@pytest.mark.parametrize(
    ("field", "value", "difference"),
    [
        ("conid", 1, Difference("conid", "8314", "1")),
        ("order_type", "LMT", Difference("order type", "STOP_LIMIT", "LMT")),
        ("tif", "GTC", Difference("tif", "DAY", "GTC")),
        ("stop_price", Decimal("9.5"), Difference("stop price", "9", "9.5")),
        ("outside_rth", True, Difference("outside hours", "False", "True")),
    ],
)
def test_each_field_that_differs_is_named(field: str, value: object, difference: Difference) -> None:
    assert compare(**{field: value}) == [difference]


def test_a_closing_order_of_the_day_is_told_by_its_other_name() -> None:
    assert compare(tif="CLOSE") == []
    gtc, copy = replace(TICKET, tif=Tif.GTC), VenueOrder(**{**COPY, "tif": "CLOSE"})
    found = differences(Order(ticket=gtc, state=State.WORKING), gtc, copy, parent_id=None)
    assert found == [Difference("tif", "GTC", "CLOSE")]


def test_the_copy_of_a_combo_goes_by_legs_and_its_conid_says_nothing() -> None:
    assert compare(conid=28812380, conidex="28812380;;;8314/1,9579970/-1") == []
    assert compare(conid=1, conidex="1@SMART") == [Difference("conid", "8314", "1")]


def test_a_child_is_the_same_only_under_its_parent() -> None:
    child = replace(TICKET, parent="s-000000")
    order = Order(ticket=child, state=State.WORKING)
    under = [VenueOrder(**{**COPY, "parent_id": number}) for number in ("6", "5")]
    assert differences(order, child, under[0], parent_id="6") == []
    assert differences(order, child, under[1], parent_id="6") == [Difference("parent", "6", "5")]
    assert differences(order, TICKET, under[0], parent_id=None) == [Difference("parent", "none", "6")]


def test_a_stop_price_that_the_venue_tells_of_an_order_without_one_is_no_difference() -> None:
    limit = replace(TICKET, order_type=OrderType.LIMIT, stop_price=None)
    copy = VenueOrder(**{**COPY, "order_type": "LMT", "stop_price": Decimal(0)})
    assert differences(Order(ticket=limit, state=State.WORKING), limit, copy, parent_id=None) == []
