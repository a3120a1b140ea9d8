"""The gateway in one synchronous piece: a request in, an answer out, and the exchange, session and streams in step.

Everything around it that waits (sockets, delays, lost answers) is the server's. Nothing here is interrupted, so a
handler can't be half done.
"""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from engine.gateway.auth import Keeper
from engine.gateway.boxes import Client
from engine.gateway.budgets import CONIDS_A_REQUEST, Budgets
from engine.gateway.calls import Answer, Call, Route, refusal
from engine.gateway.faults import Fault, Faults
from engine.gateway.feeds import Snapshot
from engine.gateway.hall import Hall
from engine.gateway.options import Options
from engine.gateway.records import Exchange, Execution, ExecutionNews, News
from engine.gateway.requests import Request
from engine.gateway.routing import Table, below_base
from engine.gateway.streams import Streams

_S: Final = 1_000_000_000
_STRIDE_NS: Final = 600 * _S  # of the gateway's clock, played in one go
_PATIENCE_NS: Final = _S // 10  # of the wall, for playing what is due before something is answered
_ACCOUNTS: Final = "GET /iserver/accounts"
_PORTFOLIO: Final = ("GET /portfolio/accounts", "GET /portfolio/subaccounts", "GET /portfolio/subaccounts2")


class Clock(Protocol):
    """What the shell needs of the gateway's clock."""

    rate: float
    promised_ns: int

    def now_ns(self) -> int:
        """The present."""

    def wall_ns(self) -> int:
        """The wall's time."""

    def hold(self, at_ns: int) -> None:
        """Go back to a present that could be played."""

    def wall_s(self, until_ns: int) -> float:
        """Seconds of the wall until then."""

    def jump(self, to_ns: int) -> None:
        """Go forward; ValueError for the past."""

    def set_rate(self, rate: float) -> None:
        """Run at another rate; ValueError for none above zero."""


class Matched(msgspec.Struct, kw_only=True):
    """A request that found its row."""

    request: Request
    route: Route
    key: str  # "METHOD template", the name of the request in scripts and counts
    params: dict[str, str]
    body: Any


class Shell:
    """All of the gateway but its sockets.

    Args:
        options: How it behaves.
        exchange: What it trades on.
        clock: Its clock, which shows `exchange.now_ns` or later.
        keeper: Checks who is calling.
        routes: Rows; of two with the same path and method the first counts.
        snapshot: Prints market data fields, for the streams.
    """

    def __init__(
        self,
        options: Options,
        exchange: Exchange,
        clock: Clock,
        keeper: Keeper,
        routes: Iterable[Route],
        snapshot: Snapshot,
    ) -> None:
        self.options = options
        self.clock = clock
        self.keeper = keeper
        self.exchange = exchange
        self.hall = Hall(options, exchange)
        self.faults = Faults()
        self.budgets = self._new_budgets()
        self.table = Table(routes)
        self.streams = Streams(self.hall, self.faults, snapshot, self.fetch, self._history)
        self.requests: Counter[str] = Counter()
        self.mishap: Callable[[Fault], None] = lambda _: None  # what only the server can do to its connections
        self.disturbed: Callable[[], None] = lambda: None  # something is due earlier than was known
        self._kept = b""
        self._put_off: list[Execution] = []  # fills whose commission the script holds back
        keeper.logged_in = lambda now: self.hall.session.login(now, open_brokerage=False)
        self._restore()

    def _new_budgets(self) -> Budgets:
        return Budgets(self.options.pacing, direct=self.options.auth != "gateway")

    # -- time ----------------------------------------------------------------------------------------------------

    def present(self) -> int:
        """Bring everything up to the clock's present and return it.

        A clock that runs faster than this machine can play the market is held back, so that there is always an answer.
        """
        wanted = max(self.clock.now_ns(), self.exchange.now_ns)
        began, now = self.clock.wall_ns(), self.exchange.now_ns
        while True:
            now = min(wanted, now + _STRIDE_NS)
            self._happen(now)
            if now == wanted:
                return now
            if now >= self.clock.promised_ns and self.clock.wall_ns() - began > _PATIENCE_NS:
                self.clock.hold(now)
                return now

    def _happen(self, now: int) -> None:
        session = self.hall.session
        turns = session.advance(now)
        for fault in self.faults.due(now):
            self._strike(fault, now)
        news = self._late(self.exchange.advance(now), now)
        if self.hall.desk.settle(self.hall):
            news += self._late(self.exchange.advance(now), now)
        turns += self.hall.session.advance(now)
        self.streams.hear(news, turns, now)

    def tick(self) -> None:
        """Let due frames be made, and keep what has changed."""
        self.streams.tick(self.present())
        self.save()

    def next_due_ns(self) -> int:
        """When something next happens by itself."""
        moments = [self.exchange.next_ns(), self.hall.session.next_due_ns(), self.hall.desk.next_due_ns()]
        moments += [fill.told_ns or 0 for fill in self._put_off]
        moments += [due for due in (self.streams.next_due_ns(), self.faults.next_due_ns()) if due is not None]
        return min(moments)

    def save(self) -> None:
        """Keep all that has changed; before an answer or frame leaves."""
        hall = self.hall
        state = {
            "session": hall.session.kept(),
            "memory": hall.memory.kept(),
            "shelf": hall.shelf,
            "keeper": self.keeper.kept(),
        }
        packed = msgspec.json.encode(state)
        if packed != self._kept:
            self._kept = packed
            self.exchange.keep("shell", state)
        self.exchange.save()

    def _restore(self) -> None:
        state = self.exchange.kept("shell")
        if not isinstance(state, Mapping):
            return
        self.hall.session.restore(state["session"], self.exchange.now_ns)
        self.hall.memory.restore(state["memory"])
        self.hall.shelf.update(state["shelf"])
        self.keeper.restore(state["keeper"])

    # -- mishaps -------------------------------------------------------------------------------------------------

    def _strike(self, fault: Fault, now: int) -> None:
        session = self.hall.session
        match fault.do:
            case "session-reset":
                session.drop(now, maintenance_s=fault.seconds or 0.0)
            case "session-lost":
                session.lose(now)
            case "competing-login":
                session.rival(now, stays_s=fault.seconds)
            case "prompt":
                order_id = max((o.order_id for a in self.exchange.accounts for o in self.exchange.orders(a)), default=0)
                self.hall.prompts.append(
                    {"orderId": order_id, "reqId": "1", "text": fault.text, "options": list(fault.options)}
                )
            case "bulletin":
                self.hall.bulletins.append({"id": str(now // 1_000_000), "message": fault.text})
            case "restart":
                self.budgets = self._new_budgets()
                self.mishap(fault)
            case _:
                self.mishap(fault)

    def _late(self, news: list[News], now: int) -> list[News]:
        """Put off commissions that the script wants late, and add those whose time has come."""
        told: list[News] = []
        for item in news:
            if isinstance(item, ExecutionNews):
                fill = item.execution
                if not item.commission_known:
                    for fault in self.faults.on_fill(fill.conid, now):
                        late = int((10.0 if fault.seconds is None else fault.seconds) * _S)
                        fill.told_ns = (fill.told_ns or now) + late
                elif fill.told_ns is not None and fill.told_ns > now:
                    self._put_off.append(fill)
                    continue
            told.append(item)
        if self._put_off:
            due = [fill for fill in self._put_off if (fill.told_ns or 0) <= now]
            self._put_off = [fill for fill in self._put_off if (fill.told_ns or 0) > now]
            told += [ExecutionNews(ts_ns=fill.told_ns or now, execution=fill, commission_known=True) for fill in due]
        return told

    # -- requests ------------------------------------------------------------------------------------------------

    def match(self, request: Request) -> Matched | Answer:
        """Find the row of a request and read its body; or the answer to one that has none."""
        path = below_base(request.path)
        found = 404 if path is None else self.table.find(request.method, path)
        if found == 404:
            return refusal(404, "Resource not found")
        if isinstance(found, int):
            return refusal(405, "Method not allowed")
        if request.method == "POST" and not request.has_length and self.options.observed:  # the samples have none
            return refusal(411, "Length Required")
        try:
            body = request.decoded()
        except msgspec.DecodeError:
            return refusal(400, "Bad Request: body is not valid JSON")
        route, params = found
        key = f"{request.method} {route.template}"
        self.requests[key] += 1
        return Matched(request=request, route=route, key=key, params=params, body=body)

    def answer(self, matched: Matched, asked: frozenset[str] = frozenset()) -> Answer:
        """Answer a request as of the clock's present. `asked` is what the fault script wants its handler to play."""
        now = self.present()
        answer = self._admitted(matched, now)
        if answer is None:
            answer = self._handled(matched, asked, now)
            self._happen(now)
        self.save()
        self.disturbed()
        return answer

    def _admitted(self, matched: Matched, now: int) -> Answer | None:
        """Why a request gets no further than the door, or None."""
        refused = self.keeper.refuses(matched.request, now)
        if refused is not None:
            return refused
        excess = self.budgets.refuses(matched.key, now)
        if excess is not None:
            return refusal(429, excess)
        route, session = matched.route, self.hall.session
        session.heard(now)
        refused = session.refuses(route.tier, now)
        if refused is not None:
            return refused
        if route.after_accounts and "accounts" not in self.hall.memory.primed:
            return refusal(400, "Bad Request: Please query /accounts first")
        if route.after_portfolio and not session.portfolio_read:
            return refusal(401, "Please query /portfolio/accounts first")
        if matched.key.endswith("/trsrv/secdef") and _conids(matched) > CONIDS_A_REQUEST:
            return refusal(400, f"Bad Request: more than {CONIDS_A_REQUEST} conids")
        return None

    def _handled(self, matched: Matched, asked: frozenset[str], now: int) -> Answer:
        call = Call(
            method=matched.request.method,
            template=matched.route.template,
            params=matched.params,
            query=matched.request.values(),
            body=matched.body,
            now_ns=now,
        )
        self.hall.asked = asked
        try:
            answer = matched.route.handler(self.hall, call)
        except Exception:  # noqa: BLE001  # our own bug must not end the gateway under its clients; it is said on stderr
            traceback.print_exc(file=sys.stderr)
            return refusal(500, "internal error")
        finally:
            self.hall.asked = frozenset()
        if answer.status == 200 and matched.key == _ACCOUNTS:
            self.hall.memory.primed.add("accounts")
        if answer.status == 200 and matched.key in _PORTFOLIO:
            self.hall.session.portfolio_read = True
        return answer

    # -- websocket -----------------------------------------------------------------------------------------------

    def join(self, wake: Callable[[], None], request: Request) -> Client | Answer:
        """Take a websocket connection, or refuse its handshake."""
        now = self.present()
        refused = self.keeper.refuses_socket(request, now)
        if refused is not None:
            return refused
        client = self.streams.join(wake, request.cookies().get("api", ""), now)
        self.disturbed()
        return client

    def receive(self, client: Client, text: str) -> None:
        """Act on a websocket message."""
        now = self.present()
        self.streams.receive(client, text, now)
        self._happen(now)
        self.save()
        self.disturbed()

    def fetch(self, path: str, query: Mapping[str, list[str]] | None = None) -> Any:
        """Read a path of our own REST surface without a client's budgets; the body, or {} where it is refused."""
        found = self.table.find("GET", path)
        if isinstance(found, int):
            return {}
        route, params = found
        call = Call(
            method="GET",
            template=route.template,
            params=params,
            query=dict(query or {}),
            body=None,
            now_ns=self.exchange.now_ns,
        )
        answer = route.handler(self.hall, call)
        return answer.body if answer.status == 200 else {"error": _error(answer)}

    def _history(self, conid: int, wanted: Mapping[str, Any]) -> dict[str, Any] | str:
        query = {"conid": [str(conid)]}
        for name in ("exchange", "period", "bar", "outsideRth", "source", "startTime"):
            if name in wanted:
                query[name] = [str(wanted[name])]
        body = self.fetch("/iserver/marketdata/history", query)
        if not isinstance(body, dict) or "error" in body:
            return str(body.get("error")) if isinstance(body, dict) else "no history"
        return body


def _error(answer: Answer) -> str:
    return str(answer.body.get("error", "")) if isinstance(answer.body, dict) else str(answer.text)


def _conids(matched: Matched) -> int:
    listed = matched.body.get("conids") if isinstance(matched.body, dict) else None
    if isinstance(listed, list):
        return len(listed)
    return sum(len(text.split(",")) for text in matched.request.values().get("conids", []))
