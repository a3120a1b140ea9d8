"""What a position may do before a room that was measured holds no more, and what an order may still trade."""

from __future__ import annotations

import pytest

from engine.domain.ticket import Side
from engine.risk.exposure import Reserved, Units
from tests.risk.made import D, gate, new


@pytest.mark.parametrize("side", Side)
def test_a_position_may_move_as_far_as_ended_orders_have_freed(side: Side) -> None:
    units = Units()
    units.free(side, D(3), 1)
    units.free(side, D(4), 1)
    assert not units.move(7 * side.sign * D(1), 1)  # as far as the reach was when it was measured
    assert units.position == 7 * side.sign
    assert not units.move(7 * side.sign * D(1), 1)
    assert units.move(8 * side.sign * D(1), 1)
    assert not units.move(D(0), 1)  # back to where it was
    assert units.move(-1 * side.sign * D(1), 1)  # and beyond, where nothing was freed


@pytest.mark.parametrize("side", Side)
def test_what_the_other_side_has_freed_lets_a_position_move_no_further(side: Side) -> None:
    units = Units(position=D(2))
    units.free(side.opposite, D(5), 1)
    assert units.move(units.position + side.sign, 1)


@pytest.mark.parametrize("side", Side)
def test_what_was_freed_before_a_measurement_counts_no_more(side: Side) -> None:
    units = Units()
    units.free(side, D(5), 1)
    assert units.move(D(side.sign), 2)
    units.free(side, D(3), 2)
    assert not units.move(D(3) * side.sign, 2)  # one more than was measured with, less the three


@pytest.mark.parametrize(("filled", "left"), [("0", "10"), ("9.5", "0.5"), ("10", "0"), ("12", "0")])
def test_an_order_may_trade_what_is_left_of_it_and_never_less_than_nothing(filled: str, left: str) -> None:
    entry = Reserved(gate().exposure("a", 1), new(10), filled=D(filled))
    assert entry.worst() == D(left)
    entry.wanted = new(4)  # a smaller one makes it no smaller before it is confirmed
    assert entry.worst() == D(left)
    entry.wanted = new(20)
    assert entry.worst() == 20 - D(filled)
