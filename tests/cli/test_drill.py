"""`engine drill`: what it asks of the daemon, what it reads in the journal, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from engine.cli import run
from engine.journal.durable import DurableJournal
from engine.operator.folder import StateFolder
from engine.operator.protocol import Request, refused
from tests.cli.test_operate import daemon, folder

__all__ = ["folder"]

MS = 1_000_000
FLAT = (900, "latch", "operator", {"latch": "flat"})
STEPS: tuple[tuple[int, str, str, Any], ...] = (
    (100, "operator", "operator", {"verb": "drill", "args": {}}),
    (110, "latch", "drill", {"latch": "set", "level": "halted", "reason": "a drill"}),
    (150, "cancel_sent", "a-000001", {"order_id": "1", "try": 1}),
    (350, "answer", "a-000001", {"type": "Cancelled"}),
)


def practised(folder: StateFolder, *more: tuple[int, str, str, Any]) -> Callable[[Request], Any]:
    """A daemon that does what its journal then says."""

    def answer(request: Request) -> Any:
        if request.verb == "drill":
            journal = DurableJournal(folder.journal)
            journal.write([(at_ms * MS, kind, name, body) for at_ms, kind, name, body in (*STEPS, *more)])
            journal.close()
            return {"trading": "halted"}
        return {"trading": "on"}

    return answer


def drill(folder: StateFolder, *words: str) -> int:
    return run(["drill", *words, "--state-dir", str(folder.path)])


def test_it_says_how_long_each_step_took_and_resumes(folder: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with daemon(folder, practised(folder, FLAT)) as asked:
        assert drill(folder, "--json") == 0
    assert [(one.verb, one.args.get("paper")) for one in asked] == [("drill", False), ("resume", None)]
    told = json.loads(capsys.readouterr().out)
    assert (told["flat"], told["trading"]) == (True, "on")
    steps = {step["step"]: (step["count"], step["first_s"]) for step in told["steps"]}
    assert steps["halt stored"] == (1, 0.01)
    assert steps["cancels sent"] == (1, 0.05)
    assert steps["orders proved dead"] == (1, 0.25)
    assert steps["flat"] == (1, 0.8)


def test_it_stays_halted_where_that_is_asked_for(folder: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with daemon(folder, practised(folder, FLAT)) as asked:
        assert drill(folder, "--stay", "--paper") == 0
    assert [(one.verb, one.args.get("paper")) for one in asked] == [("drill", True)]
    said = capsys.readouterr().out
    assert "trading is halted; `engine resume` lifts it" in said
    assert "orders proved dead              1      0.250 to 0.250" in said


def test_what_has_not_come_to_flat_in_time_stays_halted_with_exit_code_1(
    folder: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    with daemon(folder, practised(folder)) as asked:
        assert drill(folder, "--limit", "0") == 1
    assert [one.verb for one in asked] == ["drill"]
    said = capsys.readouterr()
    assert "flat                            0" in said.out
    assert said.err.startswith("not flat yet")


def test_a_refusal_and_a_missing_daemon_are_one_sentence(
    folder: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    def no(request: Request) -> Any:
        raise refused("a drill is for a simulated market")

    with daemon(folder, no):
        assert drill(folder) == 1
    said = capsys.readouterr().err
    assert "a drill is for a simulated market" in said
    assert len(said.splitlines()) == 1
    assert drill(folder) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1
