"""What a refusal says: beside its code the limit that counts and the value that broke it, as a person reads them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.facts import AnswerMissing
from engine.domain.messages import Approved, Denied, Modify, Place, Resend, Update
from engine.domain.moments import NS_PER_DAY, NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk.account import Held, Level
from engine.risk.checks import Check
from engine.risk.exposure import MarketNow
from engine.risk.gate import Gate
from engine.risk.outside import Borrow, Contract, Summary
from engine.risk.venueside import buying_power, day_trades, margin, settled_cash
from engine.settings import Limits
from tests.risk.made import T0, WIDE, D, FakeView, make_gate, new
from tests.risk.test_catalogue import QUIET, Market, ask, change, hold, make, venue

BUY, SELL = Side.BUY, Side.SELL
LATE = T0 + 40 * NS_PER_DAY
Told = tuple[str, str, str]


def refused(gate: Gate, *tickets: OrderTicket, market: Any = None) -> Told:
    """Code, limit and value of the refusal that must come."""
    verdict = gate.judge(Place(tickets), lambda: market or Market(), T0)
    assert isinstance(verdict, Denied)
    told = verdict.refusal
    assert told.sentence
    return told.code, told.limit, told.value


@pytest.mark.parametrize(
    ("limits", "terms", "told"),
    [
        ({"restricted": ("AAA",)}, {}, ("RESTRICTED", "restricted list", "AAA")),
        ({"order_quantity_max": D(10)}, {"quantity": "10.5"}, ("QUANTITY", "10", "10.5")),
        ({"tick_and_lot": True}, {"limit_price": D("99.995")}, ("TICK", "0.01", "99.995")),
        ({"tick_and_lot": True}, {"limit_price": D(-1)}, ("TICK", "a price above 0", "-1")),
        ({"tick_and_lot": True}, {"quantity": "1.5"}, ("LOT", "1", "1.5")),
        ({"session_hours": True}, {}, ("CLOSED", "session hours", "closed")),
        ({"order_notional_max": D(1000)}, {"limit_price": D("100.01")}, ("NOTIONAL", "1000", "1000.10")),
        ({"order_notional_max": D(1000)}, {"conid": 2}, ("NOTIONAL", "1000", "1250.000")),  # 10 x 100 EUR x 1.25
        ({"price_collar_pct": D(5)}, {"limit_price": D(106)}, ("COLLAR", "5 %", "6.00 %")),
        ({"price_collar_pct": D(5)}, {"limit_price": D(92), "side": SELL}, ("COLLAR", "5 %", "8.00 %")),
        ({"price_collar_pct": D("2.5")}, {"limit_price": D(-50), "side": SELL}, ("COLLAR", "2.5 %", "150.00 %")),
        ({"position_max": D(9)}, {}, ("POSITION", "9", "10")),
        ({"strategy": {"a": Limits(position_max=D(8))}}, {}, ("POSITION", "8", "10")),
        ({"instrument": {"AAA": Limits(position_max=D(7))}}, {}, ("POSITION", "7", "10")),
        ({"open_orders_max": 0}, {}, ("OPEN_ORDERS", "0", "1")),
        ({"orders_per_minute_max": 0}, {}, ("RATE", "0/min", "1/min")),
        ({"messages_per_minute_max": 0}, {}, ("MESSAGES", "0/min", "1/min")),
        ({"orders_per_hour_max": 0}, {}, ("THROTTLE", "0/h", "1/h")),
        ({"orders_per_day_max": 0}, {}, ("DAY", "0 orders", "1")),
        ({"messages_per_day_max": 0}, {}, ("DAY", "0 messages", "1")),
        ({"notional_per_day_max": D(999)}, {}, ("DAY", "999", "1000.00")),
        ({"gross_max": D(999)}, {}, ("GROSS", "999", "1000.00")),
        ({"net_max": D(999)}, {}, ("NET", "999", "1000.00")),
        ({"net_max": D(999)}, {"side": SELL}, ("NET", "999", "1000.00")),
        ({"currency_max": D(999)}, {}, ("CURRENCY", "999", "1000.00")),
        ({"sector_max": D(999)}, {}, ("SECTOR", "999", "1000.00")),
        ({"leverage_max": D(2), "equity": 400.0}, {}, ("LEVERAGE", "2", "2.50")),
        ({"leverage_max": D(2), "equity": 0.0}, {}, ("LEVERAGE", "2", "inf")),
        ({"leverage_max": D(2)}, {}, ("LEVERAGE", "2", "unknown")),
        ({"allowed": ("BBB", "CCC")}, {}, ("NOT_ALLOWED", "BBB, CCC", "AAA")),
        ({"allowed": ()}, {}, ("NOT_ALLOWED", "none", "AAA")),
        ({"exchanges": ("NYSE", "IBIS")}, {}, ("NOT_ALLOWED", "NYSE, IBIS", "SMART")),
        ({"no_short": ("AAA",)}, {"side": SELL}, ("NO_SHORT", "0", "10")),
        ({"order_types": ("STP", "LMT")}, {}, ("TERMS", "LMT, STP", "MKT")),
        ({"tifs": ("GTC", "DAY")}, {"tif": Tif.IOC}, ("TERMS", "DAY, GTC", "IOC")),
        ({"order_types": ()}, {}, ("TERMS", "none", "MKT")),
        (
            {"blackouts": ("1970-01-01T00:00/1970-01-02T00:00",)},
            {},
            ("BLACKOUT", "1970-01-01T00:00/1970-01-02T00:00", "within it"),
        ),
        ({"displayed_size_pct": D(2)}, {"quantity": 75}, ("DISPLAYED", "2 %", "25.0 %")),  # of 300 offered
        ({"displayed_size_pct": D(2)}, {"quantity": 75, "side": SELL}, ("DISPLAYED", "2 %", "15.0 %")),  # of 500 bid
        ({"average_volume_pct": D(1), "average_volume": D(500)}, {}, ("VOLUME", "1 %", "2.00 %")),
        ({"average_volume_pct": D(1), "average_volume": D(0)}, {}, ("VOLUME", "1 %", "Infinity %")),
        ({"average_volume_pct": D(1)}, {}, ("VOLUME", "1 %", "unknown")),
    ],
)
def test_the_limit_and_the_value_of_one_order(limits: dict[str, Any], terms: dict[str, Any], told: Told) -> None:
    given = {"sessions": {}, **limits} if "session_hours" in limits else limits
    assert refused(make(**given), new(**terms)) == told


@pytest.mark.parametrize(
    ("limits", "market", "told"),
    [
        ({"quote_age_max_s": D(60)}, Market(at_ns=T0 - 61_500_000_000), ("STALE", "60 s", "61.500 s")),
        ({}, Market(prices={}), ("NO_PRICE", "a price", "none")),
        ({}, FakeView(halted=True), ("HALTED", "open", "halted")),
        ({"spread_max_pct": D(2)}, Market(bid=98.0, ask=102.0), ("SPREAD", "2 %", "4.00 %")),
        ({"spread_max_pct": D(2)}, Market(bid=-1.0, ask=1.0), ("SPREAD", "2 %", "inf %")),
        ({"spread_max_pct": D(2)}, Market(quoted=False), ("ONE_SIDED", "bid and ask", "missing")),
        ({"two_sided": True}, Market(bid=101.5, ask=100.0), ("CROSSED", "bid <= ask", "101.5 > 100")),
        ({"displayed_size_pct": D(2)}, Market(quoted=False), ("DISPLAYED", "2 %", "unknown")),
        ({"displayed_size_pct": D(2)}, Market(ask_size=0.0), ("DISPLAYED", "2 %", "inf %")),
        ({"combo_sanity": True}, Market(prices={1: 100.0}), ("NO_PRICE", "a price", "none")),
    ],
)
def test_the_limit_and_the_value_of_a_market(limits: dict[str, Any], market: Any, told: Told) -> None:
    ticket = new(conid=21) if "combo_sanity" in limits else new()
    assert refused(make(**limits), ticket, market=market) == told


@pytest.mark.parametrize("level", ["the account", "the strategy", "the instrument"])
def test_the_level_whose_limit_counts_is_named(level: str) -> None:
    limits: dict[str, dict[str, Any]] = {
        "the account": {"position_max": D(9)},
        "the strategy": {"strategy": {"a": Limits(position_max=D(9))}},
        "the instrument": {"instrument": {"AAA": Limits(position_max=D(9))}},
    }
    gate = make(**limits[level])
    verdict = gate.judge(Place((new(10),)), Market, T0)
    assert isinstance(verdict, Denied)
    assert level in verdict.refusal.sentence


def test_a_collar_around_a_price_of_zero_is_infinitely_far() -> None:
    nothing, priced = Market(prices={14: 0.0}), new(limit_price=D(1), conid=14)
    assert refused(make(price_collar_pct=D(5)), priced, market=nothing) == ("COLLAR", "5 %", "inf %")


def test_before_the_end_of_the_warm_up_it_is_said_how_long_it_lasts() -> None:
    warming = make_gate(WIDE, {}, {}, warm_up_until_ns=T0 + 5 * NS_PER_S)
    assert refused(warming, new(), market=FakeView()) == ("WARM_UP", "end of the warm-up", "5 s before")


def test_an_unknown_rate_is_named() -> None:
    gate = make_gate(WIDE, {}, {}, rates={"USD": D(1)})
    assert refused(gate, new(conid=2), market=FakeView()) == ("NO_RATE", "a rate", "none")


@pytest.mark.parametrize(
    ("limits", "before", "terms", "told"),
    [
        ({"open_orders_max": 2}, [{}, {}], {}, ("OPEN_ORDERS", "2", "3")),
        ({"orders_per_minute_max": 2}, [{}, {}], {}, ("RATE", "2/min", "3/min")),
        ({"messages_per_minute_max": 2}, [{}, {}], {}, ("MESSAGES", "2/min", "3/min")),
        ({"orders_per_hour_max": 2}, [{}, {}], {}, ("THROTTLE", "2/h", "3/h")),
        ({"orders_per_day_max": 2}, [{}, {}], {}, ("DAY", "2 orders", "3")),
        ({"messages_per_day_max": 2}, [{}, {}], {}, ("DAY", "2 messages", "3")),
        ({"notional_per_day_max": D(2500)}, [{}, {}], {}, ("DAY", "2500", "3000.00")),
        ({"position_max": D(25)}, [{}, {}], {}, ("POSITION", "25", "30")),
        ({"gross_max": D(2500)}, [{}, {}], {"side": SELL, "quantity": 26}, ("GROSS", "2500", "2600.00")),
        (
            {"price_drift_pct": D(2)},
            [{"limit_price": D(100)}, {"limit_price": D(101)}],
            {"limit_price": D(104)},
            ("DRIFT", "2 %", "4.00 %"),
        ),
        (
            {"price_drift_pct": D(2)},
            [{"limit_price": D(100), "side": SELL}],
            {"limit_price": D(97), "side": SELL},
            ("DRIFT", "2 %", "3.00 %"),
        ),
        ({"range_factor": D(2)}, [{"quantity": 5}] * 5, {"quantity": 11}, ("RANGE", "10", "11")),
        (
            {"range_factor": D(2)},
            [{"limit_price": D(price)} for price in (90, 95, 100, 105, 110)],
            {"limit_price": D(221)},
            ("RANGE", "90 to 110", "221"),
        ),
    ],
)
def test_the_limit_and_the_value_after_other_orders(
    limits: dict[str, Any], before: list[dict[str, Any]], terms: dict[str, Any], told: Told
) -> None:
    gate = make(**limits)
    assert {ask(gate, new(**earlier)) for earlier in before} == {"ok"}
    assert refused(gate, new(**terms)) == told


def test_orders_that_are_named_in_a_refusal() -> None:
    gate = make(duplicate_window_s=D("2.5"))
    first = new(tag="one")
    assert ask(gate, first) == "ok"
    assert refused(gate, new(tag="one")) == ("DUPLICATE", "2.5 s", first.coid)
    gate = make(self_trade=False)
    first = new(limit_price=D(100))
    assert ask(gate, first) == "ok"
    assert refused(gate, new(side=SELL)) == ("SELF_TRADE", "no own order across", first.coid)


def test_what_is_no_order_that_can_be_judged() -> None:
    gate = make()
    assert refused(gate) == ("EMPTY", "an order", "none")
    assert refused(gate, new(), new()) == ("GROUP", "a bracket or an OCA group", "2")
    assert refused(gate, new(conid=99)) == ("NO_INSTRUMENT", "a known instrument", "99")
    known = new(limit_price=D(100))
    assert ask(gate, known) == "ok"
    assert refused(gate, known) == ("ID", "a new id", known.coid)
    for intent, told in (
        (Modify("a-999999", "a", {"quantity": D(1)}), ("NOT_OPEN", "an open order", "a-999999")),
        (Modify(known.coid, "a", {"quantity": D(0)}), ("BAD_TICKET", "a sound ticket", known.coid)),
        (Resend(never := new()), ("NOT_OPEN", "an open order", never.coid)),
    ):
        verdict = gate.judge(intent, Market, T0)
        assert isinstance(verdict, Denied)
        assert (verdict.refusal.code, verdict.refusal.limit, verdict.refusal.value) == told


def test_a_latch_says_what_may_still_be_sent() -> None:
    gate = make()
    gate.latch("", Held(Level.REDUCING, "STREAK", "three losses in a row", T0))
    assert refused(gate, new()) == ("STREAK", "reducing", "latched")
    gate.latch("", Held(Level.HALTED, "LOSS", "too much", T0))
    assert refused(gate, new()) == ("LOSS", "halted", "latched")


def test_orders_in_doubt_are_counted() -> None:
    gate = make(in_doubt_max=0)
    lost = new()
    assert ask(gate, lost) == "ok"
    gate.hear([Update(Order(ticket=lost, state=State.IN_DOUBT), AnswerMissing(coid=lost.coid, ts_ns=T0))], [])
    assert refused(gate, new()) == ("IN_DOUBT", "0", "1")


RICH: dict[str, Any] = {"net_liquidation": D(100_000), "excess_liquidity": D(100_000), "buying_power": D(100_000)}


def told_by(limits: dict[str, Any], terms: dict[str, Any], **facts: Any) -> Told:
    return refused(make(venue(**facts), **{**QUIET, **limits}), new(**terms))


@pytest.mark.parametrize(
    ("limits", "terms", "facts", "told"),
    [
        ({}, {}, {"account": None}, ("ACCOUNT", "a known account", "unknown")),
        ({}, {"account": "DU2"}, {}, ("ACCOUNT", "DU1", "DU2")),
        ({}, {}, {"strategies": frozenset({"c", "b"})}, ("STRATEGY", "b, c", "a")),
        ({}, {}, {"down": "no session"}, ("NOT_READY", "a primed session", "not ready")),
        ({}, {}, {"away": "a reset"}, ("NOT_READY", "no maintenance", "maintenance")),
        ({"live_data": True}, {}, {}, ("NOT_LIVE", "R", "unknown")),
        ({"live_data": True}, {}, {"availability": {1: "DPB"}}, ("NOT_LIVE", "R", "DPB")),
        ({"short_availability": True}, {"side": SELL}, {}, ("SHORT", "10", "unknown")),
        ({"short_availability": True}, {"side": SELL}, {"borrow": {1: Borrow(D(4))}}, ("SHORT", "4", "10")),
        ({"borrow_fee_max_pct": D(3)}, {"side": SELL}, {"borrow": {1: Borrow(D(10))}}, ("SHORT", "3 %", "unknown")),
        ({"borrow_fee_max_pct": D(3)}, {"side": SELL}, {"borrow": {1: Borrow(D(10), D(4))}}, ("SHORT", "3 %", "4 %")),
        ({"day_trades_max": 2}, {}, {"summary": Summary(ts_ns=0, **RICH)}, ("DAY_TRADES", "2", "unknown")),
        (
            {"day_trades_max": 2},
            {},
            {"summary": Summary(ts_ns=0, day_trades_left=1, **RICH)},
            ("DAY_TRADES", "more than 2", "1"),
        ),
        (
            {"settled_cash": True},
            {},
            {"summary": Summary(ts_ns=0, settled_cash=D(999), **RICH)},
            ("SETTLED", "999", "1000.00"),
        ),
        ({"settled_cash": True}, {}, {"summary": Summary(ts_ns=0, **RICH)}, ("SETTLED", "settled cash", "unknown")),
        (
            {"buying_power": True},
            {"quantity": 1001},
            {"summary": Summary(ts_ns=0, **RICH)},
            ("BUYING_POWER", "100000", "100100.00"),
        ),
        (
            {"buying_power": True},
            {"conid": 2},
            {"summary": Summary(ts_ns=0, cash_account=True, **RICH)},
            ("BUYING_POWER", "cash in EUR", "unknown"),
        ),
        (
            {"buying_power": True},
            {"conid": 2},
            {"summary": Summary(ts_ns=0, cash_account=True, cash={"EUR": D(800)}, **RICH)},
            ("BUYING_POWER", "1000.00", "1250.00"),
        ),
        ({"margin_cushion_pct": D(5)}, {}, {"summary": None}, ("MARGIN", "5 %", "unknown")),
        (  # half of 1,950 x 100 leaves 2,500 of 100,000
            {"margin_cushion_pct": D(5)},
            {"quantity": 1950},
            {"summary": Summary(ts_ns=0, **RICH)},
            ("MARGIN", "5000.00", "2500.00"),
        ),
        ({"what_if_above": D(500)}, {}, {}, ("WHAT_IF", "500", "1000.00")),
        ({"naked_short": False}, {"conid": 11, "side": SELL}, {}, ("NAKED", "covered", "unknown")),
        (
            {"naked_short": False},
            {"conid": 11, "side": SELL},
            {"contracts": {11: Contract(right="C", expires_ns=LATE, underlying=1)}},
            ("NAKED", "0", "10"),
        ),
        (
            {"option_delta_max": D(99)},
            {"conid": 11, "quantity": 2},
            {"contracts": {11: Contract(delta=D("0.5"))}},
            ("DELTA", "99", "100.0"),
        ),
        ({"option_vega_max": D(9)}, {"conid": 11}, {}, ("VEGA", "9", "unknown")),
        ({"expiry_days_min": 3}, {"conid": 11}, {}, ("EXPIRY", "3 d", "unknown")),
        (
            {"expiry_days_min": 3},
            {"conid": 11},
            {"contracts": {11: Contract(expires_ns=T0 + 2 * NS_PER_DAY)}},
            ("EXPIRY", "3 d", "2.00 d"),
        ),
        ({"delivery_days_min": 3}, {"conid": 14}, {}, ("DELIVERY", "3 d", "unknown")),
        (
            {"delivery_days_min": 3},
            {"conid": 14},
            {"contracts": {14: Contract(expires_ns=LATE, notice_ns=T0 + NS_PER_DAY)}},
            ("DELIVERY", "3 d", "1.00 d"),
        ),
        ({"combo_sanity": True}, {"conid": 22}, {}, ("RATIO", "lowest terms", "2:-2")),
    ],
)
def test_the_limit_and_the_value_where_a_session_speaks(
    limits: dict[str, Any], terms: dict[str, Any], facts: dict[str, Any], told: Told
) -> None:
    assert told_by(limits, terms, **facts) == told


@pytest.mark.parametrize(
    ("check", "limits", "told"),
    [
        (buying_power, {"buying_power": True}, ("BUYING_POWER", "buying power", "200 s old")),
        (settled_cash, {"settled_cash": True}, ("SETTLED", "settled cash", "200 s old")),
        (day_trades, {"day_trades_max": 1}, ("DAY_TRADES", "1", "200 s old")),
        (margin, {"margin_cushion_pct": D(5)}, ("MARGIN", "5 %", "200 s old")),
    ],
)
def test_an_old_summary_says_how_old(check: Check, limits: dict[str, Any], told: Told) -> None:
    old = Summary(ts_ns=T0 - 200 * NS_PER_S, settled_cash=D(10**9), day_trades_left=9, **RICH)
    exposure = make(venue(summary=old), **{**QUIET, "summary_age_max_s": D(180), **limits}).exposure("a", 1)
    refusal = check(new(), exposure, MarketNow(T0, 100.0, T0, False), exposure.bounds)
    assert refusal is not None
    assert (refusal.code, refusal.limit, refusal.value) == told


def test_a_short_call_on_the_eve_of_its_ex_date() -> None:
    facts = {11: Contract(right="C", expires_ns=LATE, underlying=1, ex_dividend_ns=T0 + NS_PER_DAY // 4)}
    gate = make(venue(contracts=facts), **{**QUIET, "naked_short": False})
    hold(gate, 100)
    assert refused(gate, new(1, conid=11, side=SELL)) == ("EX_DATE", "1 d", "0.25 d")


def test_the_sign_of_a_combo() -> None:
    market = Market(prices={1: 110.5, 2: 100.0})
    spread = new(1, conid=21, side=SELL, limit_price=D(-9), order_type=OrderType.LIMIT)
    assert refused(make(combo_sanity=True), spread, market=market) == ("SIGN", "the sign of 10.5", "-9")


def test_what_is_cut_down_says_why() -> None:
    verdict = make(shrink=True, order_quantity_max=D("7.5")).judge(Place((new(10),)), Market, T0)
    assert isinstance(verdict, Approved)
    assert verdict.because is not None
    assert (verdict.because.code, verdict.because.limit, verdict.because.value) == ("QUANTITY", "7.5", "10")


def test_a_modification_is_a_message_of_the_day_and_no_order() -> None:
    first = new(10, limit_price=D(100))
    gate = make(orders_per_day_max=1, notional_per_day_max=D(10**6))
    assert ask(gate, first) == "ok"
    assert change(gate, first.coid, limit_price=D(99)) == "ok"
    other = new(10, limit_price=D(100))
    strict = make(notional_per_day_max=D(10**6), strategy={"a": Limits(messages_per_day_max=1)})
    assert ask(strict, other) == "ok"
    assert change(strict, other.coid, limit_price=D(99)) == "DAY"  # it adds no money, and is one message too many


def test_the_strategy_s_money_at_stake_is_asked_about_where_the_account_s_allows_it() -> None:
    gate = make(gross_max=D(10**6), strategy={"a": Limits(gross_max=D(999))})
    assert [ask(gate, new(10)), ask(gate, new(9)), ask(gate, new(10, strategy="b"))] == ["GROSS", "ok", "ok"]
