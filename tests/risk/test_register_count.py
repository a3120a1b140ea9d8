"""What orders of a room leave in the sums: counted one by one or all at once, it is what a person would add up."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.facts import Filled
from engine.domain.messages import PositionNow, Update
from engine.domain.order import Order, State
from engine.domain.ticket import amend
from engine.risk.account import ACCOUNT
from engine.risk.exposure import Reserved
from engine.risk.meter import Meter
from engine.risk.twins import Twins
from tests.risk.made import T0, D, ask, gate, new
from tests.risk.test_catalogue import QUIET, venue
from tests.risk.test_catalogue import make as make_wide

# Whether it buys, its limit price, units, and their money.
ORDERS: list[tuple[bool, float | None, float, float]] = [
    (True, 100.0, 1.0, 100.0),
    (True, 100.5, 2.0, 201.0),  # half a unit of money worse for a buyer
    (False, 103.0, 1.0, 103.0),
    (True, None, 3.0, 300.0),
    (False, 102.0, 2.0, 206.0),  # one worse for a seller
    (True, 100.25, 1.0, 101.0),
    (False, 102.5, 4.0, 410.0),
    (True, 101.25, 5.0, 507.0),  # one worse than the buy before it
]


@pytest.mark.parametrize("at_once", [1, 2, 6, 7, 8])  # six are counted one by one, seven together
def test_what_a_room_has_taken_is_added_up_in_its_order(at_once: int) -> None:
    limits: dict[str, Any] = {**QUIET, "gross_max": D(10**6)}
    made = make_wide(venue(), **limits)
    register, account = made.exposure("a", 1).register, made.account
    assert register is not None
    rows = [(register, T0 + number, *order) for number, order in enumerate(ORDERS)]
    for first in range(0, len(rows), at_once):
        account.fresh.extend(rows[first : first + at_once])
        account.settle()
        assert not account.fresh
    times = [T0 + number for number in range(8)]
    for owner in (ACCOUNT, "a"):
        purse = account.purses[owner]
        assert (purse.sent, purse.changes, purse.notional, purse.orders_ns) == (8, 0, 1928.0, times)
    moneys = [100.0, 201.0, 103.0, 300.0, 206.0, 101.0, 410.0, 507.0]
    assert (list(account.spent), account.spent_in_all) == (list(zip(times, moneys, strict=True)), 1928.0)
    recent = register.recent
    assert (recent.size, recent.level) == (5.0, 101.25)
    assert list(recent.quantities.figures) == [1.0, 2.0, 1.0, 3.0, 2.0, 1.0, 4.0, 5.0]
    assert list(recent.levels.figures) == [100.0, 100.5, 103.0, 102.0, 100.25, 102.5, 101.25]
    assert list(recent.buys.sent) == [
        (T0, 100.0, 0.0), (T0 + 1, 100.5, 0.5), (T0 + 5, 100.25, 0.0), (T0 + 7, 101.25, 1.0),
    ]  # fmt: skip
    assert list(recent.sells.sent) == [(T0 + 2, 103.0, 0.0), (T0 + 4, 102.0, 1.0), (T0 + 6, 102.5, 0.0)]
    assert (recent.buys.total, recent.buys.last) == (1.5, 101.25)
    assert (recent.sells.total, recent.sells.last) == (1.0, 102.5)


def test_orders_of_many_are_counted_each_for_its_own() -> None:
    made = make_wide(venue(), **{**QUIET, "gross_max": D(10**6)})
    registers = [made.exposure(strategy, 1).register for strategy in "ab"]
    for number in range(8):
        register = registers[number % 4 == 3]  # two of the eight are the other's
        assert register is not None
        made.account.fresh.append((register, T0 + number, True, 100.0, 1.0, 100.0))
    made.account.settle()
    assert {owner: purse.sent for owner, purse in made.account.purses.items()} == {ACCOUNT: 8, "a": 6, "b": 2}
    assert [len(one.recent.quantities.figures) for one in registers if one is not None] == [6, 2]


def test_a_cancel_is_one_message_of_the_reading() -> None:
    made = make_wide(venue(), **{**QUIET, "gross_max": D(10**6)})
    made.exposure("a", 1)
    before = made.account.meter.messages
    made.account.cancelled("a", T0)
    assert made.account.meter.messages == before + 1
    assert [made.account.purses[owner].messages for owner in (ACCOUNT, "a")] == [1, 1]


def test_an_order_of_little_worth_adds_no_more_to_a_reading() -> None:
    meter = Meter()
    assert meter.span(1, 100.0, 0.0) == (93.75, 106.25)
    meter.charge(1, 100.0, 0.25, 0.01)
    assert meter.money == 0.25 * 106.25 * 0.01
    meter.charge(1, 100.0, 0.25, 0.01, least=3.0)
    assert meter.money == pytest.approx(0.265625 + 3.0)


def test_a_modification_counts_beyond_what_was_filled() -> None:
    """Of ten, four are filled and six are counted: twelve leave eight, which are two more."""
    made = gate(gross_max=D(10**6))
    ticket = new(10)
    assert ask(made, ticket) == "ok"
    fill = Filled(coid=ticket.coid, ts_ns=T0, exec_id="1", conid=1, side=ticket.side, quantity=D(4), price=D(100))
    partly = Order(ticket=ticket, state=State.WORKING, filled=D(4))
    made.hear([Update(partly, fill)], [])
    exposure = made.exposure("a", 1)
    assert exposure.more(amend(ticket, {"quantity": D(12)})) == 2
    assert exposure.more(amend(ticket, {"quantity": D(10)})) == 0


@pytest.mark.parametrize(("own", "of_all"), [(0, 5), (5, 0), (5, 5)])
def test_a_position_that_rises_for_one_or_for_all_ends_rooms(own: int, of_all: int) -> None:
    made = gate(gross_max=D(10**6))
    made.exposure("a", 1)
    meter = made.account.meter
    epoch = meter.epoch
    now = PositionNow("a", 1, D(own), D(0), D(0), D(of_all), D(0), "USD")
    made.hear([], [now])
    assert meter.epoch == epoch + 1
    made.hear([], [now])  # no news
    assert meter.epoch == epoch + 1


def test_a_combo_is_restricted_with_any_of_its_legs() -> None:
    for symbol, barred in (("AAA", True), ("STP", True), ("FUT", False)):
        assert gate(restricted=(symbol,)).exposure("a", 9).bounds.restricted is barred


def test_own_orders_are_looked_after_where_a_limit_forbids_to_meet_them() -> None:
    made = gate(self_trade=False)
    resting = made.exposure("a", 1).resting
    assert resting is not None
    assert made.exposure("b", 1).resting is resting
    assert made.exposure("a", 2).resting is not resting
    assert gate(self_trade=True).exposure("a", 1).resting is None
    assert gate().exposure("a", 1).resting is None


def test_a_modification_is_the_first_that_is_remembered_of_late() -> None:
    ticket, twins = new(10, limit_price=D(99)), Twins({})
    twins.rewritten(Reserved(gate().exposure("a", 1), ticket), ticket, T0, 5)
    assert list(twins.lately) == [(T0, ticket)]
