"""Whether an account can pay for an order, and what an order would change."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from engine.domain.ticket import OrderTicket
from engine.gateway.accounts import ZERO, Account
from engine.gateway.blotter import Blotter
from engine.gateway.margin import Rules, cents
from engine.gateway.records import LiveOrder, NewOrder
from engine.venue.live import LiveVenue

_NOBODY: Final = Account("", {})
_MOVED: Final = 2  # by how much prices may have moved since an order's margin was worked out
_UNKNOWN: Final = Decimal("Infinity")
_REMEMBERED: Final = 10_000


class Solvency:
    """Margin of orders against accounts. An exit of a bracket counts for nothing: its entry has been counted."""

    def __init__(self, rules: Rules, accounts: Mapping[str, Account], blotter: Blotter) -> None:
        self._rules = rules
        self._accounts = accounts
        self._blotter = blotter
        self._bound: dict[int, tuple[OrderTicket, Decimal]] = {}

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
        others = [
            standing.order
            for standing in self._blotter.working()
            if standing.order.account == order.account
            and standing.order.parent_id is None
            and standing.order.order_id != order.replaces
        ]
        funds = self._rules.funds(account)
        # With plenty of room there is no need to work out hundreds of margins anew: what each bound when it was first
        # looked at, twice over for prices that have moved since, is enough to say yes.
        if funds.initial_margin + added + sum((self._most(one) for one in others), ZERO) <= (funds.net_liquidation):
            return None
        for other in others:
            added += max(ZERO, self._initial(account, other.ticket, other.filled) or ZERO)
        needed = funds.initial_margin + added
        if needed <= funds.net_liquidation:
            return None
        base = self._rules.base
        return (
            "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH LOAN VALUE "
            f"[{cents(funds.net_liquidation)} {base}] MUST EXCEED THE INITIAL MARGIN [{cents(needed)} {base}]"
        )

    def _most(self, order: LiveOrder) -> Decimal:
        """Surely no less than what a standing order binds, unless its price has doubled since it was first asked."""
        known = self._bound.get(order.order_id)
        if known is None or known[0] is not order.ticket:
            if len(self._bound) > _REMEMBERED:
                self._bound.clear()
            alone = self._initial(_NOBODY, order.ticket)  # as if nothing were held that it closes
            known = self._bound[order.order_id] = order.ticket, _UNKNOWN if alone is None else _MOVED * max(ZERO, alone)
        return known[1]

    def _initial(self, account: Account, ticket: OrderTicket, filled: Decimal = ZERO) -> Decimal | None:
        added = self._rules.added(account, ticket.conid, ticket.side.sign * (ticket.quantity - filled))
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
