"""A recorded session replays exactly, also one that begins on a journal; a log that was tampered with is found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.daemon.replaying import replay
from engine.errors import RecordingError
from engine.recording.segments import Segments, records
from tests.crash.daemons import CONFIG, Daemon, state_folder

TRADES_S = 6.0


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of two sessions: one that was killed, and one on its journal that stopped."""
    with state_folder(tmp_path_factory.mktemp("recorded") / "state") as state:
        for ends_well in (False, True):
            daemon = Daemon(state, None, "--set", "recorder.market=true")
            assert daemon.wait_trading(), list(daemon.said)
            time.sleep(TRADES_S)
            if ends_well:
                assert daemon.stop() == 0, list(daemon.said)
            else:
                daemon.kill()
        yield state


@pytest.mark.parametrize("start", ["00001", "00002"])
def test_every_decision_is_reached_again(session: Path, start: str) -> None:
    outcome = replay(session / "wire" / start)
    assert outcome.difference is None
    assert outcome.decisions > 500
    assert outcome.inputs > outcome.decisions


def test_the_command_says_so(session: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "engine", "replay", str(session / "wire"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["difference"] is None


def _rewritten(session: Path, folder: Path, change: dict[str, object]) -> Path:
    """A copy of the first log in which the first record of a kind is another one."""
    source = session / "wire" / "00001"
    target = folder / "00001"
    target.mkdir(parents=True)
    shutil.copy(source / "head.json", target)
    log, left = Segments(target, "inputs"), dict(change)
    for line in records(source, "inputs"):
        number, core, at_ns, kind, body = msgspec.msgpack.decode(line)
        if kind in left:
            body = left.pop(kind)(body)  # type: ignore[operator]  # functions by kind
        log.append([msgspec.msgpack.encode((number, core, at_ns, kind, body))])
    log.close()
    assert not left
    return target


def test_a_decision_that_was_changed_is_found_with_both_sides(session: Path, tmp_path: Path) -> None:
    def forged(body: dict[str, object]) -> dict[str, object]:
        return {**body, "ts_ns": 1}

    log = _rewritten(session, tmp_path, {"Wanted": forged})
    found = replay(log).difference
    assert found is not None
    assert (found.core, found.kind) == ("risk", "Wanted")
    assert found.recorded["ts_ns"] == 1
    assert found.replayed["intents"] == found.recorded["intents"]
    done = subprocess.run(
        [sys.executable, "-m", "engine", "replay", str(log)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "recorded:" in done.stdout
    assert "replayed:" in done.stdout


def test_an_input_that_was_changed_leads_elsewhere(session: Path, tmp_path: Path) -> None:
    def halted(body: list[object]) -> list[object]:
        return [["v", "halted"], *body[1:]]  # trading never began

    log = _rewritten(session, tmp_path, {"TradingNow": halted})
    found = replay(log).difference
    assert found is not None
    assert found.core == "orders"


def test_what_goes_over_the_wire_is_there_without_secrets(session: Path) -> None:
    lines = [json.loads(line) for line in records(session / "wire" / "00001", "wire")]
    asked = {line["number"]: line for line in lines if line["what"] == "asked"}
    answered = [line for line in lines if line["what"] == "answered"]
    assert len(answered) > 20
    assert {line["number"] for line in answered} <= set(asked)
    placed = [line for line in asked.values() if line["method"] == "POST" and line["url"].endswith("/orders")]
    assert any("cOID" in line["body"] for line in placed)
    who = {line["who"] for line in lines if line["what"] == "frame"}
    assert who == {"ours", "theirs"}
    text = json.dumps(lines)
    assert "DU1234567" not in text
    session_ids = [line["body"] for line in answered if '"session"' in line["body"]]
    assert session_ids
    assert all('"session":"(hidden)"' in body.replace(" ", "") for body in session_ids)


def test_the_market_that_was_recorded_can_be_backtested(session: Path, tmp_path: Path) -> None:
    config = tmp_path / "back.toml"
    text = CONFIG.read_text()
    start, end = text.index('[[strategy]]\nuse = "pulse"'), text.index('[[strategy]]\nuse = "./busy')
    config.write_text(
        f'name = "again"\n[recording]\npath = "{session / "recording"}"\n[account]\nid = "DU1"\n'
        f"cash = {{ USD = 1_000_000 }}\n{text[start:end]}"
    )
    done = subprocess.run(
        [sys.executable, "-m", "engine", "backtest", str(config), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_a_torn_log_replays_to_where_it_is_torn(session: Path, tmp_path: Path) -> None:
    source, target = session / "wire" / "00001", tmp_path / "00001"
    target.mkdir()
    shutil.copy(source / "head.json", target)
    whole = (source / "inputs-00001.gz").read_bytes()
    assert zlib.decompressobj(31).decompress(whole)
    (target / "inputs-00001.gz").write_bytes(whole[: len(whole) // 2])
    outcome = replay(target)
    assert outcome.agrees
    assert outcome.inputs > 100


def test_a_log_without_inputs_proves_nothing(session: Path, tmp_path: Path) -> None:
    copy = tmp_path / "00001"
    copy.mkdir()
    shutil.copy(session / "wire" / "00001" / "head.json", copy)
    with pytest.raises(RecordingError, match="no inputs"):
        replay(copy)
