"""The recorded exchanges of a real account and IBKR's published OpenAPI document, where they lie beside the repository.

Both are data of others: tests read them from there and copy nothing.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
EXCHANGES = SHARED / "wire" / "exchanges.json"
OPENAPI = SHARED / "openapi"

needs_exchanges = pytest.mark.skipif(not EXCHANGES.is_file(), reason="no recorded exchanges beside the repository")
needs_openapi = pytest.mark.skipif(not OPENAPI.is_dir(), reason="no OpenAPI document beside the repository")


@cache
def exchanges() -> tuple[dict[str, Any], ...]:
    """Return the recorded exchanges, or none where there are none."""
    return tuple(json.loads(EXCHANGES.read_text(encoding="utf-8"))) if EXCHANGES.is_file() else ()


@cache
def openapi() -> dict[str, Any]:
    """Return the OpenAPI document."""
    (path,) = OPENAPI.glob("*.json.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        document: dict[str, Any] = json.load(file)
    return document
