"""Orders that hang together: brackets and OCA groups.

A bracket's children wait for their entry and are then live for as much as it has filled. Between them they share that
quantity: what one executes, the others lose. In an OCA group any fill of one member cancels the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from attrs import define, field

from engine.venue.working import DONE, HELD, SPENT, WORKING, ZERO, WorkingOrder

if TYPE_CHECKING:
    from engine.venue.floor import Floor


@define(eq=False)
class Bracket:
    """An entry and its children; `exits` is what the children have executed together."""

    entry: WorkingOrder
    children: list[WorkingOrder] = field(factory=list)
    exits: Decimal = ZERO

    def share(self, child: WorkingOrder) -> Decimal:
        """What a child may still execute."""
        return max(ZERO, min(child.ticket.quantity - child.filled, self.entry.filled - self.exits))


def arrive(floor: Floor, orders: Sequence[WorkingOrder], now_ns: int) -> None:
    """Take orders that were sent together: all of them know one another before the first can be filled."""
    for order in orders:
        order.stand = HELD
        ticket = order.ticket
        floor.orders[ticket.coid] = order
        join_oca(floor, order)
        if ticket.parent is not None:
            bracket = join_bracket(floor.orders.get(ticket.parent) or floor.filled[ticket.parent], order)
            order.set_left(bracket.share(order))
    for order in orders:
        if order.stand is not HELD:
            continue  # alive by its entry's fill already, or gone with its group
        if order.left:
            floor.on_live(order, now_ns)
        else:
            floor.pend(order, now_ns)


def join_bracket(entry: WorkingOrder, child: WorkingOrder) -> Bracket:
    """Hang a child on its entry."""
    bracket = entry.entry_of
    if bracket is None:
        bracket = entry.entry_of = Bracket(entry)
        entry.plain = False
    bracket.children.append(child)
    child.bracket = bracket
    return bracket


def entry_filled(floor: Floor, bracket: Bracket, now_ns: int) -> None:
    """An entry has filled (a part): its children come alive, or grow."""
    for child in tuple(bracket.children):
        _resize(floor, bracket, child, now_ns)


def exit_filled(floor: Floor, child: WorkingOrder, quantity: Decimal, now_ns: int) -> None:
    """A child has executed: the others lose that much; none stays when nothing is left to get out of."""
    bracket = child.bracket
    assert bracket is not None
    bracket.exits += quantity
    over = bracket.entry.stand is DONE and bracket.exits >= bracket.entry.filled
    for sibling in tuple(bracket.children):
        if sibling.stand is DONE:
            bracket.children.remove(sibling)
        elif over:
            floor.cancel(sibling, now_ns, "oca")
        else:
            _resize(floor, bracket, sibling, now_ns)


def entry_ended(floor: Floor, bracket: Bracket, now_ns: int) -> None:
    """An entry is cancelled: children that have nothing to get out of go with it."""
    if bracket.exits < bracket.entry.filled:
        return
    for child in tuple(bracket.children):
        if child.stand is not DONE:
            floor.cancel(child, now_ns, "parent" if not bracket.entry.filled else "oca")


def _resize(floor: Floor, bracket: Bracket, child: WorkingOrder, now_ns: int) -> None:
    """Give a child the quantity that its entry and its siblings leave it."""
    if child.stand is DONE:
        return
    child.set_left(bracket.share(child))
    child.book.changed()
    if child.stand in (HELD, SPENT):
        if child.left:
            floor.granted.append(child)
            floor.on_live(child, now_ns)
    elif child.stand is WORKING and not child.left:
        child.book.catch_up(child, floor.row)
        child.book.drop(child)
        child.stand = SPENT


def join_oca(floor: Floor, order: WorkingOrder) -> None:
    """Put an order into its OCA group."""
    group = order.ticket.oca_group
    if group is not None:
        floor.oca.setdefault(group, []).append(order)


def leave(floor: Floor, order: WorkingOrder) -> None:
    """Take an order out of its OCA group."""
    group = order.ticket.oca_group
    members = floor.oca.get(group) if group is not None else None
    if group is not None and members is not None and order in members:
        members.remove(order)
        if not members:
            del floor.oca[group]


def one_cancels(floor: Floor, order: WorkingOrder, now_ns: int) -> None:
    """A member of an OCA group has filled: the others go."""
    group = order.ticket.oca_group
    assert group is not None
    for other in tuple(floor.oca.get(group, ())):
        if other is not order:
            floor.cancel(other, now_ns, "oca")
