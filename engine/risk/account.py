"""What the checks know beyond one strategy in one instrument: sums over the account, latches, the venue's word.

Sums of the day and of the hour are kept only where a limit counts them; they are rebuilt from the journal's rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import IntEnum
from math import nan
from typing import TYPE_CHECKING, Final

from attrs import define, field
from msgspec import Struct

from engine.domain.instrument import Instrument
from engine.domain.moments import NS_PER_MINUTE
from engine.domain.ticket import OrderTicket, Side
from engine.risk.days import Days
from engine.risk.numbers import number
from engine.risk.outside import Outside, Summary

if TYPE_CHECKING:
    from engine.risk.exposure import Exposure, Units
    from engine.risk.resting import Resting
    from engine.risk.stakes import Lines
    from engine.risk.together import Group

NS_PER_HOUR: Final = 60 * NS_PER_MINUTE
ACCOUNT: Final = ""  # the owner's name that stands for the whole account; no strategy is called so
_ZERO: Final = Decimal(0)
_RECENT: Final = 20  # orders that make a strategy's own range
_WALK: Final = 1_000  # prices of one side that a drift is worked out over


class Level(IntEnum):
    """How much is forbidden."""

    REDUCING = 1
    HALTED = 2


class Held(Struct, frozen=True):
    """A latch on the account or on one strategy. `until_ns` None: until a person lifts it."""

    level: Level
    code: str
    sentence: str
    ts_ns: int
    until_ns: int | None = None


@define(eq=False)
class Purse:
    """What one owner has sent and traded: today's sums, and the times of the last hour."""

    day: int = -1
    from_ns: int = 0  # the day's first nanosecond, and the next day's
    until_ns: int = 0
    orders: int = 0
    messages: int = 0
    notional: float = 0.0
    executions: int = 0
    hour_ns: deque[int] = field(factory=deque)  # new orders
    minute_ns: deque[int] = field(factory=deque)  # messages

    def turn(self, day: int) -> None:
        """A day begins: its sums are empty."""
        if day != self.day:
            self.day, self.orders, self.messages, self.notional, self.executions = day, 0, 0, 0.0, 0

    def message(self, now_ns: int) -> None:
        """One more message leaves."""
        self.messages += 1
        times, floor_ns = self.minute_ns, now_ns - NS_PER_MINUTE
        while times and times[0] <= floor_ns:
            times.popleft()
        times.append(now_ns)

    def in_hour(self, now_ns: int) -> int:
        """New orders within the hour that ends now."""
        return _in_last(self.hour_ns, now_ns - NS_PER_HOUR)

    def in_minute(self, now_ns: int) -> int:
        """Messages within the minute that ends now."""
        return _in_last(self.minute_ns, now_ns - NS_PER_MINUTE)


def _in_last(times: deque[int], floor_ns: int) -> int:
    while times and times[0] <= floor_ns:
        times.popleft()
    return len(times)


Sent = tuple[int, float, float]  # an order of late: when, its price, and by how much that was worse than the one before


@define(eq=False)
class Walk:
    """Own prices of one side within a window, and how far they have gone the worse way in all."""

    sign: int
    sent: deque[Sent] = field(factory=deque)
    total: float = 0.0

    def forget(self, floor_ns: int) -> None:
        """Prices up to a time count no more, nor does the step from the last of them."""
        sent = self.sent
        while sent and sent[0][0] <= floor_ns:
            sent.popleft()
            self.total = self.total - sent[0][2] if len(sent) > 1 else 0.0

    def step(self, price: float) -> float:
        """By how much a price is worse than the newest one."""
        return max((price - self.sent[-1][1]) * self.sign, 0.0) if self.sent else 0.0

    def add(self, price: float, now_ns: int) -> None:
        """One more price."""
        step = self.step(price)
        self.total += step
        self.sent.append((now_ns, price, step))
        if len(self.sent) > _WALK:
            self.forget(self.sent[0][0])

    def take_back(self) -> None:
        """The newest was not sent after all."""
        self.total -= self.sent.pop()[2]
        if len(self.sent) < 2:
            self.total = 0.0


@define(eq=False)
class Latest:
    """The newest figures of a kind, and the least and the largest of them; NaN of none."""

    figures: deque[float] = field(factory=deque)
    least: float = nan
    largest: float = nan

    def add(self, figure: float) -> None:
        """One more; the oldest goes."""
        figures = self.figures
        figures.append(figure)
        if len(figures) > _RECENT:
            gone = figures.popleft()
            if gone == self.least or gone == self.largest:
                self.least, self.largest = min(figures), max(figures)
                return
        if not figure >= self.least:
            self.least = figure
        if not figure <= self.largest:
            self.largest = figure

    def take_back(self) -> None:
        """The newest was not sent after all."""
        self.figures.pop()
        self.least, self.largest = min(self.figures, default=nan), max(self.figures, default=nan)


@define(eq=False)
class Recent:
    """What one strategy has sent lately in one instrument: how its prices walk, and sizes and prices of late."""

    walks: dict[Side, Walk] = field(factory=lambda: {side: Walk(side.sign) for side in Side})
    quantities: Latest = field(factory=lambda: Latest())
    levels: Latest = field(factory=lambda: Latest())

    def drift(self, side: Side, price: float, floor_ns: int) -> float:
        """By how much own prices of a side have gone the worse way since a time, this one included."""
        walk = self.walks[side]
        walk.forget(floor_ns)
        return walk.total + walk.step(price)


class Room(Struct, frozen=True):
    """An account summary in floats, NaN where the venue did not say: for looking at, never for the last word."""

    summary: Summary
    excess: float
    worth: float
    buying_power: float
    settled: float


@define(eq=False)
class Account:
    """The account as risk knows it.

    Args:
        exposures: The gate's own, by strategy and conid; the gate adds to them.
        units: The account's units by conid, likewise.
        instruments: By conid.
        values: Base currency per unit at price 1, by conid; NaN where the rate is unknown.
        outside: What the venue says; None in a backtest.
        equity: Deposit in base currency to begin with; whoever marks keeps it up to date. None: unknown.
    """

    exposures: Mapping[tuple[str, int], Exposure]
    units: Mapping[int, Units]
    instruments: Mapping[int, Instrument]
    values: Mapping[int, float]
    sectors: Mapping[str, str] = field(factory=dict)
    outside: Outside | None = None
    days: Days = field(factory=Days)
    equity: float | None = None
    held: dict[str, Held] = field(factory=dict, init=False)
    purses: dict[str, Purse] = field(factory=dict, init=False)
    recent: dict[tuple[str, int], Recent] = field(factory=dict, init=False)
    in_doubt: set[str] = field(factory=set, init=False)
    groups: dict[Group, None] = field(factory=dict, init=False)  # OCA groups with an open order
    throttled: dict[str, deque[int]] = field(factory=dict, init=False)  # when orders were refused for R9, by strategy
    joining: dict[str, Group] = field(factory=dict, init=False)  # those of the intent that is being judged, by name
    lines: dict[str | None, Lines] = field(factory=dict, init=False)  # of whom a limit on money at stake is set
    beside: dict[int, list[Exposure]] = field(factory=dict, init=False)  # the exposures of all strategies, by conid
    resting: dict[int, Resting] = field(factory=dict, init=False)  # where a limit forbids to meet own orders
    tops: dict[int, float] = field(factory=dict, init=False)  # the dearest price reserved while orders were open
    counting: bool = field(default=False, init=False)  # a limit counts messages, days or what was sent lately
    _spent: deque[tuple[int, float]] = field(factory=deque, init=False)  # since the last account summary
    _room: Room | None = field(default=None, init=False)
    _spent_in_all: float = field(default=0.0, init=False)

    # --- sums ---------------------------------------------------------------------------------------------------

    def day_of(self, now_ns: int) -> int:
        """Number of the trading day a time lies in."""
        return self.days.of(now_ns)

    def purse(self, owner: str, now_ns: int) -> Purse:
        """An owner's sums, of the day that a time lies in."""
        found = self.purses.get(owner)
        if found is None:
            found = self.purses[owner] = Purse()
        if not found.from_ns <= now_ns < found.until_ns:
            found.turn(self.days.of(now_ns))
            found.from_ns, found.until_ns = self.days.span_ns(now_ns)
        return found

    def sent(self, strategy: str, notional: float, now_ns: int, *, new: bool) -> None:
        """An order or a modification leaves; both count as a message. `notional`: of a modification what it adds."""
        for owner in (ACCOUNT, strategy):
            purse = self.purse(owner, now_ns)
            purse.message(now_ns)
            purse.notional += notional
            if new:
                purse.orders += 1
                times, floor_ns = purse.hour_ns, now_ns - NS_PER_HOUR
                while times and times[0] <= floor_ns:
                    times.popleft()
                times.append(now_ns)
        if (new or notional) and self.outside is not None:
            self._spent.append((now_ns, notional))
            self._spent_in_all += notional

    def spent_since(self, ts_ns: int) -> float:
        """Money of new orders sent after a time, as far back as an account summary ever lies."""
        spent = self._spent
        if spent and spent[0][0] <= ts_ns:
            while spent and spent[0][0] <= ts_ns:
                spent.popleft()
            self._spent_in_all = sum(money for _, money in spent)
        return self._spent_in_all

    def room(self, summary: Summary) -> Room:
        """A summary in floats, worked out once."""
        known = self._room
        if known is None or known.summary is not summary:
            said = (summary.excess_liquidity, summary.net_liquidation, summary.buying_power, summary.settled_cash)
            known = self._room = Room(summary, *(nan if money is None else float(money) for money in said))
        return known

    def note(self, ticket: OrderTicket, now_ns: int) -> None:
        """An order or a modification leaves: what the strategy's own range and the drift of its prices are told by."""
        recent = self.recent_of(ticket.strategy, ticket.conid)
        recent.quantities.add(number(ticket.quantity))
        if ticket.limit_price is not None:
            level = number(ticket.limit_price)
            recent.levels.add(level)
            recent.walks[ticket.side].add(level, now_ns)

    def recent_of(self, strategy: str, conid: int) -> Recent:
        """What a strategy has sent lately in an instrument."""
        recent = self.recent.get((strategy, conid))
        if recent is None:
            recent = self.recent[strategy, conid] = Recent()
        return recent

    def take_back(self, ticket: OrderTicket, notional: float, now_ns: int) -> None:
        """The last order sent is not sent after all: its group was refused."""
        for owner in (ACCOUNT, ticket.strategy):
            purse = self.purse(owner, now_ns)
            purse.messages -= 1
            purse.orders -= 1
            purse.notional -= notional
            purse.minute_ns.pop()
            purse.hour_ns.pop()
        if self.outside is not None:
            self._spent.pop()
            self._spent_in_all = sum(money for _, money in self._spent)
        recent = self.recent[ticket.strategy, ticket.conid]
        recent.quantities.take_back()
        if ticket.limit_price is not None:
            recent.levels.take_back()
            recent.walks[ticket.side].take_back()

    def cancelled(self, strategy: str, now_ns: int) -> None:
        """A cancel leaves; it is never refused, and it is a message."""
        for owner in (ACCOUNT, strategy):
            self.purse(owner, now_ns).message(now_ns)

    def executed(self, strategy: str, now_ns: int) -> None:
        """An execution has been booked."""
        for owner in (ACCOUNT, strategy):
            self.purse(owner, now_ns).executions += 1

    def rebuild(self, rows: Iterable[tuple[int, str, str, float]], now_ns: int) -> None:
        """Fold what was sent before a restart: (time, kind, strategy, notional), oldest first.

        Kinds are "order", "modify", "cancel" and "fill". Only what still counts now has any effect.
        """
        today, floor_ns = self.day_of(now_ns), now_ns - NS_PER_HOUR
        for ts_ns, kind, strategy, notional in rows:
            if self.day_of(ts_ns) != today and ts_ns <= floor_ns:
                continue
            match kind:
                case "order" | "modify":
                    self.sent(strategy, notional, ts_ns, new=kind == "order")
                case "cancel":
                    self.cancelled(strategy, ts_ns)
                case _:
                    self.executed(strategy, ts_ns)

    # --- latches ------------------------------------------------------------------------------------------------

    def latch(self, owner: str, held: Held) -> bool:
        """Set a latch; False if one that forbids as much holds already."""
        known = self.held.get(owner)
        if known is not None and known.level >= held.level and known.until_ns is None:
            return False
        if known is not None and known.level > held.level and held.ts_ns < (known.until_ns or 0):
            # What forbids more ends by time, what forbids less may not: neither is loosened.
            held = Held(known.level, held.code, f"{held.sentence}; {known.sentence}", held.ts_ns)
        self.held[owner] = held
        return True

    def throttle(self, strategy: str, now_ns: int) -> int:
        """One more order was refused for R9; how many were within the hour that ends now."""
        times = self.throttled.setdefault(strategy, deque())
        times.append(now_ns)
        return _in_last(times, now_ns - NS_PER_HOUR)

    def latch_on(self, strategy: str, now_ns: int) -> Held | None:
        """The latch that counts for a strategy now, the stricter of its own and the account's."""
        found: Held | None = None
        for owner in (ACCOUNT, strategy):
            held = self.held.get(owner)
            if held is None:
                continue
            if held.until_ns is not None and now_ns >= held.until_ns:
                del self.held[owner]
                continue
            if found is None or held.level > found.level:
                found = held
        return found

    def lift(self) -> None:
        """A person lifts all latches."""
        self.held.clear()
        self.throttled.clear()
