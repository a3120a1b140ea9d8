"""Money at stake is counted at the dearest price reserved: a strategy's at its own orders', the account's at all."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.domain.facts import Accepted, Answer, AnswerMissing, Cancelled, Filled
from engine.domain.messages import Modify, Update
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, Side
from engine.risk.gate import Gate
from engine.risk.stakes import stakes
from engine.settings import Limits
from tests.risk.made import T0, D, code_of, new
from tests.risk.test_catalogue import PAIR, Market, ask, change, make

HUGE = D(10**9)
SELL = Side.SELL


def gross(gate: Gate, strategy: str | None, market: Market | None = None) -> float:
    found = stakes(gate.account, market or Market(), {}, strategy)
    assert isinstance(found, dict)
    return sum(stake.worst for stake in found.values())


def told(gate: Gate, order: Order, event: Answer) -> None:
    gate.hear([Update(order, event)], [])


def end(gate: Gate, ticket: OrderTicket) -> None:
    told(gate, Order(ticket=ticket, state=State.CANCELLED), Cancelled(coid=ticket.coid, ts_ns=T0))


def filled(ticket: OrderTicket) -> Filled:
    return Filled(
        coid=ticket.coid, ts_ns=T0, exec_id=ticket.coid, conid=ticket.conid, side=ticket.side,
        quantity=ticket.quantity, price=D(100),
    )  # fmt: skip


@pytest.mark.parametrize("way", ["order", "group", "modification"])
def test_what_another_strategy_pays_lifts_no_sum_of_ones_own(way: str) -> None:
    """Nine of a's at 100 are 900 of the 1,000 it may have at stake, whatever b pays; of the account they are not."""
    gate = make(strategy={"a": Limits(gross_max=D(1000))}, gross_max=HUGE)
    assert ask(gate, new(9, limit_price=D(100))) == "ok"
    other = new(1, strategy="b", coid="b-900001", limit_price=D(120 if way != "modification" else 100))
    more = [new(1, strategy="b", parent=other.coid, side=SELL, limit_price=D(130))] if way == "group" else []
    assert ask(gate, other, *more) == "ok"
    if way == "modification":
        dearer = Modify(other.coid, "b", {"limit_price": D(120)})
        assert code_of(gate.judge(dearer, lambda: Market(at_ns=T0), T0)) == "ok"
    assert [gross(gate, "a"), gross(gate, "b"), gross(gate, None)] == [900, 120, 1200]
    if way == "group":  # its exit, at 130, can trade from now on
        told(gate, Order(ticket=other, state=State.FILLED, filled=Decimal(1)), filled(other))
        assert [gross(gate, "a"), gross(gate, "b"), gross(gate, None)] == [900, 130, 1170]  # no position is told
    assert [ask(gate, new(2, limit_price=D(100))), ask(gate, new(1, limit_price=D(100)))] == ["GROSS", "ok"]
    assert ask(gate, new(1, limit_price=D(90), side=SELL)) == "ok"  # ten bought stay the larger side


def test_each_forgets_a_price_when_nothing_of_its_own_is_open() -> None:
    gate = make(strategy={"a": Limits(gross_max=HUGE), "b": Limits(gross_max=HUGE)}, gross_max=HUGE)
    dear = new(1, limit_price=D(120))
    assert [ask(gate, dear), ask(gate, new(2, strategy="b", limit_price=D(100)))] == ["ok", "ok"]
    end(gate, dear)
    assert ask(gate, new(3, limit_price=D(100))) == "ok"
    # Of the account something has been open all the time.
    assert [gross(gate, "a"), gross(gate, "b"), gross(gate, None)] == [300, 200, 600]


def test_an_exit_that_can_not_trade_yet_lifts_no_price_and_needs_no_room() -> None:
    """Ten at 100 fill the limit; their exit is dearer, and counts from their fill on."""
    gate = make(strategy={"a": Limits(gross_max=D(1000))}, gross_max=HUGE)
    entry = new(10, limit_price=D(100))
    target = new(10, parent=entry.coid, side=SELL, limit_price=D(110))
    assert ask(gate, entry, target) == "ok"
    assert [gross(gate, "a"), gross(gate, None)] == [1000, 1000]

    def move(price: int) -> str:
        return code_of(gate.judge(Modify(target.coid, "a", {"limit_price": D(price)}), lambda: Market(at_ns=T0), T0))

    assert move(120) == "ok"
    assert [gross(gate, "a"), gross(gate, None)] == [1000, 1000]
    half = Filled(coid=entry.coid, ts_ns=T0, exec_id="e", conid=1, side=Side.BUY, quantity=D(5), price=D(100))
    told(gate, Order(ticket=entry, state=State.WORKING, filled=D(5)), half)
    assert gross(gate, "a") == 5 * 120  # the five that are open at the dearest price reserved; no position is told
    assert move(200) == "ok"  # of five that is the limit
    assert move(201) == "GROSS"


@pytest.mark.parametrize(("most", "code"), [(240, "ok"), (239, "GROSS")])
def test_an_exit_that_outgrows_its_entry_counts_at_the_dearer_of_what_it_was_and_is_to_be(most: int, code: str) -> None:
    """It was at 120 and may trade before the modification to 99 takes hold: two sold at 120."""
    gate = make(strategy={"a": Limits(gross_max=D(most))}, gross_max=HUGE)
    entry = new(1, limit_price=D(100))
    target = new(1, parent=entry.coid, side=SELL, limit_price=D(120))
    assert ask(gate, entry, target) == "ok"
    grown = Modify(target.coid, "a", {"limit_price": D(99), "quantity": D(2)})
    assert code_of(gate.judge(grown, lambda: Market(at_ns=T0), T0)) == code
    assert gross(gate, "a") == (240 if code == "ok" else 100)


@pytest.mark.parametrize(("most", "code"), [(150, "ok"), (149, "GROSS")])
def test_an_exit_that_came_while_its_entry_was_lost_needs_room_at_its_new_price(most: int, code: str) -> None:
    """It is an order of its own, and can trade however little the entry has filled that is found alive."""
    gate = make(strategy={"a": Limits(gross_max=D(most))}, gross_max=HUGE)
    entry = new(1, limit_price=D(100))
    assert ask(gate, entry) == "ok"
    told(gate, Order(ticket=entry, state=State.LOST), AnswerMissing(coid=entry.coid, ts_ns=T0))
    target = new(1, parent=entry.coid, side=SELL, limit_price=D(120))
    assert ask(gate, target) == "ok"
    told(gate, Order(ticket=entry, state=State.WORKING), Accepted(coid=entry.coid, ts_ns=T0))
    assert gross(gate, "a") == 120
    assert change(gate, target.coid, limit_price=D(150)) == code
    assert gross(gate, "a") == (150 if code == "ok" else 120)


def test_an_exit_beside_others_of_an_entry_that_has_filled_needs_room_at_its_own_price() -> None:
    """It adds no units, its sibling counts as many; but it may trade in its place, and dearer."""
    gate = make(strategy={"a": Limits(gross_max=D(1000))}, gross_max=HUGE)
    entry = new(10, limit_price=D(100))
    assert ask(gate, entry, new(5, parent=entry.coid, side=SELL, limit_price=D(100))) == "ok"
    half = Filled(coid=entry.coid, ts_ns=T0, exec_id="e", conid=1, side=Side.BUY, quantity=D(5), price=D(100))
    told(gate, Order(ticket=entry, state=State.WORKING, filled=D(5)), half)
    assert [ask(gate, new(5, parent=entry.coid, side=SELL, limit_price=D(price))) for price in (201, 200)] == [
        "GROSS",
        "ok",
    ]


def test_a_combo_takes_up_no_price_of_what_its_legs_had_open_before() -> None:
    """One at 150 is over when five combos come: 5 x 100, and 5 x 100 EUR at 1.25."""
    gate = make(strategy={"a": Limits(gross_max=D(1125))}, gross_max=D(1125))
    dear = new(1, limit_price=D(150))
    assert ask(gate, dear) == "ok"
    end(gate, dear)
    assert ask(gate, new(5, conid=PAIR.conid)) == "ok"
    assert [gross(gate, "a"), gross(gate, None)] == [1125, 1125]


def test_after_a_restart_a_modification_in_flight_counts_at_the_dearer_price() -> None:
    gate = make(strategy={"a": Limits(gross_max=HUGE)}, gross_max=HUGE)
    ticket, wanted = (new(10, coid="a-900001", limit_price=D(price)) for price in (101, 104))
    told(gate, Order(ticket=ticket, state=State.PENDING_MODIFY, wanted=wanted), Accepted(coid=ticket.coid, ts_ns=T0))
    assert [gross(gate, "a"), gross(gate, None)] == [1040, 1040]


@pytest.mark.parametrize("found", ["alive", "filled"])
def test_what_hangs_on_a_lost_entry_counts_at_its_own_price_when_that_fills_after_all(found: str) -> None:
    """While the entry was lost its exit, at 120, could not trade, and a cheaper order had begun anew."""
    gate = make(strategy={"a": Limits(gross_max=HUGE)}, gross_max=HUGE)
    entry = new(10, limit_price=D(100))
    assert ask(gate, entry, new(10, parent=entry.coid, side=SELL, limit_price=D(120))) == "ok"
    told(gate, Order(ticket=entry, state=State.LOST), AnswerMissing(coid=entry.coid, ts_ns=T0))
    assert gross(gate, "a") == 0
    assert ask(gate, new(1, limit_price=D(99))) == "ok"
    assert gross(gate, "a") == 100
    if found == "alive":
        told(gate, Order(ticket=entry, state=State.WORKING), Accepted(coid=entry.coid, ts_ns=T0))
        assert gross(gate, "a") == 11 * 100
    told(gate, Order(ticket=entry, state=State.FILLED, filled=Decimal(10)), filled(entry))
    assert [gross(gate, "a"), gross(gate, None)] == [10 * 120, 10 * 120]  # one bought, ten sold: no position is told
