"""Client order ids: each names one order a day. What never left the desk gives its name back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.domain.moments import NS_PER_DAY
from engine.gateway.bundles import Bundle
from engine.gateway.tickets import Problem

if TYPE_CHECKING:
    from engine.gateway.hall import Hall

# Why the desk discards an order that the venue has not seen; a gateway that goes on from its books knows them by it.
UNANSWERED: Final = "Order was not confirmed in time"
DECLINED: Final = "Order not confirmed"
REPLACED: Final = "Order was discarded: another order request came before its question was answered"
_NEVER_SENT: Final = (UNANSWERED, DECLINED, REPLACED)
_MOST: Final = 50_000  # beyond this, names that are a day old are looked for and forgotten


class ClientIds:
    """Names and when they were used, over all accounts of the user."""

    def __init__(self) -> None:
        self._used: dict[str, int] | None = None

    def _known(self, hall: Hall) -> dict[str, int]:
        """The names in use; at first those of the books."""
        if self._used is None:
            orders = (order for account in hall.exchange.accounts for order in hall.exchange.orders(account))
            self._used = {
                order.client_id: order.created_ns
                for order in orders
                if order.client_id and order.reason not in _NEVER_SENT
            }
        return self._used

    def duplicate(self, hall: Hall, bundle: Bundle) -> Problem | None:
        """The refusal of a request that names an order as one of the last day is named."""
        known, now_ns = self._known(hall), hall.exchange.now_ns
        for part in bundle.parts:
            coid = part.draft.client_id if part.draft is not None else None
            if coid is not None and coid in known and now_ns - known[coid] < NS_PER_DAY:
                return Problem(
                    200, f"Order couldn't be submitted: Local order ID={coid} is already registered.", "cOID"
                )
        return None

    def use(self, hall: Hall, coid: str) -> None:
        """A name is taken from now on."""
        known, now_ns = self._known(hall), hall.exchange.now_ns
        if len(known) >= _MOST:
            self._used = known = {name: used for name, used in known.items() if now_ns - used < NS_PER_DAY}
        known[coid] = now_ns

    def free(self, hall: Hall, coid: str | None) -> None:
        """Its order never left the desk."""
        self._known(hall).pop(coid or "", None)
