"""Chunks against plain lists: the merged order, and what is known just before any row."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.columns import Chunk, Columns, distinct, intervals, merge, plain
from engine.domain.market import COLUMNS, ROW, Bar, Kind, MarketEvent, Quote, Status, Trade
from engine.domain.repricing import Step
from engine.domain.view import ChunkView

NAN = float("nan")
# At one nanosecond: status, bars (recorded before built), trades, quotes.
PLACE = {Kind.STATUS: 0, Kind.BARS: 1, "built": 2, Kind.TRADES: 3, Kind.QUOTES: 4}

stamps = st.integers(0, 5)
conids = st.integers(1, 3)
prices = st.sampled_from([NAN, 1.0, 2.5, -3.0])


def columns_of(kind: Kind, rows: list[MarketEvent]) -> dict[str, Any]:
    """The columns of events, sorted by time and otherwise in the order given."""
    rows = sorted(rows, key=lambda row: row.ts_ns)
    return {name: np.array([getattr(row, name) for row in rows], dtype=dtype) for name, dtype in COLUMNS[kind]}


rows_of: dict[Kind, Any] = {
    Kind.QUOTES: st.lists(st.builds(Quote, stamps, conids, prices, prices, prices, prices), max_size=8),
    Kind.TRADES: st.lists(st.builds(Trade, stamps, conids, prices, prices, st.booleans()), max_size=8),
    Kind.BARS: st.lists(
        st.builds(Bar, stamps, conids, st.just(60), prices, prices, prices, prices, prices, st.booleans()), max_size=8
    ),
    Kind.STATUS: st.lists(st.builds(Status, stamps, conids, st.sampled_from(["open", "halted"])), max_size=4),
}
whole: dict[Any, Any] = {**rows_of, "built": rows_of[Kind.BARS]}
markets = st.fixed_dictionaries(whole)


def chunk_of(market: dict[Any, list[MarketEvent]], **before: Any) -> tuple[Chunk, list[tuple[Any, MarketEvent]]]:
    """The chunk of a market, and its rows as a plain list in merged order."""
    parts = {kind: columns_of(kind, market[kind]) for kind in rows_of}
    chunk = merge(parts, columns_of(Kind.BARS, market["built"]))
    for name, known in before.items():
        setattr(chunk, name, known)
    listed = [
        ((row.ts_ns, PLACE[kind], seq), kind, row)
        for kind, rows in market.items()
        for seq, row in enumerate(sorted(rows, key=lambda row: row.ts_ns))
    ]
    listed.sort(key=itemgetter(0))
    return chunk, [(kind, row) for _, kind, row in listed]


@given(market=markets)
def test_rows_of_all_kinds_stand_in_one_order(market: dict[Any, list[MarketEvent]]) -> None:
    chunk, listed = chunk_of(market)
    assert chunk.size == len(listed)
    assert list(chunk.times) == [row.ts_ns for _, row in listed]
    seen = 0
    for kind, columns in [*chunk.kinds.items(), *([("built", chunk.built)] if chunk.built is not None else [])]:
        assert isinstance(columns, Columns)
        own = [at for at, (whose, _) in enumerate(listed) if whose == kind]
        assert [columns.row_of(index) for index in range(len(columns))] == own
        assert [repr(columns.event(index)) for index in range(len(columns))] == [repr(listed[at][1]) for at in own]
        for row in range(chunk.size + 1):
            assert columns.first_from(row) == sum(at < row for at in own)
        seen += len(own)
    assert seen == chunk.size


@given(market=markets)
def test_what_was_last_known_before_any_row(market: dict[Any, list[MarketEvent]]) -> None:
    older = {
        Kind.QUOTES: Quote(-1, 2, 7.0, 7.5, 1.0, 1.0),
        Kind.TRADES: Trade(-1, 2, 7.0, 1.0),
        Kind.BARS: Bar(-1, 2, 60, 7.0, 7.0, 7.0, 7.0, 1.0),
        Kind.STATUS: Status(-1, 2, "closed"),
    }
    before = {f"{kind}_before": {2: row} for kind, row in older.items()}
    chunk, listed = chunk_of(market, **before)
    view = ChunkView(chunk)
    for row in range(chunk.size + 1):
        for conid in (1, 2, 3):
            found = view.at(chunk, row)
            for kind, looked in zip(
                older, (found.quote(conid), found.trade(conid), found.bar(conid), found.status(conid)), strict=True
            ):
                known = [event for whose, event in listed[:row] if whose == kind and event.conid == conid]
                expected = known[-1] if known else older[kind] if conid == 2 else None
                assert repr(looked) == repr(expected)


@given(market=markets)
def test_the_price_in_force_is_mid_else_trade_else_bar(market: dict[Any, list[MarketEvent]]) -> None:
    chunk, _ = chunk_of(
        market, quotes_before={2: Quote(-3, 2, 7.0, 8.0, 1.0, 1.0)}, trades_before={3: Trade(-2, 3, 6.0, 1.0)}
    )
    view = ChunkView(chunk)
    for row in range(chunk.size + 1):
        for conid in (1, 2, 3):
            view.at(chunk, row)
            quote, trade, bar = view.quote(conid), view.trade(conid), view.bar(conid)
            expected = None
            if quote is not None and (quote.bid + quote.ask) / 2 == (quote.bid + quote.ask) / 2:
                expected = ((quote.bid + quote.ask) / 2, quote.ts_ns)
            elif trade is not None and trade.price == trade.price:
                expected = (trade.price, trade.ts_ns)
            elif bar is not None and bar.close == bar.close:
                expected = (bar.close, bar.ts_ns)
            assert view.price(conid) == expected


@given(rows=st.lists(st.builds(Trade, stamps, conids, prices, prices), min_size=1, max_size=10), row=st.integers(0, 10))
def test_one_kind_alone_needs_no_map(rows: list[Trade], row: int) -> None:
    chunk = merge({Kind.TRADES: columns_of(Kind.TRADES, list(rows))})
    columns = chunk.kinds[Kind.TRADES]
    listed = sorted(rows, key=lambda one: one.ts_ns)
    row = min(row, len(rows))
    assert columns.at is None
    assert columns.conids == tuple(sorted({one.conid for one in rows}))
    for conid in (1, 2, 3):
        own = [at for at, one in enumerate(listed) if one.conid == conid]
        rows_of_one = columns.of(conid)
        assert (list(range(len(rows))) if rows_of_one is None else rows_of_one.tolist()) == own
        assert columns.last_before(conid, row) == max((at for at in own if at < row), default=-1)


SAMPLES: dict[Kind, MarketEvent] = {
    Kind.QUOTES: Quote(1, 2, 3.0, 4.0, 5.0, 6.0),
    Kind.TRADES: Trade(1, 2, 3.0, 4.0, True),
    Kind.BARS: Bar(1, 2, 3, 4.0, 5.0, 6.0, 7.0, 8.0, False),
    Kind.STATUS: Status(1, 2, "halted"),
}


@pytest.mark.parametrize("kind", list(Kind))
def test_events_are_made_of_pythons_own_numbers(kind: Kind) -> None:
    columns = Columns(kind, columns_of(kind, [SAMPLES[kind]]))
    event = columns.event(0)
    assert event == SAMPLES[kind]
    assert type(event) is ROW[kind]
    assert {type(getattr(event, name)) for name, _ in COLUMNS[kind]} <= {int, float, bool, str}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_plain_column_gives_pythons_own_values(kind: Kind) -> None:
    data = columns_of(kind, [SAMPLES[kind], SAMPLES[kind]])
    for name, _ in COLUMNS[kind]:
        found = list(plain(data[name]))
        assert found == [getattr(SAMPLES[kind], name)] * 2
        assert {type(value) for value in found} <= {int, float, bool, str}
    words = np.array(["open", "halted"])  # text of one width, as numpy makes it by itself
    assert list(plain(words)) == ["open", "halted"]


def test_times_are_made_once() -> None:
    chunk = merge({Kind.TRADES: columns_of(Kind.TRADES, [Trade(3, 1, 9.0, 1.0), Trade(4, 1, 9.0, 1.0)])})
    assert chunk.times is chunk.times
    assert list(chunk.times) == [3, 4]


def test_nothing_at_all_is_an_empty_chunk() -> None:
    chunk = merge({Kind.TRADES: columns_of(Kind.TRADES, [])}, columns_of(Kind.BARS, []))
    assert (chunk.size, chunk.kinds, chunk.built, list(chunk.times)) == (0, {}, None, [])
    assert chunk.price(1, 0) is None
    assert Columns(Kind.TRADES, columns_of(Kind.TRADES, [])).conids == ()


def test_prices_that_were_asked_for_before_a_split_are_told_anew_after_it() -> None:
    quotes: list[MarketEvent] = [Quote(10, 1, 99.0, 101.0, 1.0, 1.0), Quote(30, 1, 9.0, 11.0, 1.0, 1.0)]
    chunk = merge({Kind.QUOTES: columns_of(Kind.QUOTES, quotes)})
    assert (chunk.price(1, 0), chunk.price(1, 1), chunk.price(1, 2)) == (None, (100.0, 10), (10.0, 30))
    chunk.repriced = {1: [Step(20, factor=0.25)]}
    chunk.reprice()
    assert (chunk.price(1, 0), chunk.price(1, 1), chunk.price(1, 2)) == (None, (25.0, 10), (10.0, 30))


def test_the_middle_of_a_quote_needs_both_sides() -> None:
    assert Quote(0, 1, 1.0, 2.0, 1.0, 1.0).mid == 1.5
    assert np.isnan(Quote(0, 1, NAN, 2.0, 1.0, 1.0).mid)


@given(st.lists(st.integers(-(2**40), 2**40) | st.integers(0, 9), max_size=30))
def test_distinct_values_are_those_that_occur_in_order(values: list[int]) -> None:
    assert distinct(np.array(values, np.int64)).tolist() == sorted(set(values))


@given(
    times=st.lists(st.integers(-50, 50) | st.integers(-(2**40), 2**40), min_size=1, max_size=40).map(sorted),
    start=st.integers(-60, 60),
    width=st.integers(1, 30) | st.integers(1, 2**41),
)
def test_intervals_are_where_a_division_says_that_a_new_one_begins(times: list[int], start: int, width: int) -> None:
    each = [(ts - start) // width for ts in times]
    begins = [at for at, number in enumerate(each) if at == 0 or number != each[at - 1]]
    numbers, starts = intervals(np.array(times, np.int64), start, width)
    assert starts.tolist() == begins
    assert numbers.tolist() == [each[at] for at in begins]


@pytest.mark.parametrize("far", [0, 70_000, 2**40])
@given(conids=st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_each_instruments_rows_are_found_however_far_apart_conids_are(far: int, conids: list[int]) -> None:
    conids = [conid + far * (conid % 2) for conid in conids]
    columns = Columns(Kind.TRADES, columns_of(Kind.TRADES, [Trade(at, one, 9.0, 1.0) for at, one in enumerate(conids)]))
    for conid in {*conids, 6}:
        rows = columns.of(conid)
        found = list(range(len(conids))) if rows is None else rows.tolist()
        assert found == [at for at, one in enumerate(conids) if one == conid]
    shared = columns.shared_conids.tolist()
    assert shared == conids
    assert len({id(one) for one in shared}) == len(set(conids))
