"""What `engine risk explain` shows of a check: its limit and the value it compared, also at zero, unknown and off."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.moments import NS_PER_DAY, NS_PER_S
from engine.domain.ticket import Side
from engine.risk import checks, conduct, derivatives, pricing, sums, venueside
from engine.risk.figures import FIGURES
from engine.risk.gate import Gate
from engine.risk.market import market_now
from engine.risk.outside import Borrow, Contract
from engine.settings import Limits, RiskSettings
from tests.risk.made import T0, WIDE, D, make_gate, new
from tests.risk.test_catalogue import PAIR, QUIET, Market, ask, hold, make, venue

SELL = Side.SELL
NAN = float("nan")
WHEN = "1970-01-01T00:16:40+00:00"  # T0, 1,000 seconds after the epoch
INSTRUMENT = {"AAA": Limits(position_max=D(70), open_orders_max=4, orders_per_minute_max=9)}
STRATEGY = {"a": Limits(position_max=D(80), open_orders_max=5, orders_per_minute_max=8, messages_per_minute_max=50)}


def shown(
    gate: Gate, check: checks.Check, market: Market | None = None, at_ns: int = T0, **terms: Any
) -> tuple[str, str]:
    """What a check is told to compare for an order of strategy a: 10 of AAA at the market, or what is said."""
    ticket = new(**terms)
    exposure = gate.exposure(ticket.strategy, ticket.conid)
    now = market_now(exposure.instrument, market or Market(), at_ns)
    return FIGURES[check](ticket, exposure, now, exposure.bounds)


@pytest.mark.parametrize(
    ("check", "limits", "terms", "told"),
    [
        (checks.stale_quote, {"quote_age_max_s": D("2.5")}, {}, ("2.5 s", "0.250 s")),
        (checks.price_collar, {"price_collar_pct": D("2.5")}, {"limit_price": D(104)}, ("2.5 %", "4.00 %")),
        (checks.price_collar, {"price_collar_pct": D(5)}, {"limit_price": D(97), "side": SELL}, ("5 %", "3.00 %")),
        (checks.price_collar, {"price_collar_pct": D(5)}, {"limit_price": D(97)}, ("5 %", "-3.00 %")),
        (checks.price_collar, {"price_collar_pct": D(5)}, {}, ("5 %", "no limit price")),
        (checks.order_quantity, {"order_quantity_max": D(30)}, {}, ("30", "10")),
        (checks.order_notional, {"order_notional_max": D(5000)}, {"limit_price": D(99)}, ("5000", "1000.00")),
        (checks.tick_and_lot, {}, {"limit_price": D("99.5")}, ("0.01, 1", "99.5, 10")),
        (checks.tick_and_lot, {}, {}, ("0.01, 1", "no price, 10")),
        (checks.position, {"position_max": D(90)}, {}, ("90", "10")),
        (checks.position, {"position_max": D(90), "instrument": INSTRUMENT}, {}, ("70", "10")),
        (checks.position, {"position_max": D(60), "instrument": INSTRUMENT}, {}, ("60", "10")),
        (checks.position, {"position_max": D(90), "strategy": STRATEGY}, {}, ("80", "10")),
        (checks.open_orders, {"open_orders_max": 3, "strategy": STRATEGY, "instrument": INSTRUMENT}, {}, ("3", "1")),
        (checks.open_orders, {"open_orders_max": 9, "strategy": STRATEGY, "instrument": INSTRUMENT}, {}, ("4", "1")),
        (checks.order_rate, {"orders_per_minute_max": 9, "strategy": STRATEGY}, {}, ("8", "1")),
        (checks.session_hours, {"session_hours": False}, {}, ("none", WHEN)),
        (checks.session_hours, {"session_hours": True}, {}, ("open", WHEN)),
        (checks.session_hours, {"session_hours": True}, {"outside_rth": True, "limit_price": D(99)},
         ("open, outside regular hours too", WHEN)),
        (checks.warm_up, {}, {}, ("none", WHEN)),
        (checks.restricted, {}, {}, ("not restricted", "AAA")),
        (checks.duplicate, {"duplicate_window_s": D("0.5")}, {}, ("0.5 s", "none like it")),
        (pricing.price_drift, {"price_drift_pct": D(2)}, {"limit_price": D(101)}, ("2 %", "0.00 %")),
        (pricing.displayed_size, {"displayed_size_pct": D(20)}, {}, ("20 %", "3.33 %")),  # 10 of 300 offered
        (pricing.displayed_size, {"displayed_size_pct": D(20)}, {"side": SELL}, ("20 %", "2.00 %")),  # of 500 bid
        (pricing.average_volume, {"average_volume_pct": D(5), "average_volume": D(800)}, {}, ("5 %", "1.25 %")),
        (pricing.average_volume, {"average_volume_pct": D(5)}, {}, ("5 %", "unknown")),
        (pricing.sound_quote, {"two_sided": True}, {}, ("bid <= ask", "99.95 / 100.05")),
        (pricing.sound_quote, {"spread_max_pct": D(2)}, {}, ("bid <= ask, 2 % apart", "99.95 / 100.05")),
        (pricing.own_range, {"range_factor": D(3)}, {}, ("3 times", "too few of late")),
        (sums.message_rate, {}, {}, ("none", "")),
        (sums.message_rate, {"messages_per_minute_max": 60, "strategy": STRATEGY}, {}, ("50/min", "1/min")),
        (sums.message_rate, {"messages_per_minute_max": 40, "strategy": STRATEGY}, {}, ("40/min", "1/min")),
        (sums.throttle, {"orders_per_hour_max": 7}, {}, ("7/h", "1/h")),
        (sums.day_sums, {"orders_per_day_max": 6}, {}, ("6 orders", "1 orders")),
        (sums.day_sums, {"messages_per_day_max": 6}, {}, ("6 messages", "1 messages")),
        (sums.day_sums, {"notional_per_day_max": D(4000)}, {}, ("4000", "1000")),
        # The least room in proportion: 3 of 4 left, 1,000 of 4,000, 1 of 2.
        (sums.day_sums, {"orders_per_day_max": 4, "notional_per_day_max": D(4000)}, {"quantity": 30}, ("4000", "3000")),
        (sums.day_sums, {"orders_per_day_max": 2, "notional_per_day_max": D(4000)}, {}, ("2 orders", "1 orders")),
        (sums.day_sums, {"orders_per_day_max": 0, "messages_per_day_max": 1}, {}, ("0 orders", "1 orders")),
        (sums.money_at_stake, {}, {}, ("none", "")),
        (conduct.allow_list, {}, {}, ("", "AAA SMART")),
        (conduct.allow_list, {"allowed": ("AAA", "B"), "exchanges": ("SMART",)}, {}, ("AAA, B; SMART", "AAA SMART")),
        (conduct.allow_list, {"allowed": ()}, {}, ("none", "AAA SMART")),
        (conduct.no_short, {"no_short": ("AAA",)}, {"side": SELL}, ("AAA", "10")),
        (conduct.no_short, {}, {}, ("none", "0")),
        (conduct.blackout, {"blackouts": ("2001-01-01/2001-01-02",)}, {}, ("2001-01-01/2001-01-02", WHEN)),
        (conduct.terms_allowed, {"order_types": ("MKT", "LMT")}, {}, ("MKT, LMT; none", "MKT; DAY")),
        (conduct.terms_allowed, {"tifs": ("DAY",)}, {"limit_price": D(9)}, ("none; DAY", "LMT; DAY")),
        (conduct.self_trade, {}, {}, ("no own order across", "none")),
        (conduct.in_doubt, {"in_doubt_max": 5}, {}, ("5", "0")),
        (derivatives.naked_short, {}, {"conid": 11, "side": SELL}, ("covered", "10 short")),
        (derivatives.naked_short, {}, {"conid": 11}, ("covered", "0 short")),
        (derivatives.naked_short, {}, {"side": SELL}, ("covered", "nothing uncovered")),
        (derivatives.combo, {}, {"conid": PAIR.conid}, ("lowest terms", "1:-1")),
        # Without a venue nothing is known of its word.
        (venueside.margin, {}, {}, ("none", "no venue")),
        (venueside.session_up, {}, {}, ("none", "no venue")),
        (derivatives.expiry, {}, {"conid": 11}, ("none", "no venue")),
    ],
)  # fmt: skip
def test_a_check_tells_its_limit_and_what_it_compares(
    check: checks.Check, limits: dict[str, Any], terms: dict[str, Any], told: tuple[str, str]
) -> None:
    said_ago_ns = NS_PER_S // 4 if check is checks.stale_quote else 0
    assert shown(make(**limits), check, Market(at_ns=T0 - said_ago_ns), **terms) == told


@pytest.mark.parametrize(
    ("check", "market", "terms", "told"),
    [
        (checks.price_collar, Market(prices={}), {"limit_price": D(99)}, ("5 %", "no limit price")),
        (checks.price_collar, Market(prices={14: 0.0}), {"limit_price": D(99), "conid": 14}, ("5 %", "no limit price")),
        (checks.price_collar, Market(prices={14: -50.0}), {"limit_price": D(-49), "conid": 14}, ("5 %", "2.00 %")),
        (checks.order_notional, Market(prices={}), {}, ("4000", "nan")),
        (pricing.displayed_size, Market(quoted=False), {}, ("20 %", "unknown")),
        (pricing.displayed_size, Market(ask_size=0.0), {}, ("20 %", "unknown")),
        (pricing.displayed_size, Market(ask_size=NAN), {}, ("20 %", "unknown")),
        (pricing.displayed_size, Market(ask_size=0.5), {}, ("20 %", "2000.00 %")),
        (pricing.sound_quote, Market(quoted=False), {}, ("bid <= ask", "unknown")),
        (pricing.price_drift, Market(prices={}), {"limit_price": D(99)}, ("2 %", "0.00 %")),
    ],
)
def test_a_market_that_does_not_say_is_told_as_such(
    check: checks.Check, market: Market, terms: dict[str, Any], told: tuple[str, str]
) -> None:
    limits: dict[str, Any] = {
        "price_collar_pct": D(5),
        "displayed_size_pct": D(20),
        "two_sided": True,
        "price_drift_pct": D(2),
    }
    assert shown(make(order_notional_max=D(4000), **limits), check, market, **terms) == told


def test_until_the_warm_up_ends_its_end_is_the_limit() -> None:
    gate = make_gate({}, {}, {}, warm_up_until_ns=T0 + 60 * NS_PER_S)
    assert shown(gate, checks.warm_up) == ("1970-01-01T00:17:40+00:00", WHEN)


def test_what_was_sent_and_is_held_counts() -> None:
    limits: dict[str, Any] = {
        "open_orders_max": 9, "orders_per_minute_max": 9, "position_max": D(500), "in_doubt_max": 3,
        "orders_per_day_max": 9, "notional_per_day_max": D(10**6), "messages_per_minute_max": 9,
    }  # fmt: skip
    gate = make(**limits)
    hold(gate, 40)
    first = new(10, limit_price=D(100))
    assert ask(gate, first) == ask(gate, new(20, strategy="b")) == "ok"
    assert shown(gate, checks.position, quantity=5) == ("500", "75")  # 40 held, 30 open, 5 more
    assert shown(gate, checks.position, quantity=5, side=SELL) == ("500", "-35")
    assert shown(gate, checks.open_orders) == ("9", "3")
    assert shown(gate, checks.order_rate) == ("9", "3")
    assert shown(gate, checks.order_rate, at_ns=T0 + 60 * NS_PER_S) == ("9", "1")
    assert shown(gate, sums.message_rate) == ("9/min", "3/min")
    assert shown(gate, sums.day_sums) == ("9 orders", "3 orders")
    # A modification is no new order, and adds what it is worth more: 5 at 100.
    changed = shown(gate, sums.day_sums, coid=first.coid, quantity=15, limit_price=D(100))
    assert changed == ("1000000", "3500")
    assert shown(gate, conduct.no_short, side=SELL, quantity=50) == ("none", "10")
    gate.account.in_doubt |= {"a-1", "a-2"}
    assert shown(gate, conduct.in_doubt) == ("3", "2")


def test_the_level_with_the_least_room_is_told() -> None:
    strategy = {"a": Limits(open_orders_max=4)}
    gate = make(open_orders_max=6, strategy=strategy)
    assert [ask(gate, new(1, strategy="b")) for _ in range(3)] == ["ok"] * 3
    assert shown(gate, checks.open_orders) == ("6", "4")  # 3 left of the account's, 4 of the strategy's
    assert [ask(gate, new(1)) for _ in range(2)] == ["ok"] * 2
    assert shown(gate, checks.open_orders) == ("6", "6")
    own = make(open_orders_max=6, strategy={"a": Limits(open_orders_max=3)})
    assert [ask(own, new(1)) for _ in range(2)] == ["ok"] * 2
    assert shown(own, checks.open_orders) == ("3", "3")
    level = make(open_orders_max=4, strategy=strategy)
    assert shown(level, checks.open_orders) == ("4", "1")


def test_own_prices_of_late_are_told_as_they_walked() -> None:
    gate = make(price_drift_pct=D(5), price_drift_window_s=D(60))
    assert [ask(gate, new(limit_price=D(price), conid=14)) for price in (100, 101)] == ["ok", "ok"]
    terms: dict[str, Any] = {"limit_price": D(103), "conid": 14}
    assert shown(gate, pricing.price_drift, **terms) == ("5 %", "3.00 %")
    assert shown(gate, pricing.price_drift, Market(prices={14: 50.0}), **terms) == ("5 %", "6.00 %")
    assert shown(gate, pricing.price_drift, Market(prices={14: -50.0}), **terms) == ("5 %", "6.00 %")
    assert shown(gate, pricing.price_drift, Market(prices={14: 0.0}), **terms) == ("5 %", "0.00 %")
    assert shown(gate, pricing.price_drift, Market(prices={}), **terms) == ("5 %", "0.00 %")
    assert shown(gate, pricing.price_drift) == ("5 %", "0.00 %")
    assert shown(gate, pricing.price_drift, limit_price=D(103), side=SELL) == ("5 %", "0.00 %")
    late = T0 + 60 * NS_PER_S
    assert shown(gate, pricing.price_drift, Market(at_ns=late), late, limit_price=D(103)) == ("5 %", "0.00 %")


def test_the_window_of_a_drift_is_a_minute_unless_another_is_set() -> None:
    gate = make(price_drift_pct=D(5))
    assert ask(gate, new(limit_price=D(100))) == "ok"
    for after_s, told in ((59, "2.00 %"), (60, "0.00 %")):
        late = T0 + after_s * NS_PER_S
        assert shown(gate, pricing.price_drift, Market(at_ns=late), late, limit_price=D(102)) == ("5 %", told)


def test_the_own_range_is_told_once_there_are_enough_orders() -> None:
    gate = make(range_factor=D(3))
    for quantity in (10, 40, 20, 10):
        assert ask(gate, new(quantity)) == "ok"
    assert shown(gate, pricing.own_range) == ("3 times", "too few of late")
    assert ask(gate, new(30)) == "ok"
    assert shown(gate, pricing.own_range, quantity=7) == ("120 units", "7")
    assert shown(gate, pricing.own_range, quantity=7, strategy="b") == ("3 times", "too few of late")


@pytest.mark.parametrize(
    ("check", "facts", "terms", "told"),
    [
        (venueside.short_availability, {"borrow": {1: Borrow(D(500))}}, {"side": SELL}, ("500", "10")),
        (venueside.short_availability, {"borrow": {1: Borrow(D(500))}}, {}, ("500", "0")),
        (venueside.short_availability, {}, {"side": SELL}, ("unknown", "10")),
        (venueside.live_data, {}, {}, ("R", "unknown")),
        (venueside.live_data, {"availability": {1: "DpB"}}, {}, ("R", "DpB")),
        (venueside.live_data, {"availability": {1: ""}}, {}, ("R", "none")),
        (venueside.live_data, {"availability": {1: "RpB"}}, {"conid": PAIR.conid}, ("R", "RpB, unknown")),
        (venueside.live_data, {"availability": {1: "RpB", 2: "Z"}}, {"conid": PAIR.conid}, ("R", "RpB, Z")),
        (venueside.session_up, {}, {}, ("a primed session", "up")),
        (venueside.session_up, {"away": "reset"}, {}, ("a primed session", "reset")),
        (venueside.session_up, {"away": "reset", "down": "not primed"}, {}, ("a primed session", "not primed")),
        (venueside.account_guard, {"account": "DU9"}, {}, ("DU9", "DU1")),
        (venueside.account_guard, {"account": None}, {}, ("unknown", "DU1")),
        (venueside.known_strategy, {}, {}, ("none", "a")),
        (venueside.known_strategy, {"strategies": frozenset({"c", "a"})}, {}, ("a, c", "a")),
        (venueside.day_trades, {"summary": None}, {}, ("more than 2", "unknown")),
        (venueside.margin, {"summary": None}, {}, ("unknown", "")),
        (venueside.buying_power, {"summary": None}, {}, ("unknown", "")),
        (derivatives.expiry, {}, {"conid": 11}, ("3 d", "unknown")),
        (derivatives.expiry, {"contracts": {11: Contract()}}, {"conid": 11}, ("3 d", "unknown")),
        (derivatives.expiry, {"contracts": {11: Contract(expires_ns=T0 + 5 * NS_PER_DAY)}}, {"conid": 11},
         ("3 d", "5.00 d")),
        (derivatives.delivery,
         {"contracts": {14: Contract(expires_ns=T0 + 9 * NS_PER_DAY, notice_ns=T0 + 5 * NS_PER_DAY // 2)}},
         {"conid": 14}, ("4 d", "2.50 d")),
        (derivatives.delivery, {"contracts": {14: Contract(notice_ns=T0 + 7 * NS_PER_DAY)}}, {"conid": 14},
         ("4 d", "7.00 d")),
        (derivatives.option_risk, {"contracts": {11: Contract(delta=D("0.5"), vega=D("0.1"))}}, {"conid": 11},
         ("delta 900; vega 800", "500.0; 100.0")),  # 10 at a multiplier of 100
        (derivatives.option_risk, {"contracts": {11: Contract(delta=D("0.5"), vega=D("0.1"))}},
         {"conid": 11, "side": SELL}, ("delta 900; vega 800", "-500.0; -100.0")),
        (derivatives.option_risk, {}, {"conid": 11}, ("delta 900; vega 800", "CALL; CALL")),
    ],
)  # fmt: skip
def test_what_the_venue_says_is_told(
    check: checks.Check, facts: dict[str, Any], terms: dict[str, Any], told: tuple[str, str]
) -> None:
    limits: dict[str, Any] = {**QUIET, "day_trades_max": 2, "expiry_days_min": 3, "delivery_days_min": 4,
              "option_delta_max": D(900), "option_vega_max": D(800)}  # fmt: skip
    assert shown(make(venue(**facts), **limits), check, **terms) == told


def test_days_that_are_not_limited_are_told_with_what_is_left() -> None:
    facts = venue(contracts={11: Contract(expires_ns=T0 + 5 * NS_PER_DAY)})
    assert shown(make(facts, **QUIET), derivatives.expiry, conid=11) == ("none", "5.00 d")


def test_money_since_the_account_summary_counts() -> None:
    facts = venue()
    assert facts.summary is not None
    facts.summary = replace(facts.summary, buying_power=D(9000), settled_cash=D(8000), day_trades_left=3,
                            net_liquidation=D(10_000), excess_liquidity=D(6000))  # fmt: skip
    gate = make(facts, **{**QUIET, "margin_cushion_pct": D(20), "day_trades_max": 1})
    assert ask(gate, new(20)) == "ok"  # 2,000 of AAA
    assert shown(gate, venueside.buying_power) == ("9000", "3000.00")
    assert shown(gate, venueside.settled_cash) == ("8000", "3000.00")
    assert shown(gate, venueside.margin) == ("2000.00", "4500.00")  # half of 3,000 is bound
    assert shown(gate, venueside.day_trades) == ("more than 1", "3")
    assert shown(gate, venueside.margin, conid=14) == ("2000.00", "3000.00")  # of a future all of it
    facts.what_if["a-new"] = D(700)
    assert shown(gate, venueside.margin, coid="a-new") == ("2000.00", "4300.00")  # with half of 2,000 sent


def staked(**limits: Any) -> Gate:
    """Ten of each of two instruments are held by a; b may buy five of either, and no more."""
    gate = make(gross_max=D(10**6))
    for conid in (1, 14):
        hold(gate, 10, conid)
    group = [new(5, conid=conid, strategy="b", oca_group="g", limit_price=D(99)) for conid in (1, 14)]
    assert ask(gate, *group) == "ok"
    own = {"strategy": limits.pop("strategy"), "instrument": {"AAA": Limits(gross_max=D(1))}}
    gate.reload(RiskSettings(account=Limits(**{**WIDE, **limits}), **own))
    return gate


def test_money_at_stake_is_told_of_the_account_and_of_the_strategy_each_with_its_own_limits() -> None:
    """Two more: 22 of a at 100, and with the larger of b's 27; of the long side alone as much."""
    gate = staked(gross_max=D(9000), strategy={"a": Limits(gross_max=D(5000), net_max=D(4000))})
    told = shown(gate, sums.money_at_stake, quantity=2)
    assert told == ("gross 9000; gross 5000; net long 4000; net short 4000",
                    "gross 2700.00; gross 2200.00; net long 2200.00; net short -2000.00")  # fmt: skip


def test_a_strategys_money_at_stake_is_told_where_the_accounts_is_not_known() -> None:
    gate = staked(strategy={"a": Limits(gross_max=D(5000))})
    hold(gate, 1, conid=2, strategy="b")
    told = shown(gate, sums.money_at_stake, Market(prices={1: 100.0, 14: 100.0}), quantity=2)
    assert told == ("gross 5000", "gross 2200.00")


def test_leverage_alone_is_told_alone() -> None:
    gate = staked(leverage_max=D(3), strategy={})
    gate.account.equity = 5400.0
    assert shown(gate, sums.money_at_stake, quantity=2) == ("leverage 3", "leverage 0.50")
