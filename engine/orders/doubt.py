"""Orders whose fate is unknown: what to ask, when absence is proved, and who is told when it takes too long.

A case is opened by silence, by an answer that proves nothing, or by a round that was broken off. It ends when the order
is found (in the stream, a list or an execution) or when primed lists of orders and of executions, both begun after the
settle time, do not have it. Nothing is ever resent from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import define, frozen

from engine.domain.moments import END_OF_TIME_NS, NS_PER_S


@frozen(kw_only=True)
class DoubtSettings:
    """`[orders.doubt]`, in seconds of the venue's clock.

    `settle_s`: a write that has not shown up so long after it left never arrived. `ask_every_s`: how often the lists
    are read meanwhile (the venue allows one each five seconds). `operator_after_s`: when a person is asked. `resend`: a
    single order that was proved absent goes out once more under its id, if the gate lets it.
    """

    settle_s: float = 45.0
    ask_every_s: float = 6.0
    operator_after_s: float = 300.0
    resend: bool = False


@define(eq=False)
class Case:
    """One order in doubt. `modify`: its existence is known, which of two tickets is in force is not."""

    coid: str
    since_ns: int
    modify: bool
    ask_ns: int
    absent_from_orders: bool = False
    absent_from_executions: bool = False
    present: bool = False  # the venue has said that it knows the id: absence can't be proved
    operator_told: bool = False


class Doubts:
    """All open cases, oldest first, and the ids that were proved absent and are watched for the rest of the day."""

    def __init__(self, settings: DoubtSettings) -> None:
        self.settle_ns: Final = round(settings.settle_s * NS_PER_S)
        self._every_ns: Final = round(settings.ask_every_s * NS_PER_S)
        self._operator_ns: Final = round(settings.operator_after_s * NS_PER_S)
        self.cases: dict[str, Case] = {}
        self.watched: dict[str, int] = {}  # coid -> when it was proved absent

    def begin(self, coid: str, now_ns: int, *, modify: bool = False, present: bool = False) -> None:
        """Begin a case, or begin it anew after fresh silence."""
        known = self.cases.get(coid)
        if known is not None:
            known.since_ns = now_ns
            known.present = known.present or present
            known.absent_from_orders = known.absent_from_executions = False
        else:
            self.cases[coid] = Case(coid=coid, since_ns=now_ns, modify=modify, ask_ns=now_ns, present=present)

    def found(self, coid: str) -> bool:
        """The order was seen; return True if that ends a case."""
        return self.cases.pop(coid, None) is not None

    def late(self, coid: str) -> bool:
        """True, once, for an order that had been proved absent and turns up."""
        return self.watched.pop(coid, None) is not None

    def watch(self, coid: str, now_ns: int) -> None:
        """It is given up as lost: should it turn up all the same, somebody must hear of it."""
        self.watched[coid] = now_ns

    def new_day(self) -> None:
        """The venue's day is over: nothing of it can turn up any more."""
        self.watched.clear()

    def due(self, now_ns: int) -> bool:
        """Whether the lists must be read now; the next reading is planned."""
        asks = False
        for case in self.cases.values():
            if now_ns >= case.ask_ns:
                case.ask_ns = now_ns + self._every_ns
                asks = True
        return asks

    def overdue(self, now_ns: int) -> list[str]:
        """Cases that a person must hear of, each once."""
        late = [
            case
            for case in self.cases.values()
            if not case.operator_told and now_ns - case.since_ns >= self._operator_ns
        ]
        for case in late:
            case.operator_told = True
        return [case.coid for case in late]

    def next_ns(self) -> int:
        """When the next thing is due; the end of time without a case."""
        return min((case.ask_ns for case in self.cases.values()), default=END_OF_TIME_NS)

    def orders_read(self, present: Iterable[str], as_of_ns: int) -> None:
        """A primed list of orders, begun at `as_of_ns`, had these client order ids."""
        there = set(present)
        for case in self.cases.values():
            if case.coid not in there and self.settled(case, as_of_ns):
                case.absent_from_orders = True

    def executions_read(self, present: Iterable[str], as_of_ns: int) -> None:
        """A primed list of executions, begun at `as_of_ns`, had these client order ids."""
        there = set(present)
        for case in self.cases.values():
            if case.coid not in there and self.settled(case, as_of_ns):
                case.absent_from_executions = True

    def settled(self, case: Case, as_of_ns: int) -> bool:
        """Whether a reading is late enough to show whatever was on its way."""
        return as_of_ns >= case.since_ns + self.settle_ns

    def proved_absent(self) -> list[str]:
        """Close and return the cases whose order never arrived."""
        gone = [
            case.coid
            for case in self.cases.values()
            if case.absent_from_orders and case.absent_from_executions and not case.modify and not case.present
        ]
        for coid in gone:
            del self.cases[coid]
        return gone
