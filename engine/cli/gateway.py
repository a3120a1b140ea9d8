"""`engine gateway`: the simulated Web API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

_FILE = click.Path(path_type=Path)


def _symbols(_context: click.Context, _parameter: click.Parameter, given: str | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = tuple(dict.fromkeys(name.strip().upper() for name in given.split(",")))
    if not all(names):
        raise click.BadParameter("give symbols with commas between, as in AAPL,IBM")
    return names


def _folder(_context: click.Context, _parameter: click.Parameter, given: str | None) -> Path | None:
    """Refuse an empty folder name: as a path it would mean the current folder."""
    if given is not None and not given:
        raise click.BadParameter("the name of the folder is empty")
    return None if given is None else Path(given)


@click.command()
@click.option("--config", type=_FILE, metavar="FILE", help="TOML file; flags go before it.")
@click.option("--host", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on, 0 for any that is free [5000].")
@click.option("--recording", callback=_folder, metavar="DIR", help="Play this recording.")
@click.option("--synthetic", callback=_symbols, metavar="SYMBOLS", help="Make up a market of these [AAPL,IBM,SPY].")
@click.option("--speed", type=float, metavar="X", help="How much faster than the wall its clock runs [1].")
@click.option("--seed", type=int, metavar="N", help="Of the synthetic market and of all chance [7].")
@click.option("--faults", type=_FILE, metavar="FILE", help="Fault script (TOML).")
@click.option("--auth", type=click.Choice(["gateway", "oauth1", "oauth2"]), help="How clients log in [gateway].")
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="Certificate (PEM); without one it makes its own.")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="The certificate's key (PEM).")
@click.option("--plain", is_flag=True, default=None, help="Serve HTTP without TLS.")
@click.option("--profile", type=click.Choice(["observed", "documented"]), help="As on the wire, or as in the samples.")
@click.option("--accounts", type=click.IntRange(1, 100), metavar="N", help="How many accounts [1].")
@click.option("--pacing", type=click.Choice(["on", "off"]), help="Whether too many requests are refused [on].")
@click.option("--state-dir", callback=_folder, metavar="DIR", help="Go on from, and keep, what is in this folder.")
@click.option("--allow-remote", is_flag=True, default=None, help="Listen beyond loopback, where --host says so.")
def gateway(config: Path | None, pacing: str | None, **flags: Any) -> None:
    """Serve a simulated IBKR Web API that any client can trade against, until stopped."""
    from engine.gateway.config import read_launch

    launch = read_launch(config, {**flags, "pacing": None if pacing is None else pacing == "on"})
    # Heavy, and bad flags need none of it.
    from engine.gateway.running import run

    run(launch, lambda line: click.echo(line))
