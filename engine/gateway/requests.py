"""From what came over the wire to a `Call`, and from an `Answer` to bytes; no socket, no state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl

import msgspec

from engine.gateway.calls import Answer

_JSON: Final = msgspec.json.Encoder(decimal_format="number")
_FORM: Final = "application/x-www-form-urlencoded"
JSON_TYPE: Final = b"application/json; charset=utf-8"


class Request(msgspec.Struct, kw_only=True):
    """A request as it came. `path` and `query` are still percent-encoded; header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: str
    scheme: str = "https"
    server: str = "127.0.0.1:5000"  # the address of ours that it came to

    @property
    def urls(self) -> list[str]:
        """The address that the client may have written, without its query, in all spellings."""
        hosts = dict.fromkeys((self.headers.get("host", "localhost"), self.server, f"localhost:{self.port}"))
        return [f"{self.scheme}://{host}{self.path}" for host in hosts]

    @property
    def port(self) -> str:
        """The port it came to."""
        return self.server.rpartition(":")[2]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query as pairs, decoded, in order."""
        return parse_qsl(self.query, keep_blank_values=True)

    @property
    def has_length(self) -> bool:
        """Whether it says how long its body is."""
        return "content-length" in self.headers or "transfer-encoding" in self.headers

    def values(self) -> dict[str, list[str]]:
        """The query as lists of values by name."""
        return parse_qs(self.query, keep_blank_values=True) if self.query else {}

    def cookies(self) -> dict[str, str]:
        """Cookies by name; a value may itself be JSON."""
        found = {}
        for part in self.headers.get("cookie", "").split("; "):
            name, _, value = part.partition("=")
            found[name.strip()] = value.strip()
        return found

    def decoded(self) -> Any:
        """The body: JSON, a form as a table of texts, None for none. Raises: msgspec.DecodeError."""
        if not self.body.strip():
            return None
        # What begins as JSON is JSON: `curl -d` calls every body a form.
        form = self.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
        if form and self.body.lstrip()[:1] not in (b"{", b"["):
            return {name: values[0] for name, values in parse_qs(self.body.decode(errors="replace")).items()}
        try:
            return msgspec.json.decode(self.body)
        except RecursionError as exc:
            raise msgspec.DecodeError("nested too deeply") from exc


def request_of(scope: Any, body: bytes) -> Request:
    """Read an ASGI scope."""
    client, server = scope.get("client"), scope.get("server")
    return Request(
        method=scope.get("method", "GET"),
        path=scope["raw_path"].decode("ascii", "replace"),
        query=scope["query_string"].decode("ascii", "replace"),
        headers=_headers(scope["headers"]),
        body=body,
        peer=client[0] if client else "",
        server=f"{server[0]}:{server[1]}" if server else "",
        scheme="https" if scope["state"].get("tls", True) else "http",
    )


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}


def encoded(answer: Answer) -> tuple[bytes, bytes]:
    """Body and content type of an answer."""
    if answer.text is not None:
        kind = b"text/html; charset=utf-8" if answer.text.startswith("<") else b"text/plain; charset=utf-8"
        return answer.text.encode(), kind
    return _JSON.encode(answer.body), JSON_TYPE


def to_json(body: Any) -> bytes:
    """One frame or body as compact JSON; Decimals are numbers."""
    return _JSON.encode(body)
