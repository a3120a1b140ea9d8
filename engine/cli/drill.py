"""`engine drill`: the kill switch practised, with the time each step took."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from engine.cli.options import json_option
from engine.cli.speaking import ask_daemon, print_json, spoken, state_option

_LOOK_S = 0.2


@click.command()
@click.option("--paper", is_flag=True, help="Practise in mode paper too: the account's orders and positions are real.")
@click.option("--stay", is_flag=True, help="Leave trading halted afterwards.")
@click.option("--limit", "limit_s", default=120.0, show_default=True, metavar="S", help="Seconds to wait for flat.")
@state_option
@json_option
@spoken
def drill(paper: bool, stay: bool, limit_s: float, state_dir: Path | None, as_json: bool) -> int:
    """Halt, cancel all and flatten, as the kill switch does, and say how long each step took; then resume.

    Only where the market is simulated; never in mode live. Exit code 1 if it has not come to flat in time.
    """
    ask_daemon(state_dir, "drill", paper=paper)
    told = _until_flat(state_dir, limit_s)
    told["trading"] = "halted"
    if told["flat"] and not stay:
        told["trading"] = ask_daemon(state_dir, "resume")["trading"]
    if as_json:
        print_json(told)
    else:
        _show(told)
    return 0 if told["flat"] else 1


def _until_flat(state_dir: Path | None, limit_s: float) -> dict[str, Any]:
    """Look into the journal until it says flat, or for so long."""
    until = time.monotonic() + limit_s
    while True:
        told = _report(state_dir)
        if told["flat"] or time.monotonic() >= until:
            return told
        time.sleep(_LOOK_S)


def _report(state_dir: Path | None) -> dict[str, Any]:
    from engine.journal.reading import JournalReader
    from engine.operator.drilling import report
    from engine.operator.folder import state_folder

    reader = JournalReader(state_folder(state_dir).journal)
    try:
        began = [row for row in reader.last(20, kinds=("operator",)) if '"verb":"drill"' in row.body]
        told = report(reader.rows(after=began[-1].seq - 1)) if began else None
    finally:
        reader.close()
    assert told is not None, "the command was stored before it was answered"
    return told


def _show(told: dict[str, Any]) -> None:
    click.echo("seconds of the venue's clock since the command")
    for step in told["steps"]:
        if step["count"]:
            click.echo(f"{step['step']:28} {step['count']:>4}   {step['first_s']:>8.3f} to {step['last_s']:.3f}")
        else:
            click.echo(f"{step['step']:28}    0")
    if told["flat"]:
        click.echo(f"trading is {told['trading']}" + ("; `engine resume` lifts it" if told["trading"] != "on" else ""))
    else:
        click.echo("not flat yet: `engine status` says what is held; `engine resume` ends it", err=True)
