"""Whether an account can pay for an order, and what an order would change."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from engine.domain.ticket import OrderTicket
from engine.gateway.accounts import ZERO, Account
from engine.gateway.blotter import Blotter
from engine.gateway.margin import Rules, cents
from engine.gateway.records import NewOrder
from engine.venue.live import LiveVenue


class Solvency:
    """Margin of orders against accounts. An exit of a bracket counts for nothing: its entry has been counted."""

    def __init__(self, rules: Rules, accounts: Mapping[str, Account], blotter: Blotter) -> None:
        self._rules = rules
        self._accounts = accounts
        self._blotter = blotter

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
        for standing in self._blotter.working():
            other = standing.order
            if other.account == order.account and other.parent_id is None and other.order_id != order.replaces:
                added += max(ZERO, self._initial(account, other.ticket, other.filled) or ZERO)
        funds = self._rules.funds(account)
        needed = funds.initial_margin + added
        if needed <= funds.net_liquidation:
            return None
        base = self._rules.base
        return (
            "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH LOAN VALUE "
            f"[{cents(funds.net_liquidation)} {base}] MUST EXCEED THE INITIAL MARGIN [{cents(needed)} {base}]"
        )

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
