"""The venue and a dumb row-by-row matcher give the same fills on random small markets."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.facts import Filled
from engine.domain.market import MarketEvent
from engine.domain.messages import Request
from engine.domain.ticket import OrderType
from tests.venue.driving import bar, cancel, place, play, quote, ticket, trade, venue_of
from tests.venue.reference import Reference, Row, Wish

MS = 1_000_000
LOW, HIGH = 998, 1004
ticks = st.integers(LOW, HIGH)
sizes = st.sampled_from([0, 1, 100, 100, 250])
gaps = st.sampled_from([0, 0, MS, 2 * MS])


@st.composite
def markets(draw: st.DrawFn, kinds: str) -> list[Row]:
    rows: list[Row] = []
    ts = 0
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=25)):
        gap = draw(gaps)
        if kind == "q":
            bid = draw(ticks)
            values: tuple[int, ...] = (bid, bid + draw(st.integers(1, 2)), draw(sizes), draw(sizes))
        elif kind == "t":
            values = (draw(ticks), draw(sizes))
        else:
            path = [draw(ticks) for _ in range(4)]
            values = (path[0], max(path), min(path), path[3], draw(sizes))
            gap = max(gap, MS)  # bars do not overlap
        ts += gap
        rows.append(Row(ts, kind, values, span=gap if kind == "b" else 0))
    rank = {"b": 0, "t": 1, "q": 2}
    return sorted(rows, key=lambda row: (row.ts, rank[row.kind]))


@st.composite
def wish_lists(draw: st.DrawFn, rows: int) -> list[Wish]:
    found: list[Wish] = []
    for number in range(draw(st.integers(1, 6))):
        row = draw(st.integers(0, rows - 1))
        if found and draw(st.sampled_from((True, False, False, False))):
            found.append(Wish(row, draw(st.sampled_from(found)).coid, cancels=True))
            continue
        kind = draw(st.sampled_from(["MKT", "LMT", "LMT", "LMT", "STP"]))
        level = draw(ticks)
        found.append(
            Wish(
                row,
                f"o{number}",
                buy=draw(st.booleans()),
                limit=level if kind == "LMT" else None,
                stop=level if kind == "STP" else None,
                quantity=draw(st.sampled_from([1, 50, 100, 300])),
            )
        )
    return sorted(found, key=lambda wish: wish.row)


def event(row: Row) -> MarketEvent:
    money = [value / 100 for value in row.values]
    if row.kind == "q":
        return quote(row.ts, money[0], money[1], *row.values[2:])
    if row.kind == "t":
        return trade(row.ts, money[0], row.values[1])
    return bar(row.ts, money[0], money[1], money[2], money[3], row.values[4], row.span)


def request(wish: Wish) -> Request:
    if wish.cancels:
        return cancel(wish.coid)
    side = "BUY" if wish.buy else "SELL"
    if wish.stop is not None:
        return place(
            ticket(wish.coid, side, wish.quantity, order_type=OrderType.STOP, stop_price=f"{wish.stop / 100:.2f}")
        )
    return place(ticket(wish.coid, side, wish.quantity, None if wish.limit is None else f"{wish.limit / 100:.2f}"))


@pytest.mark.parametrize("kinds", ["q", "qt", "t", "b"])
@pytest.mark.parametrize("rule", ["conservative", "touch", "same_event", "next_event", "next_open"])
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_same_fills(rule: str, kinds: str, data: st.DataObject) -> None:
    rows = data.draw(markets(kinds))
    wanted = data.draw(wish_lists(len(rows)))
    latency = data.draw(st.sampled_from([0, 1]))
    part = data.draw(st.sampled_from([(1.0, 0.5, 0.1), (0.5, 1.0, 1.0)]))
    shares = [Fraction(str(one)) for one in part]
    reference = Reference(rule, latency * MS, shares[0], shares[1], shares[2])
    reference.run(rows, wanted)
    actions: dict[int, list[Request]] = {}
    for wish in wanted:
        actions.setdefault(wish.row, []).append(request(wish))
    venue = venue_of(fills=rule, latency=latency, part=part)
    answers = play(venue, [event(row) for row in rows], actions, cuts=Random(data.draw(st.integers(0, 99))))
    found = [one for one in answers if isinstance(one, Filled)]
    assert [(one.coid, one.quantity, one.price) for one in found] == [
        (coid, Decimal(quantity), Decimal(price) / 100) for coid, quantity, price in reference.fills
    ]
    cash = sum(((-1 if one.side == "BUY" else 1) * one.quantity * one.price for one in found), Decimal(0))
    buys = {wish.coid: wish.buy for wish in wanted if not wish.cancels}
    expected = sum((-1 if buys[coid] else 1) * quantity * price for coid, quantity, price in reference.fills)
    assert cash == Decimal(expected) / 100
