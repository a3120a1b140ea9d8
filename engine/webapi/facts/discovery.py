"""How a contract is found: symbol search, derivative contracts, stock and future lists, event contracts."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from engine.webapi import values
from engine.webapi.facts.contracts import listed
from engine.webapi.facts.wire import Fact, wire


class Section(Fact, frozen=True, kw_only=True):
    """What is derived from a search hit: options with their months and exchanges, futures, CFDs, combos."""

    sec_type: Annotated[str, wire("secType")] = ""
    months: Annotated[tuple[str, ...], wire("months", read=listed)] = ()
    exchanges: Annotated[tuple[str, ...], wire("exchange", read=listed)] = ()
    conid: int | None = None


class Issuer(Fact, frozen=True, kw_only=True):
    """An issuer of bonds."""

    id: str
    name: str = ""


class SearchHit(Fact, frozen=True, kw_only=True):
    """One listing that a search found; `exchange` is its primary exchange. Bond families have issuers and no conid."""

    conid: int | None = None
    symbol: str = ""
    company: Annotated[str, wire("companyName")] = ""
    header: Annotated[str, wire("companyHeader")] = ""
    exchange: Annotated[str, wire("description")] = ""
    sec_type: Annotated[str, wire("secType")] = ""
    restricted: str | None = None
    sections: tuple[Section, ...] = ()
    issuers: tuple[Issuer, ...] = ()


class Derivative(Fact, frozen=True, kw_only=True):
    """One contract of a month, strike and right: each expiry and trading class of the month is a row of its own."""

    conid: int
    symbol: str = ""
    sec_type: Annotated[str, wire("secType")] = ""
    exchange: str = ""
    listing_exchange: Annotated[str, wire("listingExchange")] = ""
    exchanges: Annotated[tuple[str, ...], wire("validExchanges", read=listed)] = ()
    right: str = ""
    strike: Decimal | None = None
    currency: str = ""
    maturity: Annotated[str | None, wire("maturityDate", read=values.day)] = None
    multiplier: Decimal | None = None
    trading_class: Annotated[str, wire("tradingClass")] = ""
    description: Annotated[str, wire("desc2", "desc1")] = ""
    cusip: str = ""
    coupon: str = ""


class BondChoice(Fact, frozen=True, kw_only=True):
    """One value of a bond filter."""

    text: str = ""
    value: str = ""


class BondFilter(Fact, frozen=True, kw_only=True):
    """A column by which an issuer's bonds can be narrowed."""

    column: Annotated[int | None, wire("columnId")] = None
    text: Annotated[str, wire("displayText")] = ""
    options: tuple[BondChoice, ...] = ()


class StockListing(Fact, frozen=True, kw_only=True):
    """One exchange on which a company's stock is listed."""

    conid: int
    exchange: str = ""
    us: Annotated[bool | None, wire("isUS")] = None


class StockCompany(Fact, frozen=True, kw_only=True):
    """A company by one ticker; leveraged products and receipts with like names stand beside it."""

    name: str = ""
    asset_class: Annotated[str, wire("assetClass")] = ""
    listings: Annotated[tuple[StockListing, ...], wire("contracts")] = ()


class FutureContract(Fact, frozen=True, kw_only=True):
    """A live future. Dates are YYYYMMDD."""

    conid: int
    symbol: str = ""
    underlying_conid: Annotated[int | None, wire("underlyingConid")] = None
    expires: Annotated[str | None, wire("expirationDate", read=values.day)] = None
    last_trading_day: Annotated[str | None, wire("ltd", read=values.day)] = None
    long_cutoff: Annotated[str | None, wire("longFuturesCutOff", read=values.day)] = None
    short_cutoff: Annotated[str | None, wire("shortFuturesCutOff", read=values.day)] = None


class ListedConid(Fact, frozen=True, kw_only=True):
    """One stock of an exchange."""

    conid: int
    ticker: str = ""
    exchange: str = ""


class ForecastProduct(Fact, frozen=True, kw_only=True):
    """A market of event contracts in a category."""

    conid: int
    name: str = ""
    symbol: str = ""
    exchange: str = ""
    product_conid: int | None = None


class ForecastCategory(Fact, frozen=True, kw_only=True):
    """A node of the tree of event contracts."""

    name: str = ""
    parent: Annotated[str, wire("parent_id")] = ""
    markets: tuple[ForecastProduct, ...] = ()


class ForecastContract(Fact, frozen=True, kw_only=True):
    """One side of one question."""

    conid: int
    side: str = ""
    expiration: Annotated[str | None, wire("expiration", read=values.day)] = None
    strike: Decimal | None = None
    strike_label: str = ""
    expiry_label: str = ""
    underlying_conid: int | None = None


class ForecastMarket(Fact, frozen=True, kw_only=True):
    """A market and its contracts."""

    name: Annotated[str, wire("market_name")] = ""
    symbol: str = ""
    exchange: str = ""
    payout: Decimal | None = None
    contracts: tuple[ForecastContract, ...]


class ForecastDetails(Fact, frozen=True, kw_only=True):
    """One event contract with both its sides."""

    conid_yes: int
    conid_no: int
    question: str = ""
    side: str = ""
    strike: Decimal | None = None
    strike_label: str = ""
    exchange: str = ""
    expiration: Annotated[str | None, wire("expiration", read=values.day)] = None
    symbol: str = ""
    category: str = ""
    measured_period: str = ""
    market_name: str = ""
    underlying_conid: int | None = None
    payout: Decimal | None = None


class ForecastRules(Fact, frozen=True, kw_only=True):
    """How an event contract is settled."""

    market_name: str
    description: str = ""
    threshold: str = ""
    source: Annotated[str, wire("source_agency")] = ""
    measured_period: str = ""
    payout: str = ""
    price_increment: str = ""
    product_code: str = ""
    zone: Annotated[str, wire("exchange_timezone")] = ""
    last_trade_ns: Annotated[int | None, wire("last_trade_time", read=values.epoch_ns)] = None
    release_ns: Annotated[int | None, wire("release_time", read=values.epoch_ns)] = None
    payout_ns: Annotated[int | None, wire("payout_time", read=values.epoch_ns)] = None


class ForecastHours(Fact, frozen=True, kw_only=True):
    """A span of trading in words, such as "4:16 PM"."""

    open: str = ""
    close: str = ""


class ForecastDay(Fact, frozen=True, kw_only=True):
    """A weekday's spans."""

    weekday: Annotated[str, wire("day_of_week")]
    hours: Annotated[tuple[ForecastHours, ...], wire("trading_times")] = ()


class ForecastSchedule(Fact, frozen=True, kw_only=True):
    """The week of an event contract."""

    zone: Annotated[str, wire("timezone")] = ""
    days: Annotated[tuple[ForecastDay, ...], wire("trading_schedules")]
