"""A process is its number and its start; a number given anew is another process."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from engine.operator.processes import Process, alive, end, kill, process, send, this_process

SLEEPS = "import time; print('up', flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def child(code: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "up\n"
        yield one
        one.kill()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[str]]:
    yield from child(SLEEPS)


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[str]]:
    yield from child(DEAF)


def test_we_live() -> None:
    assert alive(this_process())
    assert process(this_process().pid) == this_process()


def test_another_start_is_another_process(sleeper: subprocess.Popen[str]) -> None:
    mine = process(sleeper.pid)
    assert mine is not None
    recycled = Process(mine.pid, mine.started + "1")
    assert not alive(recycled)
    assert not send(recycled, signal.SIGKILL)
    assert kill(recycled, 0)
    assert sleeper.poll() is None  # nobody touched it


def test_a_killed_process_is_dead_before_its_parent_has_looked(sleeper: subprocess.Popen[str]) -> None:
    mine = process(sleeper.pid)
    assert mine is not None
    assert kill(mine, 5)
    assert not alive(mine)
    assert sleeper.wait() == -signal.SIGKILL


def test_who_does_not_hear_sigterm_is_killed(deaf: subprocess.Popen[str]) -> None:
    mine = process(deaf.pid)
    assert mine is not None
    assert end(mine, 0.1)
    assert deaf.wait() == -signal.SIGKILL


def test_who_hears_sigterm_ends_by_it(sleeper: subprocess.Popen[str]) -> None:
    mine = process(sleeper.pid)
    assert mine is not None
    assert end(mine, 30)
    assert sleeper.wait() == -signal.SIGTERM
