"""The last gate before a log line is written: whatever is secret, by type, by name or by look, is hidden.

It is the second line. The first is that secrets live in `keys.Secret` and that nobody logs a URL or a header.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any

from engine.webapi.keys import HIDDEN, Secret

NAMES = re.compile(
    r"(token|secret|passw|authori[sz]ation|cookie|signature|assertion|bearer|credential|private|prepend"
    r"|(^|_)keys?$|(^|_)session(_id)?$|(^|_)(account|acct)(_?ids?|s)?$)",
    re.IGNORECASE,
)
PLAIN = re.compile(r"(_s|_ns|_count|_age|expires|expiry)$")  # how long a token lives is no secret
LOOKS = (
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|$)", re.DOTALL),
    re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"),  # a JWT
    re.compile(r"(?<=bearer )[\w.~+/=-]{8,}", re.IGNORECASE),
    re.compile(
        r"\b(?:oauth_(?:token|signature|nonce|consumer_key)|bearer_token|sessionToken|access_token|client_assertion"
        r"|diffie_hellman_\w+|live_session_token\w*)[\"']?\s*[=:]\s*[\"']?[\w.~+/=%-]+"
    ),
    re.compile(r"\b[0-9a-fA-F]{32,}\b"),  # session ids, live session tokens' material
    re.compile(r"\b[DU]?[UFI]\d{5,9}\b"),  # account numbers
)


def scrub(text: str) -> str:
    """Return the text with everything that looks like a secret or an account number hidden."""
    for look in LOOKS:
        text = look.sub(HIDDEN, text)
    return text


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide secrets in an event; a structlog processor, to stand right before the renderer.

    Tracebacks become text here: a renderer's own way of showing them prints local variables.
    """
    raised = event.pop("exc_info", None)
    if raised:
        event["trace"] = _told(raised)
    for name, value in list(event.items()):
        event[name] = _hidden(name, value)
    return event


def _told(raised: object) -> str:
    if isinstance(raised, BaseException):
        return "".join(traceback.format_exception(raised))
    if isinstance(raised, tuple) and len(raised) == 3 and isinstance(raised[1], BaseException):
        trace = raised[2] if isinstance(raised[2], TracebackType) else None
        return "".join(traceback.format_exception(type(raised[1]), raised[1], trace))
    return traceback.format_exc()


def _hidden(name: str, value: object) -> object:
    if isinstance(value, Secret) or (NAMES.search(name) and not PLAIN.search(name) and value is not None):
        return HIDDEN
    match value:
        case bool() | int() | float() | None:
            return value
        case str():
            return scrub(value)
        case Mapping():
            return {key: _hidden(str(key), inner) for key, inner in value.items()}
        case list() | tuple():
            return [_hidden("", inner) for inner in value]
        case _:
            return scrub(str(value))


def quiet_libraries() -> None:
    """Keep the HTTP libraries from logging: at DEBUG they write whole headers, at INFO whole URLs."""
    for name in ("httpx", "httpcore", "hpack", "trio-websocket", "wsproto"):
        logging.getLogger(name).setLevel(logging.WARNING)
