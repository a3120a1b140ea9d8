"""A ticket that contradicts itself can't be made, by hand or by modification."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.ticket import MODIFIABLE, BadTicket, OrderTicket, OrderType, Side, Tif, TrailUnit, amend
from tests.domain.made import ticket

D = Decimal
LIMIT = {"limit_price": D(9)}
STOP = {"stop_price": D(8)}
TRAIL = {"trail": D(1)}
OFFSET = {"limit_offset": D("0.1")}

# For each type: prices it needs, and prices it may have besides.
NEEDS: dict[OrderType, tuple[dict[str, Decimal], dict[str, Decimal]]] = {
    OrderType.MARKET: ({}, {}),
    OrderType.LIMIT: (LIMIT, {}),
    OrderType.STOP: (STOP, {}),
    OrderType.STOP_LIMIT: ({**LIMIT, **STOP}, {}),
    OrderType.TRAIL: (TRAIL, STOP),
    OrderType.TRAIL_LIMIT: ({**TRAIL, **OFFSET}, STOP),
    OrderType.MIDPRICE: ({}, LIMIT),
    OrderType.MARKET_ON_CLOSE: ({}, {}),
    OrderType.LIMIT_ON_CLOSE: (LIMIT, {}),
}
PRICES = {**LIMIT, **STOP, **TRAIL, **OFFSET}


def of(kind: OrderType, **terms: Any) -> Any:
    """A ticket of a type with exactly these prices."""
    return ticket(order_type=kind, **{"limit_price": None, **terms})


@pytest.mark.parametrize("kind", OrderType)
def test_each_type_is_made_of_exactly_what_it_needs(kind: OrderType) -> None:
    needs, may = NEEDS[kind]
    assert of(kind, **needs).order_type is kind
    for name, value in may.items():
        assert getattr(of(kind, **needs, **{name: value}), name) == value
    for name in needs:
        with pytest.raises(BadTicket, match="s-000001: "):
            of(kind, **{other: value for other, value in needs.items() if other != name})
    for name, value in PRICES.items():
        if name not in needs and name not in may:
            with pytest.raises(BadTicket, match="s-000001: "):
                of(kind, **needs, **{name: value})


@pytest.mark.parametrize("kind", OrderType)
@pytest.mark.parametrize("value", [D("NaN"), D("sNaN"), D("Infinity"), D("1e12"), D("1e999999"), 9.0, 9, "9"])
def test_a_price_is_a_finite_decimal(kind: OrderType, value: Any) -> None:
    needs, may = NEEDS[kind]
    for name in (*needs, *may):
        with pytest.raises(BadTicket):
            of(kind, **{**needs, **may, name: value})


@pytest.mark.parametrize("value", [D(0), D(-1), D("NaN"), D("sNaN"), D("Infinity"), 1, 1.0, "1", None])
def test_a_quantity_is_a_decimal_above_zero(value: Any) -> None:
    terms: dict[str, Any] = {"coid": "s-000001", "strategy": "s", "account": "DU1", "conid": 1}
    with pytest.raises(BadTicket, match="quantity must be a Decimal above zero"):
        OrderTicket(**terms, side=Side.BUY, order_type=OrderType.MARKET, quantity=value)


@pytest.mark.parametrize("value", ["1e12", "1e999999", "1e-13", "1e-999999"])
def test_a_quantity_that_nobody_means_is_refused(value: str) -> None:
    with pytest.raises(BadTicket, match="quantity must be a Decimal above zero and within reason, not"):
        ticket(quantity=value)


def test_the_largest_and_the_least_quantity_pass() -> None:
    assert ticket(quantity="999999999999").quantity == 999_999_999_999
    assert ticket(quantity="1e-12").quantity == D("1e-12")


@pytest.mark.parametrize("value", [D(0), D(-1)])
def test_a_trail_is_above_zero(value: Decimal) -> None:
    with pytest.raises(BadTicket, match="trail must be a Decimal above zero"):
        of(OrderType.TRAIL, trail=value)


def test_a_trail_in_percent_is_less_than_the_price() -> None:
    assert of(OrderType.TRAIL, trail=D("99.9"), trail_unit=TrailUnit.PERCENT).trail == D("99.9")
    assert of(OrderType.TRAIL, trail=D(100)).trail == 100
    with pytest.raises(BadTicket, match="the whole price"):
        of(OrderType.TRAIL, trail=D(100), trail_unit=TrailUnit.PERCENT)


def test_prices_may_be_negative() -> None:
    assert of(OrderType.LIMIT, limit_price=D("-37.63")).limit_price == D("-37.63")
    assert of(OrderType.STOP, stop_price=D(-1)).stop_price == -1


@pytest.mark.parametrize(("name", "value"), [("side", "BUY"), ("order_type", "MKT"), ("tif", "DAY")])
def test_a_text_does_not_pass_for_an_enum(name: str, value: str) -> None:
    # `"BUY" is Side.BUY` is false: such a ticket would be counted as a sale.
    with pytest.raises(BadTicket, match="enums"):
        of(OrderType.MARKET, **{name: value}) if name != "order_type" else ticket(order_type=value, limit_price=None)


def test_an_order_is_not_its_own_parent() -> None:
    assert ticket(parent="s-000002").parent == "s-000002"
    with pytest.raises(BadTicket, match="own parent"):
        ticket(parent="s-000001")


def test_sides_have_signs_and_opposites() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)


CHANGES: dict[str, Any] = {
    "quantity": D(3),
    "limit_price": D(7),
    "stop_price": D(6),
    "trail": D(2),
    "limit_offset": D(1),
    "tif": Tif.GTC,
    "outside_rth": True,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_modification_changes_the_wanted_field_alone(name: str) -> None:
    kind = {"limit_price": OrderType.STOP_LIMIT, "trail": OrderType.TRAIL_LIMIT, "limit_offset": OrderType.TRAIL_LIMIT}
    of_type = kind.get(name, OrderType.STOP_LIMIT)
    before = of(of_type, **NEEDS[of_type][0], tag="mine", parent="s-000009", oca_group="g")
    after = amend(before, {name: CHANGES[name]})
    for other in before.__struct_fields__:
        expected = CHANGES[name] if other == name else getattr(before, other)
        assert getattr(after, other) == expected
    assert getattr(before, name) != CHANGES[name]  # the old ticket is as it was


def test_what_can_be_modified_and_what_can_not() -> None:
    assert set(CHANGES) == MODIFIABLE
    for name in set(ticket().__struct_fields__) - MODIFIABLE:
        with pytest.raises(BadTicket, match=f"{name} can't be modified"):
            amend(ticket(), {name: D(1)})


@pytest.mark.parametrize(
    "changes", [{"quantity": D(0)}, {"quantity": 5.0}, {"stop_price": D(1)}, {"limit_price": D("NaN")}, {"tif": "GTC"}]
)
def test_a_modification_is_checked_like_a_new_ticket(changes: dict[str, Any]) -> None:
    with pytest.raises(BadTicket):
        amend(ticket(), changes)


def test_a_modification_without_changes_is_the_same_ticket() -> None:
    assert amend(ticket(), {}) == ticket()
