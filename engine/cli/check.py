"""`engine check`: rerun a configuration in ways that must change nothing, and report what does."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.options import config_argument, set_option


@click.command()
@config_argument
@set_option
def check(config: Path, overrides: tuple[str, ...]) -> int:
    """Rerun CONFIG with random window cuts, with later data cut off and under other values of PYTHONHASHSEED; 0 if
    nothing changes, 1 if something does."""
    from engine.config import load

    settings = load(config, overrides)
    from engine.checker import check_run  # heavy, and bad input needs none of it

    findings = check_run(settings)
    for finding in findings:
        click.echo(str(finding))
    if not findings:
        click.echo(
            "nothing found: no look-ahead, no dependence on windows, no wall clock, no randomness, no order of sets"
        )
    return 1 if findings else 0
