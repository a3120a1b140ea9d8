"""The full-ticket rule, and what a modification becomes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from engine.gateway.options import Questions
from tests.gateway.desk_fakes import AAPL, ACCOUNT, QUIET, SPY, Bench, Profile, limit, market

FULL = limit(cOID="mine", outsideRTH=True, listingExchange="SMART", ticker="AAPL", referrer="QuickTrade")


@pytest.mark.parametrize(("profile", "path"), [("observed", ""), ("documented", ":")])
def test_the_official_modification(profile: Profile, path: str) -> None:
    bench = Bench(profile)
    bench.place(limit())
    answer = bench.call("POST", f"/iserver/account/{path}DU1234567/order/{path}987655", limit(price=166))
    row = {"order_id": "987655", "order_status": "Submitted", "encrypt_message": "1"}
    assert answer.body == ([row] if profile == "observed" else row)
    assert bench.exchange.live[987655].ticket.limit_price == Decimal(166)


@pytest.mark.parametrize(
    "name", ["side", "orderType", "tif", "quantity", "price", "outsideRTH", "listingExchange", "conid"]
)
def test_an_instruction_that_is_missing_is_named(name: str) -> None:
    bench = Bench()
    order_id = bench.placed(FULL)
    answer = bench.modify(order_id, {key: value for key, value in FULL.items() if key != name})
    assert answer.status == 400
    assert answer.body["error"].startswith(f"{name} is missing")
    assert bench.exchange.live[order_id].wire == FULL


@pytest.mark.parametrize("name", ["cOID", "ticker", "referrer"])
def test_an_identifier_may_be_left_out_but_not_differ(name: str) -> None:
    bench = Bench()
    order_id = bench.placed(FULL)
    short = {key: value for key, value in FULL.items() if key != name}
    assert bench.modify(order_id, short | {"price": 166}).status == 200
    answer = bench.modify(order_id, FULL | {name: "other"})
    assert (answer.status, answer.body["error"]) == (400, f"{name} differs from the original order's")
    assert bench.modify(order_id, FULL | {"price": 165.5}).status == 200  # it was kept from the original


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"side": "SELL"}, "side"),
        ({"conid": SPY}, "conid"),
        ({"orderType": "MIDPRICE"}, "orderType"),
        ({"listingExchange": "NASDAQ"}, "listingExchange"),
        ({"acctId": "DU7"}, "acctId"),
        ({"secType": "265598:OPT"}, "secType"),
        ({"parentId": "x"}, "parentId"),
        ({"strategy": "Adaptive"}, "strategy"),
        ({"isSingleGroup": True}, "isSingleGroup"),
        ({"tif": "IOC"}, "tif"),
        ({"quantity": "all"}, "quantity"),
        ({"conidex": "265598@SMART"}, "conid"),
    ],
)
def test_what_can_not_be_changed_is_named(change: dict[str, Any], field: str) -> None:
    bench = Bench()
    order_id = bench.placed(FULL)
    answer = bench.modify(order_id, FULL | change)
    assert answer.status == 400
    assert field in answer.body["error"]
    assert bench.exchange.live[order_id].wire == FULL


@pytest.mark.parametrize(
    "change",
    [
        {"price": "165.50"},
        {"price": 165.5, "tif": "GTC"},
        {"quantity": 150},
        {"outsideRTH": False},
        {"acctId": ACCOUNT, "secType": "265598:STK"},
        {"quantity": "100", "conid": "265598"},
        {"conid": None, "conidex": "265598@SMART"},
        {"isSingleGroup": False},
        {"manualOrderTime": 1_710_165_600},
    ],
)
def test_what_may_be_changed_or_said_otherwise(change: dict[str, Any]) -> None:
    bench = Bench()
    order_id = bench.placed(FULL)
    answer = bench.modify(order_id, FULL | change)
    assert answer.status == 200, answer
    ticket = bench.exchange.live[order_id].ticket
    assert ticket.limit_price == Decimal(str(change.get("price", 165)))
    assert ticket.quantity == int(change.get("quantity", 100))
    assert (ticket.coid, str(ticket.tif)) == (str(order_id), change.get("tif", "DAY"))


@pytest.mark.parametrize("body", [None, [], [limit()], {}, "x", {"orders": [limit()]}])
def test_a_modification_is_one_ticket(body: object) -> None:
    bench = Bench()
    order_id = bench.placed(limit())
    assert bench.modify(order_id, body).status == 400


@pytest.mark.parametrize(("profile", "status"), [("observed", 400), ("documented", 200)])
def test_an_order_that_does_not_exist(profile: Profile, status: int) -> None:
    answer = Bench(profile).modify(123456, limit())
    assert (answer.status, answer.body) == (status, {"error": "OrderID 123456 doesn't exist"})


def test_dead_and_foreign_orders_and_words_for_ids() -> None:
    bench = Bench(accounts=[ACCOUNT, "DU1234568"])
    order_id = bench.placed(limit())
    assert bench.call("POST", f"/iserver/account/DU1234568/order/{order_id}", limit()).status == 400
    assert bench.call("POST", f"/iserver/account/{ACCOUNT}/order/abc", limit()).status == 400
    assert bench.call("POST", f"/iserver/account/{ACCOUNT}/order/{'9' * 30}", limit()).status == 400
    bench.exchange.fill(order_id, 100)
    answer = bench.modify(order_id, limit(price=166))
    assert (answer.status, "Filled" in answer.body["error"]) == (400, True)


def test_the_quantity_is_the_total() -> None:
    bench = Bench()
    order_id = bench.placed(limit())
    bench.exchange.fill(order_id, 40)
    assert "quantity" in bench.modify(order_id, limit(quantity=39)).body["error"]
    assert bench.modify(order_id, limit(quantity=41)).status == 200
    assert bench.exchange.live[order_id].remaining == 1


def test_a_large_change_of_size_is_asked_about() -> None:
    bench = Bench(questions=evolve(QUIET, size_change_percent=Decimal(50)))
    order_id = bench.placed(limit())
    assert bench.modify(order_id, limit(quantity=150)).body[0]["order_id"] == str(order_id)
    asked = bench.modify(order_id, limit(quantity=226)).body[0]
    assert asked["messageIds"] == ["o10138"]
    assert bench.exchange.live[order_id].ticket.quantity == 150
    bench.reply(asked["id"])
    assert bench.exchange.live[order_id].ticket.quantity == 226


def test_only_what_is_new_is_asked_about() -> None:
    bench = Bench(questions=Questions(cap_percent=Decimal(50)))
    first = bench.place(limit(price=150, quantity=501)).body[0]["id"]
    second = bench.reply(first).body[0]["id"]
    order_id = int(bench.reply(second).body[0]["order_id"])
    far = limit(price=150, quantity=501)
    assert "order_id" in bench.modify(order_id, far | {"tif": "GTC"}).body[0]
    assert bench.modify(order_id, far | {"price": 151}).body[0]["messageIds"] == ["o163"]
    assert bench.modify(order_id, far | {"quantity": 502}).body[0]["messageIds"] == ["o383"]


def test_a_declined_modification_leaves_the_order_as_it_was() -> None:
    bench = Bench(questions=evolve(QUIET, size_change_percent=Decimal(1)))
    order_id = bench.placed(limit())
    asked = bench.modify(order_id, limit(quantity=150)).body[0]["id"]
    bench.reply(asked, False)
    order = bench.exchange.live[order_id]
    assert (order.status, order.ticket.quantity) == ("Submitted", Decimal(100))


def test_an_order_that_ends_while_its_modification_is_in_question() -> None:
    bench = Bench(questions=evolve(QUIET, size_change_percent=Decimal(1)))
    order_id = bench.placed(limit())
    asked = bench.modify(order_id, limit(quantity=150)).body[0]["id"]
    bench.exchange.fill(order_id, 100)
    assert bench.reply(asked).status == 400
    assert bench.exchange.live[order_id].ticket.quantity == 100


def test_a_modification_that_can_not_be_paid_is_refused() -> None:
    bench = Bench(room=Decimal(20_000))
    order_id = bench.placed(limit())  # 16,500
    assert "insufficient" in bench.modify(order_id, limit(quantity=222)).body["error"]  # 20,130 more
    assert "insufficient" in bench.modify(order_id, limit(price=366)).body["error"]  # 20,100 more
    assert bench.modify(order_id, limit(quantity=90)).status == 200


def test_the_amount_that_sized_an_order_stays() -> None:
    bench = Bench()
    bench.call("POST", "/iserver/questions/suppress", {"messageIds": ["o10164", "o10223"]})
    ticket = limit(quantity=None, cashQty=1_000, price=100)
    order_id = bench.placed(ticket)
    bench.modify(order_id, ticket | {"price": 50})
    order = bench.exchange.live[order_id]
    assert (order.ticket.quantity, order.ticket.limit_price) == (Decimal(10), Decimal(50))
    answer = bench.modify(order_id, ticket | {"cashQty": 900})
    assert answer.body["error"] == "cashQty of an order can't be changed"


def test_a_child_keeps_its_parent() -> None:
    bench = Bench()
    child = limit(side="SELL", price=180, parentId="entry")
    bench.place(limit(cOID="entry"), child)
    assert bench.modify(987656, child | {"price": 181}).status == 200
    assert bench.modify(987656, {k: v for k, v in child.items() if k != "parentId"}).status == 200
    assert bench.modify(987656, child | {"parentId": "987655"}).status == 200
    assert bench.exchange.live[987656].ticket.parent == "987655"


def test_an_order_in_question_can_not_be_modified_and_its_question_stays() -> None:
    bench = Bench(questions=Questions())
    asked = bench.place(limit(quantity=501)).body[0]["id"]
    assert bench.modify(987655, limit(quantity=501)).body == {"error": "Order is inactive"}
    assert bench.reply(asked).status == 200


def test_a_market_order_can_not_get_a_price() -> None:
    bench = Bench()
    order_id = bench.placed(market())
    assert bench.modify(order_id, market(price=165)).body == {"error": "MKT takes no price."}
    assert bench.exchange.live[order_id].ticket.conid == AAPL
