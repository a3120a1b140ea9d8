"""What accounts are worth, what they can pay for, and what orders would change; worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instrument import Instrument, PriceTick, SecType
from engine.domain.market import MarketEvent
from engine.domain.moments import NS_PER_S
from engine.gateway.accounts import opened
from engine.gateway.exchange import SimExchange
from engine.gateway.opening import account_names, covering
from engine.gateway.options import Options
from engine.gateway.records import Top
from engine.gateway.tops import mark
from engine.venue.schedules import load_fees
from tests.gateway.exchanges import ACCOUNT, START, after, on_rows, order, place, plain_venue
from tests.venue.driving import quote, trade

S = NS_PER_S
SHARE = Instrument(conid=1, symbol="X", calendar="24/7")
FUTURE = Instrument(
    conid=2,
    symbol="F",
    sec_type=SecType.FUTURE,
    multiplier=Decimal(50),
    price_ticks=(PriceTick(Decimal(0), Decimal("0.25")),),
    calendar="24/7",
)
CALL = Instrument(conid=3, symbol="X", sec_type=SecType.OPTION, multiplier=Decimal(100), calendar="24/7")
D = Decimal


def market(cash: str = "10000", fees: str = "none", **more: object) -> SimExchange:
    """X at 99.99 by 100.01, last 100; the future at 2000 by 2000.25; the call at 4.90 by 5.10. Then X at 110."""
    rows: list[MarketEvent] = [
        quote(START + 1, 99.99, 100.01, 1000, 1000),
        trade(START + 2, 100.0),
        quote(START + 3, 2000.0, 2000.25, 10, 10, conid=2),
        quote(START + 4, 4.90, 5.10, 50, 50, conid=3),
        trade(START + 5, 5.0, conid=3),
        quote(START + 60 * S, 109.99, 110.01, 1000, 1000),
        trade(START + 60 * S, 110.0),
    ]
    exchange = on_rows(
        rows,
        instruments=(SHARE, FUTURE, CALL),
        options=Options(cash={"USD": D(cash)}, commission_delay_s=0, **more),  # type: ignore[arg-type]
        venue=plain_venue(fees=fees),
    )
    exchange.advance(START + S)
    return exchange


def test_a_long_position_is_worth_its_mark() -> None:
    exchange = market()
    place(exchange, order("BUY", 50, conid=1))
    after(exchange, 0)
    funds = exchange.funds(ACCOUNT)
    assert funds.cash == D("4999.50")  # 50 at 100.01
    assert (funds.stock_value, funds.position_value) == (D("5000.00"), D("5000.00"))
    assert (funds.net_liquidation, funds.unrealised, funds.daily) == (D("9999.50"), D("-0.50"), D("-0.50"))
    assert (funds.initial_margin, funds.maintenance_margin) == (D("2500.00"), D("1250.00"))
    assert (funds.available, funds.excess_liquidity) == (D("7499.50"), D("8749.50"))
    assert funds.buying_power == D("29998.00")
    exchange.advance(START + 61 * S)
    assert exchange.funds(ACCOUNT).unrealised == D("499.50")


def test_a_short_position_owes_its_mark() -> None:
    exchange = market()
    place(exchange, order("SELL", 50, conid=1))
    after(exchange, 0)
    funds = exchange.funds(ACCOUNT)
    assert (funds.cash, funds.stock_value, funds.position_value) == (D("14999.50"), D("-5000.00"), D("5000.00"))
    assert (funds.net_liquidation, funds.initial_margin) == (D("9999.50"), D("2500.00"))
    place(exchange, order("BUY", 50, conid=1))
    after(exchange, 0)
    assert exchange.funds(ACCOUNT).realised == D("-1.00")
    assert exchange.cash(ACCOUNT)["USD"] == D(9_999)


def test_a_future_moves_cash_only_when_something_is_realised() -> None:
    exchange = market()
    place(exchange, order("BUY", 1, conid=2))
    after(exchange, 0)
    (position,) = exchange.positions(ACCOUNT)
    assert (position.quantity, position.cost) == (D(1), D("100012.50"))
    assert exchange.cash(ACCOUNT)["USD"] == D(10_000)
    funds = exchange.funds(ACCOUNT)
    # There is no last trade, so the mark is the middle on the tick: 2000 (of 2000.125, to the even one).
    assert (funds.net_liquidation, funds.unrealised) == (D("9987.50"), D("-12.50"))
    assert funds.initial_margin == D("5000.00")
    place(exchange, order("SELL", 1, conid=2))
    after(exchange, 0)
    assert exchange.cash(ACCOUNT)["USD"] == D("9987.50")


def test_an_option_binds_all_it_is_worth_and_a_short_one_more() -> None:
    exchange = market()
    place(exchange, order("BUY", 2, conid=3))
    after(exchange, 0)
    funds = exchange.funds(ACCOUNT)
    assert (funds.cash, funds.net_liquidation) == (D("8980.00"), D("9980.00"))
    assert (funds.initial_margin, funds.available) == (D("1000.00"), D("8980.00"))


@pytest.mark.parametrize(
    ("side", "quantity", "refused"), [("BUY", 199, False), ("BUY", 201, True), ("SELL", 201, True)]
)
def test_what_the_account_cannot_pay_for_is_told_in_the_venues_words(side: str, quantity: int, refused: bool) -> None:
    no = market().unaffordable(order(side, quantity, conid=1))
    assert (no is not None) is refused
    if no is not None:
        assert "EQUITY WITH LOAN VALUE [10000.00 USD] MUST EXCEED THE INITIAL MARGIN [10050.00 USD]" in no


def test_open_orders_count_but_those_that_close_or_are_replaced_do_not() -> None:
    exchange = market()
    (resting,) = place(exchange, order("BUY", 150, "90.00", conid=1))
    after(exchange, 0)
    more = order("BUY", 100, conid=1)
    assert exchange.unaffordable(more) is not None
    more.replaces = resting
    assert exchange.unaffordable(more) is None
    assert exchange.unaffordable(order("SELL", 100, conid=1, parent=resting)) is None
    exchange.cancel(resting)
    after(exchange, 0)
    place(exchange, order("BUY", 199, conid=1))
    after(exchange, 0)
    assert exchange.unaffordable(order("SELL", 199, conid=1)) is None
    assert exchange.unaffordable(order("BUY", 10, conid=1)) is not None


def test_without_a_price_nothing_is_affordable() -> None:
    exchange = on_rows([])
    no = exchange.unaffordable(order("BUY", 1, conid=1))
    assert no is not None
    assert "price" in no


def test_a_preview_says_what_would_change() -> None:
    exchange = market(fees="ibkr-us-fixed-2026")
    first, second, fee = exchange.margin_change(order("BUY", 100, conid=1))
    assert (first, second) == (D(5_000), D(2_500))
    assert fee == D("1.0072")  # the least of 1.00 for 0.50, and 100 x 0.000072
    place(exchange, order("BUY", 100, conid=1))
    after(exchange, 0)
    assert exchange.margin_change(order("SELL", 60, conid=1))[0] == D(-3_000)
    (fill,) = exchange.executions(ACCOUNT, 1)
    assert fill.commission == fee


def test_accounts_are_counted_up_and_apart() -> None:
    options = Options(accounts=3, first_account="DU0999999")
    assert account_names(options) == ["DU0999999", "DU1000000", "DU1000001"]
    exchange = market(accounts=2)
    assert exchange.accounts == ("DU1234567", "DU1234568")
    place(exchange, order("BUY", 5, conid=1, account="DU1234568"))
    after(exchange, 0)
    assert exchange.positions(ACCOUNT) == []
    assert len(exchange.orders("DU1234568")) == len(exchange.executions("DU1234568", 1)) == 1
    assert exchange.state()["accounts"]["DU1234568"]["positions"] == {"1": 5}


def test_what_a_schedule_does_not_name_is_traded_free() -> None:
    schedule = load_fees("ibkr-us-fixed-2026")
    abroad = Instrument(conid=9, symbol="E", currency="EUR")
    covered = covering(schedule, [abroad, SHARE])
    section = covered.tables[0].section(abroad)
    assert section is not None
    assert section.tiers[0].rate == 0
    assert covered.tables[0].section(SHARE) == schedule.tables[0].section(SHARE)


@pytest.mark.parametrize(
    ("bid", "ask", "last", "wanted"),
    [(9.9, 10.1, 10.0, 10.0), (9.8, 9.9, 10.0, 9.9), (10.1, 10.2, 10.0, 10.1), (9.0, 11.0, float("nan"), 10.0)],
)
def test_the_mark_lies_within_the_quote(bid: float, ask: float, last: float, wanted: float) -> None:
    top = Top(
        conid=1,
        ts_ns=1,
        bid=bid,
        ask=ask,
        bid_size=1,
        ask_size=1,
        last=last,
        last_size=1,
        volume=0,
        open=last,
        high=last,
        low=last,
        prior_close=8.0,
    )
    assert mark(top) == wanted


def test_a_balance_that_is_not_zero_shows() -> None:
    account = opened(ACCOUNT, {"USD": D(5)})
    account.cash["USD"] += 1
    assert account.balance({}) == {"USD": D(1)}


@given(
    st.lists(st.tuples(st.sampled_from(["BUY", "SELL", "cancel", "modify", "fill"]), st.integers(1, 60)), max_size=12),
    st.integers(1, 250),
)
def test_the_kept_tally_says_what_adding_up_all_orders_says(steps: list[tuple[str, int]], asked: int) -> None:
    exchange = market()
    resting: list[int] = []
    for what, size in steps:
        match what:
            case "BUY" | "SELL":
                resting += place(exchange, order(what, size, "90.00" if what == "BUY" else "110.00", conid=1))
            case "fill":
                place(exchange, order("BUY", size, conid=1))
            case "cancel" if resting:
                exchange.cancel(resting.pop(size % len(resting)))
            case "modify" if resting:
                changed = order("BUY", size, "90.00", conid=1)
                exchange.modify(resting[0], changed.ticket, {})
        after(exchange, 0)
        exchange.unaffordable(order("BUY", 1, conid=1))  # looks on the way must not change the end
    held = exchange.books[ACCOUNT].quantity(1)

    def grows(units: Decimal) -> Decimal:
        return max(D(0), abs(held + units) - abs(held)) * D(50)  # half of 100 a share

    others = D(0)
    for number in resting:
        standing = exchange.order(number)
        assert standing is not None
        if standing.open:
            others += grows((standing.ticket.quantity - standing.filled) * standing.ticket.side.sign)
    funds = exchange.funds(ACCOUNT)
    for side, sign in (("BUY", 1), ("SELL", -1)):
        for size in (1, asked, 10_000):
            needed = abs(held) * D(50) + grows(D(sign * size)) + others
            no = exchange.unaffordable(order(side, size, conid=1))
            assert (no is not None) == (grows(D(sign * size)) > 0 and needed > funds.net_liquidation)
            assert no is None or f"INITIAL MARGIN [{needed:.2f} USD]" in no
