"""One round: from a ticket to the last reply. Nothing else is sent meanwhile, so there is one at a time."""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import define, field

from engine.domain.brokerage import LegRefused, LegTaken, Question
from engine.domain.moments import NS_PER_S
from engine.domain.ticket import OrderTicket


class Stage(Enum):
    """What the round waits for."""

    SIZE = "our own word on whether it is so large that it is previewed"
    PREVIEW = "the venue's preview"
    WRITE = "the answer to the ticket"
    RISK = "our own checks, before a question is ruled on"
    PERSON = "an operator's yes or no"
    REPLY = "the answer to a reply"


OPEN_QUESTION: Final = frozenset({Stage.PERSON, Stage.RISK})
RISK_LIMIT_NS: Final = NS_PER_S  # our own answer takes microseconds; what takes a second does not come


@define(eq=False)
class Round:
    """One order write under way. `open` are the tickets that nothing has been said of, `questions` those not answered.

    `broken`: something urgent went out in between, so an open question is void. `declined` is why we said no; `unnamed`
    are order ids of rows that do not tell whose they are.
    """

    number: int
    tickets: tuple[OrderTicket, ...]
    order_id: str | None  # of the order that is modified
    stage: Stage = Stage.WRITE
    again: bool = False  # the ticket was proved absent before, and goes out a second time
    closing: bool = False  # the kill switch closes a position
    open: dict[str, OrderTicket] = field(init=False)
    questions: list[Question] = field(factory=list)
    replies: int = 0
    broken: bool = False
    declined: str = ""
    unnamed: set[str] = field(factory=set)
    deadline_ns: int = 0

    def __attrs_post_init__(self) -> None:
        self.open = {ticket.coid: ticket for ticket in self.tickets}

    @property
    def unsent(self) -> bool:
        """Nothing of it has left us yet, so that nothing need wait for it."""
        return self.stage in (Stage.SIZE, Stage.PREVIEW)

    @property
    def modifies(self) -> bool:
        """A modification, not a new order."""
        return self.order_id is not None

    def whose(self, leg: LegTaken, ids: dict[str, str]) -> str | None:
        """Which of the round's tickets a row takes; None where that can't be told yet.

        Rows come in any order and children may come without our id: then the parent's id and the only ticket left tell.
        """
        if leg.coid in self.open:
            return leg.coid
        if self.modifies or len(self.tickets) == 1:
            return next(iter(self.open), None)
        children = [coid for coid, ticket in self.open.items() if ticket.parent is not None]
        entries = [coid for coid, ticket in self.open.items() if ticket.parent is None]
        if leg.parent_id is None:
            return entries[0] if len(entries) == 1 and not leg.coid else None
        siblings = [coid for coid in children if ids.get(self.open[coid].parent or "") in (None, leg.parent_id)]
        return siblings[0] if len(siblings) == 1 else None

    def refused(self, leg: LegRefused) -> str | None:
        """Which of the round's tickets a row refuses; None where that can't be told."""
        if leg.coid in self.open:
            return leg.coid
        if len(self.open) == 1 and len(self.tickets) == 1:
            return next(iter(self.open))
        return None
