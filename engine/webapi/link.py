"""One session with all that stands on it: transport, scheduler, supervisor, socket, market data and broker."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import structlog
import trio
from attrs import define, field, frozen

from engine.domain.instrument import Instrument
from engine.errors import VenueError, VenueUnreachable
from engine.ports import Clock
from engine.webapi.auth import Authenticator, Handshake
from engine.webapi.broker import WebBroker
from engine.webapi.budgets import GATEWAY_PER_S, SECOND, Budgets
from engine.webapi.chores import Chores
from engine.webapi.endpoints.marketdata import MarketData as MarketEndpoints
from engine.webapi.endpoints.orders import RECENT_DAYS
from engine.webapi.marketdata import WebMarketData
from engine.webapi.orderview import OrderView
from engine.webapi.rest import Rest
from engine.webapi.scheduler import Scheduler
from engine.webapi.sessionfacts import Alert, GoDown
from engine.webapi.sessionrules import Rules
from engine.webapi.stream import frames
from engine.webapi.stream.account import AccountPages
from engine.webapi.stream.histories import Histories
from engine.webapi.stream.registry import Registry, StreamRules
from engine.webapi.stream.socket import Socket
from engine.webapi.supervisor import Ledger, Supervisor
from engine.webapi.tap import Tap

DIRECT_PER_S: Final = 50
PRIME_TRIES: Final = 6
MEND_S: Final = 2.0
MEND_AGAIN_S: Final = 60.0  # a stream that can't be mended is not to eat up the budget

log = structlog.get_logger()


@frozen(kw_only=True)
class LinkOptions:
    """What a session is told. `direct`: api.ibkr.com, with its larger budget; else through a gateway.

    `transit_s` is how long, on the wall, a request may be on its way to the venue's counter; each counts for so much
    longer against its budget. `rate` is how fast the venue's clock runs against the wall: 1 but for a simulated one.
    """

    account: str
    suppressed: tuple[str, ...] = ()
    direct: bool = False
    rate: float = 1.0
    transit_s: float = 0.5
    children_named: bool = True
    operator: str | None = None
    followed: bool = False  # another process used the session until a moment ago
    account_pages: bool = True  # summary, ledger and profit over the stream
    rules: Rules = field(factory=Rules)
    stream: StreamRules = field(factory=StreamRules)


class _Upkeep(Chores):
    """The chores of a new session, with the order view told what was read."""

    def __init__(self, scheduler: Scheduler, options: LinkOptions, broker: WebBroker) -> None:
        super().__init__(scheduler, account=options.account, suppressed=options.suppressed)
        self._broker = broker

    async def prime(self) -> None:
        """Read orders and executions until both are known; what is not known after some tries is asked for later."""
        self._broker.view.cooled()
        for _ in range(PRIME_TRIES):
            if await self._broker.prime():
                return


class _Stream:
    """The socket as the supervisor sees it: lines are opened before they are subscribed, gaps are filled after."""

    def __init__(self, socket: Socket, data: WebMarketData, broker: WebBroker, clock: Clock) -> None:
        self._socket = socket
        self._data = data
        self._broker = broker
        self._clock = clock

    async def connect(self, handshake: Handshake) -> None:
        await self._socket.connect(handshake)

    async def subscribe(self) -> None:
        await self._data.reopen()
        await self._socket.subscribe()
        self._broker.streaming(self._clock.now_ns())
        self._data.subscribed()

    async def disconnect(self) -> None:
        self._broker.streaming(None)
        self._data.lost()
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
    account: AccountPages
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
    tap: Tap | None = None,
    on_frame: Sequence[Callable[[frames.Said, int], None]] = (),
) -> AsyncIterator[Link]:
    """Run a session; it comes up by itself and stays up. News of it goes to the broker's news.

    Args:
        instruments: By conid; may grow.
        is_open: Whether data of a conid should come now.
        on_frame: Others who look at every frame.
    """
    async with Rest(base_url, clock, verify=tls, signer=login, tap=tap) as rest, trio.open_nursery() as nursery:
        per_s = DIRECT_PER_S if options.direct else GATEWAY_PER_S
        budgets = Budgets(per_s, transit_ns=round(options.transit_s * SECOND * options.rate))
        if options.followed:
            budgets.followed(clock.now_ns())
        scheduler = Scheduler(rest, clock, budgets)
        endpoints = MarketEndpoints(scheduler, clock)
        registry = Registry(options.stream, fields=endpoints.fields.of, is_open=is_open)
        registry.want("orders", "sor+{}", "uor+{}")
        registry.want("executions", f'str+{{"realtimeUpdatesOnly":false,"days":{RECENT_DAYS}}}', "utr")
        pages = AccountPages(options.account)
        if options.account_pages:
            registry.want("profit", "spl+{}", "upl+{}")
            registry.want("summary", f"ssd+{options.account}+{{}}", f"usd+{options.account}+{{}}")
            registry.want("ledger", f"sld+{options.account}+{{}}", f"uld+{options.account}+{{}}")
        supervisor: Supervisor | None = None

        def tell(heard: object) -> None:
            if supervisor is not None:
                supervisor.tell(heard)  # type: ignore[arg-type]  # only what the session can hear comes here

        def frame(said: frames.Said, at_ns: int) -> None:
            broker.stream.on_frame(said, at_ns)
            answer = data.on_frame(said, at_ns)
            if answer is not None:
                nursery.start_soon(_say, socket, answer)
            pages.on_frame(said, at_ns)
            for one in on_frame:
                one(said, at_ns)

        socket = Socket(base_url, tls, clock, registry, on_frame=frame, tell=tell, tap=tap)
        histories = Histories(clock, send=socket.send, is_open=socket.is_open)
        data = WebMarketData(
            endpoints, registry, clock, account=options.account, histories=histories, send=partial(_told, socket)
        )
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
        chores = _Upkeep(scheduler, options, broker)
        stream = _Stream(socket, data, broker, clock)

        def up() -> None:
            broker.session_up()
            socket.tell_again()

        def down(why: GoDown) -> None:
            layers = supervisor.health().layers if supervisor is not None else ()
            broker.session_down(why, next((one.layer.name.lower() for one in layers if not one.up), ""))

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
            on_up=up,
            on_down=down,
            on_layer=broker.session_at,
            on_alert=on_alert,
        )
        await nursery.start(scheduler.run)
        await nursery.start(socket.run)
        await nursery.start(supervisor.run)
        nursery.start_soon(data.run)
        nursery.start_soon(_mend, broker, clock)
        yield Link(rest, scheduler, supervisor, socket, registry, broker, data, pages, chores)
        nursery.cancel_scope.cancel()


async def _told(socket: Socket, messages: list[str]) -> None:
    """Send what is only said earlier than `connected` would say it anyway: a link that breaks loses nothing."""
    with suppress(VenueUnreachable):
        await socket.send(messages)


async def _say(socket: Socket, message: str) -> None:
    await _told(socket, [message])


async def _mend(broker: WebBroker, clock: Clock) -> None:
    """Look whether the order stream has kept something from us, and read the lists if so."""
    while True:
        await clock.sleep(MEND_S)
        try:
            if await broker.mend():
                await clock.sleep(MEND_AGAIN_S)
        except VenueError as error:
            log.warning("order_stream_not_mended", problem=str(error))
