"""Windows of time, own orders across, and what a latch says to whoever meets it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from attrs import evolve

from engine.domain.messages import Denied, Place
from engine.domain.moments import NS_PER_DAY, NS_PER_S
from engine.domain.ticket import OrderType, Side
from engine.risk import checks, pricing, venueside
from engine.risk.account import Held, Level
from engine.risk.conduct import told, window_ns
from engine.risk.market import market_now
from engine.risk.outside import Summary
from engine.settings import Limits
from tests.risk.made import T0, D, make_gate, new
from tests.risk.test_catalogue import FUT, QUIET, Market, ask, hold, make, venue

SELL = Side.SELL
HOUR = 3_600 * NS_PER_S


@pytest.mark.parametrize(
    ("said", "window"),
    [
        ("1970-01-02/1970-01-03", (NS_PER_DAY, 2 * NS_PER_DAY)),
        ("1970-01-01T01:00/1970-01-01T02:00:05", (HOUR, 2 * HOUR + 5 * NS_PER_S)),
        ("1970-01-01T05:00+02:00/1970-01-01T00:00-04:00", (3 * HOUR, 4 * HOUR)),  # each by its own offset
        ("1970-01-01T01:00Z/1970-01-01T03:00+01:00", (HOUR, 2 * HOUR)),
    ],
)
def test_a_window_of_time_is_utc_unless_it_says_its_offset(said: str, window: tuple[int, int]) -> None:
    assert window_ns(said) == window


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_a_window_is_the_same_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    with monkeypatch.context() as moved:
        moved.setenv("TZ", zone)
        time.tzset()
        window_ns.cache_clear()
        assert window_ns("1970-01-02/1970-01-03") == (NS_PER_DAY, 2 * NS_PER_DAY)
    time.tzset()


@pytest.mark.parametrize("said", ["1970-01-02", "1970-01-02/1970-01-02", "1970-01-03/1970-01-02", "soon/later"])
def test_what_is_no_window_is_refused(said: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        window_ns(said)


def test_a_latch_tells_what_may_still_be_sent() -> None:
    reducing, halted = (told(Held(level, "LOSS", "too much is lost", T0)) for level in Level)
    assert (reducing.code, reducing.limit, reducing.value) == ("LOSS", "reducing", "latched")
    assert reducing.sentence == "too much is lost; only what makes positions smaller may be sent"
    assert (halted.limit, halted.value) == ("halted", "latched")
    assert halted.sentence == "too much is lost; nothing may be sent"


@pytest.mark.parametrize(
    ("resting", "code"),
    [
        ({"limit_price": D(90)}, "SELF_TRADE"),
        ({}, "SELF_TRADE"),
        ({"order_type": OrderType.LIMIT_ON_CLOSE, "limit_price": D(90)}, "SELF_TRADE"),
        ({"order_type": OrderType.STOP, "stop_price": D(90)}, "ok"),  # it is not in the book yet
        ({"order_type": OrderType.STOP_LIMIT, "stop_price": D(90), "limit_price": D(80)}, "ok"),
        ({"order_type": OrderType.TRAIL, "trail": D(1)}, "ok"),
        ({"order_type": OrderType.MIDPRICE}, "ok"),
    ],
)
def test_only_what_rests_in_the_book_is_met(resting: dict[str, Any], code: str) -> None:
    gate = make(self_trade=False)
    assert ask(gate, new(strategy="b", side=SELL, **resting)) == "ok"
    assert ask(gate, new(limit_price=D(95))) == code


@pytest.mark.parametrize(
    ("check", "limits", "market", "terms", "told_"),
    [
        (checks.order_notional, {}, Market({}), {}, ("NO_PRICE", "a price", "none")),
        (checks.price_collar, {}, Market({}), {"limit_price": D(9)}, ("NO_PRICE", "a price", "none")),
        (pricing.price_drift, {"price_drift_pct": D(2)}, Market({}), {"limit_price": D(9)},
         ("NO_PRICE", "a price", "none")),
        (pricing.price_drift, {"price_drift_pct": D(2)}, Market({14: 0.0}), {"limit_price": D(101), "conid": 14},
         ("DRIFT", "2 %", "inf %")),
        (pricing.price_drift, {"price_drift_pct": D(2)}, Market({1: 50.0}), {"limit_price": D(102)},
         ("DRIFT", "2 %", "4.00 %")),
    ],
)  # fmt: skip
def test_a_check_by_itself_refuses_what_it_can_not_know(
    check: checks.Check, limits: dict[str, Any], market: Market, terms: dict[str, Any], told_: tuple[str, str, str]
) -> None:
    gate = make(**limits)
    ticket = new(**terms)
    assert ask(gate, new(1, limit_price=D(100), conid=ticket.conid)) == "ok"
    exposure = gate.exposure("a", ticket.conid)
    refusal = check(ticket, exposure, market_now(exposure.instrument, market, T0), exposure.bounds)
    assert refusal is not None
    assert (refusal.code, refusal.limit, refusal.value) == told_


@pytest.mark.parametrize(
    ("before", "limit", "code"),
    [
        ("0.05", "0.5", "ok"),
        ("0.05", "0.6", "RANGE"),
        ("0.05", "0.004", "RANGE"),
        ("5", "0", "ok"),  # a price of nothing, or below it, is no multiple of another
        ("5", "-1", "ok"),
        ("5", "51", "RANGE"),
        ("0", "500", "ok"),
        ("-1", "500", "ok"),
    ],
)
def test_the_own_range_of_prices_close_to_zero(before: str, limit: str, code: str) -> None:
    gate = make(range_factor=D(10))
    for _ in range(5):
        assert ask(gate, new(1, conid=FUT.conid, limit_price=D(before))) == "ok"
    assert ask(gate, new(1, conid=FUT.conid, limit_price=D(limit))) == code


def test_settled_cash_pays_for_what_is_bought_and_not_for_the_way_out() -> None:
    facts = venue()
    gate = make(facts, **{**QUIET, "settled_cash": True})
    facts.summary = Summary(ts_ns=T0, settled_cash=D(0), net_liquidation=D(9999), excess_liquidity=D(9999))
    assert ask(gate, new(1)) == "SETTLED"
    assert ask(gate, new(1, side=SELL)) == "ok"
    short = make(facts, **{**QUIET, "settled_cash": True})
    hold(short, -5)
    assert ask(short, new(5)) == "ok"


@pytest.mark.parametrize(
    ("limits", "summary", "told_"),
    [
        ({"buying_power": True}, {}, ("BUYING_POWER", "buying power", "unknown")),
        ({"settled_cash": True}, {}, ("SETTLED", "settled cash", "unknown")),
        ({"margin_cushion_pct": D(7)}, {"net_liquidation": D(9)}, ("MARGIN", "7 %", "unknown")),
        ({"margin_cushion_pct": D(7)}, {"excess_liquidity": D(9)}, ("MARGIN", "7 %", "unknown")),
        ({"day_trades_max": 3}, {}, ("DAY_TRADES", "3", "unknown")),
    ],
)
def test_a_summary_that_leaves_something_out_is_unknown(
    limits: dict[str, Any], summary: dict[str, Any], told_: tuple[str, str, str]
) -> None:
    facts = venue()
    rich: dict[str, Any] = (
        {} if "margin_cushion_pct" in limits else {"net_liquidation": D(9999), "excess_liquidity": D(9999)}
    )
    facts.summary = Summary(ts_ns=T0, **rich, **summary)
    verdict = make(facts, **{**QUIET, **limits}).judge(Place((new(1),)), Market, T0)
    assert isinstance(verdict, Denied)
    assert (verdict.refusal.code, verdict.refusal.limit, verdict.refusal.value) == told_


def test_an_order_of_unknown_worth_can_not_be_paid() -> None:
    gate = make_gate({}, {}, {}, rates={"USD": D(1)})
    facts = venue()
    gate.account.outside = facts
    ticket, exposure = new(1, conid=2), gate.exposure("a", 2)
    market = market_now(exposure.instrument, Market(), T0)
    refusal = venueside.buying_power(
        ticket, exposure, market, evolve(exposure.bounds, tightest=Limits(buying_power=True))
    )
    assert refusal is not None
    assert (refusal.limit, refusal.value) == ("1000000000000", "unknown")
