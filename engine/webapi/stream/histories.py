"""Past bars over the websocket (`smh`): one answer each, at most five open, each ended by `umh` afterwards.

An answer names its line and no more, so that two requests for one line can't be told apart: they take turns. One that
comes when nobody waits for it any more is ended all the same.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from attrs import define, field

from engine.errors import VenueError, VenueRefused, VenueUnreachable
from engine.ports import Clock
from engine.webapi.clock import move_on_after
from engine.webapi.facts.market import History
from engine.webapi.stream import frames

OPEN_MAX: Final = 5
LIMIT_S: Final = 20.0
FLOOR_S: Final = 3.0  # of the wall, however fast the session's clock runs
_NAME: Final = "smh"


@define(eq=False)
class _Wait:
    bar_s: int
    ready: trio.Event = field(factory=trio.Event)
    outcome: History | VenueError | None = None

    def tell(self, outcome: History | VenueError) -> None:
        self.outcome = outcome
        self.ready.set()


class Histories:
    """Asks for bars and hears the answers.

    Args:
        send: Sends messages over the socket; without a link they go nowhere.
        is_open: Whether there is a link.
    """

    def __init__(
        self, clock: Clock, *, send: Callable[[list[str]], Awaitable[None]], is_open: Callable[[], bool]
    ) -> None:
        self._clock = clock
        self._send = send
        self._is_open = is_open
        self._room = trio.CapacityLimiter(OPEN_MAX)
        self._turns: dict[str, trio.Lock] = {}
        self._waits: dict[str, _Wait] = {}

    async def ask(self, name: str, *, period: str, bar: str, bar_s: int, outside_rth: bool = False) -> History:
        """Ask for the bars of a period that ends now.

        Args:
            name: The line: a conid.
            period, bar: As of REST's history, such as `1d` and `1min`.
            bar_s: The bar's length in seconds, by which an answer to an earlier question is told from ours.

        Raises: VenueUnreachable, VenueRefused.
        """
        wanted = {"period": period, "bar": bar, "outsideRth": outside_rth, "source": "trades"}
        async with self._turns.setdefault(name, trio.Lock()), self._room:
            if not self._is_open():
                raise VenueUnreachable(_NAME, "there is no websocket")
            wait = self._waits[name] = _Wait(bar_s)
            try:
                async with move_on_after(self._clock, LIMIT_S, floor_s=FLOOR_S):
                    await self._send([f"smh+{name}+{json.dumps(wanted, separators=(',', ':'))}"])
                    await wait.ready.wait()
            finally:
                del self._waits[name]
            if wait.outcome is None:
                raise VenueUnreachable(_NAME, f"no answer within {LIMIT_S:g} s")
            if isinstance(wait.outcome, VenueError):
                raise wait.outcome
            if wait.outcome.server_id:
                await self._send([f"umh+{wait.outcome.server_id}"])
            return wait.outcome

    def on_frame(self, frame: frames.Said) -> str | None:
        """Hear a frame; return a message to send, where the answer is one that nobody waits for any more."""
        match frame:
            case frames.Bars(name=name, history=history):
                wait = self._waits.get(name)
                if wait is None or wait.outcome is not None or history.bar_s not in (None, wait.bar_s):
                    return f"umh+{history.server_id}" if history.server_id else None
                wait.tell(history)
            case frames.Trouble(topic=topic) if topic.partition("+")[0] == _NAME:
                wait = self._waits.get(topic.partition("+")[2])
                if wait is not None:
                    wait.tell(VenueRefused(_NAME, frame.text, status=frame.code or 0))
            case _:
                pass
        return None

    def lost(self) -> None:
        """The link is gone, and with it whatever was open."""
        for wait in self._waits.values():
            wait.tell(VenueUnreachable(_NAME, "the websocket was lost"))
