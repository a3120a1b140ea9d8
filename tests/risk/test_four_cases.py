"""Every check of the catalogue just below its limit, at it, just above it, and with its input unknown.

One table; a check that has no such four cases in it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import frozen

from engine.domain.facts import AnswerMissing
from engine.domain.messages import Update
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.order import Order, State
from engine.domain.sessions import Sessions
from engine.domain.ticket import Side
from engine.risk import checks, conduct, derivatives, pricing, sums, venueside
from engine.risk.catalogue import TABLE, row_of
from engine.risk.checks import Check
from engine.risk.gate import Gate
from engine.risk.outside import Borrow, Contract, Outside, Summary
from engine.settings import Limits, RiskSettings
from tests.risk.made import STEPPED, T0, WIDE, D, new
from tests.risk.made import ask as ask_made
from tests.risk.made import gate as gate_made
from tests.risk.test_catalogue import KNOWN, QUIET, Market, ask, hold, make, venue

SELL = Side.SELL
LATE = T0 + 40 * NS_PER_DAY


@frozen
class Four:
    """A question, put with a figure on either side of the limit and at it; and put with what it needs unknown.

    A list has no figure beside it: there `below` is what is on it alone, and `at` what is on it among others.
    `unknown` says why where the input is the ticket's own, or our own count, and can't be unknown.
    """

    question: Callable[[Any], str]
    below: Any
    at: Any
    above: Any
    unknown: Callable[[], str] | str


def several(gate: Gate, count: int) -> str:
    """The answer to the last of so many orders."""
    return [ask(gate, new(1)) for _ in range(count)][-1]


def quoted(spread: float) -> str:
    return ask(make(spread_max_pct=D(2)), new(), market=Market(bid=100.0 - spread / 2, ask=100.0 + spread / 2))


def session(at_s: int, sessions: dict[str, Sessions] | None = None) -> str:
    open_then = {"24/7": Sessions((T0,), (T0 + 60 * NS_PER_S,))} if sessions is None else sessions
    return ask(make(session_hours=True, sessions=open_then), new(), at_ns=T0 + at_s * NS_PER_S)


def warmed(before_ns: int) -> str:
    gate = Gate(
        settings=RiskSettings(account=Limits(**WIDE)), instruments=KNOWN, sessions={}, rates={"USD": D(1)},
        warm_up_until_ns=T0,
    )  # fmt: skip
    return ask(gate, new(), at_ns=T0 - before_ns)


def worth(quantity: str) -> str:
    return ask(make(order_notional_max=D(1000)), new(quantity))


def of_unknown_worth() -> str:
    gate = Gate(settings=RiskSettings(account=Limits(**WIDE)), instruments=KNOWN, sessions={}, rates={})
    return ask(gate, new())


def stale(age_ns: int) -> str:
    return ask(make(quote_age_max_s=D(3)), new(), market=Market(at_ns=T0 - age_ns))


def twice(after_ns: int) -> str:
    gate = make(duplicate_window_s=D(2))
    first = new(tag="same")
    assert ask(gate, first) == "ok"
    gone = Order(ticket=first, state=State.CANCELLED)
    gate.hear([Update(gone, AnswerMissing(coid=first.coid, ts_ns=T0))], [])
    return ask(gate, new(tag="same"), at_ns=T0 + after_ns)


def rate(seconds: float) -> str:
    """A second order, so long after a first, where one a minute is allowed."""
    gate = make(orders_per_minute_max=1)
    assert ask(gate, new()) == "ok"
    return ask(gate, new(), at_ns=T0 + int(seconds * NS_PER_S))


def doubtful(count: int) -> str:
    gate = make(in_doubt_max=2)
    for _ in range(count):
        ticket = new(1)
        assert ask(gate, ticket) == "ok"
        lost = Order(ticket=ticket, state=State.IN_DOUBT)
        gate.hear([Update(lost, AnswerMissing(coid=ticket.coid, ts_ns=T0))], [])
    return ask(gate, new(1))


def drifted(limit: str) -> str:
    gate = make(price_drift_pct=D(2))
    assert ask(gate, new(limit_price=D(100))) == "ok"
    return ask(gate, new(limit_price=D(limit)))


def in_range(quantity: int) -> str:
    gate = make(range_factor=D(10))
    assert several(gate, 5) == "ok"
    return ask(gate, new(quantity))


def short_of(listed: str, quantity: int) -> str:
    gate = make(no_short=(listed,))
    hold(gate, 10)
    return ask(gate, new(quantity, side=SELL))


def black(at_s: int) -> str:
    window = "1970-01-01T00:20:00/1970-01-01T00:30:00"
    return ask(make(blackouts=(window,)), new(), at_ns=at_s * NS_PER_S)


def across(limit: str) -> str:
    gate = make(self_trade=False)
    assert ask(gate, new(strategy="b", limit_price=D(100))) == "ok"
    return ask(gate, new(side=SELL, limit_price=D(limit)))


def told(summary: Summary | None, quantity: Any = 10, /, **limits: Any) -> str:
    """With this account summary, and a session's limits off but those named."""
    return ask(make(venue(summary=summary), **{**QUIET, "margin_cushion_pct": None, **limits}), new(quantity))


def summed(**facts: Any) -> Summary:
    rich = {name: D(10**12) for name in ("net_liquidation", "excess_liquidity", "buying_power", "settled_cash")}
    return Summary(**{"ts_ns": T0, **rich, **facts})


def borrowed(shares: int | None) -> str:
    borrow = {} if shares is None else {1: Borrow(D(shares))}
    return ask(make(venue(borrow=borrow), **{**QUIET, "short_availability": True}), new(10, side=SELL))


def option(most: dict[str, Any], quantity: int, contract: Contract | None, side: Side = Side.BUY, held: int = 0) -> str:
    facts = {} if contract is None else {11: contract}
    gate = make(venue(contracts=facts), **{**QUIET, **most})
    if held:
        hold(gate, held)
    return ask(gate, new(quantity, conid=11, side=side))


CALL = Contract(right="C", expires_ns=LATE, underlying=1, delta=D("0.5"), vega=D(2))


def expiring(conid: int, most: dict[str, Any], left_ns: int | None) -> str:
    facts = {} if left_ns is None else {conid: Contract(expires_ns=T0 + left_ns)}
    return ask(make(venue(contracts=facts), **{**QUIET, **most}), new(1, conid=conid))


def spread(limit: str, market: Market | None = None) -> str:
    """A combo that is worth 10, sold: at a limit below 0 we would pay to give it away."""
    seen = market or Market(prices={1: 110.0, 2: 100.0})
    return ask(make(combo_sanity=True), new(1, conid=21, side=SELL, limit_price=D(limit)), market=seen)


def session_with(**facts: Any) -> str:
    return ask(make(venue(**facts), **QUIET), new())


TICKET, COUNT, LIST = "the ticket's own", "our own count", "a list of the configuration's"
CASES: dict[Check, Four] = {
    checks.order_quantity: Four(lambda q: ask(make(order_quantity_max=D(10)), new(q)), "9.5", "10", "10.5", TICKET),
    checks.order_notional: Four(worth, "9.5", "10", "10.5", of_unknown_worth),
    checks.price_collar: Four(
        lambda p: ask(make(price_collar_pct=D(5)), new(limit_price=D(p))), "104.99", "105", "105.01",
        lambda: ask(make(price_collar_pct=D(5)), new(limit_price=D(100)), market=Market(prices={})),
    ),
    checks.restricted: Four(
        lambda symbols: ask(make(restricted=symbols), new()), (), ("BBB",), ("BBB", "AAA"), LIST,
    ),
    checks.warm_up: Four(warmed, -1, 0, 1, "the run's own"),
    checks.session_hours: Four(session, 58, 59, 60, lambda: session(1, {})),
    checks.stale_quote: Four(
        stale, 3 * NS_PER_S - 1, 3 * NS_PER_S, 3 * NS_PER_S + 1, lambda: ask(make(), new(), market=Market(prices={}))
    ),
    checks.tick_and_lot: Four(
        lambda p: ask_made(gate_made(tick_and_lot=True, price_collar_pct=D(10**6)), new(conid=3, limit_price=D(p))),
        "2.95", "3.00", "3.05", "the contract's own",
    ),
    checks.position: Four(lambda q: ask(make(position_max=D(10)), new(q)), 9, 10, 11, COUNT),
    checks.open_orders: Four(lambda n: several(make(open_orders_max=3), n), 2, 3, 4, COUNT),
    checks.order_rate: Four(rate, 61, 60, 59, COUNT),
    checks.duplicate: Four(twice, 2 * NS_PER_S + 1, 2 * NS_PER_S, 2 * NS_PER_S - 1, COUNT),
    pricing.price_drift: Four(
        drifted, "101.99", "102", "102.01",
        lambda: ask(make(price_drift_pct=D(2)), new(limit_price=D(100)), market=Market(prices={})),
    ),
    pricing.displayed_size: Four(
        lambda q: ask(make(displayed_size_pct=D(20)), new(q)), 59, 60, 61,
        lambda: ask(make(displayed_size_pct=D(20)), new(1), market=Market(quoted=False)),
    ),
    pricing.average_volume: Four(
        lambda q: ask(make(average_volume_pct=D(1), average_volume=D(1000)), new(q)), 9, 10, 11,
        lambda: ask(make(average_volume_pct=D(1)), new(1)),
    ),
    pricing.sound_quote: Four(
        quoted, 1.99, 2.0, 2.01, lambda: ask(make(spread_max_pct=D(2)), new(), market=Market(quoted=False))
    ),
    pricing.own_range: Four(in_range, 9, 10, 11, "what it sent itself: without five orders it has no range"),
    sums.message_rate: Four(lambda n: several(make(messages_per_minute_max=3), n), 2, 3, 4, COUNT),
    sums.throttle: Four(lambda n: several(make(orders_per_hour_max=3), n), 2, 3, 4, COUNT),
    sums.day_sums: Four(lambda n: several(make(orders_per_day_max=3), n), 2, 3, 4, COUNT),
    sums.money_at_stake: Four(
        lambda q: ask(make(gross_max=D(1000)), new(q)), "9.5", "10", "10.5",
        lambda: ask(make(leverage_max=D(10**6)), new(1)),
    ),
    conduct.allow_list: Four(
        lambda symbols: ask(make(allowed=symbols), new()), ("AAA",), ("BBB", "AAA"), ("BBB",), LIST,
    ),
    conduct.no_short: Four(lambda q: short_of("AAA", q), 9, 10, 11, LIST),
    conduct.blackout: Four(black, 1199, 1800, 1799, "the configuration's own"),
    conduct.self_trade: Four(across, "100.02", "100.01", "100", COUNT),
    conduct.terms_allowed: Four(
        lambda kinds: ask(make(order_types=kinds), new()), ("MKT",), ("LMT", "MKT"), ("LMT",),
        "a venue that has told no list of its own limits nothing",
    ),
    conduct.in_doubt: Four(doubtful, 1, 2, 3, COUNT),
    venueside.short_availability: Four(borrowed, 11, 10, 9, lambda: borrowed(None)),
    venueside.day_trades: Four(
        lambda left: told(summed(day_trades_left=left), day_trades_max=1), 3, 2, 1, lambda: told(None, day_trades_max=1)
    ),
    venueside.settled_cash: Four(
        lambda cash: told(summed(settled_cash=D(cash)), settled_cash=True), "1000.01", "1000", "999.99",
        lambda: told(summed(settled_cash=None), settled_cash=True),
    ),
    venueside.buying_power: Four(
        lambda power: told(summed(buying_power=D(power)), buying_power=True), "1000.01", "1000", "999.99",
        lambda: told(summed(buying_power=None), buying_power=True),
    ),
    venueside.live_data: Four(
        lambda said: ask(make(venue(availability={1: said}), **{**QUIET, "live_data": True}), new()), "R", "RpB", "DPB",
        lambda: ask(make(venue(), **{**QUIET, "live_data": True}), new()),
    ),
    venueside.session_up: Four(
        lambda why: session_with(down=why), "", "", "maintenance",
        lambda: ask(make(Outside(account="DU1"), **QUIET), new()),
    ),
    venueside.margin: Four(
        lambda excess: told(summed(net_liquidation=D(100_000), excess_liquidity=D(excess)), margin_cushion_pct=D(5)),
        "5500.01", "5500", "5499.99", lambda: told(None, margin_cushion_pct=D(5)),
    ),
    venueside.account_guard: Four(
        lambda account: session_with(account=account), "DU1", "DU1", "DU2", lambda: session_with(account=None)
    ),
    venueside.known_strategy: Four(
        lambda names: session_with(strategies=frozenset(names)), {"a"}, {"a", "b"}, {"b"}, LIST
    ),
    derivatives.naked_short: Four(
        lambda held: option({"naked_short": False}, 1, CALL, SELL, held), 101, 100, 99,
        lambda: option({"naked_short": False}, 1, None, SELL, 100),
    ),
    derivatives.option_risk: Four(
        lambda q: option({"option_delta_max": D(100)}, q, CALL), 1, 2, 3,
        lambda: option({"option_delta_max": D(100)}, 1, None),
    ),
    derivatives.expiry: Four(
        lambda left: expiring(11, {"expiry_days_min": 2}, left), 2 * NS_PER_DAY + 1, 2 * NS_PER_DAY, 2 * NS_PER_DAY - 1,
        lambda: expiring(11, {"expiry_days_min": 2}, None),
    ),
    derivatives.delivery: Four(
        lambda left: expiring(14, {"delivery_days_min": 2}, left), 2 * NS_PER_DAY + 1, 2 * NS_PER_DAY,
        2 * NS_PER_DAY - 1, lambda: expiring(14, {"delivery_days_min": 2}, None),
    ),
    derivatives.combo: Four(spread, "0.01", "0", "-0.01", lambda: spread("1", Market(prices={1: 110.0}))),
}  # fmt: skip


def every_check() -> Sequence[Check]:
    return [check for row in TABLE for check in row.checks]


def test_every_check_of_the_catalogue_has_its_four_cases() -> None:
    assert {check.__name__ for check in CASES} == {check.__name__ for check in every_check()}
    for check, four in CASES.items():
        assert callable(four.unknown) or len(four.unknown) > 5, check


@pytest.mark.parametrize("check", every_check(), ids=lambda check: check.__name__)
def test_just_below_at_and_just_above_the_limit_and_with_the_input_unknown(check: Check) -> None:
    four, codes = CASES[check], row_of(check).codes
    assert [four.question(value) for value in (four.below, four.at)] == ["ok", "ok"]
    assert four.question(four.above) in codes
    if callable(four.unknown):
        assert four.unknown() in (*codes, "NO_PRICE", "NO_RATE")


def test_these_are_the_limits_that_the_cases_stand_at() -> None:
    assert STEPPED.tick_at(D("2.95")) == D("0.05")
    assert STEPPED.tick_at(D(3)) == D("0.10")
    assert NS_PER_MINUTE == 60 * NS_PER_S
