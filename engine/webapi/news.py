"""What the broker's stream told and nobody has taken yet: a bounded buffer, in order, each notice once.

An overflow costs the link: its return reads the lists anew, and whatever found no room is told then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import trio

from engine.domain import brokerage as b
from engine.webapi.sessionfacts import Heard, StreamLost

NEWS_MAX: Final = 9_000  # fewer than the actors' channels hold, which take it all at once
SHOWN_MAX: Final = 2_000  # ids of notices that were shown already


class News:
    """The buffer. `tell` is the session machine's ear."""

    def __init__(self, tell: Callable[[Heard], None], *, room: int = NEWS_MAX) -> None:
        self._tell = tell
        self._room = room
        self._waiting: deque[b.BrokerNews] = deque()
        self._filled = trio.Event()
        self._overflowed = False
        self._shown: dict[str, None] = {}
        self._dropped: dict[str, None] = {}

    async def take(self) -> Sequence[b.BrokerNews]:
        """Wait until there is something, and take all of it, oldest first."""
        while not self._waiting:
            self._filled = trio.Event()
            await self._filled.wait()
        found = tuple(self._waiting)
        self._waiting.clear()
        self._overflowed = False
        return found

    def push(self, one: b.BrokerNews) -> None:
        """Add one; how the session stands always finds room."""
        if len(self._waiting) >= self._room and not isinstance(one, b.SessionNow):
            if isinstance(one, b.VenueExecution):
                self._dropped[one.execution_id] = None
            if not self._overflowed:
                self._overflowed = True
                self._tell(StreamLost(problem=f"{self._room} pieces of news wait to be read"))
            return
        self._waiting.append(one)
        self._filled.set()

    def notice(self, one: b.Notice) -> None:
        """Add one that was not shown before, by its id or by that of its prompt."""
        named = one.notice_id or (one.prompt.request_id if one.prompt is not None else "")
        if named:
            name = f"{one.kind} {named}"
            if name in self._shown:
                return
            self._shown[name] = None
            if len(self._shown) > SHOWN_MAX:
                del self._shown[next(iter(self._shown))]
        self.push(one)

    def again(self, known: Iterable[b.VenueExecution]) -> None:
        """Tell of those executions, among all that are known, for which there was no room."""
        dropped, self._dropped = self._dropped, {}
        if dropped:
            for one in known:
                if one.execution_id in dropped:
                    self.push(one)
