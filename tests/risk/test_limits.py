"""How limits of several tables go together, what a reload may change, and what a session for money wants to be told."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from engine.risk.limits import monitor_limits, reload, resolve, tighter, with_defaults, without_limits
from engine.settings import Limits, RiskSettings
from tests.risk.made import D


@pytest.mark.parametrize(
    ("name", "values", "tightest"),
    [
        ("order_quantity_max", (D(5), None, D(3)), D(3)),
        ("order_quantity_max", (None, None, None), None),
        ("position_max", (D(0), D(3), None), D(0)),
        ("duplicate_window_s", (D(2), D(3), None), D(3)),
        ("price_drift_window_s", (D(3), None, D(2)), D(3)),
        ("margin_cushion_pct", (D(5), None, D(7)), D(7)),
        ("expiry_days_min", (1, 4, 2), 4),
        ("delivery_days_min", (None, 4, 2), 4),
        ("loss_streak_pause_s", (D(10), D(20), None), D(20)),
        ("pnl_jump_pause_s", (D(20), D(10), None), D(20)),
        ("self_trade", (True, False, None), False),
        ("self_trade", (True, True, None), True),
        ("naked_short", (None, False, True), False),
        ("live_data", (False, True, None), True),
        ("live_data", (False, False, None), False),
        ("restricted", (("A",), ("B", "A"), ()), ("A", "B")),
        ("no_short", ((), ("B",), ("C",)), ("B", "C")),
        ("blackouts", (("x/y",), (), ("v/w",)), ("x/y", "v/w")),
        ("allowed", (("A", "B", "C"), None, ("C", "B")), ("B", "C")),
        ("exchanges", (None, ("NYSE",), ("IBIS",)), ()),
        ("order_types", (("LMT", "MKT"), ("MKT",), None), ("MKT",)),
        ("tifs", (("DAY",), None, None), ("DAY",)),
    ],
)
def test_the_tightest_of_several(name: str, values: tuple[Any, ...], tightest: Any) -> None:
    assert tighter(name, values) == tightest


def test_a_session_has_more_defaults_than_a_backtest() -> None:
    assert with_defaults(Limits()).live_data is None
    assert resolve(RiskSettings(), strategy="a", symbol="AAA").tightest.live_data is None
    assert resolve(RiskSettings(), strategy="a", symbol="AAA", live=True).tightest.live_data is True
    assert with_defaults(Limits(live_data=False), live=True).live_data is False


def test_monitors_of_the_walls_time_are_off_where_time_is_simulated() -> None:
    wall, simulated = (monitor_limits(Limits(), wall=wall) for wall in (True, False))
    assert (wall.clock_skew_max_ms, wall.loop_lag_max_ms, wall.fill_collar_pct) == (2_000, 1_000, D(5))
    assert (simulated.clock_skew_max_ms, simulated.loop_lag_max_ms, simulated.fill_collar_pct) == (None, None, D(5))
    said = monitor_limits(Limits(loop_lag_max_ms=7), wall=False)
    assert (said.clock_skew_max_ms, said.loop_lag_max_ms) == (None, 7)


def test_who_trades_for_money_says_how_much() -> None:
    two = Limits(order_quantity_max=D(1), order_notional_max=D(2))
    third = Limits(position_max=D(3))
    trades = {"a": ["AAA", "BBB"], "b": ["BBB"]}
    everything = [("a", "AAA"), ("a", "BBB"), ("b", "BBB")]
    assert without_limits(RiskSettings(), trades) == everything
    assert without_limits(RiskSettings(account=two), trades) == everything
    assert without_limits(RiskSettings(account=evolve(two, position_max=D(3))), trades) == []
    assert without_limits(RiskSettings(account=two, strategy={"a": third}), trades) == [("b", "BBB")]
    assert without_limits(RiskSettings(account=two, instrument={"AAA": third}), trades) == everything[1:]
    assert without_limits(RiskSettings(strategy={"b": two}, instrument={"BBB": third}), trades) == everything[:2]


def settings(account: Limits | None = None, **more: Any) -> RiskSettings:
    return RiskSettings(account=account or Limits(order_quantity_max=D(10), gross_max=D(100)), **more)


def tables(name: str, **limits: Limits) -> RiskSettings:
    given: dict[str, Any] = {name: limits}
    return settings(**given)


def test_what_is_tighter_counts_at_once_and_what_is_looser_waits() -> None:
    old = settings()
    told = reload(old, settings(Limits(order_quantity_max=D(8), gross_max=D(120), net_max=D(50))))
    assert told.now.account == Limits(order_quantity_max=D(8), gross_max=D(100), net_max=D(50))
    assert told.waiting == (("risk.account.gross_max", D(100), D(120)),)
    assert reload(old, old).now == old
    assert reload(old, old).waiting == ()


def test_two_that_are_looser_both_wait_and_a_person_lets_them_in() -> None:
    wanted = settings(Limits(order_quantity_max=D(11)))  # no limit on gross any more
    told = reload(settings(), wanted)
    assert told.now == settings()
    assert set(told.waiting) == {
        ("risk.account.order_quantity_max", D(10), D(11)),
        ("risk.account.gross_max", D(100), None),
    }
    agreed = reload(settings(), wanted, confirmed=True)
    assert (agreed.now, agreed.waiting) == (wanted, ())


def test_a_default_is_a_limit_too() -> None:
    loose = reload(RiskSettings(), RiskSettings(account=Limits(order_quantity_max=D(20_000), live_data=False)))
    assert set(loose.waiting) == {
        ("risk.account.order_quantity_max", D(10_000), D(20_000)),
        ("risk.account.live_data", True, False),
    }
    assert (loose.now.account.order_quantity_max, loose.now.account.live_data) == (D(10_000), True)
    tight = reload(RiskSettings(), RiskSettings(account=Limits(order_quantity_max=D(5))))
    assert (tight.now.account, tight.waiting) == (Limits(order_quantity_max=D(5)), ())


@pytest.mark.parametrize("name", ["allowed", "restricted", "order_types"])
def test_a_list_in_another_order_is_the_same_and_one_that_differs_goes_by_what_it_lets_through(name: str) -> None:
    def with_list(*symbols: str) -> RiskSettings:
        given: dict[str, Any] = {name: symbols}
        return RiskSettings(account=Limits(**given))

    assert reload(with_list("A", "B"), with_list("B", "A")).waiting == ()
    longer, shorter = with_list("A", "B", "C"), with_list("B", "C")
    tight, loose = (longer, shorter) if name == "restricted" else (shorter, longer)
    assert reload(loose, tight).waiting == ()
    assert set(getattr(reload(loose, tight).now.account, name)) == set(getattr(tight.account, name))
    assert [key for key, _, _ in reload(tight, loose).waiting] == [f"risk.account.{name}"]


@pytest.mark.parametrize("table", ["strategy", "instrument"])
def test_tables_come_and_go(table: str) -> None:
    limits = Limits(position_max=D(5), order_quantity_max=D(3))
    old, new = tables(table, X=limits), tables(table, Y=limits)
    told = reload(old, new)
    assert getattr(told.now, table) == {"X": limits, "Y": limits}
    assert set(told.waiting) == {
        (f"risk.{table}.X.position_max", D(5), None),
        (f"risk.{table}.X.order_quantity_max", D(3), None),
    }
    changed = reload(old, tables(table, X=evolve(limits, position_max=D(4), order_quantity_max=D(9))))
    assert getattr(changed.now, table) == {"X": Limits(position_max=D(4), order_quantity_max=D(3))}
    assert changed.waiting == ((f"risk.{table}.X.order_quantity_max", D(3), D(9)),)


@pytest.mark.parametrize(
    ("name", "was", "wanted"),
    [("sectors", {"AAA": "tech"}, {"AAA": "energy"}), ("day_start_s", None, 3600), ("latch_until", "person", "day")],
)
def test_what_decides_over_limits_waits(name: str, was: Any, wanted: Any) -> None:
    told = reload(settings(**{name: was}), settings(**{name: wanted}))
    assert getattr(told.now, name) == was
    assert told.waiting == ((f"risk.{name}", was, wanted),)
