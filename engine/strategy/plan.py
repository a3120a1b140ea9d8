"""Seats and plans: who is called with which rows of a chunk, worked out once a chunk.

Event objects are made lazily by `map` over the columns, one iterator a chunk that goes on where the last window
stopped; how many conids are left in theirs tells which row is in hand, so the loop itself counts nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from engine.domain.columns import Chunk, Columns, Ints, plain
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
    seats = (only[0][0],) if single is not None and only is not None else ()
    if everything and single is not None:
        events, left = _events(wanted[0][0], slice(start, None))
        return Plan(None, events, left, chunk.size, single, None, seats)
    rows, events, left, routed = _mixed(wanted, start, single is None)
    return Plan(rows, events, left, len(rows), single, routed, seats)


def _events(columns: Columns, picked: slice | Ints) -> tuple[Iterator[MarketEvent], Iterator[int]]:
    """Rows of one kind as objects, each made when it is taken, and the iterator that knows how many are left.

    Args:
        picked: Indices of the rows.
    """
    conids = _shared(columns, picked)
    flows = [conids if name == "conid" else _flow(columns[name][picked]) for name, _ in COLUMNS[columns.kind]]
    return map(ROW[columns.kind], *flows), conids


def _flow(column: NDArray[Any]) -> Iterable[Any]:
    """The values of a column; of one that never changes (spans, flags) one object again and again."""
    if len(column) and column[0] == column[-1] and (column == column[0]).all():
        return repeat(column.item(0))
    return plain(column)


def _shared(columns: Columns, picked: slice | Ints) -> Iterator[int]:
    """The conids of rows, to be counted."""
    if len(columns.conids) == 1:
        return repeat(columns.conids[0], len(columns["ts_ns"][picked]))
    return iter(columns.shared_conids[picked].tolist())


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
            and (columns.kind is not Kind.BARS or takes_bar(seat, key, built=built))
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


def takes_bar(seat: Seat, key: tuple[int, int], *, built: bool) -> bool:
    """Subscribed bars of an instrument replace its recorded ones, unless those have the very length."""
    if built:
        return key in seat.spans
    return not any(conid == key[0] for conid, _ in seat.spans)


def _mixed(
    wanted: Sequence[tuple[Columns, Mapping[tuple[int, int], Route]]], start: int, routed: bool
) -> tuple[Ints, Iterator[MarketEvent], Iterator[Any], Iterator[Route] | None]:
    """The general plan: some kinds, some instruments, several strategies.

    Returns: Chunk rows, their events, what tells how many are left, and with `routed` who gets each.
    """
    all_rows: list[Ints] = []
    sources: list[Iterator[MarketEvent]] = []
    routes: list[NDArray[Any]] = []
    left: Iterator[Any] = iter(())
    for columns, table in wanted:
        keep = np.zeros(len(columns), bool)
        routes_here = np.empty(len(columns), object)
        for (conid, span_ns), route in table.items():
            mine = np.ones(len(columns), bool) if columns.of(conid) is None else columns["conid"] == conid
            if columns.kind is Kind.BARS:
                mine &= columns["span_ns"] == span_ns
            keep |= mine
            if routed:
                boxed = np.empty((), object)
                boxed[()] = route
                routes_here[mine] = boxed
        places = np.arange(len(columns)) if columns.at is None else columns.at
        keep &= places >= start
        picked = np.flatnonzero(keep)
        all_rows.append(places[picked])
        events, left = _events(columns, picked)
        sources.append(events)
        routes.append(routes_here[picked])
    if len(sources) == 1:
        return all_rows[0], sources[0], left, iter(routes[0].tolist()) if routed else None
    rows = np.concatenate(all_rows)
    order = np.argsort(rows, kind="stable")
    which = np.repeat(np.arange(len(sources)), [len(part) for part in all_rows])[order]
    taps = np.empty(len(sources), object)
    taps[:] = sources
    # Which kind comes next, as the iterators themselves: to ask one is to make its next event.
    left = iter(taps[which].tolist())
    return rows[order], map(next, left), left, iter(np.concatenate(routes)[order].tolist()) if routed else None
