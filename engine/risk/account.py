"""What the checks know beyond one strategy in one instrument: sums over the account, latches, the venue's word.

Sums of the day and of the hour are kept only where a limit counts them; they are rebuilt from the journal's rows.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import IntEnum
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Final

from attrs import define, field
from msgspec import Struct

from engine.domain.instrument import Instrument
from engine.domain.moments import NS_PER_MINUTE
from engine.domain.ticket import OrderTicket
from engine.risk import times
from engine.risk.days import Days
from engine.risk.meter import Meter
from engine.risk.numbers import number
from engine.risk.outside import Outside
from engine.risk.recent import Recent

if TYPE_CHECKING:
    from engine.risk.exposure import Exposure, Units
    from engine.risk.lines import Lines
    from engine.risk.register import Fresh, Register
    from engine.risk.resting import Resting
    from engine.risk.together import Group

NS_PER_HOUR: Final = 60 * NS_PER_MINUTE
ACCOUNT: Final = ""  # the owner's name that stands for the whole account; no strategy is called so
_ZERO: Final = Decimal(0)
_FEW: Final = 6  # orders that are counted one by one sooner than all at once


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
    """What one owner has sent and traded: today's sums, and the times of the last hour.

    Within `from_ns` and `until_ns` they are today's, and of the times only few are too old.
    """

    day: int = -1
    from_ns: int = 0
    until_ns: int = 0
    sent: int = 0  # messages in all, of whatever day
    before: int = 0  # of them, before today
    changes: int = 0  # of today's, modifications and cancels
    notional: float = 0.0
    executions: int = 0
    orders_ns: list[int] = field(factory=list)  # of the last hour
    changes_ns: list[int] = field(factory=list)  # modifications and cancels of the last minute

    def turn(self, days: Days, now_ns: int) -> None:
        """Another day may have begun: its sums are empty; and times that are too old are dropped, once a minute."""
        day = days.of(now_ns)
        if day != self.day:
            self.day, self.before, self.changes, self.notional, self.executions = day, self.sent, 0, 0.0, 0
        self.from_ns, ends_ns = days.span_ns(now_ns)
        self.until_ns = min(ends_ns, now_ns + NS_PER_MINUTE)
        self.in_hour(now_ns)
        self.in_minute(now_ns)

    @property
    def messages(self) -> int:
        """Messages of the day."""
        return self.sent - self.before

    @property
    def orders(self) -> int:
        """New orders of the day."""
        return self.messages - self.changes

    def take(self, times: Sequence[int], moneys: Sequence[float]) -> None:
        """New orders have left, all of the day that the sums are of."""
        self.sent += len(times)
        self.notional = reduce(add, moneys, self.notional)  # in their order, so that it is no other sum
        self.orders_ns.extend(times)

    def change(self, now_ns: int) -> None:
        """A modification or a cancel leaves."""
        self.sent += 1
        self.changes += 1
        self.changes_ns.append(now_ns)

    def in_hour(self, now_ns: int) -> int:
        """New orders within the hour that ends now."""
        return times.drop(self.orders_ns, now_ns - NS_PER_HOUR)

    def in_minute(self, now_ns: int) -> int:
        """Messages within the minute that ends now."""
        floor_ns = now_ns - NS_PER_MINUTE
        return times.after(self.orders_ns, floor_ns) + times.drop(self.changes_ns, floor_ns)


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
    in_doubt: set[str] = field(factory=set, init=False)
    groups: dict[Group, None] = field(factory=dict, init=False)  # OCA groups with an open order
    throttled: dict[str, list[int]] = field(factory=dict, init=False)  # when orders were refused for R9, by strategy
    joining: dict[str, Group] = field(factory=dict, init=False)  # those of the intent that is being judged, by name
    lines: dict[str | None, Lines] = field(factory=dict, init=False)  # of whom a limit on money at stake is set
    beside: dict[int, list[Exposure]] = field(factory=dict, init=False)  # the exposures of all strategies, by conid
    options: dict[int, tuple[Units, float]] = field(factory=dict, init=False)  # all that have units, and multipliers
    resting: dict[int, Resting] = field(factory=dict, init=False)  # where a limit forbids to meet own orders
    counting: bool = field(default=False, init=False)  # a limit counts messages, days or what was sent lately
    spent: deque[tuple[int, float]] = field(factory=deque, init=False)  # since the last account summary
    spent_in_all: float = field(default=0.0, init=False)
    meter: Meter = field(factory=Meter, init=False)
    plugins_refused: Counter[tuple[str, str]] = field(factory=Counter, init=False)  # by a plugin's row, and its code
    fresh: list[Fresh] = field(factory=list, init=False)  # orders that no sum counts yet: `settle`
    _recent: dict[tuple[str, int], Recent] = field(factory=dict, init=False)

    @property
    def short_options(self) -> bool:
        """Whether any option may get short by what is open."""
        return any(units.position < units.sells for units, _ in self.options.values())

    # --- sums ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Count what the shortest look has taken; whoever reads a sum does this first."""
        rows = self.fresh
        if not rows:
            return
        self.fresh = []
        if len(rows) <= _FEW:
            for register, now_ns, buy, level, units, money in rows:
                register.note(buy, level, units, money, now_ns)
                for lines in register.exposure.lines:
                    lines.touch(register.exposure.instrument.conid)
            return
        _, times, _, _, _, moneys = zip(*rows, strict=True)
        self.purses[ACCOUNT].take(times, moneys)
        if self.outside is not None:
            self.spent.extend(zip(times, moneys, strict=True))
            self.spent_in_all = reduce(add, moneys, self.spent_in_all)
        of_each: dict[Register, list[Fresh]] = {}
        for row in rows:
            of_each.setdefault(row[0], []).append(row)
        for register, own in of_each.items():
            register.count(own)

    def day_of(self, now_ns: int) -> int:
        """Number of the trading day a time lies in."""
        return self.days.of(now_ns)

    def purse(self, owner: str, now_ns: int) -> Purse:
        """An owner's sums, of the day that a time lies in."""
        self.settle()
        return self._turned(owner, now_ns)

    def _turned(self, owner: str, now_ns: int) -> Purse:
        """The same; what is fresh need not be counted yet if the day is still the same."""
        found = self.purses.get(owner)
        if found is None:
            found = self.purses[owner] = Purse()
        if not found.from_ns <= now_ns < found.until_ns:
            self.settle()
            found.turn(self.days, now_ns)
        return found

    def sent(self, strategy: str, notional: float, now_ns: int, *, new: bool, spends: float = 0.0) -> None:
        """An order or a modification leaves; both count as a message.

        Args:
            notional: Of a modification what it adds.
            spends: What the venue takes it to spend until its next account summary, where that is more.
        """
        for owner in (ACCOUNT, strategy):
            purse = self.purse(owner, now_ns)
            purse.notional += notional
            if new:
                purse.sent += 1
                purse.orders_ns.append(now_ns)
            else:
                purse.change(now_ns)
        if (new or notional) and self.outside is not None:
            self.spent.append((now_ns, max(notional, spends)))
            self.spent_in_all += max(notional, spends)

    def spent_since(self, ts_ns: int) -> float:
        """Money of new orders sent after a time, as far back as an account summary ever lies."""
        self.settle()
        spent = self.spent
        if spent and spent[0][0] <= ts_ns:
            while spent and spent[0][0] <= ts_ns:
                spent.popleft()
            self.spent_in_all = sum(money for _, money in spent)
        return self.spent_in_all

    def note(self, ticket: OrderTicket, now_ns: int) -> None:
        """An order or a modification leaves: what the strategy's own range and the drift of its prices are told by."""
        level = None if ticket.limit_price is None else number(ticket.limit_price)
        recent = self.recent_of(ticket.strategy, ticket.conid)
        recent.add(ticket.side, number(ticket.quantity), level, now_ns)

    def recent_of(self, strategy: str, conid: int) -> Recent:
        """What a strategy has sent lately in an instrument; made on first use."""
        recent = self.latest(strategy, conid)
        if recent is None:
            recent = self._recent[strategy, conid] = Recent()
        return recent

    def latest(self, strategy: str, conid: int) -> Recent | None:
        """The same; None where nothing was counted."""
        self.settle()
        return self._recent.get((strategy, conid))

    def take_back(self, ticket: OrderTicket, notional: float, now_ns: int) -> None:
        """The last order sent is not sent after all: its group was refused."""
        for owner in (ACCOUNT, ticket.strategy):
            purse = self.purse(owner, now_ns)
            purse.sent -= 1
            purse.notional -= notional
            purse.orders_ns.pop()
        if self.outside is not None:
            self.spent.pop()
            self.spent_in_all = sum(money for _, money in self.spent)
        recent = self._recent[ticket.strategy, ticket.conid]
        recent.take_back(ticket.side, limited=ticket.limit_price is not None)

    def cancelled(self, strategy: str, now_ns: int) -> None:
        """A cancel leaves; it is never refused, and it is a message."""
        self.meter.messages += 1
        for owner in (ACCOUNT, strategy):
            self._turned(owner, now_ns).change(now_ns)

    def executed(self, strategy: str, now_ns: int) -> None:
        """An execution has been booked."""
        for owner in (ACCOUNT, strategy):
            self._turned(owner, now_ns).executions += 1

    def rebuild(self, rows: Iterable[tuple[int, str, str, float]], now_ns: int) -> None:
        """Fold what was sent before a restart: (time, kind, strategy, notional), oldest first.

        Kinds are "order", "modify", "cancel" and "fill". Only what still counts now has any effect.
        """
        self.meter.void()
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
        refused_ns = self.throttled.setdefault(strategy, [])
        refused_ns.append(now_ns)
        return times.drop(refused_ns, now_ns - NS_PER_HOUR)

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
