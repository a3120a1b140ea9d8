"""An order's request is made ready while the journal stores the order, and leaves only if it has been stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from functools import partial
from random import Random
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing
from attrs import define, field

from engine.domain.brokerage import AllRefused, SessionNow, WriteAnswer
from engine.domain.messages import Approved, Cancel, Place
from engine.domain.order import State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.errors import CoidUsed, JournalFull, VenueUnreachable
from engine.orders.desk import Desk, DeskSettings
from engine.orders.live import LiveOrders
from engine.orders.replies import read_policy
from engine.ports import Permit
from engine.risk.explaining import Finding
from engine.runtime.live import again as again_module
from engine.runtime.live import permits
from engine.runtime.live.again import Again
from engine.runtime.live.carrying import Carrier
from engine.runtime.live.inputs import Record, read, write
from engine.runtime.live.lanes import Lane
from engine.runtime.live.letters import (
    Asked,
    Became,
    CancelNow,
    Explained,
    Judged,
    OrdersLetter,
    PortfolioLetter,
    SessionHeard,
    Tick,
    TradingNow,
    Wanted,
)
from engine.runtime.live.ordering import Ordering
from engine.runtime.live.permits import StorePermit
from tests.orders.model_venue import ModelVenue
from tests.runtime_live.edges import LossyBroker, Recorder, TrioClock


def ticket(coid: str) -> OrderTicket:
    return OrderTicket(
        coid=coid,
        strategy="s",
        account="DU1",
        conid=1,
        side=Side.BUY,
        quantity=Decimal(1),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(10),
    )


@define
class Commit:
    """Rows on their way to the disk, until the test says what becomes of them."""

    rows: Sequence[Any]
    then: Callable[[], None] | None
    done: trio.Event = field(factory=trio.Event)
    error: Exception | None = None

    def succeed(self) -> None:
        if self.then is not None:
            self.then()
        self.done.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.done.set()

    async def wait(self) -> None:
        await self.done.wait()
        if self.error is not None:
            raise self.error


class SlowDisk:
    """Stores at once what has no order write in it; the others wait."""

    def __init__(self) -> None:
        self.waiting: list[Commit] = []
        self.stored: list[Any] = []

    def begin(
        self, rows: Sequence[Any], *, coids: Sequence[str], essential: bool, then: Callable[[], None] | None = None
    ) -> Commit:
        del essential
        made = Commit(rows, then)
        if coids:
            self.waiting.append(made)
        else:
            self.stored += rows
            made.succeed()
        return made


class ReadyBroker(LossyBroker):
    """Keeps which orders were made ready and which have left."""

    def __init__(self, clock: TrioClock) -> None:
        super().__init__(ModelVenue(Random(1)), Random(1), clock, 0.0)
        self.made: list[str] = []
        self.left: list[str] = []

    async def place(self, tickets: Sequence[OrderTicket], *, permit: Permit | None = None) -> WriteAnswer:
        assert permit is not None
        self.made += [one.coid for one in tickets]
        if not await permit.settled():
            raise VenueUnreachable("place", "held back")
        self.left += [one.coid for one in tickets]
        return AllRefused(reason="the model takes nothing")


@define
class House:
    ordering: Ordering
    lane: Lane[OrdersLetter]
    desk: Desk
    disk: SlowDisk
    broker: ReadyBroker
    people: Recorder
    noted: list[Record]
    heard: trio.MemoryReceiveChannel[PortfolioLetter]
    risk: trio.MemoryReceiveChannel[Wanted | Asked | Tick]

    def place(self, coid: str) -> None:
        self.lane.hand(Judged((Approved(Place((ticket(coid),))),)))

    def state(self, coid: str) -> State:
        return self.desk.book.book[coid].state


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    clock, people, disk = TrioClock(), Recorder(), SlowDisk()
    broker, lane = ReadyBroker(clock), Lane[OrdersLetter](1_000)
    desk = Desk(LiveOrders(), read_policy({}), DeskSettings())
    noted: list[Record] = []

    def note(core: str, now_ns: int, letter: Any) -> None:
        noted.append(read(write(len(noted) + 1, core, now_ns, letter)))

    to_portfolio, portfolio = trio.open_memory_channel[PortfolioLetter](10_000)
    to_risk, at_risk = trio.open_memory_channel[Wanted | Asked | Tick](1_000)
    ordering = Ordering(
        desk,
        disk,
        clock,
        people,
        to_portfolio=to_portfolio,
        to_risk=to_risk,
        flatten=lambda action, now_ns: Wanted((), now_ns),
        note=note,
    )
    async with trio.open_nursery() as nursery:
        carrier = Carrier(broker, clock, lane)
        await nursery.start(carrier.run)
        nursery.start_soon(ordering.run, lane, carrier)
        lane.send_nowait(SessionHeard(SessionNow(ts_ns=clock.now_ns(), up=True, layer="")))
        await trio.sleep(1)
        yield House(ordering, lane, desk, disk, broker, people, noted, portfolio, at_risk)
        nursery.cancel_scope.cancel()


async def test_an_order_is_made_ready_at_once_and_leaves_when_it_is_stored(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with house() as here:
        here.place("s-000001")
        assert len(here.disk.waiting) == 1, "handed to the journal in the same turn of the loop"
        assert {row[1] for row in here.disk.waiting[0].rows} >= {"approved", "write"}
        await trio.sleep(10)
        assert (here.broker.made, here.broker.left) == (["s-000001"], [])
        here.disk.waiting.pop().succeed()
        await trio.sleep(1)
        assert here.broker.left == ["s-000001"]
        here.place("s-000002")
        here.disk.waiting.pop().succeed()
        await trio.sleep(1)
        assert here.broker.left == ["s-000001", "s-000002"]


async def test_what_the_checks_compared_is_asked_for_when_the_order_has_left_and_stored_behind_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with house() as here:
        order = Approved(Place((ticket("s-000001"),)))
        here.lane.hand(Judged((order,), worth=(("s-000001", 20.0),)))
        assert [row[1:] for row in here.disk.waiting[0].rows[:1]] == [("worth", "s-000001", 20.0)]
        await trio.sleep(1)
        assert here.risk.statistics().current_buffer_used == 0, "the order is in a hurry"
        here.disk.waiting.pop().succeed()
        await trio.sleep(1)
        assert here.broker.left == ["s-000001"]
        assert here.risk.receive_nowait() == Tick()
        said = (Finding("R1", "order_quantity", True, "100", "1", "allows"),)
        here.lane.hand(Explained((("s-000001", said),)))
        assert here.disk.stored[-1][1:] == ("judged", "s-000001", said)
        await trio.sleep(1)
        assert here.risk.statistics().current_buffer_used == 0, "asked once"


@pytest.mark.parametrize("error", [JournalFull("full"), CoidUsed("twice")])
async def test_an_order_that_is_not_stored_never_leaves_and_is_told_so(
    error: Exception, autojump_clock: trio.testing.MockClock
) -> None:
    async with house() as here:
        here.place("s-000001")
        await trio.sleep(1)
        here.disk.waiting.pop().fail(error)
        await trio.sleep(10)
        assert (here.broker.made, here.broker.left) == (["s-000001"], [])
        assert here.state("s-000001") is State.REFUSED
        assert "could not be stored" in here.desk.book.book["s-000001"].reason
        assert "stale_answer" not in {row[1] for row in here.disk.stored}, "told once"
        here.place("s-000002")  # the round is over, and the next one begins
        here.disk.waiting.pop().succeed()
        await trio.sleep(1)
        assert here.broker.left == ["s-000002"]


@pytest.mark.parametrize("error", [JournalFull("full"), CoidUsed("twice")])
async def test_a_row_of_orders_that_are_not_stored_ends_nothing_while_somebody_else_has_the_session(
    error: Exception, autojump_clock: trio.testing.MockClock
) -> None:
    async with house() as here:
        names = [f"s-{number:06d}" for number in range(1, 8)]
        async with here.broker.round():  # no order's round can begin
            for name in names:
                here.place(name)
            for _ in names:
                await trio.sleep(1)
                here.disk.waiting.pop().fail(error)
            await trio.sleep(1)
            assert {here.state(name) for name in names} == {State.REFUSED}
        here.place("s-000009")
        await trio.sleep(1)
        here.disk.waiting.pop().succeed()
        await trio.sleep(1)
        assert here.broker.left == ["s-000009"]
        assert here.people.alerts["JOURNAL_FULL"] == isinstance(error, JournalFull)


@pytest.mark.parametrize(
    "letter",
    [
        CancelNow(None, "halt"),
        CancelNow(("s-000001",), "risk"),
        TradingNow("halted", "by a person"),
    ],
)
async def test_a_halt_or_an_urgent_cancel_holds_back_what_waits_for_the_journal(
    letter: CancelNow | TradingNow, autojump_clock: trio.testing.MockClock
) -> None:
    async with house() as here:
        here.place("s-000001")
        await trio.sleep(1)
        here.ordering.urge(letter)
        here.disk.waiting.pop().succeed()
        await trio.sleep(10)
        assert here.broker.left == []
        assert here.state("s-000001") is State.REFUSED
        assert not here.ordering.urgent, "what held it back was decided on first"


@pytest.mark.parametrize("halted", [False, True])
async def test_what_was_held_back_is_replayed_as_it_was(
    halted: bool, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house() as here:
        here.place("s-000001")
        here.place("s-000002")
        await trio.sleep(1)
        if halted:
            here.ordering.urge(CancelNow(None, "halt"))
            here.disk.waiting.pop().succeed()
        else:
            here.disk.waiting.pop().fail(JournalFull("full"))
            await trio.sleep(1)
            here.disk.waiting.pop().succeed()
        await trio.sleep(10)
        noted, told = list(here.noted), []
        with suppress(trio.WouldBlock):
            while True:
                told.append(here.heard.receive_nowait())
    assert {record.kind for record in noted} >= {"NotSent", "Did"}
    assert any(len(letter.updates) > 1 for letter in told if isinstance(letter, Became))
    # The portfolio hears of a lot when all of it is stored: behind what else the orders' core did until then.
    noted += [read(write(len(noted) + at, "portfolio", 0, letter)) for at, letter in enumerate(told, 1)]
    others = dict.fromkeys(("host", "gate", "portfolio", "conditions", "flatten", "watch", "holds", "wall"))
    desk = Desk(LiveOrders(), read_policy({}), DeskSettings())
    cores: Any = SimpleNamespace(**others, wishes=(), sessions={}, desk=desk)
    monkeypatch.setattr(again_module, "Judging", lambda *_, **__: None)
    again = Again(cores)
    again._booking = SimpleNamespace(decide=lambda letter: None)  # type: ignore[assignment]  # of no matter here
    verdicts = [Judged((Approved(Place((ticket(coid),))),)) for coid in ("s-000001", "s-000002")]
    again._waiting["orders"]["risk"].extend(verdicts)  # what risk would come to
    assert again.feed(noted) is None
    assert again.decisions == len(verdicts) + sum(record.kind == "Did" for record in noted) + len(told)


async def test_what_does_not_concern_it_holds_nothing_back(autojump_clock: trio.testing.MockClock) -> None:
    async with house() as here:
        here.place("s-000001")
        here.ordering.urge(TradingNow("on", ""))
        here.disk.waiting.pop().succeed()
        await trio.sleep(1)
        assert here.broker.left == ["s-000001"]


async def test_letters_that_come_meanwhile_are_taken_behind_it(autojump_clock: trio.testing.MockClock) -> None:
    async with house() as here:
        here.place("s-000001")
        assert not here.lane.try_hand(Judged((Approved(Cancel("s-000001", "s")),)))
        here.place("s-000002")
        assert here.lane.waiting
        assert len(here.disk.waiting) == 1
        here.disk.waiting.pop().succeed()
        await trio.sleep(1)
        assert here.broker.left == ["s-000001"]
        assert len(here.disk.waiting) == 1


async def test_the_loop_gives_way_until_the_permit_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permits, "GIVEN_WAY_S", 60.0)
    for settle in (StorePermit.grant, StorePermit.refuse):
        permit, gone = StorePermit(), list[bool]()
        permit.arm(partial(gone.append, True))
        thread = Thread(target=settle, args=(permit,))
        thread.start()
        permit.give_way()
        thread.join()
        assert permit.granted is (settle is StorePermit.grant) is bool(gone)
        assert permit.refused is not permit.granted
        permit.give_way()  # nothing is waited for twice


async def test_a_slow_disk_holds_the_loop_for_a_moment_only() -> None:
    permit = StorePermit()
    permit.give_way()
    assert not permit.granted
    assert not permit.refused
    assert permit.refuse()
