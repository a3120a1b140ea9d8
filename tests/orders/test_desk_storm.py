"""Whatever is lost, asked, late or cancelled between the desk and a venue: in the end their books agree.

The law of the order path: no ticket leaves twice, no execution is lost or booked twice, and once the venue answers
again every order of ours is what it is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.brokerage import Preview, Unclear, VenueOrder, WriteAnswer
from engine.domain.messages import Approved, Cancel, Denied, Modify, Place, Refusal, Resend, Verdict
from engine.domain.order import CLOSED, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.orders.actions import (
    Alert,
    AskOperator,
    AskRisk,
    FeeKnown,
    Flatten,
    JudgeAgain,
    ReadExecutions,
    ReadOrder,
    ReadOrders,
    SendCancel,
    SendModify,
    SendPlace,
    SendPreview,
    SendReply,
)
from engine.orders.desk import Desk, DeskSettings
from engine.orders.doubt import DoubtSettings
from engine.orders.live import LiveOrders
from engine.orders.outcomes import UNSENT
from engine.orders.questions import CONDITIONS
from engine.orders.replies import read_policy
from engine.orders.writer import PreviewSettings
from tests.orders.model_venue import ModelVenue

S = 1_000_000_000
WISHES = {2: "cancel", 3: "modify", 4: "fill", 5: "kill"}


class World:
    """A desk, its venue and a line between them that loses things."""

    def __init__(self, seed: int, *, loss: float, settings: DeskSettings | None = None) -> None:
        self.chance = Random(seed)
        self.venue = ModelVenue(self.chance)
        self.book = LiveOrders()
        self.desk = Desk(self.book, read_policy({"o999": "ask"}), settings or DeskSettings())
        self.left: Counter[tuple[str, bool]] = Counter()  # tickets that left us, by id and whether a second time
        self.loss = loss
        self.now = 1_000 * S
        self.coids: list[str] = []
        self.placed = 0
        self.flattened = 0
        self.late: list[tuple[int, Callable[[], object]]] = []  # requests that arrive long after we gave them up
        self.again: list[Resend] = []  # second sendings that the gate is asked about
        self.alerts: Counter[str] = Counter()

    def act(self) -> None:
        """Carry out what the desk wants, until it wants nothing more."""
        while True:
            actions, _ = self.desk.take()
            if not actions:
                return
            for action in actions:
                self._carry_out(action)

    def _carry_out(self, action: object) -> None:
        desk, venue, now = self.desk, self.venue, self.now
        lost = self.chance.random() < self.loss
        match action:
            case SendPlace(number=number, tickets=tickets):
                self.left.update((ticket.coid, action.again) for ticket in tickets)
                self._write(number, lambda: venue.place(tickets, now), lost)
            case SendPreview(number=number):
                told = self.chance.choice((Preview(), Preview(), Preview(), Preview(error="no margin"), None))
                if not lost:  # else nobody ever answers
                    desk.previewed(number, told, now)
            case SendModify(number=number, order_id=order_id, ticket=ticket):
                self._write(number, lambda: venue.modify(order_id, ticket, now), lost)
            case SendReply(number=number, reply_id=reply_id, confirmed=confirmed):
                self._write(number, lambda: venue.reply(reply_id, confirmed, now), lost)
            case SendCancel(coid=coid, order_id=order_id):
                answer = venue.cancel(order_id, now)
                desk.cancel_answered(coid, Unclear(reason="lost") if lost else answer, now)
            case ReadOrders():
                if not lost:
                    desk.orders_read(venue.read_orders(now), now)
            case ReadExecutions():
                if not lost:
                    desk.executions_read(venue.read_executions(now), now)
            case ReadOrder(order_id=order_id):
                desk.order_read(None if lost else venue.copy(order_id, now), order_id, now)
            case AskRisk(number=number):
                if not lost:  # else it comes too late
                    desk.judged(number, dict.fromkeys(CONDITIONS, self.chance.random() < 0.8), now)
            case AskOperator(number=number):
                if self.chance.random() < 0.5:
                    desk.answer_question(number, self.chance.random() < 0.5, now)
            case JudgeAgain(intent=Resend() as intent):
                self.again.append(intent)
            case JudgeAgain(intent=intent):
                self.submit(Approved(intent))
            case Flatten():
                self.flattened += 1
            case FeeKnown():
                raise AssertionError("the model venue tells no fees")
            case Alert(code=code):
                self.alerts[code] += 1
            case _:
                raise AssertionError(action)

    def _write(self, number: int, send: Callable[[], WriteAnswer], lost: bool) -> None:
        if not lost:
            self.desk.answered(number, send(), self.now)
            return
        fate = self.chance.random()
        if fate < 0.3:
            self.desk.answered(number, UNSENT, self.now)
            return
        if fate < 0.6:
            send()  # it arrived, and the answer is lost
        elif fate < 0.7:
            self.late.append((self.now + self.chance.randint(1, 120) * S, send))
        self.desk.answered(number, Unclear(reason="silence"), self.now)

    def submit(self, verdict: Verdict) -> None:
        requests, _ = self.book.act([verdict], self.now)
        self.desk.submit(requests, self.now)

    def place(self, *, bracket: bool) -> None:
        self.placed += 1
        coid = f"s-{self.placed:06d}"
        quantity = Decimal(self.chance.randint(1, 9))

        def ticket(name: str, side: Side, kind: OrderType, **more: Any) -> OrderTicket:
            return OrderTicket(
                coid=name, strategy="s", account="DU1", conid=1, side=side, order_type=kind, quantity=quantity, **more
            )

        tickets = [ticket(coid, Side.BUY, OrderType.LIMIT, limit_price=Decimal(10))]
        if bracket:
            tickets.append(ticket(coid + "t", Side.SELL, OrderType.LIMIT, limit_price=Decimal(12), parent=coid))
            tickets.append(ticket(coid + "s", Side.SELL, OrderType.STOP, stop_price=Decimal(8), parent=coid))
        wanted = Place(tuple(tickets))
        if self.chance.random() < 0.05:
            self.submit(Denied(wanted, Refusal("RATE", "1", "2", "too many")))
            return
        self.coids += [one.coid for one in tickets]
        self.submit(Approved(wanted))

    def arrive(self) -> None:
        """What was on its way for long arrives; nobody hears the answer."""
        due = [one for one in self.late if self.now >= one[0]]
        self.late = [one for one in self.late if self.now < one[0]]
        for _, send in due:
            send()

    def judge_again(self) -> None:
        """The gate answers on second sendings, and the world has moved on meanwhile."""
        asked, self.again = self.again, []
        for intent in asked:
            if self.chance.random() < 0.2:
                self.submit(Denied(intent, Refusal("STALE", "60", "90", "the quote is old")))
            else:
                self.submit(Approved(intent))

    def stream(self, *, all_of_it: bool = False) -> None:
        """Carry some of the venue's news."""
        news, self.venue.news = self.venue.news, []
        for one in news:
            if not all_of_it and self.chance.random() < self.loss:
                continue
            if isinstance(one, VenueOrder):
                self.desk.rows([one], self.now)
            else:
                self.desk.executions([one], self.now)

    def wish(self, what: str) -> None:
        """Something happens to an order, or is to happen."""
        if what == "fill":
            self.venue.fill(self.now)
        elif not self.coids:
            return
        elif what == "kill":
            self.desk.cancel_now([self.chance.choice(self.coids)], self.now)
        elif what == "cancel":
            self.submit(Approved(Cancel(self.chance.choice(self.coids), "s")))
        else:
            coid = self.chance.choice(self.coids)
            if self.book.book[coid].state not in CLOSED:
                self.submit(Approved(Modify(coid, "s", {"quantity": Decimal(self.chance.randint(1, 12))})))

    def step(self, what: int) -> None:
        if what == 0:
            self.place(bracket=False)
        elif what == 1:
            self.place(bracket=True)
        elif what in WISHES:
            self.wish(WISHES[what])
        elif what == 6:
            self.desk.session(False, self.now)
        self.act()
        if what == 6:
            self.desk.session(True, self.now)
        self.arrive()
        self.judge_again()
        self.act()
        self.stream()
        self.now += self.chance.randint(0, 4) * S
        self.desk.tick(self.now)
        self.act()

    def settle(self) -> None:
        """The line is good again, and time passes."""
        self.loss = 0.0
        self.desk.session(True, self.now)
        for _ in range(60):
            self.now += 5 * S
            self.arrive()
            self.judge_again()
            self.act()
            self.desk.orders_read(self.venue.read_orders(self.now), self.now)
            self.desk.executions_read(self.venue.read_executions(self.now), self.now)
            self.stream(all_of_it=True)
            self.desk.tick(self.now)
            self.act()


def check(world: World, *, resends: bool = False) -> None:
    twice = [coid for coid, count in Counter(world.venue.writes).items() if count > 1 + resends]
    assert not twice, f"sent twice: {twice}"
    assert all(count == 1 for count in world.left.values()), world.left.most_common(1)
    assert resends or not any(again for _, again in world.left)
    there = {live.ticket.coid: live for live in world.venue.orders.values()}
    for coid in world.coids:
        order = world.book.book[coid]
        live = there.get(coid)
        # A modification that arrives long after it was given up freezes its order, and has it cancelled.
        given_up = coid in world.desk.follower.lost_modifies
        assert given_up or coid not in world.book.frozen, world.book.frozen[coid]
        if live is None:
            assert order.state in (State.REFUSED, State.LOST, State.CANCELLED), f"{coid} {order.state}"
            assert not order.filled
            continue
        assert order.filled == live.filled, f"{coid}: {order.filled} of {live.filled}"
        if live.open:
            assert order.state not in CLOSED, f"{coid} lives and is {order.state}"
            assert order.state is not State.IN_DOUBT
        else:
            assert order.state in CLOSED, f"{coid} is dead and is {order.state}"
    assert not world.desk.doubts.cases
    assert not world.desk.busy


@given(seed=st.integers(0, 2**32), steps=st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_after_any_storm_the_books_agree(seed: int, steps: list[int]) -> None:
    world = World(seed, loss=0.15)
    world.desk.session(True, world.now)
    for what in steps:
        world.step(what)
    world.settle()
    check(world)


def test_a_calm_day_raises_no_doubt() -> None:
    world = World(7, loss=0.0)
    world.desk.session(True, world.now)
    for what in (0, 1, 0, 4, 4, 2, 3, 0, 4) * 20:
        world.step(what)
    world.settle()
    check(world)
    assert not world.alerts["IN_DOUBT"]
    assert not world.alerts["LOST"]
    states = Counter(order.state for order in world.book.book.values())
    assert states[State.FILLED] > 10  # the day was no empty one


CAREFUL = DeskSettings(doubt=DoubtSettings(resend=True), previews=PreviewSettings(above=Decimal(0)))


@given(seed=st.integers(0, 2**32), steps=st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_with_previews_and_second_sendings_the_books_agree_as_well(seed: int, steps: list[int]) -> None:
    world = World(seed, loss=0.2, settings=CAREFUL)
    world.desk.session(True, world.now)
    for what in steps:
        world.step(what)
    world.settle()
    check(world, resends=True)


def test_storms_do_meet_second_sendings_and_losses() -> None:
    again, lost = 0, 0
    for seed in range(12):
        world = World(seed, loss=0.3, settings=CAREFUL)
        world.desk.session(True, world.now)
        steps = Random(seed)
        for _ in range(300):
            world.step(steps.randint(0, 6))
        world.settle()
        check(world, resends=True)
        again += sum(again for _, again in world.left)
        lost += sum(order.state is State.LOST for order in world.book.book.values())
    assert again > 20
    assert lost > 20


@pytest.mark.parametrize("seed", range(20))
def test_long_storms(seed: int) -> None:
    world = World(seed, loss=0.25)
    world.desk.session(True, world.now)
    steps = Random(seed)
    for _ in range(400):
        world.step(steps.randint(0, 6))
    world.settle()
    check(world)
