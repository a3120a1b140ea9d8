"""Short sales on the short way: as many as can be borrowed, at an allowed fee; what is not known is not there."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.ticket import Side
from tests.risk.made import D
from tests.risk.test_changing import WITH_STOPS, pair
from tests.risk.test_rooms import STOCK, settings_of
from tests.risk.test_rooms_end import begun, place

SELL = Side.SELL


LENT: list[tuple[dict[str, Any], int, int, str | None, int]] = [
    # limits, held, lent and at what fee, and so many may be sold: open sales beyond what is held have to be borrowed
    ({"short_availability": True}, 12, 20, "9", 32),
    ({"short_availability": True}, 0, 20, "9", 20),
    ({"short_availability": True}, -12, 20, "9", 20),
    ({"short_availability": True, "borrow_fee_max_pct": D(2)}, 12, 20, "2", 32),
    ({"short_availability": True, "borrow_fee_max_pct": D(2)}, 12, 20, "2.01", 12),
    ({"short_availability": True, "borrow_fee_max_pct": D(2)}, 12, 20, None, 12),
    ({"short_availability": True}, 12, 20, None, 32),
    ({"borrow_fee_max_pct": D(2)}, 0, 5, "2", 40),
]


@pytest.mark.parametrize("strategy", [False, True])
@pytest.mark.parametrize(("limits", "held", "lent", "fee", "most"), LENT)
def test_no_more_is_sold_short_in_a_room_than_can_be_borrowed(
    limits: dict[str, Any], held: int, lent: int, fee: str | None, most: int, strategy: bool
) -> None:
    made = begun(limits, strategy=strategy)
    made.the_venue_lends(conid=STOCK, shares=lent, fee=None if fee is None else D(fee))
    made.a_position_is_another(strategy="a", conid=STOCK, quantity=held)
    assert place(made, 40, side=SELL) == most
    assert made.fitted >= most // 2


def test_what_is_lent_may_change_while_a_room_holds() -> None:
    made = begun({"short_availability": True})
    made.the_venue_lends(conid=STOCK, shares=30, fee=None)
    assert place(made, 10, side=SELL) == 10
    made.the_venue_lends(conid=STOCK, shares=12, fee=None)
    assert place(made, 5, side=SELL) == 2
    made.the_venue_lends(conid=STOCK, shares=16, fee=None)
    assert place(made, 10, side=SELL) == 4
    made.the_venue_lends(conid=STOCK, shares=None, fee=None)
    assert place(made, 1, side=SELL) == 0
    assert place(made, 10) == 10


def test_who_buys_back_while_sales_are_open_makes_room_for_no_more_of_them() -> None:
    """Of 20 that are lent all are sold, 8 of which have traded; what is bought back is not there before it trades."""
    made = begun({"short_availability": True})
    made.the_venue_lends(conid=STOCK, shares=20, fee=None)
    assert place(made, 25, side=SELL) == 20
    made.a_position_is_another(strategy="a", conid=STOCK, quantity=-8)
    assert place(made, 8) == 8
    assert place(made, 1, side=SELL) == 0
    made.a_position_is_another(strategy="a", conid=STOCK, quantity=3)
    assert place(made, 9, side=SELL) == 3


def test_a_modification_sells_no_more_short_than_can_be_borrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six are lent to one who holds none; up to there the table is not asked."""
    desk = pair(settings_of([WITH_STOPS, {}, {}]))
    desk.lend(6)
    first = desk.ticket(cents=20, side=SELL)
    assert desk.place(first)
    table, asked = desk.gates[0]._long_way.modify, []

    def ask(*of: Any) -> Any:
        asked.append(of)
        return table(*of)

    monkeypatch.setattr(desk.gates[0]._long_way, "modify", ask)
    for quantity in (3, 5, 4, 6):
        assert desk.modify(first.coid, quantity=D(quantity))
        desk.same()
    assert not asked
    assert not desk.modify(first.coid, quantity=D(7))
    desk.lend(None)
    assert not desk.modify(first.coid, limit_price=D("100.3"))
    assert len(asked) == 2


def test_an_order_that_rested_across_and_is_over_stands_in_no_way() -> None:
    made = begun({"self_trade": False})
    made.a_position_is_another(strategy="a", conid=STOCK, quantity=20)
    assert place(made, 3) == 3
    for ticks in (25, None):
        for live in list(made.open):
            made.over(live)
        assert place(made, 1, side=SELL, ticks=20) == 1
        made.over(made.open[-1])
        before = made.fitted
        assert place(made, 2, ticks=ticks) == 2
        assert made.fitted == before + 2
