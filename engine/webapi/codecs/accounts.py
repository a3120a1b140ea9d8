"""Answers of the `/iserver` account endpoints."""

from __future__ import annotations

from engine.webapi.codecs import reading
from engine.webapi.facts.accounts import (
    AccountSummary,
    AccountSwitch,
    BrokerageAccounts,
    MatchedAccount,
    PnlRow,
    Signatures,
    SummaryPage,
)
from engine.webapi.facts.wire import Unreadable

accounts = reading.one(BrokerageAccounts)
switch = reading.one(AccountSwitch)
summary = reading.one(AccountSummary)
matched = reading.many(MatchedAccount, "matchedAccounts")
signatures = reading.one(Signatures)


def pnl(body: bytes) -> dict[str, PnlRow] | Unreadable:
    """GET /iserver/account/pnl/partitioned: rows by "ACCOUNT.Core" or "ACCOUNT.model"; {} when cold."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    if not isinstance(value, dict) or "upnl" not in value:
        return Unreadable(reason="PnlRow: no upnl", excerpt=reading.excerpt(body))
    return pnl_of(value["upnl"])


def pnl_of(value: object) -> dict[str, PnlRow] | Unreadable:
    """Read rows of profit and loss from parsed JSON (also the args of `spl`)."""
    if not isinstance(value, dict):
        return {} if value in (None, [], "") else Unreadable(reason="PnlRow: not an object")
    found: dict[str, PnlRow] = {}
    for name, item in value.items():
        row = reading.fact(PnlRow, item)
        if isinstance(row, Unreadable):
            return row
        found[name] = row
    return found


def page(body: bytes) -> SummaryPage | Unreadable:
    """GET /iserver/account/{accountId}/summary/...: display texts by segment."""
    value = reading.parse(body)
    return value if isinstance(value, Unreadable) else reading.fact(SummaryPage, {"segments": value})
