"""Whether the venue can be reached, as far as the parts of the order desk must know: the session tells, they ask."""

from __future__ import annotations

from typing import Final

from engine.domain.brokerage import VenueOrder

_WITHOUT_STREAM: Final = frozenset({"stream", "data"})  # layers; those below answer


class Link:
    """How the session stands. `up`: everything may go. `answers`: up, or only the stream is missing: cancels and what
    closes positions may go."""

    def __init__(self) -> None:
        self.up = False
        self.answers = False
        self.stream_since_ns: int | None = None

    def session(self, up: bool, layer: str, now_ns: int) -> None:
        """The session stands from now on, or `layer` is the lowest that is down."""
        self.up = up
        self.answers = up or layer in _WITHOUT_STREAM
        self.stream_since_ns = now_ns if up else None

    def fresh(self, copy: VenueOrder) -> bool:
        """Whether the stream has stood since the copy was told, so that any change would have been told too."""
        return self.stream_since_ns is not None and copy.seen_ns >= self.stream_since_ns
