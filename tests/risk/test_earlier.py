"""What the gate lets go of when the day turns: orders that have been over for a day, and nothing sooner."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.facts import Accepted, Cancelled, Filled
from engine.domain.messages import Place, Update
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket
from engine.risk.earlier import Earlier
from engine.risk.gate import Gate
from engine.risk.monitors import PostTrade
from engine.risk.outside import Outside
from engine.settings import Limits
from tests.risk.made import T0, code_of, new
from tests.risk.test_catalogue import Market, ask, make

IDS = st.frozensets(st.sampled_from("abcdef"))


@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=12))
def test_an_id_goes_at_the_second_turn_at_which_it_is_over(days: list[tuple[frozenset[str], frozenset[str]]]) -> None:
    earlier = Earlier()
    over: list[frozenset[str]] = [frozenset()]  # what was over at each turn, and stayed
    for known, alive in days:
        gone = earlier.turn(known, alive)
        assert gone == over[-1] - alive
        over.append(known - alive - gone)


def ended(gate: Gate, ticket: OrderTicket) -> None:
    event = Cancelled(coid=ticket.coid, ts_ns=T0, reason="cancelled")
    gate.hear([Update(Order(ticket=ticket, state=State.CANCELLED), event)], [])


def test_an_open_order_is_remembered_for_ever_and_an_ended_one_for_a_day() -> None:
    gate = make(order_quantity_max=Decimal(50))
    short, long, refused = new(10), new(10), new(51)
    assert (ask(gate, short), ask(gate, long)) == ("ok", "ok")
    assert ask(gate, refused) != "ok"
    for ticket in (short, long):
        gate.hear([Update(Order(ticket=ticket, state=State.WORKING), Accepted(coid=ticket.coid, ts_ns=T0))], [])
    ended(gate, short)
    assert gate.forget() == frozenset()
    again = [code_of(gate.judge(Place((one,)), Market, T0)) for one in (short, refused)]
    assert again == ["ID", "ID"]  # used before
    assert gate.forget() == {short.coid, refused.coid}
    assert list(gate.references) == [long.coid]
    ended(gate, long)
    assert gate.forget() == frozenset()
    assert gate.forget() == {long.coid}
    assert gate.references == {}


def test_a_preview_goes_with_its_order() -> None:
    gate = make(outside=Outside())
    outside = gate.account.outside
    assert outside is not None
    outside.what_if["a-1"] = Decimal(5)
    assert gate.forget() == frozenset()
    assert outside.what_if == {"a-1": Decimal(5)}
    assert gate.forget() == {"a-1"}
    assert outside.what_if == {}


def test_a_late_fill_is_told_of_until_its_order_is_let_go() -> None:
    ticket = new(10)
    watch = PostTrade(Limits(), {ticket.coid: 100.0})
    cancelled = Order(ticket=ticket, state=State.CANCELLED)
    watch.hear([Update(cancelled, Cancelled(coid=ticket.coid, ts_ns=T0, reason=""))])
    assert list(watch.remembered) == [ticket.coid]
    late = Filled(
        coid=ticket.coid, ts_ns=T0, exec_id="e", conid=1, side=ticket.side, quantity=Decimal(1), price=Decimal(100)
    )
    assert [found.code for found in watch.hear([Update(cancelled, late)])] == ["LATE_FILL"]
    watch.forget([ticket.coid])
    assert list(watch.remembered) == []
