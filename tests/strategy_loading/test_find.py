"""Strategies are found by module, file and installed name; what can't be had is said with file and line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import StrategyError
from engine.settings import StrategySettings
from engine.strategy.api import Strategy
from engine.strategy.loading import Loaded, find, load

MINE = """
from attrs import field, frozen
from engine.strategy.api import Strategy

@frozen
class Params:
    fast: int = 10

class Mine(Strategy[Params]):
    Params = Params

class Other:
    pass

number = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for the author's files; afterwards the import system is as it was."""
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def loaded(folder: Path, use: str, text: str = MINE, file: str = "mine.py") -> Loaded:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(text, encoding="utf-8")
    return load(StrategySettings(use=use, name="one", instruments=("AAPL",)), folder / "run.toml")


def refused(folder: Path, use: str, text: str = MINE) -> str:
    with pytest.raises(StrategyError) as caught:
        loaded(folder, use, text)
    said = str(caught.value).replace(f"{folder}/", "")
    prefix = "run.toml: strategy.one.use: "
    assert said.startswith(prefix)
    assert "\n" not in said
    return said.removeprefix(prefix)


def test_a_file_beside_the_configuration(folder: Path) -> None:
    found = loaded(folder, "./mine.py:Mine")
    assert issubclass(found.strategy_class, Strategy)
    assert found.strategy_class.__name__ == "Mine"
    assert found.params.fast == 10
    assert found.file == folder / "mine.py"
    assert found.name == "one"


def test_a_module_of_the_configurations_folder(folder: Path) -> None:
    found = loaded(folder, "own_module_of_mine:Mine", file="own_module_of_mine.py")
    assert found.file == folder / "own_module_of_mine.py"
    assert sys.path[0] == str(folder)


def test_a_file_may_import_its_neighbour(folder: Path) -> None:
    (folder / "neighbour_of_mine.py").write_text("LENGTH = 3")
    found = loaded(folder, "./mine.py:Mine", "from neighbour_of_mine import LENGTH\n" + MINE)
    assert found.strategy_class.__name__ == "Mine"


def test_two_authors_files_of_one_name_do_not_meet(folder: Path) -> None:
    first = loaded(folder, "./a/mine.py:Mine", MINE.replace("10", "1"), "a/mine.py")
    second = loaded(folder, "./b/mine.py:Mine", MINE.replace("10", "2"), "b/mine.py")
    assert (first.params.fast, second.params.fast) == (1, 2)
    assert "mine" not in sys.modules


def test_two_copies_of_one_strategy_share_its_class_and_an_edit_makes_a_new_one(folder: Path) -> None:
    first, second = loaded(folder, "./mine.py:Mine"), loaded(folder, "./mine.py:Mine")
    assert first.strategy_class is second.strategy_class
    edited = loaded(folder, "./mine.py:Mine", MINE.replace("10", "11"))
    assert edited.params.fast == 11


def test_type_hints_may_be_texts(folder: Path) -> None:
    found = loaded(folder, "./mine.py:Mine", "from __future__ import annotations\n" + MINE)
    assert found.params.fast == 10


@pytest.mark.parametrize(
    ("use", "text", "sentence"),
    [
        ("./absent.py:Mine", MINE, "./absent.py:Mine: the file absent.py can't be read: No such file or directory"),
        ("absent_module:Mine", MINE, "absent_module:Mine: there is no module absent_module"),
        ("absent_module.deep:Mine", MINE, "absent_module.deep:Mine: there is no module absent_module"),
        ("./mine.py:Mien", MINE, "./mine.py:Mien: there is no class Mien in mine.py; did you mean Mine?"),
        (
            "./mine.py:Other",
            MINE,
            "./mine.py:Other: Other is no class derived from engine.strategy.api.Strategy (mine.py, line 12)",
        ),
        (
            "./mine.py:number",
            MINE,
            "./mine.py:number: number is no class derived from engine.strategy.api.Strategy (mine.py)",
        ),
        ("./mine.py:Strategy", MINE, "./mine.py:Strategy: Strategy is no class derived from"),
        ("./mine.py:", MINE, "'./mine.py:' must be written module:Class, ./file.py:Class, or an installed name"),
        ("no-such-name", MINE, "no strategy named 'no-such-name' is installed"),
        (
            "./mine.py:Mine",
            "x = 1\nimport absent_package",
            "./mine.py:Mine can't be imported: ModuleNotFoundError: No module named 'absent_package' (mine.py, line 2)",
        ),
        ("./mine.py:Mine", "\n\nfoo()", "./mine.py:Mine can't be imported: NameError: name 'foo' is not defined (mine"),
        (
            "./mine.py:Mine",
            "def f(:\n",
            "./mine.py:Mine can't be imported: SyntaxError: invalid syntax (mine.py, line 1)",
        ),
        (
            "./mine.py:Mine",
            "raise SystemExit('no')",
            "./mine.py:Mine can't be imported: SystemExit: no (mine.py, line 1)",
        ),
        (
            "./mine.py:Mine",
            MINE.replace("    Params = Params", "    Params = dict"),
            "./mine.py:Mine: Mine.Params is no attrs class (mine.py)",
        ),
        (
            "./mine.py:Mine",
            "from __future__ import annotations\n" + MINE.replace("fast: int", "fast: Fast"),
            "./mine.py:Mine: a type in Params is unknown: name 'Fast' is not defined (mine.py)",
        ),
    ],
)
def test_what_can_not_be_had_is_said_with_file_and_line(folder: Path, use: str, text: str, sentence: str) -> None:
    assert refused(folder, use, text).startswith(sentence)


def test_a_line_inside_a_neighbour_is_the_neighbours(folder: Path) -> None:
    (folder / "broken_neighbour.py").write_text("x = 1\ny = x / 0\n")
    said = refused(folder, "./mine.py:Mine", "import broken_neighbour\n" + MINE)
    assert said.endswith("ZeroDivisionError: division by zero (broken_neighbour.py, line 2)")


def test_a_failed_import_leaves_nothing_behind(folder: Path) -> None:
    before = set(sys.modules)  # other tests of this process may have loaded files of that name
    refused(folder, "./mine.py:Mine", "foo()")
    assert not [name for name in set(sys.modules) - before if name.startswith("_strategy_mine")]


def test_the_api_itself_is_no_strategy(folder: Path) -> None:
    with pytest.raises(StrategyError, match="no class derived"):
        find("engine.strategy.api:Context", folder=folder, place="here")
