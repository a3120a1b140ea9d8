"""The gate's short way: what it clears passes every check of the table, and a plain order is cleared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from engine.domain.messages import Cancel, Place
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif
from engine.risk import longway
from engine.risk.checks import NEW_ORDER
from engine.risk.clear import clear
from engine.risk.exposure import Exposure
from engine.risk.gate import Gate
from engine.risk.market import market_now
from engine.settings import Limits, RiskSettings
from tests.risk.made import T0, D, FakeView, code_of, make_gate, new

# Each limit near what the tickets below ask for, so that every check refuses now and then.
LIMITS: dict[str, st.SearchStrategy[Any]] = {
    "order_quantity_max": st.sampled_from([D(9), D(10), D(100)]),
    "order_notional_max": st.sampled_from([D(999), D(1000), D(1001), D(10**9)]),
    "price_collar_pct": st.sampled_from([D(0), D(1), D(50)]),
    "position_max": st.sampled_from([D(10), D(20), D(10**6)]),
    "open_orders_max": st.sampled_from([1, 2, 50]),
    "orders_per_minute_max": st.sampled_from([1, 2, 50]),
    "duplicate_window_s": st.sampled_from([D(0), D(2)]),
    "quote_age_max_s": st.sampled_from([D(1), D(60)]),
    "session_hours": st.booleans(),
    "tick_and_lot": st.booleans(),
}
tickets = st.fixed_dictionaries(
    {
        "conid": st.sampled_from([1, 2, 3, 9]),
        "side": st.sampled_from(list(Side)),
        "quantity": st.sampled_from([D("0.3"), D("9.5"), D(10), D("10.5"), D(200)]),
        "tif": st.sampled_from([*Tif, Tif.DAY, Tif.DAY]),
        "limit_price": st.none() | st.sampled_from([D("-1"), D("99.00"), D("99.999"), D(100), D(101), D("101.01")]),
        "stop_price": st.none() | st.sampled_from([D("-1"), D(0), D("99.999"), D(99), D(101), D("101.01"), D(150)]),
        "outside_rth": st.sampled_from([False, False, False, True]),
        "parent": st.sampled_from([None, None, "a-999999"]),
        "tag": st.just(""),
    }
)
views = st.builds(
    FakeView,
    value=st.sampled_from([None, 99.0, 100.0, 100.0, 101.0, float("nan"), float("inf")]),
    since_ns=st.sampled_from([T0, T0 - NS_PER_S, T0 - NS_PER_S - 1, T0 - 61 * NS_PER_S]),
)
moments = st.sampled_from([T0, T0 - 1, T0 - 200 * NS_PER_S, 9_000 * NS_PER_S])


def made(terms: dict[str, Any]) -> OrderTicket:
    """A market order, a limit order or a stop; with both prices a stop limit."""
    given_terms = {name: value for name, value in terms.items() if value is not None}
    if "limit_price" not in given_terms and "stop_price" in given_terms:
        given_terms["order_type"] = OrderType.STOP
    return new(**given_terms)


def cleared(ticket: OrderTicket, exposure: Exposure, price: float, since_ns: int, now_ns: int) -> float:
    """As the gate asks."""
    level = None if ticket.limit_price is None else exposure.levels[ticket.limit_price]
    return clear(ticket, exposure, ticket.side is Side.BUY, level, price, since_ns, now_ns)


Case = tuple[Gate, Gate, OrderTicket, FakeView, int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Two gates that have judged the same orders, the second of them never the short way; and one more order."""
    levels = [draw(st.fixed_dictionaries({}, optional=LIMITS)) for _ in range(3)]
    warm_up_ns = draw(st.sampled_from([0, T0, T0 + 1]))
    pair = [
        make_gate(levels[0], {"a": Limits(**levels[1])}, {"AAA": Limits(**levels[2])}, warm_up_until_ns=warm_up_ns)
        for _ in range(2)
    ]
    for conid in (1, 2, 3, 9):
        pair[1].exposure("a", conid).plain = False
    view = FakeView(since_ns=T0)
    for terms in draw(st.lists(tickets, max_size=4)):
        ticket, withdrawn = made(terms), draw(st.booleans())
        for one in pair:
            if code_of(one.judge(Place((ticket,)), lambda: view, T0)) == "ok" and withdrawn:
                one.judge(Cancel(ticket.coid, "a"), lambda: view, T0)
    last = made(draw(tickets))
    return pair[0], pair[1], last, draw(views), draw(moments)


@given(case=cases())
def test_what_is_cleared_passes_every_check(case: Case) -> None:
    here, _, ticket, view, now_ns = case
    exposure = here.exposure("a", ticket.conid)
    known = view.price(ticket.conid)
    if known is not None and cleared(ticket, exposure, known[0], known[1], now_ns):
        event(f"cleared: {ticket.order_type}")
        market = market_now(exposure.instrument, view, now_ns)
        assert [check(ticket, exposure, market, exposure.bounds) for check in NEW_ORDER] == [None] * len(NEW_ORDER)


@given(case=cases())
def test_both_ways_say_the_same_and_count_the_same(case: Case) -> None:
    short, slow, ticket, view, now_ns = case
    view.halted = now_ns % 2 == 1
    assert short.judge(Place((ticket,)), lambda: view, now_ns) == slow.judge(Place((ticket,)), lambda: view, now_ns)
    assert short.references == slow.references
    one, other = short.exposure("a", ticket.conid), slow.exposure("a", ticket.conid)
    assert [(u.buys, u.sells) for u in one.units] == [(u.buys, u.sells) for u in other.units]
    assert [tally.open for tally in one.tallies] == [tally.open for tally in other.tallies]
    assert one.twins.lately == other.twins.lately


def test_a_plain_order_is_cleared_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        longway, "NEW_ORDER", tuple(lambda *given, check=check: asked.append(check.__name__) for check in NEW_ORDER)
    )
    here = make_gate({"duplicate_window_s": D(0)}, {}, {})
    exposure = here.exposure("a", 1)
    view = FakeView()
    for number in range(4):
        ticket = new(D("7"), limit_price=D("99.37"), side=Side.SELL if number % 2 else Side.BUY)
        assert code_of(here.judge(Place((ticket,)), lambda: view, T0)) == "ok"
        assert here.references[ticket.coid] == 100.0
    assert not asked
    assert [units.buys for units in exposure.units] == [D(14), D(14)]
    assert [units.sells for units in exposure.units] == [D(14), D(14)]
    assert [len(tally.sent_ns) for tally, _, _ in exposure.rate_levels] == [4]


@pytest.mark.parametrize("limit_price", [D("99.375"), D("-1.00"), D(0)])
def test_a_price_off_the_tick_table_or_not_above_zero_is_for_the_checks(limit_price: Decimal) -> None:
    exposure = make_gate({"tick_and_lot": False}, {}, {}).exposure("a", 1)
    for _ in range(2):  # nor is it remembered
        assert not cleared(new(limit_price=limit_price, side=Side.SELL), exposure, 100.0, T0, T0)
    assert cleared(new(limit_price=D("99.37"), side=Side.SELL), exposure, 100.0, T0, T0)


def test_another_rate_or_limit_is_no_longer_what_was_remembered() -> None:
    rates = {"USD": D(1)}
    here = make_gate({"order_notional_max": D(2000)}, {}, {}, rates=rates)
    exposure, ticket = here.exposure("a", 1), new(10)
    assert cleared(ticket, exposure, 100.0, T0, T0) == 100.0
    rates["USD"] = D(2)
    here.rate_now("USD")
    assert not cleared(ticket, exposure, 100.0, T0, T0)  # 2,000: at the limit, and for the exact check
    assert cleared(ticket, exposure, 99.0, T0, T0) == 99.0
    here.reload(RiskSettings(account=Limits(order_notional_max=D(1000))))
    assert not cleared(ticket, exposure, 99.0, T0, T0)
    assert cleared(ticket, exposure, 49.0, T0, T0) == 49.0


@pytest.mark.parametrize(
    "terms",
    [
        {"order_type": OrderType.MARKET_ON_CLOSE},
        {"limit_price": D(100), "order_type": OrderType.LIMIT_ON_CLOSE},
        {"limit_price": D(100), "stop_price": D(99)},
        {"order_type": OrderType.TRAIL, "trail": D(1)},
        {"order_type": OrderType.TRAIL, "trail": D(1), "stop_price": D(99)},
        {"order_type": OrderType.MIDPRICE},
    ],
)
def test_only_market_and_limit_orders_and_stops_are_plain(terms: dict[str, Any]) -> None:
    exposure = make_gate({}, {}, {}).exposure("a", 1)
    assert not cleared(new(10, **terms), exposure, 100.0, T0, T0)
    assert cleared(new(), exposure, 100.0, T0, T0)
    assert cleared(new(10, order_type=OrderType.STOP, stop_price=D(99)), exposure, 100.0, T0, T0)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("price", "stop", "worst"),
    [
        (100.0, "99", 100.0),
        (100.0, "100", 100.0),
        (100.0, "101.5", 101.5),  # the collar is a limit's
        (100.0, "300", 300.0),
        (-200.0, "150", 0.0),  # no price of a stock
        (0.0, "150", 0.0),
        (100.0, "395", 395.0),
        (100.0, "400", 0.0),  # 4,000: at the limit, and for the exact check
        (100.0, "99.999", 0.0),  # no price of the tick table
        (100.0, "0", 0.0),
        (100.0, "-1", 0.0),
        (float("nan"), "99", 0.0),
        (float("inf"), "99", 0.0),
    ],
)
def test_a_stop_counts_at_the_dearer_of_its_price_and_the_market_s(
    side: Side, price: float, stop: str, worst: float
) -> None:
    exposure = make_gate({"order_notional_max": D(4000), "price_collar_pct": D(1)}, {}, {}).exposure("a", 1)
    ticket = new(10, order_type=OrderType.STOP, stop_price=D(stop), side=side)
    assert cleared(ticket, exposure, price, T0, T0) == worst
