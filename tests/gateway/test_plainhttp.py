"""The short way over HTTP: what it reads is what h11 reads, and what it does not read is Hypercorn's."""

from __future__ import annotations

from pathlib import Path

import h11
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from engine.gateway.calls import Answer
from engine.gateway.faults import read_script
from engine.gateway.plainhttp import LARGEST_HEAD, NotPlainError, Peer, written
from tests.gateway.fakes import Running, running


def reader(largest_body: int = 1000) -> Peer:
    return Peer(peer="127.0.0.1", server="127.0.0.1:5000", scheme="https", largest_body=largest_body)


def read_by_h11(data: bytes) -> tuple[bytes, bytes, dict[bytes, bytes], bytes] | None:
    """The request that h11 finds, or None where it asks for more or refuses."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    try:
        request = connection.next_event()
        if not isinstance(request, h11.Request):
            return None
        body = b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                return None
            body += bytes(event.data)
    except h11.RemoteProtocolError:
        return None
    return request.method, request.target, dict(request.headers), body


_LINES = st.sampled_from(
    [
        b"Host: a",
        b"host:b:5000",
        b"Content-Length: 3",
        b"content-length:  2 ",
        b"Content-Length: 3, 3",
        b"Content-Length: +3",
        b"Content-Length: \xb2",
        b"Transfer-Encoding: chunked",
        b"Connection: keep-alive",
        b"Connection: close",
        b"Connection: Upgrade",
        b"Expect: 100-continue",
        b" folded",
        b"Cookie: api=1; x=\xe9",
        b"Name : v",
        b"X-Tab:\ta\tb\t",
        b"X-Bad: a\x00b",
        b"X-Bad: a\nb",
        b"Empty:",
        b"nothing",
    ]
)
_FIRST = st.sampled_from(
    [
        b"GET /v1/api/tickle HTTP/1.1",
        b"POST /a?b=c%20d&e HTTP/1.1",
        b"DELETE /a#b HTTP/1.1",
        b"GET  /a HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET /a HTTP/1.0",
        b"HEAD /a HTTP/1.1",
        b"GET http://h/a HTTP/1.1",
        b"get /a HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"",
    ]
)


@given(_FIRST, st.lists(_LINES, max_size=5), st.sampled_from([b"\r\n", b"\n"]), st.binary(max_size=6))
@example(b"POST /a HTTP/1.1", [b"Host: a", b"Content-Length: 3"], b"\r\n", b"abcGET")
def test_what_is_read_is_what_h11_reads(first: bytes, lines: list[bytes], end: bytes, body: bytes) -> None:
    data = end.join([first, *lines, b"", b""]) + body
    try:
        found = reader().read(data)
    except NotPlainError:
        return
    theirs = read_by_h11(data)
    if found is None:
        assert theirs is None  # it waits for more, and so does h11
        return
    request, rest = found
    assert theirs is not None
    method, target, headers, whole = theirs
    assert request.method.encode() == method
    assert request.path.encode() + (b"?" if b"?" in target else b"") + request.query.encode() == target
    assert {name.encode(): value.encode("latin-1") for name, value in request.headers.items()} == headers
    assert (request.body, rest) == (whole, body[len(whole) :])


PLAIN = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"


def test_a_request_may_come_byte_by_byte() -> None:
    for cut in range(len(PLAIN)):
        assert reader().read(PLAIN[:cut]) is None
    found = reader().read(PLAIN + PLAIN)
    assert found is not None
    assert found[1] == PLAIN


@pytest.mark.parametrize(
    "line",
    [b"Connection: close", b"Connection: Upgrade", b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"a: \x01"],
)
def test_what_is_not_plain_is_left_alone(line: bytes) -> None:
    with pytest.raises(NotPlainError):
        reader().read(b"GET /a HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n")


def test_no_host_two_lengths_and_too_much_are_not_plain() -> None:
    for data in (
        b"GET /a HTTP/1.1\r\nA: b\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n",
        b"GET /" + b"a" * LARGEST_HEAD,
    ):
        with pytest.raises(NotPlainError):
            reader().read(data)


def test_an_answer_is_one_that_h11_reads() -> None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.receive_data(b"".join(written(Answer(status=429, body={"a": 1}), ((b"set-cookie", b"x=1; Path=/"),))))
    answer = connection.next_event()
    assert isinstance(answer, h11.Response)
    assert answer.status_code == 429
    headers = dict(answer.headers)
    assert headers[b"content-type"] == b"application/json; charset=utf-8"
    assert headers[b"set-cookie"] == b"x=1; Path=/"
    assert headers[b"date"].endswith(b" GMT")
    body = connection.next_event()
    assert isinstance(body, h11.Data)
    assert bytes(body.data) == b'{"a":1}'
    assert isinstance(connection.next_event(), h11.EndOfMessage)


async def _spoken(gateway: Running, *pieces: bytes) -> bytes:
    """All that comes back on one connection of its own until it ends."""
    stream = await trio.open_tcp_stream("127.0.0.1", int(gateway.root.rpartition(":")[2]))
    said = b""
    async with stream:
        for piece in pieces:
            await stream.send_all(piece)
        with trio.fail_after(5):
            while data := await stream.receive_some(65_536):
                said += data
    return said


GOOD = b"GET /v1/api/tickle HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /v1/api/tickle HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def test_plain_requests_and_others_share_a_connection(tmp_path: Path) -> None:
    chunked = (
        b"POST /v1/api/tickle HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )
    async with running(tmp_path, plain=True) as gateway:
        said = await _spoken(gateway, GOOD + GOOD[:9], GOOD[9:] + chunked[:30], chunked[30:], GOOD + LAST)
        assert said.count(b"HTTP/1.1 200") == 5
        assert said.count(b'"authStatus"') == 5


async def test_a_close_an_expectation_and_nonsense_are_answered_by_hypercorn(tmp_path: Path) -> None:
    async with running(tmp_path, plain=True) as gateway:
        assert (await _spoken(gateway, LAST)).count(b"HTTP/1.1 200") == 1
        expects = LAST.replace(b"GET", b"POST").replace(
            b"\r\n\r\n", b"\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}"
        )
        said = await _spoken(gateway, expects)
        assert said.startswith(b"HTTP/1.1 100")
        assert b"HTTP/1.1 200" in said
        assert (await _spoken(gateway, GOOD + b"nonsense\r\n\r\n")).count(b"HTTP/1.1 400") == 1


async def test_a_half_open_connection_goes_when_its_peer_does(tmp_path: Path) -> None:
    async with running(tmp_path, plain=True) as gateway:
        port = int(gateway.root.rpartition(":")[2])
        before = trio.lowlevel.current_statistics().tasks_living
        for when in ("before", "after"):
            gateway.shell.faults.load(
                read_script([{"do": "half-open", "on": "*", "count": 1, "when": when}], place="test"), gateway.clock.at
            )
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(GOOD)
            with trio.move_on_after(0.2) as silence:
                await stream.receive_some()
            assert silence.cancelled_caught
            await stream.send_all(GOOD)
            await stream.aclose()
            with trio.fail_after(5):
                while trio.lowlevel.current_statistics().tasks_living > before:
                    await trio.sleep(0.01)
