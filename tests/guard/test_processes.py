"""Real processes: a guard outlives its daemon, kills one that hangs in C before it acts, and ends by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio

from engine.guard.notes import guard_acted
from engine.journal.durable import DurableJournal
from engine.operator.client import ask
from engine.operator.folder import StateFolder
from engine.operator.processes import kill, process
from engine.operator.protocol import NotDone, request
from tests.guard.fakes import CONID, FakeVenue, serve_far

LIMIT_S = 0.5
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with tempfile.TemporaryDirectory(prefix="guard") as name:  # a socket's path has to be short
        folder = StateFolder(Path(name))
        yield folder
        guard = folder.process("guard")
        if guard is not None:
            kill(guard, 5)


@contextmanager
def daemon(
    folder: StateFolder, venue: Path, sleep_s: float, limit_s: float = LIMIT_S
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.guard.sleepy", str(folder.path), str(venue), str(sleep_s), str(limit_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()


async def guarded(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    with trio.fail_after(60):
        assert await trio.to_thread.run_sync(child.stdout.readline) == "guarded\n"


async def ended(child: subprocess.Popen[str]) -> int:
    with trio.fail_after(60):
        while child.poll() is None:
            await trio.sleep(0.02)
    assert child.returncode is not None
    return child.returncode


@asynccontextmanager
async def venue_at(path: Path) -> AsyncIterator[FakeVenue]:
    venue = FakeVenue()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_far, venue, path)
        while not path.exists():
            await trio.sleep(0.01)
        yield venue
        nursery.cancel_scope.cancel()


def owns_order(folder: StateFolder) -> None:
    """The daemon's journal knows of one order that was sent."""
    journal = DurableJournal(folder.journal)
    journal.write([(1, "write", "sleepy-000007", [])], coids=["sleepy-000007"])
    journal.close()


async def deeds(folder: StateFolder, kind: str) -> list[str]:
    with trio.fail_after(60):
        while True:
            found = [deed.sentence for deed in guard_acted(folder) if deed.kind == kind]
            if found:
                return found
            await trio.sleep(0.05)


async def test_a_handler_asleep_in_c_that_wakes_and_wants_to_buy_is_dead(folder: StateFolder) -> None:
    path = folder.path / "venue.sock"
    owns_order(folder)
    async with venue_at(path) as venue:
        venue.add("70", "sleepy-000007")
        with daemon(folder, path, 30.0) as child:
            await guarded(child)
            assert await ended(child) == -signal.SIGKILL
        assert await deeds(folder, "done") == ["1 orders were cancelled"]
        assert venue.placed == []
        assert venue.orders_["70"].status == "Cancelled"
        latches = [deed for deed in guard_acted(folder) if deed.kind == "latch"]
        assert [deed.sentence for deed in latches] == ["the daemon gave no sign for 0.5 s"]
        assert guard_acted(folder, after=guard_acted(folder)[-1].seq) == []
        # The guard still answers for the dead.
        status = await ask(folder, request("status", {}))
        assert status["trading"] == "halted"
        assert status["daemon"]["state"] == "gone"


async def test_one_that_sleeps_for_less_than_the_limit_buys(folder: StateFolder) -> None:
    path = folder.path / "venue.sock"
    async with venue_at(path) as venue:
        with daemon(folder, path, 0.1, limit_s=20.0) as child:
            await guarded(child)
            assert await ended(child) == 0
        assert [ticket.conid for ticket in venue.placed] == [CONID]
        assert guard_acted(folder) == []


async def test_a_crash_latches_nothing_if_a_daemon_comes_back_in_time(folder: StateFolder) -> None:
    path = folder.path / "venue.sock"
    owns_order(folder)
    async with venue_at(path) as venue:
        venue.add("70", "sleepy-000007")
        with daemon(folder, path, 0, limit_s=30.0) as first:
            await guarded(first)
            guard = folder.process("guard")
            assert guard is not None
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            with daemon(folder, path, 0, limit_s=30.0) as second:
                await guarded(second)
                assert folder.process("guard") == guard  # the same one has taken it
                assert await ask(folder, request("pnl", {})) == {"verb": "pnl"}
                assert guard_acted(folder) == []
                assert venue.cancels == []


async def test_a_guard_that_is_killed_is_replaced_by_its_daemon(folder: StateFolder) -> None:
    path = folder.path / "venue.sock"
    async with venue_at(path):
        with daemon(folder, path, 0, limit_s=30.0) as child:
            await guarded(child)
            first = folder.process("guard")
            assert first is not None
            kill(first, 5)
            with trio.fail_after(60):
                while True:
                    try:
                        assert await ask(folder, request("status", {})) == {"verb": "status"}
                        break
                    except NotDone:
                        await trio.sleep(0.1)
            assert folder.process("guard") not in (None, first)


async def test_a_guard_with_neither_daemon_nor_gateway_ends(folder: StateFolder) -> None:
    command = [sys.executable, "-m", "engine.guard", str(folder.path), "--venue", "tests.guard.fakes:open_far"]
    with subprocess.Popen([*command, "--alone", "0.3"], cwd=ROOT, stderr=subprocess.DEVNULL, text=True) as guard:
        assert await ended(guard) == 0
    assert not folder.operator_socket.exists()
    assert folder.process("guard") is None


async def test_two_guards_on_one_folder_refuse(folder: StateFolder) -> None:
    command = [sys.executable, "-m", "engine.guard", str(folder.path), "--venue", "tests.guard.fakes:open_far"]
    with folder.held("guard"):
        done = await trio.run_process(command, capture_stderr=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.decode().endswith(f"another guard runs on this state folder, process {os.getpid()}\n")


async def test_a_way_to_the_venue_that_can_t_be_found_is_one_sentence(folder: StateFolder) -> None:
    command = [sys.executable, "-m", "engine.guard", str(folder.path), "--venue", "nowhere:none"]
    done = await trio.run_process(command, capture_stderr=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "engine.guard: nowhere:none: the way to the venue can't be found: No module named 'nowhere'\n"
    )
    assert process(os.getpid()) is not None
