"""Instruments: what can't be one, and prices that cross from market data to money."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instrument import Instrument, Leg, PriceTick, SecType

D = Decimal
US = (PriceTick(D(0), D("0.0001")), PriceTick(D(1), D("0.01")))
STEPS = (PriceTick(D(0), D("0.05")), PriceTick(D(3), D("0.10")), PriceTick(D(1000), D("0.5")))


def made(*ticks: PriceTick, **terms: Any) -> Instrument:
    """An instrument with a tick table."""
    given_terms: dict[str, Any] = {"price_ticks": ticks, **terms} if ticks else terms
    return Instrument(conid=1, symbol="X", **given_terms)


def nearest(value: Decimal, tick: Decimal) -> tuple[Decimal, Fraction]:
    """The multiple of a tick below a value, and how far above it the value lies, in ticks."""
    below = (value / tick).to_integral_value(ROUND_FLOOR) * tick
    return below, (Fraction(value) - Fraction(below)) / Fraction(tick)


@pytest.mark.parametrize("tick", ["0.01", "0.05", "0.25", "0.0001", "0.03125", "1", "5"])
@given(value=st.floats(-100_000, 100_000, allow_nan=False))
def test_a_price_is_the_nearest_multiple_of_its_tick(tick: str, value: float) -> None:
    price = made(PriceTick(D(0), D(tick))).price(value)
    below, beyond = nearest(D(repr(value)), D(tick))
    assert price % D(tick) == 0
    if abs(beyond - Fraction(1, 2)) > Fraction(1, 10_000):  # half-way, a float may fall on either side
        assert price == (below if beyond < Fraction(1, 2) else below + D(tick))
    else:
        assert price in (below, below + D(tick))


@pytest.mark.parametrize("tick", ["0.01", "0.05", "0.0001", "0.25", "0.1"])
@given(number=st.integers(-10_000_000, 10_000_000))
def test_a_price_on_the_tick_stays_what_it_is(tick: str, number: int) -> None:
    exact = number * D(tick)
    for instrument in (made(PriceTick(D(0), D(tick))), made(PriceTick(D(0), D(tick)), PriceTick(D(10), D(tick)))):
        assert instrument.price(float(exact)) == exact
        assert instrument.on_tick(exact)
        assert not instrument.on_tick(exact + D(tick) / 2)


@pytest.mark.parametrize("ticks", [US, STEPS])
@given(value=st.floats(-2_000, 2_000, allow_nan=False))
def test_a_rounded_price_is_on_the_tick_of_its_own_level(ticks: tuple[PriceTick, ...], value: float) -> None:
    instrument = made(*ticks)
    price = instrument.price(value)
    assert instrument.on_tick(price)
    assert abs(Fraction(price) - Fraction(D(repr(value)))) <= Fraction(instrument.tick_at(D(repr(value)))) / 2


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        ("0", "0.05"),
        ("2.99", "0.05"),
        ("3", "0.10"),
        ("999.99", "0.10"),
        ("1000", "0.5"),
        ("5000", "0.5"),
        ("-2.99", "0.05"),
        ("-3", "0.10"),
        ("-1000", "0.5"),
    ],
)
def test_the_tick_at_a_level(price: str, tick: str) -> None:
    assert made(*STEPS).tick_at(D(price)) == D(tick)


def test_below_its_first_level_a_table_has_its_first_tick() -> None:
    assert made(PriceTick(D(1), D("0.01")), PriceTick(D(2), D("0.02"))).tick_at(D("0.5")) == D("0.01")


@pytest.mark.parametrize("instrument", [made(), made(*US)])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_no_price(instrument: Instrument, value: float) -> None:
    with pytest.raises(ValueError, match="is no price"):
        instrument.price(value)


def test_a_price_beyond_all_digits_is_not_on_the_tick() -> None:
    assert not made().on_tick(D("1e40"))


def test_prices_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument = made()
    for number in range(100_050):
        instrument.price(number / 100)
    assert len(instrument._decimals) == 100_000
    assert instrument.price(0.07) is instrument.price(0.0700001)
    assert instrument.price(1_000_499 / 1000) == D("1000.50")


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ({"price_ticks": ()}, "no price tick"),
        ({"price_ticks": (PriceTick(D(1), D(1)), PriceTick(D(0), D(1)))}, "lowest level up"),
        ({"price_ticks": (PriceTick(D(1), D(1)), PriceTick(D(1), D(1)))}, "lowest level up"),
        ({"price_ticks": (PriceTick(D(0), D("0.01")), PriceTick(D("0.99"), D("0.05")))}, "no multiple"),
        ({"price_ticks": (PriceTick(D(0), D("0.03")), PriceTick(D(1), D("0.05")))}, "no multiple"),
        ({"multiplier": D(0)}, "above zero"),
        ({"multiplier": D("NaN")}, "above zero"),
        ({"multiplier": 100.0}, "above zero, in Decimal"),
        ({"size_increment": D(-1)}, "above zero"),
        ({"size_increment": 0.1}, "above zero, in Decimal"),
        ({"sec_type": SecType.COMBO}, "belong together"),
        ({"legs": (Leg(2, 1),)}, "belong together"),
        ({"sec_type": SecType.COMBO, "legs": (Leg(2, 1), Leg(2, -1))}, "two legs"),
    ],
)
def test_what_is_no_instrument(terms: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        made(**terms)


@pytest.mark.parametrize(("above", "tick"), [(D(0), D(0)), (D(0), D(-1)), (D("NaN"), D(1)), (D(0), D("Infinity"))])
def test_what_is_no_price_tick(above: Decimal, tick: Decimal) -> None:
    with pytest.raises(ValueError, match="above zero"):
        PriceTick(above, tick)


def test_floats_are_no_ticks_and_zero_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="above zero"):
        PriceTick(0.0, 0.01)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ratio 0"):
        Leg(7, 0)


def test_a_combo_has_legs() -> None:
    assert made(sec_type=SecType.COMBO, legs=(Leg(2, 1), Leg(3, -2))).legs[1].ratio == -2
