"""`engine backtest` as a person starts it: a process of its own, files in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.domain.market import Kind
from tests.endtoend.small import walk, write_config, write_recording

ROOT = Path(__file__).resolve().parents[2]
OURS = [
    "equity.parquet",
    "fills.parquet",
    "journal.db",
    "manifest.json",
    "orders.parquet",
    "report.html",
    "result.json",
]
EXACT = ("fills.parquet", "orders.parquet", "equity.parquet", "journal.db")
STRATEGY = """
import os, signal
from attrs import frozen
from engine.strategy.api import Strategy

@frozen
class Params:
    each: int = 10
    die_at: int = 0

class Turns(Strategy[Params]):
    Params = Params

    def on_start(self):
        self.n = 0
        self.names = {"one", "two", "three", "four"}  # a set: its order hangs on PYTHONHASHSEED

    def on_quote(self, quote):
        self.n += 1
        if self.n == self.params.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.n % self.params.each == 0:
            self.ctx.log("turn", names=len(self.names))
            (self.ctx.buy if self.n // self.params.each % 2 else self.ctx.sell)("X", 5)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_recording(tmp_path / "data", {Kind.QUOTES: walk(400, 11)})
    (tmp_path / "turns.py").write_text(STRATEGY)
    write_config(tmp_path, "./turns.py:Turns")
    return tmp_path


def engine(folder: Path, *words: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "engine"), *words],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in EXACT}


def test_the_same_run_again_and_in_any_wiring_leaves_the_same_bytes(folder: Path) -> None:
    ways: list[tuple[str, list[str]]] = [
        ("0", []),
        ("0", []),
        ("1", ["--pipeline", "fused"]),
        ("2", ["--window", "7"]),
        ("3", ["--window", "1", "--pipeline", "fused", "--set", "replay.chunk=13"]),
    ]
    left = []
    for number, (seed, words) in enumerate(ways):
        done = engine(folder, "backtest", "run.toml", "--out", f"out{number}", "--no-progress", *words, hash_seed=seed)
        assert (done.returncode, done.stderr) == (0, "")
        left.append((digests(folder / f"out{number}"), result(folder / f"out{number}")["hash"]))
    assert all(one == left[0] for one in left)
    assert result(folder / "out0")["fills"] == 40


def test_json_is_exactly_the_document_and_other_files_stay(folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    (out / "result.json").write_text("{}")
    done = engine(folder, "backtest", "run.toml", "--out", "out", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (out / "result.json").read_text()
    said = json.loads(done.stdout)
    wanted = {"events", "run_s", "total_s", "orders", "fills", "final_equity", "pnl", "fees", "hash"}
    assert wanted <= said.keys()
    assert (said["events"], said["orders"], said["fills"]) == (400, 40, 40)
    assert sorted(path.name for path in out.iterdir()) == sorted([*OURS, "mine.txt"])
    assert (out / "mine.txt").read_text() == "mine"


def test_without_out_the_folder_is_named_by_the_run_and_its_hash(folder: Path) -> None:
    done = engine(folder, "backtest", "run.toml")
    assert done.returncode == 0
    (made,) = (folder / "runs").iterdir()
    assert made.name == f"small-{result(made)['hash'][:10]}"
    assert f"runs/{made.name}/report.html" in "".join(done.stdout.split())


def test_set_changes_the_run(folder: Path) -> None:
    for name, words in {"a": [], "b": ["--set", "strategy.s.params.each=20"]}.items():
        assert engine(folder, "backtest", "run.toml", "--out", name, *words).returncode == 0
    assert (result(folder / "a")["fills"], result(folder / "b")["fills"]) == (40, 20)
    assert result(folder / "a")["hash"] != result(folder / "b")["hash"]


def test_killed_halfway_no_result_is_left_not_even_an_older_one(folder: Path) -> None:
    assert engine(folder, "backtest", "run.toml", "--out", "out").returncode == 0
    done = engine(folder, "backtest", "run.toml", "--out", "out", "--set", "strategy.s.params.die_at=200")
    assert done.returncode == -signal.SIGKILL
    assert not (folder / "out" / "result.json").exists()


def test_check_says_what_it_found_by_exit_code(folder: Path) -> None:
    done = engine(folder, "check", "run.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing found")
    (folder / "turns.py").write_text(STRATEGY.replace("self.n += 1", "self.n += 1; __import__('time').time()"))
    done = engine(folder, "check", "run.toml")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("clock: strategy s asks a clock: time at turns.py:")


def test_hash_seeds_change_nothing_in_the_demo(tmp_path: Path) -> None:
    if not (ROOT / "replay_data" / "demo").is_dir():
        pytest.skip("replay_data/demo is not here")
    config = str(ROOT / "configs" / "demo.toml")
    left = set()
    for seed in ("0", "1", "77"):
        words = ["--set", "recording.end=2024-03-05T10:30:00", "--out", seed, "--json"]
        done = engine(tmp_path, "backtest", config, *words, hash_seed=seed)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["fills"] > 0
        left.add((json.loads(done.stdout)["hash"], str(digests(tmp_path / seed))))
    assert len(left) == 1
