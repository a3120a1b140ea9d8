"""A bar on stderr while a run replays: how far, at what speed, at which time of the market, with what equity."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from engine.report.wording import moment, money
from engine.stopping import Tidied

# What a runner calls: events done, events in all (0: unknown), market time in ns UTC, equity in base currency.
Report = Callable[[int, int, int, float], None]
_STEPS = 500  # a run of any length moves the bar this often, so that showing it costs nothing


def _silent(events_done: int, events_total: int, ts_ns: int, equity: float) -> None:
    """Show nothing."""


def _unhide() -> None:
    """Take the bar's line away and show the cursor again, past rich, whose lock somebody may hold."""
    os.write(2, b"\r\x1b[2K\x1b[?25h")


@contextmanager
def progress(console: Console, *, enabled: bool = True, zone: str = "America/New_York") -> Iterator[Report]:
    """Yield what the runner calls as it goes on; silent where `console` is no terminal or `enabled` is false.

    Args:
        console: One that writes to stderr, so that stdout stays the result's.
    """
    if not enabled or not console.is_terminal:
        yield _silent
        return
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[where]}", style="dim"),
        TimeRemainingColumn(),
        TextColumn("left", style="dim"),
    )
    with Tidied(_unhide), Progress(*columns, console=console, transient=True, expand=True) as bar:
        task = bar.add_task("", total=None, where="")
        shown = -1

        def report(events_done: int, events_total: int, ts_ns: int, equity: float) -> None:
            nonlocal shown
            step = events_done * _STEPS // events_total if events_total else events_done // 10_000
            if step == shown:
                return
            shown = step
            where = f"{moment(ts_ns, zone)}  equity {money(equity)}"
            bar.update(task, completed=events_done, total=events_total or None, where=where)

        yield report
