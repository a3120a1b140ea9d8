"""The questions that a venue asks about the round under way: each is judged by risk, ruled on, and replied to.

A yes goes out only where a rule or a person gives it, and our own checks still allow the order; silence, a chain too
long, and a cancellation that waits mean no. A question that something urgent overtakes is void: its round is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.domain.brokerage import Question
from engine.domain.messages import BARRED
from engine.domain.moments import NS_PER_S
from engine.orders.actions import AskOperator, AskRisk, SendReply
from engine.orders.following import Follower
from engine.orders.replies import ReplyPolicy, Ruling, Stance
from engine.orders.rounds import OPEN_QUESTION, RISK_LIMIT_NS, Round, Stage
from engine.orders.slate import Slate
from engine.orders.underway import UnderWay


class Dialogue:
    """Questions in, replies out, one at a time. `cancels_wait` says whether something risk-reducing waits for the
    round."""

    def __init__(
        self,
        slate: Slate,
        follower: Follower,
        under_way: UnderWay,
        policy: ReplyPolicy,
        *,
        cancels_wait: Callable[[], bool],
    ) -> None:
        self._slate = slate
        self._follower = follower
        self._under_way = under_way
        self._policy = policy
        self._cancels_wait = cancels_wait

    def decide(self, current: Round, now_ns: int) -> None:
        """The round has a question that is not answered: our own checks are asked first."""
        question = current.questions[0]
        coid = next(iter(current.open), current.tickets[0].coid)
        self._slate.note(now_ns, "question", coid, question)
        if current.broken:
            why = "a cancel or a halt went first, so its question was never answered"
            self._under_way.in_doubt(current, why, now_ns)
            return
        if current.replies >= self._policy.rounds_max:
            self._slate.alert("CHAIN", "the venue goes on asking", coid)
            self._reply(current, False, f"more than {self._policy.rounds_max} questions", now_ns)
            return
        current.stage = Stage.RISK
        current.deadline_ns = now_ns + RISK_LIMIT_NS
        self._follower.asking = frozenset(current.open)
        self._slate.actions.append(AskRisk(current.number, current.tickets))

    def judged(self, number: int, holds: Mapping[str, bool], now_ns: int) -> None:
        """Risk says what holds for every ticket of the round (`questions.CONDITIONS`); the question is ruled on."""
        current = self._under_way.round
        if current is None or current.number != number or current.stage is not Stage.RISK:
            return
        question = current.questions[0]
        coid = next(iter(current.open), current.tickets[0].coid)
        ruling = self._policy.rule_on(question, holds)
        if holds.get(BARRED, False) and not current.closing:  # what closes a position for a halt passes none of them
            ruling = Ruling(stance=Stance.DECLINE, rule="risk", reason="our own checks do not allow the order any more")
        self._slate.note(now_ns, "rule", coid, {"stance": ruling.stance, "rule": ruling.rule, "reason": ruling.reason})
        if ruling.unexpected:
            self._slate.alert("QUESTION", f"{ruling.reason}: {_text(question)}", coid)
        if ruling.stance is Stance.ASK and not self._cancels_wait() and not current.declined:
            current.stage = Stage.PERSON
            current.deadline_ns = now_ns + round(self._policy.ask_s * NS_PER_S)
            self._slate.actions.append(AskOperator(current.number, question, tuple(current.open), current.deadline_ns))
            return
        confirmed = ruling.stance is Stance.CONFIRM and not current.declined
        self._reply(current, confirmed, ruling.reason, now_ns)

    def answer_question(self, number: int, yes: bool, now_ns: int) -> bool:
        """An operator has answered; False if the question is no longer open."""
        asked = self._under_way.round
        if asked is None or asked.number != number or asked.stage is not Stage.PERSON:
            return False
        self._slate.note(now_ns, "operator", next(iter(asked.open)), {"question": number, "yes": yes})
        self._reply(asked, yes, "an operator's answer", now_ns)
        return True

    def decline(self, why: str, now_ns: int) -> bool:
        """Say no to the question that waits for a person; False if none does."""
        current = self._under_way.round
        if current is None or current.stage is not Stage.PERSON:
            return False
        self._reply(current, False, why, now_ns)
        return True

    def break_off(self, now_ns: int) -> None:
        """Something goes out in between: an open question is void, and its order may or may not live."""
        current = self._under_way.round
        if current is None or current.unsent:
            return
        current.broken = True
        if current.stage in OPEN_QUESTION:
            why = "a cancel or a halt went first, so its question was never answered"
            self._under_way.in_doubt(current, why, now_ns)

    def tick(self, now_ns: int) -> None:
        """An operator's time is up, or our own checks'."""
        current = self._under_way.round
        if current is not None and current.stage in OPEN_QUESTION and now_ns >= current.deadline_ns:
            who = "operator" if current.stage is Stage.PERSON else "risk checker"
            self._reply(current, False, f"no {who} answered in time", now_ns)

    def _reply(self, current: Round, confirmed: bool, reason: str, now_ns: int) -> None:
        question = current.questions[0]
        current.stage = Stage.REPLY
        current.replies += 1
        if not confirmed and not current.declined:
            current.declined = f"declined ({reason}): {_text(question)}"
        self._follower.asking = frozenset(current.open)
        self._follower.declining = frozenset(current.open if current.declined else ())
        self._slate.note(now_ns, "reply", question.reply_id, {"confirmed": confirmed, "reason": reason})
        self._slate.actions.append(SendReply(current.number, question.reply_id, confirmed))


def _text(question: Question) -> str:
    return " / ".join(question.texts) or "(no text)"
