"""`engine replay`: a recorded session again, decision by decision."""

from __future__ import annotations

import json
from pathlib import Path

import click

from engine.cli.options import json_option


@click.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--journal", type=click.Path(path_type=Path), metavar="FILE", help="Its journal [beside the log].")
@json_option
def replay(log: Path, journal: Path | None, as_json: bool) -> None:
    """Feed the inputs of a wire log to the cores again; every decision has to come out byte for byte.

    LOG is the folder of one start of the daemon (state/wire/00001), or state/wire for the newest. Exit 1 if something
    differs: both sides are printed.
    """
    from attrs import asdict

    from engine.daemon.replaying import replay as run
    from engine.domain.moments import iso

    outcome = run(log, journal)
    found = outcome.difference
    if as_json:
        told = None if found is None else asdict(found)
        body = {"log": outcome.log, "inputs": outcome.inputs, "decisions": outcome.decisions, "difference": told}
        click.echo(json.dumps(body, default=str))
    elif found is None:
        click.echo(f"{outcome.inputs:,} inputs, {outcome.decisions:,} decisions: all as recorded")
    else:
        click.echo(f"input {found.number} ({found.kind} of {found.core}, {iso(found.at_ns)}) differs")
        click.echo(f"  recorded: {json.dumps(found.recorded, default=str)}")
        click.echo(f"  replayed: {json.dumps(found.replayed, default=str)}")
    raise SystemExit(0 if outcome.agrees else 1)
