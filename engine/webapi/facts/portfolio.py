"""What the portfolio endpoints tell: accounts, positions in both forms, ledger, summary, allocation."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from engine.webapi import values
from engine.webapi.facts.contracts import PriceIncrement, listed
from engine.webapi.facts.wire import Fact, wire


class PortfolioAccount(Fact, frozen=True, kw_only=True):
    """One account that can be looked at. `type` is "DEMO" for paper."""

    account: Annotated[str, wire("accountId", "id", read=values.identifier)]
    title: Annotated[str, wire("accountTitle")] = ""
    name: Annotated[str, wire("displayName")] = ""
    alias: Annotated[str, wire("accountAlias")] = ""
    currency: str = ""
    type: str = ""
    trading_type: Annotated[str, wire("tradingType")] = ""
    business_type: Annotated[str, wire("businessType")] = ""
    entity: Annotated[str, wire("ibEntity")] = ""
    advisor: Annotated[bool | None, wire("faclient")] = None
    clearing: Annotated[str, wire("clearingStatus")] = ""
    brokerage: Annotated[bool | None, wire("brokerageAccess")] = None
    opened_ns: Annotated[int | None, wire("accountStatus", read=values.ms_ns)] = None


class SubaccountsPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of `/portfolio/subaccounts2`; `total` over all pages where told."""

    accounts: tuple[PortfolioAccount, ...]
    total: int | None = None
    page_size: int | None = None
    page: int | None = None


class PortfolioPosition(Fact, frozen=True, kw_only=True):
    """One position. `average_cost` includes the multiplier, `average_price` does not; zero quantities are closed ones.

    The paged form is cached for tens of seconds; the `/portfolio2` form is not and has fewer fields.
    """

    conid: int
    quantity: Annotated[Decimal, wire("position")]
    account: Annotated[str, wire("acctId", "accountId")] = ""
    description: Annotated[str, wire("contractDesc", "description")] = ""
    ticker: str = ""
    currency: str = ""
    average_cost: Annotated[Decimal | None, wire("avgCost")] = None
    average_price: Annotated[Decimal | None, wire("avgPrice")] = None
    market_price: Annotated[float | None, wire("mktPrice", "marketPrice")] = None
    market_value: Annotated[Decimal | None, wire("mktValue", "marketValue")] = None
    realised: Annotated[Decimal | None, wire("realizedPnl")] = None
    unrealised: Annotated[Decimal | None, wire("unrealizedPnl")] = None
    asset_class: Annotated[str, wire("assetClass", "secType")] = ""
    listing_exchange: Annotated[str, wire("listingExchange")] = ""
    exchanges: Annotated[tuple[str, ...], wire("allExchanges", read=listed)] = ()
    expiry: Annotated[str | None, wire("expiry", read=values.day)] = None
    right: Annotated[str, wire("putOrCall")] = ""
    strike: Decimal | None = None
    multiplier: Decimal | None = None
    underlying_conid: Annotated[int | None, wire("undConid")] = None
    model: str = ""
    sector: str = ""
    group: str = ""
    increments: Annotated[tuple[PriceIncrement, ...], wire("incrementRules")] = ()
    told_ns: Annotated[int | None, wire("timestamp", read=values.epoch_ns)] = None


class ComboLeg(Fact, frozen=True, kw_only=True):
    """A leg of a combo position; ratios below zero are sold."""

    conid: int
    ratio: Decimal


class ComboPosition(Fact, frozen=True, kw_only=True):
    """Positions that belong to one combo."""

    name: str = ""
    description: str = ""
    legs: tuple[ComboLeg, ...] = ()
    positions: tuple[PortfolioPosition, ...] = ()


class LedgerRow(Fact, frozen=True, kw_only=True):
    """Balances of one currency in it; "BASE" is the total in the base currency. The `sld` spelling is read too."""

    currency: Annotated[str, wire("currency", "secondkey", "secondKey")]
    account: Annotated[str, wire("acctcode", "acctCode")] = ""
    cash: Annotated[Decimal | None, wire("cashbalance", "cashBalance")] = None
    settled: Annotated[Decimal | None, wire("settledcash", "settledCash")] = None
    net_liquidation: Annotated[Decimal | None, wire("netliquidationvalue", "netLiquidationValue")] = None
    realised: Annotated[Decimal | None, wire("realizedpnl", "realizedPnl")] = None
    unrealised: Annotated[Decimal | None, wire("unrealizedpnl", "unrealizedPnl")] = None
    exchange_rate: Annotated[Decimal | None, wire("exchangerate", "exchangeRate")] = None
    stocks: Annotated[Decimal | None, wire("stockmarketvalue", "stockMarketValue")] = None
    options: Annotated[Decimal | None, wire("stockoptionmarketvalue", "stockOptionMarketValue")] = None
    futures: Annotated[Decimal | None, wire("futuremarketvalue", "futureMarketValue")] = None
    future_options: Annotated[Decimal | None, wire("futureoptionmarketvalue", "futureOptionMarketValue")] = None
    futures_pnl: Annotated[Decimal | None, wire("futuresonlypnl", "futuresOnlyPnl")] = None
    crypto: Annotated[Decimal | None, wire("cryptocurrencyvalue")] = None
    interest: Decimal | None = None
    dividends: Decimal | None = None
    funds: Decimal | None = None
    told_ns: Annotated[int | None, wire("timestamp", read=values.epoch_ns)] = None


class SummaryValue(Fact, frozen=True, kw_only=True):
    """One figure of the portfolio summary: text-valued keys have `text` and an amount of 0."""

    amount: Annotated[Decimal | None, wire("amount", "monetaryValue")] = None
    currency: str = ""
    text: Annotated[str | None, wire("value")] = None
    is_null: Annotated[bool | None, wire("isNull", "isNone")] = None
    told_ns: Annotated[int | None, wire("timestamp", read=values.epoch_ns)] = None


class LongShort(Fact, frozen=True, kw_only=True):
    """Market values by class, long and short."""

    long: dict[str, Decimal] = msgspec.field(default_factory=dict)
    short: dict[str, Decimal] = msgspec.field(default_factory=dict)


class Allocation(Fact, frozen=True, kw_only=True):
    """How the money is spread."""

    asset_class: Annotated[LongShort, wire("assetClass")]
    sector: LongShort = LongShort()
    group: LongShort = LongShort()


class Invalidated(Fact, frozen=True, kw_only=True):
    """The position cache was dropped."""

    message: str = ""
