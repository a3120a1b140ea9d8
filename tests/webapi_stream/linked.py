"""A whole link against the simulated gateway: a process of its own, real TLS, a clock 50 times as fast as the wall."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import define, field

from engine.domain import brokerage as b
from engine.domain.depth import Depth
from engine.domain.instrument import Instrument
from engine.domain.market import MarketEvent
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.webapi import tls
from engine.webapi.clock import RatedClock
from engine.webapi.link import Link, LinkOptions, open_link
from engine.webapi.sessionfacts import Alert
from engine.webapi.sessionrules import Rules
from engine.webapi.stream import frames
from tests.webapi.test_against_gateway_session import gateway, login_of

S = 1_000_000_000
ACCOUNT = "DU1234567"
AAPL, IBM = Instrument(conid=265598, symbol="AAPL"), Instrument(conid=8314, symbol="IBM")
PLACE = "POST /iserver/account/{accountId}/orders"
SUPPRESS = "POST /iserver/questions/suppress"


@define
class Linked:
    """A link, the gateway behind it, and what its consumers were told."""

    link: Link
    clock: RatedClock
    sim: httpx.AsyncClient
    alerts: list[Alert] = field(factory=list)
    frames: list[frames.Said] = field(factory=list)
    news: list[b.BrokerNews] = field(factory=list)
    market: list[MarketEvent | b.Availability | Depth] = field(factory=list)

    async def faults(self, *entries: dict[str, object]) -> None:
        (await self.sim.post("/sim/faults", json={"seed": 7, "fault": list(entries)})).raise_for_status()

    async def mended(self) -> None:
        (await self.sim.delete("/sim/faults")).raise_for_status()

    async def advance(self, seconds: float) -> None:
        told = (await self.sim.post("/sim/clock", json={"advance_s": seconds})).json()
        self.clock.set(told["clock_ms"] * 1_000_000, told["rate"])

    async def truth(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.sim.get("/sim/state")).json()
        return found

    async def asked(self, name: str) -> int:
        count: int = (await self.truth())["requests"].get(name, 0)
        return count

    async def until(self, what: Callable[[], object], *, limit_s: float = 40) -> None:
        with trio.fail_after(limit_s):
            while not what():
                await trio.sleep(0.02)

    async def until_up(self) -> None:
        with trio.fail_after(60):
            await self.link.supervisor.wait_up()

    async def until_down(self) -> None:
        await self.until(lambda: not self.link.supervisor.health().up)

    def of(self, kind: type[Any], since: int = 0) -> list[Any]:
        return [one for one in (*self.news[since:], *self.market) if isinstance(one, kind)]

    async def fresh(self, kind: type[Any], *, conid: int = AAPL.conid) -> Any:
        """The next event of a kind that comes from now on."""
        start = len(self.market)
        found: list[Any] = []

        def come() -> bool:
            found[:] = [one for one in self.market[start:] if isinstance(one, kind) and one.conid == conid]
            return bool(found)

        await self.until(come)
        return found[0]

    async def place(self, *tickets: OrderTicket) -> b.WriteAnswer:
        """Place, and say yes to every question."""
        broker = self.link.broker
        async with broker.round():
            answer = await broker.place(tickets)
            while isinstance(answer, b.Asked):
                answer = await broker.reply(answer.questions[0].reply_id, confirmed=True)
        return answer


def ticket(
    coid: str, quantity: int = 10, *, limit: str | None = None, side: Side = Side.BUY, **more: Any
) -> OrderTicket:
    return OrderTicket(
        coid=coid, strategy="s", account=ACCOUNT, conid=more.pop("conid", AAPL.conid), side=side,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT, quantity=Decimal(quantity),
        limit_price=None if limit is None else Decimal(limit), **more,
    )  # fmt: skip


async def _take(it: Linked, news: Callable[[], Awaitable[Sequence[Any]]], into: list[Any]) -> None:
    while True:
        into += await news()


@asynccontextmanager
async def linked(
    folder: Path, way: str = "gateway", *, script: Sequence[dict[str, object]] = (), **options: Any
) -> AsyncIterator[Linked]:
    """Run a gateway and a link to it; consumers take what comes."""
    rules = Rules(**{"region": None, **options.pop("rules", {})})
    state = folder / "gateway"
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(gateway(state, way))
        verify = tls.context(base, ca=state / "ca.pem")
        root = base.removesuffix("/v1/api")
        sim = await stack.enter_async_context(httpx.AsyncClient(base_url=root, verify=verify, timeout=20))
        told = (await sim.get("/sim/clock")).json()
        clock = RatedClock(told["clock_ms"] * 1_000_000, told["rate"])
        heard: list[frames.Said] = []
        alerts: list[Alert] = []
        link = await stack.enter_async_context(
            open_link(
                base, clock, login_of(way, state, base, clock),
                LinkOptions(account=ACCOUNT, suppressed=("o163", "o354"), rate=told["rate"], rules=rules, **options),
                {one.conid: one for one in (AAPL, IBM)},
                tls=verify, chance=lambda: 0.5, is_open=lambda name, now_ns: True, on_alert=alerts.append,
                on_frame=[lambda said, at_ns: heard.append(said)],
            )
        )  # fmt: skip
        it = Linked(link, clock, sim, alerts, heard)
        if script:
            await it.faults(*script)
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(_take, it, link.broker.news, it.news)
        nursery.start_soon(_take, it, link.data.news, it.market)
        await link.data.subscribe([AAPL, IBM])
        yield it
        nursery.cancel_scope.cancel()
