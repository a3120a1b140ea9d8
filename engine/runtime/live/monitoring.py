"""Monitors inside the risk task: what they are told, what they find, and what follows until it is well again.

Pure. Health above a limit lets only pass what makes positions smaller, until it has been within its limits for a while;
twice the limit halts, until a person resumes. Everything else is told to a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from engine.domain.messages import Approved, Place, Refusal, Update, Verdict
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import OrderTicket
from engine.risk.account import Held, Level
from engine.risk.gate import Gate
from engine.risk.limits import monitor_limits
from engine.risk.monitors import Finding, Health, PostTrade, health, order_to_trade
from engine.settings import RiskSettings

CALM_S: Final = 30.0  # of the session's clock, for which all is well before reduce-only ends
HEALTH: Final = "HEALTH"
Told = Callable[[Finding, int], None]


class Monitors:
    """What watches beside the gate.

    Args:
        wall: The session lives by the wall's clock, so that skew and lag have defaults; a simulated one's don't.
        told: Told of every finding once, and of its end.
    """

    def __init__(self, gate: Gate, *, wall: bool, told: Told | None = None) -> None:
        self._gate = gate
        self._wall = wall
        self._told = told
        self.limits = monitor_limits(gate.settings.account, wall=wall)
        self._post = PostTrade(self.limits, gate.references)
        self._unwell: dict[str, int] = {}  # what is above its limit, and when it last was
        self._ratios: dict[str, int] = {}  # whose messages are too many, and the day that was told of
        self.health = Health()
        self.refused: Counter[str] = Counter()  # by code, since the start
        self.asked = 0  # questions of the venue's that our checks were asked about
        self.largest: dict[str, Decimal] = {}  # quantity and money of the largest order that passed
        self.passed: list[OrderTicket] = []  # and has not been looked at

    def reload(self, settings: RiskSettings) -> None:
        """Other limits count from now on."""
        self.limits = self._post.limits = monitor_limits(settings.account, wall=self._wall)

    def modified(self, before: OrderTicket, after: OrderTicket) -> None:
        """A modification has passed the gate."""
        self._post.asked(before, after)

    def heard(self, updates: tuple[Update, ...], now_ns: int) -> None:
        """What became of orders."""
        for found in self._post.hear(updates):
            self._tell(found, now_ns)
            if found.level is not None:
                self._gate.latch("", Held(found.level, found.code, found.sentence, now_ns))

    def forget(self) -> None:
        """The venue's day has turned: orders that have been over for a day are let go, by the gate too."""
        self._post.forget(self._gate.forget(self._post.remembered))

    def jumped(self, sentences: list[str], now_ns: int) -> None:
        """Worth has jumped, and losses wait: these are told, and done with."""
        for sentence in sentences:
            self._tell(Finding("JUMP", f"{sentence}: a bad mark, and loss latches wait"), now_ns)
        sentences.clear()

    def judged(self, verdict: Verdict) -> None:
        """A verdict has been given."""
        if not isinstance(verdict, Approved):
            self.refused[verdict.refusal.code] += 1
        elif isinstance(verdict.intent, Place):
            self.passed += verdict.intent.tickets

    def measure(self) -> None:
        """See how large the orders are that have passed: at leisure, but before anything else happens."""
        for ticket in self.passed:
            self._largest("quantity", ticket.quantity)
            reference = self._gate.references.get(ticket.coid)
            value = self._gate.account.values.get(ticket.conid)
            if reference is not None and value is not None and value == value:
                price = max(abs(reference), abs(float(ticket.limit_price or 0)))
                self._largest("notional", Decimal(repr(round(float(ticket.quantity) * price * value, 2))))
        self.passed.clear()

    def _largest(self, what: str, value: Decimal) -> None:
        self.largest[what] = max(value, self.largest.get(what, value))

    def look(self, now: Health, now_ns: int) -> None:
        """A reading of the process's health; what is counted by the day is looked at with it."""
        self.health = now
        found = health(now, self.limits)
        for one in found:
            what = one.sentence.partition(" by ")[0].partition(":")[0].partition(" unknown")[0]
            if what not in self._unwell:
                self._tell(one, now_ns)
            self._unwell[what] = now_ns
            if one.level is Level.HALTED:
                self._gate.latch("", Held(Level.HALTED, HEALTH, one.sentence, now_ns))
        for what in [what for what, at in self._unwell.items() if now_ns - at >= CALM_S * NS_PER_S]:
            del self._unwell[what]
            self._tell(Finding(HEALTH, f"{what}: within its limit again for {CALM_S:g} s"), now_ns)
        self._count(now_ns)

    def _count(self, now_ns: int) -> None:
        account = self._gate.account
        today = account.day_of(now_ns)
        for owner in list(account.purses):
            limits = self.limits if not owner else self._gate.settings.strategy.get(owner)
            found = None if limits is None else order_to_trade(owner, account.purse(owner, now_ns), limits)
            if found is not None and self._ratios.get(owner) != today:
                self._ratios[owner] = today
                self._tell(found, now_ns)

    @property
    def unwell(self) -> str:
        """Why only what makes positions smaller may be sent; empty if all is well."""
        return "; ".join(self._unwell)

    def bars(self) -> Refusal | None:
        """What health forbids."""
        if not self._unwell:
            return None
        sentence = f"{self.unwell}: only what makes positions smaller may be sent"
        return Refusal(HEALTH, "within limits", "reducing", sentence)

    def used(self) -> Mapping[str, tuple[str, str | None]]:
        """What the rows of the catalogue have used, by their codes."""
        self.measure()
        found: dict[str, tuple[str, str | None]] = {"R43": (f"{self.asked} asked", None)}
        for code, what in (("R1", "quantity"), ("R2", "notional")):
            if what in self.largest:
                found[code] = (f"{self.largest[what]:f}", None)
        reading = ", ".join(
            f"{name} {'unknown' if value is None else format(value, 'g')}"
            for name, value in (
                ("skew ms", self.health.clock_skew_ms),
                ("lag ms", self.health.loop_lag_ms),
                ("waiting", self.health.queued),
                ("MB", self.health.memory_mb),
            )
        )
        found["R41"] = (reading, None)
        return found

    def _tell(self, found: Finding, now_ns: int) -> None:
        if self._told is not None:
            self._told(found, now_ns)
