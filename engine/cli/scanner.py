"""`engine scanner`: run a market scan, or list what can be scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.session import Where, session_options, visit

if TYPE_CHECKING:
    from engine.cli.session import Visit


def _filters(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, object]:
    found: dict[str, object] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            raise click.BadParameter(f"{text!r} is no filter such as priceAbove=5")
        found[name] = float(value) if value.replace(".", "", 1).isdigit() else value
    return found


@click.command()
@click.argument("scan", required=False)
@click.option("--instrument", default="STK", help="Kind of instrument [STK].")
@click.option("--location", default="STK.US.MAJOR", help="Where [STK.US.MAJOR].")
@click.option("--filter", "filters", multiple=True, callback=_filters, metavar="CODE=VALUE", help="May be given again.")
@session_options
def scanner(where: Where, as_json: bool, scan: str | None, **wanted: Any) -> None:
    """Run SCAN, as TOP_PERC_GAIN; without it list the scans for a kind of instrument (once in 15 minutes)."""
    told = visit(where, lambda session: _asked(session, scan.upper() if scan else None, **wanted))
    from engine.cli.tables import plain, show

    if as_json:
        from engine.cli.speaking import print_json

        print_json(plain(told))
        return
    from rich.console import Console

    console = Console()
    if scan is None:
        show([("scan", ""), ("name", "")], [(row.code, row.name) for row in told["scans"]], console)
        places = dict.fromkeys(place.type for tree in told["locations"] for place in (tree, *tree.locations))
        console.print(f"locations: {' '.join(places)}", highlight=False)
        return
    rows = [(row.symbol, row.conid, row.value, row.exchange, row.company) for row in told.rows]
    heads = [("symbol", ""), ("conid", ">"), (told.column or "value", ">"), ("exchange", ""), ("company", "")]
    show(heads, rows, console)
    console.print(f"{len(rows)} found", highlight=False)


async def _asked(
    session: Visit, scan: str | None, *, instrument: str, location: str, filters: dict[str, object]
) -> Any:
    from engine.errors import InputError, VenueRefused
    from engine.webapi.endpoints.scanner import Scanner

    scanners = Scanner(session.caller)
    if scan is None:
        told = await scanners.parameters()
        scans = [row for row in told.scans if not row.instruments or instrument in row.instruments]
        return {"scans": scans, "locations": told.locations}
    try:
        return await scanners.run(instrument=instrument, scan=scan, location=location, filters=filters or None)
    except VenueRefused as error:
        if error.status not in (400, 500):
            raise
        raise InputError(f"the venue runs no such scan: {error.problem}", place=scan) from error
