"""Monitors in the risk task: health bars and lifts by itself, twice the limit latches, each thing is told once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.domain.messages import Approved, Denied, OnHold, Place, PositionNow, Release
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import OrderTicket, Side
from engine.risk.account import Level
from engine.risk.monitors import Finding, Health
from engine.risk.outside import Borrow, Outside, Summary
from engine.runtime.live.judging import Judging
from engine.runtime.live.letters import Booked, HealthNow, Judged, Latched, TradingNow, VenueSays, Wanted
from tests.risk.made import T0, FakeView, gate, new

WELL = Health(clock_skew_ms=1.0, loop_lag_ms=1.0, queued=0, memory_mb=1.0)


class Bench:
    """A risk task without a task."""

    def __init__(self, *, wall: bool = True, outside: Outside | None = None, **limits: Any) -> None:
        self.told: list[Finding] = []
        nothing: Any = None
        self.gate = gate(**limits)
        self.gate.account.outside = outside
        self.risk = Judging(
            self.gate,
            nothing,
            conditions=nothing,
            to_orders=nothing,
            note=nothing,
            wall=wall,
            on_finding=lambda found, at_ns: self.told.append(found),
        )
        self.risk.view = FakeView()  # type: ignore[assignment]  # one price for all
        self.hear(TradingNow("on", ""))

    def hear(self, letter: Any, at_ns: int = T0) -> list[Any]:
        return list(self.risk.decide(letter, at_ns))

    def ask(self, *tickets: OrderTicket, at_ns: int = T0, holds: bool = True) -> str:
        """ "ok", "held", or the code of the refusal."""
        *_, judged = self.hear(Wanted((Place(tickets),), at_ns, holds), at_ns)
        assert isinstance(judged, Judged)
        (verdict,) = judged.verdicts
        if isinstance(verdict, OnHold):
            return "held"
        return "ok" if isinstance(verdict, Approved) else verdict.refusal.code

    def hold(self, quantity: int) -> None:
        """The strategy holds so many."""
        now = PositionNow("a", 1, Decimal(quantity), Decimal(0), Decimal(0), Decimal(quantity), Decimal(0), "USD")
        self.hear(Booked((), (now,)))


def test_what_is_above_a_limit_lets_only_pass_what_makes_positions_smaller_until_it_is_calm() -> None:
    bench = Bench(loop_lag_max_ms=100, clock_skew_max_ms=10_000)
    bench.hold(10)
    bench.hear(HealthNow(Health(clock_skew_ms=0.0, loop_lag_ms=100.0)))
    assert bench.ask(new()) == "ok"  # at the limit
    late = HealthNow(Health(clock_skew_ms=0.0, loop_lag_ms=101.0))
    bench.hear(late)
    bench.hear(late)
    assert [one.code for one in bench.told] == ["HEALTH"]  # once
    assert bench.ask(new()) == "HEALTH"
    assert bench.ask(new(5, side=Side.SELL)) == "ok"
    bench.hear(HealthNow(WELL), T0 + 29 * NS_PER_S)
    assert bench.ask(new(), at_ns=T0 + 29 * NS_PER_S) == "HEALTH"
    bench.hear(HealthNow(WELL), T0 + 30 * NS_PER_S)
    assert bench.ask(new(), at_ns=T0 + 30 * NS_PER_S) == "ok"
    assert "within its limit again" in bench.told[-1].sentence
    assert not bench.gate.account.held


def test_twice_the_limit_halts_until_a_person_resumes_and_a_start_lifts_nothing() -> None:
    bench = Bench(loop_lag_max_ms=100, clock_skew_max_ms=10_000)
    latched = bench.hear(HealthNow(Health(clock_skew_ms=0.0, loop_lag_ms=201.0)))
    assert [(one.owner, one.held.level, one.held.code) for one in latched if isinstance(one, Latched)] == [
        ("", Level.HALTED, "HEALTH")
    ]
    later = T0 + 60 * NS_PER_S
    bench.hear(HealthNow(WELL), later)
    assert bench.ask(new(), at_ns=later) == "HEALTH"
    bench.hear(TradingNow("on", ""), later)
    assert bench.ask(new(), at_ns=later) == "HEALTH"
    bench.hear(TradingNow("on", "", lifts=True), later)
    assert bench.ask(new(), at_ns=later) == "ok"


def test_what_is_not_measured_is_not_traded_on() -> None:
    bench = Bench(clock_skew_max_ms=2_000, loop_lag_max_ms=10_000)
    bench.hear(HealthNow(Health(loop_lag_ms=0.0)))
    assert bench.ask(new()) == "HEALTH"


def test_a_simulated_clock_has_no_limits_but_those_that_are_set() -> None:
    slow = HealthNow(Health(loop_lag_ms=5_000.0))
    simulated = Bench(wall=False)
    simulated.hear(slow)
    assert simulated.ask(new()) == "ok"
    real = Bench(wall=True)
    real.hear(slow)
    assert real.ask(new()) == "HEALTH"
    asked_for = Bench(wall=False, loop_lag_max_ms=4_000)
    asked_for.hear(slow)
    assert asked_for.ask(new()) == "HEALTH"


def test_messages_for_each_execution_are_told_once_a_day() -> None:
    bench = Bench(wall=False, order_to_trade_max=Decimal(2))
    for _ in range(2):
        bench.ask(new())
    bench.hear(HealthNow(WELL))
    assert bench.told == []
    bench.ask(new())
    for _ in range(2):
        bench.hear(HealthNow(WELL))
    assert [one.code for one in bench.told] == ["ORDER_TO_TRADE"]


def test_refusals_are_counted_by_code_and_the_largest_order_is_known() -> None:
    bench = Bench(wall=False, order_quantity_max=Decimal(50))
    assert [bench.ask(new(40)), bench.ask(new(60)), bench.ask(new(20))] == ["ok", "QUANTITY", "ok"]
    assert dict(bench.risk.monitors.refused) == {"QUANTITY": 1}
    used = bench.risk.monitors.used()
    assert (used["R1"][0], used["R2"][0]) == ("40", "4000.0")


def test_a_duplicate_is_held_unless_it_closes_positions_in_a_hurry_or_nobody_is_asked() -> None:
    bench = Bench(wall=False, duplicate_window_s=Decimal(2))
    first = new(tag="same")
    assert bench.ask(first) == "ok"
    twin = new(tag="same")
    assert bench.ask(twin) == "held"
    assert bench.ask(new(tag="same"), holds=False) == "DUPLICATE"
    (judged,) = bench.hear(Wanted((Release((twin,), person=True),), T0))
    assert isinstance(judged.verdicts[0], Approved)
    (again,) = bench.hear(Wanted((Release((twin,), person=True),), T0))
    assert isinstance(again.verdicts[0], Denied)  # an id is used once
    bench.hear(TradingNow("halted", "a person"))
    other = new(tag="same")
    (halted,) = bench.hear(Wanted((Release((other,), person=True),), T0))
    assert halted.verdicts[0].refusal.code == "TRADING"


def test_a_large_order_waits_for_the_preview_and_is_judged_by_what_it_told() -> None:
    rich = Decimal(1_000_000)
    summary = Summary(ts_ns=T0, net_liquidation=rich, excess_liquidity=rich, buying_power=rich)
    outside = Outside(account="DU1", down="", summary=summary, borrow={1: Borrow(rich)}, availability={1: "RpB"})
    bench = Bench(
        wall=False, outside=outside, what_if_above=Decimal(1_000), margin_cushion_pct=Decimal(5), two_sided=False
    )
    assert bench.ask(new(10)) == "ok"
    large = new(20)
    assert bench.ask(large) == "held"
    for margin, code in (("950001", "MARGIN"), ("950000", "ok")):
        (judged,) = bench.hear(Wanted((Release((large,), margin=Decimal(margin)),), T0))
        verdict = judged.verdicts[0]
        assert ("ok" if isinstance(verdict, Approved) else verdict.refusal.code) == code


def test_the_venues_word_is_folded_field_by_field() -> None:
    bench = Bench(wall=False, outside=Outside(strategies=frozenset({"a"})))
    outside = bench.gate.account.outside
    assert outside is not None
    assert bench.ask(new()) in ("ACCOUNT", "NOT_LIVE", "NOT_READY", "MARGIN", "ONE_SIDED")
    bench.hear(VenueSays(down="", account="DU1", availability=((1, "RpB"),), borrow=((1, Borrow(Decimal(5))),)))
    assert (outside.down, outside.account, outside.availability) == ("", "DU1", {1: "RpB"})
    bench.hear(VenueSays(down="gone", borrow=((1, None),), summary=Summary(ts_ns=T0, net_liquidation=Decimal(7))))
    assert (outside.down, outside.account, outside.borrow) == ("gone", "DU1", {})
    assert bench.gate.account.equity == 7.0
