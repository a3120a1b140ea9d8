"""Interest and borrow fees against figures worked out by hand; each has its arithmetic beside it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.domain.actions import DayEnded, InterestPaid, Posting
from engine.domain.instrument import Instrument, SecType
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE
from engine.errors import ConfigError
from engine.portfolio.books import Portfolio
from engine.portfolio.days import interest_due, paid_on
from engine.portfolio.financing import Financing, collateral_price
from engine.portfolio.tables import load_financing
from tests.portfolio.test_books import booked, fill_of

D = Decimal
X = Instrument(conid=1, symbol="X")
PAIR = Instrument(conid=2, symbol="EUR.USD", sec_type=SecType.CASH)
FUTURE = Instrument(conid=3, symbol="F", sec_type=SecType.FUTURE, multiplier=D(50))
DAY = date(2026, 3, 10)


def financing(**borrow: Decimal) -> Financing:
    found = load_financing("ibkr-pro-2026", {"USD": D("4.33")}, borrow)
    assert found is not None
    return found


def books(cash: Decimal, table: Financing | None = None) -> Portfolio:
    rates = {"USD": D(1), "EUR": D("1.10")}
    return Portfolio({1: X, 2: PAIR, 3: FUTURE}, {"USD": cash}, rates, table or financing())


def day(portfolio: Portfolio, *prices: tuple[int, Decimal], on: date = DAY) -> list[Posting]:
    known = len(portfolio.postings)
    portfolio.adjust([DayEnded(1, on, (1,), prices)])
    return portfolio.postings[known:]


@pytest.mark.parametrize(
    ("cash", "a_day"),
    [
        # Above a net worth of 100,000, credit: nothing on 10,000, the rest at 4.33 - 0.5 = 3.83 %.
        (D(200_000), D("20.21388889")),  # 190,000 x 0.0383 / 360 = 7,277 / 360
        (D(100_000), D("9.575")),  # 90,000 x 0.0383 / 360 = 3,447 / 360
        (D(60_000), D("3.19166667")),  # 50,000 x 0.0383 / 360 x 60,000 / 100,000 = 1,915 / 360 x 0.6
        (D(10_000), None),
        (D("10000.01"), D("1.1E-7")),  # 0.01 x 0.0383 / 360 x 0.1000001 = 1.0639e-7
        (D(0), None),
        # Below zero, debit: 4.33 + 1.5 = 5.83 % to 100,000, 5.33 % to 1,000,000, 5.08 % above.
        (D(-1), D("-0.00016194")),  # 0.0583 / 360
        (D(-100_000), D("-16.19444444")),  # 5,830 / 360
        (D(-250_000), D("-38.40277778")),  # (5,830 + 150,000 x 0.0533) / 360 = 13,825 / 360
        (D(-1_500_000), D("-220")),  # (5,830 + 47,970 + 25,400) / 360 = 79,200 / 360
    ],
)
def test_one_day_of_cash(cash: Decimal, a_day: Decimal | None) -> None:
    told = day(books(cash))
    assert [(one.kind, one.owner, one.accrued, one.cash) for one in told] == (
        [] if a_day is None else [("interest", "", a_day, D(0))]
    )


def test_the_bound_of_a_credit_rate_is_zero() -> None:
    table = load_financing("ibkr-pro-2026", {"USD": D("0.4")}, {})  # 0.4 - 0.5 is below zero
    assert day(books(D(500_000), table)) == []


@pytest.mark.parametrize(
    ("price", "counted"),
    [
        ("0.10", 1),  # 0.102
        ("25", 26),  # 25.50
        ("50", 51),  # 51 exactly
        ("50.01", 52),  # 51.0102
        ("97.3", 100),  # 99.246
    ],
)
def test_collateral_is_102_percent_rounded_up_to_a_whole_unit(price: str, counted: int) -> None:
    assert collateral_price(D(price)) == counted


def test_a_short_of_dimes_is_charged_as_one_of_dollars() -> None:
    portfolio = books(D(500_000), financing(X=D(36)))
    booked(portfolio, fill_of(1, D(-10_000), D("0.10")))
    told = day(portfolio, (1, D("0.10")))
    # 10,000 shares x 1 dollar x 36 % / 360; of the cash of 501,000 the 10,000 are collateral.
    # (501,000 - 10,000 - 10,000) x 0.0383 / 360 = 481,000 x 0.0383 / 360 = 18,422.3 / 360
    assert [(one.kind, one.owner, one.accrued) for one in told] == [
        ("borrow fee", "a", D(-10)),
        ("interest", "", D("51.17305556")),
    ]


def test_proceeds_of_shorts_earn_their_own_bands() -> None:
    portfolio = books(D(1_000_000))
    booked(portfolio, fill_of(1, D(-10_000), D(49)))
    told = day(portfolio, (1, D("49.01")))
    # 49.01 x 1.02 = 49.9902, so 50: collateral 500,000. 100,000 earn nothing, 400,000 at 4.33 - 1.25 = 3.08 %: 12,320
    # / 360.
    # Free: 1,490,000 - 500,000 = 990,000; 980,000 x 0.0383 = 37,534; / 360.
    assert [(one.kind, one.accrued) for one in told] == [
        ("interest", D("104.26111111")),
        ("short interest", D("34.22222222")),
    ]


def test_what_one_strategy_lends_another_need_not_borrow() -> None:
    portfolio = books(D(10_000), financing(default=D(36)))
    booked(portfolio, fill_of(1, D(-30), D(9), 1), "a")
    booked(portfolio, fill_of(1, D(-10), D(9), 2), "b")
    booked(portfolio, fill_of(1, D(20), D(9), 3), "c")
    told = [one for one in day(portfolio, (1, D("9.50"))) if one.kind == "borrow fee"]
    # The account is short 20 at 10 (9.69 rounded up): 200 x 36 % / 360 = 0.20, three quarters of it a's.
    assert [(one.owner, one.accrued) for one in told] == [("a", D("-0.15")), ("b", D("-0.05"))]


def test_without_a_price_nothing_is_borrowed_and_a_currency_without_a_benchmark_is_left_alone() -> None:
    portfolio = books(D(5_000), financing(X=D(36)))
    portfolio.deposit("EUR", D(1_000_000))
    booked(portfolio, fill_of(1, D(-30), D(9)))
    assert day(portfolio) == []


@pytest.mark.parametrize(
    ("units", "price", "a_day"),
    [
        # 190,000 beside the first 10,000 earn 3.83 %, whatever a future of 50 x 5,000 = 250,000 stands for.
        (1, "5000", D("20.21388889")),
        (-1, "5000", D("20.21388889")),
        (1, None, D("20.21388889")),
        # It has gained 50 x 100 = 5,000, which is paid as the day ends: 195,000 x 0.0383 / 360; or lost them.
        (1, "5100", D("20.74583333")),
        (-1, "5100", D("19.68194444")),
    ],
)
def test_a_future_is_not_paid_for(units: int, price: str | None, a_day: Decimal) -> None:
    portfolio = books(D(200_000))
    booked(portfolio, fill_of(3, D(units), D(5000)))
    assert portfolio.cash["USD"] == 200_000 - units * 250_000
    told = () if price is None else ((3, D(price)),)
    assert [one.accrued for one in day(portfolio, *told)] == [a_day]


def test_euros_in_a_pair_are_euros(tmp_path: Path) -> None:
    text = """
name = "euro"
[[terms]]
currency = "EUR"
valid_from = 2026-01-01
day_count = 365
credit = [{ spread = 0 }]
[[benchmarks]]
currency = "EUR"
valid_from = 2026-01-01
rate = 2.00
[[benchmarks]]
currency = "EUR"
valid_from = 2026-03-10
rate = 3.65
"""
    (tmp_path / "euro.toml").write_text(text)
    portfolio = books(D(50_000), load_financing(str(tmp_path / "euro.toml"), {}, {}))
    booked(portfolio, fill_of(2, D(20_000), D("1.10")))
    assert [one.accrued for one in day(portfolio, on=date(2026, 3, 9))] == [D("1.09589041")]  # 20,000 x 0.02 / 365
    assert [one.accrued for one in day(portfolio, on=date(2026, 3, 10))] == [D(2)]  # 20,000 x 0.0365 / 365
    assert day(portfolio, on=date(2025, 12, 31)) == []  # before the first benchmark nobody knows


def test_interest_is_owed_first_and_paid_a_month_later() -> None:
    portfolio = books(D(100_000))
    for on in (date(2026, 3, 30), date(2026, 3, 31), date(2026, 4, 1)):
        day(portfolio, on=on)
    # What is owed adds to net worth, which is at its bound already: 9.575 a day.
    assert (sum(portfolio.accrued.values()), portfolio.cash["USD"]) == (D("28.725"), D(100_000))
    portfolio.adjust([InterestPaid(2, date(2026, 4, 3))])
    assert (portfolio.cash["USD"], portfolio.interest) == (D("100019.15"), {"USD": D("19.15")})
    assert list(portfolio.accrued.values()) == [D("9.575")]
    portfolio.adjust([InterestPaid(3, date(2026, 4, 3))])  # paid once
    assert portfolio.interest == {"USD": D("19.15")}


def test_the_third_business_day() -> None:
    assert paid_on(date(2026, 3, 10)) == date(2026, 3, 4)  # the 1st is a Sunday: Monday 2, Tuesday 3, Wednesday 4
    assert paid_on(date(2026, 4, 1)) == date(2026, 4, 3)  # Wednesday 1, Thursday 2, Friday 3
    assert paid_on(date(2026, 8, 31)) == date(2026, 8, 5)  # the 1st is a Saturday


def test_every_midnight_of_a_run_ends_a_day() -> None:
    zone = ZoneInfo("UTC")
    monday = 20_514 * NS_PER_DAY  # 2026-03-02
    found = interest_due((monday + 600 * NS_PER_MINUTE, monday + 3 * NS_PER_DAY), zone, {1: X})
    assert [(one.ts_ns - monday, type(one).__name__) for one in found] == [
        (NS_PER_DAY + 1, "DayEnded"),
        (2 * NS_PER_DAY + 1, "DayEnded"),
        (2 * NS_PER_DAY + 1, "InterestPaid"),
    ]
    assert [one.day for one in found if isinstance(one, DayEnded)] == [date(2026, 3, 2), date(2026, 3, 3)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('name = "x"\nterm = 1', "unknown key; did you mean terms"),
        (
            'name = "x"\n[[terms]]\ncurrency = "USD"\nvalid_from = 2026-01-01\ndebit = [{ upto = 5, spread = 1 }]',
            "go up",
        ),
        (
            'name = "x"\n[[terms]]\ncurrency = "USD"\nvalid_from = 2026-01-01\n'
            "debit = [{ upto = 5 }, { upto = 4 }, { spread = 1 }]",
            "go up",
        ),
        ('name = "x"\n[[terms]]\ncurrency = "USD"\nvalid_from = 2026-01-01\nday_count = 252', "day_count"),
        (
            'name = "x"\n[[borrow]]\nvalid_from = 2026-01-02\nrate = 1\n[[borrow]]\nvalid_from = 2026-01-01\nrate = 1',
            "oldest",
        ),
        ("name = ", "TOML"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_financing(str(tmp_path / "bad.toml"), {}, {})
