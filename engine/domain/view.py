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

    __slots__ = ("_chunk", "_row")

    def __init__(self, chunk: Chunk, row: int = 0) -> None:
        self._chunk = chunk
        self._row = row

    def at(self, chunk: Chunk, row: int) -> ChunkView:
        """Look from another moment: just before `row` of `chunk`."""
        self._chunk = chunk
        self._row = row
        return self

    def quote(self, conid: int) -> Quote | None:
        """The quote in force."""
        return self._chunk.quote(conid, self._row)

    def trade(self, conid: int) -> Trade | None:
        """The last trade."""
        return self._chunk.trade(conid, self._row)

    def bar(self, conid: int) -> Bar | None:
        """The last recorded bar that has ended."""
        return self._chunk.bar(conid, self._row)

    def status(self, conid: int) -> Status | None:
        """The last change of status."""
        chunk = self._chunk
        return chunk.status(conid, self._row) if chunk.status_before or _STATUS in chunk.kinds else None

    def price(self, conid: int) -> tuple[float, int] | None:
        """The price in force and when it was said."""
        return self._chunk.price(conid, self._row)
