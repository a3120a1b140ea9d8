"""Where the parts of the order desk write: facts into the book, what is to be done, and what became of orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.domain.facts import Answer
from engine.domain.messages import Update
from engine.orders.actions import Action, Alert
from engine.orders.live import LiveOrders


def _nothing(now_ns: int) -> None:
    del now_ns


class Slate:
    """The book, and the actions and updates since the last `take`. `follow_up` is called after facts have been told."""

    def __init__(self, book: LiveOrders) -> None:
        self.book = book
        self.actions: list[Action] = []
        self.updates: list[Update] = []
        self.follow_up: Callable[[int], None] = _nothing
        self._number = 0

    def next_number(self) -> int:
        """A number for a question or a request, of which there is one."""
        self._number += 1
        return self._number

    def take(self) -> tuple[list[Action], list[Update]]:
        """What is to be done and told, once."""
        actions, updates = self.actions, self.updates
        self.actions, self.updates = [], []
        return actions, updates

    def say(self, facts: Iterable[Answer]) -> None:
        """Tell the book; what follows for groups and waiting wishes follows at once."""
        facts = list(facts)
        if facts:
            self.updates += self.book.hear(facts)
            self.follow_up(facts[-1].ts_ns)

    def kill(self, coid: str, now_ns: int) -> None:
        """An open order is to die without a strategy's asking: the book knows before the request leaves."""
        self.updates += self.book.act_cancel(coid, now_ns)

    def alert(self, code: str, sentence: str, coid: str) -> None:
        """A person should know."""
        self.actions.append(Alert(code, sentence, coid))

    def note(self, now_ns: int, kind: str, name: str, what: object) -> None:
        """Into the journal, with the facts and in their order."""
        self.book.facts.append((now_ns, kind, name, what))
