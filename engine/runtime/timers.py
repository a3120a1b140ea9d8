"""Timers of strategies, on the recording's time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Final

from engine.domain.messages import DropTimer, SetTimer, TimerDue, TimerWish
from engine.domain.moments import END_OF_TIME_NS

_ROOM: Final = 1_024


class Timers:
    """A heap of what is due when; ties go by the order in which timers were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, SetTimer]] = []
        self._number = 0
        self._room = _ROOM
        self._latest: dict[tuple[str, str], int] = {}  # the number of the one that counts, by strategy and name

    def take(self, wishes: Sequence[TimerWish]) -> None:
        """Set and drop timers."""
        for wish in wishes:
            key = (wish.strategy, wish.name)
            if isinstance(wish, DropTimer):
                self._latest.pop(key, None)
                continue
            self._number += 1
            if not wish.calendar:
                self._latest[key] = self._number
            heapq.heappush(self._heap, (wish.at_ns, self._number, wish))
            if len(self._heap) > self._room:  # mostly timers that were set again: they need not wait to come up
                self._heap = [entry for entry in self._heap if self._counts(entry)]
                heapq.heapify(self._heap)
                self._room = max(_ROOM, 2 * len(self._heap))

    def next_ns(self) -> int:
        """When the next timer is due; the end of time if none is."""
        heap = self._heap
        while heap and not self._counts(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else END_OF_TIME_NS

    def due(self, now_ns: int) -> list[TimerDue]:
        """Take out all timers due at or before a time."""
        found: list[TimerDue] = []
        while self.next_ns() <= now_ns:
            at_ns, _, wish = heapq.heappop(self._heap)
            if not wish.calendar:
                del self._latest[wish.strategy, wish.name]
            found.append(TimerDue(wish.strategy, wish.name, at_ns, wish.calendar))
        return found

    def _counts(self, entry: tuple[int, int, SetTimer]) -> bool:
        _, number, wish = entry
        return wish.calendar or self._latest.get((wish.strategy, wish.name)) == number
