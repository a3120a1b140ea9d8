"""The venue's day: from midnight to midnight in New York."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

_ZONE: Final = ZoneInfo("America/New_York")


def day_began_ns(now_ns: int) -> int:
    """When the venue's day that holds a moment began."""
    now = datetime.fromtimestamp(now_ns // 1_000_000_000, _ZONE)
    return round(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1_000_000_000
