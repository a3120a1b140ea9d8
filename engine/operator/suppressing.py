"""Which questions the venue need not ask: one list, given whole to each brokerage session before its first order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from engine.errors import VenueError
from engine.operator.protocol import bad, refused
from engine.orders.questions import KNOWN

IDS_MAX: Final = 51  # as many as one request may name, by IBKR's documentation


class Suppressor(Protocol):
    """The two requests of a `ports.Broker` that it takes."""

    async def suppress(self, message_ids: Sequence[str]) -> None:
        """Give the session the whole list."""

    async def reset_suppression(self) -> None:
        """Have all questions asked again."""


def uncovered(ids: Sequence[str]) -> list[str]:
    """Warnings, one a message whose question none of our own checks asks instead of the venue."""
    said = []
    for name in ids:
        known = KNOWN.get(name)
        if known is None:
            said.append(f"{name} is suppressed, and what it asks is not known")
        elif known.covered_by is None:
            said.append(f"{name} ({known.about}) is suppressed, and no check of ours covers it")
    return said


class Suppression:
    """The list, and which of it the session has."""

    def __init__(self, broker: Suppressor, ids: Sequence[str]) -> None:
        self._broker = broker
        self._ids = tuple(dict.fromkeys(ids))
        self._session: tuple[str, ...] | None = None  # what this session was given; None: nothing yet

    @property
    def ids(self) -> Sequence[str]:
        """The list that is wanted."""
        return self._ids

    async def session_began(self) -> None:
        """A brokerage session has begun: it forgets what earlier ones were told. Raises: VenueError."""
        self._session = None
        if self._ids:
            await self._broker.suppress(self._ids)
        self._session = self._ids

    def session_ended(self) -> None:
        """No session has a list."""
        self._session = None

    async def change(self, ids: Sequence[str]) -> None:
        """Want another list, and give it to the session, whole. Raises: NotDone."""
        wanted = tuple(dict.fromkeys(ids))
        if len(wanted) > IDS_MAX:
            raise bad(f"a list may have {IDS_MAX} ids")
        if not all(name.isalnum() and len(name) <= 16 for name in wanted):
            raise bad("a message id looks like o163")
        try:
            await self._broker.reset_suppression()
            self._session = ()
            self._ids = wanted
            if wanted:
                await self._broker.suppress(wanted)
            self._session = wanted
        except VenueError as error:
            raise refused(f"the session did not take the list: {error}") from error

    def shown(self) -> dict[str, Any]:
        """For `engine suppress`."""
        return {
            "ids": list(self._ids),
            "session": None if self._session is None else list(self._session),
            "warnings": uncovered(self._ids),
        }
