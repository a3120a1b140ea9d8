"""Top-of-book snapshots: the pre-flight, the one set of fields kept for each conid, and its end."""

from __future__ import annotations

from typing import Any, Final

from engine.gateway.calls import Answer, Call, Route, Tier, refusal
from engine.gateway.hall import Hall
from engine.gateway.tags import SERVER, SLOW, snapshot_fields

_MOST_CONIDS: Final = 100
_MOST_FIELDS: Final = 50
_LINES: Final = 100  # market data lines of a user; more instruments come back without data
_SLOW_NS: Final = 1_000_000_000
_ALWAYS: Final = ("6119", "6509")


def snapshot(hall: Hall, call: Call) -> Answer:
    """GET /iserver/marketdata/snapshot: the first call for a conid opens its stream, later ones read it."""
    keys = _list(call, "conids")
    fields = _list(call, "fields")
    if not keys:
        return refusal(400, "Bad Request: conids is missing")
    if len(keys) > _MOST_CONIDS or len(fields) > _MOST_FIELDS:
        return refusal(400, f"Bad Request: at most {_MOST_CONIDS} conids and {_MOST_FIELDS} fields a request")
    rows = []
    for key in keys:
        text = key.partition("@")[0]
        conid = int(text) if text.isdecimal() and len(text) < 19 else 0
        if conid in hall.exchange.contracts:
            rows.append(_row(hall, key, conid, fields, call.now_ns))
    return Answer(body=rows)


def _list(call: Call, name: str) -> list[str]:
    return [part.strip() for text in call.query.get(name, []) for part in text.split(",") if part.strip()]


def _row(hall: Hall, key: str, conid: int, fields: list[str], now_ns: int) -> dict[str, Any]:
    row: dict[str, Any] = {"conid": conid, "conidEx": key}
    streams = hall.memory.fields
    known = streams.get(key)
    hall.exchange.top(conid)  # the stream opens with the first request, so that the second has data
    if known is None and len(streams) >= _LINES:
        return row
    asked = streams.setdefault(key, {})
    ready = [tag for tag, since_ns in asked.items() if tag not in SLOW or now_ns - since_ns >= _SLOW_NS]
    for tag in fields:
        asked.setdefault(tag, now_ns)
    if known is None:
        return row
    values = snapshot_fields(hall, conid, [*dict.fromkeys((*ready, *_ALWAYS))])
    return row | {"server_id": SERVER, "_updated": now_ns // 1_000_000} | values


def unsubscribe(hall: Hall, call: Call) -> Answer:
    """POST /iserver/marketdata/unsubscribe, and the old form with the conid in the path: end a stream."""
    conid = call.params.get("conid") or (call.body.get("conid") if isinstance(call.body, dict) else None)
    keys = [key for key in hall.memory.fields if key.partition("@")[0] == str(conid).partition("@")[0]]
    if not keys:
        return Answer(status=500, body={"error": "unknown"})
    for key in keys:
        del hall.memory.fields[key]
    return Answer(body={"success": True})


def unsubscribe_all(hall: Hall, call: Call) -> Answer:
    """GET /iserver/marketdata/unsubscribeall: end all streams."""
    del call
    hall.memory.fields.clear()
    return Answer(body={"unsubscribed": True})


def paid_snapshot(hall: Hall, call: Call) -> Answer:
    """GET /md/regsnapshot: IBKR has ended it."""
    del hall, call
    return refusal(400, "Bad Request: regulatory snapshots are not supported any more")


_BASE: Final = "/iserver/marketdata"

ROUTES: Final[tuple[Route, ...]] = (
    Route(methods=("GET",), template=f"{_BASE}/snapshot", handler=snapshot, tier=Tier.BROKERAGE, after_accounts=True),
    Route(methods=("POST",), template=f"{_BASE}/unsubscribe", handler=unsubscribe, tier=Tier.BROKERAGE),
    Route(methods=("GET",), template=f"{_BASE}/{{conid}}/unsubscribe", handler=unsubscribe, tier=Tier.BROKERAGE),
    Route(methods=("GET",), template=f"{_BASE}/unsubscribeall", handler=unsubscribe_all, tier=Tier.BROKERAGE),
    Route(methods=("GET",), template="/md/regsnapshot", handler=paid_snapshot, tier=Tier.BROKERAGE),
)

__all__ = ["ROUTES", "snapshot_fields"]
