"""What is at stake, as the gate knows it: positions, open orders at their worst, and what was sent lately.

A projection, folded from the order manager's updates and the portfolio's positions; the gate adds what it approves at
once, so that two orders of one moment can't both use the same room.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import inf, nan
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field
from msgspec import Struct

from engine.domain.instrument import Instrument
from engine.domain.moments import END_OF_TIME_NS, NS_PER_MINUTE
from engine.domain.order import Order
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, Side
from engine.domain.view import MarketView
from engine.risk import times
from engine.risk.limits import Bounds
from engine.risk.numbers import BLUR
from engine.risk.together import Bracket, Oca
from engine.risk.twins import Key, Twins

if TYPE_CHECKING:
    from engine.risk.account import Account
    from engine.risk.explaining import Outline
    from engine.risk.lines import Lines
    from engine.risk.plan import Plan
    from engine.risk.register import Register
    from engine.risk.resting import Resting

_ZERO: Final = Decimal(0)
_BUY: Final = Side.BUY  # bound once: an enum class is slow to ask
_MANY: Final = 4_096  # figures remembered, times kept before the old ones are dropped


class MarketNow(Struct, frozen=True):
    """The market of one instrument at the moment of judging.

    `price` is the middle of the quote, or the last trade, or the last bar's close; None if there is none. `since_ns` is
    when it was said. `view` has the rest, of other instruments too.
    """

    now_ns: int
    price: float | None
    since_ns: int
    halted: bool
    view: MarketView | None = None


@define(eq=False)
class Units:
    """A position and the units that open orders may add to either side of it.

    `top` is the dearest price that was reserved while any were open.
    """

    position: Decimal = _ZERO
    buys: Decimal = _ZERO
    sells: Decimal = _ZERO
    top: float = 0.0
    freed_up: Decimal = _ZERO  # by how much either reach lies below what a room may have been measured with
    freed_down: Decimal = _ZERO
    freed_at: int = 0  # as of which measurement

    def free(self, side: Side, less: Decimal, measured: int) -> None:
        """Open orders of a side count fewer units."""
        self._since(measured)
        if side is _BUY:
            self.freed_up += less
        else:
            self.freed_down += less

    def move(self, position: Decimal, measured: int) -> bool:
        """Another position counts; whether a reach is above all that a room was measured with."""
        more = position - self.position
        self.position = position
        if not more:
            return False
        self._since(measured)
        self.freed_up -= more
        self.freed_down += more
        return self.freed_up < _ZERO or self.freed_down < _ZERO

    def _since(self, measured: int) -> None:
        if self.freed_at != measured:
            self.freed_at, self.freed_up, self.freed_down = measured, _ZERO, _ZERO

    def reach(self, side: Side, more: Decimal) -> Decimal:
        """How far the position may get on this order's side, in units, if all open orders of that side fill."""
        if side is _BUY:
            return self.position + self.buys + more
        return self.sells + more - self.position


@define(eq=False)
class Tally:
    """Open orders, of every exposure that belongs here, and the times of recent ones."""

    books: list[dict[str, Reserved]] = field(factory=list)
    sent_ns: list[int] = field(factory=list)  # oldest first

    @property
    def open(self) -> int:
        """How many orders are open."""
        return sum(map(len, self.books))

    def in_last(self, span_ns: int, now_ns: int) -> int:
        """How many were sent within the span that ends now."""
        return times.drop(self.sent_ns, now_ns - span_ns)


class Reserved(Struct, eq=False):
    """An open order as it counts: `counted` units on its side, or what it shares with its bracket or OCA group.

    `wanted` is the ticket of a modification that has no answer yet; one that we have asked to cancel is `cancelling`.
    """

    exposure: Exposure
    ticket: OrderTicket
    counted: Decimal = _ZERO
    filled: Decimal = _ZERO
    wanted: OrderTicket | None = None
    shared: Bracket | Oca | None = None
    cancelling: bool = False
    over: bool = False  # seen dead
    keys: tuple[Key, ...] = ()  # under which `Twins` counts it

    def worst(self) -> Decimal:
        """Units it may still trade; with a modification in flight, by the larger ticket."""
        quantity = self.ticket.quantity
        if self.wanted is not None and self.wanted.quantity > quantity:
            quantity = self.wanted.quantity
        left = quantity - self.filled
        return left if left > _ZERO else _ZERO


class Remembered(dict[Decimal, float]):
    """Figures of prices or quantities, each worked out when it is first asked for; NaN is not remembered."""

    def __init__(self, work_out: Callable[[Decimal], float]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, key: Decimal) -> float:
        found = self._work_out(key)
        if found == found:
            if len(self) >= _MANY:
                self.clear()
            self[key] = found
        return found


Level = tuple[Tally, int, str]  # a tally, its limit, and whose it is


@define(eq=False)
class Exposure:
    """What the checks need to know of one strategy in one instrument.

    `units` are those of the account and of the strategy, in this instrument; `open_levels` and `rate_levels` are the
    tallies that have a limit; `open` has the strategy's open orders here, `twins` knows which are identical,
    `brackets` what hangs on an entry, by the entry's coid. `rate` and `sessions` are None where unknown. `legs` are a
    combo's: signed ratio, and the strategy's exposure in the leg.
    """

    strategy: str
    instrument: Instrument
    sessions: Sessions | None
    bounds: Bounds
    rate: Decimal | None  # of the instrument's currency in base currency
    units: tuple[Units, Units]
    tallies: tuple[Tally, Tally, Tally]  # account, strategy, instrument
    warm_up_until_ns: int
    open_levels: tuple[Level, ...] = ()
    rate_levels: tuple[Level, ...] = ()
    legs: tuple[tuple[int, Exposure], ...] = ()
    open: dict[str, Reserved] = field(factory=dict)
    open_of_all: dict[str, Reserved] = field(factory=dict)  # of the account
    twins: Twins = field(init=False)
    brackets: dict[str, Bracket] = field(factory=dict)
    account: Account | None = None  # what is known beyond this instrument; the gate always gives it
    armed: tuple[Callable[..., Any], ...] = ()  # checks of the catalogue that a limit of this exposure has switched on
    armed_changes: tuple[Callable[..., Any], ...] = ()  # those of them that judge modifications
    plan: Plan | None = None  # the same, compiled for plain orders
    outline: Outline | None = None  # what the checks say of every order that all allow
    register: Register | None = None  # what an order leaves in sums, where a limit counts them
    resting: Resting | None = None  # the instrument's open orders by price, where own orders must not meet
    lines: tuple[Lines, ...] = ()  # whose money at stake follows the units here: `followed_by`
    alone: bool = field(init=False)  # nothing else follows the units: neither these, nor legs, nor rooms
    unit_value: float = field(init=False)  # base currency per unit at price 1
    # What the short way (`clear`) asks for, worked out once.
    plain: bool = field(init=False)  # not restricted, no combo, sessions known where they count
    levels: Remembered = field(init=False)  # prices on the tick table and above zero, as floats
    sizes: Remembered = field(init=False)  # quantities that no limit on the size of one order refuses, as floats
    dearest: Remembered = field(init=False)  # of each such quantity the price below which its money is surely allowed
    price_floor: float = field(init=False)  # of the instrument: what is not above it is no price
    age_max_ns: int = field(init=False)
    collar_clear: float = field(init=False)  # a limit that is worse by this part of the price is surely within it
    account_max: Decimal | None = field(init=False)  # the tightest position limit on the account's units
    strategy_max: Decimal | None = field(init=False)
    open_least: float = field(init=False)  # the tightest limit on open orders of any level
    opens_ns: int = field(init=False)  # the session asked about last, or all of time, after the warm-up
    closes_ns: int = field(init=False)
    sent_of_all: list[int] = field(init=False)  # when the account sent orders, and from how many of them on to look
    sent_least: int = field(init=False)
    sent_else: tuple[list[int], ...] = field(init=False)  # the same of the strategy and the instrument, where limited
    window_ns: int = field(init=False)  # for so long an order that was sent is nobody's twin

    def __attrs_post_init__(self) -> None:
        self.twins = Twins(self.open)
        self.price_floor = self.instrument.price_floor
        self.levels, self.sizes = Remembered(self._level), Remembered(self._size)
        self.dearest = Remembered(self._dearest)
        self.followed_by(self.lines)
        self.revalue(self.rate)
        self._work_out()

    def followed_by(self, lines: tuple[Lines, ...]) -> None:
        """Whose money at stake follows the units here."""
        self.lines = lines
        self.alone = not (lines or self.legs or self.register)

    def revalue(self, rate: Decimal | None) -> None:
        """Another rate of the instrument's currency counts from now on."""
        self.rate = rate
        self.unit_value = nan if rate is None else float(self.instrument.multiplier * rate)
        self.dearest.clear()

    def rebound(self, bounds: Bounds, open_levels: tuple[Level, ...], rate_levels: tuple[Level, ...]) -> None:
        """Other limits count from now on."""
        self.bounds, self.open_levels, self.rate_levels = bounds, open_levels, rate_levels
        self._work_out()

    def _work_out(self) -> None:
        bounds, sessions = self.bounds, self.sessions
        self.sizes.clear()
        self.dearest.clear()
        self.age_max_ns, self.window_ns = bounds.quote_age_max_ns, bounds.duplicate_window_ns
        self.collar_clear = bounds.collar - BLUR
        self.sent_of_all = self.tallies[0].sent_ns
        self.sent_least = min((allowed for _, allowed, _ in self.rate_levels), default=_MANY)
        self.sent_least = min(self.sent_least, _MANY)
        self.sent_else = tuple(tally.sent_ns for tally, _, _ in self.rate_levels if tally is not self.tallies[0])
        always = not bounds.session_hours or (sessions is not None and sessions.always)
        self.plain = not (bounds.restricted or self.legs) and (always or sessions is not None)
        self.opens_ns, self.closes_ns = (self.warm_up_until_ns, END_OF_TIME_NS) if always else (0, 0)
        account, self.strategy_max, instrument = bounds.position_max
        self.open_least = min((allowed for _, allowed, _ in self.open_levels), default=inf)
        self.account_max = min((most for most in (account, instrument) if most is not None), default=None)

    def _level(self, limit: Decimal) -> float:
        level = self.instrument.level(limit)
        return level if level is not None and level > 0.0 else nan

    def _size(self, quantity: Decimal) -> float:
        """A quantity as a float; NaN if a limit on the size of one order refuses it, and of all that is not `plain`."""
        own = self.bounds.tightest
        units = self.instrument.units(quantity)
        if units is None or not self.plain or quantity > self.bounds.quantity_max:
            return nan
        volume, part = own.average_volume, own.average_volume_pct
        if volume is not None and part is not None and quantity * 100 > volume * part:
            return nan
        return units

    def _dearest(self, quantity: Decimal) -> float:
        worth = self.sizes[quantity] * self.unit_value
        return self.bounds.notional_clear / worth if worth > 0.0 else nan

    def may_send(self, now_ns: int) -> bool:
        """Whether at each level one more order may be sent within the minute."""
        return all(tally.in_last(NS_PER_MINUTE, now_ns) < allowed for tally, allowed, _ in self.rate_levels)

    def in_session(self, now_ns: int) -> bool:
        """Say whether a time after the warm-up lies in a regular session, and remember that session."""
        session = None if self.sessions is None else self.sessions.session_at(now_ns)
        if session is None or now_ns < self.warm_up_until_ns:
            return False
        self.opens_ns = max(session[0], self.warm_up_until_ns)
        self.closes_ns = session[1]
        return True

    def count(self, side: Side, more: Decimal) -> None:
        """Count more (or fewer) units that open orders of a side may trade."""
        account, strategy = self.units
        if side is _BUY:
            account.buys += more
            strategy.buys += more
        else:
            account.sells += more
            strategy.sells += more
        for lines in self.lines:
            lines.touch(self.instrument.conid)
        if self.register is not None:
            self._recount(side, more)
        for ratio, leg in self.legs:
            leg.count(side if ratio > 0 else side.opposite, more * abs(ratio))

    def _recount(self, side: Side, more: Decimal) -> None:
        """Units that open orders may trade have changed: more of them than was measured leave no room as it is."""
        assert self.account is not None
        meter = self.account.meter
        if more > _ZERO:
            meter.void()
        else:
            for units in self.units:
                units.free(side, -more, meter.measured)

    def more(self, ticket: OrderTicket) -> Decimal:
        """By how many units a new or modified ticket lifts the worst case on its side; zero or less: by none."""
        known = self.open.get(ticket.coid)
        if known is None:
            shared: Bracket | Oca | None = None if ticket.parent is None else self.bracket_of(ticket)
            if shared is None and ticket.oca_group is not None:
                shared = self.oca_of(ticket)
            return ticket.quantity if shared is None else shared.worst(ticket.quantity) - shared.counted
        left = ticket.quantity - known.filled
        shared = known.shared
        if shared is None or (isinstance(shared, Bracket) and ticket.quantity > shared.quantity):
            return left - known.counted
        return shared.worst(left) - shared.counted

    def counts(self, ticket: OrderTicket) -> bool:
        """Whether a new or modified ticket could trade: a child can't while its entry has got into nothing."""
        known = self.open.get(ticket.coid)
        shared = known.shared if known is not None else None if ticket.parent is None else self.bracket_of(ticket)
        if not isinstance(shared, Bracket) or ticket.quantity > shared.quantity:
            return True
        return shared.worst(ticket.quantity) > _ZERO

    def reduces(self, ticket: OrderTicket) -> bool:
        """Whether an order can only make the strategy's position smaller, with all that is open counted.

        A combo does if it makes that in every leg smaller.
        """
        more, side = self.more(ticket), ticket.side
        if not self.legs:
            return self._closes(side, more)
        return all(leg._closes(side if ratio > 0 else side.opposite, more * abs(ratio)) for ratio, leg in self.legs)

    def _closes(self, side: Side, more: Decimal) -> bool:
        units = self.units[1]
        if side is _BUY:
            return units.buys + more <= -units.position
        return units.sells + more <= units.position

    def shorts(self, ticket: OrderTicket) -> Decimal:
        """Units that the account may be short of by this order and all that is open; 0 or less: none."""
        if ticket.side is _BUY:
            return _ZERO
        units = self.units[0]
        return units.sells + self.more(ticket) - max(units.position, _ZERO)

    def bracket_of(self, ticket: OrderTicket) -> Bracket | None:
        """The bracket that a ticket with a parent belongs to: it gets out of no more than what an open entry gets into.

        Whatever else names a parent, or has parted, is an order of its own. A bracket is kept once a child is.
        """
        assert ticket.parent is not None
        found = self.brackets.get(ticket.parent)
        if found is None:
            entry = self.open.get(ticket.parent)
            if entry is None:
                return None
            found = Bracket(self, entry.ticket.side.opposite, entry.ticket.quantity, entry.filled)
        if ticket.side is not found.side or ticket.quantity > found.quantity or ticket.coid in found.parted:
            return None
        return found

    def oca_of(self, ticket: OrderTicket) -> Oca | None:
        """The orders of its side here that a ticket shares an OCA group with, of those that are asked for together."""
        if self.account is None or ticket.oca_group is None:
            return None
        group = self.account.joining.get(ticket.oca_group)
        return None if group is None else group.sides.get((ticket.conid, ticket.side))

    def follow(self, order: Order) -> None:
        """Fold what an entry or a child of a bracket has traded or become."""
        ticket = order.ticket
        own = self.brackets.get(ticket.coid)
        if own is not None:
            own.filled = order.filled
            own.quantity = ticket.quantity
            own.settle()
        bracket = None if ticket.parent is None else self.brackets.get(ticket.parent)
        if bracket is not None and ticket.coid in bracket.exits:
            bracket.exits[ticket.coid] = order.filled
            bracket.settle()
