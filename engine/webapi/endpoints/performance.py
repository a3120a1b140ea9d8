"""Returns and transactions: each allowed once in 15 minutes."""

from __future__ import annotations

from collections.abc import Sequence

from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.codecs import portfolio as codec
from engine.webapi.endpoints.base import Group, build
from engine.webapi.facts.performance import AllPeriods, Performance, Transactions


def _read(template: str, body: dict[str, object], query: dict[str, object] | None = None) -> Call:
    return build("POST", template, Kind.READ, Urgency.SCANNER, body=body, query=query)


class Performances(Group):
    """Past values, returns and bookings of accounts."""

    async def performance(self, accounts: Sequence[str], period: str) -> Performance:
        """Read one period: 1D, 7D, MTD, 1M, 3M, 6M, 12M, YTD (older texts: 1Y)."""
        return await self._ask(
            _read("/pa/performance", {"acctIds": list(accounts), "period": period}), codec.performance
        )

    async def all_periods(self, accounts: Sequence[str]) -> AllPeriods:
        """Read all periods."""
        return await self._ask(_read("/pa/allperiods", {"acctIds": list(accounts)}), codec.all_periods)

    async def transactions(
        self, accounts: Sequence[str], conid: int, *, currency: str = "USD", days: int = 90
    ) -> Transactions:
        """Read the bookings of one conid."""
        body: dict[str, object] = {"acctIds": list(accounts), "conids": [conid], "currency": currency, "days": days}
        return await self._ask(_read("/pa/transactions", body), codec.transactions)
