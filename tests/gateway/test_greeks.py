"""Greeks: a published value, put-call parity, slopes by difference, and the round trip from a volatility and back."""

from __future__ import annotations

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.gateway.greeks import implied, worth
from engine.gateway.tags import snapshot_fields
from tests.gateway.desk_fakes import AAPL
from tests.gateway.floor import Floor

PRICES = st.floats(20, 400)
RATIOS = st.floats(0.8, 1.25)
YEARS = st.floats(0.02, 2.0)
VOLATILITIES = st.floats(0.05, 1.5)
SIDES = st.booleans()


def test_a_value_worked_out_by_hand() -> None:
    """At the money: price * (2 N(deviation / 2) - 1); N(0.1) = 0.539827837 in the tables."""
    assert worth(100, 100, 1, 0.2, call=True) == pytest.approx(100 * (2 * 0.539827837 - 1), abs=1e-6)


@given(price=PRICES, ratio=RATIOS, years=YEARS, volatility=VOLATILITIES)
def test_put_call_parity(price: float, ratio: float, years: float, volatility: float) -> None:
    call = worth(price, price * ratio, years, volatility, call=True)
    put = worth(price, price * ratio, years, volatility, call=False)
    assert call - put == pytest.approx(price - price * ratio, abs=1e-7 * price)


@given(price=PRICES, ratio=RATIOS, years=YEARS, volatility=VOLATILITIES, call=SIDES)
def test_a_volatility_is_found_again(price: float, ratio: float, years: float, volatility: float, call: bool) -> None:
    strike = price * ratio
    value = worth(price, strike, years, volatility, call=call)
    found = implied(value, price, strike, years, call=call)
    time_value = value - max(0.0, price - strike if call else strike - price)
    if time_value < 1e-6 * price:
        return  # what has no time value implies nothing that digits could tell
    assert found is not None
    assert worth(price, strike, years, found.volatility, call=call) == pytest.approx(value, rel=1e-6)
    step = price * 1e-4
    values = [worth(price + shift, strike, years, found.volatility, call=call) for shift in (-step, 0.0, step)]
    assert found.delta == pytest.approx((values[2] - values[0]) / (2 * step), abs=1e-4)
    assert found.gamma * price == pytest.approx((values[2] - 2 * values[1] + values[0]) / step**2 * price, abs=0.02)
    later = worth(price, strike, years - 1e-6, found.volatility, call=call)
    assert found.theta / price == pytest.approx((later - values[1]) / 1e-6 / 365 / price, abs=1e-5)
    wider = worth(price, strike, years, found.volatility + 1e-6, call=call)
    assert found.vega / price == pytest.approx((wider - values[1]) / 1e-6 / 100 / price, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, nan, 20.0, 200.0])
def test_what_no_volatility_gives_is_unknown(value: float) -> None:
    """A call on 120 with a strike of 100 is worth more than 20 and less than 120."""
    assert implied(value, 120, 100, 0.5, call=True) is None
    assert implied(21.0, 120, 100, 0.0, call=True) is None


def test_an_option_s_snapshot_has_them() -> None:
    floor = Floor()
    market = floor.exchange.top(AAPL)
    assert market is not None
    # Near the money, some weeks out.
    near = [
        one
        for one in floor.exchange.contracts.values()
        if one.underlying == AAPL and one.expiry > "20260401" and abs(float(one.strike) - market.last) < 5
    ]
    tags = ["7308", "7309", "7310", "7311", "7633"]
    for contract in (next(one for one in near if one.right == side) for side in "CP"):
        floor.exchange.top(contract.instrument.conid)
        floor.wait(5)
        row = snapshot_fields(floor.hall, contract.instrument.conid, tags)
        assert set(row) == set(tags)
        delta = float(row["7308"])
        assert 0.2 < (delta if contract.right == "C" else -delta) < 0.8
        assert 15 < float(row["7633"].removesuffix("%")) < 40  # the market is made with 25
    assert snapshot_fields(floor.hall, AAPL, tags) == {}
