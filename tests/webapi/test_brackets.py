"""Children of a bracket are known by what tells them apart, and left unsettled where nothing does."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from engine.domain.ticket import OrderType, Side
from engine.webapi.brackets import children, order_type
from engine.webapi.codecs.orders import order_row
from engine.webapi.facts.orders import OrderRow
from tests.domain.made import ticket

D = Decimal
TARGET = ticket(5, coid="s-000002", parent="s-000001", side=Side.SELL, limit_price=D(12))
STOP = ticket(5, coid="s-000003", parent="s-000001", side=Side.SELL, order_type=OrderType.STOP, stop_price=D(8))


def row(order_id: int, **keys: Any) -> OrderRow:
    got = order_row({"orderId": order_id, "parentId": 1, "side": "SELL", "totalSize": 5.0, **keys})
    assert isinstance(got, OrderRow)
    return got


def test_target_and_stop_are_told_apart_in_any_order() -> None:
    rows = [
        row(1, parentId=None, side="BUY", origOrderType="LIMIT"),
        row(2, origOrderType="LIMIT", price="12.00"),
        row(3, origOrderType="STOP", price="8.00"),
        row(4, parentId=99, origOrderType="STOP", price="8.00"),
    ]
    for mixed in permutations(rows):
        assert children(1, [TARGET, STOP], mixed) == {"s-000002": 2, "s-000003": 3}


def test_targets_of_one_type_are_told_apart_by_their_price() -> None:
    other = ticket(5, coid="s-000004", parent="s-000001", side=Side.SELL, limit_price=D(13))
    rows = [row(2, orderType="Limit", price="13"), row(3, orderType="Limit", price="12")]
    assert children(1, [TARGET, other], rows) == {"s-000002": 3, "s-000004": 2}


def test_what_is_alike_stays_unsettled() -> None:
    twin = ticket(5, coid="s-000004", parent="s-000001", side=Side.SELL, limit_price=D(12))
    one, two = row(2, orderType="Limit", price="12"), row(3, orderType="Limit", price="12")
    assert children(1, [TARGET, twin], [one, two]) == {}
    assert children(1, [TARGET, twin], [one]) == {}
    assert children(1, [TARGET], [one, two]) == {}


def test_a_child_that_echoes_its_id_is_known_by_it() -> None:
    twin = ticket(5, coid="s-000004", parent="s-000001", side=Side.SELL, limit_price=D(12))
    rows = [row(2, orderType="Limit", price="12", order_ref="s-000004"), row(3, orderType="Limit", price="12")]
    assert children(1, [TARGET, twin], rows) == {"s-000002": 3, "s-000004": 2}


@pytest.mark.parametrize(
    "keys",
    [
        {"side": "BUY", "orderType": "Limit"},
        {"orderType": "Stop"},
        {"orderType": "???"},
        {},
        {"orderType": "Limit", "price": "11"},
        {"orderType": "Limit", "totalSize": 4.0},
    ],
)
def test_what_does_not_fit_is_not_taken(keys: dict[str, Any]) -> None:
    assert children(1, [TARGET], [row(2, **keys)]) == {}


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("Stop Limit", OrderType.STOP_LIMIT),
        ("STOP_LIMIT", OrderType.STOP_LIMIT),
        ("LIMITONCLOSE", OrderType.LIMIT_ON_CLOSE),
        ("Market", OrderType.MARKET),
        ("RELATIVE", None),
    ],
)
def test_types_as_they_are_printed(printed: str, read: OrderType | None) -> None:
    assert order_type(row(1, orderType=printed)) is read
    assert order_type(row(1, origOrderType=printed)) is read
