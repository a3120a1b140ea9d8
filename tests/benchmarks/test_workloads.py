"""The benchmarks' data is the documented one, and the workloads earn what their peers earn under each convention.

The figures are those that independent engines and plain loops agree on. All but two runs wait for the campaign.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import data

ROOT = Path(__file__).resolve().parents[2]
KEYS = [
    "peer", "version", "python", "workload", "events", "run_s", "total_s", "events_per_s", "ns_per_event",
    "peak_rss_mb", "orders", "fills", "pnl",
]  # fmt: skip
campaign = pytest.mark.skipif(os.environ.get("FULLTICKET_CAMPAIGN") != "1", reason="minutes: make campaign runs it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


def run(folder: Path, *words: str) -> list[dict[str, Any]]:
    """Run workloads as a person does; each prints a line."""
    done = subprocess.run(
        [sys.executable, "benchmarks/run.py", *words, "--data", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_data_is_the_documented_one() -> None:
    tables = {
        "bars": data.make_bars(np.random.default_rng(data.SEED)),
        "quotes": data.make_quotes(np.random.default_rng(data.SEED + 1), data.QUOTES, 20e6),
        "multi": data.make_multi(),
    }
    prefixes = {}
    for name, table in tables.items():
        whole = hashlib.sha256()
        for column in sorted(table):
            whole.update(table[column].tobytes())
        prefixes[name] = (len(table["ts"]), whole.hexdigest()[:16])
        assert (np.diff(table["ts"]) > 0).all()
    assert prefixes == {
        "bars": (500_000, "4a55fb523a512824"),
        "quotes": (1_000_000, "3330e11ba52f2533"),
        "multi": (1_000_000, "af48e770d41158aa"),
    }


def test_w2_and_w2v_are_one_run(folder: Path) -> None:
    rows, windows = run(folder, "W2", "W2v", "--pipeline", "fused")
    for line, name in ((rows, "W2"), (windows, "W2v")):
        assert list(line)[: len(KEYS)] == KEYS
        assert (line["peer"], line["workload"], line["pipeline"]) == ("engine", name, "fused")
        assert (line["events"], line["orders"], line["fills"], line["pnl"]) == (1_000_000, 958, 958, -1_462.0)
    assert rows["hash"] == windows["hash"]


@campaign
@pytest.mark.parametrize("pipeline", ["channels", "fused"])
@pytest.mark.parametrize(
    ("words", "fills", "pnl"),
    [
        (["W1", "--fills", "next_open"], 12_861, 162_335.0),
        (["W1", "--fills", "same_event"], 12_861, 162_165.0),
        (["W2", "--fills", "same_event"], 958, -1_462.0),
        (["W2", "--fills", "next_event"], 958, -1_295.0),
        (["W2v", "--fills", "next_event"], 958, -1_295.0),
        (["W4", "--fills", "same_event"], 969, -1_706.0),
        (["W4", "--fills", "next_event"], 969, -1_520.0),
        (["W5", "--resting", "limit"], 8_558, -5_526.0),
        (["W5", "--fills", "next_event", "--resting", "touch"], 8_558, -4_946.0),
    ],
)
def test_workloads_earn_what_their_peers_earn(
    folder: Path, words: list[str], fills: int, pnl: float, pipeline: str
) -> None:
    (line,) = run(folder, *words, "--pipeline", pipeline)
    assert (line["fills"], line["pnl"]) == (fills, pnl)


@campaign
def test_in_channels_and_fused_the_same_hash(folder: Path) -> None:
    for name in ("W1", "W2", "W4", "W5", "W5m"):
        hashes = {run(folder, name, "--pipeline", pipeline)[0]["hash"] for pipeline in ("channels", "fused")}
        assert len(hashes) == 1


_LONG = """
import sys
import benchmarks.run as run
run.WORKLOADS["W3"] = ("quotes20", "Counts", "same_event")
sys.argv[0] = run.__file__
run.main()
"""


@campaign
def test_memory_does_not_grow_with_the_recording(folder: Path) -> None:
    """Twenty times the rows and no order: what orders, fills and the equity curve take grows with their number."""
    (short,) = run(folder, "W3")
    words = [sys.executable, "-c", _LONG, "W3", "--data", str(folder)]
    long = json.loads(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert long["events"] == 20 * short["events"]
    assert long["peak_rss_mb"] - short["peak_rss_mb"] < 50
    assert short["peak_rss_mb"] < 250
