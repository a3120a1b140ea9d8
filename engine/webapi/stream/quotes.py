"""Sparse frames into full quotes: the last word on every field of every conid, and how old it is.

A frame carries what changed; what it leaves out stays. Trades are worked out from conflated frames (the last price, its
size, the day's volume), so every one is marked as sampled. The first frame of a stream tells how things stand, not what
has just been traded. A last price marked C is the previous close and no trade; one marked H means a trading halt.
"""

from __future__ import annotations

import math
from typing import Final

from attrs import define, field

from engine.domain.brokerage import Availability
from engine.domain.market import MarketEvent, Quote, Status, Trade, Trading
from engine.webapi.facts.market import (
    ASK,
    ASK_SIZE,
    AVAILABILITY,
    BID,
    BID_SIZE,
    LAST,
    LAST_SIZE,
    VOLUME,
    VOLUME_EXACT,
    SnapshotRow,
)

# What a live quote needs of each conid; others may be wanted beside these.
FIELDS: Final = (LAST, BID, ASK, BID_SIZE, ASK_SIZE, LAST_SIZE, VOLUME_EXACT, VOLUME, AVAILABILITY)
_BOOK: Final = (BID, ASK, BID_SIZE, ASK_SIZE)
_NAN: Final = math.nan


@define(eq=False)
class _Line:
    """What is known of one conid. `said_ns` by tag: when it was last told."""

    numbers: dict[str, float] = field(factory=dict)
    said_ns: dict[str, int] = field(factory=dict)
    halted: bool = False
    code: str = ""
    begun: bool = False
    volume: float | None = None
    last_ns: int = 0


class Quotes:
    """The market as the stream tells it."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}

    def hear(self, row: SnapshotRow, now_ns: int) -> list[MarketEvent | Availability]:
        """Fold one row of a frame or snapshot; return what it means, in the order status, trade, quote."""
        line = self._lines.setdefault(row.conid, _Line())
        found: list[MarketEvent | Availability] = []
        if row.availability and row.availability != line.code:
            line.code = row.availability
            found.append(availability(row.conid, row.availability, now_ns))
        if row.cold:
            return found
        line.last_ns = now_ns
        for tag in row.fields:
            line.said_ns[tag] = now_ns
        changed = self._fold(line, row)
        if LAST in row.fields and (row.marks.get(LAST) == "H") != line.halted:
            line.halted = not line.halted
            found.append(Status(now_ns, row.conid, Trading.HALTED if line.halted else Trading.OPEN))
        trade = self._trade(line, row, now_ns)
        if trade is not None:
            found.append(trade)
        if changed and any(tag in line.numbers for tag in (BID, ASK)):
            bid, ask, bid_size, ask_size = (line.numbers.get(tag, _NAN) for tag in _BOOK)
            found.append(Quote(now_ns, row.conid, bid, ask, bid_size, ask_size))
        line.begun = True
        return found

    def _fold(self, line: _Line, row: SnapshotRow) -> bool:
        """Take over the numbers; return whether the top of the book is another."""
        changed = False
        for tag in row.fields:
            value = row.numbers.get(tag)
            if tag in (BID, ASK) and value is not None and value < 0 and value == -1:
                value = None  # the sister interface's word for no quote; none is at exactly -1 without a size
            if value is None:
                changed = changed or (tag in _BOOK and tag in line.numbers)
                line.numbers.pop(tag, None)
            elif line.numbers.get(tag) != value:
                changed = changed or tag in _BOOK
                line.numbers[tag] = value
        return changed

    def _trade(self, line: _Line, row: SnapshotRow, now_ns: int) -> Trade | None:
        """A trade, if the frame tells of one: a new day's volume, or a last price or size anew."""
        volume = row.volume
        grown = volume is not None and line.volume is not None and volume > line.volume
        if volume is not None:
            line.volume = volume
        told = LAST in row.fields or LAST_SIZE in row.fields
        price = line.numbers.get(LAST)
        if not line.begun or price is None or row.marks.get(LAST) in ("C", "H") or not (told or grown):
            return None
        return Trade(now_ns, row.conid, price, line.numbers.get(LAST_SIZE, _NAN), True)

    def age_ns(self, conid: int, tag: str, now_ns: int) -> int | None:
        """How long ago a field was last told; None if it never was."""
        line = self._lines.get(conid)
        said = None if line is None else line.said_ns.get(tag)
        return None if said is None else now_ns - said

    def last_ns(self, conid: int) -> int | None:
        """When data of a conid last came; None before the first."""
        line = self._lines.get(conid)
        return line.last_ns or None if line is not None else None

    def number(self, conid: int, tag: str) -> float | None:
        """The last word on a field."""
        line = self._lines.get(conid)
        return None if line is None else line.numbers.get(tag)

    def restart(self, conid: int) -> None:
        """The stream was opened anew: its first frame tells how things stand."""
        line = self._lines.get(conid)
        if line is not None:
            line.begun = False


def availability(conid: int, code: str, now_ns: int) -> Availability:
    """Read field 6509: the first letter is the timeline."""
    timeline = code[:1]
    return Availability(
        conid=conid,
        ts_ns=now_ns,
        live=timeline == "R" or timeline == "S",
        delayed=timeline in ("D", "Y"),
        frozen=timeline in ("Z", "Y"),
        code=code,
    )
