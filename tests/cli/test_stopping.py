"""A signal ends the process with one sentence and its code, whatever it was at; nothing is left lying about."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

# A module body that swallows whatever is raised into it, as a half-done import of a package in C may.
SWALLOWS = """
import os, signal
try:
    os.kill(os.getpid(), signal.{name})
    print("went on")
except BaseException:
    print("was swallowed")
"""
# Whoever runs the tests in the background may have them ignore Ctrl-C; the child is to be as in a terminal.
HEEDS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
OBEYS = """
import sys
from engine.stopping import Tidied, obey
obey()
sys.path.insert(0, {folder!r})
with Tidied(lambda: open({left!r}, "w").close()):
    import swallows
"""
IMPORTS = """
import os, signal, sys
from engine.stopping import obey
obey()
from engine.recording import importing
importing._read = lambda *_: os.kill(os.getpid(), signal.SIGINT)
from engine.cli import run
run(["recording", "import", "X.csv", "--kind", "trades", "--out", "there"])
"""


def child(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("SIGINT", 130, "engine: stopped by Ctrl-C\n"), ("SIGTERM", 143, "engine: stopped by SIGTERM\n")],
)
def test_a_signal_in_the_middle_of_an_import_is_one_sentence(tmp_path: Path, name: str, code: int, said: str) -> None:
    (tmp_path / "swallows.py").write_text(SWALLOWS.format(name=name))
    left = tmp_path / "tidied"
    done = child(HEEDS + OBEYS.format(folder=str(tmp_path), left=str(left)), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)
    assert left.exists()


def test_what_the_parent_had_us_ignore_stays_ignored(tmp_path: Path) -> None:
    (tmp_path / "swallows.py").write_text(SWALLOWS.format(name="SIGINT"))
    ignored = f"import signal; signal.signal({signal.SIGINT:d}, signal.SIG_IGN)\n"
    done = child(ignored + OBEYS.format(folder=str(tmp_path), left=str(tmp_path / "tidied")), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


def test_an_import_leaves_no_working_folder(tmp_path: Path) -> None:
    (tmp_path / "X.csv").write_text("ts,price,size\n1709650800000000000,1,1\n")
    done = child(HEEDS + IMPORTS, tmp_path)
    assert (done.returncode, done.stderr) == (130, "engine: stopped by Ctrl-C\n")
    assert [path.name for path in tmp_path.iterdir()] == ["X.csv"]


def test_the_process_obeys_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import engine.__main__; print(*sorted(set(sys.modules) - before))"
    done = child(code, tmp_path)
    mine = set(done.stdout.split())
    assert mine >= {"engine.__main__", "engine.stopping"}
    assert not {"engine.cli", "click"} & mine
