"""The transport: headers, exact numbers, every error of the libraries by what may be done next, pages for people."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal

import httpx
import pytest
import trio

from engine.errors import AnswerLost, EngineError, VenueError, VenueUnreachable
from engine.webapi import rest
from engine.webapi.calls import Call, Kind, Reply, Urgency
from engine.webapi.clock import SECOND, RatedClock
from engine.webapi.rest import Rest, SessionUnusable

BASE = "https://localhost:5000/v1/api"
REPEATABLE = (Kind.READ, Kind.IDEMPOTENT)
Handler = Callable[[httpx.Request], httpx.Response] | Callable[[httpx.Request], Awaitable[httpx.Response]]


def a_call(kind: Kind = Kind.READ, method: str = "GET", **changes: object) -> Call:
    facts: dict[str, object] = {"template": "/tickle", "path": "/tickle", "urgency": Urgency.ACCOUNT, **changes}
    return Call(method=method, kind=kind, **facts)  # type: ignore[arg-type]


def client(handler: Handler, **options: object) -> Rest:
    clock = RatedClock(1_700_000_000 * SECOND)
    return Rest(BASE, clock, transport=httpx.MockTransport(handler), **options)  # type: ignore[arg-type]


async def once(handler: Handler, call: Call, **options: object) -> Reply:
    async with client(handler, **options) as transport:
        return await transport.call(call)


def every_subclass(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for child in root.__subclasses__():
        yield from every_subclass(child)


def made(kind: type[Exception]) -> Exception:
    """An instance, whatever its constructor asks for."""
    if issubclass(kind, httpx.HTTPStatusError):
        return kind("no", request=httpx.Request("GET", BASE), response=httpx.Response(500))
    try:
        return kind("zebra")
    except TypeError:
        return kind()


# Written out by hand: what is known to come before the first byte.
UNSENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError", "InvalidURL"}
LIBRARY = {
    kind
    for root in (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
    for kind in every_subclass(root)
}  # fmt: skip


def test_the_walk_finds_all_that_the_libraries_export() -> None:
    exported = {
        thing
        for thing in map(httpx.__dict__.get, httpx.__all__)
        if isinstance(thing, type) and issubclass(thing, Exception)
    }
    assert exported <= LIBRARY


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("error", sorted(LIBRARY, key=str), ids=str)
async def test_every_library_error_becomes_ours(error: type[Exception], kind: Kind) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise made(error)

    with pytest.raises(VenueError) as caught:
        await once(fail, a_call(kind))
    wanted = VenueUnreachable if kind in REPEATABLE or error.__name__ in UNSENT else AnswerLost
    assert type(caught.value) is wanted
    assert "zebra" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError(), trio.BrokenResourceError(), OSError(5)])
async def test_raw_socket_errors_are_ours_too(error: Exception) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(AnswerLost):
        await once(fail, a_call(Kind.ORDER_WRITE))


@pytest.mark.parametrize("kind", Kind)
async def test_an_answer_cut_off_in_its_middle_is_lost(kind: Kind) -> None:
    class Cut(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            yield b'[{"order_id":'
            raise httpx.ReadError("cut")

    with pytest.raises(VenueUnreachable if kind in REPEATABLE else AnswerLost):
        await once(lambda request: httpx.Response(200, stream=Cut()), a_call(kind))


async def test_headers_and_lengths_are_those_the_venue_asks_for() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    async with client(answer) as transport:
        await transport.call(a_call())
        await transport.call(a_call(Kind.IDEMPOTENT, "POST"))
        await transport.call(a_call(Kind.ORDER_WRITE, "POST", body={"orders": [{"price": Decimal("165.10")}]}))
    get, empty, order = seen
    for request in seen:
        assert request.headers["user-agent"]
        assert request.headers["accept-encoding"] == "gzip, deflate"
        assert request.headers["connection"] == "keep-alive"
        assert "*/*" in request.headers["accept"]
        assert request.headers["host"] == "localhost:5000"
    assert empty.headers["content-length"] == "0"
    assert "content-type" not in empty.headers
    assert "content-type" not in get.headers
    assert order.headers["content-type"] == "application/json"
    assert order.headers["content-length"] == str(len(order.content))
    assert order.content == b'{"orders":[{"price":165.10}]}'


async def test_query_keeps_its_order_and_its_commas() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(200)

    await once(answer, a_call(path="/a", query=(("conids", "1,2"), ("b", "x y&z;+"), ("a", "é"))))
    assert seen == ["/v1/api/a?conids=1,2&b=x%20y%26z%3B%2B&a=%C3%A9"]


async def test_cookies_come_back_until_forgotten() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"Set-Cookie": "x-sess-uuid=0.1; secure; HttpOnly; Path=/v1/api"})

    async with client(answer) as transport:
        await transport.call(a_call())
        await transport.call(a_call())
        transport.forget()
        await transport.call(a_call())
    assert seen == [None, "x-sess-uuid=0.1", None]


async def test_a_reply_has_status_body_and_times(autojump_clock: trio.abc.Clock) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await trio.sleep(2)
        return httpx.Response(503, content=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})

    reply = await once(answer, a_call(Kind.ORDER_WRITE))
    assert (reply.status, reply.body) == (503, b"{}")
    assert reply.heard_ns - reply.sent_ns == 2 * SECOND


@pytest.mark.parametrize("kind", Kind)
async def test_a_slow_answer_is_given_up_after_the_limit_of_its_kind(
    kind: Kind, autojump_clock: trio.abc.Clock
) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await trio.sleep(3600)
        return httpx.Response(200)

    with pytest.raises(VenueUnreachable if kind in REPEATABLE else AnswerLost, match="no whole answer"):
        await once(answer, a_call(kind), limits_s={kind: 7.0})
    assert trio.current_time() == pytest.approx(7, abs=1e-3)


async def test_a_trickle_does_not_reset_the_limit(autojump_clock: trio.abc.Clock) -> None:
    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            while True:
                await trio.sleep(1)
                yield b" "

    with pytest.raises(AnswerLost):
        await once(lambda request: httpx.Response(200, stream=Trickle()), a_call(Kind.ORDER_WRITE))
    assert trio.current_time() == pytest.approx(30, abs=1e-3)


@pytest.mark.parametrize("kind", Kind)
async def test_a_body_beyond_the_bound_is_not_read(kind: Kind) -> None:
    with pytest.raises(VenueUnreachable if kind in REPEATABLE else AnswerLost, match="longer than 100 bytes"):
        await once(lambda request: httpx.Response(200, content=b"x" * 101), a_call(kind), body_limit=100)


LOGIN_PAGES = [
    httpx.Response(200, html="<!DOCTYPE html><html>Login</html>"),
    httpx.Response(200, content=b"\n <html>", headers={"Content-Type": "application/octet-stream"}),
    httpx.Response(200, html="please log in"),
    httpx.Response(302, headers={"Location": "https://localhost:5000/sso/Login"}),
    httpx.Response(307),
]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("page", LOGIN_PAGES, ids=range(len(LOGIN_PAGES)))
async def test_a_page_for_people_means_that_the_session_is_not_usable(page: httpx.Response, kind: Kind) -> None:
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(page.status_code, headers=page.headers, content=page.content)

    with pytest.raises(SessionUnusable if kind in REPEATABLE else AnswerLost, match="login"):
        await once(answer, a_call(kind))
    assert asked == 1  # a redirect is not followed


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, html="<html>Access Denied</html>"),
        httpx.Response(429, html="<html>slow</html>"),
        httpx.Response(200, content=b"", headers={"Content-Type": "text/plain"}),
        httpx.Response(200, content=b'{"a":"<html>"}', headers={"Content-Type": "text/html"}),
    ],
)
async def test_what_has_a_status_of_its_own_or_is_data_comes_back(answer: httpx.Response) -> None:
    reply = await once(lambda request: answer, a_call(Kind.ORDER_WRITE))
    assert (reply.status, reply.body) == (answer.status_code, answer.content)


async def test_a_passed_deadline_sends_nothing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError("sent")

    async with client(answer) as transport:
        with pytest.raises(VenueUnreachable, match="deadline"):
            await transport.call(a_call(Kind.ORDER_WRITE), deadline_ns=0)


async def test_the_signer_sees_the_url_without_its_query() -> None:
    class Sign:
        def headers(self, method: str, url: str, query: tuple[tuple[str, str], ...]) -> dict[str, str]:
            return {"Authorization": f"{method} {url} {query}"}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=request.headers["authorization"])

    reply = await once(answer, a_call(path="/a/b", query=(("x", "1"),)), signer=Sign())
    assert reply.body.decode() == f"GET {BASE}/a/b (('x', '1'),)"


async def test_a_refused_connection_is_unreachable_even_for_writes() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    async with Rest(f"http://127.0.0.1:{port}", RatedClock(0)) as transport:
        with pytest.raises(VenueUnreachable, match="nobody answers there"):
            await transport.call(a_call(Kind.ORDER_WRITE, "POST"))


async def test_a_connection_cut_after_the_request_is_lost_and_not_repeated() -> None:
    asked = 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal asked
        data = await stream.receive_some(65_536)
        asked += bytes(data).count(b"POST /tickle")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        async with Rest(f"http://127.0.0.1:{port}", RatedClock(0)) as transport:
            with pytest.raises(AnswerLost):
                await transport.call(a_call(Kind.ORDER_WRITE, "POST"))
            with pytest.raises(VenueUnreachable):
                await transport.call(a_call(Kind.IDEMPOTENT, "POST"))
        nursery.cancel_scope.cancel()
    assert asked == 2


async def test_a_cancelled_handshake_leaves_no_socket_open() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        assert await stream.receive_some(65_536)  # the client's hello, which nobody answers
        with trio.move_on_after(5):
            while await stream.receive_some(65_536):
                pass
            closed.set()

    closed = trio.Event()
    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        clock = RatedClock(0, rate=1000)  # so that only the floor counts
        async with Rest(f"https://127.0.0.1:{port}", clock, verify=ssl.create_default_context()) as transport:
            # Nothing but a handshake has left us, so that even a write may be made again.
            with pytest.raises(VenueUnreachable, match="no whole answer"):
                await transport.call(a_call(Kind.ORDER_WRITE, "POST"))
            with trio.fail_after(3):
                await closed.wait()
        nursery.cancel_scope.cancel()


def test_session_unusable_is_repeatable() -> None:
    assert issubclass(SessionUnusable, VenueUnreachable)
    assert issubclass(SessionUnusable, EngineError)
    assert set(rest.LIMITS_S) == set(Kind)
