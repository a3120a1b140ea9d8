"""The checks that a limit switches on, each at its limit, just below, just above, and with its input unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import define, field

from engine.domain.facts import AnswerMissing, Filled
from engine.domain.instrument import Instrument, Leg, SecType
from engine.domain.market import Bar, Quote, Status, Trade
from engine.domain.messages import Approved, Cancel, Denied, Modify, Place, PositionNow, Update
from engine.domain.moments import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from engine.domain.order import Order, State
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk.account import Held, Level
from engine.risk.catalogue import TABLE, Kind, row_of_code
from engine.risk.gate import Gate
from engine.risk.outside import Borrow, Contract, Outside, Summary
from engine.settings import Limits, RiskSettings
from tests.risk.made import RATES, SESSIONS, T0, WIDE, D, code_of, new

BUY, SELL = Side.BUY, Side.SELL
HOUR = 60 * NS_PER_MINUTE
A = Instrument(conid=1, symbol="AAA", calendar="24/7")
B = Instrument(conid=2, symbol="BBB", calendar="24/7", currency="EUR")
CALL = Instrument(conid=11, symbol="CALL", calendar="24/7", sec_type=SecType.OPTION, multiplier=D(100))
LATER = Instrument(conid=12, symbol="LATER", calendar="24/7", sec_type=SecType.OPTION, multiplier=D(100))
PUT = Instrument(conid=13, symbol="PUT", calendar="24/7", sec_type=SecType.OPTION, multiplier=D(100))
FUT = Instrument(conid=14, symbol="FUT", calendar="24/7", sec_type=SecType.FUTURE)
PAIR = Instrument(conid=21, symbol="PAIR", calendar="24/7", sec_type=SecType.COMBO, legs=(Leg(1, 1), Leg(2, -1)))
DOUBLE = Instrument(conid=22, symbol="DOUBLE", calendar="24/7", sec_type=SecType.COMBO, legs=(Leg(1, 2), Leg(2, -2)))
KNOWN = {one.conid: one for one in (A, B, CALL, LATER, PUT, FUT, PAIR, DOUBLE)}


@define
class Market:
    """Prices by conid, and quotes around them with sizes."""

    prices: dict[int, float] = field(factory=lambda: dict.fromkeys(KNOWN, 100.0))
    bid: float = 99.95
    ask: float = 100.05
    bid_size: float = 500.0
    ask_size: float = 300.0
    quoted: bool = True
    at_ns: int = T0

    def price(self, conid: int) -> tuple[float, int] | None:
        price = self.prices.get(conid)
        return None if price is None else (price, self.at_ns)

    def quote(self, conid: int) -> Quote | None:
        if not self.quoted:
            return None
        return Quote(self.at_ns, conid, self.bid, self.ask, self.bid_size, self.ask_size)

    def trade(self, conid: int) -> Trade | None:
        return None

    def bar(self, conid: int) -> Bar | None:
        return None

    def status(self, conid: int) -> Status | None:
        return None


def make(outside: Outside | None = None, **given: Any) -> Gate:
    """A gate with wide limits but those named; `strategy`, `instrument`, `sectors` and so on are the gate's own."""
    given = {"strategy": {}, "instrument": {}, "sectors": {}, "plugins": (), "equity": None, **given}
    parts = {name: given.pop(name) for name in ("strategy", "instrument", "sectors")}
    more = {name: given.pop(name) for name in ("plugins", "equity")}
    sessions = given.pop("sessions", SESSIONS)
    settings = RiskSettings(account=Limits(**{**WIDE, **given}), **parts)
    return Gate(settings=settings, instruments=KNOWN, sessions=sessions, rates=RATES, outside=outside, **more)


# What a session adds by default, switched off, so that a test sees the one it sets.
QUIET: dict[str, Any] = {
    "self_trade": True, "two_sided": False, "live_data": False, "short_availability": False, "buying_power": False,
    "naked_short": True, "combo_sanity": False, "in_doubt_max": 10**6, "margin_cushion_pct": D(0),
    "delivery_days_min": 0, "summary_age_max_s": D(10**6),
}  # fmt: skip


def venue(**facts: Any) -> Outside:
    """A session that is up, with an account that can pay for anything."""
    rich = Summary(
        ts_ns=0, net_liquidation=D(10**12), excess_liquidity=D(10**12), buying_power=D(10**12), settled_cash=D(10**12)
    )
    return Outside(**{"account": "DU1", "down": "", "summary": rich, **facts})


def ask(gate: Gate, *tickets: OrderTicket, market: Market | None = None, at_ns: int = T0) -> str:
    seen = market or Market(at_ns=at_ns)
    return code_of(gate.judge(Place(tickets), lambda: seen, at_ns))


def hold(gate: Gate, quantity: int, conid: int = 1, strategy: str = "a") -> None:
    gate.hear([], [PositionNow(strategy, conid, D(quantity), D(0), D(0), D(quantity), D(0), "USD")])


def change(gate: Gate, coid: str, at_ns: int = T0, **changes: Any) -> str:
    seen = Market(at_ns=at_ns)
    return code_of(gate.judge(Modify(coid, "a", changes), lambda: seen, at_ns))


# --- R3: the collar's wider forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "code"), [("100.02", "ok"), ("100.03", "ok"), ("100.04", "COLLAR")])
def test_a_collar_in_ticks_is_as_wide_as_its_ticks(limit: str, code: str) -> None:
    gate = make(price_collar_pct=D(0), price_collar_ticks=3)
    assert ask(gate, new(limit_price=D(limit))) == code


@pytest.mark.parametrize(
    ("after_s", "limit", "code"),
    [
        (0, "110", "ok"),
        (0, "110.01", "COLLAR"),
        (299, "110", "ok"),
        (300, "110", "COLLAR"),
        (300, "105", "ok"),
    ],
)
def test_the_collar_is_wider_after_the_open(after_s: int, limit: str, code: str) -> None:
    opened = {"24/7": Sessions((T0,), (T0 + NS_PER_DAY,))}
    gate = make(sessions=opened, price_collar_pct=D(5), price_collar_open_pct=D(10), price_collar_open_s=D(300))
    assert ask(gate, new(limit_price=D(limit)), at_ns=T0 + after_s * NS_PER_S) == code
    unknown = make(sessions={}, price_collar_pct=D(5), price_collar_open_pct=D(10), price_collar_open_s=D(300))
    assert ask(unknown, new(limit_price=D("105.01"))) == "COLLAR"


# --- R4, R5, R25, R38 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("third", "code"), [("101.99", "ok"), ("102", "ok"), ("102.01", "DRIFT")])
def test_own_prices_may_walk_so_far(third: str, code: str) -> None:
    gate = make(price_drift_pct=D(2), price_drift_window_s=D(60))
    assert [ask(gate, new(limit_price=D(price))) for price in ("100", "101")] == ["ok", "ok"]
    assert ask(gate, new(limit_price=D(third))) == code


def test_steps_back_do_not_make_a_walk_shorter_and_old_ones_count_no_more() -> None:
    gate = make(price_drift_pct=D(2), price_drift_window_s=D(60))
    assert [ask(gate, new(limit_price=D(price))) for price in ("100", "101.5", "100")] == ["ok"] * 3
    assert ask(gate, new(limit_price=D("100.51"))) == "DRIFT"  # 1.5 and 0.51
    assert ask(gate, new(limit_price=D("100.5"))) == "ok"
    assert ask(gate, new(side=SELL, limit_price=D("90"))) == "ok"  # the other side walks on its own
    later = T0 + 60 * NS_PER_S
    assert ask(gate, new(limit_price=D("102.5")), at_ns=later) == "ok"  # nothing is left to walk from
    assert ask(gate, new(limit_price=D("104.51")), at_ns=later) == "DRIFT"
    first = new(limit_price=D(100))
    walked = make(price_drift_pct=D(2))
    assert ask(walked, first) == "ok"
    assert change(walked, first.coid, limit_price=D("102.01")) == "DRIFT"  # a modification walks too
    assert ask(walked, new()) == "ok"  # a market order has no price of its own


@pytest.mark.parametrize(
    ("side", "quantity", "code"),
    [(BUY, 60, "ok"), (BUY, 61, "DISPLAYED"), (SELL, 100, "ok"), (SELL, 101, "DISPLAYED")],
)
def test_size_against_what_is_shown_on_the_other_side(side: Side, quantity: int, code: str) -> None:
    assert ask(make(displayed_size_pct=D(20)), new(quantity, side=side)) == code


def test_an_unknown_displayed_size_refuses() -> None:
    assert ask(make(displayed_size_pct=D(20)), new(1), market=Market(quoted=False)) == "DISPLAYED"
    assert ask(make(displayed_size_pct=D(20)), new(1), market=Market(ask_size=float("nan"))) == "DISPLAYED"
    assert ask(make(displayed_size_pct=D(20)), new(1), market=Market(ask_size=0.0)) == "DISPLAYED"


@pytest.mark.parametrize(("quantity", "code"), [(9, "ok"), (10, "ok"), (11, "VOLUME")])
def test_size_against_average_volume(quantity: int, code: str) -> None:
    known = {"AAA": Limits(average_volume=D(1000))}
    assert ask(make(average_volume_pct=D(1), instrument=known), new(quantity)) == code
    assert ask(make(average_volume_pct=D(1)), new(quantity)) == "VOLUME"  # unknown


@pytest.mark.parametrize(
    ("bid", "ask_", "code"),
    [
        (99.0, 101.0, "ok"),
        (99.01, 101.0, "ok"),
        (98.99, 101.0, "SPREAD"),
        (100.01, 100.0, "CROSSED"),
        (100.0, 100.0, "ok"),
        (float("nan"), 100.0, "ONE_SIDED"),
        (100.0, float("nan"), "ONE_SIDED"),
    ],
)
def test_quotes_are_sound(bid: float, ask_: float, code: str) -> None:
    gate = make(two_sided=True, spread_max_pct=D(2))
    assert ask(gate, new(), market=Market(bid=bid, ask=ask_)) == code
    assert ask(make(two_sided=True), new(), market=Market(quoted=False)) == "ONE_SIDED"
    assert ask(make(), new(), market=Market(bid=bid, ask=ask_)) == "ok"
    spread = make(spread_max_pct=D(2))  # without a word on sides an unknown spread refuses
    assert ask(spread, new(), market=Market(bid=bid, ask=ask_)) == ("ok" if code == "CROSSED" else code)
    lenient = make(two_sided=False, spread_max_pct=D(2))
    assert ask(lenient, new(), market=Market(bid=bid, ask=ask_)) == (code if code == "SPREAD" else "ok")


@pytest.mark.parametrize(("bid", "code"), [(90.48, "ok"), (90.47, "SPREAD")])
def test_a_session_refuses_a_wide_spread_by_default(bid: float, code: str) -> None:
    """100 less 90.476 is 10 % of the middle."""
    quiet = {name: value for name, value in QUIET.items() if name != "two_sided"}
    assert ask(make(venue(), **quiet), new(), market=Market(bid=bid, ask=100.0)) == code
    assert ask(make(), new(), market=Market(bid=bid, ask=100.0)) == "ok"  # no backtest does


def test_who_got_in_by_many_orders_may_get_out_by_one() -> None:
    gate = make(range_factor=D(2))
    assert [ask(gate, new(1)) for _ in range(5)] == ["ok"] * 5
    hold(gate, 5)
    assert [ask(gate, new(quantity, side=SELL)) for quantity in (6, 5)] == ["RANGE", "ok"]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"quantity": 1000, "limit_price": D(100)}, "ok"),
        ({"quantity": 1001, "limit_price": D(100)}, "RANGE"),
        ({"quantity": 1, "limit_price": D(1000)}, "ok"),
        ({"quantity": 1, "limit_price": D("1000.01")}, "RANGE"),
        ({"quantity": 1, "limit_price": D(10)}, "ok"),
        ({"quantity": 1, "limit_price": D("9.99")}, "RANGE"),
        ({"quantity": 1000}, "ok"),
        ({"quantity": 1001}, "RANGE"),
    ],
)
def test_size_and_price_within_the_strategys_own_range(terms: dict[str, Any], code: str) -> None:
    gate = make(range_factor=D(10))
    for quantity in (10, 100, 50, 20, 10):
        assert ask(gate, new(10_000, strategy="b")) == "ok"  # another strategy's range is its own
        assert ask(gate, new(quantity, limit_price=D(100))) == "ok"
    assert ask(gate, new(**terms)) == code


def test_a_range_needs_five_orders_and_a_person_may_stand_above_it() -> None:
    gate = make(range_factor=D(10))
    assert [ask(gate, new(10)) for _ in range(4)] == ["ok"] * 4
    assert ask(gate, new(101)) == "ok"
    assert [ask(gate, new(10)) for _ in range(5)] == ["ok"] * 5
    large = new(1011)
    assert ask(gate, large) == "RANGE"
    verdict = gate.release(Place((large,)), Market, T0)
    assert code_of(verdict) == "ok"
    tight = make(range_factor=D(10), order_quantity_max=D(1000))
    assert [ask(tight, new(10)) for _ in range(5)] == ["ok"] * 5
    assert ask(tight, huge := new(1001)) == "QUANTITY"
    assert code_of(tight.release(Place((huge,)), Market, T0)) == "QUANTITY"  # a person stands above two checks only


# --- R8, R9, R45 -----------------------------------------------------------------------------------------------------


def test_messages_within_a_minute_count_orders_changes_and_cancels() -> None:
    gate = make(messages_per_minute_max=3)
    first = new(limit_price=D(100))
    assert ask(gate, first) == "ok"
    assert change(gate, first.coid, limit_price=D(99)) == "ok"
    assert code_of(gate.judge(Cancel(first.coid, "a"), Market, T0)) == "ok"
    assert ask(gate, new()) == "MESSAGES"
    assert code_of(gate.judge(Cancel(first.coid, "a"), Market, T0)) == "ok"  # a cancel is never refused
    assert ask(gate, new(), at_ns=T0 + NS_PER_MINUTE) == "ok"
    assert ask(make(strategy={"b": Limits(messages_per_minute_max=0)}), new()) == "ok"
    assert ask(make(strategy={"a": Limits(messages_per_minute_max=0)}), new()) == "MESSAGES"


def test_a_strategy_that_fires_too_often_may_only_get_out_until_a_person_resumes() -> None:
    gate = make(strategy={"a": Limits(orders_per_hour_max=2)})
    assert [ask(gate, new(5)), ask(gate, new(5))] == ["ok", "ok"]
    hold(gate, 20)
    assert ask(gate, new(5)) == "THROTTLE"
    assert [(owner, held.level) for owner, held in gate.latched] == [("a", Level.REDUCING)]
    later = T0 + 2 * HOUR
    assert ask(gate, new(5), at_ns=later) == "THROTTLE"  # time lifts nothing
    assert ask(gate, new(5, side=SELL), at_ns=later) == "ok"
    assert ask(gate, new(16, side=SELL), at_ns=later) == "THROTTLE"  # it would turn the position round
    assert ask(gate, new(5, strategy="b"), at_ns=later) == "ok"
    gate.account.lift()
    assert ask(gate, new(5), at_ns=later) == "ok"


def test_a_strategy_that_fires_on_while_it_may_only_get_out_is_halted() -> None:
    gate = make(strategy={"a": Limits(orders_per_hour_max=1, throttled_orders_max=2)})
    assert ask(gate, new(5)) == "ok"
    hold(gate, 20)
    assert [ask(gate, new(5), at_ns=T0 + at) for at in range(2)] == ["THROTTLE"] * 2
    assert [held.level for _, held in gate.latched] == [Level.REDUCING]
    assert ask(gate, new(5), at_ns=T0 + HOUR + 1) == "THROTTLE"  # those two are an hour old
    assert ask(gate, new(5, side=SELL), at_ns=T0 + HOUR + 1) == "ok"
    assert [ask(gate, new(5), at_ns=T0 + HOUR + 2) for _ in range(2)] == ["THROTTLE"] * 2
    assert [(owner, held.level) for owner, held in gate.latched] == [("a", Level.REDUCING), ("a", Level.HALTED)]
    assert ask(gate, new(5, side=SELL), at_ns=T0 + HOUR + 2) == "THROTTLE"
    assert ask(gate, new(5, strategy="b"), at_ns=T0 + HOUR + 2) == "ok"
    gate.account.lift()
    later = T0 + 3 * HOUR
    assert [ask(gate, new(5), at_ns=later) for _ in range(3)] == ["ok", "THROTTLE", "THROTTLE"]
    assert gate.account.held["a"].level is Level.REDUCING  # counted anew


def test_a_strategy_that_may_only_get_out_gets_out_at_once_and_is_not_halted_for_it() -> None:
    gate = make(strategy={"a": Limits(orders_per_hour_max=1, throttled_orders_max=1)})
    assert ask(gate, new(5)) == "ok"
    hold(gate, 20)
    assert ask(gate, new(5)) == "THROTTLE"
    assert [held.level for _, held in gate.latched] == [Level.REDUCING]
    assert [ask(gate, new(5, side=SELL), at_ns=T0 + at) for at in range(2)] == ["ok", "ok"]
    assert [held.level for _, held in gate.latched] == [Level.REDUCING]


def test_a_milder_latch_does_not_loosen_a_halt_that_time_lifts() -> None:
    gate = make(position_max=D(10**6))
    gate.latch("a", Held(Level.HALTED, "LOSS", "too much", T0, T0 + 10))
    gate.latch("a", Held(Level.REDUCING, "DRAWDOWN", "too deep", T0 + 1))
    for at_ns in (T0 + 1, T0 + 11):
        held = gate.account.latch_on("a", at_ns)
        assert held is not None
        assert held.level is Level.HALTED
    other = make(position_max=D(10**6))
    other.latch("a", Held(Level.HALTED, "LOSS", "too much", T0, T0 + 10))
    other.latch("a", Held(Level.REDUCING, "DRAWDOWN", "too deep", T0 + 10))
    held = other.account.latch_on("a", T0 + 10)
    assert held is not None
    assert held.level is Level.REDUCING


def test_the_days_sums() -> None:
    for limit, last in (("orders_per_day_max", 2), ("messages_per_day_max", 2), ("notional_per_day_max", D(2000))):
        given: dict[str, Any] = {limit: last}
        gate = make(**given)
        assert [ask(gate, new(10)), ask(gate, new(10)), ask(gate, new(1))] == ["ok", "ok", "DAY"], limit
        midnight = 5 * 3_600 * NS_PER_S  # New York's, of 1 January 1970
        assert ask(gate, new(1), at_ns=midnight - 1) == "DAY"
        assert ask(gate, new(1), at_ns=midnight) == "ok"


def test_a_group_that_is_refused_gives_its_sums_back() -> None:
    gate = make(orders_per_day_max=2, gross_max=D(10**9), price_drift_pct=D(50))
    assert ask(gate, *(new(oca_group="g") for _ in range(3))) == "DAY"
    assert [ask(gate, *(new(oca_group="g") for _ in range(2))), ask(gate, new())] == ["ok", "DAY"]


def test_the_days_sums_survive_a_restart() -> None:
    gate = make(orders_per_day_max=3, notional_per_day_max=D(5000))
    gate.account.rebuild([(T0 - 2 * NS_PER_DAY, "order", "a", 9e9), (T0, "order", "a", 4000.0)], T0)
    assert ask(gate, new(11)) == "DAY"
    assert ask(gate, new(10)) == "ok"
    gate = make(orders_per_day_max=3)
    gate.account.rebuild([(T0, kind, "a", 0.0) for kind in ("order", "modify", "cancel", "fill", "order")], T0)
    assert [ask(gate, new()), ask(gate, new())] == ["ok", "DAY"]
    purse = gate.account.purse("a", T0)
    assert (purse.orders, purse.messages, purse.executions) == (3, 5, 1)


# --- R11 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "quantity", "code"),
    [
        ({"gross_max": D(3000)}, "10", "ok"),  # 10 x 100 held short in EUR at 1.25, 7.5 x 100 open, and this
        ({"gross_max": D(3000)}, "10.5", "GROSS"),
        ({"gross_max": D(2999)}, "10", "GROSS"),
        ({"net_max": D(500)}, "10", "ok"),
        ({"net_max": D(500)}, "10.5", "NET"),
        ({"currency_max": D(1750)}, "10", "ok"),
        ({"currency_max": D(1750)}, "10.5", "CURRENCY"),
        ({"sector_max": D(3000)}, "10", "ok"),
        ({"sector_max": D(3000)}, "10.5", "SECTOR"),
        ({"leverage_max": D(3)}, "10", "ok"),
        ({"leverage_max": D(3)}, "10.5", "LEVERAGE"),
    ],
)
def test_money_at_stake(limits: dict[str, Any], quantity: str, code: str) -> None:
    gate = make(equity=1000.0, sectors={"AAA": "tech", "BBB": "tech"}, **limits)
    hold(gate, -10, conid=2)
    assert ask(gate, new("7.5")) == "ok"
    assert ask(gate, new(quantity)) == code


def test_money_at_stake_of_one_strategy_and_what_lowers_it() -> None:
    gate = make(strategy={"a": Limits(gross_max=D(1000))})
    assert ask(gate, new(20, strategy="b")) == "ok"
    assert ask(gate, new(10)) == "ok"
    assert ask(gate, new(1)) == "GROSS"
    hold(gate, 50)
    assert ask(gate, new(5, side=SELL)) == "ok"  # far above, and on the way down
    assert ask(gate, new(106, side=SELL)) == "GROSS"  # 111 sold against 50 held is further than 60 bought


@pytest.mark.parametrize("limit", ["gross_max", "net_max", "currency_max", "sector_max"])
def test_a_modification_that_only_names_a_dearer_price_is_counted_at_it(limit: str) -> None:
    own: dict[str, Any] = {limit: D(1040)}
    gate = make(sectors={"AAA": "tech"}, **own)
    assert ask(gate, new(10, coid="a-900001", limit_price=D(100))) == "ok"
    assert change(gate, "a-900001", limit_price=D("104.01")) == limit.removesuffix("_max").upper()
    assert change(gate, "a-900001", limit_price=D(104)) == "ok"
    assert change(gate, "a-900001", limit_price=D(99)) == "ok"


def test_what_a_modification_adds_counts_in_the_day_s_money() -> None:
    gate = make(notional_per_day_max=D(2000))
    assert ask(gate, new(1, coid="a-900001", limit_price=D(100))) == "ok"
    assert change(gate, "a-900001", quantity=D(21)) == "DAY"
    assert change(gate, "a-900001", quantity=D(20)) == "ok"  # 100, and 1,900 more
    assert ask(gate, new(1)) == "DAY"
    assert change(gate, "a-900001", quantity=D(5)) == "ok"  # less money is no more of it
    assert gate.account.purse("a", T0).notional == 2000


def test_money_is_counted_at_the_dearest_price_reserved() -> None:
    gate = make(gross_max=D(2100))
    assert ask(gate, new(10, limit_price=D(110))) == "ok"
    assert ask(gate, new(10)) == "GROSS"  # 20 at 110
    assert ask(gate, new(9)) == "ok"


def test_unknown_prices_rates_and_worth_refuse() -> None:
    gate = make(gross_max=D(10**9))
    hold(gate, 1, conid=2)
    assert ask(gate, new(1), market=Market(prices={1: 100.0})) == "NO_PRICE"
    assert ask(make(leverage_max=D(10**6)), new(1)) == "LEVERAGE"
    assert ask(make(sector_max=D(100)), new(2)) == "SECTOR"  # those without a sector are one together
    spread = make(gross_max=D(2250))
    assert ask(spread, new(10, conid=PAIR.conid, limit_price=D(0))) == "ok"  # 10 x 100 and 10 x 100 x 1.25
    assert ask(spread, new(1, conid=PAIR.conid, limit_price=D(0))) == "GROSS"


# --- R14, R20, R22, R30, R39 -----------------------------------------------------------------------------------------


def test_lists() -> None:
    assert ask(make(allowed=("AAA",)), new()) == "ok"
    assert ask(make(allowed=("AAA",)), new(conid=2)) == "NOT_ALLOWED"
    assert ask(make(allowed=("AAA",), strategy={"a": Limits(allowed=("BBB",))}), new()) == "NOT_ALLOWED"
    assert ask(make(allowed=()), new()) == "NOT_ALLOWED"
    assert ask(make(exchanges=("SMART",)), new()) == "ok"
    assert ask(make(exchanges=("NYSE",)), new()) == "NOT_ALLOWED"
    assert ask(make(order_types=("LMT",)), new()) == "TERMS"
    assert ask(make(order_types=("LMT", "MKT")), new()) == "ok"
    assert ask(make(tifs=("DAY",)), new(tif=Tif.GTC)) == "TERMS"
    facts = {1: Contract(order_types=frozenset({"LMT"}), tifs=frozenset({"DAY"}))}
    assert ask(make(venue(contracts=facts), **QUIET), new()) == "TERMS"
    assert ask(make(venue(contracts=facts), **QUIET), new(limit_price=D(100))) == "ok"


@pytest.mark.parametrize(("quantity", "code"), [(9, "ok"), (10, "ok"), (11, "NO_SHORT")])
def test_no_short(quantity: int, code: str) -> None:
    gate = make(no_short=("AAA",))
    hold(gate, 15)
    assert ask(gate, new(5, side=SELL)) == "ok"
    assert ask(gate, new(quantity, side=SELL)) == code
    assert ask(gate, new(10**6, side=SELL, conid=2)) == "ok"


@pytest.mark.parametrize(("at_s", "code"), [(1199, "ok"), (1200, "BLACKOUT"), (1799, "BLACKOUT"), (1800, "ok")])
def test_blackouts(at_s: int, code: str) -> None:
    window = "1970-01-01T00:20:00/1970-01-01T01:30:00+01:00"
    gate = make(instrument={"AAA": Limits(blackouts=(window,))})
    hold(gate, 10)
    assert ask(gate, new(), at_ns=at_s * NS_PER_S) == code
    assert ask(gate, new(10, side=SELL), at_ns=at_s * NS_PER_S) == "ok"
    assert ask(gate, new(conid=2), at_ns=at_s * NS_PER_S) == "ok"


@pytest.mark.parametrize(
    ("resting", "terms", "code"),
    [
        (D(100), {"side": SELL, "limit_price": D("100.01")}, "ok"),
        (D(100), {"side": SELL, "limit_price": D(100)}, "SELF_TRADE"),
        (D(100), {"side": SELL, "limit_price": D("99.99")}, "SELF_TRADE"),
        (D(100), {"side": SELL}, "SELF_TRADE"),
        (D(100), {"side": BUY}, "ok"),
        (D(100), {"side": SELL, "stop_price": D(90), "order_type": OrderType.STOP}, "ok"),
        (D(100), {"side": SELL, "conid": 2}, "ok"),
        (None, {"side": SELL, "limit_price": D(200)}, "SELF_TRADE"),
    ],
)
def test_own_orders_of_any_strategy_do_not_meet(resting: Decimal | None, terms: dict[str, Any], code: str) -> None:
    gate = make(self_trade=False)
    first = new(strategy="b", limit_price=resting) if resting else new(strategy="b")
    assert ask(gate, first) == "ok"
    assert ask(gate, new(**terms)) == code
    off = make()
    assert [ask(off, new(strategy="b", limit_price=D(100))), ask(off, new(**terms))] == ["ok", "ok"]


def test_orders_in_doubt_leave_only_the_way_out() -> None:
    gate = make(in_doubt_max=1)
    hold(gate, 10)
    for _ in range(2):
        ticket = new(1)
        assert ask(gate, ticket) == "ok"
        lost = Order(ticket=ticket, state=State.IN_DOUBT)
        gate.hear([Update(lost, AnswerMissing(coid=ticket.coid, ts_ns=T0))], [])
    assert ask(gate, new(1)) == "IN_DOUBT"
    assert ask(gate, new(10, side=SELL)) == "ok"
    assert ask(gate, new(1, side=SELL)) == "IN_DOUBT"
    gate.account.in_doubt.pop()
    assert ask(gate, new(1)) == "ok"


# --- R23, R24, R26, R28, R31, R32, R36, R37 --------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "code"), [(14, "ok"), (15, "ok"), (16, "SHORT")])
def test_shares_to_borrow(quantity: int, code: str) -> None:
    limits: dict[str, Any] = {**QUIET, "short_availability": True}
    gate = make(venue(borrow={1: Borrow(D(10))}), **limits)
    hold(gate, 5)
    assert ask(gate, new(quantity, side=SELL)) == code
    assert ask(make(venue(), **limits), new(1, side=SELL)) == "SHORT"
    assert ask(make(venue(), **limits), new(1)) == "ok"


@pytest.mark.parametrize(("fee", "code"), [("4.9", "ok"), ("5", "ok"), ("5.1", "SHORT"), (None, "SHORT")])
def test_the_fee_of_borrowing(fee: str | None, code: str) -> None:
    borrow = {1: Borrow(D(10), None if fee is None else D(fee))}
    assert ask(make(venue(borrow=borrow), **QUIET, borrow_fee_max_pct=D(5)), new(1, side=SELL)) == code


@pytest.mark.parametrize(("left", "code"), [(2, "ok"), (1, "DAY_TRADES"), (0, "DAY_TRADES"), (-1, "ok")])
def test_day_trades_are_kept_back(left: int, code: str) -> None:
    gate = make(venue(summary=Summary(ts_ns=0, day_trades_left=left)), **{**QUIET, "margin_cushion_pct": None})
    assert ask(gate, new(1)) in ("MARGIN", "ok")
    limits: dict[str, Any] = {**QUIET, "margin_cushion_pct": D(0), "day_trades_max": 1}
    rich = Summary(ts_ns=0, net_liquidation=D(1), excess_liquidity=D(10**9), day_trades_left=left)
    gate = make(venue(summary=rich), **limits)
    assert ask(gate, new(1)) == code
    hold(gate, 10)
    assert ask(gate, new(1, side=SELL)) == "ok"
    assert ask(make(venue(summary=None), **limits), new(1)) == "DAY_TRADES"


@pytest.mark.parametrize(
    ("limit", "fact", "code"),
    [("settled_cash", "settled_cash", "SETTLED"), ("buying_power", "buying_power", "BUYING_POWER")],
)
def test_what_can_be_paid(limit: str, fact: str, code: str) -> None:
    base: dict[str, Any] = {"ts_ns": T0, "net_liquidation": D(1), "excess_liquidity": D(10**9)}
    for money, said in ((D(1500), "ok"), (D("1499.99"), code), (None, code)):
        gate = make(venue(summary=Summary(**{**base, fact: money})), **{**QUIET, limit: True})
        at_ns = T0 + 1
        first = ask(gate, new(5), at_ns=at_ns)
        assert first == ("ok" if money is not None else code)
        assert ask(gate, new(10), at_ns=at_ns) == said  # what was sent since the summary is spent
    assert ask(make(venue(summary=None), **{**QUIET, limit: True, "margin_cushion_pct": None}), new(1)) in (
        code,
        "MARGIN",
    )


def test_a_cash_account_pays_in_the_currency() -> None:
    limits: dict[str, Any] = {**QUIET, "buying_power": True}
    base: dict[str, Any] = {"ts_ns": 0, "net_liquidation": D(1), "excess_liquidity": D(10**9), "buying_power": D(10**9)}
    for cash, code in ((D(1000), "ok"), (D("999.99"), "BUYING_POWER"), (None, "BUYING_POWER")):
        held = {} if cash is None else {"EUR": cash}
        summary = Summary(**base, cash_account=True, cash=held)
        assert ask(make(venue(summary=summary), **limits), new(10, conid=2)) == code  # 10 x 100 EUR


@pytest.mark.parametrize(("excess", "code"), [("5500", "ok"), ("5499", "MARGIN"), ("5501", "ok"), (None, "MARGIN")])
def test_excess_liquidity_stays_above_the_cushion(excess: str | None, code: str) -> None:
    summary = Summary(ts_ns=0, net_liquidation=D(100_000), excess_liquidity=None if excess is None else D(excess))
    gate = make(venue(summary=summary), **{**QUIET, "margin_cushion_pct": D(5)})
    assert ask(gate, new(10)) == code  # half of 10 x 100, and 5 % of the worth stays


def test_above_a_size_the_venues_preview_is_wanted() -> None:
    limits: dict[str, Any] = {**QUIET, "what_if_above": D(1000)}
    facts = venue()
    gate = make(facts, **limits)
    assert [ask(gate, new(10)), ask(gate, large := new(11))] == ["ok", "WHAT_IF"]
    facts.what_if[(again := new(11)).coid] = D(550)
    assert ask(gate, again) == "ok"
    assert large.coid not in gate.references
    summary = Summary(ts_ns=0, net_liquidation=D(100_000), excess_liquidity=D(5549))
    poor = venue(summary=summary)
    gate = make(poor, **{**limits, "margin_cushion_pct": D(5)})
    poor.what_if[(third := new(11)).coid] = D(550)
    assert ask(gate, third) == "MARGIN"


def previewed(excess: int) -> tuple[Gate, Outside]:
    summary = Summary(ts_ns=0, net_liquidation=D(100_000), excess_liquidity=D(excess))
    facts = venue(summary=summary)
    return make(facts, **{**QUIET, "margin_cushion_pct": D(5), "what_if_above": D(1000)}), facts


def test_what_was_sent_since_the_summary_counts_beside_a_preview() -> None:
    """The cushion is 5,000, and three orders bind 550 each."""
    gate, facts = previewed(6_650)
    for code in ("ok", "ok", "ok", "MARGIN"):
        facts.what_if[(one := new(11)).coid] = D(550)
        assert ask(gate, one) == code
    assert ask(gate, new(1)) == "MARGIN"


def test_a_preview_of_more_than_the_estimate_counts_in_full_until_the_next_summary() -> None:
    """1,100 bind 1,100, as of a stock that is not lent on: beside these 500 are left for 10 at half of 100 each."""
    gate, facts = previewed(6_600)
    facts.what_if[(one := new(11)).coid] = D(1_100)
    assert [ask(gate, one), ask(gate, new(10)), ask(gate, new(1))] == ["ok", "ok", "MARGIN"]


def test_a_preview_speaks_of_the_order_as_it_was_not_of_what_a_modification_makes_of_it() -> None:
    gate, facts = previewed(6_000)
    facts.what_if[(one := new(11, limit_price=D(100))).coid] = D(550)
    assert ask(gate, one) == "ok"

    def modified(quantity: int) -> str:
        return code_of(gate.judge(Modify(one.coid, one.strategy, {"quantity": D(quantity)}), Market, T0))

    assert [modified(quantity) for quantity in (5_000, 21, 20)] == ["WHAT_IF", "MARGIN", "ok"]
    assert modified(10) == "ok"


@pytest.mark.parametrize(("said", "code"), [("RpB", "ok"), ("DPB", "NOT_LIVE"), ("Z", "NOT_LIVE"), (None, "NOT_LIVE")])
def test_delayed_and_frozen_data_drive_no_order(said: str | None, code: str) -> None:
    gate = make(venue(availability={} if said is None else {1: said}), **{**QUIET, "live_data": True})
    assert ask(gate, new()) == code
    hold(gate, 10)
    assert ask(gate, new(10, side=SELL)) == "ok"


def test_account_strategy_and_session() -> None:
    assert ask(make(venue(), **QUIET), new()) == "ok"
    assert ask(make(venue(), **QUIET), new(account="DU2")) == "ACCOUNT"
    assert ask(make(venue(account=None), **QUIET), new()) == "ACCOUNT"
    assert ask(make(venue(strategies=frozenset({"a"})), **QUIET), new()) == "ok"
    assert ask(make(venue(strategies=frozenset({"a"})), **QUIET), new(strategy="b")) == "STRATEGY"
    assert ask(make(venue(down="maintenance"), **QUIET), new()) == "NOT_READY"
    assert ask(make(Outside(account="DU1"), **QUIET), new()) == "NOT_READY"  # primed is something to be told
    away = make(venue(away="maintenance"), **QUIET)
    assert ask(away, new()) == "NOT_READY"
    hold(away, 10)
    assert ask(away, new(10, side=SELL)) == "ok"  # while it can still be sent


@pytest.mark.parametrize(("age_s", "found"), [(179, "ok"), (180, "ok"), (181, "old"), (None, "old")])
@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"buying_power": True}, "BUYING_POWER"),
        ({"settled_cash": True}, "SETTLED"),
        ({"margin_cushion_pct": D(5)}, "MARGIN"),
        ({"day_trades_max": 1}, "DAY_TRADES"),
    ],
)
def test_an_old_account_summary_is_none(age_s: int | None, found: str, limits: dict[str, Any], code: str) -> None:
    rich = D(10**9)
    told = Summary(
        ts_ns=T0 - (age_s or 0) * NS_PER_S, net_liquidation=rich, excess_liquidity=rich, buying_power=rich,
        settled_cash=rich, day_trades_left=3,
    )  # fmt: skip
    outside = venue(summary=None if age_s is None else told)
    gate = make(outside, **{**QUIET, "summary_age_max_s": D(180), **limits})
    # The cushion has a default, and stands before some of the others.
    assert ask(gate, new()) in ({"ok"} if found == "ok" else {code, "MARGIN"})
    hold(gate, 10)
    assert ask(gate, new(10, side=SELL)) == "ok"  # nobody is kept in a position


# --- R33, R34, R35 ---------------------------------------------------------------------------------------------------

SOON, LATE = T0 + 10 * NS_PER_DAY, T0 + 40 * NS_PER_DAY
OPTIONS = {
    11: Contract(right="C", expires_ns=SOON, underlying=1, delta=D("0.5"), vega=D(2)),
    12: Contract(right="C", expires_ns=LATE, underlying=1, delta=D("0.5"), vega=D(2)),
    13: Contract(right="P", expires_ns=SOON, underlying=1, delta=D("-0.5"), vega=D(2)),
}


@pytest.mark.parametrize(
    ("held", "quantity", "code"),
    [
        ({}, 1, "NAKED"),
        ({1: 199}, 1, "ok"),
        ({1: 199}, 2, "NAKED"),
        ({1: 200}, 2, "ok"),
        ({12: 1}, 1, "ok"),  # a call that lives longer
        ({12: 1}, 2, "NAKED"),
        ({11: 3}, 3, "ok"),  # sold out of what is held
        ({11: 3}, 4, "NAKED"),
        ({1: 100, 12: -1}, 1, "NAKED"),  # the shares cover the other one
        ({13: 5}, 1, "NAKED"),
    ],
)
def test_short_calls_are_covered(held: dict[int, int], quantity: int, code: str) -> None:
    gate = make(venue(contracts=OPTIONS), **{**QUIET, "naked_short": False})
    for conid, units in held.items():
        hold(gate, units, conid)
    assert ask(gate, new(quantity, conid=11, side=SELL)) == code


def test_options_of_which_nothing_is_known_are_not_sold() -> None:
    limits: dict[str, Any] = {**QUIET, "naked_short": False}
    assert ask(make(venue(), **limits), new(1, conid=11, side=SELL)) == "NAKED"
    assert ask(make(venue(), **limits), new(1, conid=11)) == "ok"
    shorter = make(venue(contracts=OPTIONS), **limits)
    hold(shorter, 1, 11)
    assert ask(shorter, new(1, conid=12, side=SELL)) == "NAKED"  # what covers it ends earlier
    assert ask(shorter, new(1, conid=13, side=SELL)) == "NAKED"


@pytest.mark.parametrize(
    ("limit", "most", "code"), [("option_delta_max", 150, "DELTA"), ("option_vega_max", 600, "VEGA")]
)
def test_delta_and_vega_of_all_options(limit: str, most: int, code: str) -> None:
    gate = make(venue(contracts=OPTIONS), **QUIET, **{limit: D(most)})
    assert ask(gate, new(2, conid=11)) == "ok"
    assert ask(gate, new(1, conid=11)) == "ok"
    assert ask(gate, new(1, conid=11)) == code
    assert ask(make(venue(), **QUIET, **{limit: D(most)}), new(1, conid=11)) == code


@pytest.mark.parametrize(
    ("open_order", "code"),
    [
        ({"conid": 12}, "DELTA"),  # 100 by it, and 50 by the next
        ({"conid": 12, "side": SELL}, "ok"),  # it pushes back, but what it holds back may never trade
        ({"conid": 11, "side": SELL}, "ok"),
        ({"conid": 13, "side": SELL}, "DELTA"),  # a put that is sold pushes as a call that is bought
        ({"conid": 13}, "ok"),
        ({"conid": 1}, "ok"),  # no option
    ],
)
def test_what_is_open_in_other_options_counts_where_it_pushes_the_same_way(
    open_order: dict[str, Any], code: str
) -> None:
    gate = make(venue(contracts=OPTIONS), **QUIET, option_delta_max=D(149))
    assert ask(gate, new(2, **open_order)) == "ok"
    assert ask(gate, new(1, conid=11)) == code
    assert ask(gate, new(3, conid=11)) == "DELTA"  # 150 by itself: nothing that is open makes room


def test_the_way_out_of_a_delta_above_its_limit_is_free() -> None:
    gate = make(venue(contracts=OPTIONS), **QUIET, option_delta_max=D(100))
    hold(gate, 5, 11)
    assert ask(gate, new(1, conid=11, side=SELL)) == "ok"
    assert ask(gate, new(1, conid=13)) == "ok"  # a put: the sum gets smaller
    assert ask(gate, new(1, conid=12)) == "DELTA"


@pytest.mark.parametrize(
    ("limit", "conid", "code"), [("expiry_days_min", 11, "EXPIRY"), ("delivery_days_min", 14, "DELIVERY")]
)
def test_last_days(limit: str, conid: int, code: str) -> None:
    for left_ns, said in ((2 * NS_PER_DAY, "ok"), (2 * NS_PER_DAY - 1, code), (2 * NS_PER_DAY + 1, "ok")):
        facts = {conid: Contract(expires_ns=T0 + left_ns)}
        gate = make(venue(contracts=facts), **{**QUIET, limit: 2})
        assert ask(gate, new(1, conid=conid)) == said
        hold(gate, 1, conid)
        assert ask(gate, new(1, conid=conid, side=SELL)) == ("ok" if said != "ok" else ask(gate, new(1)))
    assert ask(make(venue(), **{**QUIET, limit: 2}), new(1, conid=conid)) == code
    notice = {14: Contract(expires_ns=LATE, notice_ns=T0 + NS_PER_DAY)}
    assert ask(make(venue(contracts=notice), **{**QUIET, "delivery_days_min": 2}), new(1, conid=14)) == "DELIVERY"


@pytest.mark.parametrize(
    ("ahead_ns", "code"), [(NS_PER_DAY, "ok"), (NS_PER_DAY - 1, "EX_DATE"), (0, "EX_DATE"), (-1, "ok")]
)
def test_no_call_is_sold_short_on_the_eve_of_its_ex_date(ahead_ns: int, code: str) -> None:
    facts = {11: Contract(right="C", expires_ns=LATE, underlying=1, ex_dividend_ns=T0 + ahead_ns)}
    gate = make(venue(contracts=facts), **{**QUIET, "naked_short": False})
    hold(gate, 100)
    assert ask(gate, new(1, conid=11, side=SELL)) == code


@pytest.mark.parametrize(
    ("price", "limit", "side", "code"),
    [
        (10.0, "9", BUY, "ok"),
        (10.0, "-9", BUY, "ok"),
        (10.0, "-9", SELL, "SIGN"),
        (-10.0, "9", BUY, "SIGN"),
        (-10.0, "9", SELL, "ok"),
        (-10.0, "-9", BUY, "ok"),
        (10.0, "0", SELL, "ok"),
    ],
)
def test_a_combos_limit_has_the_sign_of_its_worth(price: float, limit: str, side: Side, code: str) -> None:
    gate = make(combo_sanity=True)
    market = Market(prices={1: 100.0 + price, 2: 100.0})
    assert ask(gate, new(1, conid=21, side=side, limit_price=D(limit)), market=market) == code
    assert ask(gate, new(1, conid=22, limit_price=D(1)), market=market) == "RATIO"
    assert ask(gate, new(1, conid=21), market=Market(prices={1: 100.0})) == "NO_PRICE"


# --- latches, shrinking, plugins, the table --------------------------------------------------------------------------


def test_latches_forbid_by_level_owner_and_time() -> None:
    gate = make()
    hold(gate, 10)
    gate.latch("a", Held(Level.REDUCING, "STREAK", "three losses in a row", T0, T0 + HOUR))
    assert ask(gate, new()) == "STREAK"
    assert ask(gate, new(strategy="b")) == "ok"
    assert ask(gate, out := new(4, side=SELL, limit_price=D(100))) == "ok"
    assert change(gate, out.coid, quantity=D(11)) == "STREAK"
    assert change(gate, out.coid, quantity=D(10)) == "ok"
    assert ask(gate, new(), at_ns=T0 + HOUR) == "ok"
    gate.latch("", Held(Level.HALTED, "LOSS", "the day's loss is too large", T0))
    assert [ask(gate, new(1, side=SELL)), ask(gate, new(strategy="b"))] == ["LOSS", "LOSS"]
    assert code_of(gate.judge(Cancel(out.coid, "a"), Market, T0)) == "ok"
    gate.latch("", Held(Level.REDUCING, "DRAWDOWN", "weaker", T0))
    assert ask(gate, new(1, side=SELL)) == "LOSS"  # the weaker one changes nothing


@pytest.mark.parametrize(
    ("limits", "wanted", "got", "code"),
    [
        ({"order_quantity_max": D("7.5")}, 10, 7, "QUANTITY"),
        ({"order_notional_max": D(750)}, 10, 7, "NOTIONAL"),
        ({"position_max": D(8)}, 10, 8, "POSITION"),
        ({"displayed_size_pct": D(2)}, 10, 6, "DISPLAYED"),
        ({"average_volume_pct": D(1), "average_volume": D(500)}, 10, 5, "VOLUME"),
        ({"order_quantity_max": D(8), "position_max": D(5)}, 10, 5, "POSITION"),
    ],
)
def test_a_single_order_is_cut_down_where_that_is_asked_for(
    limits: dict[str, Any], wanted: int, got: int, code: str
) -> None:
    gate = make(shrink=True, **limits)
    ticket = new(wanted)
    verdict = gate.judge(Place((ticket,)), Market, T0)
    assert isinstance(verdict, Approved)
    assert isinstance(verdict.intent, Place)
    assert [(one.coid, one.quantity) for one in verdict.intent.tickets] == [(ticket.coid, D(got))]
    assert verdict.because is not None
    assert verdict.because.code == code
    assert gate.exposure("a", 1).units[0].buys == got
    assert ask(make(**limits), new(wanted)) in (code, "QUANTITY")


def test_groups_and_what_has_no_room_are_never_cut_down() -> None:
    gate = make(shrink=True, position_max=D(8))
    assert ask(gate, new(5, oca_group="g"), new(9, oca_group="g")) == "POSITION"
    assert ask(gate, new(8)) == "ok"
    assert ask(gate, new(1)) == "POSITION"
    entry = new(10, limit_price=D(100))
    child = new(10, side=SELL, limit_price=D(110), parent=entry.coid)
    assert ask(make(shrink=True, order_quantity_max=D(9)), entry, child) == "QUANTITY"


def test_a_plugins_check_is_asked_last_and_of_modifications_too() -> None:
    from engine.domain.messages import Refusal
    from engine.errors import ConfigError
    from engine.risk.plugins import as_row

    def odd(ticket: Any, exposure: Any, market: Any, bounds: Any) -> Refusal | None:
        """Odd quantities are unlucky."""
        value = str(ticket.quantity)
        return Refusal("ODD", "even", value, "the quantity is odd") if ticket.quantity % 2 else None

    row = as_row("odd", odd, source="mine:odd")
    assert (row.code, row.kind, row.sentence, row.source) == (
        "odd",
        Kind.GATE,
        "Odd quantities are unlucky",
        "mine:odd",
    )
    gate = make(plugins=(row,))
    assert [ask(gate, new(3)), ask(gate, even := new(4, limit_price=D(100)))] == ["ODD", "ok"]
    assert change(gate, even.coid, quantity=D(5)) == "ODD"
    assert ask(make(plugins=(row,), order_quantity_max=D(2)), new(3)) == "QUANTITY"
    for bad in ("no check", 7):
        with pytest.raises(ConfigError, match="must be a check"):
            as_row("bad", bad, source="mine")
    with pytest.raises(ConfigError, match="engine's own"):
        as_row("R1", odd, source="mine")


def test_the_table_has_every_row_once_and_every_limit_has_a_row() -> None:
    assert [row.code for row in TABLE] == [f"R{number}" for number in range(1, 49)]
    named = [name for row in TABLE for name in row.limits]
    assert len(named) == len(set(named))
    beside = {"shrink", "average_volume", "price_drift_window_s", "loss_streak_pause_s"}
    assert set(named) | beside == {one.name for one in Limits.__attrs_attrs__}
    codes = [code for row in TABLE for code in row.codes]
    assert len(codes) == len(set(codes))
    assert row_of_code("GROSS") is not None
    assert row_of_code("NOPE") is None
    for row in TABLE:
        assert row.checks or row.elsewhere or row.limits, row.code


def test_a_session_adds_its_defaults_and_a_backtest_has_none_of_them() -> None:
    assert make().exposure("a", 1).armed == ()
    asked = {check.__name__ for check in make(venue()).exposure("a", 1).armed}
    assert asked == {
        "self_trade", "sound_quote", "live_data", "session_up", "terms_allowed", "margin", "buying_power",
        "short_availability", "account_guard", "known_strategy", "in_doubt", "naked_short", "own_range",
    }  # fmt: skip


def test_executions_count_for_the_day() -> None:
    gate = make(order_to_trade_max=D(10))
    ticket = new()
    assert ask(gate, ticket) == "ok"
    fill = Filled(coid=ticket.coid, ts_ns=T0, exec_id="e", conid=1, side="BUY", quantity=D(1), price=D(100))
    gate.hear([Update(Order(ticket=ticket, state=State.WORKING, filled=D(1)), fill)], [])
    assert gate.account.purse("a", T0).executions == 1


def test_other_limits_count_from_a_reload_on() -> None:
    gate = make(position_max=D(20))
    assert ask(gate, new(10)) == "ok"
    gate.reload(RiskSettings(account=Limits(**{**WIDE, "position_max": D(15), "gross_max": D(1400)})))
    assert ask(gate, new(6)) == "POSITION"
    assert ask(gate, new(5)) == "GROSS"
    assert ask(gate, new(4)) == "ok"
    denied = gate.judge(Place((new(5),)), Market, T0)
    assert isinstance(denied, Denied)
    assert denied.refusal.limit == "15"
