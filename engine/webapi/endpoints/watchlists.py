"""Watchlists of the user."""

from __future__ import annotations

from collections.abc import Sequence

from engine.webapi.calls import Kind, Urgency
from engine.webapi.codecs import people as codec
from engine.webapi.endpoints.base import Group, build
from engine.webapi.facts.watchlists import Watchlist, WatchlistGone, WatchlistHead


class Watchlists(Group):
    """Lists of instruments that the user's other IBKR programs show too."""

    async def listed(self, *, users_only: bool = True) -> tuple[WatchlistHead, ...]:
        """List them."""
        query = {"SC": "USER_WATCHLIST" if users_only else None}
        call = build("GET", "/iserver/watchlists", Kind.READ, Urgency.SCANNER, query=query)
        return await self._ask(call, codec.watchlists)

    async def read(self, list_id: str) -> Watchlist:
        """Read one; its first read is sparse."""
        call = build("GET", "/iserver/watchlist", Kind.READ, Urgency.SCANNER, query={"id": list_id})
        return await self._ask(call, codec.watchlist)

    async def save(self, list_id: str, name: str, conids: Sequence[int | None]) -> Watchlist:
        """Make a list, or replace the one of that id; None leaves a line empty.

        Raises: ValueError if the id is no number, which the venue would answer with 503.
        """
        if not (list_id.isascii() and list_id.isdigit()):
            raise ValueError("a watchlist's id must be a number")
        rows = [{"H": ""} if conid is None else {"C": conid} for conid in conids]
        body = {"id": list_id, "name": name, "rows": rows}
        call = build("POST", "/iserver/watchlist", Kind.OTHER_WRITE, Urgency.SCANNER, body=body)
        return await self._ask(call, codec.watchlist)

    async def delete(self, list_id: str) -> WatchlistGone:
        """Delete a list."""
        call = build("DELETE", "/iserver/watchlist", Kind.OTHER_WRITE, Urgency.SCANNER, query={"id": list_id})
        return await self._ask(call, codec.watchlist_gone)
