"""What a slow taker is given instead of everything: the latest quote, and trades folded so that no size is lost.

Pure. Only market data may be conflated, and it is counted: `folded` is how many rows went into others. Rows keep their
order; of an instrument's trades the first at the high, the first at the low and the last one stay, each with the sizes
of those dropped before it, and all are marked `sampled`. Status rows and bars are never folded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from engine.domain.market import MarketEvent, Quote, Trade

KEEP: Final = 512  # rows that may wait before anything is folded


class Conflator:
    """Rows that wait for their taker."""

    def __init__(self, keep: int = KEEP) -> None:
        self._waiting: list[MarketEvent] = []
        self._keep = keep
        self.folded = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, events: Sequence[MarketEvent]) -> None:
        """Rows have arrived, oldest first."""
        self._waiting += events
        if len(self._waiting) > self._keep:
            before = len(self._waiting)
            self._waiting = fold(self._waiting)
            self.folded += before - len(self._waiting)

    def take(self) -> tuple[MarketEvent, ...]:
        """All that waits."""
        taken, self._waiting = tuple(self._waiting), []
        return taken


def fold(events: Sequence[MarketEvent]) -> list[MarketEvent]:
    """Fold rows; at most one quote and three trades an instrument are left, beside status rows and bars."""
    quotes: dict[int, int] = {}
    trades: dict[int, list[int]] = {}
    keep: set[int] = set()
    for place, event in enumerate(events):
        if isinstance(event, Quote):
            quotes[event.conid] = place
        elif isinstance(event, Trade):
            trades.setdefault(event.conid, []).append(place)
        else:
            keep.add(place)
    keep.update(quotes.values())
    sizes: dict[int, float] = {}
    for places in trades.values():
        prices = [event.price for place in places if isinstance(event := events[place], Trade)]
        chosen = {places[prices.index(max(prices))], places[prices.index(min(prices))], places[-1]}
        waiting = 0.0
        for place in places:
            event = events[place]
            assert isinstance(event, Trade)
            waiting += event.size
            if place in chosen:
                sizes[place] = waiting
                waiting = 0.0
        keep |= chosen
    found: list[MarketEvent] = []
    for place in sorted(keep):
        event = events[place]
        if isinstance(event, Trade) and len(trades[event.conid]) > 1:
            event = replace(event, size=sizes[place], sampled=True)
        found.append(event)
    return found
