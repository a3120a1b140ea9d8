"""How many websocket frames a second the client takes: decoded alone, and through the socket to whoever takes quotes.

    python -m benchmarks.stream

The frames are `smd` deltas of 40 lines as the simulated gateway makes them. The socket's peer is a process of its own
that does nothing but push bytes that were made before; there is no TLS between them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Awaitable
from random import Random
from typing import Any, Final, cast

import structlog
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Message, Request, TextMessage

from engine.domain.instrument import Instrument
from engine.webapi.auth import Handshake
from engine.webapi.calls import Call, Reply
from engine.webapi.clock import WallClock
from engine.webapi.endpoints.marketdata import MarketData as Endpoints
from engine.webapi.marketdata import WebMarketData
from engine.webapi.stream import frames
from engine.webapi.stream.histories import Histories
from engine.webapi.stream.registry import Registry, StreamRules
from engine.webapi.stream.socket import Socket

LINES: Final = 40
FRAMES: Final = 100_000
BATCH: Final = 200  # frames a write of the peer's


def made(count: int) -> list[bytes]:
    """Deltas of the lines in turn: mostly a quote, now and then a trade."""
    chance, found = Random(7), []
    for number in range(count):
        conid = 1_000 + number % LINES
        value: dict[str, object] = {
            "topic": f"smd+{conid}",
            "conid": conid,
            "conidEx": str(conid),
            "server_id": "q1",
            "6119": "q1",
            "_updated": 1_700_000_000_000 + number,
            "84": f"{100 + chance.randrange(200) / 100:.2f}",
            "86": f"{102 + chance.randrange(200) / 100:.2f}",
            "88": str(chance.randrange(1, 2_000)),
            "85": str(chance.randrange(1, 2_000)),
        }
        if number % 5 == 0:
            value |= {
                "31": f"{101 + chance.randrange(200) / 100:.2f}",
                "7059": "100",
                "7762": str(10_000 + number * 100),
            }
        found.append(json.dumps(value, separators=(",", ":")).encode())
    return found


class Nobody:
    """Answers no REST call: nothing here makes one."""

    async def call(self, call: Call, *, deadline_ns: int | None = None) -> Reply:  # noqa: ARG002
        raise AssertionError(call.name)


async def _nowhere(messages: list[str]) -> None:
    del messages


def _data(clock: WallClock, registry: Registry) -> WebMarketData:
    histories = Histories(clock, send=_nowhere, is_open=lambda: False)
    return WebMarketData(Endpoints(Nobody(), clock), registry, clock, account="DU1", histories=histories, send=_nowhere)


def _registry() -> Registry:
    return Registry(StreamRules(), fields=lambda _: ("31",), is_open=lambda _, __: False)


async def alone() -> None:
    """Decoding, and decoding with the merge, without a socket."""
    raws = made(FRAMES)
    clock, registry = WallClock(), _registry()
    data = _data(clock, registry)
    await data.subscribe([Instrument(conid=1_000 + number, symbol=f"S{number:02}") for number in range(LINES)])
    began = time.process_time()
    for raw in raws:
        frames.read(raw)
    decoded_s = time.process_time() - began
    began = time.process_time()
    for number, raw in enumerate(raws):
        for said in frames.read(raw):
            data.on_frame(said, number)
        if number % 500 == 499:
            await data.news()
    whole_s = time.process_time() - began
    print(f"decoded: {decoded_s / FRAMES * 1e6:.1f} us a frame; merged and passed on: {whole_s / FRAMES * 1e6:.1f} us")


async def through() -> None:
    """Frames of a peer through the socket into the hands of a taker, all of them."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stream", "peer"], stdout=subprocess.PIPE, text=True
    ) as peer:
        assert peer.stdout is not None
        port = int(peer.stdout.readline())
        clock, registry = WallClock(), _registry()
        data = _data(clock, registry)
        await data.subscribe([Instrument(conid=1_000 + number, symbol=f"S{number:02}") for number in range(LINES)])
        rows, late_s = 0, 0.0

        def on_frame(said: frames.Said, at_ns: int) -> None:
            nonlocal late_s
            data.on_frame(said, at_ns)
            late_s = max(late_s, (clock.now_ns() - at_ns) / 1e9)

        async with trio.open_nursery() as nursery:
            socket = Socket(
                f"http://127.0.0.1:{port}/v1/api", None, clock, registry, on_frame=on_frame, tell=lambda _: None
            )
            await nursery.start(socket.run)

            async def take() -> None:
                nonlocal rows
                while True:
                    rows += len(await data.news())

            nursery.start_soon(take)
            await socket.connect(Handshake())
            began, used = time.perf_counter(), time.process_time()
            while socket.frames < FRAMES:
                await trio.sleep(0.005)
            took, used = time.perf_counter() - began, time.process_time() - used
            print(
                f"through the socket: {FRAMES / took:,.0f} frames/s, {used / FRAMES * 1e6:.1f} us of processor time a"
                f" frame, none waited longer than {late_s * 1e3:.0f} ms; {rows:,} rows taken, {data.conflated:,} folded"
            )
            await socket.disconnect()
            nursery.cancel_scope.cancel()
        peer.kill()


async def _peer() -> None:
    """Serve one connection, push, and wait for its end."""
    raws = made(FRAMES)

    async def serve(stream: trio.SocketStream) -> None:
        ws = WSConnection(ConnectionType.SERVER)
        ws.receive_data(bytes(await stream.receive_some(65_536)))
        assert isinstance(next(ws.events()), Request)
        await stream.send_all(ws.send(AcceptConnection()))
        hello = '{"topic":"sts","args":{"authenticated":true}}'
        await stream.send_all(ws.send(TextMessage(hello)))
        for first in range(0, len(raws), BATCH):
            part = [ws.send(cast("Message[str]", TextMessage(raw.decode()))) for raw in raws[first : first + BATCH]]
            await stream.send_all(b"".join(part))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        (listener,) = await cast(
            "Awaitable[Any]",
            nursery.start(lambda task_status: trio.serve_tcp(serve, 0, host="127.0.0.1", task_status=task_status)),
        )
        print(listener.socket.getsockname()[1], flush=True)
        await trio.sleep_forever()


def main() -> None:
    """Measure and print."""
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.ReturnLoggerFactory()
    )
    if sys.argv[1:] == ["peer"]:
        trio.run(_peer)
    else:
        trio.run(alone)
        trio.run(through)


if __name__ == "__main__":
    main()
