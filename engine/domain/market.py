"""What a market says: quotes, trades, bars and status, as rows and as columns.

Rows are `msgspec` structs because a backtest makes millions of them (about 0.15 us each; a frozen attrs class takes
three times that). Prices and sizes are `float`, as printed by the venue; what is money or a promise is `Decimal` and
lives in `ticket` and `order`. An absent price or size is NaN, never zero.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from engine.domain.moments import Rank


class Kind(StrEnum):
    """The kinds of market data; also the names of a recording's files."""

    QUOTES = "quotes"
    TRADES = "trades"
    BARS = "bars"
    STATUS = "status"


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Best bid and offer of one instrument from `ts_ns` on; a side that is absent is NaN."""

    ts_ns: int
    conid: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float

    @property
    def mid(self) -> float:
        """Middle of bid and ask; NaN unless both are there."""
        return (self.bid + self.ask) * 0.5


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One print; `sampled` marks one that was derived from conflated frames."""

    ts_ns: int
    conid: int
    price: float
    size: float
    sampled: bool = False


class Bar(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Open, high, low, close over `[ts_ns - span_ns, ts_ns)`: `ts_ns` is its end, when it is known.

    `complete` is False where the data did not cover the whole span (start or end of data, a halt, a gap).
    """

    ts_ns: int
    conid: int
    span_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    complete: bool = True


class Trading(StrEnum):
    """State of trading in one instrument."""

    OPEN = "open"
    HALTED = "halted"
    CLOSED = "closed"


class Status(msgspec.Struct, frozen=True, gc=False):
    """A change in whether an instrument trades."""

    ts_ns: int
    conid: int
    trading: str


MarketEvent = Quote | Trade | Bar | Status

RANK: Final = {Kind.STATUS: Rank.STATUS, Kind.BARS: Rank.BAR, Kind.TRADES: Rank.TRADE, Kind.QUOTES: Rank.QUOTE}
ROW: Final[dict[Kind, type[Quote] | type[Trade] | type[Bar] | type[Status]]] = {
    Kind.QUOTES: Quote,
    Kind.TRADES: Trade,
    Kind.BARS: Bar,
    Kind.STATUS: Status,
}
# Columns of each kind, in the order of the row's fields: name and numpy dtype.
COLUMNS: Final[dict[Kind, tuple[tuple[str, str], ...]]] = {
    Kind.QUOTES: (
        ("ts_ns", "i8"),
        ("conid", "i8"),
        ("bid", "f8"),
        ("ask", "f8"),
        ("bid_size", "f8"),
        ("ask_size", "f8"),
    ),
    Kind.TRADES: (("ts_ns", "i8"), ("conid", "i8"), ("price", "f8"), ("size", "f8"), ("sampled", "?")),
    Kind.BARS: (
        ("ts_ns", "i8"),
        ("conid", "i8"),
        ("span_ns", "i8"),
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),
        ("complete", "?"),
    ),
    Kind.STATUS: (("ts_ns", "i8"), ("conid", "i8"), ("trading", "O")),
}
