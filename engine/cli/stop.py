"""`engine stop`: the daemon, its guard, and the gateway that it started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import json_option
from engine.cli.speaking import ask_daemon, print_json, spoken, state_option

if TYPE_CHECKING:
    from engine.operator.folder import StateFolder

_LIMIT_S = 180.0
_GONE_S = 10.0


@click.command()
@state_option
@json_option
@spoken
def stop(state_dir: Path | None, as_json: bool) -> None:
    """End the daemon by its policy for stopping, and with it the guard and the gateway that `engine run` started."""
    from engine.operator.folder import state_folder
    from engine.operator.processes import gone
    from engine.operator.protocol import Code, NotDone

    folder = state_folder(state_dir)
    guard = folder.process("guard")
    try:
        data = ask_daemon(state_dir, "stop", _LIMIT_S)
        if guard is not None:
            gone(guard, _GONE_S)  # it has answered and is about to end: who looks after us shall find nobody
    except NotDone as problem:
        if problem.code is not Code.NO_DAEMON:
            raise
        data = _by_signal(folder)
        if data is None:
            raise
    if as_json:
        print_json(data)
        return
    for role in ("daemon", "guard", "gateway"):
        if data[role] != "none":
            click.echo(f"{role}: {data[role]}")


def _by_signal(folder: StateFolder) -> dict[str, Any] | None:
    """End by SIGTERM what the folder names, where no guard answers; None if nothing lives."""
    from engine.operator.processes import end

    found = {role: folder.process(role) for role in ("daemon", "guard", "gateway")}
    if not any(found.values()):
        return None
    said: dict[str, Any] = {"done": True}
    for role, one in found.items():
        said[role] = "none" if one is None else "ended" if end(one, _LIMIT_S / 3) else "lives although it was killed"
        folder.drop_process(role)
    return said
