"""What the sources of the cores may not do, read from the sources themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine

ROOT = Path(engine.__file__).parent
CORES = ("domain", "feed", "orders", "portfolio", "risk", "venue")
# A core is told the time, ids and chance.
FORBIDDEN = {"time", "datetime", "random", "secrets", "uuid", "os", "socket", "threading", "asyncio", "trio", "logging"}
CALLS = {"now", "utcnow", "today", "perf_counter", "monotonic", "time_ns", "urandom", "default_rng", "print", "open"}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(found) > 10
    return found


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                yield function.id, node
            elif isinstance(function, ast.Attribute):
                yield function.attr, node


def test_risk_alone_makes_an_approved_order() -> None:
    makers = {
        path.relative_to(ROOT).as_posix()
        for path in sorted(ROOT.rglob("*.py"))
        for name, _ in calls(path)
        if name == "Approved"
    }
    assert makers == {"risk/gate.py", "risk/closing.py"}  # the second only lets positions be closed


@pytest.mark.parametrize("path", sources(*CORES), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_core_reads_no_clock_and_tosses_no_coin(path: Path) -> None:
    # A venue's calendar arithmetic may use `datetime` values; asking it for the time is caught by the calls below.
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] not in FORBIDDEN - {"datetime"}, f"line {node.lineno}"  # type: ignore[attr-defined]
    for name, node in calls(path):
        assert name not in CALLS, f"{name} in line {node.lineno}"


def test_money_is_never_made_of_a_float_without_its_text() -> None:
    # `Decimal(0.1)` is 0.1000000000000000055...: a float crosses by `Instrument.price` or by `repr`.
    for path in sources("domain", "orders", "risk", "portfolio"):
        for name, node in calls(path):
            if name == "Decimal":
                (value,) = node.args
                text = ast.unparse(value)
                exact = isinstance(value, ast.Constant) and not isinstance(value.value, float)
                assert exact or text.startswith("repr("), f"{path.name} line {node.lineno}: Decimal({text})"
