"""`engine backtest`: run a configuration on its recording, leave the files of the result, print its page."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from engine.cli.options import config_argument, json_option, set_option

if TYPE_CHECKING:
    from engine.runtime.outcome import Outcome
    from engine.settings import Settings

RUNS: Final = Path("runs")
_HASH_DIGITS: Final = 12


@click.command()
@config_argument
@set_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the result; runs/NAME-HASH if not given.")
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
    show_progress = not no_progress and sys.stderr.isatty()
    outcome, folder = _run(settings, out, show_progress=show_progress)
    if as_json:
        from engine.report.files import RESULT

        click.echo((folder / RESULT).read_text(encoding="utf-8"), nl=False)
    else:
        from rich.console import Console

        from engine.report.terminal import show

        show(outcome, folder, Console())


def _run(settings: Settings, out: Path | None, *, show_progress: bool) -> tuple[Outcome, Path]:
    """Run and write; return the outcome and the folder its files are in."""
    from rich.console import Console

    from engine import app
    from engine.report.files import prepare, write
    from engine.report.progress import progress

    folder = _pending(settings.name) if out is None else out
    prepare(folder)
    try:
        with progress(Console(stderr=True), enabled=show_progress) as report:
            outcome = app.backtest(settings, folder, report)
        write(outcome, folder)
        if out is None:
            named = RUNS / f"{settings.name}-{outcome.hash[:_HASH_DIGITS]}"
            _move(folder, named)
            return outcome, named
    finally:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
    return outcome, folder


def _pending(name: str) -> Path:
    """Make a folder for a run whose hash, and so whose name, is not known before its end."""
    from engine.errors import InputError

    try:
        RUNS.mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{name}-", dir=RUNS))
    except OSError as exc:
        raise InputError(f"the result can't be written: {exc.strerror}", place=str(RUNS)) from exc


def _move(pending: Path, named: Path) -> None:
    """Move a run's files to where they belong, `result.json` last, so that it never stands beside another run's."""
    from engine.report.files import RESULT, prepare

    prepare(named)
    for file in sorted(pending.iterdir(), key=lambda file: (file.name == RESULT, file.name)):
        file.replace(named / file.name)
