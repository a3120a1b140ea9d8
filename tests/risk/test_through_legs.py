"""What is forbidden of an instrument is forbidden of a combo that trades it as a leg."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.messages import Denied, Place, PositionNow
from engine.domain.moments import NS_PER_DAY
from engine.domain.ticket import Side
from engine.risk.account import Held, Level
from engine.risk.gate import Gate
from engine.risk.outside import Borrow, Contract, Outside, Summary
from engine.settings import Limits, RiskSettings
from tests.risk.made import RATES, SESSIONS, T0, WIDE, D, new
from tests.risk.test_catalogue import KNOWN, LATE, OPTIONS, QUIET, Market, ask, venue

BUY, SELL = Side.BUY, Side.SELL


def combo(conid: int, *legs: tuple[int, int]) -> Instrument:
    """Legs are (conid, ratio)."""
    made = tuple(Leg(leg, ratio) for leg, ratio in legs)
    return Instrument(conid=conid, symbol=f"C{conid}", calendar="24/7", sec_type=SecType.COMBO, legs=made)


NEXT = Instrument(conid=15, symbol="NEXT", calendar="24/7", sec_type=SecType.FUTURE)
SHARES, CALLS, MONTHS = combo(41, (1, 1), (2, -1)), combo(42, (11, 1), (12, 1)), combo(43, (14, -1), (15, 1))
ALL = {**KNOWN, **{one.conid: one for one in (NEXT, SHARES, CALLS, MONTHS)}}
FACTS = {**OPTIONS, 14: Contract(expires_ns=T0 + NS_PER_DAY), 15: Contract(expires_ns=LATE)}
MARKET = Market(prices=dict.fromkeys(ALL, 100.0))


def gate(outside: Outside | None = None, instrument: dict[str, Limits] | None = None, **limits: Any) -> Gate:
    account = Limits(**{**WIDE, **(QUIET if outside is not None else {}), **limits})
    settings = RiskSettings(account=account, instrument=instrument or {})
    return Gate(settings=settings, instruments=ALL, sessions=SESSIONS, rates=RATES, outside=outside)


def facts() -> Outside:
    return venue(contracts=FACTS, borrow={1: Borrow(D(0)), 2: Borrow(D(10**6))})


@pytest.mark.parametrize(
    ("limits", "conid", "alone", "leg_side", "code"),
    [
        ({"no_short": ("AAA",)}, SHARES.conid, 1, SELL, "NO_SHORT"),
        ({"short_availability": True}, SHARES.conid, 1, SELL, "SHORT"),
        ({"option_delta_max": D(10)}, CALLS.conid, 11, BUY, "DELTA"),
        ({"option_vega_max": D(10)}, CALLS.conid, 11, BUY, "VEGA"),
        ({"expiry_days_min": 20}, CALLS.conid, 11, BUY, "EXPIRY"),
        ({"delivery_days_min": 2}, MONTHS.conid, 14, SELL, "DELIVERY"),
    ],
)
def test_a_leg_is_judged_as_it_is_alone(
    limits: dict[str, Any], conid: int, alone: int, leg_side: Side, code: str
) -> None:
    side = BUY if leg_side is BUY or conid == MONTHS.conid else SELL
    assert ask(gate(facts(), **limits), new(1, conid=alone, side=leg_side), market=MARKET) == code
    assert ask(gate(facts(), **limits), new(1, conid=conid, side=side), market=MARKET) == code


def test_a_window_in_which_a_leg_may_not_be_traded_holds_for_its_combo() -> None:
    window = {"AAA": Limits(blackouts=("1970-01-01T00:00:00/1970-01-02T00:00:00",))}
    assert ask(gate(instrument=window), new(1), market=MARKET) == "BLACKOUT"
    assert ask(gate(instrument=window), new(1, conid=SHARES.conid), market=MARKET) == "BLACKOUT"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"margin_cushion_pct": D(5)}, "MARGIN"),
        ({"buying_power": True}, "BUYING_POWER"),
        ({"order_notional_max": D(1_000)}, "NOTIONAL"),
        ({"notional_per_day_max": D(1_000)}, "DAY"),
    ],
)
def test_a_combo_of_legs_that_cancel_out_is_not_worth_nothing(limits: dict[str, Any], code: str) -> None:
    excess, power = (D(1_000) if code == scarce else D(10**12) for scarce in ("MARGIN", "BUYING_POWER"))
    poor = Summary(ts_ns=0, net_liquidation=D(1_000), excess_liquidity=excess, buying_power=power)
    assert ask(gate(venue(summary=poor), **limits), new(10_000), market=MARKET) == code
    assert ask(gate(venue(summary=poor), **limits), new(10_000, conid=SHARES.conid), market=MARKET) == code


@pytest.mark.parametrize(("most", "code"), [(99, "DELTA"), (100, "ok")])
def test_the_greeks_of_a_combo_are_those_of_all_its_legs(most: int, code: str) -> None:
    """Each call has a delta of 0.5: together 100 units of the underlying, and either alone is 50."""
    assert ask(gate(facts(), option_delta_max=D(most)), new(1, conid=CALLS.conid), market=MARKET) == code


@pytest.mark.parametrize(("held", "code"), [((5, -5), "ok"), ((5, -4), "LOSS"), ((4, -5), "LOSS"), ((0, 0), "LOSS")])
def test_a_combo_gets_out_where_it_makes_each_leg_smaller(held: tuple[int, int], code: str) -> None:
    made = gate()
    for conid, units in zip((1, 2), held, strict=True):
        made.hear([], [PositionNow("a", conid, D(units), D(0), D(0), D(units), D(0), "USD")])
    made.latch("a", Held(Level.REDUCING, "LOSS", "too much", T0))
    assert ask(made, new(5, conid=SHARES.conid, side=SELL), market=MARKET) == code
    assert ask(made, new(1, conid=SHARES.conid, side=BUY), market=MARKET) == "LOSS"


def test_the_money_of_a_group_that_is_refused_is_given_back() -> None:
    made = gate(notional_per_day_max=D(2_250))
    entry = new(10, conid=SHARES.conid)
    bad = new(10**7, conid=SHARES.conid, side=SELL, parent=entry.coid)
    assert made.judge(Place((entry, bad)), lambda: MARKET, T0).__class__ is Denied
    assert ask(made, new(10, conid=SHARES.conid), market=MARKET) == "ok"  # 10 x (100 + 125): all that a day may have
    assert ask(made, new(1, conid=SHARES.conid), market=MARKET) == "DAY"
