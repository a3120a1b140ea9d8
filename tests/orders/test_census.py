"""Entries whose stop is missing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.orders.actions import Alert, Flatten
from engine.orders.census import Census, CensusPolicy

ENTRY = OrderTicket(
    coid="e",
    strategy="s",
    account="DU1",
    conid=1,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    quantity=Decimal(10),
    limit_price=Decimal(5),
)
TARGET = replace(ENTRY, coid="t", side=Side.SELL, limit_price=Decimal(6), parent="e")
STOP = replace(
    ENTRY, coid="x", side=Side.SELL, order_type=OrderType.STOP, limit_price=None, stop_price=Decimal(4), parent="e"
)


def book(entry: State, target: State, stop: State, *, filled: int = 0, closed: int = 0) -> dict[str, Order]:
    return {
        "e": Order(ticket=ENTRY, state=entry, filled=Decimal(filled)),
        "t": Order(ticket=TARGET, state=target, filled=Decimal(closed)),
        "x": Order(ticket=STOP, state=stop, reason="no permission" if stop is State.REFUSED else ""),
    }


def census(policy: CensusPolicy) -> Census:
    made = Census(policy)
    made.sent((ENTRY, TARGET, STOP))
    return made


@pytest.mark.parametrize("stop", [State.SENT, State.IN_DOUBT, State.PENDING_SUBMIT, State.WORKING, State.CANCELLED])
def test_a_stop_that_lives_lived_or_may_live_is_no_missing_one(stop: State) -> None:
    assert census(CensusPolicy.CANCEL_ENTRY).look(book(State.WORKING, State.PENDING_SUBMIT, stop)) == []


@pytest.mark.parametrize("stop", [State.REFUSED, State.LOST])
def test_an_entry_without_its_stop_is_cancelled_once(stop: State) -> None:
    one = census(CensusPolicy.CANCEL_ENTRY)
    orders = book(State.WORKING, State.PENDING_SUBMIT, stop)
    [finding] = one.look(orders)
    assert finding.cancels == ("e",)
    why = {State.REFUSED: "no permission", State.LOST: "lost"}[stop]
    assert finding.actions == (Alert("NO_STOP", f"the stop x of this bracket is missing: {why}", "e"),)
    assert one.look(orders) == []


def test_flatten_takes_back_what_has_filled_and_is_not_closed() -> None:
    [finding] = census(CensusPolicy.FLATTEN).look(book(State.WORKING, State.WORKING, State.REFUSED, filled=7, closed=2))
    assert finding.cancels == ("e", "t")
    alert, flatten = finding.actions
    assert isinstance(alert, Alert)
    assert "no permission" in alert.sentence
    assert flatten == Flatten("s", 1, Decimal(-5), alert.sentence)


def test_an_alert_alone_touches_nothing() -> None:
    [finding] = census(CensusPolicy.ALERT).look(book(State.FILLED, State.WORKING, State.REFUSED, filled=10))
    assert finding.cancels == ()
    why = "the stop x of this bracket is missing: no permission"
    assert finding.actions == (Alert("NO_STOP", why, "e"),)


def test_where_nothing_is_left_to_take_back_a_person_is_told_all_the_same() -> None:
    for filled, closed in ((0, 0), (4, 4)):
        orders = book(State.WORKING, State.WORKING, State.REFUSED, filled=filled, closed=closed)
        [finding] = census(CensusPolicy.FLATTEN).look(orders)
        assert finding.cancels == ("e", "t")
        assert [type(one) for one in finding.actions] == [Alert]


def test_an_entry_that_never_traded_needs_no_stop() -> None:
    assert census(CensusPolicy.FLATTEN).look(book(State.CANCELLED, State.CANCELLED, State.REFUSED)) == []


def test_a_target_alone_may_be_refused() -> None:
    assert census(CensusPolicy.FLATTEN).look(book(State.WORKING, State.REFUSED, State.PENDING_SUBMIT)) == []
