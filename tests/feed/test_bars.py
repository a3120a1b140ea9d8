"""Bars worked out by hand: alignment, sessions, completeness, and their place among the rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from engine.domain.columns import Chunk, merge
from engine.domain.market import Bar, Kind, MarketEvent, Quote, Status, Trade, Trading
from engine.domain.messages import BarWish
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.sessions import Sessions
from engine.errors import StrategyError
from engine.feed.bars import with_bars
from engine.feed.coverage import Coverage

from .rows import chunk_of, chunks_of, events_of

M = NS_PER_MINUTE
DAY = 20_000 * NS_PER_DAY  # midnight UTC
OPEN = DAY + 14 * 60 * M + 30 * M  # 14:30
ALWAYS = Sessions.round_the_clock()
# A full day, and a half day after it.
NEW_YORK = Sessions(
    opens_ns=(OPEN, OPEN + NS_PER_DAY),
    closes_ns=(OPEN + 390 * M, OPEN + NS_PER_DAY + 210 * M),
)


def trade(ts_ns: int, price: float, size: float = 1.0, conid: int = 1) -> Trade:
    return Trade(ts_ns, conid, price, size)


def quote(ts_ns: int, bid: float, ask: float, conid: int = 1) -> Quote:
    return Quote(ts_ns, conid, bid, ask, 1.0, 1.0)


def wish(span_ns: int, source: str = "trades", conid: int = 1) -> BarWish:
    return BarWish("mine", conid, span_ns, source)


def built(
    events: Sequence[MarketEvent], *wishes: BarWish, sessions: Sessions = ALWAYS, cuts: Sequence[int] = ()
) -> list[Bar]:
    chunks = with_bars(chunks_of(events, cuts), wishes, {1: sessions, 2: sessions})
    return [event for chunk in chunks for event, made in events_of(chunk) if made and isinstance(event, Bar)]


def test_open_high_low_close_volume_of_trades() -> None:
    events = [trade(DAY, 10.0, 3), trade(DAY + 20, 12.0, 1), trade(DAY + M - 1, 9.0, 2), trade(DAY + M, 11.0, 5)]
    events.append(trade(DAY + 3 * M, 8.0, 1))  # and none in the third minute
    assert built(events, wish(M)) == [
        Bar(DAY + M, 1, M, 10.0, 12.0, 9.0, 9.0, 6.0, True),
        Bar(DAY + 2 * M, 1, M, 11.0, 11.0, 11.0, 11.0, 5.0, True),
        Bar(DAY + 4 * M, 1, M, 8.0, 8.0, 8.0, 8.0, 1.0, False),  # cut off by the end of the data
    ]


def test_a_bar_of_mids_leaves_one_sided_quotes_out_and_has_no_volume() -> None:
    events = [quote(DAY, 10.0, 11.0), quote(DAY + 1, math.nan, 20.0), quote(DAY + 2, 9.0, 11.0), quote(DAY + M, 1, 2)]
    bar = built(events, wish(M, "mid"))[0]
    assert (bar.open, bar.high, bar.low, bar.close) == (10.5, 10.5, 10.0, 10.0)
    assert math.isnan(bar.volume)
    assert built([quote(DAY, math.nan, 20.0)], wish(M, "mid")) == []


def test_a_bar_stands_after_status_and_recorded_bars_of_its_end_and_before_trades_and_quotes() -> None:
    end = DAY + M
    rows: list[MarketEvent] = [
        trade(DAY, 10.0),
        Status(end, 1, Trading.OPEN),
        Bar(end, 1, M, 1.0, 1.0, 1.0, 1.0, 1.0),
        trade(end, 11.0),
        quote(end, 10.0, 12.0),
    ]
    for cuts in [(), (1,), (2,), (3,), (4,), (1, 2, 3, 4)]:
        chunks = with_bars(chunks_of(rows, cuts), [wish(M)], {1: ALWAYS})
        order = [(type(event), made) for chunk in chunks for event, made in events_of(chunk)]
        plain = [(Trade, False), (Status, False), (Bar, False), (Bar, True), (Trade, False), (Quote, False)]
        assert order == [*plain, (Bar, True)]


def test_five_minutes_out_of_recorded_minutes() -> None:
    minutes = [Bar(DAY + i * M, 1, M, i, i + 2, i - 1, i + 1, 10.0, True) for i in range(1, 11)]
    assert built(minutes, wish(5 * M, "bars")) == [
        Bar(DAY + 5 * M, 1, 5 * M, 1.0, 7.0, 0.0, 6.0, 50.0, True),
        Bar(DAY + 10 * M, 1, 5 * M, 6.0, 12.0, 5.0, 11.0, 50.0, True),  # the data ended with it, not inside it
    ]


def test_recorded_bars_of_another_length_are_left_out() -> None:
    rows = [Bar(DAY + i * M, 1, M, 1.0, 1.0, 1.0, 1.0, 1.0) for i in range(1, 6)]
    rows += [Bar(DAY + 5 * M, 1, 5 * M, 1.0, 99.0, 1.0, 1.0, 1000.0), Bar(DAY + 5 * M, 1, 60 * M, 1, 99, 1, 1, 1)]
    (bar,) = built(rows, wish(5 * M, "bars"))
    assert (bar.high, bar.volume) == (1.0, 5.0)


@pytest.mark.parametrize(
    ("changed", "complete"),
    [({}, True), ({"complete": False}, False), ({"span_ns": 2 * M}, False)],
    ids=["sound", "incomplete", "reaches back"],
)
def test_a_bar_is_as_sound_as_its_parts(changed: dict[str, Any], complete: bool) -> None:
    first = [Bar(DAY + i * 2 * M, 1, 2 * M, 1.0, 1.0, 1.0, 1.0, 1.0) for i in (1, 2)]
    part = Bar(DAY + 6 * M, 1, 2 * M, 1.0, 1.0, 1.0, 1.0, 1.0, changed.get("complete", True))
    rest = [Bar(DAY + i * 2 * M, 1, 2 * M, 1.0, 1.0, 1.0, 1.0, 1.0) for i in (4, 5)]
    span = 5 * M if "span_ns" in changed else 4 * M  # bars of two minutes do not fit into five
    bars = built([*first, part, *rest], wish(span, "bars"))
    assert bars[0].complete is True
    assert bars[1].complete is complete


def test_a_day_is_the_regular_session_half_days_included() -> None:
    second = OPEN + NS_PER_DAY
    rows = [
        trade(OPEN - 1, 99.0),  # before the open
        trade(OPEN, 10.0),
        trade(OPEN + 390 * M - 1, 11.0),
        trade(OPEN + 390 * M, 99.0),  # at the close: after it
        trade(second, 12.0),
        trade(second + 210 * M - 1, 13.0),
        trade(second + 211 * M, 99.0),
    ]
    assert built(rows, wish(NS_PER_DAY), sessions=NEW_YORK) == [
        Bar(OPEN + 390 * M, 1, NS_PER_DAY, 10.0, 11.0, 10.0, 11.0, 2.0, True),
        Bar(second + 210 * M, 1, NS_PER_DAY, 12.0, 13.0, 12.0, 13.0, 2.0, True),
    ]


def test_a_day_without_a_calendar_of_sessions_is_a_utc_day() -> None:
    rows = [trade(DAY, 1.0), trade(DAY + NS_PER_DAY - 1, 2.0), trade(DAY + NS_PER_DAY, 3.0)]
    bars = built(rows, wish(NS_PER_DAY))
    assert [(bar.ts_ns, bar.volume, bar.complete) for bar in bars] == [
        (DAY + NS_PER_DAY, 2.0, True),
        (DAY + 2 * NS_PER_DAY, 1.0, False),
    ]


@pytest.mark.parametrize(
    ("first_ns", "sessions", "complete"),
    [
        (OPEN, NEW_YORK, True),
        (OPEN + 30 * NS_PER_S, NEW_YORK, True),  # the market's first word
        (OPEN + 61 * NS_PER_S, NEW_YORK, False),  # somebody switched on late
        (OPEN - 5 * M, NEW_YORK, False),  # hours outside the session are recorded, and a part is missing
        (OPEN - 30 * M, NEW_YORK, True),  # from the bar's start on
        (OPEN + 30 * NS_PER_S, ALWAYS, False),
    ],
)
def test_the_first_bar(first_ns: int, sessions: Sessions, complete: bool) -> None:
    rows = [trade(first_ns, 1.0), trade(OPEN + 29 * M, 2.0), trade(OPEN + 31 * M, 3.0)]
    bar = built(rows, wish(60 * M), sessions=sessions)[0]  # 14:00 to 15:00
    assert bar.ts_ns == OPEN + 30 * M
    assert bar.complete is complete


def test_any_row_of_the_instrument_shows_that_it_was_recorded() -> None:
    late: list[MarketEvent] = [trade(OPEN + 4 * M, 1.0), trade(OPEN + 6 * M, 1.0)]
    assert built(late, wish(5 * M), sessions=NEW_YORK)[0].complete is False
    assert built([quote(OPEN, 1.0, 2.0), *late], wish(5 * M), sessions=NEW_YORK)[0].complete is True
    other = [quote(OPEN, 1.0, 2.0, conid=2), *late]
    assert built(other, wish(5 * M), sessions=NEW_YORK)[0].complete is False


@pytest.mark.parametrize(("last_ns", "complete"), [(OPEN + 390 * M - 30 * NS_PER_S, True), (OPEN + 388 * M, False)])
def test_the_last_bar(last_ns: int, complete: bool) -> None:
    rows = [trade(OPEN, 1.0), trade(last_ns, 2.0)]
    bars = built(rows, wish(5 * M), wish(NS_PER_DAY), sessions=NEW_YORK)
    assert [(bar.ts_ns, bar.span_ns, bar.complete) for bar in bars] == [
        (OPEN + 5 * M, 5 * M, True),
        (OPEN + 390 * M, 5 * M, complete),
        (OPEN + 390 * M, NS_PER_DAY, complete),
    ]


@pytest.mark.parametrize(
    ("halted_ns", "resumed_ns", "complete"),
    [
        (DAY + 5 * M + 1, DAY + 6 * M, [True, False, True]),
        (DAY + 4 * M, DAY + 5 * M, [False, True, True]),
        (DAY + 5 * M, DAY + 10 * M, [True, False, True]),
        (DAY + 9 * M, None, [True, False, False]),
    ],
)
def test_a_halt_spoils_the_bars_it_touches(halted_ns: int, resumed_ns: int | None, complete: list[bool]) -> None:
    rows: list[MarketEvent] = [trade(DAY + i * M, 1.0) for i in range(16)]
    rows.append(Status(halted_ns, 1, Trading.HALTED))
    rows.append(Status(halted_ns, 2, Trading.OPEN))  # of another instrument
    if resumed_ns is not None:
        rows.append(Status(resumed_ns, 1, Trading.OPEN))
    for cuts in [(), tuple(range(20))]:
        assert [bar.complete for bar in built(rows, wish(5 * M), cuts=cuts)[:3]] == complete


def test_a_halt_from_before_the_first_chunk_counts() -> None:
    chunk = chunk_of([trade(DAY, 1.0), trade(DAY + M, 1.0)], {1: Status(DAY - M, 1, Trading.HALTED)})
    bars = [e for c in with_bars(iter([chunk]), [wish(M)], {1: ALWAYS}) for e, made in events_of(c) if made]
    assert [bar.complete for bar in bars if isinstance(bar, Bar)] == [False, False]


def test_old_halts_are_forgotten_and_the_one_that_lasts_is_not() -> None:
    coverage = Coverage(1, ALWAYS, NS_PER_DAY)
    coverage.note(chunk_of([Status(DAY, 1, Trading.HALTED), Status(DAY + M, 1, Trading.OPEN)]))
    coverage.note(chunk_of([trade(DAY + NS_PER_DAY, 1.0)]))
    assert coverage.halts == [(DAY, DAY + M)]
    coverage.note(chunk_of([trade(DAY + NS_PER_DAY + M, 1.0), Status(DAY + NS_PER_DAY + M, 1, Trading.HALTED)]))
    coverage.note(chunk_of([trade(DAY + 3 * NS_PER_DAY, 1.0)]))
    assert coverage.halts == [(DAY + NS_PER_DAY + M, None)]


def test_bars_of_one_moment_come_lowest_conid_first_then_shortest() -> None:
    rows = [trade(DAY, 1.0, conid=2), trade(DAY, 1.0), trade(DAY + 2 * M, 1.0)]
    wishes = [wish(2 * M, conid=2), wish(2 * M), wish(M), wish(M), wish(M, conid=2)]
    assert [(bar.ts_ns - DAY, bar.conid, bar.span_ns) for bar in built(rows, *wishes)][:4] == [
        (M, 1, M),
        (M, 2, M),
        (2 * M, 1, 2 * M),
        (2 * M, 2, 2 * M),
    ]


def test_one_length_from_two_sources_is_refused_at_once() -> None:
    with pytest.raises(StrategyError, match="mine: wants bars of 60 s of conid 1 from mid, which mine wants from trad"):
        with_bars(iter([]), [wish(M), wish(M, "mid")], {1: ALWAYS})


def test_without_wishes_the_rows_pass_as_they_are() -> None:
    rows: list[MarketEvent] = [trade(DAY, 1.0), Status(DAY + 1, 1, Trading.HALTED), trade(DAY + 2, 1.0)]
    chunks = list(chunks_of(rows, [1, 2]))
    out = list(with_bars(iter(chunks), [], {}))
    assert [chunk.kinds for chunk in out] == [chunk.kinds for chunk in chunks]
    assert [dict(chunk.status_before) for chunk in out] == [{}, {}, {1: rows[1]}]


def test_the_chunk_of_the_last_bars_knows_what_came_before_it() -> None:
    known = quote(DAY - 5, 1.0, 2.0, conid=2)
    first, second = chunks_of([trade(DAY, 1.0), trade(DAY + 1, 2.0), quote(DAY + 2, 1.0, 3.0)], [1])
    chunks = [evolve(first, quotes_before={2: known}), evolve(second, quotes_before={2: known})]
    *_, rest = with_bars(iter(chunks), [wish(M)], {1: ALWAYS})
    assert rest.built is not None
    assert rest.kinds == {}
    assert dict(rest.quotes_before) == {2: known, 1: quote(DAY + 2, 1.0, 3.0)}
    assert dict(rest.trades_before) == {1: trade(DAY + 1, 2.0)}


def test_fractions_add_up_the_same_wherever_the_cut_is() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.random(400).round(3)
    expected = 0.0
    for size in sizes.tolist():
        expected += size
    rows = [trade(DAY + i, 1.0, size) for i, size in enumerate(sizes.tolist())]
    for cuts in [(), (1,), (200,), (7, 8, 399)]:
        assert built(rows, wish(M), cuts=cuts)[0].volume == expected


def test_empty_chunks_and_strange_instruments_are_no_matter() -> None:
    empty: Chunk = merge({})
    rows = chunk_of([trade(DAY, 1.0, conid=7)])
    out = list(with_bars(iter([empty, rows]), [wish(M)], {1: ALWAYS}))
    assert [chunk.size for chunk in out] == [1]
    assert out[0].kinds[Kind.TRADES].conids == (7,)
