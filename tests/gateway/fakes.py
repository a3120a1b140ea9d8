"""An exchange with one share that does what a test says, and a gateway on loopback around it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx
import trio
from attrs import evolve, frozen

from engine.domain.instrument import Instrument, Leg
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.gateway.auth import GatewayKeeper, Keeper
from engine.gateway.calls import Answer, Call, Route, Tier
from engine.gateway.hall import Hall
from engine.gateway.logins import ROUTES
from engine.gateway.options import Options, Pacing
from engine.gateway.records import (
    Contract,
    Execution,
    Funds,
    HistoryBar,
    LiveOrder,
    NewOrder,
    News,
    Position,
    Top,
)
from engine.gateway.server import Server
from engine.gateway.shell import Shell
from engine.gateway.tls import own_certificate

START_NS: Final = 1_710_165_600_000_000_000  # 2024-03-11 10:00 New York
SECOND: Final = 1_000_000_000
ACCOUNT: Final = "DU1234567"
AAPL: Final = 265598


class FakeExchange:
    """Holds what a test puts into it; `coming` is told by the next `advance`."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.start_ns = START_NS
        self.accounts: Sequence[str] = [ACCOUNT]
        apple = Instrument(conid=AAPL, symbol="AAPL")
        self.contracts: Mapping[int, Contract] = {AAPL: Contract(instrument=apple, name="APPLE INC", listing="NASDAQ")}
        self.coming: list[News] = []
        self.live: dict[int, LiveOrder] = {}
        self.fills: list[Execution] = []
        self.values: dict[str, str] = {"31": "168.42", "84": "168.41", "86": "168.43"}
        self.box: dict[str, Any] = {}
        self.saved: dict[str, Any] = {}
        self.daily = Decimal(0)

    def advance(self, now_ns: int) -> list[News]:
        self.now_ns = max(self.now_ns, now_ns)
        news, self.coming = self.coming, []
        return news

    def combo(self, legs: Sequence[Leg], currency: str) -> int:
        raise NotImplementedError

    def register(self, order: NewOrder) -> LiveOrder:
        raise NotImplementedError

    def release(self, order_ids: Sequence[int]) -> None:
        raise NotImplementedError

    def discard(self, order_id: int, reason: str) -> None:
        raise NotImplementedError

    def modify(self, order_id: int, ticket: OrderTicket, wire: dict[str, Any]) -> None:
        raise NotImplementedError

    def cancel(self, order_id: int) -> None:
        raise NotImplementedError

    def orders(self, account: str) -> list[LiveOrder]:
        return list(self.live.values())

    def order(self, order_id: int) -> LiveOrder | None:
        return self.live.get(order_id)

    def executions(self, account: str, days: int) -> list[Execution]:
        return self.fills

    def positions(self, account: str) -> list[Position]:
        return []

    def cash(self, account: str) -> Mapping[str, Decimal]:
        return {"USD": Decimal(1_000_000)}

    def funds(self, account: str) -> Funds:
        zero, million = Decimal(0), Decimal(1_000_000)
        return Funds(
            base="USD",
            net_liquidation=million,
            cash=million,
            stock_value=zero,
            position_value=zero,
            initial_margin=zero,
            maintenance_margin=zero,
            available=million,
            excess_liquidity=million,
            buying_power=million,
            unrealised=zero,
            realised=zero,
            daily=self.daily,
        )

    def unaffordable(self, order: NewOrder) -> str | None:
        return None

    def margin_change(self, order: NewOrder) -> tuple[Decimal, Decimal, Decimal]:
        return Decimal(0), Decimal(0), Decimal(0)

    def top(self, conid: int) -> Top | None:
        return None

    def depth(self, conid: int, rows: int) -> list[tuple[float, float, float]]:
        return [(168.43, 0.0, 300.0), (168.41, 200.0, 0.0), (168.4, 100.0, 0.0)]

    def bars(
        self, conid: int, start_ns: int, end_ns: int, length_ns: int, *, source: str, outside_rth: bool
    ) -> list[HistoryBar]:
        return []

    def sessions(self, conid: int) -> Sessions:
        raise NotImplementedError

    def rate(self, currency: str) -> Decimal:
        return Decimal(1)

    def next_ns(self) -> int:
        return END_OF_TIME_NS

    def state(self) -> dict[str, Any]:
        return {"orders": [], "executions": [], "positions": {}, "cash": {"USD": Decimal("1000000.5")}}

    def save(self) -> None:
        self.saved = dict(self.box)

    def keep(self, name: str, value: Any) -> None:
        self.box[name] = value

    def kept(self, name: str) -> Any:
        return self.saved.get(name)

    def close(self) -> None:
        self.save()


class FakeClock:
    """Shows what it was set to; a second of it is a second of trio's clock times `rate`."""

    def __init__(self, now_ns: int = START_NS, rate: float = 1.0) -> None:
        self.at = self.promised_ns = now_ns
        self.rate = rate

    def now_ns(self) -> int:
        return self.at

    def wall_ns(self) -> int:
        return 0  # whatever is played takes no time

    def hold(self, at_ns: int) -> None:
        raise AssertionError("nothing here takes long")

    def wall_s(self, until_ns: int) -> float:
        return max(0.0, (until_ns - self.at) / self.rate / 1e9)

    def jump(self, to_ns: int) -> None:
        if to_ns < self.at:
            raise ValueError("the clock can't go back")
        self.at = to_ns

    def set_rate(self, rate: float) -> None:
        if rate <= 0:
            raise ValueError("the speed of a clock is a number above zero")
        self.rate = rate

    def pass_s(self, seconds: float) -> None:
        self.at += int(seconds * SECOND)


def order(order_id: int, *, status: str = "Submitted", filled: int = 0, **more: Any) -> LiveOrder:
    """A limit order to buy 100 AAPL at 165."""
    ticket = OrderTicket(
        coid=str(order_id),
        account=ACCOUNT,
        conid=AAPL,
        side=Side.BUY,
        quantity=Decimal(100),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(165),
        tif=Tif.DAY,
        strategy="wire",
    )
    return LiveOrder(
        order_id=order_id,
        account=ACCOUNT,
        ticket=ticket,
        wire={"conid": AAPL, "tif": "DAY"},
        status=status,
        filled=Decimal(filled),
        value=Decimal(filled) * 165,
        created_ns=START_NS,
        **more,
    )


def execution(number: int, *, size: int = 100, ts_ns: int = START_NS) -> Execution:
    """A fill of order 7."""
    return Execution(
        execution_id=f"0000e0d5.6576fd38.01.{number:02d}",
        order_id=7,
        account=ACCOUNT,
        conid=AAPL,
        side="BUY",
        size=Decimal(size),
        price=Decimal("165.25"),
        ts_ns=ts_ns,
        commission=Decimal("1.01"),
        told_ns=ts_ns + 2 * SECOND,
    )


def snapshot(hall: Hall, conid: int, fields: list[str]) -> dict[str, Any]:
    """Fields of the fake's only share."""
    values = getattr(hall.exchange, "values", {})
    return {tag: values[tag] for tag in fields if tag in values}


def _accounts(hall: Hall, call: Call) -> Answer:
    return Answer(body={"accounts": list(hall.exchange.accounts), "selectedAccount": hall.memory.selected})


def _orders(hall: Hall, call: Call) -> Answer:
    hall.shelf.get("handled", []).append(1)
    return Answer(body={"account": call.params["accountId"], "body": call.body})


def _reply(hall: Hall, call: Call) -> Answer:
    hall.shelf.get("asked", []).append(sorted(hall.asked))
    return Answer(body={})


def _query(hall: Hall, call: Call) -> Answer:
    return Answer(body={"query": call.query, "ids": call.params})


def _broken(hall: Hall, call: Call) -> Answer:
    raise RuntimeError("a bug")


EXTRA: Final = (
    Route(methods=("GET",), template="/iserver/accounts", handler=_accounts, tier=Tier.BROKERAGE),
    Route(methods=("GET",), template="/iserver/account/orders", handler=_query, tier=Tier.BROKERAGE),
    Route(
        methods=("POST",),
        template="/iserver/account/{accountId}/orders",
        handler=_orders,
        tier=Tier.BROKERAGE,
        after_accounts=True,
    ),
    Route(methods=("GET",), template="/iserver/marketdata/history", handler=_query, tier=Tier.BROKERAGE),
    Route(methods=("GET",), template="/iserver/marketdata/snapshot", handler=_query, tier=Tier.BROKERAGE),
    Route(methods=("POST",), template="/iserver/reply/{replyId}", handler=_reply, tier=Tier.BROKERAGE),
    Route(methods=("GET",), template="/portfolio/accounts", handler=_query, tier=Tier.OUTER),
    Route(
        methods=("GET",),
        template="/portfolio/{accountId}/ledger",
        handler=_query,
        tier=Tier.OUTER,
        after_portfolio=True,
    ),
    Route(methods=("GET", "POST"), template="/trsrv/secdef", handler=_query, tier=Tier.OUTER),
    Route(methods=("GET",), template="/broken", handler=_broken, tier=Tier.OUTER),
)

UNPACED: Final = Options(pacing=Pacing(on=False))


def shell(
    options: Options = UNPACED,
    *,
    exchange: FakeExchange | None = None,
    clock: FakeClock | None = None,
    keeper: Keeper | None = None,
    more: Sequence[Route] = EXTRA,
) -> Shell:
    """A gateway without sockets on a fake exchange."""
    return Shell(
        options,
        exchange or FakeExchange(),
        clock or FakeClock(),
        keeper or GatewayKeeper(options.allow),
        (*ROUTES, *more),
        snapshot,
    )


@frozen
class Running:
    """A gateway on loopback: its root, a client that trusts its certificate, and what lies behind."""

    root: str
    client: httpx.AsyncClient
    tls: ssl.SSLContext | None
    shell: Shell
    exchange: FakeExchange
    clock: FakeClock

    async def tickle(self) -> str:
        """Log in as clients do and return the session id."""
        await self.client.get("/v1/api/iserver/accounts")
        answer = await self.client.post("/v1/api/tickle", json={})
        return str(answer.json()["session"])


@asynccontextmanager
async def running(folder: Path, options: Options = UNPACED, *, plain: bool = False) -> AsyncIterator[Running]:
    """Serve a gateway on a free port of loopback."""
    exchange, clock = FakeExchange(), FakeClock()
    middle = shell(options, exchange=exchange, clock=clock)
    context, authority = own_certificate(folder, "127.0.0.1")
    server = Server(middle, None if plain else context)
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    scheme = "http" if plain else "https"
    trust = None if plain else ssl.create_default_context(cafile=str(authority))
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        base = f"{scheme}://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base, verify=trust or True, timeout=5) as client:
            yield Running(base, client, trust, middle, exchange, clock)
        nursery.cancel_scope.cancel()


def with_options(**changes: Any) -> Options:
    """Unpaced options with changes."""
    return evolve(UNPACED, **changes)
