"""Who goes next: the request scheduler's core. Plain; time is an argument, sending is somebody else's.

- Strict classes by urgency, first come first served within one. What waited `PATIENCE_S` goes right behind the cancels,
  one such a second, so that nothing starves behind a stream of orders.
- Equal reads that still wait are one request. A read that has left is not joined: its answer may be older than the
  question, and somebody who just placed an order asks what is true now.
- A 429 opens the penalty box for ten minutes: the tickle and one cancel a second may leave, all else waits. Further
  429s inside the box don't prolong it, or our own keepalive would keep us in it.
- An order round keeps /iserver to itself while it lasts (a question dies of the next request); a halt may break in.
- Quiet time belongs to one holder alone: a token is renewed, and what is signed meanwhile would be signed wrongly.
"""

from __future__ import annotations

from itertools import count

import msgspec

from engine.errors import VenueUnreachable
from engine.webapi.budgets import CANCELS, SECOND, Budgets, Window, check_size
from engine.webapi.calls import Call, Kind, Urgency
from engine.webapi.waiting import Entry, Section, Waiter, Waits

PATIENCE_S = 10
PENALTY_S = 600
WAITING_LIMIT = 2_000
AGED_RANK = Urgency.CANCEL + 0.5
TICKLE = "/tickle"


class Queue:
    """The scheduler's state: what waits, what is on its way, budgets, penalty, sections."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._numbers = count(1)
        self._waiting: dict[int, Entry] = {}
        self._away: dict[int, Entry] = {}
        self._home: dict[int, Entry] = {}  # of each waiter
        self._aged_ns = 0  # when the next may be let past the others
        self._boxed_cancels = Window(1, SECOND)
        self._claims: list[Section] = []  # waiting, in the order of asking
        self._section: Section | None = None
        self._waits: dict[Urgency, Waits] = {urgency: Waits() for urgency in Urgency}
        self._writes_held = False
        self.penalty_until_ns = 0

    # -- asking and leaving ---------------------------------------------------------------------------------------

    def ask(self, call: Call, now_ns: int, *, deadline_ns: int | None = None, owner: int | None = None) -> Waiter:
        """Queue a call, or join an equal read that waits.

        Raises: VenueUnreachable if too many wait, InvariantBroken if the call names more conids than it may.
        """
        check_size(call)
        if len(self._waiting) >= WAITING_LIMIT:
            raise VenueUnreachable(call.name, f"{WAITING_LIMIT} requests wait already")
        waiter = Waiter(number=next(self._numbers), asked_ns=now_ns, deadline_ns=deadline_ns)
        if call.kind is Kind.READ:
            for entry in self._waiting.values():
                if entry.owner == owner and _same(entry.call, call):
                    entry.waiters[waiter.number] = waiter
                    entry.urgency = min(entry.urgency, call.urgency)
                    self._home[waiter.number] = entry
                    return waiter
        entry = Entry(
            seq=waiter.number,
            call=call,
            urgency=call.urgency,
            asked_ns=now_ns,
            waiters={waiter.number: waiter},
            owner=owner,
        )
        self._waiting[entry.seq] = self._home[waiter.number] = entry
        return waiter

    def leave(self, number: int) -> None:
        """A waiter went away. A request that nobody wants and that has not left never leaves."""
        entry = self._home.pop(number, None)
        if entry is None:
            return
        del entry.waiters[number]
        if not entry.waiters:
            self._waiting.pop(entry.seq, None)

    def is_away(self, seq: int) -> bool:
        """Whether this request has left and is not back."""
        return seq in self._away

    def overdue(self, now_ns: int) -> list[tuple[Waiter, Call]]:
        """Remove and return the waiters whose deadline has passed while nothing of theirs was lost.

        Those of a write that has left stay: what became of it matters however late.
        """
        late = [
            (entry, waiter)
            for entry in (*self._waiting.values(), *self._away.values())
            if entry.sent_ns is None or entry.call.kind in (Kind.READ, Kind.IDEMPOTENT)
            for waiter in entry.waiters.values()
            if waiter.deadline_ns is not None and waiter.deadline_ns <= now_ns
        ]
        for _, waiter in late:
            self.leave(waiter.number)
        return [(waiter, entry.call) for entry, waiter in late]

    # -- going and coming back --------------------------------------------------------------------------------------

    def due(self, now_ns: int) -> list[Entry]:
        """Let everything go that may, most urgent first."""
        self._end_overlong(now_ns)
        gone: list[Entry] = []
        while True:
            self._grant(now_ns)
            entry = self._next(now_ns)
            if entry is None:
                return gone
            self._release(entry, now_ns)
            gone.append(entry)

    def answered(self, seq: int, now_ns: int, status: int | None) -> list[Waiter]:
        """A request came back with `status` (None: without an answer); return those who want to know."""
        entry = self._away.pop(seq)
        assert entry.sent_ns is not None
        self._budgets.answered(entry.call, now_ns)
        if entry.boxed:
            self._boxed_cancels.arrived(now_ns)
        if status == 429 and now_ns >= self.penalty_until_ns:
            self.penalty_until_ns = now_ns + PENALTY_S * SECOND
        for number in entry.waiters:
            del self._home[number]
        return list(entry.waiters.values())

    def next_ns(self, now_ns: int) -> int | None:
        """Return when to look again if nothing else happens; None: only then."""
        moments: list[int] = []
        for entry in (*self._waiting.values(), *self._away.values()):
            if entry.sent_ns is None or entry.call.kind in (Kind.READ, Kind.IDEMPOTENT):
                moments += [one.deadline_ns for one in entry.waiters.values() if one.deadline_ns is not None]
        for entry in self._waiting.values():
            free_ns = self._free_ns(entry, now_ns)
            if free_ns is not None:
                moments.append(free_ns)
                aged_ns = entry.asked_ns + PATIENCE_S * SECOND
                if aged_ns > now_ns and self._claims:
                    moments.append(aged_ns)
        if self._section is not None:
            moments.append(self._section.ends_ns())
        return max(now_ns + 1, min(moments)) if moments else None

    # -- sections ---------------------------------------------------------------------------------------------------

    def claim(self, urgency: Urgency, limit_ns: int, *, whole: bool = False) -> int:
        """Ask for an order round, or with `whole` for quiet time; `holds` says when it has begun."""
        section = Section(number=next(self._numbers), urgency=urgency, whole=whole, limit_ns=limit_ns)
        self._claims.append(section)
        return section.number

    def begin_round(self, urgency: Urgency, limit_ns: int, call: Call, now_ns: int) -> tuple[int, Entry] | None:
        """A round that begins now, with its first call, which leaves now: what `claim`, `ask` and `due` come to.

        Returns: The round's number and the call's entry; None where anything would have to be weighed, and then nothing
            has changed. An order waits for this, and mostly nothing else does.
        """
        if self._waiting or self._claims or self._section is not None:
            return None
        if self._writes_held or now_ns < self.penalty_until_ns:
            return None
        for away in self._away.values():
            if not _outside(away.call):
                return None
        check_size(call)
        free_ns = self._budgets.free_ns(call, call.urgency, now_ns)
        if free_ns is None or free_ns > now_ns:
            return None
        number, seq = next(self._numbers), next(self._numbers)
        self._section = Section(number=number, urgency=urgency, whole=False, limit_ns=limit_ns, began_ns=now_ns)
        waiter = Waiter(number=seq, asked_ns=now_ns, deadline_ns=None)
        entry = Entry(
            seq=seq,
            call=call,
            urgency=call.urgency,
            asked_ns=now_ns,
            waiters={seq: waiter},
            owner=number,
            sent_ns=now_ns,
        )
        self._away[seq] = self._home[seq] = entry
        self._budgets.book(call)
        self._waits[call.urgency].sent += 1
        return number, entry

    def hold_writes(self, held: bool) -> None:
        """Keep order writes waiting while the session can't take them. An order round that lasts is over.

        A round of the urgency of a halt is neither held nor ended: whoever asks for one knows that writes are taken.
        """
        self._writes_held = held
        if held and self._section is not None and not self._section.whole and not self._urgent(self._section):
            self._section = None

    def holds(self, number: int) -> bool:
        """Whether this section is the one that lasts."""
        return self._section is not None and self._section.number == number

    def give_back(self, number: int) -> None:
        """End a section, or give up the claim. What it still had waiting is answered by `orphans`."""
        self._claims = [one for one in self._claims if one.number != number]
        if self.holds(number):
            self._section = None

    def orphans(self) -> list[tuple[Waiter, Call]]:
        """Remove and return waiters whose section is over."""
        lost = [
            (waiter, entry.call)
            for entry in self._waiting.values()
            if entry.owner is not None and not self.holds(entry.owner)
            for waiter in entry.waiters.values()
        ]
        for waiter, _ in lost:
            self.leave(waiter.number)
        return lost

    # -- telling ----------------------------------------------------------------------------------------------------

    def waits(self, now_ns: int) -> dict[Urgency, Waits]:
        """Say who waited how long, and who waits now."""
        told = {urgency: msgspec.structs.replace(waits) for urgency, waits in self._waits.items()}
        for entry in self._waiting.values():
            waits = told[entry.urgency]
            waits.waiting += 1
            waits.oldest_s = max(waits.oldest_s, (now_ns - entry.asked_ns) / SECOND)
        return told

    def all_waiters(self) -> list[tuple[Waiter, Entry]]:
        """Everybody who still hopes, for the end of the scheduler."""
        both = (*self._waiting.values(), *self._away.values())
        return [(waiter, entry) for entry in both for waiter in entry.waiters.values()]

    # -- inside -----------------------------------------------------------------------------------------------------

    def _release(self, entry: Entry, now_ns: int) -> None:
        del self._waiting[entry.seq]
        entry.sent_ns = now_ns
        self._away[entry.seq] = entry
        self._budgets.book(entry.call)
        if now_ns < self.penalty_until_ns and entry.call.template != TICKLE:
            entry.boxed = True
            self._boxed_cancels.leave()
        waits, waited_s = self._waits[entry.urgency], (now_ns - entry.asked_ns) / SECOND
        waits.sent += 1
        waits.total_s += waited_s
        if waited_s > waits.longest_s:
            waits.longest_s, waits.longest_name = waited_s, entry.call.name

    def _next(self, now_ns: int) -> Entry | None:
        ready = [
            entry
            for entry in self._waiting.values()
            if not entry.overdue(now_ns) and (free_ns := self._free_ns(entry, now_ns)) is not None and free_ns <= now_ns
        ]
        if not ready:
            return None
        first = min(ready, key=lambda entry: (self._rank(entry, now_ns), entry.seq))
        if self._rank(first, now_ns) == AGED_RANK:
            self._aged_ns = now_ns + SECOND
        return first

    def _rank(self, entry: Entry, now_ns: int) -> float:
        aged = now_ns - entry.asked_ns >= PATIENCE_S * SECOND and self._aged_ns <= now_ns
        return AGED_RANK if aged and entry.urgency > AGED_RANK else float(entry.urgency)

    def _free_ns(self, entry: Entry, now_ns: int) -> int | None:
        """When the entry may leave if nothing changes; None if something else has to happen first."""
        if self._writes_held and entry.call.kind is Kind.ORDER_WRITE and not self._of_urgent_round(entry):
            return None
        held_until_ns = self._section_ns(entry, now_ns)
        if held_until_ns is None:
            return None
        free_ns = self._budgets.free_ns(entry.call, entry.urgency, now_ns)
        if free_ns is None:
            return None
        return max(free_ns, held_until_ns, self._penalty_ns(entry, now_ns))

    def _penalty_ns(self, entry: Entry, now_ns: int) -> int:
        if now_ns >= self.penalty_until_ns or entry.call.template == TICKLE:
            return now_ns
        if entry.urgency in CANCELS and entry.call.kind is Kind.IDEMPOTENT:
            free_ns = self._boxed_cancels.free_ns(now_ns)
            return self.penalty_until_ns if free_ns is None else min(self.penalty_until_ns, free_ns)
        return self.penalty_until_ns

    def _section_ns(self, entry: Entry, now_ns: int) -> int | None:
        section = self._section
        if entry.owner is not None:
            if section is None or section.number != entry.owner:
                return None
            return self._settled_ns(section, now_ns)
        if section is None:
            # Quiet time begins when everything has come back; cancels need not wait for that.
            draining = any(claim.whole for claim in self._claims) and entry.urgency not in CANCELS
            return None if draining else now_ns
        outside = not section.whole and (_outside(entry.call) or entry.urgency is Urgency.HALT)
        return now_ns if outside else None

    def _settled_ns(self, section: Section, now_ns: int) -> int:
        """When what left before the round has arrived, so that it can't cut in on a question."""
        assert section.began_ns is not None
        earlier = (
            entry.sent_ns + self._budgets.transit_ns
            for entry in self._away.values()
            if entry.sent_ns is not None and entry.sent_ns <= section.began_ns and entry.owner != section.number
            if section.whole or not _outside(entry.call)
        )
        return max(earlier, default=now_ns)

    def _grant(self, now_ns: int) -> None:
        if self._section is not None or not self._claims:
            return
        best = min(self._claims, key=lambda claim: (not claim.whole, claim.urgency, claim.number))
        if best.whole:
            # What is on its way was signed with what is about to go.
            if self._away:
                return
        elif not self._urgent(best) and (
            self._writes_held or any(self._goes_before(entry, best, now_ns) for entry in self._waiting.values())
        ):  # nothing goes before an urgent one
            return
        self._claims.remove(best)
        best.began_ns = now_ns
        self._section = best

    @staticmethod
    def _urgent(section: Section) -> bool:
        return not section.whole and section.urgency is Urgency.HALT

    def _of_urgent_round(self, entry: Entry) -> bool:
        section = self._section
        return section is not None and section.number == entry.owner and self._urgent(section)

    def _goes_before(self, entry: Entry, claim: Section, now_ns: int) -> bool:
        """Whether a waiting request is more urgent than a round and could leave within the second."""
        if entry.owner is not None or _outside(entry.call) or self._rank(entry, now_ns) >= claim.urgency:
            return False
        free_ns = self._free_ns(entry, now_ns)
        return free_ns is not None and free_ns <= now_ns + SECOND

    def _end_overlong(self, now_ns: int) -> None:
        if self._section is not None and self._section.ends_ns() <= now_ns:
            self._section = None


def _outside(call: Call) -> bool:
    return not call.template.startswith("/iserver")


def _same(one: Call, other: Call) -> bool:
    return (one.method, one.path, one.query, one.body) == (other.method, other.path, other.query, other.body)
