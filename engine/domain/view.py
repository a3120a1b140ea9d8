"""The market as known at one moment, as strategies and risk look at it."""

from __future__ import annotations

from typing import Protocol

from engine.domain.columns import Chunk
from engine.domain.market import Bar, Kind, Quote, Status, Trade

_STATUS = Kind.STATUS  # bound once: an enum class is slow to ask


class MarketView(Protocol):
    """What is known of the market now; None where nothing is known."""

    def quote(self, conid: int) -> Quote | None:
        """The quote in force."""

    def trade(self, conid: int) -> Trade | None:
        """The last trade."""

    def bar(self, conid: int) -> Bar | None:
        """The last recorded bar that has ended."""

    def status(self, conid: int) -> Status | None:
        """The last change of status."""

    def price(self, conid: int) -> tuple[float, int] | None:
        """The price in force and when it was said: the quote's middle, or the last trade, or the last bar's close."""


class ChunkView:
    """The rows of a chunk before `row`, and what came before them. One owner moves it on with `at`."""

    __slots__ = ("chunk", "row")

    def __init__(self, chunk: Chunk, row: int = 0) -> None:
        self.chunk = chunk
        self.row = row

    def at(self, chunk: Chunk, row: int) -> ChunkView:
        """Look from another moment: just before `row` of `chunk`."""
        self.chunk = chunk
        self.row = row
        return self

    def quote(self, conid: int) -> Quote | None:
        """The quote in force."""
        return self.chunk.quote(conid, self.row)

    def trade(self, conid: int) -> Trade | None:
        """The last trade."""
        return self.chunk.trade(conid, self.row)

    def bar(self, conid: int) -> Bar | None:
        """The last recorded bar that has ended."""
        return self.chunk.bar(conid, self.row)

    def status(self, conid: int) -> Status | None:
        """The last change of status."""
        chunk = self.chunk
        return chunk.status(conid, self.row) if chunk.status_before or _STATUS in chunk.kinds else None

    def price(self, conid: int) -> tuple[float, int] | None:
        """The price in force and when it was said."""
        return self.chunk.price(conid, self.row)
