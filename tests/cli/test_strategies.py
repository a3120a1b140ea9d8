"""`engine strategies`: what is installed, and an entry point that can't be used is listed with the reason."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from engine.cli import run

MODULE = '''
from decimal import Decimal
from attrs import field, frozen
from engine.strategy.api import Strategy

@frozen
class Params:
    quantity: int
    fast: int = 10
    size: Decimal = Decimal("0.5")
    label: str | None = None
    names: tuple[str, ...] = field(factory=tuple)

class Mine(Strategy[Params]):
    """Buys what falls.

    And more that no list shows.
    """

    Params = Params
'''


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One installed strategy that works and one that does not."""
    (tmp_path / "listed_strategy.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "listed_strategy", raising=False)
    entries = [
        EntryPoint("works", "listed_strategy:Mine", "engine.strategies"),
        EntryPoint("broken", "absent_strategy:Mine", "engine.strategies"),
    ]
    monkeypatch.setattr("engine.strategy.loading.entry_points", lambda group: entries)


@pytest.mark.usefixtures("two")
def test_the_list_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "broken  absent_strategy:Mine",
        "  can't be used: absent_strategy:Mine: there is no module absent_strategy",
        "works  listed_strategy:Mine",
        "  Buys what falls.",
        "    quantity  int required",
        "    fast      int = 10",
        "    size      Decimal = 0.5",
        "    label     str | None = None",
        "    names     tuple[str, ...] = ()",
    ]


@pytest.mark.usefixtures("two")
def test_the_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "--json"]) == 0
    broken, works = json.loads(capsys.readouterr().out)
    assert broken["problem"] == "absent_strategy:Mine: there is no module absent_strategy"
    assert works["problem"] is None
    assert works["parameters"][0] == {"name": "quantity", "type": "int", "required": True, "default": None}
    assert works["parameters"][1] == {"name": "fast", "type": "int", "required": False, "default": 10}
    assert works["parameters"][2]["default"] == "0.5"
