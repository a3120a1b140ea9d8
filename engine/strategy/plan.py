"""Seats and plans: who is called with which rows of a chunk, worked out once a chunk.

Event objects are made lazily by `starmap` over column lists, one iterator a chunk that goes on where the last window
stopped; how many are left in the first column's iterator tells which row is in hand, so the loop itself counts nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import starmap
from typing import Any

import numpy as np
from attrs import define, field

from engine.domain.columns import Chunk, Columns, Ints
from engine.domain.market import COLUMNS, ROW, Kind, MarketEvent
from engine.strategy.api import Strategy
from engine.strategy.columnar import ColumnarSeat
from engine.strategy.context import Context

Handler = Callable[[Any], None]
Route = tuple[tuple["Seat", Handler], ...]

_HANDLER = {Kind.QUOTES: "on_quote", Kind.TRADES: "on_trade", Kind.BARS: "on_bar", Kind.STATUS: "on_status"}


def overridden(strategy: Strategy[Any], name: str) -> Handler | None:
    """The strategy's own handler of that name; None if it has the base's, which does nothing."""
    if getattr(type(strategy), name) is getattr(Strategy, name):
        return None
    handler: Handler = getattr(strategy, name)
    return handler


@define(eq=False)
class Seat:
    """One copy of a strategy in the host."""

    name: str
    strategy: Strategy[Any]
    ctx: Context
    conids: frozenset[int]
    spans: frozenset[tuple[int, int]] = frozenset()  # (conid, span_ns) of the bars it subscribed to
    off: str | None = None
    columnar: ColumnarSeat | None = None
    handlers: dict[Kind, Handler] = field(factory=dict)
    on_order: Handler | None = None
    on_fill: Handler | None = None
    on_depth: Handler | None = None

    listens: bool = False  # news of an order wakes it

    @classmethod
    def of(cls, name: str, strategy: Strategy[Any], ctx: Context) -> Seat:
        """Seat a strategy, looking once which handlers it has."""
        seat = cls(name, strategy, ctx, frozenset(i.conid for i in ctx.instruments))
        for kind, method in _HANDLER.items():
            handler = overridden(strategy, method)
            if handler is not None:
                seat.handlers[kind] = handler
        seat.on_order = overridden(strategy, "on_order")
        seat.on_fill = overridden(strategy, "on_fill")
        seat.on_depth = overridden(strategy, "on_depth")
        seat.listens = seat.on_order is not None or seat.on_fill is not None
        if overridden(strategy, "on_window") is not None:
            seat.columnar = ColumnarSeat(strategy, ctx, seat.conids)
        return seat


@define(eq=False)
class Plan:
    """How one chunk is handed out: which rows, as what objects, to whom."""

    rows: Ints | None  # chunk rows handed out, sorted; None: all
    events: Iterator[MarketEvent]
    left: Iterator[Any]  # its length hint tells how many events are left
    total: int
    single: Handler | None  # the one handler of every event, where there is but one
    routes: Iterator[Route] | None
    seats: tuple[Seat, ...]

    def done(self) -> int:
        """How many events have been handed out."""
        return self.total - operator.length_hint(self.left)


def plan_of(chunk: Chunk, start: int, seats: Sequence[Seat]) -> Plan | None:
    """Make the plan for a chunk's rows from `start` on; None if nobody wants any."""
    runs: list[tuple[Columns, bool]] = [(columns, False) for columns in chunk.kinds.values()]
    if chunk.built is not None:
        runs.append((chunk.built, True))
    wanted = [(columns, table) for columns, built in runs if (table := _routes(columns, built, seats))]
    if not wanted:
        return None
    routes = {route for _, table in wanted for route in table.values()}
    everything = (
        len(runs) == 1
        and set(wanted[0][1]) == set(_keys(wanted[0][0]))  # each instrument of the one kind goes somewhere
    )
    only = next(iter(routes)) if len(routes) == 1 else None
    single = only[0][1] if only is not None and len(only) == 1 else None
    if everything and single is not None:
        columns = wanted[0][0]
        names = [name for name, _ in COLUMNS[columns.kind]]
        left: Iterator[Any] = iter(columns.as_list(names[0])[start:])
        others = [columns.values(name, start) for name in names[1:]]
        events: Iterator[MarketEvent] = starmap(ROW[columns.kind], zip(left, *others, strict=False))
        return Plan(None, events, left, chunk.size, single, None, (only[0][0],) if only else ())
    return _mixed(wanted, start, single, only)


def _routes(columns: Columns, built: bool, seats: Sequence[Seat]) -> dict[tuple[int, int], Route]:
    """Who gets the rows of a kind, by (conid, span); span is 0 but for bars."""
    table: dict[tuple[int, int], Route] = {}
    for key in _keys(columns):
        route = tuple(
            (seat, seat.handlers[columns.kind])
            for seat in seats
            if seat.off is None
            and key[0] in seat.conids
            and columns.kind in seat.handlers
            and (columns.kind is not Kind.BARS or _takes_bar(seat, key, built))
        )
        if route:
            table[key] = route
    return table


def _keys(columns: Columns) -> list[tuple[int, int]]:
    if columns.kind is not Kind.BARS:
        return [(conid, 0) for conid in columns.conids]
    spans = columns["span_ns"]
    if (spans == spans[0]).all():
        return [(conid, int(spans[0])) for conid in columns.conids]
    pairs = np.unique(np.stack([columns["conid"], spans], axis=1), axis=0)
    return [(int(conid), int(span)) for conid, span in pairs]


def _takes_bar(seat: Seat, key: tuple[int, int], built: bool) -> bool:
    """Subscribed bars of an instrument replace its recorded ones, unless those have the very length."""
    if built:
        return key in seat.spans
    return not any(conid == key[0] for conid, _ in seat.spans)


def _mixed(
    wanted: Sequence[tuple[Columns, Mapping[tuple[int, int], Route]]],
    start: int,
    single: Handler | None,
    only: Route | None,
) -> Plan:
    """The general plan: some kinds, some instruments, several strategies."""
    all_rows: list[Ints] = []
    objects: list[list[MarketEvent]] = []
    route_lists: list[list[Route]] = []
    for columns, table in wanted:
        conids = columns["conid"]
        keep = np.isin(conids, [conid for conid, _ in table])
        if columns.kind is Kind.BARS:
            spans = columns["span_ns"]
            keep = np.zeros(len(conids), bool)
            for conid, span in table:
                keep |= (conids == conid) & (spans == span)
        places = np.arange(len(conids)) if columns.at is None else columns.at
        keep &= places >= start
        index = np.flatnonzero(keep)
        all_rows.append(places[index])
        if len(index) == len(conids):
            lists = columns.lists
        else:
            lists = [columns[name][index].tolist() for name, _ in COLUMNS[columns.kind]]
        objects.append(list(starmap(ROW[columns.kind], zip(*lists, strict=True))))
        if single is None:
            if columns.kind is Kind.BARS:
                route_lists.append([table[key] for key in zip(lists[1], lists[2], strict=True)])
            else:
                by_conid = {conid: route for (conid, _), route in table.items()}
                route_lists.append([by_conid[conid] for conid in lists[1]])
    rows = all_rows[0] if len(all_rows) == 1 else np.concatenate(all_rows)
    events = objects[0] if len(objects) == 1 else [event for part in objects for event in part]
    routes = [route for part in route_lists for route in part]
    if len(all_rows) > 1:
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        picks = order.tolist()
        events = [events[i] for i in picks]
        routes = [routes[i] for i in picks] if routes else routes
    left = iter(events)
    seats = (only[0][0],) if single is not None and only is not None else ()
    return Plan(rows, left, left, len(events), single, None if single is not None else iter(routes), seats)
