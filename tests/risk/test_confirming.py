"""A question of the venue's is answered by our own checks: whatever the rule, none confirms what they refuse by now."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.market import Quote
from engine.domain.messages import BARRED, Cancel, Denied, Modify, Place
from engine.domain.ticket import OrderType, Side
from engine.risk.account import Held, Level
from engine.risk.confirming import conditions
from engine.risk.gate import Gate
from engine.runtime.live.judging import Judging
from engine.runtime.live.lanes import Lane
from engine.runtime.live.letters import (
    Arrived,
    Asked,
    InstrumentNow,
    Judged,
    OrdersLetter,
    RiskSays,
    TradingNow,
    Wanted,
)
from engine.settings import Limits, RiskSettings
from tests.risk.made import T0, WIDE, D, FakeView, ask, gate, make_gate, new
from tests.risk.test_catalogue import QUIET, hold, make, venue


def barred(here: Gate, ticket: Any, view: Any = None, at_ns: int = T0) -> bool:
    return conditions(here, (ticket,), view or FakeView(), at_ns).get(BARRED, False)


def test_an_order_that_was_just_approved_is_not_barred_by_itself() -> None:
    full: dict[str, Any] = {"messages_per_minute_max": 1, "orders_per_day_max": 1, "notional_per_day_max": D(1000)}
    here = make(gross_max=D(1000), position_max=D(10), open_orders_max=1, orders_per_minute_max=1, **full)
    order = new(10, limit_price=D(100))
    assert ask(here, order) == "ok"
    assert not barred(here, order)


@pytest.mark.parametrize(
    "change",
    [
        {"restricted": ("AAA",)},
        {"order_quantity_max": D(9)},
        {"order_notional_max": D(999)},
        {"order_types": ("MKT",)},
    ],
)
def test_a_limit_that_has_become_tighter_bars_it(change: dict[str, Any]) -> None:
    here = gate()
    order = new(10, limit_price=D(100))
    assert ask(here, order) == "ok"
    assert not barred(here, order)
    here.reload(RiskSettings(account=Limits(**{**WIDE, **change})))
    assert barred(here, order)


def test_a_stale_price_a_latch_and_a_session_that_is_down_bar_it() -> None:
    outside = venue()
    here = make(outside, **{**QUIET, "quote_age_max_s": D(60)})
    order = new(10, limit_price=D(100))
    assert ask(here, order) == "ok"
    assert not barred(here, order)
    assert barred(here, order, at_ns=T0 + 60_000_000_001)
    outside.down = "the session is not primed"
    assert barred(here, order)
    outside.down = ""
    here.latch("a", Held(Level.REDUCING, "LOSS", "too much", T0))
    assert barred(here, order)


USUAL = {"collar", "fresh_quote", "tick", "lot", "quantity", "notional"}


@pytest.mark.parametrize(
    ("terms", "holds"),
    [
        ({}, USUAL | {"market_order"}),
        ({"limit_price": D(104)}, USUAL),
        ({"limit_price": D(106)}, USUAL - {"collar"}),
        ({"limit_price": D("100.005")}, USUAL - {"tick", "lot"}),
        ({"quantity": 60}, USUAL - {"quantity", "notional"} | {"market_order"}),
        ({"quantity": 41, "limit_price": D(100)}, USUAL - {"notional"}),
        ({"order_type": OrderType.STOP, "stop_price": D(101)}, USUAL | {"stop_order"}),
        ({"limit_price": D(101), "stop_price": D(101)}, USUAL | {"stop_order"}),
        ({"order_type": OrderType.TRAIL, "trail": D(2)}, USUAL | {"stop_order"}),
    ],
)
def test_a_condition_holds_where_its_check_refuses_nothing(terms: dict[str, Any], holds: set[str]) -> None:
    here = gate(price_collar_pct=D(5), order_quantity_max=D(50), order_notional_max=D(4000), tick_and_lot=True)
    found = conditions(here, (new(**terms),), FakeView(), T0)
    assert {name for name, held in found.items() if held and name != BARRED} == holds
    assert found.get(BARRED, False) is (not holds >= USUAL)


def test_a_condition_has_to_hold_for_all_tickets_and_without_any_none_does() -> None:
    here = gate()
    found = conditions(here, (new(1), new(1, limit_price=D(100))), FakeView(), T0)
    assert not found["market_order"]
    assert found["collar"]
    assert conditions(here, (), FakeView(), T0) == {}


def test_without_a_price_the_collar_and_a_fresh_quote_do_not_hold() -> None:
    found = conditions(gate(), (new(1),), FakeView(value=None), T0)
    assert not found["collar"]
    assert not found["fresh_quote"]
    old = conditions(gate(quote_age_max_s=D(60)), (new(1),), FakeView(), T0 + 60_000_000_001)
    assert old["collar"]
    assert not old["fresh_quote"]


@pytest.mark.parametrize(
    ("held", "side", "quantity", "reduces"),
    [
        (5, Side.SELL, 5, True),
        (5, Side.SELL, 4, True),
        (5, Side.SELL, 6, False),  # it would turn the position round
        (5, Side.BUY, 5, False),
        (-5, Side.BUY, 5, True),
        (-5, Side.BUY, 6, False),
        (-5, Side.SELL, 5, False),
        (1, Side.SELL, 1, True),
        (0, Side.SELL, 1, False),
        (0, Side.BUY, 1, False),
    ],
)
def test_an_order_reduces_what_its_strategy_holds(held: int, side: Side, quantity: int, reduces: bool) -> None:
    here = gate()
    hold(here, held)
    hold(here, 100, strategy="b")
    assert conditions(here, (new(quantity, side=side),), FakeView(), T0)["reduces"] is reduces


@pytest.mark.parametrize(
    ("terms", "worth"),
    [
        ({}, 1000),
        ({"limit_price": D(120)}, 1200),
        ({"limit_price": D(80)}, 1000),
        ({"order_type": OrderType.STOP, "stop_price": D(300)}, 3000),  # it buys where the market has got to by then
        ({"limit_price": D(310), "stop_price": D(300)}, 3100),
        ({"conid": 2, "quantity": 3}, 18_750),  # 3 of 50 each at 100 EUR, a EUR at 1.25
    ],
)
def test_small_is_what_is_worth_no_more_than_that(terms: dict[str, Any], worth: int) -> None:
    here, ticket = gate(), new(**terms)
    for below, small in ((worth, True), (worth - D("0.01"), False)):
        found = conditions(here, (ticket, new(1)), FakeView(), T0, small_below=D(below))
        assert found["small"] is small
    assert "small" not in conditions(here, (ticket,), FakeView(), T0)


def test_an_order_of_unknown_worth_is_not_small() -> None:
    assert not conditions(gate(), (new(1),), FakeView(value=None), T0, small_below=D(10**9))["small"]
    poor = make_gate(WIDE, {}, {}, rates={"USD": D(1)})
    assert not conditions(poor, (new(1, conid=2),), FakeView(), T0, small_below=D(10**9))["small"]


def judging(here: Gate) -> Judging:
    send = Lane[OrdersLetter](1)
    clock: Any = None
    made = Judging(
        here,
        clock,
        conditions=lambda tickets, view, now_ns: {"collar": True},
        to_orders=send,
        note=lambda core, now_ns, letter: None,
    )
    made.decide(TradingNow("on", ""), T0)
    return made


def answer(task: Judging, ticket: Any) -> dict[str, bool]:
    (said,) = task.decide(Asked(7, (ticket,)), T0)
    assert isinstance(said, RiskSays)
    return dict(said.holds)


def test_the_trading_state_and_a_halt_of_the_instrument_bar_it() -> None:
    here = gate()
    order, way_out = new(10), new(5, side=Side.SELL)
    task = judging(here)
    assert ask(here, order) == "ok"
    assert answer(task, order) == {"collar": True}
    task.decide(TradingNow("halted", "a person"), T0)
    assert answer(task, order) == {"collar": True, BARRED: True}
    task.decide(TradingNow("reducing", "a person"), T0)
    assert answer(task, order) == {"collar": True, BARRED: True}
    hold(here, 5)
    assert ask(here, way_out) == "ok"
    assert answer(task, way_out) == {"collar": True}  # it counts already, and makes the position smaller
    task.decide(TradingNow("on", ""), T0)
    task.decide(InstrumentNow(1, True, "the books differ"), T0)
    assert answer(task, order) == {"collar": True, BARRED: True}
    task.decide(InstrumentNow(1, False, ""), T0)
    assert answer(task, order) == {"collar": True}


def test_an_order_of_a_halted_instrument_is_neither_placed_nor_changed_and_may_be_cancelled() -> None:
    here = gate()
    order, elsewhere = new(10), new(10, conid=3)
    assert [ask(here, order), ask(here, elsewhere)] == ["ok", "ok"]
    task = judging(here)
    task.decide(InstrumentNow(1, True, "the books differ"), T0)
    bigger = [Modify(ticket.coid, "a", {"quantity": D(11)}) for ticket in (order, elsewhere)]
    (said,) = task.decide(Wanted((Place((new(1),)), *bigger, Cancel(order.coid, "a")), T0), T0)
    assert isinstance(said, Judged)
    codes = [one.refusal.code if isinstance(one, Denied) else "ok" for one in said.verdicts]
    assert codes == ["INSTRUMENT", "INSTRUMENT", "NO_PRICE", "ok"]  # the third is asked about: no price has come


def test_a_combo_with_a_halted_leg_is_not_placed() -> None:
    task = judging(gate())
    task.decide(Arrived((Quote(T0, 1, 99.0, 101.0, 9.0, 9.0), Quote(T0, 3, 49.0, 51.0, 9.0, 9.0))), T0)
    for halted, code in ((False, "ok"), (True, "INSTRUMENT")):
        task.decide(InstrumentNow(1, halted, "the books differ"), T0)
        (said,) = task.decide(Wanted((Place((new(1, conid=9),)),), T0), T0)
        assert isinstance(said, Judged)
        (verdict,) = said.verdicts
        assert (verdict.refusal.code if isinstance(verdict, Denied) else "ok") == code
