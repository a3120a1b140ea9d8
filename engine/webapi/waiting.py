"""What the request scheduler keeps: requests and who waits for them, claims on the session, how long it all took."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine.webapi.calls import Call, Urgency


class Waiter(msgspec.Struct, kw_only=True):
    """Somebody who wants the answer of an entry; `deadline_ns` None waits for ever."""

    number: int
    asked_ns: int
    deadline_ns: int | None


class Entry(msgspec.Struct, kw_only=True):
    """One request, waiting or on its way (`sent_ns`), and all who want its answer. `owner`: its round or quiet time.
    `boxed`: it left as the one cancel a second of the penalty box."""

    seq: int
    call: Call
    urgency: Urgency
    asked_ns: int
    waiters: dict[int, Waiter]
    owner: int | None = None
    sent_ns: int | None = None
    boxed: bool = False

    def overdue(self, now_ns: int) -> bool:
        """Whether nobody wants it any more."""
        return all(one.deadline_ns is not None and one.deadline_ns <= now_ns for one in self.waiters.values())


class Section(msgspec.Struct, kw_only=True):
    """A claim on the session: an order round (`whole` false: /iserver only) or quiet time (`whole`)."""

    number: int
    urgency: Urgency
    whole: bool
    limit_ns: int
    began_ns: int | None = None

    def ends_ns(self) -> int:
        """When it ends at the latest."""
        return (self.began_ns or 0) + self.limit_ns


class Waits(msgspec.Struct, kw_only=True):
    """How long calls of one class waited before they left, seconds; `waiting` and `oldest_s` are of now."""

    sent: int = 0
    total_s: float = 0.0
    longest_s: float = 0.0
    longest_name: str = ""
    waiting: int = 0
    oldest_s: float = 0.0


def named(waits: dict[Urgency, Waits]) -> Iterator[tuple[str, Waits]]:
    """Classes by their names, for status pages; those that never saw a call are left out."""
    return ((urgency.name.lower(), one) for urgency, one in waits.items() if one.sent or one.waiting)
