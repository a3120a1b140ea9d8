"""How often a closing order that is refused is tried again."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from engine.domain.order import Order, State
from engine.operator.flattening import Flattening
from engine.portfolio.books import Portfolio
from tests.risk.made import INSTRUMENTS, RATES, T0, FakeView, gate

S = 1_000_000_000


def gaps(code: str, tries: int) -> list[float]:
    """Seconds between one try and the next, each refused at once; looked at every second."""
    book: dict[str, Order] = {}
    here, view = gate(), FakeView()
    portfolio = Portfolio(INSTRUMENTS, {"USD": Decimal(1)}, RATES)
    flattening = Flattening("DU1", portfolio, here, book, lambda: view, settle_s=1)
    flattening.read({1: Decimal(10)})
    at: list[float] = []
    now_ns = T0
    while len(at) < tries:
        for place in flattening.next(now_ns):
            (ticket,) = place.tickets
            book[ticket.coid] = Order(ticket=ticket, state=State.REFUSED, code=code, reason="no", updated_ns=now_ns)
            at.append(now_ns / S)
        now_ns += S
    return [after - before for before, after in pairwise(at)]


def test_what_the_venue_refuses_is_tried_ever_more_rarely() -> None:
    assert gaps("VENUE", 9) == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("code", ["DISCONNECTED", "UNSENT"])
def test_what_could_not_be_sent_waits_for_no_long_time(code: str) -> None:
    assert gaps(code, 6) == [1, 2, 4, 4, 4]


@pytest.mark.parametrize("limits", [{"order_quantity_max": Decimal(0)}, {"order_notional_max": Decimal(0)}])
def test_an_instrument_that_may_not_be_traded_any_more_is_not_closed_unit_by_unit(limits: dict[str, Any]) -> None:
    view = FakeView()
    portfolio = Portfolio(INSTRUMENTS, {"USD": Decimal(1)}, RATES)
    flattening = Flattening("DU1", portfolio, gate(**limits), {}, lambda: view, settle_s=1)
    flattening.read({1: Decimal(300)})
    assert [place.tickets[0].quantity for place in flattening.next(T0)] == [300]
