"""The whole gateway but its sockets: real exchange, real routes, real frames; one order from its ticket to its fee."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from engine.gateway.auth import GatewayKeeper
from engine.gateway.boxes import Client
from engine.gateway.calls import Answer
from engine.gateway.faults import read_script
from engine.gateway.logins import ROUTES
from engine.gateway.opening import open_exchange
from engine.gateway.options import Options, Pacing
from engine.gateway.requests import Request
from engine.gateway.routes import ALL_ROUTES
from engine.gateway.shell import Shell
from engine.gateway.tags import snapshot_fields
from tests.gateway.fakes import AAPL, ACCOUNT, FakeClock


class House:
    """A gateway on a synthetic market, its clock in hand, with one websocket client."""

    def __init__(self) -> None:
        options = Options(pacing=Pacing(on=False))
        self.exchange = open_exchange(options, synthetic=("AAPL",))
        self.clock = FakeClock(self.exchange.now_ns)
        keeper = GatewayKeeper(options.allow)
        self.shell = Shell(options, self.exchange, self.clock, keeper, (*ROUTES, *ALL_ROUTES), snapshot_fields)
        self.ask("GET", "/iserver/accounts")
        self.ask("GET", "/portfolio/accounts")
        headers = {"cookie": f"api={self.shell.hall.session.tickle_id}"}
        client = self.shell.join(
            lambda: None, Request(method="GET", path="/", query="", headers=headers, body=b"", peer="")
        )
        assert isinstance(client, Client)
        self.client = client
        self.heard()

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request."""
        place, _, query = path.partition("?")
        data = b"" if body is None else json.dumps(body).encode()
        matched = self.shell.match(
            Request(
                method=method,
                path="/v1/api" + place,
                query=query,
                headers={"content-length": str(len(data))},
                body=data,
                peer="127.0.0.1",
            )
        )
        return matched if isinstance(matched, Answer) else self.shell.answer(matched)

    def heard(self) -> list[Any]:
        """Empty the box."""
        frames = [msgspec.json.decode(frame) for frame in self.client.box]
        self.client.box.clear()
        return frames

    def say(self, text: str) -> list[Any]:
        """Send a message and return what is heard at once."""
        self.shell.receive(self.client, text)
        return self.heard()

    def wait(self, seconds: float) -> list[Any]:
        """Let time pass."""
        self.clock.pass_s(seconds)
        self.shell.tick()
        return self.heard()

    def place(self, name: str, **ticket: Any) -> Any:
        """Place an order and return the answer's body."""
        whole = {"conid": AAPL, "orderType": "MKT", "side": "BUY", "tif": "DAY", "quantity": 100, "cOID": name} | ticket
        return self.ask("POST", f"/iserver/account/{ACCOUNT}/orders", {"orders": [whole]}).body


@pytest.fixture
def house() -> Iterator[House]:
    """A fresh gateway."""
    house = House()
    yield house
    house.exchange.close()


def _rows(frames: list[Any], topic: str) -> list[Any]:
    return [row for frame in frames if frame.get("topic") == topic for row in frame["args"]]


def test_an_order_from_its_ticket_to_its_fee(house: House) -> None:
    house.say("sor+{}")
    house.say("str+{}")
    (answer,) = house.place("first")
    order_id = int(answer["order_id"])
    frames = house.wait(0.2)
    steps = [row["status"] for row in _rows(frames, "sor") if "status" in row]
    assert steps[-1] == "Filled"
    assert {int(row["orderId"]) for row in _rows(frames, "sor")} == {order_id}
    fills = _rows(frames, "str")
    assert sum(row["size"] for row in fills) == 100
    assert all(row["order_id"] == order_id and row["order_ref"] == "first" for row in fills)
    assert not any("commission" in row for row in fills)
    later = _rows(house.wait(3), "str")
    assert [row["execution_id"] for row in later] == [row["execution_id"] for row in fills]
    assert all(float(row["commission"]) > 0 for row in later)


def test_the_account_topics_agree_with_the_rest_surface(house: House) -> None:
    house.place("first")
    house.wait(3)
    (ledger,) = [frame for frame in house.say(f"sld+{ACCOUNT}+{{}}") if frame["topic"].startswith("sld")]
    rest = house.ask("GET", f"/portfolio/{ACCOUNT}/ledger").body
    rows = {row["key"]: row for row in ledger["result"]}
    assert set(rows) == {f"LedgerList{currency}" for currency in rest}
    assert rows["LedgerListUSD"]["cashbalance"] == rest["USD"]["cashbalance"] < 1_000_000
    assert rows["LedgerListUSD"]["stockMarketValue"] == rest["USD"]["stockmarketvalue"] > 0
    (summary,) = [frame for frame in house.say(f'ssd+{ACCOUNT}+{{"keys":["NetLiquidation"]}}') if "result" in frame]
    (row,) = summary["result"]
    net = house.ask("GET", f"/portfolio/{ACCOUNT}/summary").body["netliquidation"]
    assert (row["monetaryValue"], row["currency"]) == (net["amount"], net["currency"])
    bare = [frame for frame in house.wait(10) if frame.get("topic") == f"ssd+{ACCOUNT}"]
    assert bare
    assert all(row["key"] == "NetLiquidation" for frame in bare for row in frame["result"])


def test_quotes_and_a_history_come_as_over_rest(house: House) -> None:
    (quote,) = house.say(f'smd+{AAPL}+{{"fields":["31","84","86"]}}')
    assert {"31", "84", "86", "6509"} <= set(quote)
    assert float(quote["84"]) < float(quote["86"])
    (bars,) = house.say(f'smh+{AAPL}+{{"period":"1d","bar":"1h","outsideRth":false}}')
    assert bars["topic"] == f"smh+{AAPL}"
    assert {"o", "h", "l", "c", "v", "t"} <= set(bars["data"][0])


def test_a_reply_that_goes_live_later(house: House) -> None:
    (question,) = house.place("far", orderType="LMT", price=160)
    assert "o163" in question["messageIds"]
    script = read_script([{"do": "late-live", "on": "POST /iserver/reply/{replyId}", "count": 1}], place="test")
    house.shell.faults.load(script, house.clock.at)
    asked = frozenset(
        fault.do for fault in house.shell.faults.on_request("POST /iserver/reply/{replyId}", house.clock.at)
    )
    request = Request(
        method="POST",
        path=f"/v1/api/iserver/reply/{question['id']}",
        query="",
        headers={"content-length": "18"},
        body=b'{"confirmed":true}',
        peer="127.0.0.1",
    )
    matched = house.shell.match(request)
    assert not isinstance(matched, Answer)
    assert house.shell.answer(matched, asked).status == 503
    house.wait(60)
    (order,) = house.exchange.orders(ACCOUNT)
    assert order.status in ("PreSubmitted", "Submitted")
