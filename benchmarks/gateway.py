"""How much the simulated gateway carries: requests a second over ten accounts, and websocket frames a second.

Requests come as reads, as new orders, and as a mix: an order that is asked about, changed, looked up and cancelled, and
reads between.

    python -m benchmarks.gateway

Server and client share the machine, each a process of its own; TLS is on, pacing is off. The client is as thin as can
be (bytes over trio's TLS streams), so that it takes little of the time that is measured.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Request, TextMessage

SECONDS: Final = 5.0
CONNECTIONS: Final = 8
ACCOUNTS: Final = 10
SYMBOLS: Final = ",".join(f"S{number:02d}" for number in range(40))
READS: Final = (
    ("GET", "/v1/api/iserver/accounts", b""),
    ("GET", "/v1/api/iserver/account/orders", b""),
    ("GET", "/v1/api/iserver/marketdata/snapshot?conids=CONID&fields=31,84,85,86,88,7059", b""),
    ("GET", "/v1/api/portfolio/ACCOUNT/ledger", b""),
    ("GET", "/v1/api/portfolio/ACCOUNT/summary", b""),
    ("POST", "/v1/api/tickle", b"{}"),
)


def _cpu_s(pid: int) -> float:
    """Processor time a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def gateway(*flags: str) -> Iterator[tuple[int, str, int, ssl.SSLContext]]:
    """Run a gateway; yields its process id, host, port and what trusts it."""
    command = [sys.executable, "-m", "engine", "gateway", "--port", "0", "--pacing", "off", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            url, authority = line.split(" ready at ")[1].split(", certificate authority ")
            place = urlsplit(url)
            context = ssl.create_default_context(cafile=authority.strip())
            yield process.pid, str(place.hostname), int(place.port or 0), context
        finally:
            process.terminate()


class Thin:
    """A keep-alive HTTP client of few lines: one request at a time, answers with a length."""

    def __init__(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self._stream = stream
        self._rest = b""

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request and return status and body."""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        await self._stream.send_all(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        while b"\r\n\r\n" not in self._rest:
            self._rest += await self._stream.receive_some()
        top, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in top.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(self._rest) < length:
            self._rest += await self._stream.receive_some()
        data, self._rest = self._rest[:length], self._rest[length:]
        return int(top[9:12]), data


async def _connect(host: str, port: int, context: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
    return trio.SSLStream(await trio.open_tcp_stream(host, port), context, server_hostname=host, https_compatible=True)


class Load:
    """One run of requests over all accounts. `kind`: `reads`, a mix of six; `orders`, far limits; `mix`, all of it."""

    def __init__(self, kind: str, accounts: list[str], conid: str) -> None:
        self.kind = kind
        self.done = 0
        self._accounts = accounts
        self._conid = conid
        # One question at a time can be open in a session: who places an order that will be asked about waits his turn.
        self._turn = trio.Lock()

    async def work(self, client: Thin, number: int, end: float) -> None:
        """Send requests until `end`."""
        at = number
        while trio.current_time() < end:
            account = self._accounts[at % len(self._accounts)]
            match self.kind:
                case "reads":
                    await self._read(client, account, READS[at % len(READS)])
                case "orders":
                    await self._place(client, account, f"b{number}-{at}")
                case _:
                    await self._life(client, account, f"b{number}-{at}")
            at += 1

    async def _ask(self, client: Thin, method: str, path: str, body: object = None) -> bytes:
        status, data = await client.ask(method, path, b"" if body is None else json.dumps(body).encode())
        assert status == 200, data
        self.done += 1
        return data

    async def _read(self, client: Thin, account: str, row: tuple[str, str, bytes]) -> None:
        method, path, body = row
        path = path.replace("CONID", self._conid).replace("ACCOUNT", account)
        await self._ask(client, method, path, json.loads(body) if body else None)

    def _ticket(self, name: str, **other: object) -> dict[str, object]:
        plain = {"conid": int(self._conid), "orderType": "LMT", "price": 1, "side": "BUY", "tif": "DAY", "quantity": 1}
        return plain | {"cOID": name} | other

    async def _place(self, client: Thin, account: str, name: str, **other: object) -> str:
        """Place an order, and confirm it if it is asked about; its id."""
        path = f"/v1/api/iserver/account/{account}/orders"
        data = await self._ask(client, "POST", path, {"orders": [self._ticket(name, **other)]})
        row = json.loads(data)[0]
        if "message" in row:
            row = json.loads(
                await self._ask(client, "POST", f"/v1/api/iserver/reply/{row['id']}", {"confirmed": True})
            )[0]
        assert "order_id" in row, row
        return str(row["order_id"])

    async def _life(self, client: Thin, account: str, name: str) -> None:
        """Eleven requests: an order with a question, changed, looked up and cancelled, and reads between."""
        order = f"/v1/api/iserver/account/{account}/order"
        async with self._turn:
            order_id = await self._place(client, account, name, quantity=600)  # more than o383 lets pass unasked
            changed = self._ticket(name, quantity=600, price=1.5)
            await self._ask(client, "POST", f"{order}/{order_id}", changed)
        await self._ask(client, "GET", f"/v1/api/iserver/account/order/status/{order_id}")
        for row in READS:
            await self._read(client, account, row)
        await self._ask(client, "DELETE", f"{order}/{order_id}")


async def _requests(host: str, port: int, context: ssl.SSLContext, kind: str) -> float:
    """Requests a second."""
    first = Thin(await _connect(host, port, context))
    told = json.loads((await first.ask("GET", "/v1/api/iserver/accounts"))[1])
    await first.ask("GET", "/v1/api/portfolio/accounts")
    found = json.loads((await first.ask("GET", "/v1/api/trsrv/stocks?symbols=S00"))[1])
    conid = str(found["S00"][0]["contracts"][0]["conid"])
    quiet = ["o163", "o10153", "o354", "o451", *(["o383"] if kind == "orders" else [])]
    suppressed = json.dumps({"messageIds": quiet}).encode()
    await first.ask("POST", "/v1/api/iserver/questions/suppress", suppressed)
    load = Load(kind, told["accounts"], conid)
    end = trio.current_time() + SECONDS
    async with trio.open_nursery() as nursery:
        for number in range(CONNECTIONS):
            nursery.start_soon(load.work, Thin(await _connect(host, port, context)), number, end)
    return load.done / SECONDS


async def _frames(host: str, port: int, context: ssl.SSLContext) -> tuple[float, float]:
    """Frames a second over four websockets with all symbols on each; and how late the last ones were, in wall ms."""
    first = Thin(await _connect(host, port, context))
    session = json.loads((await first.ask("POST", "/v1/api/tickle", b"{}"))[1])["session"]
    await first.ask("GET", "/v1/api/iserver/accounts")
    found = json.loads((await first.ask("GET", f"/v1/api/trsrv/stocks?symbols={SYMBOLS}"))[1])
    conids = [rows[0]["contracts"][0]["conid"] for rows in found.values()]
    counts: list[int] = []
    stamp = 0

    async def listen() -> None:
        nonlocal stamp
        stream = await _connect(host, port, context)
        ws = WSConnection(ConnectionType.CLIENT)
        cookie = (b"Cookie", f"api={session}".encode())
        await stream.send_all(ws.send(Request(host=host, target="/v1/api/ws", extra_headers=[cookie])))
        count, began = 0, False
        end = trio.current_time() + SECONDS + 1
        while trio.current_time() < end:
            ws.receive_data(bytes(await stream.receive_some(65_536)))
            for event in ws.events():
                match event:
                    case AcceptConnection():
                        for conid in conids:
                            fields = json.dumps({"fields": ["31", "84", "85", "86", "88", "7059"]})
                            await stream.send_all(ws.send(TextMessage(f"smd+{conid}+{fields}")))
                    case TextMessage(data=data) | BytesMessage(data=data):
                        began = began or "smd" in str(data[:4000])
                        count += began
                        if count % 500 == 0:
                            stamp = json.loads(data).get("_updated", stamp)
        counts.append(count)

    begin = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(listen)
    took = time.perf_counter() - begin
    clock = json.loads((await first.ask("GET", "/sim/clock"))[1])
    return sum(counts) / took, (clock["clock_ms"] - stamp) / clock["rate"]


def main() -> None:
    """Measure and print; `cpu` is the processor time of one request or frame, in us, of server and client."""
    market = ("--synthetic", SYMBOLS)
    for kind in ("reads", "orders", "mix"):
        with gateway("--accounts", str(ACCOUNTS), *market) as (pid, host, port, context):
            theirs, ours = _cpu_s(pid), time.process_time()
            rate = trio.run(_requests, host, port, context, kind)
            theirs, ours = _cpu_s(pid) - theirs, time.process_time() - ours
            count = rate * SECONDS
            print(
                f"{kind}: {rate:,.0f} requests/s; cpu {theirs / count * 1e6:,.0f} + {ours / count * 1e6:,.0f}",
                flush=True,
            )
    for speed in ("20", "40", "55"):
        with gateway("--speed", speed, *market) as (pid, host, port, context):
            theirs, ours = _cpu_s(pid), time.process_time()
            rate, late = trio.run(_frames, host, port, context)
            theirs, ours = _cpu_s(pid) - theirs, time.process_time() - ours
            count = rate * (SECONDS + 1)
            print(
                f"smd at speed {speed}: {rate:,.0f} frames/s, {late:,.0f} ms behind;"
                f" cpu {theirs / count * 1e6:,.0f} + {ours / count * 1e6:,.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
