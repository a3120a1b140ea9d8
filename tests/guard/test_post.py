"""A guard at its post, spoken to over its real sockets: by operators, and by a daemon that is a sleeping child."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.domain.facts import Accepted
from engine.domain.messages import Place
from engine.domain.ticket import OrderTicket, OrderType, Side
from engine.guard.link import GuardLink, GuardLost
from engine.guard.mandate import Mandate
from engine.guard.notes import guard_acted, take_over_orders
from engine.guard.post import Post
from engine.guard.talk import HALTING, LINE_MAX, VERSION, Hello, Leave, NotTaken, Sign, Taken, from_guard, line
from engine.journal.durable import DurableJournal
from engine.journal.reading import JournalReader
from engine.operator.client import ask
from engine.operator.folder import StateFolder
from engine.operator.lines import Lines, call
from engine.operator.processes import Process, alive, process
from engine.operator.protocol import Code, NotDone, Request, refused, request
from engine.orders.recovery import KINDS, recover
from tests.guard.fakes import CONID, FakeVenue


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with tempfile.TemporaryDirectory(prefix="guard") as name:
        yield StateFolder(Path(name))


@pytest.fixture
def child() -> Iterator[Process]:
    """A process that may be killed, to stand for a daemon or a gateway."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as one:
        found = process(one.pid)
        assert found is not None
        yield found
        one.kill()


@pytest.fixture
def other() -> Iterator[Process]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as one:
        found = process(one.pid)
        assert found is not None
        yield found
        one.kill()


@asynccontextmanager
async def guarding(folder: StateFolder, venue: FakeVenue, alone_s: float = 30.0) -> AsyncIterator[Post]:
    post = Post(folder, venue.opened, alone_s=alone_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(post.run)
        while not folder.guard_socket.exists() or not folder.operator_socket.exists():
            await trio.sleep(0.001)
        yield post
        nursery.cancel_scope.cancel()


def mandate(daemon: Process, **more: Any) -> Mandate:
    given: dict[str, Any] = {"limit_s": 30.0, "settle_s": 0.0, "read_every_s": 0.02, "conids": (CONID,), **more}
    return Mandate(daemon=daemon, config="c", account="DU1", **given)


async def hello(folder: StateFolder, wanted: Mandate) -> tuple[Lines, Any]:
    lines = await call(folder.guard_socket, LINE_MAX)
    assert lines is not None
    await lines.send(line(Hello(VERSION, wanted)))
    said = await lines.receive()
    assert said is not None
    return lines, from_guard.decode(said)


@asynccontextmanager
async def linked(folder: StateFolder, wanted: Mandate, answers: Mapping[str, Any]) -> AsyncIterator[GuardLink]:
    """A daemon that gives signs and answers; a verb without an answer never gets one."""

    async def answer(asked: Request) -> Any:
        found = answers.get(asked.verb)
        if found is None:
            await trio.sleep_forever()
        if isinstance(found, Exception):
            raise found
        return found

    link = GuardLink(
        folder,
        "nowhere:none",
        mandate=lambda: wanted,
        trading=lambda: "on",
        answer=answer,
        changed=lambda up, why: None,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        yield link
        nursery.cancel_scope.cancel()


def order_known(folder: StateFolder, coid: str = "s-000001", order_id: str = "1") -> OrderTicket:
    """A working order in the daemon's journal."""
    ticket = OrderTicket(
        coid=coid,
        strategy="s",
        account="DU1",
        conid=CONID,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(10),
        limit_price=Decimal(9),
    )
    journal = DurableJournal(folder.journal)
    journal.write(
        [
            (1, "approved", coid, Place((ticket,))),
            (2, "write", coid, (ticket,)),
            (3, "answer", coid, Accepted(coid=coid, ts_ns=3, venue_id=order_id)),
        ],
        coids=[coid],
    )
    journal.close()
    return ticket


async def test_requests_go_on_to_the_daemon_and_answers_come_back(folder: StateFolder, child: Process) -> None:
    answers = {"pnl": {"total": "1.50"}, "resume": refused("the books differ"), "status": ZeroDivisionError("oh")}
    async with guarding(folder, FakeVenue()), linked(folder, mandate(child), answers):
        assert await ask(folder, request("pnl", {})) == {"total": "1.50"}
        with pytest.raises(NotDone, match="the books differ"):
            await ask(folder, request("resume", {}))
        with pytest.raises(NotDone, match="a fault of our own: ZeroDivisionError: oh"):
            await ask(folder, request("status", {}))


async def test_before_a_daemon_has_come_nobody_trades(folder: StateFolder) -> None:
    async with guarding(folder, FakeVenue()):
        for verb in ("status", "positions", "halt", "resume"):
            with pytest.raises(NotDone) as problem:
                await ask(folder, request(verb, {}))
            assert problem.value.code is Code.NO_DAEMON


async def test_a_daemon_that_starts_is_halted_before_it_has_come(folder: StateFolder, child: Process) -> None:
    folder.note_process("daemon", child)
    async with guarding(folder, FakeVenue()):
        status = await ask(folder, request("status", {}))
        assert (status["trading"], status["reasons"]) == (
            "starting",
            [f"the daemon, process {child.pid}, is starting"],
        )
        with pytest.raises(NotDone, match="is starting; ask again") as problem:
            await ask(folder, request("positions", {}))
        assert problem.value.code is Code.REFUSED
        assert guard_acted(folder) == []
        said = await ask(folder, request("halt", {"why": "no"}))
        assert (said["by"], said["trading"], said["trouble"]) == ("guard", "halted", "")
        assert "not closed" in (await ask(folder, request("halt", {"flatten": True})))["trouble"]
        assert [(deed.kind, deed.sentence) for deed in guard_acted(folder)] == [
            ("latch", "no"),
            ("latch", "an operator halted while the daemon was starting"),
        ]
    assert alive(child)


async def test_a_question_waits_for_the_daemon_whose_guard_is_new(folder: StateFolder, child: Process) -> None:
    folder.note_process("daemon", child)
    async with guarding(folder, FakeVenue()), trio.open_nursery() as nursery:
        answered: list[Any] = []

        async def wonder() -> None:
            answered.append(await ask(folder, request("pnl", {})))
            nursery.cancel_scope.cancel()

        nursery.start_soon(wonder)
        await trio.sleep(0.2)
        async with linked(folder, mandate(child), {"pnl": {"total": "1.50"}}):
            await trio.sleep(math.inf)
    assert answered == [{"total": "1.50"}]


async def test_a_halt_tears_no_daemon_that_is_ending_in_order(folder: StateFolder) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1.5)"]) as process_of:
        ending = process(process_of.pid)
        assert ending is not None
        async with guarding(folder, FakeVenue()) as post:
            lines, _ = await hello(folder, mandate(ending))
            post._stopping = True  # an operator stops it: the guard does not end by itself
            await lines.send(line(Leave(False)))
            with trio.fail_after(10):
                while (await ask(folder, request("status", {})))["reasons"] != ["the daemon has ended in order"]:
                    await trio.sleep(0.01)
            assert (await ask(folder, request("halt", {})))["by"] == "guard"
            await lines.aclose()
        assert process_of.wait() == 0, "it was not killed"
    assert [deed.kind for deed in guard_acted(folder)][:1] == ["latch"]


async def test_a_daemon_without_a_sign_is_killed_and_its_orders_die(folder: StateFolder, child: Process) -> None:
    order_known(folder)
    venue = FakeVenue()
    venue.add("1", "s-000001")
    async with guarding(folder, venue):
        lines, said = await hello(folder, mandate(child, limit_s=0.3))
        assert isinstance(said, Taken)
        with trio.fail_after(30):
            while not any(deed.kind == "done" for deed in guard_acted(folder)):
                await trio.sleep(0.01)
        assert not alive(child)
        assert venue.orders_["1"].status == "Cancelled"
        kinds = [deed.kind for deed in guard_acted(folder)]
        assert kinds == ["latch", "done"]
        await lines.aclose()


async def test_halt_does_not_wait_for_a_daemon_that_does_not_answer(folder: StateFolder, child: Process) -> None:
    order_known(folder)
    venue = FakeVenue()
    venue.add("1", "s-000001")
    async with guarding(folder, venue), linked(folder, mandate(child, limit_s=0.4), {}):
        said = await ask(folder, request("halt", {"why": "it sells the house"}))
    assert said["by"] == "guard"
    assert said["why"] == "it sells the house"
    assert said["cancelled"] == 1
    assert not alive(child)
    assert venue.orders_["1"].status == "Cancelled"


@asynccontextmanager
async def signing(folder: StateFolder, child: Process, limit_s: float) -> AsyncIterator[list[str]]:
    """A daemon that never stops to give signs; the last of the list is its trading state."""
    states = ["on"]
    lines, said = await hello(folder, mandate(child, limit_s=limit_s))
    assert isinstance(said, Taken)

    async def signs() -> None:
        while True:
            await lines.send(line(Sign(states[-1])))
            await trio.sleep(0.02)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(signs)
        yield states
        nursery.cancel_scope.cancel()
    await lines.aclose()


async def latched_by(folder: StateFolder) -> str:
    """Why the guard has halted, once it has done what it does then."""
    with trio.fail_after(30):
        while not any(deed.kind == "done" for deed in guard_acted(folder)):
            await trio.sleep(0.01)
    return next(deed.sentence for deed in guard_acted(folder) if deed.kind == "latch")


async def test_a_daemon_that_does_not_heed_the_file_is_killed_and_its_orders_die(
    folder: StateFolder, child: Process
) -> None:
    order_known(folder)
    venue = FakeVenue()
    venue.add("1", "s-000001")
    async with guarding(folder, venue), signing(folder, child, 0.5):
        await trio.sleep(0.6)
        assert alive(child)
        folder.halt_file.touch()
        assert await latched_by(folder) == (
            "the file that halts is in the state folder, and the daemon does not heed it"
        )
    assert not alive(child)
    assert venue.orders_["1"].status == "Cancelled"


async def test_a_halt_that_the_daemon_can_t_confirm_is_the_guard_s(folder: StateFolder, child: Process) -> None:
    order_known(folder)
    venue = FakeVenue()
    venue.add("1", "s-000001")
    async with guarding(folder, venue), signing(folder, child, 0.5) as states:
        states.append(HALTING)
        assert await latched_by(folder) == "the daemon could not confirm a halt within 0.5 s"
    assert not alive(child)
    assert venue.orders_["1"].status == "Cancelled"


async def test_a_daemon_that_halts_in_time_is_left_alone(folder: StateFolder, child: Process) -> None:
    async with guarding(folder, FakeVenue()), signing(folder, child, 1.0) as states:
        folder.halt_file.touch()
        states.append(HALTING)
        await trio.sleep(0.3)
        states.append("halted")
        await trio.sleep(1.2)  # longer than the guard waits, the file is there still
        assert alive(child)
        states.append(HALTING)  # another halt has its own time
        await trio.sleep(0.3)
        states.append("halted")
        await trio.sleep(0.2)
        assert alive(child)
        assert not guard_acted(folder)


async def test_when_the_daemon_is_gone_the_guard_answers_for_it(
    folder: StateFolder, child: Process, other: Process
) -> None:
    order_known(folder)
    venue = FakeVenue()
    venue.add("1", "s-000001")
    gone = Process(child.pid, "another start")
    async with guarding(folder, venue):
        lines, _ = await hello(folder, mandate(gone, gateway=other))
        await lines.aclose()
        with trio.fail_after(30):
            while (await ask(folder, request("status", {})))["daemon"]["state"] != "gone":
                await trio.sleep(0.01)
        status = await ask(folder, request("status", {}))
        assert status["trading"] == "halted"
        assert {row["layer"]: row["up"] for row in status["layers"]} == {
            "daemon": False,
            "guard": True,
            "gateway": True,
        }
        rows = await ask(folder, request("orders", {"open": True}))
        assert [(row["coid"], row["order_id"], row["status"], row["quantity"]) for row in rows] == [
            ("s-000001", "1", "working", "10")
        ]
        told = await ask(folder, request("why", {"order": "1"}))
        assert told["coid"] == "s-000001"
        for verb in ("positions", "pnl", "resume", "suppress"):
            with pytest.raises(NotDone, match="the guard can't answer") as problem:
                await ask(folder, request(verb, {}))
            assert problem.value.code is Code.NO_DAEMON
        assert (await ask(folder, request("cancel-all", {})))["cancelled"] == 1
        assert await ask(folder, request("orders", {"open": True})) == [], "the guard has seen it dead"
        (row,) = await ask(folder, request("orders", {}))
        assert (row["status"], row["open"], row["filled"]) == ("cancelled", False, "0")
        assert guard_acted(folder)[-1].kind == "done"
        assert "latch" not in [deed.kind for deed in guard_acted(folder)]  # only cancelled, as was asked
        assert (await ask(folder, request("halt", {})))["by"] == "guard"
        assert "latch" in [deed.kind for deed in guard_acted(folder)]
    assert alive(child)  # the number belongs to somebody else now


async def test_a_flattening_without_a_daemon_is_taken_over_by_the_next_start(
    folder: StateFolder, child: Process, other: Process
) -> None:
    bought = order_known(folder)
    journal = DurableJournal(folder.journal)
    filled = {"type": "Filled", "coid": "s-000001", "ts_ns": 4, "exec_id": "e1", "conid": CONID, "side": "BUY"}
    journal.write([(4, "answer", "s-000001", {**filled, "quantity": "10", "price": "9"})])
    journal.close()
    venue = FakeVenue(held={CONID: Decimal(10)})
    async with guarding(folder, venue):
        lines, _ = await hello(folder, mandate(Process(child.pid, "gone"), gateway=other))
        await lines.aclose()
        await trio.sleep(0.05)
        said = await ask(folder, request("flatten", {}))
        assert said["by"] == "guard"
        with trio.fail_after(30):
            while not any(deed.kind == "done" for deed in guard_acted(folder)):
                await trio.sleep(0.01)
    assert venue.held[CONID] == 0
    (sold,) = venue.placed
    assert (sold.strategy, sold.side, sold.quantity) == (bought.strategy, Side.SELL, Decimal(10))
    journal = DurableJournal(folder.journal)
    assert take_over_orders(folder, journal, 99) == 1
    assert take_over_orders(folder, journal, 100) == 0  # once
    journal.close()
    reader = JournalReader(folder.journal)
    found = recover((row.ts_ns, row.kind, row.name, row.body) for row in reader.rows(kinds=KINDS))
    reader.close()
    assert found.orders[sold.coid].state == "sent"
    assert found.orders[sold.coid].ticket == sold


async def test_two_daemons_are_not_guarded_at_once(folder: StateFolder, child: Process, other: Process) -> None:
    async with guarding(folder, FakeVenue()), linked(folder, mandate(child), {"pnl": 1}):
        lines, said = await hello(folder, mandate(other))
        assert said == NotTaken(f"process {child.pid} is guarded here, and it lives")
        await lines.aclose()
        assert await ask(folder, request("pnl", {})) == 1
        with pytest.RaisesGroup(
            pytest.RaisesExc(GuardLost, match="the guard does not take us"), flatten_subgroups=True
        ):
            async with linked(folder, mandate(other), {}):
                pass


@pytest.mark.parametrize("again", [False, True], ids=["the gateway it told of", "one started in its place since"])
async def test_stop_ends_daemon_gateway_and_guard(
    folder: StateFolder, child: Process, other: Process, again: bool
) -> None:
    folder.note_process("gateway", other)
    told = Process(other.pid, "an earlier one") if again else other
    post = Post(folder, FakeVenue().opened)
    ended = trio.Event()

    async def run() -> None:
        await post.run()
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        while not folder.operator_socket.exists():
            await trio.sleep(0.001)
        async with linked(folder, mandate(child, gateway=told), {"stop": {"done": True}}) as link:

            async def leave() -> None:
                await trio.sleep(0.05)
                await link.leave(gateway=False)
                subprocess.run(["kill", "-9", str(child.pid)], check=True)

            nursery.start_soon(leave)

            async def hang_up() -> None:
                while alive(child):
                    await trio.sleep(0.01)
                assert link._lines is not None
                await link._lines.aclose()

            nursery.start_soon(hang_up)
            said = await ask(folder, request("stop", {}))
        assert (said["daemon"], said["gateway"], said["guard"]) == ("ended", "ended", "ends")
        with trio.fail_after(30):
            await ended.wait()
        nursery.cancel_scope.cancel()
    assert not alive(other)
    assert not folder.operator_socket.exists()
    assert guard_acted(folder) == []


async def test_nonsense_on_the_daemon_s_socket_does_no_harm(folder: StateFolder, child: Process) -> None:
    async with guarding(folder, FakeVenue()):
        for nonsense in (b"hello\n", b'{"type":"Sign","trading":"on"}\n', line(Hello(99, mandate(child))), b""):
            lines = await call(folder.guard_socket, LINE_MAX)
            assert lines is not None
            if nonsense:
                await lines.send(nonsense)
            await lines.aclose()
        async with linked(folder, mandate(child), {"pnl": 1}):
            assert await ask(folder, request("pnl", {})) == 1
