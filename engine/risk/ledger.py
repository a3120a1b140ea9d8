"""The ledger of what is reserved: every open order at its worst, from its approval until it is seen dead.

Folded order by order, in the account's, the strategy's and the instrument's counts; a law under test compares them with
a recount of every open order.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from engine.domain.facts import (
    Accepted,
    CancelAsked,
    CancelRefused,
    Filled,
    Modified,
    ModifyAsked,
    ModifyRefused,
    OrderEvent,
    Pending,
)
from engine.domain.messages import PositionNow, Update
from engine.domain.order import CLOSED, Order, State
from engine.domain.ticket import OrderTicket, Side
from engine.risk.exposure import Exposure, MarketNow, Reserved
from engine.risk.exposures import Exposures
from engine.risk.stakes import reserve
from engine.risk.sums import worst_price
from engine.risk.together import Bracket, Group, Oca

_ZERO: Final = Decimal(0)
_BUY: Final = Side.BUY
_IN_DOUBT: Final = State.IN_DOUBT  # bound once: an enum class is slow to ask
_LOST: Final = State.LOST
_WORKING: Final = State.WORKING
_ANSWERS_A_CHANGE: Final = frozenset({ModifyAsked, Modified, ModifyRefused})
_NO_MARKET: Final = MarketNow(0, 0.0, 0, False)  # a price of 0 is below all that an order names itself
_TRADES_OTHERWISE: Final = frozenset({Filled, Modified})
_COUNTS_THE_SAME: Final = frozenset({Accepted, Pending, CancelAsked, CancelRefused})


class Ledger:
    """Open orders by coid, counted in the exposures that they belong to."""

    def __init__(self, exposures: Exposures) -> None:
        self.exposures = exposures
        self.account = exposures.account
        self.open = exposures.open
        self._known = exposures.known
        self._in_doubt = self.account.in_doubt
        self._meter = self.account.meter
        self._found: dict[tuple[str, str, int], Group] = {}  # OCA groups of orders that we did not judge here
        self._lost: dict[str, Group] = {}  # those of orders that were lost, by coid, while anything of them is open

    # --- what is decided ----------------------------------------------------------------------------------------

    def reserve(self, ticket: OrderTicket, exposure: Exposure, group: Group | None = None) -> Reserved:
        """Count a new order; with what it belongs to, if it is of a bracket or of an OCA group."""
        shared: Bracket | Oca | None = None
        if ticket.parent is not None:
            shared = exposure.bracket_of(ticket)
            if shared is not None:
                exposure.brackets[ticket.parent] = shared
                shared.exits[ticket.coid] = _ZERO
        if shared is None and group is not None:
            shared = group.side_of(exposure, ticket.side)
        entry = Reserved(exposure, ticket, shared=shared)
        self.open[ticket.coid] = exposure.open[ticket.coid] = entry
        self.rewritten(entry)
        return entry

    def join(self, ticket: OrderTicket) -> Group | None:
        """The OCA group that a ticket of the intent in hand belongs to."""
        if ticket.oca_group is None:
            return None
        joining = self.account.joining
        found = joining.get(ticket.oca_group)
        if found is None:
            found = joining[ticket.oca_group] = Group(ticket.strategy)
            self.account.groups[found] = None
        return found

    def joined(self) -> None:
        """The intent in hand is judged: what comes later under the same name is another group."""
        account = self.account
        for group in account.joining.values():
            if group.empty:
                del account.groups[group]
        account.joining.clear()

    def release(self, entry: Reserved) -> None:
        """An order counts no more."""
        coid = entry.ticket.coid
        exposure = entry.exposure
        entry.over = True
        if entry.shared is not None:
            self.leave(entry)
        elif not exposure.alone:
            exposure.count(entry.ticket.side, -entry.counted)
        else:
            counted = entry.counted
            of_account, of_strategy = exposure.units
            if entry.ticket.side is _BUY:
                of_account.buys -= counted
                of_strategy.buys -= counted
            else:
                of_account.sells -= counted
                of_strategy.sells -= counted
        del self.open[coid], exposure.open[coid]
        twins = exposure.twins
        if twins.counts is not None:
            twins.changed(entry)
        if exposure.brackets:
            drop_done(exposure)

    def count(self, entry: Reserved) -> None:
        """Count an open order at its worst."""
        shared = entry.shared
        if shared is None:
            counted = entry.worst()
            more = counted - entry.counted
            if more:
                entry.counted = counted
                entry.exposure.count(entry.ticket.side, more)
        else:
            shared.children[entry.ticket.coid] = entry.worst()
            shared.settle()

    def rewritten(self, entry: Reserved) -> None:
        """An order is new, or its ticket or the one that is wanted is another."""
        self.count(entry)
        exposure = entry.exposure
        if exposure.twins.counts is not None:
            exposure.twins.changed(entry)
        if exposure.resting is not None:
            exposure.resting.add(entry)

    def leave(self, entry: Reserved) -> None:
        """An order leaves its bracket or OCA group."""
        shared = entry.shared
        assert shared is not None
        entry.shared = None
        del shared.children[entry.ticket.coid]
        shared.settle()
        if isinstance(shared, Oca) and shared.group.empty and not self.account.joining:
            del self.account.groups[shared.group]
            self._found = {key: group for key, group in self._found.items() if group is not shared.group}
            self._lost = {coid: group for coid, group in self._lost.items() if group is not shared.group}

    def part(self, entry: Reserved, bracket: Bracket) -> None:
        """A child becomes an order of its own; what it trades from now on makes what hangs on the entry no smaller."""
        coid = entry.ticket.coid
        bracket.parted[coid] = bracket.exits.pop(coid)
        self.leave(entry)
        drop_done(entry.exposure)

    # --- what happens -------------------------------------------------------------------------------------------

    def hear(self, updates: Sequence[Update], positions: Sequence[PositionNow]) -> None:
        """Fold what became of orders and positions."""
        open_orders, in_doubt = self.open, self._in_doubt
        for update in updates:
            order = update.order
            kind = update.event.__class__
            state = order.state
            if kind is Accepted and state is _WORKING and not in_doubt and order.ticket.coid in open_orders:
                continue  # as it was counted when it was approved
            if state is _IN_DOUBT:
                in_doubt.add(order.ticket.coid)
                self._meter.void()
            elif in_doubt:
                in_doubt.discard(order.ticket.coid)
            if kind is Filled and self.account.counting:
                self.account.executed(order.ticket.strategy, update.event.ts_ns)
            entry = open_orders.get(order.ticket.coid)
            if entry is None:
                if state not in CLOSED:  # one that was lost, or of another session, is alive after all
                    entry = self._found_alive(order)
            elif state in CLOSED:
                if state is _LOST and isinstance(entry.shared, Oca):
                    self._lost[order.ticket.coid] = entry.shared.group
                self.release(entry)
            elif kind not in _COUNTS_THE_SAME:
                entry.ticket = order.ticket
                entry.filled = order.filled
                if kind in _ANSWERS_A_CHANGE:
                    entry.wanted = order.wanted
                    self.rewritten(entry)
                else:
                    self.count(entry)
            elif kind is CancelRefused and entry.cancelling and state is not State.PENDING_CANCEL:
                entry.cancelling = False  # it lives on: a halt has to cancel it, and a twin of it is one again
                entry.exposure.twins.changed(entry)
            if kind in _TRADES_OTHERWISE and (entry is None or entry.exposure.brackets or entry.exposure.legs):
                self._follow(order, update.event, entry)
        for now in positions:
            exposure = self._known.get((now.strategy, now.conid)) or self.exposures.of(now.strategy, now.conid)
            if exposure.alone:
                account, strategy = exposure.units
                account.position = now.account_quantity
                strategy.position = now.quantity
            else:
                self._moved(exposure, now)

    def _moved(self, exposure: Exposure, now: PositionNow) -> None:
        """Another position counts where money at stake, or rooms, follow it."""
        account, strategy = exposure.units
        measured = self._meter.measured
        raised = account.move(now.account_quantity, measured)
        if strategy.move(now.quantity, measured) or raised:
            self._meter.void()
        for lines in exposure.lines:
            lines.touch(now.conid)

    def _found_alive(self, order: Order) -> Reserved:
        """An order that nothing was reserved for; those of one OCA group were made at one moment."""
        ticket = order.ticket
        group = self._lost.pop(ticket.coid, None)
        if group is None and ticket.oca_group is not None:
            key = ticket.strategy, ticket.oca_group, order.created_ns
            group = self._found.get(key)
            if group is None:
                group = self._found[key] = Group(ticket.strategy)
                self.account.groups[group] = None
        self._meter.void()
        exposure = self.exposures.of(ticket.strategy, ticket.conid)
        reserve(exposure, _dearest(ticket, order.wanted))
        entry = self.reserve(ticket, exposure, group)
        entry.filled, entry.wanted = order.filled, order.wanted
        if isinstance(entry.shared, Bracket):
            if order.wanted is not None and order.wanted.quantity > entry.shared.quantity:
                self.part(entry, entry.shared)  # as it did when that was approved
            else:
                entry.shared.exits[ticket.coid] = order.filled
        self.rewritten(entry)
        return entry

    def _follow(self, order: Order, event: OrderEvent, entry: Reserved | None) -> None:
        """What has become of a bracket, and of a combo: the portfolio knows its legs only, its own units count here."""
        ticket = order.ticket
        exposure = self.exposures.of(ticket.strategy, ticket.conid) if entry is None else entry.exposure
        if exposure.brackets:
            exposure.follow(order)
            own = exposure.brackets.get(ticket.coid)
            self._meter.void()
            for coid in () if own is None else own.children:  # with an entry that was lost they had counted nothing
                reserve(exposure, _dearest(exposure.open[coid].ticket, exposure.open[coid].wanted))
        if exposure.legs and isinstance(event, Filled):
            for units in exposure.units:
                units.position += event.quantity * order.ticket.side.sign


def _dearest(ticket: OrderTicket, wanted: OrderTicket | None) -> float:
    """The dearest price that an order names, or would with the modification in flight; 0 where it names none."""
    price = worst_price(ticket, _NO_MARKET)
    return price if wanted is None else max(price, worst_price(wanted, _NO_MARKET))


def drop_done(exposure: Exposure) -> None:
    """Forget brackets without an open order."""
    done = [coid for coid, held in exposure.brackets.items() if not held.children and coid not in exposure.open]
    for coid in done:
        del exposure.brackets[coid]
