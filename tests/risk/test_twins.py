"""Identical orders where many are open: what is counted is what a look through all of them would find."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from attrs import define, field
from msgspec import structs

from engine.domain.facts import Cancelled, Modified, ModifyRefused
from engine.domain.messages import Approved, Cancel, Modify, Update
from engine.domain.moments import NS_PER_S
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, Side, amend
from engine.risk.gate import Gate
from engine.risk.twins import key_of
from tests.risk.made import T0, D, FakeView, ask, gate, new


def terms(ticket: OrderTicket) -> tuple[Any, ...]:
    return ticket.side, ticket.limit_price, ticket.quantity, ticket.outside_rth, ticket.tag


@define
class Live:
    """An open order as a person would keep it."""

    ticket: OrderTicket
    wanted: OrderTicket | None = None
    cancelling: bool = False


@define
class Desk:
    """A gate, and beside it a plain list of what stands in a twin's way."""

    gate: Gate
    window_ns: int
    random: Random
    now_ns: int = T0
    open: list[Live] = field(factory=list)
    lately: list[tuple[int, OrderTicket]] = field(factory=list)
    most: int = 0
    denied: int = 0

    def step(self) -> None:
        kind = self.random.choice(("place",) * 6 + ("again", "cancel", "end", "end", "modify", "answer", "time"))
        if kind in ("place", "again"):
            self.place(again=kind == "again")
        elif kind == "time":
            self.now_ns += self.random.choice((NS_PER_S // 2, NS_PER_S))
        elif self.open:
            getattr(self, kind)(self.random.choice(self.open))
        self.most = max(self.most, len(self.open))
        self.agrees()

    def place(self, *, again: bool) -> None:
        random = self.random
        ticket = new(
            random.choice((1, 2)),
            limit_price=D(random.choice((97, 98, 99))),
            side=random.choice(list(Side)),
            tag=str(random.randrange(12)),
            outside_rth=random.random() < 0.2,  # such an order goes the long way
        )
        if again and self.open:
            ticket = structs.replace(random.choice(self.open).ticket, coid=new().coid)
        self.lately = [sent for sent in self.lately if sent[0] > self.now_ns - self.window_ns]
        there = [one.ticket for one in self.open if not one.cancelling]
        there += [one.wanted for one in self.open if one.wanted is not None and not one.cancelling]
        there += [sent for _, sent in self.lately]
        twin = any(terms(ticket) == terms(one) for one in there)
        assert ask(self.gate, ticket, at_ns=self.now_ns) == ("DUPLICATE" if twin else "ok")
        self.denied += twin
        if not twin:
            self.open.append(Live(ticket))
            self.remember(ticket)

    def remember(self, ticket: OrderTicket) -> None:
        if self.window_ns:
            self.lately.append((self.now_ns, ticket))

    def cancel(self, live: Live) -> None:
        coid = live.ticket.coid
        self.gate.judge(Cancel(coid, "a"), FakeView, self.now_ns)
        if not live.cancelling:
            live.cancelling = True
            self.lately = [sent for sent in self.lately if sent[1].coid != coid]

    def end(self, live: Live) -> None:
        gone = Order(ticket=live.ticket, state=State.CANCELLED)
        self.gate.hear([Update(gone, Cancelled(coid=live.ticket.coid, ts_ns=self.now_ns))], [])
        self.open.remove(live)

    def modify(self, live: Live) -> None:
        if live.wanted is not None or live.cancelling:
            return
        changes = {"limit_price": D(self.random.choice((95, 96)))}
        view = FakeView(since_ns=self.now_ns)
        verdict = self.gate.judge(Modify(live.ticket.coid, "a", changes), lambda: view, self.now_ns)
        assert isinstance(verdict, Approved)
        live.wanted = amend(live.ticket, changes)
        self.remember(live.wanted)

    def answer(self, live: Live) -> None:
        if live.wanted is None or live.cancelling:
            return
        coid, now_ns = live.ticket.coid, self.now_ns
        if self.random.random() < 0.5:
            live.ticket = live.wanted
            event: Modified | ModifyRefused = Modified(coid=coid, ts_ns=now_ns)
        else:
            event = ModifyRefused(coid=coid, ts_ns=now_ns, code="x", reason="y")
        live.wanted = None
        self.gate.hear([Update(Order(ticket=live.ticket, state=State.WORKING), event)], [])

    def agrees(self) -> None:
        """What is counted is what is there: not one more, which would be asked about for ever, and not one less."""
        twins = self.gate.exposure("a", 1).twins
        if twins.counts is not None:
            there = [ticket for _, ticket in twins.lately]
            there += [one.ticket for one in self.open if not one.cancelling]
            there += [one.wanted for one in self.open if one.wanted is not None and not one.cancelling]
            assert twins.counts == Counter(map(key_of, there))


@pytest.mark.parametrize("window_s", [0, 2])
@pytest.mark.parametrize("seed", range(3))
def test_an_order_is_refused_if_it_is_there_already_and_only_then(window_s: int, seed: int) -> None:
    desk = Desk(gate(duplicate_window_s=D(window_s)), window_s * NS_PER_S, Random(seed))
    for _ in range(400):
        desk.step()
    assert desk.most > 20
    assert desk.denied > 40
    while desk.open:
        desk.end(desk.open[-1])
        desk.agrees()
    assert desk.gate.exposure("a", 1).twins.counts is None or desk.lately


def test_an_order_that_was_not_looked_through_for_stands_in_its_twins_way() -> None:
    """Ten had been there, so orders are counted; then only two, with whose prices the next has nothing in common."""
    desk = Desk(gate(duplicate_window_s=D(2)), 2 * NS_PER_S, Random(0))
    tickets = [new(1, limit_price=D(80 + number), tag="") for number in range(10)]
    for ticket in tickets:
        assert ask(desk.gate, ticket) == "ok"
        desk.open.append(Live(ticket))
    for live in desk.open[2:]:
        desk.end(live)
    later_ns = T0 + 3 * NS_PER_S
    assert ask(desk.gate, new(1, limit_price=D(80), tag=""), at_ns=later_ns) == "DUPLICATE"  # it is open
    assert ask(desk.gate, new(1, limit_price=D(95), tag=""), at_ns=later_ns) == "ok"
    assert ask(desk.gate, new(1, limit_price=D(95), tag=""), at_ns=later_ns) == "DUPLICATE"


@pytest.mark.parametrize("modified", [False, True])
def test_what_was_sent_within_the_window_is_remembered_when_older_orders_leave_it(modified: bool) -> None:
    """Ten orders at once and one 1.5 s later, over but the first; at 2.5 s the ten are too old, at 3 s that one is not.

    At 2.5 s another order is sent, or the first is modified.
    """
    desk = Desk(gate(duplicate_window_s=D(2)), 2 * NS_PER_S, Random(0))
    for number, after_ns in enumerate([*range(10), 3 * NS_PER_S // 2]):
        ticket = new(1, limit_price=D(80 + number), tag="")
        assert ask(desk.gate, ticket, at_ns=T0 + after_ns) == "ok"
        desk.open.append(Live(ticket))
    for live in desk.open[1:]:
        desk.end(live)
    desk.now_ns += 5 * NS_PER_S // 2
    if modified:
        desk.modify(desk.open[0])
    else:
        assert ask(desk.gate, new(1, limit_price=D(99), tag=""), at_ns=desk.now_ns) == "ok"
    assert ask(desk.gate, new(1, limit_price=D(90), tag=""), at_ns=T0 + 3 * NS_PER_S) == "DUPLICATE"
    assert ask(desk.gate, new(1, limit_price=D(81), tag=""), at_ns=T0 + 3 * NS_PER_S) == "ok"
