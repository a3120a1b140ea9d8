"""The ways to prove who we are: a person's login at the Client Portal Gateway, OAuth 1.0a first-party, OAuth 2.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from engine.webapi.calls import Reply


class Asker(Protocol):
    """Sends one login request; the session's queue and budgets are behind it."""

    async def __call__(
        self, name: str, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None
    ) -> Reply:
        """Send once. Raises: VenueUnreachable (nothing left us), AnswerLost."""


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """What a websocket's opening needs; secret, so it hides itself."""

    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return "Handshake(hidden)"


class Authenticator(Protocol):
    """One way to prove who we are. `logs_in`: it can log in by itself; otherwise a person does."""

    logs_in: bool

    def headers(self, method: str, url: str, query: tuple[tuple[str, str], ...]) -> dict[str, str]:
        """Return what a request needs. Raises: VenueUnreachable before the first login."""

    async def login(self, ask: Asker) -> int | None:
        """Log in, or renew; return when it ends (ns UTC), None if that is not told.

        Raises: VenueUnreachable, AnswerLost, VenueRefused.
        """

    def websocket(self, session: str) -> Handshake:
        """Return how to open the websocket with the newest tickle's session id."""
