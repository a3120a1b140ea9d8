"""The life of a session as a plain machine: it hears facts and says what to do. Time and chance are arguments.

    LOGIN -> LOOK -> INIT -> SETTLE -> ACCOUNTS -> SUPPRESS -> PRIME -> CONNECT -> SUBSCRIBE -> UP
                \\____________________/

There is one way up, and every loss leads back to LOOK (or LOGIN): after a new brokerage session the chosen account,
suppression, caches and subscriptions are gone, and after a lost websocket nobody can tell whether the session behind it
was a new one meanwhile. At most one step is being worked on; what belongs to a climb that was broken off doesn't count.
"""

from __future__ import annotations

from typing import assert_never

from engine.webapi.facts.session import AuthStatus
from engine.webapi.layers import Layers
from engine.webapi.logins import LIMITS, Attempt
from engine.webapi.maintenance import away_at
from engine.webapi.sessionfacts import (
    Alert,
    Cause,
    DataFlows,
    DataSilent,
    Done,
    Doubted,
    Failed,
    GoDown,
    GoUp,
    Health,
    Heard,
    Layer,
    LoggedIn,
    Perform,
    Policy,
    Pushed,
    StreamLost,
    TimePassed,
    Told,
    Wanted,
    Work,
)
from engine.webapi.sessionrules import AFTER, LAYER, OPEN, WORK, Rules, Step, backoff_s

SECOND = 1_000_000_000


class Session:
    """The machine. `decide` takes one fact; `wake_ns` says when to come with `TimePassed` at the latest."""

    def __init__(self, rules: Rules, now_ns: int) -> None:
        self.rules = rules
        self.logins = rules.logins
        self.step = Step.LOGIN if rules.logs_in else Step.LOOK
        self._asked: Work | None = None  # the climb's work that is being done
        self._stale = False  # ... for a climb that was broken off
        self._tickling = False
        self._renewing = False
        self._doubted = False
        self._tickled_ns = now_ns
        self._tickle_ns = now_ns
        self._misses = 0
        self._failures = 0
        self._vain_inits = 0
        self._next_ns = now_ns
        self._settle_end_ns = 0
        self._must_init = rules.logs_in
        self._expires_ns: int | None = None
        self._renew_ns: int | None = None
        self._since_ns = now_ns  # up or down since
        self._expected_until_ns = now_ns  # nobody is told that we are down before this and `overdue_s`
        self._told: set[str] = set()  # alerts of this time down
        self._out: list[Wanted] = []
        self._layers = Layers(now_ns)

    # -- hearing ----------------------------------------------------------------------------------------------------

    def decide(self, heard: Heard, now_ns: int, chance: float) -> list[Wanted]:
        """Take a fact in and return what is to be done, in order. `chance` in [0, 1) spreads waits."""
        match heard:
            case TimePassed():
                pass
            case LoggedIn():
                self._logged_in(heard, now_ns, chance)
            case Told(work=Work.TICKLE):
                self._ticked(heard.status, now_ns, chance)
            case Told():
                self._told_status(heard, now_ns, chance)
            case Done():
                self._done(heard.work, now_ns)
            case Failed(work=Work.TICKLE):
                self._tickle_failed(heard, now_ns, chance)
            case Failed():
                self._failed(heard, now_ns, chance)
            case Pushed(status=status):
                # A frame may be partial, and a return is not always pushed: it is a reason to look, no verdict.
                if status.authenticated is False or status.competing is True or status.connected is False:
                    self._doubt(now_ns)
            case StreamLost():
                if self.step in (Step.UP, Step.SUBSCRIBE):
                    self._lose(Layer.STREAM, heard.problem, now_ns, chance)
            case DataFlows():
                if self.step is Step.UP:
                    self._layers.up(Layer.DATA, "data arrives", now_ns)
            case DataSilent():
                self._layers.down(Layer.DATA, heard.problem, now_ns)
            case Doubted():
                self._doubt(now_ns)
            case _:
                assert_never(heard)
        self._go_on(now_ns)
        out, self._out = self._out, []
        return out

    def wake_ns(self) -> int | None:
        """Return when the machine wants to hear that time has passed."""
        moments = []
        if self.step is Step.UP and self._renew_ns is not None and not self._renewing:
            moments.append(self._renew_ns)
        if self.step is not Step.UP and self._asked is None and not self._waits_for_renewal():
            moments.append(self._next_ns)
        if not self._tickling and self._layers.is_up(Layer.OUTER):
            moments.append(self._tickle_ns)
        if self.step is not Step.UP and "session_still_down" not in self._told:
            moments.append(self._overdue_ns())
        return min(moments, default=None)

    def health(self, now_ns: int) -> Health:
        """Name every layer, why it is as it is and since when."""
        away = away_at(self.rules.region, now_ns) if self.rules.region else None
        return Health(
            up=self.step is Step.UP,
            since_ns=self._since_ns,
            doing=self.step.value,
            next_try_ns=self._next_ns if self.step is not Step.UP and self._asked is None else None,
            away=away.name if away else "",
            layers=self._layers.rows(),
        )

    # -- results ----------------------------------------------------------------------------------------------------

    def _counts(self, work: Work) -> bool:
        """Whether a result belongs to the climb as it is; the work is no longer being done in any case."""
        if self._asked is not work:
            return False
        self._asked = None
        stale, self._stale = self._stale, False
        if stale and work in (Work.CONNECT, Work.SUBSCRIBE):
            self._out.append(Perform(work=Work.DISCONNECT))
        return not stale

    def _logged_in(self, heard: LoggedIn, now_ns: int, chance: float) -> None:
        self._counts(heard.work)
        self._renewing = False
        self._failures = self._vain_inits = 0
        self._must_init = True
        self._expires_ns = heard.expires_ns
        self._renew_ns = None
        if heard.expires_ns is not None:
            left_ns = max(0, heard.expires_ns - now_ns)
            self._renew_ns = heard.expires_ns - min(round(self.rules.renew_before_s * SECOND), left_ns // 4)
        if self.step in OPEN:
            self._lose(Layer.BROKERAGE, "the login was renewed", now_ns, chance, planned=True)
        self._stale = self._asked is not None
        self._layers.up(Layer.OUTER, "logged in", now_ns)
        self._to(Step.LOOK, now_ns)

    def _ticked(self, status: AuthStatus | None, now_ns: int, chance: float) -> None:
        counts = self._tickle_came(now_ns, self.rules.tickle_s)
        if status is None or status.authenticated is None:
            self._missed(Layer.BROKERAGE, "the tickle told nothing of the session", now_ns, chance, counts=counts)
            return
        self._misses = 0
        self._layers.up(Layer.OUTER, "answers", now_ns)
        if self.step is Step.LOOK and counts:
            self._judge(status, now_ns, chance)
        elif self.step in OPEN and not _good(status):
            self._lose(Layer.BROKERAGE, _why(status), now_ns, chance)

    def _tickle_failed(self, heard: Failed, now_ns: int, chance: float) -> None:
        counts = self._tickle_came(now_ns, self.rules.second_look_s)
        layer = Layer.GATEWAY if heard.cause is Cause.UNREACHABLE else Layer.OUTER
        if layer is Layer.OUTER:
            self._layers.up(Layer.GATEWAY, "answers", now_ns)
        self._missed(layer, heard.problem, now_ns, chance, counts=counts, cause=heard.cause)

    def _tickle_came(self, now_ns: int, next_s: float) -> bool:
        """Note an answer or its absence; return whether the climb waited for it."""
        self._tickling = False
        self._tickled_ns = now_ns
        self._tickle_ns = now_ns + round(next_s * SECOND)
        if self._doubted:
            # Doubt came while it was on its way: it may be older than what was doubted.
            self._doubted = False
            self._doubt(now_ns)
        return self._counts(Work.TICKLE)

    def _doubt(self, now_ns: int) -> None:
        self._doubted = self._tickling
        self._tickle_ns = min(self._tickle_ns, max(now_ns, self._tickled_ns + round(self.rules.second_look_s * SECOND)))

    def _missed(
        self, layer: Layer, problem: str, now_ns: int, chance: float, *, counts: bool, cause: Cause = Cause.OTHER
    ) -> None:
        """A tickle in vain: one is weather, two in a row are a loss."""
        self._misses += 1
        self._tickle_ns = min(self._tickle_ns, now_ns + round(self.rules.second_look_s * SECOND))
        logged_out = cause is Cause.LOGGED_OUT
        if self.step in OPEN:
            if self._misses >= 2:
                self._lose(layer, problem, now_ns, chance)
        elif self.step is Step.LOOK and counts:
            self._layers.down(layer, problem, now_ns)
            if logged_out and not self.rules.logs_in:
                self._alert("login_needed", "a person has to log in at the gateway")
            self._again(Step.LOGIN if logged_out and self.rules.logs_in else Step.LOOK, now_ns, chance)

    def _told_status(self, heard: Told, now_ns: int, chance: float) -> None:
        if not self._counts(heard.work):
            return
        status = heard.status
        if heard.work is Work.INIT and self.step is Step.INIT:
            if status is not None and status.authenticated:
                self._must_init = False
                self._vain_inits = 0
                self._settle_end_ns = now_ns + round(self.rules.settle_limit_s * SECOND)
                self._to(Step.SETTLE, now_ns + round(self.rules.settle_s * SECOND))
                return
            # 200 with authenticated:false is a failure like any other.
            self._layers.down(Layer.BROKERAGE, _why(status), now_ns)
            self._vain_init(now_ns, chance)
        elif heard.work is Work.STATUS and self.step is Step.SETTLE:
            if status is not None and _good(status):
                self._layers.up(Layer.BROKERAGE, "open", now_ns)
                self._to(Step.ACCOUNTS, now_ns)
            elif now_ns >= self._settle_end_ns or (status is not None and status.competing):
                self._layers.down(Layer.BROKERAGE, _why(status), now_ns)
                self._again(Step.LOOK, now_ns, chance)
            else:
                self._next_ns = now_ns + round(self.rules.settle_poll_s * SECOND)

    def _done(self, work: Work, now_ns: int) -> None:
        if not self._counts(work) or WORK.get(self.step) is not work:
            return
        following = AFTER[self.step]
        if following is Step.CONNECT:
            self._layers.up(Layer.ACCOUNTS, "loaded", now_ns)
        self._to(following, now_ns)
        if following is Step.UP:
            self._layers.up(Layer.STREAM, "authorised and subscribed", now_ns)
            self._layers.down(Layer.DATA, "waiting for the first data", now_ns)
            self._since_ns = now_ns
            self._told.clear()
            self._out.append(GoUp())

    def _vain_init(self, now_ns: int, chance: float, *, logged_out: bool = False) -> None:
        self._vain_inits += 1
        if logged_out and not self.rules.logs_in:
            # The tickle may answer well while nobody is logged in: only an init tells.
            self._layers.down(Layer.OUTER, "nobody is logged in", now_ns)
            self._alert("login_needed", "a person has to log in at the gateway")
        if self.rules.logs_in and (logged_out or self._vain_inits >= self.rules.inits_before_login):
            self._vain_inits = 0
            self._again(Step.LOGIN, now_ns, chance)
        else:
            self._again(Step.LOOK, now_ns, chance)

    def _failed(self, heard: Failed, now_ns: int, chance: float) -> None:
        if heard.unsent and heard.work in (Work.LOGIN, Work.RENEW):
            self.logins = self.logins.refund(Attempt.LOGIN)
        if heard.work is Work.RENEW:
            # The old login may still stand; the tickle will tell. Only the renewal is tried again.
            self._renewing = False
            self._renew_ns = now_ns + round(self.rules.login_backoff_s * (1 + chance) * SECOND)
            self._alert("renewal_failed", heard.problem)
        if not self._counts(heard.work):
            return
        unreachable = heard.cause is Cause.UNREACHABLE
        layer = LAYER[self.step]
        self._layers.down(
            min(layer, Layer.GATEWAY if unreachable and layer <= Layer.OUTER else layer), heard.problem, now_ns
        )
        if self.step is Step.SUBSCRIBE:
            self._out.append(Perform(work=Work.DISCONNECT))  # the websocket stands; the next climb opens its own
        if self.step is Step.INIT:
            self._vain_init(now_ns, chance, logged_out=heard.cause is Cause.LOGGED_OUT)
        elif self.step is Step.LOGIN and not unreachable:
            self._alert("login_refused", heard.problem)
            first_s, cap_s = self.rules.login_backoff_s, self.rules.login_backoff_cap_s
            wait_s = backoff_s(self._failures, chance, first_s=first_s, cap_s=cap_s)
            self._failures += 1
            self._to(Step.LOGIN, now_ns + round(wait_s * SECOND))
        else:
            self._again(self.step if self.step is Step.LOGIN else Step.LOOK, now_ns, chance)

    # -- judging ----------------------------------------------------------------------------------------------------

    def _judge(self, status: AuthStatus, now_ns: int, chance: float) -> None:
        if status.competing:
            self._layers.down(Layer.BROKERAGE, _why(status), now_ns)
            if not self._may_steal(now_ns):
                self._alert("competing_session", "another session of this username; standing down")
                wait_s = self.rules.stand_down_s * (1 + chance / 2)
                self._to(Step.LOOK, now_ns + round(wait_s * SECOND))
                return
            self._alert("competing_session", "another session of this username; taking it back")
            self.logins = self.logins.spend(Attempt.STEAL, now_ns)
            self._to(Step.INIT, now_ns)
        elif _good(status) and not self._must_init:
            self._layers.up(Layer.BROKERAGE, "open", now_ns)
            self._to(Step.ACCOUNTS, now_ns)
        elif status.authenticated and not self._must_init:
            self._layers.down(Layer.BROKERAGE, _why(status), now_ns)
            self._settle_end_ns = now_ns + round(self.rules.settle_limit_s * SECOND)
            self._to(Step.SETTLE, now_ns + round(self.rules.settle_poll_s * SECOND))
        else:
            self._layers.down(Layer.BROKERAGE, _why(status), now_ns)
            self._to(Step.INIT, now_ns)

    def _may_steal(self, now_ns: int) -> bool:
        match self.rules.policy:
            case Policy.STAND_DOWN:
                return False
            case Policy.STEAL:
                return True
            case Policy.BOUNDED_STEAL:
                return self.logins.free_ns(Attempt.STEAL, now_ns) <= now_ns
            case _:
                assert_never(self.rules.policy)

    # -- moving -----------------------------------------------------------------------------------------------------

    def _go_on(self, now_ns: int) -> None:
        if self.step is Step.UP and self._renew_ns is not None and now_ns >= self._renew_ns and not self._renewing:
            self._renew(now_ns)
        if self.step is not Step.UP and self._asked is None and now_ns >= self._next_ns:
            self._climb(now_ns)
        if not self._tickling and self._layers.is_up(Layer.OUTER) and now_ns >= self._tickle_ns:
            self._tickling = True
            self._out.append(Perform(work=Work.TICKLE))
        if self.step is not Step.UP and now_ns >= self._overdue_ns():
            self._alert("session_still_down", self._layers.why_down())

    def _climb(self, now_ns: int) -> None:
        if self._waits_for_renewal():
            return
        work = WORK[self.step]
        attempt = {Work.LOGIN: Attempt.LOGIN, Work.INIT: Attempt.INIT}.get(work)
        if attempt is not None:
            free_ns = self._spend(attempt, now_ns)
            if free_ns > now_ns:
                self._layers.down(LAYER[self.step], f"the budget of {attempt.value} attempts is spent", now_ns)
                if work is Work.INIT:
                    # Somebody else may open it meanwhile: keep looking.
                    free_ns = min(free_ns, now_ns + round(self.rules.backoff_cap_s * SECOND))
                    self.step = Step.LOOK
                self._next_ns = free_ns
                return
        self._asked = work
        if work is Work.TICKLE:
            if self._tickling:
                return  # the keepalive that is on its way answers this as well
            self._tickling = True
        self._out.append(Perform(work=work))

    def _renew(self, now_ns: int) -> None:
        free_ns = self._spend(Attempt.LOGIN, now_ns)
        if free_ns > now_ns:
            self._renew_ns = free_ns
            return
        self._renewing = True
        self._out.append(Perform(work=Work.RENEW))

    def _waits_for_renewal(self) -> bool:
        return self._renewing and self.step is Step.LOGIN

    def _spend(self, attempt: Attempt, now_ns: int) -> int:
        """Count an attempt and return `now_ns`, or return when the next may be made."""
        limit = self.rules.inits_per_hour if attempt is Attempt.INIT else LIMITS[attempt][0]
        free_ns = self.logins.free_ns(attempt, now_ns, limit=limit)
        if free_ns > now_ns:
            what = "openings of the brokerage session" if attempt is Attempt.INIT else "logins"
            wait_s = (free_ns - now_ns) / SECOND
            sentence = f"all {limit} {what} that an hour may have are used up; the next may be made in {wait_s:.0f} s"
            self._alert(f"{attempt.value}_budget_spent", sentence)
        else:
            self.logins = self.logins.spend(attempt, now_ns)
        return free_ns

    def _lose(self, layer: Layer, reason: str, now_ns: int, chance: float, *, planned: bool = False) -> None:
        """Something that stood is gone: say so, and begin anew."""
        away = away_at(self.rules.region, now_ns) if self.rules.region else None
        expected = planned or away is not None
        self._stale = self._asked is not None
        self._out.append(Perform(work=Work.DISCONNECT))
        self._layers.down(layer, reason, now_ns)
        step = Step.LOGIN if layer is Layer.OUTER and self.rules.logs_in else Step.LOOK
        if self.step is not Step.UP:
            self._again(step, now_ns, chance)
            return
        steady = now_ns - self._since_ns >= self.rules.steady_s * SECOND
        self._since_ns = now_ns
        self._expected_until_ns = away.end_ns if away else now_ns
        self._out.append(GoDown(reason=f"{reason} ({away.name})" if away else reason, expected=expected))
        if not expected:
            self._alert("session_lost", reason)
        if steady:
            self._failures = 0
            self._to(step, now_ns + round(chance * SECOND))  # a second's spread, for whoever lost it with us
        else:
            self._again(step, now_ns, chance)

    def _again(self, step: Step, now_ns: int, chance: float) -> None:
        """Try from `step` after a wait that grows."""
        if self.rules.region and away_at(self.rules.region, now_ns):
            # It ends when it ends: a steady try, and no failure counts.
            wait_s = self.rules.away_retry_s * (1 - chance / 2)
        else:
            wait_s = backoff_s(self._failures, chance, first_s=self.rules.backoff_s, cap_s=self.rules.backoff_cap_s)
            self._failures += 1
        self._to(step, now_ns + round(wait_s * SECOND))

    def _to(self, step: Step, when_ns: int) -> None:
        self.step, self._next_ns = step, when_ns

    def _overdue_ns(self) -> int:
        return max(self._since_ns, self._expected_until_ns) + round(self.rules.overdue_s * SECOND)

    def _alert(self, what: str, detail: str) -> None:
        """Once each time that the session is down."""
        if what not in self._told:
            self._told.add(what)
            self._out.append(Alert(what=what, detail=detail))


def _good(status: AuthStatus) -> bool:
    return status.usable and status.authenticated is True


def _why(status: AuthStatus | None) -> str:
    if status is None:
        return "the answer told nothing of the session"
    if status.competing:
        return "another session of this username"
    said = status.fail or status.message
    if not status.authenticated:
        return f"not authenticated{': ' if said else ''}{said}"
    return "authenticated, but its accounts are not loaded yet" if status.established is False else "open"
