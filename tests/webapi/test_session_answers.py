"""What session and account answers mean: flags that may be missing, texts beside them, logins of two kinds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.webapi.codecs import accounts, errors, orders, session
from engine.webapi.facts.session import AuthStatus, SsoSession
from engine.webapi.facts.wire import Unreadable
from tests.webapi.made import ORDER


def raw(value: object) -> bytes:
    return msgspec.json.encode(value)


@pytest.mark.parametrize(
    ("keys", "usable"),
    [
        ({"authenticated": True, "established": True, "competing": False}, True),
        ({"authenticated": True}, True),  # old builds do not tell the others
        ({"authenticated": True, "established": False}, False),
        ({"authenticated": True, "competing": True}, False),
        ({"authenticated": False, "connected": True}, False),
        ({"connected": True}, False),
    ],
)
def test_orders_may_go_out_only_when_nothing_speaks_against_it(keys: dict[str, bool], usable: bool) -> None:
    got = session.auth_status(raw(keys))
    assert isinstance(got, AuthStatus)
    assert got.usable is usable


def test_a_flag_that_is_left_out_is_neither_true_nor_false() -> None:
    got = session.auth_status_of({"competing": False})
    assert isinstance(got, AuthStatus)
    assert (got.authenticated, got.connected, got.competing) == (None, None, False)


def test_an_answer_without_any_flag_is_no_status() -> None:
    assert isinstance(session.auth_status(raw({"message": ""})), Unreadable)
    failed = session.auth_status(raw({"fail": "Force compete capability must be used together with compete flag"}))
    assert isinstance(failed, AuthStatus)
    assert failed.authenticated is None


@pytest.mark.parametrize(("kind", "paper"), [(1, False), (2, True), ("2", True), (9, None), (None, None)])
def test_a_login_is_paper_only_if_it_says_so(kind: object, paper: bool | None) -> None:
    got = session.sso_session(raw({"RESULT": True, "EXPIRES": 1000, "LOGIN_TYPE": kind}))
    assert isinstance(got, SsoSession)
    assert got.paper is paper


def test_an_sso_answer_without_its_result_is_none() -> None:
    assert isinstance(session.sso_session(raw({"USER_NAME": "x"})), Unreadable)


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        ({"set": True, "acctId": "DU1"}, True),
        ({"success": "Account already set"}, True),
        ({"set": False}, False),
        ({"success": "maybe"}, False),
    ],
)
def test_an_account_is_chosen_when_the_answer_says_so(answer: object, done: bool) -> None:
    got: Any = accounts.switch(raw(answer))
    assert got.done is done


def test_a_bare_list_of_orders_has_rows_and_proves_nothing() -> None:
    got: Any = orders.live_orders(raw([ORDER]))
    assert [row.order_id for row in got.rows] == [1370093239]
    assert got.snapshot is False


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"error":"no"}', 400, "no"),
        (b'{"error":{"message":"deep"}}', 400, "deep"),
        (b'{"error":{"code":5}}', 400, "it gave no reason"),
        (b'{"error":""}', 400, "HTTP status 400"),
        (b"Access Denied", 403, "Access Denied"),
        (b"<html>Access Denied</html>", 403, "HTTP status 403"),
        (b"", 503, "HTTP status 503"),
        (b'{"x":1}', 500, "HTTP status 500"),
        (b'[{"error":"a"},{"error":"b"}]', 400, "a; b"),
    ],
)
def test_what_an_http_error_says(body: bytes, status: int, said: str) -> None:
    assert errors.said(body, status) == said
