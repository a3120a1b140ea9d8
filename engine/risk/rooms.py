"""The shortest look at a plain order: whether it stays in a room that was measured between all limits.

A room is measured (`measuring`) for each side of one strategy in one instrument, right after an order has passed the
longer look (`clear`, `screens`). It holds for a time, within a span of prices, and until the account's meter or the
venue tell otherwise. Like those it says yes or "can't say", never no: that whatever stays in a room is refused by no
check is a law under test.

A reading of the meter that is above what one limit had left tells only that this limit may be near. Where it is on a
position or on the money at stake, that one is asked as the longer look asks it, of the sums as they are now; all else
that look asks is held by the room, whose reading says of every other limit that it is far. So an order near one limit
is looked at there alone. Readings never fall, though, and sums do: after a row of such orders one takes the longer
look, and the room is measured anew. Where that was of no use, the next row is twice as long.
"""

from __future__ import annotations

from decimal import Decimal
from math import inf, nan
from typing import TYPE_CHECKING, Final

from attrs import define

from engine.domain.moments import NS_PER_MINUTE
from engine.domain.ticket import OrderTicket, OrderType, Tif
from engine.domain.view import MarketView
from engine.risk.meter import LONG, SMALL, SURELY, Meter
from engine.risk.numbers import number
from engine.risk.stakes import reserve

if TYPE_CHECKING:
    from engine.risk.account import Account
    from engine.risk.exposure import Exposure, Units
    from engine.risk.lending import Lending
    from engine.risk.outside import Borrow, Outside, Summary
    from engine.risk.plan import Plan
    from engine.risk.register import Register
    from engine.risk.resting import Queue


Guard = tuple[int, float, float]  # an instrument, and the prices that its money at stake was worked out for
Reach = tuple["Units", Decimal]  # whose position, and how far it may get on a room's side
ROW: Final = 31  # orders near a limit before a room is measured anew, the first time
_ZERO: Final = Decimal(0)


@define(eq=False)
class Room:
    """What an order of one side may be to be surely allowed.

    `messages` is a reading of the meter that is not reached. Readings of its money that are not passed are `reached`
    for the limits on positions, `staked` for those on money at stake, `spent` for all others, and `money` for all;
    where nothing is left of the first or the second, that is below every reading. `ceiling` is the money that a unit
    counts with. `rank` is a price whose sign makes a worse one the larger: of a sale it is below zero.
    """

    buy: bool
    plan: Plan
    exposure: Exposure
    account: Account
    register: Register
    meter: Meter
    epoch: int = -1  # of no use yet
    from_ns: int = 0
    until_ns: int = 0
    age_max_ns: int = 0
    types: frozenset[OrderType] = frozenset()
    tifs: frozenset[Tif] = frozenset()
    messages: int = 0
    money: float = 0.0
    reached: float = 0.0
    staked: float = 0.0
    spent: float = 0.0
    reaches: tuple[Reach, ...] = ()
    ceiling: float = 0.0
    low: float = 0.0  # the market's price is between these
    high: float = 0.0
    least: float = 0.0  # and units between these
    most: float = 0.0
    lowest: float = 0.0  # and a limit price between these
    highest: float = 0.0
    collar: float = 0.0  # part of the price
    across: Queue | None = None  # own orders that it must not meet
    walk_max: float | None = None  # money per unit that own prices may have walked
    walked: float = 0.0
    last: float = nan  # rank of the newest price that counts
    others: tuple[Guard, ...] = ()
    equity_least: float | None = None
    outside: Outside | None = None
    version: int = 0
    summary: Summary | None = None
    covers: bool = False
    lending: Lending | None = None
    borrow: Borrow | None = None  # what the venue had said of that
    asks_quote: bool = False
    displayed: float | None = None  # as of `Plan`
    two_sided: bool = False
    spread: float | None = None
    units: float = 0.0  # of the order that was asked about last, and what the meter reads with it
    reading: float = 0.0

    def fits(
        self, ticket: OrderTicket, view: MarketView, price: float, since_ns: int, level: float | None, now_ns: int,
        more: Decimal | None = None,
    ) -> float:  # fmt: skip
        """Say whether every check surely allows an order, in a market that is not halted.

        Args:
            price: The market's price in force, said at `since_ns`.
            level: Its limit price, out of `Exposure.levels`; None of a market order.
            more: Units that a modification adds to what its order counts with; None of a new order.

        Returns: The dearest of the market's price and the order's; 0.0 where it can't say.
        """
        meter, exposure, quantity, outside = self.meter, self.exposure, ticket.quantity, self.outside
        if outside is not None and outside.summary is not self.summary and self.epoch == meter.epoch:
            self._renew(outside.summary)
        # What is no number compares false, and is turned away with what is too much.
        if (
            self.epoch != meter.epoch
            or not self.from_ns <= now_ns < self.until_ns
            or now_ns - since_ns > self.age_max_ns
            or (meter.messages >= self.messages and not self._recounts(now_ns))
            or not self.low <= price <= self.high
        ):
            return 0.0
        units = self.units = exposure.sizes[quantity]
        reading = self.reading = meter.money + units * self.ceiling
        if (
            not self.least <= units <= self.most
            or not reading <= self.spent
            or ticket.order_type not in self.types
            or ticket.tif not in self.tifs
            or ticket.parent is not None
            or ticket.oca_group is not None
            or ticket.outside_rth
        ):
            return 0.0
        worst, across = price, self.across
        if level is None:
            if across is not None and across.best < inf and across.reaches(inf):
                return 0.0
        else:
            rank = level if self.buy else -level
            if (
                not self.lowest <= level <= self.highest
                or (level - price if self.buy else price - level) > price * self.collar
                or (across is not None and across.best <= rank and across.reaches(rank))
            ):
                return 0.0
            if level > worst:
                worst = level
            if self.walk_max is not None:
                step = rank - self.last
                if (self.walked + step if step > 0.0 else self.walked) > self.walk_max:
                    return 0.0
        if self.asks_quote:
            quote = view.quote(ticket.conid)
            if quote is None:
                return 0.0
            bid, ask, shown = quote.bid, quote.ask, self.displayed
            if (
                (self.spread is not None and not ask - bid <= abs(bid + ask) * self.spread)
                or (self.two_sided and not bid <= ask)
                or (shown is not None and not units <= (quote.ask_size if self.buy else quote.bid_size) * shown)
            ):
                return 0.0
        price_of = view.price
        for conid, low, high in self.others:
            known = price_of(conid)
            if known is None or not low <= known[0] <= high:
                return 0.0
        if outside is not None and (
            outside.version != self.version
            or ticket.account != outside.account
            or (outside.what_if and ticket.coid in outside.what_if)
            or (self.covers and self.account.short_options)
            or (self.lending is not None and self.lending.told(outside) is not self.borrow)
        ):
            return 0.0
        if self.equity_least is not None and not (self.account.equity or 0.0) >= self.equity_least:
            return 0.0
        if reading > self.money and not self._leaves(ticket, view, price, worst, more):
            return 0.0
        twins = exposure.twins
        if more is None and (twins.lately or exposure.open):
            counts = twins.counts
            if counts is not None:
                twins.last, twins.last_key = ticket, (self.buy, ticket.limit_price, quantity, ticket.tag)
            if (counts is None or twins.last_key in counts) and not twins.alone(ticket, now_ns, exposure.window_ns):
                return 0.0
        return worst

    def _leaves(self, ticket: OrderTicket, view: MarketView, price: float, worst: float, more: Decimal | None) -> bool:
        """Whether those limits that the reading says nothing of are surely kept: the rest of `fits`.

        A modification's order counts at its own price still, which is reserved: no more need be said of that.
        """
        plan, buy, exposure = self.plan, self.buy, self.exposure
        if plan.near >= plan.row:
            return False
        if self.reading > self.reached:
            adds = ticket.quantity if more is None else more
            for units, most in self.reaches:
                if (units.position + units.buys if buy else units.sells - units.position) + adds > most:
                    return False
            if self.lending is not None and self.outside is not None:
                units = exposure.units[0]
                if not self.lending.allows(units.sells + adds - max(units.position, _ZERO), self.outside):
                    return False
        if self.reading > self.staked:
            self.account.settle()
            adding = self.units if more is None else number(more)
            for lines in plan.stakes:
                if not lines.leaves(view, ticket.conid, price, worst, adding, buy):
                    return False
        return True

    def messages_left(self, now_ns: int) -> int:
        """How many orders are within each limit on a number, and not too many for one reading."""
        exposure = self.exposure
        left = [allowed - tally.open for tally, allowed, _ in exposure.open_levels]
        left += [allowed - tally.in_last(NS_PER_MINUTE, now_ns) for tally, allowed, _ in exposure.rate_levels]
        left += [most.left(now_ns) for most in self.plan.sums]
        return min([LONG, *left])

    def _recounts(self, now_ns: int) -> bool:
        """Whether one more order is within each limit on a number, now that others are over; the purses are in order.

        A reading that has become long is begun anew instead.
        """
        meter = self.meter
        if meter.messages >= LONG:
            return False
        self.account.settle()
        self.messages = min(LONG, meter.messages + self.messages_left(now_ns))
        return meter.messages < self.messages

    def _renew(self, summary: Summary | None) -> None:
        """Another account summary counts: what it leaves, and no more than was left."""
        self.summary = summary
        left, plan = -1.0, self.plan
        if summary is not None:
            if summary is not plan.summary:
                plan.look_at(summary)
            self.until_ns = min(self.until_ns, plan.summary_until_ns + 1)
            left = (plan.room_to_buy if self.buy else plan.room_to_sell) - self.account.spent_since(summary.ts_ns)
        self.spent = min(self.spent, self.meter.money + left * SURELY)
        self.money = min(self.money, self.spent)
        if not left > self.meter.money * SMALL:
            self.epoch = -1

    def change(self, level: float | None) -> bool:
        """What a modification makes of an order was asked about last, and is to count; whether it is near a limit."""
        if level is not None and self.walk_max is not None:
            rank = level if self.buy else -level
            if rank > self.last:
                self.walked += rank - self.last
            self.last = rank
        if self.reading > self.money:
            self.plan.near += 1
            return True
        self.plan.taken += 1
        return False

    def take(self, worst: float, level: float | None, now_ns: int) -> None:
        """Count the order that was asked about last, and is not open yet. `worst`: as `fits` told it."""
        meter, exposure, units = self.meter, self.exposure, self.units
        meter.messages += 1
        meter.money = self.reading
        near = self.change(level)
        own = exposure.units[1]
        if worst > own.top or not (own.buys or own.sells):  # else no more than the account has reserved
            reserve(exposure, worst)
        if near and self.reading > self.staked:  # nothing is fresh: the sums were read, and the next one reads them too
            self.register.note(self.buy, level, units, units * worst * exposure.unit_value, now_ns)
            return
        self.account.fresh.append((self.register, now_ns, self.buy, level, units, units * worst * exposure.unit_value))
