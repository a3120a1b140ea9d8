"""Mutation testing: put faults into modules one by one, and see whether a test notices.

The tests are collected once, and run twice to learn which of them enter which lines, and how long they take. Then each
mutant gets a forked process, in which only the tests that enter its line are run: those first that found other faults
near by, then the fastest, until one fails or the budget is used up. Verdicts go into `mutants/verdicts.jsonl` as
they come: a run that was broken off goes on where it stopped. Run as `python -m tests.mutation.run engine/risk/*.py`.
"""

from __future__ import annotations

import ast
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click
import pytest
from _pytest.runner import runtestprotocol
from attrs import define, field
from coverage import Coverage

from tests.mutation.explaining import listing, read
from tests.mutation.mutants import Mutant, Mutated, load, mistyped, mutate, put_in
from tests.mutation.page import write_document

FOLDER: Final = Path("mutants")
VERDICTS: Final = FOLDER / "verdicts.jsonl"
DOCUMENT: Final = Path("docs/mutation.md")
TESTS: Final = ("tests/orders", "tests/risk", "tests/replay/test_latches.py")
_SAME, _UNNOTICED, _NOTICED = 64, 0, 1


def verdicts() -> dict[str, dict[str, Any]]:
    """What is known, by the mutants' keys: the last word of each, unless its module is gone."""
    lines = VERDICTS.read_text(encoding="utf-8").splitlines() if VERDICTS.exists() else ()
    known = {said["key"]: said for said in map(json.loads, lines)}
    there = {
        name: Path(*name.split(".")).with_suffix(".py").exists() for name in {key.partition(":")[0] for key in known}
    }
    return {key: said for key, said in known.items() if there[key.partition(":")[0]]}


def forget_changed(modules: Sequence[Mutated]) -> dict[str, dict[str, Any]]:
    """What is known still: verdicts on functions that have changed since, or are gone, are dropped from the file."""
    now = {mutant.key: mutant.digest for each in modules for mutant in each.mutants}
    names = {mutant.module for each in modules for mutant in each.mutants}
    known = {
        key: said
        for key, said in verdicts().items()
        if key.partition(":")[0] not in names or said["of"] == now.get(key)
    }
    VERDICTS.write_text("".join(json.dumps(said) + "\n" for said in known.values()), encoding="utf-8")
    return known


@define(eq=False)
class Campaign:
    """A pytest plugin that runs the collected tests on mutants; `budget_s` are seconds of tests for one of them."""

    modules: Sequence[Mutated]
    wanted: set[str]
    known: dict[str, dict[str, Any]]
    budget_s: float
    _items: dict[str, pytest.Item] = field(factory=dict)
    _took_s: dict[str, float] = field(factory=dict)
    _finders: dict[str, list[str]] = field(factory=lambda: defaultdict(list))

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In the place of pytest's own loop."""
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        self._items = {item.nodeid: item for item in session.items}
        entered = self._learn()
        self._time()
        with VERDICTS.open("a", encoding="utf-8") as out:
            for module in self.modules:
                made = load(module)
                statements = _statements(module.path)
                for mutant in module.mutants:
                    if mutant.key not in self.wanted:
                        continue
                    lines = statements.get(mutant.line, range(mutant.line, mutant.line + 1))
                    tests = {test for line in lines for test in entered[str(module.path)].get(line, ())}
                    said = {"key": mutant.key, "of": mutant.digest, "line": mutant.line}
                    said |= {"was": mutant.was, "now": mutant.now}
                    begun = _children_s()
                    said |= self._judge(mutant, made, tests)
                    before = self.known.get(mutant.key, {"asked": -1})
                    if said["verdict"] == "killed" or said.get("asked", 0) > before.get("asked", 0):
                        out.write(json.dumps(said | {"took_s": round(_children_s() - begun, 3)}) + "\n")
                        out.flush()
        return True

    def _learn(self) -> dict[str, dict[int, list[str]]]:
        """Run all tests once: by file and line, which enter it. What they import is then there for every fork."""
        cover = Coverage(data_file=None, config_file=False, include=[str(each.path) for each in self.modules])
        cover.start()
        for name, item in self._items.items():
            cover.switch_context(name)
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
                raise SystemExit(f"{name} fails without any fault put in")
        cover.stop()
        data = cover.get_data()
        paths = [str(each.path) for each in self.modules]
        return {path: data.contexts_by_lineno(str(Path(path).resolve())) for path in paths}

    def _time(self) -> None:
        """Run all tests a second time, unwatched: how long each takes, and that it can be run twice."""
        for name, item in self._items.items():
            begun = time.process_time()
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
                raise SystemExit(f"{name} fails the second time, without any fault put in")
            self._took_s[name] = time.process_time() - begun

    def _judge(self, mutant: Mutant, made: ModuleType, tests: set[str]) -> dict[str, Any]:
        """The verdict on one mutant; `left` counts the tests that the budget had no room for."""
        chosen = self._in_turn(mutant, tests - {""})
        if not chosen:
            return {"verdict": "unreached"}
        status, failed = self._try(lambda: put_in(mutant, made), chosen)
        if status == _SAME:
            return {"verdict": "same"}
        if status == _UNNOTICED:
            return {"verdict": "survived", "asked": len(chosen), "left": len(tests - {""}) - len(chosen)}
        if failed:
            for place in (mutant.name, mutant.module):
                self._finders[place] = list(dict.fromkeys((failed, *self._finders[place])))
        return {"verdict": "killed", "by": failed or f"status {status}"}

    def _in_turn(self, mutant: Mutant, tests: set[str]) -> list[str]:
        """What found other faults near by, whatever it costs, then the fastest within the budget."""
        near = (*self._finders[mutant.name][:4], *self._finders[mutant.module][:8])
        chosen = [test for test in dict.fromkeys(near) if test in tests]
        spent_s = 0.0
        for test in sorted(tests.difference(chosen), key=lambda test: (self._took_s[test], test)):
            spent_s += self._took_s[test]
            if spent_s > self.budget_s and chosen:
                break
            chosen.append(test)
        return chosen

    def _try(self, fault: Callable[[], bool], tests: list[str]) -> tuple[int, str]:
        """Put a fault in and run tests, in a process of its own: its exit status, and the test that failed."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 70  # a fault that ends the process is noticed as well
            try:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
                spent_s = int(time.process_time())
                allowed_s = 20 + 10 * int(sum(self._took_s[test] for test in tests))
                resource.setrlimit(resource.RLIMIT_CPU, (spent_s + allowed_s, spent_s + allowed_s + 1))
                signal.setitimer(signal.ITIMER_REAL, 10 * allowed_s)
                status = self._run(fault, tests, writing)
            finally:
                os._exit(status)
        os.close(writing)
        with os.fdopen(reading) as said:
            failed = said.read()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), failed

    def _run(self, fault: Callable[[], bool], tests: list[str], writing: int) -> int:
        if not fault():
            return _SAME
        for test in tests:
            if any(report.failed for report in runtestprotocol(self._items[test], log=False, nextitem=None)):
                os.write(writing, test.encode())
                return _NOTICED
        return _UNNOTICED


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _statements(path: Path) -> dict[int, range]:
    """By line: the lines of the innermost statement it belongs to; of a compound one, those before its body."""
    found: dict[int, range] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):  # outer before inner
        if isinstance(node, ast.stmt):
            first_inside = getattr(node, "body", None) or getattr(node, "cases", None)
            last = node.end_lineno or node.lineno
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                header = range(node.lineno, last + 1)  # a default is looked at when the body is entered
            elif first_inside:
                start = first_inside[0]
                until = start.pattern.lineno if isinstance(start, ast.match_case) else start.lineno
                header = range(node.lineno, max(until, node.lineno + 1))
            elif isinstance(node, ast.Continue | ast.Break | ast.Pass):
                header = range(node.lineno - 1, last + 1)  # the compiler may leave it out: whoever comes by counts
            else:
                header = range(node.lineno, last + 1)
            found.update(dict.fromkeys(header, header))
    return found


@click.command()
@click.argument("paths", nargs=-1)
@click.option("--budget-s", default=1.0, help="Seconds of tests for one mutant.")
@click.option("--again", default="", help="Verdicts to ask for again, as in 'survived,unreached'.")
@click.option("--only", default="*", help="Keys of mutants, as a pattern.")
@click.option("--tests", multiple=True, default=TESTS, help="Where the tests are; part of them can only find more.")
@click.option("--list", "only_list", is_flag=True, help="Tell what is known, and run nothing.")
@click.option("--report", "only_report", is_flag=True, help=f"Write what is known into {DOCUMENT}, and run nothing.")
def main(
    paths: tuple[str, ...],
    budget_s: float,
    again: str,
    only: str,
    tests: tuple[str, ...],
    only_list: bool,
    only_report: bool,
) -> None:
    """Put faults into the modules at PATHS, in this order."""
    entries = read()
    if not (only_list or only_report):
        _run(paths, budget_s, again, only, tests)
    if only_report:
        write_document(DOCUMENT, verdicts(), entries, code=_code())
    for line in listing(verdicts(), entries):
        click.echo(line)


def _code() -> str:
    """When the last verdict fell, and on which text."""
    last = datetime.fromtimestamp(VERDICTS.stat().st_mtime, UTC)
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    return f"The last verdict is of {last:%Y-%m-%d %H:%M} UTC, the code that of {head.stdout.strip()}."


def _run(paths: tuple[str, ...], budget_s: float, again: str, only: str, tests: tuple[str, ...]) -> None:
    FOLDER.mkdir(exist_ok=True)
    modules = [mutate(Path(path), FOLDER) for path in paths]
    known = forget_changed(modules)
    keys = [mutant.key for each in modules for mutant in each.mutants]
    wanted = {
        key for key in keys if fnmatch(key, only) and (key not in known or known[key]["verdict"] in again.split(","))
    }
    fresh = [each for each in modules if any(mutant.key not in known for mutant in each.mutants)]
    refused = mistyped(fresh, FOLDER) & {key for key in wanted if key not in known} if fresh else set()
    with VERDICTS.open("a", encoding="utf-8") as out:
        for mutant in (mutant for each in modules for mutant in each.mutants if mutant.key in refused):
            out.write(json.dumps({"key": mutant.key, "of": mutant.digest, "verdict": "typed"}) + "\n")
    campaign = Campaign(modules, wanted - refused, known, budget_s)
    status = pytest.main(["-q", "-p", "no:cacheprovider", "--tb=native", *tests], plugins=[campaign])
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
