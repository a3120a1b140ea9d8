"""One websocket client as the gateway sees it: whether it is let in, and a bounded box of frames on their way to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import unquote

import msgspec

from engine.gateway.faults import Fault
from engine.gateway.feeds import Feed, Frame
from engine.gateway.requests import to_json

_ACROSS: Final = 1.02  # times the bid: beyond any ask


class Client:
    """One connection. `box` holds what waits to be sent; `closing` is set once the server ends it.

    Args:
        wake: Called when there is something new in `box` or the connection is to end.
        backlog: Frames that `box` holds at most.
    """

    def __init__(self, wake: Callable[[], None], backlog: int) -> None:
        self.wake = wake
        self._backlog = backlog
        self.box: deque[bytes] = deque()
        self.authorised = False
        self.closing: int | None = None  # websocket close code
        self.feeds: dict[str, Feed] = {}
        self.histories: set[str] = set()
        self._held: bytes | None = None  # a frame that the fault script sends after the next one
        self.beat_ns = 0
        self.accessed_ms = 0

    def send(self, frame: Frame, faults: Iterable[Fault]) -> None:
        """Put a frame into the box, with what the fault script does to it."""
        faults = tuple(faults)
        for fault in faults:
            frame = _spoilt(frame, fault.do)
        data = to_json(frame)
        for fault in faults:
            match fault.do:
                case "silent":
                    return
                case "duplicate":
                    self.put(data)
                case "reorder" if self._held is None:
                    self._held = data
                    return
        self.put(data)
        if self._held is not None:
            held, self._held = self._held, None
            self.put(held)

    def put(self, data: bytes) -> None:
        """Put bytes into the box; where it is full the connection ends."""
        if self.closing is not None:
            return
        if len(self.box) >= self._backlog:
            # A client that does not read would take all memory; the real server drops it as well.
            self.closing = 1008
            self.box.clear()
        else:
            self.box.append(data)
        self.wake()


def _spoilt(frame: Frame, how: str) -> Frame:
    """A frame of market data as a bad feed would tell it; any other frame, and any other fault, leaves it as it is."""
    if not str(frame.get("topic", "")).startswith("smd"):
        return frame
    match how:
        case "frozen" | "delayed":
            return {**frame, "6509": "ZpB" if how == "frozen" else "DpB"}
        case "one-sided":
            return {**frame, "85": "", "86": ""}
        case "crossed" if frame.get("84"):
            return {**frame, "84": f"{float(frame['84']) * _ACROSS:.2f}"}
    return frame


def session_id(said: str) -> str:
    """The session id in a cookie or first message: bare, or a JSON object with `session`, also percent-encoded."""
    text = unquote(said).strip().strip('"')
    if not text.startswith("{"):
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return ""
    found = value.get("session") if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
