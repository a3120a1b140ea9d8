"""The terminal page: nothing wraps badly, nothing that matters is missing, and the bar is silent where it should be."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from engine.report.terminal import progress, show, sparkline
from engine.report.wording import DASH, duration, moment, money, number, percent
from engine.runtime.outcome import Outcome
from tests.report.outcomes import at, big, outcome

DAYS = ["2024-02-28", "2024-02-29", "2024-03-04"]


def shown(run: Outcome, width: int) -> list[str]:
    stream = io.StringIO()
    show(run, Path("runs/demo"), Console(file=stream, width=width, force_terminal=True, color_system=None))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    run = big(DAYS, ["AAPL", "A-SYMBOL-OF-SOME-LENGTH"], 300, off={"maker": "it raised " + "x" * 300})
    assert max(cell_len(line) for line in shown(run, width)) <= width


@pytest.mark.parametrize("width", [80, 140])
def test_each_strategy_has_one_line_with_all_its_columns(width: int) -> None:
    run = big(DAYS, ["AAPL", "MSFT"], 30_00)
    lines = shown(run, width)
    head = next(line for line in lines if line.startswith("strategy"))
    assert head.split()[:8] == ["strategy", "P&L", "fees", "orders", "fills", "refused", "trips", "won"]
    for name in ("ema-aapl", "maker", "pairs-one"):
        (row,) = [line for line in lines if line.startswith(name)]
        assert len(row.split()) == len(head.split())
        assert "…" not in row


def test_what_went_wrong_is_loud_and_the_paths_are_whole() -> None:
    run = big(DAYS, ["AAPL"], 30, off={"maker": "it raised ValueError"}, quality={"findings": ["AAPL: a gap"]})
    text = "\n".join(shown(run, 80))
    for wanted in ("SWITCHED OFF", "maker was switched off: it raised ValueError", "DATA QUALITY", "AAPL: a gap"):
        assert wanted in text
    assert "runs/demo/report.html" in text
    assert run.hash in text
    assert "conservative" in text


def test_names_are_no_markup() -> None:
    run = big(DAYS, ["AAPL"], 30, off={"[red]x[/red]": "[/nothing] it raised"})
    assert any("[red]x[/red]" in line for line in shown(run, 80))


def test_an_empty_run_says_why_its_figures_are_missing() -> None:
    text = "\n".join(shown(outcome(), 100))
    assert DASH in text
    assert "needs at least two trading days" in text
    assert "There is no equity curve" in text


def test_months_have_a_row_each_when_narrow_and_a_column_each_when_wide() -> None:
    run = big(DAYS, ["AAPL"], 30)
    assert any(line.startswith("Feb ") for line in shown(run, 80))
    (wide,) = [line for line in shown(run, 140) if line.startswith("2024 ")]
    assert wide.count(DASH) == 10


def test_a_terminal_without_unicode_gets_plain_signs() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    show(big(DAYS, ["AAPL"], 300), Path("runs/demo"), Console(file=stream, width=80, color_system=None))
    stream.flush()
    text = raw.getvalue().decode("ascii")
    assert "runs/demo/report.html" in text
    assert re.search(r"\s-\d+\.\d\d%", text)
    assert re.search(r"^[0-7]{78}$", text, re.MULTILINE)


def test_a_sparkline_goes_from_low_to_high() -> None:
    assert sparkline(np.arange(8.0), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline(np.array([1.0, np.nan, 1.0]), 5) == "▄▄"
    assert sparkline(np.repeat([0.0, 7.0], 500), 2) == "▁█"
    assert sparkline(np.empty(0), 5) == ""


def test_the_bar_is_silent_without_a_terminal() -> None:
    stream = io.StringIO()
    with progress(Console(file=stream)) as report:
        report(10, 20, at("2024-03-04 10:00"), 1000.0)
    with progress(Console(file=stream, force_terminal=True), enabled=False) as report:
        report(10, 20, at("2024-03-04 10:00"), 1000.0)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("total", [20_000, 0])
def test_the_bar_says_where_the_run_is(total: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    with progress(console) as report:
        report(10_000, total, at("2024-03-04 10:00"), 1234.5)
        report(10_001, total, at("2024-03-04 10:00"), 1234.5)
    text = stream.getvalue()
    assert "2024-03-04 10:00  equity 1,234.50" in text
    assert (" 50%" in text) == bool(total)


def test_figures_are_written_plainly() -> None:
    assert money(-1234.5, sign=True) == "−1,234.50"
    assert money(12.0, sign=True) == "+12.00"
    assert money(-0.001, sign=True) == "0.00"
    assert number(None) == DASH
    assert percent(0.1234) == "12.34%"
    assert percent(-0.00004, sign=True) == "−0.0040%"
    assert moment(at("2024-03-04 10:00"), "America/New_York") == "2024-03-04 10:00"
    assert moment(None, "UTC") == DASH
    spans = [duration(s) for s in (None, 0.04, 12.34, 125, 7_260, 183_600)]
    assert spans == [DASH, "40 ms", "12.3 s", "2 min 5 s", "2 h 1 min", "2 d 3 h"]
