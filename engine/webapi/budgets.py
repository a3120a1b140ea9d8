"""How often the venue may be asked what: IBKR's own table as sliding windows, plain and without a clock.

A budget is counted where the venue counts it: at its door. All we know of a request's arrival is that it lies between
sending and hearing; so a slot is given back only when its window has passed since the answer, or since the request was
given up. However long some are on their way (a handshake, a busy machine), two bursts never become one at the door.

Source: IBKR, Web API documentation, "Pacing Limitations" (2026); the paths as the reference and real traffic have them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from engine.errors import InvariantBroken
from engine.webapi.calls import Call, Urgency

SECOND = 1_000_000_000
GATEWAY_PER_S = 10
DIRECT_PER_S = 50
CONIDS: Mapping[str, int] = {"/trsrv/secdef": 200, "/iserver/marketdata/snapshot": 100}  # conids a request
HISTORIES = 5  # at once
HISTORY_PATHS = frozenset({"/iserver/marketdata/history", "/hmds/history"})
CANCELS = frozenset({Urgency.HALT, Urgency.CANCEL})

# Requests, in so many seconds. The table's `/iserver/trades` and `/iserver/orders` live below `/iserver/account`.
PATHS: Mapping[str, tuple[int, int]] = {
    "/iserver/marketdata/snapshot": (10, 1),
    "/iserver/scanner/params": (1, 900),
    "/iserver/scanner/run": (1, 1),
    "/iserver/trades": (1, 5),
    "/iserver/account/trades": (1, 5),
    "/iserver/orders": (1, 5),
    "/iserver/account/orders": (1, 5),
    "/iserver/account/pnl/partitioned": (1, 5),
    "/portfolio/accounts": (1, 5),
    "/portfolio/subaccounts": (1, 5),
    "/pa/performance": (1, 900),
    "/pa/allperiods": (1, 900),
    "/pa/summary": (1, 900),
    "/pa/transactions": (1, 900),
    "/tickle": (1, 1),
    "/sso/validate": (1, 60),
}
FOLLOWED_S = 5  # longer windows belong to what people browse
FYI = (1, 1)  # each method and path of /fyi by itself


@lru_cache(maxsize=1024)
def budget_of(method: str, template: str) -> tuple[str, int, int] | None:
    """Return (key, requests, window in seconds) of an endpoint's own budget; None if only the global one counts."""
    path = re.sub(r"\{[^}]*\}", "{}", template)
    if path in PATHS:
        return path, *PATHS[path]
    if path.startswith("/fyi/"):
        return f"{method} {path}", *FYI
    return None


def batches(conids: Sequence[int], limit: int) -> Iterator[Sequence[int]]:
    """Cut a list of conids into lists that one request may hold."""
    return (conids[at : at + limit] for at in range(0, len(conids), limit))


def check_size(call: Call) -> None:
    """Raise InvariantBroken if a request names more conids than it may: whoever made it should have used `batches`."""
    limit = CONIDS.get(call.template)
    if limit is None:
        return
    asked = [value for name, value in call.query if name == "conids"]
    named = sum(value.count(",") + 1 for value in asked)
    if isinstance(call.body, dict) and isinstance(call.body.get("conids"), list):
        named += len(call.body["conids"])
    if named > limit:
        raise InvariantBroken(f"{call.name} names {named} conids, at most {limit} are allowed")


class Window:
    """At most `limit` requests in any `length_ns`; one that is on its way counts until its arrival is certain."""

    __slots__ = ("_arrived", "_away", "length_ns", "limit")

    def __init__(self, limit: int, length_ns: int) -> None:
        self.limit = limit
        self.length_ns = length_ns
        self._arrived: deque[int] = deque()  # latest possible moments, sorted
        self._away = 0

    def free_ns(self, now_ns: int, *, held_back: int = 0) -> int | None:
        """Return when the next request may leave (`now_ns` or earlier: now), with `held_back` slots left for others.

        None: an answer has to come first.
        """
        arrived = self._arrived
        passed_ns = now_ns - self.length_ns
        while arrived and arrived[0] <= passed_ns:
            arrived.popleft()
        over = len(arrived) + self._away - (self.limit - held_back)
        if over < 0:
            return now_ns
        return arrived[over] + self.length_ns if over < len(arrived) else None

    def leave(self) -> None:
        """A request takes a slot and is on its way."""
        self._away += 1

    def arrived(self, now_ns: int) -> None:
        """One that was on its way has arrived by now, or never will."""
        self._away -= 1
        self._arrived.append(now_ns)


class Budgets:
    """All budgets of one session.

    Args:
        per_s: The global budget.
        held_back: How much of it only cancels may use.
        transit_ns: Longest way of a request to the venue that an order round waits for before it begins.
    """

    def __init__(self, per_s: int = GATEWAY_PER_S, *, held_back: int = 2, transit_ns: int = SECOND // 2) -> None:
        if not 0 <= held_back < per_s:
            raise ValueError(f"{held_back} of {per_s} requests a second can't be held back")
        self.transit_ns = transit_ns
        self._held_back = held_back
        self._all = Window(per_s, SECOND)
        self._paths: dict[str, Window] = {}
        self._histories = 0

    def followed(self, now_ns: int) -> None:
        """Another process used the session until a moment ago: what may be asked once in some seconds it has asked."""
        for key, (limit, length_s) in PATHS.items():
            if 1 < length_s <= FOLLOWED_S:
                window = self._paths[key] = Window(limit, length_s * SECOND)
                for _ in range(limit):
                    window.leave()
                    window.arrived(now_ns)

    def free_ns(self, call: Call, urgency: Urgency, now_ns: int) -> int | None:
        """Return when the call may leave; `now_ns` means now, None that it waits for another's answer."""
        if call.template in HISTORY_PATHS and self._histories >= HISTORIES:
            return None
        free_ns = self._all.free_ns(now_ns, held_back=0 if urgency in CANCELS else self._held_back)
        own = self._own(call)
        if own is None or free_ns is None:
            return free_ns
        own_ns = own.free_ns(now_ns)
        return None if own_ns is None else max(free_ns, own_ns)

    def book(self, call: Call) -> None:
        """The call leaves."""
        self._histories += call.template in HISTORY_PATHS
        for window in filter(None, (self._all, self._own(call))):
            window.leave()

    def answered(self, call: Call, now_ns: int) -> None:
        """Its answer came, or it was given up."""
        self._histories -= call.template in HISTORY_PATHS
        for window in filter(None, (self._all, self._own(call))):
            window.arrived(now_ns)

    def _own(self, call: Call) -> Window | None:
        found = budget_of(call.method, call.template)
        if found is None:
            return None
        key, limit, length_s = found
        if key not in self._paths:
            self._paths[key] = Window(limit, length_s * SECOND)
        return self._paths[key]
