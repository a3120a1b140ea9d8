"""Margin by tiers: what each kind of instrument binds, what an order may bind beside it, and what is never allowed."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.messages import Denied, Place
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.risk.gate import Gate
from engine.risk.margin import margin_row
from tests.risk.made import D, new
from tests.risk.test_catalogue import Market, ask, hold, make

SELL = Side.SELL
# Conids of the market of these tests, all at 100 unless another price is said.
SHARE, EURO_SHARE, CALL, FUTURE, PAIR = 1, 2, 11, 14, 21


def account(tiers: str, equity: float | None = 10_000.0, **limits: Any) -> Gate:
    return make(plugins=(margin_row(tiers),), equity=equity, **limits)


@pytest.mark.parametrize(
    ("tiers", "conid", "side", "most", "price"),
    [
        ("cash", SHARE, Side.BUY, 100, 100.0),
        ("cash", EURO_SHARE, Side.BUY, 80, 100.0),  # a EUR is 1.25
        ("cash", CALL, Side.BUY, 1, 100.0),  # 100 of the underlying
        ("cash", SHARE, SELL, 0, 100.0),
        ("cash", CALL, SELL, 0, 100.0),
        ("cash", FUTURE, Side.BUY, 100, 100.0),  # what a tier does not name binds all of it, and may not be short
        ("cash", FUTURE, SELL, 0, 100.0),
        ("reg-t", SHARE, Side.BUY, 200, 100.0),
        ("reg-t", SHARE, SELL, 200, 100.0),
        ("reg-t", SHARE, SELL, 2_000, 5.0),  # 5 a share from a price of 5 on
        ("reg-t", SHARE, SELL, 2_000, 5.5),
        ("reg-t", SHARE, SELL, 2_000, 7.0),
        ("reg-t", SHARE, SELL, 2_000, 10.0),
        ("reg-t", SHARE, SELL, 1_000, 20.0),
        ("reg-t", SHARE, SELL, 2_500, 4.0),  # below it the price itself,
        ("reg-t", SHARE, SELL, 4_000, 2.5),
        ("reg-t", SHARE, SELL, 4_000, 2.0),  # but 2.50 at least
        ("reg-t", SHARE, SELL, 4_000, 0.1),
        ("reg-t", SHARE, Side.BUY, 10_000, 2.0),
        ("reg-t", FUTURE, Side.BUY, 2_000, 100.0),
        ("reg-t", FUTURE, SELL, 2_000, 100.0),
        ("reg-t", FUTURE, SELL, 100_000, 2.0),  # the floors are for shares
        ("portfolio", SHARE, SELL, 666, 100.0),  # 15 %
        ("portfolio", SHARE, Side.BUY, 666, 100.0),
        ("portfolio", SHARE, SELL, 33_333, 2.0),
        ("portfolio", CALL, SELL, 0, 100.0),
    ],
)
def test_as_much_may_be_held_as_net_worth_binds(tiers: str, conid: int, side: Side, most: int, price: float) -> None:
    """10,000 of net worth, nothing held."""
    market = Market(dict.fromkeys((SHARE, EURO_SHARE, CALL, FUTURE), price))
    assert ask(account(tiers), new(most + 1, conid=conid, side=side), market=market) == "MARGIN"
    if most:
        assert ask(account(tiers), new(most, conid=conid, side=side), market=market) == "ok"


@pytest.mark.parametrize("cushion", [0, 20])
def test_the_cushion_is_left_alone(cushion: int) -> None:
    most = 100 - cushion
    assert ask(account("cash", margin_cushion_pct=D(cushion)), new(most)) == "ok"
    assert ask(account("cash", margin_cushion_pct=D(cushion)), new(most + 1)) == "MARGIN"


def refusal(gate: Gate, ticket: OrderTicket, market: Market | None = None) -> tuple[str, str, str]:
    verdict = gate.judge(Place((ticket,)), lambda: market or Market(), Market().at_ns)
    assert isinstance(verdict, Denied)
    return verdict.refusal.code, verdict.refusal.limit, verdict.refusal.value


def test_a_refusal_tells_what_would_be_bound_and_what_is_there() -> None:
    assert refusal(account("reg-t", margin_cushion_pct=D(10)), new(201)) == ("MARGIN", "9000.00", "10050.00")
    assert refusal(account("cash"), new(1, side=SELL)) == ("MARGIN", "cash", "short")
    assert refusal(account("cash", equity=None), new(1)) == ("MARGIN", "cash", "unknown")
    other = account("reg-t")
    hold(other, 5, conid=EURO_SHARE)  # of which there is no price
    assert refusal(other, new(1), Market({SHARE: 100.0})) == ("MARGIN", "reg-t", "unknown")


def test_the_row_of_the_tiers_names_them() -> None:
    row = margin_row("reg-t")
    assert (row.code, row.name, row.codes, row.source) == (
        "MARGIN_TIERS", "margin tiers", ("MARGIN",), "books.margin = reg-t"
    )  # fmt: skip
    assert "reg-t" in row.sentence


def test_a_little_binds_little_and_a_price_of_nothing_is_none() -> None:
    assert ask(account("cash", equity=0.5), new(1), market=Market({SHARE: 0.4})) == "ok"
    worthless = new(5, side=SELL, order_type=OrderType.MARKET)
    assert ask(account("reg-t", equity=0.0), worthless, market=Market({SHARE: 0.0})) == "NO_PRICE"


def test_all_instruments_and_open_orders_count_together() -> None:
    gate = account("reg-t")
    hold(gate, 100)  # 5,000 of 10,000
    hold(gate, -40, conid=EURO_SHARE)  # 40 at 125: 2,500
    assert ask(gate, new(20)) == "ok"  # 1,000
    assert ask(gate, new(31)) == "MARGIN"
    assert ask(gate, new(30)) == "ok"


def test_the_dearest_price_counts() -> None:
    assert ask(account("cash"), new(50, limit_price=D(200))) == "ok"
    assert ask(account("cash"), new(50, limit_price=D(201))) == "MARGIN"
    assert ask(account("cash"), new(50, order_type=OrderType.STOP, stop_price=D(201))) == "MARGIN"


def test_what_binds_nothing_more_passes_whatever_is_bound() -> None:
    gate = account("reg-t")
    hold(gate, 300)
    assert ask(gate, new(1)) == "MARGIN"
    assert ask(gate, new(300, side=SELL)) == "ok"
    poor = account("reg-t")
    hold(poor, 300)
    # Two thirds of the position the other way bind no more than it does.
    assert ask(poor, new(500, side=SELL)) == "ok"
    assert ask(poor, new(101, side=SELL)) == "MARGIN"


@pytest.mark.parametrize("extra", [1, 50, 100, 101])
def test_a_cash_account_sells_no_more_than_it_holds(extra: int) -> None:
    gate = account("cash")
    hold(gate, 100)
    assert ask(gate, new(100 + extra, side=SELL)) == "MARGIN"
    assert ask(gate, new(60, side=SELL)) == "ok"
    assert ask(gate, new(40 + extra, side=SELL)) == "MARGIN"
    assert ask(gate, new(40, side=SELL)) == "ok"


def test_the_side_that_binds_more_counts() -> None:
    """A short of a share at 1 binds 2.50, a long one half: turning 1,000 round takes 2,500 and not 500."""
    cheap = Market({SHARE: 1.0})
    for worth, code in ((2_500.0, "ok"), (2_499.0, "MARGIN")):
        gate = account("reg-t", equity=worth)
        hold(gate, 1_000)
        assert ask(gate, new(2_000, side=SELL), market=cheap) == code


def test_whoever_is_short_where_that_is_not_allowed_may_get_out_and_no_deeper() -> None:
    gate = account("cash")
    hold(gate, -5)
    assert ask(gate, new(1, side=SELL)) == "MARGIN"
    assert ask(gate, new(5)) == "ok"
    turned = account("cash")
    hold(turned, -5)
    assert ask(turned, new(7)) == "ok"
