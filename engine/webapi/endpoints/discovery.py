"""Finding instruments: by symbol, derivatives of an underlying, lists by exchange, event contracts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.codecs import contracts as codec
from engine.webapi.endpoints.base import Group, build
from engine.webapi.facts.contracts import Strikes
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


def _read(template: str, query: dict[str, object] | None = None) -> Call:
    return build("GET", template, Kind.READ, Urgency.SNAPSHOT, query=query)


class Discovery(Group):
    """A chain is search, then strikes, then one `derivatives` a strike and right; results keep for the day."""

    async def search(
        self, symbol: str, *, sec_type: str | None = None, by_name: bool | None = None
    ) -> tuple[SearchHit, ...]:
        """Find listings. Needed before `strikes` and `derivatives`, which stay empty after a search `by_name`."""
        query: dict[str, object] = {"symbol": symbol, "name": by_name, "secType": sec_type}
        return await self._ask(_read("/iserver/secdef/search", query), codec.search)

    async def search_posted(
        self, symbol: str, *, sec_type: str | None = None, by_name: bool | None = None
    ) -> tuple[SearchHit, ...]:
        """Find listings by POST, for symbols that a URL would not carry well."""
        given = {"symbol": symbol, "name": by_name, "secType": sec_type}
        body = {name: value for name, value in given.items() if value is not None}
        call = build("POST", "/iserver/secdef/search", Kind.READ, Urgency.SNAPSHOT, body=body)
        return await self._ask(call, codec.search)

    async def strikes(self, conid: int, *, sec_type: str, month: str, exchange: str | None = None) -> Strikes:
        """Read the strikes of a month (MMMYY, such as JAN27); both sides empty where the underlying wasn't searched."""
        query: dict[str, object] = {"conid": conid, "sectype": sec_type, "month": month, "exchange": exchange}
        return await self._ask(_read("/iserver/secdef/strikes", query), codec.strikes)

    async def derivatives(
        self,
        conid: int,
        *,
        sec_type: str,
        month: str | None = None,
        strike: Decimal | None = None,
        right: str | None = None,
        exchange: str | None = None,
        issuer: str | None = None,
    ) -> tuple[Derivative, ...]:
        """Read contracts of an underlying: every expiry of the month and every trading class is a row."""
        query: dict[str, object] = {
            "conid": conid,
            "sectype": sec_type,
            "month": month,
            "exchange": exchange,
            "strike": strike,
            "right": right,
            "issuerId": issuer,
        }
        return await self._ask(_read("/iserver/secdef/info", query), codec.derivatives)

    async def bond_filters(self, issuer: str) -> tuple[BondFilter, ...]:
        """Read by what an issuer's bonds can be narrowed."""
        query: dict[str, object] = {"symbol": "BOND", "issuerId": issuer}
        return await self._ask(_read("/iserver/secdef/bond-filters", query), codec.bond_filters)

    async def stocks(self, symbols: Sequence[str]) -> dict[str, tuple[StockCompany, ...]]:
        """Read the companies behind tickers; choose by name and exchange."""
        query: dict[str, object] = {"symbols": [symbol.upper() for symbol in symbols]}
        return await self._ask(_read("/trsrv/stocks", query), codec.stocks)

    async def futures(
        self, symbols: Sequence[str], *, exchange: str | None = None
    ) -> dict[str, tuple[FutureContract, ...]]:
        """Read the live futures of underlyings."""
        query: dict[str, object] = {"symbols": [symbol.upper() for symbol in symbols], "exchange": exchange}
        return await self._ask(_read("/trsrv/futures", query), codec.futures)

    async def all_conids(self, exchange: str, *, asset_class: str | None = None) -> tuple[ListedConid, ...]:
        """Read every stock of an exchange; large."""
        query: dict[str, object] = {"exchange": exchange, "assetClass": asset_class}
        return await self._ask(_read("/trsrv/all-conids", query), codec.all_conids)

    async def forecast_categories(self) -> dict[str, ForecastCategory]:
        """Read the tree of event contracts."""
        return await self._ask(_read("/forecast/category/tree"), codec.forecast_categories)

    async def forecast_market(self, underlying_conid: int, *, exchange: str | None = None) -> ForecastMarket:
        """Read the event contracts of a market."""
        query: dict[str, object] = {"underlyingConid": underlying_conid, "exchange": exchange}
        return await self._ask(_read("/forecast/contract/market", query), codec.forecast_market)

    async def forecast_rules(self, conid: int) -> ForecastRules:
        """Read how an event contract is settled."""
        return await self._ask(_read("/forecast/contract/rules", {"conid": conid}), codec.forecast_rules)

    async def forecast_details(self, conid: int) -> ForecastDetails:
        """Read one event contract."""
        return await self._ask(_read("/forecast/contract/details", {"conid": conid}), codec.forecast_details)

    async def forecast_schedule(self, conid: int) -> ForecastSchedule:
        """Read the trading week of an event contract."""
        return await self._ask(_read("/forecast/contract/schedules", {"conid": conid}), codec.forecast_schedule)
