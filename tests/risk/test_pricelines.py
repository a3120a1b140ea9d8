"""The line of prices that latches follow is what the chunk says of each row, across a split too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.domain.columns import Chunk, merge
from engine.domain.market import Bar, Kind, Quote, Trade
from engine.domain.moments import NS_PER_MINUTE
from engine.domain.repricing import Step
from engine.risk.pricelines import price_line

NOON = 1_767_718_800_000_000_000


def at(*seconds: int) -> Any:
    return NOON + np.array(seconds)


def bars(conids: list[int], seconds: list[int], closes: list[float]) -> dict[str, Any]:
    prices = np.array(closes)
    return {
        "ts_ns": at(*seconds), "conid": np.array(conids), "span_ns": np.full(len(conids), NS_PER_MINUTE),
        "open": prices + 1, "high": prices + 2, "low": prices - 1, "close": prices, "volume": np.ones(len(conids)),
        "complete": np.ones(len(conids), bool),
    }  # fmt: skip


def trades(conids: list[int], seconds: list[int], prices: list[float]) -> dict[str, Any]:
    return {
        "ts_ns": at(*seconds), "conid": np.array(conids), "price": np.array(prices), "size": np.ones(len(conids)),
        "sampled": np.zeros(len(conids), bool),
    }  # fmt: skip


def quotes(conids: list[int], seconds: list[int], bids: list[float], asks: list[float]) -> dict[str, Any]:
    sizes = np.ones(len(conids))
    return {
        "ts_ns": at(*seconds), "conid": np.array(conids), "bid": np.array(bids), "ask": np.array(asks),
        "bid_size": sizes, "ask_size": sizes,
    }  # fmt: skip


NAN = float("nan")
MIXED: dict[Kind, Any] = {
    Kind.BARS: bars([1, 2, 1], [1, 2, 8], [50.0, 70.0, 52.0]),
    Kind.TRADES: trades([2, 1, 1], [3, 4, 9], [71.0, 51.0, 53.0]),
    Kind.QUOTES: quotes([1, 2, 1], [5, 6, 7], [54.0, 72.0, NAN], [56.0, 74.0, 57.0]),
}
ONE: dict[Kind, Any] = {Kind.BARS: bars([1, 1, 1], [1, 2, 3], [50.0, 51.0, 52.0])}
SOLE: dict[Kind, Any] = {
    Kind.BARS: bars([1, 1], [1, 3], [50.0, 52.0]),
    Kind.TRADES: trades([1, 1], [2, 4], [51.0, 53.0]),
}
TWO_OF_A_KIND: dict[Kind, Any] = {Kind.BARS: bars([1, 2, 1], [1, 2, 3], [50.0, 70.0, 52.0])}


def lines(rows: Chunk) -> None:
    """What the chunk says row by row is the line."""
    for conid in (1, 2, 3):
        told = [rows.price(conid, row + 1) for row in range(rows.size)]
        np.testing.assert_array_equal(price_line(rows, conid), [NAN if one is None else one[0] for one in told])


def test_a_quote_comes_before_a_trade_and_a_trade_before_a_bar() -> None:
    """A quote of which one side is gone tells nothing; what was said before of a worse kind counts again."""
    rows = merge(MIXED)
    np.testing.assert_array_equal(price_line(rows, 1), [50, 50, 50, 51, 55, 55, 51, 51, 53])
    np.testing.assert_array_equal(price_line(rows, 2), [NAN, 70, 71, 71, 71, 73, 73, 73, 73])
    lines(rows)


@pytest.mark.parametrize("kinds", [ONE, SOLE, TWO_OF_A_KIND, MIXED])
def test_a_chunk_of_one_kind_or_one_instrument_reads_the_same(kinds: dict[Kind, Any]) -> None:
    lines(merge(kinds))


@pytest.mark.parametrize("kinds", [ONE, SOLE, TWO_OF_A_KIND, MIXED])
@pytest.mark.parametrize("split_s", [0, 1, 2, 4, 6, 20])
@pytest.mark.parametrize("before", [False, True])
def test_what_was_said_before_a_split_counts_in_the_units_after_it(
    kinds: dict[Kind, Any], split_s: int, before: bool
) -> None:
    rows = merge(kinds)
    if before:
        rows.bars_before = {1: Bar(NOON - 5, 1, NS_PER_MINUTE, 4.0, 5.0, 3.0, 4.5, 1.0)}
        rows.trades_before = {2: Trade(NOON - 3, 2, 5.5, 1.0)}
        rows.quotes_before = {3: Quote(NOON - 1, 3, 1.0, 2.0, 1.0, 1.0)}
    rows.repriced = {one: [Step(NOON - 2, factor=2.0), Step(NOON + split_s, factor=0.5, less=1.0)] for one in (1, 2, 3)}
    lines(rows)


def test_what_was_known_before_a_chunk_is_converted_by_the_steps_after_it_was_said() -> None:
    rows = merge(ONE)
    rows.trades_before = {3: Trade(NOON - 3, 3, 8.0, 1.0)}
    rows.repriced = {3: [Step(NOON - 4, factor=7.0), Step(NOON - 2, factor=0.5)]}
    np.testing.assert_array_equal(price_line(rows, 3), [4.0, 4.0, 4.0])
    rows.repriced = {1: [Step(NOON + 2, factor=0.5)]}
    np.testing.assert_array_equal(price_line(rows, 1), [25.0, 51.0, 52.0])  # the first was said before it
