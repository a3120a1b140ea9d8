"""A venue's door on virtual time: asks go in by plan, requests arrive some time after they leave, answers come back."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count

import msgspec

from engine.webapi.budgets import Budgets
from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.queueing import Queue

S = 1_000_000_000
MS = 1_000_000

# The official table once more, by hand: path -> (requests, seconds).
TABLE = {
    "/iserver/marketdata/snapshot": (10, 1),
    "/iserver/scanner/run": (1, 1),
    "/iserver/scanner/params": (1, 900),
    "/iserver/account/trades": (1, 5),
    "/iserver/account/orders": (1, 5),
    "/portfolio/accounts": (1, 5),
    "/pa/performance": (1, 900),
    "/fyi/notifications": (1, 1),
    "/tickle": (1, 1),
    "/sso/validate": (1, 60),
}


def call(method: str, path: str, kind: Kind, urgency: Urgency, *, mark: int | None = None) -> Call:
    query = () if mark is None else (("n", str(mark)),)
    return Call(method=method, template=path, path=path, kind=kind, urgency=urgency, query=query)


CALLS = {
    "halt": call("DELETE", "/iserver/account/{accountId}/order/{orderId}", Kind.IDEMPOTENT, Urgency.HALT),
    "flatten": call("POST", "/iserver/account/{accountId}/orders", Kind.ORDER_WRITE, Urgency.HALT),
    "cancel": call("DELETE", "/iserver/account/{accountId}/order/{orderId}", Kind.IDEMPOTENT, Urgency.CANCEL),
    "reply": call("POST", "/iserver/reply/{replyId}", Kind.ORDER_WRITE, Urgency.REPLY),
    "modify": call("POST", "/iserver/account/{accountId}/order/{orderId}", Kind.ORDER_WRITE, Urgency.MODIFY),
    "place": call("POST", "/iserver/account/{accountId}/orders", Kind.ORDER_WRITE, Urgency.PLACE),
    "orders": call("GET", "/iserver/account/orders", Kind.READ, Urgency.ORDER_STATUS),
    "trades": call("GET", "/iserver/account/trades", Kind.READ, Urgency.ORDER_STATUS),
    "tickle": call("POST", "/tickle", Kind.IDEMPOTENT, Urgency.ACCOUNT),
    "accounts": call("GET", "/portfolio/accounts", Kind.READ, Urgency.ACCOUNT),
    "validate": call("GET", "/sso/validate", Kind.READ, Urgency.ACCOUNT),
    "ledger": call("GET", "/portfolio/{accountId}/ledger", Kind.READ, Urgency.ACCOUNT),
    "snapshot": call("GET", "/iserver/marketdata/snapshot", Kind.READ, Urgency.SNAPSHOT),
    "history": call("GET", "/iserver/marketdata/history", Kind.READ, Urgency.HISTORY),
    "hmds": call("GET", "/hmds/history", Kind.READ, Urgency.HISTORY),
    "scan": call("POST", "/iserver/scanner/run", Kind.READ, Urgency.SCANNER),
    "params": call("GET", "/iserver/scanner/params", Kind.READ, Urgency.SCANNER),
    "performance": call("POST", "/pa/performance", Kind.READ, Urgency.SCANNER),
    "fyi": call("GET", "/fyi/notifications", Kind.READ, Urgency.SCANNER),
}


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One wish, `wait_ms` after the one before it; `way` is the share of its travel until it arrives."""

    what: str
    wait_ms: int = 0
    travel_ms: int = 50
    way: float = 0.5
    status: int = 200
    patience_ms: int | None = None
    same: bool = False  # may be coalesced with its equals


class Trip(msgspec.Struct, kw_only=True):
    """What became of one request."""

    call: Call
    asked_ns: int
    sent_ns: int
    arrived_ns: int
    heard_ns: int
    status: int


class World:
    """Plays a plan through the queue and keeps the trips."""

    def __init__(self, *, per_s: int = 10, held_back: int = 2, transit_ms: int = 500) -> None:
        self.queue = Queue(Budgets(per_s, held_back=held_back, transit_ns=transit_ms * MS))
        self.transit_ns = transit_ms * MS
        self.trips: list[Trip] = []
        self.late: list[tuple[int, int]] = []  # (deadline, when it was noticed)
        self.now_ns = 1_700_000_000 * S

    def play(self, plan: Sequence[Ask]) -> None:
        """Run until nothing waits and nothing is on its way."""
        order = count()
        events: list[tuple[int, int, Ask | int, int]] = []
        at = self.now_ns
        for ask in plan:
            at += ask.wait_ms * MS
            heapq.heappush(events, (at, next(order), ask, 0))
        travels: dict[int, Ask] = {}
        for _ in range(200_000):
            for waiter, _call in self.queue.overdue(self.now_ns):
                assert waiter.deadline_ns is not None
                self.late.append((waiter.deadline_ns, self.now_ns))
            gone = self.queue.due(self.now_ns)
            for entry in gone:
                ask = travels[entry.seq]
                travel_ns = ask.travel_ms * MS
                arrival_ns = self.now_ns + round(travel_ns * ask.way)
                trip = Trip(call=entry.call, asked_ns=entry.asked_ns, sent_ns=self.now_ns, arrived_ns=arrival_ns,
                            heard_ns=self.now_ns + travel_ns, status=ask.status)  # fmt: skip
                self.trips.append(trip)
                heapq.heappush(events, (trip.heard_ns, next(order), entry.seq, ask.status))
            self.after_due(gone)
            moments = [
                moment for moment in (self.queue.next_ns(self.now_ns), events[0][0] if events else None) if moment
            ]
            if not moments:
                return
            self.now_ns = max(self.now_ns, min(moments))
            while events and events[0][0] <= self.now_ns:
                _, number, what, status = heapq.heappop(events)
                if isinstance(what, Ask):
                    made = CALLS[what.what]
                    made = made if what.same else msgspec.structs.replace(made, query=(("n", str(number)),))
                    deadline_ns = None if what.patience_ms is None else self.now_ns + what.patience_ms * MS
                    waiter = self.queue.ask(made, self.now_ns, deadline_ns=deadline_ns)
                    travels[waiter.number] = what
                else:
                    self.queue.answered(what, self.now_ns, status)
        raise AssertionError("the plan never ends")

    def after_due(self, gone: Sequence[object]) -> None:
        """What a test wants to look at after each step."""


def most_in(moments: Sequence[int], length_ns: int) -> int:
    """The largest number of moments in any half-open window of this length, by counting from each of them."""
    return max((sum(start <= moment < start + length_ns for moment in moments) for start in moments), default=0)
