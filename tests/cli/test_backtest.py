"""`engine backtest` and `engine check` pass on what they were told and print what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine import app
from engine.cli import run
from engine.cli.backtest import backtest
from engine.errors import RecordingError
from engine.report.files import write
from engine.runtime.outcome import Outcome
from engine.settings import Pipeline, Settings
from tests.report.outcomes import outcome

CONFIG = """
name = "one"
[recording]
path = "data"
[[strategy]]
use = "ema-cross"
name = "ema"
instruments = ["AAPL"]
params = { fast = 10 }
"""


class FakeApp:
    """Stands for `engine.app`: keeps what it was asked for, and writes an empty run's files."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.asked: dict[str, Any] = {}
        self.findings: list[str] = []

    def backtest(self, settings: Settings, out: Path | None, **asked: Any) -> tuple[Outcome, Path]:
        self.settings, self.asked = settings, {"out": out, **asked}
        folder = out or Path("runs/one-abc")
        made = outcome()
        write(made, folder)
        return made, folder


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApp:
    made = FakeApp()
    monkeypatch.setattr(app, "backtest", made.backtest)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "one.toml").write_text(CONFIG)
    return made


def test_flags_and_sets_reach_the_settings(fake: FakeApp) -> None:
    flags = ["--set", "strategy.ema.params.fast=5", "--window", "17", "--pipeline", "fused", "--out", "there"]
    assert run(["backtest", "one.toml", *flags]) == 0
    assert fake.settings is not None
    assert fake.settings.strategies[0].params == {"fast": 5}
    assert fake.settings.replay.window == 17
    assert fake.settings.replay.pipeline is Pipeline.FUSED
    assert fake.asked["out"] == Path("there")


def test_without_flags_the_configuration_stands(fake: FakeApp) -> None:
    assert run(["backtest", "one.toml"]) == 0
    assert fake.settings is not None
    assert fake.settings.replay.window == 8192
    assert fake.settings.replay.pipeline is Pipeline.CHANNELS
    assert fake.asked["out"] is None


def test_the_page_says_where_the_report_lies(fake: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["backtest", "one.toml", "--no-progress"]) == 0
    printed = capsys.readouterr()
    assert "runs/one-abc/report.html" in printed.out
    assert printed.err == ""


def test_json_is_exactly_the_document_on_disk(fake: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["backtest", "one.toml", "--json", "--out", "there"]) == 0
    printed = capsys.readouterr()
    assert printed.out == Path("there/result.json").read_text()
    assert json.loads(printed.out)["hash"] == "ab" * 32
    assert printed.err == ""


def test_a_wrong_set_is_bad_input_and_starts_nothing(fake: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["backtest", "one.toml", "--set", "replay.chunk=0", "--out", "there"]) == 2
    assert capsys.readouterr().err == "engine: --set replay.chunk=0: must be from 1 to 10,000,000 rows, not 0\n"
    assert fake.settings is None
    assert not Path("there").exists()


def test_what_the_app_turns_down_is_bad_input(
    fake: FakeApp, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(*_: Any, **__: Any) -> None:
        raise RecordingError("is cut short", place="data/quotes")

    monkeypatch.setattr(app, "backtest", torn)
    assert run(["backtest", "one.toml", "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.err == "engine: data/quotes: is cut short\n"
    assert printed.out == ""


def test_an_empty_folder_name_is_not_the_current_folder() -> None:
    done = CliRunner().invoke(backtest, ["configs/demo.toml", "--out", ""])
    assert done.exit_code == 2
    assert "the name of the folder is empty" in done.output
