"""The kill switch's own gate: it lets pass what only reduces, whatever else is shut, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.messages import Approved, Denied, Place
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk.account import Held, Level
from engine.risk.closing import closing_side, judge_closing, under_way
from engine.risk.gate import Gate
from tests.risk.made import T0, D, FakeView, gate, new


def closing(quantity: Any, side: Side = Side.SELL, **changes: Any) -> OrderTicket:
    ticket = new(quantity, side=side)
    return replace(ticket, order_type=OrderType.MARKET, limit_price=None, **changes)


def asked(here: Gate, *tickets: OrderTicket, held: Any = 10, view: FakeView | None = None) -> str:
    """The code of the refusal; empty if it was approved."""
    known = view or FakeView()
    verdict = judge_closing(here, Place(tickets), {1: D(held)}, lambda: known, T0)
    if isinstance(verdict, Denied):
        return verdict.refusal.code
    assert isinstance(verdict, Approved)
    return ""


@pytest.mark.parametrize(
    ("held", "side", "quantity", "code"),
    [
        (10, Side.SELL, 9, ""),
        (10, Side.SELL, 10, ""),
        (10, Side.SELL, "10.5", "REDUCE_ONLY"),
        (10, Side.BUY, 1, "REDUCE_ONLY"),
        (-10, Side.BUY, 10, ""),
        (-10, Side.BUY, 11, "REDUCE_ONLY"),
        (-10, Side.SELL, 1, "REDUCE_ONLY"),
        (0, Side.SELL, 1, "REDUCE_ONLY"),
    ],
)
def test_an_order_may_be_as_large_as_what_is_held(held: int, side: Side, quantity: Any, code: str) -> None:
    assert asked(gate(), closing(quantity, side), held=held) == code


@pytest.mark.parametrize(
    ("held", "tickets", "limit", "value"),
    [
        (10, [(11, Side.SELL)], "10", "11"),
        (-10, [(12, Side.BUY)], "10", "12"),
        (10, [(1, Side.BUY)], "0", "1"),
        (-10, [(1, Side.SELL)], "0", "1"),
        (0, [(1, Side.SELL)], "0", "1"),
        (10, [(1, Side.SELL), (2, Side.SELL)], "one order", "2"),
    ],
)
def test_a_refusal_tells_how_much_may_be_closed(
    held: int, tickets: list[tuple[int, Side]], limit: str, value: str
) -> None:
    wanted = Place(tuple(closing(quantity, side) for quantity, side in tickets))
    verdict = judge_closing(gate(), wanted, {1: D(held)}, FakeView, T0)
    assert isinstance(verdict, Denied)
    assert (verdict.refusal.limit, verdict.refusal.value) == (limit, value)


def test_a_refusal_tells_what_is_left_and_which_type_it_has_to_be() -> None:
    here = gate()
    assert asked(here, closing(8)) == ""
    for ticket, limit, value in (
        (closing(3), "2", "3"),  # 8 of 10 are on their way out
        (replace(closing(1), order_type=OrderType.LIMIT, limit_price=D(1)), "a market order", "LMT"),
    ):
        verdict = judge_closing(here, Place((ticket,)), {1: D(10)}, FakeView, T0)
        assert isinstance(verdict, Denied)
        assert (verdict.refusal.limit, verdict.refusal.value) == (limit, value)
    late = judge_closing(here, Place((closing(1),)), {1: D(5)}, FakeView, T0)  # the venue has fewer than are wanted
    assert isinstance(late, Denied)
    assert late.refusal.limit == "0"


def test_what_is_held_is_closed_by_the_other_side() -> None:
    here = gate()
    assert [closing_side(D(units)) for units in (10, -10)] == [Side.SELL, Side.BUY]
    assert asked(here, closing(6)) == ""
    assert asked(here, closing(2, Side.BUY), held=-10) == ""
    assert under_way(here, 1, D(10)) == 6
    assert under_way(here, 1, D(-10)) == 2


def test_what_the_venue_does_not_name_is_not_held() -> None:
    verdict = judge_closing(gate(), Place((closing(1),)), {2: D(5)}, FakeView, T0)
    assert isinstance(verdict, Denied)


def test_no_latch_no_limit_and_no_missing_price_closes_it() -> None:
    here = gate(order_quantity_max=D(1), orders_per_minute_max=0, session_hours=True, orders_per_day_max=0)
    here.latch("", Held(Level.HALTED, "LOSS", "too much", T0))
    assert asked(here, closing(10), view=FakeView(value=None, halted=True)) == ""


def test_what_is_under_way_counts() -> None:
    here = gate()
    assert asked(here, closing(6)) == ""
    assert asked(here, closing(5)) == "REDUCE_ONLY"
    assert asked(here, closing(4)) == ""


def test_only_one_market_order_of_ours_with_a_new_id_passes() -> None:
    here = gate()
    first = closing(1)
    assert asked(here, first) == ""
    assert asked(here, first) == "ID"
    assert asked(here, replace(closing(1), order_type=OrderType.LIMIT, limit_price=D(1))) == "REDUCE_ONLY"
    assert asked(here, closing(1, oca_group="a-oca-1")) == "REDUCE_ONLY"
    assert asked(here, closing(1), closing(1)) == "REDUCE_ONLY"
    assert asked(here) == "REDUCE_ONLY"


def test_an_order_without_a_known_price_does_not_spoil_the_day_s_sums() -> None:
    here = gate(notional_per_day_max=D(1_000_000))
    assert asked(here, closing(1), view=FakeView(value=None)) == ""
    assert asked(here, closing(1)) == ""
    assert here.account.purse("", T0).notional == 100.0


@given(st.integers(-20, 20), st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 25)), max_size=12))
def test_no_sequence_of_approvals_turns_a_position(held: int, wanted: Sequence[tuple[Side, int]]) -> None:
    here, left = gate(), Decimal(held)
    for side, quantity in wanted:
        if asked(here, closing(quantity, side), held=held) == "":
            left += quantity * side.sign  # the model: all of it fills
    assert left == 0 or (left > 0) == (held > 0)
    assert abs(left) <= abs(held)
