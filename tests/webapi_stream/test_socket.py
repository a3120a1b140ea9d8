"""The socket against a small server: opening, authorising, draining, and every way to lose it.

Time jumps once nothing has moved for a hundredth of a second, so that real sockets keep up with it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from attrs import define, field
from structlog.testing import capture_logs
from trio.testing import MockClock
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket
from wsproto import WSConnection

from engine.errors import VenueUnreachable
from engine.webapi.auth import Handshake
from engine.webapi.clock import RatedClock
from engine.webapi.facts.session import AuthStatus
from engine.webapi.facts.wire import Unreadable
from engine.webapi.sessionfacts import DataFlows, DataSilent, Heard, Pushed, StreamLost
from engine.webapi.stream import frames
from engine.webapi.stream import socket as module
from engine.webapi.stream.registry import Registry, StreamRules
from engine.webapi.stream.socket import Socket
from tests.webapi_stream.frames_made import FRAMES, SMD

S = 1_000_000_000
NOON = 1_700_000_000 * S
TOKEN = "feedfacefeedfacefeedfacefeedface"
HANDSHAKE = Handshake(query=(("oauth_token", TOKEN),), headers=(("Cookie", f"api={TOKEN}"),))
GOOD = {"topic": "sts", "args": {"authenticated": True, "competing": False, "connected": True}}
SOR = "sor+{}"


@pytest.fixture
def clock(autojump_clock: MockClock) -> MockClock:
    autojump_clock.autojump_threshold = 0.01
    return autojump_clock


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


@define
class Server:
    """What a server saw, and what it does: `greet` runs once a connection is open, `answer` at each message."""

    greet: Callable[[WebSocketConnection], Awaitable[None]]
    answer: Callable[[str], list[object]] = lambda message: []
    reads: bool = True
    paths: list[str] = field(factory=list)
    headers: list[dict[str, str]] = field(factory=list)
    messages: list[str] = field(factory=list)
    links: list[WebSocketConnection] = field(factory=list)
    ended: int = 0

    async def serve(self, request: WebSocketRequest) -> None:
        self.paths.append(request.path)
        self.headers.append({name.decode().lower(): value.decode() for name, value in request.headers})
        link = await request.accept()
        self.links.append(link)
        try:
            await self.greet(link)
            while self.reads:
                message = await link.get_message()
                assert isinstance(message, str)
                self.messages.append(message)
                for answer in self.answer(message):
                    await say(link, answer)
            await trio.sleep_forever()
        except ConnectionClosed:
            self.ended += 1


async def say(link: WebSocketConnection, value: object, *, binary: bool = False) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    await link.send_message(text.encode() if binary else text)


async def welcome(link: WebSocketConnection) -> None:
    await say(link, {"topic": "system", "success": "joe"})
    await say(link, GOOD)


@define
class Rig:
    socket: Socket
    registry: Registry
    clock: RatedClock
    frames: list[frames.Said]
    told: list[Heard]

    def lost(self) -> list[str]:
        return [one.problem for one in self.told if isinstance(one, StreamLost)]

    async def until(self, what: Callable[[], object], limit_s: float = 200) -> None:
        with trio.fail_after(limit_s):
            while not what():
                await trio.sleep(0.25)


@asynccontextmanager
async def rig(server: Server | None, *, url: str = "", **rules: Any) -> AsyncIterator[Rig]:
    clock = RatedClock(NOON)
    registry = Registry(StreamRules(**rules), fields=lambda name: ("31",), is_open=lambda name, now_ns: True)
    heard: list[frames.Said] = []
    told: list[Heard] = []

    def on_frame(frame: frames.Said, at_ns: int) -> None:
        heard.append(frame)
        if isinstance(frame, frames.Market):
            registry.quoted(frame.name, at_ns)

    async with trio.open_nursery() as nursery:
        if server is not None:
            listening = await nursery.start(partial(serve_websocket, server.serve, "127.0.0.1", 0, None))
            url = f"http://127.0.0.1:{listening.port}/v1/api"
        socket = Socket(url, None, clock, registry, on_frame=on_frame, tell=told.append)
        await nursery.start(socket.run)
        yield Rig(socket, registry, clock, heard, told)
        await socket.disconnect()
        nursery.cancel_scope.cancel()


# --- opening -----------------------------------------------------------------------------------------------------


async def test_it_opens_with_what_proves_us_and_waits_until_it_is_authorised(clock: MockClock) -> None:
    async def slowly(link: WebSocketConnection) -> None:
        await say(link, {"topic": "sts", "args": {"authenticated": False}})
        await trio.sleep(3)
        await say(link, {"topic": "sts", "args": {"competing": False}})  # partial: neither yes nor no
        await trio.sleep(3)
        await say(link, GOOD, binary=True)

    server = Server(slowly)
    async with rig(server) as it:
        began = trio.current_time()
        await it.socket.connect(HANDSHAKE)
        assert 6 <= trio.current_time() - began < 7
        assert server.paths == [f"/v1/api/ws?oauth_token={TOKEN}"]
        assert server.headers[0]["cookie"] == f"api={TOKEN}"
        assert it.socket.is_open()
        statuses = [one.status for one in it.told if isinstance(one, Pushed)]
        assert [one.authenticated for one in statuses] == [False, None, True]


async def test_a_cookie_that_did_not_help_is_said_as_a_text_now_and_then(clock: MockClock) -> None:
    tries = 0

    def answer(message: str) -> list[object]:
        nonlocal tries
        tries += 1
        return [GOOD] if tries == 4 else [{"message": "waiting for session"}]

    async def waiting(link: WebSocketConnection) -> None:
        await say(link, {"message": "waiting for session"})

    server = Server(waiting, answer)
    async with rig(server) as it:
        await it.socket.connect(HANDSHAKE)
        assert server.messages == [f'{{"session":"{TOKEN}"}}'] * 4


async def test_a_session_that_is_never_taken_is_said_no_more_than_twice_a_second(clock: MockClock) -> None:
    async def waiting(link: WebSocketConnection) -> None:
        await say(link, {"message": "waiting for session"})

    server = Server(waiting, lambda message: [{"message": "waiting for session"}])
    async with rig(server) as it:
        with pytest.raises(VenueUnreachable, match="not authorised within 15 s"):
            await it.socket.connect(HANDSHAKE)
        assert len(server.messages) <= 2 * module.AUTHORISE_LIMIT_S + 1
        assert not it.socket.is_open()
        await it.until(lambda: server.ended == 1)  # and it was closed
        assert it.lost() == []


async def test_a_session_that_ends_later_is_told(clock: MockClock) -> None:
    server = Server(welcome, lambda message: [{"message": "waiting for session"}])
    async with rig(server) as it:
        await it.socket.connect(HANDSHAKE)
        await it.socket.send(["tic"])
        await it.until(lambda: Pushed(status=AuthStatus(authenticated=False)) in it.told)


async def test_what_is_no_websocket_is_an_error_without_secrets(clock: MockClock) -> None:
    async def refuse(request: WebSocketRequest) -> None:
        await request.reject(401, body=TOKEN.encode())

    async def page(stream: trio.SocketStream) -> None:
        await stream.receive_some(65_536)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    async def noise(stream: trio.SocketStream) -> None:
        await stream.send_all(b"\x00\x01garbage\r\n\r\n" * 10)
        await trio.sleep(1)

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.aclose()

    async def say_nothing(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        ports = [(await nursery.start(partial(serve_websocket, refuse, "127.0.0.1", 0, None))).port]
        for handler in (page, noise, hang_up, say_nothing):
            (listener,) = await nursery.start(partial(trio.serve_tcp, handler, 0, host="127.0.0.1"))
            ports.append(listener.socket.getsockname()[1])
        with trio.socket.socket() as free:
            await free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
        problems = []
        for port in ports:
            async with rig(None, url=f"http://127.0.0.1:{port}/v1/api") as it:
                with pytest.raises(VenueUnreachable) as caught:
                    await it.socket.connect(HANDSHAKE)
                assert TOKEN not in str(caught.value)
                assert caught.value.__cause__ is None
                assert not it.socket.is_open()
                assert it.told == []
                problems.append(caught.value.problem)
        assert "HTTP status 401" in problems[0]
        assert "HTTP status 200" in problems[1]
        assert "15 s" in problems[4]
        assert "can't be opened" in problems[5]
        nursery.cancel_scope.cancel()


async def test_after_a_failed_opening_the_next_one_works(clock: MockClock) -> None:
    deaf = True

    async def greet(link: WebSocketConnection) -> None:
        if not deaf:
            await welcome(link)

    server = Server(greet)
    async with rig(server) as it:
        with pytest.raises(VenueUnreachable):
            await it.socket.connect(HANDSHAKE)
        deaf = False
        await it.socket.connect(HANDSHAKE)
        await it.socket.connect(HANDSHAKE)  # and one that is open is closed before the next
        await it.until(lambda: server.ended == 2)
        assert it.lost() == []


# --- frames ------------------------------------------------------------------------------------------------------


async def test_frames_of_every_kind_pass_in_order_as_text_and_as_bytes(clock: MockClock) -> None:
    sent = [value for value, _ in FRAMES.values() if value != FRAMES["waiting"][0]]

    async def talk(link: WebSocketConnection) -> None:
        await welcome(link)
        for number, value in enumerate([*sent, "ech+hb", "{{{", "[1]"]):
            await say(link, value, binary=number % 2 == 0)

    async with rig(Server(talk)) as it:
        await it.socket.connect(HANDSHAKE)
        expected = [said for value in (FRAMES["system"][0], GOOD, *sent) for said in frames.read(json.dumps(value))]
        await it.until(lambda: len(it.frames) == len(expected) + 3)
        assert [type(one) for one in it.frames] == [*map(type, expected), frames.Echo, Unreadable, Unreadable]
        assert it.socket.unreadable == sum(isinstance(one, Unreadable) for one in it.frames)
        assert it.socket.age_s(it.clock.now_ns()) == 0
        assert it.lost() == []


async def test_a_flood_is_drained_and_none_of_it_is_lost(clock: MockClock) -> None:
    pings = []

    async def flood(link: WebSocketConnection) -> None:
        await welcome(link)
        for number in range(2_000):
            await say(link, {**SMD, "31": str(number)})
            if number % 500 == 0:
                await link.ping()  # returns with the pong
                pings.append(number)

    async with rig(Server(flood)) as it:
        await it.socket.connect(HANDSHAKE)
        await it.until(lambda: len(it.frames) == 2_002)
        rows = [one.row.fields["31"] for one in it.frames if isinstance(one, frames.Market)]
        assert rows == [str(number) for number in range(2_000)]
        assert len(pings) == 4


async def test_a_buffer_that_overflows_is_a_dead_link(clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUFFER_BYTES", 1_000)

    async def heavy(link: WebSocketConnection) -> None:
        await welcome(link)
        await trio.sleep(1)
        await say(link, {"topic": "sor", "args": [{"orderId": 1, "orderDesc": "x" * 2_000}]})

    server = Server(heavy)
    async with rig(server) as it:
        await it.socket.connect(HANDSHAKE)
        it.socket._busy = True  # whoever listens takes long
        await it.until(it.lost)
        assert it.lost() == ["1 frames wait to be read, more than may"]
        assert not it.socket.is_open()
        await it.until(lambda: server.ended == 1)


async def test_messages_do_not_pass_through_the_library_and_pings_do(
    clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    plain = WSConnection.receive_data

    def receive(self: WSConnection, data: bytes | None) -> None:
        read.append(data or b"")
        plain(self, data)

    async def talking(link: WebSocketConnection) -> None:
        await welcome(link)
        await trio.sleep(1)
        await link.ping(b"alive?")
        await say(link, {"topic": "sor", "args": [{"orderId": 1}]})

    async with rig(Server(talking, reads=True)) as it:
        await it.socket.connect(HANDSHAKE)
        link = it.socket._link
        assert link is not None
        monkeypatch.setattr(WSConnection, "receive_data", receive)
        await it.until(lambda: any(isinstance(one, frames.Orders) for one in it.frames))
        assert any(b"alive?" in data for data in read)
        # of the server, which reads by the same library, come pongs only
        assert not any(b"orderId" in data for data in read)


async def test_an_error_of_who_listens_is_no_break_of_the_link(clock: MockClock) -> None:
    async def talking(link: WebSocketConnection) -> None:
        await welcome(link)
        await trio.sleep(1)
        await say(link, {"topic": "sor", "args": [{"orderId": 1}]})

    def full(frame: frames.Said, at_ns: int) -> None:
        if isinstance(frame, frames.Orders):
            raise OSError(28, "a disk that is full")  # of a kind that a broken connection raises, too

    server = Server(talking, reads=True)
    lost: list[str] = []
    try:
        async with rig(server) as it:
            it.socket._on_frame = full
            await it.socket.connect(HANDSHAKE)
            await trio.sleep(60)
            lost += it.lost()
    except* OSError as raised:
        lost.append(str(raised.exceptions))
    assert len(lost) == 1
    assert "a disk that is full" in lost[0]


async def test_frames_come_in_their_order_while_who_listens_takes_long(
    clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONG_S", -1.0)

    async def talking(link: WebSocketConnection) -> None:
        await welcome(link)
        for number in range(50):
            await say(link, {"topic": "sor", "args": [{"orderId": number}]})

    heard: list[int] = []

    def hear(frame: frames.Said, at_ns: int) -> None:
        if isinstance(frame, frames.Orders):
            heard.extend(row.order_id for row in frame.rows)

    server = Server(talking, reads=True)
    async with rig(server) as it:
        it.socket._on_frame = hear
        await it.socket.connect(HANDSHAKE)
        await it.until(lambda: len(heard) == 50)
    assert heard == list(range(50))


# --- losing it ---------------------------------------------------------------------------------------------------


async def test_a_link_without_a_frame_is_ended_and_one_with_heartbeats_lives(clock: MockClock) -> None:
    beats = True

    async def beating(link: WebSocketConnection) -> None:
        await welcome(link)
        while beats:
            await trio.sleep(10)
            await say(link, {"topic": "system", "hb": 1_700_000_000_000})

    server = Server(beating, reads=True)
    async with rig(server) as it:
        await it.socket.connect(HANDSHAKE)
        await it.socket.subscribe()
        await trio.sleep(120)
        assert it.lost() == []
        beats = False
        began = trio.current_time()
        await it.until(it.lost)
        assert it.lost() == ["no frame came for too long"]
        assert 18 <= trio.current_time() - began <= 41  # 28 s after the last frame, which was up to 10 s ago


async def test_we_say_that_we_live(clock: MockClock) -> None:
    server = Server(welcome, lambda message: [{"topic": "tic", "alive": True, "lastAccessed": 5}] * 4)

    async with rig(server, tic_s=10) as it:
        await it.socket.connect(HANDSHAKE)
        await it.socket.subscribe()
        await trio.sleep(119)
        assert server.messages.count("tic") == 11
        assert it.lost() == []  # the answers are signs of life as good as any


async def test_an_end_by_the_server_is_told_with_its_code(clock: MockClock) -> None:
    async def end(link: WebSocketConnection) -> None:
        await welcome(link)
        await trio.sleep(1)
        await link.aclose(code=1008)

    async with rig(Server(end)) as it:
        await it.socket.connect(HANDSHAKE)
        await it.until(it.lost)
        assert it.lost() == ["the websocket was closed (1008)"]
        await it.socket.send(["tic"])  # goes nowhere


async def test_a_peer_that_takes_nothing_is_gone(clock: MockClock) -> None:
    server = Server(welcome, reads=False)
    async with rig(server) as it:
        await it.socket.connect(HANDSHAKE)
        with pytest.raises(VenueUnreachable):
            await it.socket.send(["x" * 4_000_000] * 8)
        assert it.lost() == ["the websocket took nothing for 10 s"]
        assert not it.socket.is_open()


async def test_order_news_that_is_refused_costs_the_link(clock: MockClock) -> None:
    def answer(message: str) -> list[object]:
        return [{"error": "no bridge", "code": 500, "topic": "sor"}] if message == SOR else []

    async with rig(Server(welcome, answer)) as it:
        it.registry.want("orders", SOR, "uor+{}")
        await it.socket.connect(HANDSHAKE)
        await it.socket.subscribe()
        await it.until(it.lost)
        assert it.lost() == ["sor is refused: no bridge"]


async def test_quotes_that_are_refused_do_not(clock: MockClock) -> None:
    def answer(message: str) -> list[object]:
        return [{"error": "No accounts", "code": 500, "topic": "smd"}] if message.startswith("smd") else []

    async with rig(Server(welcome, answer)) as it:
        it.registry.want_quotes(["265598"], NOON)
        await it.socket.connect(HANDSHAKE)
        await it.socket.subscribe()
        await trio.sleep(20)
        assert it.lost() == []


# --- subscriptions and their health -------------------------------------------------------------------------------


def quoting(message: str) -> list[object]:
    """Answer as a server that has a first frame for every line, and signs of life."""
    if message.startswith("smd"):
        return [SMD]
    return [{"topic": "system", "hb": 1_700_000_000_000}] if message == "tic" else []


async def test_subscribing_takes_until_every_line_has_proved_itself(clock: MockClock) -> None:
    server = Server(welcome, quoting)
    async with rig(server) as it:
        it.registry.want("orders", SOR, "uor+{}")
        it.registry.want_quotes(["265598"], NOON)
        await it.socket.connect(HANDSHAKE)
        began = trio.current_time()
        await it.socket.subscribe()
        assert trio.current_time() - began < 1
        assert server.messages == [SOR, 'smd+265598+{"fields":["31"]}']
        await it.until(lambda: DataFlows() in it.told)
        assert it.told.count(DataFlows()) == 1
        it.socket.tell_again()
        await it.until(lambda: it.told.count(DataFlows()) == 2)


async def test_a_line_that_does_not_prove_itself_does_not_hold_up_the_others_for_ever(clock: MockClock) -> None:
    server = Server(welcome, lambda message: quoting(message) if "265598" in message or message == "tic" else [])
    async with rig(server, tic_s=10, silent_s=1e6, renew_s=1e6) as it:
        it.registry.want_quotes(["265598", "8314"], NOON)
        await it.socket.connect(HANDSHAKE)
        began = trio.current_time()
        await it.socket.subscribe()
        assert trio.current_time() - began == pytest.approx(module.PROOF_LIMIT_S, abs=0.5)
        assert not any(isinstance(one, DataFlows | DataSilent) for one in it.told)
        await it.until(lambda: DataSilent(problem="no data of 8314") in it.told)
        assert trio.current_time() - began == pytest.approx(10 + 20 + 30, abs=4)
        await say(server.links[0], {**SMD, "topic": "smd+8314", "conid": 8314, "conidEx": "8314"})
        await it.until(lambda: DataFlows() in it.told)


async def test_a_link_lost_while_it_is_subscribed_is_an_error(clock: MockClock) -> None:
    async def brief(link: WebSocketConnection) -> None:
        await welcome(link)
        await trio.sleep(1)
        await link.aclose()

    async with rig(Server(brief)) as it:
        it.registry.want_quotes(["265598"], NOON)
        await it.socket.connect(HANDSHAKE)
        with pytest.raises(VenueUnreachable, match="while it was subscribed"):
            await it.socket.subscribe()


async def test_a_log_of_what_cannot_be_read_has_its_bounds(clock: MockClock) -> None:
    async def babble(link: WebSocketConnection) -> None:
        await welcome(link)
        for _ in range(1_000):
            await say(link, "[]")

    with capture_logs() as logs:
        async with rig(Server(babble)) as it:
            await it.socket.connect(HANDSHAKE)
            await it.until(lambda: it.socket.unreadable == 1_000)
    assert len([one for one in logs if one["event"] == "frame_unreadable"]) == 10  # 1, 2, 4 ... 512
