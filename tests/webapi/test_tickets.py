"""Tickets on the wire: the fields each type has, exact numbers, and the way back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif, TrailUnit
from engine.webapi.conidex import SPREADS, Combo, NoCombo, combo, conidex
from engine.webapi.facts.wire import Unreadable
from engine.webapi.tickets import from_wire, orders_body, plain_number, says_who, to_wire
from tests.domain.made import ticket

D = Decimal
STOCK = Instrument(conid=265598, symbol="AAPL")
FUTURE = Instrument(conid=495512552, symbol="ESZ5", sec_type=SecType.FUTURE, exchange="CME")
SPREAD = Instrument(conid=9, symbol="S", sec_type=SecType.COMBO, legs=(Leg(756733, 1), Leg(265598, -2)))
EUROPEAN = Instrument(
    conid=10, symbol="E", sec_type=SecType.COMBO, currency="GBP", exchange="LSE", legs=(Leg(1, 3), Leg(2, -1))
)
COMMON = {"acctId": "DU1", "conid": 265598, "cOID": "s-000001", "side": "BUY", "tif": "DAY"}
COMMON |= {"quantity": D(10), "outsideRTH": False}


def of(kind: OrderType, **terms: Any) -> OrderTicket:
    return ticket(order_type=kind, conid=265598, **{"limit_price": None, **terms})


@pytest.mark.parametrize(
    ("meant", "prices"),
    [
        (of(OrderType.MARKET), {}),
        (of(OrderType.MARKET_ON_CLOSE), {}),
        (of(OrderType.LIMIT, limit_price=D("165.10")), {"price": D("165.10")}),
        (of(OrderType.LIMIT_ON_CLOSE, limit_price=D(5)), {"price": D(5)}),
        (of(OrderType.STOP, stop_price=D(8)), {"price": D(8)}),
        (of(OrderType.STOP_LIMIT, limit_price=D(7), stop_price=D(8)), {"price": D(7), "auxPrice": D(8)}),
        (of(OrderType.MIDPRICE), {}),
        (of(OrderType.MIDPRICE, limit_price=D(9)), {"price": D(9)}),
        (of(OrderType.TRAIL, trail=D(1)), {"trailingAmt": D(1), "trailingType": "amt"}),
        (
            of(OrderType.TRAIL, trail=D(2), trail_unit=TrailUnit.PERCENT, stop_price=D(8)),
            {"price": D(8), "trailingAmt": D(2), "trailingType": "%"},
        ),
        (
            of(OrderType.TRAIL_LIMIT, trail=D(1), limit_offset=D("0.1"), stop_price=D(8)),
            {"price": D("0.1"), "auxPrice": D(8), "trailingAmt": D(1), "trailingType": "amt"},
        ),
    ],
    ids=lambda value: value.order_type.value if isinstance(value, OrderTicket) else "",
)
def test_each_type_has_its_own_prices(meant: OrderTicket, prices: dict[str, object]) -> None:
    assert to_wire(meant, STOCK) == {**COMMON, "orderType": meant.order_type.value, **prices}


def test_a_combo_has_a_conidex_and_no_conid() -> None:
    wire = to_wire(ticket(conid=9), SPREAD)
    assert wire["conidex"] == "28812380;;;756733/1,265598/-2"
    assert "conid" not in wire
    assert conidex(EUROPEAN) == "58666491@LSE;;;1/3,2/-1"
    assert combo(conidex(EUROPEAN)) == Combo(58666491, "LSE", (Leg(1, 3), Leg(2, -1)))


def test_what_has_no_legs_cannot_be_written_as_a_combo() -> None:
    with pytest.raises(NoCombo, match="AAPL has no legs"):
        conidex(STOCK)


def test_a_currency_without_a_spread_conid_is_refused() -> None:
    euro = Instrument(conid=11, symbol="E", sec_type=SecType.COMBO, currency="EUR", legs=(Leg(1, 1), Leg(2, -1)))
    with pytest.raises(NoCombo, match="no combos in EUR"):
        conidex(euro)


@pytest.mark.parametrize(
    "written", ["", "1;;;", "1;;2/1", "1;;;2/0", "1;;;2/1.5", "1;;;2/ 1", "x;;;2/1", "1;;;2", "1;;;2/1,", "265598"]
)
def test_what_is_no_combo_is_not_read_as_one(written: str) -> None:
    assert combo(written) is None


def test_a_plus_before_a_ratio_is_read() -> None:
    assert combo("28812380;;;1/+1,2/-1") == Combo(28812380, "", (Leg(1, 1), Leg(2, -1)))


def test_orders_in_futures_say_who_made_them() -> None:
    wire = to_wire(ticket(conid=495512552), FUTURE, operator="me")
    assert (wire["manualIndicator"], wire["extOperator"]) == (False, "me")
    assert says_who(FUTURE)
    assert not says_who(STOCK)
    assert "manualIndicator" not in to_wire(ticket(conid=265598), STOCK)


def test_a_child_names_its_parent_and_not_itself() -> None:
    child = ticket(conid=265598, coid="s-000002", parent="s-000001", oca_group="g")
    wire = to_wire(child, STOCK)
    assert wire["parentId"] == "s-000001"
    assert "cOID" not in wire
    assert "isSingleGroup" not in wire
    assert to_wire(child, STOCK, named=True)["cOID"] == "s-000002"


def test_orders_of_a_group_say_so() -> None:
    assert to_wire(ticket(conid=265598, oca_group="g"), STOCK)["isSingleGroup"] is True


def test_only_what_belongs_together_goes_in_one_request() -> None:
    parent, other = to_wire(ticket(conid=265598), STOCK), to_wire(ticket(conid=265598, coid="s-000002"), STOCK)
    child = to_wire(ticket(conid=265598, coid="s-000003", parent="s-000001"), STOCK)
    grouped = to_wire(ticket(conid=265598, oca_group="g"), STOCK)
    assert orders_body([parent]) == {"orders": [parent]}
    assert orders_body([parent, child]) == {"orders": [parent, child]}
    assert orders_body([grouped, grouped]) == {"orders": [grouped, grouped]}
    for wrong in ([], [parent, other], [child, parent], [grouped, parent]):
        with pytest.raises(ValueError, match="placement"):
            orders_body(wrong)


@pytest.mark.parametrize(
    ("number", "printed"),
    [("165.10", "165.10"), ("1E+3", "1000"), ("0.000001", "0.000001"), ("0.30000000000000004", "0.30000000000000004")],
)
def test_numbers_go_out_as_they_are_meant(number: str, printed: str) -> None:
    body = msgspec.json.Encoder(decimal_format="number").encode({"price": plain_number(D(number))})
    assert body == f'{{"price":{printed}}}'.encode()


PRICE = st.decimals("-999999", "999999", places=4, allow_nan=False, allow_infinity=False)
ABOVE = st.decimals("0.0001", "999999", places=4, allow_nan=False, allow_infinity=False)


@st.composite
def tickets(draw: st.DrawFn) -> tuple[OrderTicket, Instrument]:
    """Any ticket in any instrument."""
    instrument = draw(st.sampled_from([STOCK, FUTURE, SPREAD, EUROPEAN]))
    kind = draw(st.sampled_from(OrderType))
    terms: dict[str, Any] = {}
    if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.LIMIT_ON_CLOSE):
        terms["limit_price"] = draw(PRICE)
    if kind in (OrderType.STOP, OrderType.STOP_LIMIT):
        terms["stop_price"] = draw(PRICE)
    if kind is OrderType.MIDPRICE:
        terms["limit_price"] = draw(st.none() | PRICE)
    if kind in (OrderType.TRAIL, OrderType.TRAIL_LIMIT):
        terms["trail_unit"] = unit = draw(st.sampled_from(TrailUnit))
        terms["trail"] = draw(st.decimals("0.01", "99", places=2) if unit is TrailUnit.PERCENT else ABOVE)
        terms["stop_price"] = draw(st.none() | PRICE)
    if kind is OrderType.TRAIL_LIMIT:
        terms["limit_offset"] = draw(PRICE)
    made = OrderTicket(
        coid=draw(st.sampled_from(["s-000001", "s-000002"])),
        strategy="s",
        account=draw(st.sampled_from(["DU1", "DU1234567"])),
        conid=instrument.conid,
        side=draw(st.sampled_from(Side)),
        order_type=kind,
        quantity=draw(ABOVE),
        tif=draw(st.sampled_from(Tif)),
        outside_rth=draw(st.booleans()),
        parent=draw(st.none() | st.just("s-000009")),
        oca_group=draw(st.none() | st.just("g")),
        tag=draw(st.sampled_from(["", "note"])),
        **terms,
    )
    return made, instrument


@given(made=tickets())
def test_a_ticket_comes_back_from_the_wire_as_it_was(made: tuple[OrderTicket, Instrument]) -> None:
    meant, instrument = made
    # Through JSON, as a stranger would read it: numbers are exact, so nothing is lost on the way.
    printed = msgspec.json.Encoder(decimal_format="number").encode(to_wire(meant, instrument))
    wire = msgspec.json.Decoder(float_hook=D).decode(printed)
    back = from_wire(
        wire, coid=meant.coid, strategy="s", instrument=instrument, oca_group=meant.oca_group, tag=meant.tag
    )
    assert back == meant


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", -1, 0, D("NaN"), D("1e99"), [], {}, True, "1e9999", "LMT", "28812380;;;1/1"]
)


@given(made=tickets(), key=st.text(max_size=3), value=JUNK, chosen=st.integers(0, 20))
def test_a_spoilt_ticket_never_raises(made: tuple[OrderTicket, Instrument], key: str, value: Any, chosen: int) -> None:
    meant, instrument = made
    wire = to_wire(meant, instrument)
    names = sorted(wire)
    wire[names[chosen % len(names)]] = value
    wire[key] = value
    back = from_wire(wire, coid="s-000001", strategy="s", instrument=instrument)
    assert isinstance(back, OrderTicket | Unreadable)


def test_a_ticket_for_another_instrument_is_not_read() -> None:
    for wire, instrument in (({**COMMON, "conid": 1}, STOCK), (COMMON, SPREAD), ({"conidex": 5}, SPREAD)):
        assert isinstance(from_wire(wire, coid="s", strategy="s", instrument=instrument), Unreadable)


def test_the_table_of_spreads_is_whole() -> None:
    assert len(SPREADS) == 13
    assert len(set(SPREADS.values())) == 13
