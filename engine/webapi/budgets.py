"""How often the venue may be asked what: IBKR's own table as sliding windows, plain and without a clock.

A budget is counted where the venue counts it: at its door. All we know of a request's arrival is that it lies between
sending and hearing; so a slot is given back only when its window has passed since the *latest* moment of arrival: the
answer, or `transit_ns` after sending where no answer has come yet. Then no jitter of the line makes two bursts one.

Source: IBKR, Web API documentation, "Pacing Limitations" (2026); the paths as the reference and real traffic have them.
"""

from __future__ import annotations

import re
from bisect import insort
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
    """At most `limit` requests in any `length_ns`, by their latest possible arrival."""

    __slots__ = ("_latest", "length_ns", "limit")

    def __init__(self, limit: int, length_ns: int) -> None:
        self.limit = limit
        self.length_ns = length_ns
        self._latest: list[int] = []  # sorted

    def free_ns(self, now_ns: int, *, held_back: int = 0) -> int:
        """Return when the next request may leave (`now_ns` or earlier: now), with `held_back` slots left for others."""
        passed_ns = now_ns - self.length_ns
        while self._latest and self._latest[0] <= passed_ns:
            del self._latest[0]
        over = len(self._latest) - (self.limit - held_back)
        return now_ns if over < 0 else self._latest[over] + self.length_ns

    def book(self, latest_ns: int) -> None:
        """Take a slot for a request that arrives at `latest_ns` at the latest."""
        insort(self._latest, latest_ns)

    def correct(self, old_ns: int, new_ns: int) -> None:
        """Its answer proves that it had arrived by `new_ns`."""
        if new_ns < old_ns and old_ns in self._latest:
            self._latest.remove(old_ns)
            insort(self._latest, new_ns)


class Budgets:
    """All budgets of one session.

    Args:
        per_s: The global budget.
        held_back: How much of it only cancels may use.
        transit_ns: Longest way of a request to the venue that is counted with.
    """

    def __init__(self, per_s: int = GATEWAY_PER_S, *, held_back: int = 2, transit_ns: int = SECOND // 2) -> None:
        if not 0 <= held_back < per_s:
            raise ValueError(f"{held_back} of {per_s} requests a second can't be held back")
        self.transit_ns = transit_ns
        self._held_back = held_back
        self._all = Window(per_s, SECOND)
        self._paths: dict[str, Window] = {}
        self._histories = 0

    def free_ns(self, call: Call, urgency: Urgency, now_ns: int) -> int | None:
        """Return when the call may leave; `now_ns` means now, None that it waits for another's answer."""
        if call.template in HISTORY_PATHS and self._histories >= HISTORIES:
            return None
        free_ns = self._all.free_ns(now_ns, held_back=0 if urgency in CANCELS else self._held_back)
        own = self._own(call)
        return free_ns if own is None else max(free_ns, own.free_ns(now_ns))

    def book(self, call: Call, now_ns: int) -> None:
        """The call leaves now."""
        self._histories += call.template in HISTORY_PATHS
        for window in filter(None, (self._all, self._own(call))):
            window.book(now_ns + self.transit_ns)

    def answered(self, call: Call, sent_ns: int, now_ns: int) -> None:
        """Its answer came, or it was given up."""
        self._histories -= call.template in HISTORY_PATHS
        for window in filter(None, (self._all, self._own(call))):
            window.correct(sent_ns + self.transit_ns, now_ns)

    def _own(self, call: Call) -> Window | None:
        found = budget_of(call.method, call.template)
        if found is None:
            return None
        key, limit, length_s = found
        if key not in self._paths:
            self._paths[key] = Window(limit, length_s * SECOND)
        return self._paths[key]
