"""How many requests are too many: the global budget, the official table, histories at once, and the penalty box.

Pure, on the gateway's clock. A budget is a count within any sliding window; a refused request takes nothing from it,
so a client that waits is served again. Figures: IBKR's official pacing table, with the real paths of its rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from engine.gateway.options import Pacing

_S: Final = 1_000_000_000
_MINUTE: Final = 60 * _S

HISTORY: Final = "GET /iserver/marketdata/history"
HISTORIES_AT_ONCE: Final = 5
CONIDS_A_REQUEST: Final = 200

_RARELY: Final = (1, 900 * _S)
_EVERY_5_S: Final = (1, 5 * _S)
_EVERY_S: Final = (1, _S)

# "METHOD template" -> (requests, window in ns). The methods are the table's: a POST of /tickle, of which clients in use
# send two at their start, has the global budget only.
TABLE: Final[dict[str, tuple[int, int]]] = {
    "GET /iserver/marketdata/snapshot": (10, _S),
    "GET /iserver/scanner/params": _RARELY,
    "POST /iserver/scanner/run": _EVERY_S,
    "GET /iserver/account/trades": _EVERY_5_S,
    "GET /iserver/account/orders": _EVERY_5_S,
    "GET /iserver/account/pnl/partitioned": _EVERY_5_S,
    "GET /portfolio/accounts": _EVERY_5_S,
    "GET /portfolio/subaccounts": _EVERY_5_S,
    "POST /pa/performance": _RARELY,
    "POST /pa/summary": _RARELY,
    "POST /pa/transactions": _RARELY,
    "POST /pa/allperiods": _RARELY,
    "GET /fyi/unreadnumber": _EVERY_S,
    "GET /fyi/settings": _EVERY_S,
    "POST /fyi/settings/{typecode}": _EVERY_S,
    "GET /fyi/disclaimer/{typecode}": _EVERY_S,
    "PUT /fyi/disclaimer/{typecode}": _EVERY_S,
    "GET /fyi/deliveryoptions": _EVERY_S,
    "PUT /fyi/deliveryoptions/email": _EVERY_S,
    "POST /fyi/deliveryoptions/device": _EVERY_S,
    "DELETE /fyi/deliveryoptions/{deviceId}": _EVERY_S,
    "GET /fyi/notifications": _EVERY_S,
    "GET /fyi/notifications/more": _EVERY_S,
    "PUT /fyi/notifications/{notificationId}": _EVERY_S,
    "GET /tickle": _EVERY_S,
    "GET /sso/validate": (1, _MINUTE),
}


def _shape(key: str) -> str:
    """Replace the names of path ids, which are a matter of taste, by one sign."""
    return "/".join("{}" if part.startswith("{") else part for part in key.split("/"))


_BY_SHAPE: Final = {_shape(key): budget for key, budget in TABLE.items()}


class Budgets:
    """All budgets of one session.

    Args:
        pacing: Whether and how strictly.
        direct: Whether clients come without the gateway process (OAuth), with 50 requests a second instead of 10.
    """

    def __init__(self, pacing: Pacing, *, direct: bool) -> None:
        self._pacing = pacing
        self._global = (pacing.direct_per_s if direct else pacing.global_per_s, _S)
        self._taken: dict[str, deque[int]] = {}
        self._excess: deque[int] = deque()
        self._boxed_until = 0
        self._histories = 0

    def refuses(self, key: str, now_ns: int) -> str | None:
        """Take one request `key` ("METHOD template") from its budgets.

        Returns: None if it fits, else why it is answered 429; then nothing was taken.
        """
        if not self._pacing.on:
            return None
        if now_ns < self._boxed_until:
            return "penalty box"
        shape = _shape(key)
        wanted = [("", self._global)]
        if shape in _BY_SHAPE:
            wanted.append((shape, _BY_SHAPE[shape]))
        for name, (most, window) in wanted:
            if self._held(name, window, now_ns) >= most:
                return self._over(now_ns)
        if key == HISTORY and self._histories >= HISTORIES_AT_ONCE:
            return self._over(now_ns)
        for name, _ in wanted:
            self._taken.setdefault(name, deque()).append(now_ns)
        return None

    def begin(self, key: str) -> Callable[[], None]:
        """Count a request as under way; the returned function ends that, once."""
        if key != HISTORY:
            return _nothing
        self._histories += 1
        ended = False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._histories -= 1

        return end

    def _held(self, name: str, window: int, now_ns: int) -> int:
        taken = self._taken.get(name)
        if taken is None:
            return 0
        # A clock that was set back leaves moments of the future behind; they are no longer anybody's.
        while taken and not now_ns - window < taken[0] <= now_ns:
            taken.popleft()
        return len(taken)

    def _over(self, now_ns: int) -> str:
        excess = self._excess
        excess.append(now_ns)
        while excess and not now_ns - _MINUTE < excess[0] <= now_ns:
            excess.popleft()
        if self._pacing.penalty_after and len(excess) >= self._pacing.penalty_after:
            self._boxed_until = now_ns + int(self._pacing.penalty_s * _S)
            excess.clear()
        return "too many requests"


def _nothing() -> None:
    pass
