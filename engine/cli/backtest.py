"""`engine backtest`: run a configuration on its recording, leave the files of the result, print its page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.options import config_argument, json_option, set_option

if TYPE_CHECKING:
    from engine.runtime.outcome import Outcome


def _named(_context: click.Context, _parameter: click.Parameter, given: Path | str | None) -> Path | None:
    """Refuse an empty folder name: as a path it would mean the current folder."""
    if given is None:
        return None
    if not os.fspath(given):
        raise click.BadParameter("the name of the folder is empty")
    return Path(given)


@click.command()
@config_argument
@set_option
@click.option("--out", type=click.Path(), callback=_named, help="Folder of the result; runs/NAME-HASH if not given.")
@json_option
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@click.option("--window", type=click.IntRange(min=1), help="Rows a window holds at most; changes no result.")
@click.option("--pipeline", type=click.Choice(["channels", "fused"]), help="How stages are joined; changes no result.")
def backtest(
    config: Path,
    overrides: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    no_progress: bool,
    window: int | None,
    pipeline: str | None,
) -> None:
    """Run the strategies of CONFIG on its recording."""
    from engine.config import load

    flags = [f"replay.{key}={value}" for key, value in (("window", window), ("pipeline", pipeline)) if value]
    settings = load(config, (*overrides, *flags))
    # Heavy, and bad input needs none of it.
    from rich.console import Console

    from engine import app
    from engine.report.files import RESULT, write
    from engine.report.progress import progress
    from engine.report.terminal import show

    shown = not no_progress and sys.stderr.isatty()
    with progress(Console(stderr=True), enabled=shown) as report:
        outcome, folder = app.backtest(settings, out, write=write, progress=report if shown else None)
    if as_json:
        _warn(outcome)
        click.echo((folder / RESULT).read_text(encoding="utf-8"), nl=False)
    else:
        show(outcome, folder, Console())


def _warn(outcome: Outcome) -> None:
    """Where nobody sees the page, trouble goes to stderr."""
    import structlog

    from engine.logs import configure

    configure()
    log = structlog.get_logger()
    for name, reason in outcome.off.items():
        log.warning("strategy_switched_off", strategy=name, reason=reason)
    for name, reason in outcome.deaf.items():
        log.warning("strategy_heard_nothing", strategy=name, reason=reason)
