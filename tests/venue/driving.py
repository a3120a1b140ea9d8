"""A tape of rows, and a driver that runs a venue over it as the replay ring does, windows and chunks cut anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np

from engine.domain.columns import Chunk, merge
from engine.domain.facts import Answer, Filled
from engine.domain.instrument import Instrument
from engine.domain.market import COLUMNS, RANK, Bar, Kind, MarketEvent, Quote, Status, Trade
from engine.domain.messages import CancelRequest, ModifyRequest, PlaceRequest, Request
from engine.domain.moments import END_OF_TIME_NS
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.settings import LatencySettings, ParticipationSettings, VenueSettings
from engine.venue import FeeSchedule, SimVenue

KIND: dict[type, Kind] = {Quote: Kind.QUOTES, Trade: Kind.TRADES, Bar: Kind.BARS, Status: Kind.STATUS}
NAN = float("nan")
ALWAYS = {"24/7": Sessions.round_the_clock()}
X = Instrument(conid=1, symbol="X", calendar="24/7")


def quote(ts: int, bid: float, ask: float, bid_size: float = 100, ask_size: float = 100, conid: int = 1) -> Quote:
    return Quote(ts, conid, bid, ask, bid_size, ask_size)


def trade(ts: int, price: float, size: float = 100, conid: int = 1) -> Trade:
    return Trade(ts, conid, price, size)


def bar(
    ts: int,
    opened: float,
    high: float,
    low: float,
    close: float,
    volume: float = 100_000,
    span: int = 60,
    conid: int = 1,
) -> Bar:
    return Bar(ts, conid, span, opened, high, low, close, volume)


def in_order(rows: Sequence[MarketEvent]) -> list[MarketEvent]:
    """Rows in the order of a recording: by time, then by rank, then as given."""
    return sorted(rows, key=lambda row: (row.ts_ns, RANK[KIND[type(row)]]))


def chunk_of(rows: Sequence[MarketEvent], start: int, stop: int) -> Chunk:
    """The rows [start, stop) of a recording as a chunk that knows what came before."""
    parts: dict[Kind, dict[str, Any]] = {}
    for kind in Kind:
        mine = [row for row in rows[start:stop] if KIND[type(row)] is kind]
        if mine:
            parts[kind] = {
                name: np.array([getattr(row, name) for row in mine], dtype=dtype) for name, dtype in COLUMNS[kind]
            }
    chunk = merge(parts)
    before: dict[Kind, dict[int, Any]] = {kind: {} for kind in Kind}
    for row in rows[:start]:
        before[KIND[type(row)]][row.conid] = row
    chunk.quotes_before, chunk.trades_before = before[Kind.QUOTES], before[Kind.TRADES]
    chunk.bars_before, chunk.status_before = before[Kind.BARS], before[Kind.STATUS]
    return chunk


def settings(
    *, latency: float = 0, report: float = 0, part: tuple[float, float, float] = (1.0, 1.0, 1.0), **more: Any
) -> VenueSettings:
    """Settings in which, unless said otherwise, nothing takes time and everything displayed may be taken."""
    return VenueSettings(
        latency_ms=LatencySettings(place=latency, modify=latency, cancel=latency, report=report),
        participation=ParticipationSettings(quote=part[0], trade=part[1], bar=part[2]),
        fees="none",
        **more,
    )


def venue_of(
    instruments: Sequence[Instrument] = (X,),
    sessions: Mapping[str, Sessions] = ALWAYS,
    fees: FeeSchedule | None = None,
    **more: Any,
) -> SimVenue:
    return SimVenue(
        instruments={one.conid: one for one in instruments},
        settings=settings(**more),
        sessions=sessions,
        fees=fees or FeeSchedule.none(),
        seed=0,
    )


def ticket(
    coid: str, side: str = "BUY", quantity: int | str = 100, limit: str | None = None, **more: Any
) -> OrderTicket:
    """A ticket; LMT if it has a limit, else MKT, unless `order_type` says otherwise. Numbers may be texts."""
    more.setdefault("order_type", OrderType.MARKET if limit is None else OrderType.LIMIT)
    for name in ("stop_price", "trail", "limit_offset"):
        if name in more:
            more[name] = Decimal(more[name])
    return OrderTicket(
        coid=coid,
        strategy="s",
        account="a",
        conid=more.pop("conid", 1),
        side=Side(side),
        quantity=Decimal(quantity),
        tif=more.pop("tif", Tif.GTC),
        limit_price=None if limit is None else Decimal(limit),
        **more,
    )


def place(*tickets: OrderTicket) -> PlaceRequest:
    return PlaceRequest(tickets)


def cancel(coid: str) -> CancelRequest:
    return CancelRequest(coid)


def modify(wanted: OrderTicket) -> ModifyRequest:
    return ModifyRequest(wanted)


def play(
    venue: SimVenue,
    rows: Sequence[MarketEvent],
    actions: Mapping[int, Sequence[Request]] | None = None,
    *,
    first: Sequence[Request] = (),
    cuts: Random | None = None,
    until: int | None = None,
) -> list[Answer]:
    """Run a venue over rows as the ring does.

    Args:
        actions: Requests decided on a row, by its number; `first` those decided before any row, at time 0.
        cuts: Cuts windows and chunks at random and lets strategies stop early; None: one chunk, one window.
        until: Time up to which session events still come after the last row.

    Returns: Every answer in the order in which it was heard.
    """
    rows = in_order(rows)
    wanted = dict(actions or {})
    heard: list[Answer] = []
    venue.submit(list(first), 0)
    start = end_row = 0
    while start < len(rows) or start == 0:
        size = len(rows) if cuts is None else cuts.choice((1, 2, 3, 7, len(rows)))
        stop = min(len(rows), start + max(1, size))
        chunk = chunk_of(rows, start, stop)
        if start:
            venue.settle(end_row)
        venue.begin(chunk)
        _run_chunk(venue, chunk, start, wanted, heard, cuts)
        end_row = chunk.size
        start = max(stop, 1)
    end_ns = rows[-1].ts_ns if rows else 0
    while (due := venue.next_due_ns()) <= (end_ns if until is None else until) and due != END_OF_TIME_NS:
        heard += venue.take_due(due, end_row)
    venue.settle(end_row)
    heard += venue.finish(end_ns)
    return heard


def _run_chunk(
    venue: SimVenue,
    chunk: Chunk,
    offset: int,
    actions: dict[int, Sequence[Request]],
    heard: list[Answer],
    cuts: Random | None,
) -> None:
    times = chunk.ts_ns.tolist()
    row = 0
    while row < chunk.size:
        while (due := venue.next_due_ns()) <= times[row]:
            heard += venue.take_due(due, row)
        stop = chunk.size if cuts is None else min(chunk.size, row + cuts.randint(1, 9))
        stop = min([stop, *(at - offset + 1 for at in actions if offset + row <= at < offset + stop)])
        stop = min(stop, int(np.searchsorted(chunk.ts_ns, due, side="left")))
        assert stop > row
        named = venue.scan(row, stop)
        assert row <= named <= stop
        if cuts is not None and cuts.random() < 0.3:
            early = cuts.randint(row, named)  # a strategy wanted something there, or nearly
            if row < early < stop:
                venue.settle(early)
                row = early
                continue
        if named < stop:
            venue.settle(named)
            answers = venue.take_row(named)
            if not venue_reports_late(venue):
                assert answers, "scan named a row that produces no answer"
            heard += answers
            done = named + 1
        else:
            done = stop
        venue.settle(done)
        row = done
        requests = actions.pop(offset + done - 1, None)
        if requests is not None:
            venue.submit(list(requests), times[done - 1])
            if cuts is None or cuts.random() < 0.5:  # else at the start of the next turn, or in the next chunk
                while (due := venue.next_due_ns()) <= times[done - 1]:
                    heard += venue.take_due(due, done)


def venue_reports_late(venue: SimVenue) -> bool:
    return venue._floor.heard_ns > 0


def fills(answers: Sequence[Answer]) -> list[tuple[str, str, str, str]]:
    """Executions as (coid, quantity, price, liquidity), all as text."""
    return [
        (one.coid, f"{one.quantity:f}", f"{one.price:f}", one.liquidity) for one in answers if isinstance(one, Filled)
    ]


def said(answers: Sequence[Answer]) -> list[str]:
    """What was said, in short: the kind of each answer, its order, and why."""
    words = []
    for one in answers:
        why = getattr(one, "code", "") or getattr(one, "reason", "")
        words.append(f"{type(one).__name__} {one.coid}" + (f" {why}" if why else ""))
    return words
