"""Market data as the Web API tells it: snapshot rows (`smd` frames have the same fields), history bars, depth rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

import msgspec

from engine.webapi import values
from engine.webapi.facts.wire import Fact, wire

# Tags whose values are words. Everything else that reads as a number is one.
WORDS: Final = frozenset(
    str(tag)
    for tag in (
        *(
            55,
            58,
            76,
            77,
            201,
            6004,
            6070,
            6072,
            6073,
            6119,
            6508,
            6509,
            7051,
            7057,
            7058,
            7068,
            7094,
            7219,
            7220,
            7221,
        ),
        *(7280, 7281, 7288, 7644, 7655, 7704, 7705, 7706, 7707, 7708, 7714, 7715),
    )
)
LAST, BID, ASK, BID_SIZE, ASK_SIZE, LAST_SIZE = "31", "84", "86", "88", "85", "7059"
VOLUME, VOLUME_EXACT, AVAILABILITY, MARK = "87", "7762", "6509", "7635"


class SnapshotRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one row or frame carried of one conid; absent tags are unchanged or unavailable, never 0.

    `fields` has every tag as printed ("" where it is now empty), `numbers` those that are numbers, with prefixes,
    commas, percent signs and K/M/B suffixes read, `<tag>_raw` preferred. `marks` has "C" (previous close, not a trade
    of today) or "H" (halted) by tag.
    """

    conid: int
    conidex: str = ""
    updated_ns: int | None = None
    server_id: str = ""
    fields: dict[str, str] = msgspec.field(default_factory=dict)
    numbers: dict[str, float] = msgspec.field(default_factory=dict)
    marks: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def cold(self) -> bool:
        """Whether it carries nothing but ids and the delivery marks: the answer to a pre-flight."""
        return not (self.fields.keys() - {"6119", AVAILABILITY})

    @property
    def halted(self) -> bool:
        """Whether any field is marked as halted."""
        return "H" in self.marks.values()

    @property
    def availability(self) -> str:
        """Letters of tag 6509 (R real time, D delayed, Z frozen, Y frozen delayed, N not subscribed), "" if untold."""
        return self.fields.get(AVAILABILITY, "")

    @property
    def volume(self) -> float | None:
        """The day's volume: the precise tag where it was asked for."""
        precise = self.numbers.get(VOLUME_EXACT)
        return self.numbers.get(VOLUME) if precise is None else precise


class HistoryBar(Fact, frozen=True, kw_only=True):
    """One bar; prices are real prices (`priceFactor` does not apply), `volume` as printed, `start_ns` its beginning."""

    start_ns: Annotated[int, wire("t", read=values.ms_ns)]
    open: Annotated[float, wire("o")]
    high: Annotated[float, wire("h")]
    low: Annotated[float, wire("l")]
    close: Annotated[float, wire("c")]
    volume: Annotated[float | None, wire("v")] = None


class History(Fact, frozen=True, kw_only=True):
    """Bars of a conid, oldest first as printed; the last one may still be forming.

    `volume_factor` is told beside the bars; what it scales is not agreed on, so `HistoryBar.volume` is left alone.
    """

    bars: Annotated[tuple[HistoryBar, ...], wire("data")]
    symbol: str = ""
    text: str = ""
    server_id: Annotated[str, wire("serverId")] = ""
    bar_s: Annotated[int | None, wire("barLength")] = None
    period: Annotated[str, wire("timePeriod")] = ""
    start_ns: Annotated[int | None, wire("startTime", read=values.stamp_ns)] = None
    volume_factor: Annotated[float | None, wire("volumeFactor")] = None
    price_factor: Annotated[float | None, wire("priceFactor")] = None
    availability: Annotated[str, wire("mdAvailability")] = ""
    delay_s: Annotated[float | None, wire("mktDataDelay")] = None
    outside_rth: Annotated[bool | None, wire("outsideRth")] = None
    negative_capable: Annotated[bool | None, wire("negativeCapable")] = None
    direction: int | None = None


class Unsubscribed(Fact, frozen=True, kw_only=True):
    """Answer to the end of one stream or of all."""

    done: Annotated[bool | None, wire("success", "unsubscribed", "confirmed")] = None


class DepthRow(Fact, frozen=True, kw_only=True):
    """One row of a book: `price`, and the size on the side that has one."""

    row: int
    price: Annotated[str, wire("price")] = ""
    bid: Decimal | None = None
    ask: Decimal | None = None
    focus: bool | None = None
