"""Whether an account can pay for an order, and what an order would change."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import chain
from typing import Final

from engine.domain.ticket import OrderTicket, Side
from engine.gateway.accounts import ZERO, Account
from engine.gateway.blotter import Blotter
from engine.gateway.margin import Rules, cents
from engine.gateway.records import LiveOrder, NewOrder
from engine.venue.live import LiveVenue

_NOBODY: Final = Account("", {})
_MOVED: Final = 2  # by how much prices may have moved since an order's margin was worked out


class _Tally:
    """What the working orders of one account bind at most, order by order and in all; None: not known."""

    def __init__(self) -> None:
        self.of: dict[int, Decimal | None] = {}
        self.total = ZERO
        self.unknown = 0

    def enter(self, order_id: int, most: Decimal | None) -> None:
        self.leave(order_id)
        self.of[order_id] = most
        self.total += most or ZERO
        self.unknown += most is None

    def leave(self, order_id: int) -> None:
        if order_id in self.of:
            most = self.of.pop(order_id)
            self.total -= most or ZERO
            self.unknown -= most is None


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
        most = tally.total - (tally.of.get(order.replaces or 0) or ZERO)
        if not tally.unknown and funds.initial_margin + added + most <= funds.net_liquidation:
            return None
        needed = funds.initial_margin + added + self._others(account, tally, order.replaces)
        if needed <= funds.net_liquidation:
            return None
        base = self._rules.base
        return (
            "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH LOAN VALUE "
            f"[{cents(funds.net_liquidation)} {base}] MUST EXCEED THE INITIAL MARGIN [{cents(needed)} {base}]"
        )

    def _others(self, account: Account, tally: _Tally, replaced: int | None) -> Decimal:
        """What an account's working orders add to its margin at the prices of now, each looked at alone.

        Margin grows in proportion while a position grows, so those that only add to it are worked out as one.
        """
        alike: dict[tuple[int, Side], Decimal] = {}
        against: list[LiveOrder] = []
        for order_id in tally.of:
            order = self._blotter.at_work(order_id)
            if order is None or order_id == replaced:
                continue
            ticket = order.ticket
            what = ticket.conid, ticket.side
            if what not in alike and self._closes(account, ticket):
                against.append(order)
            else:
                alike[what] = alike.get(what, ZERO) + ticket.quantity - order.filled
        whole = ((conid, side.sign * units) for (conid, side), units in alike.items())
        alone = ((one.ticket.conid, one.ticket.side.sign * (one.ticket.quantity - one.filled)) for one in against)
        found = (self._rules.added(account, conid, units) for conid, units in chain(whole, alone))
        return sum((max(ZERO, one[0]) for one in found if one is not None), ZERO)

    def _closes(self, account: Account, ticket: OrderTicket) -> bool:
        """Whether a ticket trades against something that is held."""
        legs = self._rules.contracts[ticket.conid].instrument.legs
        parts = [(leg.conid, leg.ratio) for leg in legs] or [(ticket.conid, 1)]
        return any(account.quantity(conid) * ratio * ticket.side.sign < 0 for conid, ratio in parts)

    def _tally(self, name: str) -> _Tally:
        """An account's tally as of now: only what has changed since the last look, or had no price, is worked out."""
        tally = self._tallies.setdefault(name, _Tally())
        dark = [order_id for order_id, most in tally.of.items() if most is None] if tally.unknown else []
        for order_id in [*dark, *self._blotter.take_touched(name)]:
            order = self._blotter.at_work(order_id)
            if order is None or order.parent_id is not None:
                tally.leave(order_id)
            else:
                tally.enter(order_id, self._most(order.ticket))
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
