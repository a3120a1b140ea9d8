"""The data-quality page in the terminal: what `engine recording info` and `verify` show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine.domain.moments import NS_PER_S
from engine.recording.findings import Gap, Quality, SeriesQuality

_SHOWN = 8  # gaps, days and problems in full; the rest is counted


def show(quality: Quality, console: Console) -> None:
    """Print the page; it fits 80 columns and uses more where there are more."""
    zone = ZoneInfo(quality.time_zone)
    console.print(_head(quality, zone))
    if quality.series:
        console.print(_table(quality, zone, wide=console.width >= 110))
    details = _details(quality, zone)
    if details:
        console.print(Panel(Group(*details), title="In detail", title_align="left", border_style="dim"))
    console.print(_verdict(quality))


def _head(quality: Quality, zone: ZoneInfo) -> Panel:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    spans = [(one.first_ns, one.last_ns) for one in quality.series]
    grid.add_row("folder", Text(str(quality.path)))
    if quality.source:
        grid.add_row("source", Text(quality.source))
    if quality.licence:
        grid.add_row("licence", Text(quality.licence))
    if spans:
        first, last = min(low for low, _ in spans), max(high for _, high in spans)
        grid.add_row("from", f"{_time(first, zone)}  to  {_time(last, zone)}  ({quality.time_zone})")
    rows = ", ".join(f"{count:,} {kind}" for kind, count in quality.rows.items() if count)
    grid.add_row("rows", rows or "none")
    if quality.unsealed:
        grid.add_row("unsealed", f"{quality.unsealed} segment{'s' * (quality.unsealed > 1)}")
    title = Text(quality.name, style="bold")
    if quality.generated:
        title.append("  generated data", style="yellow")
    return Panel(grid, title=title, title_align="left", border_style="dim")


def _table(quality: Quality, zone: ZoneInfo, *, wide: bool) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 1), expand=wide)
    table.add_column("kind")
    table.add_column("symbol", style="bold", no_wrap=True)
    if wide:
        table.add_column("conid", justify="right")
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("first", no_wrap=True)
    if wide:
        table.add_column("last", no_wrap=True)
        table.add_column("gap limit", justify="right", no_wrap=True)
    table.add_column("findings", ratio=2 if wide else None, overflow="fold")
    table.add_column("notes", style="dim", ratio=2 if wide else None, overflow="fold")
    for one in quality.series:
        cells: list[RenderableType] = [one.kind, Text(one.symbol)]
        if wide:
            cells.append(str(one.conid))
        cells += [f"{one.rows:,}", _time(one.first_ns, zone) if wide else _time(one.first_ns, zone)[:10]]
        if wide:
            cells += [_time(one.last_ns, zone), "-" if one.gap_limit_s is None else _length(one.gap_limit_s)]
        cells += [_findings(one), _counted(one.notes)]
        table.add_row(*cells)
    return table


def _findings(one: SeriesQuality) -> Text:
    if not one.findings:
        return Text("none", style="green")
    return Text(_counted(one.findings), style="yellow")


def _counted(counts: Mapping[str, int]) -> str:
    # The counted things end in s where they are several.
    return ", ".join(f"{count:,} {name.removesuffix('s') if count == 1 else name}" for name, count in counts.items())


def _details(quality: Quality, zone: ZoneInfo) -> list[Text]:
    lines = [Text(problem, style="red") for problem in quality.problems[:_SHOWN]]
    if len(quality.problems) > _SHOWN:
        lines.append(Text(f"and {len(quality.problems) - _SHOWN} more files", style="red"))
    for one in quality.series:
        label = f"{one.symbol} {one.kind}"
        for name, first_ns in one.found_ns.items():
            line = Text(f"{label}: {_counted({name: one.findings[name]})}", style="yellow")
            several = "the first " if one.findings[name] > 1 else ""
            lines.append(line.append(f", {several}at {_time(first_ns, zone)}", style="default"))
        lines += _spans(f"{label}: gap", one.gaps, zone, "yellow")
        lines += _spans(f"{label}: halt", one.halts, zone, "cyan")
        if one.missing_days:
            shown = ", ".join(one.missing_days[:_SHOWN])
            more = len(one.missing_days) - _SHOWN
            lines.append(Text(f"{label}: no rows on {shown}" + (f" and {more:,} more days" if more > 0 else "")))
    return lines


def _spans(label: str, spans: tuple[Gap, ...], zone: ZoneInfo, style: str) -> list[Text]:
    lines = []
    for span in spans[:_SHOWN]:
        line = Text(label, style=style)
        line.append(f" from {_time(span.start_ns, zone)}, {_length(span.length_s)}", style="default")
        lines.append(line)
    if len(spans) > _SHOWN:
        lines.append(Text(f"{label}: {len(spans) - _SHOWN} more", style=style))
    return lines


def _verdict(quality: Quality) -> Text:
    found = quality.findings
    if not found:
        return Text("Clean: nothing found.", style="bold green")
    return Text("Findings: " + _counted(found) + ".", style="bold yellow")


def _time(ts_ns: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(ts_ns // NS_PER_S, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _length(seconds: float) -> str:
    whole = int(seconds)
    if whole >= 7200:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{seconds:.1f} s"
