"""What the portfolio passes on to risk of money and units that came into the account by no order of ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.instrument import Instrument, SecType
from engine.domain.messages import PositionNow
from engine.portfolio.books import Portfolio
from engine.runtime.live.booking import Booking
from engine.runtime.live.letters import Booked, CashTold, Deposited, TakenOver

D = Decimal
NOTHING: Any = None
STOCK = Instrument(conid=1, symbol="AAA", calendar="24/7")
EURO = Instrument(conid=2, symbol="BBB", calendar="24/7", currency="EUR")
FUTURE = Instrument(conid=3, symbol="FFF", calendar="24/7", sec_type=SecType.FUTURE, multiplier=D(50))


def booking() -> Booking:
    portfolio = Portfolio({1: STOCK, 2: EURO, 3: FUTURE}, {"USD": D(0)}, {"USD": D(1), "EUR": D("1.25")})
    return Booking(portfolio, NOTHING, to_strategies=NOTHING, to_risk=NOTHING, note=NOTHING)


@pytest.mark.parametrize(
    ("currency", "why", "money", "earned"),
    [
        ("USD", "", 80, 0),
        ("EUR", "unknown", 100, 0),
        ("EUR", "dividend", 0, 100),
        ("USD", "interest", 0, 80),
        ("USD", "fee", 0, 80),  # cash that came back of a fee
        ("JPY", "", 0, 0),  # its worth is not known
    ],
)
def test_cash_that_the_venue_tells_of_is_a_deposit_or_earned(currency: str, why: str, money: int, earned: int) -> None:
    made = booking()
    assert made.decide(CashTold(currency, D(80), why)) == Deposited(D(money), D(earned))
    assert made.portfolio.cash[currency] == 80


@pytest.mark.parametrize(("conid", "came"), [(1, 500), (2, 625), (3, 0)])  # a future was not paid
def test_units_taken_over_are_a_deposit_of_what_they_cost(conid: int, came: int) -> None:
    told = booking().decide(TakenOver("outside", conid, D(5), D(500)))
    assert isinstance(told, Booked)
    assert told.deposited == came
    (position,) = told.positions
    assert isinstance(position, PositionNow)
    assert (position.conid, position.quantity, position.cost) == (conid, D(5), D(500))
