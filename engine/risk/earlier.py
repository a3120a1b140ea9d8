"""Which client order ids are of the past: over when the venue's day turned last, and not alive since.

What ended a moment before the turn may still be told something; a whole day later nothing comes that a reading has not
told. The journal knows every id for ever, and refuses one that is used twice.
"""

from __future__ import annotations

from collections.abc import Container, Iterable


class Earlier:
    """Ids that were over at the last turn."""

    def __init__(self) -> None:
        self._over: frozenset[str] = frozenset()

    def turn(self, known: Iterable[str], alive: Container[str]) -> frozenset[str]:
        """Another day begins.

        Args:
            known: All ids that something is remembered of.
            alive: Those of open orders.

        Returns: What can be let go: ids that were over at the turn before this one, and still are.
        """
        gone = frozenset(coid for coid in self._over if coid not in alive)
        self._over = frozenset(coid for coid in known if coid not in alive and coid not in gone)
        return gone
