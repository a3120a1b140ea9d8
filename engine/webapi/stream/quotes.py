"""Sparse frames into full quotes: the last word on every field of every conid, and how old it is.

A frame carries what changed; what it leaves out stays. A row that the server made before one that is known (frames can
overtake one another, and a snapshot's answer can be late) changes nothing that is known better.

Trades are worked out from conflated frames, so every one is marked as sampled: its price is the last one, its size is
what the day's exact volume has grown by, or the last trade's own where no exact volume is told. What only repeats is no
trade. The first frame of a stream tells how things stand, not what has just been traded; a last price marked C is the
previous close; one marked H means a trading halt.
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
# What a short sale and an option's limits ask for besides: the venue works them out now and then, and tells the last.
SHORTABLE, BORROW_FEE, DELTA, VEGA = "7636", "7637", "7308", "7311"
_WORKED_OUT: Final = (SHORTABLE, BORROW_FEE, DELTA, VEGA)
_BOOK: Final = (BID, ASK, BID_SIZE, ASK_SIZE)
_SIZE_OF: Final = {BID: BID_SIZE, ASK: ASK_SIZE}
_NAN: Final = math.nan


@define(eq=False)
class _Line:
    """What is known of one conid. By tag: its number, when it was last told, and the server's time of what told it."""

    numbers: dict[str, float] = field(factory=dict)
    said_ns: dict[str, int] = field(factory=dict)
    server_ns: dict[str, int] = field(factory=dict)
    mark: str = ""  # of the last price
    halted: bool = False
    code: str = ""
    begun: bool = False
    ahead: float = 0.0  # size of trades that were told before the day's volume showed them
    last_ns: int = 0


class Quotes:
    """The market as the stream tells it."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}

    def hear(self, row: SnapshotRow, now_ns: int) -> list[MarketEvent | Availability]:
        """Fold one row of a frame or snapshot; return what it means, in the order status, trade, quote."""
        line = self._lines.get(row.conid)
        if line is None:
            line = self._lines[row.conid] = _Line()
        found: list[MarketEvent | Availability] = []
        if row.availability and row.availability != line.code:
            line.code = row.availability
            found.append(availability(row.conid, row.availability, now_ns))
        if row.cold:
            return found
        line.last_ns = now_ns
        before = line.numbers.copy()
        told = self._fold(line, row, now_ns)
        if LAST in told:
            line.mark = row.marks.get(LAST, "")
            if (line.mark == "H") != line.halted:
                line.halted = not line.halted
                found.append(Status(now_ns, row.conid, Trading.HALTED if line.halted else Trading.OPEN))
        if line.begun:
            size = _traded(before, line, told)
            if size is not None:
                found.append(Trade(now_ns, row.conid, line.numbers[LAST], size, True))
        # The first frame of a stream says that the quote still stands, be it the old one.
        now = line.numbers
        changed = False
        for tag in _BOOK:
            if tag in told and before.get(tag) != now.get(tag):
                changed = True
                break
        if changed or (not line.begun and (BID in told or ASK in told)):
            bid, ask = _price(line, BID), _price(line, ASK)
            sizes = now.get(BID_SIZE, _NAN), now.get(ASK_SIZE, _NAN)
            found.append(Quote(now_ns, row.conid, bid, ask, *sizes))
        line.begun = True
        return found

    def _fold(self, line: _Line, row: SnapshotRow, now_ns: int) -> set[str]:
        """Take over what is news; return the tags that the row told, leaving out what it told too late."""
        told = set()
        for tag in row.fields:
            if row.updated_ns is not None:
                if row.updated_ns < line.server_ns.get(tag, 0):
                    continue
                line.server_ns[tag] = row.updated_ns
            told.add(tag)
            line.said_ns[tag] = now_ns
            value = row.numbers.get(tag)
            if value is None:
                line.numbers.pop(tag, None)
            else:
                line.numbers[tag] = value
        return told

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
        """The stream is opened anew, perhaps on a server with another clock: a first frame tells how things stand."""
        line = self._lines.get(conid)
        if line is not None:
            line.begun = False
            line.ahead = 0.0
            line.server_ns.clear()

    def lost(self, conid: int) -> None:
        """The stream is gone: whether data are live, what can be borrowed and greeks have to be told anew."""
        line = self._lines.get(conid)
        if line is not None:
            line.code = ""
            for tag in _WORKED_OUT:
                line.numbers.pop(tag, None)


def _traded(before: dict[str, float], line: _Line, told: set[str]) -> float | None:
    """The size of what was traded; None if nothing was."""
    if LAST not in line.numbers or line.mark in ("C", "H"):
        return None
    now = line.numbers
    size = now.get(LAST_SIZE, _NAN)
    changed = (LAST in told and before.get(LAST) != now.get(LAST)) or (
        LAST_SIZE in told and before.get(LAST_SIZE) != now.get(LAST_SIZE)
    )
    if VOLUME_EXACT not in before:
        more = VOLUME in told and VOLUME in before and now.get(VOLUME, 0.0) > before[VOLUME]
        return size if changed or more else None
    grown = now.get(VOLUME_EXACT, 0.0) - before[VOLUME_EXACT]
    if grown > 0:
        left = grown - line.ahead
        line.ahead = max(0.0, -left)
        return left if left > 0 else None
    if not changed:
        return None
    if grown == 0:
        line.ahead += 0.0 if math.isnan(size) else size
    else:  # another day
        line.ahead = 0.0
    return size


def _price(line: _Line, tag: str) -> float:
    """A side's price. -1 without a size is the sister interface's word for no quote; combos can be worth -1."""
    price = line.numbers.get(tag, _NAN)
    return _NAN if price == -1 and not line.numbers.get(_SIZE_OF[tag]) else price


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
