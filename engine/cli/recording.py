"""`engine recording`: import what people have, and look at what is in a recording."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from engine.cli.lazy import LazyGroup
from engine.cli.options import json_option

if TYPE_CHECKING:
    from engine.recording.importing import Summary
    from engine.recording.quality import Quality

_UNITS: Final = ["ns", "us", "ms", "s", "iso"]

_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group(
    cls=LazyGroup,
    commands_at={
        "import": ("engine.cli.recording:import_", "Import CSV or Parquet files, plain, .gz or .zip."),
        "info": ("engine.cli.recording:info", "Show what a recording holds, with its data quality."),
        "verify": ("engine.cli.recording:verify", "Check a recording: 0 clean, 1 findings, 2 not a recording."),
    },
)
def recording() -> None:
    """Import recordings, and look at what is in them."""


@click.command(name="import")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...", type=click.Path(path_type=Path))
@click.option("--kind", required=True, type=click.Choice(["quotes", "trades", "bars"]), help="What the rows are.")
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The recording's folder.")
@click.option("--format", "form", type=click.Choice(["csv", "parquet", "zip"]), help="If the file name doesn't say.")
@click.option("--columns", default="", metavar="NAME=COLUMN,...", help="Our name = the file's column, or its number.")
@click.option("--no-header", is_flag=True, help="The first row is data.")
@click.option("--date", metavar="from-name|YYYY-MM-DD", help="Day that stamps count from, from local midnight.")
@click.option("--ts-unit", type=click.Choice(_UNITS), help="Unit of the stamps.")
@click.option("--tz", metavar="ZONE", help="Time zone of the source, as in America/New_York.")
@click.option("--price-scale", default="1", metavar="X", help="A price is the file's number times X.")
@click.option("--bar", metavar="LENGTH", help="Length of a bar, as in 1m.")
@click.option("--stamp", type=click.Choice(["open", "close"]), help="Which end of its bar a stamp is.")
@click.option("--nbbo", is_flag=True, help="Make the national best bid and offer of one-sided rows by exchange.")
@click.option("--instrument", metavar="FILE", type=click.Path(path_type=Path), help="TOML file with the instrument.")
def import_(
    sources: tuple[Path, ...],
    kind: str,
    out: Path,
    form: str | None,
    columns: str,
    no_header: bool,
    date: str | None,
    ts_unit: str | None,
    tz: str | None,
    price_scale: str,
    bar: str | None,
    stamp: str | None,
    nbbo: bool,
    instrument: Path | None,
) -> None:
    """Import files into the recording --out, which is made if it is absent."""
    from engine.recording.importing import import_files

    def show(source: str, rows: int) -> None:
        click.echo(f"\r{source}: {rows:,} rows", err=True, nl=False)

    watched = sys.stderr.isatty()
    summary = import_files(
        sources,
        out,
        kind=kind,
        form=form,
        columns=columns,
        header=not no_header,
        date_from=date,
        ts_unit=ts_unit,
        tz=tz,
        price_scale=price_scale,
        bar=bar,
        stamp=stamp,
        nbbo=nbbo,
        instrument=instrument,
        this_year=datetime.now(UTC).year,
        progress=show if watched else None,
    )
    if watched:
        click.echo(err=True)
    click.echo("\n".join(_said(summary)))


def _said(summary: Summary) -> list[str]:
    lines = []
    for source in summary.sources:
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in source.dropped.items() if count)
        left_out = f"; left out: {dropped}" if dropped else ""
        lines.append(
            f"{source.source}: {source.read:,} rows read, {source.kept:,} kept as {summary.kind} of"
            f" {source.instrument}{left_out}"
        )
    if summary.locked or summary.crossed:
        lines.append(f"the best bid and offer were locked {summary.locked:,} times, crossed {summary.crossed:,} times")
    ways = dict.fromkeys(source.read_as for source in summary.sources)
    lines.extend(f"stamps were read as {way}" for way in ways)
    lines.extend(f"note: {note}" for note in summary.notes)
    days = f"{summary.days[0]} to {summary.days[-1]}" if summary.days else "no day"
    lines.append(f"{summary.out}: {days}")
    return lines


@click.command()
@_folder
@json_option
def info(folder: Path, as_json: bool) -> None:
    """Show what the recording DIR holds, with its data quality."""
    _examine(folder, as_json)


@click.command()
@_folder
@json_option
def verify(folder: Path, as_json: bool) -> int:
    """Check the recording DIR: 0 clean, 1 findings, 2 not a recording."""
    return 0 if _examine(folder, as_json).clean else 1


def _examine(folder: Path, as_json: bool) -> Quality:
    from engine.recording.quality import examine

    quality = examine(folder)
    if as_json:
        click.echo(json.dumps(quality.as_dict(), indent=2, allow_nan=False))
    else:
        from rich.console import Console

        from engine.recording.page import show

        show(quality, Console())
    return quality
