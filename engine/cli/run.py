"""`engine run`: the daemon."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from engine.cli.options import config_argument, set_option

if TYPE_CHECKING:
    from engine.operator.folder import StateFolder

SWITCH_S: Final = 0.00002
OBJECTS: Final = 20_000  # made between two searches for cycles; 700 by default


def _look_into(folder: StateFolder) -> None:
    """Refuse what can't be used before anything is started for it: a gateway would outlive the refusal.

    Raises: InputError for a journal that is damaged or can't be read.
    """
    from engine.journal.reading import JournalReader

    for path in (folder.journal, folder.guard_journal):
        if path.is_file() and path.stat().st_size:
            reader = JournalReader(path)
            try:
                reader.whole()
            finally:
                reader.close()


def _where(folder: StateFolder) -> str:
    """What the operator's commands need to find it, behind them."""
    from engine.operator.folder import state_folder

    return "" if folder == state_folder(None) else f" --state-dir {folder.path}"


@click.command()
@config_argument
@set_option
@click.option("--mode", type=click.Choice(["sim", "paper", "live"]), help="Whose money; in place of the file's.")
@click.option("--gateway", "url", metavar="URL", help="A gateway that runs already; URL with /v1/api.")
@click.option("--gateway-ca", "ca", type=click.Path(path_type=Path), metavar="FILE", help="The certificate to trust.")
@click.option("--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="Where everything is kept [state].")
@click.option("--i-mean-live", is_flag=True, help="Needed for mode live: real orders, real money.")
def run(
    config: Path,
    overrides: tuple[str, ...],
    mode: str | None,
    url: str | None,
    ca: Path | None,
    state_dir: Path | None,
    i_mean_live: bool,
) -> None:
    """Trade with the strategies of CONFIG until stopped."""
    from engine.daemon.config import GUARDS_WAY, Mode, load
    from engine.errors import ConfigError

    flags = [f'mode="{mode}"'] if mode else []
    if url:
        flags.append(f'gateway.url="{url}"')
    if ca:
        flags.append(f'gateway.ca="{ca.absolute()}"')
    settings = load(config, (*overrides, *flags))
    if settings.mode is Mode.LIVE and not i_mean_live:
        raise ConfigError("mode live trades real money: say --i-mean-live as well", place=str(config))
    from engine.guard.launch import launch
    from engine.operator.folder import socket_address, state_folder

    folder = state_folder(state_dir)
    for socket in (folder.operator_socket, folder.guard_socket):
        socket_address(socket)  # a path may be too long for one

    def say(sentence: str) -> None:
        click.echo(sentence)

    with folder.held("daemon"):
        _look_into(folder)
        say(f"starting; everything is kept in {folder.path}. Ctrl-C or `engine stop` ends it")
        verbs = "status, orders, positions, pnl, why ORDER, halt, resume, stop"
        say(f"from another terminal: engine {verbs}{_where(folder)}")
        # Another process takes as long to come as what follows here takes to be imported: both at once.
        wanted = settings.guard.on and folder.process("guard") is None
        launched = launch(folder, GUARDS_WAY) if wanted else None
        # Heavy, and bad input needs none of it.
        import trio

        from engine import logs
        from engine.daemon.running import run as trade

        logs.configure()
        # The loop shares the interpreter with threads that write logs and the journal. It is to have it back soon, and
        # the journal's is to have it at once while the loop makes the order's request ready.
        sys.setswitchinterval(SWITCH_S)
        # An order makes some thousand objects and no cycle: no search for cycles is to fall into its way each time, nor
        # one through all that was imported.
        gc.freeze()
        gc.set_threshold(OBJECTS, 20, 50)
        trio.run(lambda: trade(settings, folder, say=say, launched=launched))
