"""A slow taker loses no size, no extreme, no status and no bar."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.conflating import Conflator, fold
from engine.domain.market import Bar, MarketEvent, Quote, Status, Trade, Trading

CONIDS = st.integers(1, 3)
ROWS = st.lists(
    st.one_of(
        st.builds(Quote, st.just(0), CONIDS, st.integers(1, 9).map(float), st.just(10.0), st.just(1.0), st.just(1.0)),
        st.builds(Trade, st.just(0), CONIDS, st.integers(1, 9).map(float), st.integers(1, 5).map(float)),
        st.builds(Status, st.just(0), CONIDS, st.sampled_from(list(Trading))),
        st.builds(Bar, st.just(0), CONIDS, st.just(60), *[st.just(1.0)] * 5),
    ),
    max_size=40,
)


def at(rows: list[MarketEvent]) -> list[MarketEvent]:
    """The rows at growing times."""
    return [replace(row, ts_ns=place) for place, row in enumerate(rows)]


@given(ROWS)
def test_folding_keeps_what_matters(drawn: list[MarketEvent]) -> None:
    rows = at(drawn)
    kept = fold(rows)
    assert [row.ts_ns for row in kept] == sorted(row.ts_ns for row in kept)
    for conid in (1, 2, 3):
        mine = [row for row in rows if row.conid == conid]
        left = [row for row in kept if row.conid == conid]
        quotes = [row for row in mine if isinstance(row, Quote)]
        assert [row for row in left if isinstance(row, Quote)] == quotes[-1:]
        trades = [row for row in mine if isinstance(row, Trade)]
        found = [row for row in left if isinstance(row, Trade)]
        assert len(found) <= 3
        assert math.fsum(row.size for row in found) == math.fsum(row.size for row in trades)
        assert all(row.sampled for row in found) == (len(trades) != 1) or not trades
        for pick in (max, min):
            if trades:
                assert pick(row.price for row in found) == pick(row.price for row in trades)
        if trades:
            assert (found[-1].ts_ns, found[-1].price) == (trades[-1].ts_ns, trades[-1].price)
    others = (Status, Bar)
    assert [row for row in kept if isinstance(row, others)] == [row for row in rows if isinstance(row, others)]
    assert fold(kept) == fold(fold(kept))


def test_nothing_is_folded_before_it_has_to_be() -> None:
    waiting = Conflator(keep=3)
    rows = [Trade(n, 1, float(n), 1.0) for n in range(1, 6)]
    waiting.add(rows[:3])
    assert waiting.folded == 0
    waiting.add(rows[3:])
    assert waiting.folded == 3
    assert waiting.take() == (Trade(1, 1, 1.0, 1.0, True), Trade(5, 1, 5.0, 4.0, True))
    assert waiting.take() == ()
