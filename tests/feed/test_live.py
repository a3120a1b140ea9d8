"""Live events into chunks, and the bars that end while nothing comes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.columns import Chunk
from engine.domain.market import Bar, MarketEvent, Quote, Status, Trade, Trading
from engine.domain.messages import BarWish
from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.sessions import Sessions
from engine.feed.live import LiveFeed

from .rows import events_of
from .test_bars import ALWAYS, DAY, built, trade, wish

M, S = NS_PER_MINUTE, NS_PER_S


def quote(ts_ns: int, bid: float) -> Quote:
    return Quote(ts_ns, 1, bid, bid + 1, 5.0, 6.0)


def feed(*wishes: BarWish, sessions: Sessions = ALWAYS) -> LiveFeed:
    return LiveFeed(wishes, {1: sessions, 2: sessions})


def rows(chunk: Chunk | None) -> list[MarketEvent]:
    assert chunk is not None
    return [event for event, _ in events_of(chunk)]


def test_what_arrived_is_a_chunk_and_nothing_is_none() -> None:
    live = feed()
    assert live.take([], DAY) is None
    first: list[MarketEvent] = [quote(DAY + 1, 9.0), trade(DAY + 2, 9.5)]
    assert rows(live.take(first, DAY + S)) == first
    assert live.newest(1) == (quote(DAY + 1, 9.0), trade(DAY + 2, 9.5), None, None)


def test_a_chunk_knows_what_came_before_it_and_not_what_came_after() -> None:
    live = feed()
    old = live.take([quote(DAY, 9.0)], DAY)
    new = live.take([trade(DAY + S, 9.5)], DAY + S)
    assert old is not None
    assert new is not None
    assert old.quote(1, 0) is None
    assert new.quote(1, 0) == quote(DAY, 9.0)
    assert new.price(1, 0) == (9.5, DAY)  # the middle


def test_time_never_goes_back_nor_runs_ahead() -> None:
    live = feed()
    chunk = live.take([quote(DAY + 5, 9.0), quote(DAY + 2, 8.0), quote(DAY + 99 * S, 7.0)], DAY + S)
    assert [event.ts_ns for event in rows(chunk)] == [DAY + 5, DAY + 5, DAY + S]
    late = live.take([quote(DAY, 6.0)], DAY + 2 * S)
    assert [event.ts_ns for event in rows(late)] == [DAY + S]


def test_a_bar_is_known_at_its_end_though_nothing_follows() -> None:
    live = feed(wish(M))
    assert live.take([trade(DAY + 5 * S, 10.0, 2), trade(DAY + 30 * S, 12.0)], DAY + 30 * S) is not None
    assert live.take([], DAY + M - 1) is None
    assert rows(live.take([], DAY + M)) == [Bar(DAY + M, 1, M, 10.0, 12.0, 10.0, 12.0, 3.0, False)]
    assert live.take([], DAY + 5 * M) is None  # an interval without a trade gives no bar


def test_what_comes_late_for_an_ended_bar_belongs_to_the_next() -> None:
    live = feed(wish(M))
    live.take([trade(DAY + S, 10.0)], DAY + S)
    assert isinstance(rows(live.take([], DAY + M))[0], Bar)
    live.take([trade(DAY + 59 * S, 99.0)], DAY + M + S)
    assert rows(live.take([], DAY + 2 * M)) == [Bar(DAY + 2 * M, 1, M, 99.0, 99.0, 99.0, 99.0, 1.0, True)]


EVENTS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["quote", "trade", "halt", "open"]), st.integers(1, 9)),
    max_size=25,
)


def made(drawn: Sequence[tuple[int, str, int]]) -> list[MarketEvent]:
    """Events at growing times, half a second to twenty seconds apart."""
    at = DAY
    found: list[MarketEvent] = []
    for step, kind, price in drawn:
        at += step * S // 2 + 1
        match kind:
            case "quote":
                found.append(quote(at, float(price)))
            case "trade":
                found.append(Trade(at, 1, float(price), 1.0))
            case _:
                found.append(Status(at, 1, Trading.HALTED if kind == "halt" else Trading.OPEN))
    return found


@given(drawn=EVENTS, cuts=st.lists(st.integers(0, 25), max_size=6), idle=st.lists(st.integers(0, 25), max_size=4))
def test_live_bars_are_the_recordings_bars(drawn: list[tuple[int, str, int]], cuts: list[int], idle: list[int]) -> None:
    """However events arrive in lots, with idle moments between them, the bars that have ended are a backtest's."""
    events = made(drawn)
    live = feed(wish(M))
    seen: list[Bar] = []
    edges = sorted({0, len(events), *(cut for cut in cuts if cut < len(events))})
    for start, stop in pairwise(edges):
        lot = events[start:stop]
        for now_ns, arrived in ((lot[-1].ts_ns, lot), (lot[-1].ts_ns + (1 if stop in idle else 0), [])):
            chunk = live.take(arrived, now_ns)
            if chunk is not None:
                seen += [event for event, by_us in events_of(chunk) if by_us and isinstance(event, Bar)]
    last_ns = events[-1].ts_ns if events else DAY
    assert seen == [bar for bar in built(events, wish(M)) if bar.ts_ns <= last_ns] if events else not seen
