"""Round trips: examples on paper, and the law that nothing is lost between fills and trips."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.report.trips import NO_TRIPS, Trip, round_trips, trip_figures
from engine.runtime.outcome import FillRow
from tests.report.outcomes import fill

RATES = {"USD": Decimal(1)}


def trip(net: str, held_s: int = 0) -> Trip:
    return Trip(
        strategy="one",
        conid=1,
        opened_ns=0,
        closed_ns=held_s * 1_000_000_000,
        quantity=Decimal(1),
        realised=Decimal(net) + 2,
        fees=Decimal(2),
        fills=2,
    )


def test_from_flat_to_flat_is_one_trip() -> None:
    fills = [
        fill("BUY", 100, "10", ts_ns=1),
        fill("BUY", 100, "11", ts_ns=2),
        fill("SELL", 50, "12", ts_ns=3, realised="75"),
        fill("SELL", 150, "9", ts_ns=4, realised="-225"),
        fill("SELL", 10, "9", ts_ns=5),
    ]
    trips, still_open = round_trips(fills, RATES)
    (only,) = trips
    assert (only.opened_ns, only.closed_ns, only.quantity, only.fills) == (1, 4, Decimal(200), 4)
    assert (only.realised, only.fees, only.net) == (Decimal(-150), Decimal(4), Decimal(-154))
    assert still_open == 1


def test_a_fill_through_zero_ends_one_trip_and_starts_the_next() -> None:
    fills = [
        fill("BUY", 100, "10", ts_ns=1),
        fill("SELL", 400, "12", ts_ns=2, fee="4", realised="200"),
        fill("BUY", 300, "11", ts_ns=3, fee="2", realised="300"),
    ]
    (long, short), still_open = round_trips(fills, RATES)
    assert (long.quantity, long.realised, long.fees) == (Decimal(100), Decimal(200), Decimal(2))
    assert (short.quantity, short.realised, short.fees) == (Decimal(-300), Decimal(300), Decimal(5))
    assert (short.opened_ns, short.closed_ns, still_open) == (2, 3, 0)


def test_strategies_and_instruments_are_apart() -> None:
    fills = [fill("BUY", 1, "10"), fill("SELL", 1, "10", strategy="two"), fill("SELL", 1, "10", conid=2)]
    assert round_trips(fills, RATES) == ((), 3)


def test_fees_of_another_currency_are_converted() -> None:
    trips, _ = round_trips([fill("BUY", 1, "10"), fill("SELL", 1, "10")], {"EUR": Decimal(1), "USD": Decimal("0.9")})
    assert trips[0].fees == Decimal("1.8")


@st.composite
def some_fills(draw: st.DrawFn) -> list[FillRow]:
    size = draw(st.integers(0, 25))
    return [
        fill(
            draw(st.sampled_from(["BUY", "SELL"])),
            draw(st.integers(1, 4)),
            "10",
            ts_ns=i,
            fee=str(draw(st.integers(-3, 9))),
            realised=str(draw(st.integers(-50, 50))),
            strategy=draw(st.sampled_from(["one", "two"])),
        )
        for i in range(size)
    ]


@given(some_fills())
def test_trips_end_where_a_plain_count_is_flat_or_turns(fills: list[FillRow]) -> None:
    held = {"one": 0, "two": 0}
    ends: list[tuple[str, int]] = []
    for row in fills:
        before = held[row.strategy]
        after = before + (1 if row.fill.side == "BUY" else -1) * int(row.fill.quantity)
        if before and (after == 0 or (after > 0) != (before > 0)):
            ends.append((row.strategy, row.fill.ts_ns))
        held[row.strategy] = after
    trips, still_open = round_trips(fills, RATES)
    assert [(trip.strategy, trip.closed_ns) for trip in trips] == ends
    assert still_open == sum(1 for quantity in held.values() if quantity)


@given(some_fills())
def test_money_is_in_one_trip_or_in_an_open_one(fills: list[FillRow]) -> None:
    # Closing what is still open makes every fill belong to a closed trip: then both sums must agree.
    held: dict[str, int] = {}
    for row in fills:
        held[row.strategy] = held.get(row.strategy, 0) + (1 if row.fill.side == "BUY" else -1) * int(row.fill.quantity)
    closing = [
        fill("SELL" if quantity > 0 else "BUY", abs(quantity), "10", ts_ns=99, strategy=name)
        for name, quantity in held.items()
        if quantity
    ]
    trips, still_open = round_trips(fills + closing, RATES)
    assert still_open == 0
    everything = fills + closing
    assert sum(trip.realised for trip in trips) == sum(row.realised for row in everything)
    fees = sum(amount for row in everything for _, amount, _ in row.fill.fees)
    assert float(sum(trip.fees for trip in trips)) == pytest.approx(float(fees), abs=1e-20)


def test_figures_of_four_trips() -> None:
    figures = trip_figures([trip("30", 10), trip("-10", 20), trip("0", 30), trip("20", 40)])
    seen = {name: figure.value for name, figure in figures.items()}
    assert seen == {
        "win_rate": 0.5,
        "average_win": 25.0,
        "average_loss": -10.0,
        "payoff_ratio": 2.5,
        "expectancy": 10.0,
        "profit_factor": 5.0,
        "best_trip": 30.0,
        "worst_trip": -10.0,
        "holding_s": 25.0,
    }


def test_without_losses_or_trips_there_is_a_reason() -> None:
    winning = trip_figures([trip("5")])
    assert winning["profit_factor"].why == "no round trip lost"
    assert winning["payoff_ratio"].why == "no round trip lost"
    losing = trip_figures([trip("-5")])
    assert losing["profit_factor"].value == 0.0
    assert losing["average_win"].why == "no round trip won"
    assert {figure.why for figure in trip_figures([]).values()} == {NO_TRIPS}
