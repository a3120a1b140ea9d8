"""Returns, values and past transactions of accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from engine.webapi.facts.wire import Fact, wire


class StartValue(Fact, frozen=True, kw_only=True):
    """Value on the day before a series begins."""

    date: str = ""
    value: Annotated[Decimal | None, wire("val")] = None


class AccountSeries(Fact, frozen=True, kw_only=True):
    """One account's part of a series: `values` for net asset values, `returns` for the others, as fractions."""

    id: str = ""
    id_type: Annotated[str, wire("idType")] = ""
    start: str = ""
    end: str = ""
    currency: Annotated[str, wire("baseCurrency")] = ""
    start_value: Annotated[StartValue | None, wire("startNAV")] = None
    values: Annotated[tuple[Decimal, ...], wire("navs")] = ()
    returns: tuple[float, ...] = ()


class Series(Fact, frozen=True, kw_only=True):
    """Dates (YYYYMMDD, or YYYYMM for months) and what each account had on them."""

    frequency: Annotated[str, wire("freq")] = ""
    dates: tuple[str, ...] = ()
    data: tuple[AccountSeries, ...] = ()


class Performance(Fact, frozen=True, kw_only=True):
    """POST /pa/performance. `nav` values, `cumulative` and `periods` returns."""

    nav: Series | None = None
    cumulative: Annotated[Series | None, wire("cps")] = None
    periods: Annotated[Series | None, wire("tpps")] = None
    measure: Annotated[str, wire("pm")] = ""
    currency_type: Annotated[str, wire("currencyType")] = ""
    included: tuple[str, ...] = ()
    days: Annotated[int | None, wire("nd")] = None


class PeriodSeries(Fact, frozen=True, kw_only=True):
    """One period of an account."""

    frequency: Annotated[str, wire("freq")] = ""
    start_value: Annotated[StartValue | None, wire("startNAV")] = None
    dates: tuple[str, ...] = ()
    values: Annotated[tuple[Decimal, ...], wire("nav")] = ()
    returns: Annotated[tuple[float, ...], wire("cps")] = ()


class AllPeriods(msgspec.Struct, frozen=True, kw_only=True):
    """POST /pa/allperiods: by account, then by period ("1D", "7D" ...)."""

    accounts: dict[str, dict[str, PeriodSeries]]
    included: tuple[str, ...] = ()
    currency_type: str = ""


class RealisedRow(Fact, frozen=True, kw_only=True):
    """A realised gain or loss."""

    date: str = ""
    currency: Annotated[str, wire("cur")] = ""
    amount: Annotated[Decimal | None, wire("amt")] = None
    side: str = ""
    conid: int | None = None
    account: Annotated[str, wire("acctid")] = ""
    fx_rate: Annotated[Decimal | None, wire("fxRate")] = None


class Realised(Fact, frozen=True, kw_only=True):
    """Realised gains and losses, and their sum."""

    rows: Annotated[tuple[RealisedRow, ...], wire("data")] = ()
    amount: Annotated[Decimal | None, wire("amt")] = None


class Transaction(Fact, frozen=True, kw_only=True):
    """One booked transaction."""

    date: Annotated[str, wire("rawDate", "date")] = ""
    currency: Annotated[str, wire("cur")] = ""
    fx_rate: Annotated[Decimal | None, wire("fxRate")] = None
    price: Annotated[Decimal | None, wire("pr")] = None
    quantity: Annotated[Decimal | None, wire("qty")] = None
    amount: Annotated[Decimal | None, wire("amt")] = None
    conid: int | None = None
    type: str = ""
    description: Annotated[str, wire("desc")] = ""
    account: Annotated[str, wire("acctid")] = ""


class Transactions(Fact, frozen=True, kw_only=True):
    """POST /pa/transactions."""

    rows: Annotated[tuple[Transaction, ...], wire("transactions")]
    realised: Annotated[Realised | None, wire("rpnl")] = None
    currency: str = ""
    days: Annotated[int | None, wire("nd")] = None
