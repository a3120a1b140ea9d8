"""Watchlists: rows of conids under a numeric id, kept on the shelf."""

from __future__ import annotations

from typing import Any, Final

from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.fields import whole
from engine.gateway.hall import Hall
from engine.gateway.records import Contract

_MOST_LISTS: Final = 100
_MOST_ROWS: Final = 100


def _lists(hall: Hall) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = hall.shelf.setdefault("watchlists", {})
    return found


def create(hall: Hall, call: Call) -> Answer:
    """POST /iserver/watchlist: make a list, or replace the one with this id."""
    told = call.body if isinstance(call.body, dict) else {}
    name, number, rows = told.get("name"), str(told.get("id", "")), told.get("rows", [])
    numeric = number.isascii() and number.isdecimal() and len(number) < 19
    if not isinstance(name, str) or not name or not numeric or not isinstance(rows, list):
        return refusal(503, "Service Unavailable")
    lists = _lists(hall)
    if len(rows) > _MOST_ROWS or (number not in lists and len(lists) >= _MOST_LISTS):
        return refusal(503, "Service Unavailable")
    kept: list[dict[str, Any]] = []
    for row in rows:
        conid = whole(row.get("C")) if isinstance(row, dict) else None
        if conid is not None:
            kept.append({"C": conid})
        elif isinstance(row, dict) and "H" in row:
            kept.append({"H": str(row["H"])[:64]})  # a row without an instrument: a heading or a blank
    stamp = hall.exchange.now_ns // 1_000_000
    lists[number] = {"name": name, "rows": kept, "modified": stamp}
    return Answer(body={"id": number, "hash": str(stamp), "name": name, "readOnly": False, "instruments": []})


def listing(hall: Hall, call: Call) -> Answer:
    """GET /iserver/watchlists: the user's lists."""
    del call
    rows = [
        {
            "is_open": False,
            "read_only": False,
            "name": kept["name"],
            "modified": kept["modified"],
            "id": number,
            "type": "watchlist",
        }
        for number, kept in _lists(hall).items()
    ]
    data = {"scanners_only": False, "show_scanners": False, "bulk_delete": False, "user_lists": rows}
    return Answer(body={"data": data, "action": "content", "MID": "1"})


def single(hall: Hall, call: Call) -> Answer:
    """GET /iserver/watchlist: one list; the first read of a session has conids only."""
    number = call.first("id")
    kept = _lists(hall).get(number)
    if kept is None:
        return refusal(503, "Service Unavailable")
    key = f"watchlist:{number}"
    sparse = key not in hall.memory.primed and hall.options.observed
    hall.memory.primed.add(key)
    contracts = hall.exchange.contracts
    rows = [_row(row, contracts.get(row.get("C", 0)), sparse=sparse) for row in kept["rows"]]
    return Answer(
        body={
            "id": number,
            "hash": str(kept["modified"]),
            "name": kept["name"],
            "readOnly": False,
            "instruments": rows,
        }
    )


def _row(row: dict[str, Any], contract: Contract | None, *, sparse: bool) -> dict[str, Any]:
    if "H" in row:
        return dict(row)
    head: dict[str, Any] = {"C": str(row["C"]), "conid": row["C"]}
    if sparse or contract is None:
        return head
    instrument = contract.instrument
    return head | {
        "ST": str(instrument.sec_type),
        "name": contract.name,
        "fullName": contract.local_symbol or instrument.symbol,
        "assetClass": str(instrument.sec_type),
        "ticker": instrument.symbol,
        "chineseName": "",
    }


def delete(hall: Hall, call: Call) -> Answer:
    """DELETE /iserver/watchlist: end a list. Its id stands in the query; ibind sends it as a JSON body."""
    body = call.body if isinstance(call.body, dict) else {}
    number = call.first("id") or str(body.get("id", ""))
    if _lists(hall).pop(number, None) is None:
        return refusal(503, "Service Unavailable")
    hall.memory.primed.discard(f"watchlist:{number}")
    return Answer(body={"data": {"deleted": number}, "action": "context", "MID": "2"})


def _route(method: str, template: str, handler: Any) -> Route:
    return Route(methods=(method,), template=template, handler=handler, tier=Tier.BROKERAGE)


ROUTES: Final[tuple[Route, ...]] = (
    _route("POST", "/iserver/watchlist", create),
    _route("GET", "/iserver/watchlist", single),
    _route("DELETE", "/iserver/watchlist", delete),
    _route("GET", "/iserver/watchlists", listing),
)
