"""Which period and bar of the venue's history cover a stretch of time, and its bars as ours. Pure.

Source of what goes with what: IBKR, Web API documentation, step sizes of historical market data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.domain.market import Bar
from engine.webapi.budgets import SECOND
from engine.webapi.facts.market import History

BARS_MAX: Final = 1_000  # of one answer
MINUTE: Final = 60 * SECOND
_HOUR: Final = 60 * MINUTE
_DAY: Final = 24 * _HOUR
# Bars the venue makes: seconds -> its word.
_WORDS: Final = {
    60: "1min",
    120: "2min",
    180: "3min",
    300: "5min",
    600: "10min",
    900: "15min",
    1_800: "30min",
    3_600: "1h",
    7_200: "2h",
    10_800: "3h",
    14_400: "4h",
    28_800: "8h",
    86_400: "1d",
}


def word_of(span_ns: int) -> str:
    """The venue's word for bars of a length.

    Raises: ValueError for a length it does not make.
    """
    word = _WORDS.get(span_ns // SECOND) if span_ns % SECOND == 0 else None
    if word is None:
        raise ValueError(f"the venue makes no bars of {span_ns / SECOND:g} s")
    return word


def period_for(length_ns: int, span_ns: int) -> str:
    """The shortest period of the venue's that covers a length, and no more bars of `span_ns` than one answer holds.

    Minutes go with bars of a minute only, hours with bars that fit into them, a day with all shorter ones.
    """
    length_ns = min(max(length_ns, span_ns), BARS_MAX * span_ns)
    minutes = -(-length_ns // MINUTE)
    if minutes <= 30 and span_ns == MINUTE:
        return f"{max(1, minutes)}min"
    hours = -(-length_ns // _HOUR)
    if hours <= 8 and span_ns < _DAY:
        return f"{max(1, hours)}h"
    days = -(-length_ns // _DAY)
    return f"{min(1_000, max(days, 7 if span_ns >= _DAY else 1))}d"  # bars of a day begin with a week


def pages_max(length_ns: int, span_ns: int) -> int:
    """How many answers a length can take at most: a page moves back by its own length at least."""
    return -(-max(0, length_ns) // (BARS_MAX * span_ns)) + 1


def bars_of(page: History, conid: int, span_ns: int) -> Iterator[Bar]:
    """The bars of an answer; what it tells is a bar's beginning, what we keep its end."""
    for bar in page.bars:
        volume = float("nan") if bar.volume is None else bar.volume
        yield Bar(bar.start_ns + span_ns, conid, span_ns, bar.open, bar.high, bar.low, bar.close, volume)
