"""What the operator's commands share: the state folder, the question, and exit codes that mean what they say.

0 answered or done, whatever the state; 1 refused; 2 bad input; 3 no daemon.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _folder(_context: click.Context, _parameter: click.Parameter, given: str | None) -> Path | None:
    """Refuse an empty folder name: as a path it would mean the current folder."""
    if given is not None and not given:
        raise click.BadParameter("the name of the folder is empty")
    return None if given is None else Path(given)


state_option = click.option(
    "--state-dir", callback=_folder, metavar="DIR", help="The daemon's folder [ENGINE_STATE_DIR, else ./state]."
)


def spoken(command: F) -> F:
    """Turn what the daemon refuses into a sentence on stderr and the exit code of its kind."""

    @functools.wraps(command)
    def asked(*args: Any, **kwargs: Any) -> Any:
        from engine.operator.protocol import EXIT, NotDone

        try:
            return command(*args, **kwargs)
        except NotDone as problem:
            click.echo(f"engine: {problem}", err=True)
            return EXIT[problem.code]

    return asked  # type: ignore[return-value]  # same arguments, as wraps says


def ask_daemon(state_dir: Path | None, verb: str, limit_s: float = 30.0, **args: Any) -> Any:
    """Ask whoever answers on a state folder. Raises: NotDone, InputError."""
    import trio

    from engine.operator.client import ask
    from engine.operator.folder import state_folder
    from engine.operator.protocol import request

    wanted = request(verb, args)
    return trio.run(functools.partial(ask, state_folder(state_dir), wanted, limit_s=limit_s))


def print_json(data: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))
