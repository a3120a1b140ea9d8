"""What the short way never takes, whoever is asked: orders of other terms, and times that no session is open at."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.messages import Cancel, Place, PositionNow
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import OrderType, Side, Tif
from engine.risk.clear import clear
from engine.risk.gate import Gate
from engine.risk.outside import Summary
from engine.risk.recent import WALK_MAX
from engine.risk.rooms import Room
from engine.settings import Limits, RiskSettings
from tests.risk.made import INSTRUMENTS, RATES, SESSIONS, T0, WIDE, D, FakeView, ask, code_of, make_gate, new
from tests.risk.test_catalogue import QUIET, Market, venue
from tests.risk.test_catalogue import make as make_wide

SHOWN = {"displayed_size_pct": D(1)}

OTHERWISE: list[dict[str, Any]] = [
    {"order_type": OrderType.STOP, "stop_price": D(101), "outside_rth": True},
    {"order_type": OrderType.STOP, "stop_price": D(101), "parent": "a-404404"},
    {"order_type": OrderType.STOP_LIMIT, "limit_price": D(100), "stop_price": D(100)},
    {"order_type": OrderType.TRAIL, "trail": D(1), "stop_price": D(101)},
    {"order_type": OrderType.MARKET_ON_CLOSE},
    {"limit_price": D(100), "tif": Tif.IOC},
    {"limit_price": D(100), "tif": Tif.OPG},
    {"limit_price": D(100), "parent": "a-404404"},
    {"limit_price": D(100), "oca_group": "g"},
    {"limit_price": D(100), "outside_rth": True},
]


def room_of(gate: Gate, side: Side) -> Room:
    """The room of strategy a in instrument 1."""
    plan = gate.exposure("a", 1).plan
    assert plan is not None
    room = plan.buys if side is Side.BUY else plan.sells
    assert room is not None
    return room


@pytest.mark.parametrize("terms", OTHERWISE)
def test_an_order_of_other_terms_is_for_the_checks(terms: dict[str, Any]) -> None:
    exposure = make_gate({}, {}, {}).exposure("a", 1)
    level = 100.0 if "limit_price" in terms else None
    assert clear(new(limit_price=D(100)), exposure, True, 100.0, 100.0, T0, T0) == 100.0
    assert clear(new(**terms), exposure, True, level, 100.0, T0, T0) == 0.0


@pytest.mark.parametrize("terms", [{"order_type": OrderType.STOP, "stop_price": D(101)}, *OTHERWISE])
def test_an_order_of_other_terms_has_no_room(terms: dict[str, Any]) -> None:
    gate, market = make_wide(gross_max=D(10**6)), Market()
    gate.exposure("a", 1)
    assert code_of(gate.judge(Place((new(1, limit_price=D(100)),)), lambda: market, T0)) == "ok"
    room = room_of(gate, Side.BUY)
    level = 100.0 if "limit_price" in terms else None
    assert room.fits(new(1, limit_price=D(100)), market, 100.0, T0, 100.0, T0) == 100.0
    assert room.fits(new(1, **terms), market, 100.0, T0, level, T0) == 0.0


@pytest.mark.parametrize("limits", [{}, {"gross_max": D(10**6)}])
def test_a_session_opens_and_closes_on_its_nanosecond(limits: dict[str, Any]) -> None:
    """From 900 to 9,000 s; asked a few times on either side, so that the session is remembered, and a room measured."""
    opens_ns, closes_ns = 900 * NS_PER_S, 9_000 * NS_PER_S
    gate = make_gate({**WIDE, "session_hours": True, **limits}, {}, {})
    for at_ns, code in ((opens_ns - 1, "CLOSED"), (opens_ns, "ok"), (closes_ns - 1, "ok"), (closes_ns, "CLOSED")):
        for _ in range(3):
            assert ask(gate, new(1, limit_price=D(100)), at_ns=at_ns) == code


@pytest.mark.parametrize("limits", [{}, {"gross_max": D(10**6)}])
@pytest.mark.parametrize("session_hours", [False, True])
def test_nothing_is_sent_before_the_warm_up_is_over(limits: dict[str, Any], session_hours: bool) -> None:
    gate = make_gate({**WIDE, "session_hours": session_hours, **limits}, {}, {}, warm_up_until_ns=T0)
    for at_ns, code in ((T0 - 1, "WARM_UP"), (T0, "ok"), (T0 - 1, "WARM_UP"), (T0 + 1, "ok")):
        for _ in range(3):
            assert ask(gate, new(1, limit_price=D(100)), at_ns=at_ns) == code


def test_where_sessions_are_not_known_nothing_is_open() -> None:
    gate = Gate(
        settings=RiskSettings(account=Limits(**{**WIDE, "session_hours": True})), instruments=INSTRUMENTS,
        sessions={"24/7": SESSIONS["24/7"]}, rates=RATES,
    )  # fmt: skip
    view = FakeView()
    for conid, code in ((1, "CLOSED"), (3, "ok")):
        for _ in range(2):
            verdict = gate.judge(Place((new(1, conid=conid, limit_price=D(100)),)), lambda: view, T0)
            assert code_of(verdict) == code


def plain(gate: Gate, price: str, side: Side = Side.BUY, market: float = 100.0, quantity: int = 1) -> str:
    view = Market(prices={1: market})
    return code_of(gate.judge(Place((new(quantity, limit_price=D(price), side=side),)), lambda: view, T0))


@pytest.mark.parametrize("side", Side)
def test_in_a_room_a_limit_may_lie_as_far_from_the_market_as_the_collar_says(side: Side) -> None:
    gate = make_wide(price_collar_pct=D(1), gross_max=D(10**6))
    gate.exposure("a", 1)
    assert [plain(gate, "100", side) for _ in range(4)] == ["ok"] * 4
    assert room_of(gate, side).fits(new(1, limit_price=D(100), side=side), Market(), 100.0, T0, 100.0, T0)
    for price, code in (("100.9", "ok"), ("101", "ok"), ("101.01", "COLLAR"), ("102", "COLLAR")):
        assert plain(gate, price if side is Side.BUY else str(200 - D(price)), side) == code
    for price in ("98", "102"):  # however far the other way
        assert plain(gate, price, Side.BUY if price == "98" else Side.SELL) == "ok"


@pytest.mark.parametrize("side", Side)
def test_a_step_back_makes_no_walk_shorter_where_the_market_has_fallen(side: Side) -> None:
    """2 % of 94.5 are 1.89, and 1.9 were gone; of 96 they are 1.92."""
    gate = make_wide(price_drift_pct=D(2))
    gate.exposure("a", 1)
    prices = ("100", "101.9", "101.8", "101.7")
    first, second, third, fourth = prices if side is Side.BUY else tuple(str(200 - D(price)) for price in prices)
    assert [plain(gate, first, side), plain(gate, second, side)] == ["ok", "ok"]
    assert plain(gate, third, side, market=94.5) == "DRIFT"
    assert plain(gate, third, side, market=96.0) == "ok"
    assert plain(gate, fourth, side, market=94.5) == "DRIFT"


def settled(limits: dict[str, Any], price: Decimal | None = None, **facts: Any) -> tuple[Gate, Market]:
    """A gate in which orders of both sides stay in a room; at a limit price, or else at the market."""
    gate, market = make_wide(venue(**facts), **{**QUIET, "gross_max": D(10**6), **limits}), Market()
    gate.exposure("a", 1)
    terms: dict[str, Any] = {} if price is None else {"limit_price": price}
    level = None if price is None else float(price)
    for side in (Side.BUY, Side.SELL) * 3:
        assert sent(gate, market, side, **terms) == "ok"
    for side in Side:
        assert room_of(gate, side).fits(new(1, side=side, **terms), market, 100.0, T0, level, T0) == 100.0
    return gate, market


def sent(gate: Gate, market: Market, side: Side = Side.BUY, quantity: int = 1, **terms: Any) -> str:
    ticket = new(quantity, side=side, **terms)
    return code_of(gate.judge(Place((ticket,)), lambda: market, T0))


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"two_sided": True}, "ONE_SIDED"), ({"spread_max_pct": D(1)}, "ok"), (SHOWN, "DISPLAYED")],
)
def test_a_quote_that_is_gone_leaves_no_room(limits: dict[str, Any], code: str) -> None:
    gate, market = settled(limits)
    market.quoted = False
    assert [sent(gate, market, side) for side in Side] == [code, code]


@pytest.mark.parametrize("side", Side)
def test_a_room_looks_at_the_size_on_the_other_side_of_the_order(side: Side) -> None:
    gate, market = settled(SHOWN)
    market.bid_size, market.ask_size = (1e6, 300.0) if side is Side.BUY else (300.0, 1e6)
    assert sent(gate, market, side, 3) == "ok"
    assert sent(gate, market, side, 4) == "DISPLAYED"
    assert sent(gate, market, side.opposite, 4) == "ok"


def test_an_order_of_another_account_has_no_room() -> None:
    gate, market = settled({})
    assert sent(gate, market, account="DU2") == "ACCOUNT"
    assert sent(gate, market) == "ok"


def test_an_order_whose_margin_was_previewed_is_held_against_the_preview() -> None:
    """Of 10,000 that are free 500 stay, and six shares that were sent take 50 each by our own rule."""
    summary = Summary(ts_ns=0, net_liquidation=D(10_000), excess_liquidity=D(10_000), buying_power=D(10**6))
    gate, market = settled({"margin_cushion_pct": D(5)}, summary=summary)
    assert gate.account.outside is not None
    for told, code, then in ((D(9201), "MARGIN", "ok"), (D(9150), "ok", "MARGIN")):
        ticket = new(1)
        gate.account.outside.what_if[ticket.coid] = told
        assert code_of(gate.judge(Place((ticket,)), lambda: market, T0)) == code
        assert sent(gate, market) == then


@pytest.mark.parametrize("side", Side)
def test_in_a_room_an_order_may_come_near_to_own_orders_and_not_reach_them(side: Side) -> None:
    gate, market = make_wide(**{**QUIET, "self_trade": False, "gross_max": D(10**6)}), Market()
    for strategy in "ab":
        gate.exposure(strategy, 1)

    def at(ticks: int, strategy: str = "a", of: Side = side) -> str:
        return sent(gate, market, of, limit_price=D(100) + D("0.01") * ticks * side.sign, strategy=strategy)

    assert at(5, "b", side.opposite) == "ok"
    assert [at(ticks) for ticks in (0, 1, 2, 3, 4)] == ["ok"] * 5
    room = room_of(gate, side)
    ticket = new(1, side=side, limit_price=D("100.04") if side is Side.BUY else D("99.96"))
    assert room.fits(ticket, market, 100.0, T0, float(ticket.limit_price or 0), T0) > 0.0
    assert [at(5), at(6), at(4)] == ["SELF_TRADE", "SELF_TRADE", "ok"]


STAKES = ("gross_max", "net_max", "sector_max", "currency_max")
COUNTS = ("messages_per_minute_max", "orders_per_hour_max", "orders_per_day_max", "messages_per_day_max")
FAR: dict[str, Any] = {**dict.fromkeys(STAKES, D(10**6)), "leverage_max": D(10**3)}
FAR_COUNTS: dict[str, Any] = {**dict.fromkeys(COUNTS, 10**6), "notional_per_day_max": D(10**6)}
CODES = {"messages_per_minute_max": "MESSAGES", "orders_per_hour_max": "THROTTLE", "leverage_max": "LEVERAGE"}


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("strategy", [False, True])
@pytest.mark.parametrize("name", [*FAR, *FAR_COUNTS])
def test_a_limit_is_kept_by_itself_and_beside_all_others(name: str, strategy: bool, beside: bool) -> None:
    """Ten orders of one unit at 100 are 1,000: as much as is allowed, and once what the account is worth."""
    near = 10 if name in COUNTS else D(1) if name == "leverage_max" else D(1000)
    far = (FAR if name in FAR else FAR_COUNTS) if beside else {}
    limits = {**far, name: near}
    of = {"strategy": {"a": Limits(**limits)}} if strategy else limits
    gate, market = make_wide(equity=1000.0, sectors={"AAA": "tech"}, **of), Market()
    gate.exposure("a", 1)
    code = CODES.get(name, "DAY" if name in FAR_COUNTS else name.removesuffix("_max").upper())
    assert [sent(gate, market) for _ in range(11)] == ["ok"] * 10 + [code]


@pytest.mark.parametrize("window_s", [0, 2])
@pytest.mark.parametrize("others", [0, 20])  # a few are looked through, many are counted
def test_a_room_takes_no_order_twice(window_s: int, others: int) -> None:
    gate, market = settled({"duplicate_window_s": D(window_s)})
    for number in range(others):
        assert sent(gate, market, limit_price=D(80 + number)) == "ok"
    first = new(1, limit_price=D(99), tag="one")
    assert code_of(gate.judge(Place((first,)), lambda: market, T0)) == "ok"
    for code in ("ok", "DUPLICATE"):
        assert sent(gate, market, limit_price=D(99), tag="other") == code
        assert sent(gate, market, limit_price=D(99), tag="one") == "DUPLICATE"
        assert sent(gate, market) == "ok"
    assert sent(gate, market, Side.SELL, limit_price=D(99), tag="one") == "ok"
    assert sent(gate, market, quantity=2, limit_price=D(99), tag="one") == "ok"
    gate.judge(Cancel(first.coid, "a"), lambda: market, T0)
    assert sent(gate, market, limit_price=D(99), tag="one") == "ok"
    assert sent(gate, market, limit_price=D(99), tag="one") == "DUPLICATE"


@pytest.mark.parametrize("side", Side)
def test_prices_walk_in_a_room_as_anywhere(side: Side) -> None:
    """2 % of 100; steps of 0.5, 0.5, 0.4, a step back, and 0.3: 1.7 are gone, and then 0.4 are too much."""
    gate = make_wide(price_drift_pct=D(2))
    gate.exposure("a", 1)
    room = None
    for price in ("100", "100.5", "101", "101.4", "101.2", "101.5"):
        assert plain(gate, price if side is Side.BUY else str(200 - D(price)), side) == "ok"
        room = room or room_of(gate, side)
    assert room is not None
    assert room.walked == pytest.approx(1.7)
    for price, code in (("101.9", "DRIFT"), ("101.1", "ok"), ("101.3", "ok"), ("101.5", "DRIFT")):
        assert plain(gate, price if side is Side.BUY else str(200 - D(price)), side) == code


@pytest.mark.parametrize("limits", [{}, {"gross_max": D(10**6)}])
@pytest.mark.parametrize("side", Side)
def test_an_orders_own_price_counts_where_nothing_else_is_limited(limits: dict[str, Any], side: Side) -> None:
    gate = make_wide(price_collar_pct=D(5), order_notional_max=D(1030), **limits)
    gate.exposure("a", 1)
    for price, quantity, code in (
        ("101", 1, "ok"), ("105", 1, "ok"), ("105.01", 1, "COLLAR"), ("102", 10, "ok"), ("104", 10, "NOTIONAL"),
    ):  # fmt: skip
        for _ in range(2):
            assert plain(gate, price, quantity=quantity) == code
    for price, code in (("95", "ok"), ("94.99", "COLLAR")):
        assert plain(gate, price, Side.SELL) == code


@pytest.mark.parametrize("strategy", ["a", "b"])
@pytest.mark.parametrize("side", Side)
def test_an_order_at_any_price_that_is_open_is_met_by_all(strategy: str, side: Side) -> None:
    gate, market = make_wide(self_trade=False), Market()
    for one in "ab":
        gate.exposure(one, 1)
    assert sent(gate, market, side, strategy=strategy) == "ok"
    far = D(100) + 90 * side.sign
    assert sent(gate, market, side.opposite, limit_price=far, strategy="a") == "SELF_TRADE"
    assert sent(gate, market, side, limit_price=far - 95 * side.sign, strategy="a") == "ok"


@pytest.mark.parametrize("strategy", [False, True])
@pytest.mark.parametrize("side", Side)
def test_one_order_for_all_that_is_left_of_a_position_and_no_more(strategy: bool, side: Side) -> None:
    limits: dict[str, Any] = {"position_max": D(2000)}
    of: dict[str, Any] = {"strategy": {"a": Limits(**limits)}} if strategy else limits
    gate, market = make_wide(gross_max=D(10**9), **of), Market()
    gate.exposure("a", 1)
    assert [sent(gate, market, side) for _ in range(5)] == ["ok"] * 5
    assert sent(gate, market, side, 1996) == "POSITION"
    assert sent(gate, market, side, 1995) == "ok"
    assert sent(gate, market, side.opposite, 2000) == "ok"  # what is open on one side makes no room on the other
    assert sent(gate, market, side.opposite, 1) == "POSITION"


@pytest.mark.parametrize(
    ("limits", "taken", "refused"),
    [
        ({"order_types": ("LMT",)}, {"limit_price": D(100)}, {}),
        ({"order_types": ("MKT",)}, {}, {"limit_price": D(100)}),
        ({"tifs": ("DAY",)}, {"limit_price": D(100)}, {"limit_price": D(100), "tif": Tif.GTC}),
        ({"order_notional_max": D(1000)}, {"limit_price": D(100)}, {"limit_price": D(100), "quantity": 11}),
    ],
)
def test_what_a_limit_forbids_to_one_order_has_no_room(
    limits: dict[str, Any], taken: dict[str, Any], refused: dict[str, Any]
) -> None:
    gate, market = make_wide(gross_max=D(10**6), **limits), Market()
    gate.exposure("a", 1)
    assert [sent(gate, market, **taken) for _ in range(4)] == ["ok"] * 4
    assert [sent(gate, market, **refused) == "ok" for _ in range(2)] == [False, False]
    assert sent(gate, market, **taken) == "ok"


@pytest.mark.parametrize("others", [0, 4])
def test_what_the_account_holds_may_be_sold_and_no_more_whoever_holds_it(others: int) -> None:
    """Twenty of one strategy and ten short of another are ten of the account's, less what is offered already."""
    gate, market = make_wide(venue(), **{**QUIET, "short_availability": True}), Market()
    gate.hear([], [PositionNow("b", 1, D(-10), D(0), D(0), D(-10), D(0), "USD")])
    gate.hear([], [PositionNow("a", 1, D(20), D(0), D(0), D(10), D(0), "USD")])
    for _ in range(others):
        assert sent(gate, market, Side.SELL, strategy="b") == "ok"
    said = [sent(gate, market, Side.SELL) == "ok" for _ in range(12)]
    assert said == [True] * (10 - others) + [False] * (2 + others)


@pytest.mark.parametrize("side", Side)
def test_an_order_beside_a_room_leaves_its_price_in_the_walk(side: Side) -> None:
    register = make_wide(price_drift_pct=D(50)).exposure("a", 1).register
    assert register is not None
    buy = side is Side.BUY
    for number, price in enumerate((100.0, 101.0, 100.5, 102.0)):
        register.add(price, buy, price, 1.0, price, T0 + number)
    walk = register.recent.walk(side)
    steps = (0.0, 1.0, 0.0, 1.5) if buy else (0.0, 0.0, 0.5, 0.0)
    assert [step for _, _, step in walk.sent] == list(steps)
    assert (walk.total, walk.last) == (sum(steps), 102.0)
    for number in range(4, WALK_MAX + 4):
        register.add(102.0, buy, 102.0, 1.0, 102.0, T0 + number)
        assert len(walk.sent) == min(number + 1, WALK_MAX)  # the oldest leaves, and no other
    assert walk.total == 0.0
