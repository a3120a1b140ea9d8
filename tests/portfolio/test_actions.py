"""Dividends and splits on the books: the identity by currency holds exactly, units and cost agree with fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.actions import Booked, DividendNow, SplitNow
from engine.portfolio.books import Portfolio
from tests.portfolio.test_books import DEPOSITS, INSTRUMENTS, RATES, D, booked, books, fill_of

STRATEGIES = ("a", "b")


def cost_identity(portfolio: Portfolio) -> None:
    """cash + cost of positions = deposits + realised - fees + dividends, in each currency, to the last digit."""
    for unit in RATES:
        mine = [held for (_, conid), held in portfolio.holdings.items() if INSTRUMENTS[conid].currency == unit]
        left = portfolio.cash.get(unit, D(0)) + sum((held.cost for held in mine), D(0))
        right = DEPOSITS.get(unit, D(0)) + sum((held.realised for held in mine), D(0))
        right += portfolio.dividends.get(unit, D(0)) - portfolio.fees_by_currency.get(unit, D(0))
        assert left == right, unit


def held(portfolio: Portfolio, conid: int = 1, strategy: str = "a") -> tuple[Decimal, Decimal, Decimal]:
    found = portfolio.holdings[strategy, conid]
    return found.quantity, found.cost, found.realised


# --- by hand -------------------------------------------------------------------------------------------------------


def test_longs_receive_a_dividend_and_shorts_pay_it_strategy_by_strategy() -> None:
    portfolio = books()
    booked(portfolio, fill_of(1, D(100), D(10), 1), "a")
    booked(portfolio, fill_of(1, D(-30), D(10), 2), "b")
    positions = portfolio.adjust([DividendNow(9, 1, D("0.25"), "USD")])
    assert [(one.strategy, one.cash, one.kind) for one in portfolio.booked] == [
        ("a", D(25), "dividend"),
        ("b", D("-7.5"), "dividend"),
    ]
    assert portfolio.dividends == {"USD": D("17.5")}
    assert portfolio.cash["USD"] == 1000 - 1000 + 300 + D("17.5")
    assert [(one.strategy, one.quantity, one.cost) for one in positions] == [
        ("a", D(100), D(1000)),
        ("b", D(-30), D(-300)),
    ]
    assert [(step.strategy, step.quantity, step.flow) for step in portfolio.steps[2:]] == [
        ("a", 100.0, -975.0),
        ("b", -30.0, 292.5),
    ]
    cost_identity(portfolio)


def test_a_dividend_may_come_in_another_currency() -> None:
    portfolio = books()
    booked(portfolio, fill_of(1, D(100), D(10)))
    portfolio.adjust([DividendNow(9, 1, D("0.10"), "GBP")])
    assert (portfolio.cash["GBP"], portfolio.steps[-1].flow) == (D(10), -985.0)  # at 1.5 dollars a pound


@pytest.mark.parametrize(
    ("quantity", "new", "old", "after", "cash", "cost"),
    [
        (10, 4, 1, 40, "0", "400"),
        (-10, 4, 1, -40, "0", "-400"),
        (11, 3, 2, 16, "18", "426.66666667"),  # half a new share at 54 * 2 / 3 = 36; 440 * 0.5 / 16.5 of the cost goes
        (-11, 3, 2, -16, "-18", "-426.66666667"),
        (100, 1, 3, 33, "54", "3960"),  # a third of a share at 54 * 3
        (2, 1, 3, 0, "108", "0"),  # two thirds, and nothing else
    ],
)
def test_a_split_changes_units_and_pays_out_what_is_no_unit(
    quantity: int, new: int, old: int, after: int, cash: str, cost: str
) -> None:
    portfolio = books()
    booked(portfolio, fill_of(1, D(quantity), D(40)))
    before = portfolio.cash["USD"]
    (position,) = portfolio.adjust([SplitNow(9, 1, D(new), D(old), D(54))])
    units, total, realised = held(portfolio)
    assert (units, total, portfolio.cash["USD"] - before) == (D(after), D(cost), D(cash))
    assert realised == D(cash) - (40 * quantity - D(cost))
    assert (position.quantity, position.account_quantity) == (D(after), D(after))
    cost_identity(portfolio)


def test_without_a_price_the_fraction_is_paid_out_at_cost() -> None:
    portfolio = books()
    booked(portfolio, fill_of(1, D(11), D(40)))
    portfolio.adjust([SplitNow(9, 1, D(3), D(2))])
    assert held(portfolio) == (D(16), D("426.66666667"), D(0))
    assert portfolio.booked[-1].cash == D("13.33333333")


def test_what_is_not_held_is_not_touched() -> None:
    portfolio = books()
    booked(portfolio, fill_of(1, D(10), D(40), 1))
    booked(portfolio, fill_of(1, D(-10), D(41), 2))
    cash = dict(portfolio.cash)
    assert portfolio.adjust([SplitNow(9, 1, D(2)), DividendNow(9, 1, D(1), "USD"), SplitNow(9, 3, D(2))]) == []
    assert (portfolio.cash, portfolio.booked, portfolio.dividends) == (cash, [], {})


def test_a_dividend_from_before_a_split_on_adjusted_units_is_worth_less_a_share() -> None:
    portfolio = books()
    booked(portfolio, fill_of(1, D(40), D(10)))  # ten shares of their day
    portfolio.adjust([DividendNow(9, 1, D("0.25"), "USD", D(4), D(1))])
    assert portfolio.dividends == {"USD": D("2.5")}


# --- law -----------------------------------------------------------------------------------------------------------

prices = st.integers(1, 99_999).map(lambda cents: D(cents) / 100)
trades = st.tuples(
    st.just("trade"), st.sampled_from(STRATEGIES), st.sampled_from((1, 2)), st.integers(-40, 40).filter(bool), prices
)
dividends = st.tuples(st.just("pay"), st.sampled_from((1, 2)), prices, st.sampled_from(("USD", "EUR", "GBP")))
splits = st.tuples(
    st.just("split"), st.sampled_from((1, 2)), st.integers(1, 12), st.integers(1, 12), st.none() | prices
)


@given(story=st.lists(trades | dividends | splits, max_size=30))
def test_no_cent_is_lost_and_units_agree_with_fractions(story: list[tuple[object, ...]]) -> None:
    portfolio = books()
    units = {(strategy, conid): Fraction(0) for strategy in STRATEGIES for conid in (1, 2)}
    received = {unit: Fraction(0) for unit in RATES}
    for number, (what, *rest) in enumerate(story):
        match what, rest:
            case "trade", [str(strategy), int(conid), int(quantity), Decimal() as price]:
                booked(portfolio, fill_of(conid, D(quantity), price, number), strategy)
                units[strategy, conid] += quantity
            case "pay", [int(conid), Decimal() as amount, str(unit)]:
                portfolio.adjust([DividendNow(number, conid, amount, unit)])
                there = sum((units[strategy, conid] for strategy in STRATEGIES), Fraction(0))
                received[unit] += there * Fraction(amount) * Fraction(INSTRUMENTS[conid].multiplier)
            case "split", [int(conid), int(new), int(old), price]:
                last: Decimal | None = price if isinstance(price, Decimal) else None
                known = len(portfolio.booked)
                portfolio.adjust([SplitNow(number, conid, D(new), D(old), last)])
                for strategy in STRATEGIES:
                    exact = units[strategy, conid] * new / old
                    whole = Fraction(int(exact))  # toward zero
                    units[strategy, conid] = whole
                    check_lieu(portfolio.booked[known:], strategy, conid, exact - whole, last, Fraction(new, old))
        cost_identity(portfolio)
        for (strategy, conid), there in units.items():
            found = portfolio.holdings.get((strategy, conid))
            assert (found.quantity if found else 0) == there
            assert found is None or found.quantity or found.cost == 0
    for unit, money in received.items():
        assert Fraction(portfolio.dividends.get(unit, D(0))) == money
    for conid in (1, 2):
        assert portfolio.account.get(conid, 0) == sum(units[strategy, conid] for strategy in STRATEGIES)


def check_lieu(
    done: list[Booked], strategy: str, conid: int, fraction: Fraction, price: Decimal | None, ratio: Fraction
) -> None:
    """The fraction of a new unit is paid at the old price over the ratio, to a hundred-millionth."""
    paid = [one for one in done if one.strategy == strategy and one.kind == "cash in lieu"]
    assert bool(paid) == bool(fraction)
    if paid and price is not None:
        worth = fraction * Fraction(price) / ratio * Fraction(INSTRUMENTS[conid].multiplier)
        assert abs(Fraction(paid[0].cash) - worth) <= Fraction(1, 2 * 10**8)
