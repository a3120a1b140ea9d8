"""One client of the latency benchmark, in a process of its own: it stamps its sockets, trades and tells.

    python -m benchmarks.latency_client ours|ours-unsynced|ibind|bare URL FOLDER ORDERS

The stamps are taken where the standard library's socket hands bytes in and out, alike for all clients: a quote's frame
is there when the `recv` that holds its last byte returns, an order leaves when its first byte is handed to `send`. What
lies between is the client's own; the way through the kernel, and the gateway, are in no figure.
"""

from __future__ import annotations

import functools
import json
import os
import queue
import re
import socket
import sys
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

PAPER: Final = "DU1234567"
AAPL: Final = 265598
EVERY: Final = 4
LIMIT_S: Final = 180.0
COLD: Final = 10  # the first orders, with cold caches, are left out
_ORDER: Final = re.compile(rb"^POST \S*/orders ")
_QUOTE: Final = re.compile(rb'"topic":\s*"smd\+265598"')

CONFIG: Final = """
name = "latency"
mode = "sim"
[account]
id = "{account}"
[[instrument]]
conid = {conid}
symbol = "AAPL"
[[strategy]]
use = "{strategy}:AtQuote"
name = "atquote"
instruments = ["AAPL"]
params = {{ every = {every} }}
[risk.account]
orders_per_minute_max = 100000
duplicate_window_s = 0
[guard]
on = false
"""


class Stamps:
    """Nanoseconds from the last quote's frame to each order; `commits` are of the journal's, where there is one."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted + COLD
        self.rounds: list[int] = []
        self.commits: list[int] = []
        self.done = threading.Event()
        self._frame_ns = 0

    def patch(self) -> None:
        """Have every socket of this process tell what goes through it. Before anything else imports `socket`."""
        kind: Any = socket.socket
        for name in ("recv", "recv_into"):
            setattr(kind, name, self._receiving(getattr(kind, name), into=name == "recv_into"))
        for name in ("send", "sendall"):
            setattr(kind, name, self._sending(getattr(kind, name)))

    def _receiving(self, plain: Any, *, into: bool) -> Any:
        @functools.wraps(plain)
        def receive(one: Any, *args: Any, **named: Any) -> Any:
            got = plain(one, *args, **named)
            now_ns = time.perf_counter_ns()
            data = bytes(memoryview(args[0])[:got]) if into else got
            if _QUOTE.search(data):
                self._frame_ns = now_ns
            return got

        return receive

    def _sending(self, plain: Any) -> Any:
        @functools.wraps(plain)
        def send(one: Any, data: Any, *args: Any) -> Any:
            now_ns = time.perf_counter_ns()
            if _ORDER.match(data) and self._frame_ns:
                self.rounds.append(now_ns - self._frame_ns)
                if len(self.rounds) >= self.wanted:
                    self.done.set()
            return plain(one, data, *args)

        return send

    def figures(self) -> dict[str, Any]:
        """Milliseconds."""
        rounds = self.rounds[COLD : self.wanted]
        found: dict[str, Any] = {"orders": len(rounds)}
        if len(rounds) >= 2:
            found |= {
                "p50_ms": _ms(median(rounds)),
                "p99_ms": _ms(quantiles(rounds, n=100)[98]),
                "max_ms": _ms(max(rounds)),
            }
        if self.commits:
            found["commit_p50_ms"] = _ms(median(self.commits))
        return found


def _ms(ns: float) -> float:
    return round(ns / 1e6, 3)


# --- clients ----------------------------------------------------------------------------------------------------------


def ours(stamps: Stamps, url: str, folder: Path, *, synced: bool) -> None:
    """The daemon as it trades: risk, journal, wire log and recording on."""
    from engine.journal import durable

    journal: Any = durable.DurableJournal
    prepare, write = journal._prepare, journal._write

    def unsynced(self: Any, fresh: bool) -> None:
        prepare(self, fresh)
        self._database.execute("PRAGMA synchronous = OFF")

    def timed(self: Any, rows: Any, coids: Any, *more: Any) -> int:
        began_ns = time.perf_counter_ns()
        seq = write(self, rows, coids, *more)
        if coids:
            stamps.commits.append(time.perf_counter_ns() - began_ns)
        return int(seq)

    journal._write = timed
    if not synced:
        journal._prepare = unsynced
    config = folder / "latency.toml"
    strategy = Path(__file__).with_name("latency_strategy.py")
    config.write_text(CONFIG.format(account=PAPER, conid=AAPL, every=EVERY, strategy=strategy))
    sys.argv = ["engine", "run", str(config), "--state-dir", str(folder / "state"), "--gateway", url]

    def stop() -> None:
        stamps.done.wait(LIMIT_S)
        os.kill(os.getpid(), 15)

    threading.Thread(target=stop, daemon=True).start()
    from engine.__main__ import main

    main()


def bare(stamps: Stamps, url: str) -> None:
    """What a script does: read a frame, parse it, send the order on a connection that is open."""
    import httpx
    import websocket

    with httpx.Client(base_url=url, trust_env=False, timeout=20) as rest:

        def ask(method: str, path: str, body: object = None) -> Any:
            answer = rest.request(method, path, json=body, headers={"User-Agent": "bare"})
            return json.loads(answer.content or b"null")

        _log_in(ask)
        cookie = f"api={ask('POST', '/tickle')['session']}"
        stream = websocket.create_connection(f"{url.replace('http', 'ws', 1)}/ws", cookie=cookie)
        stream.send(f'smd+{AAPL}+{{"fields":["31","84","86"]}}')
        quotes, held, bid, offer = 0, False, None, None
        until = time.monotonic() + LIMIT_S
        while not stamps.done.is_set() and time.monotonic() < until:
            frame = json.loads(stream.recv())
            if frame.get("topic") != f"smd+{AAPL}":
                continue
            bid, offer = frame.get("84", bid), frame.get("86", offer)
            quotes += 1
            if quotes % EVERY or bid is None or offer is None:
                continue
            ticket = {
                "conid": AAPL, "side": "SELL" if held else "BUY", "quantity": 1, "orderType": "LMT", "tif": "DAY",
                "price": float(bid if held else offer), "cOID": f"bare-{os.getpid()}-{quotes}",
            }  # fmt: skip
            ask("POST", f"/iserver/account/{PAPER}/orders", {"orders": [ticket]})
            held = not held
        stream.close()


def _log_in(ask: Any) -> None:
    ask("POST", "/iserver/auth/ssodh/init", {"publish": True, "compete": True})
    for _ in range(100):
        if ask("POST", "/iserver/auth/status")["authenticated"]:
            break
        time.sleep(0.1)
    time.sleep(2)
    ask("GET", "/iserver/accounts")
    ask("GET", f"/iserver/marketdata/snapshot?conids={AAPL}&fields=31,84,86")


def ibinds(stamps: Stamps, url: str) -> None:
    """The same round with ibind, as its examples have it."""
    os.environ.update(IBIND_LOG_TO_FILE="false", IBIND_LOG_TO_CONSOLE="false")
    import ibind
    from ibind import events, subscriptions

    client = ibind.IbkrClient(account_id=PAPER, url=url, max_retries=0, timeout=20, auto_register_shutdown=False)
    client.initialize_brokerage_session()
    time.sleep(2)
    client.receive_brokerage_accounts()
    client.live_marketdata_snapshot(str(AAPL), ["31", "84", "86"])
    sink = ibind.QueueSink()
    place = f"{url.replace('http', 'ws', 1)}/ws"
    stream = ibind.IbkrWsClient(account_id=PAPER, url=place, ibkr_client=client, sink=sink)
    told = sink.new_queue_accessor(events.MarketData)
    stream.start()
    stream.subscribe(subscriptions.MarketDataSubscription(conid=str(AAPL), fields=["31", "84", "86"])).wait(10)
    yes = dict.fromkeys(ibind.QuestionType, True)
    quotes, held, bid, offer = 0, False, None, None
    until = time.monotonic() + LIMIT_S
    try:
        while not stamps.done.is_set() and time.monotonic() < until:
            try:
                event: Any = told.get(block=True, timeout=1)
            except queue.Empty:
                continue
            data: Any = getattr(event, "data", None) or {}
            row: Any = data.get(str(AAPL), data.get(AAPL, data)) if isinstance(data, dict) else {}
            bid, offer = row.get("bid_price", row.get("84", bid)), row.get("ask_price", row.get("86", offer))
            quotes += 1
            if quotes % EVERY or bid is None or offer is None:
                continue
            order = ibind.OrderRequest(
                conid=AAPL, side="SELL" if held else "BUY", quantity=1, order_type="LMT", acct_id=PAPER, tif="DAY",
                price=float(bid if held else offer), coid=f"ibind-{os.getpid()}-{quotes}",
            )  # fmt: skip
            client.place_order(order, yes, PAPER)
            held = not held
    finally:
        stream.shutdown()
        client.close()


def main() -> None:
    name, url, place, orders = sys.argv[1:5]
    folder = Path(place)
    stamps = Stamps(int(orders))
    stamps.patch()
    try:
        if name.startswith("ours"):
            ours(stamps, url, folder, synced=name == "ours")
        else:
            (bare if name == "bare" else ibinds)(stamps, url)
    finally:
        (folder / "figures.json").write_text(json.dumps(stamps.figures()))


if __name__ == "__main__":
    main()
