"""The result as a page on the terminal, made for 80 columns and for wide ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from engine.report.days import Floats
from engine.report.files import REPORT
from engine.report.progress import Report, progress
from engine.report.quality import findings
from engine.report.statistics import Statistics, work_out
from engine.report.wording import (
    DASH,
    MINUS,
    Line,
    bookings,
    day_line,
    groups,
    moment,
    money,
    money_lines,
    number,
    percent,
    tone,
)
from engine.runtime.outcome import Outcome

_BARS: Final = "▁▂▃▄▅▆▇█"
_TONES: Final = {1: "green", -1: "red", 0: ""}
_PLAIN: Final = str.maketrans({DASH: "-", MINUS: "-", "…": "~", **{bar: str(at) for at, bar in enumerate(_BARS)}})
_WIDE: Final = 110
_FOUR: Final = 132
_ROWS: Final = 20
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

__all__ = ["Report", "progress", "show", "sparkline"]


def show(outcome: Outcome, out_dir: Path, console: Console, statistics: Statistics | None = None) -> None:
    """Print the result page; `out_dir` is where the files lie.

    Args:
        statistics: The figures, where the caller has worked them out already.
    """
    seen = work_out(outcome) if statistics is None else statistics
    width = console.width
    parts: list[RenderableType] = [
        _headline(outcome, seen),
        *_alarms(outcome),
        Text(""),
        *_curve(outcome, min(width - 2, 138)),
        Text(""),
        _figures(seen, width),
        *_table("By strategy", "strategy", seen.by_strategy, width),
        *_table("By instrument", "instrument", seen.by_instrument, width),
        *_months(seen, width),
        *_tallies(outcome, seen, width),
        *_assumptions(outcome),
        *(Text(note, style="yellow") for note in seen.notes),
        Text(""),
        Text.assemble(("Report  ", "dim"), (str(out_dir / REPORT), "bold"), overflow="fold"),
        Text.assemble(("Hash    ", "dim"), outcome.hash or DASH, overflow="fold"),
    ]
    if console.encoding.lower().startswith("utf"):
        console.print(Group(*parts), highlight=False)
        return
    with console.capture() as page:
        console.print(Group(*parts), highlight=False)
    text = page.get().translate(_PLAIN)
    console.file.write(text.encode(console.encoding, "replace").decode(console.encoding))


def sparkline(values: Floats, width: int) -> str:
    """Draw a line in block characters, the mean of each equal part of it; finite values only count."""
    finite = values[np.isfinite(values)]
    if not len(finite) or width < 1:
        return ""
    parts = np.array_split(finite, min(width, len(finite)))
    means = np.array([part.mean() for part in parts])
    low, spread = float(means.min()), float(np.ptp(means))
    if spread <= 1e-12 * max(1.0, abs(low)):
        return _BARS[3] * len(means)
    levels = ((means - low) / spread * (len(_BARS) - 1)).round().astype(int)
    return "".join(_BARS[level] for level in levels.tolist())


def _headline(outcome: Outcome, statistics: Statistics) -> RenderableType:
    zone = statistics.zone
    days = len(statistics.days)
    pnl = float(outcome.pnl)
    currency = outcome.settings.account.base_currency
    colour = _TONES[tone(pnl)]
    share = percent(statistics.figures["total_return"].value, sign=True)
    top = Text.assemble((f"{money(pnl, sign=True)} {currency}", f"bold {colour}"), (f"  {share}", colour))
    top.append(f"   equity {money(float(outcome.final_equity))}   fees {money(float(outcome.fees))}")
    speed = f"{outcome.events:,} events in {outcome.run_s:.2f} s"
    if outcome.run_s > 0:
        speed += f" ({outcome.events / outcome.run_s:,.0f} a second)"
    span = f"{moment(outcome.start_ns, zone)} to {moment(outcome.end_ns, zone)}, {days:,} day{'' if days == 1 else 's'}"
    count = f"{len(outcome.orders):,} orders, {len(outcome.fills):,} fills"
    body = Group(top, Text(span, style="dim"), Text(f"{count}, {speed}", style="dim"))
    return Panel(body, title=Text(outcome.settings.name, style="bold"), title_align="left", border_style="dim")


def _alarms(outcome: Outcome) -> list[RenderableType]:
    """Say loudly what was switched off and what is wrong with the data."""
    off = [Text(f"Strategy {name} was switched off: {why}") for name, why in outcome.off.items()]
    deaf = [Text(f"Strategy {name} {why}") for name, why in outcome.deaf.items()]
    data = [Text(sentence) for sentence in findings(outcome.quality)]
    cut = data[:8]
    if len(data) > len(cut):
        cut.append(Text(f"and {len(data) - len(cut):,} more, in the report"))
    boxes: list[RenderableType] = []
    if off:
        boxes.append(Panel(Group(*off), title="SWITCHED OFF", title_align="left", border_style="bold red"))
    if deaf:
        boxes.append(Panel(Group(*deaf), title="HEARD NOTHING", title_align="left", border_style="bold yellow"))
    if cut:
        boxes.append(Panel(Group(*cut), title="DATA QUALITY", title_align="left", border_style="bold yellow"))
    return boxes


def _curve(outcome: Outcome, width: int) -> list[RenderableType]:
    equity = outcome.equity.equity
    if not len(equity):
        return [Text("There is no equity curve: the recording holds no data for this run.", style="yellow")]
    colour = _TONES[tone(float(outcome.pnl))]
    low, high = money(float(np.nanmin(equity))), money(float(np.nanmax(equity)))
    return [Text(sparkline(equity, width), style=colour, no_wrap=True), Text(f"equity, {low} to {high}", style="dim")]


def _heading(title: str) -> RenderableType:
    return Padding(Rule(Text(title, style="bold"), align="left", style="dim"), (1, 0, 0, 0))


def _lines(title: str, lines: Iterable[Line]) -> Table:
    """Make a block of labels and figures; the reason of an unknown one stands below it."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), expand=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text(title, style="bold"), "")
    for line in lines:
        label = Text(line.label)
        if line.why:
            label.append(f"\n{line.why}", style="dim italic")
        table.add_row(label, Text(line.text, style=_TONES[line.tone]))
    return table


def _figures(statistics: Statistics, width: int) -> RenderableType:
    blocks = groups(statistics)
    blocks[0][1].append(day_line("Best day", statistics.best_day))
    blocks[0][1].append(day_line("Worst day", statistics.worst_day))
    if statistics.worst_drawdowns:
        fall = statistics.worst_drawdowns[0]
        back = "not recovered" if fall.recovery_ns is None else f"back {moment(fall.recovery_ns, statistics.zone)}"
        deepest = f"from {moment(fall.peak_ns, statistics.zone)} to {moment(fall.trough_ns, statistics.zone)}"
        at = next(i for i, line in enumerate(blocks[1][1]) if line.label == "Max drawdown")
        blocks[1][1][at] = blocks[1][1][at]._replace(why=f"{deepest}, {back}")
    grid = Table.grid(padding=(0, 3), expand=True)
    columns = 4 if width >= _FOUR else 2
    for _ in range(columns):
        grid.add_column(ratio=1)
    made = [_lines(title, lines) for title, lines in blocks]
    for at in range(0, len(made), columns):
        if at:
            grid.add_row("")
        grid.add_row(*made[at : at + columns])
    return grid


def _table(title: str, what: str, rows: Mapping[str, Mapping[str, Any]], width: int) -> list[RenderableType]:
    """Make the table by strategy or by instrument; a wide terminal gets more columns."""
    if not rows:
        return []
    wide = width >= _WIDE
    names = ["P&L", "fees", "orders", "fills", "refused", "trips", "won"]
    if wide:
        names += ["factor", "slippage", "traded"]
    table = _columns(what, names)
    for name, row in list(rows.items())[:_ROWS]:
        label = Text(name, style="bold red" if row.get("off") else "")
        cells: list[RenderableType] = [
            Text(money(row["pnl"], sign=True), style=_TONES[tone(row["pnl"])]),
            money(row["fees"]),
        ]
        cells += [f"{row[key]:,}" for key in ("orders", "fills", "refused", "round_trips")]
        cells.append(percent(row["win_rate"]))
        if wide:
            cells += [number(row["profit_factor"]), money(row["slippage"]), money(row["traded"])]
        table.add_row(label, *cells)
    more = [Text(f"and {len(rows) - _ROWS:,} more, in the report", style="dim")] if len(rows) > _ROWS else []
    return [_heading(title), table, *more]


def _columns(first: str, names: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style="dim")
    table.add_column(first, ratio=1, overflow="ellipsis", no_wrap=True, min_width=8)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _months(statistics: Statistics, width: int) -> list[RenderableType]:
    """Make the monthly table, one row a year; a narrow terminal gets one row a month."""
    if sum(value is not None for row in statistics.months for value in row.months) < 2:
        return []
    seen = [row.months for row in statistics.months]
    if width >= _WIDE:
        table = _columns("year", [*_MONTHS, "year"])
        for row in statistics.months:
            table.add_row(str(row.year), *(_share(value) for value in (*row.months, row.total)))
    else:
        table = _columns("month", [str(row.year) for row in statistics.months[-6:]])
        for at, name in enumerate(_MONTHS):
            if any(months[at] is not None for months in seen[-6:]):
                table.add_row(name, *(_share(months[at]) for months in seen[-6:]))
        table.add_row("year", *(_share(row.total) for row in statistics.months[-6:]))
    return [_heading("Monthly returns"), table]


def _share(value: float | None) -> Text:
    return Text(percent(value, sign=True), style=_TONES[tone(value)] if value is not None else "dim")


def _tallies(outcome: Outcome, statistics: Statistics, width: int) -> list[RenderableType]:
    """Show order ends, refusals, fees by line and the simulator's tallies, side by side."""
    fees = {line: money(float(amount)) for line, amount in outcome.fees_by_line.items()}
    blocks = [
        ("Orders", {name: f"{count:,}" for name, count in statistics.orders_by_state.items()}),
        ("Refused by risk", {code: f"{count:,}" for code, count in statistics.refusals.items()}),
        ("Refused by the venue", {code: f"{count:,}" for code, count in statistics.venue_refusals.items()}),
        ("Fees", fees),
        ("Corporate actions", bookings(outcome)),
        ("Money by currency", money_lines(outcome)),
        ("Simulator", {name.replace("_", " "): f"{count:,}" for name, count in outcome.counts.items() if count}),
    ]
    made = [_lines(title, [Line(*pair) for pair in pairs.items()]) for title, pairs in blocks if pairs]
    if not made:
        return []
    columns = 4 if width >= _WIDE else 2
    grid = Table.grid(padding=(0, 3), expand=True)
    for _ in range(columns):
        grid.add_column(ratio=1)
    for at in range(0, len(made), columns):
        grid.add_row(*made[at : at + columns])
    return [_heading("Orders, refusals and fees"), grid]


def _assumptions(outcome: Outcome) -> list[RenderableType]:
    if not outcome.assumptions:
        return []
    text = Text(style="dim")
    for at, (name, value) in enumerate(outcome.assumptions):
        text.append("; " if at else "")
        text.append(f"{name}: {value}")
    return [_heading("Assumptions"), text]
