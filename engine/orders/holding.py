"""Tickets that are held: until a person lets them pass, or until the venue has told what they would do.

Nothing of a held ticket counts at risk. When it is let go it passes the whole gate again; a no, silence, a halt and a
restart refuse it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from engine.domain.brokerage import Preview
from engine.domain.facts import Cancelled, Refused
from engine.domain.messages import Refusal, Release
from engine.domain.moments import NS_PER_S
from engine.domain.order import State
from engine.orders.actions import JudgeAgain, SendPreview
from engine.orders.live import Waiting
from engine.orders.slate import Slate

PREVIEWED: Final = "WHAT_IF"  # the code of what waits for a preview


@frozen(kw_only=True)
class HoldSettings:
    """Seconds of the venue's clock: how long a person has for an answer, the venue for a preview."""

    answer_s: float = 300.0
    preview_s: float = 10.0


class Holding:
    """What is held stands in the book (`LiveOrders.held`), by the number of its question."""

    def __init__(self, slate: Slate, settings: HoldSettings) -> None:
        self._slate = slate
        self._settings = settings
        self._held = slate.book.held

    def times(self) -> list[int]:
        """When `tick` is wanted."""
        return [waiting.deadline_ns for waiting in self._held.values()]

    def begin(self, now_ns: int) -> None:
        """Ask about what the book has put on hold."""
        for tickets, refusal in self._slate.book.take_holds():
            number = self._slate.next_number()
            previewed = refusal.code == PREVIEWED
            seconds = self._settings.preview_s if previewed else self._settings.answer_s
            waiting = Waiting(number, tickets, refusal, now_ns + round(seconds * NS_PER_S), not previewed)
            self._held[number] = waiting
            if previewed:
                self._slate.actions.append(SendPreview(number, tickets))
            else:
                said = f"question {number} waits for an answer, {seconds:g} s: {refusal.sentence}"
                self._slate.alert("HELD", said, waiting.coids[0])

    def answer(self, number: int, yes: bool, now_ns: int) -> bool:
        """A person has answered; False if nothing is held under this number, or not for a person."""
        waiting = self._held.get(number)
        if waiting is None or not waiting.person:
            return False
        self._slate.note(now_ns, "operator", waiting.coids[0], {"question": number, "yes": yes})
        if yes:
            self._let_go(waiting, Release(waiting.tickets, person=True))
        else:
            self._refuse(waiting, "an operator said no", now_ns)
        return True

    def previewed(self, number: int, preview: Preview | None, now_ns: int) -> bool:
        """The venue's preview has come; False if it is of something else. `None`: it could not be asked."""
        waiting = self._held.get(number)
        if waiting is None or waiting.person:
            return False
        self._slate.note(now_ns, "preview", waiting.coids[0], preview)
        if preview is None:
            self._refuse(waiting, "the venue's preview could not be asked for", now_ns)
        elif preview.error:
            self._refuse(waiting, f"the venue would refuse it: {preview.error}", now_ns)
        elif preview.initial_change is None:
            self._refuse(waiting, "the venue's preview does not tell the margin", now_ns)
        else:
            self._let_go(waiting, Release(waiting.tickets, margin=preview.initial_change))
        return True

    def tick(self, now_ns: int) -> None:
        """Who has not answered in time has said no."""
        for waiting in list(self._held.values()):
            if now_ns >= waiting.deadline_ns:
                who = "person" if waiting.person else "preview"
                self._refuse(waiting, f"no {who} answered in time", now_ns)

    def end(self, coids: Iterable[str], why: str, now_ns: int) -> None:
        """A halt or a wholesale cancellation ends what is held."""
        wanted = set(coids)
        for waiting in list(self._held.values()):
            if not wanted.isdisjoint(waiting.coids):
                self._refuse(waiting, why, now_ns)

    def tidy(self, now_ns: int) -> None:
        """A group of which one ticket is not wanted any more goes as a whole."""
        if not self._held:
            return
        book = self._slate.book.book
        for waiting in list(self._held.values()):
            for ticket in waiting.tickets:
                if book[ticket.coid].state is not State.CREATED:
                    break
            else:
                continue
            del self._held[waiting.number]
            alive = [coid for coid in waiting.coids if book[coid].state is State.CREATED]
            self._slate.say(Cancelled(coid=coid, ts_ns=now_ns, reason="withdrawn") for coid in alive)

    def _let_go(self, waiting: Waiting, release: Release) -> None:
        del self._held[waiting.number]
        self._slate.book.let_go(waiting.coids)
        self._slate.actions.append(JudgeAgain(release))

    def _refuse(self, waiting: Waiting, why: str, now_ns: int) -> None:
        del self._held[waiting.number]
        code, book = waiting.refusal.code, self._slate.book.book
        self._slate.say(
            Refused(coid=coid, ts_ns=now_ns, code=code, reason=reason_of(waiting.refusal, why))
            for coid in waiting.coids
            if book[coid].state is State.CREATED
        )


def reason_of(refusal: Refusal, why: str) -> str:
    """Why a held ticket was refused in the end: why it was held, and what ended that."""
    return f"{refusal.sentence}; {why}"
