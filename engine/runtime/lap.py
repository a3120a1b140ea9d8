"""The token of the replay ring: what goes round from market to strategies to risk to orders and back.

Exactly one is under way at any time, so whoever holds it owns it, and trio's scheduler has nothing to reorder. It
carries, in this order: what became of orders (`answers` before the order manager has read them, `updates` after, with
the `positions` they led to), what is due (corporate `actions`, `timers`, the window of rows), and what is wanted
(`intents`, `requests`).
"""

from __future__ import annotations

from attrs import define, field

from engine.domain.actions import Action
from engine.domain.columns import Chunk
from engine.domain.facts import Answer
from engine.domain.messages import Intent, PositionNow, Request, TimerDue, TimerWish, Update, Verdict


@define(eq=False)
class Lap:
    """One round. `now_ns` is the moment it stands at; rows [start, stop) of `chunk` are on offer, `taken` is where the
    strategies stopped."""

    chunk: Chunk
    now_ns: int = 0
    start: int = 0
    stop: int = 0
    taken: int = 0
    answers: list[Answer] = field(factory=list)
    updates: list[Update] = field(factory=list)
    positions: list[PositionNow] = field(factory=list)
    actions: list[Action] = field(factory=list)
    timers: list[TimerDue] = field(factory=list)
    intents: list[Intent] = field(factory=list)
    wishes: list[TimerWish] = field(factory=list)
    verdicts: list[Verdict] = field(factory=list)
    requests: list[Request] = field(factory=list)
    finished: bool = False
    number: int = 0
