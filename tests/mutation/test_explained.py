"""Reasons are found by the fault's text, faults without one are marked, and what is explained in vain is told."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.explaining import HERE, listing, needless, read, survivors
from tests.mutation.page import write_document

ENGINE = Path(__file__).parents[2] / "engine"
SHARED = 'time = "Only costs time"\nodd = "Nobody uses me"\n'
ONE = """
["risk.days:of"]
time = ["a < b -> a <= b"]
"it says the same in other words" = ["say(…) -> say(…XX…)", "gone -> away"]
"""
PAGE = "".join(
    f"<!-- {name} -->\nold\n<!-- end of {name} -->\nkept\n" for name in ("sums", "code", "table", "survivors")
)


def said(verdict: str, was: str = "", now: str = "", **more: Any) -> dict[str, Any]:
    return {"verdict": verdict, "line": 7, "was": was, "now": now, **more}


VERDICTS = {
    "engine.risk.days:of#1": said("survived", "a  <\n b", "a <= b", left=0),
    "engine.risk.days:of#2": said("survived", 'say("one", 2)', 'say("XXoneXX", 2)', left=3),
    "engine.risk.days:of#3": said("unreached", "x + 1", "x - 1"),
    "engine.risk.days:until#1": said("survived", "a < b", "a <= b", left=0),
    "engine.risk.days:of#4": said("killed", "gone", "away"),
    "engine.risk.days:of#5": said("typed"),
    "engine.risk.days:of#6": said("same", "1", "1"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reasons.toml").write_text(SHARED)
    (tmp_path / "risk.toml").write_text(ONE)
    return tmp_path


def test_a_survivor_has_the_reason_that_its_text_is_given_in_its_function_only(folder: Path) -> None:
    found = survivors(VERDICTS, read(folder))
    assert {(each.place, each.fault): each.entry and each.entry.reason for each in found} == {
        ("risk.days:of", "a < b -> a <= b"): "Only costs time",
        ("risk.days:of", 'say("one", 2) -> say("XXoneXX", 2)'): "it says the same in other words",
        ("risk.days:of", "x + 1 -> x - 1"): None,
        ("risk.days:until", "a < b -> a <= b"): None,
    }


def test_an_entry_that_speaks_of_nothing_that_survives_is_told(folder: Path) -> None:
    entries = read(folder)
    found = survivors(VERDICTS, entries)
    assert [entry.fault for entry in needless(entries, found, VERDICTS)] == ["gone -> away"]
    assert needless(entries, [], ["engine.risk.gate:judge#1"]) == [], (
        "of a module that has not been run nothing is known"
    )


def test_the_list_marks_what_has_no_reason(folder: Path) -> None:
    lines = list(listing(VERDICTS, read(folder)))
    assert "risk.days:of line 7, not entered: x + 1 -> x - 1  [WITHOUT A REASON]" in lines
    assert "risk.days:of line 7: a < b -> a <= b  [time]" in lines
    assert lines[-1] == "4 survivors, 2 without a reason"
    assert sum(line.startswith("NOTHING SURVIVES") for line in lines) == 1


def test_the_page_is_written_between_its_marks_and_a_second_time_the_same(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    write_document(page, VERDICTS, read(folder), code="It was run.")
    first = page.read_text()
    write_document(page, VERDICTS, read(folder), code="It was run.")
    assert page.read_text() == first
    assert first.count("kept") == 4
    assert "old" not in first
    assert "<!-- code -->\nIt was run.\n<!-- end of code -->" in first
    assert "Of 6 mutants 1 are refused by the type checker, 1 were killed by tests, 3 survived (1 of them" in first
    assert "| `risk/days` | 6 | 1 | 1 | 2 | 1 | 1 | 2 |" in first
    assert "| all | 6 | 1 | 1 | 2 | 1 | 1 | 2 |" in first
    assert "### Without a reason (2)" in first
    assert "### Time (1)\n\nOnly costs time.\n\n- `risk/days`: **of** `a < b -> a <= b`" in first
    assert "- `of`: it says the same in other words. `say(" in first


def test_a_page_without_a_place_for_it_is_not_written(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="no place for its sums"):
        write_document(page, VERDICTS, read(folder))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('["risk.days:of"]\ntyme = ["a -> b"]\n', "no reason named tyme"),
        ('["risk.days:of"]\ntime = ["a -> b"]\n"so it is" = ["a -> b"]\n', "explained twice"),
    ],
)
def test_a_file_that_is_wrong_is_refused(folder: Path, text: str, problem: str) -> None:
    (folder / "risk.toml").write_text(text)
    with pytest.raises(ValueError, match=problem):
        read(folder)


def test_all_entries_speak_of_functions_that_are_there() -> None:
    there = set()
    for path in (*ENGINE.glob("risk/*.py"), *ENGINE.glob("orders/*.py")):
        module = f"{path.parent.name}.{path.stem}"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            inside = node.body if isinstance(node, ast.ClassDef) else []
            own = f"{module}:{node.name}." if isinstance(node, ast.ClassDef) else ""
            there |= {f"{own}{each.name}" for each in inside if isinstance(each, ast.FunctionDef)}
            if isinstance(node, ast.FunctionDef):
                there.add(f"{module}:{node.name}")
    assert {entry.place for entry in read()} <= there


def test_all_shared_reasons_are_used() -> None:
    named = tomllib.loads((HERE / "reasons.toml").read_text(encoding="utf-8"))
    assert {entry.shared for entry in read()} >= set(named)
