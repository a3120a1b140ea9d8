"""Watchlists of the user."""

from __future__ import annotations

from typing import Annotated

from engine.webapi import values
from engine.webapi.facts.wire import Fact, wire


class WatchlistHead(Fact, frozen=True, kw_only=True):
    """A watchlist in the list of them."""

    id: Annotated[str, wire("id", read=values.identifier)]
    name: str = ""
    read_only: bool | None = None
    type: str = ""
    modified_ns: Annotated[int | None, wire("modified", read=values.ms_ns)] = None


class WatchlistItem(Fact, frozen=True, kw_only=True):
    """A row; without a conid it is an empty line or a heading. The first read of a list is sparse."""

    conid: Annotated[int | None, wire("conid", "C")] = None
    ticker: str = ""
    name: Annotated[str, wire("name", "fullName")] = ""
    asset_class: Annotated[str, wire("assetClass", "ST")] = ""


class Watchlist(Fact, frozen=True, kw_only=True):
    """One watchlist."""

    id: Annotated[str, wire("id", read=values.identifier)]
    name: str = ""
    read_only: Annotated[bool | None, wire("readOnly")] = None
    items: Annotated[tuple[WatchlistItem, ...], wire("instruments")] = ()


class WatchlistGone(Fact, frozen=True, kw_only=True):
    """Answer to a deletion."""

    id: Annotated[str, wire("deleted", read=values.identifier)]
