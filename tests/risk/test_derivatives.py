"""Options, futures and combos at the edges of their checks: Greeks of nothing, prices around zero, and no venue."""

from __future__ import annotations

import pytest

from engine.domain.messages import Refusal
from engine.domain.moments import NS_PER_DAY
from engine.domain.ticket import OrderTicket, Side
from engine.risk import derivatives, venueside
from engine.risk.checks import Check
from engine.risk.gate import Gate
from engine.risk.market import market_now
from engine.risk.outside import Contract
from tests.risk.made import T0, D, new
from tests.risk.test_catalogue import LATE, OPTIONS, PAIR, QUIET, SOON, Market, ask, hold, make, venue

BUY, SELL = Side.BUY, Side.SELL
CALL, LATER, SOONER = 11, 12, 13
ALL_ON = {
    **QUIET, "naked_short": False, "option_delta_max": D(1), "option_vega_max": D(1), "expiry_days_min": 99,
    "delivery_days_min": 99, "live_data": True, "short_availability": True, "day_trades_max": 9, "settled_cash": True,
    "buying_power": True, "margin_cushion_pct": D(90),
}  # fmt: skip


def asked(gate: Gate, check: Check, ticket: OrderTicket, market: Market | None = None) -> Refusal | None:
    """One check, asked by itself."""
    exposure = gate.exposure(ticket.strategy, ticket.conid)
    return check(ticket, exposure, market_now(exposure.instrument, market or Market(), T0), exposure.bounds)


@pytest.mark.parametrize("conid", [1, CALL, 14])
@pytest.mark.parametrize(
    "check",
    [
        derivatives.naked_short, derivatives.option_risk, derivatives.expiry, derivatives.delivery,
        venueside.account_guard, venueside.known_strategy, venueside.session_up, venueside.live_data,
        venueside.short_availability, venueside.day_trades, venueside.settled_cash, venueside.buying_power,
        venueside.margin,
    ],
)  # fmt: skip
def test_where_no_venue_speaks_its_word_is_not_asked_for(check: Check, conid: int) -> None:
    assert asked(make(**ALL_ON), check, new(5, conid=conid, side=SELL)) is None


@pytest.mark.parametrize(
    ("check", "conid", "limits"),
    [
        (derivatives.option_risk, 1, {"option_delta_max": D(0)}),  # a share
        (derivatives.expiry, 1, {"expiry_days_min": 99}),
        (derivatives.delivery, CALL, {"delivery_days_min": 99}),
        (derivatives.combo, PAIR.conid, {"combo_sanity": False}),
        (derivatives.combo, 1, {"combo_sanity": True}),
    ],
)
def test_a_check_leaves_alone_what_is_not_its_own(check: Check, conid: int, limits: dict[str, object]) -> None:
    gate = make(venue(), **{**QUIET, **limits})
    assert asked(gate, check, new(5, conid=conid, limit_price=D(-5)), Market({1: 110.0, 2: 100.0})) is None


def test_an_option_that_moves_with_nothing_lifts_no_sum() -> None:
    """A delta of 250 is held, and more than is allowed; a call without any adds none to it."""
    facts = {**OPTIONS, CALL: Contract(right="C", expires_ns=SOON, underlying=1, delta=D(0), vega=D(0))}
    gate = make(venue(contracts=facts), **QUIET, option_delta_max=D(100))
    hold(gate, 5, LATER)
    assert ask(gate, new(3, conid=CALL)) == "ok"
    assert ask(gate, new(3, conid=CALL, side=SELL)) == "ok"
    assert ask(gate, new(1, conid=LATER)) == "DELTA"


@pytest.mark.parametrize(
    ("price", "limit", "side", "code"),
    [
        (10.0, "0", BUY, "ok"),
        (10.0, "0.5", BUY, "ok"),
        (10.0, "-0.5", SELL, "SIGN"),
        (0.5, "9", BUY, "ok"),
        (0.5, "-9", SELL, "SIGN"),
        (-10.0, "0.5", BUY, "SIGN"),
        (-0.5, "0.5", BUY, "SIGN"),
    ],
)
def test_the_sign_of_a_combo_close_to_zero(price: float, limit: str, side: Side, code: str) -> None:
    gate = make(combo_sanity=True)
    market = Market(prices={1: 100.0 + price, 2: 100.0})
    assert ask(gate, new(1, conid=PAIR.conid, side=side, limit_price=D(limit)), market=market) == code


@pytest.mark.parametrize(("limit", "side"), [("9", BUY), ("-9", SELL)])
def test_a_combo_that_is_worth_nothing_has_no_sign(limit: str, side: Side) -> None:
    ticket = new(1, conid=PAIR.conid, side=side, limit_price=D(limit))
    assert asked(make(combo_sanity=True), derivatives.combo, ticket) is None


def test_a_combo_whose_legs_have_no_price_has_no_sign() -> None:
    refusal = asked(make(combo_sanity=True), derivatives.combo, new(1, conid=PAIR.conid), Market({1: 100.0}))
    assert refusal is not None
    assert (refusal.code, refusal.limit, refusal.value) == ("NO_PRICE", "a price", "none")


def test_a_long_call_covers_a_short_one_of_the_same_day() -> None:
    """Whatever ends sooner stands behind them: a call held that covers neither."""
    facts = {
        CALL: Contract(right="C", expires_ns=SOON, underlying=1),
        LATER: Contract(right="C", expires_ns=SOON, underlying=1),
        SOONER: Contract(right="C", expires_ns=SOON - NS_PER_DAY, underlying=1),
    }
    gate = make(venue(contracts=facts), **{**QUIET, "naked_short": False})
    hold(gate, 1, LATER)
    hold(gate, 1, SOONER)
    assert ask(gate, new(2, conid=CALL, side=SELL)) == "NAKED"
    assert ask(gate, new(1, conid=CALL, side=SELL)) == "ok"
    assert ask(gate, new(1, conid=CALL, side=SELL)) == "NAKED"


def test_a_position_that_is_expiring_may_be_sold_and_a_covered_call_is_no_short() -> None:
    eve = Contract(right="C", expires_ns=LATE, underlying=1, ex_dividend_ns=T0 + NS_PER_DAY - 1)
    gate = make(venue(contracts={CALL: eve}), **{**QUIET, "naked_short": False})
    hold(gate, 1, CALL)
    assert ask(gate, new(1, conid=CALL, side=SELL)) == "ok"
    assert ask(gate, new(1, conid=CALL)) == "ok"  # a call may be bought on the eve
