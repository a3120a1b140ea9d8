"""What a market is to the exchange, whether recorded or made up: contracts, and chunks of rows as time goes on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from engine.domain.columns import Chunk
from engine.domain.sessions import Sessions
from engine.gateway.board import Figures
from engine.gateway.quoting import Block
from engine.gateway.records import Contract


class MarketFeed(Protocol):
    """A market, played forwards. Its rows are a function of what it was opened with: never of how it is asked."""

    @property
    def contracts(self) -> Mapping[int, Contract]:
        """What it lists, by conid."""

    @property
    def start_ns(self) -> int:
        """When a fresh gateway's clock starts."""

    def open(self, now_ns: int) -> Mapping[int, Figures]:
        """Begin (again) at a time: what is known by then of the conids that are played; rows after it follow."""

    def take(self, until_ns: int) -> Chunk | None:
        """The next chunk, if its rows may begin by a time; None if there is none so far. Chunks end at midnights."""

    def peek_ns(self) -> int:
        """When the next chunk may begin; the end of time after the last."""

    def wake(self, conid: int, now_ns: int) -> Figures | None:
        """Play a contract from now on; what is known of it. None if it has no market of its own here."""

    def rest(self, now_ns: int) -> Chunk:
        """The rows in hand that lie after a time: of the chunk taken last, or just after `open`; those of what woke
        since are among them."""

    def sleep(self, conid: int) -> None:
        """Play a contract no more, from the next chunk on; nothing happens if it is always played."""

    def roll(self, now_ns: int, held: Collection[int]) -> None:
        """A new day begins: list what is new, and no more what has expired unless it is held or traded."""

    def extend(self, sessions: Mapping[str, Sessions]) -> None:
        """Sessions reach further now."""

    def rate(self, pair: int, now_ns: int) -> float:
        """Price of a currency pair; NaN if it is not known."""

    def ticks(self, conid: int, start_ns: int, end_ns: int) -> tuple[Block, Block, Block]:
        """Past quotes, trades and bars of a contract that lie in [start, end)."""

    @property
    def begins_ns(self) -> int:
        """Before this nothing is known of the past."""
