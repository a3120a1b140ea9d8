"""Portfolio, performance and transactions."""

from __future__ import annotations

from engine.webapi import values
from engine.webapi.codecs import reading
from engine.webapi.facts.performance import AllPeriods, Performance, PeriodSeries, Transactions
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
from engine.webapi.facts.wire import Unreadable

accounts = reading.many(PortfolioAccount)
meta = reading.one(PortfolioAccount)
positions = reading.many(PortfolioPosition)
combos = reading.many(ComboPosition)
ledger = reading.named(LedgerRow)
summary = reading.named(SummaryValue)
allocation = reading.one(Allocation)
performance = reading.one(Performance)
transactions = reading.one(Transactions)


def subaccounts_page(body: bytes) -> SubaccountsPage | Unreadable:
    """GET /portfolio/subaccounts2."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    if not isinstance(value, dict) or "subaccounts" not in value:
        return Unreadable(reason="SubaccountsPage: no subaccounts", excerpt=reading.excerpt(body))
    rows = reading.rows(PortfolioAccount, value["subaccounts"])
    if isinstance(rows, Unreadable):
        return rows
    told = value.get("metadata")
    metadata = told if isinstance(told, dict) else {}
    return SubaccountsPage(
        accounts=rows,
        total=values.integer(metadata.get("total")),
        page_size=values.integer(metadata.get("pageSize")),
        page=values.integer(metadata.get("pageNum", metadata.get("pageNume"))),
    )


def position_by_account(body: bytes) -> dict[str, tuple[PortfolioPosition, ...]] | Unreadable:
    """GET /portfolio/positions/{conid}: an object by account; the documented list is brought into that form."""
    value = reading.parse(body)
    if isinstance(value, list):
        rows = reading.rows(PortfolioPosition, value)
        if isinstance(rows, Unreadable):
            return rows
        names = dict.fromkeys(row.account for row in rows)
        return {name: tuple(row for row in rows if row.account == name) for name in names}
    return reading.listed(PortfolioPosition)(body)


def invalidated(body: bytes) -> Invalidated | Unreadable:
    """POST /portfolio/{accountId}/positions/invalidate: a message, or the first page of positions."""
    value = reading.parse(body)
    return Invalidated() if isinstance(value, list) else reading.one(Invalidated)(body)


def ledger_rows(value: object) -> tuple[LedgerRow, ...] | Unreadable:
    """Read the rows of an `sld` frame; one that carries only its key and time is left out: nothing changed."""
    if not isinstance(value, list):
        return Unreadable(reason="LedgerRow: not a list", excerpt=reading.excerpt(value))
    told = [row for row in value if not isinstance(row, dict) or row.keys() - {"key", "timestamp"}]
    return reading.rows(LedgerRow, [_with_currency(row) for row in told])


def _with_currency(row: object) -> object:
    """Give a row that names its currency only in its key ("LedgerListUSD") that currency."""
    if isinstance(row, dict) and not row.keys() & {"currency", "secondKey", "secondkey"}:
        key = values.text(row.get("key")) or ""
        return {**row, "currency": key.removeprefix("LedgerList")} if key.startswith("LedgerList") else row
    return row


def summary_rows(value: object) -> dict[str, SummaryValue] | Unreadable:
    """Read the rows of an `ssd` frame by their key, lower case as in the REST answer."""
    if not isinstance(value, list):
        return Unreadable(reason="SummaryValue: not a list", excerpt=reading.excerpt(value))
    found: dict[str, SummaryValue] = {}
    for row in value:
        key = values.text(row.get("key")) if isinstance(row, dict) else None
        got = reading.fact(SummaryValue, row)
        if key is None or isinstance(got, Unreadable):
            return Unreadable(reason="SummaryValue: no key", excerpt=reading.excerpt(row))
        found[key.lower()] = got
    return found


def all_periods(body: bytes) -> AllPeriods | Unreadable:
    """POST /pa/allperiods: accounts stand beside the answer's own keys; what holds periods is an account."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    if not isinstance(value, dict):
        return Unreadable(reason="AllPeriods: not an object", excerpt=reading.excerpt(body))
    found: dict[str, dict[str, PeriodSeries]] = {}
    for name, entry in value.items():
        if not isinstance(entry, dict):
            continue
        read = {period: reading.fact(PeriodSeries, item) for period, item in entry.items() if _is_period(item)}
        held = {period: got for period, got in read.items() if isinstance(got, PeriodSeries)}
        if held:
            found[name] = held
    if not found and "included" not in value:
        return Unreadable(reason="AllPeriods: no account", excerpt=reading.excerpt(body))
    included = value.get("included")
    words = [values.text(item) for item in included] if isinstance(included, list) else []
    return AllPeriods(
        accounts=found,
        included=tuple(word for word in words if word),
        currency_type=values.text(value.get("currencyType")) or "",
    )


def _is_period(item: object) -> bool:
    return isinstance(item, dict) and bool(reading.told(PeriodSeries, item))
