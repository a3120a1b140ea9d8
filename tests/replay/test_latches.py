"""Latches on losses end windows: they fall at the same row however a recording is cut, and where plain sums say."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.market import MarketEvent, Quote
from engine.domain.moments import NS_PER_DAY
from engine.settings import Limits, Pipeline
from engine.strategy.api import Strategy
from tests.replay.actors import Columns, Gambler
from tests.replay.arena import LOOSE, MS, T0, Arena, Left, quote
from tests.replay.test_laws import WAYS, _same, arenas, markets

D = Decimal


class BuysOnce(Strategy[Any]):
    """Buys ten at the first quote, and then one more at each quote."""

    def on_quote(self, event: Quote) -> None:
        if event.conid == 1:
            self.ctx.buy(event.conid, 10 if not self.ctx.position(event.conid).quantity else 1)


def latches(left: Left) -> list[tuple[int, str, str, int]]:
    """Time after T0, owner, code and level of each."""
    found = []
    for ts_ns, kind, owner, body in left.facts:
        if kind == "latched":
            said = msgspec.json.decode(body)
            found.append((ts_ns - T0, owner, said["code"], said["level"]))
    return found


def falling(*mids: float, every: int = MS) -> list[MarketEvent]:
    return [quote(at * every, mid - 0.5, mid + 0.5) for at, mid in enumerate(mids)]


def run(limits: Limits, events: list[MarketEvent], **more: Any) -> Left:
    """In windows of one row, of all rows, and in channels: nothing may differ."""
    return run_of(BuysOnce, limits, events, **more)


def run_of(strategy: type[Strategy[Any]], limits: Limits, events: list[MarketEvent], **more: Any) -> Left:
    arena = Arena(limits=limits, **more)
    base = arena.run(events, strategy)
    for how in ({"window": 1}, {"cuts": (2,)}, {"pipeline": Pipeline.CHANNELS}):
        _same(base, arena.but(**how).run(events, strategy), how)
    return base


# Ten are bought at 100.5, one more at each quote that follows. Worth at the middle m: units x m - cost.
# At 99: 10 x 99 - 1005 = -15, once the eleventh is bought at 99.5 -15.5. At 98: 11 x 98 - 1104.5 = -26.5, then -27.
@pytest.mark.parametrize(
    ("limit", "at", "fills"),
    [("14.99", 1, 1), ("15", 1, 2), ("15.49", 1, 2), ("15.5", 2, 2), ("26.49", 2, 2), ("26.5", 2, 3), ("27", None, 5)],
)
def test_a_daily_loss_halts_at_its_row(limit: str, at: int | None, fills: int) -> None:
    left = run(evolve(LOOSE, daily_loss_max=D(limit)), falling(100, 99, 98, 100, 101))
    assert latches(left) == ([] if at is None else [(at * MS, "account", "LOSS", 2)])
    assert len(left.fills()) == fills  # what is wanted after it is refused
    assert {row.code for row in left.result.refusals} == (set() if at is None else {"LOSS"})


def test_a_daily_loss_reduces_first_and_then_halts() -> None:
    # At 99 the eleventh makes it -15.5; nothing more may be bought, so that at 98 it is -26.5.
    left = run(evolve(LOOSE, daily_loss_reduce=D("15.4"), daily_loss_max=D("26.4")), falling(100, 99, 99, 98, 98))
    assert latches(left) == [(1 * MS, "account", "LOSS", 1), (3 * MS, "account", "LOSS", 2)]
    assert len(left.fills()) == 2
    # Both at one row: the twelfth, bought at 98.5, makes it -27.
    left = run(evolve(LOOSE, daily_loss_reduce=D("26.5"), daily_loss_max=D("26.5")), falling(100, 99, 98, 98))
    assert latches(left) == [(2 * MS, "account", "LOSS", 1), (2 * MS, "account", "LOSS", 2)]


class TradesInAndOut(Strategy[Any]):
    """Buys ten at one quote and sells them at the next: each round trip loses the spread."""

    def on_quote(self, event: Quote) -> None:
        held = self.ctx.position(event.conid).quantity
        (self.ctx.sell if held else self.ctx.buy)(event.conid, 10)


def test_a_loss_streak_reduces_first_and_then_halts() -> None:
    # Sold at a loss at rows 1, 3 and 5; the third is the first above two, and nothing is bought after it.
    events = falling(*[100.0] * 10)
    left = run_of(TradesInAndOut, evolve(LOOSE, loss_streak_max=2), events)
    assert latches(left) == [(5 * MS, "account", "STREAK", 1)]
    left = run_of(
        TradesInAndOut, evolve(LOOSE, loss_streak_max=0, loss_streak_halt=2, loss_streak_pause_s=D("0.0005")), events
    )
    steps = [(1 * MS, 1), (3 * MS, 1), (5 * MS, 1), (5 * MS, 2)]  # the pause is over before the next row
    assert latches(left) == [(at, "account", "STREAK", level) for at, level in steps]
    assert len(left.fills()) == 6


def test_a_drawdown_reduces_first_and_then_halts() -> None:
    limits = evolve(LOOSE, drawdown_reduce_pct=D("0.001"), drawdown_halt_pct=D("0.002"))
    # The deposit is a million, of which these are 10 and 20. Eleven that cost 1105.5 are worth 16.5 less at 99.
    left = run(limits, falling(100, 100, 99, 98, 90))
    assert latches(left) == [(2 * MS, "account", "DRAWDOWN", 1), (3 * MS, "account", "DRAWDOWN", 2)]
    assert len(left.fills()) == 2


def test_a_new_day_lifts_what_only_the_day_forbids() -> None:
    night = NS_PER_DAY
    events = [*falling(100, 98, 98), *(quote(night + at * MS, 97.5, 98.5) for at in range(3))]
    limits = evolve(LOOSE, daily_loss_max=D(10))
    assert len(run(limits, events, latch_until="day").fills()) == 1 + 3
    assert len(run(limits, events).fills()) == 1


def test_a_latch_of_one_strategy_leaves_the_others_alone() -> None:
    arena = Arena(own_limits={"a": Limits(daily_loss_max=D(10))})
    left = arena.run(falling(100, 98, 98), BuysOnce, BuysOnce)
    assert [owner for _, owner, _, _ in latches(left)] == ["a"]
    assert len(left.fills("a")) == 1
    assert len(left.fills("b")) == 3


def test_a_jump_without_a_trade_makes_losses_wait() -> None:
    limits = evolve(LOOSE, daily_loss_max=D(10), pnl_jump_pct=D("0.01"), pnl_jump_pause_s=D("0.002"))
    # The mark of 80 is a bad one: worth falls by some 200 of a million, more than 0.01 %.
    left = run(limits, falling(100, 80, 100, 100, 100, 100, 98))
    assert [at for at, *_ in latches(left)] == [6 * MS]


def test_what_rests_is_cancelled_by_a_halt() -> None:
    class Rests(Strategy[Any]):
        def on_quote(self, event: Quote) -> None:
            if not self.ctx.position(event.conid).quantity:
                self.ctx.buy(event.conid, 10)
                self.ctx.buy(event.conid, 1, limit=D(50))

    left = Arena(limits=evolve(LOOSE, daily_loss_max=D(10))).run(falling(100, 98, 98), Rests)
    assert [row.order.state for row in left.result.orders] == ["filled", "cancelled"]


tight = st.builds(
    lambda first, realised_first, loss, realised, reduce, halt, streak, losses, pause, jump: evolve(
        LOOSE,  # each near what a small market moves
        daily_loss_reduce=first,
        daily_realised_loss_reduce=realised_first,
        daily_loss_max=loss,
        daily_realised_loss_max=realised,
        drawdown_reduce_pct=reduce,
        drawdown_halt_pct=halt,
        loss_streak_max=streak,
        loss_streak_halt=losses,
        loss_streak_pause_s=pause,
        pnl_jump_pct=jump,
        pnl_jump_pause_s=D("0.003"),
    ),
    *[st.sampled_from((None, D("0.01"), D("0.1"), D(1)))] * 4,
    *[st.sampled_from((None, D("0.000005"), D("0.00005")))] * 2,
    *[st.sampled_from((None, 0, 1, 3))] * 2,
    st.sampled_from((None, D("0.001"), D("0.01"))),
    st.sampled_from((None, D("0.000001"), D("0.00001"))),
)


def _all_ways_agree(arena: Arena, events: list[MarketEvent], seed: int, limits: Limits, own: Limits) -> None:
    dice = Random(seed)
    arena = arena.but(
        params={name: seed + place for place, name in enumerate("abc")}, limits=limits, own_limits={"b": own}
    )
    base = arena.run(events, Gambler, Columns, Gambler)
    for number in (0, *dice.sample(range(1, len(WAYS)), 3)):
        how = WAYS[number](dice, len(events))
        _same(base, arena.but(**how).run(events, Gambler, Columns, Gambler), how)


@given(arenas, markets(), st.integers(0, 1000), tight, tight)
@settings(max_examples=60)
def test_cuts_and_wiring_change_no_latch(
    arena: Arena, events: list[MarketEvent], seed: int, limits: Limits, own: Limits
) -> None:
    _all_ways_agree(arena, events, seed, limits, own)


few = st.builds(
    lambda hour, more: evolve(LOOSE, orders_per_hour_max=hour, throttled_orders_max=more),
    st.sampled_from((None, 1, 3, 6)),
    st.sampled_from((None, 0, 2)),
)


@given(arenas, markets(), st.integers(0, 1000), few, few)
@settings(max_examples=max(30, settings().max_examples // 2))
def test_cuts_and_wiring_change_no_throttle(
    arena: Arena, events: list[MarketEvent], seed: int, limits: Limits, own: Limits
) -> None:
    """R9 latches on orders and not on prices: nobody follows worth, and the fused ring takes its short way."""
    _all_ways_agree(arena, events, seed, limits, own)


def test_a_throttle_reduces_first_and_then_halts_and_takes_what_rests_with_it() -> None:
    class Keen(Strategy[Any]):
        def on_quote(self, event: Quote) -> None:
            self.ctx.buy(event.conid, 1, limit=D(50) - (event.ts_ns - T0) // MS)

    limits = evolve(LOOSE, orders_per_hour_max=2, throttled_orders_max=1)
    left = run_of(Keen, limits, falling(*[100.0] * 6))
    # Two rest, the third is one too many; with the fourth two have been refused, one more than may be.
    assert latches(left) == [(2 * MS, "a", "THROTTLE", 1), (3 * MS, "a", "THROTTLE", 2)]
    assert [row.code for row in left.result.refusals] == ["THROTTLE"] * 4
    assert [str(row.order.state) for row in left.result.orders[:2]] == ["cancelled", "cancelled"]
