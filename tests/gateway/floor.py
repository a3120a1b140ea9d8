"""The routes over a synthetic market whose clock a test moves."""

from __future__ import annotations

from typing import Any, Final

from engine.gateway.calls import Answer, Call
from engine.gateway.hall import Hall
from engine.gateway.opening import open_exchange
from engine.gateway.options import Options
from engine.gateway.records import ExecutionNews, OrderNews
from engine.gateway.routes import ALL_ROUTES
from engine.gateway.routing import Table
from tests.gateway.desk_fakes import ACCOUNT, SECOND

IBM: Final = 8314
LIVE: Final = "/iserver/account/orders"


class Floor:
    """An exchange on AAPL and IBM behind all routes, orders and trades already warm."""

    def __init__(self, options: Options | None = None) -> None:
        options = options or Options()
        self.exchange = open_exchange(options, synthetic=["AAPL", "IBM"])
        self.hall = Hall(options, self.exchange)
        self.statuses: dict[int, list[str]] = {}
        self.fills: list[ExecutionNews] = []
        self._table = Table(ALL_ROUTES)
        for path in (LIVE, "/iserver/account/trades"):  # warm
            self.call("GET", path)

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        """Send one request through the routes."""
        found = self._table.find(method, path)
        assert not isinstance(found, int)
        route, params = found
        now_ns = self.exchange.now_ns
        call = Call(method=method, template=route.template, params=params, query={}, body=body, now_ns=now_ns)
        call.query = {name: [value] for name, value in query.items()}
        return route.handler(self.hall, call)

    def wait(self, seconds: float) -> None:
        """Let the market run, and keep what became of orders."""
        for news in self.exchange.advance(self.exchange.now_ns + int(seconds * SECOND)):
            if isinstance(news, OrderNews):
                self.statuses.setdefault(news.order_id, []).append(news.status)
            elif isinstance(news, ExecutionNews):
                self.fills.append(news)

    def place(self, *tickets: dict[str, Any]) -> list[dict[str, Any]]:
        """Place, confirming whatever is asked, and return the rows."""
        answer = self.call("POST", f"/iserver/account/{ACCOUNT}/orders", {"orders": list(tickets)})
        while isinstance(answer.body, list) and "messageIds" in answer.body[0]:
            answer = self.call("POST", f"/iserver/reply/{answer.body[0]['id']}", {"confirmed": True})
        assert isinstance(answer.body, list), answer
        return answer.body

    def rows(self) -> dict[int, dict[str, Any]]:
        """Live orders by id."""
        return {row["orderId"]: row for row in self.call("GET", LIVE).body["orders"]}

    def get(self, path: str, **query: str) -> Any:
        """Body of a good read."""
        answer = self.call("GET", path, **query)
        assert answer.status == 200, answer
        return answer.body

    def bid(self, conid: int) -> float:
        top = self.exchange.top(conid)
        assert top is not None
        return top.bid
