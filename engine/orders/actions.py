"""What the order desk wants done by whoever carries its requests: sent, read, asked or told."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from engine.domain.brokerage import Question
from engine.domain.messages import Intent
from engine.domain.ticket import OrderTicket


class SendPlace(Struct, frozen=True, tag=True):
    """Write these tickets, once; answer with `Desk.answered(number, ...)`. `again`: they were proved absent before."""

    number: int
    tickets: tuple[OrderTicket, ...]
    again: bool = False

    @property
    def marks(self) -> tuple[str, ...]:
        """What must be new for ever: the ids, and for a second time the ids marked as such. A third fails."""
        return tuple(f"{ticket.coid}#2" if self.again else ticket.coid for ticket in self.tickets)


class SendClosing(SendPlace, frozen=True, tag=True):
    """Write a ticket that closes a position for the kill switch: it does not wait for the stream."""


class SendPreview(Struct, frozen=True, tag=True):
    """Ask what these tickets would do; answer with `Desk.previewed(number, ...)`."""

    number: int
    tickets: tuple[OrderTicket, ...]


class SendModify(Struct, frozen=True, tag=True):
    """Write a full ticket over a working order, once."""

    number: int
    order_id: str
    ticket: OrderTicket


class SendReply(Struct, frozen=True, tag=True):
    """Answer a question, once if it confirms."""

    number: int
    reply_id: str
    confirmed: bool


class SendCancel(Struct, frozen=True, tag=True):
    """Ask for a cancellation; answer with `Desk.cancel_answered`."""

    coid: str
    order_id: str
    urgent: bool


class SendCancelAll(Struct, frozen=True, tag=True):
    """Ask for the cancellation of every order of the account; answer with `Desk.cancel_all_answered`."""

    count: int


class ReadOrders(Struct, frozen=True, tag=True):
    """Read the day's orders, primed."""

    why: str


class ReadExecutions(Struct, frozen=True, tag=True):
    """Read executions, primed."""

    why: str


class ReadOrder(Struct, frozen=True, tag=True):
    """Read one order's own page."""

    order_id: str
    why: str


class AskRisk(Struct, frozen=True, tag=True):
    """Which conditions hold for these tickets now? Answer with `Desk.judged(number, ...)`."""

    number: int
    tickets: tuple[OrderTicket, ...]


class AskOperator(Struct, frozen=True, tag=True):
    """A person is to answer a question of the venue's before `deadline_ns`; silence declines."""

    number: int
    question: Question
    coids: tuple[str, ...]
    deadline_ns: int


class JudgeAgain(Struct, frozen=True, tag=True):
    """An intent that has waited goes through the gate once more."""

    intent: Intent


class Flatten(Struct, frozen=True, tag=True):
    """A position has lost its protection: trade these signed units of the strategy's, through the gate."""

    strategy: str
    conid: int
    units: Decimal
    why: str


class FeeKnown(Struct, frozen=True, tag=True):
    """What an execution cost has become known."""

    execution_id: str
    coid: str
    strategy: str
    conid: int
    amount: Decimal


class Alert(Struct, frozen=True, tag=True):
    """A person should know; `code` is stable."""

    code: str
    sentence: str
    coid: str = ""


Action = (
    SendPlace
    | SendClosing
    | SendPreview
    | SendModify
    | SendReply
    | SendCancel
    | SendCancelAll
    | ReadOrders
    | ReadExecutions
    | ReadOrder
    | AskRisk
    | AskOperator
    | JudgeAgain
    | Flatten
    | FeeKnown
    | Alert
)
