"""The short way of a plain request: bytes in, bytes out, without the tasks, locks and layers of ASGI.

Plain is what every client sends nearly always: HTTP/1.1 on a kept connection, a body with its length. Whatever else
comes (an upgrade, a close, chunks, an expectation, a malformed head) is left to Hypercorn, which knows all of HTTP.
Nothing here waits.
"""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from typing import Final

from engine.gateway.calls import Answer
from engine.gateway.requests import JSON_TYPE, Request, encoded

LARGEST_HEAD: Final = 64 * 1024  # a snapshot's address may be long
_END: Final = b"\r\n\r\n"
# RFC 9112: a request line in origin form, then header lines without folding or control characters.
_LINE: Final = re.compile(rb"(GET|POST|PUT|DELETE) (/[!-~]*) HTTP/1\.1")
_HEADERS: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)+")
_LENGTH: Final = re.compile(r"[0-9]{1,9}")
_OTHERS: Final = frozenset({"transfer-encoding", "expect", "upgrade", "http2-settings", "te"})


class NotPlainError(Exception):
    """These bytes are Hypercorn's to read."""


class Peer:
    """One connection: who is there, and how its bytes become requests."""

    def __init__(self, *, peer: str, server: str, scheme: str, largest_body: int) -> None:
        self._peer = peer
        self._server = server
        self._scheme = scheme
        self._largest_body = largest_body

    def read(self, data: bytes) -> tuple[Request, bytes] | None:
        """Read the first request of `data`.

        Returns: The request and the bytes behind it; None while some of it is still to come.

        Raises: NotPlainError for anything that is not plain.
        """
        cut = data.find(_END)
        if cut < 0:
            if len(data) > LARGEST_HEAD:
                raise NotPlainError
            return None
        top, _, rest = data[: cut + 2].partition(b"\r\n")
        line = _LINE.fullmatch(top)
        if line is None or cut > LARGEST_HEAD or _HEADERS.fullmatch(rest) is None:
            raise NotPlainError
        headers: dict[str, str] = {}
        for name, _, value in (one.partition(":") for one in rest.decode("latin-1").split("\r\n")[:-1]):
            name = name.lower()
            if name in headers and name in ("host", "content-length", "connection"):
                raise NotPlainError
            headers[name] = value.strip(" \t")
        kept = headers.get("connection", "keep-alive").lower() == "keep-alive"
        if not kept or "host" not in headers or not _OTHERS.isdisjoint(headers):
            raise NotPlainError
        length = headers.get("content-length", "0")
        if _LENGTH.fullmatch(length) is None or int(length) > self._largest_body:
            raise NotPlainError
        begin = cut + len(_END)
        end = begin + int(length)
        if len(data) < end:
            return None
        path, _, query = line[2].decode("ascii").partition("?")
        request = Request(
            method=line[1].decode("ascii"),
            path=path,
            query=query,
            headers=headers,
            body=data[begin:end],
            peer=self._peer,
            server=self._server,
            scheme=self._scheme,
        )
        return request, data[end:]


def written(answer: Answer, extra: tuple[tuple[bytes, bytes], ...], data: bytes | None = None) -> tuple[bytes, bytes]:
    """Head and body of an answer; `data` goes out in place of its body."""
    body, kind = encoded(answer)
    if data is not None:
        body, kind = data, JSON_TYPE
    cookies = b"".join(b"%b: %b\r\n" % pair for pair in extra)
    head = b"HTTP/1.1 %d \r\ncontent-type: %b\r\ncontent-length: %d\r\n%bdate: %b\r\n\r\n"
    return head % (answer.status, kind, len(body), cookies, _date(int(time.time()))), body


_dated: list[tuple[int, bytes]] = [(0, b"")]


def _date(now_s: int) -> bytes:
    if _dated[0][0] != now_s:
        _dated[0] = now_s, formatdate(now_s, usegmt=True).encode()
    return _dated[0][1]
