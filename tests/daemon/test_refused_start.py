"""A start that is refused says why in one sentence, leaves nothing halted behind it, and nobody who acts for it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.guard.notes import guard_acted
from engine.journal.durable import DurableJournal
from engine.operator.folder import StateFolder
from tests.daemon.test_run import Running

ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0


@pytest.fixture
def folder() -> Iterator[StateFolder]:
    with tempfile.TemporaryDirectory() as short:  # a socket's path is
        yield StateFolder(Path(short) / "state")
        engine("stop", "--state-dir", str(Path(short) / "state"))


def engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def test_a_wrong_account_is_a_sentence_and_halts_nothing(folder: StateFolder) -> None:
    sim = str(ROOT / "configs" / "sim.toml")
    done = engine("run", sim, "--state-dir", str(folder.path), "--set", 'account.id="DU7654321"')
    assert done.returncode == 2, done.stderr
    said = done.stderr.strip().splitlines()[-1]
    assert said == "engine: DU7654321: the gateway's session has no such account; it has DU1234567"
    until = time.monotonic() + LIMIT_S
    while folder.process("guard") is not None and time.monotonic() < until:
        time.sleep(0.1)
    assert folder.process("guard") is None, "it has nothing to look after"
    assert list(guard_acted(folder)) == []
    assert folder.process("gateway") is None, "nor has anybody traded on this one"


def test_a_gateway_that_was_there_before_outlives_a_start_that_is_refused(folder: StateFolder) -> None:
    sim = ROOT / "configs" / "sim.toml"
    running = Running(folder.path)
    running.until("trading is on")
    running.process.terminate()
    assert running.process.wait(LIMIT_S) == 0
    there = folder.process("gateway")
    assert there is not None
    done = engine("run", str(sim), "--state-dir", str(folder.path), "--set", 'orders.fee_estimate="nobody\'s"')
    assert done.returncode == 2
    assert "no fee schedule" in done.stderr
    assert folder.process("gateway") == there


@pytest.mark.parametrize("name", ["journal.db", "guard.db"])
def test_a_journal_that_was_changed_is_refused_before_anything_is_started(folder: StateFolder, name: str) -> None:
    folder.make()
    journal = DurableJournal(folder.path / name)
    journal.write([(number, "noted", "somebody", {"quantity": "10"}) for number in range(40)])
    journal.close()
    whole = (folder.path / name).read_bytes()
    at = whole.index(b'"quantity":"10"')
    (folder.path / name).write_bytes(whole[: at + 12] + b"90" + whole[at + 14 :])
    done = engine("run", str(ROOT / "configs" / "sim.toml"), "--state-dir", str(folder.path))
    assert done.returncode == 2
    assert done.stdout == ""
    (said,) = done.stderr.splitlines()
    assert f"{name}: the journal is damaged (row " in said
    assert "is not what was written); keep it" in said
    assert not (folder.path / "gateway").exists()
    assert not folder.guard_log.exists()


def test_what_can_t_be_used_is_refused_before_anything_is_started(folder: StateFolder) -> None:
    sim = str(ROOT / "configs" / "sim.toml")
    long = folder.path.parent / ("x" * 100)
    folder.make()
    folder.journal.write_bytes(b"no journal of ours " * 500)
    for path, word in ((long, "shorter path"), (folder.path, "journal")):
        done = engine("run", sim, "--state-dir", str(path))
        assert done.returncode == 2
        assert word in done.stderr
        assert not (path / "gateway").exists()
