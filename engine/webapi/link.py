"""One session with all that stands on it: transport, scheduler, supervisor, socket, market data and broker."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio
from attrs import define, field, frozen

from engine.domain.instrument import Instrument
from engine.ports import Clock
from engine.webapi.auth import Authenticator, Handshake
from engine.webapi.broker import WebBroker
from engine.webapi.budgets import GATEWAY_PER_S, SECOND, Budgets
from engine.webapi.chores import Chores
from engine.webapi.endpoints.marketdata import MarketData as MarketEndpoints
from engine.webapi.endpoints.orders import TRADE_DAYS
from engine.webapi.marketdata import WebMarketData
from engine.webapi.orderview import Known, OrderView
from engine.webapi.rest import Rest
from engine.webapi.scheduler import Scheduler
from engine.webapi.sessionfacts import Alert, GoDown
from engine.webapi.sessionrules import Rules
from engine.webapi.stream import frames
from engine.webapi.stream.registry import Registry, StreamRules
from engine.webapi.stream.socket import Socket
from engine.webapi.supervisor import Ledger, Supervisor

DIRECT_PER_S: Final = 50
TRANSIT_S: Final = 0.5  # of the wall: how long a request may be on its way to the venue's counter
PRIME_TRIES: Final = 6


@frozen(kw_only=True)
class LinkOptions:
    """What a session is told. `direct`: api.ibkr.com, with its larger budget; else through a gateway.

    `rate` is how fast the venue's clock runs against the wall (1 but for a simulated gateway).
    """

    account: str
    suppressed: tuple[str, ...] = ()
    direct: bool = False
    rate: float = 1.0
    children_named: bool = True
    operator: str | None = None
    rules: Rules = field(factory=Rules)
    stream: StreamRules = field(factory=StreamRules)


class _Upkeep(Chores):
    """The chores of a new session, with the order view told what was read."""

    def __init__(self, scheduler: Scheduler, options: LinkOptions, broker: WebBroker, clock: Clock) -> None:
        super().__init__(scheduler, account=options.account, suppressed=options.suppressed)
        self._broker = broker
        self._clock = clock

    async def prime(self) -> None:
        """Read orders and executions until both are known; what is not known after some tries is asked for later."""
        self._broker.view.cooled()
        for _ in range(PRIME_TRIES):
            await self._broker.orders()
            await self._broker.executions()
            now_ns = self._clock.now_ns()
            if isinstance(self._broker.view.orders(now_ns), Known) and isinstance(
                self._broker.view.executions(now_ns), Known
            ):
                return


class _Stream:
    """The socket as the supervisor sees it: lines are opened before they are subscribed, gaps are filled after."""

    def __init__(self, socket: Socket, data: WebMarketData, view: OrderView, clock: Clock) -> None:
        self._socket = socket
        self._data = data
        self._view = view
        self._clock = clock
        self.nursery: trio.Nursery | None = None

    async def connect(self, handshake: Handshake) -> None:
        await self._socket.connect(handshake)

    async def subscribe(self) -> None:
        await self._data.reopen()
        await self._socket.subscribe()
        self._view.streaming(self._clock.now_ns())
        if self.nursery is not None:
            self.nursery.start_soon(self._data.fill_gaps)

    async def disconnect(self) -> None:
        self._view.streaming(None)
        await self._socket.disconnect()


@define(eq=False)
class Link:
    """A session that runs."""

    rest: Rest
    scheduler: Scheduler
    supervisor: Supervisor
    socket: Socket
    registry: Registry
    broker: WebBroker
    data: WebMarketData
    chores: Chores


@asynccontextmanager
async def open_link(
    base_url: str,
    clock: Clock,
    login: Authenticator,
    options: LinkOptions,
    instruments: Mapping[int, Instrument],
    *,
    tls: ssl.SSLContext | None,
    chance: Callable[[], float],
    is_open: Callable[[str, int], bool],
    ledger: Ledger | None = None,
    on_alert: Callable[[Alert], None] = lambda alert: None,  # noqa: ARG005
    on_frame: Sequence[Callable[[frames.Said, int], None]] = (),
) -> AsyncIterator[Link]:
    """Run a session; it comes up by itself and stays up. News of it goes to the broker's news.

    Args:
        instruments: By conid; may grow.
        is_open: Whether data of a conid should come now.
        on_frame: Others who look at every frame.
    """
    async with Rest(base_url, clock, verify=tls, signer=login) as rest, trio.open_nursery() as nursery:
        per_s = DIRECT_PER_S if options.direct else GATEWAY_PER_S
        scheduler = Scheduler(rest, clock, Budgets(per_s, transit_ns=round(TRANSIT_S * SECOND * options.rate)))
        endpoints = MarketEndpoints(scheduler, clock)
        registry = Registry(options.stream, fields=endpoints.fields.of, is_open=is_open)
        registry.want("orders", "sor+{}", "uor+{}")
        registry.want("executions", f'str+{{"realtimeUpdatesOnly":false,"days":{TRADE_DAYS}}}', "utr")
        supervisor: Supervisor | None = None

        def tell(heard: object) -> None:
            if supervisor is not None:
                supervisor.tell(heard)  # type: ignore[arg-type]  # only what the session can hear comes here

        def frame(said: frames.Said, at_ns: int) -> None:
            broker.on_frame(said, at_ns)
            data.on_frame(said, at_ns)
            for one in on_frame:
                one(said, at_ns)

        socket = Socket(base_url, tls, clock, registry, on_frame=frame, tell=tell)
        data = WebMarketData(endpoints, registry, clock, send=socket.send)
        view = OrderView(options.account)
        broker = WebBroker(
            scheduler,
            clock,
            view,
            instruments,
            tell=tell,
            children_named=options.children_named,
            operator=options.operator,
        )
        chores = _Upkeep(scheduler, options, broker, clock)
        stream = _Stream(socket, data, view, clock)

        def down(why: GoDown) -> None:
            broker.session_down(why)

        supervisor = Supervisor(
            rest,
            scheduler,
            login,
            clock,
            chores,
            chance=chance,
            rules=options.rules,
            stream=stream,
            ledger=ledger,
            on_up=broker.session_up,
            on_down=down,
            on_alert=on_alert,
        )
        stream.nursery = nursery
        await nursery.start(scheduler.run)
        await nursery.start(socket.run)
        await nursery.start(supervisor.run)
        yield Link(rest, scheduler, supervisor, socket, registry, broker, data, chores)
        nursery.cancel_scope.cancel()
