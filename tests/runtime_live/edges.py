"""Edges for tests of the daemon: a clock that is trio's, a broker that loses answers, people who keep quiet."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from random import Random

import trio
from attrs import frozen

from engine.domain.brokerage import (
    Balance,
    BrokerNews,
    CancelAnswer,
    CancelTurnedDown,
    ExecutionsKnown,
    NotYetKnown,
    OrdersKnown,
    Preview,
    Prompted,
    VenueOrder,
    VenuePosition,
    WriteAnswer,
)
from engine.domain.ticket import OrderTicket
from engine.errors import AnswerLost, VenueRefused, VenueUnreachable
from engine.journal.durable import DurableJournal, Row
from engine.orders.actions import Alert, AskOperator
from engine.ports import Permit
from tests.orders.model_venue import ModelVenue

S = 1_000_000_000


class TrioClock:
    """The venue's clock is trio's."""

    def now_ns(self) -> int:
        return 1_000 * S + round(trio.current_time() * S)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(max(seconds, 0))

    async def sleep_until(self, moment_ns: int) -> None:
        await self.sleep((moment_ns - self.now_ns()) / S)


class LossyBroker:
    """A broker over the model venue; `loss` is the chance that an answer does not come back."""

    def __init__(self, venue: ModelVenue, chance: Random, clock: TrioClock, loss: float) -> None:
        self.venue = venue
        self.chance = chance
        self.clock = clock
        self.loss = loss
        self.lock = trio.Lock()
        self.open_round = False

    async def _lose(self, what: str) -> bool:
        """Wait as a wire does; True if the answer is to be lost after the venue has acted."""
        await trio.sleep(self.chance.random() * 0.2)
        if self.chance.random() >= self.loss:
            return False
        if self.chance.random() < 0.3:
            raise VenueUnreachable(what, "no route")
        if self.chance.random() < 0.3:
            raise AnswerLost(what, "reset before it arrived")
        return True

    async def _write(self, what: str, answer: WriteAnswer | None, lost: bool) -> WriteAnswer:
        await trio.sleep(self.chance.random() * 0.2)
        if lost or answer is None:
            raise AnswerLost(what, "silence")
        return answer

    async def _permitted(self, what: str, permit: Permit | None) -> None:
        if permit is not None and not await permit.settled():
            raise VenueUnreachable(what, "held back")

    async def place(self, tickets: Sequence[OrderTicket], *, permit: Permit | None = None) -> WriteAnswer:
        assert self.open_round
        await self._permitted("place", permit)
        lost = await self._lose("place")
        return await self._write("place", self.venue.place(tickets, self.clock.now_ns()), lost)

    def ready(self, tickets: Sequence[OrderTicket], permit: Permit, *, urgent: bool = False) -> None:
        """A round may have to wait."""

    async def preview(self, tickets: Sequence[OrderTicket]) -> Preview:
        return Preview()

    async def reply(self, reply_id: str, *, confirmed: bool) -> WriteAnswer:
        assert self.open_round
        lost = await self._lose("reply")
        return await self._write("reply", self.venue.reply(reply_id, confirmed, self.clock.now_ns()), lost)

    async def modify(self, order_id: str, ticket: OrderTicket, *, permit: Permit | None = None) -> WriteAnswer:
        assert self.open_round
        await self._permitted("modify", permit)
        lost = await self._lose("modify")
        return await self._write("modify", self.venue.modify(order_id, ticket, self.clock.now_ns()), lost)

    async def cancel(self, order_id: str, *, urgent: bool) -> CancelAnswer:
        lost = await self._lose("cancel")
        answer = self.venue.cancel(order_id, self.clock.now_ns())
        if lost:
            raise AnswerLost("cancel", "silence")
        return answer

    async def cancel_all(self) -> CancelAnswer:
        return CancelTurnedDown(reason="not by accident")

    async def answer_prompt(self, prompt: Prompted, option: str) -> None:
        raise VenueRefused("notification", "none open", status=400)

    async def orders(self) -> OrdersKnown | NotYetKnown:
        if await self._lose("orders"):
            raise VenueUnreachable("orders", "silence")
        return self.venue.read_orders(self.clock.now_ns())

    async def executions(self) -> ExecutionsKnown | NotYetKnown:
        if await self._lose("executions"):
            raise VenueUnreachable("executions", "silence")
        return self.venue.read_executions(self.clock.now_ns())

    async def order(self, order_id: str) -> VenueOrder:
        copy = self.venue.copy(order_id, self.clock.now_ns())
        if copy is None or await self._lose("order"):
            raise VenueUnreachable("order", "silence")
        return copy

    async def positions(self) -> tuple[VenuePosition, ...]:
        held: Counter[int] = Counter()
        for live in self.venue.orders.values():
            held[live.ticket.conid] += live.filled * live.ticket.side.sign  # type: ignore[assignment]  # a Decimal
        return tuple(VenuePosition(conid=conid, quantity=Decimal(units)) for conid, units in held.items())

    async def ledger(self) -> Mapping[str, Balance]:
        return {}

    async def suppress(self, message_ids: Sequence[str]) -> None:
        pass

    async def reset_suppression(self) -> None:
        pass

    async def news(self) -> Sequence[BrokerNews]:
        await trio.sleep_forever()
        raise AssertionError

    @asynccontextmanager
    async def round(self, *, urgent: bool = False) -> AsyncIterator[None]:
        async with self.lock:
            self.open_round = True
            try:
                yield
            finally:
                self.open_round = False


class DirectLedger:
    """Stores at once: on virtual time a thread's commit would take as long as the clock pleases to jump."""

    def __init__(self, journal: DurableJournal) -> None:
        self.journal = journal

    def begin(
        self, rows: Sequence[Row], *, coids: Sequence[str], essential: bool, then: Callable[[], None] | None = None
    ) -> DirectlyStored:
        return DirectlyStored(partial(self.journal.write, rows, coids=coids, essential=essential), then)

    async def store(self, rows: Sequence[Row], *, coids: Sequence[str], essential: bool) -> None:
        await self.begin(rows, coids=coids, essential=essential).wait()


@frozen
class DirectlyStored:
    write: Callable[[], object]
    then: Callable[[], None] | None

    async def wait(self) -> None:
        await trio.sleep(0)
        self.write()
        if self.then is not None:
            self.then()


class Recorder:
    """People who never answer."""

    def __init__(self) -> None:
        self.alerts: Counter[str] = Counter()

    def alert(self, alert: Alert, now_ns: int) -> None:
        self.alerts[alert.code] += 1

    def ask(self, question: AskOperator, now_ns: int) -> None:
        self.alerts["ASKED"] += 1
