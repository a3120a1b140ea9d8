"""`engine risk`: what is limited and how much of it is used, and what every check said of an order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.lazy import LazyGroup
from engine.cli.options import config_argument, json_option, set_option
from engine.cli.speaking import print_json, spoken, state_option

if TYPE_CHECKING:
    from engine.journal.durable import StoredRow
    from engine.settings import RiskSettings


@click.group(
    cls=LazyGroup,
    commands_at={
        "show": ("engine.cli.risk:show", "Print every row of the risk table: its limit, what is used, what is left."),
        "explain": ("engine.cli.risk:explain", "Print what every check said of an order."),
    },
)
def risk() -> None:
    """Look at limits and verdicts."""


@click.command()
@config_argument
@set_option
@state_option
@json_option
def show(config: Path, overrides: tuple[str, ...], state_dir: Path | None, as_json: bool) -> None:
    """Print R1 to R48 and the plugins of CONFIG; with a daemon on the state folder, the limits in force there, what is
    used and left of each, and where CONFIG says something else."""
    from engine.risk.plugins import installed
    from engine.risk.showing import table, with_daemon

    settings, live, wall = _settings(config, overrides)
    rows = table(settings, live=live, wall=wall, plugins=installed())
    rows = with_daemon(rows, _told(state_dir))
    if as_json:
        print_json(rows)
        return
    from rich.console import Console

    from engine.cli.tables import show as print_table

    used = _USED if any(row["used"] is not None for row in rows) else ()
    kept = (*_LIMITS, *used, ("source", "w" if used else ""))
    print_table(kept, ([row[name] for name, _ in kept] for row in rows), Console())
    for row in rows:
        if row["note"] is not None:
            click.echo(f"{row['code']}: {row['note']}")


_LIMITS = (("code", ""), ("name", ""), ("limit", ""))
_USED = (("used", ""), ("left", ">"))


def _settings(config: Path, overrides: tuple[str, ...]) -> tuple[RiskSettings, bool, bool]:
    """The risk settings of a backtest's or a daemon's configuration, whether it is one of a session, and whether that
    lives by the wall's clock."""
    import tomllib

    from engine.config import load
    from engine.daemon.config import Mode
    from engine.daemon.config import load as load_run

    try:
        tables: Any = tomllib.loads(config.read_text())
    except (OSError, ValueError):
        tables = {}  # the loader says what is wrong
    if "recording" in tables or not {"instrument", "mode", "gateway"} & set(tables):
        return load(config, overrides).risk, False, True
    run = load_run(config, overrides)
    return run.base.risk, True, run.mode is not Mode.SIM


def _told(state_dir: Path | None) -> dict[str, dict[str, Any]]:
    """What a daemon says, if one runs on the folder."""
    from engine.cli.speaking import ask_daemon
    from engine.operator.protocol import Code, NotDone

    if state_dir is None:
        return {}
    try:
        told: dict[str, dict[str, Any]] = ask_daemon(state_dir, "risk")
    except NotDone as problem:
        if problem.code is Code.NO_DAEMON:
            return {}
        raise
    return told


@click.command()
@click.argument("order")
@state_option
@json_option
@spoken
def explain(order: str, state_dir: Path | None, as_json: bool) -> int:
    """Print what every check said when ORDER (a client order id) was judged, out of the journal."""
    import json

    from engine.journal.reading import JournalReader
    from engine.operator.folder import state_folder

    found: list[StoredRow] = []
    unsaid = False
    for path in state_folder(state_dir).journals():
        reader = JournalReader(path)
        try:
            told = list(reader.rows(name=order, kinds=("judged", "worth")))
        finally:
            reader.close()
        found = [row for row in told if row.kind == "judged"]
        unsaid = bool(told) and not found
        if told:
            break
    verdicts = [{"seq": row.seq, "ts_ns": row.ts_ns, "checks": json.loads(row.body)} for row in found]
    if as_json:
        print_json(verdicts)
    elif unsaid:
        click.echo(f"order {order} was approved, and the engine ended before the checks had said why", err=True)
    elif not verdicts:
        click.echo(f"the journal has no verdict on an order {order}", err=True)
    for verdict in [] if as_json else verdicts:
        for one in verdict["checks"]:
            mark = "allows " if one["allows"] else "refuses"
            click.echo(f"{one['code']:4} {mark} {one['check']:20} limit {one['limit']:>14} value {one['value']:>14}")
            if not one["allows"]:
                click.echo(f"     {one['sentence']}")
    return 0 if verdicts else 1
