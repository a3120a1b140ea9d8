"""Accounts of the brokerage session."""

from __future__ import annotations

from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.codecs import accounts as codec
from engine.webapi.endpoints.base import Group, build
from engine.webapi.facts.accounts import (
    AccountSummary,
    AccountSwitch,
    BrokerageAccounts,
    MatchedAccount,
    PnlRow,
    Signatures,
    SummaryPage,
)


def _read(template: str, **params: object) -> Call:
    return build("GET", template, Kind.READ, Urgency.ACCOUNT, params=params)


class Accounts(Group):
    """`/iserver` accounts. `accounts` must be the first call of every brokerage session."""

    async def accounts(self, *, deadline_ns: int | None = None) -> BrokerageAccounts:
        """List the accounts; unlocks orders, snapshots and the websocket's market data."""
        return await self._ask(_read("/iserver/accounts"), codec.accounts, deadline_ns=deadline_ns)

    async def switch(self, account: str) -> AccountSwitch:
        """Choose the account that order status, trades and live orders follow, for all users of the session."""
        body = {"acctId": account}
        return await self._ask(
            build("POST", "/iserver/account", Kind.IDEMPOTENT, Urgency.ACCOUNT, body=body), codec.switch
        )

    async def pnl(self) -> dict[str, PnlRow]:
        """Read profit and loss by "ACCOUNT.Core"; {} on the first call of a session."""
        return await self._ask(_read("/iserver/account/pnl/partitioned"), codec.pnl)

    async def summary(self, account: str) -> AccountSummary:
        """Read equity and margin."""
        call = _read("/iserver/account/{accountId}/summary", accountId=account)
        return await self._ask(call, codec.summary)

    async def available_funds(self, account: str) -> SummaryPage:
        """Read funds as display texts."""
        return await self._ask(
            _read("/iserver/account/{accountId}/summary/available_funds", accountId=account), codec.page
        )

    async def balances(self, account: str) -> SummaryPage:
        """Read balances as display texts."""
        return await self._ask(_read("/iserver/account/{accountId}/summary/balances", accountId=account), codec.page)

    async def margins(self, account: str) -> SummaryPage:
        """Read margins as display texts."""
        return await self._ask(_read("/iserver/account/{accountId}/summary/margins", accountId=account), codec.page)

    async def market_value(self, account: str) -> SummaryPage:
        """Read market values as display texts, by currency."""
        return await self._ask(
            _read("/iserver/account/{accountId}/summary/market_value", accountId=account), codec.page
        )

    async def search(self, pattern: str) -> tuple[MatchedAccount, ...]:
        """Find accounts by a pattern; only for users with the dynamic account property."""
        call = _read("/iserver/account/search/{searchPattern}", searchPattern=pattern)
        return await self._ask(call, codec.matched)

    async def set_dynamic(self, account: str) -> AccountSwitch:
        """Choose a dynamic account; only for users with that property."""
        body = {"acctId": account}
        return await self._ask(
            build("POST", "/iserver/dynaccount", Kind.IDEMPOTENT, Urgency.ACCOUNT, body=body), codec.switch
        )

    async def signatures(self, account: str) -> Signatures:
        """Read who owns an account and who may sign for it."""
        return await self._ask(_read("/acesws/{accountId}/signatures-and-owners", accountId=account), codec.signatures)
