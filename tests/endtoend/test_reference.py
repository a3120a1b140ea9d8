"""The workloads' strategies on small random markets, against loops too simple to be wrong: fills and cash to the cent.

The loops know nothing of the engine. Prices are whole cents in them; a price of market data is cents / 100.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import strategies as workloads
from benchmarks import window as windows
from benchmarks.window import WindowCross
from engine.domain.market import Bar, MarketEvent, Quote
from engine.settings import LatencySettings, VenueSettings
from tests.replay.arena import AAA, T0, Arena, Left
from tests.replay.conftest import garbage_stays

__all__ = ["garbage_stays"]

GAP, EVERY, QUANTITY = 7, 3, 100
RULES = ("same_event", "next_event", "next_open")
MORE = settings.default.max_examples // 50 if settings.default is not None else 1
Fill = tuple[int, str, int]  # number of the row, side, price in cents


@pytest.fixture(autouse=True, scope="module")
def small_numbers() -> Iterator[None]:
    """Crosses and quotes come often enough for some hundred rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workloads, "GAP", GAP)
        patch.setattr(workloads, "EVERY", EVERY)
        patch.setattr(windows, "GAP", GAP)
        yield


# --- the loops --------------------------------------------------------------------------------------------------


def crosses(prices: list[float]) -> list[int]:
    """1 where EMA(10) comes above EMA(30), -1 where it goes below, from the 31st price on."""
    found = []
    fast = slow = prices[0]
    above = False
    for number, price in enumerate(prices, 1):
        if number > 1:
            fast += (price - fast) * (2 / 11)
            slow += (price - slow) * (2 / 31)
        now = fast > slow
        found.append((1 if now else -1) if now != above and number > 30 else 0)
        above = now
    return found


def cross_orders(prices: list[float], gap: int) -> list[tuple[int, str]]:
    """Rows at which the cross strategies trade, and the side: long or flat, `gap` rows between orders."""
    orders: list[tuple[int, str]] = []
    last, long = -gap, False
    for row, cross in enumerate(crosses(prices)):
        if cross and row + 1 - last >= gap and (cross > 0) != long:
            long = cross > 0
            last = row + 1
            orders.append((row, "BUY" if long else "SELL"))
    return orders


def bar_fills(bars: list[tuple[int, int]], rule: str) -> list[Fill]:
    """W1 on bars of (open, close)."""
    fills = []
    for row, side in cross_orders([close / 100 for _, close in bars], 0):
        if rule == "same_event":
            fills.append((row, side, bars[row][1]))
        elif row + 1 < len(bars):
            fills.append((row + 1, side, bars[row + 1][0 if rule == "next_open" else 1]))
    return fills


def quote_fills(quotes: list[tuple[int, int]], rule: str) -> list[Fill]:
    """W2 on quotes of (bid, ask)."""
    fills = []
    mids = [(bid / 100 + ask / 100) * 0.5 for bid, ask in quotes]
    for row, side in cross_orders(mids, GAP):
        at = row if rule == "same_event" else row + 1
        if at < len(quotes):
            bid, ask = quotes[at]
            fills.append((at, side, ask if side == "BUY" else bid))
    return fills


def maker_fills(quotes: list[tuple[int, int]], resting: str) -> list[Fill]:
    """W5: the same under each rule, since an order at its own side's touch never meets the quote it was decided on."""
    fills: list[Fill] = []
    held = 0
    order: tuple[str, int] | None = None
    for row, (bid, ask) in enumerate(quotes):
        if order is not None:
            side, limit = order
            if side == "BUY" and ask <= limit:
                fills.append((row, side, ask if resting == "touch" else limit))
                held += 1
                order = None
            elif side == "SELL" and bid >= limit:
                fills.append((row, side, bid if resting == "touch" else limit))
                held -= 1
                order = None
        if (row + 1) % EVERY == 0:
            order = ("BUY", bid) if held <= 0 else ("SELL", ask)
    return fills


def worth(fills: list[Fill], bid: int, ask: int) -> tuple[Decimal, Decimal]:
    """Cash and equity after these fills from a million, the rest marked at what closing it would bring."""
    cash, held = 1_000_000 * 100, 0
    for _, side, price in fills:
        sign = 1 if side == "BUY" else -1
        cash -= sign * price * QUANTITY
        held += sign * QUANTITY
    marked = cash + held * (bid if held >= 0 else ask)
    return Decimal(cash) / 100, Decimal(marked) / 100


# --- random markets ---------------------------------------------------------------------------------------------


def _quotes(seed: int) -> tuple[list[tuple[int, int]], list[MarketEvent]]:
    dice = Random(seed)
    bid, ts = 10_000, T0
    rows, events = [], []
    for _ in range(dice.randint(2, 400)):
        bid += dice.choice((-3, -1, 0, 0, 1, 3))
        ts += dice.choice((0, 1, 1_000_000))
        rows.append((bid, bid + dice.randint(1, 3)))
        size = dice.randint(1, 5) * 10.0
        events.append(Quote(ts, 1, rows[-1][0] / 100, rows[-1][1] / 100, size, size))
    return rows, list(events)


def _bars(seed: int) -> tuple[list[tuple[int, int]], list[MarketEvent]]:
    dice = Random(seed)
    close = 10_000
    rows, events = [], []
    for number in range(dice.randint(2, 400)):
        first = close + dice.randint(-2, 2)
        close = first + dice.randint(-4, 4)
        high, low = max(first, close) + dice.randint(0, 3), min(first, close) - dice.randint(0, 3)
        rows.append((first, close))
        ts = T0 + (number + 1) * 60
        events.append(Bar(ts, 1, 60, first / 100, high / 100, low / 100, close / 100, dice.randint(1, 9) * 10.0))
    return rows, list(events)


def _run(strategy: type[Any], events: list[MarketEvent], rule: str, resting: str = "limit") -> Left:
    venue = VenueSettings(
        latency_ms=LatencySettings(place=0, modify=0, cancel=0), fills=rule, resting_price=resting, fees="none"
    )
    left = Arena(venue=venue, instruments=(AAA,)).run(events, strategy)
    assert not left.result.refusals
    assert not left.result.off
    return left


def _agree(left: Left, fills: list[Fill], events: list[MarketEvent], bid: int, ask: int) -> None:
    found = [(row.fill.ts_ns, row.fill.side, row.fill.quantity, row.fill.price) for row in left.result.fills]
    assert found == [(events[row].ts_ns, side, Decimal(QUANTITY), Decimal(price) / 100) for row, side, price in fills]
    cash, equity = worth(fills, bid, ask)
    assert left.result.final_equity == equity
    assert left.result.equity.cash[-1] == pytest.approx(float(cash), abs=0.001)
    assert left.result.equity.equity[-1] == pytest.approx(float(equity), abs=0.001)


seeds = st.integers(0, 2**32)


@pytest.mark.parametrize("rule", RULES)
@given(seeds)
@settings(max_examples=25 * MORE)
def test_w1_bars(rule: str, seed: int) -> None:
    rows, events = _bars(seed)
    close = rows[-1][1]
    _agree(_run(workloads.BarCross, events, rule), bar_fills(rows, rule), events, close, close)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("strategy", [workloads.QuoteCross, workloads.ManyCross])
@given(seeds)
@settings(max_examples=15 * MORE)
def test_w2_and_w4_quotes(strategy: type[Any], rule: str, seed: int) -> None:
    rows, events = _quotes(seed)
    _agree(_run(strategy, events, rule), quote_fills(rows, rule), events, *rows[-1])


@pytest.mark.parametrize("rule", RULES)
@given(seeds)
@settings(max_examples=15)
def test_w2_by_whole_windows_is_w2(rule: str, seed: int) -> None:

    rows, events = _quotes(seed)
    left = _run(WindowCross, events, rule)
    _agree(left, quote_fills(rows, rule), events, *rows[-1])
    assert left.result.hash == _run(workloads.QuoteCross, events, rule).result.hash


@pytest.mark.parametrize("resting", ["limit", "touch"])
@pytest.mark.parametrize("rule", RULES)
@given(seeds)
@settings(max_examples=20 * MORE)
def test_w5_cancel_and_replace(rule: str, resting: str, seed: int) -> None:
    rows, events = _quotes(seed)
    _agree(_run(workloads.Maker, events, rule, resting), maker_fills(rows, resting), events, *rows[-1])


def test_the_markets_of_these_tests_do_trade() -> None:
    assert sum(len(bar_fills(_bars(seed)[0], "next_open")) for seed in range(20)) > 60
    assert sum(len(quote_fills(_quotes(seed)[0], "same_event")) for seed in range(20)) > 60
    assert sum(len(maker_fills(_quotes(seed)[0], "limit")) for seed in range(20)) > 200
