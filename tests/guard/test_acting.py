"""What the guard does for a dead daemon: everything of ours dies, nothing else does, positions close at most once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import trio
import trio.testing

from engine.domain.brokerage import Question
from engine.domain.order import Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.guard.acting import Acting
from engine.guard.closing import may_confirm
from engine.guard.known import Known
from engine.guard.mandate import Mandate
from engine.operator.processes import Process, process
from engine.orders.questions import KNOWN
from tests.guard.fakes import CONID, FakeVenue

DEAD = Process(2**22 - 1, "never")
OTHER = 8314


@dataclass
class Noted:
    """A guard's journal in memory; `full` takes no rows of a kind."""

    rows: list[tuple[str, str, Any]] = field(default_factory=list)
    full: str = ""

    def note(self, kind: str, name: str, what: Any, *, coid: str | None = None) -> bool:
        if kind == self.full:
            return False
        self.rows.append((kind, name, what))
        return True

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.rows]


def mandate(**more: Any) -> Mandate:
    return Mandate(**{"daemon": DEAD, "config": "c", "account": "DU1", "conids": (CONID,), "settle_s": 45.0, **more})


What = Callable[[], Awaitable[Known]]


def known(open_ids: Mapping[str, str] | None = None, names: tuple[str, ...] = ()) -> What:
    ids = dict(open_ids or {})

    async def read() -> Known:
        return Known(open_ids=ids, ids=ids, names=frozenset(names) | set(ids.values()))

    return read


async def act(
    venue: FakeVenue, what: What, *, flatten: bool = False, noted: Noted | None = None, **more: Any
) -> tuple[Acting, Noted]:
    noted = noted or Noted()
    acting = Acting(mandate(**more), noted, venue.opened, what, why="silent for 10 s", flatten=flatten)
    with trio.fail_after(2_000):
        await acting.run()
    return acting, noted


async def test_what_is_ours_dies_and_what_is_not_works_on(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue()
    venue.add("1", "s-000001")  # known by the journal, with its venue id
    venue.add("2", "s-000002", "PreSubmitted")  # its id was never heard: the list has it
    venue.add("3", None, parent_id="1")  # a child without a name
    venue.add("4", "s-000004", "Filled")
    venue.add("5", "somebody-else")
    venue.add("6", None)
    acting, noted = await act(venue, known({"1": "s-000001"}, ("s-000002", "s-000004")))
    assert sorted(set(venue.cancels)) == ["1", "2", "3"]
    assert [venue.orders_[name].status for name in "456"] == ["Filled", "Submitted", "Submitted"]
    assert noted.kinds()[:2] == ["latch", "fenced"]  # before anything is sent
    assert noted.rows[-1] == ("done", "guard", "3 orders were cancelled")
    assert acting.stage == "done"


async def test_orders_that_were_on_their_way_are_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue()

    async def late() -> None:
        await trio.sleep(40)
        venue.add("7", "s-000007")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(late)
        began = trio.current_time()
        await act(venue, known(names=("s-000007",)))
        assert trio.current_time() - began >= 45
    assert venue.orders_["7"].status == "Cancelled"


async def test_a_cancel_is_repeated_until_the_order_is_seen_dead(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue(deaf={"1"})
    venue.add("1", "s-000001")
    await act(venue, known({"1": "s-000001"}))
    assert venue.cancels == ["1", "1"]


async def test_a_cold_list_proves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue(cold=20)
    began = trio.current_time()
    await act(venue, known(), settle_s=1.0, read_every_s=5.0)
    assert trio.current_time() - began >= 100


async def test_lists_are_read_no_oftener_than_the_venue_allows_the_daemon_s_readings_counted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    read: list[float] = []

    class Timed(FakeVenue):
        async def orders(self) -> Any:
            read.append(trio.current_time())
            return await super().orders()

    venue = Timed(cold=3)
    venue.add("1", "s-000001")
    began = trio.current_time()
    what = known({"1": "s-000001"})
    acting = Acting(mandate(settle_s=0.0), Noted(), venue.opened, what, why="", flatten=False, silence_s=3.0)
    await acting.run()
    assert [round(at - began) for at in read] == [2, 7, 12, 17]  # five seconds after what the daemon may have read
    assert round(acting.free_s() - began) == 22  # before that a newcomer must not read either


async def test_a_venue_out_of_reach_is_tried_again(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue(unreachable=5)
    venue.add("1", "s-000001")
    _, noted = await act(venue, known({"1": "s-000001"}))
    assert venue.openings == 6
    assert venue.cancels == ["1"]
    assert noted.kinds().count("trouble") == 1  # said once, not five times


async def test_a_living_daemon_is_dead_before_the_first_cancel() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        one = process(child.pid)
        assert one is not None
        venue = FakeVenue()
        venue.add("1", "s-000001")
        seen: list[bool] = []

        class Watching(FakeVenue):
            async def cancel(self, order_id: str, *, urgent: bool) -> Any:
                seen.append(process(child.pid) is None)
                return await super().cancel(order_id, urgent=urgent)

        watching = Watching(orders_=venue.orders_)
        acting, noted = await act(watching, known({"1": "s-000001"}), daemon=one, settle_s=0.0, read_every_s=0.01)
        assert seen == [True]
        assert acting.fenced
        assert f"process {child.pid}, was killed" in noted.rows[1][2]


# --- closing positions ------------------------------------------------------------------------------------------------


async def test_positions_of_our_instruments_are_closed_and_no_others(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue(held={CONID: Decimal(30), OTHER: Decimal(-5)})
    _, noted = await act(venue, known(), flatten=True)
    assert [(one.conid, str(one.side), one.quantity) for one in venue.placed] == [(CONID, "SELL", Decimal(30))]
    assert venue.held == {CONID: Decimal(0), OTHER: Decimal(-5)}
    kinds = noted.kinds()
    assert kinds.index("order") < kinds.index("answer")
    assert noted.rows[-1][2] == "0 orders were cancelled; positions are flat"


async def test_a_short_position_is_bought_back(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue(held={CONID: Decimal("-2.5")})
    await act(venue, known(), flatten=True)
    assert [(str(one.side), one.quantity) for one in venue.placed] == [("BUY", Decimal("2.5"))]


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_lost_answer_sells_nothing_twice(lost: str, autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue(held={CONID: Decimal(30)}, lose_place=lost)
    await act(venue, known(), flatten=True)
    assert venue.held[CONID] == 0
    assert len(venue.placed) == (2 if lost == "before" else 1)  # a second one only where the first never arrived
    assert len({one.coid for one in venue.placed}) == len(venue.placed)


async def test_a_reading_that_is_older_than_the_fill_sells_nothing_twice(
    autojump_clock: trio.testing.MockClock,
) -> None:
    venue = FakeVenue(held={CONID: Decimal(30)})
    await venue.positions()
    venue.stale_positions = 5
    await act(venue, known(), flatten=True)
    assert len(venue.placed) == 1


def traded(*sold: int, listed: bool = True) -> tuple[FakeVenue, What]:
    """A hundred were bought by one order, and so many of them sold since by others; positions lag behind the last."""
    venue, orders = FakeVenue(held={CONID: Decimal(100)}), {}
    for number, units in enumerate((100, *sold)):
        coid = f"s-{number:06d}"
        side = Side.SELL if number else Side.BUY
        ticket = OrderTicket(
            coid=coid, strategy="s", account="DU1", conid=CONID, side=side, order_type=OrderType.MARKET,
            quantity=Decimal(units),
        )  # fmt: skip
        known_of = Decimal(0 if number else units)  # the daemon has heard of the first alone
        orders[coid] = Order(ticket=ticket, state=State.FILLED, filled=known_of, venue_id=str(number))
        if listed:
            venue.add(str(number), coid, "Filled", filled=Decimal(units), total=Decimal(units), conid=CONID)

    async def read() -> Known:
        return Known(open_ids={}, ids={}, names=frozenset(orders), orders=orders)

    return venue, read


@pytest.mark.parametrize("foreign", [False, True])
async def test_a_fill_that_positions_do_not_show_yet_is_not_sold_again(
    foreign: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """By an order of ours that the daemon had not heard of, or by a person elsewhere."""
    venue, read = traded() if foreign else traded(60)
    if foreign:
        venue.add("77", None, "Filled", filled=Decimal(60), total=Decimal(60), conid=CONID)
    await venue.positions()
    venue.held[CONID] = Decimal(40)
    venue.stale_positions = 5
    _, noted = await act(venue, read, flatten=True)
    assert [one.quantity for one in venue.placed] == [40]
    assert venue.held[CONID] == 0
    assert noted.rows[-1][2].endswith("positions are flat")


async def test_a_position_that_is_what_our_orders_came_to_is_closed_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    venue, read = traded(60)
    venue.held[CONID] = Decimal(40)
    with trio.move_on_after(20):
        await act(venue, read, flatten=True)
    assert [one.quantity for one in venue.placed] == [40]


async def test_a_position_that_differs_for_good_is_closed_after_the_settle_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """30 more were there before the journal began; the list has the fills of today, or no longer."""
    for listed in (True, False):
        venue, read = traded(listed=listed)
        venue.held[CONID] = Decimal(130)
        begun = trio.current_time()
        with trio.move_on_after(44):
            await act(venue, read, flatten=True)
        assert venue.placed == []
        await act(venue, read, flatten=True)
        assert [one.quantity for one in venue.placed] == [130]
        assert trio.current_time() - begun >= 88


async def test_what_the_venue_refuses_is_reported_and_not_forced(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue(held={CONID: Decimal(30)}, refuse=True)
    _, noted = await act(venue, known(), flatten=True)
    assert len(venue.placed) == 3
    assert noted.rows[-1][2] == f"0 orders were cancelled; still held: 30 of {CONID}"


async def test_what_can_t_be_written_down_is_not_sent_and_cancels_are(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue(held={CONID: Decimal(30)})
    venue.add("1", "s-000001")
    await act(venue, known({"1": "s-000001"}), flatten=True, noted=Noted(full="order"))
    assert venue.cancels == ["1"]
    assert venue.placed == []


async def test_known_questions_of_a_market_order_are_confirmed_and_others_declined(
    autojump_clock: trio.testing.MockClock,
) -> None:
    venue = FakeVenue(
        held={CONID: Decimal(30)},
        questions=[("o10151", "Market orders may fill at any price"), ("o354", "without market data")],
    )
    await act(venue, known(), flatten=True)
    assert venue.replies == [True, True]
    assert venue.held[CONID] == 0
    asked = FakeVenue(held={CONID: Decimal(30)}, questions=[("o2137", "this would close your position")] * 3)
    await act(asked, known(), flatten=True)
    assert asked.replies == [False, False, False]
    assert asked.held[CONID] == 30


def test_an_id_with_another_s_text_or_no_text_is_not_confirmed() -> None:
    assert may_confirm(Question(reply_id="r", message_ids=("o354",), texts=("no market data",)))
    assert not may_confirm(Question(reply_id="r", message_ids=("o354",), texts=("something else",)))
    assert not may_confirm(Question(reply_id="r", message_ids=(), texts=()))
    assert not may_confirm(Question(reply_id="r", message_ids=("o354", "o10288"), texts=("market data", "crypto")))
    assert not may_confirm(Question(reply_id="r", message_ids=("o354",), texts=("market data", "and more")))
    assert all(name in KNOWN for name in ("o354", "o383", "o451", "o10151", "o10153"))


async def test_a_new_daemon_takes_over_in_the_middle(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeVenue()
    venue.add("1", "s-000001")
    noted = Noted()
    acting = Acting(mandate(), noted, venue.opened, known({"1": "s-000001"}), why="silent", flatten=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(acting.run)
        await acting.first_pass.wait()
        acting.watching.cancel()
        await acting.done.wait()
        assert trio.current_time() < 45
    assert venue.cancels == ["1"]
    assert noted.rows[-1][2] == "a daemon has taken over"
    assert noted.kinds()[0] == "latch"  # what the guard halted stays halted
