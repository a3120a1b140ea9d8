"""Rooms at their very edges: what another summary leaves, where a reading gets long, and what the venue takes back."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.moments import NS_PER_S
from engine.domain.ticket import Side
from engine.risk.gate import Gate
from engine.risk.meter import LONG
from engine.risk.outside import Borrow, Summary
from tests.risk.made import T0, D, new
from tests.risk.test_rooms import CALL
from tests.risk.test_rooms_end import begun, place
from tests.risk.test_short_way import room_of, sent, settled

BUY, SELL = Side.BUY, Side.SELL
RICH = D(10**9)
AGE_NS = 10 * NS_PER_S


def rich(**said: Any) -> Summary:
    whole: dict[str, Any] = dict.fromkeys(("net_liquidation", "excess_liquidity", "buying_power", "settled_cash"), RICH)
    return Summary(**{"ts_ns": T0 - 1, **whole, **said})


def tell(gate: Gate, summary: Summary | None) -> None:
    assert gate.account.outside is not None
    gate.account.outside.summary = summary


@pytest.mark.parametrize("side", Side)
def test_a_poorer_summary_leaves_a_room_its_own_money_and_a_little_less(side: Side) -> None:
    """Six orders of a hundred were sent since: of 5,600 are 5,000 left, and a part in a thousand stays untouched."""
    gate, market = settled({"buying_power": True}, summary=rich())
    room, meter = room_of(gate, side), gate.account.meter
    assert gate.account.outside is not None
    assert room.summary is gate.account.outside.summary
    poorer = rich(buying_power=D(5_600))
    tell(gate, poorer)
    assert room.fits(new(1, side=side), market, 100.0, T0, None, T0) == 100.0
    assert room.summary is poorer
    assert room.money - meter.money == pytest.approx(4_995.0)


@pytest.mark.parametrize("side", Side)
def test_a_summary_that_is_gone_leaves_no_room_at_all(side: Side) -> None:
    gate, market = settled({"buying_power": True}, summary=rich())
    room = room_of(gate, side)
    tell(gate, None)
    assert room.fits(new(1, side=side), market, 100.0, T0, None, T0) == 0.0
    assert room.epoch == -1


@pytest.mark.parametrize("another", [False, True])
@pytest.mark.parametrize("side", Side)
def test_a_room_ends_a_nanosecond_after_the_summary_has_its_age(side: Side, another: bool) -> None:
    gate, market = settled({"buying_power": True, "summary_age_max_s": D(10)}, summary=rich())
    said_ns = T0 - 1
    if another:
        said_ns = T0 - 2
        tell(gate, rich(ts_ns=said_ns))
    room, ticket = room_of(gate, side), new(1, side=side)
    assert room.fits(ticket, market, 100.0, T0, None, said_ns + AGE_NS) == 100.0
    assert room.fits(ticket, market, 100.0, T0, None, said_ns + AGE_NS + 1) == 0.0


def test_a_reading_that_has_become_long_begins_anew() -> None:
    gate, market = settled({"orders_per_day_max": 10**6})
    room, meter = room_of(gate, BUY), gate.account.meter
    meter.messages = room.messages = LONG - 1
    assert room.fits(new(1), market, 100.0, T0, None, T0) == 100.0  # counted anew: one more is within
    assert room.messages == LONG
    meter.messages = LONG
    assert room.fits(new(1), market, 100.0, T0, None, T0) == 0.0
    room.messages = meter.messages = LONG + 1
    assert room.fits(new(1), market, 100.0, T0, None, T0) == 0.0
    assert sent(gate, market) == "ok"
    assert meter.messages < 8


def test_a_modification_is_no_twin_of_what_is_open() -> None:
    gate, market = settled({}, D(100))
    ticket = new(1, limit_price=D(99))
    room = room_of(gate, BUY)
    assert room.fits(ticket, market, 100.0, T0, 99.0, T0) == 100.0
    assert sent(gate, market, limit_price=D(99), tag=ticket.tag) == "ok"
    assert room.fits(ticket, market, 100.0, T0, 99.0, T0) == 0.0
    assert room.fits(ticket, market, 100.0, T0, 99.0, T0, D(0)) == 100.0


@pytest.mark.parametrize("now", [None, Borrow(D(0)), Borrow(D(10**6))])
def test_what_the_venue_lends_is_looked_at_by_sales_alone(now: Borrow | None) -> None:
    """The same shares told anew are news too: the table looks."""
    gate, market = settled({"short_availability": True}, borrow={1: Borrow(D(10**6))})
    outside = gate.account.outside
    assert outside is not None
    if now is None:
        del outside.borrow[1]
    else:
        outside.borrow[1] = now
    assert room_of(gate, BUY).fits(new(1), market, 100.0, T0, None, T0) == 100.0
    assert room_of(gate, SELL).fits(new(1, side=SELL), market, 100.0, T0, None, T0) == 0.0
    assert sent(gate, market, SELL) == ("ok" if now is not None and now.shares else "SHORT")


def test_options_are_sold_from_a_room_as_far_as_they_are_held() -> None:
    made = begun({"naked_short": False, "expiry_days_min": 1})
    made.a_position_is_another(strategy="a", conid=CALL, quantity=20)
    assert place(made, 24, CALL, SELL) == 20
    assert made.fitted >= 8


def test_an_order_of_a_room_that_another_summary_was_told_for_is_counted_once() -> None:
    """Ten orders of a hundred are the whole of it, however often the same is told anew."""
    gate, market = settled({"buying_power": True}, summary=rich())
    codes = []
    for turn in range(12):
        tell(gate, rich(buying_power=D(1_600), ts_ns=T0 - 1 - turn))
        codes.append(sent(gate, market))
    assert codes == ["ok"] * 10 + ["BUYING_POWER"] * 2
