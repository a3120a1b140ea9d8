"""The equity curve against a row-by-row reference, however the data is cut."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.columns import Chunk, merge
from engine.domain.instrument import Instrument
from engine.domain.market import COLUMNS, Bar, Kind, MarketEvent, Quote, Trade
from engine.domain.moments import NS_PER_MINUTE
from engine.portfolio.books import Step
from engine.portfolio.marks import EquityMarks

NAN = float("nan")
M = NS_PER_MINUTE
KIND: dict[Any, Kind] = {Quote: Kind.QUOTES, Trade: Kind.TRADES, Bar: Kind.BARS}
PLACE: list[type[Any]] = [Bar, Trade, Quote]  # at one nanosecond
INSTRUMENTS = {
    1: Instrument(conid=1, symbol="AAA"),
    2: Instrument(conid=2, symbol="FUT", multiplier=Decimal(50), currency="EUR"),
}
RATES = {"USD": 1.0, "EUR": 1.25}

stamps = st.integers(0, 16).map(lambda n: n * M // 4 - (n % 3 == 0))  # ties, and the last nanosecond of a minute
prices = st.sampled_from([NAN, 10.0, 11.5, 12.25])
rows_of_all = st.lists(
    st.builds(Quote, stamps, st.sampled_from([1, 2]), prices, prices, st.just(1.0), st.just(1.0))
    | st.builds(Trade, stamps, st.sampled_from([1, 2]), prices, st.just(1.0))
    | st.builds(Bar, stamps, st.sampled_from([1, 2]), st.just(M), prices, prices, prices, prices, st.just(1.0)),
    min_size=1,
    max_size=14,
)
steps_of_all = st.lists(
    st.tuples(
        st.integers(0, 17).map(lambda n: n * M // 4 - (n % 3 == 0)),
        st.sampled_from(["a", "b"]),
        st.sampled_from([1, 2]),
        st.sampled_from([-4.0, 0.0, 2.5]),
        st.sampled_from([-7.0, 3.0, 100.0]),
    ),
    max_size=6,
)


def chunk_of(rows: list[MarketEvent]) -> Chunk:
    parts: dict[Kind, dict[str, Any]] = {}
    for kind in PLACE:
        own = [row for row in rows if type(row) is kind]
        if own:
            parts[KIND[kind]] = {
                name: np.array([getattr(row, name) for row in own], dtype=dtype) for name, dtype in COLUMNS[KIND[kind]]
            }
    return merge(parts)


def marks() -> EquityMarks:
    return EquityMarks(instruments=INSTRUMENTS, rates=RATES, strategies=("a", "b"), deposit=1000.0)


def reference(rows: list[MarketEvent], steps: list[Step]) -> list[list[float]]:
    """Each point: time, equity, cash, exposure, profit of a and of b; every row and step is looked at for each."""
    end = rows[-1].ts_ns
    points = {(row.ts_ns // M + 1) * M - 1 for row in rows if (row.ts_ns // M + 1) * M - 1 < end}
    points |= {step.ts_ns for step in steps} | {end}
    curve = []
    for at in sorted(points):

        def last(kind: type[Any], conid: int, name: str, at: int = at) -> float:
            seen = [getattr(row, name) for row in rows if type(row) is kind and row.conid == conid and row.ts_ns <= at]
            return next((value for value in reversed(seen) if value == value), NAN)

        profit, cash, exposure = {"a": 0.0, "b": 0.0}, 1000.0, 0.0
        for name in ("a", "b"):
            own = [step for step in steps if step.strategy == name and step.ts_ns <= at]
            profit[name] = own[-1].flow if own else 0.0
            cash += profit[name]
            for conid in (1, 2):
                held = [step.quantity for step in own if step.conid == conid]
                quantity = held[-1] if held else 0.0
                if not quantity:
                    continue
                price = last(Quote, conid, "bid" if quantity > 0 else "ask")
                price = last(Trade, conid, "price") if price != price else price
                price = last(Bar, conid, "close") if price != price else price
                value = quantity * price * (62.5 if conid == 2 else 1.0)
                profit[name] += value
                exposure += abs(value)
        curve.append([float(at), 1000.0 + profit["a"] + profit["b"], cash, exposure, profit["a"], profit["b"]])
    return curve


def curve_of(found: EquityMarks) -> list[list[float]]:
    times, equity, cash, exposure, by_strategy = found.curve()
    columns = [times.astype(float), equity, cash, exposure, by_strategy["a"], by_strategy["b"]]
    return [list(point) for point in zip(*(column.tolist() for column in columns), strict=True)]


@given(rows=rows_of_all, raw=steps_of_all, data=st.data())
def test_the_curve_agrees_with_looking_at_every_row_however_it_is_cut(
    rows: list[MarketEvent], raw: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    rows = sorted(rows, key=lambda row: (row.ts_ns, PLACE.index(type(row))))
    end = rows[-1].ts_ns
    steps = [Step(*values) for values in sorted(raw, key=lambda values: values[0]) if values[0] >= rows[0].ts_ns]
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(rows) - 1)), max_size=4))) if len(rows) > 1 else []
    found = marks()
    edges = [0, *cuts, len(rows)]
    waiting = list(steps)
    for start, stop in itertools.pairwise(edges):
        if start == stop:
            continue
        until = rows[stop - 1].ts_ns
        final = stop == len(rows)
        # A step of the chunk's last nanosecond may be booked with this chunk or with the next one.
        early = data.draw(st.booleans())
        due = [step for step in waiting if final or step.ts_ns < until or (early and step.ts_ns == until)]
        waiting = waiting[len(due) :]
        found.steps(due)
        found.chunk(chunk_of(rows[start:stop]), last=final)
    expected = reference(rows, steps)
    assert np.array(curve_of(found)) == pytest.approx(np.array(expected), nan_ok=True)
    assert found.equity_now() == pytest.approx(expected[-1][1], nan_ok=True)
    assert expected[-1][0] >= end


def test_before_the_first_point_there_is_the_deposit() -> None:
    found = marks()
    times, equity, _, _, by_strategy = found.curve()
    assert (len(times), len(equity), sorted(by_strategy), found.equity_now()) == (0, 0, ["a", "b"], 1000.0)


def test_the_prices_at_which_what_is_left_is_marked() -> None:
    found = marks()
    assert np.isnan(found.last_prices(1)).all()
    found.chunk(chunk_of([Bar(0, 1, M, 9.0, 9.0, 9.0, 9.0, 1.0)]), last=False)
    assert found.last_prices(1) == (9.0, 9.0)
    found.chunk(chunk_of([Trade(1, 1, 10.0, 1.0)]), last=False)
    assert found.last_prices(1) == (10.0, 10.0)
    found.chunk(chunk_of([Quote(2, 1, 11.0, NAN, 1.0, NAN)]), last=False)
    assert found.last_prices(1) == (11.0, 10.0)
    found.chunk(chunk_of([Quote(3, 1, NAN, 12.0, NAN, 1.0)]), last=True)
    assert found.last_prices(1) == (11.0, 12.0)
