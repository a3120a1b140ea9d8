"""Ids that are remembered for as long as the venue may tell of them again, and no longer."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from engine.domain.moments import NS_PER_DAY

# The venue tells of executions for seven trading days: with weekends and the longest holidays less than this.
REMEMBERED_NS: Final = 14 * NS_PER_DAY


class Lately:
    """How old the ids of a set are, as seen from the days on which somebody asked."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}

    def forget(self, ids: set[str], before_ns: int, keep: Container[str] = ()) -> None:
        """Drop from `ids` what was there already at a time so long before `before_ns`; what is new counts from there.

        Args:
            before_ns: A moment of yesterday: an id that is new may be as old.
            keep: What stays, however old.
        """
        since = self._since
        for one in ids:
            since.setdefault(one, before_ns)
        gone = [one for one, at in since.items() if at < before_ns - REMEMBERED_NS and one not in keep]
        for one in gone:
            del since[one]
        ids.difference_update(gone)
