"""Mergers, spin-offs, exercises, expiries, dividends that are owed: against figures worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.actions import (
    Action,
    ConvertNow,
    DividendDue,
    DividendPaid,
    ExerciseNow,
    ExpiryNow,
    MergerNow,
    RateNow,
    SpinOffNow,
)
from engine.domain.instrument import Instrument, SecType
from engine.portfolio.books import Portfolio
from tests.portfolio.test_books import booked, fill_of

D = Decimal
A, B, CALL, FUTURE, FOP = 1, 2, 3, 4, 5
INSTRUMENTS = {
    A: Instrument(conid=A, symbol="A"),
    B: Instrument(conid=B, symbol="B"),
    CALL: Instrument(conid=CALL, symbol="A C50", sec_type=SecType.OPTION, multiplier=D(100)),
    FUTURE: Instrument(conid=FUTURE, symbol="F", sec_type=SecType.FUTURE, multiplier=D(50)),
    FOP: Instrument(conid=FOP, symbol="F C90", sec_type=SecType.FUTURE_OPTION, multiplier=D(50)),
}


def books() -> Portfolio:
    return Portfolio(INSTRUMENTS, {"USD": D(10_000)}, {"USD": D(1), "EUR": D("1.25"), "GBP": D("1.5")})


def after(portfolio: Portfolio, action: Action) -> Decimal:
    """Do it; return the dollars that came in."""
    before = portfolio.cash["USD"]
    portfolio.adjust([action])
    return portfolio.cash["USD"] - before


def held(portfolio: Portfolio, conid: int, strategy: str = "a") -> Any:
    found = portfolio.holdings[strategy, conid]
    return found.quantity, found.cost, found.realised


@pytest.mark.parametrize(
    ("units", "cash", "price", "money", "of_a", "of_b"),
    [
        # 101 x 1/2 = 50.5 of B; the half is worth 30 and cost 3,030 x 0.5 / 50.5 = 30: no profit.
        (101, "0", "60", "30.00", (0, 0, 0), (50, 3000, 0)),
        (-101, "0", "60", "-30.00", (0, 0, 0), (-50, -3000, 0)),
        # No price: the half goes at what it cost.
        (101, "0", None, "30.00", (0, 0, 0), (50, 3000, 0)),
        # 100 A at 30: 1,000 in cash, and 50 B worth 3,000. A quarter of 3,000 closes: 750; 250 are realised.
        (100, "10", "60", "1000", (0, 0, 250), (50, 2250, 0)),
        # No price: the cash takes what it can of the cost.
        (100, "10", None, "1000", (0, 0, 0), (50, 2000, 0)),
        (100, "35", None, "3500", (0, 0, 500), (50, 0, 0)),
    ],
)
def test_a_merger(
    units: int, cash: str, price: str | None, money: str, of_a: tuple[int, ...], of_b: tuple[int, ...]
) -> None:
    portfolio = books()
    booked(portfolio, fill_of(A, D(units), D(30)))
    at = None if price is None else D(price)
    assert after(portfolio, MergerNow(9, A, B, D(1), D(2), D(cash), at)) == D(money)
    assert held(portfolio, A) == of_a
    assert held(portfolio, B) == of_b
    assert {conid: number for conid, number in portfolio.account.items() if number} == {B: of_b[0]}


def test_a_merger_for_cash_closes() -> None:
    portfolio = books()
    booked(portfolio, fill_of(A, D(100), D(30), 1), "a")
    booked(portfolio, fill_of(A, D(-40), D(30), 2), "b")
    assert after(portfolio, MergerNow(9, A, None, D(1), D(1), D("42.50"))) == 60 * D("42.5")
    assert held(portfolio, A, "a") == (0, 0, 1250)  # 100 x 12.50
    assert held(portfolio, A, "b") == (0, 0, -500)


def test_what_a_merger_brings_closes_what_was_short() -> None:
    portfolio = books()
    booked(portfolio, fill_of(A, D(100), D(30), 1))
    booked(portfolio, fill_of(B, D(-50), D(70), 2))
    after(portfolio, MergerNow(9, A, B, D(1), D(2), D(0), D(60)))
    assert held(portfolio, B) == (0, 0, 500)  # short at 70, covered with units that cost 60: 50 x 10


def test_a_spin_off_carries_cost() -> None:
    portfolio = books()
    booked(portfolio, fill_of(A, D(110), D(30)))
    # 110 / 4 = 27.5 of B with 20 % of 3,300 = 660. The half: cost 660 x 0.5 / 27.5 = 12, worth 15.
    assert after(portfolio, SpinOffNow(9, A, B, D(1), D(4), D("0.2"), D(30))) == 15
    assert held(portfolio, A) == (110, 2640, 0)
    assert held(portfolio, B) == (27, 648, 3)


@pytest.mark.parametrize(
    ("contracts", "right", "money", "units", "cost"),
    [
        # Paid 2.00 x 100 = 200 for one; exercised 100 shares at 50: they cost 5,200.
        (1, "C", -5000, 100, 5200),
        # A short call assigned: 100 sold at 50, and the premium of 200 makes it 5,200.
        (-1, "C", 5000, -100, -5200),
        # A long put: 100 sold at 50 less the 200 paid.
        (1, "P", 5000, -100, -4800),
        (-1, "P", -5000, 100, 4800),
    ],
)
def test_exercise_and_assignment(contracts: int, right: str, money: int, units: int, cost: int) -> None:
    portfolio = books()
    booked(portfolio, fill_of(CALL, D(contracts), D(2)))
    assert after(portfolio, ExerciseNow(9, CALL, A, D(50), right)) == money
    assert held(portfolio, CALL) == (0, 0, 0)
    assert held(portfolio, A) == (units, cost, 0)
    assert [one.kind for one in portfolio.booked] == ["exercise" if contracts > 0 else "assignment"] * 2


@pytest.mark.parametrize(
    ("contracts", "right", "money", "units", "cost"),
    [(2, "C", -9000, 2, 9500), (2, "P", 9000, -2, -8500), (-2, "C", 9000, -2, -9500), (-2, "P", -9000, 2, 8500)],
)
def test_an_option_on_a_future_becomes_one_future(
    contracts: int, right: str, money: int, units: int, cost: int
) -> None:
    """A strike of 90 is 90 x 50 = 4,500 for each; the premium of 5 is 250 for each."""
    portfolio = books()
    booked(portfolio, fill_of(FOP, D(contracts), D(5)))
    assert after(portfolio, ExerciseNow(9, FOP, FUTURE, D(90), right)) == money
    assert held(portfolio, FOP) == (0, 0, 0)
    assert held(portfolio, FUTURE) == (units, cost, 0)


def test_only_shorts_are_assigned_early() -> None:
    portfolio = books()
    booked(portfolio, fill_of(CALL, D(1), D(2), 1), "a")
    booked(portfolio, fill_of(CALL, D(-1), D(3), 2), "b")
    booked(portfolio, fill_of(A, D(100), D(48), 3), "b")
    assert after(portfolio, ExerciseNow(9, CALL, A, D(50), "C", "short")) == 5000
    assert held(portfolio, CALL, "a") == (1, 200, 0)
    assert held(portfolio, A, "b") == (0, 0, 500)  # bought at 48, called away at 50, 3.00 of premium: 100 x 5


def test_an_expiry_closes_at_its_price() -> None:
    portfolio = books()
    booked(portfolio, fill_of(CALL, D(2), D(2), 1), "a")
    booked(portfolio, fill_of(CALL, D(-1), D(3), 2), "b")
    assert after(portfolio, ExpiryNow(9, CALL, D("1.50"))) == 150  # 2 x 150 - 1 x 150
    assert (held(portfolio, CALL, "a"), held(portfolio, CALL, "b")) == ((0, 0, -100), (0, 0, 150))


def test_a_worthless_end() -> None:
    portfolio = books()
    booked(portfolio, fill_of(CALL, D(2), D(2)))
    assert after(portfolio, ExpiryNow(9, CALL, D(0))) == 0
    assert held(portfolio, CALL) == (0, 0, -400)


def test_a_dividend_is_owed_until_its_pay_date_whoever_holds_then() -> None:
    portfolio = books()
    booked(portfolio, fill_of(A, D(100), D(10), 1), "a")
    booked(portfolio, fill_of(A, D(-30), D(10), 2), "b")
    assert after(portfolio, DividendDue(9, A, D("0.50"), "USD", 50, D("0.15"))) == 0
    # a is owed 50 less 15 % tax: 42.50; b owes 15 and no tax is kept back from that.
    assert sorted(portfolio.accrued.values()) == [-15, D("-7.5"), 50]
    assert portfolio.flows == {"a": D("-957.5"), "b": D(285)}
    booked(portfolio, fill_of(A, D(-100), D(10), 3), "a")
    assert after(portfolio, DividendPaid(50, A, 50)) == D("27.5")
    assert (portfolio.dividends, portfolio.withheld, portfolio.accrued) == ({"USD": D(35)}, {"USD": D("7.5")}, {})


def test_two_dividends_of_one_ex_date_are_paid_each_on_its_day() -> None:
    portfolio = books()
    booked(portfolio, fill_of(A, D(100), D(10)))
    portfolio.adjust([DividendDue(9, A, D("0.50"), "USD", 50), DividendDue(9, A, D(2), "USD", 70)])
    assert after(portfolio, DividendPaid(50, A, 50)) == 50
    assert sum(portfolio.accrued.values()) == 200
    assert after(portfolio, DividendPaid(70, A, 70)) == 200
    assert portfolio.accrued == {}


def test_tax_without_a_pay_date() -> None:
    portfolio = books()
    booked(portfolio, fill_of(A, D(100), D(10)))
    assert after(portfolio, DividendDue(9, A, D("0.50"), "USD", 9, D("0.30"))) == 35
    assert (portfolio.dividends, portfolio.withheld, portfolio.accrued) == ({"USD": D(50)}, {"USD": D(15)}, {})


def test_a_conversion_is_a_deposit_of_one_currency_out_of_another() -> None:
    portfolio = books()
    portfolio.adjust([ConvertNow(9, D(1_260), "USD", D(1_000), "EUR")])
    assert portfolio.cash == {"USD": D(8_740), "EUR": D(1_000)}
    assert portfolio.deposits == portfolio.cash
    assert portfolio.flows == {"": D(-10)}  # a thousand euros are 1,250 dollars


def test_a_new_rate_counts_for_what_was_deposited_and_earned() -> None:
    portfolio = books()
    portfolio.adjust([ConvertNow(1, D(1_250), "USD", D(1_000), "EUR")])
    booked(portfolio, fill_of(A, D(10), D(10), fees=(("commission", D(4), "EUR"),)))
    portfolio.adjust([RateNow(9, "EUR", D("1.50"))])
    # 1,000 euros gain 250; a's fee of 4 euros was 5 dollars and is 6.
    assert portfolio.flows == {"": D(250), "a": D(-106)}
    assert portfolio.rated == [(9, "EUR", D("1.50"))]
    portfolio.adjust([RateNow(10, "EUR")])  # its pair has no price yet
    assert portfolio.rates["EUR"] == D("1.50")
