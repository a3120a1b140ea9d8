"""The life of an order: the table row by row, races in hand-written stories, and any news in any order."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from engine.domain.facts import (
    Accepted,
    AnswerMissing,
    CancelAsked,
    Cancelled,
    CancelRefused,
    Filled,
    Modified,
    ModifyAsked,
    ModifyRefused,
    OrderEvent,
    Pending,
    ProvedAbsent,
    Refused,
    Sent,
)
from engine.domain.order import CLOSED, Order, State, advance
from engine.domain.ticket import OrderTicket
from engine.errors import IllegalTransition
from tests.domain.made import COID, EVENTS, filled, said, ticket

# What each state makes of each event, written by hand from what a venue can mean, one letter an event; "." is illegal.
LETTERS = {
    "C": State.CREATED,
    "S": State.SENT,
    "D": State.IN_DOUBT,
    "p": State.PENDING_SUBMIT,
    "W": State.WORKING,
    "m": State.PENDING_MODIFY,
    "c": State.PENDING_CANCEL,
    "F": State.FILLED,
    "X": State.CANCELLED,
    "R": State.REFUSED,
    "L": State.LOST,
}
COLUMNS: tuple[type[OrderEvent], ...] = (
    Sent,
    Pending,
    Accepted,
    Refused,
    ModifyAsked,
    Modified,
    ModifyRefused,
    CancelAsked,
    CancelRefused,
    Cancelled,
    AnswerMissing,
    ProvedAbsent,
    Filled,
)
TABLE = {
    # Sent Pend Acc Ref | MAsk Mod MRef | CAsk CRef Canc | Missing Absent | Filled (a part)
    State.CREATED: "S..R" + "..." + "..X" + ".." + ".",
    State.SENT: ".pWR" + "..." + "c.X" + "D." + "W",
    State.IN_DOUBT: "SpWR" + ".WW" + "DDX" + "DL" + "W",
    State.PENDING_SUBMIT: ".pWR" + "m.." + "cpX" + "D." + "W",
    State.WORKING: ".WWR" + "mWW" + "cWX" + "D." + "W",
    State.PENDING_MODIFY: ".mmR" + ".WW" + "cmX" + "D." + "m",
    State.PENDING_CANCEL: ".ccR" + ".cc" + "cWX" + "cL" + "c",
    State.FILLED: ".FF." + ".FF" + ".FF" + "FF" + "F",
    State.CANCELLED: ".XXX" + ".XX" + ".XX" + "XX" + "X",
    State.REFUSED: "...R" + "..R" + ".RR" + "RR" + "X",
    State.LOST: ".pWR" + ".WL" + ".LX" + "LL" + "W",
}
ROWS = [(state, kind, row[at]) for state, row in TABLE.items() for at, kind in enumerate(COLUMNS)]


def in_state(state: State) -> Order:
    """An order of 10 in a state, nothing filled (but of a filled one, all)."""
    order = Order(ticket=ticket(10), state=state)
    if state is State.PENDING_MODIFY:
        return replace(order, wanted=ticket(12))
    if state is State.FILLED:
        return replace(order, filled=Decimal(10), paid=Decimal(90), fills=("e0",))
    return order


def tell(order: Order, *events: OrderEvent) -> Order:
    """Tell an order several things, one after the other."""
    for event in events:
        wanted = ticket(12) if isinstance(event, ModifyAsked) else None
        order = advance(order, event, wanted=wanted)
    return order


@pytest.mark.parametrize(("state", "kind", "letter"), ROWS)
def test_every_pair_leads_where_a_venue_can_mean_it_to(state: State, kind: type[OrderEvent], letter: str) -> None:
    order = in_state(state)
    if letter != ".":
        assert tell(order, said(kind)).state is LETTERS[letter]
        return
    before = replace(order)
    with pytest.raises(IllegalTransition) as caught:
        tell(order, said(kind))
    assert order == before
    assert str(caught.value) == f"order {COID} is {state.value} and can't take {kind.__name__}"


def test_the_table_above_knows_every_state_and_event() -> None:
    assert set(TABLE) == set(State)
    assert set(COLUMNS) == set(EVENTS)
    assert {len(row) for row in TABLE.values()} == {len(COLUMNS)}


# --- what an event leaves in an order --------------------------------------------------------------------------------


def test_an_order_remembers_who_said_what_and_when() -> None:
    order = tell(Order(ticket=ticket(), created_ns=1), said(Sent, ts_ns=2))
    assert (order.created_ns, order.updated_ns, order.venue_id) == (1, 2, "")
    order = advance(order, Accepted(coid=COID, ts_ns=3, venue_id="v7"))
    assert (order.updated_ns, order.venue_id) == (3, "v7")
    assert advance(order, Accepted(coid=COID, ts_ns=4)).venue_id == "v7"  # said again without its number
    assert advance(order, Pending(coid=COID, ts_ns=4, venue_id="v8")).venue_id == "v8"


def test_the_first_word_on_how_an_order_ended_stays() -> None:
    order = tell(in_state(State.WORKING), Cancelled(coid=COID, ts_ns=6, reason="day"))
    late = tell(order, said(CancelRefused, ts_ns=8), Cancelled(coid=COID, ts_ns=9, reason="request"))
    assert (late.code, late.reason, late.updated_ns) == ("", "day", 9)
    refused = tell(in_state(State.SENT), Refused(coid=COID, ts_ns=6, code="A", reason="first"))
    again = tell(refused, Refused(coid=COID, ts_ns=7, code="B", reason="second"), said(ModifyRefused))
    assert (again.code, again.reason) == ("A", "first")


def test_a_refused_cancel_or_change_says_why_while_the_order_lives() -> None:
    for kind, state in ((CancelRefused, State.PENDING_CANCEL), (ModifyRefused, State.PENDING_MODIFY)):
        order = tell(in_state(state), said(kind))
        assert (order.state, order.code, order.reason) == (State.WORKING, "no", "said no")


def test_averages_and_what_is_left() -> None:
    order = in_state(State.WORKING)
    assert [order.average_price, order.remaining, order.is_open, order.coid] == [None, 10, True, COID]
    order = tell(order, filled(1, 4, price=Decimal(8)), filled(2, 1, price=Decimal(13)))
    assert [order.average_price, order.remaining, order.paid] == [Decimal(9), 5, 45]
    order = tell(order, filled(3, 7))
    assert [order.remaining, order.filled, order.state, order.is_open] == [0, 12, State.FILLED, False]


def test_a_modification_needs_its_ticket() -> None:
    with pytest.raises(ValueError, match="needs the full ticket"):
        advance(in_state(State.WORKING), ModifyAsked(coid=COID, ts_ns=1))


# --- races ---------------------------------------------------------------------------------------------------------


def modifying(to: int, had: int = 0) -> Order:
    """An order of 10, `had` filled, with a change to `to` in flight."""
    order = in_state(State.WORKING)
    if had:
        order = tell(order, filled(0, had))
    return advance(order, said(ModifyAsked), wanted=ticket(to))


@pytest.mark.parametrize(
    ("to", "fills", "answer", "state", "quantity"),
    [
        (15, [10], ModifyRefused, State.FILLED, 10),  # it was full when the larger ticket came: "too late"
        (15, [10], Modified, State.WORKING, 15),
        (15, [10, 5], Modified, State.FILLED, 10),  # done before the answer; the late answer changes no end
        (5, [5], Modified, State.FILLED, 5),
        (5, [5], ModifyRefused, State.WORKING, 10),
        (5, [7], Modified, State.FILLED, 5),  # filled past the smaller ticket while it was on its way
        (5, [10], Modified, State.FILLED, 10),
        (12, [], Modified, State.WORKING, 12),
        (12, [], ModifyRefused, State.WORKING, 10),
    ],
)
def test_fills_race_a_modification(
    to: int, fills: list[int], answer: type[OrderEvent], state: State, quantity: int
) -> None:
    order = modifying(to)
    for number, size in enumerate(fills, 1):
        order = advance(order, filled(number, size))
    order = advance(order, said(answer))
    assert [order.state, order.ticket.quantity, order.wanted] == [state, quantity, None]
    assert order.filled == sum(fills)


def test_fills_between_the_old_and_the_new_quantity_end_nothing() -> None:
    assert advance(modifying(15), filled(1, 10)).state is State.PENDING_MODIFY
    assert advance(modifying(15), filled(1, 14)).state is State.PENDING_MODIFY
    assert advance(modifying(5), filled(1, 5)).state is State.PENDING_MODIFY
    assert advance(modifying(15), filled(1, 15)).state is State.FILLED


@pytest.mark.parametrize("ending", [Cancelled, Refused])
def test_an_order_that_ends_complete_is_filled(ending: type[OrderEvent]) -> None:
    order = advance(advance(modifying(15), filled(1, 10)), said(ending))
    assert (order.state, order.wanted) == (State.FILLED, None)
    order = advance(advance(modifying(15), filled(1, 9)), said(ending))
    assert (order.state, order.wanted) == (State.CANCELLED, None)


def test_a_complete_order_that_is_proved_absent_is_filled() -> None:
    order = tell(advance(modifying(15), filled(1, 10)), said(AnswerMissing))
    assert tell(order, said(ProvedAbsent)).state is State.FILLED
    partly = tell(advance(modifying(15), filled(1, 9)), said(AnswerMissing), said(ProvedAbsent))
    assert partly.state is State.LOST


def test_a_refused_cancel_does_not_hide_a_modification_in_flight() -> None:
    order = tell(modifying(12), said(CancelAsked), said(CancelRefused))
    assert (order.state, order.wanted) == (State.PENDING_MODIFY, ticket(12))
    assert tell(order, said(Modified)).ticket.quantity == 12
    assert tell(order, said(ModifyRefused)).ticket.quantity == 10


@pytest.mark.parametrize("news", [Accepted, Pending, Filled])
def test_news_of_an_order_in_doubt_does_not_answer_its_modification(news: type[OrderEvent]) -> None:
    order = tell(modifying(12), said(AnswerMissing), said(news))
    assert (order.state, order.wanted) == (State.PENDING_MODIFY, ticket(12))
    assert tell(order, said(Modified)).ticket.quantity == 12


def test_a_lost_order_turns_up_with_its_modification() -> None:
    lost = tell(modifying(12), said(AnswerMissing), said(ProvedAbsent))
    assert (lost.state, lost.wanted) == (State.LOST, ticket(12))
    assert tell(lost, said(Accepted)).state is State.PENDING_MODIFY
    assert tell(lost, said(Modified)).ticket.quantity == 12
    assert tell(lost, said(ModifyRefused)).wanted is None
    ended = tell(lost, Cancelled(coid=COID, ts_ns=9, reason="day"))
    assert (ended.state, ended.reason, ended.wanted) == (State.CANCELLED, "day", None)


def test_a_late_fill_of_a_dead_order_counts_and_ends_it_anew() -> None:
    for dead, partly in (
        (State.CANCELLED, State.CANCELLED),
        (State.REFUSED, State.CANCELLED),
        (State.LOST, State.WORKING),
    ):
        assert tell(in_state(dead), filled(1, 3)).state is partly
        assert tell(in_state(dead), filled(1, 3)).filled == 3
        assert tell(in_state(dead), filled(1, 10)).state is State.FILLED


def test_a_refusal_after_a_part_has_filled_is_an_end_not_a_refusal() -> None:
    order = tell(in_state(State.WORKING), filled(1, 3), said(Refused))
    assert [order.state, order.filled, order.code] == [State.CANCELLED, 3, "no"]
    other = tell(in_state(State.WORKING), said(Refused), filled(1, 3))
    assert [other.state, other.filled] == [State.CANCELLED, 3]  # the same, told in the other order


@pytest.mark.parametrize("order_of_telling", list(permutations(range(4))))
def test_answers_in_any_order_end_the_same(order_of_telling: tuple[int, ...]) -> None:
    news = [said(Accepted), filled(1, 4), filled(2, 6), said(CancelRefused)]
    order = tell(in_state(State.SENT), said(CancelAsked), *(news[at] for at in order_of_telling))
    assert [order.state, order.filled] == [State.FILLED, 10]


# --- any news in any order -------------------------------------------------------------------------------------------


class OrderLife(RuleBasedStateMachine):
    """Whatever is said, in whatever order, the order agrees with a plain list of its fills."""

    def __init__(self) -> None:
        super().__init__()
        self.order = Order(ticket=ticket(10))
        self.fills: list[Filled] = []  # the model: too simple to be wrong

    def hear(self, event: OrderEvent, wanted: OrderTicket | None = None) -> None:
        before = self.order
        legal = TABLE[before.state][COLUMNS.index(type(event))] != "."
        try:
            self.order = advance(before, event, wanted=wanted)
        except IllegalTransition:
            assert not legal
        else:
            assert legal

    @rule(kind=st.sampled_from([kind for kind in EVENTS if kind not in (Filled, ModifyAsked)]))
    def someone_speaks(self, kind: type[OrderEvent]) -> None:
        was = self.order
        self.hear(said(kind))
        if was.state in CLOSED and was.state is not State.LOST:
            assert self.order.state is was.state  # news changes no end but a lost one

    @rule(quantity=st.integers(1, 20))
    def we_modify(self, quantity: int) -> None:
        self.hear(said(ModifyAsked), ticket(quantity))

    @precondition(lambda self: self.order.state is not State.CREATED)
    @rule(size=st.integers(1, 12))
    def venue_fills(self, size: int) -> None:
        self.fills.append(filled(len(self.fills), size))
        self.order = advance(self.order, self.fills[-1])  # money has moved: never turned away

    @precondition(lambda self: self.order.state is not State.CREATED)
    @rule()
    def venue_repeats_itself(self) -> None:
        assert all(advance(self.order, fill) == self.order for fill in self.fills)

    @rule()
    def nothing_is_written_into_an_order(self) -> None:
        with pytest.raises(AttributeError):
            self.order.filled = Decimal(1)  # type: ignore[misc]

    @invariant()
    def fills_add_up(self) -> None:
        assert self.order.filled == sum(fill.quantity for fill in self.fills)
        assert self.order.paid == 9 * self.order.filled
        assert self.order.remaining == max(0, self.order.ticket.quantity - self.order.filled)

    @invariant()
    def filled_means_filled(self) -> None:
        order = self.order
        complete = order.filled >= order.ticket.quantity
        if order.state is State.FILLED:
            assert complete
        elif complete:  # a larger ticket may yet come into force
            assert order.wanted is not None
            assert order.state in (State.PENDING_MODIFY, State.PENDING_CANCEL, State.IN_DOUBT)

    @invariant()
    def an_unanswered_modification_shows(self) -> None:
        order = self.order
        if order.wanted is not None:
            assert order.state in (State.PENDING_MODIFY, State.PENDING_CANCEL, State.IN_DOUBT, State.LOST)
        if order.state is State.PENDING_MODIFY:
            assert order.wanted is not None
        if order.state is State.REFUSED:
            assert not order.fills


TestOrderLife = OrderLife.TestCase


def test_an_illegal_transition_changes_nothing() -> None:
    order = tell(in_state(State.WORKING), filled(1, 2))
    before = replace(order)
    with suppress(IllegalTransition):
        advance(order, said(Sent))
    assert order == before
