"""Brackets, OCA groups and combos, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.facts import Filled, LegExecution
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.market import MarketEvent
from engine.domain.ticket import OrderType, Tif
from tests.venue.driving import NAN, X, bar, cancel, fills, modify, place, play, quote, said, ticket, trade, venue_of

STP = OrderType.STOP


def bracket(entry: Any, target: str = "10.10", stop: str = "9.90", quantity: int = 100) -> list[Any]:
    """A long bracket."""
    return [
        entry,
        ticket("t", "SELL", quantity, target, parent=entry.coid),
        ticket("s", "SELL", quantity, order_type=STP, stop_price=stop, parent=entry.coid),
    ]


def run(rows: Sequence[Any], orders: list[Any], later: dict[int, list[Any]] | None = None, **more: Any) -> list[Any]:
    return play(venue_of(**more), rows, {0: [place(*orders)], **(later or {})})


# Brackets on quotes


def test_children_wait_then_the_target_ends_the_stop() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 9.98, 10.0), quote(2, 10.10, 10.12), quote(3, 9.8, 9.9)]
    answers = run(rows, bracket(ticket("e", "BUY", limit="10.00")))
    assert said(answers) == [
        "Accepted e",
        "Pending t",
        "Pending s",
        "Filled e",
        "Accepted t",
        "Accepted s",
        "Filled t",
        "Cancelled s oca",
    ]
    assert fills(answers) == [("e", "100", "10.00", "maker"), ("t", "100", "10.10", "maker")]


def test_children_live_for_what_the_entry_has_filled() -> None:
    rows = [
        quote(0, 10.0, 10.02),
        quote(1, 9.98, 10.0, ask_size=40),  # entry: 40
        quote(2, 10.10, 10.12, bid_size=500),  # target: 40, no more is held
        quote(3, 9.98, 10.0, ask_size=60),  # entry: the other 60
        quote(4, 9.89, 9.91, bid_size=500),  # stop: 60
    ]
    answers = run(rows, bracket(ticket("e", "BUY", limit="10.00")))
    assert [(coid, quantity) for coid, quantity, _, _ in fills(answers)] == [
        ("e", "40"),
        ("t", "40"),
        ("e", "60"),
        ("s", "60"),
    ]
    assert said(answers)[-2:] == ["Cancelled t oca", "Cancelled s oca"]  # neither holds anything to get out of


def test_a_partial_exit_takes_from_the_sibling() -> None:
    rows = [
        quote(0, 9.98, 10.0),
        quote(1, 10.10, 10.12, bid_size=30),
        quote(2, 9.89, 9.91, bid_size=500),
    ]
    answers = run(rows, bracket(ticket("e", "BUY", limit="10.00")))
    assert [(coid, quantity) for coid, quantity, _, _ in fills(answers)] == [("e", "100"), ("t", "30"), ("s", "70")]
    assert said(answers)[-2:] == ["Cancelled t oca", "Cancelled s oca"]


def test_cancelled_entry_takes_its_children_along() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 10.0, 10.02), quote(2, 10.0, 10.02)]
    answers = run(rows, bracket(ticket("e", "BUY", limit="9.00")), {1: [cancel("e")]})
    assert said(answers)[3:] == ["Cancelled e request", "Cancelled t parent", "Cancelled s parent"]


def test_half_filled_entry_leaves_its_children() -> None:
    rows = [quote(0, 9.98, 10.0, ask_size=40), quote(1, 9.98, 10.0), quote(2, 9.95, 9.97), quote(3, 9.89, 9.91)]
    entry = ticket("e", "BUY", limit="10.00", tif=Tif.IOC)
    answers = run(rows, bracket(entry))
    assert fills(answers) == [("e", "40", "10.00", "taker"), ("s", "40", "9.89", "taker")]
    assert "Cancelled e ioc" in said(answers)


def test_two_targets_and_one_stop() -> None:
    rows = [quote(0, 9.98, 10.0), quote(1, 10.10, 10.12, bid_size=500), quote(2, 9.89, 9.91, bid_size=500)]
    orders = [
        ticket("e", "BUY", limit="10.00"),
        ticket("t1", "SELL", 50, "10.10", parent="e"),
        ticket("t2", "SELL", 50, "10.30", parent="e"),
        ticket("s", "SELL", 100, order_type=STP, stop_price="9.90", parent="e"),
    ]
    answers = run(rows, orders)
    assert [(coid, quantity) for coid, quantity, _, _ in fills(answers)] == [("e", "100"), ("t1", "50"), ("s", "50")]
    assert said(answers)[-2:] == ["Cancelled t2 oca", "Cancelled s oca"]


def test_child_of_an_entry_that_has_filled_is_live_at_once() -> None:
    rows = [quote(0, 9.98, 10.0), quote(1, 9.98, 10.0), quote(2, 10.10, 10.12)]
    late = place(ticket("t", "SELL", limit="10.10", parent="e"))
    answers = run(rows, [ticket("e")], {1: [late]})
    assert fills(answers)[1] == ("t", "100", "10.10", "maker")


def test_child_without_an_entry_is_refused() -> None:
    other = ticket("u", "SELL", limit="10.10", parent="e", conid=2)
    y = Instrument(conid=2, symbol="Y", calendar="24/7")
    orders = [ticket("t", "SELL", limit="10.10", parent="e"), ticket("e"), other]
    alone = [place(order) for order in orders]
    answers = play(venue_of((X, y)), [quote(0, 9.98, 10.0)], {0: alone})
    assert said(answers) == ["Refused t parent", "Accepted e", "Filled e", "Refused u parent"]
    answers = play(venue_of((X, y)), [quote(0, 9.98, 10.0)], {0: [place(*orders)]})
    assert said(answers) == ["Refused t parent", "Refused e group", "Refused u parent"]


def test_entry_cut_down_to_what_it_has_filled() -> None:
    rows = [quote(0, 9.98, 10.0, ask_size=40), quote(1, 9.98, 10.0, ask_size=0), quote(2, 10.10, 10.12)]
    entry = ticket("e", "BUY", limit="10.00")
    answers = run(rows, bracket(entry), {1: [modify(ticket("e", "BUY", 40, "10.00"))]})
    assert [(coid, quantity) for coid, quantity, _, _ in fills(answers)] == [("e", "40"), ("t", "40")]
    assert said(answers)[-2:] == ["Cancelled t oca", "Cancelled s oca"]


# Brackets on bars


@pytest.mark.parametrize(
    ("row", "found", "doubt"),
    [
        # The entry is filled at the open of 10.00: the whole bar comes after it.
        (bar(120, 10.0, 10.05, 9.95, 10.0), ["e 10.00"], 0),
        (bar(120, 10.0, 10.2, 9.95, 10.0), ["e 10.00", "t 10.10"], 0),
        (bar(120, 10.0, 10.2, 9.85, 10.0), ["e 10.00", "s 9.90"], 1),  # both children: the worse
        (bar(120, 10.0, 10.05, 9.85, 10.0), ["e 10.00", "s 9.90"], 0),
    ],
)
def test_children_in_the_bar_of_a_market_entry(row: MarketEvent, found: list[str], doubt: int) -> None:
    _check([row], bracket(ticket("e")), found, doubt)


@pytest.mark.parametrize(
    ("row", "found", "doubt"),
    [
        (bar(120, 10.05, 10.06, 9.99, 10.0), ["e 10.00"], 0),
        (bar(120, 10.05, 10.06, 9.85, 10.0), ["e 10.00", "s 9.90"], 0),  # on the way down it passed the entry first
        (bar(120, 10.05, 10.2, 9.99, 10.0), ["e 10.00"], 1),  # the high may have come before the entry
        (bar(120, 10.05, 10.2, 9.85, 10.0), ["e 10.00", "s 9.90"], 1),  # or up to the target in between
    ],
)
def test_children_in_the_bar_of_a_limit_entry(row: MarketEvent, found: list[str], doubt: int) -> None:
    _check([row], bracket(ticket("e", "BUY", limit="10.00")), found, doubt)


@pytest.mark.parametrize(
    ("row", "found", "doubt"),
    [
        (bar(120, 9.95, 10.05, 9.94, 10.0), ["e 10.00"], 0),
        (bar(120, 9.95, 10.05, 9.85, 10.0), ["e 10.00", "s 9.90"], 1),  # the low may have come before the entry
    ],
)
def test_children_in_the_bar_of_a_stop_entry(row: MarketEvent, found: list[str], doubt: int) -> None:
    _check([row], bracket(ticket("e", "BUY", order_type=STP, stop_price="10.00")), found, doubt)


def _check(rows: list[MarketEvent], orders: list[Any], found: list[str], doubt: int) -> None:
    venue = venue_of()
    answers = play(venue, [bar(60, 9.97, 9.97, 9.97, 9.97), *rows], {0: [place(*orders)]})
    assert [f"{coid} {price}" for coid, _, price, _ in fills(answers)] == found
    assert venue.counts["ambiguous_bars"] == doubt


def test_later_bar_with_both_children_takes_the_stop() -> None:
    rows: list[MarketEvent] = [bar(120, 10.0, 10.0, 10.0, 10.0), bar(180, 10.0, 10.2, 9.8, 10.0)]
    _check(rows, bracket(ticket("e")), ["e 10.00", "s 9.90"], 1)


def test_later_bar_that_opens_at_the_target_is_not_in_doubt() -> None:
    rows: list[MarketEvent] = [bar(120, 10.0, 10.0, 10.0, 10.0), bar(180, 10.15, 10.2, 9.8, 10.0)]
    _check(rows, bracket(ticket("e")), ["e 10.00", "t 10.15"], 0)


# OCA


def test_any_fill_of_a_member_cancels_the_others() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 9.98, 10.0, ask_size=10), quote(2, 9.9, 9.92)]
    orders = [ticket(coid, "BUY", limit=limit, oca_group="g") for coid, limit in (("a", "10.00"), ("b", "9.95"))]
    answers = run(rows, [*orders, ticket("c", "BUY", limit="9.95")])
    assert fills(answers) == [
        ("a", "10", "10.00", "maker"),
        ("a", "90", "10.00", "maker"),
        ("c", "10", "9.95", "maker"),
    ]
    assert "Cancelled b oca" in said(answers)


# Combos

Y = Instrument(conid=2, symbol="Y", calendar="24/7")
SPREAD = Instrument(conid=3, symbol="X-2Y", sec_type=SecType.COMBO, calendar="24/7", legs=(Leg(1, 1), Leg(2, -2)))


def combo(rows: Sequence[Any], *orders: Any, at: int = 1, **more: Any) -> list[Any]:
    return play(venue_of((X, Y, SPREAD), **more), rows, {at: [place(order) for order in orders]})


def test_combo_pays_the_worse_side_of_each_leg() -> None:
    rows = [quote(0, 10.0, 10.02, 100, 70), quote(1, 4.0, 4.01, 300, 300, conid=2)]
    (found,) = [one for one in combo(rows, ticket("k", "BUY", 50, conid=3)) if isinstance(one, Filled)]
    assert (found.price, found.quantity) == (Decimal("2.02"), Decimal(50))  # 10.02 - 2 x 4.00
    assert found.legs == (
        LegExecution(1, Decimal(50), Decimal("10.02")),
        LegExecution(2, Decimal(-100), Decimal("4.00")),
    )
    (found,) = [one for one in combo(rows, ticket("k", "SELL", 50, conid=3)) if isinstance(one, Filled)]
    assert found.price == Decimal("1.98")  # 10.00 - 2 x 4.01
    assert found.legs[1] == LegExecution(2, Decimal(100), Decimal("4.01"))


def test_combo_takes_what_the_shorter_leg_has_and_goes_on() -> None:
    rows = [
        quote(0, 10.0, 10.02, 100, 70),
        quote(1, 4.0, 4.01, 80, 300, conid=2),  # 80 / 2 = 40 units
        quote(2, 4.0, 4.01, 300, 300, conid=2),
    ]
    assert fills(combo(rows, ticket("k", "BUY", 60, conid=3))) == [
        ("k", "40", "2.02", "taker"),
        ("k", "20", "2.02", "taker"),
    ]


def test_combo_net_limit_waits_for_its_price() -> None:
    rows = [
        quote(0, 10.0, 10.02),
        quote(1, 4.0, 4.01, 500, 500, conid=2),
        quote(2, 4.02, 4.03, 500, 500, conid=2),  # 10.02 - 8.04 = 1.98
    ]
    assert fills(combo(rows, ticket("k", "BUY", 50, "1.98", conid=3))) == [("k", "50", "1.98", "taker")]
    assert fills(combo(rows, ticket("k", "BUY", 50, "1.97", conid=3))) == []
    assert said(combo(rows, ticket("k", "BUY", 50, "1.97", conid=3, tif=Tif.IOC))) == ["Accepted k", "Cancelled k ioc"]


def test_combo_needs_every_leg() -> None:
    rows: list[MarketEvent] = [quote(0, 10.0, 10.02), quote(1, 10.0, 10.02), quote(2, NAN, 4.01, conid=2)]
    assert fills(combo(rows, ticket("k", "BUY", 50, conid=3))) == []
    rows = [quote(0, 10.0, 10.02), quote(1, 10.0, 10.02), quote(2, 4.0, 4.01, NAN, NAN, conid=2)]
    venue = venue_of((X, Y, SPREAD))
    answers = play(venue, rows, {0: [place(ticket("k", "BUY", 500, conid=3))]})
    assert fills(answers) == [("k", "100", "2.02", "taker")]  # as many as the leg whose size is known has
    assert venue.counts["unsized_fills"] == 1


def test_combo_takes_only_simple_orders() -> None:
    order = ticket("k", "BUY", 50, conid=3, order_type=STP, stop_price="2.00")
    assert said(combo([trade(0, 1.0), trade(1, 1.0)], order)) == ["Refused k order_type"]


def test_combo_next_event_waits_for_a_leg() -> None:
    rows = [quote(0, 10.0, 10.02), quote(1, 4.0, 4.01, conid=2), quote(2, 10.1, 10.12)]
    assert fills(combo(rows, ticket("k", "BUY", 50, conid=3), fills="next_event")) == [("k", "50", "2.12", "taker")]
    late = ticket("k", "BUY", 50, "1.00", conid=3, tif=Tif.IOC)
    assert said(combo(rows, late, fills="next_event")) == ["Accepted k", "Cancelled k ioc"]


def test_two_combo_orders_share_what_is_displayed() -> None:
    rows = [quote(0, 10.0, 10.02, 100, 0), quote(1, 4.0, 4.01, 500, 500, conid=2), quote(2, 10.0, 10.02, 100, 70)]
    orders = [ticket(coid, "BUY", 50, conid=3) for coid in "ab"]
    assert fills(combo(rows, *orders)) == [("a", "50", "2.02", "taker"), ("b", "20", "2.02", "taker")]
