"""Which questions the venue need not ask: one list, whole for each brokerage session, changed by an operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from engine.errors import VenueError
from engine.operator.protocol import bad, refused
from engine.orders.replies import uncovered

IDS_MAX: Final = 51  # as many as one request may name, by IBKR's documentation


class Suppressor(Protocol):
    """The two requests of a `ports.Broker` that it takes."""

    async def suppress(self, message_ids: Sequence[str]) -> None:
        """Give the session the whole list."""

    async def reset_suppression(self) -> None:
        """Have all questions asked again."""


class Suppression:
    """The list, and which of it the session has.

    Args:
        keep: Told of a new list: later sessions begin with it.
    """

    def __init__(self, broker: Suppressor, ids: Sequence[str], keep: Callable[[tuple[str, ...]], None]) -> None:
        self._broker = broker
        self._ids = tuple(dict.fromkeys(ids))
        self._keep = keep
        self._session: tuple[str, ...] | None = None  # what this session has; None: there is none, or it is not known

    def session(self, up: bool) -> None:
        """A session that is up was given the whole list; one that is down has forgotten it."""
        self._session = self._ids if up else None

    async def change(self, ids: Sequence[str]) -> None:
        """Give the session another list, whole. Raises: NotDone."""
        wanted = tuple(dict.fromkeys(ids))
        if len(wanted) > IDS_MAX:
            raise bad(f"a list may have {IDS_MAX} ids")
        if not all(name.isalnum() and len(name) <= 16 for name in wanted):
            raise bad("a message id looks like o163")
        self._ids = wanted
        self._keep(wanted)
        self._session = None
        try:
            await self._broker.reset_suppression()
            if wanted:
                await self._broker.suppress(wanted)
        except VenueError as error:
            raise refused(f"the session did not take the list, the next one begins with it: {error}") from error
        self._session = wanted

    def shown(self) -> dict[str, Any]:
        """For `engine suppress`."""
        return {
            "ids": list(self._ids),
            "session": None if self._session is None else list(self._session),
            "warnings": uncovered(self._ids),
        }
