"""The scheduler's task: waiting, going away, sections and the end, in front of a venue that is a plain function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio
from structlog.testing import capture_logs

from engine.domain.moments import iso
from engine.errors import AnswerLost, VenueError, VenueUnreachable
from engine.webapi.budgets import Budgets
from engine.webapi.calls import Call, Kind, Reply, Urgency
from engine.webapi.clock import RatedClock
from engine.webapi.scheduler import LongWaits, Scheduler
from tests.webapi.pacing_world import CALLS, S

ORIGIN = 1_700_000_000 * S
Clock = trio.abc.Clock


class Venue:
    """Answers after `travel_s` with the number of the request; keeps what it got and when."""

    def __init__(self, travel_s: float = 0.1) -> None:
        self.travel_s = travel_s
        self.status = 200
        self.error: VenueError | None = None
        self.got: list[tuple[float, Call]] = []

    async def call(self, call: Call, *, deadline_ns: int | None = None) -> Reply:
        self.got.append((trio.current_time(), call))
        number = len(self.got)
        await trio.sleep(self.travel_s)
        if self.error is not None:
            raise self.error
        return Reply(status=self.status, body=str(number).encode())

    def ready(self, call: Call) -> None:
        """Nothing is made ready: it takes a connection."""


@asynccontextmanager
async def running(venue: Venue) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(venue, RatedClock(ORIGIN), Budgets())
    async with trio.open_nursery() as nursery:
        await nursery.start(scheduler.run)
        yield scheduler
        nursery.cancel_scope.cancel()


def marked(name: str, mark: int) -> Call:
    return msgspec.structs.replace(CALLS[name], query=(("n", str(mark)),))


async def raised(work: Callable[[], Awaitable[object]]) -> VenueError:
    try:
        await work()
    except VenueError as exc:
        return exc
    raise AssertionError("nothing was raised")


async def test_equal_reads_share_one_request_and_one_may_go_away(autojump_clock: Clock) -> None:
    venue = Venue()
    bodies: list[bytes] = []

    async def ask(patience_s: float) -> None:
        with trio.move_on_after(patience_s):
            bodies.append((await scheduler.call(CALLS["orders"])).body)

    async with running(venue) as scheduler, trio.open_nursery() as nursery:
        await scheduler.call(CALLS["orders"])  # the next five seconds are taken
        nursery.start_soon(ask, 1)
        await trio.sleep(0.01)
        for _ in range(3):
            nursery.start_soon(ask, 100)
    assert bodies == [b"2"] * 3
    assert len(venue.got) == 2


async def test_a_read_that_has_left_is_not_joined(autojump_clock: Clock) -> None:
    venue = Venue(travel_s=1)
    async with running(venue) as scheduler, trio.open_nursery() as nursery:
        nursery.start_soon(scheduler.call, CALLS["ledger"])
        await trio.sleep(0.5)
        assert (await scheduler.call(CALLS["ledger"])).body == b"2"


async def test_a_request_nobody_wants_any_more_does_not_leave(autojump_clock: Clock) -> None:
    venue = Venue()
    async with running(venue) as scheduler:
        for number in range(8):
            await scheduler.call(marked("place", number))
        with trio.move_on_after(0.01):
            await scheduler.call(marked("place", 99))
        await trio.sleep(60)
    assert len(venue.got) == 8


async def test_an_order_write_that_left_is_heard_to_its_end_without_its_caller(autojump_clock: Clock) -> None:
    venue, heard = Venue(travel_s=5), list[str]()
    async with running(venue) as scheduler:
        scheduler.on_outcome = lambda call, outcome: heard.append(call.name)
        with trio.move_on_after(1):
            await scheduler.call(CALLS["place"])
        await trio.sleep(10)
    assert heard == [CALLS["place"].name]


async def test_deadlines(autojump_clock: Clock) -> None:
    venue = Venue(travel_s=3)
    async with running(venue) as scheduler, trio.open_nursery() as nursery:
        soon_ns = ORIGIN + S
        for call in (CALLS["place"], CALLS["ledger"]):
            # A read that has left may be given up; what became of a write matters however late.
            if call.kind is Kind.ORDER_WRITE:
                assert (await scheduler.call(call, deadline_ns=soon_ns)).status == 200
                assert trio.current_time() == pytest.approx(3, abs=1e-3)
            else:
                soon_ns = ORIGIN + 4 * S
                error = await raised(lambda: scheduler.call(CALLS["ledger"], deadline_ns=soon_ns))  # noqa: B023
                assert isinstance(error, VenueUnreachable)
                assert trio.current_time() == pytest.approx(4, abs=1e-3)
        nursery.start_soon(scheduler.call, CALLS["trades"])
        await trio.sleep(0.1)
        error = await raised(lambda: scheduler.call(CALLS["trades"], deadline_ns=ORIGIN + 5 * S))
        assert "deadline" in str(error)
    assert sum(call.template == CALLS["trades"].template for _, call in venue.got) == 1


async def test_errors_reach_each_waiter_as_their_own(autojump_clock: Clock) -> None:
    venue = Venue()
    errors: list[VenueError] = []

    async def ask() -> None:
        errors.append(await raised(lambda: scheduler.call(CALLS["ledger"])))

    async with running(venue) as scheduler:
        venue.error = VenueUnreachable("GET /x", "nobody answers there")
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(ask)
        venue.error = AnswerLost("POST /x", "cut")
        errors.append(await raised(lambda: scheduler.call(CALLS["place"])))
    assert [str(error) for error in errors] == ["GET /x: nobody answers there"] * 2 + ["POST /x: cut"]
    assert errors[0] is not errors[1]
    assert type(errors[2]) is AnswerLost


async def test_at_the_end_everybody_is_told_what_may_be_done_next(autojump_clock: Clock) -> None:
    venue = Venue(travel_s=100)
    errors: dict[str, VenueError] = {}

    async def ask(name: str) -> None:
        errors[name] = await raised(lambda: scheduler.call(CALLS[name]))

    async with trio.open_nursery() as outside:
        async with running(venue) as scheduler:
            for name in ("place", "ledger", "trades"):
                outside.start_soon(ask, name)
            await trio.sleep(1)
            scheduler.hold_writes(True)
            outside.start_soon(ask, "modify")
            await trio.sleep(1)
            before = scheduler.over
        assert (before, scheduler.over) == (False, True)
        await trio.sleep(1)
        with pytest.raises(VenueUnreachable, match="has ended"):
            await scheduler.call(CALLS["place"])
    assert {name: type(error) for name, error in errors.items()} == {
        "place": AnswerLost,
        "ledger": VenueUnreachable,
        "trades": VenueUnreachable,
        "modify": VenueUnreachable,
    }


async def test_an_order_round_keeps_others_out_and_a_halt_breaks_in(autojump_clock: Clock) -> None:
    venue = Venue()
    async with running(venue) as scheduler, trio.open_nursery() as nursery:
        async with scheduler.order_round(Urgency.PLACE) as turn:
            nursery.start_soon(scheduler.call, CALLS["snapshot"])
            nursery.start_soon(scheduler.call, CALLS["cancel"])
            await trio.sleep(1)
            await turn.call(CALLS["place"])
            nursery.start_soon(scheduler.call, CALLS["halt"])
            await trio.sleep(1)
            await turn.call(CALLS["reply"])
        await trio.sleep(1)
        late = await raised(lambda: turn.call(CALLS["reply"]))
        assert "over" in str(late)
    names = [call.urgency.name for _, call in venue.got]
    assert names[:3] == ["PLACE", "HALT", "REPLY"]
    assert set(names[3:]) == {"CANCEL", "SNAPSHOT"}


async def test_rounds_come_one_after_the_other_and_a_cancelled_wait_leaves_nothing_behind(
    autojump_clock: Clock,
) -> None:
    venue, inside = Venue(), list[str]()

    async def work(name: str) -> None:
        async with scheduler.order_round(Urgency.PLACE):
            inside.append(f"{name} in")
            await trio.sleep(1)
            inside.append(f"{name} out")

    async with running(venue) as scheduler, trio.open_nursery() as nursery:
        nursery.start_soon(work, "a")
        await trio.sleep(0.1)
        with trio.move_on_after(0.1):
            await work("never")
        nursery.start_soon(work, "b")
    assert inside == ["a in", "a out", "b in", "b out"]


async def test_an_overlong_round_ends_for_the_others(autojump_clock: Clock) -> None:
    venue = Venue()
    async with running(venue) as scheduler, scheduler.order_round(Urgency.PLACE, limit_s=30) as turn:
        await scheduler.call(CALLS["snapshot"])
        assert trio.current_time() == pytest.approx(30, abs=0.2)
        assert isinstance(await raised(lambda: turn.call(CALLS["place"])), VenueUnreachable)


async def test_quiet_time_has_the_session_to_itself_and_may_send_its_own_way(autojump_clock: Clock) -> None:
    venue, sent = Venue(travel_s=2), list[float]()

    async def login() -> Reply:
        sent.append(trio.current_time())
        await trio.sleep(1)
        return Reply(status=200, body=b"token")

    async with running(venue) as scheduler, trio.open_nursery() as nursery:
        nursery.start_soon(scheduler.call, CALLS["place"])
        await trio.sleep(0.5)
        async with scheduler.quiet() as turn:
            nursery.start_soon(scheduler.call, CALLS["halt"])
            assert (await turn.call(CALLS["validate"], send=login)).body == b"token"
    assert sent == [pytest.approx(2, abs=1e-3)]
    assert [round(at, 2) for at, _ in venue.got] == [0, 3]


async def test_a_429_is_told_and_closes_the_door(autojump_clock: Clock) -> None:
    venue = Venue()
    async with running(venue) as scheduler:
        venue.status = 429
        assert scheduler.penalty() == ""
        assert (await scheduler.call(CALLS["ledger"])).status == 429
        said = scheduler.penalty()
        assert iso(scheduler.penalty_until_ns) in said
        assert "closing ones too" in said
        venue.status = 200
        assert scheduler.penalty_until_ns == pytest.approx(ORIGIN + 600.1 * S, rel=1e-15)
        await scheduler.call(CALLS["tickle"])
        await scheduler.call(CALLS["cancel"])
        assert trio.current_time() < 1
        await scheduler.call(CALLS["ledger"])
        assert trio.current_time() == pytest.approx(600.2, abs=0.2)
        assert scheduler.penalty() == ""
        assert scheduler.waits()[Urgency.ACCOUNT].longest_s > 599


def test_long_waits_are_told_together_and_not_one_by_one() -> None:
    waits = LongWaits()
    with capture_logs() as said:
        for number, second in enumerate((0, 10, 299, 300)):
            call = msgspec.structs.replace(CALLS["cancel"], method="GET", template="/a" if number % 2 else "/b")
            waits.waited(call, 6.0 + number, second * S)
    assert [one["calls"] for one in said] == [
        "GET /b 1 x, at most 6 s",
        "GET /a 2 x, at most 9 s; GET /b 1 x, at most 8 s",
    ]


async def test_a_round_that_need_not_wait_begins_at_once_and_keeps_others_out_until_it_ends(
    autojump_clock: Clock,
) -> None:
    venue = Venue()
    async with running(venue) as scheduler:
        turn = scheduler.order_round_now(Urgency.PLACE)
        assert turn is not None
        assert scheduler.order_round_now(Urgency.PLACE) is None, "one lasts"
        answer = turn.begin(marked("place", 1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scheduler.call, marked("orders", 2))
            assert (await answer()).body == b"1"
            await trio.sleep(5)
            assert len(venue.got) == 1, "the read waits for the round"
            turn.end()
        assert len(venue.got) == 2
        assert scheduler.order_round_now(Urgency.PLACE) is not None
