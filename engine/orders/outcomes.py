"""What the answer to a round's write, or to its reply, means for each of its tickets.

What the answer says of a ticket becomes its fact, once: taken, refused, or never sent. A ticket that it does not speak
of stays open, and an answer that proves nothing leaves all of them so: they are in doubt with the round's end.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from engine.domain.brokerage import AllRefused, Answered, Prompted, Unclear, WriteAnswer
from engine.domain.facts import Accepted, Answer, AnswerMissing, Cancelled, Modified, ModifyRefused, Pending, Refused
from engine.orders.actions import ReadOrder
from engine.orders.dialogue import Dialogue
from engine.orders.following import DEAD, Follower
from engine.orders.identity import Identity
from engine.orders.rounds import Round, Stage
from engine.orders.slate import Slate
from engine.orders.underway import UnderWay


@frozen
class Unsent:
    """Nothing of a request left us, and why."""

    why: str


UNSENT: Final = Unsent("the venue could not be reached, and nothing was sent")
HELD_BACK: Final = Unsent("it was held back before it left: a halt or a cancel came first, or it could not be stored")
# How the venue refuses an id that it has seen: the first one did arrive. The end of its sentence is not certain.
_KNOWN_ID: Final = ("local order id", "already registered")


class Outcomes:
    """Answers in, facts out; the round goes on with a question, or ends."""

    def __init__(
        self, slate: Slate, identity: Identity, follower: Follower, under_way: UnderWay, dialogue: Dialogue
    ) -> None:
        self._slate = slate
        self._identity = identity
        self._follower = follower
        self._under_way = under_way
        self._dialogue = dialogue

    def answered(self, number: int, answer: WriteAnswer | Unsent, now_ns: int) -> None:
        """The round's write or reply has come to this; `Unclear` stands for silence too."""
        current = self._under_way.round
        if current is None or current.number != number:
            self._slate.note(now_ns, "stale_answer", str(number), answer)
            return
        self._slate.note(now_ns, "answer_to_write", next(iter(current.open), ""), _told(answer))
        no = _no_to_second(current, answer)
        if no is not None:
            self._second_refused(current, no, now_ns)
        elif isinstance(answer, Unsent):
            self._unsent(current, answer.why, now_ns)
        elif isinstance(answer, Unclear):
            self._under_way.in_doubt(current, answer.reason, now_ns)
        elif isinstance(answer, AllRefused):
            self._all_refused(current, answer.reason, now_ns)
        elif isinstance(answer, Prompted):
            self._slate.alert("PROMPT", answer.text, next(iter(current.open), ""))
            self._all_refused(current, answer.text, now_ns)
        else:
            if isinstance(answer, Answered):
                self._rows(current, answer, now_ns)
            current.questions = current.questions[1:] + list(answer.questions)
            if current.questions:
                self._dialogue.decide(current, now_ns)
            else:
                self._under_way.end(current, now_ns)

    def _rows(self, current: Round, answer: Answered, now_ns: int) -> None:
        facts: list[Answer] = []
        # Rows that name their ticket first: a child without a name is told by what is left.
        for leg in sorted(answer.taken, key=lambda leg: (leg.coid is None, leg.parent_id is not None)):
            coid = current.whose(leg, self._identity.id_of)
            if coid is None:
                current.unnamed.add(leg.order_id)
                self._slate.note(now_ns, "row_unknown", leg.order_id, leg)
                continue
            del current.open[coid]
            self._identity.bind(coid, leg.order_id)
            status = leg.status.replace(" ", "").lower()
            if current.modifies:
                facts.append(Modified(coid=coid, ts_ns=now_ns))
                self._follower.expect_echo(coid, now_ns)
            elif status in DEAD:
                facts.append(Cancelled(coid=coid, ts_ns=now_ns, reason=leg.text or "cancelled"))
            elif status in ("submitted", "filled"):
                facts.append(Accepted(coid=coid, ts_ns=now_ns, venue_id=leg.order_id))
            else:
                facts.append(Pending(coid=coid, ts_ns=now_ns, venue_id=leg.order_id))
            if current.declined:
                self._slate.alert("DECLINED_LIVE", "an order we declined was taken: it is cancelled", coid)
                self._follower.adopted.append(coid)
        for refused in answer.refused:
            coid = current.refused(refused)
            if coid is not None:
                del current.open[coid]
                facts.append(self._no(current, coid, refused.reason, now_ns))
        self._slate.say(facts)
        for leg in answer.taken:
            self._slate.say(
                self._follower.rows(self._identity.children_of(leg.order_id), now_ns)[0]
            )  # the stream was faster than the answer

    def _no(self, current: Round, coid: str, reason: str, now_ns: int) -> Answer:
        code = "DECLINED" if current.declined else "VENUE"
        reason = current.declined or reason
        if current.order_id is None:
            return Refused(coid=coid, ts_ns=now_ns, code=code, reason=reason)
        self._slate.actions.append(ReadOrder(current.order_id, "a modification was refused"))
        return ModifyRefused(coid=coid, ts_ns=now_ns, code=code, reason=reason)

    def _all_refused(self, current: Round, reason: str, now_ns: int) -> None:
        facts = [self._no(current, coid, reason, now_ns) for coid in current.open]
        current.open.clear()
        self._slate.say(facts)
        self._under_way.end(current, now_ns)

    def _second_refused(self, current: Round, reason: str, now_ns: int) -> None:
        """A second sending came to nothing: because the first did arrive, or else the first may yet arrive."""
        coid = current.tickets[0].coid
        self._slate.note(now_ns, "doubt", coid, reason)
        self._under_way.over(now_ns)
        if any(phrase in reason.lower() for phrase in _KNOWN_ID):
            self._under_way.doubt([coid], reason, now_ns, present=True)  # it is there, and a list will show it
        else:
            self._slate.say([AnswerMissing(coid=coid, ts_ns=now_ns)])
            self._under_way.give_up(coid, now_ns)
        self._slate.follow_up(now_ns)

    def _unsent(self, current: Round, why: str, now_ns: int) -> None:
        if current.stage is Stage.WRITE:
            facts: list[Answer] = []
            for coid in current.open:
                if current.modifies:
                    facts.append(ModifyRefused(coid=coid, ts_ns=now_ns, code="UNSENT", reason=why))
                else:
                    facts.append(Refused(coid=coid, ts_ns=now_ns, code="UNSENT", reason=why))
            current.open.clear()
            self._slate.say(facts)
            self._under_way.end(current, now_ns)
        else:
            self._under_way.in_doubt(current, "the reply could not be sent", now_ns)


def _no_to_second(current: Round, answer: WriteAnswer | Unsent) -> str | None:
    """Why a second sending was not taken; None if it was, if that can't be told, or if it is a first one."""
    if not current.again:
        return None
    match answer:
        case Unsent(why=why) if current.stage is Stage.WRITE:
            return why
        case AllRefused(reason=reason) | Prompted(text=reason):
            return current.declined or reason
        case Answered(taken=(), refused=(refused,), questions=()):
            return current.declined or refused.reason
    return None


def _told(answer: WriteAnswer | Unsent) -> object:
    return "unsent" if isinstance(answer, Unsent) else answer
