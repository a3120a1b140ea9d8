"""Eight runs a check: they share what makes runs quick in a test process."""

from __future__ import annotations

from tests.replay.conftest import garbage_stays

__all__ = ["garbage_stays"]
