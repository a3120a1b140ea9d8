"""Market scanners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.webapi.calls import Kind, Urgency
from engine.webapi.codecs import scanner as codec
from engine.webapi.endpoints.base import Group, build
from engine.webapi.facts.orders import Submitted
from engine.webapi.facts.scanner import Scan, ScannerParameters

_HMDS_ROWS: Final = 250


class Scanner(Group):
    """Scans run at the venue."""

    async def parameters(self) -> ScannerParameters:
        """Read what may be asked: large, once in 15 minutes; keep it."""
        return await self._ask(build("GET", "/iserver/scanner/params", Kind.READ, Urgency.SCANNER), codec.parameters)

    async def run(
        self, *, instrument: str, scan: str, location: str, filters: Mapping[str, object] | None = None
    ) -> Scan:
        """Run a scan, at most 50 rows, best first."""
        body: dict[str, object] = {
            "instrument": instrument,
            "type": scan,
            "location": location,
            "filter": [{"code": code, "value": value} for code, value in (filters or {}).items()],
        }
        return await self._ask(build("POST", "/iserver/scanner/run", Kind.READ, Urgency.SCANNER, body=body), codec.scan)

    async def open_hmds(self) -> Submitted:
        """Open the historical data service, which `run_hmds` stands on."""
        return await self._ask(build("POST", "/hmds/auth/init", Kind.IDEMPOTENT, Urgency.SCANNER), codec.hmds_opened)

    async def run_hmds(
        self, *, instrument: str, scan: str, location: str, sec_type: str, rows: int = _HMDS_ROWS
    ) -> Scan:
        """Run a scan of the historical data service, at most 250 conids; 404 before `open_hmds`."""
        body: dict[str, object] = {
            "instrument": instrument,
            "locations": location,
            "scanCode": scan,
            "secType": sec_type,
            "maxItems": min(rows, _HMDS_ROWS),
            "filters": [{}],
        }
        return await self._ask(build("POST", "/hmds/scanner", Kind.READ, Urgency.SCANNER, body=body), codec.hmds_scan)
