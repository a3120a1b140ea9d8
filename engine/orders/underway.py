"""The round under way, of which there is one at a time, and how it ends.

A round's end leaves no ticket open: what nothing was said of is in doubt, unless rows without a name say that all are
there. What is in doubt is asked about, and here it is never sent again: it is found, or proved absent and given up.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.facts import AnswerMissing, ProvedAbsent
from engine.domain.moments import NS_PER_S
from engine.domain.order import State
from engine.orders.actions import ReadExecutions, ReadOrders
from engine.orders.doubt import Doubts
from engine.orders.following import Follower
from engine.orders.identity import Identity
from engine.orders.link import Link
from engine.orders.rounds import OPEN_QUESTION, Round
from engine.orders.slate import Slate


class UnderWay:
    """Holds the round under way. The writer puts it here, and takes back what has not left; all else ends it here."""

    def __init__(
        self, slate: Slate, identity: Identity, doubts: Doubts, follower: Follower, link: Link, *, name_s: float
    ) -> None:
        self.round: Round | None = None
        self._slate = slate
        self._identity = identity
        self._doubts = doubts
        self._follower = follower
        self._link = link
        self._name_ns = round(name_s * NS_PER_S)
        self._unnamed: dict[str, int] = {}  # taken, but under which id is not known; in doubt from then on

    def tick(self, now_ns: int) -> None:
        """Rows have not named their order in time."""
        for coid in [coid for coid, at in self._unnamed.items() if now_ns >= at or coid in self._identity.id_of]:
            del self._unnamed[coid]
            if coid not in self._identity.id_of and self._slate.book.book[coid].state is State.SENT:
                self.doubt([coid], "no row tells which order it became", now_ns)

    def times(self) -> list[int]:
        """When rows should have named their order, and when the round stops waiting for what comes before or after a
        write: our own word, a preview, a person."""
        times = list(self._unnamed.values())
        if self.round is not None and (self.round.stage in OPEN_QUESTION or self.round.unsent):
            times.append(self.round.deadline_ns)
        return times

    # --- ends ------------------------------------------------------------------------------------------------------

    def over(self, now_ns: int) -> None:
        """Nothing is under way any more."""
        self.round = None
        self._follower.round_over(now_ns)

    def end(self, current: Round, now_ns: int, *, why: str = "the answer does not speak of it") -> None:
        """The round is over; tickets that nothing was said of are in doubt."""
        self.over(now_ns)
        if current.open and len(current.unnamed) == len(current.open):
            # All are there; which is which the order rows tell.
            for coid in current.open:
                self._unnamed[coid] = now_ns + self._name_ns
            self._slate.actions.append(ReadOrders("rows that do not name their order"))
        elif current.open:
            self.doubt(list(current.open), why, now_ns, modify=current.modifies)
        self._slate.follow_up(now_ns)

    def in_doubt(self, current: Round, why: str, now_ns: int) -> None:
        """The round is over, and nothing proves what became of what is open; `why` is kept."""
        self._slate.note(now_ns, "doubt", next(iter(current.open), ""), why)
        self.end(current, now_ns, why=why)

    # --- single orders ---------------------------------------------------------------------------------------------

    def doubt(
        self, coids: Sequence[str], why: str, now_ns: int, *, modify: bool = False, present: bool = False
    ) -> None:
        """What became of these orders is not known: ask. At least one.

        Args:
            modify: The orders are there; which of two tickets is in force is not known.
            present: The venue has said that it knows the id.
        """
        self._slate.alert("IN_DOUBT", why, coids[0])
        for coid in coids:
            self._doubts.begin(coid, now_ns, modify=modify, present=present)
        if modify:
            self._follower.lost_modifies.update(coids)
        self._slate.say(AnswerMissing(coid=coid, ts_ns=now_ns) for coid in coids)
        if self._link.up:
            self._slate.actions += [ReadOrders("orders in doubt"), ReadExecutions("orders in doubt")]
            self._doubts.due(now_ns)

    def give_up(self, coid: str, now_ns: int) -> None:
        """An order that was proved absent is lost; should it turn up all the same, it is cancelled."""
        if self._slate.book.book[coid].state in (State.IN_DOUBT, State.PENDING_CANCEL):
            self._slate.alert("LOST", "an order whose answer was lost never reached the venue", coid)
            self._doubts.watch(coid, now_ns)
            self._slate.say([ProvedAbsent(coid=coid, ts_ns=now_ns)])
