"""Tickets off the wire: what is read, what is refused and why, and that nothing raises."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.ticket import OrderType, Side, Tif
from engine.gateway.fields import FIELDS, number
from engine.gateway.tickets import Draft, Problem, parse
from tests.gateway.desk_fakes import AAPL, ACCOUNT, BTC, DARK, ES, EUR, Bench, limit, market


def read(raw: object) -> Draft | Problem:
    """Parse against the still market."""
    return parse(Bench().hall, ACCOUNT, raw)


def good(raw: object) -> Draft:
    found = read(raw)
    assert isinstance(found, Draft), found
    return found


def bad(raw: object) -> Problem:
    found = read(raw)
    assert isinstance(found, Problem), found
    return found


def test_the_official_ticket_is_read() -> None:
    ticket = good(limit()).ticket
    assert (ticket.conid, ticket.side, ticket.order_type) == (AAPL, Side.BUY, OrderType.LIMIT)
    assert (ticket.limit_price, ticket.quantity, ticket.tif) == (Decimal(165), Decimal(100), Tif.DAY)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (165, "165"),
        (165.1, "165.1"),
        ("165.10", "165.1"),
        (" 165 ", "165"),
        (165.10000000000002, "165.1"),
        (".5", "0.5"),
        ("-1.5", "-1.5"),
        (0, "0"),
    ],
)
def test_numbers_are_read_exactly(value: object, wanted: str) -> None:
    assert number(value) == Decimal(wanted)


@pytest.mark.parametrize(
    "value", [True, None, "", "1e5", "1,300", "NaN", float("nan"), float("inf"), 10**13, [], {}, "٣"]
)
def test_what_is_no_number(value: object) -> None:
    assert number(value) is None


@pytest.mark.parametrize(
    ("more", "field", "word"),
    [
        ({"side": None}, "side", "side"),
        ({"side": "HOLD"}, "side", "BUY or SELL"),
        ({"orderType": "STP_LMT"}, "orderType", "not supported"),
        ({"orderType": "MIT"}, "orderType", "not supported"),
        ({"tif": "GTD"}, "tif", "not supported"),
        ({"tif": "PAX"}, "tif", "not supported"),
        ({"conid": 0}, "conid", "no sec defs returned"),
        ({"conid": "x"}, "conid", "whole number"),
        ({"conidex": "265598@SMART"}, "conid", "both"),
        ({"conid": None}, "conid", "Missing"),
        ({"quantity": 0}, "quantity", "above zero"),
        ({"quantity": -1}, "quantity", "above zero"),
        ({"quantity": "many"}, "quantity", "a number"),
        ({"quantity": 0.5}, "quantity", "multiple"),
        ({"quantity": None}, "quantity", "Missing"),
        ({"cashQty": 100}, "cashQty", "both"),
        ({"price": None}, "price", "needs price"),
        ({"price": -5}, "price", "above zero"),
        ({"auxPrice": 5}, "auxPrice", "takes no auxPrice"),
        ({"trailingAmt": 5}, "trailingAmt", "takes no trailingAmt"),
        ({"orderType": "MKT"}, "price", "takes no price"),
        ({"orderType": "STP", "outsideRTH": True}, "outsideRTH", "outside regular hours"),
        ({"orderType": "STP", "tif": "IOC"}, "tif", "time in force"),
        ({"orderType": "LOC", "tif": "GTC"}, "tif", "DAY only"),
        ({"outsideRTH": "true"}, "outsideRTH", "true or false"),
        ({"acctId": "DU7"}, "acctId", "not valid"),
        ({"cOID": "x" * 65}, "cOID", "64"),
        ({"cOID": 5}, "cOID", "a string"),
        ({"allOrNone": True}, "allOrNone", "not supported"),
        ({"isCcyConv": True}, "fxQty", "currency pairs"),
        ({"strategy": "Nonsense"}, "strategy", "not supported"),
        ({"strategyParameters": {"a": "b"}}, "strategyParameters", "without a strategy"),
        ({"secType": "265598:OPT"}, "secType", "secType"),
        ({"conid": ES}, "manualIndicator", "manualIndicator"),
    ],
)
def test_a_refusal_names_the_field_and_why(more: dict[str, Any], field: str, word: str) -> None:
    problem = bad(limit(**more))
    assert problem.field == field
    assert word in problem.text


def test_an_unknown_instrument_is_a_refusal_with_status_200() -> None:
    assert bad(limit(conid=424242)) == Problem(200, "no sec defs returned forSecDef 424242", "conid")


@pytest.mark.parametrize(
    "more",
    [
        {"side": "Buy"},
        {"quantity": "100", "price": "165.00"},
        {"conid": "265598"},
        {"secType": "265598:STK", "ticker": "AAPL", "listingExchange": "SMART", "referrer": "QuickTrade"},
        {"price": 165.5, "auxPrice": None, "trailingType": ""},
        {"strategy": "Adaptive", "strategyParameters": {"adaptivePriority": "Normal"}},
        {"tif": "IOC"},
        {"tif": "OPG"},
        {"conid": None, "conidex": "265598@NASDAQ"},
        {"conid": ES, "quantity": 1, "price": 5100.25, "manualIndicator": False, "extOperator": "desk"},
        {"somethingNew": [1, 2]},
    ],
)
def test_what_the_wire_tolerates(more: dict[str, Any]) -> None:
    assert good(limit(**more)).wire == limit(**more)


def test_prices_go_where_the_order_type_wants_them() -> None:
    stop = good(limit(orderType="STP")).ticket
    assert (stop.stop_price, stop.limit_price) == (Decimal(165), None)
    both = good(limit(orderType="STOP_LIMIT", price=170, auxPrice=169)).ticket
    assert (both.limit_price, both.stop_price) == (Decimal(170), Decimal(169))
    trail = good(limit(orderType="TRAIL", price=None, trailingAmt=2, trailingType="%")).ticket
    assert (trail.trail, str(trail.trail_unit), trail.stop_price) == (Decimal(2), "%", None)
    cap = good(limit(orderType="MIDPRICE", price=None)).ticket
    assert (cap.limit_price, cap.order_type) == (None, OrderType.MIDPRICE)


def test_the_price_of_a_traillmt_is_a_limit_or_an_offset() -> None:
    base = {"orderType": "TRAILLMT", "trailingAmt": 1, "trailingType": "amt"}
    sell = good(limit(**base, side="SELL", price=159.5, auxPrice=160)).ticket
    assert (sell.stop_price, sell.limit_offset) == (Decimal(160), Decimal("0.5"))  # the limit lies below the stop
    buy = good(limit(**base, price=170.25, auxPrice=170)).ticket
    assert buy.limit_offset == Decimal("0.25")
    assert good(limit(**base, price=0.25, auxPrice=170)).ticket.limit_offset == Decimal("0.25")
    assert good(limit(**base, price=0.25)).ticket.limit_offset == Decimal("0.25")


def test_a_price_off_the_ticks_is_moved_never_for_the_worse() -> None:
    buy = good(limit(price=165.016))
    assert (buy.ticket.limit_price, buy.off_tick) == (Decimal("165.01"), True)
    assert good(limit(price=165.014, side="SELL")).ticket.limit_price == Decimal("165.02")
    assert not good(limit(price=165.01)).off_tick


def test_cash_quantity_buys_whole_units_rounded_down() -> None:
    draft = good(market(quantity=None, cashQty=1_000))  # 1,000 / 168.43 = 5.93
    assert (draft.ticket.quantity, draft.cash_quantity) == (Decimal(5), Decimal(1_000))
    assert good(limit(quantity=None, cashQty=1_000, price=100)).ticket.quantity == 10
    assert "less than one unit" in bad(market(quantity=None, cashQty=100)).text
    assert "sell order" in bad(market(quantity=None, cashQty=1_000, side="SELL")).text
    assert "there is none" in bad(market(conid=DARK, quantity=None, cashQty=1_000)).text
    coin = good(market(conid=BTC, quantity=None, cashQty=600.1, tif="PAX"))
    assert coin.ticket.quantity == Decimal("0.01")


def test_currency_conversion_takes_its_own_quantity() -> None:
    raw = market(conid=EUR, quantity=None, fxQty=2_500.5, isCcyConv=True)
    assert good(raw).ticket.quantity == Decimal("2500.5")


def test_combos_need_exactly_three_semicolons_and_whole_ratios() -> None:
    combo = limit(conid=None, conidex="28812380;;;265598/1,756733/-1", price=-331.59)
    ticket = good(combo).ticket
    assert ticket.limit_price == Decimal("-331.59")
    for conidex, word in (
        ("28812380;;265598/1,756733/-1", "spread_conid;;;"),
        ("28812380;;;;265598/1,756733/-1", "Invalid combo"),
        ("28812380;;;265598/1.5,756733/-1", "whole ratio"),
        ("28812380;;;265598/1, 756733/-1", "whole ratio"),
        ("28812380;;;265598/0,756733/-1", "whole ratio"),
        ("28812380;;;265598/1", "2 to 6 legs"),
        ("28812380;;;265598/1,265598/-1", "two legs"),
        ("28812380;;;265598/1,99/-1", "no sec defs"),
        ("28812381;;;265598/1,756733/-1", "no currency"),
        ("58666491;;;265598/1,756733/-1", "needs its @EXCHANGE"),
        ("58666491@SMART;;;265598/1,756733/-1", "does not trade in GBP"),
        ("nonsense", "neither"),
    ):
        problem = bad(limit(conid=None, conidex=conidex))
        assert problem.field == "conidex"
        assert word in problem.text, conidex
    assert "MKT and LMT" in bad({**combo, "orderType": "STP"}).text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
WORDS = (
    "BUY SELL LMT MKT STP STOP_LIMIT TRAIL TRAILLMT MIDPRICE MOC LOC DAY GTC IOC OPG PAX amt % 265598@SMART "
    "28812380;;;265598/1,756733/-1 165 Adaptive"
)
LIKELY = st.sampled_from(WORDS.split())
NUMBERS = st.sampled_from([AAPL, ES, BTC, EUR, 1, 100, 165.0, 0.005, 1e12, -1, 0, 1e-9, 99.999])


@given(raw=st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON | LIKELY | NUMBERS, max_size=12) | JSON)
def test_any_json_is_read_or_refused(raw: object) -> None:
    found = read(raw)
    assert isinstance(found, Draft | Problem)
    if isinstance(found, Problem):
        assert found.text
        assert found.status in (200, 400)


@given(
    kind=st.sampled_from([kind.value for kind in OrderType]),
    changes=st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON | LIKELY | NUMBERS, max_size=4),
    price=NUMBERS,
    conid=st.sampled_from([AAPL, ES, BTC, EUR, DARK]),
)
def test_a_draft_lies_on_the_instruments_grid(kind: str, changes: dict[str, Any], price: float, conid: int) -> None:
    raw = limit(conid=conid, orderType=kind, price=price, manualIndicator=False) | changes
    found = read(raw)
    if not isinstance(found, Draft):
        return
    instrument = found.contract.instrument
    assert found.ticket.quantity % instrument.size_increment == 0
    for value in (found.ticket.limit_price, found.ticket.stop_price):
        assert value is None or instrument.on_tick(value)
    msgspec.json.encode(found.wire)
