"""`engine risk show`: where each limit comes from, how much of it is used, and what the venue's word leaves."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.messages import PositionNow
from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.ticket import Side
from engine.risk.account import ACCOUNT, Held, Level
from engine.risk.catalogue import TABLE
from engine.risk.gate import Gate
from engine.risk.losses import LossWatch
from engine.risk.margin import margin_row
from engine.risk.outside import Borrow, Outside
from engine.risk.showing import in_force, losses, table, usage, with_daemon
from engine.settings import Limits, RiskSettings
from tests.risk.made import T0, D, new
from tests.risk.test_catalogue import KNOWN, Market, ask, hold, make, venue

MIXED = RiskSettings(
    account=Limits(order_quantity_max=D(500), restricted=("AAA", "BBB"), allowed=(), self_trade=True, shrink=True),
    strategy={"fast": Limits(open_orders_max=3, order_quantity_max=D(100))},
    instrument={"AAA": Limits(order_quantity_max=D("50.5"), no_short=("AAA",))},
)


def rows(*, live: bool, wall: bool = True, settings: RiskSettings = MIXED) -> dict[str, dict[str, Any]]:
    return {row["code"]: row for row in table(settings, live=live, wall=wall)}


@pytest.mark.parametrize(
    ("code", "live", "limit", "source"),
    [
        ("R1", False,
         "order_quantity_max = 500; order_quantity_max = 100 (risk.strategy.fast); "
         "order_quantity_max = 50.5 (risk.instrument.AAA); shrink = yes",
         "risk.account, risk.strategy.fast, risk.instrument.AAA"),
        ("R2", False, "order_notional_max = 250000", "default"),
        ("R13", False, "open_orders_max = 50; open_orders_max = 3 (risk.strategy.fast)", "default, risk.strategy.fast"),
        ("R14", False, "allowed = none", "risk.account"),
        ("R20", False, None, "off"),  # own orders may meet
        ("R20", True, None, "off"),
        ("R22", False, "restricted = AAA, BBB; no_short = AAA (risk.instrument.AAA)",
         "risk.account, risk.instrument.AAA"),
        ("R9", False, None, "off"),
        ("R12", False, None, "always on"),
        ("R18", True, None, "always on"),
        ("R25", False, "quote_age_max_s = 60", "default"),
        ("R25", True, "quote_age_max_s = 60; two_sided = yes; spread_max_pct = 10", "default"),
        ("R33", True, "naked_short = no", "default"),
        ("R41", True, "clock_skew_max_ms = 2000; loop_lag_max_ms = 1000", "default"),
    ],
)  # fmt: skip
def test_a_row_tells_each_limit_and_where_it_is_set(code: str, live: bool, limit: str | None, source: str) -> None:
    row = rows(live=live)[code]
    assert (row["limit"], row["source"]) == (limit, source)
    assert (row["used"], row["left"]) == (None, None)


def test_each_row_of_the_table_is_shown_with_its_name_kind_and_sentence() -> None:
    shown = table(RiskSettings(), live=False)
    assert [(one["code"], one["name"], one["kind"], one["sentence"]) for one in shown] == [
        (row.code, row.name, str(row.kind), row.sentence) for row in TABLE
    ]


def test_monitors_of_a_session_that_does_not_live_by_the_wall_are_off_unless_set() -> None:
    assert rows(live=True, wall=False)["R41"]["source"] == "off"
    assert {row["code"]: row for row in table(MIXED, live=True)}["R41"]["source"] == "default"
    set_ = RiskSettings(account=Limits(loop_lag_max_ms=70))
    told = rows(live=True, wall=False, settings=set_)["R41"]
    assert (told["limit"], told["source"]) == ("loop_lag_max_ms = 70", "risk.account")


def test_a_plugin_s_row_tells_where_it_comes_from() -> None:
    last = table(RiskSettings(), live=False, plugins=(margin_row("cash"),))[-1]
    assert last["code"] == "MARGIN_TIERS"
    assert last["source"] == "books.margin = cash"


def used(gate: Gate, at_ns: int = T0) -> dict[str, tuple[str, str | None]]:
    return usage(gate, Market(), at_ns)


def test_what_is_used_of_each_limit_and_what_is_left() -> None:
    gate = make(
        orders_per_minute_max=20, open_orders_max=10, position_max=D(200), gross_max=D(40_000), in_doubt_max=3,
        messages_per_minute_max=40, orders_per_hour_max=50, orders_per_day_max=60, order_to_trade_max=D(100),
    )  # fmt: skip
    nothing = used(gate)
    assert nothing["R7"] == ("0", "20")
    assert nothing["R10"] == ("0", "200")
    assert nothing["R11"] == ("0", "40000")
    assert "R21" not in nothing, "without an execution there is no ratio"
    hold(gate, 100)
    hold(gate, -30, conid=2, strategy="b")
    buy, sell = new(10, limit_price=D(100)), new(150, conid=2, side=Side.SELL)
    assert ask(gate, buy) == ask(gate, sell) == "ok"
    gate.account.cancelled("a", T0)
    for _ in range(4):
        gate.account.executed("a", T0)
    gate.account.in_doubt.add(buy.coid)
    gate.latch("b", Held(Level.REDUCING, "LOSS", "too much", T0))
    assert used(gate) == {
        "R7": ("2", "18"),
        "R13": ("2", "8"),
        "R12": ("2", None),
        "R10": ("180", "20"),  # 30 short and 150 offered; of the other 110
        "R11": ("33500", "6500"),  # 110 at 100, and 180 at 125
        "R39": ("1", "2"),
        "R8": ("3", "37"),
        "R9": ("2", "48"),
        "R45": ("2", "58"),
        "R21": ("0.75", "99.25"),
        "R19": ("1", None),
    }
    later = used(gate, T0 + NS_PER_MINUTE)
    assert (later["R7"], later["R8"], later["R9"]) == (("0", "20"), ("0", "40"), ("2", "48"))


def test_a_number_is_written_out() -> None:
    large = RiskSettings(account=Limits(order_notional_max=D("1E+6")))
    assert rows(live=False, settings=large)["R2"]["limit"] == "order_notional_max = 1000000"


def test_nothing_is_left_of_what_is_used_up_and_open_orders_of_a_group_count_once() -> None:
    gate = make(position_max=D(200))
    hold(gate, 100)
    assert ask(gate, new(10)) == "ok"
    assert used(gate)["R10"] == ("110", "90")
    hold(gate, 250)
    assert used(gate)["R10"] == ("260", "0")
    group = make(gross_max=D(9000))
    assert ask(group, new(10, oca_group="a-oca-1"), new(10, conid=2, oca_group="a-oca-1")) == "ok"
    assert used(group)["R11"] == ("1250", "7750")  # 1,000 or 1,250


def test_sums_that_no_limit_counts_are_not_told_and_without_a_price_no_stake_is() -> None:
    gate = make()
    hold(gate, 10)
    assert not used(gate).keys() & {"R8", "R9", "R45", "R21"}
    assert "R11" not in usage(gate, Market({}), T0)
    assert used(gate)["R11"] == ("1000", None)


def summary(**facts: Any) -> Outside:
    found = venue(availability={1: "RpB", 2: "DpB"}, borrow={1: Borrow(D(5))})
    assert found.summary is not None
    bare = {"net_liquidation": None, "excess_liquidity": None, "buying_power": None}
    found.summary = replace(found.summary, **{**bare, "ts_ns": T0 - 30 * NS_PER_S, **facts})
    return found


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"net_liquidation": D(1000), "excess_liquidity": D(400)}, {"R31": ("40.0 % free, 30 s old", "300.00")}),
        ({"net_liquidation": D(1000), "excess_liquidity": D(90)}, {"R31": ("9.0 % free, 30 s old", "0.00")}),
        ({"net_liquidation": D(0), "excess_liquidity": D(90)}, {}),
        ({"net_liquidation": D(1000)}, {}),
        ({"buying_power": D(5000)}, {"R32": ("1000.25 since, 30 s old", "3999.75")}),
        ({"buying_power": D(700)}, {"R32": ("1000.25 since, 30 s old", "0.00")}),
        ({"day_trades_left": 2}, {"R24": ("2 day trades left", None)}),
        ({"day_trades_left": 0}, {"R24": ("0 day trades left", None)}),
    ],
)
def test_what_the_account_summary_leaves(facts: dict[str, Any], told: dict[str, tuple[str, str | None]]) -> None:
    """1,000.25 were sent since, half a minute ago; a tenth of net worth is the cushion."""
    limits = {"buying_power": False, "margin_cushion_pct": D(10)}
    bare = make(summary(net_liquidation=D(1000), excess_liquidity=D(400)), **{**EASY, "margin_cushion_pct": D(0)})
    assert used(bare)["R31"][1] == "400.00"
    gate = make(summary(**facts), **{**EASY, **limits})
    gate.account.sent("a", 1000.25, T0, new=True)
    found = used(gate)
    assert {code: found[code] for code in ("R24", "R31", "R32") if code in found} == told


EASY: dict[str, Any] = {"two_sided": False, "live_data": False, "short_availability": False, "naked_short": True}


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, {"R28": ("up", None), "R36": ("DU1", None)}),
        ({"away": "the nightly reset"}, {"R28": ("the nightly reset", None), "R36": ("DU1", None)}),
        ({"down": "lost", "away": "reset", "account": None}, {"R28": ("lost", None), "R36": ("unknown", None)}),
    ],
)
def test_what_the_session_says_is_shown(facts: dict[str, Any], told: dict[str, tuple[str, str | None]]) -> None:
    outside = summary()
    for name, value in facts.items():
        setattr(outside, name, value)
    found = used(make(outside, **EASY))
    assert {code: found[code] for code in told} == told
    assert found["R23"] == ("1 told", None)
    assert found["R26"] == (f"{len(KNOWN) - 1} not in real time", None)
    outside.summary = None
    assert used(make(outside, **EASY))["R31"] == used(make(outside, **EASY))["R32"] == ("unknown", None)


def test_a_daemon_s_figures_are_put_beside_the_limits() -> None:
    said: dict[str, dict[str, Any]] = {
        "R7": {"used": "3", "left": "117"},
        "R12": {"used": "1", "left": None},
        "R99": {"used": "9", "left": "9"},
    }
    shown = with_daemon(table(RiskSettings(), live=False), said)
    told = {row["code"]: (row["used"], row["left"]) for row in shown if row["used"] is not None}
    assert told == {"R7": ("3", "117"), "R12": ("1", None)}
    assert len(shown) == len(TABLE)
    assert shown[6]["name"] == "order rate"


def test_a_venue_s_limits_count_where_there_is_one() -> None:
    gate = make(summary(), **{**EASY, "in_doubt_max": None})
    assert used(gate)["R39"] == ("0", "5")
    assert used(make(in_doubt_max=None))["R39"] == ("0", None)
    assert gate.account.purse(ACCOUNT, T0).orders == 0


def test_what_waits_is_told_of_the_same_table_as_what_is_in_force() -> None:
    now, wanted = (RiskSettings(account=Limits(position_max=D(most))) for most in (500, 600))
    force = in_force(now, wanted, wall=False, plugins=(margin_row("cash"),))
    assert force["R10"] == {
        "limit": "position_max = 500", "source": "risk.account", "waits": "position_max = 600"
    }  # fmt: skip
    assert [code for code, one in force.items() if one["waits"] is not None] == ["R10"]
    assert force["R25"]["limit"] == "quote_age_max_s = 60; two_sided = yes; spread_max_pct = 10"
    assert (force["R41"]["source"], force["MARGIN_TIERS"]["source"]) == ("off", "books.margin = cash")
    row = with_daemon(table(RiskSettings(), live=True), force)[9]
    assert (row["limit"], row["source"]) == ("position_max = 500", "risk.account")


def shown(file: RiskSettings, now: RiskSettings, wanted: RiskSettings | None = None) -> dict[str, Any]:
    """The row of R10, of a file and of a daemon with other limits."""
    force = in_force(now, wanted, wall=True, plugins=())
    told = {code: {**one, "used": "3", "left": "4"} for code, one in force.items()}
    return with_daemon(table(file, live=True), told)[9]


def test_the_limits_in_force_are_shown_and_what_the_file_has_otherwise_is_noted() -> None:
    now, file = (RiskSettings(account=Limits(position_max=D(most))) for most in (500, 60))
    assert shown(now, now)["note"] is None
    row = shown(file, now)
    assert (row["limit"], row["used"], row["left"], row["source"]) == ("position_max = 500", "3", "4", "risk.account")
    assert row["note"] == "the file says position_max = 60: not read yet"
    assert shown(now, file, now)["limit"] == "position_max = 60"
    assert shown(now, file, now)["note"] == "the file says position_max = 500: waits for `engine confirm`"
    assert shown(file, file, now)["note"] is None  # the file has been put back since
    assert shown(RiskSettings(account=Limits(position_max=D(7))), file, now)["note"].endswith("not read yet")
    assert with_daemon(table(now, live=True), {})[9]["note"] is None


def test_a_limit_that_the_file_has_no_more_is_noted_too() -> None:
    now, file = RiskSettings(account=Limits(gross_max=D(5))), RiskSettings()
    assert with_daemon(table(file, live=True), in_force(now, None, wall=True, plugins=()))[10]["note"] == (
        "the file says no limit: not read yet"
    )
    assert with_daemon(table(file, live=True), in_force(now, file, wall=True, plugins=()))[10]["note"] == (
        "the file says no limit: waits for `engine confirm`"
    )


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"orders_per_day_max": 60, "messages_per_day_max": 5}, ("3 (messages_per_day_max)", "2")),
        ({"orders_per_day_max": 3, "messages_per_day_max": 50}, ("2 (orders_per_day_max)", "1")),
        ({"messages_per_day_max": 50}, ("3", "47")),
        ({"notional_per_day_max": D(5000)}, ("2500.5", "2499.5")),
        ({"notional_per_day_max": D(3000), "orders_per_day_max": 60}, ("2500.5 (notional_per_day_max)", "499.5")),
        # Half of either is used: the first of the row.
        ({"notional_per_day_max": D(5001), "messages_per_day_max": 6}, ("3 (messages_per_day_max)", "3")),
        ({"orders_per_day_max": 0, "messages_per_day_max": 5}, ("2 (orders_per_day_max)", "0")),
        ({"gross_max": D(9)}, ("2", None)),
    ],
)
def test_of_a_day_s_sums_the_one_nearest_its_limit_is_told(
    limits: dict[str, Any], told: tuple[str, str | None]
) -> None:
    gate = make(**limits)
    gate.account.sent("a", 1000, T0, new=True)
    gate.account.sent("a", 1500.5, T0, new=True)
    gate.account.cancelled("a", T0)
    assert used(gate)["R45"] == told


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"leverage_max": D(2)}, ("0.75", "1.25")),
        ({"gross_max": D(60_000)}, ("37500", "22500")),
        ({"gross_max": D(40_000), "leverage_max": D(2)}, ("37500 (gross_max)", "2500")),
        ({"gross_max": D(400_000), "leverage_max": D(1)}, ("0.75 (leverage_max)", "0.25")),
        ({"net_max": D(30_000)}, ("12500", "17500")),
        ({"currency_max": D(40_000)}, ("25000", "15000")),
        ({"sector_max": D(26_000)}, ("25000", "1000")),
        ({"gross_max": D(10**6), "net_max": D(13_000)}, ("12500 (net_max)", "500")),
        ({"gross_max": D(10**6), "currency_max": D(26_000)}, ("25000 (currency_max)", "1000")),
        ({"gross_max": D(10**6), "sector_max": D(26_000)}, ("25000 (sector_max)", "1000")),
        ({}, ("37500", None)),
    ],
)
def test_of_the_sums_of_money_at_stake_the_one_nearest_its_limit_is_told(
    limits: dict[str, Any], told: tuple[str, str | None]
) -> None:
    """125 at 100 long in dollars, 200 at 125 short in euros, 50,000 in the account."""
    gate = make(**limits)
    hold(gate, 125)
    hold(gate, -200, conid=2)
    gate.account.equity = 50_000.0
    gate.account.sectors = {"AAA": "glass", "BBB": "steel"}
    assert used(gate)["R11"] == told


@pytest.mark.parametrize(
    ("equity", "told"),
    [(30_001.0, ("1.25", "0.75")), (0.0, ("37500", None)), (None, ("37500", None))],  # to four digits
)
def test_leverage_is_told_where_the_account_is_worth_something(
    equity: float | None, told: tuple[str, str | None]
) -> None:
    gate = make(leverage_max=D(2))
    hold(gate, 375)
    gate.account.equity = equity
    assert used(gate)["R11"] == told


def test_where_nothing_is_held_nothing_is_at_stake_in_any_currency() -> None:
    assert used(make(currency_max=D(5)))["R11"] == ("0", "5")


def test_a_group_counts_as_its_largest_order_in_net_too() -> None:
    """Of 5 short and an order for 10 that is one of a group: 500, and 1,250 the other, and not both."""
    gate = make(net_max=D(9000))
    hold(gate, -5)
    assert ask(gate, new(10, oca_group="a-oca-1"), new(10, conid=2, oca_group="a-oca-1")) == "ok"
    assert used(gate)["R11"] == ("750", "8250")


def test_a_latch_that_has_ended_by_time_is_not_counted() -> None:
    gate = make()
    gate.latch("b", Held(Level.REDUCING, "LOSS", "too much", T0, T0 + 5))
    assert (used(gate, T0 + 4)["R19"], used(gate, T0 + 5)["R19"]) == (("1", None), ("0", None))


def watching(of: tuple[str, ...] = ("0", "-400", "-1000"), deposit: float = 100_000.0, **limits: Any) -> LossWatch:
    """An account of 100,000 that is worth 99,000, of which 1,000 was lost by trades."""
    settings = RiskSettings(account=Limits(**limits))
    watch = LossWatch(settings, make(), values={1: 1.0}, rates={"USD": 1.0}, deposit=deposit, now_ns=T0)
    none = PositionNow("a", 1, D(0), D(0), D(0), D(0), D(0), "USD")
    for realised in of:
        watch.hear((), (replace(none, realised=D(realised)),), lambda conid: (100.0, T0), T0)
    return watch


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({}, {}),
        ({"daily_loss_max": D(1500)}, {"R15": ("1000", "500")}),
        ({"daily_loss_reduce": D(1500), "daily_loss_max": D(5000)}, {"R15": ("1000 (daily_loss_reduce)", "500")}),
        # The first step has latched: what is left is that to the second.
        ({"daily_loss_reduce": D(900), "daily_loss_max": D(5000)}, {"R15": ("1000", "4000")}),
        ({"daily_loss_max": D(900)}, {"R15": ("1000", "0")}),
        ({"daily_realised_loss_max": D(1250)}, {"R15": ("1000", "250")}),
        ({"drawdown_halt_pct": D(4)}, {"R16": ("1", "3")}),
        ({"drawdown_reduce_pct": D("0.5"), "drawdown_halt_pct": D(4)}, {"R16": ("1", "3")}),
        ({"loss_streak_max": 5}, {"R17": ("2", "3")}),
        ({"loss_streak_max": 5, "loss_streak_halt": 3}, {"R17": ("2 (loss_streak_halt)", "1")}),
        ({"loss_streak_max": 3, "loss_streak_halt": 9}, {"R17": ("2 (loss_streak_max)", "1")}),
        ({"daily_loss_reduce": D(9000), "daily_loss_max": D(1500)}, {"R15": ("1000 (daily_loss_max)", "500")}),
        (
            {"daily_realised_loss_reduce": D(1500), "daily_realised_loss_max": D(9000)},
            {"R15": ("1000 (daily_realised_loss_reduce)", "500")},
        ),
        (
            {"daily_realised_loss_reduce": D(9000), "daily_realised_loss_max": D(1500)},
            {"R15": ("1000 (daily_realised_loss_max)", "500")},
        ),
        ({"drawdown_reduce_pct": D(2), "drawdown_halt_pct": D(4)}, {"R16": ("1 (drawdown_reduce_pct)", "1")}),
        ({"drawdown_reduce_pct": D(4), "drawdown_halt_pct": D(2)}, {"R16": ("1 (drawdown_halt_pct)", "1")}),
        ({"daily_loss_max": D(900), "daily_loss_reduce": D(5000)}, {"R15": ("1000", "4000")}),
        ({"daily_realised_loss_max": D(900), "daily_loss_reduce": D(5000)}, {"R15": ("1000", "4000")}),
        ({"daily_realised_loss_reduce": D(900), "daily_loss_max": D(5000)}, {"R15": ("1000", "4000")}),
    ],
)
def test_what_is_lost_is_told_against_the_limit_that_is_nearest(limits: dict[str, Any], told: dict[str, Any]) -> None:
    assert losses(watching(**limits)) == told


def test_after_a_restart_no_loss_is_told_before_a_price_is_known() -> None:
    watch = watching(daily_loss_max=D(900), loss_streak_max=9)
    watch.take_up({}, {})
    assert losses(watch) == {"R15": ("unknown", None)}


def test_fees_are_part_of_what_is_realised() -> None:
    watch = watching(daily_realised_loss_max=D(1250))
    watch.charge("a", 100.0)
    assert losses(watch)["R15"] == ("1100", "150")


def test_an_account_that_was_worth_nothing_has_fallen_by_nothing_and_hardly_a_gain_is_none() -> None:
    assert losses(watching(("0",), 0.0, drawdown_halt_pct=D(4)))["R16"] == ("0", "4")
    assert losses(watching(("0", "0.00001"), daily_loss_max=D(4)))["R15"] == ("0", "4")
