"""A session's machine against a plain world: a gateway that may be gone, logins that end, people who take over."""

from __future__ import annotations

import os
from itertools import pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.webapi.facts.session import AuthStatus
from engine.webapi.maintenance import Region
from engine.webapi.session import Session
from engine.webapi.sessionfacts import (
    Cause,
    DataFlows,
    Done,
    Doubted,
    Failed,
    GoDown,
    GoUp,
    Heard,
    LoggedIn,
    Perform,
    Policy,
    Pushed,
    StreamLost,
    TimePassed,
    Told,
    Wanted,
    Work,
)  # fmt: skip
from engine.webapi.sessionrules import Rules, Step

CAMPAIGN = os.environ.get("FULLTICKET_CAMPAIGN") == "1"
S = 1_000_000_000
HOUR = 3600 * S
START = 1_710_000_000 * S  # 2024-03-09 16:00 UTC, a Saturday: the weekly maintenance is near
CLIMB = [Work.ACCOUNTS, Work.SUPPRESS, Work.PRIME, Work.CONNECT, Work.SUBSCRIBE]
LAID_ASIDE = {Work.TICKLE, Work.RENEW}


class World:
    """What is true. Too simple to be wrong."""

    def __init__(self) -> None:
        self.there = True
        self.logged_in = True
        self.open = False
        self.rival = False

    def outcome(self, work: Work, now_ns: int) -> Heard:
        if not self.there:
            return Failed(work=work, problem="nobody answers", cause=Cause.UNREACHABLE, unsent=True)
        if work in (Work.LOGIN, Work.RENEW):
            self.logged_in, self.open = True, False
            return LoggedIn(work=work, expires_ns=now_ns + 24 * HOUR)
        if not self.logged_in:
            return Failed(work=work, problem="401", cause=Cause.LOGGED_OUT)
        if work is Work.INIT:
            self.open, self.rival = True, False
        if work in (Work.TICKLE, Work.STATUS, Work.INIT):
            return Told(work=work, status=self.status())
        return Done(work=work) if self.open else Failed(work=work, problem="400 no bridge")

    def status(self) -> AuthStatus:
        return AuthStatus(authenticated=self.open, established=self.open, connected=True, competing=self.rival)


class SessionLife(RuleBasedStateMachine):
    """Whatever happens, up is only said when everything was done anew, and nothing is done too often."""

    @initialize(
        policy=st.sampled_from(Policy),
        logs_in=st.booleans(),
        region=st.sampled_from([None, *Region]),
        hour=st.integers(0, 47),
    )
    def begin(self, policy: Policy, logs_in: bool, region: Region | None, hour: int) -> None:
        self.now = START + hour * HOUR
        self.kept = Rules(policy=policy, logs_in=logs_in, region=region)
        self.session = Session(self.kept, self.now)
        self.world = World()
        self.world.logged_in = not logs_in
        self.pending: list[Work] = []
        self.log: list[tuple[int, Wanted]] = []
        self.climbed: list[Work] = []  # succeeded since the climb last began
        self.last: AuthStatus | None = None  # as last told
        self.refunds = 0
        self.steals: list[int] = []
        self.socket_open = False
        self.hear(TimePassed(), 0.5)

    def hear(self, heard: Heard, chance: float) -> None:
        if isinstance(heard, Told) and heard.status is not None and heard.status.authenticated is not None:
            self.last = heard.status
        if isinstance(heard, Done):
            self.climbed.append(heard.work)
            self.socket_open = self.socket_open or heard.work is Work.CONNECT
        if isinstance(heard, LoggedIn) or (isinstance(heard, Told) and heard.work is Work.INIT):
            self.climbed.clear()  # whatever was done before counts no more
        for wanted in self.session.decide(heard, self.now, chance):
            self.log.append((self.now, wanted))
            match wanted:
                case GoUp():
                    assert self.climbed[-5:] == CLIMB
                    assert self.last is not None
                    assert self.last.usable
                case Perform(work=Work.DISCONNECT):
                    self.climbed.clear()
                    self.socket_open = False
                case Perform(work=work):
                    self.performs(work)
                case _:
                    pass

    def performs(self, work: Work) -> None:
        assert work not in self.pending
        assert work is not Work.CONNECT or not self.socket_open  # one websocket a session
        if work not in LAID_ASIDE:
            assert all(other in LAID_ASIDE for other in self.pending)
            if work is not Work.INIT:
                assert Work.RENEW not in self.pending or work is not Work.LOGIN
        if work is Work.INIT and self.last is not None and self.last.competing:
            assert self.kept.policy is not Policy.STAND_DOWN
            self.steals.append(self.now)
        self.pending.append(work)

    # -- the world moves --------------------------------------------------------------------------------------------

    @rule(what=st.sampled_from(["there", "logged_in", "open", "rival"]), value=st.booleans())
    def world_changes(self, what: str, value: bool) -> None:
        if what == "open" and value:
            return  # nobody but us opens it
        setattr(self.world, what, value)
        if what == "logged_in" and not value:
            self.world.open = False
        if what == "rival" and value:
            self.world.open = False

    @rule(chance=st.floats(0, 0.99), seconds=st.sampled_from([0, 0.2, 1, 5, 30, 70, 400, 4000, 30_000]))
    def time_passes(self, chance: float, seconds: float) -> None:
        self.now += round(seconds * S)
        self.hear(TimePassed(), chance)

    @rule(chance=st.floats(0, 0.99))
    def the_machine_wakes(self, chance: float) -> None:
        wake_ns = self.session.wake_ns()
        if wake_ns is not None:
            self.now = max(self.now, wake_ns)
            self.hear(TimePassed(), chance)

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), chance=st.floats(0, 0.99), fails=st.sampled_from([False, False, False, True]))
    def a_result_comes(self, data: st.DataObject, chance: float, fails: bool) -> None:
        work = data.draw(st.sampled_from(self.pending))
        self.pending.remove(work)
        heard = self.world.outcome(work, self.now)
        if fails:
            cause = data.draw(st.sampled_from(Cause))
            heard = data.draw(st.sampled_from([Failed(work=work, problem="bad luck", cause=cause), heard]))
            if work in (Work.TICKLE, Work.STATUS, Work.INIT) and data.draw(st.booleans()):
                heard = Told(
                    work=work, status=data.draw(st.sampled_from([None, AuthStatus(), AuthStatus(competing=False)]))
                )
        if isinstance(heard, Failed) and heard.unsent and work in (Work.LOGIN, Work.RENEW):
            self.refunds += 1
        self.hear(heard, chance)

    @rule(chance=st.floats(0, 0.99), heard=st.sampled_from([
        StreamLost(problem="closed"), DataFlows(), Doubted(request="GET /x"), Pushed(status=AuthStatus()),
        Pushed(status=AuthStatus(authenticated=False)), Pushed(status=AuthStatus(competing=True)),
    ]))  # fmt: skip
    def somebody_says(self, heard: Heard, chance: float) -> None:
        self.hear(heard, chance)

    # -- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def ups_and_downs_alternate(self) -> None:
        if not hasattr(self, "session"):
            return
        turns = [type(wanted) for _, wanted in self.log if isinstance(wanted, GoUp | GoDown)]
        assert turns[:1] in ([], [GoUp])
        assert all(one is not other for one, other in pairwise(turns))
        up = bool(turns) and turns[-1] is GoUp
        assert self.session.health(self.now).up is up
        assert (self.session.step is Step.UP) is up

    @invariant()
    def layers_stand_on_one_another(self) -> None:
        if not hasattr(self, "session"):
            return
        health = self.session.health(self.now)
        ups = [layer.up for layer in health.layers]
        assert ups == sorted(ups, reverse=True)
        assert not health.up or all(ups[:5])
        assert all(layer.reason and layer.since_ns <= self.now for layer in health.layers)

    @invariant()
    def budgets_hold(self) -> None:
        if not hasattr(self, "session"):
            return
        for works, limit, spare in ((("LOGIN", "RENEW"), 6, self.refunds), (("INIT",), 60, 0)):
            stamps = [at for at, wanted in self.log if isinstance(wanted, Perform) and wanted.work.name in works]
            assert max((sum(at <= one < at + HOUR for one in stamps) for at in stamps), default=0) <= limit + spare
        if self.kept.policy is Policy.BOUNDED_STEAL:
            assert max((sum(at <= one < at + HOUR for one in self.steals) for at in self.steals), default=0) <= 3

    @invariant()
    def the_machine_never_sleeps_for_good(self) -> None:
        if not hasattr(self, "session"):
            return
        wake_ns = self.session.wake_ns()
        assert wake_ns is not None or self.pending
        if self.session.health(self.now).layers[1].up and Work.TICKLE not in self.pending:
            assert wake_ns is not None
            assert wake_ns <= self.now + 60 * S

    def teardown(self) -> None:
        """In a good world, with honest answers, it comes up, and stays so."""
        if not hasattr(self, "session"):
            return
        self.world.there = True
        self.world.rival = False
        self.world.logged_in = self.world.logged_in or not self.kept.logs_in
        for _ in range(400):
            if self.pending:
                work = self.pending.pop()
                self.hear(self.world.outcome(work, self.now), 0.3)
            elif self.session.step is Step.UP:
                return
            else:
                wake_ns = self.session.wake_ns()
                assert wake_ns is not None
                self.now = max(self.now, wake_ns)
                self.hear(TimePassed(), 0.3)
        raise AssertionError(f"never up: {self.session.health(self.now)}")


def test_session_life() -> None:
    run_state_machine_as_test(
        SessionLife,
        settings=settings(
            max_examples=10_000 if CAMPAIGN else 80,
            stateful_step_count=60,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
