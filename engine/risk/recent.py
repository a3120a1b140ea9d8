"""What one strategy has sent lately in one instrument: how its prices walk, and sizes and prices of late."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import reduce
from math import nan
from operator import add, sub
from typing import Final

from attrs import define, field

from engine.domain.ticket import Side

KEPT: Final = 20  # orders that make a strategy's own range
WALK_MAX: Final = 1_000  # prices of one side that a drift is worked out over
_BUY: Final = Side.BUY

Sent = tuple[int, float, float]  # an order of late: when, its price, and by how much that was worse than the one before


@define(eq=False)
class Walk:
    """Own prices of one side within a window, and how far they have gone the worse way in all."""

    sign: int
    sent: deque[Sent] = field(factory=deque)
    total: float = 0.0
    last: float = nan  # the newest price that counts

    def forget(self, floor_ns: int) -> None:
        """Prices up to a time count no more, nor does the step from the last of them."""
        sent = self.sent
        while sent and sent[0][0] <= floor_ns:
            sent.popleft()
            self.total = self.total - sent[0][2] if len(sent) > 1 else 0.0
        if not sent:
            self.last = nan

    def step(self, price: float) -> float:
        """By how much a price is worse than the newest one."""
        step = (price - self.last) * self.sign
        return step if step > 0.0 else 0.0  # nor is there a step from no price

    def add(self, price: float, now_ns: int) -> None:
        """One more price."""
        step = self.step(price)
        self.total += step
        self.last = price
        self.sent.append((now_ns, price, step))
        if len(self.sent) > WALK_MAX:
            self.forget(self.sent[0][0])

    def extend(self, times: Sequence[int], prices: Sequence[float]) -> None:
        """Some more prices."""
        before = (self.last, *prices[:-1])
        steps = [step if step > 0.0 else 0.0 for step in map(sub, *((prices, before)[:: self.sign]))]
        self.total = reduce(add, steps, self.total)
        self.last = prices[-1]
        self.sent.extend(zip(times, prices, steps, strict=True))
        while len(self.sent) > WALK_MAX:
            self.forget(self.sent[0][0])

    def take_back(self) -> None:
        """The newest was not sent after all."""
        self.total -= self.sent.pop()[2]
        self.last = self.sent[-1][1] if self.sent else nan
        if len(self.sent) < 2:
            self.total = 0.0


def _figures() -> deque[float]:
    return deque(maxlen=KEPT)


@define(eq=False)
class Latest:
    """The newest figures of a kind."""

    figures: deque[float] = field(factory=_figures)

    @property
    def least(self) -> float:
        """The smallest of them; NaN of none."""
        return min(self.figures, default=nan)

    @property
    def largest(self) -> float:
        """The largest of them; NaN of none."""
        return max(self.figures, default=nan)

    def take_back(self) -> float:
        """The newest was not sent after all; the one before it."""
        self.figures.pop()
        return self.figures[-1] if self.figures else nan


@define(eq=False)
class Recent:
    """The orders and modifications of one strategy in one instrument."""

    buys: Walk = field(factory=lambda: Walk(1))
    sells: Walk = field(factory=lambda: Walk(-1))
    quantities: Latest = field(factory=Latest)
    levels: Latest = field(factory=Latest)
    size: float = nan  # the newest quantity, and the newest limit price
    level: float = nan

    def walk(self, side: Side) -> Walk:
        """Prices of one side."""
        return self.buys if side is _BUY else self.sells

    def drift(self, side: Side, price: float, floor_ns: int) -> float:
        """By how much own prices of a side have gone the worse way since a time, this one included."""
        walk = self.walk(side)
        walk.forget(floor_ns)
        return walk.total + walk.step(price)

    def add(self, side: Side, quantity: float, level: float | None, now_ns: int) -> None:
        """One more order or modification leaves; `level` is its limit price."""
        self.size = quantity
        self.quantities.figures.append(quantity)
        if level is not None:
            self.level = level
            self.levels.figures.append(level)
            self.walk(side).add(level, now_ns)

    def take_back(self, side: Side, *, limited: bool) -> None:
        """The newest was not sent after all."""
        self.size = self.quantities.take_back()
        if limited:
            self.level = self.levels.take_back()
            self.walk(side).take_back()
