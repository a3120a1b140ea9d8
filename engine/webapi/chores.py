"""What every new brokerage session asks for over REST before anything may rely on it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import VenueRefused, VenueUnreachable
from engine.webapi.calls import Caller
from engine.webapi.endpoints.accounts import Accounts
from engine.webapi.endpoints.orders import RECENT_DAYS, Orders
from engine.webapi.endpoints.portfolio import Portfolio
from engine.webapi.facts.accounts import BrokerageAccounts

WARM_TRIES = 4  # reads of live orders until they say that they are whole


class Chores:
    """Accounts, suppression, warm caches; repeated after every init.

    Args:
        account: The account to trade; None leaves the session's choice.
        suppressed: The complete list of message ids; it lives as long as the brokerage session.
    """

    def __init__(self, caller: Caller, *, account: str | None = None, suppressed: Sequence[str] = ()) -> None:
        self._accounts = Accounts(caller)
        self._portfolio = Portfolio(caller)
        self._orders = Orders(caller)
        self._account = account
        self._suppressed = tuple(suppressed)
        self._ours_alone = False  # what the session suppresses is no more than our list
        self.known: BrokerageAccounts | None = None
        self.told: BrokerageAccounts | None = None  # what the session said last, whether ours is among them or not
        self.missed = 0  # how often in a row it named accounts, and ours was not among them

    async def accounts(self) -> None:
        """Load both account lists and choose ours. Raises: VenueError."""
        known = await self._accounts.accounts()
        await self._portfolio.accounts()
        self.told = known
        if self._account is not None:
            if self._account not in known.accounts:
                self.missed += bool(known.accounts)
                raise VenueRefused("GET /iserver/accounts", "the account of the config is not among them", status=200)
            if len(known.accounts) > 1 and known.selected != self._account:
                switched = await self._accounts.switch(self._account)
                if not switched.done:
                    raise VenueRefused("POST /iserver/account", "it did not choose our account", status=200)
        self.known, self.missed = known, 0

    def suppress_from_now(self, message_ids: Sequence[str]) -> None:
        """Later sessions begin with this list."""
        self._suppressed = tuple(message_ids)
        self._ours_alone = False

    async def suppress(self) -> None:
        """Suppress the known questions again, and none but these. Raises: VenueError.

        The venue adds to what a session suppresses, and a session outlives the daemon that opened it: what an earlier
        list had is taken back first.
        """
        if not self._ours_alone:
            await self._orders.reset_suppression()
        if self._suppressed:
            await self._orders.suppress(self._suppressed)
        self._ours_alone = True

    async def prime(self) -> None:
        """Warm live orders and trades: a session's first answers are empty, whatever is true. Raises: VenueError."""
        for _ in range(WARM_TRIES):
            if (await self._orders.live()).value.snapshot is True:
                break
        else:
            raise VenueUnreachable("GET /iserver/account/orders", f"still not whole after {WARM_TRIES} reads")
        await self._orders.trades(days=RECENT_DAYS)
        await self._orders.trades(days=RECENT_DAYS)
