"""What we answer to the venue's questions: rules by message id and text, and the first no wins.

Unknown means no: an id without a rule, a text that does not fit its id, a message without an id and an empty list of
messages are declined, with an alert. Nothing here sends anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from engine.domain.brokerage import Question
from engine.errors import ConfigError
from engine.orders.questions import CONDITIONS, KNOWN


class Stance(StrEnum):
    """What a rule says."""

    CONFIRM = "confirm"
    CONFIRM_IF = "confirm-if"
    DECLINE = "decline"
    ASK = "ask"


@frozen
class Rule:
    """One rule. `source` says where it stands ("replies.o163", "built in"); `words` replaces the known pattern."""

    message_id: str
    stance: Stance
    condition: str | None = None
    words: str | None = None
    source: str = "built in"

    def fits(self, text: str) -> bool:
        """Whether the text is the one this rule was made for."""
        if self.words is not None:
            return re.search(self.words, text, re.IGNORECASE) is not None
        known = KNOWN.get(self.message_id)
        return known is None or known.fits(text)


@frozen(kw_only=True)
class Ruling:
    """What we do about one question, and why; `unexpected` asks for an alert."""

    stance: Stance  # CONFIRM, DECLINE or ASK
    rule: str
    reason: str
    unexpected: bool = False


@frozen(kw_only=True)
class ReplyPolicy:
    """The rules in force. `rounds_max` bounds a chain of questions, `ask_s` how long an operator may take."""

    rules: Mapping[str, Rule]
    rounds_max: int = 8
    ask_s: float = 5.0
    default: Stance = field(default=Stance.DECLINE)

    def rule_on(self, question: Question, holds: Mapping[str, bool]) -> Ruling:
        """Judge a question with all its messages.

        Args:
            holds: Our own conditions (`CONDITIONS`) for this ticket; a name that is missing counts as not held.

        Returns: CONFIRM only if every message has a rule that confirms it; else DECLINE, or ASK if no message is
            declined and one asks for a person.
        """
        if not question.texts and not question.message_ids:
            return Ruling(stance=Stance.DECLINE, rule="empty", reason="the question says nothing", unexpected=True)
        asks: Ruling | None = None
        confirmed: list[str] = []
        for number in range(max(len(question.texts), len(question.message_ids))):
            message_id = question.message_ids[number] if number < len(question.message_ids) else ""
            text = question.texts[number] if number < len(question.texts) else ""
            ruling = self._one(message_id, text, holds)
            if ruling.stance is Stance.DECLINE:
                return ruling
            if ruling.stance is Stance.ASK:
                asks = asks or ruling
            else:
                confirmed.append(ruling.rule)
        if asks is not None:
            return asks
        return Ruling(stance=Stance.CONFIRM, rule=", ".join(confirmed), reason="every message has a rule that confirms")

    def _one(self, message_id: str, text: str, holds: Mapping[str, bool]) -> Ruling:
        rule = self.rules.get(message_id) if message_id else None
        if rule is None:
            what = f"the message id {message_id} has no rule" if message_id else "a message has no id"
            return Ruling(stance=self.default, rule="default", reason=what, unexpected=True)
        if not rule.fits(text):
            reason = f"the text of {message_id} does not read as that question does"
            return Ruling(stance=Stance.DECLINE, rule=rule.source, reason=reason, unexpected=True)
        if rule.stance is Stance.CONFIRM_IF:
            condition = rule.condition or ""
            if holds.get(condition, False):
                return Ruling(stance=Stance.CONFIRM, rule=rule.source, reason=CONDITIONS[condition])
            reason = f"{message_id} is confirmed only if {CONDITIONS[condition]}"
            return Ruling(stance=Stance.DECLINE, rule=rule.source, reason=reason)
        return Ruling(stance=rule.stance, rule=rule.source, reason=f"{message_id} by rule: {rule.stance}")


_RULE: Final = re.compile(r"(confirm-if)\s+(\w+)|confirm|decline|ask")
_ID: Final = re.compile(r"[a-z]\d+")


def read_policy(table: Mapping[str, object]) -> ReplyPolicy:
    """Make the policy of a config's `[replies]` table: `ID = "RULE"` or `ID = { rule = "RULE", text = "PATTERN" }`.

    RULE is `confirm`, `decline`, `ask` or `confirm-if CONDITION`. `default` (decline or ask), `ask_s` and `rounds_max`
    stand beside the ids. Ids that the table leaves out keep the built-in rule.

    Raises: ConfigError with the key.
    """
    rules = {message_id: _parse(message_id, known.default, None, "built in") for message_id, known in KNOWN.items()}
    ask_s, rounds_max, default = 5.0, 8, Stance.DECLINE
    for key, value in table.items():
        place = f"replies.{key}"
        if key == "ask_s":
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 600:
                raise ConfigError("must be a number of seconds above 0, at most 600", place=place)
            ask_s = float(value)
        elif key == "rounds_max":
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 20:
                raise ConfigError("must be a whole number from 1 to 20", place=place)
            rounds_max = value
        elif key == "default":
            if not isinstance(value, str) or value not in (Stance.DECLINE, Stance.ASK):
                raise ConfigError('must be "decline" or "ask": what is unknown is never confirmed', place=place)
            default = Stance(value)
        elif not _ID.fullmatch(key):
            raise ConfigError("is no message id (such as o163), nor default, ask_s or rounds_max", place=place)
        elif isinstance(value, str):
            rules[key] = _parse(key, value, None, place)
        elif isinstance(value, Mapping) and set(value) <= {"rule", "text"} and isinstance(value.get("rule"), str):
            text = value.get("text")
            if text is not None and not isinstance(text, str):
                raise ConfigError("text must be a pattern", place=place)
            rules[key] = _parse(key, value["rule"], text, place)
        else:
            raise ConfigError("must be a rule, or a table with rule and text", place=place)
    return ReplyPolicy(rules=rules, rounds_max=rounds_max, ask_s=ask_s, default=default)


def _parse(message_id: str, value: str, words: str | None, place: str) -> Rule:
    match = _RULE.fullmatch(value.strip())
    if match is None:
        raise ConfigError(f'{value!r} is none of "confirm", "decline", "ask", "confirm-if CONDITION"', place=place)
    condition = match[2]
    if condition is not None and condition not in CONDITIONS:
        raise ConfigError(f"the condition {condition!r} is none of {', '.join(CONDITIONS)}", place=place)
    if words is not None:
        try:
            re.compile(words)
        except re.error as error:
            raise ConfigError(f"{words!r} is no pattern: {error}", place=place) from error
    stance = Stance.CONFIRM_IF if condition is not None else Stance(value.strip())
    return Rule(message_id, stance, condition, words, place)


def uncovered(message_ids: tuple[str, ...]) -> list[str]:
    """The ids among a suppression list that no check of our own covers, each with a sentence for the start's page."""
    found = []
    for message_id in message_ids:
        known = KNOWN.get(message_id)
        if known is None:
            found.append(f"{message_id} is suppressed and not known: nothing of ours asks what it would have asked")
        elif known.covered_by is None:
            found.append(f"{message_id} ({known.about}) is suppressed, and no check of ours covers it")
    return found
