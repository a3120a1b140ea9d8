"""How limits of several tables go together, what a reload may change, and what a session for money wants to be told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve, fields

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
        ("pnl_jump_pause_s", (D(20), D(10), None), D(10)),
        ("pnl_jump_pct", (D(2), D(3), None), D(3)),
        ("day_trades_max", (1, None, 2), 2),
        ("shrink", (True, False, None), False),
        ("shrink", (True, None, None), True),
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


# Of each limit the tighter value and the looser one, as the table of the catalogue describes it; None: not set.
ORDERED: dict[str, tuple[Any, Any]] = {
    **{
        name: (small, large)
        for names, small, large in (
            (
                "order_quantity_max order_notional_max price_collar_pct position_max quote_age_max_s price_drift_pct "
                "displayed_size_pct average_volume_pct range_factor notional_per_day_max gross_max net_max sector_max "
                "currency_max leverage_max order_to_trade_max daily_loss_reduce daily_loss_max "
                "daily_realised_loss_reduce daily_realised_loss_max drawdown_reduce_pct drawdown_halt_pct "
                "spread_max_pct borrow_fee_max_pct what_if_above summary_age_max_s option_delta_max option_vega_max "
                "reconcile_drift_max fill_collar_pct alert_latency_max_s average_volume price_collar_open_pct "
                "price_collar_open_s pnl_jump_pause_s",
                D(7),
                D(8),
            ),
            (
                "open_orders_max orders_per_minute_max messages_per_minute_max orders_per_hour_max "
                "throttled_orders_max orders_per_day_max messages_per_day_max in_doubt_max loss_streak_max "
                "loss_streak_halt clock_skew_max_ms loop_lag_max_ms queue_max memory_max_mb price_collar_ticks",
                7,
                8,
            ),
            ("duplicate_window_s price_drift_window_s margin_cushion_pct loss_streak_pause_s pnl_jump_pct", D(8), D(7)),
            ("expiry_days_min delivery_days_min day_trades_max", 8, 7),
            ("self_trade naked_short shrink", False, True),
            (
                "session_hours tick_and_lot two_sided live_data short_availability settled_cash buying_power "
                "combo_sanity",
                True,
                False,
            ),
            ("restricted no_short", ("A", "B"), ("A",)),
            ("blackouts", ("a/b", "c/d"), ("a/b",)),
            ("allowed exchanges order_types tifs", ("A",), ("A", "B")),
        )
        for name in names.split()
    },
}
# Limits that let something pass, or lift a latch, by being there.
LOOSEN = ("price_collar_ticks", "price_collar_open_pct", "price_collar_open_s", "average_volume", "pnl_jump_pct")
LOOSEN_TOO = (*LOOSEN, "loss_streak_pause_s", "shrink")


def of(name: str, value: Any) -> RiskSettings:
    return RiskSettings(strategy={"a": Limits(**({} if value is None else {name: value}))})


def test_every_limit_has_its_direction_here() -> None:
    assert set(ORDERED) == {one.name for one in fields(Limits)}


@pytest.mark.parametrize("name", ORDERED)
def test_each_limit_is_tightened_at_once_and_loosened_by_a_second_yes(name: str) -> None:
    tight, loose = ORDERED[name]
    told = reload(of(name, loose), of(name, tight))
    assert told.waiting == ()
    assert told.now == of(name, tight)
    told = reload(of(name, tight), of(name, loose))
    assert told.waiting == ((f"risk.strategy.a.{name}", tight, loose),)
    assert told.now == of(name, tight)


@pytest.mark.parametrize("name", [name for name in ORDERED if name not in LOOSEN_TOO])
def test_a_limit_that_is_put_in_counts_at_once(name: str) -> None:
    value = ORDERED[name][0]
    if name in ("price_drift_window_s", "pnl_jump_pause_s"):
        value = D(90) if name == "price_drift_window_s" else D(30)  # 60 where nothing is said
    told = reload(of(name, None), of(name, value))
    assert (told.now, told.waiting) == (of(name, value), ())


@pytest.mark.parametrize("name", LOOSEN_TOO)
def test_what_loosens_by_being_there_waits_and_is_taken_out_at_once(name: str) -> None:
    value = ORDERED[name][1]
    told = reload(of(name, None), of(name, value))
    (waiting,) = told.waiting
    assert waiting[0] == f"risk.strategy.a.{name}"
    assert not getattr(told.now.strategy["a"], name)
    told = reload(of(name, value), of(name, None))
    assert told.waiting == ()
    assert not getattr(told.now.strategy["a"], name)


@pytest.mark.parametrize(("name", "looser"), [("price_drift_window_s", D(30)), ("pnl_jump_pause_s", D(90))])
def test_what_counts_where_nothing_is_said_is_not_loosened_at_once_either(name: str, looser: Decimal) -> None:
    told = reload(of(name, None), of(name, looser))
    assert told.waiting == ((f"risk.strategy.a.{name}", D(60), looser),)
    assert reload(of(name, looser), of(name, None)).waiting == ()


def test_who_lifts_a_latch_the_day_s_begin_and_sectors_stay_as_they_are_until_a_restart() -> None:
    old = RiskSettings(sectors={"AAA": "tech"}, day_start_s=60, latch_until="day")
    told = reload(old, RiskSettings(account=Limits(order_quantity_max=D(1))))
    assert (told.now.sectors, told.now.day_start_s, told.now.latch_until) == ({"AAA": "tech"}, 60, "day")
    assert told.now.account.order_quantity_max == 1
    assert [key for key, _, _ in told.waiting] == ["risk.sectors", "risk.day_start_s", "risk.latch_until"]
