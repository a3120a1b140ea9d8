"""Bars are those of a plain row-by-row builder, wherever chunks are cut."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.market import Bar, MarketEvent, Quote, Status, Trade, Trading
from engine.domain.messages import BarWish
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.sessions import Sessions
from engine.feed.bars import with_bars

from .plain_builder import plain_stream
from .rows import chunks_of, events_of

MARKET = Sessions(
    opens_ns=(2 * NS_PER_MINUTE, NS_PER_DAY + 2 * NS_PER_MINUTE),
    closes_ns=(12 * NS_PER_MINUTE + 30 * NS_PER_S, NS_PER_DAY + 11 * NS_PER_MINUTE),
)
SESSIONS = {1: MARKET, 2: Sessions.round_the_clock()}
# Many ties, and many times on the edges of bars, the open and the close.
times = st.builds(
    lambda day, step, off: day * NS_PER_DAY + step * 30 * NS_PER_S + off,
    st.integers(0, 1),
    st.integers(0, 30),
    st.sampled_from([0, 0, 0, 1, NS_PER_S, 29 * NS_PER_S]),
)
prices = st.integers(1, 9).map(float)
sizes = st.sampled_from([1.0, 2.0, 0.1, 0.2, 0.7, 1e17])
conids = st.sampled_from([1, 2])
quotes = st.builds(Quote, times, conids, prices | st.just(nan), prices, st.just(1.0), st.just(1.0))
trades = st.builds(Trade, times, conids, prices, sizes)
states = st.builds(Status, times, conids, st.sampled_from([Trading.HALTED, Trading.OPEN, Trading.CLOSED]).map(str))
bars = st.builds(
    lambda ts, conid, span, price, size, complete: Bar(
        ts // NS_PER_MINUTE * NS_PER_MINUTE, conid, span, price, price + 1, price - 0.5, price + 0.5, size, complete
    ),
    times,
    conids,
    st.sampled_from([NS_PER_MINUTE, NS_PER_MINUTE, 2 * NS_PER_MINUTE, NS_PER_DAY]),
    prices,
    sizes,
    st.booleans(),
)
markets = st.lists(quotes | trades | trades | bars | states, min_size=1, max_size=40)
spans = st.sampled_from([NS_PER_MINUTE, 2 * NS_PER_MINUTE, 5 * NS_PER_MINUTE, 7 * NS_PER_MINUTE, NS_PER_DAY])


@st.composite
def wish_lists(draw: st.DrawFn) -> list[BarWish]:
    by_key = draw(st.dictionaries(st.tuples(conids, spans), st.sampled_from(["trades", "mid", "bars"]), max_size=4))
    wishes = [BarWish("one", conid, span, source) for (conid, span), source in by_key.items()]
    return wishes + [BarWish("two", w.conid, w.span_ns, w.source) for w in wishes[:2]]


def stream(market: Sequence[MarketEvent], wishes: Sequence[BarWish], cuts: Sequence[int]) -> list[str]:
    built = with_bars(chunks_of(market, cuts), wishes, SESSIONS)
    return [f"{event} {made}" for chunk in built for event, made in events_of(chunk)]


@settings(max_examples=300, deadline=None)
@given(market=markets, wishes=wish_lists(), cuts=st.lists(st.integers(1, 39), max_size=12))
def test_bars_are_those_of_the_plain_builder(market: list[MarketEvent], wishes: list[BarWish], cuts: list[int]) -> None:
    assert stream(market, wishes, cuts) == plain_stream(market, wishes, SESSIONS)


@settings(max_examples=100, deadline=None)
@given(market=markets, wishes=wish_lists(), cuts=st.lists(st.integers(1, 39), max_size=12))
def test_what_was_known_before_a_chunk_is_what_came_before_it(
    market: list[MarketEvent], wishes: list[BarWish], cuts: list[int]
) -> None:
    last: dict[int, Status] = {}
    for chunk in with_bars(chunks_of(market, cuts), wishes, SESSIONS):
        assert dict(chunk.status_before) == last
        last.update({e.conid: e for e, _ in events_of(chunk) if isinstance(e, Status)})
