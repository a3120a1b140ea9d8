"""Orders that share what they may trade: the children of a bracket, and the orders of an OCA group."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from attrs import define, field

from engine.domain.messages import Refusal
from engine.domain.ticket import OrderTicket, Side

if TYPE_CHECKING:
    from engine.risk.exposure import Exposure

_ZERO: Final = Decimal(0)


def misfit(tickets: Sequence[OrderTicket]) -> Refusal | None:
    """Why several tickets are no group that a venue takes as one; None for a bracket, its entry first, and for an OCA
    group under one name."""
    first, *others = tickets
    if first.parent is None and all(ticket.parent == first.coid for ticket in others):
        return None
    if first.oca_group is not None and all(
        ticket.oca_group == first.oca_group and ticket.parent is None for ticket in tickets
    ):
        return None
    sentence = (
        f"the {len(tickets)} orders from {first.coid} on are neither a bracket, its entry first, nor one OCA group; "
        "place unrelated orders one by one"
    )
    return Refusal("GROUP", "a bracket or an OCA group", str(len(tickets)), sentence)


@define(eq=False)
class Bracket:
    """An entry and the children that get out of what it has filled.

    They share that, so it counts once, however many they are; while the entry has not filled they can't trade.
    """

    exposure: Exposure
    side: Side  # of the children
    quantity: Decimal  # of the entry
    filled: Decimal
    children: dict[str, Decimal] = field(factory=dict)  # units that each open one may still trade
    exits: dict[str, Decimal] = field(factory=dict)  # units that each has traded, open or not
    parted: dict[str, Decimal] = field(factory=dict)  # units that each had traded that is an order of its own since
    counted: Decimal = _ZERO

    def worst(self, also: Decimal = _ZERO) -> Decimal:
        """Units that may yet be traded, with one more child that may trade `also`."""
        most = max(self.children.values(), default=_ZERO)
        left = self.filled - sum(self.parted.values(), _ZERO) - sum(self.exits.values(), _ZERO)
        return max(_ZERO, min(max(most, also), left))

    def settle(self) -> None:
        """Count them anew."""
        worst = self.worst()
        if worst != self.counted:
            self.exposure.count(self.side, worst - self.counted)
            self.counted = worst


@define(eq=False)
class Oca:
    """Orders of one OCA group, of one side in one instrument: the largest of them counts.

    One that has filled does not make the others smaller: each counts until it is seen dead.
    """

    exposure: Exposure
    side: Side
    group: Group
    children: dict[str, Decimal] = field(factory=dict)  # units that each open one may still trade
    counted: Decimal = _ZERO

    def worst(self, also: Decimal = _ZERO) -> Decimal:
        """Units that may yet be traded, with one more order that may trade `also`."""
        return max(max(self.children.values(), default=_ZERO), also)

    def settle(self) -> None:
        """Count them anew."""
        worst = self.worst()
        if worst != self.counted:
            self.exposure.count(self.side, worst - self.counted)
            self.counted = worst


@define(eq=False)
class Group:
    """An OCA group of one strategy: orders that were placed together under one name, in one instrument or several.

    Only what was placed together is one group at the venue, whatever it is called.
    """

    strategy: str
    sides: dict[tuple[int, Side], Oca] = field(factory=dict)  # by conid

    def side_of(self, exposure: Exposure, side: Side) -> Oca:
        """The orders of one side in one instrument, made on first use."""
        key = exposure.instrument.conid, side
        found = self.sides.get(key)
        if found is None:
            found = self.sides[key] = Oca(exposure, side, self)
        return found

    def counted(self, conid: int, side: Side) -> Decimal:
        """Units that count for a side of an instrument."""
        found = self.sides.get((conid, side))
        return _ZERO if found is None else found.counted

    @property
    def spans(self) -> bool:
        """Whether it is of several instruments."""
        return len({conid for conid, _ in self.sides}) > 1

    @property
    def empty(self) -> bool:
        """Whether no order of it is open."""
        return not any(oca.children for oca in self.sides.values())
