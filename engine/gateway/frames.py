"""What stands in a websocket frame, topic by topic; values only, made from the hall as of now.

Summary and ledger are the REST answers of the same name in the websocket's spelling, so that the two never disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from engine.gateway.hall import Hall
from engine.gateway.session import SERVER_INFO

_MS: Final = 1_000_000
_S: Final = 1_000_000_000

# The websocket's key -> the REST summary's. Only what has an amount; texts stand below.
_AMOUNTS: Final = {
    "AvailableFunds": "availablefunds",
    "BuyingPower": "buyingpower",
    "Cushion": "cushion",
    "EquityWithLoanValue": "equitywithloanvalue",
    "ExcessLiquidity": "excessliquidity",
    "FullAvailableFunds": "fullavailablefunds",
    "FullExcessLiquidity": "fullexcessliquidity",
    "FullInitMarginReq": "fullinitmarginreq",
    "FullMaintMarginReq": "fullmaintmarginreq",
    "GrossPositionValue": "grosspositionvalue",
    "InitMarginReq": "initmarginreq",
    "MaintMarginReq": "maintmarginreq",
    "NetLiquidation": "netliquidation",
    "SettledCash": "settledcash",
    "TotalCashValue": "totalcashvalue",
}
_LEDGER: Final = {
    "cashbalance": "cashbalance",
    "settledcash": "settledCash",
    "netliquidationvalue": "netLiquidationValue",
    "unrealizedpnl": "unrealizedPnl",
    "realizedpnl": "realizedPnl",
    "stockmarketvalue": "stockMarketValue",
    "stockoptionmarketvalue": "stockOptionMarketValue",
    "futuremarketvalue": "futureMarketValue",
    "exchangerate": "exchangeRate",
    "interest": "interest",
    "dividends": "dividends",
}


def system(hall: Hall) -> dict[str, Any]:
    """Who is logged in."""
    return {"topic": "system", "success": hall.session.username, "isFT": False, "isPaper": hall.session.is_paper}


def heartbeat(now_ns: int) -> dict[str, Any]:
    """A sign of life."""
    return {"topic": "system", "hb": now_ns // _MS}


def full_status(hall: Hall, now_ns: int) -> dict[str, Any]:
    """The state of the session, whole."""
    session = hall.session
    return {
        "topic": "sts",
        "args": {
            "authenticated": session.authenticated,
            "competing": session.competing,
            "message": session.message,
            "fail": "",
            "serverName": SERVER_INFO["serverName"],
            "serverVersion": SERVER_INFO["serverVersion"],
            "connected": session.connected,
            "established": session.established(now_ns),
            "username": session.username,
        },
    }


def tick_answer(hall: Hall, accessed_ms: int) -> dict[str, Any]:
    """The answer to `tic`."""
    return {"topic": "tic", "alive": True, "id": hall.session.tickle_id, "lastAccessed": accessed_ms}


def profit(hall: Hall) -> dict[str, Any]:
    """Rows of `spl` by account and model; the figures of the account that is selected."""
    account = hall.memory.selected
    funds = hall.exchange.funds(account)
    return {
        f"{account}.Core": {
            "rowType": 1,
            "dpl": _number(funds.daily),
            "nl": _number(funds.net_liquidation),
            "upl": _number(funds.unrealised),
            "uel": _number(funds.excess_liquidity),
            "el": _number(funds.excess_liquidity),
            "mv": _number(funds.position_value),
        }
    }


def summary_rows(summary: Mapping[str, Any], account: str, now_ns: int) -> dict[str, dict[str, Any]]:
    """Rows of `ssd` by key, from the REST summary."""
    stamp = now_ns // _S
    rows: dict[str, dict[str, Any]] = {
        "AccountCode": {"key": "AccountCode", "timestamp": stamp, "value": account, "severity": 0}
    }
    for key, name in _AMOUNTS.items():
        cell = summary.get(name)
        if isinstance(cell, Mapping) and not cell.get("isNull"):
            rows[key] = {
                "key": key,
                "timestamp": stamp,
                "monetaryValue": cell.get("amount"),
                "currency": cell.get("currency"),
                "severity": 0,
            }
    return rows


def ledger_rows(ledger: Mapping[str, Any], account: str, now_ns: int) -> dict[str, dict[str, Any]]:
    """Rows of `sld` by key (`LedgerListUSD`), from the REST ledger."""
    rows = {}
    for currency, cell in ledger.items():
        if not isinstance(cell, Mapping):
            continue
        key = f"LedgerList{currency}"
        row: dict[str, Any] = {"key": key, "timestamp": now_ns // _S, "acctCode": account, "secondKey": currency}
        row |= {name: cell[source] for source, name in _LEDGER.items() if source in cell}
        rows[key] = row | {"severity": 0}
    return rows


def changed_rows(rows: Mapping[str, Any], told: dict[str, Any], keys: list[str], fields: list[str]) -> list[Any]:
    """What to tell of summary or ledger rows: a row without news has only `key` and `timestamp`.

    Args:
        rows: All rows by key, as of now.
        told: Rows as they were told last; changed here.
        keys: Rows that are wanted; all if empty.
        fields: Fields that are wanted beside `key` and `timestamp`; all if empty.
    """
    found = []
    for key, whole in rows.items():
        if keys and key not in keys:
            continue
        row = {name: value for name, value in whole.items() if not fields or name in (*fields, "key", "timestamp")}
        facts = {name: value for name, value in row.items() if name != "timestamp"}
        if told.get(key) == facts:
            row = {"key": key, "timestamp": row["timestamp"]}
        told[key] = facts
        found.append(row)
    return found


def depth_rows(levels: list[tuple[float, float, float]]) -> list[dict[str, Any]]:
    """Rows of `sbd`, highest price first; the highest bid has the focus."""
    rows = []
    focused = False
    for number, (price, bid, ask) in enumerate(levels, 1):
        focus = bool(bid) and not focused
        focused = focused or focus
        row = {
            "row": number,
            "focus": int(focus),
            "price": f"{price:.2f}" if round(price, 2) == price else f"{price:.10g}",
            "bid": f"{bid:.10g}" if bid else "",
            "ask": f"{ask:.10g}" if ask else "",
        }
        rows.append(row)
    return rows


def _number(value: Decimal) -> float:
    return round(float(value), 2)
