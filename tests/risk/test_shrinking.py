"""An order that is too large is cut down to whole lots of what its limit has room for, and nothing else is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.messages import Approved, Denied, Place
from engine.domain.ticket import OrderTicket, Side
from engine.risk.gate import Gate
from engine.settings import Limits
from tests.risk import made
from tests.risk.made import T0, D, FakeView, new
from tests.risk.test_catalogue import PAIR, Market, ask, hold, make

SELL = Side.SELL


def got(gate: Gate, ticket: OrderTicket, market: Any = None) -> Decimal | str:
    """How many units of it were approved; the code if it was refused."""
    verdict = gate.judge(Place((ticket,)), lambda: market or Market(), T0)
    if isinstance(verdict, Denied):
        return verdict.refusal.code
    assert isinstance(verdict, Approved)
    assert isinstance(verdict.intent, Place)
    return verdict.intent.tickets[0].quantity


@pytest.mark.parametrize(
    ("limits", "terms", "units"),
    [
        ({"position_max": D(8)}, {}, 5),  # 3 are held
        ({"position_max": D(8)}, {"side": SELL, "quantity": 20}, 11),
        ({"position_max": D(8), "strategy": {"a": Limits(position_max=D(7))}}, {}, 4),
        ({"displayed_size_pct": D(2)}, {"side": SELL, "quantity": 20}, 10),  # 2 % of 500 bid
        ({"displayed_size_pct": D(2)}, {"quantity": 20}, 6),  # of 300 offered
        ({"average_volume_pct": D(2), "average_volume": D(400)}, {}, 8),
        ({"order_notional_max": D(999)}, {"limit_price": D(120)}, 8),
        ({"order_notional_max": D(999)}, {"conid": 2}, 7),  # a EUR is 1.25
    ],
)
def test_as_much_as_its_limit_has_room_for(limits: dict[str, Any], terms: dict[str, Any], units: int) -> None:
    gate = make(shrink=True, **limits)
    hold(gate, 3)
    assert got(gate, new(**terms)) == units


def test_whole_lots_and_what_a_contract_stands_for() -> None:
    shares = made.gate(shrink=True, order_quantity_max=D("7.7"))
    assert got(shares, new(10), FakeView()) == D("7.5")  # lots of half a share
    futures = made.gate(shrink=True, order_notional_max=D(20_000))
    assert got(futures, new(10, conid=2), FakeView()) == 3  # 50 at 100 EUR each, 6,250 in base currency
    assert got(made.gate(shrink=True, order_quantity_max=D("0.4")), new(10), FakeView()) == "QUANTITY"


def test_what_belongs_to_others_is_never_cut_down() -> None:
    limits: dict[str, Any] = {"shrink": True, "order_quantity_max": D(9)}
    assert got(make(**limits), new(10, oca_group="a-oca-1")) == "QUANTITY"
    assert got(make(**limits), new(10, conid=PAIR.conid)) == "QUANTITY"
    gate = make(**limits)
    entry = new(9, limit_price=D(100))
    assert ask(gate, entry) == "ok"
    assert got(gate, new(10, side=SELL, limit_price=D(110), parent=entry.coid)) == "QUANTITY"


def test_what_is_not_known_has_no_room() -> None:
    limits: dict[str, Any] = {"shrink": True, "displayed_size_pct": D(2)}
    assert got(make(**limits), new(10), Market(ask_size=float("nan"))) == "DISPLAYED"
    assert got(make(**limits), new(10), Market(quoted=False)) == "DISPLAYED"
    assert got(make(shrink=True, average_volume_pct=D(2)), new(10)) == "VOLUME"
