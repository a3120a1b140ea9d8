"""What a strategy can do and ask: orders, positions, timers, indicators, its log and its state.

A context belongs to one copy of one strategy. It writes nothing itself: what is wanted is noted in the host's list and
goes through the risk checker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.instrument import Instrument
from engine.domain.market import Bar, Quote, Status, Trade, Trading
from engine.domain.messages import BarWish, Cancel, DropTimer, Modify, Place, PositionNow, SetTimer
from engine.domain.moments import NS_PER_MINUTE, NS_PER_S
from engine.domain.order import Order, State
from engine.domain.sessions import Sessions
from engine.domain.ticket import OrderTicket, OrderType, Side, Tif, TrailUnit, amend
from engine.domain.view import MarketView
from engine.errors import StrategyError
from engine.strategy.terms import TERMS, TIFS, WHOLE, Number, changed, decimal_of, kind_of, plain, price_of, span_of

Named = str | int | Instrument
_ZERO: Final = Decimal(0)
# Bound once: in CPython 3.11 looking a member up on its enum class costs as much as a function call.
_BUY, _SELL, _MARKET, _LIMIT = Side.BUY, Side.SELL, OrderType.MARKET, OrderType.LIMIT
_AMOUNT, _PERCENT = TrailUnit.AMOUNT, TrailUnit.PERCENT
_NO_STOP: Final[Mapping[Tif | None, str]] = {Tif.OPG: "for the opening auction", Tif.IOC: "that is immediate or cancel"}
_PENDING_MODIFY, _PENDING_CANCEL = State.PENDING_MODIFY, State.PENDING_CANCEL


class Holding(Struct, frozen=True):
    """A strategy's own position: `quantity` (below zero: short), its total `cost`, profit `realised` before fees."""

    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO
    realised: Decimal = _ZERO

    @property
    def average_price(self) -> Decimal | None:
        """Cost per unit; None when flat. (Divide by the multiplier for a price of futures and options.)"""
        return self.cost / self.quantity if self.quantity else None


class Clock(Protocol):
    """Who knows what time it is for the strategies."""

    def now_ns(self) -> int:
        """Time of the event in hand, nanoseconds UTC."""


_NOTHING: Final = Holding()


class Context:
    """A strategy's hands and eyes. Instruments are named by symbol, conid or the instrument itself.

    Prices may be `Decimal` (taken as they are) or numbers of the market (rounded to the nearest tick); quantities are
    whole numbers or `Decimal`.
    """

    def __init__(
        self,
        *,
        strategy: str,
        account: str,
        instruments: Sequence[Instrument],
        sessions: Mapping[str, Sessions],
        span_ns: tuple[int, int],
        clock: Clock,
        wants: list[Any],
        view: Callable[[], MarketView],
        saved: Mapping[str, Any] | None = None,
        numbered: tuple[int, int] = (0, 0),
    ) -> None:
        """Args: numbered: The last numbers of orders and of groups that were given out before, live."""
        self.strategy = strategy
        self.account = account
        self.instruments = tuple(instruments)
        self.saved = saved
        self.indicators: list[tuple[int, int | None, str, float]] = []
        self.bar_wishes: list[BarWish] = []
        self.cash: Mapping[str, Decimal] = {}
        self._by_name: dict[Named, Instrument] = {}
        for instrument in instruments:
            self._by_name[instrument.symbol] = instrument
            self._by_name[instrument.conid] = instrument
        self._sessions = sessions
        self._span_ns = span_ns
        self._clock = clock
        self._wants = wants
        self._view = view
        self._number, self._groups = numbered
        self._prefix = f"{strategy}-"
        self.holdings: dict[int, Holding] = {}
        self.open_orders: dict[str, Order] = {}
        self.account_quantity: dict[int, Decimal] = {}
        self.notes: list[tuple[int, str, str, dict[str, Any]]] = []
        self.starting = True
        self.past_data = 0  # calendar events of a session whose data end before them

    # --- what time it is, what is known -------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Time of the event in hand, nanoseconds UTC; the only clock a strategy may read."""
        return self._clock.now_ns()

    @property
    def now(self) -> datetime:
        """Time of the event in hand, UTC, to the microsecond."""
        seconds, rest = divmod(self._clock.now_ns(), NS_PER_S)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)

    def instrument(self, name: Named) -> Instrument:
        """Find one of the strategy's instruments. Raises: StrategyError if it has no such instrument."""
        found = self._by_name.get(name.conid if isinstance(name, Instrument) else name)
        if found is None:
            raise StrategyError(f"has no instrument {name!r}, only {self._symbols()}", place=self.strategy)
        return found

    def quote(self, name: Named) -> Quote | None:
        """The quote in force, the one in hand included; None if there was none yet."""
        return self._view().quote(self.instrument(name).conid)

    def trade(self, name: Named) -> Trade | None:
        """The last trade."""
        return self._view().trade(self.instrument(name).conid)

    def bar(self, name: Named) -> Bar | None:
        """The last bar of the recording that has ended (not one built by subscription)."""
        return self._view().bar(self.instrument(name).conid)

    def status(self, name: Named) -> Status | None:
        """The last change of trading status."""
        return self._view().status(self.instrument(name).conid)

    def position(self, name: Named) -> Holding:
        """The strategy's own position in an instrument."""
        conid = name if name.__class__ is int else self.instrument(name).conid
        return self.holdings.get(conid, _NOTHING)

    def pending(self, name: Named) -> Decimal:
        """Signed units that open orders may still trade; exits that wait for their bracket's entry don't count."""
        total = _ZERO
        for order in self.orders(name):
            if order.ticket.parent is None:
                total += order.remaining * order.ticket.side.sign
        return total

    def session(self, name: Named) -> tuple[int, int] | None:
        """Open and close (ns UTC) of the regular session that goes on now; None between sessions, and in a market that
        never closes."""
        return self._sessions[self.instrument(name).calendar].session_at(self.now_ns)

    def is_open(self, name: Named) -> bool:
        """Whether an order sent now meets an open market: in the regular session (or always), and not halted."""
        instrument = self.instrument(name)
        if not self._sessions[instrument.calendar].is_open(self.now_ns):
            return False
        status = self._view().status(instrument.conid)
        return status is None or status.trading == Trading.OPEN

    def account_position(self, name: Named) -> Decimal:
        """The whole account's position in an instrument, of all strategies."""
        return self.account_quantity.get(self.instrument(name).conid, _ZERO)

    def orders(self, name: Named | None = None) -> list[Order]:
        """The strategy's open orders, oldest first; of one instrument if named."""
        if name is None:
            return list(self.open_orders.values())
        conid = self.instrument(name).conid
        return [order for order in self.open_orders.values() if order.ticket.conid == conid]

    def order(self, coid: str) -> Order | None:
        """One open order by its client order id; None once it is closed."""
        return self.open_orders.get(coid)

    # --- orders -------------------------------------------------------------------------------------------------

    def buy(
        self,
        name: Named,
        quantity: Number,
        *,
        limit: Number | None = None,
        stop: Number | None = None,
        trail: Number | None = None,
        trail_percent: bool = False,
        offset: Number | None = None,
        order_type: OrderType | str | None = None,
        tif: Tif | str = Tif.DAY,
        outside_rth: bool = False,
        tag: str = "",
        parent: str | None = None,
        oca_group: str | None = None,
    ) -> str:
        """Ask to buy; returns the client order id. The terms are those of `ticket`."""
        # fmt: off
        return self._place(self._make(
            _BUY, name, quantity, limit, stop, trail, trail_percent, offset,
            order_type, tif, outside_rth, tag, parent, oca_group,
        ))
        # fmt: on

    def sell(
        self,
        name: Named,
        quantity: Number,
        *,
        limit: Number | None = None,
        stop: Number | None = None,
        trail: Number | None = None,
        trail_percent: bool = False,
        offset: Number | None = None,
        order_type: OrderType | str | None = None,
        tif: Tif | str = Tif.DAY,
        outside_rth: bool = False,
        tag: str = "",
        parent: str | None = None,
        oca_group: str | None = None,
    ) -> str:
        """Ask to sell; returns the client order id. The terms are those of `ticket`."""
        # fmt: off
        return self._place(self._make(
            _SELL, name, quantity, limit, stop, trail, trail_percent, offset,
            order_type, tif, outside_rth, tag, parent, oca_group,
        ))
        # fmt: on

    def ticket(
        self,
        side: Side,
        name: Named,
        quantity: Number,
        *,
        limit: Number | None = None,
        stop: Number | None = None,
        trail: Number | None = None,
        trail_percent: bool = False,
        offset: Number | None = None,
        order_type: OrderType | str | None = None,
        tif: Tif | str = Tif.DAY,
        outside_rth: bool = False,
        tag: str = "",
        parent: str | None = None,
        oca_group: str | None = None,
    ) -> OrderTicket:
        """Make a ticket without asking for it, for `bracket` and `oca`.

        The order type follows from the prices (none: MKT; limit: LMT; stop: STP; both: STOP_LIMIT; trail: TRAIL; trail
        and offset: TRAILLMT) unless `order_type` names one. Raises: BadTicket if the terms contradict one another.
        """
        # fmt: off
        return self._make(
            side, name, quantity, limit, stop, trail, trail_percent, offset,
            order_type, tif, outside_rth, tag, parent, oca_group,
        )
        # fmt: on

    def _make(
        self,
        side: Side,
        name: Named,
        quantity: Number,
        limit: Number | None,
        stop: Number | None,
        trail: Number | None,
        trail_percent: bool,
        offset: Number | None,
        order_type: OrderType | str | None,
        tif: Tif | str,
        outside_rth: bool,
        tag: str,
        parent: str | None,
        oca_group: str | None,
    ) -> OrderTicket:
        instrument = self._by_name.get(name) or self.instrument(name)
        if order_type is None and stop is None and trail is None and offset is None and not trail_percent:
            number = self._number = self._number + 1  # market and limit orders: most there are, and the least to say
            return OrderTicket(
                coid=self._prefix + str(number).zfill(6),
                strategy=self.strategy,
                account=self.account,
                conid=instrument.conid,
                side=side,
                order_type=_MARKET if limit is None else _LIMIT,
                quantity=quantity if quantity.__class__ is Decimal else WHOLE.get(quantity) or decimal_of(quantity),
                tif=TIFS.get(tif) or Tif(tif),
                limit_price=instrument.price(limit) if limit.__class__ is float else price_of(instrument, limit),
                outside_rth=outside_rth,
                parent=parent,
                oca_group=oca_group,
                tag=tag,
            )
        kind = OrderType(order_type) if order_type is not None else kind_of(limit, stop, trail, offset)
        self._number += 1
        return OrderTicket(
            coid=self._prefix + str(self._number).zfill(6),
            strategy=self.strategy,
            account=self.account,
            conid=instrument.conid,
            side=side,
            order_type=kind,
            quantity=quantity if quantity.__class__ is Decimal else decimal_of(quantity),
            tif=TIFS.get(tif) or Tif(tif),
            limit_price=None if limit is None else price_of(instrument, limit),
            stop_price=None if stop is None else price_of(instrument, stop),
            trail=None if trail is None else decimal_of(trail) if trail_percent else price_of(instrument, trail),
            trail_unit=_PERCENT if trail_percent else _AMOUNT,
            limit_offset=None if offset is None else price_of(instrument, offset),
            outside_rth=outside_rth,
            parent=parent,
            oca_group=oca_group,
            tag=tag,
        )

    def bracket(
        self, entry: OrderTicket, *, target: Number | None = None, stop: Number | None = None, tif: Tif | str = Tif.GTC
    ) -> tuple[str, ...]:
        """Ask for an entry with a profit target and a protective stop, approved or refused as a whole.

        Args:
            entry: Made by `ticket`.
            target: Limit price at which to take the profit.
            stop: Price at which to stop the loss.

        Returns: The client order ids: entry, target (if any), stop (if any).
        """
        if target is None and stop is None:
            raise StrategyError("a bracket needs a target or a stop", place=self.strategy)
        if stop is not None:
            what = _NO_STOP.get(TIFS.get(tif), "") or ("in a combo" if self.instrument(entry.conid).legs else "")
            if what:  # the venue would refuse the whole bracket; the author hears it at once
                raise StrategyError(f"no exchange takes a stop {what}: the bracket would be refused", place=entry.coid)
        away = entry.side.opposite
        terms: dict[str, Any] = {"tif": tif, "parent": entry.coid, "outside_rth": entry.outside_rth, "tag": entry.tag}
        children = []
        if target is not None:
            children.append(self.ticket(away, entry.conid, entry.quantity, limit=target, **terms))
        if stop is not None:
            children.append(self.ticket(away, entry.conid, entry.quantity, stop=stop, **terms))
        return self._place_all((entry, *children))

    def oca(self, *tickets: OrderTicket) -> tuple[str, ...]:
        """Ask for orders of which one's execution cancels the others; returns their client order ids."""
        self._groups += 1
        group = f"{self.strategy}-oca-{self._groups:04d}"
        return self._place_all(tuple(replace(ticket, oca_group=group) for ticket in tickets))

    def modify(self, coid: str, **changes: Any) -> bool:
        """Ask to change a working order; only the named terms change (quantity, limit, stop, trail, offset, tif,
        outside_rth). Returns False, asking for nothing, if the order is closed already."""
        order = self.open_orders.get(coid)
        if order is None:
            return False
        instrument = self._by_name[order.ticket.conid]
        wanted = {TERMS[name]: changed(instrument, name, value) for name, value in changes.items() if name in TERMS}
        unknown = set(changes) - set(TERMS)
        if unknown:
            raise StrategyError(f"can't modify {sorted(unknown)[0]!r}; what can be is {', '.join(TERMS)}", place=coid)
        ticket = amend(order.ticket, wanted)  # a contradiction is the author's to hear at once
        self.open_orders[coid] = replace(order, state=_PENDING_MODIFY, wanted=ticket)
        self._wants.append(Modify(coid, self.strategy, wanted))
        return True

    def cancel(self, coid: str) -> bool:
        """Ask for an order's cancellation. Returns False, asking for nothing, if it is closed already."""
        order = self.open_orders.get(coid)
        if order is None:
            return False
        self._wants.append(Cancel(coid, self.strategy))
        self.open_orders[coid] = replace(order, state=_PENDING_CANCEL)
        return True

    def cancel_all(self, name: Named | None = None) -> int:
        """Ask for the cancellation of all the strategy's open orders; returns how many."""
        orders = self.orders(name)
        for order in orders:
            self.cancel(order.ticket.coid)
        return len(orders)

    # --- time, bars, notes --------------------------------------------------------------------------------------

    def set_timer(self, name: str, *, after_s: float | None = None, at_ns: int | None = None) -> None:
        """Call `on_timer(name)` after some seconds or at a time; the same name set again replaces."""
        if (after_s is None) == (at_ns is None):
            raise StrategyError(f"timer {name!r} needs after_s or at_ns, one of them", place=self.strategy)
        now = self.now_ns
        due = at_ns if after_s is None else now + round(after_s * NS_PER_S)
        assert due is not None
        self._wants.append(SetTimer(self.strategy, name, max(due, now)))

    def drop_timer(self, name: str) -> None:
        """Take a timer back."""
        self._wants.append(DropTimer(self.strategy, name))

    def after_open(self, minutes: float, name: str = "open") -> None:
        """Call `on_calendar(name)` this long after each open of the first instrument's exchange."""
        for opens in self._calendar().opens_ns:
            self._at(opens + round(minutes * NS_PER_MINUTE), name, opens)

    def before_close(self, minutes: float, name: str = "close") -> None:
        """Call `on_calendar(name)` this long before each close, half days included."""
        calendar = self._calendar()
        for opens, closes in zip(calendar.opens_ns, calendar.closes_ns, strict=True):
            self._at(closes - round(minutes * NS_PER_MINUTE), name, opens)

    def bars(self, name: Named, length: str | float, source: str = "trades") -> None:
        """In `on_start`: have bars built. `length` is seconds or "30s", "5min", "1h", "1d" (a session).

        `source`: "trades", "mid" (of quotes), or "bars" (longer bars out of recorded ones).
        """
        if not self.starting:
            raise StrategyError("bars can only be subscribed to in on_start", place=self.strategy)
        if source not in ("trades", "mid", "bars"):
            raise StrategyError(f"bars can't be built from {source!r}; use trades, mid or bars", place=self.strategy)
        self.bar_wishes.append(BarWish(self.strategy, self.instrument(name).conid, span_of(length), source))

    def indicator(self, name: str, value: float, instrument: Named | None = None) -> None:
        """Note a value for the report's chart."""
        conid = None if instrument is None else self.instrument(instrument).conid
        self.indicators.append((self.now_ns, conid, name, float(value)))

    def log(self, event: str, **facts: Any) -> None:
        """Write to the run's log and journal: a fixed event name, facts as fields."""
        self.notes.append((self.now_ns, "log", event, plain(facts)))

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep the strategy's own state (plain values); the next start finds the newest in `ctx.saved`."""
        self.notes.append((self.now_ns, "state", self.strategy, plain(state)))

    # --- ours ---------------------------------------------------------------------------------------------------

    def _place(self, ticket: OrderTicket) -> str:
        coid = ticket.coid
        self._wants.append(Place((ticket,)))
        self.open_orders[coid] = Order(ticket=ticket)
        return coid

    def _place_all(self, tickets: tuple[OrderTicket, ...]) -> tuple[str, ...]:
        self._wants.append(Place(tickets))
        for ticket in tickets:
            self.open_orders[ticket.coid] = Order(ticket=ticket)
        return tuple(ticket.coid for ticket in tickets)

    def _calendar(self) -> Sessions:
        if not self.starting:
            raise StrategyError("calendar events can only be asked for in on_start", place=self.strategy)
        return self._sessions[self.instruments[0].calendar]

    def _at(self, at_ns: int, name: str, opens_ns: int) -> None:
        first, last = self._span_ns
        if first <= at_ns <= last:
            self._wants.append(SetTimer(self.strategy, name, at_ns, calendar=True))
        elif opens_ns <= last < at_ns:
            self.past_data += 1

    def _symbols(self) -> str:
        return ", ".join(instrument.symbol for instrument in self.instruments)

    def hear_position(self, now: PositionNow) -> None:
        """Take over a position that the portfolio has written (called by the host)."""
        self.account_quantity[now.conid] = now.account_quantity
        if now.strategy == self.strategy:
            self.holdings[now.conid] = Holding(now.quantity, now.cost, now.realised)
