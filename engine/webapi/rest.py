"""The REST transport: with `network` the only module that knows httpx. One call, one request, never a second one.

What happens after silence is told by the call's kind. A read and an idempotent request may be repeated, so whatever
befell them is `VenueUnreachable`. A write is `VenueUnreachable` only if nothing can have left us; in every other case
it is `AnswerLost`. A page for people where data should be (the gateway's login page, a redirect) is no answer either:
`SessionUnusable` for what may be repeated, `AnswerLost` for writes.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import lru_cache
from typing import Protocol, cast
from urllib.parse import quote

import httpx
import msgspec
import trio
from attrs import define, frozen

from engine.errors import AnswerLost, VenueError, VenueUnreachable
from engine.ports import Clock
from engine.webapi.calls import Call, Kind, Ready, Reply
from engine.webapi.clock import move_on_after
from engine.webapi.network import PROGRESS, READY, Head, Network, Origin, Progress, Withheld, head_of
from engine.webapi.network import Ready as Waiting
from engine.webapi.tap import Tap
from engine.webapi.tls import checked_base

USER_AGENT = "fullticket/0.1"
BODY_LIMIT = 32 * 1024 * 1024  # bytes, decoded; all stocks of an exchange are some 2 MB
FLOOR_S = 3.0  # of the wall, granted to every request however fast a gateway's clock runs

# How long a whole answer may take, in seconds of the session's clock. The venue gives up on its own backend after
# about 10 s with a 503; a placement that raises questions may take longer, and giving up early leaves it in doubt.
LIMITS_S: Mapping[Kind, float] = {
    Kind.READ: 20.0,
    Kind.IDEMPOTENT: 20.0,
    Kind.ORDER_WRITE: 30.0,
    Kind.OTHER_WRITE: 20.0,
}

# Errors that come before the first byte of a request. Everything else may have come behind it.
BEFORE_SENDING: tuple[type[BaseException], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
    httpx.InvalidURL,
)
LIBRARY_ERRORS: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpx.CookieConflict,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    OSError,  # ssl.SSLError among them
)

_HEADERS = (
    ("User-Agent", USER_AGENT),
    ("Accept", "application/json, */*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
)
WITHHELD = "it was held back before it left"
_ALIKE_MAX = 500  # kinds of requests that are kept: paths hold ids, signed headers never come twice

_encode = msgspec.json.Encoder(decimal_format="number").encode


class SessionUnusable(VenueUnreachable):
    """What answered is the gateway's front door, not the API: a person or a login has to come first."""


class Signer(Protocol):
    """Proves who we are, request by request."""

    def headers(self, method: str, url: str, query: tuple[tuple[str, str], ...]) -> dict[str, str]:
        """Return what to add to a request. `url` is whole and without its query."""


def pairs(query: tuple[tuple[str, str], ...]) -> str:
    """Write a query. Commas stay as they are, as the official examples have them; a space is `%20`."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe=',')}" for name, value in query)


def lost(call_name: str, kind: Kind, problem: str, exc: BaseException | None, *, unsent: bool = False) -> VenueError:
    """Return the error for a request without a usable answer, by what may be done next."""
    before = unsent or isinstance(exc, BEFORE_SENDING)
    if before or kind in (Kind.READ, Kind.IDEMPOTENT):
        return VenueUnreachable(call_name, problem)
    return AnswerLost(call_name, problem)


def sentence(exc: BaseException) -> str:
    """Say what a library's error means. Nothing of the library's own text is quoted: it may hold a URL."""
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({seen.verify_message})"
        seen = seen.__cause__ or seen.__context__
    match exc:
        case httpx.ConnectError() | ConnectionRefusedError():
            return "nobody answers there"
        case httpx.TimeoutException():
            return "it took too long"
        case httpx.DecodingError():
            return "the answer's compression can't be read"
        case _:
            return f"the connection broke ({type(exc).__name__})"


@define
class _Made:
    """A call as it goes out."""

    url: str
    headers: Mapping[str, str]
    content: bytes | None
    progress: Progress
    ready: Waiting | None = None


@frozen
class _Ready:
    _rest: Rest
    _call: Call
    _made: _Made

    async def reply(self) -> Reply:
        """See `calls.Ready`."""
        return await self._rest._reply(self._call, self._made)


class Rest:
    """Sends calls below one base URL with one cookie jar; fulfils `calls.Caller`. Use it as a context manager.

    Args:
        base: Such as `https://localhost:5000/v1/api`. Raises ConfigError if it won't do.
        verify: Whom to trust, from `tls.context`; None for plain http on loopback.
        signer: Adds the proof of who we are; None where the gateway knows by itself.
        transport: Stands in for the network in tests.
        tap: Sees every call and its answer; logins beside the API it does not see.
    """

    def __init__(
        self,
        base: str,
        clock: Clock,
        *,
        verify: ssl.SSLContext | None = None,
        signer: Signer | None = None,
        limits_s: Mapping[Kind, float] = LIMITS_S,
        body_limit: int = BODY_LIMIT,
        transport: httpx.AsyncBaseTransport | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.base = checked_base(base)
        self.signer = signer
        self._tap = tap
        self._clock = clock
        self._limits_s = limits_s
        self._body_limit = body_limit
        self._transport = transport or Network(verify)
        self._cookies = httpx.Cookies()
        self._alike: dict[tuple[object, ...], httpx.Headers] = {}  # by method, URL and headers
        self._heads: dict[tuple[object, ...], tuple[Origin, Head]] = {}  # of those that were made ready

    async def __aenter__(self) -> Rest:
        return self

    async def __aexit__(self, *raised: object) -> None:
        with trio.CancelScope(shield=True):
            await self._transport.aclose()

    def forget(self) -> None:
        """Drop the cookies, after a logout or before another login."""
        self._cookies.clear()
        self._forget_heads()

    def _forget_heads(self) -> None:
        self._alike.clear()
        self._heads.clear()

    async def call(self, call: Call, *, deadline_ns: int | None = None) -> Reply:
        """Send once; see `calls.Caller`. The deadline is looked at before sending, not after."""
        if deadline_ns is not None and self._clock.now_ns() >= deadline_ns:
            raise VenueUnreachable(call.name, "its deadline passed before it was sent")
        made = self._made(call)
        unheeded = call.permit is not None and not isinstance(self._transport, Network)
        if unheeded and call.permit is not None and not await call.permit.settled():  # a stand-in knows of no permits
            raise lost(call.name, call.kind, WITHHELD, None, unsent=True)
        return await self._reply(call, made)

    def ready(self, call: Call) -> Ready | None:
        """See `calls.Transport`."""
        network, made = self._transport, self._made(call)
        if not isinstance(network, Network):
            return None
        key = call.method, made.url, *made.headers.items()
        known = self._heads.get(key)
        if known is None:
            try:
                known = head_of(self._request(call.method, made))
            except (httpx.InvalidURL, httpx.UnsupportedProtocol):
                return None  # `call` says so
            if key in self._alike:
                self._heads[key] = known
        made.ready = network.ready(*known, made.content, made.progress)
        return None if made.ready is None else _Ready(self, call, made)

    def _made(self, call: Call) -> _Made:
        url = self.base + call.path
        headers = dict(self.signer.headers(call.method, url, call.query)) if self.signer else {}
        content = None if call.body is None else _encode(call.body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        whole = f"{url}?{pairs(call.query)}" if call.query else url
        return _Made(whole, headers, content, Progress(call.permit))

    async def _reply(self, call: Call, made: _Made) -> Reply:
        tap, number = self._tap, 0
        if tap is not None:
            number = tap.asked(call.method, made.url, made.content)
        try:
            reply = await self._sent(call.name, call.kind, call.method, made)
        except VenueError as error:
            if tap is not None:
                tap.answered(number, None, b"", str(error))
            raise
        if tap is not None:
            tap.answered(number, reply.status, reply.body, "")
        _refuse_pages(call, reply)
        return reply

    async def send(
        self, name: str, kind: Kind, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None
    ) -> Reply:
        """Send any request once, a login beside the API among them; the errors are those of `calls.Caller`."""
        return await self._sent(name, kind, method, _Made(url, headers, content, Progress()))

    async def _sent(self, name: str, kind: Kind, method: str, made: _Made) -> Reply:
        progress = made.progress
        sent_ns = self._clock.now_ns()
        try:
            async with move_on_after(self._clock, self._limits_s[kind], floor_s=FLOOR_S):
                request = self._request(method, made)
                response = await self._transport.handle_async_request(request)
                async with aclosing(response), aclosing(_parts(response)) as chunks:
                    self._heed_cookies(request, response)
                    body = bytearray()
                    async for chunk in chunks:
                        body += chunk
                        if len(body) > self._body_limit:
                            raise lost(name, kind, f"the answer is longer than {self._body_limit} bytes", None)
                return Reply(
                    status=response.status_code,
                    body=bytes(body),
                    content_type=response.headers.get("content-type", ""),
                    sent_ns=sent_ns,
                    heard_ns=self._clock.now_ns(),
                )
        except Withheld:
            raise lost(name, kind, WITHHELD, None, unsent=True) from None
        except LIBRARY_ERRORS as exc:
            # The cause is named, not chained: the library's error holds the request, and with it the URL and headers.
            raise lost(name, kind, sentence(exc), exc, unsent=progress.unsent) from None
        raise lost(name, kind, f"no whole answer within {self._limits_s[kind]:g} s", None, unsent=progress.unsent)

    def _request(self, method: str, made: _Made) -> httpx.Request:
        """A request; what is alike in all of one kind, cookies with it, is put together once, until a cookie changes.

        Raises: httpx.InvalidURL.
        """
        content = made.content
        place, extensions = _url(made.url), {PROGRESS: made.progress, READY: made.ready}
        key = method, made.url, *made.headers.items()
        alike = self._alike.get(key)
        if alike is None:
            request = httpx.Request(
                method, place, headers=[*_HEADERS, *made.headers.items()], content=content, extensions=extensions
            )
            self._cookies.set_cookie_header(request)
            if len(self._alike) < _ALIKE_MAX and all(one.expires is None for one in self._cookies.jar):
                self._alike[key] = request.headers
            return request
        if content is None:
            return httpx.Request(method, place, headers=alike, extensions=extensions)
        told = alike.copy()
        told["Content-Length"] = str(len(content))
        return httpx.Request(method, place, headers=told, stream=httpx.ByteStream(content), extensions=extensions)

    def _heed_cookies(self, request: httpx.Request, response: httpx.Response) -> None:
        response.request = request
        if "set-cookie" in response.headers:
            self._cookies.extract_cookies(response)
            self._forget_heads()


@lru_cache(maxsize=256)
def _url(url: str) -> httpx.URL:
    """Raises: httpx.InvalidURL."""
    return httpx.URL(url)


def _parts(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body as it comes, decompressed."""
    return cast("AsyncGenerator[bytes, None]", response.aiter_bytes())


def _refuse_pages(call: Call, reply: Reply) -> None:
    start = reply.body[:200].lstrip().lower()
    page = start.startswith((b"<!doctype", b"<html")) or (
        reply.content_type.startswith("text/html") and not start.startswith((b"{", b"[", b'"'))
    )
    if 300 <= reply.status < 400:
        problem = f"it sent us elsewhere ({reply.status}): the gateway wants a login"
    elif reply.status < 300 and page:
        problem = "a web page came instead of data: the gateway wants a login"
    else:
        return
    if call.kind in (Kind.READ, Kind.IDEMPOTENT):
        raise SessionUnusable(call.name, problem)
    raise AnswerLost(call.name, problem)
