"""The desk on the real exchange: orders that fill, exits that follow, books that are read back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.gateway.desk_fakes import AAPL, ACCOUNT, limit, market
from tests.gateway.floor import IBM, Floor


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_a_market_order_goes_through_its_statuses_and_fills(floor: Floor) -> None:
    (row,) = floor.place(market(cOID="mine"))
    order_id = int(row["order_id"])
    assert (row["order_status"], row["local_order_id"]) == ("PreSubmitted", "mine")
    floor.wait(3)
    assert floor.statuses[order_id] == ["Inactive", "PendingSubmit", "PreSubmitted", "Submitted", "Filled"]
    assert (floor.rows()[order_id]["filledQuantity"], floor.rows()[order_id]["status"]) == (10.0, "Filled")
    trades = floor.call("GET", "/iserver/account/trades").body
    assert sum(trade["size"] for trade in trades) == 10.0
    assert {(trade["order_id"], trade["order_ref"], trade["side"]) for trade in trades} == {(order_id, "mine", "B")}
    assert {trade["execution_id"] for trade in trades} == {news.execution.execution_id for news in floor.fills}
    (position,) = floor.exchange.positions(ACCOUNT)
    assert (position.conid, position.quantity) == (AAPL, Decimal(10))


def test_exits_come_alive_with_their_entry_and_end_one_another(floor: Floor) -> None:
    price = floor.bid(AAPL)
    rows = floor.place(
        market(cOID="entry"),
        limit(side="SELL", quantity=10, price=round(price + 0.04, 2), parentId="entry"),
        limit(side="SELL", quantity=10, price=round(price - 20, 2), orderType="STP", parentId="entry"),
    )
    ids = {row.get("local_order_id", "exit"): int(row["order_id"]) for row in rows}
    floor.wait(1)
    assert floor.rows()[ids["entry"]]["status"] == "Filled"
    floor.wait(600)
    live = floor.rows()
    exits = [row for row in live.values() if row.get("parentId") == ids["entry"]]
    assert {row["orderType"]: row["status"] for row in exits} == {"Limit": "Filled", "Stop": "Cancelled"}
    assert all(position.quantity == 0 for position in floor.exchange.positions(ACCOUNT))


def test_a_modification_and_a_cancel_reach_the_venue(floor: Floor) -> None:
    ticket = limit(price=round(floor.bid(AAPL) - 2, 2))
    order_id = int(floor.place(ticket)[0]["order_id"])
    floor.wait(1)
    path = f"/iserver/account/{ACCOUNT}/order/{order_id}"
    assert floor.call("POST", path, ticket | {"quantity": 50}).status == 200
    floor.wait(1)
    assert floor.rows()[order_id]["totalSize"] == 50.0
    assert floor.call("DELETE", path).body["order_id"] == order_id
    floor.wait(1)
    assert floor.statuses[order_id][-2:] == ["PendingCancel", "Cancelled"]
    assert floor.call("DELETE", path).status == 400


def test_a_deactivated_order_is_changed_and_then_transmitted(floor: Floor) -> None:
    ticket = limit(price=round(floor.bid(AAPL) - 2, 2), deactivated=True)
    order_id = int(floor.place(ticket)[0]["order_id"])
    floor.wait(60)
    assert floor.rows()[order_id]["status"] == "Inactive"
    path = f"/iserver/account/{ACCOUNT}/order/{order_id}"
    floor.call("POST", path, ticket | {"quantity": 7, "deactivated": False})
    floor.wait(1)
    assert (floor.rows()[order_id]["status"], floor.rows()[order_id]["totalSize"]) == ("Submitted", 7.0)


def test_a_combo_executes_by_legs_and_is_one_order(floor: Floor) -> None:
    text = f"28812380;;;{AAPL}/1,{IBM}/-1"
    (row,) = floor.place(market(conid=None, conidex=text))
    floor.wait(10)
    live = floor.rows()[int(row["order_id"])]
    assert (live["status"], live["conidex"], live["conid"]) == ("Filled", text, 28812380)
    held = {position.conid: position.quantity for position in floor.exchange.positions(ACCOUNT)}
    assert held == {AAPL: 10, IBM: -10}
    trades = floor.call("GET", "/iserver/account/trades").body
    assert {trade["conid"]: trade["side"] for trade in trades} == {AAPL: "B", IBM: "S"}


def test_what_the_account_can_not_pay_is_refused_and_leaves_no_row(floor: Floor) -> None:
    body = {"orders": [limit(quantity=100_000)]}
    answer = floor.call("POST", f"/iserver/account/{ACCOUNT}/orders", body)
    assert "EQUITY" in answer.body["error"]
    assert floor.rows() == {}


def test_cancelling_all_leaves_nothing_open(floor: Floor) -> None:
    price = round(floor.bid(AAPL) - 3, 2)
    group = [limit(price=price, isSingleGroup=True), limit(price=price - 1, isSingleGroup=True)]
    floor.place(*group)
    floor.place(limit(price=price, cOID="entry"), limit(side="SELL", price=price + 9, parentId="entry"))
    floor.wait(1)
    floor.call("DELETE", f"/iserver/account/{ACCOUNT}/order/-1")
    floor.wait(1)
    assert [row["status"] for row in floor.rows().values()] == ["Cancelled"] * 4


def test_a_preview_agrees_with_what_the_order_costs(floor: Floor) -> None:
    ticket = market(quantity=100)
    preview = floor.call("POST", f"/iserver/account/{ACCOUNT}/orders/whatif", {"orders": [ticket]}).body
    assert preview["error"] is None
    floor.place(ticket)
    floor.wait(5)
    paid = sum(float(news.execution.commission) for news in floor.fills if news.commission_known)
    assert float(preview["amount"]["commission"].removesuffix(" USD")) == pytest.approx(paid, abs=0.01)
    assert preview["position"] == {"current": "0", "change": "100", "after": "100"}
