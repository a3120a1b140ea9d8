"""Contracts, their rules and schedules, and how they are found."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from engine.webapi import values
from engine.webapi.codecs import reading
from engine.webapi.facts.contracts import (
    Algo,
    ContractInfo,
    ContractRules,
    CurrencyPair,
    Rate,
    SecurityDefinition,
    Strikes,
    TradingSchedule,
    VenueSchedule,
)
from engine.webapi.facts.discovery import (
    BondFilter,
    Derivative,
    ForecastCategory,
    ForecastDetails,
    ForecastMarket,
    ForecastRules,
    ForecastSchedule,
    FutureContract,
    ListedConid,
    SearchHit,
    StockCompany,
)
from engine.webapi.facts.wire import Unreadable

info = reading.one(ContractInfo)
algos = reading.many(Algo, "algos")
definitions = reading.many(SecurityDefinition, "secdef")
trading_schedule = reading.one(TradingSchedule)
venue_schedules = reading.many(VenueSchedule)
pairs = reading.listed(CurrencyPair)
rate = reading.one(Rate)
search = reading.many(SearchHit)
derivatives = reading.many(Derivative)
bond_filters = reading.many(BondFilter, "bondFilters")
stocks = reading.listed(StockCompany)
futures = reading.listed(FutureContract)
all_conids = reading.many(ListedConid)
forecast_market = reading.one(ForecastMarket)
forecast_details = reading.one(ForecastDetails)
forecast_rules = reading.one(ForecastRules)
forecast_schedule = reading.one(ForecastSchedule)

_RULE_KEYS: Final = frozenset(
    {"orderTypes", "tifTypes", "increment", "incrementRules", "algoEligible", "canTradeAcctIds", "error"}
)


def rules(body: bytes) -> ContractRules | Unreadable:
    """POST /iserver/contract/rules: at least one of the keys of rules must be there."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    if isinstance(value, dict) and not value.keys() & _RULE_KEYS:
        return Unreadable(reason="ContractRules: none of its keys", excerpt=reading.excerpt(body))
    return reading.fact(ContractRules, value)


def strikes(body: bytes) -> Strikes | Unreadable:
    """GET /iserver/secdef/strikes."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    if not isinstance(value, dict) or not ("call" in value or "put" in value):
        return Unreadable(reason="Strikes: neither call nor put", excerpt=reading.excerpt(body))
    return Strikes(calls=_numbers(value.get("call")), puts=_numbers(value.get("put")))


def _numbers(value: object) -> tuple[Decimal, ...]:
    read = (values.decimal(item) for item in value) if isinstance(value, list) else ()
    return tuple(number for number in read if number is not None)


def forecast_categories(body: bytes) -> dict[str, ForecastCategory] | Unreadable:
    """GET /forecast/category/tree: nodes by their id."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("categories"), dict):
        return Unreadable(reason="ForecastCategory: no categories", excerpt=reading.excerpt(body))
    found: dict[str, ForecastCategory] = {}
    for name, item in value["categories"].items():
        got = reading.fact(ForecastCategory, item)
        if isinstance(got, Unreadable):
            return got
        found[name] = got
    return found
