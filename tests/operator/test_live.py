"""The operator's desk of a daemon that trades: what it shows, and that a halt is a halt."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from msgspec.structs import replace

from engine.domain.brokerage import Question, VenuePosition
from engine.domain.messages import Place
from engine.domain.order import CLOSED, Order, State
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.errors import VenueUnreachable
from engine.operator.desk import carry_out
from engine.operator.protocol import NotDone, request
from engine.operator.trading import TradingDesk, TradingState
from engine.orders.actions import AskOperator
from engine.risk.account import Held, Level
from engine.runtime.live.deciding import Deciding
from engine.runtime.live.letters import CancelNow, OrdersLetter, Tick, TradingNow, Wanted
from engine.runtime.live.nursery import ROOM
from engine.runtime.live.ordering import Ordering
from engine.settings import Limits
from tests.operator.house import house

LONG = 60.0


def ticket(coid: str, side: Side = Side.BUY, quantity: int = 3) -> OrderTicket:
    return OrderTicket(
        coid=coid,
        strategy="busy",
        account="DU1",
        conid=1,
        side=side,
        order_type=OrderType.LIMIT,
        quantity=Decimal(quantity),
        limit_price=Decimal(10),
    )


async def test_halt_cancels_what_is_open_and_lets_nothing_follow(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        await trio.sleep(5)  # a price has to be known
        for number in range(8):
            here.nursery.tell_risk(Wanted((Place((ticket(f"rest-{number:06d}", quantity=number + 1),)),), 0))
        await trio.sleep(1)
        said = await here.desk.halt("enough")
        assert (said["trading"], said["done"]) == ("halted", True)
        assert said["cancelling"] >= 3
        await trio.sleep(4 * LONG)
        assert here.open() == []
        assert not any(live.open for live in here.venue.orders.values())
        written = len(here.venue.writes)
        await trio.sleep(LONG)  # the strategy goes on wanting
        assert len(here.venue.writes) == written
        last = list(here.book.book.values())[-1]
        assert (last.state, last.code) == (State.REFUSED, "TRADING")
        assert "enough" in last.reason
        assert here.rows("operator", "latch") == [("operator", "operator"), ("latch", "operator")]
        status = await here.desk.status()
        assert (status["trading"], status["reasons"]) == ("halted", ["enough"])
        assert status["orders"]["open"] == 0


async def test_resume_trades_on(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with house(tmp_path) as here:
        await trio.sleep(10)
        await here.desk.halt("")
        await trio.sleep(LONG)
        written = len(here.venue.writes)
        assert (await here.desk.resume())["lifted"] is True
        await trio.sleep(LONG)
        assert len(here.venue.writes) > written
        assert (await here.desk.resume())["lifted"] is False  # nothing is halted: done all the same


async def test_what_risk_had_approved_before_the_halt_dies_too(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        await trio.sleep(5)
        coids = [f"late-{n:06d}" for n in range(20)]
        for number, coid in enumerate(coids):
            here.nursery.tell_risk(Wanted((Place((ticket(coid, quantity=number + 1),)),), 0))
        await here.desk.halt("now")  # they are in risk's inbox before the halt is
        await trio.sleep(4 * LONG)  # one whose round the halt broke off is in doubt, and asked for, for a while
        assert {here.book.book[coid].state for coid in coids} <= CLOSED
        assert here.open() == []


async def test_halt_works_while_the_strategies_take_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    async def hangs(self: Deciding) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(Deciding, "run", hangs)
    async with house(tmp_path) as here:
        await trio.sleep(5)
        for number in range(5):
            here.nursery.tell_risk(Wanted((Place((ticket(f"busy-{number:06d}", quantity=number + 1),)),), 0))
        await trio.sleep(5)
        assert here.open()
        await here.desk.halt("it hangs")
        await trio.sleep(4 * LONG)
        assert here.open() == []


async def test_a_journal_that_hangs_holds_up_no_halt_and_no_cancel(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    hanging = False
    async with house(tmp_path, hold=lambda: hanging) as here:
        while not here.open():
            await trio.sleep(0.5)
        hanging = True
        with trio.fail_after(4):
            assert (await here.desk.halt("the disk hangs"))["trading"] == "halted"
        with trio.fail_after(3):
            await here.desk.cancel_all()
        with pytest.raises(NotDone, match="resume: the journal did not take it within 2 s"):
            await here.desk.resume()
        await trio.sleep(4 * LONG)
        assert here.open() == []


async def test_flatten_closes_and_only_lets_through_what_reduces(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        while not here.portfolio.account.get(1):
            await trio.sleep(1)
        said = await here.desk.flatten()
        assert said["trading"] == "reducing"
        with trio.fail_after(1_000):
            while not here.desk.flat():
                await trio.sleep(1)
        await trio.sleep(LONG)
        assert here.portfolio.account[1] == 0
        closing = [order for order in here.book.book.values() if order.ticket.tag == "flatten"]
        assert closing
        assert here.trading.state == "reducing"
        assert [alert.code for _, alert in here.people.alerts if alert.code == "NOT_FLAT"] == []
        await here.desk.resume()
        await trio.sleep(LONG)
        assert here.book.book[max(here.book.book)].is_open or here.venue.writes


async def test_flatten_works_while_halted_and_stays_halted(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        while not here.portfolio.account.get(1):
            await trio.sleep(1)
        await here.desk.halt("enough")
        await trio.sleep(LONG)
        if not here.portfolio.account[1]:
            pytest.skip("the seed's last fill closed the position")
        assert (await here.desk.flatten())["trading"] == "halted"
        with trio.fail_after(1_000):
            while not here.desk.flat():
                await trio.sleep(1)
        assert here.trading.state == "halted"
        assert all(order.ticket.tag == "flatten" for order in here.book.book.values() if order.created_ns > 1_200e9)


async def test_a_position_larger_than_an_order_may_be_is_closed_in_slices(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    limits = Limits(
        duplicate_window_s=Decimal(0),
        position_max=Decimal(10_000),
        open_orders_max=500,
        order_quantity_max=Decimal(9),
        order_notional_max=Decimal(50),  # at 10 a unit, nine tenths of it are 4 units
    )
    async with house(tmp_path, limits=limits) as here:
        while abs(here.portfolio.account.get(1, Decimal(0))) < 6:
            await trio.sleep(1)
        await here.desk.flatten()
        with trio.fail_after(1_000):
            while not here.desk.flat():
                await trio.sleep(1)
        sizes = [order.ticket.quantity for order in here.book.book.values() if order.ticket.tag == "flatten"]
        assert max(sizes) <= 4
        assert len(sizes) >= 2


async def test_cancel_all_ends_held_tickets_as_refused_and_trading_goes_on(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        await trio.sleep(5)
        coids = [f"many-{n:06d}" for n in range(30)]
        for number, coid in enumerate(coids):
            here.nursery.tell_risk(Wanted((Place((ticket(coid, quantity=number + 1),)),), 0))
        await trio.sleep(0.2)
        held = [coid for coid in coids if coid in here.book.book and here.book.book[coid].state is State.CREATED]
        assert held  # one round at a time
        before = len(here.venue.writes)
        await here.desk.cancel_all()
        await trio.sleep(LONG)
        assert {here.book.book[coid].state for coid in held} == {State.REFUSED}
        assert here.trading.state == "on"
        assert len(here.venue.writes) > before


async def test_positions_and_profit_are_exact(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with house(tmp_path) as here:
        await trio.sleep(LONG)
        await here.desk.halt("")
        await trio.sleep(4 * LONG)
        rows = await here.desk.positions()
        held = sum((live.filled * live.ticket.side.sign for live in here.venue.orders.values()), Decimal(0))
        assert sum((Decimal(row["quantity"]) for row in rows), Decimal(0)) == held
        assert all(Decimal(row["avg_cost"]) == 10 for row in rows)  # the model venue fills at 10
        document = await here.desk.pnl()
        assert Decimal(document["account"]["realised"]) == 0  # bought and sold at 10
        assert document["account"]["complete"] is True
        dollars = document["by_currency"]["USD"]
        assert (dollars["cash"], dollars["rate"]) == (document["cash"]["USD"], "1")
        orders = await here.desk.orders(only_open=False)
        assert {row["coid"] for row in orders} == set(here.book.book)
        assert await here.desk.orders(only_open=True) == []
        assert {"coid", "order_id", "conid", "side", "quantity", "filled", "status", "strategy"} <= set(orders[0])


async def test_a_question_that_is_not_open_can_t_be_answered(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        with pytest.raises(NotDone, match="question 7 is not open"):
            await here.desk.answer(7, True)
        question = Question(reply_id="r", message_ids=("o1",), texts=("sure?",))
        until = here.desk.clock.now_ns() + 5_000_000_000
        here.people.asked.append(AskOperator(7, question, ("busy-700000",), until))

        async def asked(state: State) -> list[int]:
            here.book._book["busy-700000"] = Order(ticket=ticket("busy-700000"), state=state)
            return [one["question"] for one in (await here.desk.status())["questions"]]

        # Nobody can say yes to an order that is to die, or has ended.
        assert [await asked(state) for state in (State.PENDING_CANCEL, State.IN_DOUBT, State.REFUSED)] == [[], [], []]
        with pytest.raises(NotDone, match="question 7 is not open"):
            await here.desk.answer(7, True)
        assert [await asked(state) for state in (State.PENDING_MODIFY, State.SENT)] == [[7], [7]]
        assert (await here.desk.answer(7, True))["answer"] == "yes"
        # Two terminals: the first word counts, and the second is told so.
        for yes in (False, True):
            with pytest.raises(NotDone, match="question 7 has been answered already, with yes"):
                await here.desk.answer(7, yes)
        assert await asked(State.SENT) == []
        here.people.asked.append(AskOperator(8, question, ("busy-700000",), until))
        await trio.sleep(6)
        with pytest.raises(NotDone, match="question 8 is not open"):
            await here.desk.answer(8, False)


async def test_a_halt_that_is_being_stored_asks_for_all_orders_together(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The sweep may be first to cancel: policy may have one request for all that is open, whoever comes first."""
    hangs: list[bool] = []
    async with house(tmp_path, hold=lambda: bool(hangs)) as here:
        while not here.open():
            await trio.sleep(0.5)
        told: list[object] = []
        here.desk.tell_orders = told.append
        hangs.append(True)
        await here.desk.kill("test", "enough", flatten=False)
        assert told[0] == CancelNow(None, "enough")


async def test_the_suppression_list_is_shown_changed_whole_and_reset(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        assert (await here.desk.suppress(None, reset=False))["ids"] == ["o163"]
        assert here.lists.said == []
        said = await here.desk.suppress(["o354", "o403", "o354"], reset=False)
        assert said["ids"] == said["session"] == ["o354", "o403"]
        assert len(said["warnings"]) == 1  # nothing of ours asks what o403 asks
        assert here.lists.said == [None, ["o354", "o403"]]
        assert here.kept == [("o354", "o403")]
        await here.desk.suppress(None, reset=True)
        assert here.lists.said[2:] == [None]
        for ids, sentence in ((["o1"] * 52 + [f"o{n}" for n in range(60)], "51 ids"), (["o-1"], "looks like o163")):
            with pytest.raises(NotDone, match=sentence):
                await here.desk.suppress(ids, reset=False)
        here.lists.error = VenueUnreachable("POST /iserver/questions/suppress", "nobody listens")
        with pytest.raises(NotDone, match="the session did not take the list"):
            await here.desk.suppress(["o163"], reset=False)
        assert (await here.desk.suppress(None, reset=False))["session"] is None


async def test_each_verb_finds_its_method(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with house(tmp_path, on=False) as here:
        for verb, args in (
            ("status", {}),
            ("orders", {"open": True}),
            ("positions", {}),
            ("pnl", {}),
            ("cancel-all", {}),
            ("flatten", {}),
            ("halt", {"why": "x"}),
            ("resume", {}),
            ("suppress", {}),
        ):
            assert await carry_out(here.desk, request(verb, args)) is not None
        with pytest.raises(NotDone, match="not open"):
            await carry_out(here.desk, request("answer", {"question": 1, "yes": True}))
        assert (await carry_out(here.desk, request("status", {})))["trading"] == "starting"
        await carry_out(here.desk, request("stop", {}))
        assert here.desk.stopping.is_set()
        verbs = [row.body for row in here.journal.rows(kinds=("operator",))]
        assert ['"verb":"stop"' in body for body in verbs][-1]


async def test_a_full_queue_holds_up_neither_a_halt_nor_a_cancel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    decided: list[str] = []
    whole = Ordering.decide

    def decide(self: Ordering, letter: OrdersLetter, now_ns: int) -> None:
        decided.append(type(letter).__name__)
        whole(self, letter, now_ns)

    monkeypatch.setattr(Ordering, "decide", decide)
    async with house(tmp_path) as here:
        while not (here.open() and here.venue.writes):  # the journal's thread lets the write go in its own time
            await trio.sleep(0.5)
        await trio.testing.wait_all_tasks_blocked()  # nobody else runs while the queues are filled
        late = Wanted((Place((ticket("busy-900000"),)),), 0)
        for _ in range(ROOM + 1):  # the first is handed over
            here.nursery._to_orders.send_nowait(Tick())
        for number in range(ROOM + 1):
            here.nursery._to_risk.send_nowait(late if number == 0 else Wanted((), 0))
        with pytest.raises(trio.WouldBlock):
            here.nursery.tell_risk(Wanted((), 0))
        decided.clear()
        here.nursery.tell_orders(CancelNow(None, "enough"))
        here.nursery.tell_risk(TradingNow("halted", "enough"))
        here.trading.latch(TradingState.HALTED, "operator", "enough", 0)
        await trio.testing.wait_all_tasks_blocked()
        assert decided[0] == "CancelNow"
        written = len(here.venue.writes)
        await trio.sleep(4 * LONG)
        assert here.open() == []
        assert len(here.venue.writes) == written
        assert here.book.book["busy-900000"].code == "TRADING"  # it was before the halt in the queue


async def test_halt_and_flatten_close_what_the_venue_holds_although_risk_has_halted_too(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        while not here.portfolio.account.get(1):
            await trio.sleep(1)
        here.desk.gate.latch("", Held(Level.HALTED, "LOSS", "the day's loss is spent", 0))
        said = await here.desk.halt("out", flatten=True)
        assert (said["trading"], said["flattening"]) == ("halted", True)
        with trio.fail_after(1_000):
            while not here.desk.flat_at_venue:
                assert here.trading.flattens  # a restart would go on with it
                await trio.sleep(1)
        assert here.desk.flat()
        there = {row.conid: row.quantity for row in await here.broker.positions()}
        assert not there[1]
        assert here.open() == []
        assert here.trading.state == "halted"
        assert [row[1:3] for row in here.notes] == [("latch", "operator")]


async def test_a_position_of_which_our_books_know_nothing_is_closed_too(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        await trio.sleep(5)
        other = VenuePosition(conid=99, quantity=Decimal(5))

        async def positions() -> Sequence[VenuePosition]:
            mine = await here.broker.positions()
            extra = Decimal(7) if not closed() else Decimal(0)
            return [*[replace(row, quantity=row.quantity + extra) for row in mine if row.conid == 1], other]

        def closed() -> bool:
            return any(order.ticket.strategy == "outside" and order.filled for order in here.book.book.values())

        here.desk.positions_there = positions
        while not here.portfolio.account.get(1):
            await trio.sleep(1)
        await here.desk.halt("out", flatten=True)
        with trio.fail_after(2_000):
            while not closed():
                await trio.sleep(1)
        outside = [o.ticket for o in here.book.book.values() if o.ticket.strategy == "outside"]
        assert {one.conid for one in outside} == {1}  # what is not in the configuration is left alone


async def test_resume_is_refused_while_something_stands_against_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with house(tmp_path) as here:
        await here.desk.halt("")
        here.against.append("the file halts trading")
        with pytest.raises(NotDone, match="the file halts trading"):
            await here.desk.resume()
        assert here.trading.state == "halted"
        here.against.clear()
        assert (await here.desk.resume())["trading"] == "on"


@pytest.mark.parametrize(
    ("mode", "paper", "says"), [("live", True, "mode is live"), ("paper", False, "--paper"), ("sim", False, None)]
)
async def test_a_drill_is_for_a_simulated_market(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, mode: str, paper: bool, says: str | None
) -> None:
    async with house(tmp_path) as here:
        await trio.sleep(5)
        here.desk.about = lambda: {"mode": mode}
        if says is not None:
            with pytest.raises(NotDone, match=says):
                await here.desk.drill(paper=paper)
            assert here.trading.state == "on"
            return
        assert (await here.desk.drill())["trading"] == "halted"
        with pytest.raises(NotDone, match="halted already"):
            await here.desk.drill()


def test_a_restart_goes_on_with_a_flattening_that_had_not_ended() -> None:
    desk = TradingDesk()
    rows = desk.latch(TradingState.HALTED, "file", "a file", 1, flatten=True)
    assert _rebuilt(rows).flattens
    rows += desk.flat(2)
    again = _rebuilt(rows)
    assert (again.state, again.flattens) == (TradingState.HALTED, False)
    assert desk.latch(TradingState.HALTED, "file", "again", 3) == []
    assert desk.latch(TradingState.HALTED, "file", "again", 3, flatten=True)  # it asks for more than what holds


def _rebuilt(rows: Sequence[Any]) -> TradingDesk:
    encode = msgspec.json.Encoder().encode
    return TradingDesk.rebuilt((ts_ns, kind, name, encode(what).decode()) for ts_ns, kind, name, what in rows)
