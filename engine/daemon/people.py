"""Whom the daemon tells and asks: alerts into log and journal, questions that wait for an operator."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import structlog

from engine.domain.brokerage import Notice
from engine.domain.moments import NS_PER_S
from engine.orders.actions import Alert, AskOperator
from engine.risk.monitors import AlertLatency
from engine.settings import Limits

KEPT: Final = 200
LATE: Final = "ALERT_LATE"
Row = tuple[int, str, str, Any]

log = structlog.get_logger()


class People:
    """Fulfils `ordering.People`.

    Args:
        keep: Takes rows for the journal; they need not be there before anything follows.
        limits: The account's, defaults filled in: how long an alert may take.
    """

    def __init__(self, keep: Callable[[Row], None], limits: Callable[[], Limits] = Limits) -> None:
        self._keep = keep
        self._limits = limits
        self._waiting: list[float] = []  # when alerts were given that the journal does not have yet, on the wall
        self.latency = AlertLatency(limits())
        self.alerts: deque[tuple[int, Alert]] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter()
        self.questions: dict[int, AskOperator] = {}

    def alert(self, alert: Alert, now_ns: int) -> None:
        """A person should know."""
        self.alerts.append((now_ns, alert))
        self.counts[alert.code] += 1
        self._keep((now_ns, "alert", alert.coid or alert.code, alert))
        if alert.code != LATE:
            self._waiting.append(monotonic())
        log.warning("alert", code=alert.code, sentence=alert.sentence, coid=alert.coid)

    def ask(self, question: AskOperator, now_ns: int) -> None:
        """A person is to answer before the deadline; older questions are void."""
        self.questions = {question.number: question}
        log.warning("question", number=question.number, texts=list(question.question.texts), coids=list(question.coids))
        self.alert(Alert("ASKED", f"question {question.number} waits for an answer", question.coids[0]), now_ns)

    def stored(self, now_ns: int) -> None:
        """Whatever was kept for the journal is in it: it has reached whoever reads it. The worst of a lot is told."""
        waited, self._waiting = self._waiting, []
        if not waited:
            return
        self.latency.limits = self._limits()
        found = self.latency.told(round(min(waited) * NS_PER_S), round(monotonic() * NS_PER_S))
        if found is not None:
            self.alert(Alert(found.code, found.sentence), now_ns)

    def open_questions(self, now_ns: int) -> list[AskOperator]:
        """Questions that can still be answered."""
        return [one for one in self.questions.values() if now_ns < one.deadline_ns]

    def notice(self, notice: Notice) -> None:
        """A bulletin, a notification or an FYI."""
        text = f"{notice.title}: {notice.text}" if notice.title else notice.text
        self.alert(Alert(notice.kind.upper(), text), notice.ts_ns)
