"""What the short way never takes, whoever is asked: orders of other terms, and times that no session is open at."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.messages import Place
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import OrderType, Side, Tif
from engine.risk.clear import clear
from engine.risk.gate import Gate
from engine.risk.rooms import Room
from engine.settings import Limits, RiskSettings
from tests.risk.made import INSTRUMENTS, RATES, SESSIONS, T0, WIDE, D, FakeView, ask, code_of, make_gate, new
from tests.risk.test_catalogue import Market
from tests.risk.test_catalogue import make as make_wide

OTHERWISE: list[dict[str, Any]] = [
    {"order_type": OrderType.STOP, "stop_price": D(101)},
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


@pytest.mark.parametrize("terms", OTHERWISE)
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
