"""The flat look at its limits: what is just within passes without a check being asked, what is just beyond does not."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, field

from engine.domain.facts import AnswerMissing
from engine.domain.messages import Modify, Place, PositionNow, Update
from engine.domain.moments import NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk import longway
from engine.risk.checks import NEW_ORDER
from engine.risk.gate import Gate
from engine.risk.outside import Borrow, Contract, Outside, Summary
from tests.risk.made import T0, D, code_of
from tests.risk.test_catalogue import Market
from tests.risk.test_screens import QUIET, gate_with

BUY, SELL = Side.BUY, Side.SELL
Terms = dict[
    str, Any
]  # of an order for 10 units of AAA at the market's price of 100; the `market`, how old it is, and when
HOUR = 3_600


@define
class Desk:
    """A gate whose instruments have seen every price and size before: only a limit stops the flat look."""

    gate: Gate
    tables: list[str] = field(factory=list)  # one entry for each order that the table of checks was asked about
    number: int = 0

    def ticket(self, terms: Terms) -> OrderTicket:
        self.number += 1
        coid = f"a-{self.number:06d}"
        limit = terms.get("limit_price")
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        given = {"strategy": "a", "account": "DU1", "conid": 1, "side": BUY, "quantity": D(10), **terms}
        given["quantity"] = D(given["quantity"])
        ticket = OrderTicket(coid=coid, order_type=kind, **{"tag": coid, **given})
        instrument = self.gate.exposure(ticket.strategy, ticket.conid).instrument
        instrument.units(ticket.quantity)
        if limit is not None:
            instrument.level(limit)
        return ticket

    def ask(self, terms: Terms) -> tuple[str, bool]:
        """The code, and whether the flat look was enough."""
        terms = dict(terms)
        at_ns = T0 + int(terms.pop("at_s", 0) * NS_PER_S)
        market = terms.pop("market", None) or Market()
        market.at_ns = at_ns - int(terms.pop("age_s", 0) * NS_PER_S)
        ticket = self.ticket(terms)
        asked = len(self.tables)
        code = code_of(self.gate.judge(Place((ticket,)), lambda: market, at_ns))
        return code, len(self.tables) == asked


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(account: Terms, strategy: Terms | None = None, outside: Outside | None = None) -> Desk:
        found = Desk(gate_with([{**QUIET, **account}, strategy or {}, {}], outside))
        monkeypatch.setattr(longway, "NEW_ORDER", (lambda *given: found.tables.append("asked"), *NEW_ORDER))
        return found

    return made


def limit(price: str | int, **more: Any) -> Terms:
    return {"limit_price": D(price), **more}


def sold(quantity: int, **more: Any) -> Terms:
    return {"side": SELL, "quantity": quantity, **more}


RICH = Summary(
    ts_ns=T0 - 100 * NS_PER_S, net_liquidation=D(10_000), excess_liquidity=D(10_000), buying_power=D(10_000),
    settled_cash=D(10_000), day_trades_left=3,
)  # fmt: skip


def session(**facts: Any) -> Outside:
    return Outside(**{"account": "DU1", "down": "", "availability": {1: "R"}, "summary": RICH, **facts})


Case = tuple[Terms, list[Terms], Terms, Terms, str]
SENT: list[Case] = [
    ({"order_types": ("LMT",)}, [], limit(100), {}, "TERMS"),
    ({"tifs": ("DAY",)}, [], {}, {"tif": Tif.GTC}, "TERMS"),
    ({"average_volume": D(1000), "average_volume_pct": D(1)}, [], {"quantity": 9}, {"quantity": 11}, "VOLUME"),
    ({"displayed_size_pct": D(2)}, [], {"quantity": 5}, {"quantity": 7}, "DISPLAYED"),  # 300 are offered
    ({"displayed_size_pct": D(2)}, [], sold(9), sold(11), "DISPLAYED"),  # 500 are bid for
    ({"two_sided": True}, [], {"market": Market(bid=100.0, ask=100.0)}, {"market": Market(bid=100.1)}, "CROSSED"),
    ({"two_sided": True}, [], {}, {"market": Market(bid=float("nan"))}, "ONE_SIDED"),
    (
        {"spread_max_pct": D(2)},
        [],
        {"market": Market(bid=99.1, ask=101.0)},
        {"market": Market(bid=98.9, ask=101.0)},
        "SPREAD",
    ),
    (
        {"spread_max_pct": D(2), "two_sided": True},
        [],
        {"market": Market(bid=100.0, ask=100.0)},
        {"market": Market(bid=100.1, ask=100.0)},
        "CROSSED",
    ),
    ({"price_drift_pct": D(2)}, [limit(100), limit(101)], limit("101.99"), limit("102.01"), "DRIFT"),
    ({"price_drift_pct": D(2)}, [limit(100, side=SELL)], limit("98.01", side=SELL), limit(97, side=SELL), "DRIFT"),
    ({"price_drift_pct": D(2)}, [limit(100)], limit(103, at_s=60), limit(106, at_s=60), "DRIFT"),
    (
        {"price_drift_pct": D(2), "price_drift_window_s": D(10)},
        [limit(100)],
        limit(103, at_s=10),
        limit(106, at_s=19.9),
        "DRIFT",
    ),
    ({"range_factor": D(2)}, [{}] * 5, {"quantity": 19}, {"quantity": 39}, "RANGE"),
    ({"range_factor": D(2)}, [limit(100)] * 5, limit(199), limit(399), "RANGE"),
    ({"range_factor": D(2)}, [limit(100)] * 5, limit(51), limit(25), "RANGE"),
    ({"messages_per_minute_max": 3}, [{}, {}], {}, {"at_s": 59}, "MESSAGES"),
    ({"messages_per_minute_max": 2}, [{}, {}], {"at_s": 60}, {"at_s": 0}, "none"),
    ({"orders_per_hour_max": 3}, [{}, {}], {}, {"at_s": HOUR - 1}, "THROTTLE"),
    ({"orders_per_hour_max": 2}, [{}, {}], {"at_s": HOUR}, {}, "none"),
    ({"orders_per_day_max": 3}, [{}, {}], {}, {}, "DAY"),
    ({"messages_per_day_max": 3}, [{}, {}], {}, {}, "DAY"),
    ({"notional_per_day_max": D(2500)}, [{}, {}], {"quantity": 4}, {"quantity": 2}, "DAY"),
    ({"gross_max": D(2500)}, [{}], {"quantity": 14}, {"quantity": 2}, "GROSS"),
    ({"net_max": D(2500)}, [{}], {"quantity": 14}, {"quantity": 2}, "NET"),
    ({"net_max": D(2500)}, [sold(10)], sold(14), sold(2), "NET"),
    ({"sector_max": D(2500)}, [{}], {"quantity": 14}, {"quantity": 2}, "SECTOR"),
    ({"currency_max": D(2500)}, [{}], {"quantity": 14}, {"quantity": 2}, "CURRENCY"),
    ({"leverage_max": D(2), "gross_max": D(10**9)}, [{}], {"quantity": 19}, {"quantity": 2}, "LEVERAGE"),
]


def _at_the_limit(here: Desk, before: list[Terms], within: Terms, beyond: Terms, code: str) -> None:
    for terms in before:
        assert here.ask(terms)[0] == "ok"
    assert here.ask(within) == ("ok", True)
    if code != "none":
        assert here.ask(beyond) == (code, False)


@pytest.mark.parametrize(("limits", "before", "within", "beyond", "code"), SENT)
@pytest.mark.parametrize("level", ["account", "strategy"])
def test_limits_on_an_order(
    desk: Any, level: str, limits: Terms, before: list[Terms], within: Terms, beyond: Terms, code: str
) -> None:
    _at_the_limit(desk(limits) if level == "account" else desk({}, limits), before, within, beyond, code)


def test_own_orders_that_rest_are_not_met(desk: Any) -> None:
    for across, within, beyond in (
        (limit(101, side=SELL), limit(100), limit(101)),
        (limit(101, side=SELL), limit(100), {}),
        (limit(99), limit(100, side=SELL), limit(99, side=SELL)),
        (limit(99), limit(100, side=SELL), {"side": SELL}),
    ):
        here: Desk = desk({"self_trade": False})
        assert here.ask(across)[0] == "ok"
        assert here.ask(within) == ("ok", True)
        assert here.ask(beyond) == ("SELF_TRADE", False)


def test_a_blackout_begins_and_ends_on_its_nanosecond(desk: Any) -> None:
    window = "1970-01-01T00:16:41/1970-01-01T00:17:00"  # from 1 s to 20 s after T0
    here: Desk = desk({"blackouts": (window,)})
    assert [here.ask({"at_s": at_s}) for at_s in (0, 0.999999, 1, 19.999999, 20, 21)] == [
        ("ok", True),
        ("ok", True),
        ("BLACKOUT", False),
        ("BLACKOUT", False),
        ("ok", True),
        ("ok", True),
    ]


def test_an_order_in_doubt_stops_the_next(desk: Any) -> None:
    for most, told in ((0, ("IN_DOUBT", False)), (1, ("ok", True))):
        here: Desk = desk({"in_doubt_max": most})
        lost = here.ticket({})
        here.gate.judge(Place((lost,)), Market, T0)
        here.gate.hear([Update(Order(ticket=lost, state=State.IN_DOUBT), AnswerMissing(coid=lost.coid, ts_ns=T0))], [])
        assert here.ask({}) == told


def poor(**facts: Any) -> dict[str, Any]:
    known = {name: getattr(RICH, name) for name in RICH.__struct_fields__}
    return {"summary": Summary(**{**known, **facts})}


# With 10 x 100 asked for; half of it is margin.
VOUCHED: list[tuple[Terms, Terms, dict[str, Any], dict[str, Any], str]] = [
    ({}, {}, {}, {"down": "no session"}, "NOT_READY"),
    ({}, {}, {}, {"away": "a reset"}, "NOT_READY"),
    ({}, {}, {}, {"account": "DU2"}, "ACCOUNT"),
    ({}, {}, {"strategies": frozenset({"a"})}, {"strategies": frozenset({"b"})}, "STRATEGY"),
    ({"live_data": True}, {}, {"availability": {1: "RpB"}}, {"availability": {1: "D"}}, "NOT_LIVE"),
    ({"live_data": True}, {}, {"availability": {1: "R"}}, {"availability": {2: "R"}}, "NOT_LIVE"),
    ({"short_availability": True}, sold(10), {"borrow": {1: Borrow(D(10))}}, {"borrow": {1: Borrow(D(9))}}, "SHORT"),
    ({"borrow_fee_max_pct": D(5)}, sold(1), {"borrow": {1: Borrow(D(9), D(5))}}, {"borrow": {}}, "SHORT"),
    ({"day_trades_max": 2}, {}, {}, poor(day_trades_left=2), "DAY_TRADES"),
    ({"day_trades_max": 2}, {}, poor(day_trades_left=-1), poor(day_trades_left=0), "DAY_TRADES"),
    ({"settled_cash": True}, {}, poor(settled_cash=D(1001)), poor(settled_cash=D(999)), "SETTLED"),
    ({"buying_power": True}, {}, poor(buying_power=D(1001)), poor(buying_power=D(999)), "BUYING_POWER"),
    (
        {"buying_power": True},
        {},
        poor(cash_account=True, cash={"USD": D(1001)}),
        poor(cash_account=True, cash={"USD": D(999)}),
        "BUYING_POWER",
    ),
    ({"margin_cushion_pct": D(5)}, {}, poor(excess_liquidity=D(1001)), poor(excess_liquidity=D(999)), "MARGIN"),
    ({"margin_cushion_pct": D(5)}, {}, {}, poor(excess_liquidity=None), "MARGIN"),
    ({"summary_age_max_s": D(100)}, {}, {}, poor(ts_ns=T0 - 100 * NS_PER_S - 1), "MARGIN"),
    ({}, limit(100), {}, {"contracts": {1: Contract(order_types=frozenset({"MKT"}))}}, "TERMS"),
    ({}, {}, {}, {"contracts": {1: Contract(tifs=frozenset({"GTC"}))}}, "TERMS"),
]


@pytest.mark.parametrize(("limits", "terms", "well", "ill", "code"), VOUCHED)
def test_what_the_venue_says(
    desk: Any, limits: Terms, terms: Terms, well: dict[str, Any], ill: dict[str, Any], code: str
) -> None:
    summary = well.get("summary", RICH)
    slow = summary.cash_account is True  # never by the flat look
    assert desk(limits, outside=session(**well)).ask(terms) == ("ok", not slow)
    assert desk(limits, outside=session(**ill)).ask(terms) == (code, False)


def test_a_preview_is_wanted_above_a_size(desk: Any) -> None:
    here: Desk = desk({"what_if_above": D(1000)}, outside=session())
    assert here.ask({"quantity": 9}) == ("ok", True)
    assert here.ask({"quantity": 11}) == ("WHAT_IF", False)


def test_what_was_sent_since_the_summary_is_spent(desk: Any) -> None:
    for limits, fact, code in (
        ({"settled_cash": True}, "settled_cash", "SETTLED"),
        ({"buying_power": True}, "buying_power", "BUYING_POWER"),
    ):
        here: Desk = desk(limits, outside=session(**poor(**{fact: D(2500)})))
        assert [here.ask({}), here.ask({}), here.ask({})] == [("ok", True), ("ok", True), (code, False)]
        assert here.ask({"quantity": 4}) == ("ok", True)
    here = desk({"margin_cushion_pct": D(5)}, outside=session(**poor(excess_liquidity=D(1600))))
    # 500 stay; an order of 1,000 takes 500.
    assert [here.ask({}), here.ask({}), here.ask({})] == [("ok", True), ("ok", True), ("MARGIN", False)]


def test_a_strategys_money_at_stake_is_its_own_and_the_accounts_is_everybodys(desk: Any) -> None:
    here: Desk = desk({}, {"gross_max": D(1000)})
    assert here.ask({"strategy": "b", "quantity": 50})[0] == "ok"
    assert here.ask({"quantity": 9}) == ("ok", True)
    assert here.ask({"quantity": 2}) == ("GROSS", False)
    here = desk({"gross_max": D(6000)})
    assert here.ask({"strategy": "b", "quantity": 50})[0] == "ok"
    assert here.ask({"quantity": 9}) == ("ok", True)
    assert here.ask({"quantity": 2}) == ("GROSS", False)


def test_a_strategys_sums_are_its_own_and_the_accounts_are_everybodys(desk: Any) -> None:
    here: Desk = desk({}, {"orders_per_day_max": 1})
    assert [here.ask({"strategy": "b"})[0] for _ in range(3)] == ["ok"] * 3
    assert [here.ask({}), here.ask({})] == [("ok", True), ("DAY", False)]
    here = desk({"orders_per_day_max": 2})
    assert here.ask({"strategy": "b"})[0] == "ok"
    assert [here.ask({}), here.ask({})] == [("ok", True), ("DAY", False)]


CLEARED: list[tuple[Terms, list[Terms], Terms, Terms, str]] = [
    ({"order_quantity_max": D(10)}, [], {}, {"quantity": 11}, "QUANTITY"),
    ({"order_notional_max": D(1002)}, [], {}, {"quantity": 11}, "NOTIONAL"),
    ({"order_notional_max": D(1002)}, [], limit(100, quantity=10), limit(101, quantity=10), "NOTIONAL"),
    ({"quote_age_max_s": D(5)}, [], {"age_s": 5}, {"age_s": 5.000001}, "STALE"),
    ({"price_collar_pct": D(5)}, [], limit("104.99"), limit("105.01"), "COLLAR"),
    ({"price_collar_pct": D(5)}, [], limit("95.01", side=SELL), limit("94.99", side=SELL), "COLLAR"),
    ({"tick_and_lot": True}, [], limit("0.01"), limit("-0.01"), "TICK"),
    ({"position_max": D(20)}, [{}], {}, {"quantity": 1}, "POSITION"),
    ({"position_max": D(20)}, [sold(10)], sold(10), sold(1), "POSITION"),
    ({"open_orders_max": 2}, [{}], {}, {}, "OPEN_ORDERS"),
    ({"orders_per_minute_max": 2}, [{}], {}, {"at_s": 59}, "RATE"),
    ({"orders_per_minute_max": 1}, [{}], {"at_s": 60}, {"at_s": 60}, "RATE"),
]


@pytest.mark.parametrize(("limits", "before", "within", "beyond", "code"), CLEARED)
@pytest.mark.parametrize("level", ["account", "strategy"])
def test_the_checks_that_are_always_asked(
    desk: Any, level: str, limits: Terms, before: list[Terms], within: Terms, beyond: Terms, code: str
) -> None:
    _at_the_limit(desk(limits) if level == "account" else desk({}, limits), before, within, beyond, code)


def test_what_is_held_counts_on_its_side(desk: Any) -> None:
    for side in Side:
        for strategy in (None, {"position_max": D(20)}):
            here: Desk = desk({} if strategy else {"position_max": D(20)}, strategy)
            units = D(15) * side.sign
            here.gate.hear([], [PositionNow("a", 1, units, D(0), D(0), units, D(0), "USD")])
            assert here.ask({"side": side, "quantity": 5}) == ("ok", True)
            assert here.ask({"side": side, "quantity": 1}) == ("POSITION", False)
            assert here.ask({"side": side.opposite, "quantity": 35}) == ("ok", True)
            assert here.ask({"side": side.opposite, "quantity": 1}) == ("POSITION", False)


def test_a_twin_is_no_plain_order(desk: Any) -> None:
    here: Desk = desk({"duplicate_window_s": D(2)})
    same = limit(99, tag="same")
    assert here.ask(same) == ("ok", True)
    assert here.ask(limit(98, tag="same")) == ("ok", True)
    assert here.ask(same) == ("DUPLICATE", False)
    here = desk({})  # without a window an open one still is a twin
    for price in (95, 96, 97, 98):
        assert here.ask(limit(price, tag="same"))[0] == "ok"
    assert here.ask(limit(96, tag="same")) == ("DUPLICATE", False)


def test_a_walk_goes_on_from_what_is_within_its_window(desk: Any) -> None:
    for price, told in (("102.99", ("ok", True)), ("103.01", ("DRIFT", False))):
        here: Desk = desk({"price_drift_pct": D(2)})
        assert [here.ask(limit(100))[0], here.ask(limit(101, at_s=30))[0]] == ["ok", "ok"]
        assert here.ask(limit(price, at_s=60)) == told  # the first is a minute old, the second is not
        back: Desk = desk({"price_drift_pct": D(2)})
        assert [back.ask(limit(price))[0] for price in ("100", "101", "100.5", "101")] == ["ok"] * 4
        assert back.ask(limit("101.51")) == ("DRIFT", False)  # 1, 0.5 and 0.51; the step back makes it no shorter


def test_a_change_is_no_order_of_the_day(desk: Any) -> None:
    here: Desk = desk({"orders_per_day_max": 2})
    first = here.ticket(limit(100))
    assert code_of(here.gate.judge(Place((first,)), Market, T0)) == "ok"
    assert code_of(here.gate.judge(Modify(first.coid, "a", {"limit_price": D(99)}), Market, T0)) == "ok"
    assert [here.ask({}), here.ask({})] == [("ok", True), ("DAY", False)]


@pytest.mark.parametrize("fact", ["settled_cash", "buying_power"])
def test_what_was_sent_before_a_summary_is_in_it(desk: Any, fact: str) -> None:
    outside = session(**poor(**{fact: D(1500)}))
    here: Desk = desk({fact: True}, outside=outside)
    assert [here.ask({}), here.ask({})[1]] == [("ok", True), False]
    outside.summary = poor(**{fact: D(1500), "ts_ns": T0})["summary"]  # of the moment of the first order, and with it
    assert here.ask({"at_s": 1}) == ("ok", True)
    assert here.ask({"at_s": 1})[1] is False


def test_a_sale_needs_margin_and_no_settled_cash(desk: Any) -> None:
    facts = poor(settled_cash=D(1))
    here: Desk = desk({"settled_cash": True}, outside=session(**facts))
    assert here.ask({"side": SELL}) == ("ok", True)
    assert here.ask({}) == ("SETTLED", False)
