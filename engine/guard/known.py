"""Which orders are ours: what the daemon's journal and the guard's own say, read when the guard has to act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from attrs import field, frozen

from engine.domain.brokerage import VenueOrder
from engine.domain.order import Order, State
from engine.errors import InputError
from engine.journal.reading import JournalReader
from engine.operator.folder import StateFolder
from engine.orders.recovery import KINDS, recover

_NEVER_LEFT = frozenset({State.CREATED})


@frozen(kw_only=True)
class Known:
    """Our orders. `open_ids`: venue order id -> coid of those that may live; `names`: every coid we ever sent;
    `living`: how many may live, those without a venue's id among them.

    `holders` names, by conid, the one strategy that holds an instrument; where several do, or none, nobody.
    """

    open_ids: Mapping[str, str]
    ids: Mapping[str, str]
    names: frozenset[str]
    living: int = 0
    holders: Mapping[int, str] = field(factory=dict)
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
    holders: dict[int, str] = {}
    problems, living = [], 0
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
            holders = _holders(found.orders.values())
            for coid, order in found.orders.items():
                lives = order.is_open and order.state not in _NEVER_LEFT
                living += lives
                if order.venue_id:
                    ids[order.venue_id] = coid
                    if lives:
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
    said = "; ".join(problems)
    return Known(open_ids=open_ids, ids=ids, names=frozenset(names), living=living, holders=holders, problem=said)


def _holders(orders: Iterable[Order]) -> dict[int, str]:
    """Whose an instrument's position is: the only strategy that trades it, else the only one that holds some.

    Of several nobody is: fills that the journal has not heard of could be anybody's.
    """
    held: dict[int, dict[str, Decimal]] = {}
    for order in orders:
        ticket = order.ticket
        if order.filled or order.is_open:
            of = held.setdefault(ticket.conid, {})
            of[ticket.strategy] = of.get(ticket.strategy, Decimal(0)) + order.filled * ticket.side.sign
    found = {}
    for conid, of in held.items():
        holding = list(of) if len(of) == 1 else [strategy for strategy, units in of.items() if units]
        if len(holding) == 1:
            found[conid] = holding[0]
    return found
