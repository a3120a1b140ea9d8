"""Single turns of the session's machine that random schedules seldom reach."""

from __future__ import annotations

from engine.webapi.facts.session import AuthStatus
from engine.webapi.session import Session
from engine.webapi.sessionfacts import Alert, Done, Doubted, Failed, Heard, Perform, TimePassed, Told, Wanted, Work
from engine.webapi.sessionrules import Rules, Step, backoff_s

S = 1_000_000_000
NOON = 1_709_823_600 * S
GOOD = AuthStatus(authenticated=True, established=True, connected=True, competing=False)
GONE = AuthStatus(authenticated=False, established=False, connected=True, competing=False)


class Driven:
    """A machine, its clock in hand."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.now = NOON
        self.session = Session(rules or Rules(), self.now)

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


def test_a_budget_that_is_used_up_is_told_once_in_a_sentence_and_what_comes_free_is_used() -> None:
    it = Driven(Rules(inits_per_hour=2))
    answers = {Work.TICKLE: GONE, Work.INIT: AuthStatus(authenticated=False, fail="busy"), Work.STATUS: GOOD}
    inits: list[int] = []
    told: list[str] = []
    wanted = it.hears(TimePassed())
    while it.session.step is not Step.ACCOUNTS and it.now < NOON + 3 * 3600 * S:
        for one in wanted:
            if isinstance(one, Alert) and "budget" in one.what:
                told.append(f"{one.what}: {one.detail}")
            if isinstance(one, Perform) and one.work is Work.INIT:
                inits.append(it.now)
        asked = [one.work for one in wanted if isinstance(one, Perform) and one.work in answers]
        if asked:
            wanted = it.hears(*(Told(work=work, status=answers[work]) for work in asked))
            continue
        if it.now > NOON + 1800 * S:  # from now on the venue would open it
            answers[Work.INIT] = GOOD
        wake_ns = it.session.wake_ns()
        assert wake_ns is not None
        it.now = max(it.now, wake_ns)
        wanted = it.hears(TimePassed())
    assert len(inits) == 3
    assert inits[2] >= inits[0] + 3600 * S
    assert inits[2] < inits[0] + 3700 * S
    assert len(told) == 1
    assert told[0].startswith(
        "init_budget_spent: all 2 openings of the brokerage session that an hour may have are used"
    )
    assert it.session.step is Step.ACCOUNTS


def test_waits_double_to_a_cap_and_chance_takes_up_to_half() -> None:
    waits = [backoff_s(failures, 0.0, first_s=1, cap_s=60) for failures in range(9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert backoff_s(3, 0.5, first_s=1, cap_s=60) == 6
    assert backoff_s(10_000, 0.999, first_s=1, cap_s=60) > 30
