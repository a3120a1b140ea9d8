"""What a person should see: how each layer does, the alerts of late, and the venue's questions that wait for an answer.

It is the daemon's `People`: the orders task tells it, and it waits for nobody. Alerts become rows of the journal when
the desk next stores something (`take_rows`).
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, Final

import structlog
from attrs import define

from engine.domain.brokerage import Notice, SessionNow
from engine.domain.moments import iso
from engine.orders.actions import Alert, AskOperator

KEPT: Final = 200
_ROWS_MAX: Final = 1_000
# The session's layers in the order in which they come up; the first that is not up is what the rest waits for.
SESSION: Final = ("gateway", "outer", "brokerage", "accounts", "websocket", "data")
_log: Final = structlog.get_logger()


@define(eq=False)
class _Layer:
    up: bool
    reason: str = ""


class Board:
    """Layers, alerts and questions. One task a caller; nothing here waits."""

    def __init__(self) -> None:
        self._layers: dict[str, _Layer] = {}
        self._alerts: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._questions: dict[int, AskOperator] = {}
        self._rows: deque[tuple[int, str, str, Any]] = deque(maxlen=_ROWS_MAX)
        self.counts: Counter[str] = Counter()

    # --- told ---------------------------------------------------------------------------------------------------

    def alert(self, alert: Alert, now_ns: int) -> None:
        """A person should know."""
        self.counts[alert.code] += 1
        self._alerts.append(
            {"time": iso(now_ns), "code": alert.code, "sentence": alert.sentence, "coid": alert.coid or None}
        )
        self._rows.append((now_ns, "alert", alert.coid, {"code": alert.code, "sentence": alert.sentence}))
        _log.warning("alert", code=alert.code, sentence=alert.sentence, coid=alert.coid)

    def ask(self, question: AskOperator, now_ns: int) -> None:
        """A question waits for a person."""
        self._questions[question.number] = question
        texts = " | ".join(question.question.texts)
        sentence = f"question {question.number} waits until {iso(question.deadline_ns)}: {texts}"
        self.alert(Alert("QUESTION_OPEN", sentence, next(iter(question.coids), "")), now_ns)

    def notice(self, notice: Notice) -> None:
        """A bulletin, a notification or an FYI of the venue's."""
        self.alert(Alert(notice.kind.upper(), f"{notice.title}: {notice.text}".strip(": ")), notice.ts_ns)

    def session(self, now: SessionNow) -> None:
        """How the session does; layers behind the first that is down are not known to be up."""
        seen_down = False
        for layer in SESSION:
            if not now.up and layer == now.layer:
                seen_down = True
                self._layers[layer] = _Layer(False, now.reason)
            else:
                self._layers[layer] = _Layer(not seen_down, f"waits for {now.layer}" if seen_down else "")

    def layer(self, name: str, up: bool, reason: str = "") -> None:
        """How a layer of our own does: journal, guard, a strategy, an instrument's data, the loop."""
        self._layers[name] = _Layer(up, reason)

    # --- asked --------------------------------------------------------------------------------------------------

    def layers(self) -> list[dict[str, Any]]:
        """Each layer: its name, whether it is up, and why not."""
        return [{"layer": name, "up": one.up, "reason": one.reason} for name, one in self._layers.items()]

    def alerts(self) -> list[dict[str, Any]]:
        """The last alerts, oldest first."""
        return list(self._alerts)

    def questions(self, now_ns: int) -> list[dict[str, Any]]:
        """Questions that can still be answered."""
        for number in [number for number, one in self._questions.items() if one.deadline_ns <= now_ns]:
            del self._questions[number]
        return [
            {
                "question": number,
                "ids": list(one.question.message_ids),
                "texts": list(one.question.texts),
                "coids": list(one.coids),
                "until": iso(one.deadline_ns),
            }
            for number, one in self._questions.items()
        ]

    def take_question(self, number: int, now_ns: int) -> bool:
        """Take a question that is to be answered now; False if it is not open."""
        self.questions(now_ns)
        return self._questions.pop(number, None) is not None

    def take_rows(self) -> list[tuple[int, str, str, Any]]:
        """Rows for the journal, once."""
        rows = list(self._rows)
        self._rows.clear()
        return rows
