"""Where a run keeps what has no name yet: its own while it lives, swept out by the next one if it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.journal.unfinished import SHELF, unfinished


def test_nothing_is_left_of_a_run_that_ends(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with unfinished(runs) as folder:
        (folder / "journal").write_text("facts")
        assert folder.parent == runs / SHELF
    with pytest.raises(KeyError), unfinished(runs):
        raise KeyError
    assert list(runs.iterdir()) == []


def test_runs_that_live_leave_one_another_alone(tmp_path: Path) -> None:
    with unfinished(tmp_path) as first:
        (first / "journal").write_text("facts")
        with unfinished(tmp_path) as second:
            assert first != second
        assert (first / "journal").read_text() == "facts"
        with unfinished(tmp_path):
            assert (first / "journal").exists()
    assert list(tmp_path.iterdir()) == []


_VICTIM = """
import sys, time
from pathlib import Path
from engine.journal.unfinished import unfinished
with unfinished(Path(sys.argv[1])) as folder:
    (folder / "journal").write_text("facts")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_run_sweeps_out_what_a_killed_one_left(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-c", _VICTIM, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        left = Path(victim.stdout.readline().strip())
        os.kill(victim.pid, how)
    assert (left / "journal").exists()
    with unfinished(tmp_path) as folder:
        assert not left.exists()
        assert [path.name for path in (tmp_path / SHELF).iterdir()] == [folder.name]
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_obeys_signals_leaves_nothing(tmp_path: Path) -> None:
    code = f"from engine.stopping import obey; obey()\n{_VICTIM}"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        victim.stdout.readline()
        os.kill(victim.pid, signal.SIGTERM)
    assert victim.returncode == 143
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_can_not_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InputError, match="can't be written there"), unfinished(tmp_path / "runs"):
        pass
