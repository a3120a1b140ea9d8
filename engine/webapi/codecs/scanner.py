"""Market scanners."""

from __future__ import annotations

from engine.webapi.codecs import reading
from engine.webapi.facts.orders import Submitted
from engine.webapi.facts.scanner import Scan, ScannerParameters, ScanRow
from engine.webapi.facts.wire import Unreadable

parameters = reading.one(ScannerParameters)
scan = reading.one(Scan)


def hmds_opened(body: bytes) -> Submitted | Unreadable:
    """POST /hmds/auth/init: no text tells what it answers, so any object will do."""
    value = reading.parse(body)
    return value if isinstance(value, Unreadable) else reading.fact(Submitted, value)


def hmds_scan(body: bytes) -> Scan | Unreadable:
    """POST /hmds/scanner: conids only, in an object of its own spelling."""
    value = reading.parse(body)
    if isinstance(value, Unreadable):
        return value
    held = value.get("Contracts") if isinstance(value, dict) else None
    if not isinstance(held, dict):
        return Unreadable(reason="Scan: no Contracts", excerpt=reading.excerpt(body))
    rows = reading.rows(ScanRow, held.get("Contract"))
    return rows if isinstance(rows, Unreadable) else Scan(rows=rows)
