"""The gateway over real TLS sockets on loopback: paths, bodies, cookies, the websocket's start."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
from trio_websocket import open_websocket_url

from engine.gateway.options import Pacing, Streams
from engine.gateway.records import QuoteNews
from tests.gateway.fakes import AAPL, START_NS, Running, running, with_options


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


async def test_methods_lengths_bodies_and_paths(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        client = gateway.client
        await client.get("/v1/api/iserver/accounts")
        place = "/v1/api/iserver/account/DU1234567/orders"
        answer = await client.post(place, json={"orders": [{"price": 165.1}]})
        assert answer.json() == {"account": "DU1234567", "body": {"orders": [{"price": 165.1}]}}
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert (await client.post("/v1/api/iserver/account/:DU1234567/orders", json=[])).json()[
            "account"
        ] == "DU1234567"
        assert (await client.post(place, data={"orders": "1"})).json()["body"] == {"orders": "1"}
        assert (await client.post(place, content=b"")).json()["body"] is None
        assert (await client.post(place, content=b"{broken")).status_code == 400
        assert (await client.get(place)).status_code == 405
        assert (await client.get("/v1/api/nowhere")).status_code == 404
        assert (await client.get("/elsewhere")).status_code == 404
        assert (await client.get("/v1/api/iserver/account/orders/?filters=a&filters=b")).json()["query"] == {
            "filters": ["a", "b"]
        }
        assert (await client.get("/v1/api/broken")).status_code == 500
        assert (await client.get("/v1/api/trsrv/secdef?conids=" + ",".join(["1"] * 201))).status_code == 400
        assert (await client.post("/v1/api/trsrv/secdef", json={"conids": [1] * 200})).status_code == 200


@pytest.mark.parametrize("plain_way", [True, False])
async def test_neither_a_deep_body_nor_a_bug_of_ours_ends_the_gateway(
    tmp_path: Path, plain_way: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as gateway:
        headers = {} if plain_way else {"Connection": "close"}
        for path in ("/v1/api/tickle", "/sim/clock"):
            assert (await gateway.client.post(path, content=b"[" * 100_000, headers=headers)).status_code == 400
        with monkeypatch.context() as patch:
            patch.setattr(gateway.shell, "match", lambda _: 1 // 0)
            assert (await gateway.client.get("/v1/api/tickle", headers=headers)).status_code == 500
        assert "ZeroDivisionError" in capsys.readouterr().err
        assert (await gateway.client.get("/v1/api/tickle", headers=headers)).status_code == 200


async def test_a_post_without_a_length_is_411(tmp_path: Path) -> None:
    async with running(tmp_path, plain=True) as gateway:
        port = int(gateway.root.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"POST /v1/api/tickle HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 411")


async def test_the_samples_post_without_a_length_and_are_answered_where_they_are_played(tmp_path: Path) -> None:
    async with running(tmp_path, with_options(profile="documented"), plain=True) as gateway:
        port = int(gateway.root.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"POST /v1/api/tickle HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with trio.fail_after(5):
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")


async def test_accounts_come_first(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        client = gateway.client
        refused = await client.post("/v1/api/iserver/account/DU1/orders", json={})
        assert (refused.status_code, refused.json()["error"]) == (400, "Bad Request: Please query /accounts first")
        assert (await client.get("/v1/api/portfolio/DU1/ledger")).status_code == 401
        await client.get("/v1/api/iserver/accounts")
        await client.get("/v1/api/portfolio/accounts")
        assert (await client.post("/v1/api/iserver/account/DU1/orders", json={})).status_code == 200
        assert (await client.get("/v1/api/portfolio/DU1/ledger")).status_code == 200


async def test_logging_out_and_a_form_encoded_init(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        client = gateway.client
        assert (await client.post("/v1/api/logout", json={})).json() == {"status": True}
        assert (await client.get("/v1/api/portfolio/accounts")).status_code == 401
        assert (await client.post("/v1/api/iserver/auth/ssodh/init", json={})).status_code == 410
        status = (await client.post("/v1/api/iserver/auth/status", json={})).json()
        assert (status["authenticated"], status["connected"]) == (False, False)
        gateway.clock.pass_s(121)
        assert (await client.post("/v1/api/tickle", json={})).json()["iserver"]["authStatus"]["authenticated"] is True
        gateway.shell.hall.session.drop(gateway.clock.at)
        flags = {"publish": "true", "compete": "true"}
        assert (await client.post("/v1/api/iserver/auth/ssodh/init", data=flags)).json()["authenticated"] is True
        refused = await client.get("/v1/api/iserver/accounts")
        assert (refused.status_code, refused.json()["error"]) == (400, "Bad Request: no bridge")
        gateway.clock.pass_s(4)
        assert (await client.get("/v1/api/iserver/accounts")).status_code == 200
        assert (await client.get("/v1/api/sso/validate")).json()["RESULT"] is True


async def test_strangers_are_denied_in_words_for_a_browser(tmp_path: Path) -> None:
    async with running(tmp_path, with_options(allow=("10.0.0.0/8",))) as gateway:
        answer = await gateway.client.get("/v1/api/tickle")
        assert answer.status_code == 403
        assert answer.headers["content-type"].startswith("text/html")


async def test_too_much_is_429(tmp_path: Path) -> None:
    async with running(tmp_path, with_options(pacing=Pacing())) as gateway:
        answers = [await gateway.client.get("/v1/api/iserver/account/orders") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 429, 429]
        gateway.clock.pass_s(5)
        assert (await gateway.client.get("/v1/api/iserver/account/orders")).status_code == 200


async def test_a_certificate_of_its_own_is_the_same_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path):
        before = (tmp_path / "ca.pem").read_bytes()
    async with running(tmp_path) as gateway:
        assert (tmp_path / "ca.pem").read_bytes() == before
        assert (await gateway.client.get("/v1/api/tickle")).status_code == 200


# -- behind the curtain ------------------------------------------------------------------------------------------------


async def test_the_curtain_counts_arrivals_by_template(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        client = gateway.client
        for _ in range(3):
            await client.post("/v1/api/iserver/account/DU1234567/orders", json={})
        state = (await client.get("/sim/state")).json()
        assert state["requests"] == {"POST /iserver/account/{accountId}/orders": 3}
        assert (state["clock_ms"], state["rate"]) == (START_NS // 1_000_000, 1.0)
        assert state["cash"] == {"USD": 1_000_000.5}


async def test_the_clock_goes_forward_only(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        client = gateway.client
        moved = await client.post("/sim/clock", json={"advance_s": 3600.5, "rate": 4})
        assert moved.json() == {"clock_ms": START_NS // 1_000_000 + 3_600_500, "rate": 4.0}
        assert gateway.exchange.now_ns == START_NS + 3_600_500_000_000
        far = {"advance_s": 1e18}
        for body in ({"clock_ms": 1}, {"rate": 0}, {"hours": 1}, {}, {"rate": "fast"}, [1], far, {"clock_ms": 1e30}):
            assert (await client.post("/sim/clock", json=body)).status_code == 400, body
        assert (await client.get("/sim/clock")).json() == moved.json()
        assert (await client.delete("/sim/clock")).status_code == 405


async def test_the_curtain_can_be_off(tmp_path: Path) -> None:
    async with running(tmp_path, with_options(behind_the_curtain=False)) as gateway:
        assert (await gateway.client.get("/sim/state")).status_code == 404


# -- the fault script --------------------------------------------------------------------------------------------------

PLACE = "POST /iserver/account/{accountId}/orders"
ORDERS = "/v1/api/iserver/account/DU1234567/orders"


async def _arm(gateway: Running, **fault: object) -> None:
    answer = await gateway.client.post("/sim/faults", json={"fault": [fault]})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("when", "arrived"), [("after", 1), ("before", 0)])
@pytest.mark.parametrize("kind", ["drop", "close", "reset"])
async def test_an_answer_is_lost(tmp_path: Path, kind: str, when: str, arrived: int) -> None:
    async with running(tmp_path) as gateway:
        await gateway.client.get("/v1/api/iserver/accounts")
        handled: list[int] = []
        gateway.shell.hall.shelf["handled"] = handled
        await _arm(gateway, do=kind, on=PLACE, when=when, count=1)
        with pytest.raises(httpx.TransportError):
            await gateway.client.post(ORDERS, json={})
        assert len(handled) == arrived
        assert (await gateway.client.post(ORDERS, json={})).status_code == 200
        assert len(handled) == arrived + 1


async def test_a_half_open_connection_is_silent(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await _arm(gateway, do="half-open", on="* /tickle", count=1)
        with pytest.raises(httpx.ReadTimeout):
            await gateway.client.get("/v1/api/tickle", timeout=0.2)
        assert (await gateway.client.get("/v1/api/tickle")).status_code == 200


async def test_an_answer_cut_in_its_middle(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await _arm(gateway, do="cut", on="* /tickle", count=1)
        with pytest.raises(httpx.RemoteProtocolError):
            await gateway.client.get("/v1/api/tickle")
        assert (await gateway.client.get("/v1/api/tickle")).status_code == 200


async def test_statuses_garbage_and_half_a_body(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        client = gateway.client
        for status in (401, 429, 500, 503):
            await _arm(gateway, do="status", on="* /tickle", status=status, count=1)
            assert (await client.get("/v1/api/tickle")).status_code == status
        await _arm(gateway, do="garbage", on="* /tickle", count=1)
        with pytest.raises(ValueError, match=r"Expecting|decode"):
            (await client.get("/v1/api/tickle")).json()
        whole = (await client.get("/v1/api/tickle")).content
        await _arm(gateway, do="truncate", on="* /tickle", count=1)
        half = (await client.get("/v1/api/tickle")).content
        assert len(half) == len(whole) // 2
        assert whole[:60] == half[:60]


async def test_a_delay_is_on_the_gateways_clock(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        gateway.clock.set_rate(1_000)
        await _arm(gateway, do="delay", on="* /tickle", seconds=100)
        before = trio.current_time()
        assert (await gateway.client.get("/v1/api/tickle")).status_code == 200
        assert trio.current_time() - before >= 0.1


async def test_a_late_reply_is_asked_of_its_handler(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        await gateway.client.get("/v1/api/iserver/accounts")
        asked = gateway.shell.hall.shelf["asked"] = []
        await _arm(gateway, do="late-live", on="POST /iserver/reply/{replyId}", count=1)
        for _ in range(2):
            await gateway.client.post("/v1/api/iserver/reply/x", json={"confirmed": True})
        assert asked == [["late-live"], []]


async def test_a_restart_drops_everybody_and_keeps_the_session(tmp_path: Path) -> None:
    async with running(tmp_path, plain=True) as gateway:
        session = await gateway.tickle()
        gateway.clock.set_rate(100)
        port = int(gateway.root.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await trio.testing.wait_all_tasks_blocked(0.01)
            await _arm(gateway, do="restart", seconds=10)
            with trio.fail_after(5):
                assert await stream.receive_some() == b""
        with pytest.raises(httpx.TransportError):
            await gateway.client.get("/v1/api/tickle")
        await trio.sleep(0.1)
        again = (await gateway.client.get("/v1/api/tickle")).json()
        assert again["session"] == session
        assert again["iserver"]["authStatus"]["authenticated"] is True


async def test_a_bad_script_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        answer = await gateway.client.post("/sim/faults", json={"fault": [{"do": "drp"}]})
        assert answer.status_code == 400
        assert "must be one of" in answer.json()["error"]
        await _arm(gateway, do="drop", on="GET /nothing")
        assert (await gateway.client.get("/sim/faults")).json()["faults"] == [
            {"do": "drop", "on": "GET /nothing", "seen": 0, "struck": 0}
        ]
        assert (await gateway.client.delete("/sim/faults")).json() == {"faults": []}


async def test_frames_may_be_binary(tmp_path: Path) -> None:
    async with running(tmp_path, with_options(streams=Streams(binary=True))) as gateway:
        session = await gateway.tickle()
        async with open_websocket_url(
            _ws(gateway), ssl_context=gateway.tls, extra_headers=[(b"Cookie", f"api={session}".encode())]
        ) as socket:
            frame = await socket.get_message()
            assert isinstance(frame, bytes)
            assert json.loads(frame)["topic"] == "system"


async def test_nobody_speaks_tls(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        port = int(gateway.root.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await stream.receive_some() != b"HTTP"
        assert (await gateway.client.get("/v1/api/tickle")).status_code == 200
