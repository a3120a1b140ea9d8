"""Sums of money, each worked out by hand: combos by their legs, both sides of a net, changes under a lowered limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.messages import Modify, Place
from engine.domain.ticket import OrderType, Side
from engine.risk.gate import Gate
from engine.settings import Limits, RiskSettings
from tests.risk.made import T0, WIDE, D, code_of, new
from tests.risk.test_catalogue import KNOWN, Market, ask, hold, make

BUY, SELL = Side.BUY, Side.SELL
PAIR, DOUBLE = 21, 22  # one of 1 against one of 2, and two against two; 2 is in euros at 1.25


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("conid", "price", "limits", "code"),
    [
        (PAIR, 100.0, {"gross_max": D(225)}, "ok"),  # 100 + 125
        (PAIR, 100.0, {"gross_max": D(224)}, "GROSS"),
        (DOUBLE, 100.0, {"gross_max": D(450)}, "ok"),
        (DOUBLE, 100.0, {"gross_max": D(449)}, "GROSS"),
        (PAIR, 0.5, {"gross_max": D("1.125")}, "ok"),  # 0.5 + 0.625: no leg is worth more than the market says
        (PAIR, 0.5, {"gross_max": D("1.124")}, "GROSS"),
        (PAIR, 100.0, {"net_max": D(125)}, "ok"),  # one side is worth 100, the other 125
        (PAIR, 100.0, {"net_max": D(124)}, "NET"),
        (DOUBLE, 100.0, {"net_max": D(250)}, "ok"),
        (DOUBLE, 100.0, {"net_max": D(249)}, "NET"),
    ],
)
def test_a_combo_counts_by_its_legs(side: Side, conid: int, price: float, limits: dict[str, Any], code: str) -> None:
    market = Market(prices=dict.fromkeys(KNOWN, price))
    assert ask(make(**limits), new(1, conid=conid, side=side), market=market) == code


def lowered(gate: Any, **limits: Any) -> None:
    gate.reload(RiskSettings(account=Limits(**{**WIDE, **limits})))


def test_what_is_left_on_the_other_side_of_a_net_counts_at_the_markets_price() -> None:
    """Ten are held at 100, and one more is wanted at 150: against what is sold they make up for 1,000 only."""
    gate = make()
    hold(gate, 10)
    assert ask(gate, new(1, limit_price=D(150))) == "ok"
    lowered(gate, net_max=D(500))
    assert ask(gate, new(16, conid=14, side=SELL)) == "NET"
    assert ask(gate, new(15, conid=14, side=SELL)) == "ok"
    assert ask(gate, new(1, conid=14, side=SELL)) == "NET"


@pytest.mark.parametrize(("quantity", "price", "code"), [(9, "101", "ok"), (10, "100", "ok"), (10, "101", "DAY")])
def test_a_stop_counts_at_its_own_price(quantity: int, price: str, code: str) -> None:
    gate = make(notional_per_day_max=D(1000))
    assert ask(gate, new(quantity, order_type=OrderType.STOP, stop_price=D(price))) == code


@pytest.mark.parametrize(
    ("changes", "code"), [({"quantity": D(9)}, "ok"), ({"limit_price": D(98)}, "ok"), ({"quantity": D(11)}, "DAY")]
)
def test_a_change_that_adds_nothing_passes_a_limit_that_is_reached(changes: dict[str, Any], code: str) -> None:
    gate, first = make(notional_per_day_max=D(2000)), new(10, limit_price=D(99))
    assert [ask(gate, first), ask(gate, new(5))] == ["ok", "ok"]
    lowered(gate, notional_per_day_max=D(1200))
    assert ask(gate, new(1)) == "DAY"
    view = Market()
    assert code_of(gate.judge(Modify(first.coid, "a", changes), lambda: view, T0)) == code


def test_a_strategys_sum_is_not_made_smaller_by_anothers_group() -> None:
    """Of a group of three by b in two instruments only the larger counts for the account, and all of a's own."""
    gate = make(strategy={"a": Limits(gross_max=D(2000))}, gross_max=D(3000))
    group = [new(5, conid=conid, strategy="b", oca_group="g", limit_price=D(99)) for conid in (1, 14)]
    assert ask(gate, *group) == "ok"  # 500 of 1,000
    assert [ask(gate, new(10)), ask(gate, new(10, conid=14)), ask(gate, new(1))] == ["ok", "ok", "GROSS"]
    assert [ask(gate, new(6, strategy="b")), ask(gate, new(5, strategy="b"))] == ["GROSS", "ok"]


def test_a_group_of_anothers_does_not_hide_what_a_strategy_has_at_stake_already() -> None:
    """a holds 10 of each, more than it may since its limit was lowered; to sell 5 of one lifts nothing."""
    gate = make()
    for conid in (1, 14):
        hold(gate, 10, conid)
    group = [new(5, conid=conid, strategy="b", oca_group="g", limit_price=D(99)) for conid in (1, 14)]
    assert ask(gate, *group) == "ok"
    gate.reload(RiskSettings(account=Limits(**WIDE), strategy={"a": Limits(gross_max=D(1900))}))
    assert ask(gate, new(5, side=SELL)) == "ok"
    assert ask(gate, new(1)) == "GROSS"


def limited(name: str, money: Decimal) -> Gate:
    limits: dict[str, Any] = {name: money}
    return make(**limits)


def grouped(gate: Gate, side: Side, *orders: tuple[int, int], name: str = "g") -> str:
    """Ask for one OCA group: conids and quantities."""
    price = D(99) if side is BUY else D(101)
    found = [new(quantity, conid=conid, side=side, oca_group=name, limit_price=price) for conid, quantity in orders]
    view = Market(prices={**dict.fromkeys(KNOWN, 100.0), **({} if side is BUY else dict.fromkeys(KNOWN, 101.0))})
    return code_of(gate.judge(Place(tuple(found)), lambda: view, T0))


@pytest.mark.parametrize("limit", ["gross_max", "net_max"])
@pytest.mark.parametrize(
    ("orders", "money"),
    [
        ([(1, 5), (14, 5)], 500),
        ([(1, 3), (14, 5)], 500),
        ([(1, 5), (14, 3)], 500),
        ([(1, 5), (2, 5)], 625),  # at 1.25
        ([(1, 5), (2, 4), (14, 4)], 500),
    ],
)
def test_of_a_group_only_the_dearest_order_counts(orders: list[tuple[int, int]], money: int, limit: str) -> None:
    assert grouped(limited(limit, D(money)), BUY, *orders) == "ok"
    assert grouped(limited(limit, D(money) - 1), BUY, *orders) == limit.removesuffix("_max").upper()
    assert grouped(limited(limit, D(money) * D("1.01")), SELL, *orders) == "ok"  # at 101
    assert grouped(limited(limit, D(money) * D("1.01") - 1), SELL, *orders) == limit.removesuffix("_max").upper()


@pytest.mark.parametrize("limit", ["gross_max", "net_max"])
def test_groups_count_beside_one_another(limit: str) -> None:
    """One of five at 100 and one of four: 900, whichever they are."""
    for money, code in ((900, "ok"), (899, limit.removesuffix("_max").upper())):
        gate = limited(limit, D(money))
        assert grouped(gate, BUY, (1, 5), (14, 5)) == "ok"
        assert grouped(gate, BUY, (1, 4), (14, 4), name="h") == code


@pytest.mark.parametrize(("limit", "code"), [("gross_max", "GROSS"), ("net_max", "NET")])
@pytest.mark.parametrize("side", Side)
def test_a_group_that_turns_a_position_counts_by_what_is_beyond_it(side: Side, limit: str, code: str) -> None:
    """Ten held; 25 the other way leave 15, beside which three elsewhere are the lesser part."""
    for money, said in ((1515, "ok"), (1514, code)):
        gate = limited(limit, D(money) if side is SELL else D(money) * 100 / 101)
        hold(gate, -10 * side.sign, conid=14)
        assert grouped(gate, side, (1, 3), (14, 25)) == said


def test_what_is_at_stake_beyond_a_combo_counts_and_without_a_price_nothing_is_told() -> None:
    gate = make(gross_max=D(1000))
    assert ask(gate, new(1, conid=PAIR)) == "ok"  # 225
    hold(gate, 5, conid=14)
    assert [ask(gate, new(3)), ask(gate, new(2))] == ["GROSS", "ok"]
    for price in (float("nan"), float("inf"), None):
        market = Market()
        if price is None:
            del market.prices[14]
        else:
            market.prices[14] = price
        assert ask(gate, new(1, tag="again"), market=market) == "NO_PRICE"


def test_legs_count_at_the_markets_price_once_they_are_open_too() -> None:
    gate, market = make(gross_max=D("2.25")), Market(prices=dict.fromkeys(KNOWN, 0.5))
    assert [ask(gate, new(1, conid=PAIR), market=market) for _ in range(3)] == ["ok", "ok", "GROSS"]
