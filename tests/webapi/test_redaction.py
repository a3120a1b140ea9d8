"""Whatever is handed to a log, what is secret does not come out."""

from __future__ import annotations

import io
import logging
from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from engine.webapi.keys import Secret
from engine.webapi.redaction import quiet_libraries, redact, scrub

SESSION = "0123456789abcdef0123456789abcdef"


def lines(*events: tuple[str, dict[str, object]]) -> str:
    out = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[structlog.processors.add_log_level, redact, structlog.processors.JSONRenderer()],
    )
    for name, facts in events:
        log.info(name, **facts)
    return out.getvalue()


def test_names_types_and_looks_are_hidden() -> None:
    out = lines(
        ("a", {"token": "zebra1", "lst": Secret("zebra2"), "headers": {"Authorization": "zebra3", "Accept": "*/*"}}),
        ("b", {"url": "wss://h/v1/api/ws?oauth_token=zebra4&x=1", "said": "Bearer zebra5.aaa-bbb", "rows": [SESSION]}),
        ("c", {"problem": f'OAuth realm="limited_poa", oauth_signature="zebra6%3D", api={SESSION}'}),
        ("d", {"account": "DU7654321", "text": "order of DU7654321 and U1234567 refused", "key": b"zebra7"}),
        ("e", {"jwt": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ6ZWJyYSJ9.c2ln", "inner": {"deep": [{"secret": "zebra8"}]}}),
    )
    assert "zebra" not in out
    assert SESSION not in out
    assert "7654321" not in out
    assert "1234567" not in out
    assert "eyJ" not in out
    assert "limited_poa" in out  # what is no secret stays readable
    assert "*/*" in out


def test_plain_facts_stay_as_they_are() -> None:
    facts: MutableMapping[str, Any] = {
        "event": "tickle_failed", "conid": 265598, "wait_s": 1.5, "up": True, "token_expires": 12, "what": None,
    }  # fmt: skip
    assert redact(None, "info", dict(facts)) == facts


def test_a_traceback_is_text_without_secrets() -> None:
    log = structlog.wrap_logger(out := structlog.testing.CapturingLogger(), processors=[redact])
    try:
        raise OSError(f"GET https://h/?access_token=zebra9 {SESSION}")
    except OSError:
        log.exception("broke")
    said = str(out.calls)
    assert "Traceback" in said
    assert "zebra9" not in said
    assert SESSION not in said


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))  # fmt: skip
def test_anything_can_be_logged(value: object) -> None:
    event = redact(None, "info", {"event": "x", "value": value, "password": value})
    assert value is None or event["password"] == "[hidden]"


def test_scrub_leaves_sentences_alone() -> None:
    sentence = "POST /iserver/account/{accountId}/orders: the answer was lost after 15 s"
    assert scrub(sentence) == sentence


def test_libraries_do_not_log_requests(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    quiet_libraries()
    logging.getLogger("httpx").info("HTTP Request: GET https://h/?oauth_token=zebra")
    logging.getLogger("httpcore.http11").debug("send_request_headers.started [(b'Authorization', b'zebra')]")
    assert "zebra" not in caplog.text
