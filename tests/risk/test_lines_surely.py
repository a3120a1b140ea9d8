"""The first look at money at stake says "surely" up to each limit and never above it, held against a plain recount."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan
from typing import Any

import pytest

from engine.risk.lines import Lines
from tests.risk.made import D
from tests.risk.test_catalogue import KNOWN, Market
from tests.risk.test_lines import SECTORS, fresh

Book = dict[int, tuple[int, int, int, int]]  # by conid: held, being bought, being sold, and the dearest price of these
NONE: dict[str, Any] = dict.fromkeys(("gross_max", "net_max", "sector_max", "currency_max"))
FAR: dict[str, Any] = {"gross_max": D(10**9)}
VALUES = {
    1: Fraction(1),
    2: Fraction(5, 4),
    14: Fraction(1),
    11: Fraction(100),
    12: Fraction(100),
}  # of one unit at price 1: rates and multipliers
SIDES = pytest.mark.parametrize("sign", [1, -1])

# The instrument that is asked about, what is held and open, how much of it is wanted, and at what price: markets are
# at 100. Of each sector and currency there are several, long and short, with and without open orders.
ASKED: list[tuple[int, Book, int, int]] = [
    (14, {}, 1, 110),
    (14, {14: (7, 0, 0, 0)}, 2, 100),
    (14, {14: (-7, 0, 0, 0), 1: (30, 0, 0, 0), 2: (9, 0, 0, 0)}, 2, 110),
    (14, {14: (3, 4, 9, 130), 1: (30, 0, 0, 0)}, 2, 110),
    (14, {14: (0, 4, 0, 90), 1: (-5, 3, 0, 140)}, 2, 100),
    (2, {2: (-3, 2, 4, 120), 14: (6, 0, 0, 0), 12: (1, 0, 0, 0)}, 1, 105),
    (11, {1: (2, 0, 0, 0), 14: (1, 1, 0, 103), 2: (4, 0, 0, 0), 12: (2, 0, 1, 101)}, 1, 105),
    (11, {1: (-2, 0, 0, 0), 14: (-1, 0, 0, 0), 2: (-4, 0, 0, 0), 12: (-2, 1, 0, 150)}, 4, 105),
    (11, {11: (-2, 0, 0, 0), 1: (99, 0, 0, 0), 14: (-9, 0, 3, 100), 2: (-7, 0, 0, 0), 12: (5, 0, 9, 150)}, 1, 105),
]
LIMITS = ("gross_max", "net_max", "sector_max", "currency_max", "leverage_max")


def recount(asked: int, book: Book, more: int, level: int, sign: int) -> dict[str, Fraction]:
    """Each sum at the dearest prices that others may reach before they are looked at again, a 64th either way."""
    sums = dict.fromkeys(LIMITS, Fraction(0))
    sides = [Fraction(0), Fraction(0)]
    for conid, value in VALUES.items():
        held, buys, sells, top = book.get(conid, (0, 0, 0, 0))
        low, high = (
            (Fraction(100), Fraction(max(100, level)))
            if conid == asked
            else (Fraction(100 * 63, 64), Fraction(100 * 65, 64))
        )
        if buys or sells:
            high = max(high, Fraction(top))
        reach = [held + buys, sells - held]
        if sign < 0:
            reach.reverse()  # a mirrored book, with the same orders on the other side
        if conid == asked:
            reach[0 if sign > 0 else 1] += more
        for side, units in enumerate(reach):
            sides[side] += units * (high if units > 0 else low) * value
        worst = max(reach) * high * value
        sums["gross_max"] += worst
        if SECTORS.get(KNOWN[conid].symbol) == SECTORS.get(KNOWN[asked].symbol):
            sums["sector_max"] += worst
        if KNOWN[conid].currency == KNOWN[asked].currency:
            sums["currency_max"] += worst
    return {**sums, "net_max": max(sides), "leverage_max": sums["gross_max"]}


def lines_of(book: Book, sign: int, limits: dict[str, Any]) -> Lines:
    gate = fresh(**{**NONE, **limits})
    for conid in VALUES:
        gate.exposure("a", conid)
    for conid, (held, buys, sells, top) in book.items():
        units = gate.account.units[conid]
        units.position, units.top = D(held * sign), float(top)
        units.buys, units.sells = (D(buys), D(sells)) if sign > 0 else (D(sells), D(buys))
    lines = gate.account.lines[None]
    lines.forget()
    gate.account.equity = 1000.0
    return lines


@SIDES
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("at", range(len(ASKED)))
def test_up_to_a_limit_it_is_sure_and_above_it_is_not(at: int, limit: str, sign: int) -> None:
    asked, book, more, level = ASKED[at]
    most = recount(asked, book, more, level, sign)[limit]
    assert most > 0
    for part, sure in ((1 + 3e-6, True), (1 - 1e-9, False), (0.999, False)):  # limits are drawn in by a part in 1e6
        allowed = D(float(most) * part / (1000 if limit == "leverage_max" else 1))
        lines = lines_of(book, sign, {limit: allowed})
        for _ in range(2):  # worked out, and remembered
            told = lines.surely(Market(), asked, 100.0, float(max(100, level)), float(more), sign > 0)
            assert told is sure, (limit, part)


@SIDES
@pytest.mark.parametrize(("price", "sure"), [(101.5, True), (102.0, False), (150.0, False)])
def test_another_price_of_what_is_held_counts_as_soon_as_it_leaves_its_span(
    price: float, sure: bool, sign: int
) -> None:
    """Ten of 1 at up to 101.5625, and one at 100: with room for that, and not for a part of one more."""
    lines, market = lines_of({1: (10, 0, 0, 0)}, sign, {"gross_max": D(1116)}), Market()
    assert lines.surely(market, 14, 100.0, 100.0, 1.0, sign > 0)
    market.prices[1] = price
    assert lines.surely(market, 14, 100.0, 100.0, 1.0, sign > 0) is sure
    market.prices[1] = 100.0
    assert lines.surely(market, 14, 100.0, 100.0, 1.0, sign > 0)


@SIDES
@pytest.mark.parametrize(("price", "sure"), [(98.5, True), (98.0, False), (50.0, False)])
def test_what_is_set_off_counts_for_less_as_soon_as_its_price_leaves_its_span(
    price: float, sure: bool, sign: int
) -> None:
    """Ten held and one to come at 100 against ten of 1, that are worth 98.4375 at least: 115.625."""
    lines, market = lines_of({1: (-10, 0, 0, 0), 14: (10, 0, 0, 0)}, sign, {"net_max": D(116)}), Market()
    assert lines.surely(market, 14, 100.0, 100.0, 1.0, sign > 0)
    market.prices[1] = price
    assert lines.surely(market, 14, 100.0, 100.0, 1.0, sign > 0) is sure


@pytest.mark.parametrize(("price", "sure"), [(0.5, True), (0.0, False), (-3.0, False), (nan, False), (inf, False)])
def test_nothing_is_sure_beside_what_has_no_sound_price(price: float, sure: bool) -> None:
    for limits in (FAR, {"leverage_max": D(10**6)}):
        lines, market = lines_of({1: (10, 0, 0, 0), 12: (-1, 0, 0, 0)}, 1, limits), Market()
        market.prices[1] = price
        assert lines.surely(market, 14, 100.0, 100.0, 1.0, True) is sure
        del market.prices[1]
        assert not lines.surely(market, 14, 100.0, 100.0, 1.0, True)


def test_nothing_is_sure_of_an_instrument_that_counts_by_its_legs() -> None:
    lines = lines_of({}, 1, FAR)
    for _ in range(2):
        assert not lines.surely(Market(), 21, 100.0, 100.0, 1.0, True)


@SIDES
def test_a_single_unit_that_is_wanted_dearer_than_the_market_counts_at_its_price(sign: int) -> None:
    """One of 1 is wanted at 130, and one of 14 at 100: 230 of either side, and of gross."""
    told = lines_of({1: (0, 1, 0, 130)}, sign, FAR).most(Market(), 14, 100.0, 100.0, 1.0, sign > 0)
    assert told is not None
    assert (told[0], told[1 if sign > 0 else 2], told[3]) == (230.0, 230.0, 230.0)
