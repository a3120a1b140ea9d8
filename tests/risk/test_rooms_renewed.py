"""Account summaries come often: a room holds on under another, and never beyond what that one leaves."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.moments import NS_PER_S
from engine.domain.ticket import Side
from tests.risk.made import T0, D
from tests.risk.test_rooms import STOCK, Rooms, summary
from tests.risk.test_rooms_end import begun, place, told

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize("side", Side)
def test_rooms_hold_under_one_summary_after_another(side: Side) -> None:
    made = begun({"buying_power": True, "settled_cash": True, "margin_cushion_pct": D(5)})
    assert place(made, 2, side=side) == 2
    plan, meter = made.gates[0].exposure("a", STOCK).plan, made.gates[0].account.meter
    assert plan is not None
    for turn in range(10):
        before = plan.taken, meter.measured
        made.now_ns += NS_PER_S
        told(summary=summary(ts_ns=made.now_ns, buying_power=D(5_000 + turn)))(made)
        assert place(made, 2, side=side) == 2
        assert (plan.taken, meter.measured) == (before[0] + 2, before[1])


PAID: list[tuple[dict[str, Any], Side, dict[str, Any]]] = [
    ({"buying_power": True}, BUY, {"buying_power": D(1_000)}),
    ({"buying_power": True}, SELL, {"buying_power": D(1_000)}),
    ({"settled_cash": True}, BUY, {"settled_cash": D(1_000)}),
    # Of 5,000 a tenth stays; half of an order's money is margin.
    ({"margin_cushion_pct": D(10)}, BUY, {"excess_liquidity": D(1_000)}),
    ({"margin_cushion_pct": D(10)}, SELL, {"excess_liquidity": D(1_000)}),
]


@pytest.mark.parametrize(("limits", "side", "poor"), PAID)
def test_what_another_summary_leaves_is_less_what_was_sent_since(
    limits: dict[str, Any], side: Side, poor: dict[str, Any]
) -> None:
    """A thousand, of which eight orders of a hundred are gone if they were sent after it."""
    made = begun(limits)
    assert place(made, 8, side=side) == 8
    assert made.fitted >= 7
    told(summary=summary(ts_ns=T0 - 1, **poor))(made)
    assert place(made, 5, side=side) == 2
    told(summary=summary(ts_ns=T0, **poor))(made)
    made.now_ns += 1
    assert place(made, 15, side=side) == 10
    told(summary=summary(ts_ns=made.now_ns))(made)
    assert place(made, 5, side=side) == 5


@pytest.mark.parametrize(("limits", "side", "poor"), PAID)
def test_a_summary_that_leaves_out_what_is_asked_leaves_nothing(
    limits: dict[str, Any], side: Side, poor: dict[str, Any]
) -> None:
    for found in (None, summary(**dict.fromkeys(poor))):
        made = begun(limits)
        assert place(made, 8, side=side) == 8
        told(summary=found)(made)
        assert place(made, 2, side=side) == 0


def test_money_that_a_richer_summary_adds_is_for_those_who_ask_again() -> None:
    """Whatever else bounds a room still bounds it: a day's money, and what may be at stake."""
    for limits in ({"notional_per_day_max": D(2_000)}, {"gross_max": D(2_000)}):
        made = begun({"buying_power": True, **limits})
        assert place(made, 8) == 8
        told(summary=summary(ts_ns=T0, buying_power=D(10**6)))(made)
        assert place(made, 20) == 12


def older(made: Rooms, seconds: int) -> None:
    told(summary=summary(ts_ns=made.now_ns - seconds * NS_PER_S))(made)


def test_a_room_ends_with_the_age_of_the_summary_that_counts() -> None:
    made = begun({"buying_power": True, "summary_age_max_s": D(10)})
    assert place(made, 8, STOCK) == 8
    older(made, 5)
    made.now_ns += 5 * NS_PER_S
    assert place(made, 4) == 4
    made.now_ns += 1
    assert place(made, 4) == 0
    older(made, 0)
    assert place(made, 4) == 4


def test_orders_that_are_over_make_room_for_others() -> None:
    """Eight may be open; those that go on after the others are over need no measurement, and a ninth is refused."""
    made = begun({"open_orders_max": 8})
    assert place(made, 8) == 8
    plan, meter = made.gates[0].exposure("a", STOCK).plan, made.gates[0].account.meter
    assert plan is not None
    for _ in range(5):
        before = plan.taken, meter.measured
        for live in made.open[:6]:
            made.over(live)
        assert place(made, 6) == 6
        assert (plan.taken, meter.measured) == (before[0] + 6, before[1])
    assert place(made, 1) == 0


@pytest.mark.parametrize("limits", [{"orders_per_minute_max": 8}, {"messages_per_minute_max": 8}])
def test_what_was_sent_a_minute_ago_makes_room_for_others(limits: dict[str, Any]) -> None:
    made = begun(limits)
    for _ in range(6):
        assert place(made, 4) == 4
        made.now_ns += 31 * NS_PER_S
    assert place(made, 4) == 4
    assert place(made, 5) == 0  # eight have gone within the minute
