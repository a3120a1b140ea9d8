"""Orders of one OCA group count as the largest of them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.facts import Accepted, Cancelled, Filled, Modified, ProvedAbsent
from engine.domain.messages import Denied, Modify, Place, PositionNow, Update
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, Side
from engine.risk.gate import Gate
from engine.settings import Limits
from engine.webapi.tickets import orders_body, to_wire
from tests.risk.made import STOCK, T0, D, FakeView, ask, code_of, gate, new

BUY, SELL = Side.BUY, Side.SELL


def oca(*quantities: int, name: str = "g", **terms: Any) -> list[OrderTicket]:
    return [new(quantity, oca_group=name, **terms) for quantity in quantities]


def counts(here: Gate, conid: int = 1, strategy: str = "a") -> list[tuple[Any, Any]]:
    """Units to buy and to sell, of the account and of the strategy."""
    return [(units.buys, units.sells) for units in here.exposure(strategy, conid).units]


def ended(here: Gate, ticket: OrderTicket) -> None:
    gone = Order(ticket=ticket, state=State.CANCELLED)
    here.hear([Update(gone, Cancelled(coid=ticket.coid, ts_ns=T0))], [])


@pytest.mark.parametrize(("most", "code"), [(11, "ok"), (10, "ok"), (9, "POSITION")])
@pytest.mark.parametrize("level", ["account", "strategy", "instrument"])
def test_a_group_needs_room_for_its_largest_order(level: str, most: int, code: str) -> None:
    limit = Limits(position_max=D(most))
    here = {
        "account": lambda: gate(position_max=D(most)),
        "strategy": lambda: gate(strategy={"a": limit}),
        "instrument": lambda: gate(instrument={"AAA": limit}),
    }[level]()
    assert ask(here, *oca(10, 4, 10, 7)) == code
    assert counts(here) == ([(10, 0)] * 2 if code == "ok" else [(0, 0)] * 2)


def test_each_side_counts_its_own_largest() -> None:
    here = gate()
    assert ask(here, *oca(4, 7, side=SELL), *oca(5, 3)) == "ok"
    assert counts(here) == [(5, 7)] * 2


def test_what_ends_leaves_the_next_largest() -> None:
    here = gate()
    ten, seven, four = group = oca(10, 7, 4)
    assert ask(here, *group) == "ok"
    for gone, left in ((seven, 10), (ten, 4), (four, 0)):
        ended(here, gone)
        assert counts(here) == [(left, 0)] * 2
    assert not here.account.groups


def test_the_others_count_until_they_are_seen_dead() -> None:
    here = gate()
    ten, _ = group = oca(10, 7)
    assert ask(here, *group) == "ok"
    fill = Filled(coid=ten.coid, ts_ns=T0, exec_id="e", conid=1, side=BUY, quantity=D(8), price=D(100))
    here.hear([Update(Order(ticket=ten, state=State.WORKING, filled=D(8)), fill)], [])
    assert counts(here) == [(7, 0)] * 2  # 2 left of the one, and all of the other


def test_what_is_placed_later_under_the_same_name_is_another_group() -> None:
    here = gate()
    assert ask(here, *oca(10, 7)) == "ok"
    assert ask(here, *oca(10)) == "ok"
    assert counts(here) == [(20, 0)] * 2


def test_a_refused_group_leaves_nothing() -> None:
    here = gate(open_orders_max=1)
    assert ask(here, *oca(10, 7)) == "OPEN_ORDERS"
    assert counts(here) == [(0, 0)] * 2
    assert not here.account.groups
    assert not here.account.joining


def test_a_modification_counts_at_the_larger_until_it_is_answered() -> None:
    here = gate(position_max=D(12))
    ten, seven = group = oca(10, 7)
    assert ask(here, *group) == "ok"

    def change(quantity: int) -> str:
        return code_of(here.judge(Modify(seven.coid, "a", {"quantity": D(quantity)}), FakeView, T0))

    assert change(13) == "POSITION"
    assert change(12) == "ok"
    assert counts(here) == [(12, 0)] * 2
    small = new(3, oca_group="g", coid=seven.coid, tag=seven.tag)
    here.hear([Update(Order(ticket=small, state=State.WORKING), Modified(coid=seven.coid, ts_ns=T0))], [])
    assert counts(here) == [(10, 0)] * 2
    assert change(10) == "ok"  # it raises nothing
    assert counts(here) == [(10, 0)] * 2
    ended(here, ten)
    assert counts(here) == [(10, 0)] * 2


def test_after_a_restart_orders_made_at_one_moment_are_one_group() -> None:
    here = gate()
    for ticket in oca(10, 7):
        alive = Order(ticket=ticket, state=State.WORKING, created_ns=T0)
        here.hear([Update(alive, Accepted(coid=ticket.coid, ts_ns=T0 + 5))], [])
    assert counts(here) == [(10, 0)] * 2
    later = Order(ticket=oca(5)[0], state=State.IN_DOUBT, created_ns=T0 + 1)
    here.hear([Update(later, Accepted(coid=later.coid, ts_ns=T0 + 5))], [])
    assert counts(here) == [(15, 0)] * 2


def test_two_strategies_count_beside_one_another() -> None:
    here = gate(position_max=D(16))
    assert ask(here, *oca(10, 7)) == "ok"
    assert ask(here, *oca(7, 6, strategy="b")) == "POSITION"
    assert ask(here, *oca(6, 6, strategy="b")) == "ok"
    assert counts(here) == [(16, 0), (10, 0)]
    assert counts(here, strategy="b") == [(16, 0), (6, 0)]
    here.hear([], [PositionNow("a", 1, D(3), D(0), D(0), D(3), D(0), "USD")])
    assert ask(here, new(1, strategy="b")) == "POSITION"


def test_what_was_lost_and_is_alive_after_all_is_of_its_group_still() -> None:
    here = gate()
    ten, seven = group = oca(10, 7)
    assert ask(here, *group) == "ok"
    here.hear([Update(Order(ticket=ten, state=State.LOST), ProvedAbsent(coid=ten.coid, ts_ns=T0))], [])
    assert counts(here) == [(7, 0)] * 2
    alive = Update(Order(ticket=ten, state=State.WORKING, created_ns=T0), Accepted(coid=ten.coid, ts_ns=T0))
    here.hear([alive], [])
    assert counts(here) == [(10, 0)] * 2
    ended(here, ten)
    assert counts(here) == [(7, 0)] * 2
    ended(here, seven)
    assert not here.account.groups
    here.hear([alive], [])  # of nothing else that is open
    assert counts(here) == [(10, 0)] * 2


def test_a_group_over_two_instruments_counts_as_if_what_shares_them_could_die() -> None:
    """What a group's order adds depends on what else is there; taken off is the least that it can be.

    With the second group's ten gone, the first's one bought of STP adds nothing to its one sold, so nothing is taken
    off for it: 11 and 11 at 100, less the second's one of AAA.
    """
    for most, code in ((2100, "ok"), (2099, "GROSS")):
        here = gate(gross_max=D(most), currency_max=D(10**9), sector_max=D(10**9))
        first = [
            new(1, conid=3, oca_group="g"), new(10, conid=1, oca_group="g"), new(1, conid=3, oca_group="g", side=SELL)
        ]  # fmt: skip
        assert ask(here, *first) == "ok"
        second = [new(1, conid=1, oca_group="h"), new(10, conid=3, oca_group="h")]
        assert ask(here, *second) == code


def test_an_entry_gets_no_smaller_than_an_exit_that_hangs_on_it() -> None:
    """What sells ten after three were bought turns the position; so the exits come first."""
    here = gate()
    entry = new(10)
    target, stop = children = exits_of(entry, 2)
    assert ask(here, entry, *children) == "ok"

    def change(ticket: OrderTicket, quantity: int) -> Any:
        return here.judge(Modify(ticket.coid, "a", {"quantity": D(quantity)}), FakeView, T0)

    def changed(ticket: OrderTicket, quantity: int) -> None:
        now = new(quantity, side=SELL, parent=entry.coid, coid=ticket.coid, tag=ticket.tag)
        here.hear([Update(Order(ticket=now, state=State.WORKING), Modified(coid=ticket.coid, ts_ns=T0))], [])

    refused = change(entry, 9)
    assert isinstance(refused, Denied)
    assert (refused.refusal.code, refused.refusal.limit, refused.refusal.value) == (
        "GROUP", "an entry for at least 10", "9",
    )  # fmt: skip
    assert code_of(change(entry, 11)) == "ok"
    here.hear([Update(Order(ticket=entry, state=State.WORKING), Modified(coid=entry.coid, ts_ns=T0))], [])
    assert code_of(change(target, 3)) == "ok"
    changed(target, 3)
    assert code_of(change(stop, 4)) == "ok"
    assert code_of(change(entry, 4)) == "GROUP"  # the venue may yet refuse to make the stop smaller
    changed(stop, 4)
    assert [code_of(change(entry, 3)), code_of(change(entry, 4))] == ["GROUP", "ok"]


def test_an_entry_whose_exits_are_over_may_get_as_small_as_any_order() -> None:
    here, entry = gate(), new(10)
    children = exits_of(entry, 2)
    assert ask(here, entry, *children) == "ok"
    for child in children:
        here.hear([Update(Order(ticket=child, state=State.CANCELLED), Cancelled(coid=child.coid, ts_ns=T0))], [])
    assert code_of(here.judge(Modify(entry.coid, "a", {"quantity": D(1)}), FakeView, T0)) == "ok"


def test_of_a_group_nothing_is_cut_down() -> None:
    here, entry = gate(order_quantity_max=D(9), shrink=True), new(10)
    assert ask(here, entry, *exits_of(entry, 1)) == "QUANTITY"
    assert not here.open_of("")
    assert ask(here, new(10)) == "ok"
    assert here.exposure("a", 1).units[0].buys == 9


def test_what_has_parted_from_its_bracket_comes_back_as_an_order_of_its_own() -> None:
    """Of ten that were got into it has sold four, is to sell 12, is lost and alive after all: it may sell six more, and
    so may its sibling."""
    here = gate()
    entry = new(10)
    sibling, parted = children = exits_of(entry, 2)
    assert ask(here, entry, *children) == "ok"
    for ticket, units in ((entry, 10), (parted, 4)):
        fill = Filled(
            coid=ticket.coid, ts_ns=T0, exec_id=ticket.coid, conid=1, side=ticket.side, quantity=D(units), price=D(100)
        )
        state = State.FILLED if ticket is entry else State.WORKING
        here.hear([Update(Order(ticket=ticket, state=state, filled=D(units)), fill)], [])
    assert counts(here) == [(0, 6)] * 2
    assert code_of(here.judge(Modify(parted.coid, "a", {"quantity": D(12)}), FakeView, T0)) == "ok"
    assert counts(here) == [(0, 6 + 8)] * 2
    lost = Order(ticket=parted, state=State.LOST, filled=D(4))
    here.hear([Update(lost, ProvedAbsent(coid=parted.coid, ts_ns=T0))], [])
    assert counts(here) == [(0, 6)] * 2
    alive = Order(ticket=parted, state=State.WORKING, filled=D(4))
    here.hear([Update(alive, Accepted(coid=parted.coid, ts_ns=T0))], [])
    assert counts(here) == [(0, 6 + 6)] * 2
    ended(here, parted)
    assert sibling.coid in here.account.exposures["a", 1].open
    assert counts(here) == [(0, 6)] * 2


def exits_of(entry: OrderTicket, many: int, **terms: Any) -> list[OrderTicket]:
    return [new(10, side=SELL, parent=entry.coid, **terms) for _ in range(many)]


def test_what_is_no_group_is_refused_in_one_sentence_and_leaves_nothing() -> None:
    entry = new(10)
    in_oca = new(10, oca_group="g")
    for group in (
        [new(10), new(10)],
        [*oca(10), new(10)],
        [new(10), *oca(10)],
        [*oca(10), *oca(10, name="h")],
        [*exits_of(entry, 1), entry],  # the entry comes first
        [entry, *exits_of(entry, 1), new(10)],
        exits_of(new(10), 2),
        [in_oca, *exits_of(in_oca, 1, oca_group="g"), *oca(10)],
    ):
        here = gate()
        verdict = here.judge(Place(tuple(group)), FakeView, T0)
        assert code_of(verdict) == "GROUP"
        assert isinstance(verdict, Denied)
        assert str(len(group)) in verdict.refusal.sentence
        assert counts(here) == [(0, 0)] * 2
        assert not here.account.groups
        assert ask(here, group[0]) == "ID"  # its id is used up, as that of any refused order
    here = gate()
    assert [ask(here, entry, *exits_of(entry, 2)), ask(here, *oca(10, 10)), ask(here, *oca(10))] == ["ok"] * 3
    assert ask(here, in_oca, *exits_of(in_oca, 2)) == "ok"


def test_the_gate_and_the_wire_agree_on_what_a_group_is() -> None:
    """All that passes can be written; all that can't be written is refused."""
    entry, in_oca = new(10), new(10, oca_group="g")
    shapes = [
        [entry, *exits_of(entry, 2)], [in_oca, *exits_of(in_oca, 2)], oca(10, 10), [new(10), new(10)],
        [entry, *exits_of(entry, 1), new(10)], [*oca(10), new(10)], [in_oca, *exits_of(in_oca, 1), *oca(10)],
        exits_of(entry, 2, oca_group="g"), [*exits_of(entry, 1), entry],
    ]  # fmt: skip
    said = []
    for group in shapes:
        passes = ask(gate(), *group) == "ok"
        said.append(passes)
        try:
            orders_body([to_wire(ticket, STOCK) for ticket in group])
        except ValueError:
            assert not passes
        else:
            assert passes
    assert said == [True, True, True, False, False, False, False, False, False]
