"""A question of the venue's is answered by our own checks: whatever the rule, none confirms what they refuse by now."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.messages import BARRED
from engine.domain.ticket import Side
from engine.risk.account import Held, Level
from engine.risk.confirming import conditions
from engine.risk.gate import Gate
from engine.runtime.live.judging import Judging
from engine.runtime.live.lanes import Lane
from engine.runtime.live.letters import Asked, InstrumentNow, OrdersLetter, RiskSays, TradingNow
from engine.settings import Limits, RiskSettings
from tests.risk.made import T0, WIDE, D, FakeView, ask, gate, new
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
