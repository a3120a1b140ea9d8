"""Tickets sent together are taken whole or not at all, and know one another before the first can be filled."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.facts import Refused
from engine.domain.instrument import Instrument
from engine.domain.ticket import OrderTicket, OrderType, Tif
from tests.venue.driving import X, modify, place, play, quote, said, ticket, venue_of

STP = OrderType.STOP
Y = Instrument(conid=2, symbol="Y", calendar="24/7")
ROWS = [quote(0, 9.98, 10.0), quote(1, 9.98, 10.0), quote(2, 9.98, 10.0)]


def refusals(*orders: OrderTicket, **more: Any) -> list[tuple[str, str, str]]:
    answers = play(venue_of((X, Y), **more), ROWS, {0: [place(*orders)]})
    assert all(isinstance(one, Refused) for one in answers), said(answers)
    return [(one.coid, one.code, one.reason) for one in answers if isinstance(one, Refused)]


def test_one_bad_child_refuses_its_bracket_and_is_named() -> None:
    found = refusals(
        ticket("e", "BUY", limit="10.00"),
        ticket("t", "SELL", limit="10.10", parent="e"),
        ticket("s", "SELL", order_type=STP, stop_price="9.905", parent="e"),
    )
    why = "the stop price 9.905 is not on a tick of X"
    whole = f"s of the same group is refused: {why}"
    assert found == [("e", "group", whole), ("t", "group", whole), ("s", "price_tick", why)]


def test_each_bad_ticket_hears_its_own_reason_and_the_rest_the_first() -> None:
    found = refusals(
        ticket("a", "BUY", limit="9.90", oca_group="g"),
        ticket("b", "BUY", limit="9.905", oca_group="g"),
        ticket("c", "BUY", 1, "9.90", conid=7, oca_group="g"),
    )
    assert [(coid, code) for coid, code, _ in found] == [
        ("a", "group"),
        ("b", "price_tick"),
        ("c", "unknown_instrument"),
    ]
    assert found[0][2].startswith("b of the same group is refused: ")


def test_a_child_of_an_entry_in_another_instrument_refuses_the_group() -> None:
    found = refusals(ticket("e", "BUY", limit="9.00"), ticket("t", "SELL", limit="10.10", parent="e", conid=2))
    assert [(coid, code) for coid, code, _ in found] == [("e", "group"), ("t", "parent")]


def test_an_id_twice_in_one_group_refuses_it() -> None:
    found = refusals(ticket("e", "BUY", limit="9.00"), ticket("e", "BUY", limit="9.10"))
    assert {code for _, code, _ in found} == {"duplicate_id"}


def test_refusals_are_heard_after_the_report_latency() -> None:
    bad = [ticket("e", "BUY", limit="9.00"), ticket("t", "SELL", limit="10.105", parent="e")]
    answers = play(venue_of((X,), report=1), ROWS, {0: [place(*bad)]})
    assert [one.ts_ns for one in answers] == [1_000_000, 1_000_000]


def test_an_oca_order_that_fills_on_arrival_cancels_those_sent_with_it() -> None:
    orders = [ticket("a", "BUY", limit="10.00", oca_group="g"), ticket("b", "BUY", limit="9.90", oca_group="g")]
    assert said(play(venue_of(), ROWS, {0: [place(*orders)]})) == ["Accepted a", "Filled a", "Cancelled b oca"]


def test_an_ioc_entry_that_gets_nothing_takes_its_children_along() -> None:
    orders = [ticket("e", "BUY", limit="9.00", tif=Tif.IOC), ticket("t", "SELL", limit="10.10", parent="e")]
    answers = play(venue_of(), ROWS, {0: [place(*orders)]})
    assert said(answers) == ["Accepted e", "Cancelled e ioc", "Cancelled t parent"]


def test_a_refused_modification_leaves_order_and_group_alone() -> None:
    orders = [ticket("e", "BUY", limit="9.00"), ticket("t", "SELL", limit="10.10", parent="e")]
    rows = [*ROWS, quote(3, 8.9, 9.0), quote(4, 10.10, 10.12)]
    answers = play(
        venue_of(), rows, {0: [place(*orders)], 1: [modify(ticket("t", "SELL", limit="10.105", parent="e"))]}
    )
    assert said(answers) == [
        "Accepted e",
        "Pending t",
        "ModifyRefused t price_tick",
        "Filled e",
        "Accepted t",
        "Filled t",
    ]


@given(
    good=st.lists(st.booleans(), min_size=2, max_size=5),
    bad_by=st.sampled_from(("tick", "size", "instrument", "parent")),
    kind=st.sampled_from(("bracket", "oca", "both")),
)
def test_all_or_none(good: list[bool], bad_by: str, kind: str) -> None:
    orders = []
    for number, fine in enumerate(good):
        more: dict[str, Any] = {} if kind == "bracket" else {"oca_group": "g"}
        if number and kind != "oca":
            more["parent"] = "o0"
        price, quantity = "9.00", "10"
        if not fine:
            match bad_by:
                case "tick":
                    price = "9.005"
                case "size":
                    quantity = "10.5"
                case "instrument":
                    more["conid"] = 99
                case _:
                    more["parent"] = "nobody"
        orders.append(ticket(f"o{number}", "BUY", quantity, price, **more))
    answers = play(venue_of((X, Y)), ROWS, {0: [place(*orders)]})
    refused = [one.coid for one in answers if isinstance(one, Refused)]
    assert refused == ([] if all(good) else [order.coid for order in orders])
    if not all(good):
        assert len(answers) == len(orders)
        own = [isinstance(one, Refused) and one.code != "group" for one in answers]
        # A child of an entry in an instrument that nobody knows trades another one than its entry.
        lost = bad_by == "instrument" and kind != "oca" and not good[0]
        assert own == [not fine or lost for fine in good]
