"""The books: no cent is lost, and average cost agrees with a reference in fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.facts import Accepted, Filled, LegExecution
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.messages import PositionNow, Update
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.portfolio.books import Holdings, Portfolio

D = Decimal
INSTRUMENTS = {
    1: Instrument(conid=1, symbol="AAA"),
    2: Instrument(conid=2, symbol="FUT", multiplier=D(50), currency="EUR"),
    3: Instrument(conid=3, symbol="COIN", size_increment=D("0.001"), multiplier=D("0.5")),
    9: Instrument(conid=9, symbol="SPR", sec_type=SecType.COMBO, legs=(Leg(1, 1), Leg(2, -2))),
}
RATES = {"USD": D(1), "EUR": D("1.25"), "GBP": D("1.5")}
DEPOSITS = {"USD": D(1_000), "EUR": D(500)}


def books() -> Portfolio:
    return Portfolio(INSTRUMENTS, dict(DEPOSITS), RATES)


def booked(portfolio: Portfolio, fill: Filled, strategy: str = "a") -> list[PositionNow]:
    ticket = OrderTicket(
        coid=fill.coid, strategy=strategy, account="DU1", conid=fill.conid, side=Side(fill.side),
        order_type=OrderType.MARKET, quantity=D(100),
    )  # fmt: skip
    order = Order(ticket=ticket, state=State.WORKING)
    return portfolio.hear([Update(order, Accepted(coid=fill.coid, ts_ns=0)), Update(order, fill)])


def fill_of(conid: int, units: Decimal, price: Decimal, number: int = 0, **more: Any) -> Filled:
    side = "BUY" if units > 0 else "SELL"
    return Filled(
        coid="a-000001", ts_ns=7, exec_id=f"e{number}", conid=conid, side=side, quantity=abs(units), price=price, **more
    )


# --- by hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trades", "quantity", "cost", "realised"),
    [
        ([(10, 100)], 10, 1000, 0),
        ([(10, 100), (10, 110)], 20, 2100, 0),
        ([(10, 100), (10, 110), (-5, 120)], 15, 1575, 75),  # average 105
        ([(10, 100), (-10, 90)], 0, 0, -100),
        ([(10, 100), (-15, 110)], -5, -550, 100),  # through zero: the rest is opened at 110
        ([(-10, 100), (4, 90)], -6, -600, 40),
        ([(-10, 100), (12, 105)], 2, 210, -50),
        ([(10, 100), (-10, 100), (3, 50)], 3, 150, 0),
        ([(2, -37), (-1, -10)], 1, -37, 27),  # a negative price
    ],
)
def test_average_cost(trades: list[tuple[int, int]], quantity: int, cost: int, realised: int) -> None:
    held = Holdings()
    gains = [held.trade(D(units), D(units) * D(price)) for units, price in trades]
    assert [held.quantity, held.cost, held.realised] == [D(quantity), D(cost), D(realised)]
    assert sum(gains) == realised


def test_a_third_of_a_cost_is_taken_out_to_the_last_grain() -> None:
    held = Holdings()
    held.trade(D(3), D(100))
    gains = [held.trade(D(-1), D(-40)) for _ in range(3)]
    assert gains[0] == D("6.66666667")
    assert sum(gains) == 20
    assert held.cost == 0


def test_a_closed_position_has_no_cost_however_fine_its_price() -> None:
    held = Holdings()
    held.trade(D(3), D("0.0000000015"))
    assert held.trade(D(-3), D(0)) == D("-0.0000000015")
    assert (held.quantity, held.cost) == (D(0), D(0))


def test_a_fill_moves_cash_fees_and_what_is_told() -> None:
    portfolio = books()
    fees = (("commission", D("1.5"), "EUR"), ("exchange", D("-0.2"), "USD"), ("tax", D(2), "GBP"))
    (now,) = booked(portfolio, fill_of(2, D(-3), D("10.5"), fees=fees))
    # 3 x 10.5 x 50 EUR come in.
    assert now == PositionNow("a", 2, D(-3), D(-1575), D(0), D(-3), D("2073.5"), "EUR")
    assert portfolio.cash == {"USD": D("1000.2"), "EUR": D("2073.5"), "GBP": D(-2)}
    assert portfolio.fees == {"commission": D("1.875"), "exchange": D("-0.2"), "tax": D(3)}
    assert portfolio.fees_by_currency == {"EUR": D("1.5"), "USD": D("-0.2"), "GBP": D(2)}
    (step,) = portfolio.steps
    assert (step.ts_ns, step.strategy, step.conid, step.quantity) == (7, "a", 2, -3.0)
    assert step.flow == 1575 * 1.25 - 1.875 + 0.2 - 3
    (entry,) = portfolio.entries
    assert (entry.strategy, entry.realised, entry.ts_ns) == ("a", D(0), 7)
    booked(portfolio, fill_of(2, D(3), D(10), 1))
    assert portfolio.entries[1].realised == D("0.5") * 3 * 50 * D("1.25")  # in base currency
    assert portfolio.steps[1].flow == pytest.approx(step.flow - 1875, abs=1e-9)


def test_a_combo_is_booked_by_its_legs() -> None:
    portfolio = books()
    legs = (LegExecution(1, D(4), D(20)), LegExecution(2, D(-8), D(3)))
    told = booked(portfolio, fill_of(9, D(4), D(14), legs=legs))
    assert [(now.conid, now.quantity, now.cost) for now in told] == [(1, D(4), D(80)), (2, D(-8), D(-1200))]
    assert portfolio.cash == {"USD": D(920), "EUR": D(1700)}
    assert (set(portfolio.holdings), portfolio.account) == ({("a", 1), ("a", 2)}, {1: D(4), 2: D(-8)})
    assert {step.flow for step in portfolio.steps} == {-80 + 1200 * 1.25}  # both after the whole fill
    assert len(portfolio.entries) == 1


def test_strategies_hold_apart_and_the_account_together() -> None:
    portfolio = books()
    booked(portfolio, fill_of(1, D(5), D(10)), "a")
    (now,) = booked(portfolio, fill_of(1, D(-8), D(12), 1), "b")
    assert [now.strategy, now.quantity, now.account_quantity] == ["b", D(-8), D(-3)]
    assert portfolio.holdings["a", 1].quantity == 5
    assert portfolio.entries[1].realised == 0  # b has opened, not closed a's


def test_what_is_no_fill_books_nothing() -> None:
    portfolio = books()
    order = Order(ticket=OrderTicket(coid="x", strategy="a", account="D", conid=1, side=Side.BUY,
                                     order_type=OrderType.MARKET, quantity=D(1)))  # fmt: skip
    assert portfolio.hear([Update(order, Accepted(coid="x", ts_ns=1))]) == []
    assert (portfolio.cash, portfolio.entries) == (DEPOSITS, [])


# --- laws ----------------------------------------------------------------------------------------------------------

units = st.integers(-40, 40).filter(bool).map(lambda n: D(n) / 4)
prices = st.integers(-2_000, 40_000).map(lambda n: D(n) / 100)
lines = st.tuples(
    st.sampled_from(["commission", "exchange"]),
    st.integers(-300, 300).map(lambda n: D(n) / 100),
    st.sampled_from(list(RATES)),
)
legs = st.tuples(st.sampled_from([1, 2, 3]), units, prices).map(lambda leg: LegExecution(*leg))
plain_fills = st.builds(
    lambda conid, amount, price, fees: fill_of(conid, amount, price, fees=tuple(fees)),
    st.sampled_from([1, 2, 3]), units, prices, st.lists(lines, max_size=2),
)  # fmt: skip
combo_fills = st.builds(
    lambda amount, price, fees, parts: fill_of(9, amount, price, fees=tuple(fees), legs=tuple(parts)),
    units, prices, st.lists(lines, max_size=2), st.lists(legs, min_size=1, max_size=3, unique_by=lambda leg: leg.conid),
)  # fmt: skip
runs = st.lists(st.tuples(st.sampled_from(["a", "b"]), plain_fills | combo_fills), max_size=25)


class Average:
    """One position at average cost, in fractions: nothing is ever rounded."""

    def __init__(self) -> None:
        self.quantity = self.cost = self.realised = Fraction(0)

    def trade(self, amount: Fraction, money: Fraction) -> None:
        price = money / amount
        if self.quantity * amount < 0:
            closed = min(abs(amount), abs(self.quantity)) * (1 if self.quantity > 0 else -1)
            average = self.cost / self.quantity
            self.realised += closed * (price - average)
            self.cost -= closed * average
            self.quantity -= closed
            amount += closed
        self.quantity += amount
        self.cost += amount * price


@given(run=runs)
def test_cash_and_cost_are_deposits_and_profit_less_fees(run: list[tuple[str, Filled]]) -> None:
    portfolio = books()
    reference: dict[tuple[str, int], Average] = {}
    realised_base = D(0)
    for strategy, fill in run:
        told = booked(portfolio, fill, strategy)
        parts = [(leg.conid, leg.quantity, leg.price) for leg in fill.legs] or [
            (fill.conid, fill.quantity if fill.side == "BUY" else -fill.quantity, fill.price)
        ]
        for conid, amount, price in parts:
            one = reference.setdefault((strategy, conid), Average())
            one.trade(Fraction(amount), Fraction(amount * price * INSTRUMENTS[conid].multiplier))
        for currency in RATES:
            held = [
                (h.cost, h.realised) for (_, c), h in portfolio.holdings.items() if INSTRUMENTS[c].currency == currency
            ]
            left = portfolio.cash.get(currency, D(0)) + sum(cost for cost, _ in held)
            right = DEPOSITS.get(currency, D(0)) + sum(gain for _, gain in held)
            assert left == right - portfolio.fees_by_currency.get(currency, D(0))
        assert [now.conid for now in told] == [conid for conid, _, _ in parts]
        for now in told:
            for value in (now.quantity, now.cost, now.realised, now.account_quantity, now.cash):
                assert type(value) is Decimal  # no float has come in unseen
        realised_base += portfolio.entries[-1].realised
    for key, one in reference.items():
        found = portfolio.holdings[key]
        assert Fraction(found.quantity) == one.quantity
        assert abs(Fraction(found.cost) - one.cost) <= Fraction(len(run), 10**8)
        assert abs(Fraction(found.realised) - one.realised) <= Fraction(len(run), 10**8)
        if not one.quantity:
            assert found.cost == 0
    for conid in INSTRUMENTS:
        assert portfolio.account.get(conid, D(0)) == sum(
            (held.quantity for (_, which), held in portfolio.holdings.items() if which == conid), D(0)
        )
    assert sum((line for line in portfolio.fees.values()), D(0)) == sum(
        (amount * RATES[currency] for currency, amount in portfolio.fees_by_currency.items()), D(0)
    )
    profit = sum((held.realised * RATES[INSTRUMENTS[c].currency] for (_, c), held in portfolio.holdings.items()), D(0))
    assert realised_base == profit
    flows: dict[str, float] = {step.strategy: step.flow for step in portfolio.steps}
    cash = sum((amount * RATES[currency] for currency, amount in portfolio.cash.items()), D(0))
    deposit = sum((amount * RATES[currency] for currency, amount in DEPOSITS.items()), D(0))
    assert sum(flows.values()) == pytest.approx(float(cash - deposit), abs=1e-6)
