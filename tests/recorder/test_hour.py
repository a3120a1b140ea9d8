"""The hour in `replay_data`: what the daemon recorded is backtested as it is, and its wire log replays byte for byte.

A core that decides otherwise than when the hour was recorded makes the replay differ: if that is meant, `make hour`.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from pathlib import Path

from engine import app
from engine.config import load
from engine.daemon.replaying import replay
from engine.journal.run import RunJournal
from engine.recording.segments import records

ROOT = Path(__file__).parent.parent.parent
HOUR = ROOT / "replay_data" / "hour"


def test_every_decision_of_the_hour_is_reached_again() -> None:
    outcome = replay(HOUR)
    assert outcome.difference is None, f"{outcome.difference}; if that is meant: make hour"
    assert outcome.decisions > 1_000


def test_the_hour_was_a_busy_one() -> None:
    lines = [json.loads(line) for line in records(HOUR / "wire" / "00001", "wire")]
    span_ns = lines[-1]["at_ns"] - lines[0]["at_ns"]
    assert 3_600_000_000_000 <= span_ns < 3_900_000_000_000
    asked = Counter(line["method"] for line in lines if line["what"] == "asked" and "cOID" in line["body"])
    assert asked["POST"] >= 100
    text = "\n".join(json.dumps(line) for line in lines)
    assert "DU1234567" not in text
    assert str(Path.home()) not in text


def test_the_head_names_no_place_of_the_machine_that_made_it() -> None:
    head = json.loads((HOUR / "wire" / "00001" / "head.json").read_text())
    assert not Path(head["config"]).is_absolute()
    assert not Path(head["journal"]["file"]).is_absolute()
    assert head["config_text"] == (HOUR / "daemon.toml").read_text()


def test_the_recording_is_backtested_as_it_is(tmp_path: Path) -> None:
    hashes, fills = set(), 0
    for pipeline in ("channels", "fused"):
        settings = load(ROOT / "configs" / "hour.toml", [f'replay.pipeline="{pipeline}"'])
        with closing(RunJournal(tmp_path / pipeline)) as journal:
            outcome = app.run(app.prepare(settings), journal)
        hashes.add(outcome.hash)
        fills = len(outcome.fills)
    assert len(hashes) == 1
    assert fills >= 100
