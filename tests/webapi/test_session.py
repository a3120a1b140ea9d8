"""Single turns of the session's machine that random schedules seldom reach."""

from __future__ import annotations

from engine.webapi.facts.session import AuthStatus
from engine.webapi.session import Session
from engine.webapi.sessionfacts import Done, Doubted, Failed, Heard, Perform, TimePassed, Told, Wanted, Work
from engine.webapi.sessionrules import Rules, Step, backoff_s

S = 1_000_000_000
NOON = 1_709_823_600 * S
GOOD = AuthStatus(authenticated=True, established=True, connected=True, competing=False)
GONE = AuthStatus(authenticated=False, established=False, connected=True, competing=False)


class Driven:
    """A machine, its clock in hand."""

    def __init__(self) -> None:
        self.now = NOON
        self.session = Session(Rules(), self.now)

    def hears(self, *facts: Heard) -> list[Wanted]:
        wanted: list[Wanted] = []
        for heard in facts:
            wanted += self.session.decide(heard, self.now, 0.0)
        return wanted

    def up_to(self, step: Step) -> None:
        self.hears(TimePassed(), Told(work=Work.TICKLE, status=GOOD))
        for work in (Work.ACCOUNTS, Work.SUPPRESS, Work.PRIME, Work.CONNECT, Work.SUBSCRIBE):
            if self.session.step is step:
                return
            self.hears(Done(work=work))
        assert self.session.step is step


def test_a_websocket_that_comes_too_late_is_closed_and_does_not_count() -> None:
    it = Driven()
    it.up_to(Step.CONNECT)
    it.now += 61 * S
    assert it.hears(TimePassed()) == [Perform(work=Work.TICKLE)]
    it.hears(Told(work=Work.TICKLE, status=GONE))
    assert it.session.step is Step.LOOK
    assert it.hears(Done(work=Work.CONNECT)) == [Perform(work=Work.DISCONNECT)]
    assert it.session.step is Step.LOOK


def test_subscriptions_that_fail_leave_no_websocket_open() -> None:
    """Each climb opens its own."""
    it = Driven()
    it.up_to(Step.SUBSCRIBE)
    assert it.hears(Failed(work=Work.SUBSCRIBE, problem="closed")) == [Perform(work=Work.DISCONNECT)]
    assert it.session.step is Step.LOOK
    assert it.hears(Failed(work=Work.SUBSCRIBE, problem="closed")) == []


def test_doubt_while_a_tickle_is_on_its_way_asks_once_more() -> None:
    it = Driven()
    it.up_to(Step.UP)
    it.now += 61 * S
    assert it.hears(TimePassed()) == [Perform(work=Work.TICKLE)]
    assert it.hears(Doubted(request="GET /x"), Doubted(request="GET /x")) == []
    it.hears(Told(work=Work.TICKLE, status=GOOD))
    wake_ns = it.session.wake_ns()
    assert wake_ns == it.now + 5 * S
    it.now = wake_ns
    assert it.hears(TimePassed()) == [Perform(work=Work.TICKLE)]


def test_an_accounts_list_that_is_not_loaded_is_waited_for_without_an_init() -> None:
    it = Driven()
    it.hears(TimePassed(), Told(work=Work.TICKLE, status=AuthStatus(authenticated=True, established=False)))
    assert it.session.step is Step.SETTLE
    it.now += 2 * S
    assert it.hears(TimePassed()) == [Perform(work=Work.STATUS)]
    assert it.hears(Told(work=Work.STATUS, status=GOOD)) == [Perform(work=Work.ACCOUNTS)]


def test_an_init_with_authenticated_false_is_a_failure() -> None:
    it = Driven()
    assert it.hears(TimePassed(), Told(work=Work.TICKLE, status=GONE))[-1] == Perform(work=Work.INIT)
    assert it.hears(Told(work=Work.INIT, status=AuthStatus(authenticated=False, fail="busy"))) == []
    assert it.session.step is Step.LOOK
    assert it.session.health(it.now).layers[2].reason == "not authenticated: busy"


def test_waits_double_to_a_cap_and_chance_takes_up_to_half() -> None:
    waits = [backoff_s(failures, 0.0, first_s=1, cap_s=60) for failures in range(9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert backoff_s(3, 0.5, first_s=1, cap_s=60) == 6
    assert backoff_s(10_000, 0.999, first_s=1, cap_s=60) > 30
