"""Decided together, stored together: one lot of the orders task on its way to the journal, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import define

from engine.domain.messages import Update
from engine.orders.actions import Action, SendClosing, SendModify, SendPlace
from engine.orders.desk import SHUT
from engine.runtime.live.letters import CancelNow, TradingNow
from engine.runtime.live.permits import StorePermit

OrderWrite = SendPlace | SendModify
Rows = Sequence[tuple[int, str, str, Any]]


class Stored(Protocol):
    """Rows on their way to the disk."""

    async def wait(self) -> None:
        """Return when they are on it. Raises: JournalFull or CoidUsed if they never will be."""


class Ledger(Protocol):
    """Where facts go before anything follows from them."""

    def begin(
        self, rows: Rows, *, coids: Sequence[str], essential: bool, then: Callable[[], None] | None = None
    ) -> Stored:
        """Have rows stored and return at once; `then` is called, in any thread, as soon as they are, and only then."""


@define(eq=False)
class Lot:
    """What was decided at one moment.

    Where nothing but order writes goes out, these are made ready while the rows are stored, and `permit` is what they
    wait for; it is None where all actions follow when the rows are there.
    """

    now_ns: int
    actions: list[Action]
    updates: list[Update]
    rows: Rows
    stored: Stored
    permit: StorePermit | None

    @property
    def writes(self) -> list[OrderWrite]:
        """The order writes in it."""
        return writes_in(self.actions)

    def heed(self, letter: CancelNow | TradingNow) -> None:
        """A halt, or a cancel that does not wait, holds back the write that it concerns, if that has not left."""
        if self.permit is not None and any(_concerns(letter, one) for one in self.writes):
            self.permit.refuse()


def writes_in(actions: Sequence[Action]) -> list[OrderWrite]:
    """The order writes among actions."""
    return [one for one in actions if isinstance(one, SendPlace | SendModify)]


def _concerns(letter: CancelNow | TradingNow, write: OrderWrite) -> bool:
    if isinstance(write, SendClosing):
        return False
    if isinstance(letter, TradingNow):
        return letter.state in SHUT and isinstance(write, SendPlace)
    coids = [one.coid for one in write.tickets] if isinstance(write, SendPlace) else [write.ticket.coid]
    return letter.coids is None or any(coid in letter.coids for coid in coids)
