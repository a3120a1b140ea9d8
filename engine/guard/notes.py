"""The guard's own journal: written before it acts, read by the next start."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine.domain.messages import Place
from engine.domain.ticket import OrderTicket
from engine.errors import CoidUsed, JournalFull
from engine.guard.mandate import DONE, LATCH, ORDER
from engine.journal.durable import DurableJournal
from engine.journal.reading import JournalReader
from engine.operator.folder import StateFolder

_TICKET: Final = msgspec.json.Decoder(OrderTicket)


class GuardNotes:
    """An open guard journal; times are the wall's, because a guard has no gateway to ask."""

    def __init__(self, folder: StateFolder) -> None:
        self._journal = DurableJournal(folder.guard_journal)

    def note(self, kind: str, name: str, what: Any, *, coid: str | None = None) -> bool:
        """Store a row; False if the disk takes no more."""
        try:
            self._journal.write([(time.time_ns(), kind, name, what)], coids=[coid] if coid else (), essential=True)
        except JournalFull:
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        self._journal.close()


class GuardDeed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the guard did that a start must know of.

    Args:
        seq: Its row in the guard's journal; a start takes over what lies behind the last one it knows.
        ts_ns: When, by the wall.
        kind: `latch` (trading stays halted; `sentence` says why), `order` (`ticket` is about to leave: whether it
            arrived, the venue knows) or `done` (what it came to).
    """

    seq: int
    ts_ns: int
    kind: str
    sentence: str
    ticket: OrderTicket | None = None


def guard_acted(folder: StateFolder, *, after: int = 0) -> Sequence[GuardDeed]:
    """What the guard did behind row `after` of its journal, oldest first; nothing if there was never a guard.

    Raises: InputError for a guard's journal that can't be read.
    """
    if not folder.guard_journal.exists():
        return []
    reader = JournalReader(folder.guard_journal)
    try:
        deeds = []
        for row in reader.rows(after=after, kinds=(LATCH, ORDER, DONE)):
            ticket = _TICKET.decode(row.body) if row.kind == ORDER else None
            sentence = (
                f"{ticket.side} {ticket.quantity} of {ticket.conid}" if ticket else str(msgspec.json.decode(row.body))
            )
            deeds.append(GuardDeed(seq=row.seq, ts_ns=row.ts_ns, kind=row.kind, sentence=sentence, ticket=ticket))
        return deeds
    finally:
        reader.close()


def take_over_orders(folder: StateFolder, journal: DurableJournal, now_ns: int) -> int:
    """Write the guard's own orders into the daemon's journal, before it is read: as orders that were sent.

    From there on they are like any other: in doubt until the venue's lists show them, and their fills are booked to the
    strategy whose position they close. Done twice it does nothing. Returns how many were new.

    Raises: InputError for a guard's journal that can't be read.
    """
    new = 0
    for deed in guard_acted(folder):
        ticket = deed.ticket
        if ticket is None:
            continue
        rows = [(now_ns, "approved", ticket.coid, Place((ticket,))), (now_ns, "write", ticket.coid, (ticket,))]
        try:
            journal.write(rows, coids=[ticket.coid], essential=True)
        except CoidUsed:  # an earlier start has
            continue
        new += 1
    return new
