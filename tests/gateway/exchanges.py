"""Exchanges for tests: on a market of a few given rows, or on the synthetic one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from attrs import evolve

from engine.domain.columns import Chunk
from engine.domain.instrument import Instrument
from engine.domain.market import COLUMNS, Kind, MarketEvent
from engine.domain.moments import END_OF_TIME_NS, NS_PER_S
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.gateway import contracts as listing
from engine.gateway.board import Figures
from engine.gateway.exchange import SimExchange
from engine.gateway.hours import Hours
from engine.gateway.opening import assemble, open_exchange
from engine.gateway.options import Options
from engine.gateway.quoting import Block
from engine.gateway.records import Contract, Exchange, ExecutionNews, NewOrder, News, OrderNews
from engine.settings import LatencySettings, ParticipationSettings, VenueSettings
from tests.venue.driving import KIND, X, chunk_of, in_order

START = 1_772_550_000 * NS_PER_S  # Tuesday 3 March 2026, 15:00 UTC
ACCOUNT = "DU1234567"
AAPL = 265598


class RowsMarket:
    """A market of given rows, times counted in ns from START; chunks of `size` rows."""

    def __init__(
        self, rows: Iterable[MarketEvent], instruments: Sequence[Instrument] = (X,), size: int = 10_000
    ) -> None:
        self._rows = in_order(list(rows))
        self._size = size
        self._at = 0
        self.start_ns = self.begins_ns = START
        self.contracts: Mapping[int, Contract] = {one.conid: listing.listed(one) for one in instruments}

    def open(self, now_ns: int) -> Mapping[int, Figures]:
        del now_ns
        return {conid: Figures() for conid in self.contracts}

    def rest(self, now_ns: int) -> Chunk:
        del now_ns
        return Chunk(ts_ns=np.empty(0, np.int64), kinds={})

    def take(self, until_ns: int) -> Chunk | None:
        if self.peek_ns() > until_ns:
            return None
        start, self._at = self._at, min(len(self._rows), self._at + self._size)
        return chunk_of(self._rows, start, self._at)

    def peek_ns(self) -> int:
        return self._rows[self._at].ts_ns if self._at < len(self._rows) else END_OF_TIME_NS

    def wake(self, conid: int, now_ns: int) -> Figures | None:
        del conid, now_ns
        return None

    def sleep(self, conid: int) -> None:
        raise AssertionError(f"{conid} is always played")

    def roll(self, now_ns: int, held: Collection[int]) -> None:
        del now_ns, held

    def extend(self, sessions: Mapping[str, Sessions]) -> None:
        del sessions

    def rate(self, pair: int, now_ns: int) -> float:
        del pair, now_ns
        return float("nan")

    def ticks(self, conid: int, start_ns: int, end_ns: int) -> tuple[Block, Block, Block]:
        rows = [one for one in self._rows if one.conid == conid and start_ns <= one.ts_ns < end_ns]

        def block(kind: Kind) -> Block:
            mine = [one for one in rows if KIND[type(one)] is kind]
            return {name: np.array([getattr(one, name) for one in mine], dtype) for name, dtype in COLUMNS[kind]}

        return block(Kind.QUOTES), block(Kind.TRADES), block(Kind.BARS)


def plain_venue(latency_ms: float = 0, fees: str = "none", **more: Any) -> VenueSettings:
    """A venue that takes no time and no fee and lets all that is displayed be taken, unless said otherwise."""
    return VenueSettings(
        latency_ms=LatencySettings(place=latency_ms, modify=latency_ms, cancel=latency_ms),
        participation=ParticipationSettings(quote=1.0, trade=1.0, bar=1.0),
        fees=fees,
        **more,
    )


def on_rows(
    rows: Iterable[MarketEvent],
    *,
    instruments: Sequence[Instrument] = (X,),
    size: int = 10_000,
    options: Options | None = None,
    venue: VenueSettings | None = None,
) -> SimExchange:
    """An exchange on given rows."""
    options = evolve(options or Options(commission_delay_s=0), venue=venue or plain_venue())
    return assemble(options, RowsMarket(rows, instruments, size), Hours(START), START)


def synthetic(*symbols: str, options: Options | None = None, **more: Any) -> SimExchange:
    """An exchange on the synthetic market."""
    return open_exchange(options or Options(), synthetic=symbols or ("AAPL",), **more)


def order(
    side: str = "BUY",
    quantity: int | str = 100,
    limit: str | None = None,
    *,
    conid: int = AAPL,
    account: str = ACCOUNT,
    parent: int | None = None,
    oca: str | None = None,
    client_id: str | None = None,
    deactivated: bool = False,
    **more: Any,
) -> NewOrder:
    """An order as the desk hands it over: LMT if it has a limit, else MKT, unless `order_type` says otherwise."""
    more.setdefault("order_type", OrderType.MARKET if limit is None else OrderType.LIMIT)
    for name in ("stop_price", "trail", "limit_offset"):
        if name in more:
            more[name] = Decimal(more[name])
    ticket = OrderTicket(
        coid="new",
        strategy="",
        account=account,
        conid=conid,
        side=Side(side),
        quantity=Decimal(quantity),
        limit_price=None if limit is None else Decimal(limit),
        tif=more.pop("tif", Tif.DAY),
        parent=None if parent is None else str(parent),
        oca_group=oca,
        **more,
    )
    return NewOrder(
        account=account,
        ticket=ticket,
        wire={"side": side, "quantity": float(quantity)},
        client_id=client_id,
        parent_id=parent,
        oca_group=oca,
        deactivated=deactivated,
    )


def as_promised(exchange: SimExchange) -> Exchange:
    """The exchange as routes and streams know it; the type checker holds the promise."""
    return exchange


def place(exchange: SimExchange, *orders: NewOrder) -> list[int]:
    """Register and release orders; return their ids."""
    ids = [exchange.register(one).order_id for one in orders]
    exchange.release(ids)
    return ids


def after(exchange: SimExchange, seconds: float) -> list[News]:
    """What becomes of orders in so many seconds; quotes are left out."""
    return of_orders(exchange.advance(exchange.now_ns + round(seconds * NS_PER_S)))


def of_orders(news: Iterable[News]) -> list[News]:
    return [one for one in news if isinstance(one, OrderNews | ExecutionNews)]


def steps(news: Iterable[News], order_id: int) -> list[str]:
    """The statuses that one order took."""
    return [one.status for one in news if isinstance(one, OrderNews) and one.order_id == order_id]


def until(exchange: SimExchange, done: Callable[[], bool], *, seconds: float = 60, most: int = 600) -> list[News]:
    """Advance until something is so; the test fails if it never is."""
    news: list[News] = []
    for _ in range(most):
        if done():
            return news
        news += after(exchange, seconds)
    raise AssertionError("it never came")
