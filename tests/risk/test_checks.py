"""Each check exactly at its limit, just within, just beyond, and with its input unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.facts import Accepted, CancelRefused, Filled, Modified, ModifyAsked, ModifyRefused
from engine.domain.market import Quote, Trade
from engine.domain.messages import Cancel, Denied, Modify, Place, PositionNow, Resend, Update
from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk.checks import Check, order_notional, price_collar
from engine.risk.exposure import MarketNow
from engine.risk.gate import Gate
from engine.risk.limits import DEFAULTS, resolve, with_defaults
from engine.risk.market import market_now
from engine.settings import Limits, RiskSettings
from tests.risk.made import CRUDE, FUTURE, SPREAD, STOCK, T0, WIDE, D, FakeView, ask, code_of, gate, make_gate, new

BUY, SELL = Side.BUY, Side.SELL


def at(price: float | None, **more: Any) -> FakeView:
    return FakeView(value=price, **more)


# --- one order -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "code"), [("9.5", "ok"), ("10", "ok"), ("10.5", "QUANTITY")])
def test_quantity(quantity: str, code: str) -> None:
    assert ask(gate(order_quantity_max=D(10)), new(quantity)) == code


@pytest.mark.parametrize(
    ("terms", "price", "code"),
    [
        ({}, 99.99, "ok"),
        ({}, 100.0, "ok"),  # 10 x 100 is the limit
        ({}, 100.01, "NOTIONAL"),
        ({"limit_price": D(100)}, 50.0, "ok"),
        ({"limit_price": D("100.01")}, 50.0, "NOTIONAL"),  # the worse of its own price and the market's
        ({"limit_price": D(50)}, 100.01, "NOTIONAL"),
        ({"stop_price": D("100.01"), "order_type": OrderType.STOP}, 50.0, "NOTIONAL"),
        ({"limit_price": D("-100.01")}, 50.0, "NOTIONAL"),
        ({"limit_price": D(-100)}, -50.0, "NO_PRICE"),  # a stock has none of that kind
    ],
)
def test_notional(terms: dict[str, Any], price: float, code: str) -> None:
    assert ask(gate(order_notional_max=D(1000)), new(10, **terms), view=at(price)) == code


@pytest.mark.parametrize(("limit", "code"), [("62500", "ok"), ("62499.99", "NOTIONAL"), ("70000", "ok")])
def test_notional_in_base_currency_with_multiplier(limit: str, code: str) -> None:
    # 10 contracts x 100 EUR x 50 x 1.25 USD
    assert ask(gate(order_notional_max=D(limit)), new(10, conid=FUTURE.conid)) == code


def test_an_unknown_rate_refuses() -> None:
    assert ask(make_gate(WIDE, {}, {}, rates={"USD": D(1)}), new(1, conid=FUTURE.conid)) == "NO_RATE"


@pytest.mark.parametrize("price", [None, float("nan"), float("inf")])
def test_an_unknown_price_refuses(price: float | None) -> None:
    for tif in (Tif.DAY, Tif.OPG):
        assert ask(gate(), new(1, tif=tif), view=at(price)) == "NO_PRICE"
        assert ask(gate(), new(1, tif=tif, conid=SPREAD.conid), view=at(price)) == "NO_PRICE"


@pytest.mark.parametrize(
    ("side", "limit", "code"),
    [
        (BUY, "104.99", "ok"),
        (BUY, "105", "ok"),
        (BUY, "105.01", "COLLAR"),
        (BUY, "1", "ok"),  # better may be far
        (SELL, "95.01", "ok"),
        (SELL, "95", "ok"),
        (SELL, "94.99", "COLLAR"),
        (SELL, "900", "ok"),
    ],
)
def test_collar(side: Side, limit: str, code: str) -> None:
    assert ask(gate(price_collar_pct=D(5)), new(side=side, limit_price=D(limit))) == code


@pytest.mark.parametrize(
    ("price", "limit"), [(33.3, "34.965"), (0.07, "0.0735"), (-37.63, "-35.7485"), (1.1, "1.155"), (99.99, "104.9895")]
)
def test_the_collar_is_exact_where_floats_are_not(price: float, limit: str) -> None:
    conid = CRUDE.conid
    assert ask(gate(price_collar_pct=D(5)), new(limit_price=D(limit), conid=conid), view=at(price)) == "ok"
    for more in ("0.0000001", "1e-17"):  # a float tells the one and not the other
        beyond = D(limit) + D(more)
        assert ask(gate(price_collar_pct=D(5)), new(limit_price=beyond, conid=conid), view=at(price)) == "COLLAR"


def test_the_collar_of_a_stop_limit_lies_around_its_stop() -> None:
    stop = {"stop_price": D(200)}
    assert ask(gate(price_collar_pct=D(5)), new(limit_price=D(210), **stop)) == "ok"
    assert ask(gate(price_collar_pct=D(5)), new(limit_price=D("210.01"), **stop)) == "COLLAR"


def test_the_collar_at_a_price_of_zero_and_in_an_auction() -> None:
    assert ask(gate(price_collar_pct=D(5)), new(limit_price=D(0), conid=CRUDE.conid), view=at(0.0)) == "ok"
    assert ask(gate(price_collar_pct=D(5)), new(limit_price=D("0.01"), conid=CRUDE.conid), view=at(0.0)) == "COLLAR"
    closing = new(order_type=OrderType.LIMIT_ON_CLOSE, limit_price=D(200))
    assert ask(gate(price_collar_pct=D(5)), closing) == "ok"


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"limit_price": D("9.99")}, "ok"),
        ({"limit_price": D("9.995")}, "TICK"),
        ({"limit_price": D("-9.995")}, "TICK"),
        ({"stop_price": D("9.995"), "order_type": OrderType.STOP}, "TICK"),
        ({"limit_price": D("2.95"), "conid": 3}, "ok"),
        ({"limit_price": D("3.05"), "conid": 3}, "TICK"),  # 0.10 from 3 on
        ({"quantity": D("0.5")}, "ok"),
        ({"quantity": D("0.4")}, "LOT"),
        ({"quantity": D("1.5"), "conid": 3}, "LOT"),
    ],
)
def test_tick_and_lot(terms: dict[str, Any], code: str) -> None:
    assert ask(gate(tick_and_lot=True), new(**terms)) == code
    wide = gate(tick_and_lot=False, order_notional_max=D("1e60"), price_collar_pct=D("1e60"))
    assert ask(wide, new(**terms)) == "ok"


@pytest.mark.parametrize(("age_ns", "code"), [(0, "ok"), (3 * NS_PER_S, "ok"), (3 * NS_PER_S + 1, "STALE")])
def test_stale(age_ns: int, code: str) -> None:
    view = at(100.0, since_ns=T0 - age_ns)
    assert ask(gate(quote_age_max_s=D(3)), new(), view=view) == code
    assert (
        ask(gate(quote_age_max_s=D(3)), new(tif=Tif.OPG), view=view) == "ok"
    )  # nothing is to be heard before the open


@pytest.mark.parametrize(
    ("at_s", "terms", "code"),
    [
        (900, {}, "ok"),
        (899, {}, "CLOSED"),
        (8_999, {}, "ok"),
        (9_000, {}, "CLOSED"),
        (899, {"outside_rth": True}, "ok"),
        (300, {"outside_rth": True}, "ok"),  # ten minutes before
        (299, {"outside_rth": True}, "CLOSED"),
        (10_199, {"outside_rth": True}, "ok"),  # twenty minutes after
        (10_200, {"outside_rth": True}, "CLOSED"),
        (299, {"tif": Tif.OPG}, "ok"),
        (299, {"conid": 3}, "ok"),
    ],
)
def test_session_hours(at_s: int, terms: dict[str, Any], code: str) -> None:
    assert ask(gate(session_hours=True), new(**terms), at_ns=at_s * NS_PER_S) == code
    assert ask(gate(), new(**terms), at_ns=at_s * NS_PER_S) == "ok"


def test_unknown_sessions_and_halts_refuse() -> None:
    assert ask(make_gate({**WIDE, "session_hours": True}, {}, {}, sessions={}), new()) == "CLOSED"
    assert ask(gate(), new(), view=at(100.0, halted=True)) == "HALTED"
    assert ask(gate(), new(conid=SPREAD.conid), view=at(100.0, halted=True)) == "HALTED"


def test_restricted_at_every_level_and_through_a_leg() -> None:
    banned = Limits(restricted=("AAA",))
    assert ask(gate(restricted=("AAA",)), new()) == "RESTRICTED"
    assert ask(gate(strategy={"a": banned}), new()) == "RESTRICTED"
    assert ask(gate(strategy={"b": banned}), new()) == "ok"
    assert ask(gate(instrument={"AAA": banned}), new()) == "RESTRICTED"
    assert ask(gate(restricted=("AAA",)), new(conid=3)) == "ok"
    assert ask(gate(restricted=("AAA",)), new(conid=SPREAD.conid)) == "RESTRICTED"


def test_the_warm_up_ends_at_its_moment() -> None:
    warm = make_gate(WIDE, {}, {}, warm_up_until_ns=T0)
    assert ask(warm, new(), at_ns=T0 - 1) == "WARM_UP"
    assert ask(warm, new(), at_ns=T0) == "ok"


def test_what_is_not_known_at_all_refuses() -> None:
    assert ask(gate(), new(conid=77)) == "NO_INSTRUMENT"
    assert ask(gate()) == "EMPTY"
    twice = new(oca_group="g")
    assert ask(gate(), twice, twice) == "ID"
    here = gate()
    assert [ask(here, twice), ask(here, twice)] == ["ok", "ID"]
    refused = new(conid=77)
    assert [ask(here, refused), ask(here, refused)] == ["NO_INSTRUMENT", "ID"]


# --- many orders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_position_counts_what_is_held_and_what_is_open(side: Side) -> None:
    here = gate(position_max=D(30))
    here.hear([], [PositionNow("a", 1, 10 * D(side.sign), D(0), D(0), 10 * D(side.sign), D(0), "USD")])
    assert ask(here, new("20.5", side=side)) == "POSITION"
    assert ask(here, new(12, side=side)) == "ok"
    assert ask(here, new("8.5", side=side)) == "POSITION"
    assert ask(here, new(8, side=side)) == "ok"
    assert ask(here, new(40, side=side.opposite)) == "ok"
    assert ask(here, new("0.5", side=side.opposite)) == "POSITION"


@pytest.mark.parametrize(
    ("levels", "first", "then", "code"),
    [
        ({"strategy": {"a": Limits(position_max=D(5))}}, {"strategy": "a"}, {"strategy": "a"}, "POSITION"),
        ({"strategy": {"a": Limits(position_max=D(5))}}, {"strategy": "b"}, {"strategy": "a"}, "ok"),
        ({"instrument": {"AAA": Limits(position_max=D(5))}}, {"strategy": "b"}, {"strategy": "a"}, "POSITION"),
        ({"instrument": {"AAA": Limits(position_max=D(5))}}, {"conid": 3}, {"conid": 1}, "ok"),
        ({"strategy": {"a": Limits(open_orders_max=1)}}, {"strategy": "a"}, {"strategy": "a"}, "OPEN_ORDERS"),
        ({"strategy": {"a": Limits(open_orders_max=1)}}, {"strategy": "b"}, {"strategy": "a"}, "ok"),
        ({"instrument": {"AAA": Limits(open_orders_max=1)}}, {"strategy": "b"}, {"strategy": "a"}, "OPEN_ORDERS"),
        ({"instrument": {"AAA": Limits(open_orders_max=1)}}, {"conid": 3}, {"conid": 1}, "ok"),
        ({"strategy": {"a": Limits(orders_per_minute_max=1)}}, {"strategy": "a"}, {"strategy": "a"}, "RATE"),
        ({"strategy": {"a": Limits(orders_per_minute_max=1)}}, {"strategy": "b"}, {"strategy": "a"}, "ok"),
        ({"instrument": {"AAA": Limits(orders_per_minute_max=1)}}, {"strategy": "b"}, {"strategy": "a"}, "RATE"),
        ({"instrument": {"AAA": Limits(orders_per_minute_max=1)}}, {"conid": 3}, {"conid": 1}, "ok"),
    ],
)
def test_levels(levels: dict[str, Any], first: dict[str, Any], then: dict[str, Any], code: str) -> None:
    here = gate(**levels)
    assert ask(here, new(3, **first)) == "ok"
    assert ask(here, new(4, **then)) == code


def test_the_tightest_of_all_levels_counts() -> None:
    wide, tight = Limits(**WIDE), Limits(
        order_quantity_max=D(1), order_notional_max=D(2), price_collar_pct=D(3), position_max=D(4), open_orders_max=5,
        orders_per_minute_max=6, duplicate_window_s=D(7), quote_age_max_s=D(8), session_hours=True, tick_and_lot=True,
    )  # fmt: skip
    for levels in ((tight, wide, wide), (wide, tight, wide), (wide, wide, tight)):
        account, strategy, instrument = levels
        settings = RiskSettings(account=account, strategy={"a": strategy}, instrument={"AAA": instrument})
        bounds = resolve(settings, strategy="a", symbol="AAA")
        assert (bounds.quantity_max, bounds.notional_max, bounds.collar_exact) == (D(1), D(2), D("0.03"))
        assert min(limit for limit in bounds.position_max if limit is not None) == 4
        assert min(limit for limit in bounds.open_orders_max if limit is not None) == 5
        assert min(limit for limit in bounds.orders_per_minute_max if limit is not None) == 6
        assert (bounds.duplicate_window_ns, bounds.quote_age_max_ns) == (7 * NS_PER_S, 8 * NS_PER_S)
        assert (bounds.session_hours, bounds.tick_and_lot) == (True, True)


def test_what_is_not_set_has_a_default() -> None:
    assert with_defaults(Limits()) == DEFAULTS
    own = with_defaults(Limits(open_orders_max=3))
    assert (own.open_orders_max, own.position_max) == (3, DEFAULTS.position_max)


def test_the_rate_is_of_any_minute() -> None:
    here = gate(orders_per_minute_max=2)
    assert [ask(here, new(), at_ns=T0 + s * NS_PER_S) for s in (0, 30, 59)] == ["ok", "ok", "RATE"]
    assert ask(here, new(), at_ns=T0 + NS_PER_MINUTE - 1) == "RATE"
    assert ask(here, new(), at_ns=T0 + NS_PER_MINUTE) == "ok"
    assert ask(here, new(), at_ns=T0 + NS_PER_MINUTE) == "RATE"


def test_without_a_limit_no_times_are_kept() -> None:
    here = gate(strategy={"a": Limits(orders_per_minute_max=3)})
    for second in range(200):
        ask(here, new(), at_ns=T0 + second * NS_PER_MINUTE)
    account, strategy, instrument = here.exposure("a", 1).tallies
    assert len(strategy.sent_ns) <= 3
    assert not instrument.sent_ns
    assert len(account.sent_ns) <= 3  # those of a minute at least, its limit at most


@pytest.mark.parametrize("limit", ["position_max", "open_orders_max", "orders_per_minute_max"])
def test_a_group_refused_leaves_no_reservation(limit: str) -> None:
    limits: dict[str, Any] = {limit: D(25) if limit == "position_max" else 2}
    here = gate(**limits)
    group = (new(10, oca_group="g"), new(10, oca_group="g"), new(30, oca_group="g"))
    assert ask(here, *group) == {"position_max": "POSITION", "open_orders_max": "OPEN_ORDERS"}.get(limit, "RATE")
    assert not any(ticket.coid in here.references for ticket in group)
    exposure = here.exposure("a", 1)
    assert [units.buys for units in exposure.units] == [0, 0]
    assert [tally.open for tally in exposure.tallies] == [0, 0, 0]
    assert [ask(here, new(10)), ask(here, new(10))] == ["ok", "ok"]
    assert ask(here, new(10)) != "ok"


# --- duplicates ------------------------------------------------------------------------------------------------------


def twin_of(ticket: OrderTicket, **terms: Any) -> OrderTicket:
    same = {name: getattr(ticket, name) for name in ("quantity", "limit_price", "side", "tag")}
    return new(**{**same, **terms})


def told(ticket: OrderTicket, state: State, event: Any = None, wanted: OrderTicket | None = None) -> Update:
    return Update(Order(ticket=ticket, state=state, wanted=wanted), event or Accepted(coid=ticket.coid, ts_ns=T0))


@pytest.mark.parametrize(
    "state", [State.SENT, State.WORKING, State.PENDING_SUBMIT, State.PENDING_MODIFY, State.IN_DOUBT]
)
def test_an_identical_ticket_is_refused_while_the_earlier_one_is_open(state: State) -> None:
    here, first = gate(duplicate_window_s=D(2)), new(limit_price=D(99))
    assert ask(here, first) == "ok"
    here.hear([told(first, state)], [])
    for later_s in (0, 1, 2, 3_000):
        assert ask(here, twin_of(first), at_ns=T0 + later_s * NS_PER_S) == "DUPLICATE"


@pytest.mark.parametrize("state", [State.FILLED, State.CANCELLED, State.REFUSED, State.LOST])
def test_a_closed_order_stands_in_the_way_within_t(state: State) -> None:
    here, first = gate(duplicate_window_s=D(2)), new(limit_price=D(99))
    assert ask(here, first) == "ok"
    here.hear([told(first, state)], [])
    assert ask(here, twin_of(first), at_ns=T0 + 2 * NS_PER_S - 1) == "DUPLICATE"
    assert ask(here, twin_of(first), at_ns=T0 + 2 * NS_PER_S) == "ok"


def test_an_order_whose_cancel_was_sent_does_not_count() -> None:
    here, first = gate(duplicate_window_s=D(2)), new(limit_price=D(99))
    assert ask(here, first) == "ok"
    for _ in range(2):
        assert code_of(here.judge(Cancel(first.coid, "a"), FakeView, T0)) == "ok"
    second = twin_of(first)
    assert ask(here, second) == "ok"
    assert ask(here, twin_of(first)) == "DUPLICATE"  # of the second
    assert code_of(here.judge(Cancel(second.coid, "a"), FakeView, T0)) == "ok"
    assert ask(here, twin_of(first)) == "ok"
    assert code_of(here.judge(Cancel("a-404404", "a"), FakeView, T0)) == "ok"  # cancels always pass


def refused_cancel(ticket: OrderTicket, state: State) -> Update:
    return told(ticket, state, CancelRefused(coid=ticket.coid, ts_ns=T0, code="x", reason="y"))


@pytest.mark.parametrize("others", [0, 20])  # a few are looked through, many are counted
@pytest.mark.parametrize("state", [State.WORKING, State.PENDING_SUBMIT, State.PENDING_MODIFY, State.IN_DOUBT])
def test_an_order_whose_cancel_was_refused_counts_again(state: State, others: int) -> None:
    here, first = gate(duplicate_window_s=D(2)), new(limit_price=D(99))
    assert ask(here, first) == "ok"
    rest = [new(limit_price=D(80 + number)) for number in range(others)]
    assert all(ask(here, one) == "ok" for one in rest)
    later = T0 + 10 * NS_PER_S
    here.judge(Cancel(first.coid, "a"), FakeView, later)
    assert (first.coid, "a") not in here.open_of("")
    here.hear([refused_cancel(first, State.PENDING_CANCEL)], [])  # another cancel is under way still
    assert (first.coid, "a") not in here.open_of("a")
    here.hear([refused_cancel(first, state)], [])
    assert (first.coid, "a") in here.open_of("")
    assert (first.coid, "a") in here.open_of("a")
    assert ask(here, twin_of(first), at_ns=later) == "DUPLICATE"
    here.judge(Cancel(first.coid, "a"), FakeView, later)
    assert (first.coid, "a") not in here.open_of("")
    assert ask(here, twin_of(first), at_ns=later) == "ok"


def test_a_ticket_is_sent_again_after_its_cancel_was_refused() -> None:
    here, first = gate(), new(limit_price=D(99))
    assert ask(here, first) == "ok"
    here.judge(Cancel(first.coid, "a"), FakeView, T0)
    assert code_of(here.judge(Resend(first), FakeView, T0)) == "NOT_OPEN"
    here.hear([refused_cancel(first, State.IN_DOUBT)], [])
    assert code_of(here.judge(Resend(first), FakeView, T0)) == "ok"


def test_without_a_window_only_open_orders_stand_in_the_way() -> None:
    here, first = gate(duplicate_window_s=D(0)), new(limit_price=D(99))
    assert [ask(here, first), ask(here, twin_of(first))] == ["ok", "DUPLICATE"]
    here.judge(Cancel(first.coid, "a"), FakeView, T0)
    second = twin_of(first)
    assert ask(here, second) == "ok"
    here.hear([told(second, State.FILLED)], [])
    assert ask(here, twin_of(first)) == "ok"
    assert not here.exposure("a", 1).twins.lately


def test_a_cancel_forgets_its_own_order_only() -> None:
    here, one, other = gate(duplicate_window_s=D(2)), new(limit_price=D(99)), new(limit_price=D(98))
    assert [ask(here, one), ask(here, other)] == ["ok", "ok"]
    here.judge(Cancel(one.coid, "a"), FakeView, T0)
    here.hear([told(other, State.FILLED)], [])
    assert ask(here, twin_of(one)) == "ok"
    assert ask(here, twin_of(other)) == "DUPLICATE"


def test_twins_in_one_group_are_refused_and_a_refused_ticket_is_no_earlier_one() -> None:
    here, first = gate(duplicate_window_s=D(2)), new(limit_price=D(99), oca_group="g")
    assert ask(here, first, twin_of(first, oca_group="g")) == "DUPLICATE"
    assert ask(here, twin_of(first)) == "ok"


@pytest.mark.parametrize(
    "terms",
    [
        {"limit_price": D(98)},
        {"side": SELL},
        {"tag": "other"},
        {"strategy": "b"},
        {"conid": 3},
        {"tif": Tif.GTC},
        {"outside_rth": True},
        {"parent": "a-123456"},
        {"limit_price": None},
        {"stop_price": D(99)},
    ],
)
def test_another_ticket_is_no_duplicate(terms: dict[str, Any]) -> None:
    here, first = gate(duplicate_window_s=D(2)), new(limit_price=D(99))
    assert ask(here, first) == "ok"
    other = {**terms, "order_type": OrderType.MARKET} if terms.get("limit_price", 1) is None else terms
    assert ask(here, twin_of(first, **other)) == "ok"
    assert ask(here, twin_of(first)) == "DUPLICATE"


@pytest.mark.parametrize("terms", [{"trail": D(2)}, {"limit_offset": D(1)}, {"stop_price": D(90)}])
def test_other_trails_are_other_tickets(terms: dict[str, Any]) -> None:
    here = gate(duplicate_window_s=D(2))
    base: dict[str, Any] = {"order_type": OrderType.TRAIL_LIMIT, "trail": D(1), "limit_offset": D("0.1"), "tag": ""}
    assert [ask(here, new(**base)), ask(here, new(**{**base, **terms})), ask(here, new(**base))] == [
        "ok",
        "ok",
        "DUPLICATE",
    ]


def test_a_modified_order_is_the_twin_of_what_it_became() -> None:
    here, first = gate(duplicate_window_s=D(2)), new(limit_price=D(99))
    ask(here, first)
    late = T0 + 5 * NS_PER_S
    view = FakeView(since_ns=late)
    wanted = twin_of(first, limit_price=D(98), coid=first.coid)
    assert code_of(here.judge(Modify(first.coid, "a", {"limit_price": D(98)}), lambda: view, late)) == "ok"
    for price in (99, 98):  # not answered yet: it may be either
        for wait_s in (0, 3):
            twin = twin_of(first, limit_price=D(price))
            assert ask(here, twin, at_ns=late + wait_s * NS_PER_S) == "DUPLICATE"
    here.hear([told(wanted, State.WORKING, Modified(coid=first.coid, ts_ns=late))], [])
    assert ask(here, twin_of(first, limit_price=D(98)), at_ns=late + 5 * NS_PER_S) == "DUPLICATE"
    assert ask(here, twin_of(first), at_ns=late) == "ok"


# --- modifications ---------------------------------------------------------------------------------------------------


def opened(here: Gate, quantity: int = 10, **terms: Any) -> OrderTicket:
    ticket = new(quantity, **{"limit_price": D(100), **terms})
    assert ask(here, ticket) == "ok"
    return ticket


def change(here: Gate, ticket: OrderTicket, view: FakeView | None = None, **changes: Any) -> str:
    seen = view or FakeView()
    return code_of(here.judge(Modify(ticket.coid, "a", changes), lambda: seen, T0))


@pytest.mark.parametrize(
    ("limits", "changes", "view", "code"),
    [
        ({"order_quantity_max": D(12)}, {"quantity": D(12)}, {}, "ok"),
        ({"order_quantity_max": D(12)}, {"quantity": D(13)}, {}, "QUANTITY"),
        ({"order_notional_max": D(1000)}, {"limit_price": D("100.01")}, {}, "NOTIONAL"),
        ({"price_collar_pct": D(5)}, {"limit_price": D("105.01")}, {}, "COLLAR"),
        ({"tick_and_lot": True}, {"limit_price": D("99.995")}, {}, "TICK"),
        ({"quote_age_max_s": D(1)}, {"limit_price": D(99)}, {"since_ns": T0 - 2 * NS_PER_S}, "STALE"),
        ({}, {"limit_price": D(99)}, {"value": None}, "NO_PRICE"),
        ({}, {"limit_price": D(99)}, {"halted": True}, "HALTED"),
        ({"position_max": D(12)}, {"quantity": D(12)}, {}, "ok"),
        ({"position_max": D(12)}, {"quantity": D("12.5")}, {}, "POSITION"),
        ({}, {"tag": D(1)}, {}, "BAD_TICKET"),
        ({}, {"stop_price": D(1)}, {}, "BAD_TICKET"),
        ({"open_orders_max": 1, "orders_per_minute_max": 1}, {"limit_price": D(99)}, {}, "ok"),  # it opens nothing
    ],
)
def test_a_modification_is_judged_as_the_ticket_it_becomes(
    limits: dict[str, Any], changes: dict[str, Any], view: dict[str, Any], code: str
) -> None:
    here = gate(**limits)
    assert change(here, opened(here), FakeView(**view), **changes) == code


def test_only_an_open_order_can_be_modified() -> None:
    here = gate()
    assert change(here, new(), quantity=D(1)) == "NOT_OPEN"
    verdict = here.judge(Modify("a-404404", "a", {}), FakeView, T0)
    assert isinstance(verdict, Denied)


def test_the_worse_of_old_and_new_counts_until_answered() -> None:
    for to, during, taken in ((15, 15, 15), (4, 10, 4)):
        for answer in (Modified, ModifyRefused):
            here = gate()
            ticket = opened(here)
            units = here.exposure("a", 1).units
            assert change(here, ticket, quantity=D(to)) == "ok"
            wanted = twin_of(ticket, quantity=D(to), coid=ticket.coid)
            assert [u.buys for u in units] == [during, during]
            # A fill that the order manager heard before it sent the change does not undo that.
            fill = Filled(coid=ticket.coid, ts_ns=T0, exec_id="e", conid=1, side="BUY", quantity=D(3), price=D(9))
            partly = Order(ticket=ticket, state=State.WORKING, filled=D(3))
            here.hear([Update(partly, fill)], [])
            assert [u.buys for u in units] == [during - 3] * 2
            asked = ModifyAsked(coid=ticket.coid, ts_ns=T0)
            pending = Order(ticket=ticket, state=State.PENDING_MODIFY, wanted=wanted, filled=D(3))
            here.hear([Update(pending, asked)], [])
            assert [u.buys for u in units] == [during - 3] * 2
            if answer is Modified:
                after = Update(Order(ticket=wanted, state=State.WORKING, filled=D(3)), Modified(coid="x", ts_ns=T0))
            else:
                after = Update(partly, ModifyRefused(coid="x", ts_ns=T0, code="c", reason="r"))
            here.hear([after], [])
            assert [u.buys for u in units] == [(taken if answer is Modified else 10) - 3] * 2


def test_what_has_filled_is_not_counted_twice_by_a_modification() -> None:
    here = gate(position_max=D(10))
    ticket = opened(here)
    fill = Filled(coid=ticket.coid, ts_ns=T0, exec_id="e", conid=1, side="BUY", quantity=D(6), price=D(9))
    here.hear(
        [Update(Order(ticket=ticket, state=State.WORKING, filled=D(6)), fill)],
        [PositionNow("a", 1, D(6), D(0), D(0), D(6), D(0), "USD")],
    )
    assert change(here, ticket, limit_price=D(99)) == "ok"  # 6 held and 4 to come
    assert change(here, ticket, quantity=D("10.5")) == "POSITION"


def test_a_change_that_raises_nothing_passes_even_where_the_position_is_beyond_its_limit() -> None:
    here = gate(position_max=D(10))
    ticket = opened(here, 5)
    here.hear([], held(40))  # an over-fill, say
    assert change(here, ticket, limit_price=D(99)) == "ok"
    assert change(here, opened(here, 5, side=SELL), quantity=D(6)) == "ok"
    assert ask(here, new(1)) == "POSITION"


def test_an_exit_may_not_grow_beyond_the_room_that_other_orders_leave() -> None:
    here = gate(position_max=D(10))
    entry = opened(here)
    exit_ = new(4, side=SELL, parent=entry.coid, limit_price=D(110))
    assert ask(here, exit_) == "ok"
    here.hear([told_fill(entry, 1, 10, 10)], held(10))
    assert ask(here, new(16, side=SELL, limit_price=D(111))) == "ok"  # 10 - 4 - 16
    assert change(here, exit_, quantity=D(5)) == "POSITION"
    assert change(here, exit_, quantity=D(3)) == "ok"


# --- brackets, combos, adopted orders --------------------------------------------------------------------------------


def test_naming_a_parent_is_no_way_around_the_position_limit() -> None:
    for parent in ("a-404404", None):
        here = gate(position_max=D(10))
        entry = opened(here)
        name = entry.coid if parent is None else parent
        assert ask(here, new(20, parent=name)) == "POSITION"  # the same side as its entry
        assert ask(here, new(11, side=SELL, parent=name, limit_price=D(101))) == "POSITION"  # more than its entry
        fits = new(10, side=SELL, parent=name, limit_price=D(101))
        assert ask(here, fits) == "ok"
        assert here.exposure("a", 1).units[0].sells == (0 if parent is None else 10)


def test_exits_count_once_and_only_for_what_has_filled() -> None:
    here = gate(position_max=D(10))
    entry = new(10, limit_price=D(100))
    target = new(10, side=SELL, parent=entry.coid, limit_price=D(110))
    stop = new(10, side=SELL, parent=entry.coid, stop_price=D(90), order_type=OrderType.STOP)
    assert ask(here, entry, target, stop) == "ok"
    units = here.exposure("a", 1).units[0]
    assert [units.buys, units.sells] == [10, 0]
    fill = Filled(coid=entry.coid, ts_ns=T0, exec_id="e", conid=1, side="BUY", quantity=D(6), price=D(100))
    here.hear(
        [Update(Order(ticket=entry, state=State.WORKING, filled=D(6)), fill)],
        [PositionNow("a", 1, D(6), D(600), D(0), D(6), D(0), "USD")],
    )
    assert [units.position, units.buys, units.sells] == [6, 4, 6]
    assert ask(here, new(11, side=SELL)) == "POSITION"  # 6 - 6 - 11
    assert ask(here, new(10, side=SELL)) == "ok"
    assert change(here, target, quantity=D(12)) == "POSITION"  # more than its entry gets into


def test_a_combo_counts_in_each_leg() -> None:
    here = gate(position_max=D(20))
    assert ask(here, new(11, conid=SPREAD.conid, limit_price=D(1))) == "POSITION"  # 22 of its second leg sold
    combo = new(8, conid=SPREAD.conid, limit_price=D(1))
    assert ask(here, combo) == "ok"
    assert [here.exposure("a", 1).units[0].buys, here.exposure("a", 3).units[0].sells] == [8, 16]
    assert ask(here, new(5, conid=3, side=SELL)) == "POSITION"
    assert ask(here, new(3, conid=SPREAD.conid, side=SELL, limit_price=D(1))) == "ok"
    fill = Filled(coid=combo.coid, ts_ns=T0, exec_id="e", conid=9, side="BUY", quantity=D(8), price=D(1))
    now = [PositionNow("a", conid, q, D(0), D(0), q, D(0), "USD") for conid, q in ((1, D(8)), (3, D(-16)))]
    here.hear([Update(Order(ticket=combo, state=State.FILLED, filled=D(8)), fill)], now)
    spread = here.exposure("a", SPREAD.conid).units[0]
    assert [spread.position, spread.buys] == [8, 0]
    assert [here.exposure("a", 1).units[0].buys, here.exposure("a", 3).units[0].sells] == [0, 0]
    assert ask(here, new(3, conid=SPREAD.conid, limit_price=D(1))) == "POSITION"  # 16 and 6 more of the second leg
    sells = new(2, conid=SPREAD.conid, side=SELL, limit_price=D(2))
    assert ask(here, sells) == "ok"
    out = Filled(coid=sells.coid, ts_ns=T0, exec_id="f", conid=9, side="SELL", quantity=D(2), price=D(2))
    here.hear([Update(Order(ticket=sells, state=State.FILLED, filled=D(2)), out)], [])
    assert spread.position == 6


def test_a_combo_buys_its_first_leg_and_sells_its_second() -> None:
    here = gate(position_max=D(20))
    here.hear([], [PositionNow("a", 1, D(15), D(0), D(0), D(15), D(0), "USD")])
    assert ask(here, new(6, conid=SPREAD.conid, limit_price=D(1))) == "POSITION"  # 15 and 6 of the first leg
    assert ask(here, new(6, conid=SPREAD.conid, side=SELL, limit_price=D(1))) == "ok"
    here = gate(position_max=D(20))
    here.hear([], [PositionNow("a", 3, D(15), D(0), D(0), D(15), D(0), "USD")])
    assert ask(here, new(3, conid=SPREAD.conid, side=SELL, limit_price=D(1))) == "POSITION"  # 15 and 2 x 3
    assert ask(here, new(3, conid=SPREAD.conid, limit_price=D(1))) == "ok"


def test_a_combo_has_limits_of_its_own() -> None:
    here = gate(instrument={"SPR": Limits(position_max=D(3))})
    assert ask(here, new(4, conid=SPREAD.conid, limit_price=D(1))) == "POSITION"
    assert ask(here, new(3, conid=SPREAD.conid, limit_price=D(1))) == "ok"


def test_an_order_that_was_lost_counts_again() -> None:
    here = gate()
    ticket = opened(here)
    here.hear([told(ticket, State.LOST)], [])
    units, tallies = here.exposure("a", 1).units, here.exposure("a", 1).tallies
    assert [units[0].buys, tallies[0].open] == [0, 0]
    adopted = Order(ticket=ticket, state=State.PENDING_MODIFY, filled=D(4), wanted=twin_of(ticket, quantity=D(12)))
    here.hear([Update(adopted, Accepted(coid=ticket.coid, ts_ns=T0))], [])
    assert [*(u.buys for u in units), tallies[0].open] == [8, 8, 1]
    here.hear([told(ticket, State.CANCELLED), told(ticket, State.CANCELLED)], [])
    assert [*(u.buys for u in units), tallies[0].open] == [0, 0, 0]


def told_fill(ticket: OrderTicket, number: int, quantity: int, filled: int, *, dead: bool = False) -> Update:
    """An order after a fill, closed when it is full or was dead before."""
    fill = Filled(
        coid=ticket.coid, ts_ns=T0, exec_id=f"e{number}", conid=1, side=ticket.side, quantity=D(quantity), price=D(100)
    )
    state = State.FILLED if filled == ticket.quantity else State.CANCELLED if dead else State.WORKING
    return Update(Order(ticket=ticket, state=state, filled=D(filled)), fill)


def held(quantity: int) -> list[PositionNow]:
    return [PositionNow("a", 1, D(quantity), D(0), D(0), D(quantity), D(0), "USD")]


def test_what_one_exit_trades_the_others_lose() -> None:
    here = gate()
    entry = new(10, limit_price=D(100))
    target = new(10, side=SELL, parent=entry.coid, limit_price=D(110))
    stop = new(7, side=SELL, parent=entry.coid, stop_price=D(90), order_type=OrderType.STOP)
    assert ask(here, entry, target, stop) == "ok"
    units, brackets = here.exposure("a", 1).units[0], here.exposure("a", 1).brackets
    here.hear([told_fill(entry, 1, 10, 10)], held(10))
    assert [units.position, units.buys, units.sells] == [10, 0, 10]
    here.hear([told_fill(target, 2, 4, 4)], held(6))
    assert [units.position, units.sells] == [6, 6]  # 6 of the target or of the stop
    here.hear([told(target, State.CANCELLED)], [])
    assert units.sells == 6
    assert list(brackets) == [entry.coid]
    here.hear([told_fill(stop, 3, 2, 2)], held(4))
    assert units.sells == 4  # the stop may trade 5 more of its own, and 4 are left to get out of
    here.hear([told_fill(target, 4, 3, 7, dead=True)], held(1))  # a late fill of the cancelled one
    assert units.sells == 1
    here.hear([told(stop, State.CANCELLED)], [])
    assert (units.sells, brackets) == (D(0), {})


def test_what_an_exit_trades_once_it_has_grown_beyond_its_entry_leaves_the_others_as_large() -> None:
    here = gate()
    entry = new(10, limit_price=D(100))
    target = new(10, side=SELL, parent=entry.coid, limit_price=D(110))
    stop = new(7, side=SELL, parent=entry.coid, stop_price=D(90), order_type=OrderType.STOP)
    assert ask(here, entry, target, stop) == "ok"
    units = here.exposure("a", 1).units[0]
    here.hear([told_fill(entry, 1, 10, 10), told_fill(target, 2, 2, 2)], held(8))
    assert units.sells == 8
    assert change(here, target, quantity=D(12)) == "ok"
    assert units.sells == 10 + 7  # the target by itself, and the stop, which has 8 to get out of
    here.hear([told_fill(target, 3, 5, 7)], held(3))
    assert units.sells == 5 + 7


def test_an_order_of_a_group_that_is_sent_again_is_of_its_group_still() -> None:
    here = gate()
    first, second = (new(size, limit_price=D(100 - size), oca_group="g") for size in (2, 9))
    assert ask(here, first, second) == "ok"
    units = here.exposure("a", 1).units[0]
    assert units.buys == 9
    here.hear([told(first, State.IN_DOUBT)], [])
    assert code_of(here.judge(Resend(first), FakeView, T0)) == "ok"
    assert units.buys == 9
    here.hear([told(second, State.CANCELLED)], [])
    here.hear([told(first, State.IN_DOUBT)], [])
    assert code_of(here.judge(Resend(first), FakeView, T0)) == "ok"  # the last of its group
    assert units.buys == 2
    here.hear([told(first, State.CANCELLED)], [])
    assert (units.buys, here.account.groups) == (D(0), {})


def test_after_a_restart_an_exit_that_may_grow_beyond_its_entry_is_an_order_of_its_own() -> None:
    here = gate()
    entry = new(4, limit_price=D(100))
    exit_ = new(2, side=SELL, parent=entry.coid, limit_price=D(110))
    larger = Order(ticket=exit_, state=State.PENDING_MODIFY, wanted=twin_of(exit_, quantity=D(9)))
    here.hear([told(entry, State.WORKING), Update(larger, Accepted(coid=exit_.coid, ts_ns=T0))], [])
    units = here.exposure("a", 1).units[0]
    assert [units.buys, units.sells] == [4, 9]


def test_an_exit_that_grows_beyond_its_entry_is_an_order_of_its_own() -> None:
    here = gate(position_max=D(12))
    entry = opened(here)
    exit_ = new(10, side=SELL, parent=entry.coid, limit_price=D(110))
    assert ask(here, exit_) == "ok"
    units = here.exposure("a", 1).units[0]
    assert change(here, exit_, quantity=D(13)) == "POSITION"
    assert [units.sells] == [0]
    assert change(here, exit_, quantity=D(12)) == "ok"
    assert [units.sells] == [12]
    assert change(here, exit_, quantity=D(11)) == "ok"  # for the order manager to refuse: one is in flight
    assert [units.sells] == [12]
    here.hear([told(exit_, State.WORKING, ModifyRefused(coid=exit_.coid, ts_ns=T0, code="c", reason="r"))], [])
    assert [units.sells] == [10]


def test_an_entry_that_has_grown_lets_its_exits_grow() -> None:
    here = gate()
    entry = opened(here)
    exit_ = new(10, side=SELL, parent=entry.coid, limit_price=D(110))
    assert ask(here, exit_) == "ok"
    assert change(here, entry, quantity=D(15)) == "ok"
    larger = twin_of(entry, quantity=D(15), coid=entry.coid)
    here.hear([told(larger, State.WORKING, Modified(coid=entry.coid, ts_ns=T0))], [])
    assert change(here, exit_, quantity=D(15)) == "ok"
    assert [here.exposure("a", 1).units[0].sells] == [0]


@pytest.mark.parametrize("check", [order_notional, price_collar])
def test_a_check_by_itself_refuses_without_a_price(check: Check) -> None:
    exposure = gate().exposure("a", 1)
    refusal = check(new(limit_price=D(9)), exposure, MarketNow(T0, None, 0, False), exposure.bounds)
    assert refusal is not None
    assert refusal.code == "NO_PRICE"


# --- the market of an instrument -------------------------------------------------------------------------------------


class TwoLegs(FakeView):
    """The first leg at 10 as of 5, the second at 3 as of 2."""

    def price(self, conid: int) -> tuple[float, int] | None:
        return (10.0, 5) if conid == 1 else (3.0, 2)


def test_a_combo_is_worth_its_legs_and_as_old_as_the_oldest() -> None:
    market = market_now(SPREAD, TwoLegs(), 7)
    assert (market.now_ns, market.price, market.since_ns, market.halted) == (7, 4.0, 2, False)
    assert market_now(STOCK, TwoLegs(), 7).price == 10.0


def test_plain_values_of_the_market() -> None:
    view = FakeView()
    assert (view.quote(1), view.trade(1), view.bar(1)) == (None, None, None)
    assert (Quote(0, 1, 1.0, 3.0, 1.0, 1.0).mid, Trade(0, 1, 1.0, 1.0).sampled) == (2.0, False)


def test_references_are_the_market_when_an_order_was_approved() -> None:
    here, ticket = gate(), new()
    ask(here, ticket, view=at(101.5))
    assert here.references == {ticket.coid: 101.5}
    assert isinstance(here.judge(Place((new(conid=77),)), FakeView, T0), Denied)
    assert len(here.references) == 1


def test_limits_are_money() -> None:
    for value in (DEFAULTS.order_quantity_max, DEFAULTS.order_notional_max, DEFAULTS.position_max):
        assert isinstance(value, Decimal)


@pytest.mark.parametrize("price", ["0", "-0.01", "-3"])
def test_a_stock_has_no_price_of_zero_or_below(price: str) -> None:
    assert ask(gate(tick_and_lot=True), new(limit_price=D(price))) == "TICK"
    assert ask(gate(tick_and_lot=True), new(conid=9, limit_price=D(price))) == "ok"  # a spread may have one
