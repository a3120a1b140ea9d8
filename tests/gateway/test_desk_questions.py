"""Questions: what raises which, chains, suppression, and what a reply does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from ibind.client.ibkr_utils import _MESSAGE_ID_TO_QUESTION_TYPE, QuestionType

from engine.domain.moments import END_OF_TIME_NS
from engine.gateway.options import Questions
from tests.gateway.desk_fakes import AAPL, ACCOUNT, BTC, DARK, EUR, QUIET, SECOND, Bench, Profile, limit, market

ALL = Questions(market_risk=True, stop_detail=True, cap_percent=Decimal(5))


def ids(answer: Any) -> list[str]:
    """The ids of the first question."""
    assert answer.status == 200, answer
    return list(answer.body[0].get("messageIds", ()))


def chain(bench: Bench, ticket: dict[str, Any]) -> list[list[str]]:
    """Confirm every question; return their ids in order."""
    seen, answer = [], bench.place(ticket)
    while isinstance(answer.body, list) and "messageIds" in answer.body[0]:
        seen.append(ids(answer))
        answer = bench.reply(answer.body[0]["id"])
    assert "order_id" in answer.body[0], answer
    return seen


@pytest.mark.parametrize(
    ("ticket", "asked"),
    [
        (limit(), []),  # 165 lies 2.03 percent below 168.42
        (limit(price=163.37), []),  # 2.999 percent
        (limit(price=163.3), [["o163"]]),  # 3.04 percent
        (limit(price=174, quantity=10), [["o163"]]),
        (limit(price=150), [["o163"], ["o10153"]]),  # 10.9 percent
        (limit(conid=DARK), [["o354"]]),
        (limit(price=165.005), [["o382"]]),
        (limit(quantity=500), []),
        (limit(quantity=501), [["o383"]]),
        (limit(quantity=606), [["o383"]]),  # 99,990 USD
        (limit(quantity=607), [["o383", "o451"]]),  # 100,155 USD
        (market(), [["o10151"]]),
        (market(conid=BTC, quantity=1), [["o10151", "o10288"]]),
        (limit(orderType="STP", price=180), [["o10331"], ["o10152"]]),
        (limit(orderType="STP", price=168.43), [["o10331"], ["o10152"], ["o403"]]),
        (limit(orderType="STP", price=168.44), [["o10331"], ["o10152"]]),
        (limit(orderType="STP", price=168.41, side="SELL"), [["o10331"], ["o10152"], ["o403"]]),
        (limit(orderType="STP", price=168.40, side="SELL"), [["o10331"], ["o10152"]]),
        (market(quantity=None, cashQty=1_000), [["o10151"], ["o10164"], ["o10223"]]),
        (limit(conid=EUR, quantity=100.5, price=1.08, outsideRTH=True), [["o2165"]]),
    ],
)
def test_each_trigger_and_its_boundary(ticket: dict[str, Any], asked: list[list[str]]) -> None:
    rules = evolve(ALL, cap_percent=Decimal(10))
    assert chain(Bench(questions=rules), ticket) == asked


def test_a_market_order_outside_regular_hours_may_be_capped() -> None:
    bench = Bench(questions=evolve(QUIET, market_cap=True))
    assert chain(bench, market()) == []
    bench.exchange.open_market = False
    assert chain(bench, market()) == [["o10153"]]


def test_turning_a_position_over_is_asked_about() -> None:
    bench = Bench()
    bench.exchange.holdings[AAPL] = Decimal(100)
    assert chain(bench, limit(side="SELL", quantity=100)) == []
    assert chain(bench, limit(side="SELL", quantity=101)) == [["o2137"]]
    assert chain(bench, limit(side="BUY", quantity=101)) == []
    bench.exchange.holdings[AAPL] = Decimal(-5)
    assert chain(bench, limit(side="BUY", quantity=6)) == [["o2137"]]


def test_the_official_question_word_for_word() -> None:
    bench = Bench(questions=Questions(price_percent=Decimal(2)))
    row = bench.place(limit()).body[0]
    assert row["message"] == [
        'The following order "BUY 100 AAPL NASDAQ.NMS @ 165.00" price exceeds \n'
        "the Percentage constraint of 2%.\nAre you sure you want to submit this order?"
    ]
    assert set(row) == {"id", "message", "isSuppressed", "messageIds", "messageOptions"}
    documented = Bench("documented", Questions(price_percent=Decimal(2))).place(limit()).body[0]
    assert set(documented) == {"id", "message", "isSuppressed", "messageIds"}


@pytest.mark.parametrize(
    ("ticket", "name"),
    [
        (limit(price=160), "o163"),
        (limit(conid=DARK), "o354"),
        (limit(price=165.005), "o382"),
        (limit(quantity=501), "o383"),
        (limit(orderType="STP", price=160), "o403"),
        (limit(quantity=400, price=300), "o451"),
        (market(), "o10151"),
        (limit(orderType="STP", price=180), "o10152"),
        (limit(price=100), "o10153"),
        (market(quantity=None, cashQty=1_000), "o10164"),
        (market(quantity=None, cashQty=1_000), "o10223"),
        (limit(orderType="STP", price=180), "o10331"),
    ],
)
def test_a_clients_english_match_finds_its_question(ticket: dict[str, Any], name: str) -> None:
    """ibind looks for a phrase of its own in the text, newlines taken out."""
    bench = Bench(questions=ALL)
    wanted: QuestionType = _MESSAGE_ID_TO_QUESTION_TYPE[name][0]
    bench.call(
        "POST", "/iserver/questions/suppress", {"messageIds": [i for i in _MESSAGE_ID_TO_QUESTION_TYPE if i != name]}
    )
    row = bench.place(ticket).body[0]
    assert row["messageIds"] == [name]
    assert str(wanted) in row["message"][0].strip().replace("\n", "")


def test_an_order_in_question_is_listed_and_not_at_the_venue() -> None:
    bench = Bench()
    answer = bench.place(limit(conid=DARK, cOID="one"))
    row = bench.orders()[0]
    assert (row["status"], row["order_ccp_status"], row["order_ref"]) == ("Inactive", "Pending Submit", "one")
    assert bench.exchange.released == []
    cancel = bench.call("DELETE", f"/iserver/account/{ACCOUNT}/order/{row['orderId']}")
    assert (cancel.status, cancel.body) == (400, {"error": "Order is inactive"})
    done = bench.reply(answer.body[0]["id"]).body[0]
    assert done == {
        "order_id": str(row["orderId"]),
        "order_status": "Submitted",
        "encrypt_message": "1",
        "local_order_id": "one",
    }
    assert bench.exchange.released == [row["orderId"]]


def test_each_question_of_a_chain_has_its_own_id_and_counts_once() -> None:
    bench = Bench(questions=Questions(cap_percent=Decimal(10)))
    first = bench.place(limit(price=100)).body[0]["id"]
    second = bench.reply(first).body[0]["id"]
    assert second != first
    again = bench.reply(first)
    assert (again.status, again.body) == (400, {"error": f"reply id not found: '{first}'"})
    assert "order_id" in bench.reply(second).body[0]
    assert bench.reply(second).status == 400
    assert len(bench.exchange.released) == 1


@pytest.mark.parametrize(
    ("profile", "status", "text"),
    [("observed", 400, "Order not confirmed"), ("documented", 200, "Order not confirmed ")],
)
def test_a_declined_order_is_discarded(profile: Profile, status: int, text: str) -> None:
    bench = Bench(profile)
    asked = bench.place(limit(conid=DARK, cOID="one")).body[0]["id"]
    answer = bench.reply(asked, False)
    assert (answer.status, answer.body) == (status, {"error": text})
    assert bench.exchange.open_orders() == []
    assert bench.reply(asked).status == 400
    assert bench.exchange.released == []
    bench.place(limit(cOID="one"))  # it never reached the venue, so its name is free
    assert len(bench.exchange.released) == 1


@pytest.mark.parametrize("confirmed", ["true", 1, None, [True]])
def test_confirmed_must_be_a_json_boolean(confirmed: object) -> None:
    bench = Bench()
    asked = bench.place(limit(conid=DARK)).body[0]["id"]
    assert bench.reply(asked, confirmed).status == 500
    assert bench.call("POST", f"/iserver/reply/{asked}", None).status == 500
    assert bench.reply(asked).status == 200  # the question stayed open


@pytest.mark.parametrize(("profile", "status"), [("observed", 400), ("documented", 503)])
def test_another_order_discards_the_one_in_question(profile: Profile, status: int) -> None:
    bench = Bench(profile)
    asked = bench.place(limit(conid=DARK)).body[0]["id"]
    bench.place(limit())
    assert bench.reply(asked).status == status
    assert len(bench.exchange.released) == 1


def test_reads_and_cancels_leave_a_question_open() -> None:
    bench = Bench()
    order_id = bench.placed(limit())
    asked = bench.place(limit(conid=DARK)).body[0]["id"]
    bench.orders()
    bench.call("GET", f"/iserver/account/order/status/{order_id}")
    bench.call("DELETE", f"/iserver/account/{ACCOUNT}/order/{order_id}")
    assert bench.reply(asked).status == 200


def test_a_question_expires() -> None:
    bench = Bench()
    early = bench.place(limit(conid=DARK)).body[0]["id"]
    bench.wait(29.9)
    assert bench.reply(early).status == 200
    late = bench.place(limit(conid=DARK)).body[0]["id"]
    bench.wait(30)
    assert bench.reply(late).body == {"error": f"reply id not found: '{late}'"}
    assert len(bench.exchange.released) == 1


def test_a_question_dies_with_its_session() -> None:
    bench = Bench()
    asked = bench.place(limit(conid=DARK)).body[0]["id"]
    bench.hall.renew_memory()
    assert bench.reply(asked).status == 400
    assert bench.exchange.released == []


def test_suppressed_questions_are_not_asked_until_reset() -> None:
    bench = Bench()
    suppress = "/iserver/questions/suppress"
    assert bench.call("POST", suppress, {"messageIds": ["o354"]}).body == {"status": "submitted"}
    assert bench.call("POST", suppress, {"messageIds": ["o163", "nonsense"]}).body == {"status": "submitted"}
    assert chain(bench, limit(conid=DARK)) == []  # the second list was added to the first
    assert bench.call("POST", f"{suppress}/reset").body == {"status": "submitted"}
    assert chain(bench, limit(conid=DARK)) == [["o354"]]


@pytest.mark.parametrize("body", [None, [], {}, {"messageIds": []}, {"messageIds": "o354"}, {"messageIds": [1]}])
def test_what_can_not_be_suppressed(body: object) -> None:
    assert Bench().call("POST", "/iserver/questions/suppress", body).status == 500


def test_at_most_51_ids_are_suppressed() -> None:
    bench = Bench()
    suppress = "/iserver/questions/suppress"
    assert bench.call("POST", suppress, {"messageIds": [f"o{i}" for i in range(52)]}).status == 500
    assert bench.call("POST", suppress, {"messageIds": [f"o{i}" for i in range(51)]}).status == 200
    assert bench.call("POST", suppress, {"messageIds": ["o99"]}).status == 500
    assert bench.call("POST", suppress, {"messageIds": ["o1"]}).status == 200


@pytest.mark.parametrize("by", ["chance", "script"])
def test_a_reply_that_fails_and_goes_live_later(by: str) -> None:
    bench = Bench(questions=evolve(QUIET, late_live=1.0 if by == "chance" else 0.0))
    asked = bench.place(limit(conid=DARK, cOID="one")).body[0]["id"]
    if by == "script":
        bench.hall.asked = frozenset({"late-live"})
    assert bench.reply(asked).status == 503
    bench.hall.asked = frozenset()
    assert bench.orders()[0]["status"] == "Inactive"
    assert "already registered" in bench.place(limit(cOID="one")).body["error"]
    bench.wait(5)
    assert bench.orders()[0]["status"] == "Submitted"
    bench.wait(60)
    assert len(bench.exchange.released) == 1


def test_a_late_modification_is_carried_out_once() -> None:
    bench = Bench(questions=evolve(QUIET, late_live=1.0, size_change_percent=Decimal(1)))
    order_id = bench.placed(limit())
    asked = bench.modify(order_id, limit(quantity=150)).body[0]["id"]
    assert bench.reply(asked).status == 503
    for _ in range(3):
        bench.wait(5)
    assert bench.exchange.changed == [order_id]


def test_what_was_in_question_when_the_gateway_went_down_is_discarded() -> None:
    bench = Bench()
    bench.place(limit(conid=DARK, cOID="one"))
    bench.place(limit(conid=DARK, cOID="two"))
    resting = int(bench.place(limit(deactivated=True)).body[0]["order_id"])
    later = Bench()
    later.exchange.live, later.exchange.next_id = bench.exchange.live, bench.exchange.next_id
    assert later.hall.desk.settle(later.hall)
    assert [order.order_id for order in later.exchange.live.values() if order.open] == [resting]
    assert later.place(limit(cOID="two")).body[0]["order_status"] == "Submitted"  # neither was ever sent
    assert not later.hall.desk.settle(later.hall)


def test_an_instrument_with_data_may_be_played_as_if_there_were_none() -> None:
    bench = Bench(questions=evolve(QUIET, blind=1.0))
    assert chain(bench, limit()) == [["o354"]]


def test_when_the_desk_wants_to_be_asked_again() -> None:
    bench = Bench(questions=evolve(QUIET, late_live=1.0))
    desk = bench.hall.desk
    assert desk.next_due_ns() == END_OF_TIME_NS
    asked = bench.place(limit(conid=DARK)).body[0]["id"]
    assert desk.next_due_ns() == bench.exchange.now_ns + 30 * SECOND
    bench.reply(asked)
    assert desk.next_due_ns() == bench.exchange.now_ns + 5 * SECOND


def test_cancelling_everything_reaches_what_would_go_live_later() -> None:
    bench = Bench(questions=evolve(QUIET, late_live=1.0))
    bench.reply(bench.place(limit(conid=DARK)).body[0]["id"])
    asked = bench.place(limit(conid=DARK)).body[0]["id"]
    answer = bench.call("DELETE", f"/iserver/account/{ACCOUNT}/order/-1")
    assert answer.body == {"msg": "Request was submitted", "order_id": -1, "conid": -1, "account": None}
    bench.wait(60)
    assert bench.exchange.released == []
    assert bench.reply(asked).status == 400


def test_a_limit_too_far_away_is_refused_with_a_prompt() -> None:
    bench = Bench(questions=evolve(QUIET, prompt_percent=Decimal(20)))
    far = limit(price=100, cOID="far")
    prompt = bench.place(far).body
    assert set(prompt) == {"orderId", "reqId", "dismissable", "text", "options", "type", "messageId", "prompt"}
    assert (prompt["messageId"], prompt["prompt"], prompt["type"]) == ("p12", True, "M")
    assert str(QuestionType.DISRUPTIVE_ORDERS) in prompt["text"]
    assert bench.exchange.open_orders() == []
    told = {"orderId": prompt["orderId"], "reqId": prompt["reqId"], "text": prompt["options"][0]}
    assert bench.call("POST", "/iserver/notification", {**told, "text": "Yes"}).status == 400
    assert bench.call("POST", "/iserver/notification", told).body == "Request was submitted"
    assert [order.client_id for order in bench.exchange.open_orders()] == ["far"]
    assert bench.call("POST", "/iserver/notification", told).status == 400  # answered
    assert len(bench.exchange.open_orders()) == 1


@pytest.mark.parametrize(("option", "live"), [("Always use", 2), ("Do not use", 0)])
def test_a_prompt_s_other_options(option: str, live: int) -> None:
    bench = Bench(questions=evolve(QUIET, prompt_percent=Decimal(20)))
    prompt = bench.place(limit(price=100)).body
    bench.call(
        "POST", "/iserver/notification", {"orderId": prompt["orderId"], "reqId": prompt["reqId"], "text": option}
    )
    again = bench.place(limit(price=100)).body
    assert isinstance(again, list) == (option == "Always use")
    assert len(bench.exchange.open_orders()) == live


@pytest.mark.parametrize("body", [None, [], {}, {"orderId": 1, "reqId": "1", "text": "Yes"}])
def test_a_prompt_that_is_not_there(body: object) -> None:
    assert Bench().call("POST", "/iserver/notification", body).status == 400
