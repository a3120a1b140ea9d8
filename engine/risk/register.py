"""What an approved order leaves in the account's sums, the short way: all of it in one step.

`Account.sent`, `Account.note` and `stakes.reserve` say the same at length; a law under test has both count the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import define, field

from engine.domain.ticket import Side
from engine.risk.account import ACCOUNT, Account, Purse
from engine.risk.recent import WALK_MAX, Recent
from engine.risk.stakes import reserve

if TYPE_CHECKING:
    from engine.risk.exposure import Exposure


# An order that is open and not counted yet: whose, when, whether it buys, its limit price, units, and their money.
Fresh = tuple["Register", int, bool, float | None, float, float]


@define(eq=False)
class Register:
    """What is counted of one strategy in one instrument.

    Within `from_ns` and `until_ns` both purses are in order as they are.
    """

    account: Account
    exposure: Exposure
    purses: tuple[Purse, Purse] = field(init=False)  # the account's and the strategy's
    recent: Recent = field(init=False)
    sizes: deque[float] = field(init=False)  # of `recent`
    levels: deque[float] = field(init=False)
    from_ns: int = 0
    until_ns: int = 0

    def __attrs_post_init__(self) -> None:
        found, strategy = self.account.purses, self.exposure.strategy
        self.purses = found.setdefault(ACCOUNT, Purse()), found.setdefault(strategy, Purse())
        self.recent = self.account.recent_of(strategy, self.exposure.instrument.conid)
        self.sizes, self.levels = self.recent.quantities.figures, self.recent.levels.figures

    def turn(self, now_ns: int) -> None:
        """Put both purses in order for now, and for a while."""
        own, whole = (self.account.purse(owner, now_ns) for owner in (self.exposure.strategy, ACCOUNT))
        self.from_ns = max(own.from_ns, whole.from_ns)
        self.until_ns = min(own.until_ns, whole.until_ns)

    def add(self, worst: float, buy: bool, level: float | None, units: float, money: float, now_ns: int) -> None:
        """Count a new order that is not open yet; both purses are in order (`turn`).

        Args:
            worst: The dearest of its price and the market's.
            level: Its limit price; None of a market order.
            units: Its quantity.
            money: Of all units at the dearest price, in base currency.
        """
        self.note(buy, level, units, money, now_ns)
        own = self.exposure.units[1]
        if worst > own.top or not (own.buys or own.sells):  # else no more than the account has reserved
            reserve(self.exposure, worst)
        self.account.meter.charge(self.exposure.instrument.conid, worst, units, self.exposure.unit_value)

    def note(self, buy: bool, level: float | None, units: float, money: float, now_ns: int) -> None:
        """Count what a new order leaves in the sums; arguments are those of `add`."""
        for purse in self.purses:
            purse.sent += 1
            purse.notional += money
            purse.orders_ns.append(now_ns)
        recent = self.recent
        recent.size = units
        self.sizes.append(units)
        if level is not None:
            recent.level = level
            self.levels.append(level)
            walk = recent.buys if buy else recent.sells
            step = level - walk.last if buy else walk.last - level
            if step > 0.0:
                walk.total += step
            else:  # nor from no price
                step = 0.0
            walk.last = level
            walk.sent.append((now_ns, level, step))
            if len(walk.sent) > WALK_MAX:
                walk.forget(walk.sent[0][0])
        account = self.account
        if account.outside is not None:
            account.spent.append((now_ns, money))
            account.spent_in_all += money

    def change(self, side: Side, units: float, level: float | None, money: float, now_ns: int) -> None:
        """Count a modification; both purses are in order (`turn`). `money`: what it adds."""
        account = self.account
        if account.fresh:
            account.settle()
        for purse in self.purses:
            purse.notional += money
            purse.sent += 1
            purse.changes += 1
            purse.changes_ns.append(now_ns)
        if money and account.outside is not None:
            account.spent.append((now_ns, money))
            account.spent_in_all += money
        self.recent.add(side, units, level, now_ns)

    def count(self, rows: Sequence[Fresh]) -> None:
        """Count new orders that were taken without `add`: what they have left besides what is kept up to date."""
        _, times, _, _, units, moneys = zip(*rows, strict=True)
        self.purses[1].take(times, moneys)
        recent = self.recent
        recent.size = units[-1]
        self.sizes.extend(units)
        limited = [row for row in rows if row[3] is not None]
        if limited:
            levels = [level for _, _, _, level, _, _ in limited if level is not None]
            recent.level = levels[-1]
            self.levels.extend(levels)
            for walk, side in ((recent.buys, True), (recent.sells, False)):
                own = [(row[1], level) for row, level in zip(limited, levels, strict=True) if row[2] is side]
                if own:
                    walk.extend(*zip(*own, strict=True))
        for lines in self.exposure.lines:
            lines.touch(self.exposure.instrument.conid)
