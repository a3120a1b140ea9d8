"""A commission replaces the estimate of its execution once, whichever comes first; over any order of arrival."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.facts import ESTIMATED, Filled
from engine.domain.instrument import Instrument, SecType
from engine.domain.messages import Update
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.portfolio.books import Portfolio
from engine.portfolio.commissions import heard, open_estimates, told
from engine.portfolio.identity import gaps
from engine.portfolio.money import explained
from engine.venue.estimating import FeeEstimator
from engine.venue.schedules import load_fees
from tests.runtime_live.sizes import sizes

D = Decimal
X = Instrument(conid=1, symbol="X")
EURO = Instrument(conid=2, symbol="E", currency="CHF")
OPTION = Instrument(conid=3, symbol="O", sec_type=SecType.OPTION, multiplier=D(100))


def books() -> Portfolio:
    return Portfolio({1: X}, {"USD": D(10_000)}, {"USD": D(1)})


def execution(number: int, estimate: Decimal | None) -> list[Update]:
    lines = () if estimate is None else (("commission", estimate, "USD"), ("cat", D("0.01"), "USD"))
    fill = Filled(
        coid="a-000001", ts_ns=7, exec_id=f"e{number}", conid=1, side="BUY", quantity=D(1), price=D(10), fees=lines,
        flags=(ESTIMATED,) if lines else (),
    )  # fmt: skip
    ticket = OrderTicket(coid="a-000001", strategy="a", account="DU1", conid=1, side=Side.BUY,
                         order_type=OrderType.MARKET, quantity=D(100))  # fmt: skip
    return [Update(Order(ticket=ticket, state=State.WORKING), fill)]


def hear(portfolio: Portfolio, updates: list[Update]) -> None:
    portfolio.hear(updates)
    heard(portfolio, updates)


def test_the_commission_takes_the_place_of_the_estimate() -> None:
    portfolio = books()
    hear(portfolio, execution(1, D(1)))
    assert (portfolio.cash["USD"], open_estimates(portfolio)) == (D("9988.99"), {"USD": D("1.01")})
    told(portfolio, "e1", "a", D("0.37"), "USD")
    assert (portfolio.cash["USD"], open_estimates(portfolio)) == (D("9989.63"), {})
    assert portfolio.fees == {"commission": D("0.37"), "cat": D(0)}


def test_a_commission_that_comes_before_its_execution() -> None:
    portfolio = books()
    told(portfolio, "e1", "a", D("0.37"), "USD")
    hear(portfolio, execution(1, D(1)))
    assert (portfolio.cash["USD"], open_estimates(portfolio), portfolio.early) == (D("9989.63"), {}, {})


@pytest.mark.parametrize(
    ("why", "tally", "sign"),
    [("fee", "fees_by_currency", -1), ("interest", "interest", 1), ("dividend", "dividends", 1), ("", "deposits", 1)],
)
def test_cash_that_the_venue_tells_of_is_booked_as_what_it_is(why: str, tally: str, sign: int) -> None:
    portfolio = books()
    before = getattr(portfolio, tally).get("USD", D(0))
    explained(portfolio, "USD", D("-3.10"), why)
    assert portfolio.cash["USD"] == D("9996.90")
    assert getattr(portfolio, tally)["USD"] - before == sign * D("-3.10")
    explained(portfolio, "JPY", D(500), why)  # nothing of ours trades in yen, and their rate is not known
    assert (portfolio.cash["JPY"], portfolio.deposits["JPY"], gaps(portfolio)) == (D(500), D(500), {})
    assert (portfolio.postings, portfolio.steps) == ([], [])


executions = st.lists(
    st.tuples(
        st.none() | st.integers(1, 300).map(lambda cents: D(cents) / 100),
        st.none() | st.integers(-50, 300).map(lambda cents: D(cents) / 100),
    ),
    max_size=8,
)


@given(rows=executions, data=st.data())
def test_order_of_arrival_is_irrelevant(rows: list[tuple[Decimal | None, Decimal | None]], data: st.DataObject) -> None:
    portfolio = books()
    news = [(number, False) for number in range(len(rows))]
    news += [(number, True) for number, (_, known) in enumerate(rows) if known is not None]
    for number, is_fee in data.draw(st.permutations(news)):
        estimate, known = rows[number]
        if is_fee and known is not None:
            told(portfolio, f"e{number}", "a", known, "USD")
        else:
            hear(portfolio, execution(number, estimate))
        assert gaps(portfolio) == {}
    waiting = sum((e + D("0.01") for e, known in rows if known is None and e is not None), D(0))
    paid = sum((known for _, known in rows if known is not None), D(0))
    assert portfolio.fees_by_currency.get("USD", D(0)) == waiting + paid
    assert open_estimates(portfolio).get("USD", D(0)) == waiting
    assert portfolio.cash["USD"] == 10_000 - 10 * len(rows) - waiting - paid


def test_an_estimate_adds_up_over_the_executions_of_an_order() -> None:
    estimate = FeeEstimator(load_fees("ibkr-us-fixed-2026"), {1: X, 2: EURO, 3: OPTION}, {"USD"})
    day = 86_400 * 10**9
    # 100 shares at 0.005 are below the minimum of 1.00; CAT 0.000072 x 100 = 0.0072.
    assert estimate("a-1", 1, D(100), D(25), 20_514 * day, sells=False) == (
        ("commission", D("1.0000"), "USD"),
        ("cat", D("0.0072"), "USD"),
    )
    # 300 in all are 1.50: 0.50 more.
    assert estimate("a-1", 1, D(200), D(25), 20_514 * day + 5, sells=False)[0] == ("commission", D("0.5000"), "USD")
    # The next day the minimum counts anew, as it does for another order.
    assert estimate("a-1", 1, D(10), D(25), 20_515 * day, sells=False)[0] == ("commission", D("1.0000"), "USD")
    # Sold: SEC 0.0000278 x 2,500 = 0.0695, TAF 0.000166 x 100 = 0.0166.
    assert estimate("a-2", 1, D(100), D(25), 20_515 * day, sells=True)[1:3] == (
        ("sec", D("0.0695"), "USD"),
        ("taf", D("0.0166"), "USD"),
    )
    assert estimate("a-3", 2, D(100), D(25), 20_515 * day, sells=True) == ()  # francs are in no table
    without = FeeEstimator(load_fees("ibkr-us-fixed-2026"), {1: X}, {"EUR"})  # no rate of the dollar is known
    assert without("a-4", 1, D(1), D(1), 0, sells=True) == ()
    assert FeeEstimator(load_fees("none"), {1: X}, {"USD"})("a-4", 1, D(1), D(1), 0, sells=True) == ()


def test_an_estimate_remembers_two_days_of_orders() -> None:
    estimate = FeeEstimator(load_fees("ibkr-us-fixed-2026"), {1: X}, {"USD"})
    day = 86_400 * 10**9

    def commission(coid: str, shares: int, at: int) -> D:
        return estimate(coid, 1, D(shares), D(25), at * day, sells=False)[0][1]

    for number in range(20_000, 20_010):
        commission(f"a-{number}", 100, number)
    after_some = sizes(estimate=estimate._tabs)
    for number in range(20_010, 20_040):
        commission(f"a-{number}", 100, number)
    assert sizes(estimate=estimate._tabs) == after_some
    # Told a day late: 300 in all are 1.50, of which the minimum of 1.00 was charged.
    assert commission("a-20038", 200, 20_038) == D("0.50")
    # Told two days late, it is taken for an order of its own: 200 shares are 1.00.
    assert commission("a-20037", 200, 20_037) == D("1.00")
    assert sizes(estimate=estimate._tabs) == after_some
