"""Which orders are ours: what the daemon's journal and the guard's own say, read when the guard has to act."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from engine.domain.brokerage import VenueOrder
from engine.domain.order import State
from engine.errors import InputError
from engine.journal.reading import JournalReader
from engine.operator.folder import StateFolder
from engine.orders.recovery import KINDS, recover

_NEVER_LEFT = frozenset({State.CREATED})


@frozen(kw_only=True)
class Known:
    """Our orders. `open_ids`: venue order id -> coid of those that may live; `names`: every coid we ever sent."""

    open_ids: Mapping[str, str]
    ids: Mapping[str, str]
    names: frozenset[str]
    problem: str = ""

    def ours(self, row: VenueOrder) -> bool:
        """Whether a row of the venue's list is an order of ours, or the child of one."""
        return (
            (row.coid is not None and row.coid in self.names) or row.order_id in self.ids or row.parent_id in self.ids
        )

    def coid_of(self, order_id: str) -> str:
        """Our name for an order, if we know it by the venue's id."""
        return self.ids.get(order_id, "")


def known_orders(folder: StateFolder) -> Known:
    """Read both journals; one that can't be read adds nothing, and `problem` says so."""
    ids: dict[str, str] = {}
    open_ids: dict[str, str] = {}
    names: set[str] = set()
    problems = []
    if folder.journal.exists():
        try:
            reader = JournalReader(folder.journal)
            try:
                names |= reader.coids()
                rows = reader.rows(kinds=KINDS)
                found = recover((row.ts_ns, row.kind, row.name, row.body) for row in rows)
            finally:
                reader.close()
        except InputError as error:
            problems.append(str(error))
        else:
            for coid, order in found.orders.items():
                if order.venue_id:
                    ids[order.venue_id] = coid
                    if order.is_open and order.state not in _NEVER_LEFT:
                        open_ids[order.venue_id] = coid
    if folder.guard_journal.exists():
        try:
            reader = JournalReader(folder.guard_journal)
            try:
                names |= reader.coids()
            finally:
                reader.close()
        except InputError as error:
            problems.append(str(error))
    return Known(open_ids=open_ids, ids=ids, names=frozenset(names), problem="; ".join(problems))
