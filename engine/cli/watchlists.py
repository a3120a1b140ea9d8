"""`engine watchlists`: the user's lists of instruments at the venue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.session import Where, session_options, visit

if TYPE_CHECKING:
    from engine.cli.session import Visit


def _conids(_context: click.Context, _parameter: click.Parameter, given: str | None) -> list[int] | None:
    if given is None:
        return None
    try:
        return [int(part) for part in given.split(",")]
    except ValueError:
        raise click.BadParameter("give conids with commas between, as in 265598,8314") from None


@click.command()
@click.argument("list_id", metavar="[ID]", required=False)
@click.option("--save", metavar="NAME", help="Make list ID by this name, of --conids.")
@click.option("--conids", callback=_conids, metavar="CONIDS", help="What it holds, as 265598,8314.")
@click.option("--delete", is_flag=True, help="Do away with list ID.")
@session_options
def watchlists(where: Where, as_json: bool, list_id: str | None, **wanted: Any) -> None:
    """List the watchlists, or show one."""
    from engine.errors import InputError

    if list_id is None and (wanted["save"] or wanted["delete"]):
        raise InputError("give the ID of one list")
    if (wanted["save"] is None) != (wanted["conids"] is None):
        raise InputError("--save and --conids belong together")
    if list_id is not None and not list_id.isdecimal():
        raise InputError(f"a list's ID is a number, not {list_id!r}")
    told = visit(where, lambda session: _asked(session, list_id, **wanted))
    from engine.cli.tables import plain, show

    if as_json:
        from engine.cli.speaking import print_json

        print_json(plain(told))
        return
    from rich.console import Console

    console = Console()
    if "list" in told:
        rows = [(one.conid, one.ticker, one.asset_class, one.name) for one in told["list"].items]
        show([("conid", ">"), ("symbol", ""), ("type", ""), ("name", "")], rows, console)
        console.print(f"{told['list'].id} {told['list'].name}", highlight=False, markup=False)
        return
    show([("id", ">"), ("name", "")], [(row.id, row.name) for row in told["lists"]], console)
    console.print(f"{len(told['lists'])} lists", highlight=False)


async def _asked(
    session: Visit, list_id: str | None, *, save: str | None, conids: list[int] | None, delete: bool
) -> dict[str, Any]:
    from engine.errors import InputError
    from engine.webapi.endpoints.watchlists import Watchlists

    lists = Watchlists(session.caller)
    if list_id is not None and save is not None:
        await lists.save(list_id, save, conids or [])
    elif list_id is not None and list_id not in {row.id for row in await lists.listed()}:
        raise InputError(f"there is no watchlist {list_id}")
    if list_id is None:
        return {"lists": await lists.listed()}
    if delete:
        await lists.delete(list_id)
        return {"lists": await lists.listed()}
    await lists.read(list_id)  # the first read of a session has conids only
    return {"list": await lists.read(list_id)}
