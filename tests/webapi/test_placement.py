"""Every shape of an answer to an order write, and that what proves nothing is in doubt."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.webapi.codecs.placement import cancel, placement, reply
from engine.webapi.facts.orders import (
    Acknowledged,
    CancelInDoubt,
    CancelRefused,
    CancelTaken,
    InDoubt,
    Prompt,
    Question,
    RefusedRow,
)
from tests.webapi.made import ACKNOWLEDGED, FAILED, PROMPT, QUESTION

TAKEN = Acknowledged(order_id=1370093239, status="PreSubmitted", coid="s-000001")
ASKED = Question(
    reply_id="07a13a5a-4a48-44a5-bb25-5ab37b79186c",
    messages=("The price is 3% off.", "Sure?"),
    message_ids=("o163",),
    suppressed=False,
)
NOT_TAKEN = RefusedRow(reason="Order couldn't be submitted: Parent order ID=x isn't recognized.", of_one_ticket=True)
OFFERED = Prompt(
    order_id=123456789,
    request_id="22170",
    text="Use the Price Management Algo?",
    options=("Use on this order", "Do not use"),
    message_id="p12",
)


def raw(value: object) -> bytes:
    return msgspec.json.encode(value)


def rows(value: object, status: int = 200) -> tuple[Any, ...]:
    return placement(status, raw(value))


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ([ACKNOWLEDGED], (TAKEN,)),
        ([{**ACKNOWLEDGED, "error": ""}], (TAKEN,)),
        ([{**ACKNOWLEDGED, "error": None}], (TAKEN,)),
        (ACKNOWLEDGED, (TAKEN,)),  # the narrative text shows a bare object
        ([QUESTION], (ASKED,)),
        (QUESTION, (ASKED,)),
        ({"error": "no permission"}, (RefusedRow(reason="no permission"),)),
        ([{"error": "no permission"}], (RefusedRow(reason="no permission"),)),
        ([FAILED], (NOT_TAKEN,)),
        (PROMPT, (OFFERED,)),
        ([PROMPT], (OFFERED,)),
        ([FAILED, QUESTION, ACKNOWLEDGED], (NOT_TAKEN, ASKED, TAKEN)),
        ([ACKNOWLEDGED, {"error": "x"}], (TAKEN, RefusedRow(reason="x"))),
    ],
)
def test_every_shape_means_one_thing(answer: object, meant: tuple[object, ...]) -> None:
    assert rows(answer) == meant


def test_an_order_id_may_be_a_number_and_large() -> None:
    (row,) = rows([{**ACKNOWLEDGED, "order_id": 2**40}])
    assert row.order_id == 2**40


def test_a_child_names_its_parent_and_its_group() -> None:
    (row,) = rows([{"order_id": 8, "order_status": "PreSubmitted", "parent_order_id": "7", "oca_group_id": "g"}])
    assert row == Acknowledged(order_id=8, status="PreSubmitted", parent_id=7, oca_group="g")


@pytest.mark.parametrize("status", ["Failed", "rejected", "Rejected"])
def test_a_dead_status_is_a_refusal_even_with_an_id(status: str) -> None:
    (row,) = rows([{"order_id": "7", "order_status": status, "text": "no"}])
    assert row == RefusedRow(reason="no", order_id=7, of_one_ticket=True)


def test_a_question_without_ids_can_be_read() -> None:
    (row,) = rows([{"id": "1", "message": "Cancel all?", "messageIds": None}])
    assert row == Question(reply_id="1", messages=("Cancel all?",))


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        None,
        "Success",
        5,
        [[ACKNOWLEDGED]],
        [None],
        {"order_status": "Submitted"},
        {"id": "1"},
        {"order_id": "x"},
        {"order_id": 0},
        {"reqId": "1"},
        {"error": "reply id not found: '1'"},
        {"error": "Service Unavailable", "statusCode": 503},
        {"error": "whatever", "statusCode": 401},
        {"error": "Request timed out"},
        {"orders": [ACKNOWLEDGED]},
    ],
)
def test_what_has_no_known_meaning_is_in_doubt(answer: object) -> None:
    (row,) = rows(answer)
    assert isinstance(row, InDoubt)


def test_a_row_in_doubt_leaves_the_others_as_they_are() -> None:
    read = rows([ACKNOWLEDGED, {"what": "ever"}])
    assert read[0] == TAKEN
    assert isinstance(read[1], InDoubt)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>login</html>", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("status", [200, 400, 401, 500, 503])
def test_an_answer_that_cannot_be_read_is_in_doubt(body: bytes, status: int) -> None:
    (row,) = placement(status, body)
    assert isinstance(row, InDoubt)


@pytest.mark.parametrize("status", [401, 408, 410, 500, 502, 503, 504, 302])
def test_no_such_status_proves_anything(status: int) -> None:
    (row,) = rows({"error": "no"}, status)
    assert isinstance(row, InDoubt)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 411, 422, 429])
def test_a_request_that_was_turned_away_is_refused(status: int) -> None:
    assert rows({"error": "Bad Request: accountId is not valid"}, status) == (
        RefusedRow(reason="Bad Request: accountId is not valid"),
    )


def test_a_problem_detail_is_a_refusal() -> None:
    detail = {
        "type": "/invalid-argument",
        "title": "Bad Request",
        "status": 400,
        "detail": "look",
        "invalidArguments": [{"field": "side", "description": "must be BUY or SELL"}],
    }
    assert rows(detail, 400) == (RefusedRow(reason="Bad Request; look; side: must be BUY or SELL"),)


@pytest.mark.parametrize("text", ["Bad Request: no bridge", "reply id not found: 'x'", "Init session first"])
def test_a_session_that_is_gone_proves_nothing(text: str) -> None:
    (row,) = rows({"error": text, "statusCode": 400}, 400)
    assert isinstance(row, InDoubt)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_yes_that_failed_proves_nothing(status: int) -> None:
    (row,) = reply(status, raw({"error": "reply id not found"}), confirmed=True)
    assert isinstance(row, InDoubt)
    (row,) = reply(status, raw({"error": "Order not confirmed"}), confirmed=True)
    assert isinstance(row, InDoubt)


@pytest.mark.parametrize("status", [200, 400])
def test_a_no_that_is_confirmed_is_a_refusal(status: int) -> None:
    answer = reply(status, raw({"error": "Order not confirmed"}), confirmed=False)
    assert answer == (RefusedRow(reason="Order not confirmed"),)


def test_a_no_that_was_not_let_in_says_nothing_of_the_order() -> None:
    (row,) = reply(429, raw({"error": "Too many requests"}), confirmed=False)
    assert isinstance(row, InDoubt)


def test_a_reply_may_bring_the_next_question() -> None:
    assert reply(200, raw([QUESTION]), confirmed=True) == (ASKED,)
    assert reply(200, raw(ACKNOWLEDGED), confirmed=True) == (TAKEN,)


@pytest.mark.parametrize(
    ("status", "answer", "meant"),
    [
        (
            200,
            {"msg": "Request was submitted", "order_id": "987654", "conid": 265598, "account": "DU1"},
            CancelTaken(order_id=987654, text="Request was submitted"),
        ),
        (
            200,
            {"msg": "Request was submitted", "order_id": 987654, "conid": -1, "account": None},
            CancelTaken(order_id=987654, at_once=True, text="Request was submitted"),
        ),
        (400, {"error": "Order is inactive"}, CancelRefused(reason="Order is inactive", inactive=True)),
        (400, {"error": "OrderID 5 doesn't exist"}, CancelRefused(reason="OrderID 5 doesn't exist", unknown=True)),
        (200, {"error": "OrderID 5 doesn't exist"}, CancelRefused(reason="OrderID 5 doesn't exist", unknown=True)),
        (200, [{"error": "no"}], CancelRefused(reason="no")),
    ],
)
def test_answers_to_a_cancel(status: int, answer: object, meant: object) -> None:
    assert cancel(status, raw(answer)) == meant


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        *((200, {}), (200, []), (200, {"conid": -1}), (400, {"msg": "Request was submitted"}), (400, "no bridge")),
        (400, {"error": "Bad Request: no bridge"}),
    ],
)
def test_a_cancel_without_a_known_answer_is_in_doubt(status: int, answer: object) -> None:
    assert isinstance(cancel(status, raw(answer)), CancelInDoubt)
