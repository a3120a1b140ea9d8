"""Positions: the cached pages of /portfolio, the near-real-time list of /portfolio2, by conid, and of combos."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from engine.domain.instrument import SecType
from engine.domain.moments import NS_PER_S
from engine.gateway.calls import Answer, Call, Route, Tier
from engine.gateway.hall import Hall
from engine.gateway.records import Contract, Position
from engine.gateway.routes.portfolio import unknown_account, worth
from engine.gateway.rows import contract_of, size_text

_PAGE: Final = 100
_DERIVED: Final = (SecType.OPTION, SecType.FUTURE, SecType.FUTURE_OPTION)


def position_row(hall: Hall, account: str, position: Position, *, rich: bool) -> dict[str, Any]:
    """A row of `/portfolio/{accountId}/positions`: 21 keys on a first read, contract details on later ones."""
    contract = contract_of(hall, position.conid)
    instrument = contract.instrument
    value, gain = worth(hall, position.conid, position.quantity, position.cost)
    units = position.quantity * instrument.multiplier
    derived = instrument.sec_type in _DERIVED
    row: dict[str, Any] = {
        "acctId": account,
        "conid": position.conid,
        "contractDesc": _described(contract),
        "position": float(position.quantity),
        "mktPrice": _ratio(value, units),
        "mktValue": round(float(value), 2),
        "currency": instrument.currency,
        "avgCost": _ratio(position.cost, position.quantity),
        "avgPrice": _ratio(position.cost, units),
        "realizedPnl": round(float(position.realised), 2),
        "unrealizedPnl": round(float(gain), 2),
        "exchs": None,
        "expiry": contract.expiry or None,
        "putOrCall": contract.right or None,
        "multiplier": float(instrument.multiplier) if derived else None,
        "strike": float(contract.strike),
        "exerciseStyle": "A" if contract.right else None,
        "conExchMap": [],
        "assetClass": str(instrument.sec_type),
        "undConid": contract.underlying,
        "model": "",
    }
    return row | _details(hall, contract, row) if rich else row


def _details(hall: Hall, contract: Contract, row: dict[str, Any]) -> dict[str, Any]:
    """What a later read adds; the strike becomes a text then, and a share's multiplier a zero."""
    instrument = contract.instrument
    rate = float(hall.exchange.rate(instrument.currency))
    stock = instrument.sec_type is SecType.STOCK
    return {
        "strike": size_text(contract.strike),
        "multiplier": row["multiplier"] or 0.0,
        "name": contract.name,
        "ticker": instrument.symbol,
        "fullName": _described(contract),
        "listingExchange": contract.listing,
        "countryCode": "US",
        "allExchanges": f"{instrument.exchange},{contract.listing}".strip(","),
        "group": contract.category or None,
        "sector": contract.sector or None,
        "sectorGroup": contract.category or None,
        "type": "COMMON" if stock else "",
        "hasOptions": stock,
        "isUS": instrument.currency == "USD",
        "incrementRules": [
            {"lowerEdge": float(tick.above), "increment": float(tick.tick)} for tick in instrument.price_ticks
        ],
        "displayRule": {
            "magnification": 0,
            "displayRuleStep": [
                {"decimalDigits": _digits(tick.tick), "lowerEdge": float(tick.above), "wholeDigits": 4}
                for tick in instrument.price_ticks
            ],
        },
        "lastTradingDay": contract.last_trading or None,
        "time": 1,
        "chineseName": contract.name,
        "isEventContract": False,
        "pageSize": _PAGE,
        "baseMktValue": round(row["mktValue"] * rate, 2),
        "baseMktPrice": row["mktPrice"] * rate,
        "baseAvgCost": row["avgCost"] * rate,
        "baseAvgPrice": row["avgPrice"] * rate,
        "baseRealizedPnl": round(row["realizedPnl"] * rate, 2),
        "baseUnrealizedPnl": round(row["unrealizedPnl"] * rate, 2),
    }


def _digits(tick: Decimal) -> int:
    exponent = tick.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _ratio(amount: Decimal, units: Decimal) -> float:
    return round(float(amount / units), 8) if units else 0.0


def _described(contract: Contract) -> str:
    """The local symbol, such as `AAPL` or `ESH6`."""
    return contract.local_symbol or contract.instrument.symbol


def _known(hall: Hall, account: str) -> bool:
    return account in hall.exchange.accounts


def _first(hall: Hall, name: str) -> bool:
    """Whether a read is the first since its cache was dropped; first reads are sparse."""
    cold = name not in hall.memory.primed
    hall.memory.primed.add(name)
    return cold and hall.options.observed


def page(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/{accountId}/positions/{pageId}: 100 rows a page, closed positions of the day among them."""
    account = call.params["accountId"]
    if not _known(hall, account):
        return unknown_account(account)
    text = call.params.get("pageId", "0")
    number = int(text) if text.isdecimal() and len(text) < 9 else 0
    rich = not _first(hall, f"positions:{account}")
    found = hall.exchange.positions(account)[number * _PAGE : (number + 1) * _PAGE]
    rows = [position_row(hall, account, position, rich=rich) for position in found]
    key = {"position": "position", "value": "mktValue", "unrealized_pnl": "unrealizedPnl"}.get(call.first("sort"))
    if key is not None or call.first("sort"):
        rows.sort(key=lambda row: row[key or "contractDesc"], reverse=call.first("direction") == "d")
    return Answer(body=rows)


def invalidate(hall: Hall, call: Call) -> Answer:
    """POST /portfolio/{accountId}/positions/invalidate: drop the cache, so that the next read is a first one."""
    account = call.params["accountId"]
    if not _known(hall, account):
        return unknown_account(account)
    hall.memory.primed.discard(f"positions:{account}")
    return Answer(body={"message": "success"})


def one(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/{accountId}/position/{conid}: a list, empty for a conid that is not held."""
    account = call.params["accountId"]
    if not _known(hall, account):
        return unknown_account(account)
    rich = not _first(hall, f"position:{account}:{call.params['conid']}")
    found = [p for p in hall.exchange.positions(account) if str(p.conid) == call.params["conid"]]
    return Answer(body=[position_row(hall, account, position, rich=rich) for position in found])


def everywhere(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/positions/{conid}: the rows of every account that holds it, by account."""
    body = {}
    for account in hall.exchange.accounts:
        found = [p for p in hall.exchange.positions(account) if str(p.conid) == call.params["conid"]]
        if found:
            body[account] = [position_row(hall, account, position, rich=False) for position in found]
    return Answer(body=body)


def near_real_time(hall: Hall, call: Call) -> Answer:
    """GET /portfolio2/{accountId}/positions: no cache; the conid is a text here."""
    account = call.params["accountId"]
    if not _known(hall, account):
        return unknown_account(account)
    rows = []
    for position in hall.exchange.positions(account):
        row = position_row(hall, account, position, rich=False)
        contract = contract_of(hall, position.conid)
        rows.append(
            {
                "position": row["position"],
                "conid": str(position.conid),
                "avgCost": row["avgCost"],
                "avgPrice": row["avgPrice"],
                "currency": row["currency"],
                "description": row["contractDesc"],
                "isLastToLoq": False,
                "marketPrice": row["mktPrice"],
                "marketValue": row["mktValue"],
                "realizedPnl": row["realizedPnl"],
                "unrealizedPnl": row["unrealizedPnl"],
                "secType": row["assetClass"],
                "assetClass": row["assetClass"],
                "sector": contract.sector,
                "group": contract.category,
                "timestamp": hall.exchange.now_ns // NS_PER_S,
                "model": "",
            }
        )
    return Answer(body=rows)


def combos(hall: Hall, call: Call) -> Answer:
    """GET /portfolio/{accountId}/combo/positions: combos that were traded, as far as their legs are held."""
    account = call.params["accountId"]
    if not _known(hall, account):
        return unknown_account(account)
    held = {position.conid: position for position in hall.exchange.positions(account) if position.quantity}
    traded = dict.fromkeys(
        order.ticket.conid for order in hall.exchange.orders(account) if order.filled and order.ticket.conid not in held
    )
    rows = []
    for conid in traded:
        legs = contract_of(hall, conid).instrument.legs
        if legs and all(leg.conid in held for leg in legs):
            text = "".join(
                f"{'+' if leg.ratio > 0 and at else ''}{leg.ratio}*{leg.conid}" for at, leg in enumerate(legs)
            )
            rows.append(
                {
                    "name": f"CP.{account}{conid}",
                    "description": text,
                    "legs": [{"conid": str(leg.conid), "ratio": leg.ratio} for leg in legs],
                    "positions": [position_row(hall, account, held[leg.conid], rich=False) for leg in legs],
                }
            )
    return Answer(body=rows)


_ACCOUNT: Final = "/portfolio/{accountId}"


def _route(method: str, template: str, handler: Any) -> Route:
    return Route(methods=(method,), template=template, handler=handler, tier=Tier.OUTER, after_portfolio=True)


ROUTES: Final[tuple[Route, ...]] = (
    _route("GET", "/portfolio/positions/{conid}", everywhere),
    _route("GET", f"{_ACCOUNT}/positions/{{pageId}}", page),
    _route("POST", f"{_ACCOUNT}/positions/invalidate", invalidate),
    _route("GET", f"{_ACCOUNT}/position/{{conid}}", one),
    _route("GET", f"{_ACCOUNT}/combo/positions", combos),
    _route("GET", "/portfolio2/{accountId}/positions", near_real_time),
    _route("GET", "/portfolio2/{accountId}/positions/{pageId}", near_real_time),
)
