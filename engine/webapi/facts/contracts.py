"""What a contract is and how it trades: contract info, rules, algos, security definitions, schedules."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec

from engine.webapi import values
from engine.webapi.facts.wire import Fact, wire


def listed(value: object) -> tuple[str, ...] | None:
    """Read words from a list, or from a text that separates them by commas or semicolons."""
    if isinstance(value, str):
        value = value.replace(";", ",").split(",")
    if not isinstance(value, list):
        return None
    words = (values.text(item) for item in value)
    return tuple(word.strip() for word in words if word and word.strip())


class PriceIncrement(Fact, frozen=True, kw_only=True):
    """From the price `lower_edge` on, prices are multiples of `increment`."""

    lower_edge: Annotated[Decimal, wire("lowerEdge")]
    increment: Decimal


class ContractRules(Fact, frozen=True, kw_only=True):
    """How an order in a contract may look. Type names are a namespace of their own ("limit", "stop_limit" ...).

    `size_step` is a step of the user interface (100 for stocks that trade in single shares): not to be enforced.
    """

    order_types: Annotated[tuple[str, ...], wire("orderTypes", read=listed)] = ()
    order_types_outside: Annotated[tuple[str, ...], wire("orderTypesOutside", read=listed)] = ()
    algo_types: Annotated[tuple[str, ...], wire("ibAlgoTypes", read=listed)] = ()
    fraction_types: Annotated[tuple[str, ...], wire("fraqTypes", read=listed)] = ()
    cash_types: Annotated[tuple[str, ...], wire("cqtTypes", read=listed)] = ()
    tif_types: Annotated[tuple[str, ...], wire("tifTypes")] = ()  # "IOC/MARKET,LIMIT": commas belong to one entry
    increment: Decimal | None = None
    increment_digits: Annotated[int | None, wire("incrementDigits")] = None
    increments: Annotated[tuple[PriceIncrement, ...], wire("incrementRules")] = ()
    size_step: Annotated[Decimal | None, wire("sizeIncrement")] = None
    default_size: Annotated[Decimal | None, wire("defaultSize")] = None
    fraction_digits: Annotated[int | None, wire("fraqInt")] = None
    cash_currency: Annotated[str, wire("cashCcy")] = ""
    price_magnifier: Annotated[int | None, wire("priceMagnifier")] = None
    negative_capable: Annotated[bool | None, wire("negativeCapable")] = None
    algo_eligible: Annotated[bool | None, wire("algoEligible")] = None
    overnight_eligible: Annotated[bool | None, wire("overnightEligible")] = None
    all_or_none: Annotated[bool | None, wire("allOrNoneEligible")] = None
    accounts: Annotated[tuple[str, ...], wire("canTradeAcctIds", read=listed)] = ()
    limit_price: Annotated[Decimal | None, wire("limitPrice")] = None
    stop_price: Annotated[Decimal | None, wire("stopprice", "stopPrice")] = None
    error: str = ""


class ContractInfo(Fact, frozen=True, kw_only=True):
    """One contract. `multiplier` is None where the wire has none (stocks)."""

    conid: Annotated[int, wire("con_id", "conid")]
    symbol: str = ""
    local_symbol: str = ""
    company: Annotated[str, wire("company_name")] = ""
    sec_type: Annotated[str, wire("instrument_type")] = ""
    currency: str = ""
    exchange: str = ""
    exchanges: Annotated[tuple[str, ...], wire("valid_exchanges", read=listed)] = ()
    trading_class: str = ""
    multiplier: Decimal | None = None
    maturity: Annotated[str | None, wire("maturity_date", read=values.day)] = None
    contract_month: str = ""
    underlying_conid: Annotated[int | None, wire("underlying_con_id")] = None
    cusip: str = ""
    industry: str = ""
    category: str = ""
    regular_hours: Annotated[bool | None, wire("r_t_h")] = None
    smart: Annotated[bool | None, wire("smart_available")] = None
    text: str = ""
    rules: ContractRules | None = None


class AlgoParameter(Fact, frozen=True, kw_only=True):
    """One parameter of an algo; values as printed."""

    name: str = ""
    id: str
    type: Annotated[str, wire("valueClassName")] = ""
    required: bool | None = None
    default: Annotated[str | None, wire("defaultValue")] = None
    least: Annotated[str | None, wire("minValue")] = None
    most: Annotated[str | None, wire("maxValue")] = None
    choices: Annotated[tuple[str, ...], wire("legalStrings", read=listed)] = ()


class Algo(Fact, frozen=True, kw_only=True):
    """An algo that a contract offers."""

    id: str
    name: str = ""
    description: str = ""
    parameters: tuple[AlgoParameter, ...] = ()


class SecurityDefinition(Fact, frozen=True, kw_only=True):
    """GET /trsrv/secdef: what a conid stands for; needs no brokerage session."""

    conid: int
    ticker: str = ""
    name: str = ""
    full_name: Annotated[str, wire("fullName")] = ""
    asset_class: Annotated[str, wire("assetClass")] = ""
    currency: str = ""
    listing_exchange: Annotated[str, wire("listingExchange")] = ""
    exchanges: Annotated[tuple[str, ...], wire("allExchanges", read=listed)] = ()
    expiry: Annotated[str | None, wire("expiry", read=values.day)] = None
    last_trading_day: Annotated[str | None, wire("lastTradingDay", read=values.day)] = None
    right: Annotated[str, wire("putOrCall")] = ""
    strike: Decimal | None = None
    underlying_conid: Annotated[int | None, wire("undConid")] = None
    multiplier: Decimal | None = None
    type: str = ""
    increments: Annotated[tuple[PriceIncrement, ...], wire("incrementRules")] = ()
    country: Annotated[str, wire("countryCode")] = ""
    sector: str = ""
    group: str = ""


class Hours(Fact, frozen=True, kw_only=True):
    """A span of trading, in nanoseconds UTC; `cancels_day_orders` where DAY orders end with it."""

    opening_ns: Annotated[int, wire("opening", read=values.s_ns)]
    closing_ns: Annotated[int, wire("closing", read=values.s_ns)]
    cancels_day_orders: Annotated[bool | None, wire("cancel_daily_orders")] = None


class TradingDay(Fact, frozen=True, kw_only=True):
    """Liquid and extended hours of one date."""

    liquid: Annotated[tuple[Hours, ...], wire("liquid_hours")] = ()
    extended: Annotated[tuple[Hours, ...], wire("extended_hours")] = ()


class TradingSchedule(Fact, frozen=True, kw_only=True):
    """GET /contract/trading-schedule: some six days by YYYYMMDD, holidays missing."""

    zone: Annotated[str, wire("exchange_time_zone")] = ""
    days: Annotated[dict[str, TradingDay], wire("schedules")]


class VenueSession(Fact, frozen=True, kw_only=True):
    """Opening and closing as HHMM of the venue's zone."""

    opening: Annotated[str, wire("openingTime")] = ""
    closing: Annotated[str, wire("closingTime")] = ""
    kind: Annotated[str, wire("prop")] = ""
    cancels_day_orders: Annotated[bool | None, wire("cancelDayOrders")] = None


class VenueDay(Fact, frozen=True, kw_only=True):
    """A date; 20000101 to 20000107 stand for any Saturday to any Friday."""

    date: Annotated[str, wire("tradingScheduleDate")] = ""
    clearing: Annotated[str, wire("clearingCycleEndTime")] = ""
    sessions: tuple[VenueSession, ...] = ()
    trading: Annotated[tuple[VenueSession, ...], wire("tradingtimes", "tradingTimes")] = ()


class VenueSchedule(Fact, frozen=True, kw_only=True):
    """GET /trsrv/secdef/schedule, the older form: one venue's days."""

    id: str = ""
    venue: Annotated[str, wire("tradeVenueId")] = ""
    exchange: str = ""
    zone: Annotated[str, wire("timezone")] = ""
    days: Annotated[tuple[VenueDay, ...], wire("schedules")] = ()


class CurrencyPair(Fact, frozen=True, kw_only=True):
    """A pair that can be traded."""

    conid: int
    symbol: str = ""
    other: Annotated[str, wire("ccyPair")] = ""


class Rate(Fact, frozen=True, kw_only=True):
    """An exchange rate."""

    rate: Decimal


class Strikes(msgspec.Struct, frozen=True, kw_only=True):
    """Strikes of a month, over all its expiries: a strike need not exist on each. Empty both: search was not called."""

    calls: tuple[Decimal, ...]
    puts: tuple[Decimal, ...]
