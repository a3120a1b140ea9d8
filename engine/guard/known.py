"""Which orders are ours: what the daemon's journal and the guard's own say, read when the guard has to act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec
from attrs import field, frozen

from engine.domain.brokerage import VenueOrder
from engine.domain.order import Order, State
from engine.errors import InputError
from engine.journal.reading import JournalReader
from engine.operator.folder import StateFolder
from engine.orders.recovery import KINDS, recover

TAKEN_OVER: Final = "taken_over"
_NEVER_LEFT = frozenset({State.CREATED})


class _OfInstrument(msgspec.Struct):
    conid: int


_CONID: Final = msgspec.json.Decoder(_OfInstrument)


@frozen(kw_only=True)
class Known:
    """Our orders. `open_ids`: venue order id -> coid of those that may live; `names`: every coid we ever sent;
    `living`: how many may live, those without a venue's id among them.

    `orders` are those of the daemon's journal, by coid; `holders` names, by conid, the one strategy that holds an
    instrument; where several do, or none, nobody.
    """

    open_ids: Mapping[str, str]
    ids: Mapping[str, str]
    names: frozenset[str]
    living: int = 0
    orders: Mapping[str, Order] = field(factory=dict)
    holders: Mapping[int, str] = field(factory=dict)
    problem: str = ""

    def ours(self, row: VenueOrder) -> bool:
        """Whether a row of the venue's list is an order of ours, or the child of one."""
        return (
            (row.coid is not None and row.coid in self.names) or row.order_id in self.ids or row.parent_id in self.ids
        )

    def held(self, conid: int, rows: Sequence[VenueOrder]) -> Decimal | None:
        """Units that our orders have come to, by the journal and the venue's list; None where others traded too.

        What was held before the journal began is not in it.
        """
        filled = {coid: order.filled for coid, order in self.orders.items() if order.ticket.conid == conid}
        for row in rows:
            if row.conid not in (conid, None) or not row.filled:
                continue
            coid = row.coid or self.coid_of(row.order_id)
            if coid not in filled:
                return None
            filled[coid] = max(filled[coid], row.filled)
        return sum((units * self.orders[coid].ticket.side.sign for coid, units in filled.items()), Decimal(0))

    def traded(self, conid: int) -> bool:
        """Whether an order of the journal has filled."""
        return any(order.filled for order in self.orders.values() if order.ticket.conid == conid)

    def coid_of(self, order_id: str) -> str:
        """Our name for an order, if we know it by the venue's id."""
        return self.ids.get(order_id, "")


NOTHING: Final = Known(open_ids={}, ids={}, names=frozenset())


def known_orders(folder: StateFolder) -> Known:
    """Read both journals; one that can't be read adds nothing, and `problem` says so."""
    ids: dict[str, str] = {}
    open_ids: dict[str, str] = {}
    names: set[str] = set()
    orders: dict[str, Order] = {}
    holders: dict[int, str] = {}
    problems, living = [], 0
    if folder.journal.exists():
        try:
            reader = JournalReader(folder.journal)
            try:
                names |= reader.coids()
                rows = reader.rows(kinds=KINDS)
                found = recover((row.ts_ns, row.kind, row.name, row.body) for row in rows)
                taken_over = frozenset(_CONID.decode(row.body).conid for row in reader.rows(kinds=(TAKEN_OVER,)))
            finally:
                reader.close()
        except InputError as error:
            problems.append(str(error))
        else:
            orders = dict(found.orders)
            holders = _holders(orders.values(), taken_over)
            for coid, order in orders.items():
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
    return Known(
        open_ids=open_ids,
        ids=ids,
        names=frozenset(names),
        living=living,
        orders=orders,
        holders=holders,
        problem="; ".join(problems),
    )


def _holders(orders: Iterable[Order], taken_over: frozenset[int]) -> dict[int, str]:
    """Whose an instrument's position is: the only strategy that trades it, else the only one that holds some.

    Of several nobody is: fills that the journal has not heard of could be anybody's. Nobody is of what came by no order
    of ours, nor of what no order of ours can have left there.

    Args:
        taken_over: Conids of which the daemon has found units that it had not traded.
    """
    held: dict[int, dict[str, Decimal]] = {}
    may_fill: set[int] = set()
    for order in orders:
        ticket = order.ticket
        if order.is_open:
            may_fill.add(ticket.conid)
        if order.filled or order.is_open:
            of = held.setdefault(ticket.conid, {})
            of[ticket.strategy] = of.get(ticket.strategy, Decimal(0)) + order.filled * ticket.side.sign
    found = {}
    for conid, of in held.items():
        holding = [strategy for strategy, units in of.items() if units or (len(of) == 1 and conid in may_fill)]
        if len(holding) == 1 and conid not in taken_over:
            found[conid] = holding[0]
    return found
