"""`engine risk explain ORDER`: what the checks said, out of the journal; and what it says where they said nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from engine.cli.risk import explain
from engine.journal.durable import DurableJournal
from engine.risk.explaining import Finding

SAID = (
    Finding("R1", "order_quantity", True, "100", "7", "allows"),
    Finding("R2", "order_notional", False, "500", "700.00", "NOTIONAL: 700 is above 500"),
)


def ask(folder: Path, order: str, rows: Sequence[tuple[int, str, str, Any]], *more: str) -> tuple[int, str]:
    journal = DurableJournal(folder / "journal.db")
    journal.write(rows)
    journal.close()
    done = CliRunner().invoke(explain, [order, "--state-dir", str(folder), *more], standalone_mode=False)
    return done.return_value, done.output


def test_every_check_is_shown_with_its_figures(tmp_path: Path) -> None:
    code, told = ask(tmp_path, "a-000001", [(1, "worth", "a-000001", 700.0), (2, "judged", "a-000001", SAID)])
    assert code == 0
    lines = [line.split() for line in told.splitlines()]
    assert lines[0] == ["R1", "allows", "order_quantity", "limit", "100", "value", "7"]
    assert lines[1] == ["R2", "refuses", "order_notional", "limit", "500", "value", "700.00"]
    assert told.splitlines()[2].strip() == "NOTIONAL: 700 is above 500"


def test_as_json(tmp_path: Path) -> None:
    code, told = ask(tmp_path, "a-000001", [(5, "judged", "a-000001", SAID)], "--json")
    (verdict,) = json.loads(told)
    assert (code, verdict["ts_ns"]) == (0, 5)
    assert [one["code"] for one in verdict["checks"]] == ["R1", "R2"]


def test_an_order_that_left_before_the_checks_had_said_why_is_told_apart_from_one_that_never_was(
    tmp_path: Path,
) -> None:
    code, told = ask(tmp_path, "a-000001", [(1, "worth", "a-000001", 700.0)])
    assert (code, told) == (1, "order a-000001 was approved, and the engine ended before the checks had said why\n")
    code, told = ask(tmp_path, "a-000002", [])
    assert (code, told) == (1, "the journal has no verdict on an order a-000002\n")
