"""What a request says, however its client words it: bodies, and paths as IBKR's text spells them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.gateway.requests import Request
from engine.gateway.routes import ALL_ROUTES
from engine.gateway.routing import Table

FORM = "application/x-www-form-urlencoded"


def sent(body: bytes, kind: str) -> Any:
    return Request(
        method="POST", path="/", query="", headers={"content-type": kind}, body=body, peer="", server="", scheme="https"
    ).decoded()


@pytest.mark.parametrize("kind", [FORM, "application/json", "text/plain", ""])
def test_json_is_json_under_any_name(kind: str) -> None:
    """`curl -d` calls every body a form."""
    assert sent(b'{"confirmed": true}', kind) == {"confirmed": True}
    assert sent(b' [{"conid": 1}]', kind) == [{"conid": 1}]


def test_a_form_is_a_table_of_texts() -> None:
    assert sent(b"compete=true&publish=true", FORM) == {"compete": "true", "publish": "true"}
    assert sent(b"", FORM) is None


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/iserver/trades", "/iserver/account/trades"),
        ("GET", "/iserver/orders", "/iserver/account/orders"),
        ("POST", "/iserver/secdef/rules/", "/iserver/contract/rules"),
        ("POST", "/trsv/secdef", "/trsrv/secdef"),
    ],
)
def test_a_path_as_the_official_text_spells_it(method: str, path: str, template: str) -> None:
    """Requests are counted, and paced, under the one template."""
    found = Table(ALL_ROUTES).find(method, path)
    assert not isinstance(found, int)
    assert found[0].template == template


def test_an_id_may_begin_with_a_colon() -> None:
    found = Table(ALL_ROUTES).find("DELETE", "/iserver/account/:DU1/order/%3A7")
    assert not isinstance(found, int)
    assert found[1] == {"accountId": "DU1", "orderId": "7"}
