"""Operators' requests on their way to the daemon, and its replies back; and for how long an answer is waited for."""

from __future__ import annotations

from typing import Final

import trio
from attrs import define, field

from engine.guard.talk import Replied, Wanted, line
from engine.guard.watch import Presence, Watch
from engine.operator.lines import Lines
from engine.operator.protocol import Request

ANSWER_S: Final = 15.0  # a command that asks the venue waits for its budget
_SILENT_S: Final = 3.0  # silence after which nobody waits for an answer
_GRACE_S: Final = 0.3
_LOOK_S: Final = 0.1


@define(eq=False)
class _Pending:
    event: trio.Event = field(factory=trio.Event)
    reply: bytes | None = None


class Forwarding:
    """Requests under way to one daemon after the other."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._pending: dict[int, _Pending] = {}
        self._number = 0

    async def ask(self, lines: Lines, request: Request) -> bytes | None:
        """The daemon's reply; None if it gives none in time.

        A halt is waited for as long as silence would be: one that nobody confirms is none.
        """
        self._number += 1
        number, waiting = self._number, _Pending()
        self._pending[number] = waiting
        wanted = line(Wanted(number, request.verb, dict(request.args)))
        began = trio.current_time()
        with trio.move_on_after(self._watch.limit_s if request.verb == "halt" else ANSWER_S):
            if await lines.send(wanted):
                while not waiting.event.is_set() and not self._hopeless(began):
                    with trio.move_on_after(_LOOK_S):
                        await waiting.event.wait()
        self._pending.pop(number, None)
        return waiting.reply

    def _hopeless(self, began_s: float) -> bool:
        now_s = trio.current_time()
        silent = self._watch.presence(now_s) is not Presence.HERE
        long = self._watch.silence_s(now_s) >= min(_SILENT_S, self._watch.limit_s)
        return silent and long and now_s - began_s >= _GRACE_S

    def replied(self, said: Replied) -> None:
        """A reply has come; one that nobody waits for any more is dropped."""
        waiting = self._pending.pop(said.number, None)
        if waiting is not None:
            waiting.reply = bytes(said.reply)
            waiting.event.set()

    def lost(self) -> None:
        """The daemon's line is closed: no reply will come."""
        for waiting in self._pending.values():
            waiting.event.set()
        self._pending.clear()
