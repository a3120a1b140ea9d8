"""Allocation groups, presets, and how an order for a group is shared out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.gateway.groups import shared
from tests.gateway.desk_fakes import ACCOUNT, Bench, limit
from tests.gateway.published import deviations

BASE = "/iserver/account/allocation"
SECOND = "DU1234568"


def bench() -> Bench:
    return Bench(accounts=[ACCOUNT, SECOND])


def group(method: str = "E", name: str = "team", amounts: dict[str, Any] | None = None) -> dict[str, Any]:
    """A group of both accounts."""
    members: list[dict[str, Any]] = [{"name": account} for account in (ACCOUNT, SECOND)]
    for member in members:
        if amounts is not None and member["name"] in amounts:
            member["amount"] = amounts[member["name"]]
    return {"name": name, "default_method": method, "accounts": members}


def test_a_group_from_its_making_to_its_end() -> None:
    made = bench()
    assert made.call("POST", f"{BASE}/group", group()).body == {"success": True}
    assert made.call("POST", f"{BASE}/group", group()).status == 400
    heads = made.call("GET", f"{BASE}/group").body
    assert heads == {"data": [{"allocation_method": "E", "size": 2, "name": "team"}]}
    assert made.call("POST", f"{BASE}/group/single", {"name": "team"}).body == group()
    renamed = group("S", "crew", amounts={ACCOUNT: 3, SECOND: 1}) | {"prev_name": "team"}
    assert made.call("PUT", f"{BASE}/group", renamed).body == {"success": True}
    assert made.call("POST", f"{BASE}/group/single", {"name": "team"}).status == 400
    assert made.call("GET", "/iserver/accounts").body["groups"] == ["crew"]
    assert made.call("POST", f"{BASE}/group/delete", {"name": "crew"}).body == {"success": True}
    assert made.call("POST", f"{BASE}/group/delete", {"name": "crew"}).status == 400
    assert made.call("PUT", f"{BASE}/group", group()).status == 400


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        group("X"),
        group("P"),
        group("S", amounts={ACCOUNT: 3, SECOND: 0}),
        group(name=""),
        group(name=ACCOUNT),
        group() | {"accounts": []},
        group() | {"accounts": [{"name": "U9"}]},
        group() | {"accounts": [{"name": ACCOUNT}, {"name": ACCOUNT}]},
        group() | {"accounts": [ACCOUNT]},
    ],
)
def test_what_is_no_group(body: Any) -> None:
    assert bench().call("POST", f"{BASE}/group", body).status == 400


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (group("E"), [50, 50]),
        (group("N"), [50, 50]),
        (group("R", amounts={ACCOUNT: 3, SECOND: 1}), [75, 25]),
        (group("P", amounts={ACCOUNT: "66.6", SECOND: "33.4"}), [67, 33]),
    ],
)
def test_an_order_is_shared_by_the_groups_method(made: dict[str, Any], wanted: list[int]) -> None:
    desk = bench()
    desk.call("POST", f"{BASE}/group", made)
    asked = desk.place(limit(), account="team").body[0]
    assert asked["messageIds"] == ["p6"]
    desk.reply(asked["id"])
    assert [order.ticket.quantity for order in desk.exchange.open_orders()] == wanted
    assert [order.account for order in desk.exchange.open_orders()] == [ACCOUNT, SECOND]


WEIGHTS = st.lists(st.decimals(0, 1_000_000, places=2), min_size=1, max_size=8)


@given(steps=st.integers(1, 10**9), weights=WEIGHTS)
def test_nothing_is_lost_in_the_sharing(steps: int, weights: list[Decimal]) -> None:
    parts = shared(Decimal(steps), weights)
    total = sum(weights)
    assert sum(parts) == steps
    assert all(part >= 0 and part == part.to_integral_value() for part in parts)
    if total:
        assert all(abs(part - steps * weight / total) < 1 for part, weight in zip(parts, weights, strict=True))


def test_presets_are_kept_and_checked() -> None:
    made = bench()
    assert made.call("GET", f"{BASE}/presets").body["default_method_for_all"] == "AvailableEquity"
    assert made.call("POST", f"{BASE}/presets", {"strict_credit_check": True}).body == {"success": True}
    assert made.call("GET", f"{BASE}/presets").body["strict_credit_check"] is True
    assert made.call("POST", f"{BASE}/presets", {"strict_credit_check": 1}).status == 400
    assert made.call("POST", f"{BASE}/presets", {"other": True}).status == 400


@pytest.mark.parametrize("template", ["accounts", "group", "presets"])
def test_as_published(template: str) -> None:
    made = bench()
    made.call("POST", f"{BASE}/group", group())
    assert deviations("GET", f"{BASE}/{template}", made.call("GET", f"{BASE}/{template}").body) == set()
