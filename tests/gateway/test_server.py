"""The gateway over real TLS sockets on loopback: paths, bodies, cookies, the websocket's start."""

from __future__ import annotations

import json
from pathlib import Path

import trio
from trio_websocket import open_websocket_url

from engine.gateway.records import QuoteNews
from tests.gateway.fakes import AAPL, Running, running


async def _frames(socket: object, count: int) -> list[dict[str, object]]:
    with trio.fail_after(5):
        return [json.loads(await socket.get_message()) for _ in range(count)]  # type: ignore[attr-defined]


def _ws(gateway: Running) -> str:
    return gateway.root.replace("http", "ws", 1) + "/v1/api/ws"


async def test_a_browser_login_has_been_there(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        for method in ("GET", "POST"):
            status = (await gateway.client.request(method, "/v1/api/iserver/auth/status", content=b"")).json()
            assert (status["authenticated"], status["established"], status["connected"], status["competing"]) == (
                True,
                True,
                True,
                False,
            )
        tickle = await gateway.client.get("/v1/portal/tickle")
        assert tickle.status_code == 200
        assert len(tickle.json()["session"]) == 32
        assert tickle.json()["hmds"] == {"error": "no bridge"}
        assert tickle.json()["iserver"]["authStatus"] == status
        assert "x-sess-uuid" in tickle.headers["set-cookie"]


async def test_quotes_stream_over_tls(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        session = await gateway.tickle()
        async with open_websocket_url(
            _ws(gateway), ssl_context=gateway.tls, extra_headers=[(b"Cookie", f"api={session}".encode())]
        ) as socket:
            system, act, sts = await _frames(socket, 3)
            assert system["success"] == "simuser"
            assert act["topic"] == "act"
            assert sts["args"]["authenticated"] is True  # type: ignore[index]
            await socket.send_message(f'smd+{AAPL}+{{"fields":["31","84"]}}')
            (first,) = await _frames(socket, 1)
            assert (first["topic"], first["conid"], first["31"], first["84"]) == (
                "smd+265598",
                AAPL,
                "168.42",
                "168.41",
            )
            gateway.exchange.values["84"] = "168.40"
            gateway.clock.pass_s(1)
            gateway.exchange.coming.append(QuoteNews(ts_ns=gateway.clock.at, conid=AAPL))
            gateway.shell.disturbed()
            (second,) = await _frames(socket, 1)
            assert second["84"] == "168.40"
            assert "31" not in second
