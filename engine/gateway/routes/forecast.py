"""Event contracts: a small tree of made-up markets, each with questions that are answered by yes or no.

They can be discovered, not traded: the simulated venue quotes none. A conid counts on from its market's, two to a
question.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from attrs import frozen

from engine.domain.moments import NS_PER_S
from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall

_EXCHANGE: Final = "FORECASTX"
_ZONE: Final = "US/Central"
_CENTRAL: Final = ZoneInfo(_ZONE)
_CLOSE_HOUR: Final = 16
_DAYS: Final = ("Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_SPANS: Final = (("12:00 AM", "4:00 PM"), ("4:15 PM", "11:59 PM"))


@frozen
class _Market:
    conid: int
    symbol: str
    name: str
    category: str
    question: str  # with places for the strike's label and the period
    label: str
    strikes: tuple[float, ...]
    source: str


@frozen
class _Contract:
    market: _Market
    conid: int
    strike: float
    yes: bool
    day: str  # YYYYMMDD

    @property
    def label(self) -> str:
        """The strike in words."""
        return self.market.label.format(f"{self.strike:g}")

    @property
    def period(self) -> str:
        """What is measured: the day, as `Dec31'26`."""
        return f"{datetime.strptime(self.day, '%Y%m%d'):%b%d'%y}"  # noqa: DTZ007  # a day, not a moment


# Category -> its name and its parent.
_TREE: Final = {"g100": ("Economy", ""), "g110": ("Interest Rates", "g100"), "g200": ("Weather", "")}
_MARKETS: Final = (
    _Market(
        880_000_000, "SIMFF", "Policy Rate", "g110", "Will the policy rate be {} on {}?", "above {} %",
        (3.0, 3.25, 3.5, 3.75, 4.0), "The simulated central bank",
    ),
    _Market(
        880_001_000, "SIMNY", "High Temperature in New York", "g200", "Will New York's high be {} on {}?", "above {} F",
        (50.0, 55.0, 60.0), "The simulated weather service",
    ),
)  # fmt: skip


def _contracts(hall: Hall, market: _Market) -> Iterator[_Contract]:
    """All that is listed: the ends of the gateway's first year and of the next, each strike by yes and no."""
    year = datetime.fromtimestamp(hall.exchange.start_ns // NS_PER_S, _CENTRAL).year
    conid = market.conid
    for day in (f"{year}1231", f"{year + 1}1231"):
        for strike in market.strikes:
            for yes in (True, False):
                conid += 1
                yield _Contract(market, conid, strike, yes, day)


def _wanted(hall: Hall, call: Call) -> _Contract | Answer:
    text = call.first("conid")
    for market in _MARKETS:
        for contract in _contracts(hall, market):
            if text == str(contract.conid):
                return contract
    return refusal(500, f"there is no event contract {text[:20]!r}")


def tree(hall: Hall, call: Call) -> Answer:
    """GET /forecast/category/tree: categories by id, with their markets."""
    del hall, call
    body: dict[str, dict[str, Any]] = {}
    for key, (name, parent) in _TREE.items():
        body[key] = {"name": name} | ({"parent_id": parent} if parent else {})
    for market in _MARKETS:
        row = {
            "conid": market.conid,
            "exchange": _EXCHANGE,
            "name": market.name,
            "product_conid": market.conid + 999,
            "symbol": market.symbol,
        }
        body[market.category].setdefault("markets", []).append(row)
    return Answer(body={"categories": body})


def contracts(hall: Hall, call: Call) -> Answer:
    """GET /forecast/contract/market: the contracts of a market."""
    text = call.first("underlyingConid")
    market = next((one for one in _MARKETS if text == str(one.conid)), None)
    if market is None or call.first("exchange", _EXCHANGE) != _EXCHANGE:
        return refusal(500, f"there is no market {text[:20]!r} of event contracts")
    rows = [
        {
            "conid": one.conid,
            "expiration": one.day,
            "expiry_label": one.day[:4],
            "side": "Y" if one.yes else "N",
            "strike": one.strike,
            "strike_label": one.label,
            "time_specifier": f"{one.day[:4]}.{one.day[4:6]}.{one.day[6:]}",
            "underlying_conid": market.conid,
        }
        for one in _contracts(hall, market)
    ]
    return Answer(
        body={
            "contracts": rows,
            "exchange": _EXCHANGE,
            "exclude_historical_data": False,
            "logo_category": market.category,
            "market_name": market.name,
            "payout": 1.0,
            "symbol": market.symbol,
        }
    )


def details(hall: Hall, call: Call) -> Answer:
    """GET /forecast/contract/details: one contract, with both its sides."""
    found = _wanted(hall, call)
    if isinstance(found, Answer):
        return found
    market = found.market
    first = found.conid if found.yes else found.conid - 1
    return Answer(
        body={
            "category": market.category,
            "conid_no": first + 1,
            "conid_yes": first,
            "exchange": _EXCHANGE,
            "expiration": found.day,
            "logo_category": market.category,
            "market_name": market.name,
            "measured_period": found.period,
            "payout": 1.0,
            "question": market.question.format(found.label, found.period),
            "side": "Y" if found.yes else "N",
            "strike": found.strike,
            "strike_label": found.label,
            "symbol": market.symbol,
            "underlying_conid": market.conid,
        }
    )


def rules(hall: Hall, call: Call) -> Answer:
    """GET /forecast/contract/rules: how a contract is settled; times in epoch seconds."""
    found = _wanted(hall, call)
    if isinstance(found, Answer):
        return found
    market = found.market
    ends = datetime.strptime(found.day, "%Y%m%d").replace(hour=_CLOSE_HOUR, tzinfo=_CENTRAL)
    ends_s = int(ends.timestamp())
    return Answer(
        body={
            "asset_class": "OPT",
            "data_and_resolution_link": "",
            "description": f"{market.name}, as told by {market.source[0].lower()}{market.source[1:]}.",
            "exchange_timezone": _ZONE,
            "last_trade_time": ends_s,
            "market_name": market.name,
            "market_rules_link": "",
            "measured_period": found.period,
            "payout": "$1.00",
            "payout_time": ends_s + 3_600,
            "price_increment": "$0.01",
            "product_code": market.symbol,
            "release_time": ends_s,
            "source_agency": market.source,
            "threshold": f"{found.strike}",
        }
    )


def schedules(hall: Hall, call: Call) -> Answer:
    """GET /forecast/contract/schedules: the week of a contract."""
    found = _wanted(hall, call)
    if isinstance(found, Answer):
        return found
    spans = [{"open": opens, "close": closes} for opens, closes in _SPANS]
    days = [{"day_of_week": day, "trading_times": spans} for day in _DAYS]
    return Answer(body={"timezone": _ZONE, "trading_schedules": days})


def _route(template: str, handler: Any) -> Route:
    return Route(methods=("GET",), template=f"/forecast/{template}", handler=handler, tier=Tier.OUTER)


ROUTES: Final[tuple[Route, ...]] = (
    _route("category/tree", tree),
    _route("contract/market", contracts),
    _route("contract/details", details),
    _route("contract/rules", rules),
    _route("contract/schedules", schedules),
)
