"""Time: nanoseconds UTC as `int`, and the order of things that share a nanosecond.

A moment is `(ts_ns, rank, seq)`. Ties on `ts_ns` are common in real data (more than half the rows of a tick file), so a
time alone never says what came first.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
NS_PER_MINUTE: Final = 60 * NS_PER_S
NS_PER_DAY: Final = 86_400 * NS_PER_S
END_OF_TIME_NS: Final = 2**63 - 1


def iso(ts_ns: int) -> str:
    """A time for people: ISO 8601, UTC, to the microsecond."""
    seconds, rest = divmod(ts_ns, NS_PER_S)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1_000).isoformat()


class Rank(IntEnum):
    """What comes first when several things are due at the same nanosecond."""

    ANSWER = 0
    TIMER = 1
    STATUS = 2
    BAR = 3
    TRADE = 4
    QUOTE = 5
