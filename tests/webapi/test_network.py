"""The transport below REST: which connections are kept, which are not, and what a request looks like on the wire."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest
import trio
import trustme

from engine.errors import AnswerLost
from engine.runtime.live.permits import StorePermit
from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.clock import RatedClock
from engine.webapi.network import CONNECTIONS_MAX, PROGRESS, Network, Progress, Withheld
from engine.webapi.rest import Rest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers what was written for it, one answer a request; keeps what each read brought, by connection."""

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        self.answers = list(answers)  # None: the connection is closed instead
        self.heard: list[list[bytes]] = []
        self.silent_until = 0  # bytes of a connection, after its first request
        self.url = ""

    async def serve(self, stream: trio.abc.Stream) -> None:
        mine: list[bytes] = []
        self.heard.append(mine)
        while data := await stream.receive_some(65_536):
            mine.append(bytes(data))
            if len(mine) > 1 and sum(map(len, mine)) < self.silent_until:
                continue
            answer = self.answers.pop(0) if self.answers else OK
            if answer is None:
                break
            await stream.send_all(answer)
            if b"Connection: close" in answer or (b"Length" not in answer and b"chunked" not in answer):
                break
        await stream.aclose()


@asynccontextmanager
async def served(*answers: bytes | None, tls: bool = False) -> AsyncIterator[tuple[Server, Network]]:
    server = Server(answers)
    trusted: ssl.SSLContext | None = None
    async with trio.open_nursery() as nursery:
        if tls:
            authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority.issue_cert("127.0.0.1").configure_cert(context)
            trusted = ssl.create_default_context()
            authority.configure_trust(trusted)
            serve = partial(trio.serve_ssl_over_tcp, server.serve, 0, context, https_compatible=True)
            found: list[trio.SSLListener[trio.SocketStream]] = await nursery.start(serve)
            port = found[0].transport_listener.socket.getsockname()[1]  # type: ignore[attr-defined]  # of a socket
        else:
            listeners: list[trio.SocketListener] = await nursery.start(trio.serve_tcp, server.serve, 0)
            port = listeners[0].socket.getsockname()[1]
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1/api"
        async with Network(trusted) as network:
            yield server, network
        nursery.cancel_scope.cancel()


async def ask(server: Server, network: Network, content: bytes | None = None, **extensions: object) -> bytes:
    method = "GET" if content is None else "POST"
    request = httpx.Request(method, f"{server.url}/a", content=content, extensions=extensions)
    answer = await network.handle_async_request(request)
    return await answer.aread()


async def test_head_and_body_leave_in_one_write_over_one_kept_connection() -> None:
    async with served() as (server, network):
        assert await ask(server, network, b'{"a":1}') == b"{}"
        assert await ask(server, network, b'{"a":22}') == b"{}"
        assert await ask(server, network) == b"{}"
    (reads,) = server.heard
    first, second, third = (one.partition(b"\r\n\r\n") for one in reads)
    assert first[0].startswith(b"POST /v1/api/a HTTP/1.1\r\nHost: 127.0.0.1:")
    assert (first[2], second[2], third[2]) == (b'{"a":1}', b'{"a":22}', b"")
    assert b"\r\nContent-Length: 7" in first[0]
    assert b"\r\nContent-Length: 8" in second[0]
    assert third[0].startswith(b"GET ")
    assert b"Content-Length" not in third[0]


async def test_a_connection_that_the_server_has_closed_carries_nothing_more() -> None:
    async with served(OK) as (server, network):
        await ask(server, network, b"1")
        server.answers = [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"]
        assert await ask(server, network, b"2") == b"x"
        assert await ask(server, network, b"3") == b"{}"
    assert [len(one) for one in server.heard] == [2, 1]


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_ones() -> None:
    async with served(OK + b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n") as (server, network):
        assert await ask(server, network, b"1") == b"{}"
        assert await ask(server, network, b"2") == b"{}"
    assert [len(one) for one in server.heard] == [1, 1]


async def test_a_connection_that_lay_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as (server, network):
        await ask(server, network)
        now_s = trio.current_time()
        monkeypatch.setattr("engine.webapi.network.trio.current_time", lambda: now_s + 5.5)
        await ask(server, network)
    assert [len(one) for one in server.heard] == [1, 1]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\n\r\nall until the end", b"all until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"{}"),
    ],
)
async def test_answers_of_every_framing_are_read_whole(answer: bytes, body: bytes) -> None:
    async with served(answer) as (server, network):
        assert await ask(server, network, b"1") == body
        assert await ask(server, network, b"2") == b"{}"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nab",
        b"no HTTP at all, Length\r\n\r\n",
    ],
)
async def test_what_is_no_whole_answer_is_an_error_and_the_next_request_has_a_new_connection(
    answer: bytes | None,
) -> None:
    async with served(answer) as (server, network):
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await ask(server, network, b"1")
        assert await ask(server, network, b"2") == b"{}"
    assert len(server.heard) == 2


async def test_a_body_that_nobody_reads_to_its_end_costs_the_connection() -> None:
    async with served() as (server, network):
        answer = await network.handle_async_request(httpx.Request("GET", f"{server.url}/a"))
        await answer.aclose()
        await ask(server, network)
    assert len(server.heard) == 2


async def test_no_more_connections_than_there_is_room_for() -> None:
    async with served() as (server, network):
        held = [
            await network.handle_async_request(httpx.Request("GET", f"{server.url}/a")) for _ in range(CONNECTIONS_MAX)
        ]
        with trio.move_on_after(0.05) as waited:  # of real sockets: nothing may come
            await ask(server, network)
        assert waited.cancelled_caught
        await held[0].aread()
        assert await ask(server, network) == b"{}"
        for one in held[1:]:
            await one.aclose()
    assert len(server.heard) == CONNECTIONS_MAX


async def test_progress_says_whether_a_byte_left() -> None:
    async with served(None) as (server, network):
        progress = Progress()
        assert not progress.unsent  # nobody has told anything yet
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await ask(server, network, b"1", **{PROGRESS: progress})
        assert not progress.unsent
    progress = Progress()
    with pytest.raises(httpx.ConnectError):  # the server is gone
        await ask(server, Network(None), b"1", **{PROGRESS: progress})
    assert progress.unsent


async def test_a_header_that_would_end_its_line_never_leaves() -> None:
    async with served() as (server, network):
        request = httpx.Request("GET", f"{server.url}/a", headers={"X-A": "1\r\nX-B: 2"})
        with pytest.raises(httpx.UnsupportedProtocol):
            await network.handle_async_request(request)
    assert not server.heard


async def test_cookies_are_said_anew_after_they_have_changed() -> None:
    first = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nContent-Length: 0\r\n\r\n"
    second = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=2; Path=/\r\nContent-Length: 0\r\n\r\n"
    call = Call(method="GET", template="/a", path="/a", kind=Kind.READ, urgency=Urgency.ACCOUNT)
    async with served(first, OK, second) as (server, _), Rest(server.url, RatedClock(0)) as rest:
        for _ in range(4):
            await rest.call(call)
    said = [(b"Cookie: a=1" in one and 1) or (b"Cookie: a=2" in one and 2) for one in server.heard[0]]
    assert said == [False, 1, 1, 2]


async def test_a_write_cut_in_its_middle_is_lost_and_not_sent_again() -> None:
    call = Call(
        method="POST", template="/a", path="/a", kind=Kind.ORDER_WRITE, urgency=Urgency.PLACE, body={"a": 1}
    )  # fmt: skip
    async with served(None) as (server, _), Rest(server.url, RatedClock(0)) as rest:
        with pytest.raises(AnswerLost):
            await rest.call(call)
    assert sum(len(one) for one in server.heard) == 1


@asynccontextmanager
async def waiting_for_a_permit(
    server: Server, network: Network, content: bytes
) -> AsyncIterator[tuple[StorePermit, Progress, list[bytes | Exception]]]:
    """A request that is ready and may not leave yet; what became of it is in the list at the end."""
    permit, outcome = StorePermit(), list[bytes | Exception]()
    progress = Progress(permit)
    await ask(server, network)  # a connection is there

    async def place() -> None:
        try:
            outcome.append(await ask(server, network, content, **{PROGRESS: progress}))
        except Withheld as withheld:
            outcome.append(withheld)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(place)
        await trio.sleep(0.05)
        assert [len(reads) for reads in server.heard] == [1], "no byte of it is out"
        assert not progress.sending
        yield permit, progress, outcome


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("size", [10, 8 << 20])  # what fits into the socket at once, and what does not
async def test_a_request_leaves_when_its_permit_is_granted_and_no_byte_of_it_before(size: int, tls: bool) -> None:
    content = bytes(number % 251 for number in range(10)) * (size // 10)
    async with served(tls=tls) as (server, network):
        server.silent_until = len(content)
        async with waiting_for_a_permit(server, network, content) as (permit, progress, outcome):
            await trio.to_thread.run_sync(permit.grant)
            assert progress.sending, "whoever grants it sends"
    assert outcome[0] == b"{}"
    (reads,) = server.heard
    sent = b"".join(reads[1:])
    assert sent.startswith(b"POST /v1/api/a HTTP/1.1\r\n")
    assert sent.partition(b"\r\n\r\n")[2] == content


@pytest.mark.parametrize("tls", [False, True])
async def test_a_request_whose_permit_is_refused_never_leaves(tls: bool) -> None:
    async with served(tls=tls) as (server, network):
        async with waiting_for_a_permit(server, network, b"{}") as (permit, progress, outcome):
            assert permit.refuse()
        permit.grant()
        await trio.sleep(0.05)
        assert isinstance(outcome[0], Withheld)
        assert progress.unsent
        assert sum(len(reads) for reads in server.heard) == 1
        assert await ask(server, network, b"next") == b"{}", "what is sealed is forgotten with its connection"


async def test_a_request_that_is_given_up_takes_its_permit_with_it() -> None:
    async with served() as (server, network):
        with trio.CancelScope() as scope:
            async with waiting_for_a_permit(server, network, b"{}") as (permit, progress, _):
                scope.cancel()
        permit.grant()
        await trio.sleep(0.05)
        assert progress.unsent
        assert sum(len(reads) for reads in server.heard) == 1


async def test_a_record_can_be_sealed_before_it_is_sent() -> None:
    async with served(tls=True) as (server, network):
        await ask(server, network)
        (connection,) = network._idle
        record = connection.sealed(b"secret")
        assert record is not None, "trio's stream has other names now: permits over TLS cost a turn of the loop"
        assert b"secret" not in record
