"""The operator's verbs: `engine status | orders | positions | pnl | halt | resume | flatten | cancel-all | ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.cli.options import json_option
from engine.cli.speaking import ask_daemon, print_json, spoken, state_option


def _done(data: Any, as_json: bool, done: str, more: str = "") -> None:
    """What became of a command: `done` in a word, and `more` of it where the daemon itself did it."""
    if as_json:
        print_json(data)
        return
    if data.get("by") == "guard":
        done, more = f"{done} by the guard, in the daemon's place", _by_guard(data)
    click.echo(f"{done}; {more}" if more else done)
    if data.get("trouble"):
        click.echo(f"trouble: {data['trouble']}")


def _by_guard(data: Any) -> str:
    if data["cancelled"]:
        return _orders(data["cancelled"])
    if data["stage"] == "starting":
        return "what lives at the venue is cancelled once the daemon has started"
    return (
        "no order of ours lives" if data["stage"] in ("watching", "done") else "the venue has not told yet what lives"
    )


def _orders(count: int) -> str:
    return "no order is open" if not count else f"{count} order{'s' if count > 1 else ''} being cancelled"


@click.command()
@state_option
@json_option
@spoken
def status(state_dir: Path | None, as_json: bool) -> None:
    """Show whether the daemon trades, and how each layer does."""
    data = ask_daemon(state_dir, "status")
    if as_json:
        print_json(data)
        return
    from rich.console import Console

    from engine.cli.pages import show_status

    show_status(data, Console())


@click.command()
@click.option("--open", "only_open", is_flag=True, help="Only those that may still trade.")
@state_option
@json_option
@spoken
def orders(only_open: bool, state_dir: Path | None, as_json: bool) -> None:
    """List the orders of the venue's day."""
    data = ask_daemon(state_dir, "orders", open=only_open)
    if as_json:
        print_json(data)
        return
    from rich.console import Console

    from engine.cli.pages import show_orders

    show_orders(data, Console())


@click.command()
@state_option
@json_option
@spoken
def positions(state_dir: Path | None, as_json: bool) -> None:
    """List what each strategy holds."""
    data = ask_daemon(state_dir, "positions")
    if as_json:
        print_json(data)
        return
    from rich.console import Console

    from engine.cli.pages import show_positions

    show_positions(data, Console())


@click.command()
@state_option
@json_option
@spoken
def pnl(state_dir: Path | None, as_json: bool) -> None:
    """Show profit by strategy and instrument, fees and cash."""
    data = ask_daemon(state_dir, "pnl")
    if as_json:
        print_json(data)
        return
    from rich.console import Console

    from engine.cli.pages import show_pnl

    show_pnl(data, Console())


@click.command()
@click.option("--why", default="", metavar="TEXT", help="The reason, for the journal.")
@click.option("--flatten", "flat", is_flag=True, help="Close every position too.")
@state_option
@json_option
@spoken
def halt(why: str, flat: bool, state_dir: Path | None, as_json: bool) -> None:
    """Send no new order, cancel what is open, until `engine resume`."""
    data = ask_daemon(state_dir, "halt", why=why, flatten=flat)
    closing = "; then positions are closed" if flat else ""
    _done(data, as_json, "halted", f"{_orders(data.get('cancelling', 0))}{closing}")


@click.command()
@state_option
@json_option
@spoken
def alive(state_dir: Path | None, as_json: bool) -> None:
    """Say that somebody looks after the daemon: the dead-man timer begins anew."""
    data = ask_daemon(state_dir, "alive")
    until = data["alive_until"]
    _done(data, as_json, f"noted; the next one is due before {until}" if until else "noted; no timer is configured")


@click.command()
@state_option
@json_option
@spoken
def resume(state_dir: Path | None, as_json: bool) -> None:
    """Lift every halt."""
    data = ask_daemon(state_dir, "resume")
    lifted = "" if data["lifted"] else "; nothing had been halted"
    _done(data, as_json, f"trading is {data['trading']}{lifted}")


@click.command()
@state_option
@json_option
@spoken
def flatten(state_dir: Path | None, as_json: bool) -> None:
    """Cancel all orders and close every position; nothing is opened again until `engine resume`."""
    data = ask_daemon(state_dir, "flatten")
    closing = data.get("closing")
    held = "" if closing is None else f"; {closing} position{'' if closing == 1 else 's'} to close"
    _done(data, as_json, "flattening", f"{_orders(data.get('cancelling', 0))}{held}")


@click.command(name="cancel-all")
@state_option
@json_option
@spoken
def cancel_all(state_dir: Path | None, as_json: bool) -> None:
    """Cancel all orders of the daemon's; it goes on trading."""
    data = ask_daemon(state_dir, "cancel-all")
    _done(data, as_json, "cancelled" if data.get("by") == "guard" else _orders(data.get("cancelling", 0)))


@click.command()
@click.argument("ids", nargs=-1, metavar="[IDS...|reset]")
@state_option
@json_option
@spoken
def suppress(ids: tuple[str, ...], state_dir: Path | None, as_json: bool) -> None:
    """Show which questions the venue need not ask, name them all anew, or have all asked again."""
    named = [name for given in ids for name in given.split(",") if name]
    if ids and not named:
        raise click.UsageError("no message id is named; `engine suppress reset` has all questions asked again")
    reset = named == ["reset"]
    if "reset" in named and not reset:
        raise click.UsageError("reset stands alone")
    wanted = None if reset or not ids else named
    data = ask_daemon(state_dir, "suppress", ids=wanted, reset=reset)
    if as_json:
        print_json(data)
        return
    click.echo("suppressed: " + (", ".join(data["ids"]) or "nothing"))
    if data["session"] is None:
        click.echo("no session has the list now; the next one begins with it")
    for warning in data["warnings"]:
        click.echo(f"warning: {warning}")


@click.command()
@state_option
@json_option
@spoken
def confirm(state_dir: Path | None, as_json: bool) -> None:
    """Let the limits count that the file has loosened since the start, and that SIGHUP found."""
    data = ask_daemon(state_dir, "confirm")
    _done(data, as_json, "looser from now on: " + "; ".join(data["loosened"]))


@click.command()
@click.argument("question", type=click.IntRange(min=0))
@click.argument("reply", metavar="yes|no", type=click.Choice(["yes", "no"]))
@state_option
@json_option
@spoken
def answer(question: int, reply: str, state_dir: Path | None, as_json: bool) -> None:
    """Answer a question of the venue's, or about a held order; `engine status` lists those that wait."""
    data = ask_daemon(state_dir, "answer", question=question, yes=reply == "yes")
    _done(data, as_json, f"question {question} is answered: {reply}")
