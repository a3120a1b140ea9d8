"""Whether an account can pay for an order, and what an order would change."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.ticket import OrderTicket, Side
from engine.gateway.accounts import ZERO, Account
from engine.gateway.blotter import Blotter
from engine.gateway.margin import Rules, cents
from engine.gateway.records import NewOrder
from engine.venue.live import LiveVenue

_NOBODY: Final = Account("", {})
_MOVED: Final = 2  # by how much prices may have moved since an order's margin was worked out


class _Entry(msgspec.Struct, frozen=True):
    """A working order in a tally. `most` is what it binds at most, None where that is not known."""

    conid: int
    side: Side
    left: Decimal
    most: Decimal | None


class _Tally:
    """The working orders of one account summed up: what they bind at most, and what is left by conid and side."""

    def __init__(self) -> None:
        self.of: dict[int, _Entry] = {}
        self.total = ZERO
        self.unknown = 0
        self.left: dict[tuple[int, Side], Decimal] = {}

    def enter(self, order_id: int, entry: _Entry) -> None:
        self.leave(order_id)
        self.of[order_id] = entry
        self._add(entry, 1)

    def leave(self, order_id: int) -> None:
        entry = self.of.pop(order_id, None)
        if entry is not None:
            self._add(entry, -1)

    def _add(self, entry: _Entry, sign: int) -> None:
        self.total += sign * (entry.most or ZERO)
        self.unknown += sign * (entry.most is None)
        what = entry.conid, entry.side
        left = self.left.get(what, ZERO) + sign * entry.left
        if left:
            self.left[what] = left
        else:
            self.left.pop(what, None)


class Solvency:
    """Margin of orders against accounts. An exit of a bracket counts for nothing: its entry has been counted."""

    def __init__(self, rules: Rules, accounts: Mapping[str, Account], blotter: Blotter) -> None:
        self._rules = rules
        self._accounts = accounts
        self._blotter = blotter
        self._tallies: dict[str, _Tally] = {}

    def against(self, order: NewOrder) -> str | None:
        """Why the account can't pay for an order, in the venue's words; None if it can.

        Counted are the positions, every open order that adds to margin, and this one. An order that adds nothing is
        always taken. Without any price what it binds is not known, and it is refused.
        """
        if order.parent_id is not None:
            return None
        account = self._accounts[order.account]
        added = self._initial(account, order.ticket)
        if added is None:
            return f"No market price is known for contract {order.ticket.conid}: its margin can't be worked out."
        if added <= 0:
            return None
        funds = self._rules.funds(account)
        # With plenty of room there is no need to work out every margin anew: what each order bound when it was last
        # changed, twice over for prices that have moved since, is enough to say yes. The sum is kept, so that it costs
        # the same over a thousand open orders as over one.
        tally = self._tally(order.account)
        replaced = tally.of.get(order.replaces or 0)
        most = tally.total - ((replaced.most if replaced is not None else None) or ZERO)
        if not tally.unknown and funds.initial_margin + added + most <= funds.net_liquidation:
            return None
        needed = funds.initial_margin + added + self._others(account, tally, replaced)
        if needed <= funds.net_liquidation:
            return None
        base = self._rules.base
        return (
            "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH LOAN VALUE "
            f"[{cents(funds.net_liquidation)} {base}] MUST EXCEED THE INITIAL MARGIN [{cents(needed)} {base}]"
        )

    def _others(self, account: Account, tally: _Tally, replaced: _Entry | None) -> Decimal:
        """What an account's working orders add to its margin at the prices of now, each looked at alone.

        Margin grows in proportion while a position grows, so those that only add to it are worked out as one.
        """
        added = ZERO
        for (conid, side), left in tally.left.items():
            own = replaced is not None and (replaced.conid, replaced.side) == (conid, side)
            if self._closes(account, conid, side):
                alone = [one.left for one in tally.of.values() if (one.conid, one.side) == (conid, side)]
                if own and replaced is not None:
                    alone.remove(replaced.left)
            else:
                alone = [left - replaced.left if own and replaced is not None else left]
            for units in alone:
                found = self._rules.added(account, conid, side.sign * units)
                added += max(ZERO, found[0]) if found is not None else ZERO
        return added

    def _closes(self, account: Account, conid: int, side: Side) -> bool:
        """Whether orders of a side trade against something that is held."""
        legs = self._rules.contracts[conid].instrument.legs
        parts = [(leg.conid, leg.ratio) for leg in legs] or [(conid, 1)]
        return any(account.quantity(leg) * ratio * side.sign < 0 for leg, ratio in parts)

    def _tally(self, name: str) -> _Tally:
        """An account's tally as of now: only what has changed since the last look, or had no price, is worked out."""
        tally = self._tallies.setdefault(name, _Tally())
        dark = [order_id for order_id, entry in tally.of.items() if entry.most is None] if tally.unknown else []
        for order_id in [*dark, *self._blotter.take_touched(name)]:
            order = self._blotter.at_work(order_id)
            if order is None or order.parent_id is not None:
                tally.leave(order_id)
            else:
                ticket = order.ticket
                left = ticket.quantity - order.filled
                tally.enter(order_id, _Entry(ticket.conid, ticket.side, left, self._most(ticket)))
        return tally

    def _most(self, ticket: OrderTicket) -> Decimal | None:
        """Surely no less than what a ticket binds, unless its price doubles; None without a price."""
        alone = self._initial(_NOBODY, ticket)  # as if nothing were held that it closes
        return None if alone is None else _MOVED * max(ZERO, alone)

    def _initial(self, account: Account, ticket: OrderTicket) -> Decimal | None:
        added = self._rules.added(account, ticket.conid, ticket.side.sign * ticket.quantity)
        return None if added is None else added[0]

    def change(self, order: NewOrder, venue: LiveVenue, now_ns: int) -> tuple[Decimal, Decimal, Decimal]:
        """What an order would add to initial and maintenance margin, and its commission; zeros without a price."""
        account, ticket = self._accounts[order.account], order.ticket
        first, second = self._rules.added(account, ticket.conid, ticket.side.sign * ticket.quantity) or (ZERO, ZERO)
        instrument = self._rules.contracts[ticket.conid].instrument
        fee = ZERO
        for conid, ratio in [(leg.conid, leg.ratio) for leg in instrument.legs] or [(ticket.conid, 1)]:
            price = ticket.limit_price if not instrument.legs else None
            price = self._rules.price(conid) if price is None else price
            if price is not None:
                units = ticket.side.sign * ratio * ticket.quantity
                fee += venue.cost(self._rules.contracts[conid].instrument, units, price, now_ns)
        return first, second, fee
