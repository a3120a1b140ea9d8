"""The law of the books over any sequence of what can happen to them, against a plain tally of cash by currency."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.domain.actions import (
    Action,
    ConvertNow,
    DayEnded,
    DividendDue,
    DividendNow,
    DividendPaid,
    ExerciseNow,
    ExpiryNow,
    InterestPaid,
    MergerNow,
    RateNow,
    SpinOffNow,
    SplitNow,
)
from engine.domain.facts import ESTIMATED
from engine.domain.instrument import Instrument, SecType
from engine.domain.messages import Update
from engine.domain.order import Order
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.portfolio.books import Portfolio
from engine.portfolio.commissions import heard, told
from engine.portfolio.financing import Band, Benchmark, BorrowRate, Financing, Terms
from engine.portfolio.identity import gaps, units_apart
from tests.portfolio.test_books import booked, fill_of

D = Decimal
STOCK, OTHER, OPTION, EURO, PAIR = 1, 2, 3, 4, 5
INSTRUMENTS = {
    STOCK: Instrument(conid=STOCK, symbol="AAA"),
    OTHER: Instrument(conid=OTHER, symbol="BBB", size_increment=D("0.1")),
    OPTION: Instrument(conid=OPTION, symbol="AAA C", sec_type=SecType.OPTION, multiplier=D(100)),
    EURO: Instrument(conid=EURO, symbol="EEE", currency="EUR"),
    PAIR: Instrument(conid=PAIR, symbol="EUR.USD", sec_type=SecType.CASH),
}
DEPOSITS = {"USD": D(50_000), "EUR": D(5_000)}
BANDS = (Band(upto=D(10_000)), Band(upto=D(30_000), spread=D("-0.5")), Band(spread=D("-0.25")))
DEBIT = (Band(upto=D(100_000), spread=D("1.5")), Band(spread=D(1)))
DAY = date(2026, 1, 5)
FINANCING = Financing(
    name="test",
    terms=tuple(
        Terms(currency=unit, valid_from=DAY, day_count=days, full_at=D(100_000), debit=DEBIT, credit=BANDS, short=BANDS)
        for unit, days in (("USD", 360), ("EUR", 365))
    ),
    benchmarks=(
        Benchmark(currency="USD", valid_from=DAY, rate=D("4.33")),
        Benchmark(currency="EUR", valid_from=DAY, rate=D("1.93")),
    ),
    borrow=(BorrowRate(valid_from=DAY, rate=D("3.25")), BorrowRate(valid_from=DAY, rate=D(40), symbol="BBB")),
)


def money(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(lambda cents: D(cents) / 100)


strategies = st.sampled_from(("a", "b"))
stocks = st.sampled_from((STOCK, OTHER))
traded = st.sampled_from((STOCK, OTHER, OPTION, EURO, PAIR))
units = st.integers(-60, 60).filter(bool).map(D)
ratios = st.integers(1, 7).map(D)
prices = money(1, 30_000)
fees = st.lists(
    st.tuples(st.sampled_from(("commission", "sec")), money(-200, 900), st.sampled_from(("USD", "EUR"))), max_size=2
)


def ticket_of(strategy: str) -> OrderTicket:
    return OrderTicket(coid="a-000001", strategy=strategy, account="DU1", conid=STOCK, side=Side.BUY,
                       order_type=OrderType.MARKET, quantity=D(3))  # fmt: skip


class Books(RuleBasedStateMachine):
    """Whatever is booked, in whatever order, nothing is lost: by currency, and between account and strategies."""

    @initialize()
    def open(self) -> None:
        self.books = Portfolio(INSTRUMENTS, dict(DEPOSITS), {"USD": D(1), "EUR": D("1.08")}, FINANCING)
        self.now = 0
        self.day = DAY
        self.paid_ns: list[tuple[int, int]] = []
        self.base = D(50_000) + 5_000 * D("1.08")  # what was deposited, in base currency at that time
        self.cash = dict(DEPOSITS)  # the model: deposits, and every amount that was said to move

    def did(self, action: Action) -> None:
        booked_before, posted_before = len(self.books.booked), len(self.books.postings)
        self.books.adjust([action])
        for one in self.books.booked[booked_before:]:
            self.cash[one.currency] += one.cash
        for posting in self.books.postings[posted_before:]:
            self.cash[posting.currency] += posting.cash

    def tick(self) -> int:
        self.now += 1
        return self.now

    @rule(strategy=strategies, conid=traded, amount=units, price=prices, lines=fees)
    def trade(self, strategy: str, conid: int, amount: Decimal, price: Decimal, lines: Any) -> None:
        instrument = INSTRUMENTS[conid]
        booked(self.books, fill_of(conid, amount, price, self.tick(), fees=tuple(lines)), strategy)
        self.cash[instrument.currency] -= amount * price * instrument.multiplier
        for _, fee, unit in lines:
            self.cash[unit] -= fee

    @rule(strategy=strategies, estimate=money(1, 500), cost=money(-100, 500), early=st.booleans(), price=prices)
    def commission_replaced(self, strategy: str, estimate: Decimal, cost: Decimal, early: bool, price: Decimal) -> None:
        number = self.tick()
        fees = (("commission", estimate, "USD"),)
        fill = fill_of(STOCK, D(3), price, number, fees=fees, flags=(ESTIMATED,))
        if early:
            told(self.books, fill.exec_id, strategy, cost, "USD")
        booked(self.books, fill, strategy)
        heard(self.books, [Update(Order(ticket=ticket_of(strategy)), fill)])
        if not early:
            told(self.books, fill.exec_id, strategy, cost, "USD")
        self.cash["USD"] -= 3 * price + cost

    @rule(conid=stocks, new=ratios, old=ratios, price=st.none() | prices)
    def split(self, conid: int, new: Decimal, old: Decimal, price: Decimal | None) -> None:
        self.did(SplitNow(self.tick(), conid, new, old, price))

    @rule(
        swap=st.booleans(), shares=st.booleans(), new=ratios, old=ratios, cash=money(0, 900), price=st.none() | prices
    )
    def merger(
        self, swap: bool, shares: bool, new: Decimal, old: Decimal, cash: Decimal, price: Decimal | None
    ) -> None:
        mine, into = (OTHER, STOCK) if swap else (STOCK, OTHER)
        self.did(MergerNow(self.tick(), mine, into if shares else None, new, old, cash, price))

    @rule(new=ratios, old=ratios, share=money(0, 100), price=st.none() | prices)
    def spin_off(self, new: Decimal, old: Decimal, share: Decimal, price: Decimal | None) -> None:
        self.did(SpinOffNow(self.tick(), STOCK, OTHER, new, old, share, price))

    @rule(price=money(0, 900))
    def expiry(self, price: Decimal) -> None:
        self.did(ExpiryNow(self.tick(), OPTION, price))

    @rule(strike=prices, right=st.sampled_from("CP"), holders=st.sampled_from(("all", "long", "short")))
    def exercise_or_assignment(self, strike: Decimal, right: str, holders: str) -> None:
        self.did(ExerciseNow(self.tick(), OPTION, STOCK, strike, right, holders))

    @rule(conid=stocks, amount=money(1, 200), unit=st.sampled_from(("USD", "EUR")))
    def dividend_at_once(self, conid: int, amount: Decimal, unit: str) -> None:
        self.did(DividendNow(self.tick(), conid, amount, unit))

    @rule(
        conid=stocks,
        amount=money(1, 200),
        unit=st.sampled_from(("USD", "EUR")),
        tax=money(0, 30),
        at_once=st.booleans(),
    )
    def dividend_owed(self, conid: int, amount: Decimal, unit: str, tax: Decimal, at_once: bool) -> None:
        now = self.tick()
        pay = now if at_once else now + 10**6
        self.did(DividendDue(now, conid, amount, unit, pay, tax))
        self.paid_ns.append((conid, pay))

    @rule()
    def dividends_paid(self) -> None:
        for conid, pay in self.paid_ns:
            self.did(DividendPaid(self.tick(), conid, pay))
        self.paid_ns.clear()

    @rule(first=st.none() | prices, second=st.none() | prices, days=st.integers(1, 20))
    def days_end(self, first: Decimal | None, second: Decimal | None, days: int) -> None:
        known = tuple((conid, price) for conid, price in ((STOCK, first), (OTHER, second)) if price is not None)
        for _ in range(days):
            self.did(DayEnded(self.tick(), self.day, (), known))
            self.day += timedelta(days=1)

    @rule()
    def interest_paid(self) -> None:
        self.did(InterestPaid(self.tick(), self.day))

    @rule(sold=money(1, 90_000), rate=money(90, 130), back=st.booleans())
    def conversion(self, sold: Decimal, rate: Decimal, back: bool) -> None:
        one, two = ("EUR", "USD") if back else ("USD", "EUR")
        self.did(ConvertNow(self.tick(), sold, one, sold * rate if back else sold / 4, two))

    @rule(rate=money(80, 140))
    def rate_moves(self, rate: Decimal) -> None:
        self.did(RateNow(self.tick(), "EUR", rate))

    @rule(amount=money(-900, 900), unit=st.sampled_from(("USD", "EUR")))
    def deposit(self, amount: Decimal, unit: str) -> None:
        self.books.deposit(unit, amount)
        self.cash[unit] += amount
        self.base += amount * self.books.rates[unit]

    @invariant()
    def the_law_holds(self) -> None:
        if hasattr(self, "books"):
            assert gaps(self.books) == {}
            assert units_apart(self.books) == {}
            assert self.books.cash == self.cash

    @invariant()
    def flows_of_all_owners_are_the_cash_in_base_currency(self) -> None:
        if hasattr(self, "books"):
            books = self.books
            there = sum((amount * books.rates[unit] for unit, amount in books.cash.items()), D(0))
            there += sum((amount * books.rates[key[3]] for key, amount in books.accrued.items()), D(0))
            assert sum(books.flows.values()) == there - self.base

    @invariant()
    def what_is_closed_has_no_cost(self) -> None:
        if hasattr(self, "books"):
            assert all(held.quantity or not held.cost for held in self.books.holdings.values())


TestBooks = Books.TestCase
TestBooks.settings = settings(stateful_step_count=30)


def test_the_checker_sees_a_cent_that_is_gone() -> None:
    books = Portfolio(INSTRUMENTS, dict(DEPOSITS), {"USD": D(1), "EUR": D("1.08")})
    booked(books, fill_of(STOCK, D(10), D(20)))
    assert gaps(books) == {}
    books.cash["USD"] -= D("0.01")
    assert gaps(books) == {"USD": D("-0.01")}
    books.holdings["a", STOCK].quantity += 1
    assert units_apart(books) == {STOCK: D(-1)}
    with pytest.raises(AssertionError, match="do not balance"):
        books.deposit("EUR", D(1))  # every test checks, after everything that is booked
