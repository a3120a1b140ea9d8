"""Portfolio: needs `accounts` (or `subaccounts`) first, and no brokerage session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.errors import VenueUnreachable
from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.codecs import portfolio as codec
from engine.webapi.endpoints.base import Group, build
from engine.webapi.facts.portfolio import (
    Allocation,
    ComboPosition,
    Invalidated,
    LedgerRow,
    PortfolioAccount,
    PortfolioPosition,
    SubaccountsPage,
    SummaryValue,
)

PAGE: Final = 100  # positions a page
_PAGES: Final = 200  # more than this is a server that never ends a list


def _read(template: str, query: dict[str, object] | None = None, **params: object) -> Call:
    return build("GET", template, Kind.READ, Urgency.ACCOUNT, params=params, query=query)


class Portfolio(Group):
    """What accounts hold. For reconciliation `positions_now` is to be preferred: it is not cached."""

    async def accounts(self, *, deadline_ns: int | None = None) -> tuple[PortfolioAccount, ...]:
        """List accounts; must come before everything else here."""
        return await self._ask(_read("/portfolio/accounts"), codec.accounts, deadline_ns=deadline_ns)

    async def subaccounts(self) -> tuple[PortfolioAccount, ...]:
        """List up to 100 subaccounts of an advisor."""
        return await self._ask(_read("/portfolio/subaccounts"), codec.accounts)

    async def subaccounts_page(self, page: int) -> SubaccountsPage:
        """List one page of many subaccounts, from 0."""
        return await self._ask(_read("/portfolio/subaccounts2", {"page": page}), codec.subaccounts_page)

    async def all_subaccounts(self) -> tuple[PortfolioAccount, ...]:
        """List all subaccounts, page by page."""
        found: list[PortfolioAccount] = []
        for page in range(_PAGES):
            part = await self.subaccounts_page(page)
            found += part.accounts
            if not part.accounts or (part.total is not None and len(found) >= part.total):
                return tuple(found)
        raise VenueUnreachable("GET /portfolio/subaccounts2", "the list of subaccounts does not end")

    async def meta(self, account: str) -> PortfolioAccount:
        """Read one account."""
        return await self._ask(_read("/portfolio/{accountId}/meta", accountId=account), codec.meta)

    async def positions_page(
        self,
        account: str,
        page: int,
        *,
        model: str | None = None,
        sort: str | None = None,
        descending: bool | None = None,
    ) -> tuple[PortfolioPosition, ...]:
        """Read one page of 100 positions, from 0; cached for tens of seconds, and sparse at first."""
        direction = None if descending is None else "d" if descending else "a"
        query: dict[str, object] = {"model": model, "sort": sort, "direction": direction}
        call = _read("/portfolio/{accountId}/positions/{pageId}", query, accountId=account, pageId=page)
        return await self._ask(call, codec.positions)

    async def positions(self, account: str) -> tuple[PortfolioPosition, ...]:
        """Read all pages of the cached positions."""
        found: list[PortfolioPosition] = []
        for page in range(_PAGES):
            rows = await self.positions_page(account, page)
            found += rows
            if len(rows) < PAGE:
                return tuple(found)
        raise VenueUnreachable("GET /portfolio/{accountId}/positions/{pageId}", "the list of positions does not end")

    async def positions_now(self, account: str, *, model: str | None = None) -> tuple[PortfolioPosition, ...]:
        """Read positions in near real time."""
        call = _read("/portfolio2/{accountId}/positions", {"model": model}, accountId=account)
        return await self._ask(call, codec.positions)

    async def position(self, account: str, conid: int) -> tuple[PortfolioPosition, ...]:
        """Read the position in one conid; empty for one that isn't held."""
        call = _read("/portfolio/{accountid}/position/{conid}", accountid=account, conid=conid)
        return await self._ask(call, codec.positions)

    async def position_by_account(self, conid: int) -> dict[str, tuple[PortfolioPosition, ...]]:
        """Read one conid's positions over all accounts."""
        return await self._ask(_read("/portfolio/positions/{conid}", conid=conid), codec.position_by_account)

    async def combos(self, account: str, *, fresh: bool | None = None) -> tuple[ComboPosition, ...]:
        """Read combo positions; `fresh` passes by the cache."""
        call = _read("/portfolio/{accountId}/combo/positions", {"nocache": fresh}, accountId=account)
        return await self._ask(call, codec.combos)

    async def invalidate(self, account: str) -> Invalidated:
        """Drop the venue's cache of positions."""
        params = {"accountId": account}
        call = build(
            "POST", "/portfolio/{accountId}/positions/invalidate", Kind.IDEMPOTENT, Urgency.ACCOUNT, params=params
        )
        return await self._ask(call, codec.invalidated)

    async def ledger(self, account: str) -> dict[str, LedgerRow]:
        """Read balances by currency; "BASE" is their total."""
        return await self._ask(_read("/portfolio/{accountId}/ledger", accountId=account), codec.ledger)

    async def summary(self, account: str) -> dict[str, SummaryValue]:
        """Read equity and margin figures by their lower-case names; `-s` and `-c` are segments."""
        return await self._ask(_read("/portfolio/{accountId}/summary", accountId=account), codec.summary)

    async def allocation(self, account: str, *, model: str | None = None) -> Allocation:
        """Read how an account's money is spread."""
        call = _read("/portfolio/{accountId}/allocation", {"model": model}, accountId=account)
        return await self._ask(call, codec.allocation)

    async def joint_allocation(self, accounts: Sequence[str]) -> Allocation:
        """Read how the money of several accounts is spread."""
        body = {"acctIds": list(accounts)}
        call = build("POST", "/portfolio/allocation", Kind.READ, Urgency.ACCOUNT, body=body)
        return await self._ask(call, codec.allocation)
