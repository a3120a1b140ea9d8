"""Searching a column: down its falls or by numpy, the answer is that of looking at one value after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.columns import Columns
from engine.domain.market import COLUMNS, Kind
from engine.venue.finding import Lows, first_at_least, first_at_most
from engine.venue.tape import Quotes

NAN = float("nan")
values = st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, NAN]), min_size=1, max_size=70)
levels = st.sampled_from([0.5, 1.0, 2.5, 4.0, 9.0])


def first_low(column: Sequence[float], level: float, start: int, stop: int) -> int:
    return next((index for index in range(start, stop) if column[index] <= level), stop)


@given(column=values, level=levels, data=st.data())
def test_the_first_low_value_is_found(column: list[float], level: float, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(column)))
    stop = data.draw(st.integers(start, len(column)))
    expected = first_low(column, level, start, stop)
    array = np.array(column)
    assert Lows(array).first_at_most(level, start, stop) == expected
    assert first_at_most(array, level, start, stop) == expected
    assert first_at_least(-array, -level, start, stop) == expected


def test_in_every_short_column_it_is_found_from_every_place() -> None:
    for column in product([1.0, 2.0, 3.0, NAN], repeat=6):
        lows = Lows(np.array(column))
        for level, start in product([1.0, 2.0], range(7)):
            assert lows.first_at_most(level, start, 6) == first_low(column, level, start, 6)


@given(
    rises=st.lists(st.sampled_from([0.0, 1.0, 7.0, NAN]), min_size=60, max_size=60),
    level=st.integers(-20, 60),
    start=st.integers(0, 60),
)
def test_what_lies_many_falls_away_is_found(rises: list[float], level: int, start: int) -> None:
    column = [50.0 - place + rise for place, rise in enumerate(rises)]
    assert Lows(np.array(column)).first_at_most(level, start, 60) == first_low(column, level, start, 60)


@given(column=values, level=levels, mine=st.booleans(), data=st.data())
def test_quotes_are_searched_alike_however_often(
    column: list[float], level: float, mine: bool, data: st.DataObject
) -> None:
    size = len(column)
    block = {name: np.zeros(size, dtype) for name, dtype in COLUMNS[Kind.QUOTES]}
    block["ask"], block["bid"] = np.array(column), -np.array(column)
    picked = np.array(sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))) if mine else None
    quotes = Quotes(picked, size if picked is None else len(picked), Columns(Kind.QUOTES, block), picked)
    asks = column if picked is None else [column[place] for place in picked.tolist()]
    for _ in range(12):  # the first few by numpy, then down the falls
        start = data.draw(st.integers(0, len(asks)))
        stop = data.draw(st.integers(start, len(asks)))
        expected = first_low(asks, level, start, stop)
        assert quotes.first_ask_at_most(level, start, stop) == expected
        assert quotes.first_bid_at_least(-level, start, stop) == expected
    for index, ask in enumerate(asks):
        assert quotes.beyond(index, 0.0, level, True) == (ask > level)
        assert quotes.beyond(index, -level, 0.0, False) == (-ask < -level)
        assert str(quotes.touch(index)) == str((-ask, ask, 0.0, 0.0))
