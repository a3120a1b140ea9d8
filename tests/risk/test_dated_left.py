"""What the sums of the Greeks leave for a room, worked out by hand."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from engine.risk.dated import Dated
from engine.risk.exposure import Units
from engine.risk.outside import Contract
from tests.risk.made import D

CALL, PUT, SMALL, UNKNOWN = 1, 2, 3, 4
# Of one unit the delta is 5, -4 and 0.5, the vega 1, 2 and 0.1.
TERMS = {CALL: ("0.5", "0.1"), PUT: ("-0.4", "0.2"), SMALL: ("0.5", "0.1")}
CONTRACTS = {conid: Contract(delta=D(delta), vega=D(vega)) for conid, (delta, vega) in TERMS.items()}
TIMES = {CALL: 10.0, PUT: 10.0, SMALL: 1.0, UNKNOWN: 10.0}
Open = tuple[int, int, int]  # position, units to buy, units to sell
# They may get up to 5, 5 and 3, and down to -1, -2 and -3: the delta to 25 + 8 + 1.5 or -5 - 20 - 1.5, the vega to
# 5 + 10 + 0.3 or -1 - 4 - 0.3. The larger of each are 61.8 in all, of which a part in 1e9 is left alone.
MANY: dict[int, Open] = {CALL: (3, 2, 4), PUT: (-1, 6, 1), SMALL: (2, 1, 5)}
# CALL down to -8 and no further up than 0: the delta to 0 + 8 or -40 - 20, the vega to 0 + 10 or -8 - 4.
SOLD: dict[int, Open] = {CALL: (0, 0, 8), PUT: (-1, 6, 1)}
BLUR, SOLD_BLUR = 61.8e-9, 78e-9
# Prices up to 10 and 12, counted ten times: money of 1 is a delta of 0.05 or 0.0333, and a vega of 0.01 or 0.01667.
SPANS = {CALL: (9.0, 10.0), PUT: (10.0, 12.0)}


def left(
    held: dict[int, Open], spans: dict[int, tuple[float, float]], *, delta: float = inf, vega: float = inf,
    contracts: dict[int, Contract] | None = None,
) -> float:  # fmt: skip
    """Money that is left under limits on both."""
    units = {
        conid: (Units(position=D(position), buys=D(buys), sells=D(sells)), TIMES[conid])
        for conid, (position, buys, sells) in held.items()
    }
    dated = Dated(greeks=True, delta=delta, vega=vega, held=units)
    return dated.left(CONTRACTS if contracts is None else contracts, spans, TIMES)


CASES: list[tuple[dict[int, Open], dict[int, tuple[float, float]], dict[str, Any], float]] = [
    (MANY, SPANS, {"delta": 100.0}, (65.5 - BLUR) * 20),
    (MANY, SPANS, {"vega": 40.0}, (24.7 - BLUR) * 60),
    (MANY, SPANS, {"delta": 100.0, "vega": 30.0}, (14.7 - BLUR) * 60),
    (MANY, {CALL: SPANS[CALL]}, {"vega": 40.0}, (24.7 - BLUR) * 100),
    (MANY, {PUT: SPANS[PUT]}, {"delta": 100.0}, (65.5 - BLUR) * 30),
    (MANY, {}, {"delta": 100.0, "vega": 30.0}, inf),
    (SOLD, SPANS, {"delta": 100.0}, (40 - SOLD_BLUR) * 20),
    (SOLD, SPANS, {"vega": 40.0}, (28 - SOLD_BLUR) * 60),
    # What has only been bought, is only to be bought, or only to be sold, counts.
    ({PUT: (7, 0, 0)}, SPANS, {"vega": 40.0}, (26 - 42e-9) * 60),
    ({PUT: (0, 7, 0)}, SPANS, {"vega": 40.0}, (26 - 42e-9) * 60),
    ({PUT: (0, 0, 7)}, SPANS, {"vega": 40.0}, (26 - 42e-9) * 60),
    ({PUT: (0, 0, 0)}, SPANS, {"vega": 40.0}, 40.0 * 60),
]


@pytest.mark.parametrize(("held", "spans", "limits", "money"), CASES)
def test_what_is_left_is_what_the_worse_side_leaves_of_the_nearer_limit(
    held: dict[int, Open], spans: dict[int, tuple[float, float]], limits: dict[str, Any], money: float
) -> None:
    assert left(held, spans, **limits) == pytest.approx(money, rel=0.0, abs=1e-8)


def test_a_vega_that_is_larger_than_the_delta_takes_nothing_from_it() -> None:
    """Four of a delta of 1 and a vega of 5 each."""
    one = {CALL: Contract(delta=D("0.1"), vega=D("0.5"))}
    assert left({CALL: (4, 0, 0)}, SPANS, delta=100.0, contracts=one) == pytest.approx(9_600, abs=1e-4)


@pytest.mark.parametrize("unknown", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_an_option_without_greeks_leaves_nothing_where_it_counts(unknown: Open) -> None:
    found: list[dict[str, Any]] = [{"delta": 100.0}, {"vega": 30.0}]
    for limits in found:
        rest = left(MANY, SPANS, **limits)
        assert left({UNKNOWN: unknown, **MANY}, SPANS, **limits) == -1.0
        assert left({UNKNOWN: (0, 0, 0), **MANY}, {**SPANS, UNKNOWN: (1.0, 2.0)}, **limits) == -1.0
        assert left({UNKNOWN: (0, 0, 0), **MANY}, SPANS, **limits) == rest
