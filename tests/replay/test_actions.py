"""Corporate actions, interest and latches together: cuts and wiring change nothing, and no action is a loss."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.actions import (
    Action,
    DayEnded,
    DividendDue,
    DividendNow,
    DividendPaid,
    ExpiryNow,
    InterestPaid,
    MergerNow,
    SpinOffNow,
    SplitNow,
)
from engine.domain.market import Bar, MarketEvent, Quote, Trade
from engine.portfolio.financing import Band, Benchmark, BorrowRate, Financing, Terms
from engine.settings import Limits, Pipeline
from engine.strategy.api import Strategy
from tests.replay.actors import Columns, Gambler
from tests.replay.arena import LOOSE, MS, T0, Arena, bar, quote, trade
from tests.replay.test_latches import latches, tight
from tests.replay.test_laws import WAYS, _same, arenas, markets

D = Decimal
DAY = date(2024, 10, 4)
DEAR = Financing(  # a thousand times what anybody pays, so that a day of a small account is seen
    name="dear",
    terms=(
        Terms(
            currency="USD", valid_from=DAY, debit=(Band(spread=D(1000)),), credit=(Band(spread=D(500)),),
            short=(Band(spread=D(300)),), full_at=D(2_000_000),
        ),
    ),
    benchmarks=(Benchmark(currency="USD", valid_from=DAY, rate=D(1)),),
    borrow=(BorrowRate(valid_from=DAY, rate=D(3000)),),
)  # fmt: skip


@st.composite
def doings(draw: st.DrawFn, span_ms: int = 150) -> tuple[Action, ...]:
    """A few actions at times among the rows of a small market, several of them at one moment now and then."""
    dice = Random(draw(st.integers(0, 2**32)))
    found: list[Action] = []
    times = sorted(T0 + dice.randint(0, span_ms) * MS + 1 for _ in range(dice.randint(1, 6)))
    for place, at in enumerate(times):
        conid, other = dice.choice(((1, 2), (2, 1)))
        amount = D(dice.randint(1, 30)) / 10
        pay = at + dice.choice((0, 10 * MS, 40 * MS))
        ratio = D(dice.choice((1, 2, 3, 10))), D(dice.choice((1, 2, 10)))
        kind = dice.randrange(8)
        if kind < 2:
            found.append(SplitNow(at, conid, *ratio))
        elif kind == 2:
            found.append(DividendNow(at, conid, amount, "USD"))
        elif kind == 3:
            found.append(DividendDue(at, conid, amount, "USD", pay, D("0.15")))
            if pay > at:
                found.append(DividendPaid(pay, conid, pay))
        elif kind == 4:
            found.append(SpinOffNow(at, conid, other, *ratio, D("0.25")))
        elif kind == 5:
            found.append(MergerNow(at, conid, other, *ratio, amount))
        elif kind == 6:
            day = DAY + timedelta(days=place)
            found += [DayEnded(at, day, (1, 2)), InterestPaid(at, day + timedelta(days=31))]
        else:
            found.append(ExpiryNow(at, conid, D(10)))
    return tuple(sorted(found, key=lambda one: one.ts_ns))


@given(arenas, markets(), doings(), st.integers(0, 1000), tight, tight)
@settings(max_examples=max(40, settings().max_examples // 2))
def test_cuts_and_wiring_change_no_action_and_no_latch(
    arena: Arena, events: list[MarketEvent], actions: tuple[Action, ...], seed: int, limits: Limits, own: Limits
) -> None:
    dice = Random(seed)
    due = tuple(action for action in actions if events[0].ts_ns < action.ts_ns <= events[-1].ts_ns)
    arena = arena.but(
        params={name: seed + place for place, name in enumerate("abc")}, limits=limits, own_limits={"b": own},
        actions=due, financing=dice.choice((None, DEAR)),
    )  # fmt: skip
    base = arena.run(events, Gambler, Columns, Gambler)
    for number in (0, *dice.sample(range(1, len(WAYS)), 3)):
        how = WAYS[number](dice, len(events))
        _same(base, arena.but(**how).run(events, Gambler, Columns, Gambler), how)


class Holds(Strategy[Any]):
    """Buys, or sells, a thousand at the first quote."""

    def _go(self, event: MarketEvent) -> None:
        if event.conid == 1 and not self.ctx.position(1).quantity:
            (self.ctx.sell if self.params == "short" else self.ctx.buy)(1, 1000)

    def on_quote(self, quote: Quote) -> None:
        self._go(quote)

    def on_trade(self, trade: Trade) -> None:
        self._go(trade)

    def on_bar(self, bar: Bar) -> None:
        self._go(bar)


def latched_by(events: Sequence[MarketEvent], *actions: Action, side: str = "long", **limits: Any) -> list[Any]:
    """What latches, in windows of any width and over any cut."""
    loose = evolve(LOOSE, **{"order_notional_max": D(10**9), "order_quantity_max": D(10**6), **limits})
    arena = Arena(limits=loose, actions=actions, params={"a": side})
    base = arena.run(events, Holds)
    for how in ({"window": 1}, {"cuts": (3,)}, {"cuts": tuple(range(9))}, {"pipeline": Pipeline.CHANNELS}):
        assert arena.but(**how).run(events, Holds).all()["facts"] == base.all()["facts"], how
    return [(at, code) for at, _, code, _ in latches(base)]


def at(price: float, ms: int, conid: int = 1) -> Quote:
    return quote(ms * MS, price - 0.01, price + 0.01, conid=conid)


NOW = T0 + 5 * MS + 1
# Held from 0 on, 20 of cost for the spread; something else trades before the price of after the action is known.
BEFORE: list[MarketEvent] = [at(100, 0), at(7, 1, 2), at(100, 2), at(7, 6, 2), at(7, 7, 2)]


@pytest.mark.parametrize(
    ("action", "price"),
    [
        (SplitNow(NOW, 1, D(10)), 10.0),
        (SplitNow(NOW, 1, D(1), D(10)), 1000.0),
        (DividendNow(NOW, 1, D(5), "USD"), 95.0),
        (DividendDue(NOW, 1, D(5), "USD", NOW + 10**15), 95.0),
        (SpinOffNow(NOW, 1, 2, D(2), D(1), D("0.2")), 86.0),  # two at 7
    ],
)
@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("how", [quote, trade, bar])
def test_what_an_action_does_to_a_price_is_no_loss(action: Action, price: float, side: str, how: Any) -> None:
    units = 1000 * (action.new / action.old if isinstance(action, SplitNow) else 1)
    falls = -1000.0 / float(units) if side == "long" else 1000.0 / float(units)
    mine = [(0, 100.0), (2, 100.0), (8, price), (9, price + falls)]
    said = [at(mid, ms) if how is quote else how(ms * MS, mid) for ms, mid in mine]
    events = [*said, at(7, 1, 2), at(7, 6, 2), at(7, 7, 2)]
    # A thousand is lost at the last row, and not before; by quotes 10 more, by half the spread of what was bought.
    assert latched_by(events, action, side=side, daily_loss_max=D(990)) == [(9 * MS, "LOSS")]
    assert latched_by(events, action, side=side, daily_loss_max=D(1010)) == []
    assert latched_by(events, action, side=side, drawdown_halt_pct=D("0.099")) == [(9 * MS, "DRAWDOWN")]
    assert latched_by(events, action, side=side, drawdown_halt_pct=D("0.102")) == []


def test_a_spin_off_without_a_price_leaves_worth_unknown_until_both_are_told() -> None:
    action = SpinOffNow(NOW, 1, 2, D(2), D(1), D("0.2"))
    events = [at(100, 0), at(100, 2), at(7, 6, 2), at(86, 8), at(85, 9)]
    assert latched_by(events, action, daily_loss_max=D(990)) == [(9 * MS, "LOSS")]


def test_what_is_said_after_an_action_is_taken_as_it_is() -> None:
    """A trade of after the split stands behind a quote of before it, and that quote is converted."""
    events: list[MarketEvent] = [at(100, 0), trade(6 * MS, 9.0), at(10, 8), at(8.9, 9)]
    assert latched_by(events, SplitNow(NOW, 1, D(10)), daily_loss_max=D(9990)) == [(9 * MS, "LOSS")]
    assert latched_by(events, SplitNow(NOW, 1, D(10)), daily_loss_max=D(11_020)) == []


def test_two_actions_between_two_prices_follow_one_another() -> None:
    """A dividend of 20 on 100, then ten for one: the price of before is 8."""
    both = DividendNow(NOW, 1, D(20), "USD"), SplitNow(NOW + MS, 1, D(10))
    assert latched_by([*BEFORE, at(8, 9), at(8, 10)], *both, daily_loss_max=D(15), drawdown_halt_pct=D("0.002")) == []
