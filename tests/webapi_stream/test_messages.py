"""Messages are read before the library sees them: in order, whole, however they were cut; the rest is the library's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol

from engine.webapi.stream.messages import Messages

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
MOST = 70_000

SIZES = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, MOST])
TEXTS = st.text(max_size=40) | SIZES.map(lambda size: "x" * size)
MESSAGES = TEXTS | st.binary(max_size=40) | SIZES.map(bytes)


def server() -> FrameProtocol:
    """The frames as the library's own server writes them."""
    return FrameProtocol(client=False, extensions=[])


def taker(heard: list[str | bytes]) -> Callable[[str | bytes], bool]:
    def take(message: str | bytes) -> bool:
        heard.append(message)
        return True

    return take


def read(chunks: Sequence[bytes], take: Any, *, size_max: int = MOST) -> bytes:
    """What the library gets of what comes in these chunks."""
    left = bytearray()

    async def main() -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        stage = Messages(ours, take, size_max=size_max)
        stage.start()

        async def feed() -> None:
            for chunk in chunks:
                await theirs.send_all(chunk)
                await trio.testing.wait_all_tasks_blocked()
            await theirs.send_eof()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed)
            while data := await stage.receive_some(65_536):
                left.extend(data)

    trio.run(main)
    return bytes(left)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    st.lists(st.tuples(MESSAGES, st.integers(1, 3), st.booleans()), max_size=8),
    st.lists(st.integers(0, 10**6), max_size=12),
)
def test_messages_are_taken_in_order_and_only_control_frames_are_left(
    wanted: list[tuple[str | bytes, int, bool]], places: list[int]
) -> None:
    wire, control, peer = bytearray(HEAD), bytearray(HEAD), server()
    for message, parts, pinged in wanted:
        step = len(message) // parts + 1
        pieces = [message[at : at + step] for at in range(0, len(message), step)] or [message]
        for number, piece in enumerate(pieces):
            wire += peer.send_data(piece, fin=number == len(pieces) - 1)
            if pinged:
                ping = peer.ping(b"p%d" % number)
                wire += ping
                control += ping
    farewell = peer.close(1000, "done")
    heard: list[str | bytes] = []
    take = taker(heard)

    assert read(cut(bytes(wire + farewell), places), take) == bytes(control + farewell)
    assert heard == [message for message, _, _ in wanted]
    assert [type(one) for one in heard] == [type(message) for message, _, _ in wanted]


ODD = {
    "masked": b"\x81\x81abcd\x00",
    "a bit that is reserved": b"\xc1\x01a",
    "no opcode": b"\x83\x01a",
    "goes on after nothing": b"\x80\x01a",
    "begins within another": b"\x01\x01a\x81\x01b",
    "a ping in parts": b"\x09\x01a",
    "a ping that is too long": b"\x89\x7e\x00\x7e" + bytes(126),
    "no text": b"\x81\x02\xff\xfe",
    "too long": b"\x81\x7e\x00\xc9" + b"x" * 201,
    "too long, and not there yet": b"\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00",
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("at_once", [True, False])
def test_what_breaks_the_rules_is_the_library_s_and_so_is_all_that_follows(name: str, at_once: bool) -> None:
    odd, before, after = ODD[name], server().send_data("before", fin=True), server().send_data("after", fin=True)
    heard: list[str | bytes] = []
    take = taker(heard)
    chunks = [bytes(HEAD + before + odd + after)] if at_once else [HEAD, bytes(before), odd, bytes(after)]
    left = read(chunks, take, size_max=200)
    assert left.startswith(HEAD)
    assert left.endswith(after)
    assert (HEAD + before + odd + after).endswith(left[len(HEAD) :])
    assert heard == ["before"]


def test_parts_that_are_too_long_together_are_the_library_s() -> None:
    peer = server()
    wire = b"".join(peer.send_data("x" * 90, fin=number == 2) for number in range(3))
    heard: list[str | bytes] = []
    left = read([HEAD, wire], taker(heard), size_max=200)
    assert heard == []
    assert left == HEAD + wire[2 * 92 :]


@pytest.mark.parametrize("size", [5, 130, 66_000])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_message_without_room_and_all_that_follow_come_by_the_library(size: int, parts: int) -> None:
    peer, text = server(), "y" * size
    step = size // parts + size % parts
    wire = peer.send_data("first", fin=True)
    wire += b"".join(peer.send_data(text[at : at + step], fin=at + step >= size) for at in range(0, size, step))
    wire += peer.send_data("last", fin=True)
    left = read([HEAD + wire], lambda message: message == "first")
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(left.removeprefix(HEAD))
    assert "".join(str(frame.payload) for frame in client.received_frames()) == text + "last"


def test_an_answer_that_does_not_accept_is_the_library_s_as_a_whole() -> None:
    wire = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n\x81\x05hello\x81\x00"
    heard: list[str | bytes] = []
    assert read(cut(wire, [7, 30, 50]), taker(heard)) == wire
    assert heard == []


async def test_nothing_behind_the_handshake_is_taken_before_it_may(autojump_clock: trio.testing.MockClock) -> None:
    heard: list[str | bytes] = []
    ours, theirs = trio.testing.memory_stream_pair()
    stage = Messages(ours, taker(heard), size_max=MOST)
    await theirs.send_all(HEAD + server().send_data("early", fin=True))
    assert await stage.receive_some(100_000) == HEAD
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.receive_some)
        await trio.testing.wait_all_tasks_blocked()
        assert heard == []
        stage.start()
        await trio.testing.wait_all_tasks_blocked()
        assert heard == ["early"]
        nursery.cancel_scope.cancel()


async def test_who_has_much_to_take_lets_others_in(autojump_clock: trio.testing.MockClock) -> None:
    order: list[str | bytes] = []
    ours, theirs = trio.testing.memory_stream_pair()
    stage = Messages(ours, taker(order), size_max=MOST)
    stage.start()
    await theirs.send_all(HEAD)
    await stage.receive_some(100_000)

    async def other() -> None:
        for _ in range(100):
            order.append("other")
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        await theirs.send_all(b"".join(server().send_data(str(number), fin=True) for number in range(100)))
        nursery.start_soon(stage.receive_some)
        nursery.start_soon(other)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [one for one in order if one != "other"] == [str(number) for number in range(100)]
    first, last = order.index("0"), order.index("99")
    assert order[first:last].count("other") >= 20
