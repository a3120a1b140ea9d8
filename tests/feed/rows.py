"""Small markets as plain events, cut into chunks as a recording is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from attrs import evolve

from engine.domain.columns import Chunk, merge
from engine.domain.market import COLUMNS, RANK, Bar, Kind, MarketEvent, Quote, Status, Trade

KIND: dict[type, Kind] = {Quote: Kind.QUOTES, Trade: Kind.TRADES, Bar: Kind.BARS, Status: Kind.STATUS}


def in_order(events: Sequence[MarketEvent]) -> list[MarketEvent]:
    """Events in the order (ts_ns, rank, seq)."""
    return sorted(events, key=lambda event: (event.ts_ns, RANK[KIND[type(event)]]))


def chunk_of(events: Sequence[MarketEvent], status_before: dict[int, Status] | None = None) -> Chunk:
    """One chunk of events that are in order."""
    parts = {}
    for kind, columns in COLUMNS.items():
        mine = [event for event in events if KIND[type(event)] is kind]
        if mine:
            parts[kind] = {name: np.array([getattr(e, name) for e in mine], dtype) for name, dtype in columns}
    chunk = merge(parts)
    chunk.status_before = status_before or {}
    return chunk


def chunks_of(events: Sequence[MarketEvent], cuts: Sequence[int]) -> Iterator[Chunk]:
    """The events in chunks, cut before the given places; each knows what came before it, but for status."""
    ordered = in_order(events)
    edges = sorted({0, len(ordered), *(cut for cut in cuts if 0 < cut < len(ordered))})
    known: dict[type, dict[int, Any]] = {Quote: {}, Trade: {}, Bar: {}, Status: {}}
    for start, stop in pairwise(edges):
        yield evolve(
            chunk_of(ordered[start:stop]),
            quotes_before=dict(known[Quote]),
            trades_before=dict(known[Trade]),
            bars_before=dict(known[Bar]),
        )
        for event in ordered[start:stop]:
            known[type(event)][event.conid] = event


def events_of(chunk: Chunk) -> list[tuple[MarketEvent, bool]]:
    """The rows of a chunk as events in order, each with whether the feed built it."""
    found: list[tuple[int, MarketEvent, bool]] = []
    for columns, built in [
        *((c, False) for c in chunk.kinds.values()),
        *([(chunk.built, True)] if chunk.built else []),
    ]:
        for index in range(len(columns)):
            event = columns.event(index)
            assert chunk.ts_ns[columns.row_of(index)] == event.ts_ns
            found.append((columns.row_of(index), event, built))
    assert sorted(row for row, _, _ in found) == list(range(chunk.size))
    return [(event, built) for _, event, built in sorted(found, key=lambda one: one[0])]
