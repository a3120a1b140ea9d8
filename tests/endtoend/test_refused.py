"""What must be refused before it costs anything: folders in use, symbols nobody has."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from engine import app
from engine.config import load
from engine.errors import InputError
from engine.runtime.outcome import Outcome

MINUTES = Path(__file__).resolve().parents[2] / "replay_data" / "minutes"
STRATEGY = """
from engine.strategy.api import Strategy

class Quiet(Strategy):
    def on_bar(self, bar):
        pass
"""
CONFIG = """
name = "refused"
[recording]
path = "data"
end = "2024-01-10"
[[strategy]]
use = "./quiet.py:Quiet"
name = "quiet"
instruments = ["KO"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    shutil.copytree(MINUTES, tmp_path / "data")
    (tmp_path / "quiet.py").write_text(STRATEGY)
    (tmp_path / "run.toml").write_text(CONFIG)
    return tmp_path / "run.toml"


@pytest.mark.parametrize("key", ["risk.account", "risk.strategy.quiet"])
def test_a_restricted_symbol_that_the_recording_lacks_is_refused(config: Path, key: str) -> None:
    with pytest.raises(
        InputError, match=rf"{key}\.restricted: the recording has no instrument 'XON'; did you mean XOM"
    ):
        app.prepare(load(config, [f'{key}.restricted=["XON"]']))
    app.prepare(load(config, [f'{key}.restricted=["XOM"]']))


def keep(outcome: Outcome, folder: Path) -> None:
    (folder / "result.json").write_text(outcome.hash)


def test_a_folder_that_another_run_writes_to_is_refused_and_left_alone(config: Path) -> None:
    out = config.parent / "out"
    out.mkdir()
    (out / "result.json").write_text("older")
    other = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another run is writing its result there"):
            app.backtest(load(config), out, write=keep)
        assert (out / "result.json").read_text() == "older"
    finally:
        os.close(other)
    outcome, _ = app.backtest(load(config), out, write=keep)
    assert (out / "result.json").read_text() == outcome.hash
