"""Contracts: info, rules, algos, definitions, schedules, currencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.webapi.budgets import CONIDS, batches
from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.codecs import contracts as codec
from engine.webapi.endpoints.base import Group, build
from engine.webapi.facts.contracts import (
    Algo,
    ContractInfo,
    ContractRules,
    CurrencyPair,
    Rate,
    SecurityDefinition,
    TradingSchedule,
    VenueSchedule,
)

ALGOS_AT_ONCE: Final = 8
_PREFLIGHTS: Final = 3  # how often an empty list of algos is asked for anew


def _read(template: str, query: dict[str, object] | None = None, **params: object) -> Call:
    return build("GET", template, Kind.READ, Urgency.SNAPSHOT, params=params, query=query)


class Contracts(Group):
    """What is known of a contract by its conid."""

    async def info(self, conid: int) -> ContractInfo:
        """Read one contract."""
        return await self._ask(_read("/iserver/contract/{conid}/info", conid=conid), codec.info)

    async def rules(self, conid: int, *, buy: bool = True, modifies: int | None = None) -> ContractRules:
        """Read how an order may look; `modifies` is the order id where a modification is meant."""
        body: dict[str, object] = {"conid": conid, "isBuy": buy, "modifyOrder": modifies is not None}
        if modifies is not None:
            body["orderId"] = modifies
        call = build("POST", "/iserver/contract/rules", Kind.READ, Urgency.SNAPSHOT, body=body)
        return await self._ask(call, codec.rules, errors_inside=True)

    async def info_and_rules(self, conid: int, *, buy: bool | None = None) -> ContractInfo:
        """Read one contract with its rules."""
        call = _read("/iserver/contract/{conid}/info-and-rules", {"isBuy": buy}, conid=conid)
        return await self._ask(call, codec.info)

    async def algos(
        self, conid: int, algos: Sequence[str] = (), *, descriptions: bool = True, parameters: bool = True
    ) -> tuple[Algo, ...]:
        """Read the algos a contract offers, of which `algos` names at most 8; the first answer may be empty.

        Raises: ValueError for more than 8 names.
        """
        if len(algos) > ALGOS_AT_ONCE:
            raise ValueError(f"at most {ALGOS_AT_ONCE} algos can be asked for at once")
        query: dict[str, object] = {
            "algos": ";".join(algos) or None,
            "addDescription": 1 if descriptions else 0,
            "addParams": 1 if parameters else 0,
        }
        found: tuple[Algo, ...] = ()
        for _ in range(_PREFLIGHTS):
            found = await self._ask(_read("/iserver/contract/{conid}/algos", query, conid=conid), codec.algos)
            if found:
                break
        return found

    async def definitions(self, conids: Sequence[int]) -> tuple[SecurityDefinition, ...]:
        """Read what conids stand for, 200 a call; needs no brokerage session."""
        found: list[SecurityDefinition] = []
        for part in batches(tuple(dict.fromkeys(conids)), CONIDS["/trsrv/secdef"]):
            found += await self._ask(_read("/trsrv/secdef", {"conids": part}), codec.definitions)
        return tuple(found)

    async def trading_schedule(self, conid: int, *, exchange: str | None = None) -> TradingSchedule:
        """Read some six days of hours, in absolute times."""
        call = _read("/contract/trading-schedule", {"conid": conid, "exchange": exchange})
        return await self._ask(call, codec.trading_schedule)

    async def venue_schedules(
        self, asset_class: str, symbol: str, *, exchange: str | None = None, exchange_filter: str | None = None
    ) -> tuple[VenueSchedule, ...]:
        """Read the older form of schedules, by symbol."""
        query: dict[str, object] = {
            "assetClass": asset_class,
            "symbol": symbol,
            "exchange": exchange,
            "exchangeFilter": exchange_filter,
        }
        return await self._ask(_read("/trsrv/secdef/schedule", query), codec.venue_schedules)

    async def currency_pairs(self, currency: str) -> dict[str, tuple[CurrencyPair, ...]]:
        """Read the pairs of a currency."""
        return await self._ask(_read("/iserver/currency/pairs", {"currency": currency}), codec.pairs)

    async def exchange_rate(self, source: str, target: str) -> Rate:
        """Read an exchange rate."""
        call = _read("/iserver/exchangerate", {"source": source, "target": target})
        return await self._ask(call, codec.rate)
