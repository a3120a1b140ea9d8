"""A bar builder too simple to be wrong: all rows in memory, one bar at a time, each rule as a sentence says it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from engine.domain.market import RANK, Bar, MarketEvent, Quote, Status, Trade, Trading
from engine.domain.messages import BarWish
from engine.domain.moments import NS_PER_DAY, NS_PER_S
from engine.domain.sessions import Sessions

from .rows import KIND, in_order

MINUTE = 60 * NS_PER_S


def interval(ts_ns: int, span_ns: int, sessions: Sessions) -> tuple[int, int] | None:
    if span_ns == NS_PER_DAY and not sessions.always:
        return sessions.session_at(ts_ns)
    start = ts_ns - ts_ns % span_ns
    return start, start + span_ns


def plain_bars(events: Sequence[MarketEvent], wish: BarWish, sessions: Sessions) -> list[Bar]:
    """All bars of one wish."""
    rows = [e for e in in_order(events) if e.conid == wish.conid]
    everything = in_order(events)
    if not rows:
        return []
    groups: dict[tuple[int, int], list[tuple[float, float, float, float, float, bool]]] = {}
    length = None
    for event in rows:
        if wish.source == "trades" and isinstance(event, Trade):
            where = interval(event.ts_ns, wish.span_ns, sessions)
            piece = (event.price, event.price, event.price, event.price, event.size, True)
        elif wish.source == "mid" and isinstance(event, Quote) and not math.isnan(event.bid + event.ask):
            where = interval(event.ts_ns, wish.span_ns, sessions)
            mid = (event.bid + event.ask) * 0.5
            piece = (mid, mid, mid, mid, math.nan, True)
        elif wish.source == "bars" and isinstance(event, Bar) and event.span_ns <= wish.span_ns:
            length = length or event.span_ns
            if event.span_ns != length:
                continue
            began = event.ts_ns - event.span_ns
            if length == wish.span_ns:
                where = (began, event.ts_ns)
            else:
                where = interval(event.ts_ns - 1, wish.span_ns, sessions)
            sound = event.complete and where is not None and began >= where[0]
            piece = (event.open, event.high, event.low, event.close, event.volume, sound)
        else:
            continue
        if where is not None:
            groups.setdefault(where, []).append(piece)
    first = rows[0].ts_ns - (rows[0].span_ns if isinstance(rows[0], Bar) else 0)
    last = everything[-1].ts_ns
    bars = []
    for (start, end), pieces in groups.items():
        volume = pieces[0][4]
        for piece in pieces[1:]:
            volume += piece[4]
        complete = all(piece[5] for piece in pieces)
        complete &= not halted_within(rows, start, end)
        if first > start:
            opens = [o for o in sessions.opens_ns if start <= o < end]
            complete &= bool(opens) and 0 <= first - opens[0] <= MINUTE
        if last < end:
            closes = [c for c in sessions.closes_ns if start < c <= end]
            complete &= bool(closes) and last >= closes[-1] - MINUTE
        high, low = max(piece[1] for piece in pieces), min(piece[2] for piece in pieces)
        bars.append(Bar(end, wish.conid, wish.span_ns, pieces[0][0], high, low, pieces[-1][3], volume, complete))
    return bars


def halted_within(rows: Sequence[MarketEvent], start: int, end: int) -> bool:
    said = [row for row in rows if isinstance(row, Status)]
    for one, following in pairwise([*said, Status(2**62, 0, Trading.OPEN)]):
        if one.trading == Trading.HALTED and max(one.ts_ns, start) < min(following.ts_ns, end):
            return True
    return False


def plain_stream(events: Sequence[MarketEvent], wishes: Sequence[BarWish], sessions: dict[int, Sessions]) -> list[str]:
    """Recorded rows and built bars in their one order, as text (so that NaN equals NaN)."""
    unique = sorted({(w.conid, w.span_ns, w.source) for w in wishes})
    built = [b for c, s, source in unique for b in plain_bars(events, BarWish("", c, s, source), sessions[c])]
    rows = [(e.ts_ns, RANK[KIND[type(e)]], 0, f"{e} False") for e in in_order(events)]
    rows += [(b.ts_ns, RANK[KIND[Bar]], 1, f"{b} True") for b in built]
    return [text for *_, text in sorted(rows, key=lambda row: row[:3])]
