"""`engine doctor`: what stands between a configuration and a day of trading, and the mend for each."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from engine.cli.options import config_argument, json_option, set_option
from engine.cli.speaking import print_json, state_option

if TYPE_CHECKING:
    from engine.daemon.findings import Finding

_COLOURS: Final = {"ok": "green", "warn": "yellow", "fail": "red"}
_WORD: Final = 6
_WHAT: Final = 14


@click.command()
@config_argument
@set_option
@state_option
@json_option
def doctor(config: Path, overrides: tuple[str, ...], state_dir: Path | None, as_json: bool) -> None:
    """Check this machine, the gateway, the session and the account of CONFIG; no order, no login.

    Exit code 0: nothing fails; 1: something does; 2: bad input.
    """
    from engine.daemon.config import load
    from engine.daemon.doctor import examine
    from engine.daemon.findings import Verdict
    from engine.operator.folder import state_folder

    settings = load(config, overrides)
    found: list[Finding] = []
    width = min(shutil.get_terminal_size((100, 24)).columns, 140)
    for one in examine(settings, state_folder(state_dir)):
        found.append(one)
        if not as_json:
            for line in lines(one, width):
                click.echo(line)
    counts = {str(verdict): sum(one.verdict is verdict for one in found) for verdict in Verdict}
    if as_json:
        print_json({"findings": [_plain(one) for one in found], **counts})
    else:
        click.echo(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} to mend")
    raise SystemExit(1 if counts["fail"] else 0)


def lines(one: Finding, width: int) -> Iterator[str]:
    """A finding as lines of a page that is so wide; the mend stands below what was seen."""
    room = max(width - _WORD - _WHAT, 30)
    seen = textwrap.wrap(one.seen, room) or [""]
    word = click.style(f"{one.verdict:<{_WORD}}", fg=_COLOURS[str(one.verdict)])
    yield f"{word}{one.what:<{_WHAT}}{seen[0]}"
    for line in seen[1:]:
        yield " " * (_WORD + _WHAT) + line
    for number, line in enumerate(textwrap.wrap(one.mend, room - 6) if one.mend else []):
        yield " " * (_WORD + _WHAT) + ("mend: " if number == 0 else "      ") + line


def _plain(one: Finding) -> dict[str, Any]:
    return {"what": one.what, "verdict": str(one.verdict), "seen": one.seen, "mend": one.mend}
