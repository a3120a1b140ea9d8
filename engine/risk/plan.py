"""What a plain order of one strategy in one instrument meets: its limits as a flat plan of floats.

A screen says that a check would surely allow an order, or that it can't say. Here stands what the screens compare with;
`planning` compiles it from the limits.
"""

from __future__ import annotations

from decimal import Decimal
from math import inf, nan
from typing import Final

from attrs import define

from engine.domain.moments import END_OF_TIME_NS
from engine.domain.ticket import OrderType, Tif
from engine.risk import conduct
from engine.risk.account import Purse
from engine.risk.checks import Check
from engine.risk.dated import Dated
from engine.risk.lending import Lending
from engine.risk.lines import Lines
from engine.risk.outside import Outside, Summary
from engine.risk.recent import Recent
from engine.risk.register import Register
from engine.risk.resting import Resting
from engine.risk.rooms import ROW, Room

HAIR: Final = 1.0 - 1e-9  # wider than what float arithmetic loses, narrower than any limit a person sets
MANY: Final = 2**63


@define
class Sums:
    """Limits on what one owner has sent, and what it has sent."""

    purse: Purse
    minute: int = MANY
    hour: int = MANY
    orders: int = MANY
    messages: int = MANY
    notional: float = inf
    until: int = 0  # as long as less was sent in all, none of the four on numbers can be reached

    def left(self, now_ns: int) -> int:
        """How many more orders are within each limit on a number."""
        purse = self.purse
        return min(
            self.messages - purse.messages,
            self.orders - purse.orders,
            self.minute - purse.in_minute(now_ns),
            self.hour - purse.in_hour(now_ns),
        )

    def counts_anew(self, now_ns: int) -> bool:
        """Whether one more order is within each limit on a number, and how many surely are."""
        room = self.left(now_ns)
        self.until = self.purse.sent + room
        return room > 0


@define(eq=False)
class Plan:
    """One exposure's limits as the screens read them; what is None or off is not asked about."""

    asks: bool = False  # the limits have switched on a check
    others: tuple[Check, ...] = ()
    types: frozenset[OrderType] | None = None
    tifs: frozenset[Tif] | None = None
    asks_contract: bool = False  # a venue may say which terms a contract takes
    register: Register | None = None
    buys: Room | None = None  # of each side; None where sums are not counted
    sells: Room | None = None
    due: bool = False  # to be measured: an order was taken that no room held
    taken: int = 0  # orders that rooms have held since they were measured, far from every limit
    near: int = 0  # and near one; at most so many before they are measured again
    row: int = ROW
    idle: int = 0  # so many orders are taken without them before they are measured again, and how that grows
    patience: int = 0
    from_ns: int = 0  # within these two no blackout holds, and the register is in order
    until_ns: int = 0
    blackouts: tuple[tuple[int, int], ...] = ()
    in_doubt: int = MANY
    resting: Resting | None = None  # own orders that an order must not meet
    # The market, and what was sent lately.
    asks_quote: bool = False
    displayed: float | None = None  # part of the size shown
    two_sided: bool = False
    spread: float | None = None  # part of bid and ask taken together
    recent: Recent | None = None
    walk: float | None = None  # part of the price
    walk_ns: int = 0
    factor: float | None = None
    # Sums and money.
    sums: tuple[Sums, ...] = ()
    stakes: tuple[Lines, ...] = ()
    # What a venue says; None of it in a backtest.
    outside: Outside | None = None
    live_data: bool = False
    lending: Lending | None = None  # what a sale makes short has to be borrowed
    covers: bool = False  # likewise where options are short: it may be what covers them
    day_trades: int | None = None
    settled: bool = False
    buying_power: bool = False
    cushion: float | None = None  # part of the worth
    margin: float = 1.0  # part of an order's money
    what_if: float = inf
    dated: Dated | None = None  # of options and futures
    summary_age_ns: int = END_OF_TIME_NS  # an account summary may be so old
    summary: Summary | None = None  # the one that these are worked out of; money that buys and sales have room for
    summary_until_ns: int = 0
    room_to_buy: float = 0.0
    room_to_sell: float = 0.0

    def turn(self, now_ns: int) -> bool:
        """Whether no blackout holds now; for how long none will is remembered."""
        span = conduct.latest_quiet(self.blackouts, now_ns)
        if span is None:
            return False
        self.from_ns, self.until_ns = span
        register = self.register
        if register is not None:
            register.turn(now_ns)
            self.from_ns, self.until_ns = max(self.from_ns, register.from_ns), min(self.until_ns, register.until_ns)
        return True

    def look_at(self, summary: Summary) -> None:
        """Work out what money orders sent since an account summary may come to; below zero where it can't be told."""
        self.summary = summary
        self.summary_until_ns = summary.ts_ns + self.summary_age_ns
        room = inf
        if self.day_trades is not None:
            left = summary.day_trades_left
            if left is None or 0 <= left <= self.day_trades:
                room = -1.0
        if self.buying_power:
            room = _least(room, -1.0 if summary.cash_account else _float(summary.buying_power) * HAIR)
        if self.cushion is not None:
            free = _float(summary.excess_liquidity) - _float(summary.net_liquidation) * self.cushion
            room = _least(room, free / self.margin * HAIR)
        self.room_to_sell = room
        self.room_to_buy = _least(room, _float(summary.settled_cash) * HAIR) if self.settled else room


def _float(money: Decimal | None) -> float:
    return nan if money is None else float(money)


def _least(room: float, other: float) -> float:
    """The smaller of two; below zero where one is unknown."""
    return min(room, other) if other == other else -1.0
