"""A storm of venue, session, operator and power cuts: a desk that dies and reads its journal ends like one that lives.

The law is that of `test_desk_storm`; what is new is that only what was stored survives, and that what was to be done
after it may have been done or not.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from engine.domain.brokerage import WriteAnswer
from engine.domain.order import CLOSED
from engine.orders.actions import Action, AskOperator
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.recovery import recover
from engine.orders.replies import read_policy
from tests.orders.test_desk_storm import WISHES, World, check
from tests.orders.test_recovery import ENCODER


class PowerCut(Exception):
    """The desk is no more."""


class MortalWorld(World):
    """A world whose desk can die: between storing and acting, between sending and hearing, at any action.

    `doom` counts the actions until it does; below zero it lives.
    """

    def __init__(self, seed: int, *, loss: float) -> None:
        super().__init__(seed, loss=loss)
        self.stored: list[tuple[int, str, str, str]] = []
        self.doom = -1
        self.deaths = 0
        self.up = False
        self.asked: AskOperator | None = None

    def act(self) -> None:
        """Store, then act, as the orders task does; a cut comes before the storing or at one of the actions."""
        try:
            while True:
                actions, _ = self.desk.take()
                if not actions and not self.book.facts:
                    return
                if actions and self._cut():
                    raise PowerCut
                for ts, kind, name, what in self.book.facts:
                    self.stored.append((ts, kind, name, ENCODER.encode(what).decode()))
                self.book.facts.clear()
                for action in actions:
                    self._one(action)
        except PowerCut:
            self.restart()

    def _cut(self) -> bool:
        self.doom -= 1
        return self.doom == 0

    def _one(self, action: Action) -> None:
        if self._cut():
            raise PowerCut
        if isinstance(action, AskOperator):
            self.asked = action
            return
        self._carry_out(action)

    def _write(self, number: int, send: Callable[[], WriteAnswer], lost: bool) -> None:
        if self._cut():
            send()  # it arrives, and nobody is there to hear of it
            raise PowerCut
        super()._write(number, send, lost)

    def restart(self) -> None:
        """A new desk on what was stored."""
        self.deaths += 1
        self.doom = -1
        self.asked = None
        found = recover(self.stored)
        assert not found.odd, found.odd
        self.book = LiveOrders()
        self.book.adopt(found.orders.values(), found.executions)
        self.desk = Desk(self.book, read_policy({"o999": "ask"}), DeskSettings())
        self.now += self.chance.randint(1, 20) * 1_000_000_000
        self.desk.recovered(found.in_flight(self.now), (), self.now, resent=found.resent, given_up=found.given_up)
        self.coids = [coid for coid in self.coids if coid in self.book.book]  # what was not stored never was
        self.up = False
        self.session(True)

    def session(self, up: bool) -> None:
        """It comes or goes, and stays so."""
        self.up = up
        self.desk.session(up, self.now)
        if up:  # what a stream had not carried dies with it; a new session primes its lists, and the books are compared
            self.venue.news.clear()
            self.desk.orders_read(self.venue.read_orders(self.now), self.now)
            self.desk.executions_read(self.venue.read_executions(self.now), self.now)
        self.act()

    def pass_time(self, seconds: int) -> None:
        """The stream carries what it carries, and time passes."""
        self.arrive()
        if self.up:
            self.stream()
            self.act()
        self.now += seconds * 1_000_000_000
        self.desk.tick(self.now)
        self.act()


class CrashStorm(RuleBasedStateMachine):
    """Venue, session, operator and power; the plain model is the venue's own memory."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.world = MortalWorld(seed, loss=0.1)
        self.world.session(True)

    @rule(what=st.sampled_from([0, 1, 2, 3, 4, 5]), seconds=st.integers(0, 4))
    def trade(self, what: int, seconds: int) -> None:
        world = self.world
        if what in (0, 1):
            world.place(bracket=what == 1)
        else:
            world.wish(WISHES[what])
        world.act()
        world.pass_time(seconds)

    @rule(seconds=st.integers(1, 60))
    def time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(up=st.booleans())
    def session(self, up: bool) -> None:
        self.world.session(up)

    @rule()
    def operator_halts(self) -> None:
        world = self.world
        world.desk.cancel_now([coid for coid, order in world.book.book.items() if order.is_open], world.now)
        world.act()

    @rule(yes=st.booleans())
    def operator_answers(self, yes: bool) -> None:
        world = self.world
        if world.asked is not None:
            world.desk.answer_question(world.asked.number, yes, world.now)
            world.asked = None
            world.act()

    @rule(after=st.integers(1, 12))
    def power_goes(self, after: int) -> None:
        self.world.doom = after

    def teardown(self) -> None:
        if hasattr(self, "world"):
            finish(self.world)


def finish(world: MortalWorld) -> None:
    """The line is good again; then the law."""
    world.doom = -1
    world.loss = 0.0
    world.session(True)
    world.settle()
    check(world)


TestCrashStorm = CrashStorm.TestCase


@pytest.mark.parametrize("seed", range(30))
def test_long_storms_with_power_cuts(seed: int) -> None:
    world, steps = MortalWorld(seed, loss=0.15), Random(seed)
    world.session(True)
    for _ in range(250):
        what = steps.randint(0, 8)
        if what == 6:
            world.session(steps.random() < 0.7)
        elif what == 7:
            world.doom = steps.randint(1, 20)
        elif what == 8:
            wanted = [coid for coid, order in world.book.book.items() if order.state not in CLOSED]
            world.desk.cancel_now(steps.sample(wanted, len(wanted) // 3), world.now)
        elif what in (0, 1):
            world.place(bracket=what == 1)
        else:
            world.wish(WISHES[what])
        world.act()
        world.pass_time(steps.randint(0, 4))
    assert world.deaths > 5
    finish(world)
