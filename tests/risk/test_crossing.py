"""Own orders that would meet, options that cover one another, and sums whose limit only a strategy has."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.moments import NS_PER_S
from engine.domain.ticket import Side
from engine.risk.conduct import latest_quiet, window_ns
from engine.risk.outside import Contract
from engine.settings import Limits
from tests.risk.made import D, new
from tests.risk.test_catalogue import LATE, OPTIONS, QUIET, SOON, ask, change, hold, make, venue

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("side", "resting", "price", "code"),
    [
        (BUY, 100, "99.99", "ok"),
        (BUY, 100, "100", "SELF_TRADE"),
        (BUY, 100, None, "SELF_TRADE"),
        (SELL, 100, "100.01", "ok"),
        (SELL, 100, "100", "SELF_TRADE"),
    ],
)
def test_an_order_does_not_meet_what_rests_across(side: Side, resting: int, price: str | None, code: str) -> None:
    gate = make(self_trade=False)
    assert ask(gate, new(side=side.opposite, limit_price=D(resting), strategy="b")) == "ok"
    terms: dict[str, Any] = {} if price is None else {"limit_price": D(price)}
    assert ask(gate, new(side=side, **terms)) == code


def test_a_child_waits_for_its_entry_and_not_for_others() -> None:
    gate = make(self_trade=False)
    entry = new(10, limit_price=D(100))
    target = new(10, side=SELL, parent=entry.coid, limit_price=D(101))
    assert ask(gate, entry, target) == "ok"
    assert change(gate, entry.coid, limit_price=D(102)) == "ok"  # through its own target, which trades only after it
    assert ask(gate, new(1, limit_price=D(101))) == "SELF_TRADE"


def test_orders_of_one_oca_group_end_one_another() -> None:
    gate = make(self_trade=False)
    assert ask(
        gate, new(1, limit_price=D(100), oca_group="g"), new(1, side=SELL, limit_price=D(99), oca_group="g")
    ) == ("ok")
    assert ask(gate, new(1, side=SELL, limit_price=D(99), oca_group="h")) == "SELF_TRADE"
    assert ask(gate, new(1, side=SELL, limit_price=D(99))) == "SELF_TRADE"


def test_a_change_on_its_way_may_be_met_at_either_price() -> None:
    gate = make(self_trade=False)
    first = new(1, limit_price=D(98))
    assert [ask(gate, first), change(gate, first.coid, limit_price=D(100))] == ["ok", "ok"]
    assert ask(gate, new(1, side=SELL, limit_price=D(100))) == "SELF_TRADE"
    assert ask(gate, new(1, side=SELL, limit_price=D("100.01"))) == "ok"


# --- windows ---------------------------------------------------------------------------------------------------------


def test_windows_are_in_utc_unless_they_say_otherwise() -> None:
    assert window_ns("1970-01-01T00:01/1970-01-01T01:03+01:00") == (60 * NS_PER_S, 180 * NS_PER_S)
    for wrong in ("1970-01-01T00:01", "1970-01-01T00:02/1970-01-01T00:01", "1970-01-01/1970-01-01"):
        with pytest.raises(ValueError, match=r"window|begins"):
            window_ns(wrong)


def test_the_quiet_around_now() -> None:
    windows = [(10, 20), (30, 40), (2, 5)]
    assert [latest_quiet(windows, now) for now in (10, 19, 39)] == [None] * 3
    assert [latest_quiet(windows, now) for now in (5, 9, 20, 29)] == [(5, 10), (5, 10), (20, 30), (20, 30)]
    assert latest_quiet([(10, 20)], 1) == (0, 10)
    quiet = latest_quiet(windows, 40)
    assert quiet is not None
    assert quiet[0] == 40


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "sold", "quantity", "code"),
    [
        ({1: 100, 12: 1}, {}, 2, "ok"),  # shares and a call that lives longer
        ({1: 100, 12: 1}, {}, 3, "NAKED"),
        ({1: 200}, {1: 150}, 1, "NAKED"),  # shares that may be sold cover nothing
        ({1: 200}, {1: 100}, 1, "ok"),
        ({12: 2}, {12: 1}, 1, "ok"),  # nor do calls
        ({12: 2}, {12: 1}, 2, "NAKED"),
        ({1: 199}, {}, 2, "NAKED"),
    ],
)
def test_what_covers_a_short_call(held: dict[int, int], sold: dict[int, int], quantity: int, code: str) -> None:
    gate = make(venue(contracts=OPTIONS), **{**QUIET, "naked_short": False})
    for conid, units in held.items():
        hold(gate, units, conid)
    for conid, units in sold.items():
        assert ask(gate, new(units, conid=conid, side=SELL)) == "ok"
    assert ask(gate, new(quantity, conid=11, side=SELL)) == code


def test_a_short_call_without_an_underlying_or_an_expiry_is_naked() -> None:
    for facts in (
        Contract(right="C", expires_ns=SOON),
        Contract(right="C", underlying=1),
        Contract(underlying=1, expires_ns=SOON),
    ):
        gate = make(venue(contracts={11: facts}), **{**QUIET, "naked_short": False})
        hold(gate, 1000)
        assert ask(gate, new(1, conid=11, side=SELL)) == "NAKED"


@pytest.mark.parametrize(
    ("limit", "most", "within", "code"),
    [("option_delta_max", 250, 2, "DELTA"), ("option_vega_max", 1200, 2, "VEGA")],
)
def test_delta_and_vega_are_of_all_that_is_held_and_open(limit: str, most: int, within: int, code: str) -> None:
    gate = make(venue(contracts=OPTIONS), **QUIET, **{limit: D(most)})
    hold(gate, 1, 12)  # delta 50, vega 200
    hold(gate, 7)  # shares have neither
    assert ask(gate, new(2, conid=11)) == "ok"  # 150 and 600 with it
    assert ask(gate, new(1, conid=11, side=SELL)) == "ok"
    assert ask(gate, new(within + 2, conid=11)) == code
    both = make(venue(contracts={**OPTIONS, 12: Contract(right="C", expires_ns=LATE)}), **QUIET, **{limit: D(10**9)})
    hold(both, 1, 12)
    assert ask(both, new(1, conid=11)) == code  # what is held is not known


# --- sums ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"notional_per_day_max": D(999)}, "DAY"),
        ({"orders_per_day_max": 0}, "DAY"),
        ({"gross_max": D(999)}, "GROSS"),
        ({"net_max": D(999)}, "NET"),
        ({"messages_per_minute_max": 0}, "MESSAGES"),
        ({"orders_per_hour_max": 0}, "THROTTLE"),
    ],
)
def test_a_limit_that_only_a_strategy_has(limits: dict[str, Any], code: str) -> None:
    gate = make(strategy={"a": Limits(**limits)})
    assert [ask(gate, new(10, strategy="b")), ask(gate, new(10))] == ["ok", code]
    assert Decimal(10) == new(10).quantity


def test_a_combo_adds_its_legs_each_to_its_side() -> None:
    for side, code in ((BUY, "ok"), (SELL, "NET")):
        gate = make(net_max=D(1700))
        hold(gate, 10)  # 1,000 of AAA; 600 more of it, or 750 of BBB
        assert ask(gate, new(6, conid=21, side=side, limit_price=D(0))) == code
