"""Whoever wants to see what goes over the wire. Told after the fact, and never waited for; headers are never told."""

from __future__ import annotations

from typing import Protocol


class Tap(Protocol):
    """Sees every REST exchange and every frame."""

    def asked(self, method: str, url: str, body: bytes | None) -> int:
        """A request is about to leave; returns a number for its answer."""

    def answered(self, number: int, status: int | None, body: bytes, problem: str) -> None:
        """What came of it; without an answer, `status` is None and `problem` says why."""

    def frame(self, ours: bool, data: str | bytes, at_ns: int) -> None:
        """A websocket message, ours or theirs, and when that was by the session's clock."""
