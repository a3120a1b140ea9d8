"""A strategy that can hear nothing of what a recording holds is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import app
from engine.config import load
from engine.journal.run import RunJournal

MINUTES = Path(__file__).resolve().parents[2] / "replay_data" / "minutes"
STRATEGIES = """
from engine.strategy.api import Strategy

class Quotes(Strategy):
    def on_quote(self, quote):
        pass

class Bars(Strategy):
    def on_bar(self, bar):
        pass

class Built(Strategy):
    def on_start(self):
        self.ctx.bars("KO", "5min", source="bars")
    def on_bar(self, bar):
        pass

class Timers(Strategy):
    def on_timer(self, name):
        pass
"""


@pytest.mark.parametrize(("name", "deaf"), [("Quotes", True), ("Bars", False), ("Built", False), ("Timers", False)])
def test_a_strategy_without_a_handler_for_the_data_is_named(tmp_path: Path, name: str, deaf: bool) -> None:
    (tmp_path / "some.py").write_text(STRATEGIES)
    config = tmp_path / "run.toml"
    config.write_text(
        f'name = "deaf"\n[recording]\npath = "{MINUTES}"\nend = "2024-01-04"\n'
        f'[[strategy]]\nuse = "./some.py:{name}"\nname = "it"\ninstruments = ["KO"]\n'
    )
    journal = RunJournal()
    try:
        outcome = app.run(app.prepare(load(config)), journal)
    finally:
        journal.close()
    assert outcome.deaf == ({"it": "handles quotes, and the recording has bars"} if deaf else {})
